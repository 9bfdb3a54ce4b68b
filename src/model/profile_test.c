/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Samples added up: what agrees is one row, and nothing is lost or made up.
 */
#include "model/profile.h"

#include "base/err.h"
#include "test.h"

static struct model_thread threads[2] = {{.index = 0}, {.index = 1}};
static struct model_site sites[2];

static struct model_sample cpu(uint32_t stack, uint64_t weight)
{
    return (struct model_sample){.t_ns = 100 + weight,
                                 .kind = ORIEL_SAMPLE_CPU,
                                 .stack = stack,
                                 .weight = weight,
                                 .count = 1,
                                 .thread = &threads[0]};
}

TEST(samples_that_agree_are_one_row)
{
    struct model_profile p;
    model_profile_init(&p, false);
    struct model_sample a = cpu(3, 10), b = cpu(3, 5);
    b.span_id = 77; /* of the same name */
    CHECK_EQ(model_profile_add(&p, &a), 0);
    CHECK_EQ(model_profile_add(&p, &b), 0);
    CHECK_EQ(p.row_count, 1);
    CHECK_EQ(p.rows[0].weight, 15);
    CHECK_EQ(p.rows[0].count, 2);
    CHECK_EQ(p.first_ns, 105);
    CHECK_EQ(p.last_ns, 110);
    model_profile_done(&p);
}

TEST(stack_thread_kind_and_span_name_keep_rows_apart)
{
    struct model_profile p;
    model_profile_init(&p, false);
    struct model_sample s[5];
    for (int i = 0; i < 5; i++)
        s[i] = cpu(3, 1);
    s[1].stack = 4;
    s[2].thread = &threads[1];
    s[3].kind = ORIEL_SAMPLE_OFF_CPU;
    s[4].site = &sites[1];
    for (int i = 0; i < 5; i++)
        CHECK_EQ(model_profile_add(&p, &s[i]), 0);
    CHECK_EQ(p.row_count, 5);
    CHECK_EQ(p.weight[ORIEL_SAMPLE_CPU], 4);
    CHECK_EQ(p.weight[ORIEL_SAMPLE_OFF_CPU], 1);
    model_profile_done(&p);
}

TEST(by_span_each_span_has_its_own_row)
{
    struct model_profile p;
    model_profile_init(&p, true);
    struct model_sample a = cpu(3, 10), b = cpu(3, 5);
    a.span_id = 1;
    b.span_id = 2;
    CHECK_EQ(model_profile_add(&p, &a), 0);
    CHECK_EQ(model_profile_add(&p, &b), 0);
    CHECK_EQ(p.row_count, 2);
    CHECK_EQ(p.rows[1].span_id, 2);
    model_profile_done(&p);
}

TEST(sums_hold_over_many_rows)
{
    enum { N = 50000 };
    struct model_profile p;
    uint64_t sum = 0;
    model_profile_init(&p, false);
    for (uint32_t i = 0; i < 4 * N; i++) {
        struct model_sample s = cpu(i % N, i);
        REQUIRE(model_profile_add(&p, &s) == 0);
        sum += i;
    }
    CHECK_EQ(p.row_count, N);
    CHECK_EQ(p.weight[ORIEL_SAMPLE_CPU], sum);
    for (uint32_t i = 0; i < p.row_count; i++) {
        REQUIRE(p.rows[i].count == 4);
        sum -= p.rows[i].weight;
    }
    CHECK_EQ(sum, 0);
    model_profile_done(&p);
}

TEST(a_thread_that_was_only_there_has_a_row_and_is_no_sample)
{
    struct model_profile p;
    struct model_sample s = cpu(0, 0);
    model_profile_init(&p, false);
    s.count = 0;
    CHECK_EQ(model_profile_add(&p, &s), 0);
    CHECK_EQ(p.row_count, 1);
    CHECK_EQ(p.samples[ORIEL_SAMPLE_CPU], 0);
    s.weight = 5; /* time between samples is told as such */
    CHECK_EQ(model_profile_add(&p, &s), 0);
    CHECK_EQ(p.samples[ORIEL_SAMPLE_CPU], 1);
    CHECK_EQ(model_profile_samples(&p), 0);
    s.kind = ORIEL_SAMPLE_OFF_CPU; /* a share of waits that were counted together */
    CHECK_EQ(model_profile_add(&p, &s), 0);
    CHECK_EQ(model_profile_samples(&p), 1);
    model_profile_done(&p);
}

TEST(what_memory_did_not_hold_is_in_no_sum)
{
    for (uint64_t n = 1; n < 5; n++) {
        struct model_profile p;
        struct model_sample s = cpu(1, 9);
        model_profile_init(&p, false);
        mem_fail_after(n);
        int rc = model_profile_add(&p, &s);
        mem_fail_after(0);
        CHECK_EQ(p.weight[ORIEL_SAMPLE_CPU], rc == 0 ? 9 : 0);
        CHECK_EQ(p.row_count, rc == 0);
        CHECK_EQ(model_profile_add(&p, &s), 0);
        CHECK_EQ(p.rows[0].count, rc == 0 ? 2 : 1);
        model_profile_done(&p);
    }
}

TEST(every_kind_has_a_name_and_a_unit)
{
    for (uint8_t k = ORIEL_SAMPLE_CPU; k < ORIEL_SAMPLE_KINDS; k++)
        CHECK(strcmp(model_sample_kind_text(k), "unknown") != 0);
    CHECK_STR(model_sample_kind_text(200), "unknown");
    CHECK_STR(model_sample_unit(ORIEL_SAMPLE_ALLOC), "bytes");
}

TEST_MAIN()
