/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is known of one module, in one piece of memory: address segments with
 * their source line and their place in the tree of inlined calls. The confined
 * child writes it to the pipe, the cache keeps it on disk, and both are read as
 * foreign bytes: table_open checks every number before anything is used.
 *
 *   header | start u64[n] | node[m] | length, node, file, line u32[n] | column u16[n] | strings
 *
 * Segments are sorted and disjoint; between them nothing is known yet. A node's
 * parent stands before it. Strings are NUL-terminated; string 0 is "".
 */
#ifndef ORIEL_SYMBOL_TABLE_H
#define ORIEL_SYMBOL_TABLE_H

#include "base/buf.h"
#include "base/intern.h"
#include "base/vec.h"
#include "symbol/read.h"

enum {
    TABLE_VERSION = 2,
    TABLE_ID_MAX = 64,
    TABLE_NONE = 0xffffffff, /* no node, no parent */

    TABLE_HAS_DWARF = 1,   /* made with debug information */
    TABLE_HAS_SYMBOLS = 2, /* made with a full symbol table */
    TABLE_INCOMPLETE = 4,  /* a file was missing: not for keeping */

    TABLE_NODE_DWARF = 1, /* known from debug information, else from a symbol */
    TABLE_NODE_INLINED = 2,
    TABLE_NODE_START = 4 /* only where it begins is known: the name is "+0x1a2b0" */
};

struct table_header {
    char magic[8];
    uint32_t version, crc; /* crc32c of all that follows these 16 bytes */
    uint64_t bytes;
    uint32_t segments, nodes;
    uint64_t string_bytes;
    uint32_t flags, build_id_bytes;
    uint8_t build_id[TABLE_ID_MAX];
};
_Static_assert(sizeof(struct table_header) == 112, "stored on disk");

struct table_node {
    uint32_t parent;                            /* that it was inlined into */
    uint32_t name, linkage;                     /* strings */
    uint32_t call_file, call_line, call_column; /* of an inlined call */
    uint32_t start_line, flags;
};
_Static_assert(sizeof(struct table_node) == 32, "stored on disk");

/* A checked view; what it points to must outlive it. */
struct table {
    const struct table_header *header;
    const uint64_t *start;
    const struct table_node *nodes;
    const uint32_t *length, *node, *file, *line;
    const uint16_t *column;
    const char *strings;
    size_t segments, node_count;
};

/* Check an image (8-byte aligned) and look into it. 0; ORIEL_EVERSION; or
 * ORIEL_EDAMAGED with *t untouched. */
int table_open(struct table *t, const void *image, size_t n);
/* Segment that holds the address, SIZE_MAX if none; `hint` is where to look first. */
size_t table_find(const struct table *t, uint64_t addr, size_t hint);

/* ---- making one ---- */

struct table_segment {
    uint64_t start;
    uint32_t length, node, file, line; /* file: a string of the maker */
    uint16_t column;
};
struct table_maker {
    VEC(struct table_segment) segments;
    VEC(struct table_node) nodes;
    struct intern strings;
};

int table_maker_init(struct table_maker *m);
void table_maker_done(struct table_maker *m);
/* Append, merged with the one before where that says the same. 0, ORIEL_ENOMEM,
 * ORIEL_ELIMIT. Lengths over 4 GiB are cut into pieces. */
int table_maker_add(struct table_maker *m, uint64_t lo, uint64_t hi,
                    const struct table_segment *what);
/* Everything another table knows. */
int table_maker_add_table(struct table_maker *m, const struct table *t);
/* Sort, cut overlaps away, and append the image to out. 0, ORIEL_ENOMEM, ORIEL_ELIMIT. */
int table_maker_finish(struct table_maker *m, uint32_t flags, struct bytes build_id,
                       struct buf *out);

#endif
