/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which traces are kept whole, and what happens at each bound.
 */
#include "report/traces.h"

#include "base/mem.h"
#include "test.h"

static void span(struct traces *t, uint64_t trace, uint64_t id, uint64_t parent, uint64_t start,
                 uint64_t end)
{
    struct model_span s = {.span_id = id, .parent_id = parent, .start_ns = start, .end_ns = end};
    memcpy(s.trace_id, &trace, sizeof trace);
    CHECK_EQ(traces_span(t, &s, 0, 0), 0);
}

static uint64_t number(const struct trace *t)
{
    uint64_t n;
    memcpy(&n, t->id, sizeof n);
    return n;
}

TEST(the_slowest_traces_are_kept_with_all_their_spans)
{
    struct traces t = {0};
    for (uint64_t i = 1; i <= 100; i++) {
        uint64_t took = 1000 + i * 7919 % 100;
        span(&t, i, i * 10 + 1, i * 10, 5, 10);
        span(&t, i, i * 10, 0, 0, took);
    }
    traces_settle(&t);
    CHECK_EQ(t.kept_count, TRACES_KEPT);
    CHECK_EQ(t.seen, 100);
    for (uint32_t i = 0; i < TRACES_KEPT; i++) {
        CHECK_EQ(t.kept[i]->root_ns, 1099 - i);
        CHECK_EQ(t.kept[i]->spans.count, 2);
        CHECK_EQ(t.kept[i]->spans.items[0]->u.span.parent_id, 0); /* by start */
    }
    traces_done(&t);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(spans_after_the_root_still_join_a_kept_trace)
{
    struct traces t = {0};
    span(&t, 1, 10, 0, 0, 1000);
    span(&t, 1, 11, 10, 10, 5000);
    traces_settle(&t);
    CHECK_EQ(t.kept_count, 1);
    CHECK_EQ(t.kept[0]->spans.count, 2);
    CHECK_EQ(t.kept[0]->root_ns, 1000);
    traces_done(&t);
}

TEST(a_trace_without_its_root_is_ranked_by_its_longest_span)
{
    struct traces t = {0};
    span(&t, 1, 10, 9, 0, 1000);
    span(&t, 2, 20, 0, 0, 500);
    traces_settle(&t);
    CHECK_EQ(number(t.kept[0]), 1);
    CHECK_EQ(number(t.kept[1]), 2);
    traces_done(&t);
}

TEST(a_huge_trace_keeps_its_longest_spans_and_counts_the_rest)
{
    struct traces t = {0};
    enum { N = 100000 };
    uint64_t kept = 0, folded = 0, ns = 0, sum = 0;
    for (uint64_t i = 1; i <= N; i++) {
        uint64_t took = 10 + i * 7919 % 100003;
        span(&t, 1, 1 + i, 1, i, i + took);
        sum += took;
    }
    span(&t, 1, 1, 0, 0, 10000000);
    traces_settle(&t);
    REQUIRE(t.kept_count == 1);
    const struct trace *one = t.kept[0];
    kept = one->spans.count;
    for (size_t i = 0; i < one->folds.count; i++) {
        folded += one->folds.items[i].count;
        ns += one->folds.items[i].ns;
    }
    for (size_t i = 0; i < one->spans.count; i++)
        ns += one->spans.items[i]->u.span.parent_id ? inst_duration(one->spans.items[i]) : 0;
    CHECK(kept <= TRACE_SPANS);
    CHECK_EQ(kept + folded, N + 1);
    CHECK_EQ(ns, sum);
    CHECK_EQ(one->span_count, N + 1);
    CHECK_EQ(inst_duration(one->spans.items[0]), 10000000);
    traces_done(&t);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(what_is_folded_stays_with_its_nearest_kept_parent)
{
    struct traces t = {0};
    enum { REQUESTS = 50000 };
    uint64_t id = 10, now = 0, sum = 0;
    for (uint64_t i = 0; i < REQUESTS; i++) {
        uint64_t request = id++, took = 30 + i * 7919 % 10007;
        for (uint64_t k = 0; k < 3; k++)
            span(&t, 1, id++, request, now, now + 1 + k);
        span(&t, 1, request, 1, now, now + took);
        now += took;
    }
    span(&t, 1, 1, 0, 0, now);
    traces_settle(&t);
    const struct trace *one = t.kept[0];
    REQUIRE(one && one->folds.count);
    CHECK_EQ(one->folds.items[0].count, 0); /* every parent is known */
    CHECK(one->folds.count <= TRACE_FOLDS);
    for (size_t i = 0; i < one->folds.count; i++)
        sum += one->folds.items[i].count;
    CHECK_EQ(sum + one->spans.count, 4 * REQUESTS + 1);
    traces_done(&t);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(open_traces_without_end_give_way_within_the_bound)
{
    struct traces t = {0};
    for (uint64_t i = 1; i <= 200000; i++) {
        span(&t, i, i * 10 + 1, i * 10, 0, i % 1000); /* the root never ends */
        CHECK(t.by_key.count <= TRACES_OPEN_MAX + TRACES_KEPT);
    }
    CHECK(t.cut_off > 0);
    CHECK(mem_live_bytes() < 2u * TRACES_BYTES);
    traces_settle(&t);
    CHECK_EQ(t.kept[0]->longest_ns, 999);
    traces_done(&t);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(large_attributes_do_not_break_the_byte_bound)
{
    static char text[4096];
    struct traces t = {0};
    struct model_value v[16];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 16; i++)
        v[i] = (struct model_value){
            .key = {text, 100}, .type = ORIEL_TYPE_STR, .v.str = {text, sizeof text}};
    for (uint64_t i = 1; i <= 20000; i++) {
        struct model_span s = {.span_id = i, .parent_id = 1000000 + i, .end_ns = i};
        s.attrs = v;
        s.attr_count = 16;
        memcpy(s.trace_id, &i, sizeof i);
        CHECK_EQ(traces_span(&t, &s, 0, 0), 0);
    }
    CHECK(t.bytes <= TRACES_BYTES);
    CHECK(mem_live_bytes() < TRACES_BYTES * 5 / 4);
    traces_done(&t);
}

TEST(events_of_a_trace_are_bounded_and_counted)
{
    struct traces t = {0};
    struct model_event e = {.trace_id = {1}, .message = {"m", 1}};
    for (int i = 0; i < 2000; i++)
        CHECK_EQ(traces_event(&t, &e, 0), 0);
    traces_settle(&t);
    CHECK_EQ(t.kept[0]->event_count, 2000);
    CHECK_EQ(t.kept[0]->events.count, TRACE_EVENTS);
    struct model_event outside = {.message = {"m", 1}};
    CHECK_EQ(traces_event(&t, &outside, 0), 0);
    CHECK_EQ(t.seen, 1);
    traces_done(&t);
}

TEST(without_memory_nothing_leaks)
{
    for (uint64_t n = 1; n < 60; n++) {
        struct traces t = {0};
        mem_fail_after(n);
        for (uint64_t i = 1; i < 30; i++) {
            struct model_span s = {.span_id = i, .parent_id = i % 3 ? i + 1 : 0, .end_ns = i};
            uint64_t id = i / 3;
            memcpy(s.trace_id, &id, sizeof id);
            int rc = traces_span(&t, &s, 0, 0);
            CHECK(rc == 0 || rc == -2);
        }
        mem_fail_after(0);
        traces_settle(&t);
        traces_done(&t);
        CHECK_EQ(mem_live_blocks(), 0);
    }
}

TEST_MAIN()
