/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ticks to time. Two readings of the clocks make a map: the one taken when the
 * region was made and a later one. While the machine has not been restarted the
 * later one is taken here and now; for a region of another boot it is the last
 * one its reader left behind.
 */
#include "source/ring/ring.h"

#include <assert.h>

#define BASELINE_NS UINT64_C(2000000) /* two readings this far apart: below 1 ppm */
#define INTERVAL_FIRST_NS UINT64_C(10000000)
#define INTERVAL_NS UINT64_C(1000000000)

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

static void make_map(struct ring *r, enum oriel_clock kind, const struct clock_anchor *newer)
{
    struct ring_clock *c = &r->clocks[kind];
    const struct clock_anchor *older = c->has_older ? &c->older : newer;
    clock_map_init(&c->map, kind, older, newer);
    c->ready = true;
    c->next_ns = r->now_ns + c->interval_ns;
    /* Nothing was written before the region was made; give it a second. */
    uint64_t made = c->has_older ? clock_map_ns(&c->map, c->older.ticks) : 0;
    c->floor_ns = made > INTERVAL_NS ? made - INTERVAL_NS : 0;
}

/* At most BASELINE_NS long: two readings must not lie too close. */
static void wait_for_baseline(const struct clock_anchor *older, struct clock_anchor *newer,
                              enum oriel_clock kind)
{
    uint64_t began = clock_mono_ns();
    while (newer->mono_ns - older->mono_ns < BASELINE_NS && clock_mono_ns() - began < BASELINE_NS)
        clock_anchor_read(kind, newer);
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
    }
    make_map(r, kind, &newer);
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
