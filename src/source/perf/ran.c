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
    struct perf_sample rest = {.time_ns = now_ns, .kind = ORIEL_SAMPLE_CPU};
    /* By cycles a sample stands for more or less time than it took, by a CPU's timer for
     * what ran before it, too: sums are right of all threads together, and not compared. */
    if (r.sum_ns > r.seen_ns + r.sum_ns / MUCH_PARTS && !p->events.ability.by_cpu &&
        (!p->events.ability.hardware || r.samples == 0)) {
        if (p->between == 0)
            p->between = spaces_stack_named(&p->spaces, "[between samples]");
        rest.stack = p->between;
        rest.weight = r.sum_ns - r.seen_ns;
    }
    /* One of whom there is nothing else to say has been there. */
    if (rest.weight || t->position == 0)
        perf_source_add(p, batch, t, &rest);
}
