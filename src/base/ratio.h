/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A share of all traces, decided by the trace id alone, so that everybody who
 * sees the id decides the same: OpenTelemetry's consistent probability sampling
 * (trace/tracestate-probability-sampling). The 56 bits on the right of the id are
 * its randomness R; a trace is kept when R is not below the rejection threshold T.
 * Pure; signal-safe.
 */
#ifndef ORIEL_BASE_RATIO_H
#define ORIEL_BASE_RATIO_H

#include <stdbool.h>
#include <stdint.h>

#define RATIO_NONE (UINT64_C(1) << 56) /* the threshold that rejects everything; 0 nothing */

/* Or-ed to a threshold that is not the whole truth (a limit, rates by target): it decides,
 * and is told nobody. */
#define RATIO_UNTOLD (UINT64_C(1) << 63)
/* Or-ed to 0 and RATIO_NONE: so it is for traces that began elsewhere, too, whatever their flag. */
#define RATIO_OF_ALL (UINT64_C(1) << 62)
#define RATIO_MARKS (RATIO_UNTOLD | RATIO_OF_ALL)

/* Of a share from 0 to 1; what lies outside is the nearest of them, NaN is 1. Shares below
 * 2^-56 keep nothing. */
static inline uint64_t ratio_threshold(double share)
{
    if (!(share < 1))
        return 0;
    if (share <= 0)
        return RATIO_NONE;
    return RATIO_NONE - (uint64_t)(share * (double)RATIO_NONE);
}

/* R of a trace id, given its lower half as it lies in memory on this machine. */
static inline uint64_t ratio_randomness(uint64_t trace_lo)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    trace_lo = __builtin_bswap64(trace_lo);
#endif
    return trace_lo & (RATIO_NONE - 1);
}

static inline bool ratio_keeps(uint64_t trace_lo, uint64_t threshold)
{
    return ratio_randomness(trace_lo) >= threshold;
}

/* The value of `th` in the tracestate entry `ot`: up to 14 hex digits without the zeros at
 * their end, "0" for all. RATIO_NONE has none: "". */
static inline void ratio_text(uint64_t threshold, char out[15])
{
    unsigned n = 0, shift = 56;
    if (threshold >= RATIO_NONE) {
        out[0] = 0;
        return;
    }
    do {
        shift -= 4;
        out[n++] = "0123456789abcdef"[threshold >> shift & 15];
    } while (shift && threshold & ((UINT64_C(1) << shift) - 1));
    out[n] = 0;
}

#endif
