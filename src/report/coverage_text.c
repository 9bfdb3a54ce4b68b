/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Coverage for people: files or functions as a table, the worst first, and a
 * source file with how often each line was executed.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "report/coverage.h"
#include "util/num.h"
#include "util/table.h"

struct model_str coverage_path(const struct coverage_view *v, struct model_str path)
{
    size_t n = v->base ? strlen(v->base) : 0;
    if (n && path.n > n + 1 && memcmp(path.p, v->base, n) == 0 && path.p[n] == '/')
        return (struct model_str){path.p + n + 1, (uint32_t)(path.n - n - 1)};
    return path;
}

/* A stretch without hits goes on over lines that are no code. */
void coverage_put_ranges(const struct coverage_file *f, size_t max_bytes, struct buf *out)
{
    size_t from = out->size;
    for (size_t i = 0; i < f->lines.count;) {
        if (f->lines.items[i].count) {
            i++;
            continue;
        }
        uint32_t first = f->lines.items[i].line, last = first;
        for (; i < f->lines.count && !f->lines.items[i].count; i++)
            last = f->lines.items[i].line;
        if (out->size - from > max_bytes) {
            buf_puts(out, ", ...");
            return;
        }
        buf_printf(out, "%s%u", out->size > from ? ", " : "", first);
        if (last > first)
            buf_printf(out, "-%u", last);
    }
}

/* ---- order ---- */

struct row {
    double part;
    uint64_t missing;
    uint32_t file, function;
};

static int worst_first(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->part < y->part || x->part > y->part)
        return x->part < y->part ? -1 : 1;
    if (x->missing != y->missing)
        return x->missing > y->missing ? -1 : 1;
    return x->file != y->file ? (x->file < y->file ? -1 : 1) : (x->function > y->function) * 2 - 1;
}

static void put_part(struct table *t, uint64_t hit, uint64_t all)
{
    char text[24] = "-";
    double part = all ? 100.0 * (double)hit / (double)all : 0;
    /* What is not all is never called all, nor something nothing. */
    if (all && hit < all && part > 99.9)
        part = 99.9;
    if (all && hit && part < 0.1)
        part = 0.1;
    if (all)
        (void)snprintf(text, sizeof text, "%.1f %%", part);
    enum table_style style = !all || hit == all ? TABLE_GREEN
                             : part < 50        ? TABLE_RED
                             : part < 80        ? TABLE_YELLOW
                                                : TABLE_PLAIN;
    table_cell_n(t, text, strlen(text), all ? style : TABLE_DIM);
}

static void put_of(struct table *t, uint64_t hit, uint64_t all)
{
    if (all)
        table_cellf(t, "%llu/%llu", (unsigned long long)hit, (unsigned long long)all);
    else
        table_cell(t, "");
}

static void put_sum(struct table *t, const struct coverage_sum *s)
{
    put_part(t, s->lines_hit, s->lines);
    put_of(t, s->lines_hit, s->lines);
    put_part(t, s->functions_hit, s->functions);
    put_of(t, s->functions_hit, s->functions);
    if (s->branches || s->lines == 0)
        put_part(t, s->branches_hit, s->branches);
    else
        table_cell(t, "");
    put_of(t, s->branches_hit, s->branches);
}

/* ---- files ---- */

static struct row *files_in_order(const struct coverage *c)
{
    struct row *rows = mem_calloc(c->files.count + 1, sizeof *rows);
    for (size_t i = 0; rows && i < c->files.count; i++) {
        struct coverage_sum s = coverage_sum_file(&c->files.items[i]);
        rows[i] = (struct row){.part = s.lines ? (double)s.lines_hit / (double)s.lines : 1,
                               .missing = s.lines - s.lines_hit,
                               .file = (uint32_t)i};
    }
    if (rows && c->files.count > 1)
        qsort(rows, c->files.count, sizeof *rows, worst_first);
    return rows;
}

static void put_file(struct table *t, const struct coverage *c, const struct coverage_view *v,
                     const struct coverage_file *f)
{
    struct model_str path = coverage_path(v, coverage_string(c, f->name));
    struct coverage_sum s = coverage_sum_file(f);
    struct buf ranges;
    buf_init(&ranges);
    coverage_put_ranges(f, 40, &ranges);
    table_cell_n(t, path.p, path.n, TABLE_PLAIN);
    put_sum(t, &s);
    table_cell(t, buf_cstr(&ranges));
    t->failed |= ranges.failed;
    buf_done(&ranges);
}

static void put_files(const struct coverage *c, const struct coverage_view *v, struct buf *out)
{
    static const struct table_column columns[] = {
        {"file", TABLE_TEXT},        {"lines", TABLE_NUMBER},     {"", TABLE_NUMBER},
        {"functions", TABLE_NUMBER}, {"", TABLE_NUMBER},          {"branches", TABLE_NUMBER},
        {"", TABLE_NUMBER},          {"not executed", TABLE_TEXT}};
    struct table t;
    struct row *rows = files_in_order(c);
    struct coverage_sum all = coverage_sum_all(c);
    size_t shown = v->top && v->top < c->files.count ? v->top : c->files.count;
    table_init(&t, columns, sizeof columns / sizeof *columns);
    t.failed |= !rows;
    for (size_t i = 0; rows && i < shown; i++)
        put_file(&t, c, v, &c->files.items[rows[i].file]);
    char whole[64];
    (void)snprintf(whole, sizeof whole, "all %zu file%s", c->files.count,
                   c->files.count == 1 ? "" : "s");
    table_cell_n(&t, whole, strlen(whole), TABLE_BOLD);
    put_sum(&t, &all);
    table_cell(&t, "");
    table_put(&t, 0, v->width, v->colour, out);
    if (shown < c->files.count)
        buf_printf(out, "%zu more, better than these; --top %zu shows all\n",
                   c->files.count - shown, c->files.count);
    out->failed |= t.failed;
    table_done(&t);
    mem_free(rows);
}

/* ---- functions ---- */

/* Those first that were never called. How many of their lines were executed is not told: tracefiles
 * do not say where functions end, and those in functions (lambdas) share lines. */

static size_t functions_in_order(const struct coverage *c, struct row **out)
{
    size_t n = 0, used = 0;
    for (size_t i = 0; i < c->files.count; i++)
        n += c->files.items[i].functions.count;
    struct row *rows = *out = mem_calloc(n + 1, sizeof *rows);
    for (size_t i = 0; rows && i < c->files.count; i++)
        for (size_t k = 0; k < c->files.items[i].functions.count; k++) {
            rows[used++] = (struct row){.part = (double)c->files.items[i].functions.items[k].count,
                                        .file = (uint32_t)i,
                                        .function = (uint32_t)k};
        }
    if (used > 1)
        qsort(rows, used, sizeof *rows, worst_first);
    return used;
}

static void put_function(struct table *t, const struct coverage *c, const struct coverage_view *v,
                         const struct row *row)
{
    const struct coverage_file *f = &c->files.items[row->file];
    const struct coverage_function *function = &f->functions.items[row->function];
    struct model_str name = coverage_readable(c, function);
    struct model_str path = coverage_path(v, coverage_string(c, f->name));
    char calls[NUM_TEXT_MAX];
    table_cell_n(t, name.p, name.n, function->count ? TABLE_PLAIN : TABLE_RED);
    table_cell(t, !function->count  ? "never"
                  : c->reached_only ? "yes"
                                    : num_count(calls, function->count));
    table_cellf(t, "%.*s:%u", (int)path.n, path.p, function->line);
}

static void put_functions(const struct coverage *c, const struct coverage_view *v, struct buf *out)
{
    static const struct table_column columns[] = {
        {"function", TABLE_TEXT}, {"called", TABLE_NUMBER}, {"where", TABLE_TEXT}};
    struct table t;
    struct row *rows;
    size_t n = functions_in_order(c, &rows);
    size_t shown = v->top && v->top < n ? v->top : n;
    table_init(&t, columns, sizeof columns / sizeof *columns);
    t.failed |= !rows;
    for (size_t i = 0; i < shown; i++)
        put_function(&t, c, v, &rows[i]);
    if (shown)
        table_put(&t, 0, v->width, v->colour, out);
    if (shown < n)
        buf_printf(out, "%zu more, called more often; --top %zu shows all\n", n - shown, n);
    out->failed |= t.failed;
    table_done(&t);
    mem_free(rows);
}

void coverage_text(const struct coverage *c, const struct coverage_view *v, struct buf *out)
{
    assert(c->finished);
    if (v->functions)
        put_functions(c, v, out);
    else
        put_files(c, v, out);
}

/* ---- a source file ---- */

static void put_text(struct table *t, const struct coverage_view *v, struct model_str path,
                     uint32_t line, enum table_style style, bool *out_known)
{
    struct model_str text = {"", 0};
    *out_known = v->line && v->line(v->user, path, line, &text);
    struct buf b;
    buf_init(&b);
    for (uint32_t i = 0; i < text.n; i++)
        if (text.p[i] == '\t')
            buf_puts(&b, "    ");
        else
            buf_putc(&b, text.p[i]);
    table_cell_n(t, b.size ? b.data : "", b.size, style);
    t->failed |= b.failed;
    buf_done(&b);
}

static void put_line(struct table *t, const struct coverage *c, const struct coverage_file *f,
                     const struct coverage_line *l, enum table_style *out_style)
{
    uint32_t taken, all;
    char text[NUM_TEXT_MAX];
    bool branches = l && coverage_line_branches(f, l->line, &taken, &all);
    *out_style = !l                                    ? TABLE_DIM
                 : !l->count                           ? TABLE_RED
                 : branches && taken < all && l->count ? TABLE_YELLOW
                                                       : TABLE_PLAIN;
    const char *count = !l                ? ""
                        : !l->count       ? "#####"
                        : c->reached_only ? "+"
                                          : num_count(text, l->count);
    table_cell_n(t, count, strlen(count), *out_style);
    if (branches)
        table_cellf(t, "%u/%u", taken, all);
    else
        table_cell(t, "");
}

void coverage_source(const struct coverage *c, const struct coverage_file *f,
                     const struct coverage_view *v, struct buf *out)
{
    const struct table_column columns[] = {{"count", TABLE_NUMBER},
                                           {f->branches.count ? "branches" : "", TABLE_NUMBER},
                                           {"line", TABLE_NUMBER},
                                           {"", TABLE_TEXT}};
    struct model_str path = coverage_string(c, f->name);
    uint32_t last = f->lines.count ? f->lines.items[f->lines.count - 1].line : 0;
    bool known = true;
    struct table t;
    table_init(&t, columns, sizeof columns / sizeof *columns);
    /* Beyond the last line of code there is the end of the file, where it can be read. */
    for (uint32_t line = 1; line <= last || (known && line <= COVERAGE_LINE_MAX); line++) {
        const struct coverage_line *l = coverage_find_line(f, line);
        struct model_str text;
        enum table_style style;
        known = v->line && v->line(v->user, path, line, &text);
        if (!known && !l)
            continue;
        put_line(&t, c, f, l, &style);
        table_cellf(&t, "%u", line);
        put_text(&t, v, path, line, style, &known);
    }
    table_put(&t, 0, v->width, v->colour, out);
    out->failed |= t.failed;
    table_done(&t);
}
