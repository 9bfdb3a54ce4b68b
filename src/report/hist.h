/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A histogram of durations: 16 buckets per power of two, exact below 16 ns.
 * A bucket is at most 1/16 as wide as its lower end, so a quantile, told as
 * the middle of its bucket, is off by at most 3.2 % (and never outside the
 * bucket: 6.25 %). Only the octaves in use take memory. Pure; one thread.
 */
#ifndef ORIEL_REPORT_HIST_H
#define ORIEL_REPORT_HIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HIST_SUB 16u
#define HIST_BUCKETS (61u * HIST_SUB)

struct hist {
    uint64_t *counts;       /* of the buckets [first, first + length) */
    uint64_t count;         /* all of them */
    uint32_t first, length; /* multiples of HIST_SUB */
};

static inline uint32_t hist_bucket(uint64_t v)
{
    if (v < HIST_SUB)
        return (uint32_t)v;
    uint32_t e = 63u - (uint32_t)__builtin_clzll(v);
    return (e - 3) * HIST_SUB + (uint32_t)(v >> (e - 4) & (HIST_SUB - 1));
}
/* Lowest value of a bucket; UINT64_MAX for the one after the last. */
uint64_t hist_bucket_low(uint32_t bucket);

/* Make room for a bucket. False: no memory, nothing changed. */
bool hist_grow(struct hist *h, uint32_t bucket);
/* False: no memory, the value is not counted. */
static inline bool hist_add(struct hist *h, uint64_t v)
{
    uint32_t b = hist_bucket(v);
    if (b - h->first >= h->length && !hist_grow(h, b))
        return false;
    h->counts[b - h->first]++;
    h->count++;
    return true;
}
/* The same, n times. */
static inline bool hist_add_times(struct hist *h, uint64_t v, uint64_t n)
{
    uint32_t b = hist_bucket(v);
    if (b - h->first >= h->length && !hist_grow(h, b))
        return false;
    h->counts[b - h->first] += n;
    h->count += n;
    return true;
}
/* False: no memory; then `to` holds nothing of `from`. */
bool hist_merge(struct hist *to, const struct hist *from);
/* The value that `per_mille` of all values do not exceed, within the error
 * above and never beyond `max`, the largest value added, which is told exactly
 * where it is the answer. 0 when empty. */
uint64_t hist_quantile(const struct hist *h, uint32_t per_mille, uint64_t max);
void hist_done(struct hist *h);

#endif
