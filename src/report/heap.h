/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Memory: what spans allocated, as their attributes say, added up by name; and
 * what processes say at their end. Stacks are in the profile. Pure; one thread.
 */
#ifndef ORIEL_REPORT_HEAP_H
#define ORIEL_REPORT_HEAP_H

#include "base/vec.h"
#include "model/batch.h"

struct heap_counts {
    uint64_t allocations, bytes, frees, freed;
};
struct heap_span {
    uint64_t spans;
    struct heap_counts own, all; /* all: with what is inside; recursion counts each time */
};
struct heap {
    VEC(struct heap_span) spans;                                      /* by name id */
    uint64_t processes, allocations, bytes, frees, freed, live, peak; /* of those that ended */
    bool any;                                                         /* spans with counts */
};

/* A span's "alloc.count", "dealloc.self.bytes", ...: what the pipe wrote, not the program. */
bool heap_is_attribute(struct model_str key);
/* 0 or ORIEL_ENOMEM. Spans and events that say nothing of memory are passed over. */
int heap_add_span(struct heap *h, const struct model_span *span, uint32_t name);
void heap_add_event(struct heap *h, const struct model_event *event);
void heap_done(struct heap *h);

#endif
