/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Time in spans per thread: no moment twice, whatever runs inside what.
 */
#include "report/threads.h"

#include "base/mem.h"
#include "test.h"

static struct model_thread main_thread = {.index = 0}, worker = {.index = 1};

static void scoped(struct threads *t, const struct model_thread *thread, uint64_t from, uint64_t to,
                   uint16_t depth)
{
    const struct model_span s = {.start_ns = from, .end_ns = to, .thread = thread, .depth = depth};
    CHECK_EQ(threads_span(t, &s), 0);
}

static void async(struct threads *t, const struct model_busy *busy, uint32_t count)
{
    const struct model_span s = {.start_ns = busy->start_ns,
                                 .end_ns = busy[count - 1].end_ns,
                                 .thread = busy->thread,
                                 .busy = busy,
                                 .busy_count = count,
                                 .flags = MODEL_SPAN_ASYNC};
    CHECK_EQ(threads_span(t, &s), 0);
}

TEST(only_outermost_spans_add_up)
{
    struct threads t = {0};
    scoped(&t, &main_thread, 10, 20, 1);
    scoped(&t, &main_thread, 0, 50, 0);
    scoped(&t, &main_thread, 60, 65, 0);
    CHECK_EQ(t.items.items[0].busy_ns, 55);
    CHECK_EQ(t.items.items[0].spans, 3);
    CHECK_EQ(t.items.items[0].first_ns, 0);
    CHECK_EQ(t.items.items[0].last_ns, 65);
    threads_done(&t);
}

TEST(async_stretches_count_where_they_ran)
{
    struct threads t = {0};
    const struct model_busy busy[] = {{&main_thread, 0, 10}, {&worker, 20, 50}};
    async(&t, busy, 2);
    CHECK_EQ(t.items.items[0].busy_ns, 10);
    CHECK_EQ(t.items.items[0].spans, 1);
    CHECK_EQ(t.items.items[1].busy_ns, 30);
    CHECK_EQ(t.items.items[1].spans, 0);
    threads_done(&t);
}

TEST(stretches_inside_a_loop_that_ends_last_count_once)
{
    struct threads t = {0};
    for (uint64_t i = 0; i < 1000; i++) {
        const struct model_busy busy = {&worker, 200 + i * 10, 205 + i * 10};
        async(&t, &busy, 1);
    }
    CHECK_EQ(t.items.items[1].busy_ns, 5000);
    scoped(&t, &worker, 150, 20150, 0);
    CHECK_EQ(t.items.items[1].busy_ns, 20000);
    threads_done(&t);
}

TEST(a_loop_that_ends_after_much_else_is_told_nearly)
{
    struct threads t = {0};
    scoped(&t, &worker, 0, 100, 0); /* from here on only sums are known */
    for (uint64_t i = 0; i < 1000; i++) {
        const struct model_busy busy = {&worker, 200 + i * 10, 205 + i * 10};
        async(&t, &busy, 1);
    }
    scoped(&t, &worker, 150, 20150, 0);
    CHECK(t.items.items[1].busy_ns <= 20100 && t.items.items[1].busy_ns >= 20000);
    threads_done(&t);
}

TEST(spans_with_given_times_do_not_keep_a_thread_busy)
{
    struct threads t = {0};
    const struct model_span s = {
        .end_ns = 1000, .thread = &main_thread, .flags = MODEL_SPAN_EXTERNAL};
    CHECK_EQ(threads_span(&t, &s), 0);
    CHECK_EQ(t.items.items[0].busy_ns, 0);
    CHECK_EQ(t.items.items[0].spans, 1);
    threads_done(&t);
}

TEST(a_million_short_threads_share_one_row_at_the_end)
{
    struct threads t = {0};
    for (uint32_t i = 0; i < 1000000; i++) {
        const struct model_thread one = {.index = i};
        scoped(&t, &one, i, i + 1, 0);
    }
    CHECK_EQ(t.items.count, THREADS_MAX + 1);
    CHECK_EQ(t.items.items[THREADS_MAX].spans, 1000000 - THREADS_MAX);
    CHECK(mem_live_bytes() < 16u << 20);
    threads_done(&t);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(what_belongs_to_no_thread_is_no_thread)
{
    struct threads t = {0};
    const struct model_span s = {.end_ns = 5};
    const struct model_loss l = {.count = 3};
    CHECK_EQ(threads_span(&t, &s), 0);
    CHECK_EQ(threads_event(&t, NULL, 5), 0);
    CHECK_EQ(threads_loss(&t, &l), 0);
    CHECK_EQ(t.items.count, 0);
    threads_done(&t);
}

TEST_MAIN()
