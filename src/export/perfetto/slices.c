/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spans. A scoped span is a begin and an end packet on its thread's track, both
 * written when the span is over; Perfetto sorts packets by time. Those of equal
 * time keep the order of the file, in which an outer begin must stand before an
 * inner one: the begin of a span that began in the same nanosecond as the one
 * around it is held back until that one comes. Async spans have a track of their own, and a
 * slice for each stretch on a thread. Runs on one thread.
 */
#include <assert.h>

#include "export/perfetto/perfetto.h"

/* Bytes of begin and end packet apart from references and ids. */
enum { SPAN_ROOM = 160 + PERFETTO_IDS_ROOM };

static inline bool is_plain(const struct model_span *s)
{
    return !(s->attr_count | s->link_count | s->status | s->dropped_attrs | s->dropped_links |
             s->dropped_events | (s->flags & ~(uint32_t)(MODEL_SPAN_ROOT | MODEL_SPAN_TIED)));
}

/* Spans whose interval need not nest in what their thread did meanwhile. */
static inline bool is_async(const struct model_span *s)
{
    return (s->flags & (MODEL_SPAN_ASYNC | MODEL_SPAN_EXTERNAL)) || s->end_thread != s->thread;
}

/* The end packet, which is always shorter than 128 bytes. */
static inline char *put_end(char *o, const struct perfetto_thread *t, uint64_t ns)
{
    char *packet = o;
    o += 2;
    *o++ = PACKET_TIMESTAMP << 3 | PB_VARINT;
    o = perfetto_put_time(o, ns);
    o = perfetto_copy(o, &t->head);
    *o++ = PACKET_TRACK_EVENT << 3 | PB_BYTES;
    *o++ = 2;
    *o++ = EVENT_TYPE << 3 | PB_VARINT;
    *o++ = EVENT_END;
    packet[0] = TRACE_PACKET << 3 | PB_BYTES;
    packet[1] = (char)(o - packet - 2);
    assert(o - packet - 2 < 128);
    return o;
}

static inline void put_length2(char *at, const char *end)
{
    size_t n = (size_t)(end - at - 2);
    assert(n < 1u << 14);
    at[0] = (char)(n | 0x80);
    at[1] = (char)(n >> 7);
}

/* The begin packet of a plain span: nothing but ids. */
static inline char *put_begin(const struct perfetto *p, char *o, const struct perfetto_thread *t,
                              const struct perfetto_site *site, const struct model_span *s)
{
    char *packet = o + 1;
    *o = TRACE_PACKET << 3 | PB_BYTES;
    o += 3;
    *o++ = PACKET_TIMESTAMP << 3 | PB_VARINT;
    o = perfetto_put_time(o, s->start_ns);
    o = perfetto_copy(o, &t->head);
    *o++ = PACKET_TRACK_EVENT << 3 | PB_BYTES;
    char *event = o;
    o += 2;
    *o++ = EVENT_TYPE << 3 | PB_VARINT;
    *o++ = EVENT_BEGIN;
    o = perfetto_copy(o, &site->refs);
    if (p->options.ids) {
        struct perfetto_ids ids = {s->trace_id, s->span_id, s->parent_id};
        o = perfetto_put_ids(o, &ids);
    }
    put_length2(event, o);
    put_length2(packet, o);
    return o;
}

static void put_bytes(struct buf *b, const struct perfetto_bytes *bytes)
{
    buf_put(b, bytes->bytes, bytes->n);
}

/* What the site has told once, and the name where it is another. */
static void put_refs(struct perfetto *p, const struct perfetto_site *site,
                     const struct model_span *s)
{
    if (!(s->flags & MODEL_SPAN_RENAMED)) {
        put_bytes(&p->buf, &site->refs);
        return;
    }
    pb_uint(&p->buf, EVENT_CATEGORY_IID, s->site->index + 1);
    perfetto_put_text(&p->buf, EVENT_NAME, model_span_name(s));
    if (p->options.source)
        pb_uint(&p->buf, EVENT_SOURCE_IID, s->site->index + 1);
}

static void put_id_annotations(struct perfetto *p, const struct perfetto_ids *ids)
{
    char *o = p->options.ids ? buf_reserve(&p->buf, PERFETTO_IDS_ROOM) : NULL;
    if (o)
        p->buf.size += (size_t)(perfetto_put_ids(o, ids) - o);
}

/* The begin packet of any span; its keys have been told. */
static void put_full_begin(struct perfetto *p, struct perfetto_thread *t,
                           const struct perfetto_site *site, const struct model_span *s,
                           uint64_t track)
{
    struct perfetto_ids ids = {s->trace_id, s->span_id, s->parent_id};
    uint64_t start = s->flags & MODEL_SPAN_ORPHAN_END ? s->end_ns : s->start_ns;
    struct packet k = packet_event(p, t, start, EVENT_BEGIN, track);
    put_refs(p, site, s);
    put_id_annotations(p, &ids);
    perfetto_put_attrs(p, s->attrs, s->attr_count);
    if (site->scope)
        perfetto_put_scope(p, site->scope);
    perfetto_put_span_marks(p, s);
    packet_event_close(p, k);
}

static void put_full_end(struct perfetto *p, const struct perfetto_thread *t, uint64_t ns,
                         uint64_t track)
{
    packet_event_close(p, packet_event(p, t, ns, EVENT_END, track));
}

/* ---- equal times ---- */

/* Puts what began at start_ns deeper than `depth` behind what has been written. */
static void release_inner(struct perfetto *p, struct perfetto_thread *t, uint64_t start_ns,
                          uint32_t depth)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->holds.count; i++) {
        struct perfetto_hold *h = &t->holds.items[i];
        if (h->start_ns != start_ns || h->depth <= depth) {
            t->holds.items[kept++] = *h;
            continue;
        }
        buf_put(&p->buf, h->packets.data, h->packets.size);
        buf_done(&h->packets);
        p->released++;
    }
    t->holds.count = kept;
}

static bool is_awaited(const struct perfetto_thread *t, uint64_t start_ns)
{
    for (size_t i = 0; i < t->holds.count; i++)
        if (t->holds.items[i].start_ns == start_ns)
            return true;
    return false;
}

/* Takes what was written from `from` on out of the buffer again. */
static void hold(struct perfetto *p, struct perfetto_thread *t, const struct model_span *s,
                 size_t from)
{
    if (p->buf.failed)
        return;
    buf_clear(&p->scratch);
    buf_put(&p->scratch, p->buf.data + from, p->buf.size - from);
    p->buf.size = from;
    if (t->holds.count == PERFETTO_HOLDS) {
        /* The stretch around it lasts: the oldest goes out in the wrong order
         * rather than never. */
        struct perfetto_hold *oldest = &t->holds.items[0];
        buf_put(&p->buf, oldest->packets.data, oldest->packets.size);
        buf_done(&oldest->packets);
        p->released++;
        memmove(oldest, oldest + 1, (PERFETTO_HOLDS - 1) * sizeof *oldest);
        t->holds.count--;
    }
    struct perfetto_hold *h = VEC_PUSH(&t->holds);
    if (!h || p->scratch.failed) {
        p->buf.failed = true;
        t->holds.count -= h != NULL;
        return;
    }
    p->held = true;
    h->start_ns = s->start_ns;
    h->depth = s->depth;
    h->packets = p->scratch;
    buf_init(&p->scratch);
}

void perfetto_release_holds(struct perfetto *p)
{
    for (size_t i = 0; i < p->threads.count; i++) {
        struct perfetto_thread *t = &p->threads.items[i];
        for (size_t k = 0; k < t->holds.count; k++) {
            buf_put(&p->buf, t->holds.items[k].packets.data, t->holds.items[k].packets.size);
            buf_done(&t->holds.items[k].packets);
            export_waiting_add(&p->waiting, &p->buf);
        }
        t->holds.count = 0;
    }
}

/* ---- spans ---- */

/* A scoped span that is not plain, or tied to others by time. Of a tied one
 * only the begin waits; its end must stand before what begins at that time.
 * One without length waits as a whole: its end may not stand before its begin. */
static void put_scoped_slow(struct perfetto *p, struct perfetto_thread *t,
                            const struct perfetto_site *site, const struct model_span *s)
{
    bool tied = s->flags & MODEL_SPAN_TIED, empty = s->end_ns == s->start_ns;
    perfetto_tell_keys(p, t, s->attrs, s->attr_count);
    size_t from = p->buf.size;
    put_full_begin(p, t, site, s, 0);
    release_inner(p, t, s->start_ns, s->depth);
    if (tied && !empty)
        hold(p, t, s, from);
    put_full_end(p, t, s->end_ns, 0);
    if (tied && empty)
        hold(p, t, s, from);
}

static void put_busy(struct perfetto *p, const struct model_span *s, const struct model_busy *busy)
{
    struct perfetto_thread *t = perfetto_thread(p, busy->thread);
    const struct perfetto_site *site = t ? perfetto_site(p, t, s->site) : NULL;
    struct perfetto_ids ids = {s->trace_id, s->span_id, 0};
    uint64_t end = busy->end_ns > busy->start_ns ? busy->end_ns : busy->start_ns;
    if (!site)
        return;
    struct packet k = packet_event(p, t, busy->start_ns, EVENT_BEGIN, 0);
    put_refs(p, site, s);
    put_id_annotations(p, &ids);
    if (site->scope)
        perfetto_put_scope(p, site->scope);
    perfetto_note_bool(&p->buf, "oriel.busy", true);
    packet_event_close(p, k);
    release_inner(p, t, busy->start_ns, 0);
    put_full_end(p, t, end, 0);
}

static void put_async(struct perfetto *p, struct perfetto_thread *t,
                      const struct perfetto_site *site, const struct model_span *s)
{
    uint64_t track = perfetto_span_track(p, s);
    perfetto_tell_keys(p, t, s->attrs, s->attr_count);
    put_full_begin(p, t, site, s, track);
    put_full_end(p, t, s->end_ns, track);
    for (uint32_t i = 0; i < s->busy_count; i++)
        put_busy(p, s, &s->busy[i]);
}

/* One end of an arrow, bound to the slice that encloses the time. */
static void put_flow(struct perfetto *p, const struct export_point *at, char phase, uint64_t id)
{
    struct perfetto_thread *t = perfetto_thread(p, at->thread);
    if (!t)
        return;
    struct packet k = packet_event(p, t, at->slice_ns, 0, 0);
    pb_text(&p->buf, EVENT_CATEGORY, "flow");
    pb_text(&p->buf, EVENT_NAME, "link");
    struct pb_mark legacy = pb_open(&p->buf, EVENT_LEGACY, 1);
    pb_int(&p->buf, LEGACY_PHASE, phase);
    pb_uint(&p->buf, LEGACY_ID, id);
    pb_bool(&p->buf, LEGACY_BIND_TO_ENCLOSING, true);
    pb_close(&p->buf, legacy);
    packet_event_close(p, k);
}

static void put_link(void *user, uint64_t id, const struct export_point *from,
                     const struct export_point *to)
{
    if (!from->thread || !to->thread)
        return; /* an async span that never ran: nothing on a thread to point to */
    put_flow(user, from, 's', id);
    put_flow(user, to, 'f', id);
}

void perfetto_put_span(struct perfetto *p, const struct model_span *s)
{
    struct perfetto_thread *t = perfetto_thread(p, s->thread);
    const struct perfetto_site *site = t ? perfetto_site(p, t, s->site) : NULL;
    if (__builtin_expect(!site, 0))
        return;
    if (__builtin_expect(is_plain(s) && !site->scope && !is_async(s) &&
                             !(s->flags & MODEL_SPAN_TIED) &&
                             !(t->holds.count && is_awaited(t, s->start_ns)),
                         1)) {
        char *o = buf_reserve(&p->buf, SPAN_ROOM), *start = o;
        if (!o)
            return;
        o = put_begin(p, o, t, site, s);
        o = put_end(o, t, s->end_ns);
        assert(o - start <= SPAN_ROOM);
        p->buf.size += (size_t)(o - start);
    } else if (is_async(s)) {
        put_async(p, t, site, s);
    } else {
        put_scoped_slow(p, t, site, s);
    }
    export_flows_span(&p->flows, s, put_link, p);
}
