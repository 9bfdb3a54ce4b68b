/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Several messages of a spool under way at once, and their fates in any order. */
#include "deliver/spool.h"

#include <stdlib.h>

#include "deliver/test_spool.h"

/* Number of the message that was taken; -1 none is left, -2 not now. */
static long long take(struct spool *s, unsigned *ticket)
{
    struct buf b;
    struct out_message m;
    bool own;
    buf_init(&b);
    int rc = spool_take(s, &m, &b, &own, ticket, NULL);
    long long id = rc == 0 ? (long long)id_of(&m) : rc == ORIEL_EBUSY ? -2 : -1;
    if (id == -1)
        CHECK_EQ(rc, ORIEL_ENOTFOUND);
    buf_done(&b);
    return id;
}

TEST(several_are_under_way_and_have_their_fates_in_any_order)
{
    struct spool *s = open_spool(test_tmpdir(), 0, 0);
    unsigned tickets[SPOOL_AHEAD + 1];
    for (uint64_t id = 0; id < 40; id++)
        CHECK_EQ(put(s, id, 100), 0);
    for (int i = 0; i < SPOOL_AHEAD; i++)
        CHECK_EQ(take(s, &tickets[i]), i);
    CHECK_EQ(take(s, &tickets[SPOOL_AHEAD]), -2);
    for (int i = SPOOL_AHEAD - 1; i >= 0; i--) { /* none has room before the oldest is done */
        CHECK_EQ(counts_of(s).messages, 40 - (SPOOL_AHEAD - 1 - i));
        spool_settle(s, tickets[i]);
        spool_settle(s, tickets[i]); /* once */
    }
    for (int i = SPOOL_AHEAD; i < 40; i++) {
        CHECK_EQ(take(s, &tickets[0]), i);
        spool_settle(s, tickets[0]);
    }
    CHECK_EQ(take(s, &tickets[0]), -1);
    struct sums c = counts_of(s);
    CHECK_EQ(c.done, c.put);
    CHECK_EQ(c.messages, 0);
    CHECK_EQ(c.bytes, 0);
    spool_close(s);
}

TEST(what_is_left_begins_with_the_oldest_that_has_no_fate)
{
    const char *dir = test_tmpdir();
    struct spool *s = open_spool(dir, 0, 0);
    unsigned tickets[8];
    for (uint64_t id = 0; id < 20; id++)
        CHECK_EQ(put(s, id, 100), 0);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(take(s, &tickets[i]), i);
    for (int i = 0; i < 8; i++)
        if (i != 3)
            spool_settle(s, tickets[i]);
    spool_close(s); /* as a kill would leave it */
    s = open_spool(dir, 0, 0);
    for (int i = 3; i < 20; i++) { /* four of them once more: what was under way */
        CHECK_EQ(take(s, &tickets[0]), i);
        spool_settle(s, tickets[0]);
    }
    CHECK_EQ(take(s, &tickets[0]), -1);
    CHECK_EQ(counts_of(s).adopted, counts_of(s).adopted_done);
    spool_close(s);
}

TEST(what_is_under_way_is_not_dropped_with_its_file)
{
    struct spool *s = open_spool(test_tmpdir(), 64 << 10, 16 << 10);
    unsigned tickets[3];
    uint64_t under_way = 0;
    for (uint64_t id = 0; id < 4; id++)
        CHECK_EQ(put(s, id, 1000), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(take(s, &tickets[i]), i);
        under_way += items_of((uint64_t)i);
    }
    spool_settle(s, tickets[1]);
    for (uint64_t id = 4; id < 100; id++) /* the first files go */
        CHECK_EQ(put(s, id, 1000), 0);
    CHECK(counts_of(s).dropped > 0);
    uint64_t done = counts_of(s).done;
    CHECK_EQ(done, items_of(1));
    spool_settle(s, tickets[2]);
    spool_settle(s, tickets[0]);
    CHECK_EQ(counts_of(s).done, under_way);
    long long last = 3, id;
    while ((id = take(s, &tickets[0])) >= 0) {
        CHECK(id > last);
        last = id;
        spool_settle(s, tickets[0]);
    }
    CHECK_EQ(last, 99);
    struct sums c = counts_of(s);
    CHECK_EQ(c.put, c.done + c.dropped);
    CHECK_EQ(c.messages, 0);
    spool_close(s);
}

TEST(the_next_file_begins_when_the_last_is_done_with)
{
    struct spool *s = open_spool(test_tmpdir(), 0, 12 << 10);
    unsigned tickets[20], n = 0;
    long long id, expected = 0;
    for (uint64_t i = 0; i < 20; i++)
        CHECK_EQ(put(s, i, 2000), 0);
    while (expected < 20) {
        for (n = 0; (id = take(s, &tickets[n])) >= 0; n++)
            CHECK_EQ(id, expected++);
        CHECK(n > 1 && n < 6); /* those of a file */
        CHECK_EQ(take(s, &tickets[n]), -2);
        while (n > 0)
            spool_settle(s, tickets[--n]);
    }
    CHECK_EQ(take(s, &tickets[0]), -1);
    CHECK_EQ(counts_of(s).damaged, 0);
    spool_close(s);
}

TEST(one_that_is_old_or_given_back_holds_up_nothing)
{
    struct spool *s = open_spool(test_tmpdir(), 0, 0);
    unsigned a, b;
    CHECK_EQ(put(s, 0, 100), 0);
    CHECK_EQ(put(s, 1, 100), 0);
    CHECK_EQ(take(s, &a), 0);
    test_now += UINT64_C(49) * 3600 * 1000000000; /* 1 is too old by now */
    CHECK_EQ(put(s, 2, 100), 0);
    CHECK_EQ(take(s, &b), 2);
    CHECK_EQ(counts_of(s).dropped, items_of(1));
    spool_untake(s);
    CHECK_EQ(take(s, &b), 2);
    spool_settle(s, b);
    spool_settle(s, a);
    struct sums c = counts_of(s);
    CHECK_EQ(c.put, c.done + c.dropped);
    CHECK_EQ(c.bytes, 0);
    spool_close(s);
}

/* Against a plain list: taken in order, every one once but for those under way when it was closed.
 */
TEST(random_fates_agree_with_a_list)
{
    enum { MESSAGES = 3000 };
    static unsigned char times[MESSAGES], settled[MESSAGES];
    const char *dir = test_tmpdir();
    unsigned tickets[SPOOL_AHEAD], n = 0;
    long long ids[SPOOL_AHEAD];
    uint64_t put_so_far = 0, repeats = 0;
    struct spool *s = open_spool(dir, 0, 20 << 10);
    srand(7);
    for (unsigned step = 0; step < 40000; step++) {
        int dice = rand() % 100;
        if (dice < 20 && put_so_far < MESSAGES) {
            CHECK_EQ(put(s, put_so_far++, 60 + (size_t)rand() % 3000), 0);
        } else if (dice < 60 && n < SPOOL_AHEAD) {
            long long id = take(s, &tickets[n]);
            if (id >= 0) {
                times[id]++;
                CHECK(n == 0 || id > ids[n - 1]);
                ids[n++] = id;
            }
        } else if (dice < 99 && n > 0) {
            unsigned k = (unsigned)rand() % n;
            spool_settle(s, tickets[k]);
            settled[ids[k]] = 1;
            for (n--; k < n; k++) {
                tickets[k] = tickets[k + 1];
                ids[k] = ids[k + 1];
            }
        } else if (dice == 99 && step % 7 == 0) {
            spool_close(s);
            s = open_spool(dir, 0, 20 << 10);
            n = 0;
        }
    }
    while (n > 0)
        spool_settle(s, tickets[--n]), settled[ids[n]] = 1;
    for (long long id; (id = take(s, &tickets[0])) >= 0; settled[id] = 1) {
        times[id]++;
        spool_settle(s, tickets[0]);
    }
    for (uint64_t i = 0; i < put_so_far; i++) {
        CHECK_EQ(settled[i], 1);
        repeats += times[i] - 1u;
    }
    CHECK(put_so_far > MESSAGES / 2 && repeats < put_so_far);
    CHECK_EQ(counts_of(s).damaged, 0);
    CHECK_EQ(counts_of(s).messages, 0);
    spool_close(s);
}

TEST_MAIN()
