/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * DWARF 2 to 5 in memory: sections, units, abbreviations, attributes, ranges
 * and line tables, split and shared (dwz) files included. Every byte is
 * foreign: nothing is trusted, every loop is bounded by its input. One thread.
 */
#ifndef ORIEL_SYMBOL_DW_H
#define ORIEL_SYMBOL_DW_H

#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "symbol/dw_const.h"
#include "symbol/read.h"

/* How an abbreviation is passed over: fixed bytes merged, the rest one by one. */
enum dw_step_kind { DW_STEP_FIXED, DW_STEP_ULEB, DW_STEP_STRING, DW_STEP_BLOCK, DW_STEP_INDIRECT };
struct dw_step {
    uint32_t kind, n; /* DW_STEP_BLOCK: bytes of the length, 0 for a ULEB */
};
struct dw_attr {
    uint32_t name, form;
    int64_t implicit;
};
struct dw_abbrev {
    uint64_t number;
    uint32_t tag;
    bool children, code; /* code: has addresses of its own */
    uint32_t attr, attr_count, step, step_count;
    uint32_t sibling_step; /* step at which DW_AT_sibling (ref4) lies; UINT32_MAX none */
};
struct dw_abbrevs {
    VEC(struct dw_abbrev) list;
    VEC(struct dw_attr) attrs;
    VEC(struct dw_step) steps;
    struct map by_code; /* only when codes are not 1, 2, 3, ... */
    bool dense;
    uint64_t offset;
    unsigned addr_size, offset_size, version;
    struct dw_abbrevs *next;
};

struct dw;

struct dw_unit {
    struct dw *dw;
    uint64_t offset, end, die; /* in dw->info: header, end, first entry */
    unsigned version, type, addr_size, offset_size;
    uint64_t abbrev_offset;
    const struct dw_abbrevs *abbrevs; /* once opened */
    int opened;                       /* 0 not yet, 1 good, -1 damaged */
    uint64_t addr_base, str_offsets_base, rnglists_base, low_pc, stmt_list, dwo_id;
    uint64_t ranges_base; /* DW_AT_GNU_ranges_base, for the ranges of its .dwo */
    bool has_stmt_list, has_addr_base, has_ranges;
    const char *name, *comp_dir, *dwo_name;
    struct bytes addr, ranges; /* .debug_addr and .debug_ranges it reads */
    struct dw_unit *split;     /* where its entries are: itself, or in a .dwo */
};

/* One file's (or one package entry's) sections. */
struct dw {
    struct bytes info, abbrev, line, str, line_str, ranges, rnglists, addr, str_offsets, aranges;
    struct dw *alt;            /* what DW_FORM_GNU_ref_alt and _strp_alt mean */
    VEC(struct dw_unit) units; /* by offset; fixed once indexed */
    struct dw_abbrevs *abbrevs;
    bool split; /* .dwo */
    bool damaged;
};

/* Walk over the headers of all units. 0 or ORIEL_ENOMEM. */
int dw_index(struct dw *d);
void dw_done(struct dw *d);
/* The unit that holds the entry at an offset of .debug_info; NULL if none. */
struct dw_unit *dw_unit_at(struct dw *d, uint64_t offset);
/* Read the unit's abbreviations and first entry. False: damaged, or no memory. */
bool dw_unit_open(struct dw_unit *u);

/* The abbreviation of a code, NULL if there is none. */
const struct dw_abbrev *dw_abbrev_find(const struct dw_abbrevs *a, uint64_t code);

/* A value as it stands: for most forms `raw` says all. */
struct dw_value {
    uint32_t form;
    uint64_t raw;
    struct bytes block;
};
/* Read one attribute of an entry. */
void dw_value_read(const struct dw_unit *u, struct reader *r, const struct dw_attr *attr,
                   struct dw_value *out);
/* Pass over an entry's attributes. */
void dw_skip(const struct dw_unit *u, const struct dw_abbrev *a, struct reader *r);
/* Offset of the entry after this one and its children when it tells, else 0;
 * r stands behind the attributes either way. */
uint64_t dw_skip_sibling(const struct dw_unit *u, const struct dw_abbrev *a, struct reader *r);

/* NULL when the value is no string or lies outside. */
const char *dw_string(const struct dw_unit *u, const struct dw_value *v);
/* False when the value is no address. */
bool dw_address(const struct dw_unit *u, const struct dw_value *v, uint64_t *out);
/* The unit and offset of the entry that a reference means. */
bool dw_reference(const struct dw_unit *u, const struct dw_value *v, struct dw_unit **out_unit,
                  uint64_t *out_offset);

struct dw_range {
    uint64_t lo, hi;
};
struct dw_ranges {
    struct dw_range *items;
    size_t count, capacity;
};
/* Append the ranges of an entry that has low_pc/high_pc or ranges. `low`, `high`,
 * `ranges` have form 0 when absent. */
int dw_ranges_read(const struct dw_unit *u, const struct dw_value *low, const struct dw_value *high,
                   const struct dw_value *ranges, struct dw_ranges *out);
/* The same for the unit's own first entry. */
int dw_unit_ranges(struct dw_unit *u, struct dw_ranges *out);

struct dw_row {
    uint64_t addr;
    uint32_t file, line;
    uint16_t column;
    bool end, stmt; /* stmt: a good place for a breakpoint */
};
struct dw_sequence {
    uint64_t lo, hi;
    uint32_t first, count; /* rows; the last one is the end */
};
struct dw_file {
    const char *name;
    uint64_t dir;
};
struct dw_line {
    unsigned version;
    const char *comp_dir;
    VEC(struct dw_row) rows;
    VEC(struct dw_sequence) sequences; /* by hi */
    VEC(struct dw_file) files;
    VEC(const char *) dirs;
    bool damaged;
};
/* Run the line program of a unit. 0 or ORIEL_ENOMEM; a damaged one gives the rows
 * before the damage. */
int dw_line_read(struct dw_line *l, const struct dw_unit *u);
void dw_line_done(struct dw_line *l);
/* Row that covers the address, NULL if none. */
const struct dw_row *dw_line_find(const struct dw_line *l, uint64_t addr);
/* Where the next sequence begins behind an address that no row covers. */
uint64_t dw_line_next(const struct dw_line *l, uint64_t addr);
/* Put the full path of a file into out, NUL-terminated; "" when there is none.
 * Returns its length, cut to n - 1. */
size_t dw_line_path(const struct dw_line *l, uint64_t file, char *out, size_t n);

#endif
