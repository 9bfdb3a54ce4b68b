/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Aligned text tables for people. Columns are as wide as their widest cell;
 * when the lines are wider than the terminal, the widest text column yields
 * first, its cells cut with ".." at the end, or in front of an offset that ends
 * them ("libsql..+0x1f40"). Cells are made safe for a terminal. No I/O.
 */
#ifndef ORIEL_UTIL_TABLE_H
#define ORIEL_UTIL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"

enum table_kind {
    TABLE_TEXT,  /* to the left; may be cut */
    TABLE_NUMBER /* to the right; never cut */
};

enum table_style { TABLE_PLAIN, TABLE_BOLD, TABLE_DIM, TABLE_RED, TABLE_GREEN, TABLE_YELLOW };

struct table_column {
    const char *title; /* NULL in all columns: no header line */
    enum table_kind kind;
};

enum { TABLE_COLUMNS_MAX = 32 };

struct table_cell {
    size_t at; /* in text */
    uint32_t n, width;
    enum table_style style;
};

struct table {
    const struct table_column *columns;
    unsigned column_count;
    struct buf text;
    VEC(struct table_cell) cells;
    bool failed;
};

/* `columns` is kept; at most TABLE_COLUMNS_MAX. */
void table_init(struct table *t, const struct table_column *columns, unsigned count);
void table_done(struct table *t);

/* The next cell, row by row. Spaces in front of a text indent it. */
void table_cell_n(struct table *t, const char *p, size_t n, enum table_style style);
void table_cell(struct table *t, const char *text);
void table_cellf(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Empty cells to the end of the row, if it has been begun. */
void table_end_row(struct table *t);

/* Render to lines of at most `width` columns (0: as wide as it takes), each
 * indented by `indent`, none with spaces at its end. Out of memory sets
 * out->failed. */
void table_put(const struct table *t, unsigned indent, unsigned width, bool colour,
               struct buf *out);

#endif
