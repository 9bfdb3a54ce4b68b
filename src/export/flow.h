/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Arrows between slices, for trace viewers: from a span to the one that links
 * to it, from a spawn or wake to the resume. The two ends of an arrow arrive
 * at different times and in either order; here they meet. Memory is bounded:
 * what was forgotten costs an arrow, never an item. One thread at a time.
 */
#ifndef ORIEL_EXPORT_FLOW_H
#define ORIEL_EXPORT_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/vec.h"
#include "model/batch.h"

enum {
    EXPORT_FLOW_SEEN = 1 << 16,    /* spans remembered as possible targets of links */
    EXPORT_FLOW_PENDING = 1 << 16, /* links whose target has not come yet */
    EXPORT_FLOW_TASKS = 1 << 20    /* tasks woken and not resumed yet */
};

/* Where an arrow begins or ends: a span, and its slice on a thread. */
struct export_point {
    uint64_t span_id;
    uint64_t start_ns;                 /* of the span */
    uint64_t slice_ns;                 /* of the slice on `thread` */
    const struct model_thread *thread; /* NULL: no slice on any thread */
    bool async;                        /* has a track of its own */
};

struct export_flow_pending {
    struct export_point point;
    uint64_t wants; /* span id */
    uint32_t next;  /* index + 1 of the next that wants the same; 0 none */
};

struct export_flows {
    struct export_point *seen; /* ring; NULL: out of memory, no arrows from links */
    uint64_t seen_count;
    uint64_t indexed;   /* of them are in by_span */
    struct map by_span; /* span id -> number in `seen` */
    struct map wanted;  /* span id -> index + 1 in `pending` */
    VEC(struct export_flow_pending) pending;
    struct map tasks; /* task id -> id of its arrow */
    uint64_t next_id;
};

void export_flows_init(struct export_flows *f);
void export_flows_done(struct export_flows *f);

/* Called for each arrow; the earlier end is `from`. */
typedef void export_flow_fn(void *user, uint64_t id, const struct export_point *from,
                            const struct export_point *to);

void export_flows_point(const struct model_span *s, struct export_point *out);
void export_flows_resolve(struct export_flows *f, const struct model_span *s, export_flow_fn *fn,
                          void *user);

/* Every span passes here once, after its slices were written. */
static inline void export_flows_span(struct export_flows *f, const struct model_span *s,
                                     export_flow_fn *fn, void *user)
{
    if (s->link_count || f->wanted.count)
        export_flows_resolve(f, s, fn, user);
    if (!f->seen)
        return;
    struct export_point *out = &f->seen[f->seen_count++ & (EXPORT_FLOW_SEEN - 1)];
    if (__builtin_expect(s->flags & (MODEL_SPAN_ASYNC | MODEL_SPAN_EXTERNAL), 0))
        export_flows_point(s, out);
    else
        *out = (struct export_point){s->span_id, s->start_ns, s->start_ns, s->thread, false};
}

/* What a task item does to the arrow of its task: 's' begins it, 't' continues
 * it, 'f' ends it, 0 nothing. *out_id is set unless the answer is 0. */
char export_flows_task(struct export_flows *f, const struct model_task *t, uint64_t *out_id);

#endif
