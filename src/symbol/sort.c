/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Radix sort, byte by byte from the lowest, leaving out the bytes in which all
 * keys agree: addresses of one module differ in three or four of eight. Pure
 * but for one scratch block; any thread.
 */
#include "symbol/sort.h"

#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

static bool in_order(const struct sort_key *keys, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (keys[i - 1].key > keys[i].key)
            return false;
    return true;
}

enum { FEW = 48 };

static void insert_each(struct sort_key *keys, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct sort_key key = keys[i];
        size_t at = i;
        for (; at > 0 && keys[at - 1].key > key.key; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

int sort_keys(struct sort_key *keys, size_t n)
{
    uint64_t differ = 0;
    if (n < 2 || in_order(keys, n))
        return 0;
    if (n <= FEW) {
        insert_each(keys, n);
        return 0;
    }
    struct sort_key *scratch = mem_calloc(n, sizeof *scratch), *from = keys;
    if (!scratch)
        return ORIEL_ENOMEM;
    struct sort_key *to = scratch;
    for (size_t i = 1; i < n; i++)
        differ |= keys[i].key ^ keys[0].key;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        size_t at[256] = {0}, sum = 0;
        if (!(differ >> shift & 0xff))
            continue;
        for (size_t i = 0; i < n; i++)
            at[from[i].key >> shift & 0xff]++;
        for (size_t i = 0; i < 256; i++) {
            size_t count = at[i];
            at[i] = sum;
            sum += count;
        }
        for (size_t i = 0; i < n; i++)
            to[at[from[i].key >> shift & 0xff]++] = from[i];
        struct sort_key *other = from;
        from = to;
        to = other;
    }
    if (from != keys)
        memcpy(keys, from, n * sizeof *keys);
    mem_free(scratch);
    return 0;
}
