/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ticks to time. Two readings of the clocks make a map: the one taken when the
 * region was made and a later one. While the machine has not been restarted the
 * later one is taken here and now; for a region of another boot it is the last
 * one its reader left behind. The wall clock is asked once, by the first: setting
 * it later moves no time of this ring.
 */
#include "source/ring/ring.h"

#include <assert.h>

#define BASELINE_NS UINT64_C(2000000) /* two readings this far apart: below 1 ppm */
#define INTERVAL_FIRST_NS UINT64_C(10000000)
#define INTERVAL_NS UINT64_C(1000000000)
#define SLEEP_MIN_NS UINT64_C(10000000)
#define SLEEP_RATE 1000 /* rates that differ by less than one in so many are one */

static struct clock_anchor anchor_of(const struct wire_anchor *a)
{
    return (struct clock_anchor){a->ticks, a->mono_ns, a->unix_ns};
}

/* Ticks of this clock in an anchor that was read with the region's clock. */
static bool anchor_for(enum oriel_clock kind, enum oriel_clock read_with, struct clock_anchor *a)
{
    if (kind == ORIEL_CLOCK_MONOTONIC)
        a->ticks = a->mono_ns;
    return kind == ORIEL_CLOCK_MONOTONIC || kind == read_with;
}

void ring_clock_offer(struct ring *r, enum oriel_clock kind, const struct wire_anchor *anchor)
{
    assert(kind <= ORIEL_CLOCK_CNTVCT);
    struct ring_clock *c = &r->clocks[kind];
    if (c->has_older || anchor->mono_ns == 0)
        return;
    c->older = anchor_of(anchor);
    c->has_older = true;
    /* One wall clock for the whole ring, whatever it was set to meanwhile. */
    struct clock_anchor made = anchor_of(&r->h.created);
    if (made.mono_ns)
        c->older.unix_ns = made.unix_ns + (c->older.mono_ns - made.mono_ns);
}

void ring_clock_start(struct ring *r)
{
    for (int kind = 0; kind <= ORIEL_CLOCK_CNTVCT; kind++) {
        struct clock_anchor a = anchor_of(&r->h.created);
        struct ring_clock *c = &r->clocks[kind];
        c->interval_ns = INTERVAL_FIRST_NS;
        c->has_older =
            a.mono_ns && anchor_for((enum oriel_clock)kind, (enum oriel_clock)r->h.clock, &a);
        c->older = a;
    }
}

/* What the last reader of a region from another boot left behind. */
static void newer_from_region(struct ring *r, enum oriel_clock kind,
                              const struct clock_anchor *older, struct clock_anchor *out)
{
    struct wire_anchor latest;
    ring_copy(&latest, &r->shared->latest, sizeof latest);
    *out = anchor_of(&latest);
    bool usable = latest.ticks && anchor_for(kind, (enum oriel_clock)r->h.clock, out) &&
                  out->mono_ns > older->mono_ns && out->ticks > older->ticks;
    if (!usable)
        *out = *older;
}

static void start_map(struct ring *r, enum oriel_clock kind)
{
    struct ring_clock *c = &r->clocks[kind];
    c->ready = true;
    c->next_ns = r->now_ns + c->interval_ns;
    /* Nothing was written before the region was made; give it a second. */
    uint64_t made = c->has_older ? clock_map_ns(&c->map, c->older.ticks) : 0;
    c->floor_ns = made > INTERVAL_NS ? made - INTERVAL_NS : 0;
}

/* The times of a ring follow the wall clock as it stood when the ring was made,
 * for every reader of it and whatever the clock was set to meanwhile. */
static void make_map(struct ring *r, enum oriel_clock kind, struct clock_anchor newer)
{
    struct ring_clock *c = &r->clocks[kind];
    const struct clock_anchor *older = c->has_older ? &c->older : &newer;
    if (newer.mono_ns > older->mono_ns)
        newer.unix_ns = older->unix_ns + (newer.mono_ns - older->mono_ns);
    clock_map_init(&c->map, kind, older, &newer);
    start_map(r, kind);
}

/* At most BASELINE_NS long: two readings must not lie too close. */
static void wait_for_baseline(const struct clock_anchor *older, struct clock_anchor *newer,
                              enum oriel_clock kind)
{
    uint64_t began = clock_mono_ns();
    while (newer->mono_ns - older->mono_ns < BASELINE_NS && clock_mono_ns() - began < BASELINE_NS)
        clock_anchor_read(kind, newer);
}

/* The wall clock went further than the monotonic one since the ring was made.
 * If the machine slept and the counter ran on, the rate over all that time is
 * wrong, and the one of this moment holds: then the map is made of it. */
static bool map_across_sleep(struct ring *r, enum oriel_clock kind, const struct clock_anchor *late)
{
    struct ring_clock *c = &r->clocks[kind];
    struct clock_anchor from = *late, newer = *late;
    struct clock_map now, all;
    if (!c->has_older || kind == ORIEL_CLOCK_MONOTONIC ||
        clock_wall_gain(&c->older, late) < (int64_t)SLEEP_MIN_NS)
        return false;
    wait_for_baseline(&from, &newer, kind);
    clock_map_init(&now, kind, &from, &newer);
    clock_map_init(&all, kind, &c->older, &newer);
    /* More ns per tick now than on the whole: ticks went by that no clock counted. */
    if (now.now.mult <= all.now.mult || now.now.mult - all.now.mult < all.now.mult / SLEEP_RATE)
        return false;
    uint64_t since = clock_map_ns(&now, newer.ticks) - clock_map_ns(&now, c->older.ticks);
    uint64_t unix_ns = c->older.unix_ns + since;
    from.unix_ns -= newer.unix_ns - unix_ns;
    newer.unix_ns = unix_ns;
    clock_map_init(&c->map, kind, &from, &newer);
    start_map(r, kind);
    return true;
}

const struct clock_map *ring_clock_map(struct ring *r, enum oriel_clock kind, bool force)
{
    assert(kind <= ORIEL_CLOCK_CNTVCT);
    struct ring_clock *c = &r->clocks[kind];
    struct clock_anchor newer;
    if (c->ready)
        return &c->map;
    if (!r->same_boot) {
        newer_from_region(r, kind, &c->older, &newer);
    } else {
        clock_anchor_read(kind, &newer);
        bool close = c->has_older && newer.mono_ns - c->older.mono_ns < BASELINE_NS;
        if (kind != ORIEL_CLOCK_MONOTONIC && close) {
            if (!force)
                return NULL;
            wait_for_baseline(&c->older, &newer, kind);
        }
        if (map_across_sleep(r, kind, &newer))
            return &c->map;
    }
    make_map(r, kind, newer);
    return &c->map;
}

/* A recovery that finds ticks == 0 knows the anchor is being replaced. */
static void publish(struct ring *r, const struct clock_anchor *a)
{
    struct wire_anchor *to = &r->shared->latest;
    __atomic_store_n(&to->ticks, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&to->mono_ns, a->mono_ns, __ATOMIC_RELEASE);
    __atomic_store_n(&to->unix_ns, a->unix_ns, __ATOMIC_RELEASE);
    __atomic_store_n(&to->ticks, a->ticks, __ATOMIC_RELEASE);
}

void ring_clock_refresh(struct ring *r)
{
    for (int kind = 0; kind <= ORIEL_CLOCK_CNTVCT && r->same_boot; kind++) {
        struct ring_clock *c = &r->clocks[kind];
        struct clock_anchor now;
        if (!c->ready || r->now_ns < c->next_ns)
            continue;
        clock_anchor_read((enum oriel_clock)kind, &now);
        clock_map_update(&c->map, &now);
        c->interval_ns = c->interval_ns * 4 < INTERVAL_NS ? c->interval_ns * 4 : INTERVAL_NS;
        c->next_ns = r->now_ns + c->interval_ns;
        if (kind == (int)r->h.clock)
            publish(r, &now);
    }
}

uint64_t ring_clock_limit(struct ring *r, enum oriel_clock kind)
{
    assert(kind <= ORIEL_CLOCK_CNTVCT && r->clocks[kind].ready);
    if (!r->same_boot)
        return UINT64_MAX;
    return clock_map_ns(&r->clocks[kind].map, clock_ticks(kind)) + RING_SLACK_NS;
}
