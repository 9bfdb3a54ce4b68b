/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The kernel counts each hit where it stops the program. Whatever happens to a
 * hit behind that, it was counted: so what is told and what is told as lost can be
 * compared with it, and what is missing is told, too. Runs in the recorder.
 */
#include <assert.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "source/probe/probe.h"

/* From the count to the record it takes the kernel no longer than this. */
enum { SETTLE_NS = 2000000 };

static bool read_counts(const struct account *a, const struct tracefs *t, bool after)
{
    uint64_t *hits = mem_calloc(t->count + 1, sizeof *hits);
    bool good = hits && tracefs_hits(t, hits);
    for (uint32_t i = 0; good && i < a->count; i++) {
        struct account_event *p = &a->events[i];
        if (p->number < t->count && after)
            p->after = hits[p->number];
        else if (p->number < t->count)
            p->before = hits[p->number];
    }
    mem_free(hits);
    return good;
}

void account_begin(struct account *a, const struct tracefs *t, bool running)
{
    assert(a->count == 0 || a->events);
    a->from_ns = 0;
    a->known = true;
    if (!running || t->count == 0)
        return;
    /* In this order: who is counted from now on has a record from now on. */
    a->from_ns = clock_mono_ns();
    a->known = read_counts(a, t, false);
}

void account_told(struct account *a, uint32_t event, uint64_t time_ns)
{
    assert(event < a->count);
    if (time_ns >= a->from_ns)
        a->events[event].told++;
}

void account_end(struct account *a, const struct tracefs *t)
{
    const struct timespec settle = {.tv_nsec = SETTLE_NS};
    if (t->count == 0 || !a->known)
        return;
    a->known = read_counts(a, t, true);
    (void)nanosleep(&settle, NULL);
}

uint64_t account_missing(const struct account *a, const uint64_t *lost)
{
    uint64_t missing = 0;
    for (uint32_t i = 0; a->known && i < a->count; i++) {
        const struct account_event *p = &a->events[i];
        uint64_t happened = p->after > p->before ? p->after - p->before : 0;
        if (p->number != UINT32_MAX && happened > p->told + lost[i])
            missing += happened - p->told - lost[i];
    }
    return missing;
}
