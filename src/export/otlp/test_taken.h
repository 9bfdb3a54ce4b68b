/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For tests of the OTLP outlet: a receiver that keeps what it gets, and what to give. Header
 * only. */
#ifndef ORIEL_EXPORT_OTLP_TEST_TAKEN_H
#define ORIEL_EXPORT_OTLP_TEST_TAKEN_H

#include "export/otlp/otlp.h"
#include "export/test_fixture.h"

static const struct otlp_options json = {.span_events = true,
                                         .source = true,
                                         .batch = 512,
                                         .max_bytes = 4 << 20,
                                         .of = {{-1, -1}, {-1, -1}},
                                         .event_count = -1,
                                         .link_count = -1,
                                         .event_attribute_count = -1,
                                         .link_attribute_count = -1};

/* An out that keeps messages as they come, and can be told to lose or to refuse them. */
struct taken {
    struct out base;
    struct out_message first, last;
    uint64_t messages, items, seen, lost;
    int refuse;
    char text[4000];  /* of the last one */
    char whole[4000]; /* its first bytes as they are */
};

static inline int take(struct out *o, const struct out_message *m)
{
    struct taken *t = (struct taken *)o;
    if (t->refuse)
        return t->refuse;
    t->first = t->messages ? t->first : *m;
    t->last = *m;
    t->messages++;
    t->items += m->items;
    t->seen += m->seen;
    snprintf(t->text, sizeof t->text, "%.*s", (int)m->n, (const char *)m->bytes);
    memcpy(t->whole, m->bytes, m->n < sizeof t->whole ? m->n : sizeof t->whole);
    return 0;
}

static inline void tell_fate(struct out *o, struct out_fate *out)
{
    out->lost = ((struct taken *)o)->lost;
    out->lost_seen = out->lost / 2;
}

static const struct out_ops taking = {.message = take, .fate = tell_fate};

static inline struct otlp_options to_receiver(int protocol)
{
    struct otlp_options o = json;
    o.protocol = protocol;
    o.delay[OTLP_TRACES] = 5000;
    o.delay[OTLP_LOGS] = 1000;
    return o;
}

static inline void end(struct fixture *f)
{
    const struct export_summary summary = {0};
    struct oriel_err err = {0};
    CHECK_EQ(f->exporter->close(f->state, &summary, &err), 0);
    free(f->state);
    fixture_done(f);
}

/* Items in a protobuf request, as far as it is whole: fields 1, 2 and 2, one in the other. */
static inline uint64_t items_of(const struct out_message *m)
{
    struct pb_field resource, scope, item;
    uint64_t n = 0;
    struct pb_reader r = pb_read(m->bytes, m->n);
    while (pb_next(&r, &resource)) {
        struct pb_reader inside = pb_read_nested(&resource);
        while (pb_next(&inside, &scope)) {
            struct pb_reader items = pb_read_nested(&scope);
            while (scope.number == 2 && pb_next(&items, &item))
                n += item.number == 2;
            CHECK(!items.failed);
        }
        CHECK(!inside.failed);
    }
    CHECK(!r.failed);
    return n;
}

static inline int take_whole(struct out *o, const struct out_message *m)
{
    CHECK_EQ(items_of(m), m->items);
    return take(o, m);
}
static const struct out_ops taking_whole = {.message = take_whole, .fate = tell_fate};

/* Eight spans of one scope; in the second round of two. */
static inline void tell_scopes(struct fixture *f, bool two)
{
    const struct model_site *site = fixture_site(f, ORIEL_SITE_SPAN, "work", "demo");
    const struct model_site *other = fixture_site(f, ORIEL_SITE_SPAN, "play", "other");
    for (uint64_t id = 1; id <= 8; id++)
        fixture_span(f, two && id > 4 ? other : site, f->main, id, id > 1, 0, 5);
}

#endif
