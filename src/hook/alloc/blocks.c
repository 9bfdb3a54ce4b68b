/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Blocks by address, in shards that grow by themselves. A block is one word, its
 * address and its stack: what is written for every allocation is mostly a miss of the
 * cache, and the table of a large heap is large. A shard is held for a
 * few instructions, or while it grows. Whoever holds it may have lost its CPU, so others
 * sleep; but not for ever: it may be stopped by the program, which then waits for them.
 * Who goes without leaves a block that never ends, or one that is not known.
 */
#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "hook/alloc/alloc.h"

enum { SHARDS = 64, SLOTS_FIRST = 1024, SPINS = 256, NAPS = 1000, NAP_NS = 100000 };

/* The block's address without the zeros below and the stack in their place; 0: free. */
typedef uint64_t slot;
enum { ALIGN_BITS = 3, BLOCK_BITS = 64 - ALLOC_STACK_BITS + ALIGN_BITS };
struct shard {
    _Alignas(64) uint32_t held; /* atomic */
    uint32_t stuck;             /* atomic: who waited in vain said so; until it is released */
    uint32_t count, room;
    slot *slots;
};
static struct shard shards[SHARDS];

static uint64_t hash_of(uintptr_t block)
{
    return (uint64_t)(block >> 4) * UINT64_C(0x9e3779b97f4a7c15);
}

static bool try_hold(struct shard *s)
{
    uint32_t no = 0;
    return __atomic_compare_exchange_n(&s->held, &no, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Nobody wakes us; unlike nanosleep it is no point of cancellation, which malloc has not. */
static void nap(struct shard *s)
{
    const struct timespec t = {0, NAP_NS};
    int kept = errno;
    (void)syscall(SYS_futex, &s->held, FUTEX_WAIT_PRIVATE, 1, &t, NULL, 0);
    errno = kept;
}

/* 0.1 s and a little at most, once for as long as somebody else holds it. */
__attribute__((noinline)) static struct shard *hold_later(struct shard *s)
{
    for (int i = 0; i < SPINS; i++)
        if (try_hold(s))
            return s;
    for (int i = 0; i < NAPS && !__atomic_load_n(&s->stuck, __ATOMIC_RELAXED); i++) {
        nap(s);
        if (try_hold(s))
            return s;
    }
    __atomic_store_n(&s->stuck, 1, __ATOMIC_RELAXED);
    return NULL;
}

/* Alone, it is held against signal handlers of the same thread. */
static inline struct shard *hold(uint64_t hash, bool alone)
{
    struct shard *s = &shards[hash >> 58];
    if (alone && !__atomic_load_n(&s->held, __ATOMIC_RELAXED)) {
        __atomic_store_n(&s->held, 1, __ATOMIC_RELAXED);
        __atomic_signal_fence(__ATOMIC_ACQ_REL);
        return s;
    }
    return try_hold(s) ? s : hold_later(s);
}
_Static_assert(SHARDS == 1 << (64 - 58), "a shard for each of the upper bits");

static void release(struct shard *s)
{
    if (__atomic_load_n(&s->stuck, __ATOMIC_RELAXED))
        __atomic_store_n(&s->stuck, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&s->held, 0, __ATOMIC_RELEASE);
}

static slot slot_of(uintptr_t block, uint32_t stack)
{
    return (slot)(block >> ALIGN_BITS) << ALLOC_STACK_BITS | stack;
}

static uintptr_t block_of(slot s)
{
    return (uintptr_t)(s >> ALLOC_STACK_BITS) << ALIGN_BITS;
}

static uint32_t home_of(uint64_t hash, const struct shard *s)
{
    return (uint32_t)(hash >> 26) & (s->room - 1);
}

static slot *find(const struct shard *s, uintptr_t block, uint64_t hash)
{
    uint32_t at = home_of(hash, s);
    while (s->slots[at] && block_of(s->slots[at]) != block)
        at = (at + 1) & (s->room - 1);
    return &s->slots[at];
}

static bool grow(struct shard *s)
{
    struct shard more = {.room = s->room ? s->room * 2 : SLOTS_FIRST};
    void *p;
    if (more.room == 0 || os_map_private(more.room * sizeof *more.slots, &p) != 0)
        return false;
    more.slots = p;
    for (uint32_t i = 0; i < s->room; i++) {
        uintptr_t block = block_of(s->slots[i]);
        if (block)
            *find(&more, block, hash_of(block)) = s->slots[i];
    }
    if (s->slots)
        os_unmap(s->slots, s->room * sizeof *s->slots);
    /* Pairs with nothing: alloc_blocks_soon only guesses. */
    __atomic_store_n(&s->slots, more.slots, __ATOMIC_RELAXED);
    __atomic_store_n(&s->room, more.room, __ATOMIC_RELAXED);
    return true;
}

/* Without holding the shard: what is fetched may be unmapped meanwhile, which a
 * prefetch does not mind. */
void alloc_blocks_soon(const void *p)
{
    uint64_t hash = hash_of((uintptr_t)p);
    const struct shard *s = &shards[hash >> 58];
    uintptr_t slots = (uintptr_t)__atomic_load_n(&s->slots, __ATOMIC_RELAXED);
    uint32_t mask = __atomic_load_n(&s->room, __ATOMIC_RELAXED) - 1;
    __builtin_prefetch((const void *)(slots + ((uint32_t)(hash >> 26) & mask) * sizeof(slot)), 1);
}

bool alloc_blocks_put(const void *p, uint32_t stack, bool alone)
{
    uintptr_t block = (uintptr_t)p;
    uint64_t hash = hash_of(block);
    assert(stack >> ALLOC_STACK_BITS == 0);
    if (block >> BLOCK_BITS || block & ((1 << ALIGN_BITS) - 1))
        return false; /* no allocator of our day hands this out */
    struct shard *s = hold(hash, alone);
    if (!s)
        return false;
    bool room = s->count < s->room - s->room / 4 || grow(s);
    if (room) {
        slot *at = find(s, block, hash);
        s->count += *at == 0;
        *at = slot_of(block, stack);
    }
    release(s);
    return room;
}

/* Close the gap: what stands behind it and could stand in it moves up. */
static void erase(struct shard *s, uint32_t gap)
{
    const uint32_t mask = s->room - 1;
    for (uint32_t at = (gap + 1) & mask; s->slots[at]; at = (at + 1) & mask) {
        uint32_t home = home_of(hash_of(block_of(s->slots[at])), s);
        if (((at - home) & mask) < ((at - gap) & mask))
            continue;
        s->slots[gap] = s->slots[at];
        gap = at;
    }
    s->slots[gap] = 0;
    s->count--;
}

bool alloc_blocks_take(const void *p, uint32_t *out_stack, bool alone)
{
    uint64_t hash = hash_of((uintptr_t)p);
    struct shard *s = hold(hash, alone);
    if (!s)
        return false;
    slot *at = s->room ? find(s, (uintptr_t)p, hash) : NULL;
    bool found = at && *at;
    if (found) {
        *out_stack = (uint32_t)(*at & ((1u << ALLOC_STACK_BITS) - 1));
        erase(s, (uint32_t)(at - s->slots));
    }
    release(s);
    return found;
}

/* A shard may have been in somebody's hands: the child begins without blocks. */
void alloc_blocks_forked(void)
{
    memset(shards, 0, sizeof shards);
}
