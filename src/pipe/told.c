/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spans that come with ids of their own: of other programs, by their protocol, and
 * of this one, where it makes ids or decides on sampling itself.
 */
#include "pipe/assemble.h"

/* A span of this program that was given its ids, or that its own sampler decided on. */
static enum pipe_fate take_given(struct assemble *a, struct stream_state *s,
                                 const struct model_record *r)
{
    struct span_ref ref = {.span = NULL};
    const bool remote = r->raw[6] & ORIEL_CONTEXT_IS_REMOTE;
    struct open_span *span =
        new_async(a, r, MODEL_SPAN_ASYNC | (remote ? (uint32_t)MODEL_SPAN_REMOTE_PARENT : 0u));
    if (!span)
        return PIPE_NO_MEMORY;
    fill_span(span, r, s->thread, 7);
    span->parent_id = r->raw[3];
    if (span->parent_id)
        resolve_top(s->thread, &ref);
    if (span->parent_id && memcmp(ref.trace, r->raw + 4, sizeof ref.trace) != 0)
        resolve_span(a, s, oriel_id_unmix(span->parent_id), &ref);
    if (memcmp(ref.trace, r->raw + 4, sizeof ref.trace) == 0)
        join_trace(a, span, &ref); /* with its tracestate */
    memcpy(span->trace, r->raw + 4, sizeof span->trace);
    span->flags |= span->parent_id ? 0 : MODEL_SPAN_ROOT;
    span->trace_flags = (uint8_t)(r->raw[6] & (MODEL_TRACE_SAMPLED | MODEL_TRACE_RANDOM));
    if (r->flags & ORIEL_RECF_DECIDED && !(span->trace_flags & MODEL_TRACE_SAMPLED)) {
        span->flags |= MODEL_SPAN_UNSAMPLED;
        a->unsampled = true;
    } else if (!(r->flags & ORIEL_RECF_DECIDED) && a->sampler.active) {
        sample_span(a, span, remote);
    }
    return PIPE_BEGAN;
}

/* A span of another program, with all its ids. */
enum pipe_fate take_told(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    enum { REMOTE = 0x200 }; /* of the protocol: the parent is in another process */
    uint32_t flags = MODEL_SPAN_TOLD | MODEL_SPAN_EXTERNAL;
    if (!r->raw_id || r->raw_id != r->raw[2])
        return PIPE_FOREIGN;
    if (r->flags & ORIEL_RECF_HERE)
        return take_given(a, s, r);
    flags |= r->raw[6] & REMOTE ? MODEL_SPAN_REMOTE_PARENT : 0;
    flags |= r->raw[3] ? 0 : MODEL_SPAN_ROOT;
    struct open_span *span = new_async(a, r, flags);
    struct span_extra *e = span ? spans_extra(&a->spans, span) : NULL;
    if (!span)
        return PIPE_NO_MEMORY;
    fill_span(span, r, s->thread, 7);
    span->depth = 0;
    span->parent_id = r->raw[3];
    memcpy(span->trace, r->raw + 4, sizeof span->trace);
    /* It was sampled where it began, or would not be here. */
    span->trace_flags = MODEL_TRACE_SAMPLED | (uint8_t)(r->raw[6] & MODEL_TRACE_RANDOM);
    if (e)
        e->told_flags = (uint32_t)r->raw[6];
    if (s->more)
        take_long_fields(a, s, span);
    a->no_memory |= !e;
    return PIPE_BEGAN;
}
