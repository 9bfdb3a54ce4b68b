/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Waits that were counted together, divided among the spans of that while.
 */
#include "pipe/past.h"

#include <stdlib.h>

#include "piped.h"
#include "test.h"

static struct piped c;
static const struct model_site *outer, *inner;
static struct records_stream a, beside;

static void open_pipe(void)
{
    piped_init(&c, NULL);
    outer = records_site(&c.w, ORIEL_SITE_SPAN, "outer", "");
    inner = records_site(&c.w, ORIEL_SITE_SPAN, "inner", "");
    a = records_thread(&c.w, 1);
    beside = records_second(&c.w, &a); /* as a profiler has it */
}

/* One wait of nothing at t_ns: from now on the thread is known to wait. */
static void waits(uint64_t t_ns)
{
    rec_block(&c.in, &beside, t_ns, ORIEL_SAMPLE_OFF_CPU, 7, 1, 0);
}

static void shared(uint64_t t_ns, uint32_t stack, uint64_t weight, uint64_t us)
{
    rec_block(&c.in, &beside, t_ns, ORIEL_SAMPLE_OFF_CPU, stack, weight,
              ORIEL_WAIT_SHARED | us << 16);
}

/* What spans of a site (NULL: nobody) waited on a stack, 0: on any; and in how many items. */
static uint64_t waited(const struct model_site *site, uint32_t stack, unsigned *out_items)
{
    uint64_t sum = 0;
    unsigned n = 0;
    for (size_t i = 0; i < piped_items(&c, MODEL_ITEM_SAMPLE); i++) {
        const struct model_sample *s = &piped_item(&c, MODEL_ITEM_SAMPLE, i)->u.sample;
        if (s->site != site || (stack ? s->stack != stack : s->stack == 7))
            continue;
        sum += s->weight;
        n++;
    }
    if (out_items)
        *out_items = n;
    return sum;
}

TEST(each_span_gets_the_part_of_its_own_time)
{
    unsigned items;
    open_pipe();
    waits(1);
    uint64_t one = rec_begin(&c.in, &a, 20000, outer);
    uint64_t two = rec_begin(&c.in, &a, 40000, inner);
    rec_end(&c.in, &a, 60000, two);
    rec_end(&c.in, &a, 90000, one);
    shared(110000, 8, 50000, 100); /* from 10,000 on */
    shared(110000, 9, 40000, 100);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(waited(inner, 8, &items), 10000); /* a fifth of the while was its own */
    CHECK_EQ(items, 1);
    CHECK_EQ(waited(outer, 8, NULL), 25000);
    CHECK_EQ(waited(NULL, 8, NULL), 15000);
    CHECK_EQ(waited(inner, 9, NULL), 8000);
    for (size_t i = 0; i < piped_items(&c, MODEL_ITEM_SAMPLE); i++) {
        const struct model_sample *s = &piped_item(&c, MODEL_ITEM_SAMPLE, i)->u.sample;
        if (s->site)
            CHECK_EQ(s->span_id, oriel_id_mix(s->site == inner ? two : one));
    }
    piped_done(&c);
}

TEST(a_wait_that_is_told_by_itself_leaves_its_time_to_itself)
{
    open_pipe();
    waits(1);
    uint64_t one = rec_begin(&c.in, &a, 20000, outer);
    /* 60,000 until it was woken, then 10,000 until it ran: all of it from 20,000 on. */
    rec_block(&c.in, &beside, 90000, ORIEL_SAMPLE_OFF_CPU, 6, 60000, ORIEL_WAIT_WOKEN);
    rec_block(&c.in, &beside, 90000, ORIEL_SAMPLE_PREEMPTED, 6, 10000, ORIEL_WAIT_WOKEN);
    rec_end(&c.in, &a, 95000, one);
    shared(110000, 8, 27000, 100); /* from 10,000 on: 30,000 are left, 5,000 of them outer's */
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(waited(outer, 8, NULL), 4500);
    CHECK_EQ(waited(NULL, 8, NULL), 22500);
    CHECK_EQ(waited(outer, 6, NULL), 70000);
    piped_done(&c);
}

TEST(spans_of_one_name_share_an_item_that_names_none_of_them)
{
    unsigned items;
    open_pipe();
    waits(1);
    for (uint64_t t = 10000; t < 100000; t += 10000) {
        uint64_t id = rec_begin(&c.in, &a, t, inner);
        rec_end(&c.in, &a, t + 5000, id);
    }
    shared(110000, 8, 10000, 100);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(waited(inner, 8, &items), 4500);
    CHECK_EQ(items, 1);
    CHECK_EQ(waited(NULL, 8, NULL), 5500);
    for (size_t i = 0; i < piped_items(&c, MODEL_ITEM_SAMPLE); i++)
        CHECK_EQ(piped_item(&c, MODEL_ITEM_SAMPLE, i)->u.sample.span_id, 0);
    piped_done(&c);
}

/* More changes than are remembered, more names than are told apart, whiles of all lengths. */
TEST(no_span_waits_longer_than_it_lasts_and_nothing_is_lost)
{
    enum { NAMES = 40, ROUNDS = 20000 };
    const struct model_site *sites[NAMES];
    uint64_t lasted[NAMES] = {0}, told = 0, t = 1000, since = 1000, counted = 0;
    char name[8];
    open_pipe();
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "s%d", i);
        sites[i] = records_site(&c.w, ORIEL_SITE_SPAN, name, "");
    }
    srand(5);
    waits(1);
    for (int i = 0; i < ROUNDS; i++) {
        int which = rand() % (i < ROUNDS / 2 ? 3 : NAMES);
        uint64_t id = rec_begin(&c.in, &a, t, sites[which]), ns = (uint64_t)(rand() % 20000);
        t += ns;
        lasted[which] += ns;
        rec_end(&c.in, &a, t, id);
        if (rand() % 500 == 0 || i == ROUNDS - 1) {
            t += 1000 - (t - since) % 1000;
            uint64_t us = (t - since) / 1000, most = us * 1000 - us * 1000 / 100;
            shared(t, 8, most / 3, us);
            shared(t, 9, most - most / 3, us);
            told += most;
            since = t;
        }
    }
    CHECK_EQ(piped_last(&c), 0);
    for (int i = 0; i < NAMES; i++) {
        uint64_t ns = waited(sites[i], 0, NULL);
        CHECK(ns <= lasted[i]);
        CHECK(i >= 3 || ns > lasted[i] / 4); /* and yet it is not given to nobody */
        counted += ns;
    }
    CHECK_EQ(counted + waited(NULL, 0, NULL), told);
    piped_done(&c);
}

TEST(whiles_that_make_no_sense_are_as_one_moment)
{
    open_pipe();
    uint64_t id = rec_begin(&c.in, &a, 1000, outer);
    shared(2000, 8, 100, 0);           /* not known, as in captures of before */
    shared(3000, 8, 100, UINT32_MAX);  /* begins before there was time */
    shared(1000000, 8, UINT64_MAX, 1); /* longer than it is */
    rec_end(&c.in, &a, 1000001, id);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(waited(outer, 8, NULL), UINT64_MAX + UINT64_C(200));
    piped_done(&c);
}

TEST_MAIN()
