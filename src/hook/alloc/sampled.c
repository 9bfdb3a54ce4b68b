/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Samples by bytes. The gaps between sampled bytes are exponentially
 * distributed, so every byte has the same chance whatever its block's size; a
 * sampled block stands for 1 / (1 - e^(-size/mean)) of its kind. Sampled blocks
 * are remembered until they go, in a table of fixed size without locks.
 */
#include <assert.h>
#include <errno.h>

#include "base/clock.h"
#include "base/os.h"
#include "hook/alloc/alloc.h"

enum { LIVE_BITS = 16, LIVE_SLOTS = 1 << LIVE_BITS, PROBES = 64, LOOK_AT = 16 };
#define TOMB ((uintptr_t)1)
#define BUSY ((uintptr_t)2)

struct live {
    uintptr_t block; /* atomic; 0 never used, TOMB, BUSY */
    uint64_t bytes, count;
};
static struct live live[LIVE_SLOTS];
uint8_t alloc_filter[1 << ALLOC_FILTER_BITS];
static double mean_bytes;
static uint32_t looks; /* atomic */

/* ---- chance ---- */

static uint64_t next_random(struct alloc_thread *t)
{
    uint64_t x = t->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return t->random = x;
}

/* In (0, 1]. */
static double next_share(struct alloc_thread *t)
{
    return (double)((next_random(t) >> 11) + 1) * 0x1p-53;
}

/* Without libm, which a program may not have. Both within 1e-9. */
static double natural_log(double x)
{
    int e = 0;
    for (; x < 0.7; e--)
        x *= 2;
    double s = (x - 1) / (x + 1), s2 = s * s, sum = 0;
    for (int k = 15; k >= 1; k -= 2)
        sum = sum * s2 + 1.0 / k;
    return 2 * s * sum + e * 0.69314718055994530942;
}

/* 1 - e^-x, x > 0. */
static double chance_of(double x)
{
    if (x > 40)
        return 1;
    double y = x, sum = 0, term = 1;
    int halved = 0;
    for (; y > 0.5; y /= 2)
        halved++;
    for (int k = 1; k < 14; k++) {
        term *= -y / k;
        sum += term;
    } /* sum = e^-y - 1 */
    for (; halved; halved--)
        sum = sum * (sum + 2); /* (1+s)^2 - 1 */
    return -sum;
}

static int64_t gap(struct alloc_thread *t)
{
    double bytes = -natural_log(next_share(t)) * mean_bytes;
    return bytes < 0x1p62 ? (int64_t)bytes : INT64_MAX;
}

/* A whole number whose mean is x. */
static uint64_t round_fairly(struct alloc_thread *t, double x)
{
    uint64_t whole = (uint64_t)x;
    return whole + (next_share(t) <= x - (double)whole);
}

/* ---- what is alive ---- */

static uint32_t slot_of(uintptr_t block)
{
    return (uint32_t)((uint64_t)(block >> 4) * UINT64_C(0xd6e8feb86659fd93) >> (64 - LIVE_BITS));
}

static bool remember(uintptr_t block, uint64_t bytes, uint64_t count)
{
    for (uint32_t i = 0; i < PROBES; i++) {
        struct live *l = &live[(slot_of(block) + i) % LIVE_SLOTS];
        uintptr_t seen = __atomic_load_n(&l->block, __ATOMIC_RELAXED);
        if (seen > TOMB || !__atomic_compare_exchange_n(&l->block, &seen, BUSY, false,
                                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            continue;
        l->bytes = bytes;
        l->count = count;
        /* Whoever frees the block was given it after this. */
        __atomic_store_n(&l->block, block, __ATOMIC_RELEASE);
        __atomic_fetch_add(&alloc_filter[alloc_filter_of((void *)block)], 1, __ATOMIC_RELAXED);
        return true;
    }
    return false;
}

bool alloc_sampled_take(void *p, struct alloc_sampled *out)
{
    uintptr_t block = (uintptr_t)p;
    for (uint32_t i = 0; i < PROBES; i++) {
        struct live *l = &live[(slot_of(block) + i) % LIVE_SLOTS];
        uintptr_t seen = __atomic_load_n(&l->block, __ATOMIC_ACQUIRE);
        if (seen == 0)
            break;
        if (seen != block)
            continue;
        *out = (struct alloc_sampled){l->bytes, l->count};
        __atomic_store_n(&l->block, TOMB, __ATOMIC_RELEASE);
        __atomic_fetch_sub(&alloc_filter[alloc_filter_of(p)], 1, __ATOMIC_RELAXED);
        return true;
    }
    return false;
}

/* ---- the two events ---- */

static void sample(struct alloc_thread *t, void *p, size_t bytes,
                   const struct unwind_caller *caller)
{
    double chance = chance_of((double)bytes / mean_bytes);
    const struct alloc_sampled s = {round_fairly(t, (double)bytes / chance),
                                    round_fairly(t, 1 / chance)};
    bool kept = remember((uintptr_t)p, s.bytes, s.count);
    const struct hook_sample out = {ORIEL_SAMPLE_ALLOC, s.bytes, s.count, kept ? (uintptr_t)p : 0};
    alloc_learn_stack(t);
    hook_stacks_below(&t->stack, caller);
    if (hook_stacks_unknown(&t->stack) && hook_stacks_refresh())
        hook_stacks_below(&t->stack, caller);
    hook_stacks_sample(&out, &t->stack);
    /* The more threads there are to look at, the more seldom. */
    if (__atomic_fetch_add(&looks, 1, __ATOMIC_RELAXED) % (1 + alloc_threads_slots() / LOOK_AT) ==
        0)
        alloc_look_at_live();
}

void alloc_sampled_new(struct alloc_thread *t, void *p, size_t bytes,
                       const struct unwind_caller *caller)
{
    int kept = errno;
    alloc_enter(t);
    if (t->random == 0) { /* a new thread: only now it gets its first gap */
        if (os_random(&t->random, sizeof t->random) != 0)
            t->random = clock_mono_ns() ^ (uintptr_t)t << 20;
        t->random |= 1;
        t->left += gap(t);
    }
    if (t->left < 0) {
        t->left = gap(t);
        sample(t, p, bytes, caller);
    }
    alloc_leave(t);
    errno = kept;
}

void alloc_sampled_gone(struct alloc_thread *t, void *p, const struct alloc_sampled *s)
{
    int kept = errno;
    const struct hook_sample out = {ORIEL_SAMPLE_FREE, s->bytes, s->count, (uintptr_t)p};
    alloc_enter(t);
    hook_stacks_sample(&out, NULL);
    alloc_leave(t);
    errno = kept;
}

void alloc_sampled_open(uint64_t interval)
{
    assert(interval > 0);
    mean_bytes = (double)interval;
}
