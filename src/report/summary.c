/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One line for each kind that was seen, in the order in which people ask.
 */
#include "report/summary.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "report/functions.h"
#include "report/programs.h"
#include "report/text.h"
#include "report/weights.h"

static const struct {
    uint8_t kind;
    const char *title;
} kinds[] = {
    {ORIEL_SAMPLE_CPU, "CPU time"},           {ORIEL_SAMPLE_OFF_CPU, "waiting"},
    {ORIEL_SAMPLE_LOCK, "waiting for locks"}, {ORIEL_SAMPLE_PREEMPTED, "ready, but no CPU"},
    {ORIEL_SAMPLE_ALLOC, "allocated"},        {ORIEL_SAMPLE_PEAK, "in use at the peak"},
    {ORIEL_SAMPLE_LIVE, "in use at the end"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };
_Static_assert((int)KINDS == (int)SUMMARY_MAX, "a line for each");

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

static int find_function(const struct report *r, struct frames *f, struct summary_line *line)
{
    const struct profile_filter all = {.kind = line->kind,
                                       .thread = -1,
                                       .process = -1,
                                       .user_self = line->kind != ORIEL_SAMPLE_CPU};
    struct function_sums sums;
    int rc = functions_sum(f, &r->profile, r->catalog, &all, &sums);
    if (rc == 0 && sums.items.count) {
        line->function = f->items.items[sums.items.items[0].frame];
        line->most =
            (struct summary_share){sums.items.items[0].self, sums.weight, line->function.name};
    }
    function_sums_done(&sums);
    return rc;
}

static int find_reason(const struct report *r, struct frames *f, struct summary_line *line)
{
    const char *text;
    int rc = report_text_reason(r, f, &text, &line->most.part);
    line->most.whole = r->waits.ns;
    line->most.name = (struct model_str){text, (uint32_t)strlen(text)};
    line->reason = true;
    return rc;
}

/* Spans say exactly what they allocated. */
static void find_allocating_span(const struct report *r, struct summary_line *line)
{
    for (size_t i = 0; i < r->heap.spans.count; i++) {
        uint64_t bytes = r->heap.spans.items[i].own.bytes;
        if (bytes > line->span.part)
            line->span = (struct summary_share){bytes, line->amount, report_name(r, (uint32_t)i)};
    }
}

static int find_span(const struct report *r, struct summary_line *line)
{
    if (line->kind == ORIEL_SAMPLE_ALLOC && r->heap.any) {
        find_allocating_span(r, line);
        return 0;
    }
    struct weights w;
    int rc = weights_sum(r, line->kind, WEIGHTS_BY_SPAN, &w);
    size_t at = w.count && w.items[0].index == 0; /* outside any span is no answer */
    if (rc == 0 && at < w.count)
        line->span = (struct summary_share){w.items[at].weight, r->profile.weight[line->kind],
                                            r->catalog->sites[w.items[at].index - 1]->name};
    weights_done(&w);
    return rc;
}

static int find_thread(const struct report *r, struct summary_line *line)
{
    struct weights w;
    int rc = weights_sum(r, line->kind, WEIGHTS_BY_THREAD, &w);
    if (rc == 0 && w.count) {
        line->who = r->catalog->threads[w.items[0].index];
        line->thread = (struct summary_share){w.items[0].weight, r->profile.weight[line->kind],
                                              line->who->name};
    }
    weights_done(&w);
    return rc;
}

static int find_program(const struct report *r, struct summary *s)
{
    struct programs all;
    int rc = programs_sum(r, &all);
    s->programs = all.items.count > 1;
    for (unsigned i = 0; i < s->count; i++) {
        struct summary_line *line = &s->lines[i];
        const struct program *most = programs_most(&all, line->kind);
        if (most)
            line->program = (struct summary_share){most->weight[line->kind],
                                                   r->profile.weight[line->kind], most->name};
    }
    programs_done(&all);
    return rc;
}

static int fill(const struct report *r, struct frames *f, struct summary_line *line)
{
    int rc = 0;
    if (line->kind == ORIEL_SAMPLE_OFF_CPU)
        rc = find_reason(r, f, line);
    else if (line->kind != ORIEL_SAMPLE_PREEMPTED) /* wherever it was: not the function's doing */
        rc = find_function(r, f, line);
    if (rc == 0)
        rc = find_span(r, line);
    return rc == 0 ? find_thread(r, line) : rc;
}

int summary_make(const struct report *r, struct summary *out)
{
    out->count = 0;
    out->programs = false;
    int rc = frames_init(&out->frames, &r->catalog->stacks);
    for (size_t i = 0; rc == 0 && i < KINDS; i++) {
        uint64_t n = amount(r, kinds[i].kind);
        if (!r->profile.samples[kinds[i].kind] && !n)
            continue;
        struct summary_line *line = &out->lines[out->count++];
        *line = (struct summary_line){.kind = kinds[i].kind, .title = kinds[i].title, .amount = n};
        rc = fill(r, &out->frames, line);
    }
    return rc == 0 ? find_program(r, out) : rc;
}

void summary_done(struct summary *s)
{
    frames_done(&s->frames);
}
