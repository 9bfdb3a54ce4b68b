/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Pairs of A and B: by trace, by thread, by key, and what finds no partner.
 */
#include "report/latency.h"

#include "base/mem.h"
#include "test.h"

static const struct model_site site_a = {.name = {"a", 1}}, site_b = {.name = {"b", 1}};
static const struct model_thread threads[3] = {{.index = 0}, {.index = 1}, {.index = 2}};

static void event(struct latency *l, const struct model_site *site, uint64_t t_ns, unsigned thread,
                  uint8_t trace, int64_t job)
{
    struct model_value v = {.key = {"job", 3}, .type = ORIEL_TYPE_I64, .v.i64 = job};
    const struct model_event e = {.t_ns = t_ns,
                                  .site = site,
                                  .thread = &threads[thread],
                                  .trace_id = {trace},
                                  .attrs = &v,
                                  .attr_count = job ? 1 : 0};
    CHECK_EQ(latency_event(l, &e), 0);
}

TEST(pairs_of_one_trace_cross_threads)
{
    struct latency l = {.from = "a", .to = "b"};
    event(&l, &site_a, 100, 0, 7, 0);
    event(&l, &site_a, 110, 0, 8, 0);
    event(&l, &site_b, 150, 1, 8, 0);
    event(&l, &site_b, 200, 2, 7, 0);
    CHECK_EQ(latency_best(&l), LATENCY_TRACE);
    CHECK_EQ(l.ways[LATENCY_TRACE].hist.count, 2);
    CHECK_EQ(l.ways[LATENCY_TRACE].max, 100);
    CHECK_EQ(l.ways[LATENCY_TRACE].slow[0].from_ns, 100);
    CHECK_EQ(l.ways[LATENCY_TRACE].slow[0].thread, &threads[2]);
    latency_done(&l);
}

TEST(without_traces_threads_are_told)
{
    struct latency l = {.from = "a", .to = "b"};
    event(&l, &site_a, 100, 0, 0, 0);
    event(&l, &site_b, 110, 1, 0, 0);
    event(&l, &site_b, 130, 0, 0, 0);
    CHECK_EQ(latency_best(&l), LATENCY_THREAD);
    CHECK_EQ(l.ways[LATENCY_THREAD].hist.count, 1);
    CHECK_EQ(l.ways[LATENCY_THREAD].max, 30);
    CHECK_EQ(l.ways[LATENCY_THREAD].to_unmatched, 1);
    latency_done(&l);
}

TEST(a_key_matches_across_everything_else)
{
    struct latency l = {.from = "a", .to = "b", .key = "job"};
    event(&l, &site_a, 100, 0, 1, 41);
    event(&l, &site_a, 101, 0, 1, 42);
    event(&l, &site_b, 150, 1, 2, 42);
    event(&l, &site_b, 170, 1, 2, 0); /* has no such attribute */
    CHECK_EQ(latency_best(&l), LATENCY_KEY);
    CHECK_EQ(l.ways[LATENCY_KEY].hist.count, 1);
    CHECK_EQ(l.ways[LATENCY_KEY].max, 49);
    CHECK_EQ(l.ways[LATENCY_KEY].to_unmatched, 1);
    CHECK_EQ(latency_from_unmatched(&l.ways[LATENCY_KEY]), 1);
    CHECK_EQ(l.ways[LATENCY_TRACE].hist.count, 0);
    latency_done(&l);
}

TEST(a_second_from_takes_the_place_of_the_first)
{
    struct latency l = {.from = "a", .to = "b"};
    event(&l, &site_a, 100, 0, 1, 0);
    event(&l, &site_a, 120, 0, 1, 0);
    event(&l, &site_b, 125, 0, 1, 0);
    event(&l, &site_b, 126, 0, 1, 0);
    CHECK_EQ(l.ways[LATENCY_TRACE].max, 5);
    CHECK_EQ(latency_from_unmatched(&l.ways[LATENCY_TRACE]), 1);
    CHECK_EQ(l.ways[LATENCY_TRACE].to_unmatched, 1);
    latency_done(&l);
}

TEST(a_span_is_from_its_end_and_to_its_begin)
{
    struct latency l = {.from = "a", .to = "b"};
    struct model_span s = {
        .site = &site_a, .thread = &threads[0], .trace_id = {1}, .start_ns = 10, .end_ns = 50};
    CHECK_EQ(latency_span(&l, &s), 0);
    s.site = &site_b;
    s.start_ns = 80;
    s.end_ns = 500;
    CHECK_EQ(latency_span(&l, &s), 0);
    CHECK_EQ(l.ways[LATENCY_TRACE].max, 30);
    latency_done(&l);
}

TEST(a_span_that_follows_itself_gives_the_gaps)
{
    struct latency l = {.from = "a", .to = "a"};
    for (uint64_t i = 0; i < 10; i++) {
        const struct model_span s = {
            .site = &site_a, .thread = &threads[0], .start_ns = 100 * i, .end_ns = 100 * i + 60};
        CHECK_EQ(latency_span(&l, &s), 0);
    }
    CHECK_EQ(l.ways[LATENCY_THREAD].hist.count, 9);
    CHECK_EQ(l.ways[LATENCY_THREAD].max, 40);
    latency_done(&l);
}

TEST(what_never_finds_a_partner_stays_within_bounds)
{
    struct latency l = {.from = "a", .to = "b", .key = "job"};
    for (int64_t i = 1; i <= 200000; i++)
        event(&l, &site_a, 100, 0, 1, i);
    CHECK_EQ(l.ways[LATENCY_KEY].open.count, LATENCY_OPEN_MAX);
    CHECK_EQ(latency_from_unmatched(&l.ways[LATENCY_KEY]), 200000);
    latency_done(&l);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(other_names_are_nobodys_business)
{
    struct latency l = {.from = "a", .to = "b"};
    const struct model_site other = {.name = {"ab", 2}};
    event(&l, &other, 1, 0, 1, 0);
    event(&l, NULL, 1, 0, 1, 0);
    CHECK_EQ(l.from_seen + l.to_seen, 0);
    latency_done(&l);
}

TEST_MAIN()
