/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The samplers of the configuration, asked where a span begins rather than behind the
 * ring: for those whose decision nobody could tell from a trace id, so that headers say
 * what then happens. Made once, then never changed: any thread, any signal handler.
 */
#ifndef ORIEL_PIPE_VERDICT_H
#define ORIEL_PIPE_VERDICT_H

#include "pipe/pipe.h"

struct compose;
struct verdicts;

/* Whether headers would say something else than what happens, without these. */
bool verdict_wanted(const struct pipe_sampling *how);
/* `full_ns`: the bucket of traces_per_s, of all processes that share it; atomic, zero at first. 0;
 * ORIEL_EINVAL, ORIEL_ENOMEM. */
int verdict_new(struct verdicts **out, const struct pipe_sampling *how, uint64_t *full_ns);
void verdict_free(struct verdicts *v);
/* Only spans without a parent in this process are to be asked for. */
bool verdict_of_entries(const struct verdicts *v);

struct verdict_question {
    struct model_str target, state; /* of its call site; the parent's tracestate */
    bool root, remote, parent_sampled;
    uint64_t trace_lo, now_ns;
    const struct model_value *values; /* of its beginning */
    size_t value_count;
};
enum { VERDICT_NOTES_MAX = 16, VERDICT_STATE_BYTES = 512 };
struct verdict {
    bool sampled, state_set;
    unsigned note_count; /* attributes for the span, of the verdicts */
    const struct compose_note *notes[VERDICT_NOTES_MAX];
    uint32_t state_bytes;
    char state[VERDICT_STATE_BYTES]; /* where state_set */
};
void verdict_ask(const struct verdicts *v, const struct verdict_question *q, struct verdict *out);

#endif
