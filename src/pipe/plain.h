/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The short way of a plain span. Nearly all spans begin, hold nothing but other
 * spans of their thread, and end, all within one push. Such a span is never an
 * open_span: while it lasts it is one cache line on its thread, above the stack
 * (above all that stands on it), and names the record that it began with. Before
 * anything that could ask after it, whatever that is, plain_settle makes of all of them
 * what the long way would have made at once. Inside the pipe only.
 */
#ifndef ORIEL_PIPE_PLAIN_H
#define ORIEL_PIPE_PLAIN_H

#include <stddef.h>

#include "pipe/assemble.h"

#define PLAIN_DEPTH 8u /* on one thread; what is deeper settles them */

struct plain_span {
    uint64_t trace[2], span_id, parent_id, start_ns;
    const struct model_record *begin; /* readable until the push is over */
    uint64_t order;                   /* by age among those of all threads */
    uint32_t flags;                   /* enum model_span_flag */
    uint16_t depth;
    uint8_t trace_flags;
};
_Static_assert(sizeof(struct plain_span) <= 64, "one cache line");

/* Takes begins and ends of this stream for as long as they are plain; returns the first record
 * that is not. */
const struct model_record *plain_take(struct assemble *a, struct stream_state *s,
                                      const struct model_record *r,
                                      const struct model_record *behind);
void plain_settle_all(struct assemble *a);
/* From here on everything is as if the short way did not exist. */
static inline void plain_settle(struct assemble *a)
{
    if (a->plain.open)
        plain_settle_all(a);
}

#endif
