/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Streams, threads and their stacks.
 */
#include "pipe/track.h"

#include "records.h"
#include "test.h"

enum { SPANS = 300 };

struct bench {
    struct records w;
    struct model_batch in;
    struct track k;
    struct records_stream a, b;
    struct open_span spans[SPANS];
};

static struct bench x;

static void open_bench(void)
{
    memset(&x, 0, sizeof x);
    records_init(&x.w);
    model_batch_init(&x.in, &x.w.catalog);
    x.a = records_thread(&x.w, 1);
    x.b = records_thread(&x.w, 2);
}

static void close_bench(void)
{
    track_done(&x.k);
    model_batch_done(&x.in);
    records_done(&x.w);
}

static struct stream_state *stream(struct records_stream *s)
{
    rec_detach(&x.in, s, 1);
    return track_stream(&x.k, &x.in.records[x.in.record_count - 1]);
}

/* Push span i, begun at position 8 * i of stream s. */
static void push(struct stream_state *s, uint32_t i)
{
    struct open_span *span = &x.spans[i];
    span->raw_id = s->seed + 8 * (uint64_t)i;
    struct stack_entry e = {span, 8 * (uint64_t)i, s->serial, 0};
    REQUIRE(stack_push(&x.k, s->thread, e));
}

TEST(a_stream_is_the_same_each_time_and_knows_its_thread)
{
    open_bench();
    struct records_stream second = records_second(&x.w, &x.a);
    struct stream_state *a = stream(&x.a), *b = stream(&x.b), *a2 = stream(&second);
    CHECK(a != b && a != a2);
    CHECK(stream(&x.a) == a && stream(&x.b) == b);
    CHECK(a->thread == a2->thread && a->thread != b->thread);
    CHECK_EQ(a->thread->streams, 2);
    close_bench();
}

TEST(streams_that_share_a_slot_of_the_cache_are_told_apart)
{
    open_bench();
    struct records_stream many[200];
    struct stream_state *states[200];
    for (int i = 0; i < 200; i++) {
        many[i] = records_thread(&x.w, 100 + i);
        states[i] = stream(&many[i]);
        REQUIRE(states[i]);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 199; i >= 0; i--)
            CHECK(stream(&many[i]) == states[i]);
    close_bench();
}

TEST(an_id_leads_to_the_stream_it_comes_from)
{
    open_bench();
    struct stream_state *a = stream(&x.a), *b = stream(&x.b);
    track_id(&x.k, a, x.a.seed + 64, 64);
    track_id(&x.k, b, x.b.seed + 64, 64);
    CHECK(track_origin(&x.k, x.a.seed + 1000) == a);
    CHECK(track_origin(&x.k, x.b.seed + 8) == b);
    CHECK_EQ(a->seed, x.a.seed);
    uint64_t far = (uint64_t)1 << 33; /* the upper half of the ids moves on */
    CHECK(!track_origin(&x.k, x.a.seed + far));
    track_id(&x.k, a, x.a.seed + far, far);
    CHECK(track_origin(&x.k, x.a.seed + far + 8) == a);
    CHECK(track_origin(&x.k, x.a.seed + 1000) == a);
    close_bench();
}

TEST(spans_are_found_near_the_top_and_deep_down)
{
    open_bench();
    struct stream_state *s = stream(&x.a);
    track_id(&x.k, s, x.a.seed, 0);
    for (uint32_t i = 0; i < SPANS; i++)
        push(s, i);
    for (uint32_t i = 0; i < SPANS; i++) {
        uint64_t raw = s->seed + 8 * (uint64_t)i;
        CHECK_EQ(stack_find(s->thread, raw, UINT64_MAX, s, 8 * (uint64_t)i), i);
        CHECK_EQ(stack_find(s->thread, (uint32_t)raw, UINT32_MAX, s, 8 * (uint64_t)i), i);
        CHECK_EQ(stack_find(s->thread, raw, UINT64_MAX, NULL, 0), i); /* without the short cut */
        CHECK_EQ(stack_find(s->thread, raw + 1, UINT64_MAX, s, 8 * (uint64_t)i + 1), UINT32_MAX);
    }
    close_bench();
}

TEST(entries_leave_from_top_bottom_and_middle)
{
    open_bench();
    struct stream_state *s = stream(&x.a);
    struct thread_state *t = s->thread;
    for (uint32_t i = 0; i < 10; i++)
        push(s, i);
    CHECK(stack_pop(&x.k, t) == &x.spans[9]);
    CHECK(stack_remove(&x.k, t, t->base) == &x.spans[0]);
    CHECK(stack_remove(&x.k, t, t->base + 1) == &x.spans[2]);
    CHECK(stack_remove(&x.k, t, t->top - 2) == &x.spans[7]);
    static const uint32_t left[] = {1, 3, 4, 5, 6, 8};
    CHECK_EQ(t->top - t->base, 6);
    CHECK_EQ(x.k.entries, 6);
    for (uint32_t i = 0; i < 6; i++) {
        CHECK(t->stack[t->base + i].span == &x.spans[left[i]]);
        CHECK_EQ(x.spans[left[i]].stack_refs, 1);
    }
    CHECK_EQ(x.spans[7].stack_refs, 0);
    while (stack_top(t))
        stack_pop(&x.k, t);
    CHECK(t->base == 0 && t->top == 0 && x.k.entries == 0);
    close_bench();
}

TEST(a_stack_that_loses_its_bottom_does_not_grow)
{
    open_bench();
    struct stream_state *s = stream(&x.a);
    for (uint32_t i = 0; i < 20; i++)
        push(s, i);
    for (uint32_t i = 0; i < 100000; i++) {
        stack_remove(&x.k, s->thread, s->thread->base);
        push(s, i % SPANS);
    }
    CHECK(s->thread->capacity <= 64);
    CHECK_EQ(s->thread->top - s->thread->base, 20);
    close_bench();
}

TEST(streams_that_are_over_are_forgotten_and_may_come_back)
{
    enum { MANY = 20000 };
    open_bench();
    static struct records_stream many[MANY];
    struct stream_state *busy = stream(&x.a), *unlucky = stream(&x.b);
    push(busy, 0);
    unlucky->lost[ORIEL_LOST_RING_FULL] = unlucky->thread->lost[ORIEL_LOST_RING_FULL] = 3;
    size_t most = 0;
    for (uint64_t i = 0; i < MANY; i++) { /* a thread per millisecond */
        many[i] = records_thread(&x.w, (int32_t)i);
        rec_detach(&x.in, &many[i], i * 1000000);
        struct model_record *r = &x.in.records[x.in.record_count - 1];
        struct stream_state *s = track_stream(&x.k, r);
        REQUIRE(s);
        track_id(&x.k, s, many[i].seed + r->position, r->position);
        s->last_ns = r->t_ns;
        most = x.k.streams.count > most ? x.k.streams.count : most;
    }
    CHECK(most <= TRACK_STREAMS);
    CHECK(x.k.by_high.count <= TRACK_STREAMS);
    CHECK(stream(&x.a) == busy && stream(&x.b) == unlucky);
    CHECK(!track_origin(&x.k, many[0].seed + 64)); /* forgotten */
    struct stream_state *back = stream(&many[0]);
    CHECK(back && !back->has_seed && back->thread->thread == many[0].thread);
    CHECK(track_origin(&x.k, many[MANY - 1].seed + 64) == stream(&many[MANY - 1]));
    close_bench();
}

TEST_MAIN()
