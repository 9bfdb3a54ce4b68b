/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spans that were not sampled wait here for what becomes of their trace: one that
 * shows an error, or whose local root was slow, is given out after all. Bounded in
 * bytes and in time; the oldest trace goes first. Inside the pipe only.
 */
#ifndef ORIEL_PIPE_TAIL_H
#define ORIEL_PIPE_TAIL_H

#include "base/map.h"
#include "pipe/pipe.h"

struct tail_trace;
struct tail {
    bool keep_errors;
    uint64_t keep_slow_ns, max_bytes, max_ns;
    struct map by_id; /* hash of the id -> struct tail_trace */
    struct tail_trace *oldest, *newest;
    uint64_t bytes, held; /* spans */
    struct pipe_counts *counts;
};

void tail_init(struct tail *t, const struct pipe_sampling *how, struct pipe_counts *counts);
void tail_done(struct tail *t);
static inline bool tail_wanted(const struct pipe_sampling *how)
{
    return how->keep_errors || how->keep_slow_ns;
}
/* Takes the spans that are not sampled out of the items from `first` on, and adds at their
 * end what is to be given out after all. False: no memory for something, which is counted as
 * sampled out. */
bool tail_take(struct tail *t, struct model_batch *out, size_t first, uint64_t now_ns);
/* Nothing comes any more: what waits is not given out. */
void tail_finish(struct tail *t);

#endif
