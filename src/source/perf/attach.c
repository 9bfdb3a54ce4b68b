/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The threads of a program that runs already, and of its children. The program
 * is neither stopped nor told: threads that start while we look are found by
 * looking again, and told from those that inherited our events by the record
 * that the kernel writes about every one that did.
 */
#include <assert.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <time.h>

#include "source/perf/perf.h"
#include "source/tasks.h"

enum { ROUNDS_MAX = 16, SETTLE_NS = 1000000 };

struct adding {
    struct perf_events *e;
    const struct perf_event_attr *attr;
    enum perf_event_kind kind;
    unsigned new; /* threads that are not known, or were added */
    bool only_look;
};

static int add_thread(void *user, int32_t pid, int32_t tid)
{
    struct adding *a = user;
    bool cpu = a->kind == PERF_EVENT_CPU;
    if (cpu && map_get(&a->e->attached, (uint32_t)tid))
        return 0;
    a->new ++;
    if (a->only_look)
        return 0;
    int rc = perf_events_add_thread(a->e, a->attr, tid, a->kind);
    if (rc == 0 && cpu && !map_put(&a->e->attached, (uint32_t)tid, (uint32_t)pid))
        rc = -ENOMEM;
    return rc;
}

int perf_attach_threads(struct perf_events *e, const struct perf_event_attr *attr, int32_t pid,
                        enum perf_event_kind kind)
{
    struct adding a = {.e = e, .attr = attr, .kind = kind};
    return tasks_each(pid, add_thread, &a);
}

/* Threads that have our events because who started them has. The records stay
 * where they are for whoever reads them next. */
static int note_forks(struct perf_events *e)
{
    const uint8_t *at;
    size_t bytes;
    int rc = 0;
    kernel_rings_begin(e->rings, e->ring_count);
    while ((at = kernel_rings_next(e->rings, e->ring_count, UINT64_MAX, perf_record_time,
                                   &bytes)) != NULL) {
        struct perf_record r;
        if (perf_record_decode(at, bytes, &r) && r.type == PERF_RECORD_FORK &&
            !map_put(&e->attached, (uint32_t)r.tid, (uint32_t)r.pid))
            rc = -ENOMEM;
    }
    kernel_rings_back(e->rings, e->ring_count);
    return rc;
}

int perf_attach_rest(struct perf_events *e, const struct perf_event_attr *attr, int32_t pid)
{
    int rc = 0;
    assert(!attr->disabled);
    for (unsigned round = 0; rc == 0 && round < ROUNDS_MAX; round++) {
        struct adding a = {.e = e, .attr = attr, .kind = PERF_EVENT_CPU, .only_look = true};
        rc = note_forks(e);
        rc = rc == 0 ? tasks_each(pid, add_thread, &a) : rc;
        if (rc < 0 || a.new == 0)
            break;
        /* A thread is seen in /proc a moment before its record is in the ring. */
        const struct timespec moment = {.tv_nsec = SETTLE_NS};
        (void)nanosleep(&moment, NULL);
        a.only_look = false;
        rc = note_forks(e);
        rc = rc == 0 ? tasks_each(pid, add_thread, &a) : rc;
    }
    return rc == -ESRCH ? 0 : rc; /* it ended meanwhile: what was seen is seen */
}
