/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From records to items: order, assemble, redact, limit. Pure: no I/O, no
 * clock; time comes in the batch. One thread at a time.
 *
 *   records -> order (merge streams by time, hold back to the watermark)
 *           -> assemble (spans, context of events, losses)
 *           -> redact (marked secrets, in every string place; then messages)
 *           -> limit (OpenTelemetry attribute limits; after redaction, so that
 *                     no half of a secret escapes it)
 *           -> sample (spans of traces that are not wanted go, or wait for what
 *                     becomes of their trace)
 *           -> items
 */
#ifndef ORIEL_PIPE_PIPE_H
#define ORIEL_PIPE_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compose.h"
#include "base/err.h"
#include "model/batch.h"

/* Which traces are given out. Only spans go by it: events, plots and samples stay. */
enum pipe_sampler { PIPE_SAMPLE_ON = 0, PIPE_SAMPLE_OFF = 1, PIPE_SAMPLE_RATIO = 2 };
/* What a span with a parent is sampled by. */
enum pipe_delegate {
    PIPE_AS_PARENT = 0, /* kept if the parent was */
    PIPE_DELEGATE_ON = 1,
    PIPE_DELEGATE_OFF = 2,
    PIPE_DELEGATE_RATIO = 3
};
struct pipe_rate {
    const char *target; /* and all below it, up to a dot, slash or "::"; "" every target */
    double share;       /* 0 to 1 */
};
struct pipe_sampling {
    uint32_t size; /* sizeof(struct pipe_sampling) */
    enum pipe_sampler root;
    double share; /* of PIPE_SAMPLE_RATIO, 0 to 1 */
    /* Without it every span is decided like one that begins a trace; with it, by
     * the four delegates. */
    bool parent_based;
    enum pipe_delegate remote_sampled, remote_not_sampled, local_sampled, local_not_sampled;
    /* Of traces that begin here in such a target, instead of `share`: the longest that fits.
     * Copied. */
    const struct pipe_rate *rates;
    size_t rate_count;
    /* In place of root, share, delegates and rates; NULL: none. Copied. */
    const struct compose *composite;
    /* Log records and events in a span that was not sampled are left out, too; not where traces
     * are held (below), for theirs may come all the same. */
    bool logs_by_trace;
    uint32_t traces_per_s; /* that begin here, at most; bursts up to one second's; 0: no limit */
    /* Traces that were not sampled and are given out all the same, whole as far as it
     * is held: with a span whose status is an error, or that take so long at their
     * local root. 0, false: none is held. */
    bool keep_errors;
    uint64_t keep_slow_ns;
    uint64_t tail_bytes; /* held for that, at most; 0: 16 MiB */
    uint64_t tail_ns;    /* a trace without its local root is held so long; 0: 30 s */
};

/* Zero means the default given here. */
struct pipe_options {
    uint32_t size;                   /* sizeof(struct pipe_options) */
    uint32_t attribute_count_limit;  /* 128 */
    uint32_t attribute_length_limit; /* characters; 0 = none */
    uint32_t event_count_limit;      /* 128 per span */
    uint32_t link_count_limit;       /* 128 per span */
    uint32_t open_span_limit;        /* 1,000,000; beyond it the oldest is closed as unfinished */
    uint32_t long_way;               /* 1: without short cuts, for tests; items are the same */
    const struct pipe_sampling *sampling; /* copied; NULL: everything */
};

/* What became of a record. Each has exactly one fate:
 * records_in = held + the sum of fates, after every push. */
enum pipe_fate {
    PIPE_BEGAN = 0,      /* began a span (BEGIN, OPEN) */
    PIPE_ENDED = 1,      /* ended one (END, CLOSE) */
    PIPE_EXTERNAL = 2,   /* was one (SPAN) */
    PIPE_INTO_SPAN = 3,  /* went into one: SET, STATUS, LINK, FOLLOW, ENTER, EXIT */
    PIPE_ITEM = 4,       /* became an item: EVENT, PLOT, FRAME, TASK */
    PIPE_CONTROL = 5,    /* did its work: SYNC, THREAD, ATTACH, DETACH, TRIGGER */
    PIPE_ORPHAN_END = 6, /* ended a span that is not open: begin lost, or ended twice */
    PIPE_ORPHAN = 7,     /* concerned a span or context that is not there */
    PIPE_FOREIGN = 8,    /* type or site that makes no sense here */
    PIPE_NO_MEMORY = 9,
    PIPE_FATES = 10
};

struct pipe_counts {
    uint64_t records_in, items_out, spans, events;
    uint64_t unfinished, clamped, orphan_ends, dropped_attrs, dropped_links, dropped_events;
    uint64_t secrets;                 /* values redacted */
    uint64_t lost[ORIEL_LOST_CAUSES]; /* what the LOSS items say, summed */
    uint64_t held;                    /* records waiting for the watermark */
    uint64_t fates[PIPE_FATES];       /* by enum pipe_fate */
    uint64_t open;                    /* spans begun and not yet given out */
    uint64_t spans_lost;              /* spans that found no memory when they ended:
                                       * BEGAN + EXTERNAL = spans + open + spans_lost */
    uint64_t sampled_out;             /* of the spans: not given out, as the sampler says */
    uint64_t logs_sampled_out;        /* of the events: in such a span (logs_by_trace) */
    uint64_t tail_held;               /* of the spans: waiting for the end of their trace */
    uint64_t tail_kept;               /* of the spans: given out though not sampled */
};

struct pipe;
/* 0, ORIEL_EINVAL (an option out of range) or ORIEL_ENOMEM. */
int pipe_new(struct pipe **out, const struct pipe_options *options,
             const struct model_catalog *catalog);
/* Take the records of `in` and append what is complete to `out` (cleared by
 * the caller, same catalog); `in` may be cleared afterwards. Items come in the
 * order of t_ns. With in->last everything held back comes out and open spans
 * become unfinished ones. ORIEL_ENOMEM: what could be done was done, the rest
 * is counted; do not push the same batch again. */
int pipe_push(struct pipe *p, const struct model_batch *in, struct model_batch *out);
/* Let `fn` have the items of a push while they are still warm, PIPE_GIVEN or a
 * few more at a time; `out` is cleared after each call, so the push leaves the
 * last ones there. Spans that began in the same instant one inside the other
 * come in one call. */
#define PIPE_GIVEN 512u
void pipe_on_items(struct pipe *p, void (*fn)(void *user, const struct model_batch *items),
                   void *user);
/* Other rates between two pushes: for what begins from now on, spans that are open stay as they
 * were decided. What is kept of traces that are not sampled (keep_*, tail_*) has to be as it was.
 * 0; ORIEL_EINVAL, ORIEL_ENOMEM: nothing has changed. */
int pipe_set_sampling(struct pipe *p, const struct pipe_sampling *how);
void pipe_counts(const struct pipe *p, struct pipe_counts *out);
void pipe_free(struct pipe *p);

#endif
