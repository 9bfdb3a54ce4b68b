/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What threads ran between their samples. The kernel's timer begins anew with
 * each thread, so a thread that lives shorter than a period is never sampled: a
 * thousand short processes would seem to need no CPU at all. How long each ran, the
 * kernel's records of switches tell; what is not known is where.
 */
#include <string.h>

#include "source/perf/source.h"

enum { MUCH_PARTS = 20 };

void ran_in(const struct perf_source *p, struct perf_thread *t, uint64_t now_ns)
{
    t->ran.since_ns = now_ns;
    t->ran.lost = p->counts.lost;
}

void ran_out(const struct perf_source *p, struct perf_thread *t, uint64_t now_ns)
{
    struct perf_ran *r = &t->ran;
    /* Where records are missing it may have left and come back. */
    if (r->since_ns && r->since_ns < now_ns && r->lost == p->counts.lost)
        r->sum_ns += now_ns - r->since_ns;
    r->since_ns = 0;
}

void ran_sampled(struct perf_thread *t, uint64_t ns)
{
    t->ran.seen_ns += ns;
    t->ran.samples++;
}

void ran_end(struct perf_source *p, struct model_batch *batch, struct perf_thread *t,
             uint64_t now_ns)
{
    ran_out(p, t, now_ns);
    const struct perf_ran r = t->ran;
    memset(&t->ran, 0, sizeof t->ran);
    /* By cycles a sample stands for more or less time than it took: its threads' sums
     * are right on average only, and not compared. */
    if (r.sum_ns <= r.seen_ns + r.sum_ns / MUCH_PARTS ||
        (p->events.ability.hardware && r.samples > 0))
        return;
    if (p->between == 0)
        p->between = spaces_stack_named(&p->spaces, "[between samples]");
    const struct perf_sample s = {.time_ns = now_ns,
                                  .weight = r.sum_ns - r.seen_ns,
                                  .stack = p->between,
                                  .kind = ORIEL_SAMPLE_CPU};
    perf_source_add(p, batch, t, &s);
}
