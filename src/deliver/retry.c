/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Many clients that lost the same receiver must not come back together, neither
 * after a pause of their own nor after one the receiver asked for: every pause ends at
 * a random moment of its span. Pure.
 */
#include "deliver/retry.h"

#include <assert.h>

#define FIRST_NS UINT64_C(1000000000)
#define MOST_NS UINT64_C(30000000000)
enum { OPEN_AFTER = 3, GROWTH = 4, FLAPPING_LEVEL = 2 };
/* How many times as fast as it came what piled up goes out: at first, and later. */
enum { CATCH_UP_SLOW = 2, CATCH_UP_FAST = 8 };
#define SLOW_NS UINT64_C(30000000000)
#define STEADY_NS UINT64_C(60000000000)
#define PACE_LATE_NS UINT64_C(1000000000)
#define PACE_LEAST_NS UINT64_C(1000000) /* finer than anybody wakes */

void retry_init(struct retry *r, uint64_t first_ns, uint64_t most_ns, uint64_t seed)
{
    *r = (struct retry){.first_ns = first_ns ? first_ns : FIRST_NS,
                        .most_ns = most_ns ? most_ns : MOST_NS,
                        .random = seed ? seed : 1,
                        .open_after = OPEN_AFTER};
    if (r->most_ns < r->first_ns)
        r->most_ns = r->first_ns;
}

static bool is_paced(const struct retry *r, uint64_t now_ns)
{
    return r->own_ns && now_ns < r->paced_until_ns;
}

unsigned retry_room(const struct retry *r, uint64_t now_ns, unsigned under_way, unsigned most)
{
    if (r->failures == 0 && !is_paced(r, now_ns))
        return under_way < most ? most - under_way : 0;
    if (r->failures == 0)
        return now_ns >= r->next_ns && under_way < most ? 1 : 0;
    return now_ns >= r->not_before_ns && under_way == 0 ? 1 : 0;
}

/* xorshift64*: good enough to spread, and nobody's business but ours. */
static uint64_t random_below(struct retry *r, uint64_t n)
{
    r->random ^= r->random >> 12;
    r->random ^= r->random << 25;
    r->random ^= r->random >> 27;
    assert(r->random != 0 && n > 0);
    return (uint64_t)((unsigned __int128)(r->random * UINT64_C(0x2545f4914f6cdd1d)) * n >> 64);
}

/* The span of the pause grows with each failure: fourfold, because the second try of all who
 * found out at the same time is what makes a storm. */
static uint64_t span_of(const struct retry *r)
{
    uint64_t span = r->first_ns;
    for (unsigned i = 1; i < r->failures + r->level && span < r->most_ns; i++)
        span = span > r->most_ns / GROWTH ? r->most_ns : span * GROWTH;
    return span < r->most_ns ? span : r->most_ns;
}

/* One that has not long been back is away again: its next pauses are those of an outage that
 * lasts, and when it is back it is spared for longer. */
static void goes_away(struct retry *r, uint64_t now_ns)
{
    uint64_t steady = r->away_ns > STEADY_NS / 2 ? 2 * r->away_ns : STEADY_NS;
    r->flapping = r->back_ns && now_ns - r->back_ns < steady;
    r->level = r->flapping ? FLAPPING_LEVEL : 0;
    r->since_ns = now_ns;
}

bool retry_failed(struct retry *r, uint64_t epoch, uint64_t now_ns, uint64_t asked_ns,
                  bool plain_fault)
{
    bool was_open = r->open;
    if (epoch == r->epoch) {
        r->epoch++;
        if (r->failures == 0)
            goes_away(r, now_ns);
        if (r->failures < UINT32_MAX)
            r->failures++;
        r->not_before_ns = now_ns + random_below(r, span_of(r) + 1);
        r->own_ns = 0;
    }
    assert(r->failures > 0);
    if (asked_ns) {
        uint64_t span = span_of(r), half = asked_ns / 2 < r->most_ns ? asked_ns / 2 : r->most_ns;
        uint64_t spread = half > span ? half : span;
        uint64_t until, later = now_ns + random_below(r, spread + 1);
        if (__builtin_add_overflow(later, asked_ns, &until))
            until = UINT64_MAX;
        if (until > r->not_before_ns)
            r->not_before_ns = until;
    }
    r->open = was_open || plain_fault || r->failures >= r->open_after;
    return r->open && !was_open;
}

static void comes_back(struct retry *r, uint64_t now_ns, uint64_t waiting)
{
    uint64_t away = now_ns - r->since_ns;
    r->away_ns = away;
    r->back_ns = now_ns;
    r->own_ns = waiting ? away / waiting : 0;
    if (r->own_ns / CATCH_UP_SLOW < PACE_LEAST_NS)
        r->own_ns = 0;
    r->waiting = waiting;
    r->next_ns = now_ns + r->own_ns / CATCH_UP_SLOW;
    r->slow_until_ns = now_ns + (r->flapping || away < SLOW_NS ? away : SLOW_NS);
    r->paced_until_ns = now_ns + 2 * away;
}

void retry_waits(struct retry *r, uint64_t waiting)
{
    if (waiting == 0)
        r->own_ns = 0;
    if (r->own_ns && waiting > r->waiting + 1) { /* more comes than before */
        r->own_ns /= 2;
        r->waiting = waiting;
    }
}

void retry_began(struct retry *r, uint64_t now_ns)
{
    if (!is_paced(r, now_ns))
        return;
    r->next_ns += r->own_ns / (now_ns < r->slow_until_ns ? CATCH_UP_SLOW : CATCH_UP_FAST);
    if (r->next_ns + PACE_LATE_NS < now_ns) /* who wakes late makes up for it, up to a limit */
        r->next_ns = now_ns - PACE_LATE_NS;
}

uint64_t retry_next(const struct retry *r)
{
    if (r->failures)
        return r->not_before_ns;
    if (!r->own_ns)
        return 0;
    return r->next_ns < r->paced_until_ns ? r->next_ns : r->paced_until_ns;
}

bool retry_worked(struct retry *r, uint64_t epoch, uint64_t now_ns, uint64_t waiting)
{
    bool was_open = r->open;
    if (epoch != r->epoch) /* began before the last failure, which is newer */
        return false;
    if (r->failures)
        comes_back(r, now_ns, waiting);
    r->failures = 0;
    r->not_before_ns = 0;
    r->open = false;
    return was_open;
}
