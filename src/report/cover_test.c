/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Interval union: against a plain bitmap where it promises to be exact.
 */
#include "report/cover.h"

#include <stdlib.h>

#include "test.h"

TEST(separate_ranges_add_up)
{
    struct cover c = {0};
    CHECK_EQ(cover_add(&c, 10, 20), 10);
    CHECK_EQ(cover_add(&c, 30, 35), 5);
    CHECK_EQ(cover_add(&c, 0, 5), 5);
    CHECK_EQ(c.count, 3);
}

TEST(what_is_covered_twice_counts_once)
{
    struct cover c = {0};
    CHECK_EQ(cover_add(&c, 10, 20), 10);
    CHECK_EQ(cover_add(&c, 12, 18), 0);
    CHECK_EQ(cover_add(&c, 15, 25), 5);
    CHECK_EQ(cover_add(&c, 0, 30), 15);
    CHECK_EQ(c.count, 1);
    CHECK_EQ(cover_add(&c, 30, 31), 1); /* touching ranges become one */
    CHECK_EQ(c.count, 1);
}

TEST(empty_range_covers_nothing)
{
    struct cover c = {0};
    CHECK_EQ(cover_add(&c, 7, 7), 0);
    CHECK_EQ(c.count, 0);
}

TEST(outer_range_over_many_dropped_ones_counts_only_the_gaps)
{
    struct cover c = {0};
    uint64_t sum = 0;
    for (uint64_t i = 0; i < 1000; i++)
        sum += cover_add(&c, 100 + i * 10, 100 + i * 10 + 4);
    CHECK_EQ(sum, 4000);
    CHECK_EQ(cover_add(&c, 50, 20000), 19950 - 4000);
    CHECK_EQ(cover_add(&c, 50, 20000), 0);
}

TEST(recent_ranges_in_any_order_equal_a_bitmap)
{
    enum { LENGTH = 300 };
    for (unsigned seed = 1; seed <= 200; seed++) {
        struct cover c = {0};
        bool seen[LENGTH] = {0};
        srand(seed);
        for (int i = 0; i < 30; i++) {
            unsigned start = (unsigned)rand() % LENGTH, n = (unsigned)rand() % 12, fresh = 0;
            for (unsigned at = start; at < start + n && at < LENGTH; at++) {
                fresh += !seen[at];
                seen[at] = true;
            }
            unsigned end = start + n < LENGTH ? start + n : LENGTH;
            CHECK_EQ(cover_add(&c, start, end), fresh);
        }
    }
}

TEST(never_more_is_covered_than_there_is_time)
{
    struct cover c = {0};
    uint64_t sum = 0;
    srand(7);
    for (int i = 0; i < 100000; i++) {
        uint64_t start = (uint64_t)rand() % 1000000, n = (uint64_t)rand() % 50;
        uint64_t fresh = cover_add(&c, start, start + n);
        CHECK(fresh <= n);
        sum += fresh;
    }
    CHECK(sum <= 1000050);
    CHECK(sum > 500000);
}

TEST_MAIN()
