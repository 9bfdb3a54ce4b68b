/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Clocks: raw ticks, calibration, and conversion to time. May live in a
 * stranger's process; no allocation.
 */
#ifndef ORIEL_BASE_CLOCK_H
#define ORIEL_BASE_CLOCK_H

#include <stdint.h>

#include <oriel/abi/thread.h>

struct clock_anchor {
    uint64_t ticks, mono_ns, unix_ns;
};

/* The clock writers should use: TSC only if CPUID says invariant and the
 * kernel's current clock source is tsc; the counter register on aarch64;
 * CLOCK_MONOTONIC (ticks are ns) otherwise. */
enum oriel_clock clock_choose(void);

uint64_t clock_ticks(enum oriel_clock kind);
uint64_t clock_mono_ns(void);
uint64_t clock_unix_ns(void);

/* Narrowest of several bracketed readings of ticks, monotonic and real time. */
void clock_anchor_read(enum oriel_clock kind, struct clock_anchor *out);

/* By how much the wall clock went further than the monotonic one between two
 * readings: it was set, or the machine slept. */
static inline int64_t clock_wall_gain(const struct clock_anchor *older,
                                      const struct clock_anchor *newer)
{
    return (int64_t)((newer->unix_ns - newer->mono_ns) - (older->unix_ns - older->mono_ns));
}

/* One straight piece: ns = base_ns + (ticks - base_ticks) * mult. */
struct clock_piece {
    uint64_t base_ticks;
    uint64_t base_ns; /* unix ns at base_ticks, from a monotonic clock: no steps */
    uint64_t mult;    /* ns per tick, 32.32 fixed point */
};

/* Ticks to nanoseconds, piecewise linear, monotonic across updates. The piece
 * before is kept, so ticks from before the last update still give the very
 * value they gave then. */
struct clock_map {
    enum oriel_clock kind;
    struct clock_piece now, before;
    /* Unix - monotonic. Setting the wall clock does not change it; a sleep does
     * in which the counter ran on. */
    uint64_t unix_offset;
    struct clock_anchor last;
    struct clock_anchor origin, middle; /* the rate is measured from origin on */
    uint64_t horizon_ns;                /* an error is worked off over this time */
};

/* Start a map from two anchors (older, newer). With ORIEL_CLOCK_MONOTONIC one
 * anchor is enough and `newer` may equal `older`. With counters they should lie
 * at least 1 ms apart (10 ms give about 1 ppm): closer ones make a rough rate,
 * equal ones count a tick as a nanosecond until the next update. */
void clock_map_init(struct clock_map *m, enum oriel_clock kind, const struct clock_anchor *older,
                    const struct clock_anchor *newer);
/* Take a newer anchor into account; times already given out stay valid: no
 * later tick gets an earlier time. The rate is measured over the last 5 to 10 s.
 * An error against the newer anchor is worked off over about the next interval;
 * being over 10 ms behind is jumped over at once. Anchors less than 1 ms after
 * the last one are ignored. A counter that was reset (suspend) starts a new
 * piece. One that ran on during a suspend, while the monotonic clock stood still,
 * keeps its rate: its times then count the sleep. Others do not. */
void clock_map_update(struct clock_map *m, const struct clock_anchor *newer);
/* Unix ns for ticks; ticks before the base extrapolate backwards, never wrap. */
static inline uint64_t clock_map_ns(const struct clock_map *m, uint64_t ticks)
{
    int64_t d = (int64_t)(ticks - m->now.base_ticks);
    const struct clock_piece *p = &m->now;
    if (__builtin_expect(d < 0, 0)) {
        p = &m->before;
        d = (int64_t)(ticks - p->base_ticks);
    }
    uint64_t a = d < 0 ? 0 - (uint64_t)d : (uint64_t)d;
    unsigned __int128 ns = ((unsigned __int128)a * p->mult) >> 32;
    if (d < 0)
        return ns > p->base_ns ? 0 : p->base_ns - (uint64_t)ns;
    return ns > UINT64_MAX - p->base_ns ? UINT64_MAX : p->base_ns + (uint64_t)ns;
}

#endif
