/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A span begins: whether it is wanted, what that says in its tracestate, and what
 * composed samplers note on it. Inside the pipe only.
 */
#include <assert.h>

#include "base/ratio.h"
#include "pipe/assemble.h"
#include "pipe/otstate.h"

/* The same for all of one share. */
uint32_t sample_state(struct assemble *a, uint64_t threshold)
{
    char text[OTSTATE_BYTES];
    if (!threshold || threshold >= RATIO_NONE)
        return 0;
    if (!a->th_state || a->th != threshold) {
        spans_state_unref(&a->spans, a->th_state);
        a->th = threshold;
        a->th_state = spans_state_new(&a->spans, text,
                                      otstate_write((struct model_str){"", 0}, threshold, text));
    }
    a->no_memory |= !a->th_state;
    return a->th_state;
}

/* What a decision says in the tracestate: the threshold of what was taken. A trace of which
 * all are taken and that has no tracestate is not given one. */
static void tell_threshold(struct assemble *a, struct open_span *span, uint64_t threshold)
{
    char text[OTSTATE_BYTES];
    if (!span->state) {
        span->state = spans_state_ref(&a->spans, sample_state(a, threshold));
        return;
    }
    uint32_t n = otstate_write(spans_state(&a->spans, span->state), threshold, text);
    uint32_t state = n ? spans_state_new(&a->spans, text, n) : 0;
    a->no_memory |= n && !state;
    spans_state_unref(&a->spans, span->state);
    span->state = state;
}

static void mark(struct assemble *a, struct open_span *span, bool wanted)
{
    span->flags &= ~(uint32_t)MODEL_SPAN_UNSAMPLED;
    span->flags |= wanted ? 0 : MODEL_SPAN_UNSAMPLED;
    a->unsampled |= !wanted;
    span->trace_flags &= (uint8_t)~MODEL_TRACE_SAMPLED;
    span->trace_flags |= wanted ? MODEL_TRACE_SAMPLED : 0;
}

/* Attributes of ComposableAnnotating, on what is taken. */
static void note(struct assemble *a, struct open_span *span, const struct compose_intent *intent)
{
    for (unsigned i = 0; i < intent->note_count; i++)
        for (size_t k = 0; k < intent->notes[i]->note_count; k++) {
            const struct compose_note *n = &intent->notes[i]->notes[k];
            struct model_value v = {.key = {n->key, (uint32_t)strlen(n->key)},
                                    .type = (uint8_t)n->type};
            if (n->type == ORIEL_TYPE_STR)
                v.v.str = (struct model_str){n->text, v.full_bytes = (uint32_t)strlen(n->text)};
            else if (n->type == ORIEL_TYPE_F64)
                v.v.f64 = n->f64;
            else if (n->type == ORIEL_TYPE_BOOL)
                v.v.b = n->i64 != 0;
            else
                v.v.i64 = n->i64;
            note_value(a, span, &v);
        }
}

static void sample_composed(struct assemble *a, struct open_span *span, bool remote,
                            uint64_t randomness)
{
    const struct model_record begin = {.raw = span->raw,
                                       .words = span->words,
                                       .type = span->type,
                                       .flags = span->record_flags,
                                       .site = span->site};
    struct compose_span asked = {.begin = &begin,
                                 .root = span->flags & MODEL_SPAN_ROOT,
                                 .remote = remote,
                                 .parent_sampled = span->trace_flags & MODEL_TRACE_SAMPLED,
                                 .parent_threshold = RATIO_NONE};
    struct compose_intent intent;
    if (span->state)
        (void)otstate_threshold(spans_state(&a->spans, span->state), &asked.parent_threshold);
    const bool wanted = sampler_compose(&a->sampler, &asked, randomness, span->start_ns, &intent);
    tell_threshold(a, span, wanted && intent.reliable ? intent.threshold : RATIO_NONE);
    mark(a, span, wanted);
    if (wanted)
        note(a, span, &intent);
}

void sample_span(struct assemble *a, struct open_span *span, bool remote)
{
    bool sampled = span->trace_flags & MODEL_TRACE_SAMPLED;
    uint64_t threshold, randomness = ratio_randomness(span->trace[1]);
    if (span->state)
        (void)otstate_randomness(spans_state(&a->spans, span->state), &randomness);
    if (a->sampler.composed) {
        sample_composed(a, span, remote, randomness);
        return;
    }
    bool wanted =
        span->flags & MODEL_SPAN_ROOT
            ? sampler_root(&a->sampler, span->site, randomness, span->start_ns, &threshold)
            : sampler_child(&a->sampler, remote, sampled, span->site, randomness, &threshold);
    if (threshold != SAMPLER_AS_PARENT)
        tell_threshold(a, span, wanted ? threshold : RATIO_NONE);
    mark(a, span, wanted);
}

void inherit_sampling(struct assemble *a, struct open_span *span, uint8_t trace_flags)
{
    span->trace_flags = trace_flags;
    if (!a->sampler.active || trace_flags & MODEL_TRACE_SAMPLED)
        return;
    span->flags |= MODEL_SPAN_UNSAMPLED;
    a->unsampled = true;
}
