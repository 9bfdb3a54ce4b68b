/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Decisions of a sampler (sample.h) without anything that changes, but for one word in
 * which all processes of a recording count traces per second. Decides as decide.c does.
 */
#include "pipe/verdict.h"

#include <assert.h>

#include "base/mem.h"
#include "base/ratio.h"
#include "pipe/otstate.h"
#include "pipe/sample.h"

#define SECOND UINT64_C(1000000000)
_Static_assert(VERDICT_STATE_BYTES == OTSTATE_BYTES, "one tracestate");

struct verdicts {
    struct sampler sampler;
    uint64_t *full_ns;
};

/* By a share alone, and parents that count as they came, headers have all they need. */
bool verdict_wanted(const struct pipe_sampling *how)
{
    const bool share = how->root == PIPE_SAMPLE_RATIO && how->share > 0 && how->share < 1;
    if (how->composite || how->rate_count || how->traces_per_s)
        return true;
    return how->parent_based ? how->remote_sampled != PIPE_AS_PARENT ||
                                   how->remote_not_sampled != PIPE_AS_PARENT ||
                                   how->local_sampled != PIPE_AS_PARENT ||
                                   how->local_not_sampled != PIPE_AS_PARENT
                             : share;
}

int verdict_new(struct verdicts **out, const struct pipe_sampling *how, uint64_t *full_ns)
{
    struct verdicts *v = mem_calloc(1, sizeof *v);
    int rc = v ? sampler_init(&v->sampler, how) : ORIEL_ENOMEM;
    if (rc < 0) {
        mem_free(v);
        return rc;
    }
    v->full_ns = full_ns;
    *out = v;
    return 0;
}

void verdict_free(struct verdicts *v)
{
    if (v)
        sampler_done(&v->sampler);
    mem_free(v);
}

bool verdict_of_entries(const struct verdicts *v)
{
    return v->sampler.inherits;
}

/* As within_limit of sample.c: the time at which the bucket is full again. */
static bool within_limit(const struct verdicts *v, uint64_t now_ns)
{
    const uint32_t most = v->sampler.how.traces_per_s;
    if (!most)
        return true;
    const uint64_t cost = SECOND / most + (SECOND / most == 0);
    uint64_t was = __atomic_load_n(v->full_ns, __ATOMIC_RELAXED), from;
    do {
        from = was > now_ns ? was : now_ns;
        if (from + cost > now_ns + SECOND)
            return false;
    } while (!__atomic_compare_exchange_n(v->full_ns, &was, from + cost, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return true;
}

/* The tracestate with that threshold; what has none and needs none is left alone. */
static void tell(const struct verdict_question *q, uint64_t threshold, struct verdict *out)
{
    if (!q->state.n && (!threshold || threshold >= RATIO_NONE))
        return;
    out->state_bytes = otstate_write(q->state, threshold, out->state);
    out->state_set = true;
}

static void ask_composed(const struct verdicts *v, const struct verdict_question *q,
                         uint64_t randomness, struct verdict *out)
{
    struct compose_span span = {.values = q->values,
                                .value_count = q->value_count,
                                .root = q->root,
                                .remote = q->remote,
                                .parent_sampled = q->parent_sampled,
                                .parent_threshold = RATIO_NONE};
    struct compose_intent intent;
    (void)otstate_threshold(q->state, &span.parent_threshold);
    compose_ask(v->sampler.composed->root, &span, &intent);
    out->sampled = intent.threshold < RATIO_NONE && randomness >= intent.threshold &&
                   (!q->root || within_limit(v, q->now_ns));
    const bool told = out->sampled && intent.reliable && !v->sampler.how.traces_per_s;
    tell(q, told ? intent.threshold : RATIO_NONE, out);
    for (unsigned i = 0; out->sampled && i < intent.note_count; i++)
        for (size_t k = 0; k < intent.notes[i]->note_count; k++)
            if (out->note_count < VERDICT_NOTES_MAX)
                out->notes[out->note_count++] = &intent.notes[i]->notes[k];
}

/* By the threshold of its own target, or by what the parent was. */
static uint64_t threshold_for(const struct verdicts *v, const struct verdict_question *q)
{
    const struct pipe_sampling *how = &v->sampler.how;
    if (q->root)
        return sampler_threshold(&v->sampler, q->target);
    if (!how->parent_based)
        return q->remote || how->rate_count ? sampler_threshold(&v->sampler, q->target)
                                            : SAMPLER_AS_PARENT;
    switch (sampler_delegate(how, q->remote, q->parent_sampled)) {
    case PIPE_DELEGATE_ON:
        return 0;
    case PIPE_DELEGATE_OFF:
        return RATIO_NONE;
    case PIPE_DELEGATE_RATIO:
        return ratio_threshold(how->share);
    case PIPE_AS_PARENT:
        break;
    }
    return SAMPLER_AS_PARENT;
}

void verdict_ask(const struct verdicts *v, const struct verdict_question *q, struct verdict *out)
{
    uint64_t randomness = ratio_randomness(q->trace_lo);
    out->state_set = false;
    out->note_count = 0;
    out->sampled = true;
    (void)otstate_randomness(q->state, &randomness);
    if (!v->sampler.active)
        return;
    if (v->sampler.composed) {
        ask_composed(v, q, randomness, out);
        return;
    }
    const uint64_t threshold = threshold_for(v, q);
    if (threshold == SAMPLER_AS_PARENT) {
        out->sampled = q->parent_sampled;
        return;
    }
    out->sampled = randomness >= threshold && (!q->root || within_limit(v, q->now_ns));
    const bool told = out->sampled && !(q->root && v->sampler.how.traces_per_s);
    tell(q, told ? threshold : RATIO_NONE, out);
}
