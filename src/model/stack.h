/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where code is and how it was reached: object files, places in them, and
 * stacks as a tree of places. Part of the catalog; append-only, numbered
 * densely, so a sample carries one number and equal stacks are equal numbers.
 *
 *   sample -> stack (node: place + parent) -> place (module + address) -> lines
 *
 * Lines are filled in by whoever can read debug information, once per place,
 * at any later time; until then a place is known by module and address alone.
 * One thread at a time.
 */
#ifndef ORIEL_MODEL_STACK_H
#define ORIEL_MODEL_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/mem.h"
#include "model/str.h"

enum model_module_kind {
    MODEL_MODULE_UNKNOWN = 0, /* addresses that no mapping explains */
    MODEL_MODULE_FILE = 1,
    MODEL_MODULE_VDSO = 2,
    MODEL_MODULE_KERNEL = 3, /* the kernel and its modules, by absolute address */
    MODEL_MODULE_JIT = 4     /* made at run time, by absolute address of one process */
};

#define MODEL_BUILD_ID_MAX 32u

/* Instructions of a file: `bytes` of them from `offset` on are executed at `address`. The kernel
 * has one, where its text began. */
struct model_segment {
    uint64_t address, offset, bytes;
};
struct model_module {
    uint32_t index;
    uint32_t process; /* JIT, UNKNOWN: the only one it means something in; else UINT32_MAX */
    uint8_t kind;     /* enum model_module_kind */
    uint8_t build_id_bytes;
    uint8_t build_id[MODEL_BUILD_ID_MAX];
    struct model_str path; /* as mapped; "[kernel]", "[vdso]", "[jit]", "[unknown]" */
    const struct model_segment *segments; /* by address; filled in by whoever can read the file */
    uint32_t segment_count;               /* 0: not known */
};

/* One source line of a place. A place inside inlined code has several: the
 * innermost first, the function that was really called last. */
struct model_line {
    struct model_str function; /* as people write it; never empty */
    struct model_str linkage;  /* as the linker knows it, "" if the same */
    struct model_str file;     /* full path, "" unknown */
    uint32_t line, column;     /* from 1; 0 unknown */
    uint32_t start_line;       /* of the function; 0 unknown */
    bool inlined;              /* into the next one */
};

struct model_place {
    uint32_t index;
    uint32_t module;
    uint64_t address; /* ELF virtual address; of a caller: where it goes on */
    bool caller;      /* look up address - 1 */
    bool resolved;    /* somebody tried; line_count may still be 0 */
    uint8_t line_count;
    const struct model_line *lines;
};

/* A node: `place`, called from the stack `parent`. Node 0 is the empty stack. */
struct model_stack {
    uint32_t parent;
    uint32_t place;
    uint32_t depth; /* places from here to the root, itself included */
};
#define MODEL_STACK_DEPTH_MAX 1024u

struct model_stacks {
    struct arena arena;
    struct map module_by_hash, place_by_hash, node_by_key, text_by_hash;
    struct model_module **modules;
    struct model_place **places;
    struct model_stack *nodes;
    uint32_t module_count, module_capacity;
    uint32_t place_count, place_capacity;
    uint32_t node_count, node_capacity; /* with node 0; 0 before the first */
};

void model_stacks_init(struct model_stacks *s);
void model_stacks_done(struct model_stacks *s);

/* The module of this description, made if new; index is assigned, texts are
 * copied. NULL: no memory. */
struct model_module *model_stacks_module(struct model_stacks *s, const struct model_module *m);
/* Copies what its file says of where instructions lie. 0 or ORIEL_ENOMEM. */
int model_module_set_segments(struct model_stacks *s, struct model_module *m,
                              const struct model_segment *segments, uint32_t n);
/* The place, made if new. NULL: no memory. */
struct model_place *model_stacks_place(struct model_stacks *s, uint32_t module, uint64_t address,
                                       bool caller);
/* The node for `place` called from `parent` (0: the outermost). Returns its
 * number; 0: no memory, or deeper than MODEL_STACK_DEPTH_MAX. */
uint32_t model_stacks_node(struct model_stacks *s, uint32_t parent, uint32_t place);
/* Copies `lines` (n <= 255) into the place and marks it resolved; equal texts
 * are kept once. 0, or ORIEL_ENOMEM. */
int model_place_set_lines(struct model_stacks *s, struct model_place *p,
                          const struct model_line *lines, uint32_t n);

static inline const struct model_stack *model_stack(const struct model_stacks *s, uint32_t id)
{
    return id && id < s->node_count ? &s->nodes[id] : NULL;
}
static inline const struct model_place *model_stack_place(const struct model_stacks *s,
                                                          const struct model_stack *node)
{
    return s->places[node->place];
}

#endif
