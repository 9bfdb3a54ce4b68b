/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The slow half of the histogram: growth by whole octaves, merging, quantiles.
 * Pure; one thread at a time.
 */
#include "report/hist.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

uint64_t hist_bucket_low(uint32_t bucket)
{
    if (bucket < HIST_SUB)
        return bucket;
    if (bucket >= HIST_BUCKETS)
        return UINT64_MAX;
    uint32_t octave = bucket / HIST_SUB; /* 1: 16..31 */
    return (uint64_t)(HIST_SUB + bucket % HIST_SUB) << (octave - 1);
}

/* Cover [first, end), both at octave borders, and all that was covered. */
static bool cover(struct hist *h, uint32_t first, uint32_t end)
{
    if (h->length) {
        first = first < h->first ? first : h->first;
        end = end > h->first + h->length ? end : h->first + h->length;
    }
    assert(first % HIST_SUB == 0 && end % HIST_SUB == 0 && end <= HIST_BUCKETS);
    if (end - first == h->length)
        return true;
    uint64_t *counts = mem_calloc(end - first, sizeof *counts);
    if (!counts)
        return false;
    if (h->length)
        memcpy(counts + (h->first - first), h->counts, h->length * sizeof *counts);
    mem_free(h->counts);
    h->counts = counts;
    h->first = first;
    h->length = end - first;
    return true;
}

bool hist_grow(struct hist *h, uint32_t bucket)
{
    uint32_t first = bucket / HIST_SUB * HIST_SUB;
    assert(bucket < HIST_BUCKETS);
    return cover(h, first, first + HIST_SUB);
}

bool hist_merge(struct hist *to, const struct hist *from)
{
    if (from->count == 0)
        return true;
    if (!cover(to, from->first, from->first + from->length))
        return false;
    uint64_t *counts = to->counts + (from->first - to->first);
    for (uint32_t i = 0; i < from->length; i++)
        counts[i] += from->counts[i];
    to->count += from->count;
    return true;
}

uint64_t hist_quantile(const struct hist *h, uint32_t per_mille, uint64_t max)
{
    assert(per_mille <= 1000);
    if (h->count == 0)
        return 0;
    /* Nearest rank, from 1; in 128 bits, for the product may not fit 64. */
    uint64_t rank = (uint64_t)(((unsigned __int128)h->count * per_mille + 999) / 1000), seen = 0;
    uint32_t i = 0;
    if (rank == 0)
        rank = 1;
    if (rank == h->count)
        return max;
    for (; i + 1 < h->length; i++) {
        seen += h->counts[i];
        if (seen >= rank)
            break;
    }
    uint64_t low = hist_bucket_low(h->first + i), high = hist_bucket_low(h->first + i + 1);
    uint64_t middle = low + (high - low - 1) / 2;
    return middle < max ? middle : max;
}

void hist_done(struct hist *h)
{
    mem_free(h->counts);
    memset(h, 0, sizeof *h);
}
