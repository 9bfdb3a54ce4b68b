/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The slowest traces, whole: copies of their spans and events, for the tree in
 * the terminal. A trace is ranked by its longest root span.
 *
 * Bounds: TRACES_BYTES of copies in traces that are still open (the one that
 * was silent longest gives way, ranked by what was seen of it), TRACES_KEPT
 * traces at the end, the TRACE_SPANS longest spans and first TRACE_EVENTS
 * events of each; shorter spans are counted under their parent. Pure; one
 * thread.
 */
#ifndef ORIEL_REPORT_TRACES_H
#define ORIEL_REPORT_TRACES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/vec.h"
#include "report/inst.h"

#define TRACES_KEPT 3u
#define TRACES_BYTES (32u << 20)
#define TRACES_OPEN_MAX 16384u
#define TRACE_SPANS 1024u
#define TRACE_EVENTS 512u
#define TRACE_FOLDS 4096u

struct trace_fold { /* spans too short to be kept, below one parent */
    uint64_t count, ns;
    uint32_t next_free;
};
struct trace {
    uint8_t id[16];
    uint64_t key;
    struct trace *older, *newer; /* of the open ones */
    bool kept;
    VEC(struct inst *) spans, events;
    struct map fold_by_parent;        /* span id -> index */
    uint32_t free_fold;               /* 0 none */
    uint64_t floor_ns;                /* shorter spans are not copied any more */
    VEC(struct trace_fold) folds;     /* [0]: parents not known */
    uint64_t span_count, event_count; /* seen */
    uint64_t root_ns, longest_ns;
    size_t bytes;
};
struct traces {
    struct map by_key; /* -> struct trace * */
    struct trace *oldest, *newest;
    struct trace *kept[TRACES_KEPT]; /* slowest first */
    uint32_t kept_count;
    size_t bytes;     /* of the open ones */
    uint64_t seen;    /* traces */
    uint64_t cut_off; /* gave way before their root ended */
};

/* 0 or ORIEL_ENOMEM. */
int traces_span(struct traces *t, const struct model_span *span, uint32_t name, uint64_t self_ns);
int traces_event(struct traces *t, const struct model_event *event, uint32_t name);
/* Rank those still open, too; afterwards only `kept` is left. */
void traces_settle(struct traces *t);
void traces_done(struct traces *t);

#endif
