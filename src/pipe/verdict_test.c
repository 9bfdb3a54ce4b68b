/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Verdicts are what the samplers behind the ring decide, question by question; and which
 * configurations need them.
 */
#include "pipe/verdict.h"

#include "base/ratio.h"
#include "pipe/sample.h"
#include "test.h"

#define SECOND UINT64_C(1000000000)

static uint64_t full_ns;

static struct verdicts *made(const struct pipe_sampling *how)
{
    struct verdicts *v = NULL;
    full_ns = 0;
    REQUIRE(verdict_new(&v, how, &full_ns) == 0);
    return v;
}

TEST(only_what_a_trace_id_and_the_parents_flag_do_not_say_wants_verdicts)
{
    static const struct pipe_rate rates[] = {{"db", 0.5}};
    struct pipe_sampling how = {.size = sizeof how, .root = PIPE_SAMPLE_RATIO, .share = 0.5};
    CHECK(verdict_wanted(&how)); /* parents from elsewhere do not count */
    how.parent_based = true;
    CHECK(!verdict_wanted(&how));
    how.remote_not_sampled = PIPE_DELEGATE_ON;
    CHECK(verdict_wanted(&how));
    how = (struct pipe_sampling){.size = sizeof how, .root = PIPE_SAMPLE_ON};
    CHECK(!verdict_wanted(&how));
    how.traces_per_s = 1;
    CHECK(verdict_wanted(&how));
    how.traces_per_s = 0;
    how.rates = rates;
    how.rate_count = 1;
    CHECK(verdict_wanted(&how));
}

/* All questions that there are, of some traces, to a sampler and to its verdicts. */
static void compare(const struct pipe_sampling *how)
{
    struct sampler s;
    struct verdicts *v = made(how);
    struct model_site site = {.target = {"db.ddl", 6}};
    uint64_t differ = 0, sampled = 0;
    REQUIRE(sampler_init(&s, how) == 0);
    CHECK_EQ(verdict_of_entries(v), s.inherits);
    for (uint64_t i = 0; i < 64 * 6; i++) {
        struct verdict got;
        uint64_t threshold, lo = __builtin_bswap64(i / 6 << 50);
        struct verdict_question q = {.target = site.target,
                                     .root = i % 6 == 0,
                                     .remote = i % 6 > 3,
                                     .parent_sampled = i % 2,
                                     .trace_lo = lo};
        verdict_ask(v, &q, &got);
        bool wanted = q.root ? sampler_root(&s, &site, ratio_randomness(lo), 0, &threshold)
                             : sampler_child(&s, q.remote, q.parent_sampled, &site,
                                             ratio_randomness(lo), &threshold);
        differ += wanted != got.sampled;
        sampled += got.sampled;
        const bool told = wanted && threshold && threshold < RATIO_NONE;
        CHECK_EQ(got.state_set, told);
    }
    CHECK_EQ(differ, 0);
    CHECK(sampled > 0 && sampled < (uint64_t)64 * 6);
    sampler_done(&s);
    verdict_free(v);
}

TEST(a_verdict_is_what_the_sampler_decides)
{
    static const struct pipe_rate rates[] = {{"db", 0}, {"db.ddl", 0.25}, {"web", 1}};
    struct pipe_sampling how = {.size = sizeof how, .root = PIPE_SAMPLE_RATIO, .share = 0.5};
    for (int parent_based = 0; parent_based < 2; parent_based++)
        for (int with_rates = 0; with_rates < 2; with_rates++) {
            how.parent_based = parent_based;
            how.rates = with_rates ? rates : NULL;
            how.rate_count = with_rates ? 3 : 0;
            compare(&how);
        }
    how.remote_sampled = PIPE_DELEGATE_OFF;
    how.remote_not_sampled = PIPE_DELEGATE_RATIO;
    how.local_sampled = PIPE_DELEGATE_RATIO;
    how.local_not_sampled = PIPE_DELEGATE_ON;
    compare(&how);
}

TEST(so_many_a_second_are_counted_in_one_place_for_all)
{
    struct pipe_sampling how = {.size = sizeof how, .root = PIPE_SAMPLE_ON, .traces_per_s = 10};
    struct verdicts *v = made(&how);
    struct verdict got;
    unsigned taken = 0;
    for (uint64_t i = 0; i < 100; i++) {
        struct verdict_question q = {.root = true, .now_ns = 5 * SECOND};
        verdict_ask(v, &q, &got);
        taken += got.sampled;
    }
    CHECK_EQ(taken, 10);
    for (uint64_t i = 0; i < 100; i++) {
        struct verdict_question q = {.root = true, .now_ns = 5 * SECOND + SECOND / 2};
        verdict_ask(v, &q, &got);
        taken += got.sampled;
    }
    CHECK_EQ(taken, 15);
    CHECK(!got.state_set);
    verdict_free(v);
}

TEST(a_threshold_is_told_and_randomness_that_was_said_counts)
{
    struct pipe_sampling how = {.size = sizeof how, .root = PIPE_SAMPLE_RATIO, .share = 0.5};
    struct verdicts *v = made(&how);
    struct verdict got;
    struct verdict_question q = {.remote = true, .state = {"ot=rv:f0000000000000,a=1", 24}};
    verdict_ask(v, &q, &got);
    CHECK(got.sampled && got.state_set);
    got.state[got.state_bytes] = 0;
    CHECK_STR(got.state, "ot=th:8;rv:f0000000000000,a=1");
    q.state = (struct model_str){"ot=th:1,a=1", 11};
    verdict_ask(v, &q, &got);
    CHECK(!got.sampled && got.state_set);
    got.state[got.state_bytes] = 0;
    CHECK_STR(got.state, "a=1");
    verdict_free(v);
}

TEST_MAIN()
