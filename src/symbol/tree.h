/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The functions of one unit and the calls inlined into them, read in one pass
 * over its entries. Only functions that an asked address lies in are read in
 * depth. One thread.
 */
#ifndef ORIEL_SYMBOL_TREE_H
#define ORIEL_SYMBOL_TREE_H

#include "symbol/dw.h"
#include "symbol/sort.h"

struct tree_node {
    uint32_t parent; /* UINT32_MAX: the function itself */
    uint64_t entry;  /* that names it, in the unit's .debug_info */
    uint32_t call_line, call_column;
    uint64_t call_file;
};
struct tree_span {
    uint64_t lo, hi;
    uint32_t node, next; /* next span of the function, UINT32_MAX at the end */
};
struct tree_function {
    uint32_t root;       /* node */
    uint32_t head, tail; /* spans, outer ones first */
    bool asked, flat;
    uint32_t first_slot, slot_count;
};
/* Where one and the same innermost node runs. */
struct tree_slot {
    uint64_t lo, hi;
    uint32_t node;
};
struct tree_interval {
    uint64_t lo, hi;
    uint32_t function;
};
struct tree {
    struct dw_unit *unit; /* whose entries were read */
    VEC(struct tree_node) nodes;
    VEC(struct tree_span) spans;
    VEC(struct tree_function) functions;
    VEC(struct tree_slot) slots;
    VEC(struct tree_interval) intervals; /* by lo, then as found */
    bool damaged;
};

/* Addresses that are asked, sorted. */
struct asked {
    const uint64_t *addrs;
    size_t count;
};

/* Read the unit. With `thorough` entries are not passed over by their sibling
 * links, so that functions inside of functions and types are found too. 0 or
 * ORIEL_ENOMEM; a damaged unit gives what came before the damage. */
int tree_scan(struct tree *t, struct dw_unit *u, struct asked asked, bool thorough);
void tree_done(struct tree *t);
/* The interval around addr: with its function, or (UINT32_MAX) between functions. */
void tree_find(const struct tree *t, uint64_t addr, struct tree_interval *out);
/* Cut a function into slots, once. 0, ORIEL_ENOMEM, ORIEL_ELIMIT (made to hurt). */
int tree_flatten(struct tree *t, struct tree_function *f);

/* What an entry and those it points to say of a function's name. */
struct tree_name {
    const char *name, *linkage; /* NULL unknown */
    uint32_t line;
};
void tree_name(struct dw_unit *u, uint64_t entry, struct tree_name *out);
/* The entry that an inlined call or function stands for, as one number for a map. */
uint64_t tree_origin(struct dw_unit *u, uint64_t entry, struct dw_unit **out_unit,
                     uint64_t *out_entry);

#endif
