/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For tests of outlets only: one small story with every kind of item in it,
 * told to each outlet and kept as its golden file.
 */
#ifndef ORIEL_EXPORT_TEST_STORY_H
#define ORIEL_EXPORT_TEST_STORY_H

#include <math.h>

#include "export/test_fixture.h"

static inline void story_spans(struct fixture *f)
{
    static struct model_value attrs[8];
    static struct model_link link;
    static struct model_busy busy[2];
    struct model_site *outer = fixture_site(f, ORIEL_SITE_SPAN, "index.file", "demo.index");
    struct model_site *inner = fixture_site(f, ORIEL_SITE_SPAN, "tokenize", "demo.index");
    struct model_site *async = fixture_site(f, ORIEL_SITE_SPAN, "request", "demo.net");
    attrs[0] = (struct model_value){.key = MODEL_STR("ok"), .type = ORIEL_TYPE_BOOL, .v.b = true};
    attrs[1] =
        (struct model_value){.key = MODEL_STR("i"), .type = ORIEL_TYPE_I64, .v.i64 = INT64_MIN};
    attrs[2] =
        (struct model_value){.key = MODEL_STR("u"), .type = ORIEL_TYPE_U64, .v.u64 = UINT64_MAX};
    attrs[3] = (struct model_value){.key = MODEL_STR("f"), .type = ORIEL_TYPE_F64, .v.f64 = 0.1};
    attrs[4] =
        (struct model_value){.key = MODEL_STR("nan"), .type = ORIEL_TYPE_F64, .v.f64 = (double)NAN};
    attrs[5] = (struct model_value){.key = MODEL_STR("path"),
                                    .type = ORIEL_TYPE_STR,
                                    .flags = MODEL_VALUE_TRUNCATED,
                                    .full_bytes = 99,
                                    .v.str = MODEL_STR("a \"b\"\n\x1b[31m")};
    attrs[6] = (struct model_value){
        .key = MODEL_STR("raw"), .type = ORIEL_TYPE_BYTES, .v.str = MODEL_STR("\0\xff")};
    attrs[7] = (struct model_value){
        .key = MODEL_STR("at"), .type = ORIEL_TYPE_PTR, .v.u64 = 0x7f00deadbeef};

    struct model_span *s = fixture_span(f, inner, f->main, 0x11, 0x10, 2000, 3500);
    s->depth = 1;
    s = fixture_span(f, outer, f->main, 0x10, 0, 1000, 5001);
    s->attrs = attrs;
    s->attr_count = 8;
    s->status = ORIEL_STATUS_ERROR;
    s->status_message = MODEL_STR("disk on fire");
    s->dropped_attrs = 3;

    s = fixture_span(f, async, f->main, 0x20, 0x10, 1500, 9000);
    s->flags = MODEL_SPAN_ASYNC;
    s->end_thread = f->worker;
    s->busy_ns = 1500;
    busy[0] = (struct model_busy){f->main, FIXTURE_START + 1600, FIXTURE_START + 1900};
    busy[1] = (struct model_busy){f->worker, FIXTURE_START + 6000, FIXTURE_START + 7200};
    s->busy = busy;
    s->busy_count = 2;

    s = fixture_span(f, outer, f->worker, 0x30, 0, 10000, 12000);
    link.span_id = 0x11;
    link.trace_id[0] = 0xab;
    link.follows_from = true;
    link.flags = 1;
    s->links = &link;
    s->link_count = 1;
    s->flags = MODEL_SPAN_UNFINISHED | MODEL_SPAN_ROOT;
}

static inline void story_others(struct fixture *f)
{
    static struct model_value attr = {
        .key = MODEL_STR("tenant"), .type = ORIEL_TYPE_STR, .v.str = MODEL_STR("acme")};
    struct model_site *log = fixture_site(f, ORIEL_SITE_EVENT, "cache miss", "demo.cache");
    struct model_site *plot = fixture_site(f, ORIEL_SITE_PLOT, "queue", "demo");
    struct model_site *frame = fixture_site(f, ORIEL_SITE_FRAME, "frame", "demo");
    struct model_site *task = fixture_site(f, ORIEL_SITE_TASK, "job", "demo.task");
    struct model_item *item = fixture_item(f, MODEL_ITEM_EVENT, FIXTURE_START + 13000);
    item->u.event = (struct model_event){.t_ns = item->t_ns,
                                         .site = log,
                                         .thread = f->main,
                                         .message = log->name,
                                         .attrs = &attr,
                                         .attr_count = 1,
                                         .trace_id = {0xab},
                                         .trace_flags = 1,
                                         .span_id = 0x10};
    item = fixture_item(f, MODEL_ITEM_EVENT, FIXTURE_START + 13001);
    item->u.event = (struct model_event){.t_ns = item->t_ns,
                                         .site = log,
                                         .thread = f->main,
                                         .message = MODEL_STR("cache miss no. 7")};
    item = fixture_item(f, MODEL_ITEM_PLOT, FIXTURE_START + 14000);
    item->u.plot =
        (struct model_plot){item->t_ns,
                            plot,
                            f->main,
                            {.key = MODEL_STR("value"), .type = ORIEL_TYPE_F64, .v.f64 = 2.5}};
    item = fixture_item(f, MODEL_ITEM_FRAME, FIXTURE_START + 15000);
    item->u.frame = (struct model_frame){item->t_ns, frame, f->main};
    for (uint8_t op = ORIEL_TASK_SPAWN; op <= ORIEL_TASK_RESUME; op++) {
        item = fixture_item(f, MODEL_ITEM_TASK, FIXTURE_START + 15000 + op * 1000);
        item->u.task = (struct model_task){.t_ns = item->t_ns,
                                           .task = 5,
                                           .other = 4,
                                           .site = task,
                                           .thread = op == ORIEL_TASK_RESUME ? f->worker : f->main,
                                           .op = op};
    }
    item = fixture_item(f, MODEL_ITEM_LOSS, FIXTURE_START + 20000);
    item->u.loss = (struct model_loss){FIXTURE_START + 19000, FIXTURE_START + 20000, f->main, 42,
                                       ORIEL_LOST_RING_FULL};
    item = fixture_item(f, MODEL_ITEM_LOSS, FIXTURE_START + 21000);
    item->u.loss = (struct model_loss){FIXTURE_START + 19000, FIXTURE_START + 21000, NULL, 1,
                                       ORIEL_LOST_NO_THREAD};
    f->main->lost[ORIEL_LOST_RING_FULL] = 42;
    f->catalog.lost[ORIEL_LOST_NO_THREAD] = 1;
}

static inline void story_tell(struct fixture *f)
{
    story_spans(f);
    story_others(f);
}

#endif
