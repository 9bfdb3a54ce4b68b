/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The histogram: its error bound over the whole range, growth and merging.
 */
#include "report/hist.h"

#include <stdlib.h>

#include "base/mem.h"
#include "test.h"

TEST(buckets_tile_the_whole_range_without_gaps)
{
    for (uint32_t b = 0; b < HIST_BUCKETS; b++) {
        uint64_t low = hist_bucket_low(b), next = hist_bucket_low(b + 1);
        CHECK_EQ(hist_bucket(low), b);
        CHECK(next > low);
        CHECK_EQ(hist_bucket(next - 1), b + 1 == HIST_BUCKETS ? HIST_BUCKETS - 1 : b);
    }
    CHECK_EQ(hist_bucket(UINT64_MAX), HIST_BUCKETS - 1);
}

TEST(a_quantile_is_off_by_at_most_3_2_per_cent)
{
    for (uint64_t v = 1; v < UINT64_MAX / 3; v = v * 3 / 2 + 1) {
        struct hist h = {0};
        CHECK(hist_add(&h, v));
        CHECK_EQ(hist_quantile(&h, 500, v), v); /* the largest is known exactly */
        CHECK(hist_add(&h, UINT64_MAX));
        uint64_t p = hist_quantile(&h, 500, UINT64_MAX);
        uint64_t off = p > v ? p - v : v - p;
        CHECK((double)off <= 0.032 * (double)v);
        hist_done(&h);
    }
}

TEST(quantiles_of_many_values_equal_the_sorted_list)
{
    enum { N = 9973 };
    static uint64_t values[N];
    struct hist h = {0};
    for (uint64_t i = 0; i < N; i++) {
        values[i] = i * i * 37 + 5; /* already sorted */
        CHECK(hist_add(&h, values[i]));
    }
    static const uint32_t wanted[] = {0, 1, 10, 250, 500, 900, 950, 990, 999, 1000};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        size_t rank = (N * wanted[i] + 999) / 1000;
        double exact = (double)values[rank ? rank - 1 : 0];
        double told = (double)hist_quantile(&h, wanted[i], values[N - 1]);
        CHECK(told >= exact * 0.968 - 1 && told <= exact * 1.032 + 1);
    }
    CHECK_EQ(hist_quantile(&h, 1000, values[N - 1]) <= values[N - 1], 1);
    hist_done(&h);
}

TEST(merging_equals_adding_everything_to_one)
{
    struct hist a = {0}, b = {0}, all = {0};
    for (uint64_t i = 0; i < 5000; i++) {
        uint64_t v = i * 7919 % 100003 * (i % 3 ? 1 : 1000);
        CHECK(hist_add(i % 2 ? &a : &b, v));
        CHECK(hist_add(&all, v));
    }
    CHECK(hist_merge(&a, &b));
    CHECK_EQ(a.count, all.count);
    for (uint32_t p = 0; p <= 1000; p += 50)
        CHECK_EQ(hist_quantile(&a, p, UINT64_MAX), hist_quantile(&all, p, UINT64_MAX));
    hist_done(&a);
    hist_done(&b);
    hist_done(&all);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(only_octaves_in_use_take_memory)
{
    struct hist h = {0};
    for (uint64_t v = 1000; v < 8000; v++)
        CHECK(hist_add(&h, v));
    CHECK(mem_live_bytes() <= 4 * 16 * 8);
    hist_done(&h);
}

TEST(an_empty_histogram_has_no_quantile)
{
    struct hist h = {0}, other = {0};
    CHECK_EQ(hist_quantile(&h, 500, 100), 0);
    CHECK(hist_merge(&h, &other));
    CHECK_EQ(h.count, 0);
}

TEST(without_memory_a_value_is_refused_and_the_rest_stays)
{
    struct hist h = {0};
    CHECK(hist_add(&h, 100));
    mem_fail_after(1);
    CHECK(!hist_add(&h, 1000000));
    mem_fail_after(0);
    CHECK_EQ(h.count, 1);
    CHECK(hist_add(&h, 1000000));
    CHECK_EQ(h.count, 2);
    hist_done(&h);
}

TEST_MAIN()
