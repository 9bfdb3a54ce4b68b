/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The pace of a drain, with a clock of our own.
 */
#include "session/pace.h"

#include "test.h"

#define MS UINT64_C(1000000)
#define RING (UINT64_C(16) << 20)

static struct pace started(void)
{
    struct pace p;
    pace_init(&p, RING);
    (void)pace_next(&p, 0, false, 1000 * MS);
    return p;
}

TEST(pace_never_sleeps_while_the_source_has_more)
{
    struct pace p = started();
    CHECK_EQ(pace_next(&p, 1000000, true, 1001 * MS), 0);
}

TEST(pace_goes_by_what_came_since_it_slept_not_by_what_one_round_brought)
{
    struct pace p = started();
    CHECK_EQ(pace_next(&p, 100000, true, 1050 * MS), 0);
    CHECK_EQ(pace_next(&p, 100000, true, 1050 * MS + 10000), 0);
    CHECK_EQ(pace_next(&p, 50000, false, 1050 * MS + 20000), PACE_IDLE_NS);
}

TEST(pace_of_a_slow_writer_is_ten_milliseconds)
{
    struct pace p = started();
    CHECK_EQ(pace_next(&p, 4000, false, 1010 * MS), 10 * MS);
    CHECK_EQ(pace_next(&p, 0, false, 1020 * MS), 10 * MS);
}

TEST(pace_lets_a_fast_writer_fill_an_eighth_of_the_ring)
{
    struct pace p = started();
    /* 1 MiB per ms fills 2 MiB in 2 ms */
    uint64_t ns = pace_next(&p, 1 << 20, false, 1001 * MS);
    CHECK(ns > 1900000 && ns < 2100000);
}

TEST(pace_is_never_shorter_than_the_busy_sleep)
{
    struct pace p = started();
    CHECK_EQ(pace_next(&p, UINT64_C(1) << 40, false, 1001 * MS), PACE_BUSY_NS);
}

TEST(pace_remembers_a_burst_for_some_rounds)
{
    struct pace p = started();
    uint64_t burst = pace_next(&p, 1 << 20, false, 1001 * MS);
    uint64_t after = pace_next(&p, 0, false, 1002 * MS);
    CHECK(after < burst * 2);
    uint64_t now = 1002;
    for (int i = 0; i < 60; i++)
        after = pace_next(&p, 0, false, ++now * MS);
    CHECK_EQ(after, PACE_IDLE_NS);
}

TEST(pace_of_who_only_sends_leaves_room_for_a_burst)
{
    CHECK_EQ(pace_of_sending(2 * RING), PACE_SENT_NS);
    CHECK_EQ(pace_of_sending(RING), UINT64_C(45875000));
    CHECK_EQ(pace_of_sending(RING / 2), UINT64_C(22937000));
    CHECK_EQ(pace_of_sending(1 << 20), PACE_QUIET_NS);
    struct pace p = started();
    p.idle_ns = pace_of_sending(RING);
    CHECK_EQ(pace_next(&p, 4000, false, 1010 * MS), UINT64_C(45875000));
    /* 1 MiB per ms fills 2 MiB in 2 ms */
    CHECK(pace_next(&p, 1 << 20, false, 1011 * MS) < 3 * MS);
}

TEST(pace_slows_down_when_nobody_speaks)
{
    struct pace p = started();
    CHECK_EQ(pace_next(&p, 0, false, 2500 * MS), PACE_QUIET_NS);
    CHECK_EQ(pace_next(&p, 0, false, 12500 * MS), PACE_SILENT_NS);
    CHECK(pace_next(&p, 8, false, 12550 * MS) <= PACE_IDLE_NS);
}

TEST(pace_of_who_has_never_spoken_slows_down_sooner)
{
    struct pace p = started();
    CHECK_EQ(pace_next(&p, 0, false, 1050 * MS), PACE_IDLE_NS);
    CHECK_EQ(pace_next(&p, 0, false, 1200 * MS), PACE_QUIET_NS);
    CHECK_EQ(pace_next(&p, 8, false, 1220 * MS), PACE_IDLE_NS);
    CHECK_EQ(pace_next(&p, 0, false, 1800 * MS), PACE_IDLE_NS);
}

TEST(pace_of_even_data_may_be_slower)
{
    struct pace p = started();
    p.idle_ns = 50 * MS;
    CHECK_EQ(pace_next(&p, 4000, false, 1010 * MS), 50 * MS);
    uint64_t ns = pace_next(&p, 1 << 20, false, 1011 * MS); /* until it is not even any more */
    CHECK(ns > 1900000 && ns < 2100000);
    CHECK_EQ(pace_next(&p, 0, false, 3000 * MS), 50 * MS);
}

TEST(pace_is_quiet_after_a_second_without_data)
{
    struct pace p;
    pace_init(&p, RING);
    CHECK(!pace_is_quiet(&p, 5000 * MS));
    (void)pace_next(&p, 8, false, 1000 * MS);
    CHECK(!pace_is_quiet(&p, 1999 * MS));
    (void)pace_next(&p, 0, false, 2000 * MS);
    CHECK(pace_is_quiet(&p, 2000 * MS));
    (void)pace_next(&p, 8, false, 2001 * MS);
    CHECK(!pace_is_quiet(&p, 2001 * MS));
}

TEST(pace_knows_that_a_burst_began_after_the_last_look)
{
    struct pace p = started();
    pace_looked(&p, 0); /* nobody did */
    const uint64_t before = pace_next(&p, RING / 8, false, 1200 * MS);
    p = started();
    pace_looked(&p, 1190 * MS);
    CHECK(before > 9 * MS);
    CHECK(pace_next(&p, RING / 4, false, 1200 * MS) <= 5 * MS);
}

TEST(pace_survives_a_clock_that_stands_still)
{
    struct pace p = started();
    CHECK_EQ(pace_next(&p, 0, false, 1000 * MS), PACE_IDLE_NS);
    CHECK_EQ(pace_next(&p, 100, false, 1000 * MS) > 0, 1);
}

TEST_MAIN()
