/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Open-addressing map with linear probing. Removal moves later entries of the
 * run back, so there are no tombstones and lookups stay short. Slots and their
 * used marks are one allocation. One thread at a time.
 */
#include "base/map.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum { MAP_SLOTS_MIN = 16 };

static uint64_t fold_multiply(uint64_t a, uint64_t b)
{
    unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0x9e3779b97f4a7c15u;
    return x ^ x >> 29;
}

/* The slot of the key, or the free slot where it would go. */
static size_t slot_of(const struct map *m, uint64_t key)
{
    size_t mask = m->capacity - 1, i = mix(key) & mask;
    while (m->used[i] && m->slots[i].key != key)
        i = (i + 1) & mask;
    return i;
}

static bool grow(struct map *m)
{
    struct map next = {.count = m->count};
    next.capacity = m->capacity ? m->capacity * 2 : MAP_SLOTS_MIN;
    if (next.capacity < m->capacity)
        return false;
    next.slots = mem_calloc(next.capacity, sizeof *next.slots + 1);
    if (!next.slots)
        return false;
    next.used = (uint8_t *)(next.slots + next.capacity);
    for (size_t i = 0; i < m->capacity; i++) {
        if (!m->used[i])
            continue;
        size_t at = slot_of(&next, m->slots[i].key);
        next.used[at] = 1;
        next.slots[at] = m->slots[i];
    }
    mem_free(m->slots);
    *m = next;
    return true;
}

void map_done(struct map *m)
{
    mem_free(m->slots);
    memset(m, 0, sizeof *m);
}

void map_clear(struct map *m)
{
    if (m->used)
        memset(m->used, 0, m->capacity);
    m->count = 0;
}

uint64_t *map_get(const struct map *m, uint64_t key)
{
    if (m->count == 0)
        return NULL;
    size_t i = slot_of(m, key);
    return m->used[i] ? &m->slots[i].value : NULL;
}

uint64_t *map_put(struct map *m, uint64_t key, uint64_t initial)
{
    uint64_t *found = map_get(m, key);
    if (found)
        return found;
    /* At most three quarters full, so every probe run ends. */
    if (m->count + 1 > m->capacity / 4 * 3 && !grow(m))
        return NULL;
    size_t i = slot_of(m, key);
    assert(!m->used[i]);
    m->used[i] = 1;
    m->slots[i] = (struct map_slot){key, initial};
    m->count++;
    return &m->slots[i].value;
}

bool map_remove(struct map *m, uint64_t key)
{
    if (m->count == 0)
        return false;
    size_t mask = m->capacity - 1, hole = slot_of(m, key);
    if (!m->used[hole])
        return false;
    for (size_t i = (hole + 1) & mask; m->used[i]; i = (i + 1) & mask) {
        size_t home = mix(m->slots[i].key) & mask;
        /* It may move back only if its home is not between hole and itself. */
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        m->slots[hole] = m->slots[i];
        hole = i;
    }
    m->used[hole] = 0;
    m->count--;
    return true;
}

bool map_next(const struct map *m, size_t *at, uint64_t *out_key, uint64_t *out_value)
{
    for (size_t i = *at; i < m->capacity; i++) {
        if (!m->used[i])
            continue;
        *at = i + 1;
        *out_key = m->slots[i].key;
        *out_value = m->slots[i].value;
        return true;
    }
    *at = m->capacity;
    return false;
}

static uint64_t load(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

uint64_t map_hash_bytes(const void *bytes, size_t n, uint64_t seed)
{
    const uint8_t *p = bytes;
    uint64_t h = seed ^ 0x8f1bbcdcbfa53e0bu;
    size_t left = n;
    for (; left > 16; p += 16, left -= 16)
        h = fold_multiply(load(p, 8) ^ h, load(p + 8, 8) ^ 0xe7037ed1a0b428dbu);
    size_t low = left < 8 ? left : 8;
    uint64_t a = low ? load(p, low) : 0, b = left > 8 ? load(p + 8, left - 8) : 0;
    h = fold_multiply(a ^ h, b ^ 0xa0761d6478bd642fu);
    return fold_multiply(h ^ n, 0x9e3779b97f4a7c15u);
}
