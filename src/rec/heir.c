/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A fork child records through the process that exports. When that one is gone, as the parent of
 * a daemon is, the child takes the export over. Nobody calls it for that, so it looks by itself, on
 * the slow path only: its gates have limits below the chunk's end. A thread that says little comes
 * by with every record, one that says much once in 256 bytes, and later in 4 KiB. What it looks at
 * is the beat of the reader; only where that stands still for a second, and at the first record of
 * the process, is the kernel asked: a child that confines itself later makes no system call while
 * its parent reads.
 */
#include "rec/rec.h"

#include "base/clock.h"
#include "base/os.h"

/* Longer than any pause of a reader that lives; a reader on a busy machine costs a question. */
#define STILL_NS UINT64_C(1000000000)
#define AGAIN_NS UINT64_C(20000000) /* after a moment that was none for it */
/* A thread that comes by less often than this looks at each record. */
#define SELDOM_NS UINT64_C(50000000)
enum { STEP = 256, STEP_MAX = 4096, SMALL_STEPS = 64 };

__attribute__((cold)) void rec_gate_set_limit(struct oriel_gate *g, uintptr_t limit)
{
    const bool served = __atomic_load_n(&rec_runtime.served, __ATOMIC_RELAXED);
    g->room_end = limit;
    g->limit = g->heap || served ? 0 : limit;
    if (served)
        rec_thread_local.step |= REC_STEPS;
}

/* Which one of us is to ask now, as it is asked once. */
static __attribute__((cold)) bool is_time(uint64_t now)
{
    struct rec_own *own = rec_runtime.own;
    const uint32_t beat = __atomic_load_n(&rec_runtime.shared->reader_beat, __ATOMIC_RELAXED);
    uint64_t seen = __atomic_load_n(&own->beat_ns, __ATOMIC_RELAXED);
    const bool first = seen == 0;
    if (!first && beat == __atomic_load_n(&own->beat, __ATOMIC_RELAXED) && now - seen < STILL_NS)
        return false;
    const bool moved = beat != __atomic_load_n(&own->beat, __ATOMIC_RELAXED);
    if (!__atomic_compare_exchange_n(&own->beat_ns, &seen, now, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED))
        return false;
    __atomic_store_n(&own->beat, beat, __ATOMIC_RELAXED);
    return first || !moved;
}

/* Of the kernel: once in a process, and where its reader's beat stands still. */
static __attribute__((noinline, cold)) bool owner_is_gone(uint64_t owner)
{
    const struct wire_region *shared = rec_runtime.shared;
    const int32_t pid = wire_owner_pid(owner), tid = wire_owner_tid(owner);
    /* Its thread ended while the program goes on, after oriel_stop: that is nobody's to undo. */
    if (tid && !__atomic_load_n(&shared->closed, __ATOMIC_ACQUIRE))
        return os_task_gone(pid, tid);
    const uint64_t start = __atomic_load_n(&shared->creator_start, __ATOMIC_RELAXED);
    return !os_thread_alive(pid, 0, tid ? start : 0);
}

__attribute__((cold)) bool rec_heir_is_asked(void)
{
    const struct wire_region *shared = rec_runtime.shared;
    const uint64_t owner = __atomic_load_n(&shared->owner, __ATOMIC_ACQUIRE);
    if (rec_thread_local.inheriting || rec_thread_local.setting_up || !is_time(clock_mono_ns()) ||
        !owner)
        return false;
    return owner_is_gone(owner);
}

__attribute__((cold)) void rec_heir_come(void)
{
    rec_thread_local.inheriting = 1;
    if (rec_start_inherit())
        __atomic_store_n(&rec_runtime.served, 0, __ATOMIC_RELAXED);
    else
        __atomic_store_n(&rec_runtime.own->beat_ns, clock_mono_ns() - STILL_NS + AGAIN_NS,
                         __ATOMIC_RELAXED);
    rec_thread_local.inheriting = 0;
}

__attribute__((cold)) void rec_heir_step(struct oriel_gate *g)
{
    struct rec_thread_local *here = &rec_thread_local;
    if (!__atomic_load_n(&rec_runtime.served, __ATOMIC_RELAXED)) {
        here->step = 0;
        rec_gate_set_limit(g, g->room_end);
        return;
    }
    const uint64_t now = clock_mono_ns();
    uint32_t step = here->step & ~REC_STEPS;
    if (now - here->looked_ns > SELDOM_NS)
        step = 0;
    else
        step = step == 0 || here->steps < SMALL_STEPS ? STEP : step < STEP_MAX ? step + STEP : step;
    here->steps += here->steps < SMALL_STEPS;
    here->looked_ns = now;
    here->step = step | REC_STEPS;
    uintptr_t limit = step ? g->thread->head + step : 0;
    if (!g->heap)
        g->limit = limit < g->room_end ? limit : g->room_end;
}
