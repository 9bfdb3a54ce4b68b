/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For this room's tests only: a small program in a box. Threads begin and end
 * spans on stacks of their own, time moves when the test says so, and what the
 * pipe would hand out (spans at their end, in order) goes to a report.
 */
#ifndef ORIEL_REPORT_TESTING_H
#define ORIEL_REPORT_TESTING_H

#include <stdlib.h>

#include "model/batch.h"
#include "report/report.h"
#include "test.h"

enum { FX_THREADS = 4, FX_DEPTH = 128 };
#define FX_START UINT64_C(1700000000000000000)
#define FX_US UINT64_C(1000)
#define FX_MS UINT64_C(1000000)

struct fx_open {
    struct model_span span;
};
struct fx {
    struct model_catalog catalog;
    struct model_batch batch;
    struct report *report;
    struct model_thread *threads[FX_THREADS];
    struct fx_open stack[FX_THREADS][FX_DEPTH];
    uint32_t depth[FX_THREADS];
    uint64_t now, ids;
};

static inline struct model_str fx_str(const char *s)
{
    return (struct model_str){s, (uint32_t)strlen(s)};
}

static inline void fx_init(struct fx *f, const struct report_options *options)
{
    static const char *const names[FX_THREADS] = {"main", "worker-1", "worker-2", "io"};
    memset(f, 0, sizeof *f);
    model_catalog_init(&f->catalog);
    model_batch_init(&f->batch, &f->catalog);
    struct model_process *p =
        model_catalog_add_process(&f->catalog, 4711, fx_str("/usr/bin/demo"), fx_str("demo"));
    REQUIRE(p);
    p->trace_hi = 0x1122334455667788u;
    for (uint32_t i = 0; i < FX_THREADS; i++) {
        f->threads[i] = model_catalog_add_thread(&f->catalog, p->index, (int32_t)(4711 + i), i + 1);
        REQUIRE(f->threads[i]);
        model_thread_set_name(&f->catalog, f->threads[i], fx_str(names[i]));
    }
    f->catalog.start_ns = f->now = FX_START;
    CHECK_EQ(report_new(&f->report, options, &f->catalog), 0);
}

static inline void fx_done(struct fx *f)
{
    report_free(f->report);
    model_batch_done(&f->batch);
    model_catalog_done(&f->catalog);
}

static inline const struct model_site *fx_site_at(struct fx *f, const char *name, uint8_t kind,
                                                  uint8_t level, const char *target,
                                                  const char *file, uint32_t line)
{
    struct model_site s = {.id = 2 + f->catalog.site_count,
                           .line = line,
                           .kind = kind,
                           .level = level,
                           .name = fx_str(name),
                           .target = fx_str(target),
                           .file = fx_str(file),
                           .function = fx_str("work")};
    for (uint32_t i = 0; i < f->catalog.site_count; i++) {
        const struct model_site *old = f->catalog.sites[i];
        if (old->kind == kind && old->line == line && old->level == level &&
            old->name.n == s.name.n && memcmp(old->name.p, s.name.p, s.name.n) == 0)
            return old;
    }
    return model_catalog_add_site(&f->catalog, &s);
}

static inline const struct model_site *fx_site(struct fx *f, const char *name)
{
    return fx_site_at(f, name, ORIEL_SITE_SPAN, ORIEL_LEVEL_INFO, "demo", "src/demo.c",
                      10 + (uint32_t)strlen(name));
}

static inline void fx_flush(struct fx *f)
{
    CHECK_EQ(report_add(f->report, &f->batch), 0);
    model_batch_clear(&f->batch);
}

/* A zeroed item of now; batches are handed on when they get long. */
static inline struct model_item *fx_item(struct fx *f, enum model_item_kind kind)
{
    if (f->batch.item_count >= 1000)
        fx_flush(f);
    struct model_item *i = model_batch_add_item(&f->batch);
    REQUIRE(i);
    i->kind = kind;
    i->t_ns = f->now;
    return i;
}

static inline void fx_trace_id(struct model_span *s, uint64_t root)
{
    uint64_t hi = 0x1122334455667788u;
    memcpy(s->trace_id, &hi, 8);
    memcpy(s->trace_id + 8, &root, 8);
}

static inline struct model_span *fx_begin(struct fx *f, unsigned thread, const char *name)
{
    REQUIRE(f->depth[thread] < FX_DEPTH);
    struct model_span *s = &f->stack[thread][f->depth[thread]].span;
    const struct model_span *parent = f->depth[thread] ? s - 1 : NULL;
    memset(s, 0, sizeof *s);
    s->span_id = oriel_id_mix(++f->ids);
    s->start_ns = f->now;
    s->site = fx_site(f, name);
    s->thread = s->end_thread = f->threads[thread];
    s->depth = (uint16_t)f->depth[thread]++;
    if (parent) {
        s->parent_id = parent->span_id;
        memcpy(s->trace_id, parent->trace_id, 16);
    } else {
        s->flags = MODEL_SPAN_ROOT;
        fx_trace_id(s, s->span_id);
    }
    return s;
}

static inline const struct model_span *fx_end(struct fx *f, unsigned thread)
{
    REQUIRE(f->depth[thread] > 0);
    struct model_item *i = fx_item(f, MODEL_ITEM_SPAN);
    i->u.span = f->stack[thread][--f->depth[thread]].span;
    i->u.span.end_ns = f->now;
    i->u.span.busy_ns = i->u.span.end_ns - i->u.span.start_ns;
    return &i->u.span;
}

/* A leaf: begin, time, end. */
static inline void fx_span(struct fx *f, unsigned thread, const char *name, uint64_t ns)
{
    fx_begin(f, thread, name);
    f->now += ns;
    fx_end(f, thread);
}

static inline struct model_value *fx_values(struct fx *f, uint32_t n)
{
    struct model_value *v =
        arena_alloc(&f->batch.arena, n * sizeof *v, _Alignof(struct model_value));
    REQUIRE(v);
    memset(v, 0, n * sizeof *v);
    return v;
}

static inline struct model_value fx_i64(const char *key, int64_t v)
{
    return (struct model_value){.key = fx_str(key), .type = ORIEL_TYPE_I64, .v.i64 = v};
}

static inline struct model_value fx_text(const char *key, const char *v)
{
    return (struct model_value){.key = fx_str(key), .type = ORIEL_TYPE_STR, .v.str = fx_str(v)};
}

static inline struct model_event *fx_event(struct fx *f, unsigned thread, uint8_t level,
                                           const char *target, const char *message)
{
    struct model_item *i = fx_item(f, MODEL_ITEM_EVENT);
    struct model_event *e = &i->u.event;
    e->t_ns = f->now;
    e->site = fx_site_at(f, message, ORIEL_SITE_EVENT, level, target, "demo.c", 20);
    e->thread = f->threads[thread];
    e->message = e->site->name;
    if (f->depth[thread]) {
        const struct model_span *s = &f->stack[thread][f->depth[thread] - 1].span;
        memcpy(e->trace_id, s->trace_id, 16);
        e->span_id = s->span_id;
    }
    return e;
}

/* ---- samples, and what allocated ---- */

/* The stack of one function. */
static inline uint32_t fx_stack(struct fx *f, const char *function)
{
    struct model_stacks *s = &f->catalog.stacks;
    const struct model_module like = {
        .kind = MODEL_MODULE_FILE, .process = UINT32_MAX, .path = MODEL_STR("/bin/demo")};
    struct model_place *p = model_stacks_place(s, model_stacks_module(s, &like)->index,
                                               strlen(function) * 64 + (uint8_t)function[0], false);
    const struct model_line line = {
        .function = fx_str(function), .file = MODEL_STR("/src/p.c"), .line = 9, .start_line = 7};
    REQUIRE(p && (p->resolved || model_place_set_lines(s, p, &line, 1) == 0));
    return model_stacks_node(s, 0, p->index);
}

static inline void fx_sample(struct fx *f, uint8_t kind, unsigned thread, const char *span,
                             const char *function, uint64_t weight)
{
    struct model_item *i = fx_item(f, MODEL_ITEM_SAMPLE);
    i->u.sample = (struct model_sample){.kind = kind,
                                        .thread = f->threads[thread],
                                        .site = span ? fx_site(f, span) : NULL,
                                        .weight = weight,
                                        .count = 1,
                                        .t_ns = f->now,
                                        .stack = fx_stack(f, function)};
}

/* A span that allocated, as the pipe tells: `inside` bytes within its children. */
static inline void fx_allocating_span(struct fx *f, unsigned thread, const char *name,
                                      int64_t bytes, int64_t inside, int64_t freed)
{
    fx_begin(f, thread, name);
    f->now += FX_MS;
    struct model_span *s = &f->stack[thread][f->depth[thread] - 1].span;
    struct model_value *v = fx_values(f, 11);
    v[0] = fx_text("path", "a.c");
    v[1] = fx_i64("alloc.count", 5);
    v[2] = fx_i64("alloc.bytes", bytes + inside);
    v[3] = fx_i64("dealloc.count", 2);
    v[4] = fx_i64("dealloc.bytes", freed);
    v[5] = fx_i64("alloc.net_bytes", bytes + inside - freed);
    v[6] = fx_i64("alloc.self.count", 3);
    v[7] = fx_i64("alloc.self.bytes", bytes);
    v[8] = fx_i64("dealloc.self.count", 1);
    v[9] = fx_i64("dealloc.self.bytes", freed);
    v[10] = fx_i64("alloc.self.net_bytes", bytes - freed);
    s->attrs = v;
    s->attr_count = 11;
    fx_end(f, thread);
}

/* What a process says at its end. */
static inline void fx_heap_end(struct fx *f, int64_t bytes, int64_t peak, int64_t live)
{
    struct model_event *e = fx_event(f, 0, ORIEL_LEVEL_INFO, "oriel.heap", "heap.end");
    struct model_value *v = fx_values(f, 6);
    f->catalog.sites[e->site->id - 2]->flags = ORIEL_SITE_NAMED | ORIEL_SITE_SEEN;
    v[0] = fx_i64("allocations", 100);
    v[1] = fx_i64("bytes", bytes);
    v[2] = fx_i64("frees", 90);
    v[3] = fx_i64("freed_bytes", bytes - live);
    v[4] = fx_i64("live_bytes", live);
    v[5] = fx_i64("peak_bytes", peak);
    e->attrs = v;
    e->attr_count = 6;
}

/* Two threads that use the CPU, wait, lock and allocate in two spans. */
static inline void fx_run_busy(struct fx *f)
{
    fx_sample(f, ORIEL_SAMPLE_CPU, 1, "parse", "scan", 30 * FX_MS);
    fx_sample(f, ORIEL_SAMPLE_CPU, 2, "store", "write_row", 10 * FX_MS);
    fx_sample(f, ORIEL_SAMPLE_LOCK, 1, "store", "write_row", 4 * FX_MS);
    fx_sample(f, ORIEL_SAMPLE_ALLOC, 1, "parse", "scan", 9000000);
    fx_sample(f, ORIEL_SAMPLE_ALLOC, 2, NULL, "start", 1000000);
    fx_sample(f, ORIEL_SAMPLE_LIVE, 1, "parse", "scan", 500000);
    fx_allocating_span(f, 1, "parse", 8000000, 600000, 7000000);
    fx_allocating_span(f, 2, "store", 600000, 0, 700000);
    fx_heap_end(f, 9600000, 2000000, 400000);
}

/* The report as a C string; free with buf_done. */
static inline const char *fx_told(struct fx *f, struct buf *b, bool json,
                                  const struct report_facts *facts)
{
    fx_flush(f);
    buf_init(b);
    int rc = json ? report_json(f->report, facts, b) : report_text(f->report, facts, b);
    CHECK_EQ(rc, 0);
    return buf_cstr(b);
}

#endif
