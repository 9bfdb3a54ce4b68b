/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is added to a span after its begin: fields, status, links, stretches of
 * busy time. It goes into the span's extra part, copied, since the batch dies.
 */
#include "pipe/assemble.h"

#include <assert.h>

#include "base/vec.h"

/* Of texts longer than a record can say, in all spans that are open. */
#define LONG_BYTES_MAX (UINT64_C(64) << 20)

static struct span_extra *extra_of(struct assemble *a, struct open_span *span)
{
    struct span_extra *e = spans_extra(&a->spans, span);
    a->no_memory |= !e;
    return e;
}

/* ---- fields ---- */

/* Whether a text of that length may be kept until its span ends. */
static bool may_hold(struct assemble *a, struct span_extra *e, uint64_t n)
{
    if (n <= ORIEL_STRING_MAX_BYTES)
        return true;
    if (a->spans.long_bytes + n > LONG_BYTES_MAX)
        return false;
    a->spans.long_bytes += n;
    e->long_bytes += n;
    return true;
}

static void put_value(struct assemble *a, struct span_extra *e, const struct model_value *v)
{
    enum attrs_result rc = attrs_put(&e->attrs, v, a->limits->attribute_count_limit);
    if (rc != ATTRS_OK)
        e->dropped_attrs++;
    a->no_memory |= rc == ATTRS_NO_MEMORY;
}

/* s: the stream that may have said more of them; NULL: what it said is of another record. */
static void put_values(struct assemble *a, const struct stream_state *s, struct span_extra *e,
                       const struct model_record *r)
{
    struct model_values it;
    struct model_value v;
    model_values_begin(&it, r);
    for (uint32_t i = 0; model_values_next(&it, &v); i++) {
        const struct model_value short_one = v;
        if (s && s->more)
            more_join(a, s, i, &v);
        bool held = !attrs_has_text(&v) || may_hold(a, e, v.v.str.n);
        put_value(a, e, held ? &v : &short_one);
    }
}

/* The fields given at begin come first, so that later ones replace them. */
static void merge_begin(struct assemble *a, const struct stream_state *s, struct open_span *span,
                        struct span_extra *e)
{
    if (e->merged)
        return;
    e->merged = true;
    if (!span->raw)
        return;
    struct model_record begin = {.raw = span->raw,
                                 .words = span->words,
                                 .type = span->type,
                                 .flags = span->record_flags,
                                 .site = span->site};
    put_values(a, s, e, &begin);
}

void note_value(struct assemble *a, struct open_span *span, const struct model_value *v)
{
    struct span_extra *e = extra_of(a, span);
    if (e)
        put_value(a, e, v);
}

void take_notes(struct assemble *a, struct open_span *span)
{
    assert(span->extra);
    merge_begin(a, NULL, span, span->extra);
}

void take_long_fields(struct assemble *a, struct stream_state *s, struct open_span *span)
{
    struct span_extra *e = extra_of(a, span);
    if (e)
        merge_begin(a, s, span, e);
}

enum pipe_fate take_set(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    struct open_span *span = find_span(a, s, r->raw[2]);
    if (!span)
        return PIPE_ORPHAN;
    struct span_extra *e = extra_of(a, span);
    if (!e)
        return PIPE_NO_MEMORY;
    merge_begin(a, NULL, span, e);
    put_values(a, s, e, r);
    return PIPE_INTO_SPAN;
}

/* ---- name ---- */

/* Kept from copy to copy until the span ends; the last one counts. */
enum pipe_fate take_name(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    struct open_span *span = find_span(a, s, r->raw[2]);
    uint64_t room = ((uint64_t)r->words - 4) * 8, n = (uint32_t)r->raw[3];
    if (!span)
        return PIPE_ORPHAN;
    n = n < room ? n : room;
    if (n == 0)
        return PIPE_INTO_SPAN;
    struct span_extra *e = extra_of(a, span);
    char *copy = e ? mem_alloc(n) : NULL;
    if (!copy) {
        a->no_memory = true;
        return PIPE_NO_MEMORY;
    }
    memcpy(copy, r->raw + 4, n);
    mem_free(e->name);
    e->name = copy;
    e->name_bytes = (uint32_t)n;
    return PIPE_INTO_SPAN;
}

/* ---- status ---- */

/* The message of a STATUS record, and what more was said of it. */
static struct model_str status_text(struct assemble *a, const struct stream_state *s,
                                    struct span_extra *e, const struct model_record *r)
{
    uint64_t room = ((uint64_t)r->words - 5) * 8, n = (uint32_t)r->raw[4];
    struct model_value v = {.type = ORIEL_TYPE_STR, .full_bytes = (uint32_t)(r->raw[4] >> 32)};
    v.v.str = (struct model_str){(const char *)(r->raw + 5), (uint32_t)(n < room ? n : room)};
    const struct model_str short_one = v.v.str;
    if (s->more)
        more_join(a, s, 0, &v);
    return may_hold(a, e, v.v.str.n) ? v.v.str : short_one;
}

/* OpenTelemetry: OK is final, UNSET changes nothing, a description belongs to
 * ERROR only, otherwise the last one counts. */
enum pipe_fate take_status(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    struct open_span *span = find_span(a, s, r->raw[2]);
    uint64_t code = r->raw[3];
    if (!span)
        return PIPE_ORPHAN;
    if (code > ORIEL_STATUS_ERROR)
        return PIPE_FOREIGN;
    struct span_extra *e = extra_of(a, span);
    if (!e)
        return PIPE_NO_MEMORY;
    if (e->status == ORIEL_STATUS_OK || code == ORIEL_STATUS_UNSET)
        return PIPE_INTO_SPAN;
    struct model_str text = code == ORIEL_STATUS_ERROR ? status_text(a, s, e, r) : MODEL_STR("");
    char *copy = text.n ? mem_alloc(text.n) : NULL;
    if (text.n && !copy) { /* the code still counts */
        a->no_memory = true;
        text.n = 0;
    }
    if (copy)
        memcpy(copy, text.p, text.n);
    mem_free(e->message);
    e->message = copy;
    e->message_bytes = text.n;
    e->status = (uint8_t)code;
    return PIPE_INTO_SPAN;
}

/* ---- links ---- */

static enum pipe_fate add_link(struct assemble *a, struct open_span *span,
                               const struct model_link *link)
{
    struct span_extra *e = extra_of(a, span);
    if (!e)
        return PIPE_NO_MEMORY;
    if (e->link_count >= a->limits->link_count_limit) {
        e->dropped_links++;
        return PIPE_INTO_SPAN;
    }
    if (e->link_count == e->link_capacity &&
        !vec_grow((void **)&e->links, &e->link_capacity, e->link_count, sizeof *e->links)) {
        e->dropped_links++;
        return PIPE_NO_MEMORY;
    }
    e->links[e->link_count++] = *link;
    return PIPE_INTO_SPAN;
}

enum pipe_fate take_link(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    struct open_span *span = find_span(a, s, r->raw[2]);
    struct model_link link = {.span_id = r->raw[5], .flags = MODEL_TRACE_SAMPLED};
    const uint64_t origin = r->words > 6 ? r->raw[6] : 0;
    memcpy(link.trace_id, &r->raw[3], sizeof link.trace_id); /* two words, memory order */
    if (origin) /* else by its ids only: it is taken for one that was recorded */
        link.flags = origin & (0xffu | ORIEL_CONTEXT_ORIGIN_KNOWN | ORIEL_CONTEXT_IS_REMOTE);
    return span ? add_link(a, span, &link) : PIPE_ORPHAN;
}

/* What the values of a record take that more was said of, when they are whole. */
static size_t long_bytes(struct assemble *a, const struct stream_state *s,
                         const struct model_record *r)
{
    struct model_values it;
    struct model_value v;
    size_t sum = 0;
    model_values_begin(&it, r);
    for (uint32_t i = 0; model_values_next(&it, &v); i++) {
        const char *before = attrs_has_text(&v) ? v.v.str.p : NULL;
        more_join(a, s, i, &v);
        sum += before && v.v.str.p != before ? v.v.str.n : 0;
    }
    return sum;
}

/* The values of a link in a block of their own; NULL: it has none, or no memory. */
static const struct model_value *link_values(struct assemble *a, const struct stream_state *s,
                                             struct span_extra *e, const struct model_record *r,
                                             uint32_t *out_count)
{
    size_t n = r->site->field_count, raw_bytes = (size_t)r->words * sizeof *r->raw;
    size_t bytes = sizeof(struct link_block) + n * sizeof(struct model_value) + raw_bytes;
    size_t whole = s->more ? long_bytes(a, s, r) : 0, at = bytes;
    whole = may_hold(a, e, whole) ? whole : 0;
    bytes += whole;
    struct link_block *block = n ? mem_alloc(bytes) : NULL;
    if (!block) {
        a->no_memory |= n > 0;
        return NULL;
    }
    struct model_record copy = *r;
    struct model_values it;
    block->bytes = bytes;
    copy.raw = memcpy(block->values + n, r->raw, raw_bytes);
    model_values_begin(&it, &copy);
    while (*out_count < n && model_values_next(&it, &block->values[*out_count]))
        ++*out_count;
    for (uint32_t i = 0; whole && i < *out_count; i++) {
        struct model_value *v = &block->values[i];
        const char *before = attrs_has_text(v) ? v->v.str.p : NULL;
        more_join(a, s, i, v);
        if (!before || v->v.str.p == before)
            continue;
        assert(at + v->v.str.n <= bytes);
        v->v.str.p = memcpy((char *)block + at, v->v.str.p, v->v.str.n);
        at += v->v.str.n;
    }
    return block->values;
}

enum pipe_fate take_told_link(struct assemble *a, struct stream_state *s,
                              const struct model_record *r)
{
    struct open_span *span = find_span(a, s, r->raw[2]);
    struct model_link link = {.span_id = r->raw[5], .told = true, .flags = (uint32_t)r->raw[6]};
    if (!span)
        return PIPE_ORPHAN;
    struct span_extra *e = extra_of(a, span);
    if (!e)
        return PIPE_NO_MEMORY;
    memcpy(link.trace_id, &r->raw[3], sizeof link.trace_id);
    link.attrs = link_values(a, s, e, r, &link.attr_count);
    size_t before = span->extra ? span->extra->link_count : 0;
    enum pipe_fate fate = add_link(a, span, &link);
    if (link.attrs && (!span->extra || span->extra->link_count == before))
        mem_free((char *)link.attrs - offsetof(struct link_block, values));
    return fate;
}

/* The text of a STATE; false: it is none. */
static bool state_text(const struct model_record *r, struct model_str *out)
{
    out->n = (uint32_t)r->raw[3];
    out->p = (const char *)&r->raw[4];
    return out->n <= (r->words - 4u) * 8 && (out->n || r->flags & ORIEL_RECF_HERE);
}

static enum pipe_fate set_link_state(struct assemble *a, struct open_span *span,
                                     struct model_str text)
{
    struct span_extra *e = span->extra;
    struct model_link *link = e && e->link_count ? &e->links[e->link_count - 1] : NULL;
    if (!link || link->trace_state.n || e->dropped_links)
        return PIPE_ORPHAN; /* the link it is of was lost */
    link->trace_state.p = mem_strndup(text.p, text.n);
    link->trace_state.n = link->trace_state.p ? text.n : 0;
    return link->trace_state.p ? PIPE_INTO_SPAN : PIPE_NO_MEMORY;
}

/* Given by the sampler that decided on it. */
static enum pipe_fate set_span_state(struct assemble *a, struct open_span *span,
                                     struct model_str text)
{
    spans_state_unref(&a->spans, span->state);
    span->state = text.n ? spans_state_new(&a->spans, text.p, text.n) : 0;
    return span->state || !text.n ? PIPE_INTO_SPAN : PIPE_NO_MEMORY;
}

enum pipe_fate take_state(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    struct open_span *span = r->raw[2] ? find_span(a, s, r->raw[2]) : NULL;
    struct stack_entry *top = stack_top(s->thread);
    struct model_str text;
    if (!state_text(r, &text))
        return PIPE_FOREIGN;
    if (r->flags & ORIEL_RECF_HERE)
        return span ? set_span_state(a, span, text) : PIPE_ORPHAN;
    if (r->raw[2])
        return span ? set_link_state(a, span, text) : PIPE_ORPHAN;
    if (!top || top->span->kind != SPAN_CONTEXT || top->span->closed || top->span->state)
        return PIPE_ORPHAN;
    top->span->state = spans_state_new(&a->spans, text.p, text.n);
    return top->span->state ? PIPE_CONTROL : PIPE_NO_MEMORY;
}

enum pipe_fate take_follow(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    struct open_span *span = find_span(a, s, r->raw[2]);
    struct model_link link = {.follows_from = true};
    struct span_ref earlier;
    if (!span || !r->raw[3])
        return PIPE_ORPHAN;
    resolve_span(a, s, r->raw[3], &earlier);
    memcpy(link.trace_id, earlier.trace, sizeof link.trace_id);
    link.span_id = earlier.span_id;
    link.flags = earlier.trace_flags | ORIEL_CONTEXT_ORIGIN_KNOWN; /* of this recording */
    return add_link(a, span, &link);
}

/* ---- busy time of spans that move between threads ---- */

static struct span_active *active_on(const struct span_extra *e, const struct model_thread *thread)
{
    for (size_t i = e ? e->active_count : 0; i > 0; i--)
        if (e->active[i - 1].thread == thread)
            return &e->active[i - 1];
    return NULL;
}

uint64_t busy_since(const struct open_span *span, const struct model_thread *thread)
{
    const struct span_active *active = active_on(span->extra, thread);
    return active ? active->start_ns : 0;
}

bool busy_start(struct assemble *a, struct open_span *span, const struct model_thread *thread,
                uint64_t t_ns)
{
    struct span_extra *e = extra_of(a, span);
    if (!e ||
        (e->active_count == e->active_capacity &&
         !vec_grow((void **)&e->active, &e->active_capacity, e->active_count, sizeof *e->active)))
        return false;
    const struct thread_state *t = assemble_thread(a, thread);
    e->active[e->active_count++] = (struct span_active){thread, t_ns ? t_ns : 1, t->heap};
    e->heap.known |= t->heap_known;
    return true;
}

/* Beyond the limit (or without memory) a stretch counts but is not listed. */
static void add_stretch(struct assemble *a, struct span_extra *e, const struct span_active *active,
                        uint64_t end_ns)
{
    if (end_ns < active->start_ns)
        end_ns = active->start_ns;
    e->busy_ns += end_ns - active->start_ns;
    heap_stretch(a, e, active);
    if (e->busy_count >= SPAN_BUSY_LIMIT)
        return;
    if (e->busy_count == e->busy_capacity &&
        !vec_grow((void **)&e->busy, &e->busy_capacity, e->busy_count, sizeof *e->busy)) {
        a->no_memory = true;
        return;
    }
    e->busy[e->busy_count++] = (struct model_busy){active->thread, active->start_ns, end_ns};
}

void busy_stop(struct assemble *a, struct open_span *span, const struct model_thread *thread,
               uint64_t t_ns)
{
    struct span_active *active = active_on(span->extra, thread);
    if (!active)
        return;
    add_stretch(a, span->extra, active, t_ns);
    *active = span->extra->active[--span->extra->active_count];
}

void busy_stop_all(struct assemble *a, struct open_span *span, uint64_t t_ns)
{
    struct span_extra *e = span->extra;
    assert(e);
    for (size_t i = 0; i < e->active_count; i++)
        add_stretch(a, e, &e->active[i], t_ns);
    e->active_count = 0;
}
