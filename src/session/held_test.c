/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is held until somebody asks: the last of it, in order, and every record is
 * either given or given up.
 */
#include "session/held.h"

#include "base/mem.h"
#include "test.h"

enum { WORDS = 4, MANY = 100000 };
#define BOUND UINT64_C(262144)

static struct held h;
static struct model_catalog catalog;
static struct model_batch in, out;
static uint64_t given_up, newest_given_up;

static void give_up(void *user, const struct model_record *r)
{
    CHECK(user == &h);
    given_up++;
    CHECK(r->position > newest_given_up); /* the oldest first */
    newest_given_up = r->position;
    CHECK_EQ(r->raw[r->words - 1], r->position);
}

static void begin(uint64_t bytes)
{
    model_catalog_init(&catalog);
    model_batch_init(&in, &catalog);
    model_batch_init(&out, &catalog);
    given_up = newest_given_up = 0;
    held_init(&h, bytes, give_up, &h);
}

static void end(void)
{
    held_done(&h);
    model_batch_done(&in);
    model_batch_done(&out);
    model_catalog_done(&catalog);
    CHECK_EQ(mem_live_blocks(), 0);
}

/* The nth record; it says so in its last word. */
static void add(uint64_t n, uint8_t type, uint64_t span)
{
    const uint16_t words = type == ORIEL_REC_CLOSE ? HELD_END_WORDS : WORDS;
    uint64_t *raw = arena_alloc(&in.arena, WORDS * sizeof *raw, sizeof *raw);
    struct model_record *r = model_batch_add_record(&in);
    REQUIRE(raw && r);
    memset(raw, 0, WORDS * sizeof *raw);
    raw[0] = ORIEL_RECORD_HEADER(words, type, 0, 0);
    raw[words - 1] = n;
    *r = (struct model_record){
        .t_ns = n, .position = n, .raw_id = span, .raw = raw, .words = words, .type = type};
}

static void take(void)
{
    held_take(&h, &in);
    model_batch_clear(&in);
}

static void take_events(uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n <= to; n++) {
        add(n, ORIEL_REC_EVENT, 0);
        if (in.record_count == 1000)
            take();
    }
    take();
}

/* All that is held, in pieces: as many as come, each in its order and with its words. */
static uint64_t give_all(uint64_t first)
{
    uint64_t n = 0;
    bool more;
    do {
        model_batch_clear(&out);
        more = held_give(&h, &out, 777);
        CHECK(out.record_count <= 777);
        for (size_t i = 0; i < out.record_count; i++, n++) {
            CHECK_EQ(out.records[i].position, first + n);
            CHECK_EQ(out.records[i].raw[out.records[i].words - 1], first + n);
        }
    } while (more);
    return n;
}

TEST(what_fits_is_given_whole_and_in_order)
{
    begin(BOUND);
    take_events(1, 1500);
    CHECK_EQ(give_all(1), 1500);
    CHECK_EQ(given_up, 0);
    CHECK_EQ(give_all(1), 0); /* once */
    take_events(1501, 1600);
    CHECK_EQ(give_all(1501), 100);
    end();
}

TEST(of_more_than_fits_the_last_is_held_and_the_rest_is_counted)
{
    begin(BOUND);
    take_events(1, MANY);
    CHECK(given_up > 0 && given_up < MANY);
    CHECK_EQ(newest_given_up, given_up);
    CHECK(mem_live_bytes() < 2 * BOUND + 200000); /* with the batches */
    const uint64_t before = given_up;
    CHECK_EQ(give_all(before + 1) + before, MANY);
    CHECK_EQ(given_up, before);
    /* Three blocks of four are the least that is there. */
    CHECK((MANY - before) * (sizeof(struct model_record) + WORDS * 8) > BOUND / 2);
    end();
}

TEST(half_given_blocks_give_up_only_the_rest)
{
    begin(2 * HELD_BLOCK_BYTES);
    take_events(1, 500);
    (void)held_give(&h, &out, 200);
    CHECK_EQ(out.record_count, 200);
    newest_given_up = 200; /* nothing of that is given up, too */
    take_events(501, 20000);
    const uint64_t up = given_up;
    CHECK_EQ(give_all(201 + up) + up + 200, 20000);
    end();
}

TEST(the_end_of_a_span_whose_begin_was_told_stays)
{
    begin(BOUND);
    add(1, ORIEL_REC_BEGIN, 11);
    add(2, ORIEL_REC_BEGIN, 12);
    take();
    CHECK_EQ(give_all(1), 2); /* a dump while both are open */
    add(3, ORIEL_REC_CLOSE, 12);
    take();
    take_events(4, MANY);
    add(MANY + 1, ORIEL_REC_CLOSE, 11);
    take();
    CHECK(given_up > 0);
    model_batch_clear(&out);
    CHECK(held_give(&h, &out, 1));
    CHECK_EQ(out.record_count, 1);
    CHECK_EQ(out.records[0].raw_id, 12);
    CHECK_EQ(out.records[0].raw[2], 3);
    CHECK_EQ(out.records[0].position, 3);
    const uint64_t up = given_up;
    CHECK_EQ(give_all(4 + up) + up + 3, MANY + 1);
    CHECK_EQ(h.open.count, 0);
    end();
}

TEST(the_end_of_a_span_that_went_on_without_being_held_stays_too)
{
    begin(BOUND);
    add(1, ORIEL_REC_BEGIN, 11);
    held_passed(&h, &in);
    model_batch_clear(&in);
    add(2, ORIEL_REC_CLOSE, 11);
    take();
    take_events(3, MANY);
    model_batch_clear(&out);
    (void)held_give(&h, &out, 1);
    CHECK_EQ(out.records[0].raw_id, 11);
    end();
}

TEST(ends_of_spans_whose_begin_was_given_up_give_way_like_all)
{
    begin(BOUND);
    for (uint64_t n = 1; n < MANY; n += 2) {
        add(n, ORIEL_REC_BEGIN, n);
        add(n + 1, ORIEL_REC_CLOSE, n);
        take();
    }
    CHECK_EQ(h.ends.count, 0);
    CHECK(given_up > 0);
    end();
}

TEST(nothing_is_held_where_nothing_may_be)
{
    begin(0);
    CHECK(!held_give(&h, &out, 10));
    CHECK_EQ(out.record_count, 0);
    add(1, ORIEL_REC_BEGIN, 11);
    held_passed(&h, &in);
    CHECK_EQ(h.open.count, 0);
    end();
}

TEST(without_memory_every_record_is_still_given_or_given_up)
{
    for (uint64_t fail = 1; fail < 12; fail++) {
        begin(BOUND);
        for (uint64_t n = 1; n <= 3000; n++)
            add(n, ORIEL_REC_EVENT, 0);
        mem_fail_after(fail);
        held_take(&h, &in);
        mem_fail_after(fail % 3 + 1);
        uint64_t given = 0;
        bool more;
        do {
            model_batch_clear(&out);
            more = held_give(&h, &out, 100);
            given += out.record_count;
        } while (more);
        mem_fail_after(0);
        CHECK_EQ(given + given_up, 3000);
        end();
    }
}

TEST_MAIN()
