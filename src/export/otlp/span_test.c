/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Spans of the OTLP outlet: those that are encoded many at once are the same, byte for byte, as
 * if they had come one by one. */
#include "random.h"
#include "export/otlp/test_taken.h"

extern const struct exporter export_otlp;

/* Messages one behind the other, with what is told of each. */
struct kept {
    struct out base;
    struct buf all;
};

static int keep(struct out *o, const struct out_message *m)
{
    struct kept *k = (struct kept *)o;
    CHECK_EQ(items_of(m), m->items);
    buf_printf(&k->all, "<%llu %llu %zu>", (unsigned long long)m->items,
               (unsigned long long)m->seen, m->n);
    buf_put(&k->all, m->bytes, m->n);
    return 0;
}
static void lose_nothing(struct out *o, struct out_fate *out)
{
    (void)o;
    (void)out;
}
static const struct out_ops keeping = {.message = keep, .fate = lose_nothing};

enum { MIXED_SITES = 2 * OTLP_TAILS, MIXED = 1500 };

/* Mostly plain ones, of so many sites that two of them want one place for their tails. */
static void tell_mixed(struct fixture *f, struct model_site **sites)
{
    static char text[17000];
    memset(text, 'x', sizeof text);
    const struct model_value attrs[] = {
        {.key = MODEL_STR("a"), .type = ORIEL_TYPE_I64, .v.i64 = -12345},
        {.key = MODEL_STR("http.request.method"),
         .type = ORIEL_TYPE_STR,
         .v.str = MODEL_STR("GET")},
        {.key = MODEL_STR("\xc3\xa4"), .type = ORIEL_TYPE_STR, .v.str = {text, 700}},
        {.key = MODEL_STR("ratio"), .type = ORIEL_TYPE_F64, .v.f64 = 0.3},
        {.key = MODEL_STR("a.name.of.more.than.26.bytes"),
         .type = ORIEL_TYPE_U64,
         .v.u64 = 1 << 20},
        {.key = MODEL_STR("hot"), .type = ORIEL_TYPE_BOOL, .v.b = true},
        {.key = MODEL_STR("otel.kind"), .type = ORIEL_TYPE_STR, .v.str = MODEL_STR("server")},
        {.key = MODEL_STR("empty"), .type = ORIEL_TYPE_STR, .v.str = MODEL_STR("")},
        /* from here on not simple */
        {.key = MODEL_STR("thread.id"), .type = ORIEL_TYPE_U64, .v.u64 = 7},
        {.key = MODEL_STR("large"), .type = ORIEL_TYPE_U64, .v.u64 = UINT64_MAX},
        {.key = MODEL_STR("wrong"), .type = ORIEL_TYPE_STR, .v.str = MODEL_STR("a\xff")},
        {.key = MODEL_STR("list"),
         .type = ORIEL_TYPE_STR,
         .flags = ORIEL_FIELD_NESTED,
         .v.str = MODEL_STR("[1,2]")},
        {.key = MODEL_STR("at"), .type = ORIEL_TYPE_PTR, .v.u64 = 4096},
        {.key = MODEL_STR("long"), .type = ORIEL_TYPE_STR, .v.str = {text, sizeof text}},
    };
    const struct model_str states[] = {MODEL_STR("ot=th:e6666666666666"),
                                       MODEL_STR("a=b"),
                                       {text, 63}, /* no longer than that */
                                       {text, 64},
                                       MODEL_STR("a=\xff"
                                                 "234567"),
                                       MODEL_STR("a=1234567\xe4")};
    enum { STATES = sizeof states / sizeof *states };
    enum { SIMPLE = 8, KINDS = sizeof attrs / sizeof *attrs };
    struct model_value *own = arena_alloc(&f->batch.arena, sizeof attrs, _Alignof(uint64_t));
    uint64_t seed = 12345;
    memcpy(own, attrs, sizeof attrs);
    for (uint64_t id = 1; id <= MIXED; id++) {
        const uint64_t pick = random_next(&seed) >> 33,
                       site = pick % 64 ? pick % 4 * 64 % MIXED_SITES + id / 300
                                        : pick / 64 % MIXED_SITES;
        struct model_span *s = fixture_span(f, sites[site], pick % 5 ? f->main : f->worker, id,
                                            pick % 3 ? id + 1 : 0, id, 2 * id);
        s->flags |= pick % 7 == 0 ? MODEL_SPAN_REMOTE_PARENT : 0;
        s->flags |= pick % 101 == 0 ? MODEL_SPAN_CLAMPED : 0;
        s->attrs = own + pick / 8 % (pick % 19 ? SIMPLE : KINDS);
        s->attr_count = pick % 2 * (uint32_t)(pick / 64 % (uint64_t)(own + KINDS - s->attrs));
        if (pick % 19 && s->attrs + s->attr_count > own + SIMPLE)
            s->attr_count = (uint32_t)(own + SIMPLE - s->attrs);
        s->status = pick % 103 == 0 ? ORIEL_STATUS_ERROR : ORIEL_STATUS_UNSET;
        s->event_count = s->dropped_events = pick % 107 == 0;
        s->thread = pick % 109 ? s->thread : NULL;
        if (pick % 3 == 0)
            s->trace_state = states[pick / 256 % (pick % 23 ? 2 : STATES)];
    }
}

/* All requests for them. `one_by_one`: the map of events seems to know each span, so that none
 * takes the short way. */
static void send_mixed(struct buf *out, const struct otlp_options *options, bool one_by_one)
{
    struct fixture f;
    struct kept k = {.base.ops = &keeping};
    struct model_site *sites[MIXED_SITES];
    struct oriel_err err = {0};
    buf_init(&k.all);
    fixture_init(&f);
    for (unsigned i = 0; i < MIXED_SITES; i++) {
        sites[i] = fixture_site(&f, ORIEL_SITE_SPAN, i % 3 ? "work" : "play",
                                i % 50 == 49 ? "other" : "demo");
        sites[i]->flags = i % 9 == 0 ? ORIEL_SITE_SEEN : 0;
    }
    tell_mixed(&f, sites);
    fixture_open_to(&f, &export_otlp, options, &k.base);
    struct otlp *o = f.state;
    for (int round = 0; round < 2; round++) {
        for (uint64_t id = 1; one_by_one && id <= MIXED; id++)
            REQUIRE(VEC_PUSH(&o->held.spans) &&
                    map_put(&o->held.by_span, id, o->held.spans.count - 1));
        CHECK_EQ(f.exporter->write(f.state, &f.batch, &err), 0);
        model_thread_set_name(&f.catalog, f.worker, MODEL_STR("renamed"));
    }
    CHECK_EQ(f.exporter->flush(f.state, &err), 0);
    CHECK_EQ(o->held.by_span.count, 0);
    CHECK_EQ(f.exporter->unwritten(f.state), 0);
    end(&f);
    *out = k.all;
}

TEST(plain_spans_are_written_as_any_others)
{
    static const struct {
        int64_t batch;
        uint64_t max_bytes;
        struct otlp_limits of;
    } limits[] = {{512, 4 << 20, {-1, -1}}, {7, 4 << 20, {-1, -1}}, {2, 4 << 20, {-1, -1}},
                  {512, 5000, {-1, -1}},    {100, 700, {-1, -1}},   {512, 4 << 20, {1, 2}}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct otlp_options o = to_receiver(OTLP_GRPC);
        struct buf fast, slow;
        o.batch = limits[i].batch;
        o.max_bytes = limits[i].max_bytes;
        o.of[OTLP_TRACES] = limits[i].of;
        send_mixed(&fast, &o, false);
        send_mixed(&slow, &o, true);
        CHECK(fast.size > (size_t)2 * MIXED * 100);
        REQUIRE(fast.size == slow.size && !fast.failed && !slow.failed);
        CHECK(memcmp(fast.data, slow.data, fast.size) == 0);
        buf_done(&fast);
        buf_done(&slow);
    }
}

TEST(memory_that_ends_in_a_run_of_plain_spans_costs_single_ones)
{
    unsigned failed = 0;
    for (uint64_t n = 1; n < 60; n++) {
        struct fixture f;
        struct taken t = {.base.ops = &taking_whole};
        struct otlp_options o = to_receiver(OTLP_GRPC);
        struct oriel_err err = {0};
        fixture_init(&f);
        for (int i = 0; i < 20; i++)
            tell_scopes(&f, i % 3 == 0);
        fixture_open_to(&f, &export_otlp, &o, &t.base);
        mem_fail_after(n);
        int rc = f.exporter->write(f.state, &f.batch, &err);
        mem_fail_after(0);
        const uint64_t lost = f.exporter->unwritten(f.state);
        failed += rc < 0;
        CHECK_EQ(rc<0, lost> 0);
        CHECK_EQ(f.exporter->flush(f.state, &err), 0);
        CHECK_EQ(t.items + lost, 20 * 8);
        end(&f);
    }
    CHECK(failed > 3);
}

TEST(a_run_of_plain_spans_takes_the_short_way)
{
    struct fixture f;
    struct taken t = {.base.ops = &taking_whole};
    struct otlp_options o = to_receiver(OTLP_GRPC);
    fixture_init(&f);
    tell_scopes(&f, false);
    fixture_open_to(&f, &export_otlp, &o, &t.base);
    CHECK_EQ(otlp_add_plain(f.state, f.batch.items, 8), 0); /* nothing is open yet */
    CHECK_EQ(f.exporter->write(f.state, &f.batch, NULL), 0);
    CHECK_EQ(otlp_add_plain(f.state, f.batch.items, 8), 8);
    f.batch.items[5].u.span.link_count = 1;
    f.batch.items[6].kind = MODEL_ITEM_FRAME;
    CHECK_EQ(otlp_add_plain(f.state, f.batch.items, 8), 5);
    CHECK_EQ(otlp_add_plain(f.state, f.batch.items + 5, 3), 0);
    CHECK_EQ(otlp_add_plain(f.state, f.batch.items + 6, 2), 0);
    CHECK_EQ(otlp_add_plain(f.state, f.batch.items + 7, 1), 1);
    CHECK_EQ(f.exporter->flush(f.state, NULL), 0);
    CHECK_EQ(t.last.items, 8 + 8 + 5 + 1);
    end(&f);
}

TEST_MAIN()
