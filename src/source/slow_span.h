/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spans that stay open for too long, seen from outside: the stacks of all
 * threads stand in the ring, so looking costs the program nothing. What a look
 * sees for the first time is taken to begin then; a span is told once. Looks at
 * the outermost ORIEL_STACK_DEPTH spans of each thread. One thread.
 */
#ifndef ORIEL_SOURCE_SLOW_SPAN_H
#define ORIEL_SOURCE_SLOW_SPAN_H

#include <stdint.h>

#include "base/err.h"

struct slow_span {
    uint64_t open_ns; /* at least; since it was first seen */
    uint32_t site;    /* id, in its process */
    int32_t pid, tid;
    char thread[32]; /* name, NUL-terminated */
};
struct slow_watch;

/* `ring` is the path of a region. 0 or ORIEL_ENOMEM, ORIEL_EFORMAT, ... */
int slow_watch_open(struct slow_watch **out, const char *ring, uint64_t threshold_ns,
                    struct oriel_err *err);
/* How many spans passed the threshold since the last look; up to `max` of them
 * are told, the others with the next look. */
unsigned slow_watch_look(struct slow_watch *w, uint64_t now_ns, struct slow_span *out,
                         unsigned max);
/* How often to look, so that a span is seen early enough. */
uint64_t slow_watch_interval_ns(const struct slow_watch *w);
void slow_watch_close(struct slow_watch *w); /* takes NULL */

#endif
