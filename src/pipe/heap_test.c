/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What was allocated in spans, and which allocation a free is of.
 */
#include "pipe/assemble.h"

#include <stdlib.h>

#include "piped.h"
#include "test.h"

static struct piped c;
static const struct model_site *outer, *inner;
static struct records_stream a, b;

static void open_pipe(void)
{
    piped_init(&c, NULL);
    outer = records_site(&c.w, ORIEL_SITE_SPAN, "outer", "n:u");
    inner = records_site(&c.w, ORIEL_SITE_SPAN, "inner", "");
    a = records_thread(&c.w, 1);
    b = records_thread(&c.w, 2);
}

static void heap(struct records_stream *s, uint64_t t, uint64_t n, uint64_t bytes, uint64_t frees,
                 uint64_t freed)
{
    rec_heap(&c.in, s, t, (const uint64_t[]){n, bytes, frees, freed});
}

static long attr(const char *span, const char *key)
{
    const struct model_span *s = piped_span(&c, span);
    const char *text = piped_attr(s->attrs, s->attr_count, key);
    CHECK(*text);
    return strtol(text, NULL, 10);
}

TEST(a_span_has_what_came_between_its_ends_and_what_came_to_it_alone)
{
    open_pipe();
    heap(&a, 1, 100, 10000, 50, 5000);
    uint64_t o = rec_begin(&c.in, &a, 2, outer, UINT64_C(7));
    heap(&a, 3, 103, 10300, 51, 5010);
    uint64_t i = rec_begin(&c.in, &a, 4, inner);
    heap(&a, 5, 104, 11300, 51, 5010);
    rec_end(&c.in, &a, 6, i);
    heap(&a, 7, 104, 11300, 60, 9010);
    rec_end(&c.in, &a, 8, o);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(attr("outer", "n"), 7);
    CHECK_EQ(attr("outer", "alloc.count"), 4);
    CHECK_EQ(attr("outer", "alloc.bytes"), 1300);
    CHECK_EQ(attr("outer", "dealloc.count"), 10);
    CHECK_EQ(attr("outer", "dealloc.bytes"), 4010);
    CHECK_EQ(attr("outer", "alloc.net_bytes"), 1300 - 4010);
    CHECK_EQ(attr("outer", "alloc.self.bytes"), 300);
    CHECK_EQ(attr("outer", "dealloc.self.count"), 10);
    CHECK_EQ(attr("inner", "alloc.bytes"), 1000);
    CHECK_EQ(attr("inner", "alloc.self.count"), 1);
    CHECK_EQ(attr("inner", "dealloc.bytes"), 0);
    piped_done(&c);
}

TEST(a_thread_whose_allocations_nobody_counts_has_no_such_attributes)
{
    open_pipe();
    heap(&a, 1, 100, 10000, 50, 5000);
    rec_end(&c.in, &b, 8, rec_begin(&c.in, &b, 2, inner));
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "inner")->attr_count, 0);
    piped_done(&c);
}

TEST(an_async_span_has_what_came_while_it_was_entered)
{
    open_pipe();
    heap(&a, 1, 0, 0, 0, 0);
    heap(&b, 1, 0, 0, 0, 0);
    uint64_t id = rec_open(&c.in, &a, 2, inner, 0);
    heap(&a, 3, 1, 100, 0, 0);
    rec_enter(&c.in, &a, 4, id);
    heap(&a, 5, 3, 300, 0, 0);
    rec_exit(&c.in, &a, 6, id);
    heap(&a, 7, 9, 9000, 0, 0);
    rec_enter(&c.in, &b, 8, id);
    heap(&b, 9, 1, 50, 1, 20);
    rec_close(&c.in, &b, 10, id);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(attr("inner", "alloc.count"), 3);
    CHECK_EQ(attr("inner", "alloc.bytes"), 250);
    CHECK_EQ(attr("inner", "alloc.self.bytes"), 250);
    CHECK_EQ(attr("inner", "dealloc.bytes"), 20);
    piped_done(&c);
}

TEST(counts_that_step_back_are_not_believed)
{
    open_pipe();
    heap(&a, 1, 100, 10000, 50, 5000);
    uint64_t id = rec_begin(&c.in, &a, 2, inner);
    heap(&a, 3, 90, 9000, 50, 5000); /* another stream of the thread, told late */
    heap(&a, 4, 101, 10010, 50, 5000);
    rec_end(&c.in, &a, 5, id);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(attr("inner", "alloc.count"), 1);
    CHECK_EQ(attr("inner", "alloc.bytes"), 10);
    piped_done(&c);
}

static const struct model_sample *sample(size_t n)
{
    return &piped_item(&c, MODEL_ITEM_SAMPLE, n)->u.sample;
}

TEST(a_free_is_of_the_stack_the_span_and_the_thread_that_allocated)
{
    open_pipe();
    uint64_t id = rec_begin(&c.in, &a, 1, inner);
    rec_block(&c.in, &a, 2, ORIEL_SAMPLE_ALLOC, 7, 100, 0x1000);
    rec_end(&c.in, &a, 3, id);
    rec_block(&c.in, &b, 4, ORIEL_SAMPLE_FREE, 0, 100, 0x1000);
    rec_block(&c.in, &b, 5, ORIEL_SAMPLE_FREE, 0, 100, 0x1000); /* of nobody's */
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_SAMPLE), 2);
    CHECK(sample(1)->kind == ORIEL_SAMPLE_FREE && sample(1)->stack == 7);
    CHECK(sample(1)->thread == a.thread && sample(1)->site == inner);
    CHECK_EQ(sample(1)->span_id, oriel_id_mix(id));
    CHECK_EQ(piped_counts(&c).fates[PIPE_ORPHAN], 1);
    piped_done(&c);
}

TEST(what_was_not_freed_is_told_at_the_end)
{
    open_pipe();
    for (uint64_t at = 1; at <= 2000; at++)
        rec_block(&c.in, &a, at, ORIEL_SAMPLE_ALLOC, 3, at, at * 16);
    for (uint64_t at = 1; at <= 1999; at++)
        rec_block(&c.in, &b, 2000 + at, ORIEL_SAMPLE_FREE, 0, at, at * 16);
    rec_block(&c.in, &a, 5000, ORIEL_SAMPLE_ALLOC, 4, 70, 2000 * 16); /* its free was lost */
    CHECK_EQ(piped_last(&c), 0);
    size_t last = piped_items(&c, MODEL_ITEM_SAMPLE) - 1;
    CHECK_EQ(last, 4000);
    CHECK(sample(last)->kind == ORIEL_SAMPLE_LIVE && sample(last)->weight == 70);
    CHECK(sample(last)->stack == 4 && sample(last)->thread == a.thread);
    piped_done(&c);
}

TEST(sums_belong_to_no_span_and_leave_what_they_have_left)
{
    open_pipe();
    uint64_t id = rec_begin(&c.in, &a, 1, inner);
    rec_block(&c.in, &a, 2, ORIEL_SAMPLE_ALLOC, 7, 500, ORIEL_HEAP_SUM);
    rec_block(&c.in, &a, 3, ORIEL_SAMPLE_FREE, 7, 200, ORIEL_HEAP_SUM);
    rec_block(&c.in, &a, 4, ORIEL_SAMPLE_ALLOC, 8, 50, ORIEL_HEAP_SUM);
    rec_block(&c.in, &a, 5, ORIEL_SAMPLE_FREE, 8, 50, ORIEL_HEAP_SUM);
    rec_block(&c.in, &a, 6, ORIEL_SAMPLE_PEAK, 7, 400, ORIEL_HEAP_SUM);
    rec_end(&c.in, &a, 7, id);
    CHECK_EQ(piped_last(&c), 0);
    size_t last = piped_items(&c, MODEL_ITEM_SAMPLE) - 1;
    CHECK_EQ(last, 5);
    CHECK(sample(0)->site == NULL && sample(4)->site == NULL);
    CHECK(sample(last)->kind == ORIEL_SAMPLE_LIVE && sample(last)->weight == 300);
    CHECK_EQ(sample(last)->stack, 7);
    piped_done(&c);
}

TEST_MAIN()
