/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Who is alive, and what the dead leave behind: thread and process slots are
 * given back here, once everything they wrote is read. Asking the kernel costs
 * microseconds, so it is done once a second, and for idle threads in turns.
 */
#include "source/ring/ring.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>

#include "base/os.h"

enum { CHECKS_PER_ROUND = 32, SLOTS_PER_ROUND = 1024 };
#define LOOK_NS UINT64_C(2000000)

/* ---- asking ---- */

/* More than one task: the main thread is gone, others run on. */
static bool has_other_tasks(int32_t pid)
{
    char path[48];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *d = opendir(path);
    if (!d)
        return false;
    for (struct dirent *e; count < 2 && (e = readdir(d));)
        count += e->d_name[0] != '.';
    closedir(d);
    return count > 1;
}

static bool process_alive(int32_t pid, uint64_t start_time)
{
    if (os_thread_alive(pid, 0, start_time))
        return true;
    /* A zombie leader, or nobody. */
    uint64_t start = os_start_time(pid, 0);
    return start && (start_time == 0 || start == start_time) && has_other_tasks(pid);
}

static void stream_over(struct ring *r, struct ring_stream *s)
{
    if (s->over)
        return;
    s->over = true;
    s->over_scan = r->scans;
    r->rescan = true; /* its last chunks show in the scan after this */
}

static void process_over(struct ring *r, struct ring_process *p)
{
    p->over = true;
    for (size_t i = 0; i < r->streams.count; i++)
        if (r->streams.items[i]->process == p)
            stream_over(r, r->streams.items[i]);
}

static void check_processes(struct ring *r)
{
    for (uint32_t i = 0; i < r->h.process_count; i++) {
        struct ring_process *p = r->processes[i];
        uint32_t *state = &wire_region_process(&r->h, r->base, i)->state;
        if (!p || p->over)
            continue;
        /* 3: another program runs in its place (exec), with the same pid. */
        if (!r->same_boot || wire_state(RING_LOAD_ACQUIRE(state)) == 3 ||
            !process_alive(p->pid, p->start_time))
            process_over(r, p);
    }
}

/* Half-made slots whose maker is dead. */
static void check_claims(struct ring *r)
{
    for (uint32_t i = 0; i < r->h.process_count; i++) {
        uint32_t *state = &wire_region_process(&r->h, r->base, i)->state;
        uint32_t word = RING_LOAD_ACQUIRE(state);
        int32_t pid = (int32_t)wire_claimer(word);
        if (wire_state(word) == 1 && pid && !process_alive(pid, 0))
            __atomic_compare_exchange_n(state, &word, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    }
    for (uint32_t i = 0; r->met && i < r->h.thread_count; i++) {
        uint32_t *state = &wire_region_thread(&r->h, r->base, i)->state;
        uint32_t word = RING_LOAD_ACQUIRE(state);
        int32_t tid = (int32_t)wire_claimer(word);
        if (wire_state(word) == ORIEL_THREAD_CLAIMED && tid && !r->slot_stream[i] &&
            !os_thread_alive(tid, tid, 0))
            __atomic_compare_exchange_n(state, &word, ORIEL_THREAD_FREE, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED);
    }
}

/* A thread that was taking a block over died before it had it. */
static bool is_gone(int32_t tid)
{
    return tid && !os_thread_alive(tid, tid, 0);
}

/* Left by its thread for another one. None came: it is taken back, unless one
 * comes right now. */
static void take_vacant(struct ring *r, struct ring_stream *s, uint32_t *state, uint32_t word)
{
    if (__atomic_compare_exchange_n(state, &word, ORIEL_THREAD_EXITED, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED))
        stream_over(r, s);
}

/* Whether the thread that has the block exists. One that is gone while the block
 * still is its own died without leaving it; else the block went to another
 * while we asked. */
static void ask_for_owner(struct ring *r, struct ring_stream *s, struct oriel_thread *t)
{
    int32_t tid = RING_LOAD(&t->tid);
    if (tid != s->tid) {
        s->tid = tid;
        s->start_time = 0;
    }
    if (s->start_time == 0) /* from now on a reused tid can be told apart */
        s->start_time = os_start_time(s->process->pid, tid);
    if (!os_thread_alive(s->process->pid, tid, s->start_time) &&
        RING_LOAD_ACQUIRE(&t->state) == ORIEL_THREAD_LIVE && RING_LOAD(&t->tid) == tid)
        stream_over(r, s);
}

/* What a thread says of itself costs a load; whether it exists, a question. */
static void check_stream(struct ring *r, struct ring_stream *s, uint32_t *questions)
{
    struct oriel_thread *t = wire_region_thread(&r->h, r->base, s->slot);
    uint32_t word = RING_LOAD_ACQUIRE(&t->state), state = wire_state(word);
    bool short_of = state == ORIEL_THREAD_VACANT && r->streams.count > r->h.thread_count / 2;
    if (state == ORIEL_THREAD_EXITED || RING_LOAD(&t->serial) != s->serial || s->process->over) {
        stream_over(r, s);
        return;
    }
    if (!short_of && (*questions == 0 || r->now_ns - s->checked_ns < 4 * RING_TICK_NS))
        return;
    *questions -= !short_of;
    s->checked_ns = r->now_ns;
    if (state == ORIEL_THREAD_VACANT ||
        (state == ORIEL_THREAD_PASSING && is_gone((int32_t)wire_claimer(word))))
        take_vacant(r, s, &t->state, word);
    else if (state == ORIEL_THREAD_LIVE)
        ask_for_owner(r, s, t);
}

static void count_processes(const struct ring *r, uint32_t *out_used, uint32_t *out_over)
{
    *out_used = *out_over = 0;
    for (uint32_t i = 0; i < r->h.process_count; i++) {
        *out_used += r->processes[i] != NULL;
        *out_over += r->processes[i] && r->processes[i]->over;
    }
}

/* Processes that come and go quickly must not wait for the tick. */
static void look_at_crowd(struct ring *r)
{
    uint32_t used, over;
    if (r->now_ns < r->next_look_ns)
        return;
    r->next_look_ns = r->now_ns + LOOK_NS;
    count_processes(r, &used, &over);
    if (used > r->h.process_count / 2)
        check_processes(r);
}

bool ring_alive_pressed(const struct ring *r)
{
    uint32_t used, over;
    count_processes(r, &used, &over);
    if (used > r->h.process_count / 2)
        for (size_t i = 0; over && i < r->streams.count; i++)
            if (r->streams.items[i]->process->over)
                return true;
    if (r->streams.count - r->orphans <= r->h.thread_count / 4)
        return false;
    for (size_t i = 0; i < r->streams.count; i++)
        if (r->streams.items[i]->over)
            return true;
    return false;
}

bool ring_alive_check(struct ring *r, bool all)
{
    bool tick = all || r->now_ns >= r->next_tick_ns;
    uint32_t questions = all ? UINT32_MAX : CHECKS_PER_ROUND;
    size_t n = all || r->streams.count < SLOTS_PER_ROUND ? r->streams.count : SLOTS_PER_ROUND;
    if (tick) {
        r->next_tick_ns = r->now_ns + RING_TICK_NS;
        check_processes(r);
        check_claims(r);
        ring_chunk_repair(r);
        ring_who_lost_all(r);
    } else {
        look_at_crowd(r);
    }
    for (size_t i = 0; i < n; i++) {
        if (++r->check_at >= r->streams.count)
            r->check_at = 0;
        struct ring_stream *s = r->streams.items[r->check_at];
        if (!s->over)
            check_stream(r, s, &questions);
    }
    return tick;
}

bool ring_alive_nobody(struct ring *r)
{
    for (uint32_t i = 0; i < r->h.process_count; i++)
        if (r->processes[i] && !r->processes[i]->over)
            return false;
    int32_t creator = (int32_t)r->h.creator_pid;
    /* While the creator lives, it may start further processes. */
    return !r->same_boot || creator <= 0 ||
           (creator != os_getpid() && !process_alive(creator, r->h.creator_start));
}

/* ---- giving back ---- */

static void free_stream(struct ring *r, size_t at)
{
    struct ring_stream *s = r->streams.items[at];
    const uint64_t *known = map_get(&r->stream_by_serial, s->serial);
    assert(s->over && s->chunks == 0 && s->process->streams > 0);
    ring_who_lost(r, s);
    if (s->orphan) {
        r->orphans--;
    } else {
        struct oriel_thread *t = wire_region_thread(&r->h, r->base, s->slot);
        assert(r->slot_stream[s->slot] == s);
        r->slot_stream[s->slot] = NULL;
        /* Pairs with the acquire of a thread that claims the slot. */
        __atomic_store_n(&t->state, ORIEL_THREAD_FREE, __ATOMIC_RELEASE);
    }
    if (known && *known == (uintptr_t)s)
        map_remove(&r->stream_by_serial, s->serial);
    s->process->streams--;
    mem_free(s);
    r->streams.items[at] = r->streams.items[--r->streams.count];
}

/* Dead processes keep their slot until slots run short: whoever looks at a ring
 * that was left behind still sees whose it was. */
static bool tidy_process(struct ring *r)
{
    uint32_t used = 0;
    struct ring_process *oldest = NULL;
    for (uint32_t i = 0; i < r->h.process_count; i++) {
        struct ring_process *p = r->processes[i];
        used += p != NULL;
        if (p && p->over && p->streams == 0 && (!oldest || p->order < oldest->order))
            oldest = p;
    }
    if (!oldest || used <= r->h.process_count - r->h.process_count / 4)
        return false;
    struct wire_process *w = wire_region_process(&r->h, r->base, oldest->slot);
    assert(oldest->over && r->processes[oldest->slot] == oldest);
    r->processes[oldest->slot] = NULL;
    __atomic_store_n(&w->state, 0, __ATOMIC_RELEASE);
    mem_free(oldest->sites);
    mem_free(oldest);
    return true;
}

/* The scan after the end of a thread has shown all its chunks. */
static bool is_done(const struct ring *r, const struct ring_stream *s)
{
    return s->over && s->chunks == 0 && r->scans > s->over_scan;
}

void ring_alive_settle(struct ring *r)
{
    for (size_t i = 0; i < r->streams.count; i++) {
        struct ring_stream *s = r->streams.items[i];
        if (!s->settled && is_done(r, s)) {
            ring_who_lost(r, s);
            s->settled = true;
        }
    }
}

void ring_alive_tidy(struct ring *r)
{
    for (size_t i = r->streams.count; i-- > 0;) {
        struct ring_stream *s = r->streams.items[i];
        if (s->settled && is_done(r, s))
            free_stream(r, i);
    }
    while (tidy_process(r))
        ;
}
