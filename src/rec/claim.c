/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * This process's slot in the region's process table: claimed when it attaches
 * and, lazily, in a fork child at its first record. Any thread, any signal
 * handler, several at once, and several copies of this library in one process:
 * one slot comes out. What says so lives in pages that a fork wipes, so a child
 * starts anew however it was forked, and a vfork child goes on as its parent.
 */
#include "rec/rec.h"

#include <assert.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/clock.h"
#include "base/os.h"

enum {
    PROCESS_FREE = 0,
    PROCESS_CLAIMED = 1,
    PROCESS_LIVE = 2,
    PROCESS_OVER = 3,
    CLAIM_ROUNDS = 4
};
/* Longest wait for another copy that is claiming. */
#define CLAIM_WAIT_NS UINT64_C(10000000)
#define NO_SLOT UINT32_MAX

/* Who we are, as a slot tells it. */
struct identity {
    int32_t pid;
    uint64_t image_tag, start_time;
};

/* The kernel gives every image it starts 16 random bytes. 0: unknown. */
static uint64_t image_tag(void)
{
    const void *random = (const void *)(uintptr_t)getauxval(AT_RANDOM);
    uint64_t tag = 0;
    if (random)
        memcpy(&tag, random, sizeof tag);
    return tag;
}

/* In a vfork child the memory, and so the identity, is that of its parent. */
static struct identity identify(void)
{
    struct rec_own *own = rec_runtime.own;
    int32_t pid = __atomic_load_n(&own->pid, __ATOMIC_RELAXED);
    if (pid == 0) {
        pid = os_getpid();
        __atomic_store_n(&own->pid, pid, __ATOMIC_RELAXED);
    }
    return (struct identity){pid, image_tag(), os_start_time(pid, 0)};
}

static uint32_t *state_of(uint32_t slot)
{
    return &wire_region_process(&rec_runtime.header, rec_runtime.base, slot)->state;
}

/* Another copy of this library, in this process, has this slot. */
static bool is_of_us(uint32_t slot, const struct identity *me)
{
    const struct wire_process *p = wire_region_process(&rec_runtime.header, rec_runtime.base, slot);
    return __atomic_load_n(&p->state, __ATOMIC_ACQUIRE) == PROCESS_LIVE && p->pid == me->pid &&
           me->image_tag && p->image_tag == me->image_tag && p->start_time == me->start_time;
}

/* A program that exec replaced had our pid and our start time, and no thread of
 * it is left. The same pid with another start time is another process, perhaps
 * one of another pid namespace that is well alive: its reader can tell. */
__attribute__((cold)) void rec_process_end_former(void)
{
    const struct rec_runtime *rt = &rec_runtime;
    const struct identity me = identify();
    for (uint32_t i = 0; i < rt->header.process_count; i++) {
        struct wire_process *p = wire_region_process(&rt->header, rt->base, i);
        uint32_t live = PROCESS_LIVE;
        if (__atomic_load_n(&p->state, __ATOMIC_ACQUIRE) == PROCESS_LIVE && p->pid == me.pid &&
            me.image_tag && p->image_tag && p->image_tag != me.image_tag && me.start_time &&
            p->start_time == me.start_time)
            __atomic_compare_exchange_n(&p->state, &live, PROCESS_OVER, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED);
    }
}

/* ---- numbers ---- */

/* A serial is given out once per process, also to one that finds no slot: what
 * it describes must stand under something. Whoever is first decides. */
uint32_t rec_process_serial(void)
{
    struct rec_runtime *rt = &rec_runtime;
    uint64_t ids = __atomic_load_n(&rt->own->ids, __ATOMIC_ACQUIRE);
    if (ids == 0) {
        uint32_t parent = __atomic_load_n(&rt->process_serial, __ATOMIC_RELAXED);
        uint32_t serial = __atomic_add_fetch(&rt->shared->process_serial, 1, __ATOMIC_RELAXED);
        /* What was described before a fork stands under the parent's serial. */
        uint64_t mine = serial | (uint64_t)(parent ? parent : serial) << 32;
        if (__atomic_compare_exchange_n(&rt->own->ids, &ids, mine, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            ids = mine;
    }
    /* For the children we fork; all who come here store the same. */
    __atomic_store_n(&rt->process_serial, (uint32_t)ids, __ATOMIC_RELAXED);
    return (uint32_t)ids;
}

/* The site id from which on nobody in this process has used any. A child goes
 * on after its parent's, who knows of all copies of this library. */
static uint32_t first_site_id(void)
{
    const struct rec_runtime *rt = &rec_runtime;
    uint32_t first = rec_sites_next(), parent = __atomic_load_n(&rt->process, __ATOMIC_RELAXED);
    if (parent) {
        const struct wire_process *p = wire_region_process(&rt->header, rt->base, parent - 1);
        uint32_t theirs = __atomic_load_n(&p->next_site, __ATOMIC_RELAXED);
        if (p->serial == __atomic_load_n(&rt->process_serial, __ATOMIC_RELAXED) && theirs > first)
            first = theirs;
    }
    return first;
}

__attribute__((cold)) static void fill_process(struct wire_process *p, const struct identity *me)
{
    struct rec_runtime *rt = &rec_runtime;
    uint64_t random[2] = {0, 0};
    struct clock_anchor a = {0, 0, 0};
    p->pid = me->pid;
    p->ppid = os_getppid();
    p->clock = rt->clock;
    p->image_tag = me->image_tag;
    p->start_time = me->start_time;
    if (os_random(random, sizeof random) != 0)
        random[0] = (uint64_t)me->pid << 32 ^ clock_unix_ns(), random[1] = clock_mono_ns();
    p->trace_hi = random[0];
    p->trace_salt = random[1];
    clock_anchor_read(rt->clock, &a);
    p->anchor.ticks = a.ticks;
    p->anchor.mono_ns = a.mono_ns;
    p->anchor.unix_ns = a.unix_ns;
    memset(p->exe, 0, sizeof p->exe);
    os_exe_path(p->exe, sizeof p->exe);
    memset(p->cmdline, 0, sizeof p->cmdline);
    os_read_file("/proc/self/cmdline", p->cmdline, sizeof p->cmdline - 1);
    __atomic_store_n(&p->next_site, first_site_id(), __ATOMIC_RELAXED);
    __atomic_store_n(&p->copies, 1, __ATOMIC_RELAXED);
    p->serial = rec_process_serial();
    p->sites_of = (uint32_t)(__atomic_load_n(&rt->own->ids, __ATOMIC_ACQUIRE) >> 32);
}

/* ---- one of many ---- */

/* Make the slot ours, unless another thread of ours was first. */
static bool decide(uint32_t slot)
{
    uint32_t none = 0;
    assert(slot < rec_runtime.header.process_count);
    return __atomic_compare_exchange_n(&rec_runtime.own->process, &none, slot + 1, false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* The slot of another copy; its numbers become ours, unless we have told some. */
__attribute__((cold)) static uint32_t join_other_copy(const struct identity *me)
{
    struct rec_runtime *rt = &rec_runtime;
    for (uint32_t i = 0; i < rt->header.process_count; i++) {
        struct wire_process *p = wire_region_process(&rt->header, rt->base, i);
        if (!is_of_us(i, me))
            continue;
        uint64_t ids = p->serial | (uint64_t)p->sites_of << 32, before = 0;
        if (!__atomic_compare_exchange_n(&rt->own->ids, &before, ids, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE) &&
            before != ids)
            return NO_SLOT;
        uint32_t next = __atomic_load_n(&p->next_site, __ATOMIC_RELAXED), ours = rec_sites_next();
        while (next < ours && !__atomic_compare_exchange_n(&p->next_site, &next, ours, false,
                                                           __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            ;
        if (decide(i))
            __atomic_fetch_add(&p->copies, 1, __ATOMIC_ACQ_REL);
        return i;
    }
    return NO_SLOT;
}

/* Another copy may be claiming at the same moment. Of two claims that see each
 * other the one in the lower slot stays; a claim that sees another waits for
 * it, for a bounded time. False: ours is to be given back. */
__attribute__((cold)) static bool is_only_claim(uint32_t mine, uint32_t claim,
                                                const struct identity *me)
{
    for (uint32_t i = 0; i < rec_runtime.header.process_count; i++) {
        if (i == mine || __atomic_load_n(state_of(i), __ATOMIC_SEQ_CST) != claim)
            continue;
        if (i < mine)
            __atomic_store_n(state_of(mine), PROCESS_FREE, __ATOMIC_RELEASE);
        uint64_t until = clock_mono_ns() + CLAIM_WAIT_NS;
        while (__atomic_load_n(state_of(i), __ATOMIC_ACQUIRE) == claim && clock_mono_ns() < until)
            os_yield();
        if (i < mine)
            return false;
        if (is_of_us(i, me)) {
            __atomic_store_n(state_of(mine), PROCESS_FREE, __ATOMIC_RELEASE);
            return false;
        }
    }
    return true;
}

/* A slot that was free; NO_SLOT: there is none. *again: it was given back in
 * favour of another's claim. */
__attribute__((cold)) static uint32_t take_free(const struct identity *me, bool polite, bool *again)
{
    const struct rec_runtime *rt = &rec_runtime;
    uint32_t claim = wire_claim(PROCESS_CLAIMED, (uint32_t)me->pid);
    for (uint32_t i = 0; i < rt->header.process_count; i++) {
        uint32_t expected = PROCESS_FREE;
        if (!__atomic_compare_exchange_n(state_of(i), &expected, claim, false, __ATOMIC_SEQ_CST,
                                         __ATOMIC_RELAXED))
            continue;
        *again = polite && !is_only_claim(i, claim, me);
        if (*again)
            return NO_SLOT;
        fill_process(wire_region_process(&rt->header, rt->base, i), me);
        if (decide(i))
            return i;
        __atomic_store_n(state_of(i), PROCESS_FREE, __ATOMIC_RELEASE);
        return NO_SLOT;
    }
    return NO_SLOT;
}

/* The slot is decided on; whoever comes first makes it visible, so that nobody
 * waits for a thread that was interrupted before it could. */
static bool show(struct wire_process *p)
{
    uint32_t word = __atomic_load_n(&p->state, __ATOMIC_RELAXED);
    if (wire_state(word) == PROCESS_CLAIMED)
        /* Pairs with the reader's acquire load. */
        __atomic_compare_exchange_n(&p->state, &word, PROCESS_LIVE, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED);
    return true;
}

struct wire_process *rec_process_self(void)
{
    const struct rec_runtime *rt = &rec_runtime;
    uint32_t index = rt->own ? __atomic_load_n(&rt->own->process, __ATOMIC_ACQUIRE) : 0;
    return index ? wire_region_process(&rt->header, rt->base, index - 1) : NULL;
}

__attribute__((cold)) bool rec_process_claim(void)
{
    struct rec_runtime *rt = &rec_runtime;
    struct wire_process *p = rec_process_self();
    uint64_t signals;
    if (p)
        return show(p);
    /* A handler that forks in the middle would leave two of us at work here. */
    os_signals_block(&signals);
    const struct identity me = identify();
    bool again = true;
    for (int round = 0; again && !p && round < CLAIM_ROUNDS; round++) {
        again = false;
        uint32_t slot = join_other_copy(&me);
        if (slot == NO_SLOT)
            slot = take_free(&me, round + 1 < CLAIM_ROUNDS, &again);
        p = rec_process_self();
        if (p && slot == rec_process_index() && show(p)) {
            __atomic_store_n(&rt->process, slot + 1, __ATOMIC_RELAXED);
            rec_process_serial();
            if (__atomic_load_n(&p->copies, __ATOMIC_RELAXED) == 1)
                rec_context_publish();
        }
    }
    os_signals_restore(signals);
    return p && show(p);
}
