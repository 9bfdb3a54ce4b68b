/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Intervals are added up when they are shown: that is once a second, of rows
 * that are few because equal stacks are one.
 */
#include "report/live.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "report/frames.h"
#include "report/text.h"
#include "util/num.h"

struct interval {
    struct model_profile profile;
    uint64_t ns; /* 0: open, or never used */
};

struct live {
    const struct model_catalog *catalog;
    unsigned intervals, at; /* at: the open one, of intervals + 1 */
    struct interval ring[LIVE_INTERVALS_MAX + 1];
};

int live_new(struct live **out, const struct model_catalog *catalog, unsigned intervals)
{
    assert(intervals > 0 && intervals <= LIVE_INTERVALS_MAX);
    struct live *l = mem_calloc(1, sizeof *l);
    if (!l)
        return ORIEL_ENOMEM;
    l->catalog = catalog;
    l->intervals = intervals;
    for (unsigned i = 0; i <= intervals; i++)
        model_profile_init(&l->ring[i].profile, false);
    *out = l;
    return 0;
}

void live_free(struct live *l)
{
    for (unsigned i = 0; l && i <= l->intervals; i++)
        model_profile_done(&l->ring[i].profile);
    mem_free(l);
}

int live_add(struct live *l, const struct model_batch *items)
{
    int rc = 0;
    for (size_t i = 0; i < items->item_count; i++) {
        const struct model_item *item = &items->items[i];
        int added = item->kind == MODEL_ITEM_SAMPLE
                        ? model_profile_add(&l->ring[l->at].profile, &item->u.sample)
                        : 0;
        rc = rc < 0 ? rc : added;
    }
    return rc;
}

void live_tick(struct live *l, uint64_t interval_ns)
{
    l->ring[l->at].ns = interval_ns;
    l->at = (l->at + 1) % (l->intervals + 1);
    struct interval *next = &l->ring[l->at];
    model_profile_done(&next->profile);
    model_profile_init(&next->profile, false);
    next->ns = 0;
}

/* All intervals that are over, as one profile. 0 or ORIEL_ENOMEM. */
static int add_up(const struct live *l, struct model_profile *out, uint64_t *out_ns)
{
    model_profile_init(out, false);
    *out_ns = 0;
    for (unsigned i = 0; i <= l->intervals; i++) {
        const struct interval *one = &l->ring[i];
        if (i == l->at || one->ns == 0)
            continue;
        *out_ns += one->ns;
        for (uint32_t k = 0; k < one->profile.row_count; k++) {
            const struct model_profile_row *row = &one->profile.rows[k];
            const struct model_sample s = {.kind = row->kind,
                                           .thread = l->catalog->threads[row->thread],
                                           .site = row->site,
                                           .stack = row->stack,
                                           .weight = row->weight,
                                           .count = row->count};
            if (model_profile_add(out, &s) < 0)
                return ORIEL_ENOMEM;
        }
    }
    return 0;
}

/* Threads that were seen at all. */
static unsigned threads_in(const struct model_profile *p)
{
    struct map seen = {0};
    for (uint32_t i = 0; i < p->row_count; i++)
        (void)map_put(&seen, p->rows[i].thread, 1);
    unsigned n = (unsigned)seen.count;
    map_done(&seen);
    return n;
}

void live_summary(const struct live *l, struct buf *out)
{
    struct model_profile p;
    uint64_t ns, samples = 0;
    char cpu[NUM_TEXT_MAX], time[NUM_TEXT_MAX];
    if (add_up(l, &p, &ns) < 0)
        out->failed = true;
    for (uint32_t i = 0; i < p.row_count; i++)
        samples += p.rows[i].kind == ORIEL_SAMPLE_CPU ? p.rows[i].count : 0;
    unsigned threads = threads_in(&p);
    buf_printf(out, "CPU %s, %u %s, %llu %s in %s",
               num_percent(cpu, (double)p.weight[ORIEL_SAMPLE_CPU], (double)ns), threads,
               num_noun(threads, "thread", "threads"), (unsigned long long)samples,
               num_noun(samples, "sample", "samples"), num_duration(time, ns));
    model_profile_done(&p);
}

/* The first lines of a text, without the empty ones before it. */
static void put_lines(const struct buf *text, uint32_t rows, struct buf *out)
{
    const char *at = text->size ? text->data : "", *end = at + text->size;
    while (at < end && *at == '\n')
        at++;
    for (; at < end && rows > 0; rows--) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        next = next ? next + 1 : end;
        buf_put(out, at, (size_t)(next - at));
        at = next;
    }
}

static int put_view(struct report *r, enum live_view view, struct buf *text)
{
    uint8_t kind = view == LIVE_CPU ? ORIEL_SAMPLE_CPU : ORIEL_SAMPLE_OFF_CPU;
    struct frames f;
    if (view == LIVE_THREADS)
        return report_text_threads(r, text);
    if (view == LIVE_SPANS)
        return report_text_spans(r, text);
    int rc = frames_init(&f, &r->catalog->stacks);
    if (rc == 0)
        rc = report_text_functions(r, &f, kind, text);
    frames_done(&f);
    return rc;
}

int live_text(const struct live *l, enum live_view view, uint32_t width, uint32_t rows,
              struct buf *out)
{
    const struct report_options how = {.size = sizeof how, .width = width, .top = rows ? rows : 1};
    struct report *r = NULL;
    struct buf text;
    uint64_t ns;
    int rc = report_new(&r, &how, l->catalog);
    if (rc < 0)
        return rc;
    buf_init(&text);
    model_profile_done(&r->profile);
    rc = add_up(l, &r->profile, &ns);
    if (rc == 0)
        rc = put_view(r, view, &text);
    put_lines(&text, rows, out);
    rc = rc == 0 && (text.failed || out->failed) ? ORIEL_ENOMEM : rc;
    buf_done(&text);
    report_free(r);
    return rc;
}
