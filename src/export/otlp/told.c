/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What programs of other makes sent to `oriel collect`, given back: the fields as
 * they came, nothing of ours beside them. What a record has no word for are values
 * of it, marked ORIEL_FIELD_META. Pure.
 */
#include "export/otlp/otlp.h"

enum { /* of Span */
       TRACE_ID = 1,
       SPAN_ID = 2,
       TRACE_STATE = 3,
       PARENT_SPAN_ID = 4,
       KIND = 6,
       START = 7,
       END = 8,
       ATTRIBUTES = 9,
       DROPPED_ATTRIBUTES = 10,
       DROPPED_EVENTS = 12,
       DROPPED_LINKS = 14,
       FLAGS = 16
};
enum { LINK_ATTRIBUTES = 4, LINK_DROPPED = 5, LINK_FLAGS = 6 };
enum { KIND_INTERNAL = 1 };
enum { EVENTS = 11, EVENT_TIME = 1, EVENT_NAME = 2, EVENT_ATTRIBUTES = 3, EVENT_DROPPED = 4 };
enum { /* of LogRecord */
       LOG_TIME = 1,
       SEVERITY_NUMBER = 2,
       SEVERITY_TEXT = 3,
       BODY = 5,
       LOG_ATTRIBUTES = 6,
       LOG_DROPPED = 7,
       LOG_FLAGS = 8,
       LOG_TRACE_ID = 9,
       LOG_SPAN_ID = 10,
       OBSERVED_TIME = 11
};

struct values {
    const struct model_value *items;
    uint32_t count;
};

static const struct model_value *meta(struct values v, const char *key)
{
    for (uint32_t i = 0; i < v.count; i++)
        if (v.items[i].flags & ORIEL_FIELD_META && model_str_equal(v.items[i].key, put_str(key)))
            return &v.items[i];
    return NULL;
}

static uint64_t meta_u64(struct values v, const char *key, uint64_t fallback)
{
    const struct model_value *found = meta(v, key);
    return found && found->type == ORIEL_TYPE_U64 ? found->v.u64 : fallback;
}

static void put_meta_text(struct put *w, uint32_t field, const char *name, struct values v,
                          const char *key)
{
    const struct model_value *found = meta(v, key);
    if (found && found->type == ORIEL_TYPE_STR)
        put_text(w, field, name, found->v.str);
}

static void put_count(struct put *w, uint32_t field, const char *name, uint64_t n)
{
    if (n)
        put_u32(w, field, name, n < UINT32_MAX ? (uint32_t)n : UINT32_MAX);
}

/* How many are left out by the limit (-1: none is). */
static uint32_t put_values(struct put *w, uint32_t field, struct values v, int64_t limit)
{
    uint32_t out = 0;
    put_list(w, "attributes");
    for (uint32_t i = 0; i < v.count; i++) {
        if (v.items[i].flags & ORIEL_FIELD_META)
            continue;
        if (limit == 0) {
            out++;
            continue;
        }
        limit -= limit > 0;
        otlp_attr(w, field, &v.items[i]);
    }
    put_list_end(w);
    return out;
}

static uint64_t dropped_of(struct values v, uint32_t dropped, uint32_t out)
{
    return meta_u64(v, "otel.dropped_attributes_count", 0) + dropped + out;
}

void otlp_put_told(struct put *w, const struct model_told *told, uint32_t field, uint32_t dropped)
{
    const struct values v = {told->attrs, told->attr_count};
    put_values(w, field, v, -1);
    put_count(w, dropped, "droppedAttributesCount", told->dropped_attrs);
}

/* The name of a site, of which the attributes that follow are already open. */
static void put_name(struct put *w, uint32_t field, const char *name, struct model_str text)
{
    if (text.n)
        put_text(w, field, name, text);
}

/* ---- spans ---- */

static uint32_t kind_of(struct values v)
{
    static const char *const kinds[] = {"unspecified", "internal", "server",
                                        "client",      "producer", "consumer"};
    const struct model_value *kind = meta(v, "otel.kind");
    for (uint32_t k = 0; kind && kind->type == ORIEL_TYPE_STR && k < 6; k++)
        if (model_str_equal(kind->v.str, put_str(kinds[k])))
            return k;
    return KIND_INTERNAL;
}

static void put_link_rest(struct put *w, const struct model_link *l, const struct otlp_options *o)
{
    const struct values v = {l->attrs, l->attr_count};
    put_meta_text(w, TRACE_STATE, "traceState", v, "otel.trace_state");
    uint32_t out = put_values(w, LINK_ATTRIBUTES, v, o->link_attribute_count);
    put_count(w, LINK_DROPPED, "droppedAttributesCount", dropped_of(v, 0, out));
    if (l->flags)
        put_flags(w, LINK_FLAGS, l->flags);
}

static void put_details(struct otlp *o, struct put *w, const struct model_span *s, struct values v)
{
    uint64_t events = meta_u64(v, "otel.dropped_events_count", 0);
    if (o->options.span_events) {
        uint32_t there = otlp_held_take(o, s->span_id, w);
        events += s->event_count > there ? s->event_count - there : 0;
    } else {
        events += s->event_count;
    }
    put_count(w, DROPPED_EVENTS, "droppedEventsCount", events);
    uint64_t links = meta_u64(v, "otel.dropped_links_count", 0) + s->dropped_links;
    links += s->link_count ? otlp_put_links(w, s, &o->options, put_link_rest) : 0;
    put_count(w, DROPPED_LINKS, "droppedLinksCount", links);
}

void otlp_put_told_span(struct otlp *o, const struct model_span *s, const struct otlp_site *site)
{
    const struct values v = {s->attrs, s->attr_count};
    struct put w = otlp_put_limited(o, o->item, OTLP_TRACES);
    struct pb_mark m = put_open(&w, 2, NULL, 2);
    (void)site;
    put_id(&w, TRACE_ID, "traceId", s->trace_id, 16);
    put_id(&w, SPAN_ID, "spanId", &s->span_id, 8);
    put_meta_text(&w, TRACE_STATE, "traceState", v, "otel.trace_state");
    if (s->parent_id)
        put_id(&w, PARENT_SPAN_ID, "parentSpanId", &s->parent_id, 8);
    if (s->told_flags)
        put_flags(&w, FLAGS, s->told_flags);
    put_name(&w, 5, "name", model_span_name(s));
    put_count(&w, KIND, "kind", kind_of(v));
    put_fixed64(&w, START, "startTimeUnixNano", s->start_ns);
    put_fixed64(&w, END, "endTimeUnixNano", s->end_ns);
    uint32_t out = put_values(&w, ATTRIBUTES, v, o->options.of[OTLP_TRACES].attributes);
    put_count(&w, DROPPED_ATTRIBUTES, "droppedAttributesCount",
              dropped_of(v, s->dropped_attrs, out));
    put_details(o, &w, s, v);
    otlp_put_status(&w, s);
    put_close(&w, m);
}

void otlp_put_told_event(struct put *w, const struct model_event *e)
{
    const struct values v = {e->attrs, e->attr_count};
    struct pb_mark m = put_open(w, EVENTS, NULL, 2);
    put_fixed64(w, EVENT_TIME, "timeUnixNano", e->t_ns);
    put_name(w, EVENT_NAME, "name", e->site->name);
    put_values(w, EVENT_ATTRIBUTES, v, -1);
    put_count(w, EVENT_DROPPED, "droppedAttributesCount", dropped_of(v, e->dropped_attrs, 0));
    put_close(w, m);
}

/* ---- logs ---- */

static void put_severity(struct put *w, const struct model_event *e, struct values v)
{
    uint64_t told =
        meta_u64(v, "otel.severity_number", (uint64_t)model_level_severity(e->site->level));
    put_count(w, SEVERITY_NUMBER, "severityNumber", told);
    put_meta_text(w, SEVERITY_TEXT, "severityText", v, "otel.severity_text");
}

static void put_context(struct put *w, const struct model_event *e)
{
    static const uint8_t none[16];
    if (memcmp(e->trace_id, none, sizeof none) != 0)
        put_id(w, LOG_TRACE_ID, "traceId", e->trace_id, 16);
    if (e->span_id)
        put_id(w, LOG_SPAN_ID, "spanId", &e->span_id, 8);
    if (e->told_flags)
        put_flags(w, LOG_FLAGS, e->told_flags);
}

void otlp_put_told_log(struct otlp *o, const struct model_event *e, const struct otlp_site *site)
{
    const struct values v = {e->attrs, e->attr_count};
    const struct model_value *body = meta(v, "otel.body");
    struct put w = otlp_put_limited(o, o->item, OTLP_LOGS);
    struct pb_mark m = put_open(&w, 2, NULL, 2);
    (void)site;
    uint64_t time = meta_u64(v, "otel.time", e->t_ns);
    uint64_t observed = meta_u64(v, "otel.observed_time", e->t_ns);
    if (time)
        put_fixed64(&w, LOG_TIME, "timeUnixNano", time);
    if (observed)
        put_fixed64(&w, OBSERVED_TIME, "observedTimeUnixNano", observed);
    put_severity(&w, e, v);
    if (body)
        otlp_any(&w, BODY, "body", body);
    put_name(&w, 12, "eventName", e->site->name);
    uint32_t out = put_values(&w, LOG_ATTRIBUTES, v, o->options.of[OTLP_LOGS].attributes);
    put_count(&w, LOG_DROPPED, "droppedAttributesCount", dropped_of(v, e->dropped_attrs, out));
    put_context(&w, e);
    put_close(&w, m);
}
