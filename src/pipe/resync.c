/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Losses. Every chunk begins with a SYNC: how much was lost so far, and the
 * writer's span stack as it stands. After a loss that stack is the truth: what
 * we hold and it does not was ended by a record we never saw, what it holds
 * and we do not was begun by one.
 *
 * A SYNC is written inside the emit of the record that follows it, which may
 * have changed the stack already (an END pops first). So what a SYNC proves is
 * drawn when that record is here. Between losses SYNCs change nothing.
 */
#include "pipe/assemble.h"

#include <assert.h>

enum { LOST_AT = 2, DEPTH_AT = LOST_AT + ORIEL_LOST_CAUSES, IDS_AT = DEPTH_AT + 1 };
enum { STACK_DOOMED = 1u << 31 }; /* a mark between two passes of one call */

/* ---- losses ---- */

/* Tell what the counters of a stream say beyond what was told. */
static bool tell_losses(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    bool any = false;
    for (uint32_t c = 0; c < ORIEL_LOST_CAUSES; c++) {
        uint64_t lost = r->raw[LOST_AT + c];
        if (lost > s->lost[c]) {
            struct model_loss loss = {.from_ns = s->last_ns < r->t_ns ? s->last_ns : r->t_ns,
                                      .to_ns = r->t_ns,
                                      .thread = r->thread,
                                      .count = lost - s->lost[c],
                                      .cause = c};
            s->thread->lost[c] += loss.count;
            emit_loss(a, &loss);
            any = true;
        }
        s->lost[c] = lost;
    }
    return any;
}

/* What the source knows beyond the SYNCs: losses after a thread's last one,
 * and those of nobody. */
void tell_remaining_losses(struct assemble *a)
{
    const struct model_catalog *c = a->catalog;
    struct model_loss loss = {.from_ns = c->start_ns < a->now ? c->start_ns : a->now,
                              .to_ns = a->now};
    for (uint32_t k = 0; k < ORIEL_LOST_CAUSES; k++) {
        loss.cause = k;
        for (uint32_t i = 0; i < c->thread_count; i++) {
            struct thread_state *t = i < a->track.thread_capacity ? a->track.threads[i] : NULL;
            uint64_t told = t ? t->lost[k] : 0, known = c->threads[i]->lost[k];
            if (known <= told)
                continue;
            loss.thread = c->threads[i];
            loss.count = known - told;
            if (t)
                t->lost[k] = known;
            emit_loss(a, &loss);
        }
        if (c->lost[k] <= a->lost_seen[k])
            continue;
        loss.thread = NULL;
        loss.count = c->lost[k] - a->lost_seen[k];
        a->lost_seen[k] = c->lost[k];
        emit_loss(a, &loss);
    }
}

/* ---- the stack ---- */

static uint64_t id_on_stack(const struct open_span *span)
{
    return span->kind == SPAN_CONTEXT ? span->span_id : span->raw_id;
}

/* Mark what the writer's stack does not hold any more. Returns how many of the
 * told ids are accounted for: those up to the last one found here. */
static uint32_t mark_doomed(struct thread_state *t, const struct stream_state *s,
                            const struct pending_sync *p)
{
    uint32_t known = 0, unnamed = p->depth - p->count; /* deeper than ids are told */
    for (uint32_t i = t->base; i < t->top; i++) {
        struct stack_entry *e = &t->stack[i];
        uint32_t at = known;
        if (e->stream != s->serial)
            continue;
        while (at < p->count && p->ids[at] != id_on_stack(e->span))
            at++;
        if (at < p->count)
            known = at + 1;
        else if (known == p->count && unnamed > 0)
            unnamed--;
        else
            e->flags |= STACK_DOOMED;
    }
    return known;
}

static bool on_stack(const struct thread_state *t, uint64_t id)
{
    for (uint32_t i = t->top; i > t->base; i--)
        if (id_on_stack(t->stack[i - 1].span) == id)
            return true;
    return false;
}

/* Whether an id told by a SYNC is that of a span of ours; else it belongs to a
 * context from outside. Before the first span of a stream it cannot be known. */
static bool is_ours(const struct assemble *a, const struct stream_state *s,
                    const struct pending_sync *p, uint64_t id)
{
    return !s->has_seed || id - s->seed < p->position || track_origin(&a->track, id) ||
           map_get(&a->async, id);
}

/* Put something on the stack for an id whose begin was not seen. */
static void push_unknown(struct assemble *a, struct stream_state *s, const struct pending_sync *p,
                         uint64_t id)
{
    const struct stack_entry *below = stack_top(s->thread);
    const uint64_t *slot = map_get(&a->async, id);
    struct span_ref around = {.trace_flags = MODEL_TRACE_SAMPLED};
    if (slot) { /* its ENTER was lost */
        struct open_span *span = (struct open_span *)(uintptr_t)*slot;
        a->no_memory |=
            !stacks_full(a) && !push_entered(a, s, span, p->t_ns, p->position, STACK_BY_SYNC);
        return;
    }
    bool ours = is_ours(a, s, p, id);
    if (below && has_trace(below->span)) {
        resolve_top(s->thread, &around);
    } else if (ours) {
        root_trace(a, s->thread->thread, id, around.trace);
        around.trace_flags = MODEL_TRACE_RANDOM | sampler_guess(&a->sampler, around.trace);
    }
    spans_state_ref(&a->spans, around.state); /* the push may close the oldest span */
    struct open_span *span =
        push_other(a, s, ours ? SPAN_GHOST : SPAN_CONTEXT, p->position, STACK_BY_SYNC);
    if (!span) {
        spans_state_unref(&a->spans, around.state);
        a->no_memory = true;
        return;
    }
    join_trace(a, span, &around);
    spans_state_unref(&a->spans, around.state);
    span->flags = ours ? 0 : MODEL_SPAN_REMOTE_PARENT;
    span->raw_id = ours ? id : 0;
    span->span_id = ours ? oriel_id_mix(id) : id;
    inherit_sampling(a, span, around.trace_flags);
}

/* Make the stack what the writer said it is. */
static void resync(struct assemble *a, struct stream_state *s, const struct pending_sync *p)
{
    struct thread_state *t = s->thread;
    uint32_t known = mark_doomed(t, s, p);
    for (uint32_t i = t->top; i > t->base;) { /* inner ones end first */
        uint32_t base = t->base;
        if (!(t->stack[--i].flags & STACK_DOOMED))
            continue;
        drop_entry(a, t, i, p->t_ns);
        i += t->base > base; /* what was below moved up */
        if (i > t->top)
            i = t->top;
    }
    for (uint32_t i = known; i < p->count; i++)
        if (p->ids[i] && !on_stack(t, p->ids[i]))
            push_unknown(a, s, p, p->ids[i]);
}

/* The record after the SYNC takes entry `at` off, and all above it: so it is
 * gone from what the SYNC told, if it was there. */
static void cut_at(struct pending_sync *p, uint32_t at)
{
    if (at < p->count)
        p->depth = p->count = at;
}

static uint32_t find_id(const struct pending_sync *p, uint64_t id, uint64_t mask)
{
    uint32_t i = p->count;
    while (i > 0 && ((p->ids[i - 1] ^ id) & mask) != 0)
        i--;
    return i ? i - 1 : p->count;
}

static uint32_t find_context(const struct assemble *a, const struct stream_state *s,
                             const struct pending_sync *p)
{
    uint32_t i = p->count;
    while (i > 0 && is_ours(a, s, p, p->ids[i - 1]))
        i--;
    return i ? i - 1 : p->count;
}

enum pipe_fate take_sync(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    uint32_t told = r->words - IDS_AT;
    uint64_t depth = r->raw[DEPTH_AT];
    bool gap = s->synced && r->position > s->end; /* a chunk was taken */
    bool lost = tell_losses(a, s, r) || gap || (!s->synced && depth > 0);
    s->synced = true;
    if (!lost)
        return PIPE_CONTROL;
    assert(!s->pending);
    struct pending_sync now, *p = mem_alloc(sizeof *p);
    struct pending_sync *to = p ? p : &now;
    to->t_ns = r->t_ns;
    to->position = r->position;
    to->count = told < ORIEL_STACK_DEPTH ? told : ORIEL_STACK_DEPTH;
    if (to->count > depth)
        to->count = (uint32_t)depth;
    to->depth = depth < UINT32_MAX ? (uint32_t)depth : UINT32_MAX;
    memcpy(to->ids, r->raw + IDS_AT, to->count * sizeof to->ids[0]);
    s->pending = p;
    if (!p) /* no memory to wait: draw the conclusion now */
        resync(a, s, to);
    return PIPE_CONTROL;
}

/* An ENTER or ATTACH whose effect the SYNC before it already told. */
static bool told_by_sync(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    struct stack_entry *top = stack_top(s->thread);
    if (!top || !(top->flags & STACK_BY_SYNC))
        return false;
    if (r->type == ORIEL_REC_ENTER && r->words >= 3)
        return top->span->kind != SPAN_CONTEXT && top->span->raw_id == r->raw[2];
    if (r->type != ORIEL_REC_ATTACH || r->words < 5 || id_on_stack(top->span) != r->raw[4])
        return false;
    /* Now that the trace is known: a fresh entry in its place. */
    drop_entry(a, s->thread, s->thread->top - 1, r->t_ns);
    return false;
}

enum pipe_fate take_after_sync(struct assemble *a, struct stream_state *s,
                               const struct model_record *r)
{
    struct pending_sync *p = s->pending;
    enum pipe_fate fate;
    s->pending = NULL;
    if (r->type == ORIEL_REC_END)
        cut_at(p, find_id(p, ORIEL_RECORD_LOW(r->raw[0]), UINT32_MAX));
    else if (r->type == ORIEL_REC_EXIT && r->words >= 3)
        cut_at(p, find_id(p, r->raw[2], UINT64_MAX));
    else if (r->type == ORIEL_REC_DETACH)
        cut_at(p, find_context(a, s, p));
    else { /* takes nothing off: the stack is right before it */
        resync(a, s, p);
        fate = told_by_sync(a, s, r) ? PIPE_INTO_SPAN : assemble_record(a, s, r);
        mem_free(p);
        return fate;
    }
    fate = assemble_record(a, s, r);
    resync(a, s, p);
    mem_free(p);
    return fate;
}
