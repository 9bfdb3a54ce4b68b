/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Places in a program that runs already: all its threads, and its children. It
 * is neither stopped nor told. Threads that start while we look are found by
 * looking again, and told from those that inherited our events by the kernel's
 * record about every one that did.
 */
#include <assert.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <time.h>

#include "base/clock.h"
#include "source/probe/probe.h"
#include "source/tasks.h"

enum { ROUNDS_MAX = 16, SETTLE_NS = 1000000 };

/* When an event was opened for a thread: what the thread started before has not got it. */
struct opened {
    uint64_t mono_ns;
    int32_t tid;
    uint32_t event;
};
struct attaching {
    struct hooks *h;
    const struct probe_options *o;
    const struct hook_events *events;
    struct map known; /* thread -> when its last event was opened, ns */
    VEC(struct opened) opened;
    unsigned new; /* threads that were not known */
    bool only_look;
};

static int open_event(struct attaching *a, int32_t tid, uint32_t event)
{
    int rc = hooks_add_event(a->h, a->o, a->events->ids[event], event, tid);
    struct opened *at = rc == 0 ? VEC_PUSH(&a->opened) : NULL;
    if (at)
        *at = (struct opened){clock_mono_ns(), tid, event};
    return rc == 0 && !at ? -ENOMEM : rc;
}

static int add_thread(void *user, int32_t pid, int32_t tid)
{
    struct attaching *a = user;
    (void)pid;
    if (map_get(&a->known, (uint32_t)tid))
        return 0;
    a->new ++;
    if (a->only_look)
        return 0;
    int rc = hooks_add_life(a->h, a->o, tid);
    for (uint32_t i = 0; i < a->events->count && rc == 0; i++)
        rc = open_event(a, tid, i);
    return rc == 0 && !map_put(&a->known, (uint32_t)tid, clock_mono_ns()) ? -ENOMEM : rc;
}

/* A thread that inherited what the one that started it had at that moment: the rest is
 * opened here. That it ended meanwhile is no failure. */
static int inherited(struct attaching *a, const struct hook_record *r)
{
    const uint64_t *parent = map_get(&a->known, (uint32_t)r->parent_tid);
    bool whole = parent && *parent < r->time_ns;
    int rc = 0;
    if (map_get(&a->known, (uint32_t)r->tid))
        return 0;
    for (size_t i = 0; !whole && rc == 0 && i < a->opened.count; i++) {
        const struct opened at = a->opened.items[i]; /* the list grows */
        if (at.tid == r->parent_tid && at.mono_ns >= r->time_ns)
            rc = open_event(a, r->tid, at.event);
    }
    if (rc == 0 || rc == -ESRCH)
        rc = map_put(&a->known, (uint32_t)r->tid, clock_mono_ns()) ? 0 : -ENOMEM;
    return rc;
}

/* The records stay where they are for whoever reads them next. */
static int note_forks(struct attaching *a)
{
    struct hooks *h = a->h;
    struct hook_record r;
    int rc = 0;
    hooks_begin(h);
    while (rc == 0 && hooks_next(h, UINT64_MAX, &r))
        if (r.type == PERF_RECORD_FORK && r.good)
            rc = inherited(a, &r);
    hooks_back(h);
    return rc;
}

static int round_of(struct attaching *a, bool only_look)
{
    a->only_look = only_look;
    a->new = 0;
    int rc = note_forks(a);
    return rc == 0 ? tasks_each(a->o->pid, add_thread, a) : rc;
}

int hooks_attach(struct hooks *h, const struct probe_options *o, const struct hook_events *events)
{
    struct attaching a = {.h = h, .o = o, .events = events};
    assert(o->running && o->pid > 0);
    int rc = round_of(&a, false);
    for (unsigned round = 0; rc == 0 && round < ROUNDS_MAX; round++) {
        rc = round_of(&a, true);
        if (rc < 0 || a.new == 0)
            break;
        /* A thread is seen in /proc a moment before its record is in the ring. */
        const struct timespec moment = {.tv_nsec = SETTLE_NS};
        (void)nanosleep(&moment, NULL);
        rc = round_of(&a, false);
    }
    bool any = a.opened.count > 0;
    map_done(&a.known);
    VEC_DONE(&a.opened);
    return rc == -ESRCH && any ? 0 : rc; /* it ended meanwhile: what was seen is seen */
}
