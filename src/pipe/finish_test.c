/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spans that take the short way, because their end comes right behind their
 * begin, beside the same spans on the long one.
 */
#include "pipe/finish.h"

#include <string.h>

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

/* Spans that end at once, in all the ways that a span can begin. Apart: their ends come in
 * pushes of their own, so that they stand on the stack meanwhile. */
static void tell_leaves(bool apart)
{
    static const uint64_t begins[] = {20, 20, 40, 60, 90};
    static const uint64_t ends[] = {20, 35, 45, 55, 95}; /* the fourth ends before it begins */
    open_pipe();
    rec_block(&c.in, &beside, 1, ORIEL_SAMPLE_OFF_CPU, 7, 1, 0); /* the past of a thread is kept */
    rec_attach(&c.in, &a, 5, 0x11, 0x22, 0x33);
    uint64_t around = rec_begin(&c.in, &a, 20, outer);
    for (unsigned i = 0; i < 5; i++) {
        if (i == 2)
            records_flags(ORIEL_RECF_ROOT);
        uint64_t id = rec_begin(&c.in, &a, begins[i], inner);
        if (apart)
            CHECK_EQ(piped_push(&c, begins[i]), 0);
        rec_end(&c.in, &a, ends[i], id);
    }
    rec_end(&c.in, &a, 100, around);
    uint64_t id = rec_begin(&c.in, &a, 110, inner); /* in a context from outside */
    if (apart)
        CHECK_EQ(piped_push(&c, 110), 0);
    rec_end(&c.in, &a, 120, id);
    rec_block(&c.in, &beside, 130, ORIEL_SAMPLE_OFF_CPU, 8, 13000, ORIEL_WAIT_SHARED | 1u << 16);
    CHECK_EQ(piped_last(&c), 0);
}

TEST(a_span_that_ends_at_once_is_as_if_something_had_come_between)
{
    struct model_span spans[8];
    uint64_t times[8], waited[8] = {0};
    tell_leaves(true);
    REQUIRE(piped_items(&c, MODEL_ITEM_SPAN) == 7);
    for (size_t i = 0; i < 7; i++) {
        spans[i] = piped_item(&c, MODEL_ITEM_SPAN, i)->u.span;
        times[i] = piped_item(&c, MODEL_ITEM_SPAN, i)->t_ns;
    }
    const struct pipe_counts apart = piped_counts(&c);
    const size_t samples = piped_items(&c, MODEL_ITEM_SAMPLE);
    REQUIRE(samples <= 8);
    for (size_t i = 0; i < samples; i++)
        waited[i] = piped_item(&c, MODEL_ITEM_SAMPLE, i)->u.sample.weight;
    piped_done(&c);
    tell_leaves(false);
    REQUIRE(piped_items(&c, MODEL_ITEM_SPAN) == 7);
    for (size_t i = 0; i < 7; i++) {
        const struct model_span *s = &piped_item(&c, MODEL_ITEM_SPAN, i)->u.span;
        CHECK_EQ(piped_item(&c, MODEL_ITEM_SPAN, i)->t_ns, times[i]);
        CHECK(memcmp(s->trace_id, spans[i].trace_id, 16) == 0);
        CHECK_EQ(s->span_id, spans[i].span_id);
        CHECK_EQ(s->parent_id, spans[i].parent_id);
        CHECK_EQ(s->start_ns, spans[i].start_ns);
        CHECK_EQ(s->end_ns, spans[i].end_ns);
        CHECK_EQ(s->busy_ns, spans[i].busy_ns);
        CHECK_EQ(s->flags, spans[i].flags);
        CHECK_EQ(s->trace_flags, spans[i].trace_flags);
        CHECK_EQ(s->depth, spans[i].depth);
        CHECK_EQ(s->event_count, 0);
        CHECK_EQ(s->attr_count + s->link_count + s->busy_count, 0);
    }
    const struct pipe_counts at_once = piped_counts(&c);
    CHECK(memcmp(&apart, &at_once, sizeof apart) == 0);
    REQUIRE(piped_items(&c, MODEL_ITEM_SAMPLE) == samples);
    for (size_t i = 0; i < samples; i++)
        CHECK_EQ(piped_item(&c, MODEL_ITEM_SAMPLE, i)->u.sample.weight, waited[i]);
    piped_done(&c);
}

TEST_MAIN()
