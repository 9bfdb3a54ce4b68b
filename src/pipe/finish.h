/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a span that is over becomes, as far as every span has it: an item of the
 * batch, written field by field. In line, for the two places where nearly all
 * spans end. Inside the pipe only.
 */
#ifndef ORIEL_PIPE_FINISH_H
#define ORIEL_PIPE_FINISH_H

#include "pipe/assemble.h"

/* An end before the start is no duration at all. */
static inline uint64_t clamp_end(struct assemble *a, uint64_t start_ns, uint64_t end_ns,
                                 uint32_t *flags)
{
    if (__builtin_expect(end_ns >= start_ns, 1))
        return end_ns;
    a->counts->clamped++;
    *flags |= MODEL_SPAN_CLAMPED;
    return start_ns;
}

/* Nobody wants it, and nobody waits for what becomes of its trace: it is in the books only. */
static inline bool is_left_out(const struct assemble *a, uint32_t flags)
{
    return flags & MODEL_SPAN_UNSAMPLED && a->leaves_out;
}

/* What only some spans have: none of it. */
static inline void clear_rest(struct model_span *out)
{
    out->status = ORIEL_STATUS_UNSET;
    /* Not one from the other: it would be read back before it has left the store buffer,
     * which took longer than all the rest. */
    out->status_message = (struct model_str){NULL, 0};
    out->trace_state = (struct model_str){NULL, 0};
    out->attrs = NULL;
    out->links = NULL;
    out->busy = NULL;
    out->attr_count = out->link_count = out->busy_count = 0;
    out->dropped_attrs = out->dropped_links = out->dropped_events = 0;
    out->event_count = 0;
    out->told_flags = 0;
}

static inline uint32_t count_dropped_events(struct assemble *a, const struct open_span *span)
{
    const uint32_t limit = a->limits->event_count_limit;
    const uint32_t dropped = span->event_count > limit ? span->event_count - limit : 0;
    a->counts->dropped_events += dropped;
    return dropped;
}

/* In the books as if an item had been made of it and dropped. */
static inline void leave_out(struct assemble *a, const struct open_span *span, uint64_t end_ns,
                             uint32_t flags)
{
    (void)clamp_end(a, span->start_ns, end_ns, &flags);
    (void)count_dropped_events(a, span);
    a->counts->dropped_links += span->extra ? span->extra->dropped_links : 0;
    a->counts->spans++;
    a->counts->sampled_out++;
    a->counts->unfinished += (flags & MODEL_SPAN_UNFINISHED) != 0;
}

/* What every span has. Field by field: zeroing the item first would write its
 * three cache lines twice. */
static inline void fill_plain(struct assemble *a, const struct open_span *span,
                              struct model_span *out)
{
    memcpy(out->trace_id, span->trace, sizeof out->trace_id);
    out->span_id = span->span_id;
    out->parent_id = span->parent_id;
    out->start_ns = span->start_ns;
    out->busy_ns = span->kind == SPAN_SCOPED ? out->end_ns - span->start_ns : 0;
    out->site = span->site;
    out->thread = span->thread;
    out->trace_flags = span->trace_flags;
    out->depth = span->depth;
    clear_rest(out);
    out->event_count = span->event_count;
    out->dropped_events = count_dropped_events(a, span);
}

/* The item of a span; fields, texts and the like are still to be put into it.
 * NULL: no memory, which is counted. */
static inline struct model_span *finish_plain(struct assemble *a, const struct open_span *span,
                                              uint64_t end_ns,
                                              const struct model_thread *end_thread, uint32_t flags)
{
    struct model_batch *b = a->out;
    if (__builtin_expect(b->item_count == b->item_capacity && !model_batch_reserve_items(b, 1),
                         0)) {
        a->counts->spans_lost++;
        a->no_memory = true;
        return NULL;
    }
    struct model_item *it = &b->items[b->item_count++];
    it->kind = MODEL_ITEM_SPAN;
    it->t_ns = a->now;
    it->u.span.end_ns = clamp_end(a, span->start_ns, end_ns, &flags);
    it->u.span.end_thread = end_thread;
    it->u.span.flags = flags;
    fill_plain(a, span, &it->u.span);
    a->counts->spans++;
    a->counts->unfinished += (flags & MODEL_SPAN_UNFINISHED) != 0;
    return &it->u.span;
}

#endif
