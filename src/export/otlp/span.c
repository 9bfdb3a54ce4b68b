/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * trace/v1 Span. What the message has no field for is an attribute: time a span
 * that moves between threads was busy, and what we know against it ("oriel.*").
 * Pure but for the held events.
 */
#include <assert.h>
#include <stddef.h>

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
       LINKS = 13,
       DROPPED_LINKS = 14,
       STATUS = 15,
       FLAGS = 16
};
enum { LINK_TRACE_STATE = 3, LINK_ATTRIBUTES = 4, LINK_DROPPED_ATTRIBUTES = 5, LINK_FLAGS = 6 };
enum { STATUS_MESSAGE = 2, STATUS_CODE = 3 };

/* W3C flags in the low byte; whether the parent is remote is known (0x100), and so (0x200). */
enum { REMOTE_KNOWN = 0x100, REMOTE = 0x200 };
_Static_assert((int)REMOTE_KNOWN == ORIEL_CONTEXT_ORIGIN_KNOWN &&
                   (int)REMOTE == ORIEL_CONTEXT_IS_REMOTE,
               "an origin is written as it is");
enum { KIND_INTERNAL = 1 };

/* SpanKind has no word in a call site: the attribute that bridges use for it. */
static uint32_t kind_of(const struct model_span *s)
{
    static const char *const kinds[] = {"internal", "server", "client", "producer", "consumer"};
    for (uint32_t i = 0; i < s->attr_count; i++) {
        const struct model_value *v = &s->attrs[i];
        if (v->type != ORIEL_TYPE_STR || !model_str_equal(v->key, put_str("otel.kind")))
            continue;
        for (uint32_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            if (model_str_equal(v->v.str, put_str(kinds[k])))
                return KIND_INTERNAL + k;
    }
    return KIND_INTERNAL;
}

static void put_marks(struct put *w, const struct model_span *s)
{
    static const struct {
        uint32_t flag;
        const char *key;
    } marks[] = {
        {MODEL_SPAN_UNFINISHED, "oriel.unfinished"},
        {MODEL_SPAN_CLAMPED, "oriel.clamped"},
        {MODEL_SPAN_ORPHAN_END, "oriel.begin_lost"},
        {MODEL_SPAN_EXTERNAL, "oriel.external"},
    };
    if (s->flags & MODEL_SPAN_ASYNC)
        otlp_attr_i64(w, ATTRIBUTES, "oriel.busy_ns", (int64_t)s->busy_ns);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (s->flags & marks[i].flag)
            otlp_attr_true(w, ATTRIBUTES, marks[i].key);
}

/* How many are left out. */
uint32_t otlp_put_links(struct put *w, const struct model_span *s, const struct otlp_options *o,
                        otlp_link_fn *put_rest)
{
    const int64_t limit = o->link_count;
    uint32_t n = limit >= 0 && limit < (int64_t)s->link_count ? (uint32_t)limit : s->link_count;
    put_list(w, "links");
    for (uint32_t i = 0; i < n; i++) {
        const struct model_link *l = &s->links[i];
        struct pb_mark m = put_open(w, LINKS, NULL, l->trace_state.n || l->attr_count ? 2 : 1);
        put_id(w, TRACE_ID, "traceId", l->trace_id, 16);
        put_id(w, SPAN_ID, "spanId", &l->span_id, 8);
        put_rest(w, l, o);
        put_close(w, m);
    }
    put_list_end(w);
    return s->link_count - n;
}

static void put_link_rest(struct put *w, const struct model_link *l, const struct otlp_options *o)
{
    if (l->trace_state.n)
        put_text(w, LINK_TRACE_STATE, "traceState", l->trace_state);
    if (l->follows_from && o->link_attribute_count == 0) {
        put_u32(w, LINK_DROPPED_ATTRIBUTES, "droppedAttributesCount", 1);
    } else if (l->follows_from) {
        put_list(w, "attributes");
        otlp_attr_text(w, LINK_ATTRIBUTES, "opentracing.ref_type", MODEL_STR("follows_from"));
        put_list_end(w);
    }
    put_flags(w, LINK_FLAGS, l->flags);
}

void otlp_put_status(struct put *w, const struct model_span *s)
{
    if (s->status == ORIEL_STATUS_UNSET)
        return;
    struct pb_mark m = put_open(w, STATUS, "status", put_width(3 * (size_t)s->status_message.n));
    if (s->status_message.n)
        put_text(w, STATUS_MESSAGE, "message", s->status_message);
    put_u32(w, STATUS_CODE, "code", s->status);
    put_close(w, m);
}

static void put_dropped(struct put *w, uint32_t field, const char *name, uint32_t n)
{
    if (n)
        put_u32(w, field, name, n);
}

/* The head has the name and opens the attributes. */
static void put_attributes(struct otlp *o, struct put *w, const struct model_span *s,
                           const struct otlp_site *site)
{
    if (s->flags & MODEL_SPAN_RENAMED) {
        otlp_put_head(w, o, s->site, model_span_name(s), OTLP_TRACES);
    } else {
        if (w->json)
            put_comma(w);
        buf_put(w->out, site->head, site->n);
    }
    otlp_put_thread(o, w, OTLP_TRACES, s->thread);
    put_marks(w, s);
    uint32_t out =
        otlp_attrs(w, ATTRIBUTES, s->attrs, s->attr_count, o->options.of[OTLP_TRACES].attributes);
    put_list_end(w);
    put_dropped(w, DROPPED_ATTRIBUTES, "droppedAttributesCount", s->dropped_attrs + out);
}

/* Events of the span that are not in it. */
static uint32_t missing_events(const struct model_span *s, uint32_t there)
{
    uint32_t missing = s->event_count > there ? s->event_count - there : 0;
    return missing > s->dropped_events ? missing : s->dropped_events;
}

static uint32_t flags_of(const struct model_span *s)
{
    return s->trace_flags | REMOTE_KNOWN | (s->flags & MODEL_SPAN_REMOTE_PARENT ? REMOTE : 0);
}

static void put_fixed_json(struct put *w, const struct model_span *s)
{
    put_id(w, TRACE_ID, "traceId", s->trace_id, 16);
    put_id(w, SPAN_ID, "spanId", &s->span_id, 8);
    if (s->parent_id)
        put_id(w, PARENT_SPAN_ID, "parentSpanId", &s->parent_id, 8);
    put_flags(w, FLAGS, flags_of(s));
    put_u32(w, KIND, "kind", kind_of(s));
    put_fixed64(w, START, "startTimeUnixNano", s->start_ns);
    put_fixed64(w, END, "endTimeUnixNano", s->end_ns);
}

enum { MOST_FIXED = 96 };
/* What every span has, at a pointer with room for MOST_FIXED bytes. */
static inline char *at_fixed(char *p, const struct model_span *s, uint32_t kind)
{
    char *const start = p;
    p = pb_at_bytes(p, TRACE_ID, s->trace_id, 16);
    p = pb_at_bytes(p, SPAN_ID, &s->span_id, 8);
    if (s->parent_id)
        p = pb_at_bytes(p, PARENT_SPAN_ID, &s->parent_id, 8);
    p = pb_at_fixed32(p, FLAGS, flags_of(s));
    p = pb_at_uint(p, KIND, kind);
    p = pb_at_fixed64(p, START, s->start_ns);
    p = pb_at_fixed64(p, END, s->end_ns);
    assert(p - start <= MOST_FIXED);
    return p;
}

static void put_fixed_protobuf(struct buf *out, const struct model_span *s)
{
    char *p = buf_reserve(out, MOST_FIXED);
    if (p)
        out->size += (size_t)(at_fixed(p, s, kind_of(s)) - p);
}

/* ---- plain spans ---- */

enum { STATE_BYTES = 64 }; /* a tracestate that goes this way is shorter: the share of a sampler */

/* Nothing but what every span has, a short tracestate and attributes: most of them. */
static inline bool is_plain(const struct model_span *s)
{
    const uint32_t marks = MODEL_SPAN_TOLD | MODEL_SPAN_RENAMED | MODEL_SPAN_ASYNC |
                           MODEL_SPAN_UNFINISHED | MODEL_SPAN_CLAMPED | MODEL_SPAN_ORPHAN_END |
                           MODEL_SPAN_EXTERNAL;
    const uint32_t more = (s->flags & marks) | s->link_count | s->event_count | s->dropped_attrs |
                          s->dropped_links | s->dropped_events | s->status |
                          (s->trace_state.n & ~(uint32_t)(STATE_BYTES - 1));
    return more == 0 && s->thread;
}

static inline bool is_ascii(const char *p, size_t n)
{
    uint64_t seen = 0, word;
    for (; n >= sizeof word; n -= sizeof word, p += sizeof word) {
        memcpy(&word, p, sizeof word);
        seen |= word;
    }
    while (n--)
        seen |= (unsigned char)*p++;
    return !(seen & UINT64_C(0x8080808080808080));
}

enum { PLAIN_LENGTH = 2 }; /* bytes that tell how long a plain span is */
enum { PLAIN_MOST = (1 << 7 * PLAIN_LENGTH) - 1 };
enum { BEFORE_TAIL = 1 + PLAIN_LENGTH + MOST_FIXED }; /* bytes, at most */

/* The place for the tail of this span. False: no memory, or it is too long for this way. */
static bool make_tail(struct otlp *o, struct otlp_tail *t, const struct model_span *s)
{
    const struct otlp_site *site = otlp_site_of(o, s->site, OTLP_TRACES);
    const struct buf *thread = site ? otlp_thread_of(o, OTLP_TRACES, s->thread) : NULL;
    t->site = NULL;
    buf_clear(&t->bytes);
    if (!thread)
        return false;
    buf_put(&t->bytes, site->head, site->n);
    buf_put(&t->bytes, thread->data, thread->size);
    if (t->bytes.failed || t->bytes.size > PLAIN_MOST - BEFORE_TAIL)
        return false;
    t->thread = s->thread;
    t->thread_name = s->thread->name.p;
    t->scope = s->site->scope;
    t->group = site->group - 1;
    t->seen = otlp_is_seen(s->site);
    t->site = s->site;
    return true;
}

static inline const struct otlp_tail *tail_of(struct otlp *o, const struct model_span *s)
{
    const struct model_thread *thread = s->thread;
    struct otlp_tail *t = &o->tails[(s->site->index + 8 * thread->index) % OTLP_TAILS];
    const bool right = t->site == s->site && t->thread == thread &&
                       t->thread_name == thread->name.p && t->scope == s->site->scope;
    return __builtin_expect(right, 1) || make_tail(o, t, s) ? t : NULL;
}

/* At a pointer with room for BEFORE_TAIL, the tail and the attributes. */
static inline char *at_plain(char *p, const struct model_span *s, const struct otlp_tail *t)
{
    char *const length = pb_at_tag(p, 2, PB_BYTES); /* ScopeSpans.spans */
    char *const body = length + PLAIN_LENGTH;
    p = at_fixed(body, s, s->attr_count ? kind_of(s) : KIND_INTERNAL);
    if (__builtin_expect(s->trace_state.n, 0))
        p = pb_at_bytes(p, TRACE_STATE, s->trace_state.p, s->trace_state.n);
    memcpy(p, t->bytes.data, t->bytes.size);
    p += t->bytes.size;
    if (s->attr_count)
        p = otlp_at_simple(p, ATTRIBUTES, s->attrs, s->attr_count);
    pb_at_varint_wide(length, (uint64_t)(p - body), PLAIN_LENGTH);
    return p;
}

/* Room for some spans of this tail's group, n at most; *out_stop: its end, which lies before
 * what makes the request too large, whatever the items' share in its books. */
static char *plain_room(struct otlp *o, const struct otlp_tail *t, size_t n, char **out_stop)
{
    enum { FOR_MORE = 256, LEAST = 4 * PLAIN_MOST };
    const struct otlp_waiting *wait = &o->waiting[OTLP_TRACES];
    struct buf *out = &o->groups.items[t->group].items;
    const uint64_t taken = wait->bytes + n;
    const uint64_t left = taken < o->options.max_bytes ? o->options.max_bytes - taken : 0;
    const size_t about = n * (BEFORE_TAIL + t->bytes.size + FOR_MORE) + LEAST;
    const size_t room = left < about ? left : about;
    char *const start = room ? buf_reserve(out, room) : NULL;
    out->failed = false; /* then one by one */
    *out_stop = start ? start + room : NULL;
    return start;
}

/* Bytes that a plain span takes at most; SIZE_MAX: it is not, for its texts. */
static inline size_t plain_size(const struct otlp *o, const struct model_span *s,
                                const struct otlp_tail *t)
{
    const struct otlp_limits *limits = &o->options.of[OTLP_TRACES];
    size_t size = BEFORE_TAIL + t->bytes.size;
    if (__builtin_expect(s->trace_state.n, 0)) {
        size += 2 + s->trace_state.n;
        if (size > PLAIN_MOST || !is_ascii(s->trace_state.p, s->trace_state.n))
            return SIZE_MAX;
    }
    if (!s->attr_count)
        return size;
    if (limits->text >= 0 || limits->attributes >= 0)
        return SIZE_MAX;
    const size_t attributes = otlp_simple_room(s->attrs, s->attr_count);
    return attributes <= PLAIN_MOST - size ? size + attributes : SIZE_MAX;
}

size_t otlp_add_plain(struct otlp *o, const struct model_item *items, size_t n)
{
    struct otlp_waiting *wait = &o->waiting[OTLP_TRACES];
    const bool held = o->held.by_span.count > 0;
    const struct otlp_tail *t = NULL;
    if (n && items->kind == MODEL_ITEM_SPAN && is_plain(&items->u.span))
        t = tail_of(o, &items->u.span);
    if (!t || !o->groups.items[t->group].count)
        return 0;
    if (n > otlp_most_items(o, OTLP_TRACES) - wait->items)
        n = otlp_most_items(o, OTLP_TRACES) - wait->items;
    const uint32_t group = t->group;
    uint64_t seen = 0;
    size_t i = 0;
    char *stop, *const start = plain_room(o, t, n, &stop), *p = start;
    for (; i < n; i++) {
        const struct model_span *s = &items[i].u.span;
        if (items[i].kind != MODEL_ITEM_SPAN || !is_plain(s) ||
            (held && map_get(&o->held.by_span, s->span_id)))
            break;
        t = tail_of(o, s);
        if (!t || t->group != group || (size_t)(stop - p) < plain_size(o, s, t))
            break;
        p = at_plain(p, s, t);
        seen += t->seen;
    }
    struct otlp_group *g = &o->groups.items[group];
    g->items.size += (size_t)(p - start);
    g->count += i;
    wait->items += i;
    wait->seen += seen;
    wait->bytes += (uint64_t)(p - start) + i;
    return i;
}

/* ---- all of them ---- */

void otlp_put_span(struct otlp *o, const struct model_span *s, const struct otlp_site *site)
{
    struct put w = otlp_put_limited(o, o->item, OTLP_TRACES);
    if (s->flags & MODEL_SPAN_TOLD) {
        otlp_put_told_span(o, s, site);
        return;
    }
    struct pb_mark m = put_open(&w, 2, NULL, 2); /* ScopeSpans.spans */
    if (o->json)
        put_fixed_json(&w, s);
    else
        put_fixed_protobuf(w.out, s);
    if (s->trace_state.n)
        put_text(&w, TRACE_STATE, "traceState", s->trace_state);
    put_attributes(o, &w, s, site);
    if (o->options.span_events)
        put_dropped(&w, DROPPED_EVENTS, "droppedEventsCount",
                    missing_events(s, otlp_held_take(o, s->span_id, &w)));
    uint32_t links = s->link_count ? otlp_put_links(&w, s, &o->options, put_link_rest) : 0;
    put_dropped(&w, DROPPED_LINKS, "droppedLinksCount", s->dropped_links + links);
    otlp_put_status(&w, s);
    put_close(&w, m);
}
