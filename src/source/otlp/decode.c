/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From a request that was checked to what it tells: spans with their events, links
 * and status, log records; how many there are is never known before, so it goes on
 * where the batch was full. docs/COLLECT.md says what becomes what. One thread.
 */
#include "source/otlp/otlp.h"

#include <assert.h>
#include <string.h>

enum { RESOURCE = 1, SCOPES = 2, SCHEMA_URL = 3 }; /* of ResourceSpans and ResourceLogs */
enum { SCOPE = 1, ITEMS = 2 };                     /* of ScopeSpans and ScopeLogs */
enum { SPAN_ATTRIBUTES = 9, LOG_ATTRIBUTES = 6 };
enum { SPAN_BYTES_LEAST = 2 + 16 + 2 + 8 }; /* both ids: millions of less are soon refused */
enum { KIND_INTERNAL = 1, STATUS_MESSAGE = 2, STATUS_CODE = 3 };

static struct model_str as_str(const struct pb_field *f)
{
    return (struct model_str){(const char *)f->bytes, (uint32_t)f->size};
}

static struct model_str find_text(struct pb_reader message, uint32_t number)
{
    struct pb_field f;
    return pb_find(message, number, &f) ? as_str(&f) : MODEL_STR("");
}

/* An id of 8 or 16 bytes into words, in memory order; false: not one, or all zero. */
static bool read_id(const struct pb_field *f, uint64_t *out, size_t words)
{
    uint64_t any = 0;
    if (f->size != words * 8)
        return false;
    memcpy(out, f->bytes, words * 8);
    for (size_t i = 0; i < words; i++)
        any |= out[i];
    return any != 0;
}

/* ---- spans ---- */

struct span_parts {
    uint64_t trace[2], span_id, parent_id, start, end, flags, code;
    uint64_t dropped_attrs, dropped_events, dropped_links, kind;
    struct model_str name, state, message;
    uint32_t attrs, events, links;
    bool valid_trace, valid_span;
};

static void read_status(struct span_parts *p, const struct pb_field *status)
{
    struct pb_reader r = pb_read_nested(status);
    struct pb_field f;
    while (pb_next(&r, &f)) {
        if (f.number == STATUS_MESSAGE)
            p->message = as_str(&f);
        else if (f.number == STATUS_CODE)
            p->code = f.value <= ORIEL_STATUS_ERROR ? f.value : ORIEL_STATUS_UNSET;
    }
}

static void read_span_field(struct otlp_decode *d, struct span_parts *p, const struct pb_field *f)
{
    switch (f->number) {
    case 1:
        p->valid_trace = read_id(f, p->trace, 2);
        break;
    case 2:
        p->valid_span = read_id(f, &p->span_id, 1);
        break;
    case 3:
        p->state = as_str(f);
        break;
    case 4:
        (void)read_id(f, &p->parent_id, 1);
        break;
    case 5:
        p->name = as_str(f);
        break;
    case 6:
        p->kind = f->value;
        break;
    case 7:
        p->start = f->value;
        break;
    case 8:
        p->end = f->value;
        break;
    case SPAN_ATTRIBUTES:
        p->attrs++;
        break;
    case 10:
        p->dropped_attrs = f->value;
        break;
    case 11:
        p->events++;
        break;
    case 12:
        p->dropped_events = f->value;
        break;
    case 13:
        p->links++;
        break;
    case 14:
        p->dropped_links = f->value;
        break;
    case 15:
        read_status(p, f);
        break;
    case 16:
        p->flags = f->value;
        break;
    default:
        break;
    }
}

/* What the protocol says of a span and a record has no word for. */
static void add_span_meta(struct otlp_values *v, const struct span_parts *p)
{
    static const char *const kinds[] = {"unspecified", "internal", "server",
                                        "client",      "producer", "consumer"};
    if (p->kind != KIND_INTERNAL && p->kind < sizeof kinds / sizeof *kinds)
        otlp_values_text(v, "otel.kind", kinds[p->kind], strlen(kinds[p->kind]));
    if (p->state.n)
        otlp_values_text(v, "otel.trace_state", p->state.p, p->state.n);
    uint64_t events = p->dropped_events, links = p->dropped_links;
    events += p->events > OTLP_DETAILS_MAX ? p->events - OTLP_DETAILS_MAX : 0;
    links += p->links > OTLP_DETAILS_MAX ? p->links - OTLP_DETAILS_MAX : 0;
    if (events)
        otlp_values_u64(v, "otel.dropped_events_count", events);
    if (links)
        otlp_values_u64(v, "otel.dropped_links_count", links);
}

static struct otlp_record record_of(const struct otlp_decode *d, uint8_t type, uint8_t kind,
                                    struct model_str name, const uint64_t *words, uint32_t prefix)
{
    return (struct otlp_record){.stream = d->lane,
                                .scope = d->scope_said,
                                .name = name,
                                .type = type,
                                .site_kind = kind,
                                .level = ORIEL_LEVEL_INFO,
                                .flags = ORIEL_RECF_HAS_TIME,
                                .site_flags = ORIEL_SITE_TOLD,
                                .prefix = prefix,
                                .words = words};
}

/* How many are dropped stands before them: outlets with room for fewer keep the first. */
static void add_attributes(struct otlp_values *v, const struct span_parts *p,
                           const struct pb_field *span)
{
    static const char key[] = "otel.dropped_attributes_count";
    struct pb_reader r = pb_read_nested(span);
    struct pb_field f;
    const uint32_t place = v->count;
    const bool some = p->dropped_attrs || p->attrs > OTLP_ATTRS_MAX - v->count;
    if (some)
        otlp_values_u64(v, key, 0);
    while (pb_next(&r, &f))
        if (f.number == SPAN_ATTRIBUTES)
            otlp_values_add(v, &f);
    const uint64_t dropped = v->dropped + p->dropped_attrs;
    if (some)
        v->items[place].v.u64 = dropped;
    else if (dropped) /* keys that are too long, of which none is kept: there is room */
        otlp_values_u64(v, key, dropped);
}

static bool tell_open(struct otlp_decode *d, struct otlp_tell *t, const struct pb_field *span,
                      const struct span_parts *p)
{
    struct otlp_values *v = &d->values;
    const uint64_t raw = oriel_id_unmix(p->span_id);
    const uint64_t open[] = {p->start, raw, p->parent_id, p->trace[0], p->trace[1], p->flags};
    const uint64_t set[] = {p->start, raw};
    uint32_t at = 0;
    otlp_values_begin(v, &t->batch->arena, t->text_max);
    add_span_meta(v, p);
    add_attributes(v, p, span);
    struct otlp_record o = record_of(d, ORIEL_REC_TOLD, ORIEL_SITE_SPAN, p->name, open, 7);
    if (!otlp_tell_record(t, &o, v, &at))
        return false;
    struct otlp_record s = record_of(d, ORIEL_REC_SET, ORIEL_SITE_SET, p->name, set, 3);
    while (at < v->count)
        if (!otlp_tell_record(t, &s, v, &at))
            return false;
    return true;
}

static bool tell_event(struct otlp_decode *d, struct otlp_tell *t, const struct pb_field *event,
                       uint64_t raw)
{
    struct pb_reader r = pb_read_nested(event);
    struct pb_field f;
    struct otlp_values *v = &d->values;
    struct model_str name = MODEL_STR("");
    uint64_t words[] = {0, raw};
    otlp_values_begin(v, &t->batch->arena, t->text_max);
    while (pb_next(&r, &f)) {
        if (f.number == 1)
            words[0] = f.value;
        else if (f.number == 2)
            name = as_str(&f);
        else if (f.number == 3)
            otlp_values_add(v, &f);
        else if (f.number == 4)
            v->dropped += f.value;
    }
    struct otlp_record e = record_of(d, ORIEL_REC_EVENT, ORIEL_SITE_EVENT, name, words, 3);
    e.flags |= ORIEL_RECF_HAS_SPAN;
    e.site_flags |= ORIEL_SITE_NAMED;
    t->span_events++;
    return otlp_tell_single(t, &e, v);
}

static bool tell_link(struct otlp_decode *d, struct otlp_tell *t, const struct pb_field *link,
                      uint64_t raw, uint64_t start)
{
    struct pb_reader r = pb_read_nested(link);
    struct pb_field f;
    struct otlp_values *v = &d->values;
    uint64_t words[] = {start, raw, 0, 0, 0, 0};
    otlp_values_begin(v, &t->batch->arena, t->text_max);
    while (pb_next(&r, &f)) {
        if (f.number == 1)
            (void)read_id(&f, words + 2, 2);
        else if (f.number == 2)
            (void)read_id(&f, words + 4, 1);
        else if (f.number == 3 && f.size)
            otlp_values_text(v, "otel.trace_state", f.bytes, f.size);
        else if (f.number == 4)
            otlp_values_add(v, &f);
        else if (f.number == 5)
            v->dropped += f.value;
        else if (f.number == 6)
            words[5] = f.value;
    }
    struct otlp_record l =
        record_of(d, ORIEL_REC_TOLD_LINK, ORIEL_SITE_SET, MODEL_STR("link"), words, 7);
    return otlp_tell_single(t, &l, v);
}

static bool tell_details(struct otlp_decode *d, struct otlp_tell *t, const struct pb_field *span,
                         const struct span_parts *p)
{
    struct pb_reader r = pb_read_nested(span);
    struct pb_field f;
    const uint64_t raw = oriel_id_unmix(p->span_id);
    uint32_t events = 0, links = 0;
    bool ok = true;
    while (ok && (p->events || p->links) && pb_next(&r, &f)) {
        if (f.number == 11 && events++ < OTLP_DETAILS_MAX)
            ok = tell_event(d, t, &f, raw);
        else if (f.number == 13 && links++ < OTLP_DETAILS_MAX)
            ok = tell_link(d, t, &f, raw, p->start);
    }
    return ok;
}

/* Status, where it says something, and the end. */
static bool tell_close(struct otlp_decode *d, struct otlp_tell *t, const struct span_parts *p)
{
    const uint64_t raw = oriel_id_unmix(p->span_id);
    const uint64_t status[] = {p->end, raw, p->code}, close[] = {p->end, raw};
    struct otlp_values *v = &d->values;
    uint32_t at = 0;
    otlp_values_begin(v, &t->batch->arena, t->text_max);
    if (p->code != ORIEL_STATUS_UNSET) {
        otlp_values_text(v, "", p->message.p, p->message.n);
        struct otlp_record s =
            record_of(d, ORIEL_REC_STATUS, ORIEL_SITE_SET, MODEL_STR(""), status, 4);
        if (!otlp_tell_record(t, &s, v, &at))
            return false;
    }
    v->count = 0;
    at = 0;
    struct otlp_record c = record_of(d, ORIEL_REC_CLOSE, ORIEL_SITE_SET, MODEL_STR(""), close, 3);
    return otlp_tell_record(t, &c, v, &at);
}

static bool tell_span(struct otlp_decode *d, struct otlp_tell *t, const struct pb_field *span,
                      enum otlp_cause *cause)
{
    struct span_parts p = {.message = MODEL_STR(""), .name = MODEL_STR("")};
    struct pb_reader r = pb_read_nested(span);
    struct pb_field f;
    while (pb_next(&r, &f))
        read_span_field(d, &p, &f);
    *cause = OTLP_NO_ID;
    if (!p.valid_trace || !p.valid_span)
        return false;
    *cause = OTLP_NO_MEMORY;
    if (!tell_open(d, t, span, &p) || !tell_details(d, t, span, &p) || !tell_close(d, t, &p))
        return false;
    t->spans++;
    return true;
}

/* ---- logs ---- */

struct log_parts {
    uint64_t time, observed, severity, flags, trace[2], span_id;
    struct model_str severity_text, event_name;
    struct pb_field body;
    bool has_body;
};

static void read_log_field(struct log_parts *p, const struct pb_field *f)
{
    switch (f->number) {
    case 1:
        p->time = f->value;
        break;
    case 2:
        p->severity = f->value;
        break;
    case 3:
        p->severity_text = as_str(f);
        break;
    case 5:
        p->body = *f;
        p->has_body = true;
        break;
    case 8:
        p->flags = f->value;
        break;
    case 9:
        if (!read_id(f, p->trace, 2))
            p->trace[0] = p->trace[1] = 0;
        break;
    case 10:
        if (!read_id(f, &p->span_id, 1))
            p->span_id = 0;
        break;
    case 11:
        p->observed = f->value;
        break;
    case 12:
        p->event_name = as_str(f);
        break;
    default:
        break;
    }
}

static uint8_t level_of(uint64_t severity)
{
    return severity == 0 || severity > 24 ? ORIEL_LEVEL_INFO : (uint8_t)((severity - 1) / 4 + 1);
}

/* How the body is shown: it is the first value. */
static struct model_str format_of(const struct otlp_values *v)
{
    if (!v->count)
        return MODEL_STR("");
    switch (v->items[0].type) {
    case ORIEL_TYPE_STR:
    case ORIEL_TYPE_BYTES:
        return MODEL_STR("%s");
    case ORIEL_TYPE_F64:
        return MODEL_STR("%g");
    default:
        return MODEL_STR("%lld");
    }
}

static void add_log_meta(struct otlp_values *v, const struct log_parts *p, uint8_t level)
{
    if (p->severity != (uint64_t)model_level_severity(level))
        otlp_values_u64(v, "otel.severity_number", p->severity);
    if (p->severity_text.n)
        otlp_values_text(v, "otel.severity_text", p->severity_text.p, p->severity_text.n);
    if (p->observed != p->time)
        otlp_values_u64(v, "otel.observed_time", p->observed);
    if (!p->time)
        otlp_values_u64(v, "otel.time", 0);
}

static const struct model_value *value_of(const struct otlp_values *v, const char *key)
{
    for (uint32_t i = 0; i < v->count; i++)
        if (model_str_equal(v->items[i].key, (struct model_str){key, (uint32_t)strlen(key)}))
            return &v->items[i];
    return NULL;
}

static bool is_said(const struct model_value *v, const char *text)
{
    return v && v->type == ORIEL_TYPE_STR &&
           model_str_equal(v->v.str, (struct model_str){text, (uint32_t)strlen(text)});
}

/* What a program with Oriel could not record it tells in a log record (export/otlp/log.c). */
static void count_lost(struct otlp_tell *t, const struct otlp_values *v)
{
    if (!v->count || !is_said(&v->items[0], "records lost"))
        return;
    const struct model_value *count = value_of(v, "count"), *cause = value_of(v, "cause");
    const struct model_value *remedy = value_of(v, "remedy");
    for (uint32_t i = 0; i < ORIEL_LOST_CAUSES; i++)
        if (count && count->type == ORIEL_TYPE_I64 && count->v.i64 > 0 &&
            is_said(cause, model_lost_text(i)) && is_said(remedy, model_lost_remedy(i)))
            t->lost[i] += (uint64_t)count->v.i64;
}

static bool tell_log(struct otlp_decode *d, struct otlp_tell *t, const struct pb_field *log,
                     enum otlp_cause *cause)
{
    struct log_parts p = {.event_name = MODEL_STR("")};
    struct otlp_values *v = &d->values;
    struct pb_reader r = pb_read_nested(log);
    struct pb_field f;
    while (pb_next(&r, &f))
        read_log_field(&p, &f);
    uint8_t level = level_of(p.severity);
    otlp_values_begin(v, &t->batch->arena, t->text_max);
    if (p.has_body)
        otlp_values_any(v, "otel.body", &p.body);
    struct model_str format = format_of(v);
    add_log_meta(v, &p, level);
    r = pb_read_nested(log);
    while (pb_next(&r, &f)) {
        if (f.number == 6)
            otlp_values_add(v, &f);
        else if (f.number == 7)
            v->dropped += f.value;
    }
    const uint64_t words[] = {p.time ? p.time : p.observed, p.trace[0], p.trace[1], p.span_id,
                              p.flags};
    struct otlp_record l =
        record_of(d, ORIEL_REC_TOLD_LOG, ORIEL_SITE_EVENT, p.event_name, words, 6);
    l.format = format;
    l.level = level;
    l.site_flags |= p.event_name.n ? ORIEL_SITE_NAMED : 0;
    *cause = OTLP_NO_MEMORY;
    if (!otlp_tell_single(t, &l, v))
        return false;
    t->logs++;
    count_lost(t, v);
    return true;
}

/* ---- metrics: counted, not kept ---- */

static uint64_t count_points(const struct otlp_message *m, struct pb_reader r)
{
    struct pb_field f;
    uint64_t n = 0;
    while (pb_next(&r, &f)) {
        const struct otlp_field *known = otlp_field_of(m, f.number);
        if (!known || known->type != OTLP_MESSAGE)
            continue;
        n += !known->message->fields->number ? 1 : count_points(known->message, pb_read_nested(&f));
    }
    return n;
}

/* ---- the walk ---- */

void otlp_decode_begin(struct otlp_decode *d, enum otlp_signal signal, const void *bytes, size_t n)
{
    d->signal = signal;
    d->request = pb_read(bytes, n);
    d->in_resource = d->in_scope = d->no_stream = false;
    d->items = d->rejected = 0;
}

static bool enter_resource(struct otlp_decode *d, struct otlp_tell *t)
{
    struct pb_field f, resource;
    do {
        if (!pb_next(&d->request, &f))
            return false;
    } while (f.number != 1);
    d->resource = pb_read_nested(&f);
    d->resource_schema = find_text(d->resource, SCHEMA_URL);
    bool said = pb_find(d->resource, RESOURCE, &resource);
    d->stream = otlp_tell_who(t, said ? &resource : NULL, d->resource_schema, &d->cause);
    d->no_stream = d->stream == UINT32_MAX;
    return d->in_resource = true;
}

static bool enter_scope(struct otlp_decode *d, struct otlp_tell *t)
{
    struct pb_field f, scope;
    do {
        if (!pb_next(&d->resource, &f))
            return d->in_resource = false;
    } while (f.number != SCOPES);
    d->scope = pb_read_nested(&f);
    d->scope_schema = find_text(d->scope, SCHEMA_URL);
    bool said = pb_find(d->scope, SCOPE, &scope);
    d->scope_said = d->no_stream ? NULL : otlp_tell_scope(t, said ? &scope : NULL, d->scope_schema);
    return d->in_scope = true;
}

static void tell_item(struct otlp_decode *d, struct otlp_tell *t, const struct pb_field *item)
{
    enum otlp_cause cause = d->no_stream ? d->cause : OTLP_NO_MEMORY;
    const bool too_short = d->signal == OTLP_TRACES && item->size < SPAN_BYTES_LEAST;
    bool told = false;
    if (too_short && !d->no_stream) {
        d->rejected++;
        t->refused[OTLP_NO_ID]++;
        return;
    }
    if (!d->no_stream)
        d->lane = otlp_tell_lane(t, d->stream, item,
                                 d->signal == OTLP_TRACES ? SPAN_ATTRIBUTES : LOG_ATTRIBUTES);
    if (!d->no_stream && d->scope_said)
        told =
            d->signal == OTLP_TRACES ? tell_span(d, t, item, &cause) : tell_log(d, t, item, &cause);
    d->items += told;
    d->rejected += !told;
    t->refused[cause] += !told;
}

int otlp_decode_run(struct otlp_decode *d, struct otlp_tell *t, size_t max_records)
{
    struct pb_field f;
    assert(t->batch);
    if (d->signal == OTLP_METRICS) {
        d->rejected = count_points(&otlp_requests[OTLP_METRICS], d->request);
        t->refused[OTLP_METRIC] += d->rejected;
        return 1;
    }
    while (t->batch->record_count < max_records) {
        if (!d->in_resource && !enter_resource(d, t))
            return 1;
        if (!d->in_scope && !enter_scope(d, t))
            continue;
        if (!pb_next(&d->scope, &f))
            d->in_scope = false;
        else if (f.number == ITEMS)
            tell_item(d, t, &f);
    }
    return 0;
}
