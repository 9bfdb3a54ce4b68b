/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where a probe can be set in an object file: its USDT notes, its functions
 * (with the arguments that lie in registers at entry and the instructions that
 * leave them) and the beginnings of its source lines. The file is read by the
 * confined child, like for symbols; what it says is checked again here.
 */
#ifndef ORIEL_SYMBOL_POINTS_H
#define ORIEL_SYMBOL_POINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "symbol/symbol.h"

enum point_kind { POINT_USDT = 1, POINT_FUNCTION = 2, POINT_LINE = 3 };
enum point_type {
    POINT_NONE = 0, /* nothing that a register holds */
    POINT_INT = 1,
    POINT_UINT = 2,
    POINT_POINTER = 3,
    POINT_STRING = 4, /* a char * */
    POINT_BOOL = 5
};
struct point_arg {
    uint32_t name;
    uint8_t type;  /* enum point_type */
    uint8_t bytes; /* 1, 2, 4, 8 */
    uint8_t reg;   /* which of the registers that arguments are passed in, from 0 */
    uint8_t reserved;
};
enum point_flag {
    POINT_CHEAP = 1,  /* the kernel emulates the instruction there, no single step */
    POINT_NOP5 = 2,   /* and replaces it with a call: cheaper still */
    POINT_EXITS = 4,  /* every way out of the function is among its exits */
    POINT_RETURNS = 8 /* `result` is known */
};
struct point {
    uint64_t addr, size;    /* as in the ELF file; size of a function */
    uint64_t offset;        /* in the file: where the kernel sets the probe */
    uint64_t semaphore;     /* offset in the file of a USDT semaphore; 0 none */
    uint32_t provider;      /* strings: offsets, 0 = "" */
    uint32_t name, linkage; /* readable name with parameters; as the linker knows it */
    uint32_t spec;          /* of a USDT note: its arguments, as they stand there */
    uint32_t file, line;    /* of a POINT_LINE; with all_lines, of a POINT_FUNCTION too */
    uint32_t first_arg, first_exit, exit_count;
    uint16_t arg_count;
    uint8_t kind, flags; /* enum point_kind, enum point_flag */
    struct point_arg result;
};

struct points {
    struct buf image; /* everything below lies in it */
    const struct point *items;
    const uint64_t *exits; /* offsets in the file */
    const struct point_arg *args;
    const char *strings;
    uint32_t count, exit_count, arg_count, string_bytes;
    bool throws; /* exceptions may pass its functions: C++, Rust */
    bool has_dwarf;
    bool instrumented;        /* calls what -finstrument-functions makes it call */
    uint64_t patchable;       /* address of __patchable_function_entries; 0: there is none */
    uint64_t patchable_bytes; /* of it */
    uint32_t refused;         /* points left out because no instruction begins there */
    char note[256];           /* one line on what could not be read; "" all well */
};

struct points_query {
    unsigned kinds;      /* 1 << enum point_kind, or-ed */
    const char *pattern; /* with * and ?: "provider:name", a function's name with or without
                          * parameters, "file.c:123" or "file.c:*"; NULL: all but lines */
    bool details;        /* arguments and exits of functions */
    bool all_lines;      /* every place at which any line begins, whatever the pattern says: not
                          * the first one of each function only; several lines may begin at one
                          * place. Functions with `file` and `line` where they begin */
};
enum { POINTS_MAX = 1 << 20 };

/* The points of a file that match, by kind and address. 0 with *out to be ended with
 * points_done; ORIEL_ENOTFOUND (no such file), ORIEL_EFORMAT (no ELF file),
 * ORIEL_EDAMAGED, ORIEL_ELIMIT, ORIEL_ENOMEM, with a line that names the file. */
int points_find(struct symbols *s, const char *path, const struct points_query *query,
                struct points *out, struct oriel_err *err);
void points_done(struct points *p);
static inline const char *points_text(const struct points *p, uint32_t id)
{
    return p->strings + id;
}

/* True when the text matches, * standing for any text and ? for any byte. */
bool points_match(const char *pattern, const char *text, size_t n);
/* Bytes of a readable name without its parameters: "a::b(int) const" is "a::b". */
size_t points_plain_bytes(const char *name, size_t n);

#endif
