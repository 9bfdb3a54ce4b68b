/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tables whose columns make way on narrow terminals, and the small texts that
 * fill them. Everything that came from a program passes util/table or
 * utf8_printable on its way out. Pure; one thread at a time.
 */
#include "report/sheet.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "report/render.h"
#include "util/num.h"
#include "util/utf8.h"

enum { INDENT = 2, GAP = 2, KEEP_DEFAULT = 8, ATTRS_BYTES_MAX = 200, VALUE_BYTES_MAX = 60 };

void sheet_init(struct sheet *s, const struct sheet_column *columns, unsigned count)
{
    assert(count <= TABLE_COLUMNS_MAX);
    memset(s, 0, sizeof *s);
    s->columns = columns;
    s->count = count;
    for (unsigned c = 0; c < count; c++)
        s->plain[c] = (struct table_column){columns[c].title, columns[c].kind};
    table_init(&s->table, s->plain, count);
}

void sheet_cell(struct sheet *s, struct model_str text, enum table_style style)
{
    table_cell_n(&s->table, text.p, text.n, style);
}

void sheet_text(struct sheet *s, const char *text)
{
    table_cell(&s->table, text);
}

void sheet_none(struct sheet *s)
{
    table_cell_n(&s->table, "", 0, TABLE_PLAIN);
}

void sheet_ns(struct sheet *s, uint64_t ns)
{
    char text[NUM_TEXT_MAX];
    sheet_text(s, num_duration(text, ns));
}

void sheet_count(struct sheet *s, uint64_t n)
{
    char text[NUM_TEXT_MAX];
    sheet_text(s, num_count(text, n));
}

void sheet_count_if(struct sheet *s, uint64_t n, enum table_style style)
{
    char text[NUM_TEXT_MAX];
    if (n)
        num_count(text, n);
    else
        text[0] = 0;
    sheet_cell(s, (struct model_str){text, (uint32_t)strlen(text)}, style);
}

/* Natural widths; 0 for columns without a cell. */
static void measure(const struct sheet *s, unsigned *widths)
{
    memset(widths, 0, s->count * sizeof *widths);
    for (size_t i = 0; i < s->table.cells.count; i++) {
        unsigned c = (unsigned)(i % s->count);
        if (s->table.cells.items[i].width > widths[c])
            widths[c] = s->table.cells.items[i].width;
    }
    for (unsigned c = 0; c < s->count; c++) {
        unsigned title = (unsigned)strlen(s->columns[c].title);
        if (widths[c] && title > widths[c])
            widths[c] = title;
    }
}

static bool shown(const struct sheet *s, const unsigned *widths, unsigned c, unsigned level)
{
    return widths[c] && (s->columns[c].drop == 0 || s->columns[c].drop > level);
}

/* The fewest columns dropped with which the rest fits. */
static unsigned choose_level(const struct sheet *s, const unsigned *widths, unsigned width)
{
    unsigned level = 0, last = 0;
    for (unsigned c = 0; c < s->count; c++)
        last = s->columns[c].drop > last ? s->columns[c].drop : last;
    for (; level < last; level++) {
        unsigned least = INDENT - GAP;
        for (unsigned c = 0; c < s->count; c++) {
            unsigned keep = s->columns[c].keep ? s->columns[c].keep : KEEP_DEFAULT;
            bool whole = s->columns[c].kind == TABLE_NUMBER || widths[c] < keep;
            if (shown(s, widths, c, level))
                least += GAP + (whole ? widths[c] : keep);
        }
        if (least <= width)
            break;
    }
    return level;
}

void sheet_put(struct sheet *s, const struct report *r, struct buf *out)
{
    unsigned widths[TABLE_COLUMNS_MAX], kept = 0, from[TABLE_COLUMNS_MAX];
    struct table_column columns[TABLE_COLUMNS_MAX];
    struct table narrow;
    table_end_row(&s->table);
    assert(s->table.failed || s->table.cells.count % s->count == 0);
    measure(s, widths);
    unsigned level = choose_level(s, widths, r->options.width);
    for (unsigned c = 0; c < s->count; c++) {
        if (!shown(s, widths, c, level))
            continue;
        columns[kept] = s->plain[c];
        from[kept++] = c;
    }
    if (kept) {
        table_init(&narrow, columns, kept);
        size_t rows = s->table.cells.count / s->count;
        for (size_t row = 0; row < rows; row++)
            for (unsigned k = 0; k < kept; k++) {
                const struct table_cell *cell = &s->table.cells.items[row * s->count + from[k]];
                table_cell_n(&narrow, s->table.text.data ? s->table.text.data + cell->at : "",
                             cell->n, cell->style);
            }
        narrow.failed |= s->table.failed;
        table_put(&narrow, INDENT, r->options.width, r->options.color, out);
        table_done(&narrow);
    }
    table_done(&s->table);
}

static void put_line(const struct report *r, struct buf *out, unsigned width,
                     enum table_style style, const char *format, va_list ap)
{
    static const struct table_column one = {NULL, TABLE_TEXT};
    char text[1024];
    struct table line;
    int n = vsnprintf(text, sizeof text, format, ap);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    table_init(&line, &one, 1);
    table_cell_n(&line, text, len, style);
    table_put(&line, 0, width, r->options.color, out);
    table_done(&line);
}

void sheet_title(const struct report *r, struct buf *out, const char *format, ...)
{
    va_list ap;
    buf_putc(out, '\n');
    va_start(ap, format);
    put_line(r, out, r->options.width, TABLE_BOLD, format, ap);
    va_end(ap);
}

void sheet_line(const struct report *r, struct buf *out, enum table_style style, const char *format,
                ...)
{
    va_list ap;
    va_start(ap, format);
    put_line(r, out, 0, style, format, ap);
    va_end(ap);
}

void sheet_spark(struct buf *out, const double *values, uint32_t count)
{
    static const char bars[8][4] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                    "\u2585", "\u2586", "\u2587", "\u2588"};
    double max = 0;
    for (uint32_t i = 0; i < count; i++)
        max = values[i] > max ? values[i] : max;
    for (uint32_t i = 0; i < count; i++) {
        /* Something is never drawn as nothing. */
        int bar = max > 0 && values[i] > 0 ? (int)(values[i] / max * 7.999) : -1;
        if (bar < 0)
            buf_putc(out, ' ');
        else
            buf_put(out, bars[bar], 3);
    }
}

void sheet_source(struct sheet *s, const struct model_site *site)
{
    char text[160];
    if (!site || site->file.n == 0) {
        sheet_none(s);
        return;
    }
    const char *file = site->file.p, *slash = memrchr(file, '/', site->file.n);
    uint32_t n = site->file.n;
    if (slash) {
        n -= (uint32_t)(slash + 1 - file);
        file = slash + 1;
    }
    n = n < 120 ? n : 120;
    snprintf(text, sizeof text, "%.*s:%u", (int)n, file, site->line);
    sheet_text(s, text);
}

static void put_value(struct buf *out, const struct model_value *v)
{
    char text[NUM_DOUBLE_MAX + 1];
    switch ((enum oriel_type)v->type) {
    case ORIEL_TYPE_BOOL:
        buf_puts(out, v->v.b ? "true" : "false");
        return;
    case ORIEL_TYPE_I64:
        buf_printf(out, "%lld", (long long)v->v.i64);
        return;
    case ORIEL_TYPE_U64:
        buf_printf(out, "%llu", (unsigned long long)v->v.u64);
        return;
    case ORIEL_TYPE_F64:
        *num_put_double(text, v->v.f64) = 0;
        buf_puts(out, text);
        return;
    case ORIEL_TYPE_PTR:
        report_pointer_text(text, v->v.u64);
        buf_puts(out, text);
        return;
    case ORIEL_TYPE_BYTES: {
        const uint32_t n = v->full_bytes > v->v.str.n ? v->full_bytes : v->v.str.n;
        buf_printf(out, "(%u %s)", n, num_noun(n, "byte", "bytes"));
        return;
    }
    case ORIEL_TYPE_STR: {
        size_t n = utf8_cut_bytes(v->v.str.p, v->v.str.n, VALUE_BYTES_MAX);
        utf8_printable(out, v->v.str.p, n);
        if (n < v->v.str.n || (v->flags & MODEL_VALUE_TRUNCATED))
            buf_puts(out, "..");
        return;
    }
    }
}

/* The ten that the pipe puts behind a span's own say one thing here. */
static uint32_t without_heap(const struct model_value *attrs, uint32_t count, uint64_t *out_bytes)
{
    *out_bytes = 0;
    for (; count && heap_is_attribute(attrs[count - 1].key); count--)
        if (model_str_equal(attrs[count - 1].key, MODEL_STR("alloc.bytes")))
            *out_bytes = attrs[count - 1].v.u64;
    return count;
}

/* What the protocol and the instrumentation say, for other programs to read: "otel.trace_state",
 * "code.function.name". */
static bool is_about(struct model_str key)
{
    return key.n > 5 && (memcmp(key.p, "otel.", 5) == 0 || memcmp(key.p, "code.", 5) == 0);
}

/* Of the one kind or the other. How many there is no room for. */
static uint32_t put_attrs(struct buf *out, const struct model_value *attrs, uint32_t count,
                          bool about, size_t start)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (is_about(attrs[i].key) != about)
            continue;
        if (out->size - start > ATTRS_BYTES_MAX) {
            left++;
            continue;
        }
        if (out->size > start)
            buf_putc(out, ' ');
        utf8_printable(out, attrs[i].key.p, attrs[i].key.n);
        buf_putc(out, '=');
        put_value(out, &attrs[i]);
    }
    return left;
}

void sheet_attrs(struct buf *out, const struct model_value *attrs, uint32_t count, uint32_t dropped)
{
    size_t start = out->size;
    uint64_t allocated;
    char text[NUM_TEXT_MAX];
    count = without_heap(attrs, count, &allocated);
    /* Lines are cut: what the program itself says comes first. */
    dropped += put_attrs(out, attrs, count, false, start);
    dropped += put_attrs(out, attrs, count, true, start);
    if (allocated)
        buf_printf(out, "%salloc %s", count ? " " : "", num_bytes(text, allocated));
    if (dropped)
        buf_printf(out, "%s(%u more)", out->size > start ? " " : "", dropped);
}
