/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which spans were innermost on a thread, and when, for the last moments of
 * threads that wait: short waits are told together, for a while that many spans
 * may have come and gone in. Each gets the part of its own time, but for that of
 * waits which are told by themselves: so none shows more waiting than it lasted.
 * Inside the pipe only.
 */
#ifndef ORIEL_PIPE_PAST_H
#define ORIEL_PIPE_PAST_H

#include <stdint.h>

#include "pipe/assemble.h"

#define PAST_MAX 4096u /* changes that are remembered; of what is older no span is known */
#define PAST_PARTS 32u /* kinds of spans in a while; the time of more is nobody's */

/* Of a while: the time in which spans of this kind were innermost. */
struct past_part {
    const struct model_site *site; /* NULL: outside any span, or not known */
    uint64_t trace[2], span_id;    /* 0: there were several of them */
    uint64_t ns;
};

struct past {
    struct past_change {
        uint64_t t_ns, trace[2], span_id;
        const struct model_site *site;
        bool gap;                    /* not a span: a wait that is told by itself */
    } * items;                       /* a ring */
    uint32_t first, count, capacity; /* a power of two */
    uint64_t span_id;                /* the innermost one now; 0 none */
    uint64_t from_ns, to_ns;
    struct past_part parts[PAST_PARTS]; /* of that while; parts[0] has no site */
    uint32_t part_count;
    uint64_t sum_ns; /* of the parts: the while less the waits that are told by themselves */
};

/* From now on; what is open began when it did. NULL: no memory. */
struct past *past_new(const struct thread_state *t);
void past_free(struct past *p); /* takes NULL */
/* Stands for a span where none is, or none of a trace. */
extern const struct open_span past_nobody;
/* The innermost span of the thread. */
static inline const struct open_span *past_innermost(const struct thread_state *t)
{
    const struct stack_entry *top = stack_top(t);
    return top && has_trace(top->span) ? top->span : &past_nobody;
}
static inline struct past_change *past_fill(struct past *p, struct past_change *c,
                                            uint64_t trace_hi, uint64_t trace_lo, uint64_t span_id,
                                            const struct model_site *site, uint64_t t_ns)
{
    c->t_ns = t_ns;
    c->trace[0] = trace_hi;
    c->trace[1] = trace_lo;
    c->span_id = p->span_id = span_id;
    c->site = site;
    c->gap = false;
    return c;
}

/* Behind the newest is the oldest. */
static inline struct past_change *past_take_oldest(struct past *p)
{
    struct past_change *c = &p->items[p->first];
    p->first = (p->first + 1) & (p->capacity - 1);
    return c;
}

void past_add(struct past *p, uint64_t trace_hi, uint64_t trace_lo, uint64_t span_id,
              const struct model_site *site, uint64_t t_ns);
/* From t_ns on it is this one. */
static inline __attribute__((always_inline)) void past_change(struct past *p, uint64_t trace_hi,
                                                              uint64_t trace_lo, uint64_t span_id,
                                                              const struct model_site *site,
                                                              uint64_t t_ns)
{
    p->to_ns = 0;                                  /* what was divided is no longer all there is */
    if (__builtin_expect(p->count == PAST_MAX, 1)) /* of a busy thread it is full for good */
        (void)past_fill(p, past_take_oldest(p), trace_hi, trace_lo, span_id, site, t_ns);
    else
        past_add(p, trace_hi, trace_lo, span_id, site, t_ns);
}
/* Something happened at t_ns: is another span the innermost one? */
static inline __attribute__((always_inline)) void
past_note(struct past *p, const struct thread_state *t, uint64_t t_ns)
{
    const struct open_span *in = past_innermost(t);
    if (in->span_id != p->span_id)
        past_change(p, in->trace[0], in->trace[1], in->span_id, in->site, t_ns);
}
/* A wait of so long ended at t_ns and is told by itself. */
void past_gap(struct past *p, const struct thread_state *t, uint64_t t_ns, uint64_t ns);
/* p->parts: whose [from_ns, to_ns) was. Their times add up to sum_ns. */
void past_divide(struct past *p, uint64_t from_ns, uint64_t to_ns);

#endif
