/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spans out of records: scoped spans, abandoned ones, other threads, async
 * spans, contexts, limits.
 */
#include "pipe/assemble.h"

#include "piped.h"
#include "test.h"

static struct piped c;
static const struct model_site *outer, *inner, *leaf, *job;
static struct records_stream a, b;

static void open_pipe(const struct pipe_options *options)
{
    piped_init(&c, options);
    outer = records_site(&c.w, ORIEL_SITE_SPAN, "outer", "");
    inner = records_site(&c.w, ORIEL_SITE_SPAN, "inner", "");
    leaf = records_site(&c.w, ORIEL_SITE_SPAN, "leaf", "");
    job = records_site(&c.w, ORIEL_SITE_SPAN, "job", "id:i");
    a = records_thread(&c.w, 1);
    b = records_thread(&c.w, 2);
}

static void root_of(uint64_t raw, uint8_t trace[16])
{
    uint64_t hi = RECORDS_TRACE_HI, lo = oriel_id_mix(raw) ^ RECORDS_TRACE_SALT;
    memcpy(trace, &hi, 8);
    memcpy(trace + 8, &lo, 8);
}

static void check_trace(const struct model_span *s, uint64_t raw)
{
    uint8_t trace[16];
    root_of(raw, trace);
    CHECK_MEM(s->trace_id, 16, trace, 16);
}

/* ---- scoped ---- */

TEST(begin_and_end_make_a_span)
{
    open_pipe(NULL);
    uint64_t id = rec_begin(&c.in, &a, 100, outer);
    rec_end(&c.in, &a, 250, id);
    CHECK_EQ(piped_push(&c, 250), 0);
    const struct model_span *s = piped_span(&c, "outer");
    CHECK_EQ(s->start_ns, 100);
    CHECK_EQ(s->end_ns, 250);
    CHECK_EQ(s->busy_ns, 150);
    CHECK_EQ(s->span_id, oriel_id_mix(id));
    CHECK_EQ(s->parent_id, 0);
    CHECK_EQ(s->flags, MODEL_SPAN_ROOT);
    CHECK(s->thread == a.thread && s->end_thread == a.thread && s->depth == 0);
    CHECK(s->attr_count == 0 && s->link_count == 0 && s->busy_count == 0);
    CHECK_EQ(piped_item(&c, MODEL_ITEM_SPAN, 0)->t_ns, 250);
    check_trace(s, id);
    CHECK_EQ(piped_counts(&c).spans, 1);
    piped_done(&c);
}

TEST(the_parent_is_what_is_open_on_the_thread)
{
    open_pipe(NULL);
    uint64_t o = rec_begin(&c.in, &a, 10, outer), i = rec_begin(&c.in, &a, 20, inner);
    uint64_t other = rec_begin(&c.in, &b, 25, job, (int64_t)1);
    uint64_t l = rec_begin(&c.in, &a, 30, leaf);
    rec_end(&c.in, &a, 40, l);
    rec_end(&c.in, &a, 50, i);
    rec_end(&c.in, &b, 55, other);
    rec_end(&c.in, &a, 60, o);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *in = piped_span(&c, "inner"), *lf = piped_span(&c, "leaf");
    CHECK_EQ(lf->parent_id, oriel_id_mix(i));
    CHECK_EQ(in->parent_id, oriel_id_mix(o));
    CHECK_EQ(lf->depth, 2);
    CHECK_EQ(in->flags, 0);
    check_trace(lf, o);
    check_trace(in, o);
    check_trace(piped_span(&c, "job"), other);
    CHECK_EQ(piped_span(&c, "job")->flags, MODEL_SPAN_ROOT);
    piped_done(&c);
}

TEST(a_span_open_over_many_batches_keeps_its_place_and_its_fields)
{
    open_pipe(NULL);
    uint64_t o = rec_begin(&c.in, &a, 10, job, (int64_t)77);
    CHECK_EQ(piped_push(&c, 10), 0);
    for (uint64_t t = 20; t < 200; t += 10) {
        uint64_t i = rec_begin(&c.in, &a, t, inner);
        rec_end(&c.in, &a, t + 5, i);
        CHECK_EQ(piped_push(&c, t + 5), 0);
    }
    CHECK_EQ(piped_counts(&c).open, 1);
    rec_end(&c.in, &a, 300, o);
    CHECK_EQ(piped_push(&c, 300), 0);
    const struct model_span *s = piped_span(&c, "job");
    CHECK_EQ(s->start_ns, 10);
    CHECK_STR(piped_attr(s->attrs, s->attr_count, "id"), "77");
    CHECK_EQ(piped_span(&c, "inner")->parent_id, oriel_id_mix(o));
    CHECK_EQ(piped_counts(&c).open, 0);
    piped_done(&c);
}

TEST(a_new_root_inside_a_span_starts_its_own_trace)
{
    open_pipe(NULL);
    uint64_t o = rec_begin(&c.in, &a, 10, outer);
    records_flags(ORIEL_RECF_ROOT);
    uint64_t i = rec_begin(&c.in, &a, 20, inner);
    uint64_t l = rec_begin(&c.in, &a, 30, leaf);
    rec_end(&c.in, &a, 40, l);
    rec_end(&c.in, &a, 50, i);
    rec_end(&c.in, &a, 60, o);
    CHECK_EQ(piped_last(&c), 0);
    check_trace(piped_span(&c, "inner"), i);
    CHECK_EQ(piped_span(&c, "inner")->parent_id, 0);
    CHECK_EQ(piped_span(&c, "inner")->flags, MODEL_SPAN_ROOT);
    check_trace(piped_span(&c, "leaf"), i);
    piped_done(&c);
}

TEST(spans_left_by_longjmp_end_unfinished_with_the_one_around_them)
{
    open_pipe(NULL);
    uint64_t o = rec_begin(&c.in, &a, 10, outer);
    rec_begin(&c.in, &a, 20, inner);
    rec_begin(&c.in, &a, 30, leaf);
    rec_end(&c.in, &a, 40, o);
    CHECK_EQ(piped_push(&c, 40), 0);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_SPAN), 3);
    const struct model_span *in = piped_span(&c, "inner"), *lf = piped_span(&c, "leaf");
    CHECK_EQ(in->flags, MODEL_SPAN_UNFINISHED);
    CHECK_EQ(lf->flags, MODEL_SPAN_UNFINISHED);
    CHECK(in->end_ns == 40 && lf->end_ns == 40);
    CHECK_EQ(piped_span(&c, "outer")->flags, MODEL_SPAN_ROOT);
    /* children come out before their parents */
    CHECK(piped_item(&c, MODEL_ITEM_SPAN, 0)->u.span.site == leaf);
    CHECK(piped_item(&c, MODEL_ITEM_SPAN, 2)->u.span.site == outer);
    CHECK_EQ(piped_counts(&c).unfinished, 2);
    piped_done(&c);
}

TEST(a_span_never_ended_is_unfinished_at_the_last_time_of_its_process)
{
    open_pipe(NULL);
    rec_begin(&c.in, &a, 10, outer);
    rec_begin(&c.in, &a, 20, inner);
    rec_begin(&c.in, &b, 90, leaf);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_SPAN), 3);
    CHECK_EQ(piped_span(&c, "outer")->flags, MODEL_SPAN_UNFINISHED | MODEL_SPAN_ROOT);
    CHECK_EQ(piped_span(&c, "outer")->end_ns, 90);
    CHECK_EQ(piped_span(&c, "inner")->end_ns, 90);
    CHECK_EQ(piped_span(&c, "leaf")->end_ns, 90);
    CHECK_EQ(piped_counts(&c).unfinished, 3);
    CHECK_EQ(piped_counts(&c).open, 0);
    piped_done(&c);
}

TEST(a_second_end_is_an_orphan)
{
    open_pipe(NULL);
    uint64_t id = rec_begin(&c.in, &a, 10, outer);
    rec_end(&c.in, &a, 20, id);
    rec_end(&c.in, &a, 30, id);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_SPAN), 1);
    CHECK_EQ(piped_counts(&c).orphan_ends, 1);
    CHECK_EQ(piped_counts(&c).fates[PIPE_ORPHAN_END], 1);
    piped_done(&c);
}

TEST(an_end_on_another_thread_ends_the_span)
{
    open_pipe(NULL);
    uint64_t o = rec_begin(&c.in, &a, 10, outer), i = rec_begin(&c.in, &a, 15, inner);
    uint64_t other = rec_begin(&c.in, &b, 20, leaf);
    rec_end(&c.in, &b, 30, i); /* its child side stays open */
    rec_end(&c.in, &b, 40, other);
    rec_end(&c.in, &a, 50, o);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "inner");
    CHECK(s->thread == a.thread && s->end_thread == b.thread);
    CHECK_EQ(s->end_ns, 30);
    CHECK_EQ(piped_counts(&c).unfinished, 0);
    CHECK_EQ(piped_counts(&c).orphan_ends, 0);
    piped_done(&c);
}

TEST(a_negative_duration_becomes_zero_and_is_counted)
{
    open_pipe(NULL);
    uint64_t id = rec_begin(&c.in, &a, 100, outer);
    rec_end(&c.in, &a, 90, id);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "outer");
    CHECK(s->start_ns == 100 && s->end_ns == 100 && s->busy_ns == 0);
    CHECK(s->flags & MODEL_SPAN_CLAMPED);
    CHECK_EQ(piped_counts(&c).clamped, 1);
    piped_done(&c);
}

TEST(a_span_that_begins_with_what_is_around_it_is_tied)
{
    open_pipe(NULL);
    uint64_t o = rec_begin(&c.in, &a, 10, outer), i = rec_begin(&c.in, &a, 10, inner);
    uint64_t l = rec_begin(&c.in, &a, 11, leaf);
    rec_end(&c.in, &a, 12, l);
    rec_end(&c.in, &a, 12, i);
    rec_end(&c.in, &a, 12, o);
    uint64_t j = rec_open(&c.in, &a, 20, job, 0, (int64_t)1);
    rec_enter(&c.in, &a, 30, j);
    uint64_t k = rec_begin(&c.in, &a, 30, outer);
    rec_end(&c.in, &a, 31, k);
    rec_exit(&c.in, &a, 32, j);
    CHECK_EQ(piped_last(&c), 0);
    CHECK(piped_span(&c, "inner")->flags & MODEL_SPAN_TIED);
    CHECK(!(piped_span(&c, "leaf")->flags & MODEL_SPAN_TIED));
    CHECK(!(piped_span(&c, "outer")->flags & MODEL_SPAN_TIED));
    CHECK(piped_item(&c, MODEL_ITEM_SPAN, 3)->u.span.site == outer);
    CHECK(piped_item(&c, MODEL_ITEM_SPAN, 3)->u.span.flags & MODEL_SPAN_TIED);
    piped_done(&c);
}

TEST(ten_thousand_levels_nest)
{
    enum { DEPTH = 10000 };
    static uint64_t ids[DEPTH];
    open_pipe(NULL);
    for (uint64_t i = 0; i < DEPTH; i++) {
        ids[i] = rec_begin(&c.in, &a, 10 + i, outer);
        if (i % 1000 == 0)
            CHECK_EQ(piped_push(&c, 10 + i), 0);
    }
    CHECK_EQ(piped_push(&c, 20000), 0);
    /* 5,000 frames are jumped over at once, in the middle one ends elsewhere */
    rec_end(&c.in, &b, 20001, ids[DEPTH - 3]);
    rec_end(&c.in, &a, 20002, ids[5000]);
    for (uint64_t i = 5000; i-- > 0;)
        rec_end(&c.in, &a, 30000 - i, ids[i]);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_counts(&c).spans, DEPTH);
    CHECK_EQ(piped_counts(&c).unfinished, DEPTH - 5001 - 1);
    CHECK_EQ(piped_counts(&c).orphan_ends, 0);
    CHECK_EQ(c.out.items[c.out.item_count - 1].u.span.depth, 0);
    CHECK_EQ(c.out.items[c.out.item_count - 1].u.span.span_id, oriel_id_mix(ids[0]));
    piped_done(&c);
}

TEST(beyond_the_limit_the_oldest_open_span_is_closed)
{
    struct pipe_options options = {.size = sizeof options, .open_span_limit = 4};
    open_pipe(&options);
    uint64_t ids[8];
    for (uint64_t i = 0; i < 8; i++)
        ids[i] = rec_begin(&c.in, &a, 10 + i, i == 0 ? outer : inner);
    CHECK_EQ(piped_push(&c, 20), 0);
    CHECK_EQ(piped_counts(&c).open, 4);
    CHECK_EQ(piped_counts(&c).unfinished, 4);
    CHECK_EQ(piped_span(&c, "outer")->flags, MODEL_SPAN_UNFINISHED | MODEL_SPAN_ROOT);
    CHECK_EQ(piped_span(&c, "outer")->end_ns, 14); /* when the fifth began */
    for (int i = 7; i >= 0; i--)
        rec_end(&c.in, &a, 30, ids[i]);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_counts(&c).spans, 8);
    CHECK_EQ(piped_counts(&c).orphan_ends, 4);
    piped_done(&c);
}

TEST(a_million_spans_may_be_open_and_no_more)
{
    enum { MANY = 1100000, BATCH = 10000 };
    open_pipe(NULL);
    for (uint64_t i = 0; i < MANY; i++) {
        rec_begin(&c.in, i & 1 ? &a : &b, 10 + i, outer);
        if (i % BATCH == BATCH - 1) {
            CHECK_EQ(piped_push(&c, 10 + i), 0);
            model_batch_clear(&c.out);
        }
    }
    CHECK_EQ(piped_counts(&c).open, 1000000);
    CHECK_EQ(piped_counts(&c).unfinished, MANY - 1000000);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_counts(&c).spans, MANY);
    piped_done(&c);
}

TEST(streams_of_one_thread_share_its_stack)
{
    open_pipe(NULL);
    struct records_stream handler = records_second(&c.w, &a);
    uint64_t o = rec_begin(&c.in, &a, 10, outer);
    rec_end(&c.in, &a, 40, o);
    uint64_t h = rec_begin(&c.in, &handler, 20, inner); /* a signal came */
    rec_end(&c.in, &handler, 30, h);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "inner")->parent_id, oriel_id_mix(o));
    CHECK_EQ(piped_span(&c, "inner")->depth, 1);
    CHECK_EQ(piped_counts(&c).unfinished, 0);
    piped_done(&c);
}

/* ---- async ---- */

TEST(an_async_span_knows_wall_time_and_busy_time)
{
    open_pipe(NULL);
    uint64_t j = rec_open(&c.in, &a, 100, job, 0, (int64_t)5);
    rec_enter(&c.in, &a, 110, j);
    rec_exit(&c.in, &a, 120, j);
    rec_enter(&c.in, &b, 150, j);
    rec_exit(&c.in, &b, 175, j);
    rec_close(&c.in, &b, 200, j);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "job");
    CHECK_EQ(s->flags, MODEL_SPAN_ASYNC | MODEL_SPAN_ROOT);
    CHECK(s->start_ns == 100 && s->end_ns == 200 && s->busy_ns == 35);
    REQUIRE(s->busy_count == 2);
    CHECK(s->busy[0].thread == a.thread && s->busy[0].start_ns == 110 && s->busy[0].end_ns == 120);
    CHECK(s->busy[1].thread == b.thread && s->busy[1].start_ns == 150 && s->busy[1].end_ns == 175);
    CHECK(s->thread == a.thread && s->end_thread == b.thread);
    CHECK_STR(piped_attr(s->attrs, s->attr_count, "id"), "5");
    piped_done(&c);
}

TEST(an_entered_span_is_the_parent_on_its_thread)
{
    open_pipe(NULL);
    uint64_t o = rec_begin(&c.in, &a, 10, outer);
    uint64_t j = rec_open(&c.in, &a, 20, job, o, (int64_t)1);
    rec_enter(&c.in, &b, 30, j);
    uint64_t i = rec_begin(&c.in, &b, 40, inner);
    rec_end(&c.in, &b, 50, i);
    rec_exit(&c.in, &b, 60, j);
    uint64_t l = rec_begin(&c.in, &b, 70, leaf);
    rec_end(&c.in, &b, 80, l);
    rec_close(&c.in, &b, 90, j);
    rec_end(&c.in, &a, 95, o);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "job")->parent_id, oriel_id_mix(o));
    CHECK_EQ(piped_span(&c, "inner")->parent_id, oriel_id_mix(j));
    CHECK_EQ(piped_span(&c, "leaf")->parent_id, 0);
    check_trace(piped_span(&c, "inner"), o);
    check_trace(piped_span(&c, "leaf"), l);
    piped_done(&c);
}

TEST(a_span_closed_while_entered_is_busy_to_its_end)
{
    open_pipe(NULL);
    uint64_t j = rec_open(&c.in, &a, 10, job, 0, (int64_t)1);
    rec_enter(&c.in, &a, 20, j);
    rec_close(&c.in, &b, 50, j);
    uint64_t i = rec_begin(&c.in, &a, 60, inner); /* still in the scope of it */
    rec_end(&c.in, &a, 70, i);
    rec_exit(&c.in, &a, 80, j);
    uint64_t l = rec_begin(&c.in, &a, 90, leaf);
    rec_end(&c.in, &a, 95, l);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "job")->busy_ns, 30);
    CHECK_EQ(piped_span(&c, "inner")->parent_id, oriel_id_mix(j));
    CHECK_EQ(piped_span(&c, "leaf")->parent_id, 0);
    CHECK_EQ(piped_counts(&c).fates[PIPE_ORPHAN], 1); /* the late exit */
    piped_done(&c);
}

TEST(entering_twice_on_a_thread_counts_once)
{
    open_pipe(NULL);
    uint64_t j = rec_open(&c.in, &a, 10, job, 0, (int64_t)1);
    rec_enter(&c.in, &a, 20, j);
    rec_enter(&c.in, &a, 30, j);
    rec_enter(&c.in, &b, 30, j);
    rec_exit(&c.in, &a, 40, j);
    rec_exit(&c.in, &a, 50, j);
    rec_exit(&c.in, &b, 45, j);
    rec_close(&c.in, &a, 60, j);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "job");
    CHECK_EQ(s->busy_count, 2);
    CHECK_EQ(s->busy_ns, 30 + 15);
    piped_done(&c);
}

TEST(many_stretches_are_summed_but_not_all_listed)
{
    open_pipe(NULL);
    uint64_t j = rec_open(&c.in, &a, 10, job, 0, (int64_t)1), t = 20;
    for (int i = 0; i < 3000; i++, t += 10) {
        rec_enter(&c.in, &a, t, j);
        rec_exit(&c.in, &a, t + 3, j);
    }
    rec_close(&c.in, &a, t, j);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "job")->busy_count, SPAN_BUSY_LIMIT);
    CHECK_EQ(piped_span(&c, "job")->busy_ns, 9000);
    piped_done(&c);
}

TEST(a_child_opened_after_its_parent_closed_keeps_the_trace)
{
    open_pipe(NULL);
    uint64_t root = rec_begin(&c.in, &a, 5, outer);
    uint64_t j = rec_open(&c.in, &a, 10, job, root, (int64_t)1);
    rec_close(&c.in, &a, 20, j);
    uint64_t k = rec_open(&c.in, &b, 30, inner, j);
    rec_close(&c.in, &b, 40, k);
    rec_end(&c.in, &a, 50, root);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "inner")->parent_id, oriel_id_mix(j));
    check_trace(piped_span(&c, "inner"), root);
    piped_done(&c);
}

TEST(a_scoped_parent_on_another_thread_is_found_by_id)
{
    open_pipe(NULL);
    uint64_t root = rec_begin(&c.in, &a, 5, outer), i = rec_begin(&c.in, &a, 6, inner);
    uint64_t k = rec_open(&c.in, &b, 30, job, i, (int64_t)1);
    rec_close(&c.in, &b, 40, k);
    rec_end(&c.in, &a, 50, i);
    rec_end(&c.in, &a, 51, root);
    uint64_t late = rec_open(&c.in, &b, 60, leaf, i); /* over, but named before */
    rec_close(&c.in, &b, 70, late);
    CHECK_EQ(piped_last(&c), 0);
    check_trace(piped_span(&c, "job"), root);
    check_trace(piped_span(&c, "leaf"), root);
    piped_done(&c);
}

TEST(open_without_parent_and_root_flag_belongs_to_the_thread)
{
    open_pipe(NULL);
    rec_attach(&c.in, &a, 5, 1, 2, 3);
    uint64_t j = rec_open(&c.in, &a, 10, job, 0, (int64_t)1);
    records_flags(ORIEL_RECF_ROOT);
    uint64_t k = rec_open(&c.in, &a, 20, inner, 0);
    rec_close(&c.in, &a, 30, j);
    rec_close(&c.in, &a, 30, k);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "job")->parent_id, 3);
    CHECK(piped_span(&c, "job")->flags & MODEL_SPAN_REMOTE_PARENT);
    CHECK_EQ(piped_span(&c, "inner")->parent_id, 0);
    check_trace(piped_span(&c, "inner"), k);
    piped_done(&c);
}

TEST(close_ends_a_scoped_span_from_wherever)
{
    open_pipe(NULL);
    uint64_t o = rec_begin(&c.in, &a, 10, outer), i = rec_begin(&c.in, &a, 20, inner);
    rec_close(&c.in, &b, 30, o);
    rec_close(&c.in, &b, 35, o);
    rec_end(&c.in, &a, 40, i);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "outer")->end_ns, 30);
    CHECK_EQ(piped_span(&c, "inner")->end_ns, 40);
    CHECK_EQ(piped_counts(&c).unfinished, 0);
    CHECK_EQ(piped_counts(&c).orphan_ends, 1);
    piped_done(&c);
}

TEST(a_span_watched_from_outside_outlives_what_is_around_it_until_its_own_close)
{
    open_pipe(NULL);
    struct records_stream watcher = records_second(&c.w, &a);
    uint64_t o = rec_begin(&c.in, &a, 10, outer);
    records_flags(ORIEL_RECF_WATCHED);
    uint64_t w = rec_begin(&c.in, &watcher, 20, inner);
    uint64_t l = rec_begin(&c.in, &a, 30, leaf);
    rec_end(&c.in, &a, 40, o); /* leaf is left, inner is not */
    rec_close(&c.in, &watcher, 50, w);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *in = piped_span(&c, "inner");
    CHECK_EQ(in->flags & MODEL_SPAN_UNFINISHED, 0);
    CHECK_EQ(in->end_ns, 50);
    CHECK_EQ(in->parent_id, oriel_id_mix(o));
    CHECK_EQ(piped_span(&c, "leaf")->parent_id, oriel_id_mix(w));
    CHECK(piped_span(&c, "leaf")->flags & MODEL_SPAN_UNFINISHED);
    CHECK(l != 0);
    CHECK_EQ(piped_counts(&c).orphan_ends, 0);
    piped_done(&c);
}

TEST(entering_a_span_opened_before_the_recording_still_gives_parents)
{
    open_pipe(NULL);
    uint64_t unknown = 0x123456789abcdef0;
    rec_enter(&c.in, &a, 10, unknown);
    uint64_t i = rec_begin(&c.in, &a, 20, inner);
    rec_end(&c.in, &a, 30, i);
    rec_exit(&c.in, &a, 40, unknown);
    rec_exit(&c.in, &a, 50, unknown);
    rec_close(&c.in, &a, 60, unknown);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_SPAN), 1);
    CHECK_EQ(piped_span(&c, "inner")->parent_id, oriel_id_mix(unknown));
    CHECK_EQ(piped_counts(&c).fates[PIPE_ORPHAN], 3);
    CHECK_EQ(piped_counts(&c).orphan_ends, 1);
    piped_done(&c);
}

TEST(an_async_span_never_closed_is_unfinished)
{
    open_pipe(NULL);
    uint64_t j = rec_open(&c.in, &a, 10, job, 0, (int64_t)1);
    rec_enter(&c.in, &b, 20, j);
    rec_begin(&c.in, &b, 30, inner);
    CHECK_EQ(piped_last(&c), 0);
    CHECK(piped_span(&c, "job")->flags & MODEL_SPAN_UNFINISHED);
    CHECK_EQ(piped_span(&c, "job")->busy_ns, 10);
    CHECK_EQ(piped_span(&c, "inner")->flags, MODEL_SPAN_UNFINISHED);
    piped_done(&c);
}

TEST(a_scope_that_survives_the_exit_of_its_task_ends_on_the_next_thread)
{
    open_pipe(NULL);
    uint64_t j = rec_open(&c.in, &a, 10, job, 0, (int64_t)1);
    rec_enter(&c.in, &a, 20, j);
    uint64_t i = rec_begin(&c.in, &a, 30, inner); /* held across a suspension */
    rec_exit(&c.in, &a, 40, j);
    rec_enter(&c.in, &b, 50, j);
    rec_end(&c.in, &b, 60, i);
    rec_exit(&c.in, &b, 70, j);
    rec_close(&c.in, &b, 80, j);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "inner")->flags, 0);
    CHECK_EQ(piped_span(&c, "inner")->end_ns, 60);
    CHECK_EQ(piped_counts(&c).orphan_ends, 0);
    piped_done(&c);
}

/* ---- contexts ---- */

TEST(an_attached_context_is_the_remote_parent)
{
    open_pipe(NULL);
    rec_attach(&c.in, &a, 5, 0x1111, 0x2222, 0x3333);
    uint64_t o = rec_begin(&c.in, &a, 10, outer), i = rec_begin(&c.in, &a, 20, inner);
    rec_end(&c.in, &a, 30, i);
    rec_end(&c.in, &a, 40, o);
    rec_detach(&c.in, &a, 50);
    uint64_t l = rec_begin(&c.in, &a, 60, leaf);
    rec_end(&c.in, &a, 70, l);
    rec_detach(&c.in, &a, 80);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "outer");
    uint64_t trace[2] = {0x1111, 0x2222};
    CHECK_MEM(s->trace_id, 16, trace, 16);
    CHECK_EQ(s->parent_id, 0x3333);
    CHECK_EQ(s->flags, MODEL_SPAN_REMOTE_PARENT);
    CHECK_EQ(s->depth, 0);
    CHECK_MEM(piped_span(&c, "inner")->trace_id, 16, trace, 16);
    CHECK_EQ(piped_span(&c, "inner")->flags, 0);
    CHECK_EQ(piped_span(&c, "leaf")->flags, MODEL_SPAN_ROOT);
    CHECK_EQ(piped_counts(&c).fates[PIPE_ORPHAN], 1); /* the second detach */
    piped_done(&c);
}

TEST(a_context_without_a_trace_is_no_parent)
{
    open_pipe(NULL);
    rec_attach(&c.in, &a, 5, 0, 0, 7);
    uint64_t o = rec_begin(&c.in, &a, 10, outer);
    rec_end(&c.in, &a, 40, o);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "outer")->flags, MODEL_SPAN_ROOT);
    check_trace(piped_span(&c, "outer"), o);
    piped_done(&c);
}

TEST(records_that_make_no_sense_are_counted_as_foreign)
{
    open_pipe(NULL);
    rec_begin(&c.in, &a, 10, outer);
    c.in.records[0].site = NULL;
    rec_close(&c.in, &a, 20, 1);
    c.in.records[1].words = 2;
    rec_frame(&c.in, &a, 30, outer);
    c.in.records[2].type = 200;
    rec_frame(&c.in, &a, 40, outer);
    c.in.records[3].thread = NULL;
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(c.out.item_count, 0);
    CHECK_EQ(piped_counts(&c).fates[PIPE_FOREIGN], 4);
    piped_done(&c);
}

TEST_MAIN()
