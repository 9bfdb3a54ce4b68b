/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One handler per record type. The two that matter for speed, begin and end of
 * a scoped span, touch the top of one stack and nothing else; everything that
 * is rare (ends that do not match, other threads, limits) stands behind them.
 */
#include "pipe/assemble.h"

#include <assert.h>

#include "base/err.h"
#include "base/ratio.h"
#include "pipe/finish.h"
#include "pipe/more.h"
#include "pipe/otstate.h"
#include "pipe/past.h"
#include "pipe/plain.h"

enum { SEARCHES_PER_PUSH = 256, SEARCH_THREADS = 4096, SEARCH_DEPTH = 8 };

void assemble_init(struct assemble *a, const struct model_catalog *catalog,
                   const struct pipe_options *limits, struct pipe_counts *counts)
{
    memset(a, 0, sizeof *a);
    a->catalog = catalog;
    a->limits = limits;
    a->counts = counts;
}

void assemble_done(struct assemble *a)
{
    for (size_t i = 0; i < ENDED_SPANS; i++)
        spans_state_unref(&a->spans, a->ended[i].state);
    emit_cleared(a);
    spans_done(&a->spans);
    track_done(&a->track);
    sampler_done(&a->sampler);
    map_done(&a->async);
    heap_live_done(&a->live);
}

void assemble_start(struct assemble *a, struct model_batch *out)
{
    a->out = out;
    a->spans.push++;
    a->searches = SEARCHES_PER_PUSH;
    a->no_memory = a->rich = false;
    emit_cleared(a);
}

void assemble_end(struct assemble *a)
{
    plain_settle(a); /* their records go */
    uint64_t lost = spans_keep_fields(&a->spans);
    if (lost) {
        a->counts->dropped_attrs += lost;
        a->no_memory = true;
    }
    a->counts->open = a->spans.count - a->others;
    a->out = NULL;
}

/* ---- ids ---- */

void root_trace(const struct assemble *a, const struct model_thread *thread, uint64_t raw,
                uint64_t trace[2])
{
    const struct model_process *p =
        thread->process < a->catalog->process_count ? a->catalog->processes[thread->process] : NULL;
    trace[0] = p ? p->trace_hi : 0;
    trace[1] = oriel_id_mix(raw) ^ (p ? p->trace_salt : 0);
}

/* The scoped span of that id on the stack of the thread it was begun on. */
static struct open_span *find_scoped(struct stream_state *s, uint64_t raw)
{
    struct thread_state *t = s->thread;
    uint32_t at = stack_find(t, raw, UINT64_MAX, s, raw - s->seed);
    return at == UINT32_MAX ? NULL : t->stack[at].span;
}

static bool is_open(const struct open_span *span)
{
    return span && !span->closed && span->kind <= SPAN_ASYNC;
}

/* A span, or a ghost, by its raw id. */
static struct open_span *find_any(struct assemble *a, struct stream_state *s, uint64_t raw)
{
    struct open_span *span = find_scoped(s, raw);
    const uint64_t *slot = span ? NULL : map_get(&a->async, raw);
    if (slot)
        span = (struct open_span *)(uintptr_t)*slot;
    if (span)
        return span;
    struct stream_state *origin = track_origin(&a->track, raw);
    return origin && origin->thread != s->thread ? find_scoped(origin, raw) : NULL;
}

struct open_span *find_span(struct assemble *a, struct stream_state *s, uint64_t raw)
{
    struct stack_entry *top = raw ? NULL : stack_top(s->thread); /* 0: the current one */
    struct open_span *span = raw ? find_any(a, s, raw) : top ? top->span : NULL;
    if (!is_open(span))
        return NULL;
    span->referenced = true;
    return span;
}

void resolve_span(struct assemble *a, struct stream_state *s, uint64_t raw, struct span_ref *out)
{
    struct open_span *span = find_any(a, s, raw);
    const struct ended_span *ended = &a->ended[oriel_id_mix(raw) % ENDED_SPANS];
    assert(raw != 0);
    out->span = is_open(span) ? span : NULL;
    out->span_id = oriel_id_mix(raw);
    out->state = 0;
    if (span && has_trace(span)) {
        memcpy(out->trace, span->trace, sizeof out->trace);
        out->trace_flags = span->trace_flags;
        out->state = span->state;
    } else if (ended->raw_id == raw) {
        memcpy(out->trace, ended->trace, sizeof out->trace);
        out->trace_flags = ended->trace_flags;
        out->state = ended->state;
    } else {
        root_trace(a, s->thread->thread, raw, out->trace);
        out->trace_flags = MODEL_TRACE_RANDOM | sampler_guess(&a->sampler, out->trace);
    }
    if (span)
        span->referenced = true;
}

void join_trace(struct assemble *a, struct open_span *span, const struct span_ref *ref)
{
    memcpy(span->trace, ref->trace, sizeof span->trace);
    span->trace_flags = ref->trace_flags;
    spans_state_unref(&a->spans, span->state);
    span->state = spans_state_ref(&a->spans, ref->state);
}

void resolve_top(const struct thread_state *t, struct span_ref *out)
{
    const struct stack_entry *top = stack_top(t);
    *out = (struct span_ref){.span = NULL};
    if (!top || !has_trace(top->span))
        return;
    memcpy(out->trace, top->span->trace, sizeof out->trace);
    out->span_id = top->span->span_id;
    out->trace_flags = top->span->trace_flags;
    out->span = top->span;
    out->state = top->span->state;
}

/* ---- making ---- */

/* A new span of any kind; NULL: no memory. */
static inline struct open_span *new_span(struct assemble *a)
{
    if (__builtin_expect(a->spans.count >= a->limits->open_span_limit, 0))
        close_oldest(a);
    return spans_new(&a->spans);
}

/* Trace and parent from what the span begins in; NULL: a new trace. */
static inline void set_parent(struct assemble *a, struct open_span *span,
                              const struct open_span *parent)
{
    if (__builtin_expect(parent != NULL, 1) && has_trace(parent)) {
        span->trace[0] = parent->trace[0];
        span->trace[1] = parent->trace[1];
        span->parent_id = parent->span_id;
        span->trace_flags = parent->trace_flags;
        span->flags |= parent->flags & MODEL_SPAN_UNSAMPLED;
        if (__builtin_expect(parent->state != 0, 0))
            span->state = spans_state_ref(&a->spans, parent->state);
        bool remote = parent->kind == SPAN_CONTEXT && parent->flags & MODEL_SPAN_REMOTE_PARENT;
        if (remote)
            span->flags |= MODEL_SPAN_REMOTE_PARENT;
        if (__builtin_expect(a->sampler.active && (remote || !a->sampler.inherits), 0))
            sample_span(a, span, remote);
        return;
    }
    root_trace(a, span->thread, span->raw_id, span->trace);
    span->trace_flags = MODEL_TRACE_SAMPLED | MODEL_TRACE_RANDOM;
    span->flags |= MODEL_SPAN_ROOT;
    if (__builtin_expect(a->sampler.active, 0))
        sample_span(a, span, false);
}

/* ---- scoped spans ---- */

/* Whether the span begins in the very ns in which what is around it began. */
static inline bool is_tied(const struct thread_state *t, const struct stack_entry *around,
                           uint64_t start_ns)
{
    return around_start(t, around) == start_ns;
}

static inline __attribute__((always_inline)) enum pipe_fate
take_begin(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    struct thread_state *t = s->thread;
    struct open_span *span = new_span(a);
    if (__builtin_expect(!span, 0))
        return PIPE_NO_MEMORY;
    const struct stack_entry *top = stack_top(t);
    fill_span(span, r, t, 2);
    if (top && is_tied(t, top, span->start_ns))
        span->flags = MODEL_SPAN_TIED;
    set_parent(a, span, top && !(r->flags & ORIEL_RECF_ROOT) ? top->span : NULL);
    track_id(&a->track, s, r->raw_id, r->position);
    struct stack_entry e = {span, r->position, r->stream,
                            r->flags & ORIEL_RECF_WATCHED ? STACK_WATCHED : 0};
    if (__builtin_expect(!stack_push(&a->track, t, e), 0)) {
        spans_close(&a->spans, span);
        return PIPE_NO_MEMORY;
    }
    if (__builtin_expect(t->heap_known, 0))
        heap_begin(a, t, span);
    return PIPE_BEGAN;
}

void drop_entry(struct assemble *a, struct thread_state *t, uint32_t at, uint64_t t_ns)
{
    bool inner = t->stack[at].flags & STACK_INNER;
    struct open_span *span = stack_remove(&a->track, t, at);
    if (span->kind == SPAN_SCOPED)
        finish_span(a, span, t_ns, t->thread, MODEL_SPAN_UNFINISHED);
    else if (span->kind >= SPAN_CONTEXT)
        close_other(a, span);
    else {
        if (!inner && !span->closed)
            busy_stop(a, span, t->thread, t_ns);
        spans_release(&a->spans, span);
    }
}

/* The entry `at` ends now: those above it were abandoned. */
static enum pipe_fate end_at(struct assemble *a, struct thread_state *t, uint32_t at,
                             const struct model_record *r)
{
    for (uint32_t i = t->top - 1; i > at; i--) {
        uint32_t base = t->base;
        if (!(t->stack[i].flags & STACK_WATCHED))
            drop_entry(a, t, i, record_time(r));
        at += t->base > base; /* what was below moved up */
        i += t->base > base;
    }
    struct open_span *span = stack_remove(&a->track, t, at);
    if (span->kind == SPAN_SCOPED) {
        finish_span(a, span, record_time(r), r->thread, 0);
        return PIPE_ENDED;
    }
    close_other(a, span); /* a ghost: its begin was lost */
    a->counts->orphan_ends++;
    return PIPE_ORPHAN_END;
}

/* An end that no span of its own thread answers to: look at the innermost
 * spans of the others. Bounded per push, as damaged input may hold many. */
static enum pipe_fate end_elsewhere(struct assemble *a, const struct model_record *r, uint32_t low)
{
    size_t n =
        a->track.thread_capacity < SEARCH_THREADS ? a->track.thread_capacity : SEARCH_THREADS;
    if (a->searches)
        a->searches--;
    else
        n = 0;
    for (size_t i = 0; i < n; i++) {
        struct thread_state *t = a->track.threads[i];
        uint32_t stop = !t || t->top - t->base <= SEARCH_DEPTH ? 0 : t->top - SEARCH_DEPTH;
        for (uint32_t at = t ? t->top : 0; at > stop && at > t->base; at--) {
            struct open_span *span = t->stack[at - 1].span;
            if (span->kind != SPAN_SCOPED || (uint32_t)span->raw_id != low)
                continue;
            stack_remove(&a->track, t, at - 1);
            finish_span(a, span, record_time(r), r->thread, 0);
            return PIPE_ENDED;
        }
    }
    a->counts->orphan_ends++;
    return PIPE_ORPHAN_END;
}

/* Where the begin of this end stands in its stream, from the low half of its
 * id: the nearest such position before the end. */
static uint64_t begin_position(const struct stream_state *s, const struct model_record *r,
                               uint32_t low)
{
    uint64_t at = (r->position & ~(uint64_t)UINT32_MAX) | (low - (uint32_t)s->seed);
    return at > r->position ? at - ((uint64_t)1 << 32) : at;
}

static __attribute__((noinline)) enum pipe_fate
end_deeper(struct assemble *a, struct stream_state *s, const struct model_record *r, uint32_t low)
{
    struct thread_state *t = s->thread;
    uint32_t at = stack_find(t, low, UINT32_MAX, s, begin_position(s, r, low));
    if (at != UINT32_MAX && t->stack[at].span->kind != SPAN_ASYNC)
        return end_at(a, t, at, r);
    return end_elsewhere(a, r, low);
}

static inline enum pipe_fate take_end(struct assemble *a, struct stream_state *s,
                                      const struct model_record *r)
{
    struct stack_entry *top = stack_top(s->thread);
    uint32_t low = ORIEL_RECORD_LOW(r->raw[0]);
    if (__builtin_expect(
            !top || (uint32_t)top->span->raw_id != low || top->span->kind != SPAN_SCOPED, 0)) {
        plain_settle(a); /* it may be one of another thread */
        return end_deeper(a, s, r, low);
    }
    finish_span(a, stack_pop(&a->track, s->thread), record_time(r), r->thread, 0);
    return PIPE_ENDED;
}

/* ---- spans that no scope holds ---- */

struct open_span *new_async(struct assemble *a, const struct model_record *r, uint32_t flags)
{
    const uint64_t *known = map_get(&a->async, r->raw_id);
    if (known) /* an id twice: only damaged input has that */
        finish_span(a, (struct open_span *)(uintptr_t)*known, record_time(r), r->thread,
                    MODEL_SPAN_UNFINISHED);
    struct open_span *span = new_span(a);
    if (!span)
        return NULL;
    span->kind = SPAN_ASYNC;
    span->flags = flags;
    uint64_t *slot = map_put(&a->async, r->raw_id, 0);
    if (!slot) {
        spans_close(&a->spans, span);
        return NULL;
    }
    *slot = (uint64_t)(uintptr_t)span;
    return span;
}

static enum pipe_fate take_open(struct assemble *a, struct stream_state *s,
                                const struct model_record *r)
{
    struct thread_state *t = s->thread;
    struct open_span *span = new_async(a, r, MODEL_SPAN_ASYNC);
    if (!span)
        return PIPE_NO_MEMORY;
    fill_span(span, r, t, 3);
    track_id(&a->track, s, r->raw_id, r->position);
    if (r->raw[2]) {
        struct span_ref ref;
        resolve_span(a, s, r->raw[2], &ref);
        join_trace(a, span, &ref);
        span->parent_id = ref.span_id;
        if (a->sampler.active)
            sample_span(a, span, false);
    } else {
        const struct stack_entry *top = r->flags & ORIEL_RECF_ROOT ? NULL : stack_top(t);
        set_parent(a, span, top ? top->span : NULL);
    }
    return PIPE_BEGAN;
}

static enum pipe_fate take_close(struct assemble *a, struct stream_state *s,
                                 const struct model_record *r)
{
    struct open_span *span = r->raw[2] ? find_span(a, s, r->raw[2]) : NULL;
    if (!span) {
        a->counts->orphan_ends++;
        return PIPE_ORPHAN_END;
    }
    if (span->kind == SPAN_SCOPED) { /* from wherever: only this one ends */
        struct thread_state *t = assemble_thread(a, span->thread);
        uint32_t at = t->top;
        while (at > t->base && t->stack[at - 1].span != span)
            at--;
        assert(at > t->base);
        stack_remove(&a->track, t, at - 1);
    }
    finish_span(a, span, record_time(r), r->thread,
                r->flags & ORIEL_RECF_WATCHED ? MODEL_SPAN_UNFINISHED : 0);
    return PIPE_ENDED;
}

bool push_entered(struct assemble *a, struct stream_state *s, struct open_span *span, uint64_t t_ns,
                  uint64_t position, uint32_t stack_flags)
{
    const struct model_thread *thread = s->thread->thread;
    if (busy_since(span, thread))
        stack_flags |= STACK_INNER;
    else if (!busy_start(a, span, thread, t_ns))
        return false;
    struct stack_entry e = {span, position, s->serial, stack_flags};
    if (stack_push(&a->track, s->thread, e))
        return true;
    if (!(stack_flags & STACK_INNER))
        busy_stop(a, span, thread, t_ns);
    return false;
}

struct open_span *push_other(struct assemble *a, struct stream_state *s, enum span_kind kind,
                             uint64_t position, uint32_t stack_flags)
{
    struct open_span *span = new_span(a);
    if (!span)
        return NULL;
    span->kind = (uint8_t)kind;
    span->thread = s->thread->thread;
    span->site = NULL;
    span->trace[0] = span->trace[1] = span->span_id = span->raw_id = span->start_ns = 0;
    a->others++;
    struct stack_entry e = {span, position, s->serial, stack_flags};
    if (stack_push(&a->track, s->thread, e))
        return span;
    close_other(a, span);
    return NULL;
}

static enum pipe_fate take_enter(struct assemble *a, struct stream_state *s,
                                 const struct model_record *r)
{
    struct open_span *span = r->raw[2] ? find_span(a, s, r->raw[2]) : NULL;
    if (stacks_full(a))
        return PIPE_ORPHAN;
    if (span && span->kind == SPAN_ASYNC)
        return push_entered(a, s, span, record_time(r), r->position, 0) ? PIPE_INTO_SPAN
                                                                        : PIPE_NO_MEMORY;
    /* Opened before the recording, or its OPEN was lost: children still belong
     * to it. */
    struct span_ref ref = {.span = NULL};
    if (!span && r->raw[2]) {
        span = push_other(a, s, SPAN_GHOST, r->position, 0);
        if (!span)
            return PIPE_NO_MEMORY;
        resolve_span(a, s, r->raw[2], &ref); /* the push may have closed the oldest span */
        span->raw_id = r->raw[2];
        span->span_id = ref.span_id;
        join_trace(a, span, &ref);
        inherit_sampling(a, span, ref.trace_flags);
    }
    return PIPE_ORPHAN;
}

static enum pipe_fate take_exit(struct assemble *a, struct stream_state *s,
                                const struct model_record *r)
{
    struct thread_state *t = s->thread;
    uint32_t at = stack_find(t, r->raw[2], UINT64_MAX, NULL, 0);
    if (at == UINT32_MAX || t->stack[at].span->kind == SPAN_SCOPED)
        return PIPE_ORPHAN;
    bool known = is_open(t->stack[at].span);
    drop_entry(a, t, at, record_time(r));
    return known ? PIPE_INTO_SPAN : PIPE_ORPHAN;
}

/* ---- contexts from outside ---- */

/* A span of this recording, on another thread: what became of it is known better here than
 * where its context was copied. */
static void find_local(struct assemble *a, struct stream_state *s, struct open_span *context)
{
    struct span_ref ref;
    const uint64_t raw = oriel_id_unmix(context->span_id);
    if (!find_any(a, s, raw) && a->ended[context->span_id % ENDED_SPANS].raw_id != raw)
        return;
    resolve_span(a, s, raw, &ref);
    if (memcmp(ref.trace, context->trace, sizeof ref.trace) != 0)
        return;
    join_trace(a, context, &ref);
    inherit_sampling(a, context, ref.trace_flags);
}

static enum pipe_fate take_attach(struct assemble *a, struct stream_state *s,
                                  const struct model_record *r)
{
    struct open_span *span = push_other(a, s, SPAN_CONTEXT, r->position, 0);
    if (!span)
        return PIPE_NO_MEMORY;
    if ((r->raw[2] | r->raw[3]) && r->raw[4]) { /* else not valid: as if there were none */
        span->trace[0] = r->raw[2];
        span->trace[1] = r->raw[3];
        span->span_id = r->raw[4];
        uint64_t origin = r->words > 5 ? r->raw[5] : MODEL_TRACE_SAMPLED;
        span->trace_flags = (uint8_t)origin;
        if (!(origin & ORIEL_CONTEXT_ORIGIN_KNOWN) || (origin & ORIEL_CONTEXT_IS_REMOTE))
            span->flags = MODEL_SPAN_REMOTE_PARENT; /* of what begins in it */
        else
            find_local(a, s, span);
    }
    return PIPE_CONTROL;
}

static enum pipe_fate take_detach(struct assemble *a, struct stream_state *s,
                                  const struct model_record *r)
{
    struct thread_state *t = s->thread;
    if (!t->kinds[SPAN_CONTEXT])
        return PIPE_ORPHAN;
    uint32_t at = t->top - 1;
    while (t->stack[at].span->kind != SPAN_CONTEXT)
        at--;
    assert(at >= t->base);
    drop_entry(a, t, at, r->t_ns);
    return PIPE_CONTROL;
}

static enum pipe_fate take_control(struct assemble *a, struct stream_state *s,
                                   const struct model_record *r)
{
    return PIPE_CONTROL; /* names are the source's to keep, triggers the recorder's */
}

/* ---- dispatch ---- */

static const struct {
    enum pipe_fate (*take)(struct assemble *a, struct stream_state *s,
                           const struct model_record *r);
    uint8_t words; /* at least */
    bool site;
} handlers[ORIEL_REC_MAX + 1] = {
    [ORIEL_REC_SYNC] = {take_sync, 2 + ORIEL_LOST_CAUSES + 1, false},
    [ORIEL_REC_BEGIN] = {take_begin, 2, true},
    [ORIEL_REC_END] = {take_end, 2, false},
    [ORIEL_REC_SET] = {take_set, 3, true},
    [ORIEL_REC_EVENT] = {emit_event, 2, true},
    [ORIEL_REC_OPEN] = {take_open, 3, true},
    [ORIEL_REC_CLOSE] = {take_close, 3, false},
    [ORIEL_REC_ENTER] = {take_enter, 3, false},
    [ORIEL_REC_EXIT] = {take_exit, 3, false},
    [ORIEL_REC_LINK] = {take_link, 6, false},
    [ORIEL_REC_STATUS] = {take_status, 5, false},
    [ORIEL_REC_SPAN] = {emit_external, 4, true},
    [ORIEL_REC_PLOT] = {emit_plot, 3, true},
    [ORIEL_REC_FRAME] = {emit_frame, 2, true},
    [ORIEL_REC_TASK] = {emit_task, 4, true},
    [ORIEL_REC_THREAD] = {take_control, 2, false},
    [ORIEL_REC_ATTACH] = {take_attach, 5, false},
    [ORIEL_REC_DETACH] = {take_detach, 2, false},
    [ORIEL_REC_TRIGGER] = {take_control, 2, false},
    [ORIEL_REC_FOLLOW] = {take_follow, 4, false},
    [ORIEL_REC_SAMPLE] = {emit_sample, 6, false},
    [ORIEL_REC_HEAP] = {take_heap, 6, false},
    [ORIEL_REC_TOLD] = {take_told, 7, true},
    [ORIEL_REC_TOLD_LOG] = {emit_told_log, 6, true},
    [ORIEL_REC_TOLD_LINK] = {take_told_link, 7, true},
    [ORIEL_REC_STATE] = {take_state, 4, false},
    [ORIEL_REC_MORE] = {take_more, 4, false},
    [ORIEL_REC_NAME] = {take_name, 4, false},
};

enum pipe_fate assemble_record(struct assemble *a, struct stream_state *s,
                               const struct model_record *r)
{
    if (r->type > ORIEL_REC_MAX || !handlers[r->type].take || r->words < handlers[r->type].words ||
        (handlers[r->type].site && !r->site))
        return PIPE_FOREIGN;
    return handlers[r->type].take(a, s, r);
}

/* A record of any type. */
static void take_other(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    plain_settle(a);
    if (r->t_ns > a->now)
        a->now = r->t_ns;
    if (__builtin_expect(!s, 0)) {
        a->counts->fates[r->thread ? PIPE_NO_MEMORY : PIPE_FOREIGN]++;
        a->no_memory |= r->thread != NULL;
        return;
    }
    enum pipe_fate fate = __builtin_expect(s->pending != NULL, 0) ? take_after_sync(a, s, r)
                                                                  : assemble_record(a, s, r);
    if (__builtin_expect(s->more != NULL, 0) && r->type != ORIEL_REC_MORE)
        more_drop(&a->track, s);
    if (__builtin_expect(s->thread->past != NULL, 0))
        past_note(s->thread->past, s->thread, r->t_ns);
    s->last_ns = r->t_ns;
    s->end = r->position + (uint64_t)r->words * 8;
    a->counts->fates[fate]++;
    a->no_memory |= fate == PIPE_NO_MEMORY;
}

/* A begin or end that is not plain, or comes upon what is not. */
static enum pipe_fate take_long(struct assemble *a, struct stream_state *s,
                                const struct model_record *r)
{
    const struct thread_state *t = s->thread;
    if (r->t_ns > a->now)
        a->now = r->t_ns;
    if (r->type == ORIEL_REC_BEGIN) {
        plain_settle(a);
        return take_begin(a, s, r);
    }
    if (t->plain_count) /* not the end of the innermost one */
        plain_settle(a);
    return take_end(a, s, r);
}

/* Begins and ends of one stream, until something else comes: returns how many. */
static size_t take_run(struct assemble *a, struct stream_state *s, const struct model_record *from,
                       size_t n)
{
    const struct model_record *r = from, *const behind = from + n;
    const struct thread_state *t = s->thread;
    while ((r = plain_take(a, s, r, behind)) < behind) {
        const bool known = r->type == ORIEL_REC_END || (r->type == ORIEL_REC_BEGIN && r->site);
        if (!known || r->stream != s->serial || r->thread != t->thread)
            break;
        enum pipe_fate fate = take_long(a, s, r);
        if (__builtin_expect(t->past != NULL, 0))
            past_note(t->past, t, r->t_ns);
        a->counts->fates[fate]++;
        a->no_memory |= fate == PIPE_NO_MEMORY;
        r++;
    }
    if (r > from) {
        s->last_ns = r[-1].t_ns;
        s->end = r[-1].position + (uint64_t)r[-1].words * 8;
    }
    return (size_t)(r - from);
}

void assemble_records(void *user, const struct model_record *r, size_t n)
{
    struct assemble *a = user;
    while (n) {
        struct stream_state *s = r->thread ? track_stream(&a->track, r) : NULL;
        const bool plain = s && !s->pending && !s->more;
        size_t taken = plain ? take_run(a, s, r, n) : 0;
        if (!taken) {
            take_other(a, s, r);
            taken = 1;
        }
        n -= taken;
        r += taken;
    }
}
