/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report for a terminal: where CPU time, waiting and memory went. One row
 * for each, with the function, span and thread that has most of it; the tables
 * below tell the rest.
 */
#include "base/err.h"
#include "report/functions.h"
#include "report/text.h"
#include "report/weights.h"
#include "util/num.h"

static const struct {
    uint8_t kind;
    const char *title;
} rows[] = {
    {ORIEL_SAMPLE_CPU, "CPU time"},           {ORIEL_SAMPLE_OFF_CPU, "waiting"},
    {ORIEL_SAMPLE_LOCK, "waiting for locks"}, {ORIEL_SAMPLE_PREEMPTED, "ready, but no CPU"},
    {ORIEL_SAMPLE_ALLOC, "allocated"},        {ORIEL_SAMPLE_PEAK, "in use at the peak"},
    {ORIEL_SAMPLE_LIVE, "in use at the end"},
};
enum { ROWS = sizeof rows / sizeof *rows };

/* Memory is known exactly where the program could say so at its end. */
static uint64_t amount(const struct report *r, uint8_t kind)
{
    const struct heap *h = &r->heap;
    if (h->processes && kind == ORIEL_SAMPLE_ALLOC)
        return h->bytes;
    if (h->processes && kind == ORIEL_SAMPLE_PEAK)
        return h->peak;
    if (h->processes && kind == ORIEL_SAMPLE_LIVE)
        return h->live;
    return r->profile.weight[kind];
}

static bool is_told(const struct report *r, uint8_t kind)
{
    return r->profile.samples[kind] || amount(r, kind);
}

/* "46 % parse"; shares are of what was sampled. */
static void share_cell(struct sheet *s, uint64_t part, uint64_t whole, const char *between,
                       struct model_str name)
{
    char text[NUM_TEXT_MAX];
    if (part)
        table_cellf(&s->table, "%s %s%.*s", num_percent(text, (double)part, (double)whole), between,
                    (int)name.n, name.p);
    else
        sheet_none(s);
}

static int function_cell(struct sheet *s, const struct report *r, struct frames *f, uint8_t kind)
{
    const struct profile_filter all = {
        .kind = kind, .thread = -1, .process = -1, .user_self = kind != ORIEL_SAMPLE_CPU};
    struct function_sums sums;
    int rc = functions_sum(f, &r->profile, r->catalog, &all, &sums);
    if (rc == 0 && sums.items.count)
        share_cell(s, sums.items.items[0].self, sums.weight, "in ",
                   report_without_parameters(f->items.items[sums.items.items[0].frame].name));
    else
        sheet_none(s);
    function_sums_done(&sums);
    return rc;
}

static int reason_cell(struct sheet *s, const struct report *r, struct frames *f)
{
    const char *reason;
    uint64_t ns;
    int rc = report_text_reason(r, f, &reason, &ns);
    share_cell(s, ns, r->waits.ns, "for ", (struct model_str){reason, (uint32_t)strlen(reason)});
    return rc;
}

/* Spans say exactly what they allocated. */
static void allocating_span_cell(struct sheet *s, const struct report *r)
{
    const struct heap_span *most = NULL;
    for (size_t i = 0; i < r->heap.spans.count; i++)
        if (!most || r->heap.spans.items[i].own.bytes > most->own.bytes)
            most = &r->heap.spans.items[i];
    share_cell(s, most ? most->own.bytes : 0, amount(r, ORIEL_SAMPLE_ALLOC), "",
               most ? report_name(r, (uint32_t)(most - r->heap.spans.items)) : MODEL_STR(""));
}

static int span_cell(struct sheet *s, const struct report *r, uint8_t kind)
{
    if (kind == ORIEL_SAMPLE_ALLOC && r->heap.any) {
        allocating_span_cell(s, r);
        return 0;
    }
    struct weights w;
    int rc = weights_sum(r, kind, WEIGHTS_BY_SPAN, &w);
    size_t at = w.count && w.items[0].index == 0; /* outside any span is no answer */
    if (rc == 0 && at < w.count)
        share_cell(s, w.items[at].weight, r->profile.weight[kind], "",
                   r->catalog->sites[w.items[at].index - 1]->name);
    else
        sheet_none(s);
    weights_done(&w);
    return rc;
}

static int thread_cell(struct sheet *s, const struct report *r, uint8_t kind)
{
    struct weights w;
    int rc = weights_sum(r, kind, WEIGHTS_BY_THREAD, &w);
    const struct model_thread *t = w.count ? r->catalog->threads[w.items[0].index] : NULL;
    char text[NUM_TEXT_MAX];
    if (rc == 0 && t && r->catalog->thread_count > 1)
        table_cellf(&s->table, "%s %.*s %d",
                    num_percent(text, (double)w.items[0].weight, (double)r->profile.weight[kind]),
                    (int)t->name.n, t->name.p, t->tid);
    else
        sheet_none(s);
    weights_done(&w);
    return rc;
}

static int put_row(struct sheet *s, const struct report *r, struct frames *f, size_t row)
{
    uint8_t kind = rows[row].kind;
    char text[NUM_TEXT_MAX];
    int rc = 0;
    sheet_text(s, rows[row].title);
    sheet_text(s, report_amount(text, kind, amount(r, kind)));
    if (kind == ORIEL_SAMPLE_OFF_CPU)
        rc = reason_cell(s, r, f);
    else if (kind == ORIEL_SAMPLE_PREEMPTED) /* wherever it was: not the function's doing */
        sheet_none(s);
    else
        rc = function_cell(s, r, f, kind);
    if (rc == 0)
        rc = span_cell(s, r, kind);
    if (rc == 0)
        rc = thread_cell(s, r, kind);
    table_end_row(&s->table);
    return rc;
}

int report_text_summary(const struct report *r, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"", TABLE_TEXT, 0, 18},           {"", TABLE_NUMBER, 0, 0},
        {"most of it", TABLE_TEXT, 0, 24}, {"span", TABLE_TEXT, 2, 16},
        {"thread", TABLE_TEXT, 1, 16},
    };
    struct frames f;
    struct sheet s;
    unsigned told = 0;
    int rc = frames_init(&f, &r->catalog->stacks);
    for (size_t i = 0; i < ROWS; i++)
        told += is_told(r, rows[i].kind);
    if (rc == 0 && told > 1) {
        sheet_title(r, out, REPORT_SUMMARY ", all threads together");
        sheet_init(&s, columns, sizeof columns / sizeof *columns);
        for (size_t i = 0; rc == 0 && i < ROWS; i++)
            if (is_told(r, rows[i].kind))
                rc = put_row(&s, r, &f, i);
        sheet_put(&s, r, out);
    }
    frames_done(&f);
    return rc;
}
