/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Open spans: a pool with a free list, a list by age, and what only some spans
 * have (fields set later, links, status, busy time) in a part of its own, so
 * that a plain span costs two cache lines and no allocation. Foreign contexts
 * and spans whose begin was lost stand on stacks too, as spans of their kind.
 * Inside the pipe only.
 */
#ifndef ORIEL_PIPE_SPAN_H
#define ORIEL_PIPE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/batch.h"
#include "pipe/attrs.h"

enum span_kind {
    SPAN_SCOPED = 0,  /* BEGIN .. END */
    SPAN_ASYNC = 1,   /* OPEN .. CLOSE */
    SPAN_CONTEXT = 2, /* attached from outside; span_id is the remote one */
    SPAN_GHOST = 3,   /* on a stack after a loss, its begin was not seen */
    SPAN_KINDS = 4
};

/* What a link of a told span has besides: its values with their texts, in one block. */
struct link_block {
    size_t bytes; /* of the whole */
    struct model_value values[];
};

/* Stretches kept per async span; later ones only add to its busy time. */
#define SPAN_BUSY_LIMIT 1024u

/* What a thread allocated and freed, as in a HEAP record. */
struct heap_counts {
    uint64_t allocations, bytes, frees, freed_bytes;
};

struct span_active { /* entered and not left yet */
    const struct model_thread *thread;
    uint64_t start_ns;
    struct heap_counts heap; /* of the thread, then */
};

struct span_heap {
    bool known;               /* the thread's allocations are counted */
    struct heap_counts begin; /* scoped: of the thread, when it began */
    struct heap_counts total; /* async: in the stretches that are over */
    struct heap_counts self;  /* while it was the innermost one */
};

struct span_extra {
    struct attrs attrs;
    struct model_link *links;
    struct model_busy *busy;
    struct span_active *active;
    char *message; /* of the status */
    char *name;    /* in place of that of the site; NULL: none */
    uint64_t busy_ns;
    size_t link_count, link_capacity, busy_count, busy_capacity, active_count, active_capacity;
    uint32_t message_bytes, name_bytes, dropped_attrs, dropped_links;
    uint64_t long_bytes; /* of its texts that no record could hold */
    uint32_t told_flags;
    uint8_t status; /* enum oriel_status */
    struct span_heap heap;
    bool merged; /* the fields of the begin are in attrs */
    struct span_extra *next;
};

struct open_span {
    uint64_t trace[2], span_id, parent_id; /* W3C, memory order */
    uint64_t raw_id, start_ns;
    const struct model_site *site;
    const struct model_thread *thread; /* where it began */

    struct open_span *older, *newer;
    struct span_extra *extra; /* NULL: none */
    const uint64_t *raw;      /* record that began it, if it has fields; else NULL */
    uint32_t push;            /* number of the push it began in */
    uint32_t stack_refs;      /* entries on stacks */
    uint32_t event_count;
    uint32_t flags; /* enum model_span_flag */
    uint16_t depth, words;
    uint8_t type, record_flags; /* of the record at raw */
    uint8_t kind;               /* enum span_kind */
    bool owns_raw;              /* raw is a copy on the heap */
    bool closed;                /* given out; only stacks still refer to it */
    uint8_t trace_flags;        /* enum model_trace_flag */
    bool referenced;            /* somebody named it by its id: remember it a while */
    uint32_t state;             /* tracestate of its trace, a reference; 0: none */
};

/* Tracestates of the traces that go on here, each once for all its spans. */
struct span_state {
    char *text;
    uint32_t bytes, refs, next_free; /* next_free: index + 1, 0 none */
};

struct spans {
    struct open_span *free, *oldest, *newest;
    struct open_span **slabs;
    struct span_extra *free_extra;
    struct span_state *states;
    size_t slab_count, slab_capacity, free_extras, state_count, state_capacity;
    uint32_t free_state; /* index + 1; 0 none */
    uint64_t count;      /* in the list by age */
    uint64_t long_bytes; /* of all of them */
    uint32_t push;
};

void spans_done(struct spans *s);
/* One more slab on the free list; false: no memory. */
bool spans_grow(struct spans *s);
/* The extra part of a span, made when it has none; NULL: no memory. */
struct span_extra *spans_extra(struct spans *s, struct open_span *span);
/* Copy what spans begun in this push borrowed from its batch. Returns the
 * number of fields that found no memory. */
uint64_t spans_keep_fields(struct spans *s);
/* Back to the pool: out of the list by age, nothing refers to it any more. */
void spans_free_parts(struct spans *s, struct open_span *span);

/* A tracestate with one reference; 0: no memory. */
uint32_t spans_state_new(struct spans *s, const char *text, uint32_t bytes);
/* One reference more (also to 0, none), or less. */
uint32_t spans_state_ref(struct spans *s, uint32_t state);
void spans_state_unref(struct spans *s, uint32_t state);
struct model_str spans_state(const struct spans *s, uint32_t state);

/* A span, the youngest of the list; NULL: no memory. Zeroed but for ids, start,
 * site and thread, which every kind of span sets (zeroing all of it would be a
 * sixth of the cost of a plain span). */
static inline struct open_span *spans_new(struct spans *s)
{
    if (__builtin_expect(!s->free, 0) && !spans_grow(s))
        return NULL;
    struct open_span *span = s->free;
    s->free = span->newer;
    memset(&span->extra, 0, sizeof *span - offsetof(struct open_span, extra));
    span->parent_id = 0;
    span->newer = NULL;
    span->push = s->push;
    span->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = span;
    s->newest = span;
    s->count++;
    return span;
}

/* Out of the list by age; the memory stays while a stack refers to it. */
static inline void spans_close(struct spans *s, struct open_span *span)
{
    *(span->older ? &span->older->newer : &s->oldest) = span->newer;
    *(span->newer ? &span->newer->older : &s->newest) = span->older;
    s->count--;
    span->closed = true;
    if (__builtin_expect(span->extra || span->owns_raw || span->state, 0))
        spans_free_parts(s, span);
    if (span->stack_refs == 0) {
        span->newer = s->free;
        s->free = span;
    }
}

/* A stack entry of a span is gone: a closed one may have waited for that. */
static inline void spans_release(struct spans *s, struct open_span *span)
{
    if (span->stack_refs == 0 && span->closed) {
        span->newer = s->free;
        s->free = span;
    }
}

#endif
