/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Debug annotations: typed values under interned names for what the program
 * said, under names in place for the rare marks of ours. Runs on one thread.
 */
#include <assert.h>

#include "export/perfetto/perfetto.h"
#include "export/values.h"
#include "util/num.h"

/* ---- attributes ---- */

static void put_hex(struct buf *b, uint32_t field, struct model_str s)
{
    struct pb_mark m = pb_open(b, field, WIDE);
    char *o = buf_reserve(b, 2 * (size_t)s.n + 1);
    if (o)
        b->size += (size_t)(num_put_hex(o, s.p, s.n) - o);
    pb_close(b, m);
}

static void put_value(struct buf *b, const struct model_value *v)
{
    switch (v->type) {
    case ORIEL_TYPE_BOOL:
        pb_bool(b, KEY_BOOL, v->v.b);
        break;
    case ORIEL_TYPE_I64:
        pb_int(b, KEY_INT, v->v.i64);
        break;
    case ORIEL_TYPE_U64:
        pb_uint(b, KEY_UINT, v->v.u64);
        break;
    case ORIEL_TYPE_F64:
        pb_double(b, KEY_DOUBLE, v->v.f64);
        break;
    case ORIEL_TYPE_BYTES:
        if (!(v->flags & MODEL_VALUE_REDACTED)) {
            put_hex(b, KEY_TEXT, v->v.str);
            break;
        }
        __attribute__((fallthrough));
    case ORIEL_TYPE_STR:
        perfetto_put_text(b, KEY_TEXT, v->v.str);
        break;
    case ORIEL_TYPE_PTR:
        pb_uint(b, KEY_POINTER, v->v.u64);
        break;
    default: /* a type of a newer writer */
        pb_text(b, KEY_TEXT, "");
    }
}

static struct pb_mark note_open(struct buf *b, const char *key)
{
    struct pb_mark m = pb_open(b, EVENT_ANNOTATION, WIDE);
    pb_text(b, KEY_NAME, key);
    return m;
}

void perfetto_note_text(struct buf *b, const char *key, struct model_str v)
{
    struct pb_mark m = note_open(b, key);
    perfetto_put_text(b, KEY_TEXT, v);
    pb_close(b, m);
}

void perfetto_note_u64(struct buf *b, const char *key, uint64_t v)
{
    struct pb_mark m = note_open(b, key);
    pb_uint(b, KEY_UINT, v);
    pb_close(b, m);
}

void perfetto_note_bool(struct buf *b, const char *key, bool v)
{
    struct pb_mark m = note_open(b, key);
    pb_bool(b, KEY_BOOL, v);
    pb_close(b, m);
}

/* A dictionary: length before truncation by key. */
static void put_truncated(struct buf *b, const struct model_value *attrs, uint32_t n)
{
    struct pb_mark dict = note_open(b, "oriel.truncated");
    for (uint32_t i = 0; i < n; i++) {
        if (!(attrs[i].flags & MODEL_VALUE_TRUNCATED))
            continue;
        struct pb_mark m = pb_open(b, KEY_MEMBER, WIDE);
        perfetto_put_text(b, KEY_NAME, attrs[i].key);
        pb_uint(b, KEY_UINT, attrs[i].full_bytes);
        pb_close(b, m);
    }
    pb_close(b, dict);
}

void perfetto_put_attrs(struct perfetto *p, const struct model_value *attrs, uint32_t n)
{
    struct buf *b = &p->buf;
    unsigned flags = 0;
    assert(n == 0 || attrs);
    for (uint32_t i = 0; i < n; i++) {
        struct pb_mark m = pb_open(b, EVENT_ANNOTATION, attrs[i].type == ORIEL_TYPE_STR ? WIDE : 1);
        pb_uint(b, KEY_IID, perfetto_key_iid(p, attrs[i].key));
        put_value(b, &attrs[i]);
        pb_close(b, m);
        flags |= attrs[i].flags;
    }
    if (flags & MODEL_VALUE_TRUNCATED)
        put_truncated(b, attrs, n);
}

void perfetto_put_scope(struct perfetto *p, const struct model_scope *s)
{
    struct buf *b = &p->buf;
    if (s->version.n)
        perfetto_note_text(b, EXPORT_SCOPE_VERSION, s->version);
    for (uint32_t i = 0; i < s->told.attr_count; i++) {
        const struct model_value *v = &s->told.attrs[i];
        struct pb_mark m = pb_open(b, EVENT_ANNOTATION, WIDE);
        struct pb_mark name = pb_open(b, KEY_NAME, WIDE);
        buf_puts(b, EXPORT_SCOPE_PREFIX);
        buf_put(b, v->key.p, v->key.n);
        pb_close(b, name);
        put_value(b, v);
        pb_close(b, m);
    }
}

/* ---- marks ---- */

static void put_links(struct buf *b, const struct model_span *s)
{
    char trace[33], span[17];
    struct pb_mark list = note_open(b, "links");
    for (uint32_t i = 0; i < s->link_count; i++) {
        const struct model_link *l = &s->links[i];
        const char *members[][2] = {{"trace_id", trace},
                                    {"span_id", span},
                                    {"kind", l->follows_from ? "follows_from" : "link"}};
        model_trace_hex(l->trace_id, trace);
        model_span_hex(l->span_id, span);
        struct pb_mark item = pb_open(b, KEY_ITEM, 1);
        for (int k = 0; k < 3; k++) {
            struct pb_mark member = pb_open(b, KEY_MEMBER, 1);
            pb_text(b, KEY_NAME, members[k][0]);
            pb_text(b, KEY_TEXT, members[k][1]);
            pb_close(b, member);
        }
        pb_close(b, item);
    }
    pb_close(b, list);
}

static void put_flags(struct buf *b, uint32_t flags)
{
    static const struct {
        uint32_t flag;
        const char *key;
    } marks[] = {
        {MODEL_SPAN_UNFINISHED, "oriel.unfinished"},
        {MODEL_SPAN_CLAMPED, "oriel.clamped"},
        {MODEL_SPAN_REMOTE_PARENT, "oriel.remote_parent"},
        {MODEL_SPAN_ORPHAN_END, "oriel.begin_lost"},
        {MODEL_SPAN_EXTERNAL, "oriel.external"},
    };
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (flags & marks[i].flag)
            perfetto_note_bool(b, marks[i].key, true);
}

void perfetto_put_span_marks(struct perfetto *p, const struct model_span *s)
{
    struct buf *b = &p->buf;
    const struct {
        const char *key;
        uint64_t n;
    } counts[] = {
        {"otel.dropped_attributes_count", s->dropped_attrs},
        {"otel.dropped_events_count", s->dropped_events},
        {"otel.dropped_links_count", s->dropped_links},
    };
    put_flags(b, s->flags);
    if (s->flags & MODEL_SPAN_ASYNC)
        perfetto_note_u64(b, "oriel.busy_ns", s->busy_ns);
    if (s->status != ORIEL_STATUS_UNSET)
        perfetto_note_text(b, "otel.status_code",
                           s->status == ORIEL_STATUS_ERROR ? MODEL_STR("ERROR") : MODEL_STR("OK"));
    if (s->status_message.n)
        perfetto_note_text(b, "otel.status_description", s->status_message);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].n)
            perfetto_note_u64(b, counts[i].key, counts[i].n);
    if (s->link_count)
        put_links(b, s);
}
