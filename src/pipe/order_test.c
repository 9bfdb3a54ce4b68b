/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The merge: order, hold-back to the watermark, and what lack of memory does.
 */
#include "pipe/order.h"

#include "base/err.h"
#include "records.h"
#include "random.h"
#include "test.h"

enum { SEEN_MAX = 1 << 16 };

struct seen {
    uint64_t times[SEEN_MAX], words[SEEN_MAX];
    uint32_t streams[SEEN_MAX];
    size_t count, calls;
};

struct bench {
    struct records w;
    struct model_batch in;
    struct order order;
    struct seen seen;
    const struct model_site *site;
};

static struct bench world;

static void see(void *user, const struct model_record *r, size_t n)
{
    struct seen *s = user;
    s->calls++;
    for (; n; n--, r++) {
        REQUIRE(s->count < SEEN_MAX);
        s->times[s->count] = r->t_ns;
        s->words[s->count] = r->raw[r->words - 1];
        s->streams[s->count++] = r->stream;
    }
}

static struct bench *open_bench(void)
{
    records_init(&world.w);
    model_batch_init(&world.in, &world.w.catalog);
    order_init(&world.order);
    world.seen.count = world.seen.calls = 0;
    world.site = records_site(&world.w, ORIEL_SITE_EVENT, "e", "n:i");
    return &world;
}

static void close_bench(struct bench *x)
{
    order_done(&x->order);
    model_batch_done(&x->in);
    records_done(&x->w);
}

/* An event at t that carries t, so that its words can be checked later. */
static void at(struct bench *x, struct records_stream *s, uint64_t t)
{
    rec_event(&x->in, s, t, x->site, t);
}

static int push(struct bench *x, uint64_t watermark)
{
    x->in.watermark_ns = watermark;
    int rc = order_push(&x->order, &x->in, see, &x->seen);
    model_batch_clear(&x->in);
    memset(x->in.records, 0xee, x->in.record_capacity * sizeof *x->in.records);
    order_release(&x->order);
    return rc;
}

static void push_last(struct bench *x)
{
    x->in.last = true;
    CHECK_EQ(push(x, 0), 0);
    CHECK_EQ(x->order.held, 0);
    CHECK_EQ(x->order.held_bytes, 0);
}

static void check_times(const struct seen *s, const uint64_t *times, size_t n)
{
    CHECK_EQ(s->count, n);
    for (size_t i = 0; i < n && i < s->count; i++) {
        CHECK_EQ(s->times[i], times[i]);
        CHECK_EQ(s->words[i], times[i]);
    }
}
#define CHECK_TIMES(x, ...)                                                                        \
    check_times(&(x)->seen, (const uint64_t[]){__VA_ARGS__},                                       \
                sizeof((const uint64_t[]){__VA_ARGS__}) / 8)

TEST(streams_are_merged_by_time)
{
    struct bench *x = open_bench();
    struct records_stream a = records_thread(&x->w, 1), b = records_thread(&x->w, 2);
    at(x, &a, 10);
    at(x, &a, 40);
    at(x, &a, 50);
    at(x, &b, 5);
    at(x, &b, 45);
    at(x, &b, 60);
    CHECK_EQ(push(x, 100), 0);
    CHECK_TIMES(x, 5, 10, 40, 45, 50, 60);
    close_bench(x);
}

TEST(a_sorted_batch_goes_through_in_one_call)
{
    struct bench *x = open_bench();
    struct records_stream a = records_thread(&x->w, 1), b = records_thread(&x->w, 2);
    for (uint64_t t = 1; t <= 100; t++)
        at(x, t % 3 ? &a : &b, t);
    size_t blocks = mem_live_blocks();
    CHECK_EQ(push(x, 100), 0);
    CHECK_EQ(x->seen.count, 100);
    CHECK_EQ(x->seen.calls, 1);
    CHECK_EQ(mem_live_blocks(), blocks); /* nothing was copied */
    close_bench(x);
}

TEST(equal_times_are_ordered_by_stream)
{
    struct bench *x = open_bench();
    struct records_stream a = records_thread(&x->w, 1), b = records_thread(&x->w, 2);
    at(x, &b, 7);
    at(x, &b, 8);
    at(x, &a, 7);
    at(x, &a, 8);
    push_last(x);
    CHECK_TIMES(x, 7, 7, 8, 8);
    CHECK(x->seen.streams[0] == a.serial && x->seen.streams[2] == a.serial);
    close_bench(x);
}

TEST(what_is_newer_than_the_watermark_waits)
{
    struct bench *x = open_bench();
    struct records_stream a = records_thread(&x->w, 1), b = records_thread(&x->w, 2);
    at(x, &a, 10);
    at(x, &a, 20);
    at(x, &a, 30);
    CHECK_EQ(push(x, 20), 0);
    CHECK_TIMES(x, 10, 20);
    CHECK_EQ(x->order.held, 1);
    at(x, &b, 25);
    at(x, &b, 35);
    CHECK_EQ(push(x, 30), 0);
    CHECK_TIMES(x, 10, 20, 25, 30);
    push_last(x);
    CHECK_TIMES(x, 10, 20, 25, 30, 35);
    close_bench(x);
}

TEST(without_a_watermark_nothing_is_held_longer_than_one_batch)
{
    struct bench *x = open_bench();
    struct records_stream a = records_thread(&x->w, 1), b = records_thread(&x->w, 2);
    at(x, &a, 10);
    at(x, &a, 30);
    CHECK_EQ(push(x, 0), 0);
    CHECK_EQ(x->seen.count, 0);
    at(x, &b, 20);
    at(x, &b, 40);
    CHECK_EQ(push(x, 0), 0);
    CHECK_TIMES(x, 10, 20, 30);
    CHECK_EQ(push(x, 0), 0); /* an empty batch is a batch */
    CHECK_TIMES(x, 10, 20, 30, 40);
    close_bench(x);
}

TEST(the_last_batch_brings_everything_out)
{
    struct bench *x = open_bench();
    struct records_stream a = records_thread(&x->w, 1);
    at(x, &a, 1000);
    CHECK_EQ(push(x, 1), 0);
    CHECK_EQ(x->seen.count, 0);
    push_last(x);
    CHECK_TIMES(x, 1000);
    close_bench(x);
}

TEST(within_a_stream_its_own_order_counts_whatever_the_times_say)
{
    struct bench *x = open_bench();
    struct records_stream a = records_thread(&x->w, 1), b = records_thread(&x->w, 2);
    at(x, &a, 50);
    at(x, &a, 10); /* the clock stepped back */
    at(x, &a, 60);
    at(x, &b, 20);
    at(x, &b, 55);
    push_last(x);
    CHECK_TIMES(x, 20, 50, 10, 55, 60);
    close_bench(x);
}

TEST(a_watermark_that_stands_still_costs_no_repeated_copies)
{
    struct bench *x = open_bench();
    struct records_stream a = records_thread(&x->w, 1), b = records_thread(&x->w, 2);
    uint64_t t = 100;
    for (int i = 0; i < 1000; i++) {
        at(x, &a, t + 1);
        at(x, &a, t + 5);
        at(x, &b, t);
        at(x, &b, t + 7);
        t += 10;
        CHECK_EQ(push(x, 50), 0);
        CHECK(x->order.segment_count <= 16);
    }
    CHECK_EQ(x->order.held, 4000);
    CHECK_EQ(push(x, t), 0);
    CHECK_EQ(x->seen.count, 4000);
    for (size_t i = 1; i < x->seen.count; i++)
        CHECK(x->seen.times[i] >= x->seen.times[i - 1]);
    CHECK_EQ(x->order.held, 0);
    close_bench(x);
}

TEST(more_than_the_bound_is_not_held)
{
    struct bench *x = open_bench();
    struct records_stream a = records_thread(&x->w, 1);
    uint64_t t = 1000, total = 0;
    for (int i = 0; i < 40; i++) {
        for (int k = 0; k < 30000; k++, total++)
            rec_frame(&x->in, &a, t++, x->site);
        x->seen.count = 0;
        CHECK_EQ(push(x, 1), 0);
        CHECK(x->order.held <= ORDER_HOLD_RECORDS);
    }
    CHECK(total > ORDER_HOLD_RECORDS);
    CHECK_EQ(x->order.held, ORDER_HOLD_RECORDS);
    close_bench(x);
}

TEST(random_batches_come_out_sorted_and_complete)
{
    struct bench *x = open_bench();
    struct records_stream s[8];
    uint64_t now[8], seed = 3, pushed = 0;
    for (int i = 0; i < 8; i++) {
        s[i] = records_thread(&x->w, i);
        now[i] = 1;
    }
    for (int round = 0; round < 400; round++) {
        for (int run = 0; run < 6; run++) {
            const uint64_t random = random_next(&seed);
            int i = random >> 40 & 7;
            for (unsigned k = 0; k < (random >> 50 & 15); k++, pushed++)
                at(x, &s[i], now[i] += random >> (20 + k) & 31);
        }
        uint64_t low = UINT64_MAX, high = 0;
        for (int i = 0; i < 8; i++) {
            low = now[i] < low ? now[i] : low;
            high = now[i] > high ? now[i] : high;
        }
        for (int i = 0; i < 8; i++) /* no stream falls behind the watermark */
            now[i] = now[i] < low + (high - low) / 2 ? low + (high - low) / 2 : now[i];
        CHECK_EQ(push(x, low), 0);
        CHECK_EQ(x->seen.count + x->order.held, pushed);
    }
    push_last(x);
    CHECK_EQ(x->seen.count, pushed);
    for (size_t i = 1; i < x->seen.count; i++) {
        CHECK(x->seen.times[i] >= x->seen.times[i - 1]);
        CHECK_EQ(x->seen.words[i], x->seen.times[i]);
    }
    close_bench(x);
}

TEST(without_memory_records_are_refused_and_counted)
{
    for (uint64_t n = 1; n < 40; n++) {
        struct bench *x = open_bench();
        struct records_stream s[70];
        for (int i = 0; i < 70; i++)
            s[i] = records_thread(&x->w, i);
        uint64_t pushed = 0;
        int rc = 0;
        for (int round = 0; round < 3; round++) {
            for (int i = 69; i >= 0; i--, pushed += 2) {
                at(x, &s[i], (uint64_t)(100 * round + i));
                at(x, &s[i], (uint64_t)(100 * round + i + 60));
            }
            mem_fail_after(n);
            rc |= push(x, (uint64_t)(100 * round + 50));
            mem_fail_after(0);
        }
        push_last(x);
        CHECK_EQ(x->seen.count + x->order.refused, pushed);
        CHECK(rc == (x->order.refused ? ORIEL_ENOMEM : 0));
        close_bench(x);
    }
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
