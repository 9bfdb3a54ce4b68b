/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What our program in the kernel tells of switches (switches.c) becomes waits.
 * It tells sums that only grow; what is new in them since the last time, but for
 * the wait that is told with them, is of waits that are counted together. So
 * they are complete even where a record found no room.
 */
#include <string.h>

#include "source/perf/source.h"

static bool read_known(const struct perf_record *r, struct perf_known *out)
{
    memset(out, 0, sizeof *out);
    if (r->u.sample.raw_bytes < PERF_KNOWN_TOLD)
        return false;
    memcpy(out, r->u.sample.raw, PERF_KNOWN_TOLD);
    return out->tid > 0 && out->pid > 0;
}

static struct perf_wait wait_of(const struct perf_known *k)
{
    return (struct perf_wait){.left_ns = k->left_ns,
                              .flags = k->flags & PERF_KNOWN_DISK ? ORIEL_WAIT_DISK : 0,
                              .cpu = (uint16_t)((k->flags >> 16) + 1),
                              .preempted = (k->flags & PERF_KNOWN_PREEMPTED) != 0,
                              .one_of_many = (k->flags & PERF_KNOWN_MANY) != 0};
}

void counted_shown(struct perf_source *p, struct perf_thread *t, const struct perf_record *r)
{
    struct perf_known k;
    if (!read_known(r, &k)) {
        p->counts.damaged++;
        return;
    }
    t->wait = wait_of(&k);
    t->wait.stack = spaces_stack(&p->spaces, r, NULL);
    t->wait.sampled = true;
}

/* What came since it was asked last. A thread of the same number begins anew. */
static struct perf_counted since(struct perf_thread *t, const struct perf_known *k)
{
    struct perf_counted *told = &t->counted;
    if (told->born_ns != k->born_ns)
        *told = (struct perf_counted){.born_ns = k->born_ns};
    const struct perf_counted new = {.begin_ns = k->begin_ns,
                                     .wait_ns = k->wait_ns - told->wait_ns,
                                     .ready_ns = k->ready_ns - told->ready_ns,
                                     .taken_ns = k->taken_ns - told->taken_ns,
                                     .waits = k->waits - told->waits,
                                     .taken = k->taken - told->taken};
    *told = (struct perf_counted){.born_ns = k->born_ns,
                                  .wait_ns = k->wait_ns,
                                  .ready_ns = k->ready_ns,
                                  .taken_ns = k->taken_ns,
                                  .waits = k->waits,
                                  .taken = k->taken};
    return new;
}

/* The parts of the wait that is over, as the kernel's program has divided it. */
static void without(struct perf_counted *new, const struct perf_known *k)
{
    const uint64_t total = k->now_ns > k->left_ns ? k->now_ns - k->left_ns : 0;
    uint64_t ready = k->woke_ns && k->woke_ns < k->now_ns ? k->now_ns - k->woke_ns : 0;
    if (ready > new->ready_ns) /* woken between the sum and this: its return was not seen */
        ready = new->ready_ns;
    if (k->flags & PERF_KNOWN_PREEMPTED) {
        new->taken_ns -= total;
        new->taken--;
        return;
    }
    if (ready > total)
        ready = total;
    new->ready_ns -= ready;
    new->wait_ns -= total - ready;
    new->waits--;
}

/* When it is over by the clock of records. They are written a moment after the times in them were
 * read; one whose end nobody saw, when it was known to be over. Nothing is told that is older than
 * what others were promised. */
static uint64_t end_of(const struct perf_source *p, const struct perf_wait *w,
                       const struct perf_known *k, uint64_t told_ns)
{
    if (!(k->flags & PERF_KNOWN_UNSEEN))
        return told_ns;
    uint64_t over = k->woke_ns && w->woke_ns > k->now_ns ? w->woke_ns : k->now_ns;
    if (over + p->unix_offset < p->watermark_ns)
        over = p->watermark_ns - p->unix_offset;
    return over < told_ns ? over : told_ns;
}

void counted_back(struct perf_source *p, struct model_batch *batch, const struct perf_record *r)
{
    struct perf_known k;
    struct perf_thread *t = read_known(r, &k) ? perf_source_thread(p, k.tid) : NULL;
    if (!t || t->pid != k.pid || t->own)
        return; /* what is not told of it now is told with the next, or never begun */
    struct perf_counted new = since(t, &k);
    if (k.left_ns)
        without(&new, &k);
    if (!waits_counted(t, &new))
        p->counts.no_memory++;
    if (!k.left_ns)
        return;
    if (t->wait.left_ns != k.left_ns)
        t->wait = wait_of(&k);
    struct perf_record end = *r;
    end.time_ns = end_of(p, &t->wait, &k, r->time_ns);
    const uint64_t moment = end.time_ns > k.now_ns ? end.time_ns - k.now_ns : 0;
    t->wait.divided = true;
    t->wait.left_ns += moment;
    t->wait.woke_ns = k.woke_ns ? k.woke_ns + moment : 0;
    waits_in(p, batch, t, &end);
}

bool counted_waits(struct perf_source *p, struct perf_thread *t)
{
    struct perf_known k;
    if (!perf_watch_known(&p->events.watch, t->tid, &k) || !k.left_ns || k.woke_ns ||
        (k.flags & (PERF_KNOWN_PREEMPTED | PERF_KNOWN_SHOWN)))
        return false;
    t->wait = wait_of(&k);
    return true;
}

void counted_end(struct perf_source *p, struct perf_thread *t)
{
    struct perf_known k;
    if (!perf_watch_known(&p->events.watch, t->tid, &k) || k.pid != t->pid)
        return;
    const struct perf_counted new = since(t, &k);
    if (!waits_counted(t, &new))
        p->counts.no_memory++;
}
