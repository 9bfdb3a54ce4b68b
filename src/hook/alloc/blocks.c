/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Blocks by address, in shards that grow by themselves. A shard is held for a
 * few instructions, or while it grows; whoever cannot have it soon goes without,
 * which is counted by nobody but shows as a block that never ends.
 */
#include <assert.h>
#include <string.h>

#include "base/os.h"
#include "hook/alloc/alloc.h"

enum { SHARDS = 64, SLOTS_FIRST = 1024, SPINS = 1 << 14, YIELD_EVERY = 64 };

struct slot {
    uintptr_t block; /* 0: free */
    uint64_t bytes;
    uint32_t stack;
};
struct shard {
    _Alignas(64) uint32_t held; /* atomic */
    uint32_t count, room;
    struct slot *slots;
};
static struct shard shards[SHARDS];

static uint64_t hash_of(uintptr_t block)
{
    return (uint64_t)(block >> 4) * UINT64_C(0x9e3779b97f4a7c15);
}

static struct shard *hold(uint64_t hash)
{
    struct shard *s = &shards[hash >> 58];
    for (int i = 0; i < SPINS; i++) {
        uint32_t no = 0;
        if (__atomic_compare_exchange_n(&s->held, &no, 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return s;
        if (i % YIELD_EVERY == YIELD_EVERY - 1)
            os_yield();
    }
    return NULL;
}
_Static_assert(SHARDS == 1 << (64 - 58), "a shard for each of the upper bits");

static void release(struct shard *s)
{
    __atomic_store_n(&s->held, 0, __ATOMIC_RELEASE);
}

static struct slot *find(struct shard *s, uintptr_t block, uint64_t hash)
{
    uint32_t at = (uint32_t)(hash >> 26) & (s->room - 1);
    while (s->slots[at].block && s->slots[at].block != block)
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
    for (uint32_t i = 0; i < s->room; i++)
        if (s->slots[i].block)
            *find(&more, s->slots[i].block, hash_of(s->slots[i].block)) = s->slots[i];
    if (s->slots)
        os_unmap(s->slots, s->room * sizeof *s->slots);
    s->slots = more.slots;
    s->room = more.room;
    return true;
}

bool alloc_blocks_put(void *p, const struct alloc_block *b)
{
    uint64_t hash = hash_of((uintptr_t)p);
    struct shard *s = hold(hash);
    if (!s)
        return false;
    bool room = s->count < s->room - s->room / 4 || grow(s);
    if (room) {
        struct slot *at = find(s, (uintptr_t)p, hash);
        s->count += at->block == 0;
        *at = (struct slot){(uintptr_t)p, b->bytes, b->stack};
    }
    release(s);
    return room;
}

/* Close the gap: what stands behind it and could stand in it moves up. */
static void erase(struct shard *s, uint32_t gap)
{
    const uint32_t mask = s->room - 1;
    for (uint32_t at = (gap + 1) & mask; s->slots[at].block; at = (at + 1) & mask) {
        uint32_t home = (uint32_t)(hash_of(s->slots[at].block) >> 26) & mask;
        if (((at - home) & mask) < ((at - gap) & mask))
            continue;
        s->slots[gap] = s->slots[at];
        gap = at;
    }
    s->slots[gap].block = 0;
    s->count--;
}

bool alloc_blocks_take(void *p, struct alloc_block *out)
{
    uint64_t hash = hash_of((uintptr_t)p);
    struct shard *s = hold(hash);
    if (!s)
        return false;
    struct slot *at = s->room ? find(s, (uintptr_t)p, hash) : NULL;
    bool found = at && at->block;
    if (found) {
        *out = (struct alloc_block){.stack = at->stack, .bytes = at->bytes};
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
