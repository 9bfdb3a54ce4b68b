/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "deliver/retry.h"

#include "test.h"

#define SECOND UINT64_C(1000000000)

TEST(a_receiver_that_works_is_asked_as_often_as_there_is_room)
{
    struct retry r;
    retry_init(&r, 0, 0, 7);
    CHECK_EQ(retry_room(&r, 0, 0, 8), 8);
    CHECK_EQ(retry_room(&r, 0, 5, 8), 3);
    CHECK_EQ(retry_room(&r, 0, 9, 8), 0);
}

TEST(pauses_lie_anywhere_in_a_span_that_grows_up_to_a_limit)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct retry r;
        uint64_t now = 100 * SECOND, span = SECOND;
        retry_init(&r, SECOND, 8 * SECOND, seed * UINT64_C(0x9e3779b97f4a7c15));
        for (unsigned i = 0; i < 100; i++) {
            retry_failed(&r, r.epoch, now, 0, false);
            CHECK(r.not_before_ns >= now && r.not_before_ns <= now + span);
            CHECK(r.not_before_ns == now || retry_room(&r, r.not_before_ns - 1, 0, 8) == 0);
            now = r.not_before_ns;
            CHECK_EQ(retry_room(&r, now, 0, 8), 1); /* one alone tries it out */
            CHECK_EQ(retry_room(&r, now, 1, 8), 0);
            span = span * 4 < 8 * SECOND ? span * 4 : 8 * SECOND;
        }
    }
}

TEST(full_jitter_spreads_over_the_whole_span)
{
    unsigned tenths[10] = {0};
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct retry r;
        retry_init(&r, SECOND, 30 * SECOND, seed * UINT64_C(0x9e3779b97f4a7c15));
        retry_failed(&r, 0, 0, 0, false);
        tenths[r.not_before_ns / (SECOND / 10 + 1)]++;
    }
    for (unsigned i = 0; i < 10; i++)
        CHECK(tenths[i] > 130 && tenths[i] < 270);
}

TEST(what_the_receiver_asks_for_is_never_undercut)
{
    for (uint64_t seed = 1; seed < 500; seed++) {
        struct retry r;
        retry_init(&r, SECOND, 2 * SECOND, seed);
        retry_failed(&r, 0, 5 * SECOND, 3600 * SECOND, false);
        CHECK(r.not_before_ns >= 3605 * SECOND);
        CHECK(r.not_before_ns <= 3607 * SECOND); /* and they do not all come at once */
    }
    struct retry r;
    retry_init(&r, 0, 0, 1);
    retry_failed(&r, 0, 1, UINT64_MAX - 5, false);
    CHECK_EQ(r.not_before_ns, UINT64_MAX);
}

TEST(requests_that_fail_together_are_one_failure)
{
    struct retry r;
    retry_init(&r, SECOND, 30 * SECOND, 3);
    for (unsigned i = 0; i < 8; i++) /* all began before the first of them failed */
        CHECK(!retry_failed(&r, 0, SECOND, 0, false));
    CHECK_EQ(r.failures, 1);
    retry_failed(&r, 0, SECOND, 60 * SECOND, false); /* but each may ask for time */
    CHECK(r.not_before_ns >= 61 * SECOND);
    CHECK(!retry_worked(&r, 0, SECOND, 0)); /* it began when things were good */
    CHECK_EQ(r.failures, 1);
}

TEST(it_opens_once_and_closes_once)
{
    struct retry r;
    retry_init(&r, 0, 0, 3);
    CHECK(!retry_failed(&r, 0, 0, 0, false));
    CHECK(!retry_failed(&r, 1, 0, 0, false));
    CHECK(retry_failed(&r, 2, 0, 0, false));
    CHECK(!retry_failed(&r, 3, 0, 0, false));
    CHECK(r.open);
    CHECK(retry_worked(&r, 4, 0, 0));
    CHECK(!r.open);
    CHECK(!retry_worked(&r, 4, 0, 0));
    CHECK_EQ(retry_room(&r, 0, 0, 8), 8);
    CHECK(retry_failed(&r, 4, 0, 0, true)); /* what will not pass by itself: at once */
}

TEST(who_wakes_late_keeps_the_pace_all_the_same)
{
    struct retry r;
    unsigned sent = 0;
    retry_init(&r, 0, 0, 3);
    retry_failed(&r, 0, 100 * SECOND, 0, false);
    retry_worked(&r, 1, 160 * SECOND, 3000); /* one each 10 ms, and steps of 37 ms */
    for (uint64_t now = 160 * SECOND; now < 170 * SECOND; now += SECOND / 1000 * 37)
        for (; retry_room(&r, now, 0, 8); sent++)
            retry_began(&r, now);
    CHECK(sent >= 990 && sent <= 1001);
}

/* How many go out in so many seconds. */
static unsigned sent_in(struct retry *r, uint64_t *now_ns, unsigned seconds)
{
    unsigned sent = 0;
    for (uint64_t end_ns = *now_ns + seconds * SECOND; *now_ns < end_ns; *now_ns += SECOND / 100)
        if (retry_room(r, *now_ns, 0, 8)) {
            CHECK_EQ(retry_room(r, *now_ns, 0, 8), 1);
            CHECK(retry_next(r) <= *now_ns);
            retry_began(r, *now_ns);
            CHECK(retry_next(r) > *now_ns);
            sent++;
        }
    return sent;
}

static struct retry back_after(unsigned seconds, uint64_t *now_ns, uint64_t waiting)
{
    struct retry r;
    retry_init(&r, 0, 0, 3);
    *now_ns = 1000 * SECOND;
    retry_failed(&r, 0, *now_ns, 0, false);
    *now_ns += seconds * SECOND;
    retry_worked(&r, 1, *now_ns, waiting);
    return r;
}

TEST(what_piled_up_goes_out_twice_as_fast_as_it_came_then_eight_times)
{
    uint64_t now;
    struct retry r = back_after(600, &now, 600); /* one a second */
    unsigned slow = sent_in(&r, &now, 30), fast = sent_in(&r, &now, 70);
    CHECK(slow >= 58 && slow <= 60);
    CHECK(fast >= 550 && fast <= 560); /* so ten minutes are made up for in less than two */
    retry_waits(&r, 0);
    CHECK_EQ(retry_room(&r, now, 0, 8), 8); /* nothing waits any more */
}

TEST(one_that_comes_and_goes_is_spared_for_longer_and_asked_later)
{
    uint64_t now;
    struct retry r = back_after(60, &now, 60);
    now += 50 * SECOND;
    retry_failed(&r, r.epoch, now, 0, false);
    CHECK_EQ(r.level, 2); /* its first pause is one of up to 16 s */
    now += 60 * SECOND;
    retry_worked(&r, r.epoch, now, 60);
    unsigned sent = sent_in(&r, &now, 59);
    CHECK(sent >= 116 && sent <= 118);
    now += 600 * SECOND; /* long enough to be forgotten */
    retry_failed(&r, r.epoch, now, 0, false);
    CHECK_EQ(r.level, 0);
}

TEST(a_pace_is_none_where_it_would_hold_up_what_comes)
{
    uint64_t now;
    struct retry r = back_after(1, &now, 1000000); /* too many to space them out */
    CHECK_EQ(retry_room(&r, now, 0, 8), 8);
    r = back_after(60, &now, 60);
    for (unsigned waiting = 62; waiting < 700; waiting *= 2) /* ten times as many come now */
        retry_waits(&r, waiting);
    unsigned sent = sent_in(&r, &now, 20);
    CHECK(sent >= 20 * 2 * 8 && sent <= 20 * 2 * 32);
    r = back_after(2, &now, 2); /* and one for a moment is no reason to go slowly for longer */
    now += 4 * SECOND;
    CHECK_EQ(retry_room(&r, now, 0, 8), 8);
}

TEST_MAIN()
