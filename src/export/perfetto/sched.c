/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * When threads were on which CPU, and who woke them, as Perfetto knows it from
 * the kernel's own tracing: its thread states and wake-up arrows come out of
 * these. Made of the waits that were recorded one by one, so a CPU shows threads
 * of the program only; in between it counts as idle, whoever else ran. What was
 * counted together is not here. Runs on one thread.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "export/perfetto/perfetto.h"

enum {
    PACKET_FTRACE = 1,
    BUNDLE_CPU = 1,
    BUNDLE_EVENT = 2,
    EVENT_TIME = 1,
    EVENT_PID = 2,
    EVENT_SWITCH = 4,
    EVENT_WAKING = 20,
    SWITCH_PREV_PID = 2,
    SWITCH_PREV_STATE = 4,
    SWITCH_NEXT_COMM = 5,
    SWITCH_NEXT_PID = 6,
    WAKING_COMM = 1,
    WAKING_PID = 2,
    WAKING_CPU = 5,

    SCHED_SEQUENCE = 0x7fff0000,
    STATE_READY = 0,
    STATE_WAITS = 1,
    STATE_DISK = 2,
    CPUS_MAX = 4096,
    LOOK_AHEAD = 16,
    WRITE_BYTES = 256 * 1024
};

enum what { GOES_ON, LEAVES, WAKES };
struct turn {
    uint64_t t_ns;
    uint32_t thread, order; /* who goes on, leaves or wakes; as it was recorded */
    int32_t woken;          /* tid */
    uint16_t cpu;
    uint8_t what, state;
};
struct turns {
    VEC(struct turn) items;
    bool failed;
};

static void add(struct turns *t, struct turn turn)
{
    struct turn *new = VEC_PUSH(&t->items);
    t->failed |= !new;
    if (new) {
        *new = turn;
        new->order = (uint32_t)t->items.count;
    }
}

/* From its wake-up until it had a CPU: the next sample of the thread, of the same
 * time. */
static uint64_t ready_after(const struct perfetto *p, size_t i)
{
    const struct perfetto_sample *s = &p->samples.items[i];
    for (size_t k = i + 1; k < p->samples.count && k <= i + LOOK_AHEAD; k++) {
        const struct perfetto_sample *next = &p->samples.items[k];
        if (next->t_ns != s->t_ns)
            break;
        if (next->thread == s->thread && next->kind == ORIEL_SAMPLE_PREEMPTED &&
            (next->extra & ORIEL_WAIT_WOKEN))
            return next->weight;
    }
    return 0;
}

static void take_away(struct turns *t, const struct perfetto *p, size_t i)
{
    const struct perfetto_sample *s = &p->samples.items[i];
    const bool waited = s->kind == ORIEL_SAMPLE_OFF_CPU;
    uint32_t off = ORIEL_WAIT_CPU_OFF(s->extra), on = ORIEL_WAIT_CPU_ON(s->extra);
    if (!off || !on || off > CPUS_MAX || on > CPUS_MAX || (s->extra & ORIEL_WAIT_SHARED) ||
        (!waited && (s->extra & ORIEL_WAIT_WOKEN)))
        return;
    uint64_t ns = s->weight + (waited ? ready_after(p, i) : 0);
    add(t, (struct turn){.t_ns = s->t_ns > ns ? s->t_ns - ns : 0,
                         .thread = s->thread,
                         .cpu = (uint16_t)(off - 1),
                         .what = LEAVES,
                         .state = !waited                        ? STATE_READY
                                  : (s->extra & ORIEL_WAIT_DISK) ? STATE_DISK
                                                                 : STATE_WAITS});
    add(t, (struct turn){
               .t_ns = s->t_ns, .thread = s->thread, .cpu = (uint16_t)(on - 1), .what = GOES_ON});
}

static void wake(struct turns *t, const struct perfetto_sample *s)
{
    const bool nobody = s->extra & (ORIEL_WAKE_INTERRUPT | ORIEL_WAKE_OUTSIDE);
    if (s->extra & ORIEL_WAIT_SHARED)
        return;
    add(t, (struct turn){.t_ns = s->t_ns,
                         .thread = nobody ? UINT32_MAX : s->thread,
                         .woken = ORIEL_WAKE_TID(s->extra),
                         .what = WAKES});
}

static int by_time(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;
    if (x->t_ns != y->t_ns)
        return x->t_ns < y->t_ns ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* ---- packets ---- */

static int32_t tid_of(struct perfetto *p, uint32_t thread)
{
    const struct perfetto_thread *t =
        thread == UINT32_MAX ? NULL : perfetto_thread(p, p->env.catalog->threads[thread]);
    return t ? t->tid : 0;
}

/* One event of the kernel's, in a bundle of its own. */
struct event {
    struct pb_mark packet, bundle, event;
};

static struct event open_event(struct buf *b, const struct turn *t, int32_t pid)
{
    struct event e;
    e.packet = pb_open(b, TRACE_PACKET, WIDE);
    pb_uint(b, PACKET_SEQUENCE, SCHED_SEQUENCE);
    e.bundle = pb_open(b, PACKET_FTRACE, 1);
    pb_uint(b, BUNDLE_CPU, t->cpu);
    e.event = pb_open(b, BUNDLE_EVENT, 1);
    pb_uint(b, EVENT_TIME, t->t_ns);
    pb_uint(b, EVENT_PID, (uint32_t)pid);
    return e;
}

static void close_event(struct buf *b, struct event e)
{
    pb_close(b, e.event);
    pb_close(b, e.bundle);
    pb_close(b, e.packet);
}

/* From `prev` to `next`; 0: nobody of the program. */
static void put_switch(struct perfetto *p, const struct turn *t, int32_t prev, uint8_t state,
                       int32_t next, struct model_str comm)
{
    struct buf *b = &p->buf;
    struct event e = open_event(b, t, prev);
    struct pb_mark m = pb_open(b, EVENT_SWITCH, 1);
    pb_int(b, SWITCH_PREV_PID, prev);
    pb_int(b, SWITCH_PREV_STATE, state);
    comm.n = comm.n > 15 ? 15 : comm.n; /* as the kernel's */
    perfetto_put_text(b, SWITCH_NEXT_COMM, comm);
    pb_int(b, SWITCH_NEXT_PID, next);
    pb_close(b, m);
    close_event(b, e);
}

static void put_waking(struct perfetto *p, const struct turn *t)
{
    struct buf *b = &p->buf;
    struct event e = open_event(b, t, tid_of(p, t->thread));
    struct pb_mark m = pb_open(b, EVENT_WAKING, 1);
    pb_text(b, WAKING_COMM, "");
    pb_int(b, WAKING_PID, t->woken);
    pb_int(b, WAKING_CPU, 0);
    pb_close(b, m);
    close_event(b, e);
}

/* What is said of a CPU is always the continuation of what was said before. */
static void put_turn(struct perfetto *p, const struct turn *t, int32_t *on_cpu)
{
    int32_t tid = tid_of(p, t->thread);
    if (t->what == WAKES) {
        put_waking(p, t);
        return;
    }
    const struct model_str name = p->env.catalog->threads[t->thread]->name;
    int32_t *now = &on_cpu[t->cpu];
    if (*now != tid)
        put_switch(p, t, *now, STATE_READY, tid, name);
    *now = tid;
    if (t->what == LEAVES) {
        put_switch(p, t, tid, t->state, 0, (struct model_str)MODEL_STR("swapper"));
        *now = 0;
    }
}

int perfetto_put_sched(struct perfetto *p, struct oriel_err *err)
{
    struct turns t = {.failed = false};
    int rc = 0;
    for (size_t i = 0; i < p->samples.count; i++) {
        const struct perfetto_sample *s = &p->samples.items[i];
        if (s->kind == ORIEL_SAMPLE_OFF_CPU || s->kind == ORIEL_SAMPLE_PREEMPTED)
            take_away(&t, p, i);
        else if (s->kind == ORIEL_SAMPLE_WAKE)
            wake(&t, s);
    }
    int32_t *on_cpu = t.items.count ? mem_calloc(CPUS_MAX, sizeof *on_cpu) : NULL;
    if (t.failed || (t.items.count && !on_cpu))
        rc = err_set(err, ORIEL_ENOMEM, "perfetto: %s", err_text(ORIEL_ENOMEM));
    if (rc == 0 && t.items.count)
        qsort(t.items.items, t.items.count, sizeof *t.items.items, by_time);
    for (size_t i = 0; rc == 0 && i < t.items.count; i++) {
        assert(t.items.items[i].cpu < CPUS_MAX);
        put_turn(p, &t.items.items[i], on_cpu);
        if (p->buf.size >= WRITE_BYTES || p->buf.failed)
            rc = perfetto_drain(p, err);
    }
    mem_free(on_cpu);
    VEC_DONE(&t.items);
    return rc;
}
