/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The args object of an event: ids, attributes, marks. Numbers stay numbers
 * with all their digits; unsigned ones beyond INT64_MAX become text, because
 * Perfetto reads such a number as -1; NaN and infinities have no JSON and
 * become text too. Runs on one thread.
 */
#include <assert.h>

#include "export/chrome/chrome.h"
#include "export/values.h"
#include "util/json.h"
#include "util/num.h"

static void put_key(struct buf *b, struct model_str key)
{
    buf_put(b, ",\"", 2);
    if (export_key_is_taken(key))
        JSON_PUT(b, EXPORT_KEY_PREFIX);
    json_put_escaped(b, key.p, key.n);
    buf_put(b, "\":", 2);
}

void chrome_put_u64(struct buf *b, uint64_t v)
{
    bool text = v > INT64_MAX;
    if (text)
        buf_putc(b, '"');
    json_put_u64(b, v);
    if (text)
        buf_putc(b, '"');
}

static void put_pointer(struct buf *b, uint64_t v)
{
    buf_printf(b, "\"0x%llx\"", (unsigned long long)v);
}

void chrome_put_value(struct buf *b, const struct model_value *v)
{
    switch (v->type) {
    case ORIEL_TYPE_BOOL:
        buf_puts(b, v->v.b ? "true" : "false");
        break;
    case ORIEL_TYPE_I64:
        json_put_i64(b, v->v.i64);
        break;
    case ORIEL_TYPE_U64:
        chrome_put_u64(b, v->v.u64);
        break;
    case ORIEL_TYPE_F64:
        export_put_double(b, v->v.f64);
        break;
    case ORIEL_TYPE_STR:
        json_put_string(b, v->v.str.p, v->v.str.n);
        break;
    case ORIEL_TYPE_BYTES:
        if (v->flags & MODEL_VALUE_REDACTED)
            json_put_string(b, v->v.str.p, v->v.str.n);
        else
            json_put_hex(b, v->v.str.p, v->v.str.n);
        break;
    case ORIEL_TYPE_PTR:
        put_pointer(b, v->v.u64);
        break;
    default: /* a type of a newer writer */
        JSON_PUT(b, "null");
    }
}

/* ,"oriel.truncated":{"key":bytes before truncation,...} */
static void put_truncated(struct buf *b, const struct model_value *attrs, uint32_t n)
{
    bool any = false;
    for (uint32_t i = 0; i < n; i++) {
        if (!(attrs[i].flags & MODEL_VALUE_TRUNCATED))
            continue;
        if (any)
            buf_putc(b, ',');
        else
            JSON_PUT(b, ",\"oriel.truncated\":{");
        any = true;
        json_put_string(b, attrs[i].key.p, attrs[i].key.n);
        buf_putc(b, ':');
        json_put_u64(b, attrs[i].full_bytes);
    }
    if (any)
        buf_putc(b, '}');
}

void chrome_put_attrs(struct buf *b, const struct model_value *attrs, uint32_t n)
{
    unsigned flags = 0;
    assert(n == 0 || attrs);
    for (uint32_t i = 0; i < n; i++) {
        put_key(b, attrs[i].key);
        chrome_put_value(b, &attrs[i]);
        flags |= attrs[i].flags;
    }
    if (flags & MODEL_VALUE_TRUNCATED)
        put_truncated(b, attrs, n);
}

static void put_links(struct buf *b, const struct model_span *s)
{
    char trace[33], span[17];
    JSON_PUT(b, ",\"links\":[");
    for (uint32_t i = 0; i < s->link_count; i++) {
        const struct model_link *l = &s->links[i];
        model_trace_hex(l->trace_id, trace);
        model_span_hex(l->span_id, span);
        buf_printf(b, "%s{\"trace_id\":\"%s\",\"span_id\":\"%s\",\"kind\":\"%s\"}", i ? "," : "",
                   trace, span, l->follows_from ? "follows_from" : "link");
    }
    JSON_PUT(b, "]");
}

static void put_count(struct buf *b, const char *key, uint64_t n)
{
    if (n)
        buf_printf(b, ",\"%s\":%llu", key, (unsigned long long)n);
}

static void put_flags(struct buf *b, uint32_t flags)
{
    static const struct {
        uint32_t flag;
        const char *member;
    } marks[] = {
        {MODEL_SPAN_UNFINISHED, ",\"oriel.unfinished\":true"},
        {MODEL_SPAN_CLAMPED, ",\"oriel.clamped\":true"},
        {MODEL_SPAN_REMOTE_PARENT, ",\"oriel.remote_parent\":true"},
        {MODEL_SPAN_ORPHAN_END, ",\"oriel.begin_lost\":true"},
        {MODEL_SPAN_EXTERNAL, ",\"oriel.external\":true"},
    };
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (flags & marks[i].flag)
            buf_puts(b, marks[i].member);
}

void chrome_put_span_marks(struct chrome *c, const struct model_span *s)
{
    struct buf *b = &c->buf;
    put_flags(b, s->flags);
    if (s->flags & MODEL_SPAN_ASYNC)
        buf_printf(b, ",\"oriel.busy_ns\":%llu", (unsigned long long)s->busy_ns);
    if (s->start_ns < c->base_ns)
        put_count(b, "oriel.before_start_ns", c->base_ns - s->start_ns);
    if (s->status != ORIEL_STATUS_UNSET)
        buf_printf(b, ",\"otel.status_code\":\"%s\"",
                   s->status == ORIEL_STATUS_ERROR ? "ERROR" : "OK");
    if (s->status_message.n) {
        JSON_PUT(b, ",\"otel.status_description\":");
        json_put_string(b, s->status_message.p, s->status_message.n);
    }
    put_count(b, "otel.dropped_attributes_count", s->dropped_attrs);
    put_count(b, "otel.dropped_events_count", s->dropped_events);
    put_count(b, "otel.dropped_links_count", s->dropped_links);
    if (s->link_count)
        put_links(b, s);
}
