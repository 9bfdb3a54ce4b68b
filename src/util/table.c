/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Text tables. Cells are cleaned when they come in, so that rendering knows
 * their width; nothing a program wrote reaches the terminal as a command.
 */
#include "util/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/utf8.h"

enum { GAP = 2, TEXT_MIN = 8, CUT_MARK = 2, OFFSET_MARK = 3, HEAD_MIN = 4 };

void table_init(struct table *t, const struct table_column *columns, unsigned count)
{
    assert(count > 0 && count <= TABLE_COLUMNS_MAX);
    memset(t, 0, sizeof *t);
    t->columns = columns;
    t->column_count = count;
    buf_init(&t->text);
}

void table_done(struct table *t)
{
    buf_done(&t->text);
    VEC_DONE(&t->cells);
}

void table_cell_n(struct table *t, const char *p, size_t n, enum table_style style)
{
    struct table_cell *cell = VEC_PUSH(&t->cells);
    if (!cell) {
        t->failed = true;
        return;
    }
    cell->at = t->text.size;
    cell->style = style;
    utf8_printable(&t->text, p, n);
    if (t->text.failed) {
        t->failed = true;
        return;
    }
    cell->n = (uint32_t)(t->text.size - cell->at);
    cell->width = cell->n ? (uint32_t)utf8_width(t->text.data + cell->at, cell->n) : 0;
}

void table_cell(struct table *t, const char *text)
{
    table_cell_n(t, text, strlen(text), TABLE_PLAIN);
}

void table_cellf(struct table *t, const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    table_cell_n(t, text, len, TABLE_PLAIN);
}

void table_end_row(struct table *t)
{
    while (!t->failed && t->cells.count % t->column_count != 0)
        table_cell_n(t, "", 0, TABLE_PLAIN);
}

/* The width each column would like; true if any has a title. */
static bool measure(const struct table *t, unsigned *widths)
{
    bool titled = false;
    for (unsigned c = 0; c < t->column_count; c++) {
        const char *title = t->columns[c].title;
        widths[c] = title ? (unsigned)utf8_width(title, strlen(title)) : 0;
        titled = titled || title;
    }
    for (size_t i = 0; i < t->cells.count; i++) {
        unsigned c = (unsigned)(i % t->column_count);
        if (t->cells.items[i].width > widths[c])
            widths[c] = t->cells.items[i].width;
    }
    return titled;
}

/* Takes columns from the widest text column, then from the next, until the
 * line fits or every text column is at its least. */
static void fit(const struct table *t, unsigned *widths, unsigned indent, unsigned width)
{
    unsigned total = indent + GAP * (t->column_count - 1);
    for (unsigned c = 0; c < t->column_count; c++)
        total += widths[c];
    while (width && total > width) {
        unsigned widest = t->column_count, second = TEXT_MIN;
        for (unsigned c = 0; c < t->column_count; c++) {
            if (t->columns[c].kind != TABLE_TEXT)
                continue;
            if (widest == t->column_count || widths[c] > widths[widest]) {
                if (widest != t->column_count && widths[widest] > second)
                    second = widths[widest];
                widest = c;
            } else if (widths[c] > second) {
                second = widths[c];
            }
        }
        if (widest == t->column_count || widths[widest] <= TEXT_MIN)
            return;
        unsigned excess = total - width, give = widths[widest] - second;
        give = give == 0 ? 1 : give < excess ? give : excess;
        widths[widest] -= give;
        total -= give;
    }
}

static void put_spaces(struct buf *out, unsigned n)
{
    while (n--)
        buf_putc(out, ' ');
}

static void put_styled(struct buf *out, const char *p, size_t n, enum table_style style,
                       bool colour)
{
    static const char *const codes[] = {"", "1", "2", "31", "32", "33"};
    if (n == 0)
        return;
    if (!colour || style == TABLE_PLAIN) {
        buf_put(out, p, n);
        return;
    }
    buf_printf(out, "\x1b[%sm", codes[style]);
    buf_put(out, p, n);
    buf_puts(out, "\x1b[0m");
}

/* A line being written; `gap` is what stands between the last cell and the
 * next, written only if there is a next, so lines end without spaces. */
struct line {
    struct buf *out;
    bool colour;
    unsigned gap;
};

/* Of a place without a name, "libz.so.1.2.13+0x1f40", what tells it from others is the end:
 * its bytes, ASCII only. 0: there is none, or no room for it and a beginning. */
static size_t telling_end(const char *p, size_t n, unsigned room)
{
    size_t digits = 0;
    while (digits < n && strchr("0123456789abcdef", p[n - digits - 1]) && p[n - digits - 1])
        digits++;
    const size_t end = digits + OFFSET_MARK;
    if (digits == 0 || end > n || memcmp(p + n - end, "+0x", OFFSET_MARK) != 0)
        return 0;
    return end + CUT_MARK + HEAD_MIN <= room ? end : 0;
}

/* One cell, its text at p, in `room` columns. */
static void put_cell(struct line *l, const struct table_cell *cell, const char *p, unsigned room,
                     enum table_kind kind)
{
    size_t n = cell->n;
    unsigned width = cell->width;
    if (n == 0) {
        l->gap += room + GAP;
        return;
    }
    put_spaces(l->out, l->gap + (kind == TABLE_NUMBER && width < room ? room - width : 0));
    size_t end = width > room ? telling_end(p, n, room) : 0;
    if (width > room) {
        n = utf8_cut_width(p, n, room - CUT_MARK - end);
        width = (unsigned)(utf8_width(p, n) + CUT_MARK + end);
    }
    put_styled(l->out, p, n, cell->style, l->colour);
    if (n < cell->n)
        buf_puts(l->out, "..");
    put_styled(l->out, p + cell->n - end, end, cell->style, l->colour);
    l->gap = GAP + (kind == TABLE_TEXT && width < room ? room - width : 0);
}

static void put_header(const struct table *t, const unsigned *widths, struct line *l)
{
    for (unsigned c = 0; c < t->column_count; c++) {
        const char *title = t->columns[c].title ? t->columns[c].title : "";
        size_t n = strlen(title);
        struct table_cell cell = {0, (uint32_t)n, (uint32_t)utf8_width(title, n), TABLE_BOLD};
        put_cell(l, &cell, title, widths[c], t->columns[c].kind);
    }
    buf_putc(l->out, '\n');
}

void table_put(const struct table *t, unsigned indent, unsigned width, bool colour, struct buf *out)
{
    unsigned widths[TABLE_COLUMNS_MAX];
    struct line l = {out, colour, indent};
    if (t->failed) {
        out->failed = true;
        return;
    }
    bool titled = measure(t, widths);
    fit(t, widths, indent, width);
    if (titled)
        put_header(t, widths, &l);
    l.gap = indent;
    for (size_t i = 0; i < t->cells.count; i++) {
        const struct table_cell *cell = &t->cells.items[i];
        unsigned c = (unsigned)(i % t->column_count);
        put_cell(&l, cell, cell->n ? t->text.data + cell->at : "", widths[c], t->columns[c].kind);
        if (c + 1 == t->column_count || i + 1 == t->cells.count) {
            buf_putc(out, '\n');
            l.gap = indent;
        }
    }
}
