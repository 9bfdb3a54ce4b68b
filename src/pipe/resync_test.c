/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Losses: told with their cause and time, and stacks set right afterwards.
 */
#include "pipe/assemble.h"

#include "piped.h"
#include "test.h"

static struct piped c;
static const struct model_site *outer, *inner, *leaf;
static struct records_stream a;

static void open_pipe(void)
{
    piped_init(&c, NULL);
    outer = records_site(&c.w, ORIEL_SITE_SPAN, "outer", "");
    inner = records_site(&c.w, ORIEL_SITE_SPAN, "inner", "");
    leaf = records_site(&c.w, ORIEL_SITE_SPAN, "leaf", "");
    a = records_thread(&c.w, 1);
    rec_sync(&c.in, &a, 1, 0, NULL);
}

static void lose(uint64_t n)
{
    rec_lose(&a, ORIEL_LOST_RING_FULL, n);
}

/* An id of this stream whose begin never reaches the pipe. */
static uint64_t lost_begin(uint64_t t)
{
    uint64_t id = rec_begin(&c.in, &a, t, inner);
    c.in.record_count--;
    return id;
}

/* ---- telling ---- */

TEST(a_loss_lies_between_the_record_before_and_the_sync)
{
    open_pipe();
    uint64_t o = rec_begin(&c.in, &a, 10, outer);
    lose(5);
    rec_lose(&a, ORIEL_LOST_TOO_LARGE, 2);
    rec_sync(&c.in, &a, 90, 1, &o);
    rec_end(&c.in, &a, 100, o);
    lose(1);
    rec_sync(&c.in, &a, 110, 0, NULL);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_LOSS), 3);
    const struct model_loss *first = &piped_item(&c, MODEL_ITEM_LOSS, 0)->u.loss;
    CHECK(first->from_ns == 10 && first->to_ns == 90 && first->count == 5);
    CHECK(first->cause == ORIEL_LOST_RING_FULL && first->thread == a.thread);
    const struct model_loss *second = &piped_item(&c, MODEL_ITEM_LOSS, 1)->u.loss;
    CHECK(second->cause == ORIEL_LOST_TOO_LARGE && second->count == 2);
    const struct model_loss *third = &piped_item(&c, MODEL_ITEM_LOSS, 2)->u.loss;
    CHECK(third->from_ns == 100 && third->to_ns == 110 && third->count == 1);
    CHECK_EQ(piped_counts(&c).lost[ORIEL_LOST_RING_FULL], 6);
    CHECK_EQ(piped_counts(&c).unfinished, 0);
    piped_done(&c);
}

TEST(losses_the_source_knows_of_are_told_at_the_end)
{
    open_pipe();
    rec_frame(&c.in, &a, 50, outer);
    lose(3);
    rec_sync(&c.in, &a, 60, 0, NULL);
    struct model_thread *t = c.w.catalog.threads[0];
    t->lost[ORIEL_LOST_RING_FULL] = 10; /* 7 more, after its last SYNC */
    c.w.catalog.lost[ORIEL_LOST_NO_THREAD] = 4;
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_LOSS), 3);
    const struct model_loss *late = NULL, *nobody = NULL;
    for (size_t i = 0; i < 3; i++) {
        const struct model_loss *l = &piped_item(&c, MODEL_ITEM_LOSS, i)->u.loss;
        late = l->count == 7 ? l : late;
        nobody = l->thread ? nobody : l;
    }
    REQUIRE(late && nobody);
    CHECK(late->thread == a.thread && late->to_ns == 60);
    CHECK(nobody->cause == ORIEL_LOST_NO_THREAD && nobody->count == 4);
    CHECK_EQ(piped_counts(&c).lost[ORIEL_LOST_RING_FULL], 10);
    piped_done(&c);
}

TEST(counters_that_go_back_are_no_loss)
{
    open_pipe();
    lose(5);
    rec_sync(&c.in, &a, 10, 0, NULL);
    a.lost[ORIEL_LOST_RING_FULL] = 2; /* only damaged input does that */
    rec_sync(&c.in, &a, 20, 0, NULL);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_counts(&c).lost[ORIEL_LOST_RING_FULL], 5);
    piped_done(&c);
}

/* ---- lost ends ---- */

TEST(a_span_whose_end_was_lost_ends_unfinished_at_the_sync)
{
    open_pipe();
    uint64_t o = rec_begin(&c.in, &a, 10, outer);
    rec_begin(&c.in, &a, 20, inner);
    rec_begin(&c.in, &a, 30, leaf);
    lose(2); /* ends of leaf and inner */
    rec_sync(&c.in, &a, 50, 1, &o);
    uint64_t l = rec_begin(&c.in, &a, 60, leaf);
    rec_end(&c.in, &a, 70, l);
    rec_end(&c.in, &a, 80, o);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "inner")->flags, MODEL_SPAN_UNFINISHED);
    CHECK_EQ(piped_span(&c, "inner")->end_ns, 50);
    CHECK(piped_item(&c, MODEL_ITEM_SPAN, 0)->u.span.site == leaf); /* inner ones first */
    CHECK_EQ(piped_item(&c, MODEL_ITEM_SPAN, 0)->u.span.end_ns, 50);
    const struct model_span *second = &piped_item(&c, MODEL_ITEM_SPAN, 2)->u.span;
    CHECK(second->site == leaf && second->parent_id == oriel_id_mix(o) && second->depth == 1);
    CHECK_EQ(piped_span(&c, "outer")->flags, MODEL_SPAN_ROOT);
    CHECK_EQ(piped_counts(&c).orphan_ends, 0);
    piped_done(&c);
}

TEST(an_end_that_made_room_for_itself_still_ends_its_span)
{
    open_pipe();
    uint64_t o = rec_begin(&c.in, &a, 10, outer), i = rec_begin(&c.in, &a, 20, inner);
    lose(1);
    rec_sync(&c.in, &a, 50, 1, &o); /* written inside the end of `inner` */
    rec_end(&c.in, &a, 51, i);
    rec_end(&c.in, &a, 60, o);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "inner")->flags, 0);
    CHECK_EQ(piped_span(&c, "inner")->end_ns, 51);
    CHECK_EQ(piped_counts(&c).unfinished, 0);
    CHECK_EQ(piped_counts(&c).orphan_ends, 0);
    piped_done(&c);
}

/* ---- lost begins ---- */

TEST(ends_of_spans_whose_begin_was_lost_are_orphans_and_their_children_are_not)
{
    open_pipe();
    uint64_t o = rec_begin(&c.in, &a, 10, outer), g = lost_begin(20);
    lose(1);
    uint64_t ids[] = {o, g};
    rec_sync(&c.in, &a, 30, 2, ids);
    uint64_t l = rec_begin(&c.in, &a, 40, leaf);
    rec_end(&c.in, &a, 50, l);
    rec_end(&c.in, &a, 60, g);
    uint64_t l2 = rec_begin(&c.in, &a, 70, inner);
    rec_end(&c.in, &a, 75, l2);
    rec_end(&c.in, &a, 80, o);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_SPAN), 3);
    CHECK_EQ(piped_span(&c, "leaf")->parent_id, oriel_id_mix(g));
    CHECK_MEM(piped_span(&c, "leaf")->trace_id, 16, piped_span(&c, "outer")->trace_id, 16);
    CHECK_EQ(piped_span(&c, "inner")->parent_id, oriel_id_mix(o));
    CHECK_EQ(piped_counts(&c).orphan_ends, 1);
    CHECK_EQ(piped_counts(&c).unfinished, 0);
    piped_done(&c);
}

TEST(an_end_right_after_the_sync_takes_its_lost_begin_off_the_stack)
{
    open_pipe();
    uint64_t o = rec_begin(&c.in, &a, 10, outer), g = lost_begin(20);
    lose(1);
    uint64_t ids[] = {o, g};
    rec_sync(&c.in, &a, 30, 2, ids);
    rec_end(&c.in, &a, 31, g);
    uint64_t i = rec_begin(&c.in, &a, 40, inner);
    rec_end(&c.in, &a, 50, i);
    rec_end(&c.in, &a, 60, o);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "inner")->parent_id, oriel_id_mix(o));
    CHECK_EQ(piped_counts(&c).orphan_ends, 1);
    piped_done(&c);
}

TEST(a_stream_joined_in_the_middle_knows_its_stack)
{
    open_pipe();
    struct records_stream b = records_thread(&c.w, 2);
    uint64_t ids[] = {b.seed + 8, b.seed + 16};
    b.position = 4096;
    rec_sync(&c.in, &b, 5, 2, ids);
    uint64_t l = rec_begin(&c.in, &b, 10, leaf);
    rec_end(&c.in, &b, 20, l);
    rec_end(&c.in, &b, 30, ids[1]);
    rec_end(&c.in, &b, 40, ids[0]);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "leaf")->parent_id, oriel_id_mix(ids[1]));
    CHECK_EQ(piped_span(&c, "leaf")->depth, 2);
    uint64_t lo = oriel_id_mix(ids[0]) ^ RECORDS_TRACE_SALT; /* the bottom one is the root */
    CHECK_MEM(piped_span(&c, "leaf")->trace_id + 8, 8, &lo, 8);
    CHECK_EQ(piped_counts(&c).orphan_ends, 2);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_SPAN), 1);
    piped_done(&c);
}

TEST(a_gap_in_the_stream_counts_as_a_loss_of_the_stack)
{
    open_pipe();
    uint64_t o = rec_begin(&c.in, &a, 10, outer);
    rec_begin(&c.in, &a, 20, inner);
    a.position += 16384; /* a chunk that somebody overwrote; the thief counts it */
    rec_sync(&c.in, &a, 30, 1, &o);
    rec_frame(&c.in, &a, 40, outer);
    rec_end(&c.in, &a, 50, o);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "inner")->end_ns, 30);
    CHECK_EQ(piped_span(&c, "inner")->flags, MODEL_SPAN_UNFINISHED);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_LOSS), 0);
    piped_done(&c);
}

TEST(without_a_loss_a_sync_changes_nothing)
{
    open_pipe();
    uint64_t o = rec_begin(&c.in, &a, 10, outer), i = rec_begin(&c.in, &a, 20, inner);
    rec_sync(&c.in, &a, 30, 0, NULL); /* even if it told nonsense */
    rec_end(&c.in, &a, 40, i);
    rec_end(&c.in, &a, 50, o);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_counts(&c).unfinished, 0);
    CHECK_EQ(piped_span(&c, "inner")->end_ns, 40);
    piped_done(&c);
}

TEST(a_deep_stack_is_known_by_its_first_ids_and_its_depth)
{
    enum { DEPTH = 200 };
    uint64_t ids[DEPTH];
    open_pipe();
    for (uint64_t i = 0; i < DEPTH; i++)
        ids[i] = rec_begin(&c.in, &a, 10 + i, outer);
    lose(100);
    rec_sync(&c.in, &a, 500, 100, ids); /* 100 ends were lost */
    rec_frame(&c.in, &a, 510, outer);
    CHECK_EQ(piped_push(&c, 510), 0);
    CHECK_EQ(piped_counts(&c).unfinished, 100);
    CHECK_EQ(piped_counts(&c).open, 100);
    CHECK_EQ(c.out.items[c.out.item_count - 2].u.span.span_id, oriel_id_mix(ids[100]));
    for (int i = 99; i >= 0; i--)
        rec_end(&c.in, &a, 600, ids[i]);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_counts(&c).unfinished, 100);
    CHECK_EQ(piped_counts(&c).orphan_ends, 0);
    piped_done(&c);
}

/* ---- async spans and contexts ---- */

TEST(lost_enter_and_exit_are_told_by_the_sync)
{
    open_pipe();
    uint64_t j = rec_open(&c.in, &a, 10, outer, 0), k = rec_open(&c.in, &a, 11, inner, 0);
    rec_enter(&c.in, &a, 20, j);
    lose(2); /* the exit of j, the enter of k */
    rec_sync(&c.in, &a, 40, 1, &k);
    uint64_t l = rec_begin(&c.in, &a, 50, leaf);
    rec_end(&c.in, &a, 60, l);
    rec_exit(&c.in, &a, 70, k);
    rec_close(&c.in, &a, 80, j);
    rec_close(&c.in, &a, 90, k);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "leaf")->parent_id, oriel_id_mix(k));
    CHECK_EQ(piped_span(&c, "outer")->busy_ns, 20);
    CHECK_EQ(piped_span(&c, "inner")->busy_ns, 30);
    CHECK_EQ(piped_counts(&c).unfinished, 0);
    piped_done(&c);
}

TEST(an_enter_told_twice_is_one)
{
    open_pipe();
    uint64_t j = rec_open(&c.in, &a, 10, outer, 0);
    lose(1);
    rec_sync(&c.in, &a, 20, 1, &j); /* written inside the enter that follows */
    rec_enter(&c.in, &a, 21, j);
    rec_exit(&c.in, &a, 30, j);
    uint64_t l = rec_begin(&c.in, &a, 40, leaf);
    rec_end(&c.in, &a, 50, l);
    rec_close(&c.in, &a, 60, j);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "leaf")->parent_id, 0);
    CHECK_EQ(piped_span(&c, "outer")->busy_ns, 10);
    piped_done(&c);
}

TEST(an_attach_told_twice_is_one_and_a_lost_one_is_still_a_context)
{
    open_pipe();
    uint64_t first = rec_begin(&c.in, &a, 5, outer); /* so that the ids of the stream are known */
    rec_end(&c.in, &a, 6, first);
    uint64_t remote = UINT64_C(0xfedcba9876543210);
    lose(1);
    rec_sync(&c.in, &a, 10, 1, &remote);
    rec_attach(&c.in, &a, 11, 1, 2, remote);
    uint64_t i = rec_begin(&c.in, &a, 20, inner);
    rec_end(&c.in, &a, 30, i);
    rec_detach(&c.in, &a, 40);
    uint64_t l = rec_begin(&c.in, &a, 50, leaf);
    rec_end(&c.in, &a, 60, l);
    CHECK_EQ(piped_last(&c), 0);
    uint64_t trace[2] = {1, 2};
    CHECK_MEM(piped_span(&c, "inner")->trace_id, 16, trace, 16);
    CHECK_EQ(piped_span(&c, "inner")->parent_id, remote);
    CHECK_EQ(piped_span(&c, "leaf")->parent_id, 0);
    piped_done(&c);
}

TEST(a_lost_detach_is_told_by_the_sync)
{
    open_pipe();
    rec_attach(&c.in, &a, 10, 1, 2, 3);
    lose(1);
    rec_sync(&c.in, &a, 20, 0, NULL);
    uint64_t l = rec_begin(&c.in, &a, 30, leaf);
    rec_end(&c.in, &a, 40, l);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "leaf")->flags, MODEL_SPAN_ROOT);
    piped_done(&c);
}

TEST(the_stack_of_a_signal_handler_is_its_own)
{
    open_pipe();
    struct records_stream handler = records_second(&c.w, &a);
    uint64_t o = rec_begin(&c.in, &a, 10, outer);
    rec_end(&c.in, &a, 50, o);
    rec_lose(&handler, ORIEL_LOST_NESTED, 1);
    rec_sync(&c.in, &handler, 20, 0, NULL); /* says nothing of the thread's first stack */
    uint64_t i = rec_begin(&c.in, &handler, 25, inner);
    rec_end(&c.in, &handler, 30, i);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "outer")->end_ns, 50);
    CHECK_EQ(piped_span(&c, "inner")->parent_id, oriel_id_mix(o));
    CHECK_EQ(piped_counts(&c).unfinished, 0);
    piped_done(&c);
}

TEST(a_sync_at_the_very_end_leaves_nothing_behind)
{
    open_pipe();
    uint64_t o = rec_begin(&c.in, &a, 10, outer);
    lose(1);
    rec_sync(&c.in, &a, 20, 1, &o);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "outer")->flags, MODEL_SPAN_UNFINISHED | MODEL_SPAN_ROOT);
    piped_done(&c);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
