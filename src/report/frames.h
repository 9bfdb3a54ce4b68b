/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Places of a profile as functions, inlined ones included: small dense numbers
 * that tables, trees and flame graphs are made of. A place nobody could resolve
 * counts as its module; a file that was mapped under two names (libz.so.1 is a
 * link) is one; libraries of ours are one frame, whatever went on in them ("[Oriel's
 * heap hooks]"), but for that of locks, whose functions say what was waited for.
 * Pure; one thread.
 */
#ifndef ORIEL_REPORT_FRAMES_H
#define ORIEL_REPORT_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/intern.h"
#include "base/vec.h"
#include "model/stack.h"

#define FRAMES_NONE UINT32_MAX

/* A library that Oriel puts in front of programs. */
bool frames_is_own(const struct model_module *m);
/* Nobody knows what this function is called, only where it begins: "zstd+0x1a2b0". */
bool frames_is_start(const struct model_module *m, const struct model_line *line);

/* What follows the last '/'. */
struct model_str frames_base_name(struct model_str path);

/* A function of a module. */
struct frame {
    struct model_str name; /* "parse_file", "[libz.so.1]", "[unknown]" */
    struct model_str file; /* where it is defined, "" unknown */
    const struct model_module *module;
    uint32_t line; /* it starts on; 0 unknown */
    bool resolved;
};

/* A function as it stands at one place: which line of it was running. */
struct frame_at {
    uint32_t frame;
    uint32_t line; /* 0 unknown */
    struct model_str file;
    bool inlined;
};

struct frames {
    const struct model_stacks *stacks;
    struct intern names;
    struct map by_key;
    struct map by_build_id; /* hash -> module */
    VEC(struct frame) items;
    VEC(struct frame_at) at; /* of all places, one after the other */
    VEC(uint64_t) by_place;  /* first << 8 | count; UINT64_MAX not seen yet */
};

/* 0 or ORIEL_ENOMEM; done may be called in both cases. */
int frames_init(struct frames *f, const struct model_stacks *stacks);
void frames_done(struct frames *f);
/* A stack as functions, innermost first. Reused from stack to stack. */
struct frame_list {
    VEC(struct frame_at) items;
};
/* 0 or ORIEL_ENOMEM. The empty stack (0) is the one function "[unknown]". */
int frames_list(struct frames *f, uint32_t stack, struct frame_list *out);

#endif
