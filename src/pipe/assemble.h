/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Stage 2: records in order become items. Inside the pipe only.
 *
 *   assemble.c  one handler per record type: stacks, begin and end, tasks
 *   detail.c    what is added to an open span: fields, status, links
 *   emit.c      finished spans, events and the rest as items of the batch
 *   plain.c     the short way of spans that are over within a push
 *   finish.h    what every span has, as an item
 *   more.c      texts that are longer than a record
 *   closing.c   spans that something else than their end closes
 *   resync.c    losses, and what a SYNC after one proves about the stack
 */
#ifndef ORIEL_PIPE_ASSEMBLE_H
#define ORIEL_PIPE_ASSEMBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/batch.h"
#include "pipe/pipe.h"
#include "pipe/sample.h"
#include "pipe/span.h"
#include "pipe/track.h"

/* A span that is over but may still be named: children opened late, events. */
struct ended_span {
    uint64_t raw_id, trace[2];
    uint32_t state; /* a reference */
    uint8_t trace_flags;
};
#define ENDED_SPANS 1024u /* remembered, by a hash of the id; newer ones replace */

/* Sampled blocks by process and address, so that the free of one says what of. */
struct heap_block {
    uint64_t trace[2], span_id;
    const struct model_site *site;
    const struct model_thread *thread;
    uint64_t bytes, count;
    uint32_t stack, next_free;
    bool taken;
};
/* What a stack has allocated and not freed, where a program adds up itself. */
struct heap_sum {
    const struct model_thread *thread;
    uint64_t bytes, count;
    uint32_t stack;
};
struct heap_live {
    struct map by_address;
    struct heap_block *blocks;
    uint32_t count, capacity, free; /* free: index + 1 of the first, 0 none */
    struct map by_stack;            /* process << 32 | stack -> index */
    struct heap_sum *sums;
    uint32_t sum_count, sum_capacity;
};
#define HEAP_LIVE_MAX (1u << 20)

/* The spans that go the short way, see plain.h. */
#define PLAIN_THREADS 64u
struct plain {
    struct thread_state *threads[PLAIN_THREADS]; /* that may have some */
    uint32_t thread_count;
    uint32_t open; /* on all of them */
    uint64_t order;
};

struct assemble {
    const struct model_catalog *catalog;
    const struct pipe_options *limits;
    struct pipe_counts *counts;
    struct model_batch *out; /* of the push that runs */
    struct sampler sampler;
    uint64_t th;       /* threshold that the tracestate in th_state tells */
    uint32_t th_state; /* a reference; 0: none yet */
    uint32_t said;     /* tracestate in the batch of items, a reference; 0: none */
    struct model_str said_text;
    bool unsampled;  /* some span was not wanted so far */
    bool tail;       /* spans that were not sampled may be given out all the same */
    bool leaves_out; /* they may not: no items are made of them */
    struct spans spans;
    struct track track;
    struct plain plain;
    struct heap_live live; /* sampled blocks that were not freed yet */
    struct map async;      /* raw id -> open span, those opened with OPEN */
    struct ended_span ended[ENDED_SPANS];
    uint64_t now;                          /* newest time of any record; the order of the items */
    uint64_t others;                       /* contexts and ghosts among spans.count */
    uint64_t lost_seen[ORIEL_LOST_CAUSES]; /* of the catalog's losses: told already */
    uint32_t searches;                     /* for ends on other threads, left in this push */
    bool no_memory;                        /* something was not done for want of memory */
    bool rich;                             /* items of this push have fields or texts */
};

/* A span as others refer to it. */
struct span_ref {
    uint64_t trace[2], span_id;
    struct open_span *span; /* NULL: not open (any more) */
    uint32_t state;         /* tracestate, borrowed */
    uint8_t trace_flags;    /* enum model_trace_flag */
};

void assemble_init(struct assemble *a, const struct model_catalog *catalog,
                   const struct pipe_options *limits, struct pipe_counts *counts);
void assemble_done(struct assemble *a);
void assemble_start(struct assemble *a, struct model_batch *out);
/* An order_sink: records in order, `user` is the struct assemble. */
void assemble_records(void *user, const struct model_record *r, size_t n);
/* After the last record of a push: nothing refers to its batch any more. */
void assemble_end(struct assemble *a);
/* Close all that is open as unfinished, tell the losses not told yet. */
void assemble_finish(struct assemble *a);

/* ---- between the files of this stage ---- */

enum pipe_fate assemble_record(struct assemble *a, struct stream_state *s,
                               const struct model_record *r);
/* Time of a record: its own, or the one given from outside. */
static inline uint64_t record_time(const struct model_record *r)
{
    return __builtin_expect(r->flags & ORIEL_RECF_HAS_TIME, 0) ? r->raw[1] : r->t_ns;
}
/* False for a context that is not valid, or whose trace was lost. */
static inline bool has_trace(const struct open_span *span)
{
    return (span->trace[0] | span->trace[1]) != 0;
}
/* The span on top of the thread, as a reference; all zero when there is none. */
void resolve_top(const struct thread_state *t, struct span_ref *out);
/* An open span (not a context or ghost) by its raw id; NULL: none. */
struct open_span *find_span(struct assemble *a, struct stream_state *s, uint64_t raw);
/* Ids by raw id; for one that is not known they are derived as for a root. */
void resolve_span(struct assemble *a, struct stream_state *s, uint64_t raw, struct span_ref *out);
/* A context or ghost on top of the stream's thread; NULL: no memory. */
struct open_span *push_other(struct assemble *a, struct stream_state *s, enum span_kind kind,
                             uint64_t position, uint32_t stack_flags);
/* Everything else on stacks is an open span, and those are limited; this is the
 * bound for entering one again and again without leaving it. */
static inline bool stacks_full(const struct assemble *a)
{
    return a->track.entries >= (uint64_t)a->limits->open_span_limit * 2;
}
bool push_entered(struct assemble *a, struct stream_state *s, struct open_span *span, uint64_t t_ns,
                  uint64_t position, uint32_t stack_flags);
/* Take an entry off the stack and do what its leaving means at t_ns. */
void drop_entry(struct assemble *a, struct thread_state *t, uint32_t at, uint64_t t_ns);
/* The tracestate of what begins a trace here and is taken by that share: a's, not one more. */
uint32_t sample_state(struct assemble *a, uint64_t threshold);
/* Trace flags of a span that begins, with a parent or without, and whether it is wanted. */
void sample_span(struct assemble *a, struct open_span *span, bool remote);
/* An attribute that is not the program's; what it says of the same name wins. */
void note_value(struct assemble *a, struct open_span *span, const struct model_value *v);
/* What was noted together with what the program said. */
void take_notes(struct assemble *a, struct open_span *span);
/* Of a ghost, as far as is known of the span it stands for. */
void inherit_sampling(struct assemble *a, struct open_span *span, uint8_t trace_flags);
/* Trace id of a root span with this raw id that begins on this thread. */
void root_trace(const struct assemble *a, const struct model_thread *thread, uint64_t raw,
                uint64_t trace[2]);

/* closing.c */
/* Too many are open: the oldest goes, as unfinished. */
void close_oldest(struct assemble *a);
/* Close a context or ghost that stands on no stack any more. */
void close_other(struct assemble *a, struct open_span *span);
/* State of a thread that has begun something. */
struct thread_state *assemble_thread(const struct assemble *a, const struct model_thread *thread);

/* The span goes on in the trace of the reference. */
void join_trace(struct assemble *a, struct open_span *span, const struct span_ref *ref);

/* detail.c */
/* The fields that a span began with, when more of their texts was said before. */
void take_long_fields(struct assemble *a, struct stream_state *s, struct open_span *span);
enum pipe_fate take_state(struct assemble *a, struct stream_state *s, const struct model_record *r);
enum pipe_fate take_set(struct assemble *a, struct stream_state *s, const struct model_record *r);
enum pipe_fate take_name(struct assemble *a, struct stream_state *s, const struct model_record *r);
enum pipe_fate take_status(struct assemble *a, struct stream_state *s,
                           const struct model_record *r);
enum pipe_fate take_link(struct assemble *a, struct stream_state *s, const struct model_record *r);
enum pipe_fate take_told_link(struct assemble *a, struct stream_state *s,
                              const struct model_record *r);
enum pipe_fate take_follow(struct assemble *a, struct stream_state *s,
                           const struct model_record *r);
/* Start a stretch of busy time; false: no memory. */
bool busy_start(struct assemble *a, struct open_span *span, const struct model_thread *thread,
                uint64_t t_ns);
/* Start of the stretch that runs on this thread; 0: none does. */
uint64_t busy_since(const struct open_span *span, const struct model_thread *thread);
void busy_stop(struct assemble *a, struct open_span *span, const struct model_thread *thread,
               uint64_t t_ns);
void busy_stop_all(struct assemble *a, struct open_span *span, uint64_t t_ns);

/* When what the entry stands for, or what is around that if it is from outside, began on this
 * thread; 0 where nothing did. */
static inline uint64_t around_start(const struct thread_state *t, const struct stack_entry *around)
{
    while (around > t->stack + t->base && around->span->kind >= SPAN_CONTEXT)
        around--;
    return around->span->kind == SPAN_SCOPED  ? around->span->start_ns
           : around->span->kind == SPAN_ASYNC ? busy_since(around->span, t->thread)
                                              : 0;
}

/* emit.c */
/* The text of a tracestate in the batch, once for all spans in a row that have it. */
struct model_str emit_state(struct assemble *a, uint32_t state);
/* The items were taken, and their texts with them. */
void emit_cleared(struct assemble *a);
/* The fields that an ended span began with, of which nothing else was said. */
void emit_begun(struct assemble *a, const struct model_record *begin, struct model_span *out);
/* Give the span out and close it; it stands on no stack of its own any more. */
void finish_span(struct assemble *a, struct open_span *span, uint64_t end_ns,
                 const struct model_thread *end_thread, uint32_t flags);
enum pipe_fate emit_external(struct assemble *a, struct stream_state *s,
                             const struct model_record *r);
enum pipe_fate emit_event(struct assemble *a, struct stream_state *s, const struct model_record *r);
enum pipe_fate emit_told_log(struct assemble *a, struct stream_state *s,
                             const struct model_record *r);
enum pipe_fate emit_plot(struct assemble *a, struct stream_state *s, const struct model_record *r);
enum pipe_fate emit_frame(struct assemble *a, struct stream_state *s, const struct model_record *r);
enum pipe_fate emit_sample(struct assemble *a, struct stream_state *s,
                           const struct model_record *r);
enum pipe_fate emit_task(struct assemble *a, struct stream_state *s, const struct model_record *r);
void emit_loss(struct assemble *a, const struct model_loss *loss);

/* more.c */
enum pipe_fate take_more(struct assemble *a, struct stream_state *s, const struct model_record *r);
/* A value of the record that is taken now, whole, in the batch; as it is where nothing more was
 * said of it, or there is no memory. */
void more_join(struct assemble *a, const struct stream_state *s, uint32_t index,
               struct model_value *v);

/* assemble.c: an open span that is found by its id; NULL: no memory. */
struct open_span *new_async(struct assemble *a, const struct model_record *r, uint32_t flags);
static inline uint16_t depth_on(const struct thread_state *t)
{
    uint32_t depth = t->top - t->base - t->kinds[SPAN_CONTEXT];
    return depth < UINT16_MAX ? (uint16_t)depth : UINT16_MAX;
}

/* What BEGIN and OPEN have in common. */
static inline void fill_span(struct open_span *span, const struct model_record *r,
                             const struct thread_state *t, uint32_t prefix)
{
    span->raw_id = r->raw_id;
    span->span_id = oriel_id_mix(r->raw_id);
    span->start_ns = record_time(r);
    span->site = r->site;
    span->thread = r->thread;
    span->depth = depth_on(t);
    if (__builtin_expect(r->words > prefix, 0)) {
        span->raw = r->raw;
        span->words = r->words;
        span->type = r->type;
        span->record_flags = r->flags;
    }
}

/* told.c */
enum pipe_fate take_told(struct assemble *a, struct stream_state *s, const struct model_record *r);

/* heap.c */
enum pipe_fate take_heap(struct assemble *a, struct stream_state *s, const struct model_record *r);
/* Begin to count for a scoped span; nothing where it finds no memory. */
void heap_begin(struct assemble *a, const struct thread_state *t, struct open_span *span);
/* The stretch of an async span that is over. */
void heap_stretch(struct assemble *a, struct span_extra *e, const struct span_active *active);
/* What it adds up to, as attributes behind those that the span has. */
void heap_attributes(struct assemble *a, const struct open_span *span, struct model_span *out);
/* A sample of a block that came: kept in mind. Of one that went: `out` becomes a
 * sample of where it came from; false: that was not seen. */
void heap_came(struct assemble *a, const struct model_sample *sample);
void heap_summed(struct assemble *a, const struct model_sample *sample);
/* What was not freed, as samples. */
void heap_tell_live(struct assemble *a);
bool heap_went(struct assemble *a, struct model_sample *out);
void heap_live_done(struct heap_live *live);

/* resync.c */
enum pipe_fate take_sync(struct assemble *a, struct stream_state *s, const struct model_record *r);
/* The first record after a SYNC that followed a loss. */
enum pipe_fate take_after_sync(struct assemble *a, struct stream_state *s,
                               const struct model_record *r);
void tell_remaining_losses(struct assemble *a);

#endif
