/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The row of items. Each maker below adds what one promise needs; times go on
 * without overlap, so that every thread's slices nest as the program's did.
 */
#include "fixtures.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEP_NS = 10000 };

static void *need(void *p)
{
    if (!p)
        abort();
    return p;
}

static void *keep(struct fixtures *f, const void *bytes, size_t n)
{
    void *p = need(arena_alloc(&f->arena, n ? n : 1, 8));
    memcpy(p, bytes, n);
    return p;
}
#define KEEP(f, array) keep((f), (array), sizeof(array))

static struct model_str text(const char *s)
{
    return (struct model_str){s, (uint32_t)strlen(s)};
}

static const struct model_site *site(struct fixtures *f, uint8_t kind, struct model_str name,
                                     struct model_str target, struct model_str file)
{
    const struct model_site s = {
        .id = 2 + f->catalog.site_count,
        .line = 100 + f->catalog.site_count,
        .kind = kind,
        .level = (uint8_t)(ORIEL_LEVEL_TRACE + f->catalog.site_count % 6),
        .name = name,
        .target = target,
        .file = file,
        .function = text("fixture"),
    };
    return need(model_catalog_add_site(&f->catalog, &s));
}

static const struct model_site *simple_site(struct fixtures *f, uint8_t kind, const char *name)
{
    return site(f, kind, text(name), text("conformance"), text("tests/conformance.c"));
}

static struct model_item *item(struct fixtures *f, enum model_item_kind kind)
{
    struct model_item *it = need(model_batch_add_item(&f->items));
    it->kind = kind;
    f->t += STEP_NS;
    it->t_ns = f->t;
    f->next_id++;
    return it;
}

/* A span from `start` to `end`, both relative to the time of its making. */
static struct model_span *span_at(struct fixtures *f, const struct model_site *s,
                                  const struct model_thread *t, uint64_t start, uint64_t end)
{
    struct model_item *it = item(f, MODEL_ITEM_SPAN);
    struct model_span *span = &it->u.span;
    it->t_ns = f->t + end;
    span->site = s;
    span->thread = span->end_thread = t;
    span->start_ns = f->t + start;
    span->end_ns = f->t + end;
    span->busy_ns = end - start;
    span->span_id = f->next_id;
    memcpy(span->trace_id, "conformance", 11);
    memcpy(span->trace_id + 12, &(uint32_t){(uint32_t)f->next_id / 7 + 1}, 4);
    span->flags = MODEL_SPAN_ROOT;
    return span;
}

static struct model_span *span(struct fixtures *f, const char *name)
{
    return span_at(f, simple_site(f, ORIEL_SITE_SPAN, name), f->main, 0, 5001);
}

/* ---- attributes ---- */

static const struct model_value *extremes(struct fixtures *f, uint32_t *count)
{
    static const int64_t ints[] = {
        0, 1, -1, 9007199254740992, 9007199254740993, -9007199254740993, INT64_MAX, INT64_MIN};
    static const uint64_t uints[] = {0, 9007199254740993u, INT64_MAX, (uint64_t)INT64_MAX + 1,
                                     UINT64_MAX};
    const double floats[] = {0.0,
                             -0.0,
                             0.1,
                             1.0,
                             -1.5,
                             1.0 / 3,
                             1e21,
                             1e22,
                             1e300,
                             DBL_MAX,
                             DBL_MIN,
                             4.9406564584124654e-324,
                             9007199254740992.0,
                             (double)NAN,
                             (double)INFINITY,
                             -(double)INFINITY};
    static const uint64_t pointers[] = {0, 0x7fffdeadbeef, UINT64_MAX};
    static const struct model_str bytes[] = {{"", 0}, {"\0\xff\x80", 3}, {"plain", 5}};
    struct model_value all[64];
    uint32_t n = 0;
    memset(all, 0, sizeof all);
    for (int i = 0; i < 2; i++)
        all[n++] = (struct model_value){.type = ORIEL_TYPE_BOOL, .v.b = i};
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
        all[n++] = (struct model_value){.type = ORIEL_TYPE_I64, .v.i64 = ints[i]};
    for (size_t i = 0; i < sizeof uints / sizeof *uints; i++)
        all[n++] = (struct model_value){.type = ORIEL_TYPE_U64, .v.u64 = uints[i]};
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        all[n++] = (struct model_value){.type = ORIEL_TYPE_F64, .v.f64 = floats[i]};
    for (size_t i = 0; i < 3; i++)
        all[n++] = (struct model_value){.type = ORIEL_TYPE_PTR, .v.u64 = pointers[i]};
    for (size_t i = 0; i < 3; i++)
        all[n++] = (struct model_value){
            .type = ORIEL_TYPE_BYTES, .v.str = bytes[i], .full_bytes = bytes[i].n};
    for (uint32_t i = 0; i < n; i++) {
        char key[16];
        snprintf(key, sizeof key, "v%u", i);
        all[i].key = (struct model_str){keep(f, key, strlen(key)), (uint32_t)strlen(key)};
    }
    *count = n;
    return keep(f, all, n * sizeof *all);
}

static void add_values(struct fixtures *f)
{
    uint32_t n;
    const struct model_value *values = extremes(f, &n);
    struct model_span *s = span(f, "values of a span");
    s->attrs = values;
    s->attr_count = n;
    struct model_item *it = item(f, MODEL_ITEM_EVENT);
    const struct model_site *log = simple_site(f, ORIEL_SITE_EVENT, "values of an event");
    it->u.event = (struct model_event){.t_ns = it->t_ns,
                                       .site = log,
                                       .thread = f->main,
                                       .message = log->name,
                                       .span_id = f->next_id,
                                       .attrs = values,
                                       .attr_count = n};
}

static void add_big(struct fixtures *f)
{
    enum { MIB = 1 << 20, MANY = 10000 };
    char *big = need(arena_alloc(&f->arena, MIB, 1));
    for (uint32_t i = 0; i < MIB; i++)
        big[i] = (char)(i % 251 == 0 ? '"' : i % 97 == 0 ? '\n' : 'a' + i % 26);
    const struct model_value huge[] = {
        {.key = text("big"), .type = ORIEL_TYPE_STR, .v.str = {big, MIB}, .full_bytes = MIB}};
    struct model_span *s = span(f, "one attribute of 1 MiB");
    s->attrs = KEEP(f, huge);
    s->attr_count = 1;
    struct model_value *many = need(arena_alloc(&f->arena, MANY * sizeof *many, 8));
    memset(many, 0, MANY * sizeof *many);
    for (uint32_t i = 0; i < MANY; i++) {
        char key[16];
        int length = snprintf(key, sizeof key, "key%u", i);
        many[i].key = (struct model_str){keep(f, key, (size_t)length), (uint32_t)length};
        many[i].type = ORIEL_TYPE_U64;
        many[i].v.u64 = i;
    }
    s = span(f, "10,000 attributes");
    s->attrs = many;
    s->attr_count = MANY;
}

/* Each text as name, target, file, key, value, message and status. */
static void add_nasty(struct fixtures *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct model_str bad = nasty_text(&f->arena, i);
        const struct model_value values[] = {
            {.key = bad, .type = ORIEL_TYPE_STR, .v.str = bad, .full_bytes = bad.n}};
        const struct model_value *attrs = KEEP(f, values);
        struct model_span *s =
            span_at(f, site(f, ORIEL_SITE_SPAN, bad, bad, bad), f->main, 0, 1000);
        s->attrs = attrs;
        s->attr_count = 1;
        s->status = ORIEL_STATUS_ERROR;
        s->status_message = bad;
        struct model_item *it = item(f, MODEL_ITEM_EVENT);
        it->u.event =
            (struct model_event){.t_ns = it->t_ns,
                                 .thread = f->main,
                                 .message = bad,
                                 .span_id = f->next_id,
                                 .site = site(f, ORIEL_SITE_EVENT, text("nasty"), bad, bad),
                                 .attrs = attrs,
                                 .attr_count = 1};
    }
}

static void add_cut(struct fixtures *f)
{
    const struct model_value values[] = {{.key = text("cut"),
                                          .type = ORIEL_TYPE_STR,
                                          .flags = MODEL_VALUE_TRUNCATED,
                                          .v.str = text("begin"),
                                          .full_bytes = 123456},
                                         {.key = text("password"),
                                          .type = ORIEL_TYPE_STR,
                                          .flags = MODEL_VALUE_REDACTED,
                                          .v.str = text("[redacted]"),
                                          .full_bytes = 10},
                                         {.key = text("token"),
                                          .type = ORIEL_TYPE_BYTES,
                                          .flags = MODEL_VALUE_REDACTED,
                                          .v.str = text("[redacted]"),
                                          .full_bytes = 10}};
    struct model_span *s = span(f, "cut and redacted");
    s->attrs = KEEP(f, values);
    s->attr_count = 3;
    s->dropped_attrs = 4;
    s->dropped_events = 5;
    s->dropped_links = 6;
}

/* ---- spans ---- */

/* outer > (first > leaf of no length, second), all beginning together, and a
 * last one that ends with the outer. */
static void add_nested(struct fixtures *f)
{
    const struct model_site *s = simple_site(f, ORIEL_SITE_SPAN, "nested");
    struct model_span *leaf = span_at(f, s, f->worker, 0, 0);
    uint64_t t = f->t;
    leaf->depth = 2;
    leaf->flags = MODEL_SPAN_TIED;
    f->t = t - STEP_NS;
    struct model_span *first = span_at(f, s, f->worker, 0, 100);
    first->depth = 1;
    first->flags = MODEL_SPAN_TIED;
    f->t = t - STEP_NS;
    struct model_span *second = span_at(f, s, f->worker, 100, 200);
    second->depth = 1;
    second->flags = 0;
    f->t = t - STEP_NS;
    struct model_span *last = span_at(f, s, f->worker, 300, 400);
    last->depth = 1;
    last->flags = 0;
    f->t = t - STEP_NS;
    span_at(f, s, f->worker, 0, 400);
    /* parents by what came last: items do not move, ids do not change */
    uint64_t outer = f->next_id;
    struct model_item *items = &f->items.items[f->items.item_count - 5];
    for (int i = 0; i < 4; i++)
        items[i].u.span.parent_id = outer;
    items[0].u.span.parent_id = items[1].u.span.span_id;
}

static void add_marked(struct fixtures *f)
{
    static const struct {
        const char *name;
        uint32_t flags;
    } marked[] = {
        {"unfinished", MODEL_SPAN_UNFINISHED},
        {"begin lost", MODEL_SPAN_ORPHAN_END},
        {"remote parent", MODEL_SPAN_REMOTE_PARENT},
    };
    for (size_t i = 0; i < sizeof marked / sizeof *marked; i++) {
        struct model_span *s = span(f, marked[i].name);
        s->flags = marked[i].flags;
        s->parent_id = marked[i].flags == MODEL_SPAN_REMOTE_PARENT ? 0xfeedface : 0;
    }
    struct model_span *s = span(f, "clamped");
    s->flags = MODEL_SPAN_CLAMPED;
    s->end_ns = s->start_ns;
    s = span(f, "status ok");
    s->status = ORIEL_STATUS_OK;
}

static void add_async(struct fixtures *f)
{
    struct model_span *s = span(f, "async");
    const struct model_busy busy[] = {
        {f->main, s->start_ns + 100, s->start_ns + 200},
        {f->worker, s->start_ns + 1000, s->start_ns + 1500},
    };
    s->flags = MODEL_SPAN_ASYNC | MODEL_SPAN_ROOT;
    s->end_thread = f->worker;
    s->busy = KEEP(f, busy);
    s->busy_count = 2;
    s->busy_ns = 600;
    s = span(f, "async that never ran");
    s->flags = MODEL_SPAN_ASYNC;
    s->busy_ns = 0;
    s = span(f, "external");
    s->flags = MODEL_SPAN_EXTERNAL;
    /* overlaps the one before, which no thread's own slices may */
    s->start_ns -= STEP_NS;
    s = span(f, "ended elsewhere");
    s->end_thread = f->worker;
    s->start_ns -= 2 * STEP_NS;
}

static void add_links(struct fixtures *f)
{
    struct model_span *a = span(f, "linked to");
    uint64_t target = a->span_id;
    struct model_link links[2] = {
        {.span_id = target, .follows_from = true, .flags = 1 | ORIEL_CONTEXT_ORIGIN_KNOWN},
        {.span_id = 0x1234567890abcdef,
         .flags = 2 | ORIEL_CONTEXT_ORIGIN_KNOWN | ORIEL_CONTEXT_IS_REMOTE,
         .trace_state = text("linked=1")},
    };
    memset(links[0].trace_id, 0x11, 16);
    memset(links[1].trace_id, 0x22, 16);
    struct model_span *b = span(f, "links");
    b->thread = b->end_thread = f->worker;
    b->links = KEEP(f, links);
    b->link_count = 2;
    /* Of traces that came from elsewhere. */
    for (unsigned i = 0; i < 4; i++) {
        struct model_span *s = span(f, "continued");
        s->trace_flags = (uint8_t)i;
        s->trace_state = text(i % 2 ? "vendor=a b,ot=th:8" : "k=\"v\\\"");
        s->flags |= i < 2 ? MODEL_SPAN_REMOTE_PARENT : 0;
    }
}

static void add_threads(struct fixtures *f)
{
    const struct model_site *s = simple_site(f, ORIEL_SITE_SPAN, "on a thread");
    span_at(f, s, f->other, 0, 10); /* the second process */
    span_at(f, s, f->again, 0, 10); /* a tid used twice */
    for (unsigned i = 0; i < 12; i++) {
        struct model_thread *t =
            need(model_catalog_add_thread(&f->catalog, 0, (int32_t)(300 + i), 100 + i));
        model_thread_set_name(&f->catalog, t, nasty_texts[i * 11 + 5]);
        span_at(f, s, t, 0, 10);
    }
}

/* ---- the rest ---- */

static void add_events(struct fixtures *f)
{
    const struct model_value values[] = {{.key = text("n"), .type = ORIEL_TYPE_I64, .v.i64 = 7}};
    for (int i = 0; i < 6; i++) { /* one per level, by the number of its site */
        struct model_item *it = item(f, MODEL_ITEM_EVENT);
        it->u.event = (struct model_event){.t_ns = it->t_ns,
                                           .thread = f->worker,
                                           .message = text("a formatted message"),
                                           .site = simple_site(f, ORIEL_SITE_EVENT, "event"),
                                           .span_id = f->next_id,
                                           .attrs = KEEP(f, values),
                                           .attr_count = 1,
                                           .dropped_attrs = i == 0 ? 3 : 0};
        it->u.event.trace_flags = i % 4;
        memset(it->u.event.trace_id, 0x77, 16);
    }
}

static void add_plots(struct fixtures *f)
{
    uint32_t n;
    const struct model_value *values = extremes(f, &n);
    for (uint32_t i = 0; i < n; i++) {
        char name[32];
        if (values[i].type > ORIEL_TYPE_F64)
            continue;
        snprintf(name, sizeof name, "plot %u", i);
        const struct model_site *s = simple_site(f, ORIEL_SITE_PLOT, name);
        struct model_item *it = item(f, MODEL_ITEM_PLOT);
        it->u.plot = (struct model_plot){it->t_ns, s, f->main, values[i]};
        it = item(f, MODEL_ITEM_PLOT);
        it->u.plot = (struct model_plot){it->t_ns, s, f->worker, values[i]};
    }
}

static void add_frames_and_tasks(struct fixtures *f)
{
    const struct model_site *frame = simple_site(f, ORIEL_SITE_FRAME, "frame");
    const struct model_site *task = simple_site(f, ORIEL_SITE_TASK, "task");
    for (int i = 0; i < 3; i++) {
        struct model_item *it = item(f, MODEL_ITEM_FRAME);
        it->u.frame = (struct model_frame){it->t_ns, frame, f->main};
    }
    for (uint8_t op = ORIEL_TASK_SPAWN; op <= ORIEL_TASK_NAME; op++) {
        struct model_item *it = item(f, MODEL_ITEM_TASK);
        it->u.task = (struct model_task){.t_ns = it->t_ns,
                                         .task = UINT64_MAX - 5,
                                         .other = 17,
                                         .span_id = f->next_id,
                                         .site = task,
                                         .thread = op == ORIEL_TASK_RESUME ? f->worker : f->main,
                                         .op = op};
    }
}

static void add_losses(struct fixtures *f)
{
    for (uint32_t cause = 0; cause < ORIEL_LOST_CAUSES; cause++) {
        struct model_item *it = item(f, MODEL_ITEM_LOSS);
        it->u.loss = (struct model_loss){it->t_ns - 500, it->t_ns, cause % 2 ? NULL : f->main,
                                         1000 + cause, cause};
    }
}

/* ---- records ---- */

/* What of an item a record can hold: begin with its values, or an event. */
static void add_record(struct fixtures *f, const struct model_site *like,
                       const struct model_value *v, uint32_t n, uint64_t position)
{
    struct model_field_def fields[64];
    uint8_t types[64];
    uint64_t words[1200] = {0};
    size_t at = 2;
    struct model_site s = *like;
    for (uint32_t i = 0; i < n; i++) {
        fields[i] = (struct model_field_def){.name = v[i].key, .type = v[i].type};
        types[i] = v[i].type;
        if (v[i].type == ORIEL_TYPE_STR || v[i].type == ORIEL_TYPE_BYTES) {
            uint32_t stored = v[i].v.str.n < 4096 ? v[i].v.str.n : 4096;
            words[at++] = stored | (uint64_t)v[i].v.str.n << 32;
            memcpy(&words[at], v[i].v.str.p, stored);
            at += (stored + 7) / 8;
        } else {
            words[at++] = v[i].type == ORIEL_TYPE_BOOL ? v[i].v.b : v[i].v.u64;
        }
    }
    s.id = 10000 + f->catalog.site_count;
    s.kind = ORIEL_SITE_EVENT;
    s.field_count = (uint16_t)n;
    s.fields = fields;
    s.types = types;
    struct model_record *r = need(model_batch_add_record(&f->records));
    r->site = need(model_catalog_add_site(&f->catalog, &s));
    words[0] = ORIEL_RECORD_HEADER(at, ORIEL_REC_EVENT, 0, r->site->id);
    words[1] = FIXTURES_START + position;
    r->raw = keep(f, words, at * 8);
    r->words = (uint16_t)at;
    r->type = ORIEL_REC_EVENT;
    r->t_ns = words[1];
    r->position = position;
    r->thread = f->main;
    r->stream = f->main->serial;
}

static void add_records(struct fixtures *f)
{
    uint64_t position = 64;
    for (size_t i = 0; i < f->items.item_count; i++) {
        const struct model_item *it = &f->items.items[i];
        const struct model_event *e = &it->u.event;
        if (it->kind != MODEL_ITEM_EVENT || e->attr_count > 64)
            continue;
        add_record(f, e->site, e->attrs, e->attr_count, position);
        position += f->records.records[f->records.record_count - 1].words * 8u;
    }
}

/* ---- all of it ---- */

static void make_catalog(struct fixtures *f)
{
    struct model_catalog *c = &f->catalog;
    model_catalog_init(c);
    c->start_ns = FIXTURES_START;
    for (unsigned i = 0; i < 16; i++)
        c->session_id[i] = (uint8_t)(0xa0 + i);
    struct model_process *p = need(model_catalog_add_process(
        c, 100, text("/usr/bin/program"), (struct model_str){"program\0--flag", 14}));
    p->start_ns = FIXTURES_START - 1000;
    need(model_catalog_add_process(c, 100, text("/usr/bin/second"), text("second")));
    struct model_thread *main_thread = model_catalog_add_thread(c, 0, 100, 1);
    struct model_thread *worker = model_catalog_add_thread(c, 0, 101, 2);
    f->main = need(main_thread);
    f->worker = need(worker);
    f->other = need(model_catalog_add_thread(c, 1, 100, 3));
    f->again = need(model_catalog_add_thread(c, 0, 101, 4));
    model_thread_set_name(c, main_thread, text("main"));
    model_thread_set_name(c, worker, text("worker"));
    model_catalog_set_resource(c, text("host.name"), text("box"));
    model_catalog_set_resource(c, text("nasty"), text("a\"b\n\xff"));
}

static void start(struct fixtures *f)
{
    memset(f, 0, sizeof *f);
    arena_init(&f->arena);
    make_catalog(f);
    model_batch_init(&f->items, &f->catalog);
    model_batch_init(&f->records, &f->catalog);
    model_batch_init(&f->samples, &f->catalog);
    f->t = FIXTURES_START + 100 * STEP_NS;
}

void fixtures_make_texts(struct fixtures *f)
{
    enum { TEXTS = 10000 };
    start(f);
    add_nasty(f, TEXTS);
    add_records(f);
}

void fixtures_make(struct fixtures *f)
{
    start(f);
    add_values(f);
    add_nested(f);
    add_marked(f);
    add_async(f);
    add_links(f);
    add_threads(f);
    add_events(f);
    add_plots(f);
    add_frames_and_tasks(f);
    add_losses(f);
    add_cut(f);
    add_big(f);
    add_nasty(f, nasty_total());
    add_records(f);
    fixtures_make_samples(f);
}

void fixtures_done(struct fixtures *f)
{
    model_batch_done(&f->items);
    model_batch_done(&f->records);
    model_batch_done(&f->samples);
    model_catalog_done(&f->catalog);
    arena_done(&f->arena);
}
