/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the pipe knows of each stream and each thread: the span stack, loss
 * counters, where a stream's ids begin. Inside the pipe only. A record finds
 * its stream by one compare; nothing is hashed for scoped spans.
 */
#ifndef ORIEL_PIPE_TRACK_H
#define ORIEL_PIPE_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "model/batch.h"
#include "pipe/span.h"

enum stack_flag {
    STACK_INNER = 1,   /* entered again while entered: adds no busy time */
    STACK_BY_SYNC = 2, /* put there by a SYNC; its ENTER or ATTACH may follow */
    STACK_WATCHED = 4  /* seen from outside: only its own CLOSE takes it off */
};

struct stack_entry {
    struct open_span *span;
    uint64_t position; /* of the record that pushed it, in its stream */
    uint32_t stream;
    uint32_t flags; /* enum stack_flag */
};

struct past;
struct more;
struct plain_span;

struct thread_state {
    const struct model_thread *thread;
    struct stack_entry *stack; /* entries base .. top-1; the bottom may leave early */
    uint32_t base, top, capacity;
    uint32_t streams;
    uint32_t kinds[SPAN_KINDS];       /* entries by the kind of their span */
    uint64_t lost[ORIEL_LOST_CAUSES]; /* told so far, over its streams */
    struct heap_counts heap;          /* so far */
    bool heap_known;                  /* a HEAP record was seen */
    struct past *past;                /* of a thread that was seen waiting; else NULL */
    struct plain_span *plain;         /* above the stack, see plain.h; NULL: none so far */
    uint32_t plain_count;
    uint32_t
        plain_state;   /* their tracestate, which what they stand on, or the sampler, refers to */
    bool plain_listed; /* among the threads that may have some */
};

/* A SYNC that follows a loss, until the next record shows what it stood for. */
struct pending_sync {
    uint64_t t_ns, position;
    uint32_t depth, count;
    uint64_t ids[ORIEL_STACK_DEPTH];
};

struct stream_state {
    uint32_t serial;
    bool synced;    /* a SYNC was seen */
    bool has_seed;  /* raw id = seed + position */
    bool forgotten; /* on its way out */
    struct thread_state *thread;
    uint64_t seed, high;   /* high: upper half of the last raw id registered */
    uint64_t last_ns, end; /* time and end position of the last record */
    uint64_t lost[ORIEL_LOST_CAUSES];
    struct pending_sync *pending;
    struct more *more; /* of texts of the record that comes next; else NULL */
};

#define TRACK_RECENT 64u
/* Streams beyond this are looked through for ones that can be forgotten: idle
 * for a second, nothing open, nothing lost. What such a stream leaves behind is
 * nothing, so it may come back. */
#define TRACK_STREAMS 4096u
#define TRACK_IDLE_NS 1000000000u

struct track {
    struct stream_state *recent[TRACK_RECENT]; /* by the low bits of the serial */
    struct map streams;                        /* serial -> struct stream_state * */
    struct map by_high;                        /* upper half of raw ids -> stream they come from */
    struct thread_state **threads;             /* by index of the model's thread */
    size_t thread_capacity;
    size_t sweep_at;     /* number of streams that starts the next look; 0: TRACK_STREAMS */
    uint64_t entries;    /* on all stacks */
    uint64_t more_bytes; /* what the streams wait with, together */
};

void track_done(struct track *k);
struct stream_state *track_stream_slow(struct track *k, const struct model_record *r);
/* State of the stream of a record; NULL: no memory. */
static inline struct stream_state *track_stream(struct track *k, const struct model_record *r)
{
    struct stream_state *s = k->recent[r->stream % TRACK_RECENT];
    if (__builtin_expect(s && s->serial == r->stream && s->thread->thread == r->thread, 1))
        return s;
    return track_stream_slow(k, r);
}

/* Remember which stream ids like this come from. */
void track_register(struct track *k, struct stream_state *s, uint64_t raw, uint64_t position);
static inline void track_id(struct track *k, struct stream_state *s, uint64_t raw,
                            uint64_t position)
{
    if (__builtin_expect(s->high != raw >> 32 || !s->has_seed, 0))
        track_register(k, s, raw, position);
}
/* The stream that a raw id comes from, NULL if unknown. */
struct stream_state *track_origin(const struct track *k, uint64_t raw);

/* ---- stacks ---- */

static inline struct stack_entry *stack_top(const struct thread_state *t)
{
    return t->top > t->base ? &t->stack[t->top - 1] : NULL;
}

/* Room for one more entry; false: no memory. */
bool stack_grow(struct thread_state *t);
static inline bool stack_push(struct track *k, struct thread_state *t, struct stack_entry e)
{
    if (__builtin_expect(t->top == t->capacity, 0) && !stack_grow(t))
        return false;
    t->stack[t->top++] = e;
    t->kinds[e.span->kind]++;
    e.span->stack_refs++;
    k->entries++;
    return true;
}
/* Count an entry out that is gone from the array. */
static inline struct open_span *stack_forget(struct track *k, struct thread_state *t,
                                             struct open_span *span)
{
    t->kinds[span->kind]--;
    span->stack_refs--;
    k->entries--;
    if (t->top == t->base)
        t->top = t->base = 0;
    return span;
}
/* Take the top entry off. The span is the caller's to close or to release. */
static inline struct open_span *stack_pop(struct track *k, struct thread_state *t)
{
    return stack_forget(k, t, t->stack[--t->top].span);
}
/* The same with any entry. */
struct open_span *stack_remove(struct track *k, struct thread_state *t, uint32_t at);

/* Index of the topmost entry of a span begun on this thread (or a ghost, or an
 * entered span) whose raw id equals `raw` in the bits of `mask`; UINT32_MAX:
 * none. `position` is that of the span's begin if it came from `s`. */
uint32_t stack_find(const struct thread_state *t, uint64_t raw, uint64_t mask,
                    const struct stream_state *s, uint64_t position);

#endif
