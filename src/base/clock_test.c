/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of clocks: the real ones by their order, the map with invented anchors. */
#include "base/clock.h"

#include "random.h"
#include "test.h"

#define UNIX_BASE UINT64_C(1700000000000000000)

/* An anchor of a counter of `hz` that started at zero with the monotonic clock. */
static struct clock_anchor anchor_at(uint64_t ns, double hz)
{
    return (struct clock_anchor){(uint64_t)((double)ns * hz / 1e9), ns, UNIX_BASE + ns};
}

TEST(the_chosen_clock_ticks_forward_at_a_steady_rate)
{
    enum oriel_clock kind = clock_choose();
    struct clock_anchor a, b;
    struct clock_map m;
    clock_anchor_read(kind, &a);
    while (clock_mono_ns() < a.mono_ns + 20000000)
        ;
    clock_anchor_read(kind, &b);
    CHECK(b.ticks > a.ticks && b.mono_ns > a.mono_ns && b.unix_ns > a.unix_ns);
    clock_map_init(&m, kind, &a, &b);
    uint64_t now = clock_map_ns(&m, clock_ticks(kind)), unix_ns = clock_unix_ns();
    int64_t off = (int64_t)(unix_ns - now);
    CHECK(off > -1000000 && off < 100000000); /* a machine may be busy, not early */
    uint64_t last = 0;
    for (int i = 0; i < 100000; i++) {
        uint64_t t = clock_map_ns(&m, clock_ticks(kind));
        CHECK(t >= last);
        last = t;
    }
}

TEST(an_anchor_of_the_monotonic_clock_is_exact)
{
    struct clock_anchor a;
    clock_anchor_read(ORIEL_CLOCK_MONOTONIC, &a);
    CHECK_EQ(a.ticks, a.mono_ns);
    CHECK(clock_mono_ns() >= a.mono_ns);
    struct clock_map m;
    clock_map_init(&m, ORIEL_CLOCK_MONOTONIC, &a, &a);
    CHECK_EQ(m.now.mult, (uint64_t)1 << 32);
    CHECK_EQ(clock_map_ns(&m, a.ticks + 5), a.unix_ns + 5);
    CHECK_EQ(clock_map_ns(&m, a.ticks - 5), a.unix_ns - 5);
    struct clock_anchor later = a;
    later.ticks += 1000000000;
    later.mono_ns += 1000000000;
    later.unix_ns += 5000000000; /* somebody set the wall clock: we do not follow */
    clock_map_update(&m, &later);
    CHECK_EQ(clock_map_ns(&m, later.ticks), a.unix_ns + 1000000000);
}

TEST(a_map_from_two_anchors_gives_both_back)
{
    static const double rates[] = {1e6, 19.2e6, 1e9, 2.1e9, 4.7e9};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct clock_anchor a = anchor_at(1000000000, rates[i]),
                            b = anchor_at(1010000000, rates[i]);
        struct clock_map m;
        clock_map_init(&m, ORIEL_CLOCK_TSC, &a, &b);
        CHECK_EQ(clock_map_ns(&m, b.ticks), b.unix_ns);
        int64_t off = (int64_t)(clock_map_ns(&m, a.ticks) - a.unix_ns);
        CHECK(off >= -2 && off <= 2);
        struct clock_anchor c = anchor_at(11010000000, rates[i]); /* 10 s later */
        off = (int64_t)(clock_map_ns(&m, c.ticks) - c.unix_ns);
        CHECK(off > -1100000 && off < 1100000); /* 1 tick in 10,000 at 1 MHz */
    }
}

TEST(bad_anchors_never_divide_by_zero_or_wrap)
{
    struct clock_anchor a = anchor_at(1000000000, 2e9), b = a;
    struct clock_map m;
    clock_map_init(&m, ORIEL_CLOCK_TSC, &a, &b); /* the same */
    CHECK_EQ(m.now.mult, (uint64_t)1 << 32);
    b.mono_ns += 100; /* ticks stand still */
    clock_map_init(&m, ORIEL_CLOCK_TSC, &a, &b);
    CHECK_EQ(m.now.mult, (uint64_t)1 << 32);
    clock_map_init(&m, ORIEL_CLOCK_TSC, &b, &a); /* the wrong way round */
    CHECK_EQ(m.now.mult, (uint64_t)1 << 32);
    b = a;
    b.ticks += 1; /* as close as can be */
    b.mono_ns += 1;
    clock_map_init(&m, ORIEL_CLOCK_TSC, &a, &b);
    CHECK_EQ(clock_map_ns(&m, b.ticks), b.unix_ns);
    b = a;
    b.ticks += 1; /* absurd: a tick of a century */
    b.mono_ns += UINT64_C(3000000000000000000);
    b.unix_ns = UNIX_BASE;
    clock_map_init(&m, ORIEL_CLOCK_TSC, &a, &b);
    CHECK_EQ(clock_map_ns(&m, b.ticks + UINT64_MAX / 2), UINT64_MAX);
    CHECK_EQ(clock_map_ns(&m, b.ticks + UINT64_MAX / 2 + 1), 0);
    for (uint64_t t = 0; t < 64; t++) /* any ticks give some time, in bounds */
        clock_map_ns(&m, (uint64_t)1 << t);
}

TEST(times_before_the_base_go_down_to_zero_and_no_further)
{
    struct clock_anchor a = {1000, 1000, 1000};
    struct clock_map m;
    clock_map_init(&m, ORIEL_CLOCK_MONOTONIC, &a, &a);
    CHECK_EQ(clock_map_ns(&m, 999), 999);
    CHECK_EQ(clock_map_ns(&m, 0), 0);
    CHECK_EQ(clock_map_ns(&m, (uint64_t)0 - 1000000), 0);
}

/* A writer that stamps records and a reader that updates its map with jittery
 * anchors of a counter whose rate drifts: time never goes back. */
TEST(time_never_steps_back_across_updates)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        uint64_t state = seed, now_ns = 1000000000, last_time = 0, last_ticks = 0;
        double ticks = 5e9, hz = 2.1e9;
        struct clock_anchor a = {(uint64_t)ticks, now_ns, UNIX_BASE + now_ns}, b;
        struct clock_map m;
        now_ns += 1000000;
        ticks += 1e6 * hz / 1e9;
        b = (struct clock_anchor){(uint64_t)ticks, now_ns, UNIX_BASE + now_ns};
        clock_map_init(&m, ORIEL_CLOCK_TSC, &a, &b);
        for (int step = 0; step < 2000; step++) {
            uint64_t advance = 1 + random_next(&state) % 20000000;
            hz *= 1 + ((double)(random_next(&state) % 2001) - 1000) * 1e-8; /* 10 ppm a step */
            now_ns += advance;
            ticks += (double)advance * hz / 1e9;
            /* some records from before this moment are read before the update,
             * the last ones after it */
            uint64_t early = (uint64_t)ticks - 5000, late = (uint64_t)ticks - 10;
            early = early > last_ticks ? early : last_ticks;
            late = late > early ? late : early;
            last_ticks = late;
            uint64_t t = clock_map_ns(&m, early);
            CHECK(t >= last_time);
            if (random_next(&state) % 3 == 0) {
                int64_t jitter = (int64_t)(random_next(&state) % 400) - 200;
                struct clock_anchor c = {(uint64_t)ticks, now_ns + (uint64_t)jitter,
                                         UNIX_BASE + now_ns};
                clock_map_update(&m, &c);
            }
            CHECK_EQ(clock_map_ns(&m, early), t); /* given out once, valid for good */
            last_time = clock_map_ns(&m, late);
            CHECK(last_time >= t);
            int64_t off = (int64_t)(last_time - UNIX_BASE - now_ns);
            CHECK(off > -200000 && off < 200000);
        }
    }
}

TEST(a_map_that_is_behind_or_ahead_comes_back_to_the_truth)
{
    static const double wrong[] = {0.9999, 1.0001, 0.5, 2.0};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct clock_anchor a = anchor_at(1000000000, 2e9),
                            b = anchor_at(1010000000, 2e9 * wrong[i]);
        struct clock_map m;
        b.ticks = a.ticks + (uint64_t)(2e7 * wrong[i]); /* the first rate is off */
        clock_map_init(&m, ORIEL_CLOCK_TSC, &a, &b);
        uint64_t last = 0;
        struct clock_anchor c = {0};
        for (uint64_t k = 1; k <= 40; k++) {
            c.mono_ns = b.mono_ns + k * 100000000;
            c.ticks = b.ticks + k * 200000000;
            c.unix_ns = UNIX_BASE + c.mono_ns;
            clock_map_update(&m, &c);
            uint64_t t = clock_map_ns(&m, c.ticks);
            CHECK(t >= last);
            last = t;
        }
        /* a wildly wrong start weighs on the rate until it leaves the window */
        int64_t off = (int64_t)(clock_map_ns(&m, c.ticks) - c.unix_ns),
                bound = i < 2 ? 1000 : 1000000;
        CHECK(off > -bound && off < bound);
    }
}

TEST(a_suspended_counter_jumps_forward_and_a_reset_one_starts_anew)
{
    struct clock_anchor a = anchor_at(1000000000, 2e9), b = anchor_at(1100000000, 2e9);
    struct clock_map m;
    clock_map_init(&m, ORIEL_CLOCK_TSC, &a, &b);
    struct clock_anchor c = b; /* the counter stood still for 10 s of 10.1 */
    c.mono_ns += 10100000000;
    c.ticks += 200000000;
    uint64_t before = clock_map_ns(&m, c.ticks);
    clock_map_update(&m, &c);
    CHECK(clock_map_ns(&m, c.ticks) >= before);
    CHECK_EQ(clock_map_ns(&m, c.ticks), UNIX_BASE + c.mono_ns);
    struct clock_anchor e = c; /* and runs on as before: so do we */
    e.mono_ns += 100000000;
    e.ticks += 200000000;
    CHECK_EQ(clock_map_ns(&m, e.ticks), UNIX_BASE + e.mono_ns);
    struct clock_anchor d = c; /* the counter began at zero again */
    d.mono_ns += 1000000000;
    d.ticks = 1000;
    before = clock_map_ns(&m, c.ticks);
    clock_map_update(&m, &d);
    CHECK_EQ(clock_map_ns(&m, d.ticks), UNIX_BASE + d.mono_ns);
    CHECK(clock_map_ns(&m, d.ticks + 1000) > before);
}

TEST(a_counter_that_ran_on_while_the_machine_slept_keeps_its_rate)
{
    static const uint64_t slept[] = {50000000, 3000000000, UINT64_C(28800000000000)};
    for (size_t i = 0; i < sizeof slept / sizeof *slept; i++) {
        struct clock_anchor a = anchor_at(1000000000, 2e9), b = anchor_at(1010000000, 2e9);
        struct clock_map m;
        clock_map_init(&m, ORIEL_CLOCK_TSC, &a, &b);
        uint64_t last = clock_map_ns(&m, b.ticks);
        for (uint64_t k = 1; k <= 20; k++) { /* asleep between the fifth and the sixth */
            uint64_t awake = k * 1000000000, wall = awake + (k > 5 ? slept[i] : 0);
            struct clock_anchor c = {b.ticks + 2 * wall, b.mono_ns + awake, b.unix_ns + wall};
            uint64_t begin = clock_map_ns(&m, c.ticks - 1000000);
            clock_map_update(&m, &c);
            uint64_t now = clock_map_ns(&m, c.ticks), next = clock_map_ns(&m, c.ticks + 1000000);
            CHECK(begin >= last && now - begin == 500000);
            CHECK(next - now > 499000 && next - now < 501000); /* half a millisecond is one */
            int64_t off = (int64_t)(now - c.unix_ns);
            CHECK(off > -1000 && off < 1000);
            last = next;
        }
    }
}

TEST(setting_the_wall_clock_moves_nothing)
{
    static const int64_t steps[] = {3600000000000, -3600000000000, 20000000, -20000000};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct clock_anchor a = anchor_at(1000000000, 2e9), b = anchor_at(1010000000, 2e9);
        struct clock_map m;
        clock_map_init(&m, ORIEL_CLOCK_TSC, &a, &b);
        for (uint64_t k = 1; k <= 20; k++) {
            struct clock_anchor c = anchor_at(1010000000 + k * 1000000000, 2e9);
            uint64_t expected = c.unix_ns;
            if (k % 4 >= 2) /* set, and set back */
                c.unix_ns += (uint64_t)steps[i];
            clock_map_update(&m, &c);
            CHECK_EQ(clock_map_ns(&m, c.ticks), expected);
            CHECK_EQ(clock_map_ns(&m, c.ticks + 2000), expected + 1000);
        }
    }
}

TEST(anchors_that_come_too_soon_are_ignored)
{
    struct clock_anchor a = anchor_at(1000000000, 2e9), b = anchor_at(1100000000, 2e9);
    struct clock_map m;
    clock_map_init(&m, ORIEL_CLOCK_TSC, &a, &b);
    uint64_t mult = m.now.mult;
    struct clock_anchor c = b;
    c.mono_ns += 1000; /* 1 us with 3 us worth of ticks: noise, not a rate */
    c.ticks += 6000;
    clock_map_update(&m, &c);
    CHECK_EQ(m.now.mult, mult);
    clock_map_update(&m, &a); /* older than the last */
    CHECK_EQ(m.now.mult, mult);
    CHECK_EQ(m.now.base_ticks, b.ticks);
}

TEST_MAIN()
