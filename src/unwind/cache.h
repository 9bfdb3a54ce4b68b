/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Rows by address without a lock. A slot holds the row and the hash of its key
 * xor the row: a pair torn between two writers, or between a thread and its
 * signal handler, does not match and is a miss. So everybody reads and writes
 * with plain relaxed stores. The generation of the modules is part of the key:
 * nothing is ever cleared.
 */
#ifndef ORIEL_UNWIND_CACHE_H
#define ORIEL_UNWIND_CACHE_H

#include "unwind/unwind.h"

static inline uint64_t unwind_cache_key(uint64_t address, uint64_t generation)
{
    /* Odd, so two addresses never share a key; the upper bits are mixed best. */
    return (address ^ generation * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
}

static inline bool unwind_cache_at(const struct unwind_cache *cache, size_t i, uint64_t key,
                                   unwind_row *out)
{
    /* No order between the two: the check is what holds them together. */
    uint64_t row = __atomic_load_n(&cache->slots[i].row, __ATOMIC_RELAXED);
    uint64_t check = __atomic_load_n(&cache->slots[i].check, __ATOMIC_RELAXED);
    *out = row;
    return (row ^ check) == key;
}

/* False: not there. */
static inline bool unwind_cache_get(const struct unwind_cache *cache, uint64_t key, unwind_row *out)
{
    size_t i = key >> (64 - UNWIND_CACHE_BITS);
    return unwind_cache_at(cache, i, key, out) || unwind_cache_at(cache, i ^ 1, key, out);
}

static inline void unwind_cache_set(struct unwind_cache *cache, size_t i, uint64_t row,
                                    uint64_t check)
{
    __atomic_store_n(&cache->slots[i].row, row, __ATOMIC_RELAXED);
    __atomic_store_n(&cache->slots[i].check, check, __ATOMIC_RELAXED);
}

/* What stood there goes next door: two frames of one stack that fall on the same slot would drive
 * each other out at every walk. */
static inline void unwind_cache_put(struct unwind_cache *cache, uint64_t key, unwind_row row)
{
    size_t i = key >> (64 - UNWIND_CACHE_BITS);
    uint64_t old = __atomic_load_n(&cache->slots[i].row, __ATOMIC_RELAXED);
    uint64_t check = __atomic_load_n(&cache->slots[i].check, __ATOMIC_RELAXED);
    if (check && (old ^ check) != key) /* check 0: nothing stands there */
        unwind_cache_set(cache, i ^ 1, old, check);
    unwind_cache_set(cache, i, row, key ^ row);
}

#endif
