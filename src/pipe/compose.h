/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What composed samplers (base/compose.h) say of a span that begins. Inside the pipe
 * only; pure.
 */
#ifndef ORIEL_PIPE_COMPOSE_H
#define ORIEL_PIPE_COMPOSE_H

#include <stdbool.h>

#include "base/compose.h"
#include "base/mem.h"
#include "model/batch.h"

/* What is known of it. */
struct compose_span {
    const struct model_record *begin; /* its fields; NULL: `values` */
    const struct model_value *values;
    size_t value_count;
    bool root, remote, parent_sampled;
    uint64_t parent_threshold; /* RATIO_NONE and more: its tracestate tells none */
};
struct compose_intent {
    uint64_t threshold; /* base/ratio.h; RATIO_NONE: not at all */
    bool reliable;      /* it may be told, to be counted with */
    const struct compose *notes[COMPOSE_DEPTH_MAX];
    unsigned note_count; /* of them: each has some attributes for the span */
};
void compose_ask(const struct compose *c, const struct compose_span *span,
                 struct compose_intent *out);
/* The threshold of what begins a trace, as far as it does not depend on the span. */
uint64_t compose_usual(const struct compose *c);
/* Deep; NULL: no memory, or deeper than COMPOSE_DEPTH_MAX. */
const struct compose *compose_copy(struct arena *arena, const struct compose *from);

#endif
