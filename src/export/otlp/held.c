/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Events of spans that have not ended, encoded as trace/v1 Span.Event. An event
 * comes before the end of its span; what a span cannot take (its 129th event, or
 * no memory left for any) it counts as dropped, and the log record of the event
 * is not touched by that. Runs on one thread.
 */
#include <assert.h>

#include "export/otlp/otlp.h"

enum { EVENTS = 11 };                                                /* of Span */
enum { TIME = 1, NAME = 2, ATTRIBUTES = 3, DROPPED_ATTRIBUTES = 4 }; /* of Event */
enum { KEEP_BYTES = 4096 }; /* of memory, for the next span in its place */

/* The entry of a span, made if there is none; NULL: no memory. */
static struct otlp_held_span *span_of(struct otlp_held *h, uint64_t span_id)
{
    uint64_t *at = map_get(&h->by_span, span_id);
    if (at)
        return &h->spans.items[*at];
    if (!h->vacant) {
        if (!VEC_PUSH(&h->spans))
            return NULL;
        h->vacant = (uint32_t)h->spans.count;
    }
    uint32_t index = h->vacant - 1;
    if (!map_put(&h->by_span, span_id, index))
        return NULL;
    struct otlp_held_span *s = &h->spans.items[index];
    h->vacant = s->next_vacant;
    return s;
}

static void put_event(struct put *w, const struct model_event *e, int64_t limit)
{
    bool named = (e->site->flags & ORIEL_SITE_NAMED) || !e->message.n;
    struct pb_mark m = put_open(w, EVENTS, NULL, 2);
    put_fixed64(w, TIME, "timeUnixNano", e->t_ns);
    put_text(w, NAME, "name", named ? e->site->name : e->message);
    put_list(w, "attributes");
    uint32_t dropped = e->dropped_attrs + otlp_attrs(w, ATTRIBUTES, e->attrs, e->attr_count, limit);
    put_list_end(w);
    if (dropped)
        put_u32(w, DROPPED_ATTRIBUTES, "droppedAttributesCount", dropped);
    put_close(w, m);
}

void otlp_held_add(struct otlp *o, const struct model_event *e)
{
    struct otlp_held *h = &o->held;
    const int64_t limit = o->options.event_count;
    uint32_t most = limit >= 0 && limit < OTLP_HELD_EVENTS ? (uint32_t)limit : OTLP_HELD_EVENTS;
    struct otlp_held_span *s = h->bytes < OTLP_HELD_BYTES ? span_of(h, e->span_id) : NULL;
    if (!s || s->count >= most)
        return;
    struct put w = otlp_put_limited(o, &s->events, OTLP_TRACES);
    size_t before = s->events.size;
    if (e->site->flags & ORIEL_SITE_TOLD)
        otlp_put_told_event(&w, e);
    else
        put_event(&w, e, o->options.event_attribute_count);
    if (s->events.failed) { /* what was there before is whole */
        s->events.failed = false;
        s->events.size = before;
        return;
    }
    s->count++;
    h->bytes += s->events.size - before;
}

uint32_t otlp_held_take(struct otlp *o, uint64_t span_id, struct put *w)
{
    struct otlp_held *h = &o->held;
    uint64_t *at = h->by_span.count ? map_get(&h->by_span, span_id) : NULL;
    if (!at)
        return 0;
    uint32_t index = (uint32_t)*at;
    struct otlp_held_span *s = &h->spans.items[index];
    uint32_t count = s->count;
    put_list(w, "events");
    buf_put(w->out, s->events.data, s->events.size);
    put_list_end(w);
    assert(h->bytes >= s->events.size);
    h->bytes -= s->events.size;
    if (s->events.capacity > KEEP_BYTES)
        buf_done(&s->events);
    buf_clear(&s->events);
    s->count = 0;
    map_remove(&h->by_span, span_id);
    s->next_vacant = h->vacant;
    h->vacant = index + 1;
    return count;
}

void otlp_held_done(struct otlp_held *h)
{
    for (size_t i = 0; i < h->spans.count; i++)
        buf_done(&h->spans.items[i].events);
    VEC_DONE(&h->spans);
    map_done(&h->by_span);
}
