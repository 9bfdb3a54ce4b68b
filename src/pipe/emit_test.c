/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Items that are not scoped spans: external spans, events, plots, frames,
 * tasks; and the order of all of them.
 */
#include "pipe/assemble.h"

#include "piped.h"
#include "test.h"

static struct piped c;
static const struct model_site *span, *event;
static struct records_stream a, b;

static void open_pipe(const struct pipe_options *options)
{
    piped_init(&c, options);
    span = records_site(&c.w, ORIEL_SITE_SPAN, "span", "");
    event = records_site(&c.w, ORIEL_SITE_EVENT, "cache miss", "tenant:s,n:u,f:f,ok:b");
    a = records_thread(&c.w, 1);
    b = records_thread(&c.w, 2);
}

TEST(an_event_happens_in_the_current_span)
{
    open_pipe(NULL);
    uint64_t id = rec_begin(&c.in, &a, 10, span);
    rec_event(&c.in, &a, 20, event, "acme", UINT64_C(18446744073709551615), 0.25, 1);
    rec_end(&c.in, &a, 30, id);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_event *e = &piped_item(&c, MODEL_ITEM_EVENT, 0)->u.event;
    CHECK_EQ(e->t_ns, 20);
    CHECK_EQ(e->span_id, oriel_id_mix(id));
    CHECK_MEM(e->trace_id, 16, piped_span(&c, "span")->trace_id, 16);
    CHECK_STR(piped_text(e->message), "cache miss");
    CHECK_EQ(e->attr_count, 4);
    CHECK_STR(piped_attr(e->attrs, 4, "tenant"), "acme");
    CHECK_STR(piped_attr(e->attrs, 4, "n"), "18446744073709551615");
    CHECK_STR(piped_attr(e->attrs, 4, "f"), "0.25");
    CHECK_STR(piped_attr(e->attrs, 4, "ok"), "true");
    CHECK_EQ(piped_span(&c, "span")->event_count, 1);
    CHECK_EQ(piped_counts(&c).events, 1);
    piped_done(&c);
}

TEST(a_sample_belongs_to_the_innermost_span_of_its_thread)
{
    open_pipe(NULL);
    const struct model_site *inner = records_site(&c.w, ORIEL_SITE_SPAN, "inner", "");
    struct records_stream beside = records_second(&c.w, &a); /* as a profiler has it */
    rec_sample(&c.in, &beside, 5, ORIEL_SAMPLE_CPU, 7, 100);
    uint64_t one = rec_begin(&c.in, &a, 10, span);
    rec_sample(&c.in, &beside, 15, ORIEL_SAMPLE_CPU, 7, 101);
    uint64_t two = rec_begin(&c.in, &a, 20, inner);
    rec_sample(&c.in, &beside, 25, ORIEL_SAMPLE_OFF_CPU, 8, 102);
    rec_sample(&c.in, &b, 26, ORIEL_SAMPLE_CPU, 9, 103);
    rec_end(&c.in, &a, 30, two);
    rec_sample(&c.in, &beside, 35, ORIEL_SAMPLE_CPU, 7, 104);
    rec_end(&c.in, &a, 40, one);
    CHECK_EQ(piped_last(&c), 0);
    const uint64_t want[] = {0, oriel_id_mix(one), oriel_id_mix(two), 0, oriel_id_mix(one)};
    const struct model_site *sites[] = {NULL, span, inner, NULL, span};
    for (size_t i = 0; i < 5; i++) {
        const struct model_sample *s = &piped_item(&c, MODEL_ITEM_SAMPLE, i)->u.sample;
        CHECK_EQ(s->span_id, want[i]);
        CHECK(s->site == sites[i]);
        CHECK_EQ(s->weight, 100 + i);
        CHECK_EQ(s->count, 1);
        CHECK_EQ(s->kind, i == 2 ? ORIEL_SAMPLE_OFF_CPU : ORIEL_SAMPLE_CPU);
        CHECK_EQ(s->stack, i == 2 ? 8 : i == 3 ? 9 : 7);
        CHECK(s->thread == (i == 3 ? b.thread : a.thread));
    }
    CHECK_MEM(piped_item(&c, MODEL_ITEM_SAMPLE, 2)->u.sample.trace_id, 16,
              piped_span(&c, "inner")->trace_id, 16);
    piped_done(&c);
}

TEST(a_sample_of_no_known_kind_is_foreign)
{
    open_pipe(NULL);
    rec_sample(&c.in, &a, 5, 0, 7, 100);
    rec_sample(&c.in, &a, 6, ORIEL_SAMPLE_KINDS, 7, 100);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_counts(&c).fates[PIPE_FOREIGN], 2);
    piped_done(&c);
}

TEST(an_event_outside_any_span_has_no_ids)
{
    static const uint8_t zero[16];
    open_pipe(NULL);
    uint64_t id = rec_begin(&c.in, &a, 5, span);
    rec_event(&c.in, &b, 10, event, "x", UINT64_C(1), 0.0, 0);
    rec_event_on(&c.in, &a, 11, 0, event, "x", UINT64_C(1), 0.0, 0); /* told so explicitly */
    rec_event_on(&c.in, &b, 12, id, event, "x", UINT64_C(1), 0.0, 0);
    rec_end(&c.in, &a, 20, id);
    CHECK_EQ(piped_last(&c), 0);
    for (size_t i = 0; i < 2; i++) {
        const struct model_event *e = &piped_item(&c, MODEL_ITEM_EVENT, i)->u.event;
        CHECK_EQ(e->span_id, 0);
        CHECK_MEM(e->trace_id, 16, zero, 16);
    }
    const struct model_event *named = &piped_item(&c, MODEL_ITEM_EVENT, 2)->u.event;
    CHECK_EQ(named->span_id, oriel_id_mix(id));
    CHECK(named->thread == b.thread);
    CHECK_EQ(piped_span(&c, "span")->event_count, 1);
    piped_done(&c);
}

TEST(an_event_in_an_attached_context_carries_its_ids)
{
    open_pipe(NULL);
    uint64_t trace[2] = {11, 22};
    rec_attach(&c.in, &a, 5, 11, 22, 33);
    rec_event(&c.in, &a, 10, event, "x", UINT64_C(1), 0.0, 0);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_event *e = &piped_item(&c, MODEL_ITEM_EVENT, 0)->u.event;
    CHECK_EQ(e->span_id, 33);
    CHECK_MEM(e->trace_id, 16, trace, 16);
    piped_done(&c);
}

TEST(events_beyond_the_limit_stay_items_and_the_span_says_so)
{
    struct pipe_options options = {.size = sizeof options, .event_count_limit = 3};
    open_pipe(&options);
    uint64_t id = rec_begin(&c.in, &a, 10, span);
    for (uint64_t i = 0; i < 5; i++)
        rec_event(&c.in, &a, 20 + i, event, "x", i, 0.0, 0);
    rec_end(&c.in, &a, 30, id);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_EVENT), 5);
    CHECK_EQ(piped_span(&c, "span")->event_count, 5);
    CHECK_EQ(piped_span(&c, "span")->dropped_events, 2);
    CHECK_EQ(piped_counts(&c).dropped_events, 2);
    piped_done(&c);
}

TEST(a_formatted_log_gets_its_message_and_named_arguments)
{
    open_pipe(NULL);
    const struct model_site *log = records_format(&c.w, "%d of %s, %.1f%%", ":i,:s,:f");
    rec_event(&c.in, &a, 10, log, (int64_t)7, "nine", 77.77);
    rec_event(&c.in, &a, 20, records_format(&c.w, "plain 100%%", ""));
    CHECK_EQ(piped_last(&c), 0);
    const struct model_event *e = &piped_item(&c, MODEL_ITEM_EVENT, 0)->u.event;
    CHECK_STR(piped_text(e->message), "7 of nine, 77.8%");
    CHECK_EQ(e->attr_count, 3);
    CHECK_STR(piped_attr(e->attrs, 3, "arg0"), "7");
    CHECK_STR(piped_attr(e->attrs, 3, "arg1"), "nine");
    CHECK_STR(piped_text(piped_item(&c, MODEL_ITEM_EVENT, 1)->u.event.message), "plain 100%");
    piped_done(&c);
}

TEST(an_external_span_has_the_times_it_was_given)
{
    open_pipe(NULL);
    const struct model_site *gpu = records_site(&c.w, ORIEL_SITE_SPAN, "gpu", "kernel:s");
    uint64_t id = rec_begin(&c.in, &a, 100, span);
    uint64_t g = rec_span(&c.in, &a, 110, gpu, 5000, 7000, id, "matmul");
    rec_span(&c.in, &a, 120, gpu, 6000, 5500, 0, "backwards");
    uint64_t child = rec_open(&c.in, &a, 130, records_site(&c.w, ORIEL_SITE_SPAN, "kid", ""), g);
    rec_close(&c.in, &a, 131, child);
    rec_end(&c.in, &a, 140, id);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_span *s = piped_span(&c, "gpu");
    CHECK_EQ(s->flags, MODEL_SPAN_EXTERNAL);
    CHECK(s->start_ns == 5000 && s->end_ns == 7000 && s->busy_ns == 2000);
    CHECK_EQ(s->parent_id, oriel_id_mix(id));
    CHECK_EQ(s->span_id, oriel_id_mix(g));
    CHECK_STR(piped_attr(s->attrs, s->attr_count, "kernel"), "matmul");
    const struct model_span *back = &piped_item(&c, MODEL_ITEM_SPAN, 1)->u.span;
    CHECK_EQ(back->flags, MODEL_SPAN_EXTERNAL | MODEL_SPAN_CLAMPED | MODEL_SPAN_ROOT);
    CHECK(back->start_ns == 6000 && back->end_ns == 6000);
    CHECK_EQ(piped_counts(&c).clamped, 1);
    CHECK_MEM(piped_span(&c, "kid")->trace_id, 16, s->trace_id, 16);
    for (size_t i = 1; i < c.out.item_count; i++) /* ordered by when it was said */
        CHECK(c.out.items[i].t_ns >= c.out.items[i - 1].t_ns);
    piped_done(&c);
}

TEST(an_external_span_in_an_attached_context_is_its_child)
{
    open_pipe(NULL);
    rec_attach(&c.in, &a, 5, 1, 2, 3);
    rec_span(&c.in, &a, 10, span, 1000, 2000, 0);
    records_flags(ORIEL_RECF_ROOT);
    rec_span(&c.in, &a, 11, span, 1000, 2000, 0);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_item(&c, MODEL_ITEM_SPAN, 0)->u.span.parent_id, 3);
    CHECK(piped_item(&c, MODEL_ITEM_SPAN, 0)->u.span.flags & MODEL_SPAN_REMOTE_PARENT);
    CHECK_EQ(piped_item(&c, MODEL_ITEM_SPAN, 1)->u.span.parent_id, 0);
    piped_done(&c);
}

TEST(times_of_an_external_span_in_ticks_are_converted)
{
    open_pipe(NULL);
    c.w.process->clock.now = (struct clock_piece){1000, 50000, (uint64_t)2 << 32};
    c.w.process->clock.before = c.w.process->clock.now;
    rec_span(&c.in, &a, 10, span, 1010, 1020, 0);
    c.in.records[0].flags = 0;
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_span(&c, "span")->start_ns, 50020);
    CHECK_EQ(piped_span(&c, "span")->end_ns, 50040);
    piped_done(&c);
}

TEST(plots_frames_and_tasks)
{
    open_pipe(NULL);
    const struct model_site *depth = records_site(&c.w, ORIEL_SITE_PLOT, "queue.depth", ":f");
    const struct model_site *frame = records_site(&c.w, ORIEL_SITE_FRAME, "main", "");
    const struct model_site *task = records_site(&c.w, ORIEL_SITE_TASK, "fetch", "");
    const struct model_site *text = records_site(&c.w, ORIEL_SITE_PLOT, "text", ":s");
    uint64_t id = rec_begin(&c.in, &a, 5, span);
    rec_plot(&c.in, &a, 10, depth, 2.5);
    rec_frame(&c.in, &a, 20, frame);
    rec_task(&c.in, &a, 30, task, ORIEL_TASK_SPAWN, 77, 66);
    rec_plot(&c.in, &a, 35, text, "no number");
    rec_end(&c.in, &a, 40, id);
    rec_task(&c.in, &b, 50, task, ORIEL_TASK_COMPLETE, 77, 0);
    CHECK_EQ(piped_last(&c), 0);
    const struct model_item *p = piped_item(&c, MODEL_ITEM_PLOT, 0);
    CHECK(p->t_ns == 10 && p->u.plot.value.type == ORIEL_TYPE_F64);
    CHECK(p->u.plot.value.v.f64 == 2.5 && p->u.plot.site == depth);
    CHECK(piped_item(&c, MODEL_ITEM_FRAME, 0)->u.frame.site == frame);
    const struct model_task *t = &piped_item(&c, MODEL_ITEM_TASK, 0)->u.task;
    CHECK(t->op == ORIEL_TASK_SPAWN && t->task == 77 && t->other == 66 && t->t_ns == 30);
    CHECK_EQ(t->span_id, oriel_id_mix(id));
    CHECK_EQ(piped_item(&c, MODEL_ITEM_TASK, 1)->u.task.span_id, 0);
    CHECK_EQ(piped_items(&c, MODEL_ITEM_PLOT), 1);
    CHECK_EQ(piped_counts(&c).fates[PIPE_FOREIGN], 1);
    piped_done(&c);
}

TEST(a_task_whose_operation_looks_like_a_time_flag_keeps_its_time)
{
    open_pipe(NULL);
    const struct model_site *task = records_site(&c.w, ORIEL_SITE_TASK, "t", "");
    rec_task(&c.in, &a, 30, task, 8, 1, 0);
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(piped_item(&c, MODEL_ITEM_TASK, 0)->u.task.t_ns, 30);
    piped_done(&c);
}

TEST(names_and_triggers_are_control_records)
{
    open_pipe(NULL);
    rec_thread_name(&c.in, &a, 10, "worker");
    rec_trigger(&c.in, &a, 20, "slow span");
    CHECK_EQ(piped_last(&c), 0);
    CHECK_EQ(c.out.item_count, 0);
    CHECK_EQ(piped_counts(&c).fates[PIPE_CONTROL], 2);
    piped_done(&c);
}

TEST(items_outlive_the_batch_they_came_from)
{
    open_pipe(NULL);
    const struct model_site *s = records_site(&c.w, ORIEL_SITE_SPAN, "text", "k:s");
    uint64_t id = rec_begin(&c.in, &a, 10, s, "a value that lives in the batch");
    rec_status(&c.in, &a, 15, id, ORIEL_STATUS_ERROR, "so does this");
    rec_event(&c.in, &a, 16, event, "and this", UINT64_C(1), 0.0, 1);
    rec_end(&c.in, &a, 20, id);
    CHECK_EQ(piped_push(&c, 20), 0);
    model_batch_done(&c.in); /* under the address sanitizer nothing may point there */
    model_batch_init(&c.in, &c.w.catalog);
    const struct model_span *out = piped_span(&c, "text");
    CHECK_STR(piped_attr(out->attrs, out->attr_count, "k"), "a value that lives in the batch");
    CHECK_STR(piped_text(out->status_message), "so does this");
    const struct model_event *e = &piped_item(&c, MODEL_ITEM_EVENT, 0)->u.event;
    CHECK_STR(piped_attr(e->attrs, e->attr_count, "tenant"), "and this");
    piped_done(&c);
}

TEST_MAIN()
