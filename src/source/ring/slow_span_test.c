/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A span that stays open is told once, when its time is over.
 */
#include "source/slow_span.h"

#include <unistd.h>

#include "source/ring/ring.h"

#include "ring_fixture.h"

#define MS UINT64_C(1000000)
enum { MANY = 8 };

static void push(struct rw_thread *t, uint64_t id, uint32_t site)
{
    t->t->stack[t->t->stack_bytes / ORIEL_STACK_ENTRY] = (struct oriel_stack_entry){id, site, 0};
    t->t->stack_bytes += ORIEL_STACK_ENTRY;
}

TEST(a_span_is_told_once_when_it_is_open_for_too_long)
{
    struct fixture f;
    struct slow_watch *w;
    struct slow_span s[MANY];
    struct oriel_err err;
    start(&f, 0, 16, WIRE_POLICY_OVERWRITE_OLDEST);
    REQUIRE(slow_watch_open(&w, region_path(f.region), 50 * MS, &err) == 0);
    push(&f.t, 77, SPAN);
    CHECK_EQ(slow_watch_look(w, 1000 * MS, s, MANY), 0);
    CHECK_EQ(slow_watch_look(w, 1049 * MS, s, MANY), 0);
    REQUIRE(slow_watch_look(w, 1051 * MS, s, MANY) == 1);
    CHECK(s[0].site == SPAN && s[0].tid == f.t.t->tid);
    CHECK_EQ(s[0].pid, getpid());
    CHECK_EQ(s[0].open_ns, 51 * MS);
    CHECK_STR(s[0].thread, "worker");
    CHECK_EQ(slow_watch_look(w, 2000 * MS, s, MANY), 0);
    slow_watch_close(w);
    finish(&f);
}

TEST(a_span_that_ends_in_time_and_its_successor_are_not_one_slow_span)
{
    struct fixture f;
    struct slow_watch *w;
    struct slow_span s[MANY];
    struct oriel_err err;
    start(&f, 0, 16, WIRE_POLICY_OVERWRITE_OLDEST);
    REQUIRE(slow_watch_open(&w, region_path(f.region), 50 * MS, &err) == 0);
    push(&f.t, 77, SPAN);
    CHECK_EQ(slow_watch_look(w, 1000 * MS, s, MANY), 0);
    f.t.t->stack_bytes = 0;
    CHECK_EQ(slow_watch_look(w, 1030 * MS, s, MANY), 0);
    push(&f.t, 78, SPAN);
    CHECK_EQ(slow_watch_look(w, 1060 * MS, s, MANY), 0);
    f.t.t->stack_bytes = 0;
    push(&f.t, 79, SPAN); /* between two looks */
    push(&f.t, 80, 0);    /* a context from outside */
    CHECK_EQ(slow_watch_look(w, 1100 * MS, s, MANY), 0);
    CHECK_EQ(slow_watch_look(w, 1200 * MS, s, MANY), 1);
    slow_watch_close(w);
    finish(&f);
}

TEST(more_slow_spans_than_can_be_told_are_told_with_the_next_look)
{
    struct fixture f;
    struct slow_watch *w;
    struct slow_span s[MANY];
    struct oriel_err err;
    start(&f, 0, 16, WIRE_POLICY_OVERWRITE_OLDEST);
    REQUIRE(slow_watch_open(&w, region_path(f.region), 50 * MS, &err) == 0);
    for (uint64_t i = 0; i < 70; i++) {
        f.t.t->stack[i % ORIEL_STACK_DEPTH] = (struct oriel_stack_entry){100 + i % 64, SPAN, 0};
        f.t.t->stack_bytes =
            ((uint32_t)i + 1) * ORIEL_STACK_ENTRY; /* deeper than the stack that is kept */
    }
    CHECK_EQ(slow_watch_look(w, 1000 * MS, s, MANY), 0);
    unsigned told = 0;
    for (int i = 0; i < 10; i++)
        told += slow_watch_look(w, 1100 * MS, s, MANY);
    CHECK_EQ(told, ORIEL_STACK_DEPTH);
    f.t.t->state = ORIEL_THREAD_FREE; /* gone, and with it its stack */
    CHECK_EQ(slow_watch_look(w, 9000 * MS, s, MANY), 0);
    slow_watch_close(w);
    stop(&f);
}

TEST(looks_come_often_enough_and_not_too_often)
{
    struct fixture f;
    struct slow_watch *w;
    struct oriel_err err;
    static const uint64_t expected[][2] = {{1, MS}, {40 * MS, 5 * MS}, {5000 * MS, 10 * MS}};
    start(&f, 0, 16, WIRE_POLICY_OVERWRITE_OLDEST);
    for (int i = 0; i < 3; i++) {
        REQUIRE(slow_watch_open(&w, region_path(f.region), expected[i][0], &err) == 0);
        CHECK_EQ(slow_watch_interval_ns(w), expected[i][1]);
        slow_watch_close(w);
    }
    CHECK_EQ(slow_watch_open(&w, "/nowhere", MS, &err), ORIEL_ENOTFOUND);
    CHECK_EQ(slow_watch_open(&w, "/proc/self/exe", MS, &err) < 0, 1);
    slow_watch_close(NULL);
    finish(&f);
}

TEST_MAIN()
