/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tables of a report: util/table, and columns that make way. A column without
 * a single cell is left out; when text columns cannot yield enough, columns
 * go in the order of their `drop` number. Seen only inside this room.
 */
#ifndef ORIEL_REPORT_SHEET_H
#define ORIEL_REPORT_SHEET_H

#include "report/state.h"
#include "util/table.h"

struct sheet_column {
    const char *title;
    enum table_kind kind;
    uint8_t drop; /* 1 goes first; 0 stays */
    uint8_t keep; /* text: columns it should not be cut below; 0: 8 */
};
struct sheet {
    const struct sheet_column *columns;
    struct table_column plain[TABLE_COLUMNS_MAX];
    struct table table;
    unsigned count;
};

void sheet_init(struct sheet *s, const struct sheet_column *columns, unsigned count);
void sheet_cell(struct sheet *s, struct model_str text, enum table_style style);
void sheet_text(struct sheet *s, const char *text);
void sheet_none(struct sheet *s);
void sheet_ns(struct sheet *s, uint64_t ns);
void sheet_count(struct sheet *s, uint64_t n);
void sheet_count_if(struct sheet *s, uint64_t n, enum table_style style); /* 0: no cell */
/* Append the lines to `out`, indented by two, and free the sheet. */
void sheet_put(struct sheet *s, const struct report *r, struct buf *out);

/* What stands above a table: a blank line and a bold title. */
void sheet_title(const struct report *r, struct buf *out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A line of text in a style, made safe for a terminal; what does not fit into
 * the width is left to the terminal to wrap. */
void sheet_line(const struct report *r, struct buf *out, enum table_style style, const char *format,
                ...) __attribute__((format(printf, 4, 5)));

/* A small graph of 0 <= values, one column each. */
void sheet_spark(struct buf *out, const double *values, uint32_t count);
/* "file.c:88", the directories left out. */
void sheet_source(struct sheet *s, const struct model_site *site);
/* key=value, short; what the pipe says of memory as one, "alloc 96 kB". */
void sheet_attrs(struct buf *out, const struct model_value *attrs, uint32_t count,
                 uint32_t dropped);

#endif
