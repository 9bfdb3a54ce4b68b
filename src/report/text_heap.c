/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report for a terminal: memory. One line that says how much, the functions
 * that allocate most with what became of it, and the spans.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "report/functions.h"
#include "report/text.h"
#include "report/weights.h"
#include "util/num.h"

enum { KINDS = 4 };
static const uint8_t kinds[KINDS] = {ORIEL_SAMPLE_ALLOC, ORIEL_SAMPLE_LIVE, ORIEL_SAMPLE_PEAK,
                                     ORIEL_SAMPLE_TEMPORARY};

/* What is known exactly, else what the samples stand for. */
static void put_line(const struct report *r, struct buf *out)
{
    char bytes[NUM_TEXT_MAX], blocks[NUM_TEXT_MAX], live[NUM_TEXT_MAX], peak[NUM_TEXT_MAX];
    const struct heap *h = &r->heap;
    if (h->processes) {
        sheet_title(r, out,
                    "memory: %s allocated in %s %s \u00b7 at most %s in use%s \u00b7 %s in use "
                    "at the end",
                    num_bytes(bytes, h->bytes), num_count(blocks, h->allocations),
                    num_noun(h->allocations, "block", "blocks"), num_bytes(peak, h->peak),
                    h->processes > 1 ? " by one process" : "", num_bytes(live, h->live));
        return;
    }
    sheet_title(r, out, "memory: %s allocated \u00b7 %s in use at the end",
                num_bytes(bytes, r->profile.weight[ORIEL_SAMPLE_ALLOC]),
                num_bytes(live, r->profile.weight[ORIEL_SAMPLE_LIVE]));
}

static uint64_t self_of(const struct function_sums *s, uint32_t frame)
{
    for (size_t i = 0; i < s->items.count; i++)
        if (s->items.items[i].frame == frame)
            return s->items.items[i].self;
    return 0;
}

static void put_row(struct sheet *s, const struct report *r, struct frames *f,
                    const struct function_sums sums[KINDS], const struct function_sum *n)
{
    char text[NUM_TEXT_MAX];
    sheet_cell(s, report_without_parameters(f->items.items[n->frame].name), TABLE_PLAIN);
    sheet_text(s, num_percent(text, (double)n->self, (double)sums[0].weight));
    sheet_text(s, num_bytes(text, n->self));
    sheet_count(s, n->self_count);
    for (size_t k = 1; k < KINDS; k++) {
        uint64_t bytes = self_of(&sums[k], n->frame);
        if (r->profile.samples[kinds[k]] && bytes)
            sheet_text(s, num_bytes(text, bytes));
        else
            sheet_none(s);
    }
    report_text_where(s, &f->items.items[n->frame]);
    table_end_row(&s->table);
}

static int put_functions(const struct report *r, struct frames *f, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"function", TABLE_TEXT, 0, 24},       {"share", TABLE_NUMBER, 0, 0},
        {"allocated", TABLE_NUMBER, 0, 0},     {"blocks", TABLE_NUMBER, 3, 0},
        {"in use", TABLE_NUMBER, 0, 0},        {"at the peak", TABLE_NUMBER, 4, 0},
        {"freed at once", TABLE_NUMBER, 2, 0}, {"where", TABLE_TEXT, 1, 12},
    };
    struct function_sums sums[KINDS] = {0};
    struct sheet s;
    char text[NUM_TEXT_MAX];
    int rc = 0;
    for (size_t k = 0; rc == 0 && k < KINDS; k++) {
        const struct profile_filter all = {
            .kind = kinds[k], .thread = -1, .process = -1, .user_self = true};
        rc = functions_sum(f, &r->profile, r->catalog, &all, &sums[k]);
    }
    if (rc == 0 && !weights_are_summed(&r->profile, r->catalog, ORIEL_SAMPLE_ALLOC))
        sheet_line(
            r, out, TABLE_DIM, "  by function as %s %s, not exactly",
            num_count(text, r->profile.samples[ORIEL_SAMPLE_ALLOC]),
            num_noun(r->profile.samples[ORIEL_SAMPLE_ALLOC], "sample tells", "samples tell"));
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; rc == 0 && i < sums[0].items.count && i < r->options.top; i++)
        if (sums[0].items.items[i].self)
            put_row(&s, r, f, sums, &sums[0].items.items[i]);
    sheet_put(&s, r, out);
    for (size_t k = 0; k < KINDS; k++)
        function_sums_done(&sums[k]);
    return rc;
}

/* ---- by span ---- */

struct row {
    uint32_t name;
    const struct heap_span *sums;
};

static int by_bytes(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->sums->own.bytes != y->sums->own.bytes)
        return x->sums->own.bytes < y->sums->own.bytes ? 1 : -1;
    return x->name < y->name ? -1 : x->name > y->name;
}

static void put_span(struct sheet *s, const struct report *r, const struct row *row)
{
    char text[NUM_TEXT_MAX], kept[NUM_TEXT_MAX + 1];
    const struct heap_span *n = row->sums;
    bool less = n->own.bytes < n->own.freed;
    sheet_cell(s, report_name(r, row->name), TABLE_PLAIN);
    sheet_count(s, n->spans);
    sheet_count(s, n->own.allocations);
    sheet_text(s, num_bytes(text, n->own.bytes));
    sheet_text(s, num_bytes(text, n->own.freed));
    kept[0] = '-';
    num_bytes(kept + less, less ? n->own.freed - n->own.bytes : n->own.bytes - n->own.freed);
    sheet_text(s, kept);
    sheet_text(s, num_bytes(text, n->all.bytes));
    table_end_row(&s->table);
}

static int put_spans(const struct report *r, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"span", TABLE_TEXT, 0, 24},         {"count", TABLE_NUMBER, 0, 0},
        {"blocks", TABLE_NUMBER, 0, 0},      {"allocated", TABLE_NUMBER, 0, 0},
        {"freed", TABLE_NUMBER, 0, 0},       {"kept", TABLE_NUMBER, 0, 0},
        {"with inside", TABLE_NUMBER, 1, 0},
    };
    size_t n = 0;
    struct sheet s;
    struct row *rows = mem_calloc(r->heap.spans.count + 1, sizeof *rows);
    if (!rows)
        return ORIEL_ENOMEM;
    for (uint32_t i = 0; i < r->heap.spans.count; i++)
        if (r->heap.spans.items[i].spans)
            rows[n++] = (struct row){i, &r->heap.spans.items[i]};
    qsort(rows, n, sizeof *rows, by_bytes);
    sheet_title(r, out, "memory by span, without what is inside it");
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < n && i < r->options.top; i++)
        put_span(&s, r, &rows[i]);
    sheet_put(&s, r, out);
    mem_free(rows);
    return 0;
}

int report_text_heap(const struct report *r, struct frames *f, struct buf *out)
{
    int rc = 0;
    if (r->profile.samples[ORIEL_SAMPLE_ALLOC] || r->heap.processes)
        put_line(r, out);
    if (r->profile.samples[ORIEL_SAMPLE_ALLOC])
        rc = put_functions(r, f, out);
    return rc == 0 && r->heap.any ? put_spans(r, out) : rc;
}
