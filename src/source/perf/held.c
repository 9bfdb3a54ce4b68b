/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Samples on their way into a batch. A flight recorder asks for none until it is
 * triggered: until then the kernel's rings are read all the same, and the last
 * samples are held.
 */
#include <assert.h>

#include "base/mem.h"
#include "source/perf/source.h"

enum { SAMPLE_WORDS = 6 };

static void put(struct perf_source *p, struct model_batch *batch, const struct perf_held *h)
{
    const struct perf_sample *s = &h->sample;
    uint64_t *raw = arena_alloc(&batch->arena, SAMPLE_WORDS * sizeof *raw, sizeof *raw);
    struct model_record *r = raw ? model_batch_add_record(batch) : NULL;
    assert(s->kind > 0 && s->kind < ORIEL_SAMPLE_KINDS);
    if (!r) {
        p->counts.no_memory++;
        return;
    }
    raw[0] = ORIEL_RECORD_HEADER(SAMPLE_WORDS, ORIEL_REC_SAMPLE, s->kind, 0);
    raw[1] =
        model_catalog_ticks(p->catalog, h->thread, s->time_ns + p->unix_offset, p->unix_offset);
    raw[2] = s->stack;
    raw[3] = s->weight;
    raw[4] = s->count;
    raw[5] = s->extra;
    *r = (struct model_record){.t_ns = s->time_ns + p->unix_offset,
                               .position = h->position,
                               .raw = raw,
                               .thread = h->thread,
                               .words = SAMPLE_WORDS,
                               .type = ORIEL_REC_SAMPLE,
                               .flags = s->kind,
                               .stream = h->stream};
    p->counts.samples++;
}

static void hold(struct perf_source *p, const struct perf_held *h)
{
    struct perf_holding *all = &p->held;
    if (!all->items)
        all->items = mem_calloc(PERF_HELD_MAX, sizeof *all->items);
    if (!all->items) {
        p->counts.no_memory++;
        return;
    }
    if (all->count == PERF_HELD_MAX) {
        all->first = (all->first + 1) % PERF_HELD_MAX;
        all->count--;
        all->overwritten++;
    }
    all->items[(all->first + all->count++) % PERF_HELD_MAX] = *h;
}

void perf_source_add(struct perf_source *p, struct model_batch *batch, struct perf_thread *t,
                     const struct perf_sample *s)
{
    const struct perf_held h = {
        .sample = *s, .thread = t->thread, .position = t->position, .stream = t->serial};
    t->position += SAMPLE_WORDS * sizeof(uint64_t);
    if (batch)
        put(p, batch, &h);
    else
        hold(p, &h);
}

void perf_source_hand_over(struct perf_source *p, struct model_batch *batch, size_t max_records)
{
    struct perf_holding *all = &p->held;
    for (; all->count > 0 && batch->record_count < max_records; all->count--) {
        put(p, batch, &all->items[all->first]);
        all->first = (all->first + 1) % PERF_HELD_MAX;
    }
}
