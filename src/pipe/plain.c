/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What only other records can change is looked at once per stretch: what the
 * outermost span of the stretch begins in, by which share traces are taken that
 * begin here, room for the items. Then a begin costs a few compares and one cache
 * line, and a begin right before its own end not even that line. Of a span that is
 * not sampled no item is made.
 */
#include "pipe/plain.h"

#include <assert.h>
#include <string.h>

#include "base/ratio.h"
#include "pipe/finish.h"
#include "pipe/past.h"

#define ALWAYS_INLINE __attribute__((always_inline)) /* so that a stretch needs no memory */

/* A stretch of one stream. What changes with every record stands here, in registers, and goes
 * back when it is over. */
struct stretch {
    struct assemble *a;
    struct stream_state *stream;
    struct thread_state *thread;
    const struct model_thread *owner; /* of the records */
    const struct open_span *top;      /* of the stack; NULL: it is empty */
    uint64_t top_start_ns;            /* when that began on this thread */
    uint64_t trace_hi, salt;          /* of traces that begin here */
    uint64_t threshold;               /* from which on these are sampled */
    uint64_t left_out;                /* spans */
    uint32_t state;                   /* tracestate of the trace, see struct thread_state */
    uint32_t out;                     /* MODEL_SPAN_UNSAMPLED: such spans are left out; 0 */
    struct plain_span *spans;         /* the thread's */
    struct past *past;                /* NULL: it was never seen waiting */
    struct model_item *items;         /* the next one of the batch */
    uint64_t high;                    /* see track_id; UINT64_MAX: not known */
    uint64_t now, began;
    uint64_t begins, ends; /* what kind_of says of plain ones of this stream */
    uint32_t depth;        /* of the stack */
    uint32_t count, room;  /* of the spans: there are, and may be */
};

/* Type, flags and stream as one number. */
static inline uint64_t kind_of(const struct model_record *r)
{
    uint64_t small;
    memcpy(&small, &r->words, sizeof small);
    return small >> 16;
}

static inline uint64_t plain_kind(uint32_t type, uint32_t stream)
{
    return type | (uint64_t)stream << 16;
}

/* No sampler has to be asked, because there is none or the parent decides, or the trace's id. */
static bool may_start(const struct assemble *a, const struct thread_state *t,
                      const struct open_span *top)
{
    if (t->heap_known || a->limits->long_way)
        return false;
    if (!a->sampler.active)
        return true;
    return a->sampler.inherits &&
           (top && has_trace(top) ? top->kind <= SPAN_ASYNC : a->sampler.by_share);
}

/* How many may stand on the thread. */
static inline uint32_t room_for(const struct assemble *a, const struct thread_state *t)
{
    const uint64_t open = a->spans.count + a->plain.open, limit = a->limits->open_span_limit;
    const uint64_t more = open < limit ? limit - open : 0;
    const uint64_t room = t->plain_count + more;
    return !t->plain_listed ? 0 : room < PLAIN_DEPTH ? (uint32_t)room : PLAIN_DEPTH;
}

/* False: it goes the long way. */
static inline ALWAYS_INLINE bool start(struct stretch *k, struct assemble *a,
                                       struct stream_state *s, size_t records)
{
    struct thread_state *t = s->thread;
    struct model_batch *out = a->out;
    const struct stack_entry *top = stack_top(t);
    k->top = top ? top->span : NULL;
    k->depth = depth_on(t);
    if (!may_start(a, t, k->top) || k->depth + PLAIN_DEPTH > UINT16_MAX ||
        (out->item_capacity - out->item_count < records &&
         !model_batch_reserve_items(out, records)))
        return false;
    const uint32_t process = t->thread->process;
    const struct model_process *p =
        process < a->catalog->process_count ? a->catalog->processes[process] : NULL;
    k->a = a;
    k->stream = s;
    k->thread = t;
    k->owner = t->thread;
    k->begins = plain_kind(ORIEL_REC_BEGIN, s->serial);
    k->ends = plain_kind(ORIEL_REC_END, s->serial);
    k->top_start_ns = top ? around_start(t, top) : 0;
    k->trace_hi = p ? p->trace_hi : 0;
    k->salt = p ? p->trace_salt : 0;
    k->threshold = a->sampler.active ? a->sampler.threshold : 0;
    k->left_out = 0;
    k->state = t->plain_count ? t->plain_state : k->top && has_trace(k->top) ? k->top->state : 0;
    k->out = a->leaves_out ? MODEL_SPAN_UNSAMPLED : 0;
    k->spans = t->plain;
    k->items = out->items + out->item_count;
    k->high = s->has_seed ? s->high : UINT64_MAX;
    k->now = a->now;
    k->began = 0;
    k->count = t->plain_count;
    k->room = room_for(a, t);
    k->past = t->past;
    return true;
}

static inline ALWAYS_INLINE void leave(const struct stretch *k)
{
    struct assemble *a = k->a;
    struct model_batch *out = a->out;
    const size_t items = (size_t)(k->items - out->items);
    const uint64_t ended = items - out->item_count + k->left_out;
    out->item_count = items;
    a->now = k->now;
    a->plain.open += k->count - k->thread->plain_count;
    k->thread->plain_count = k->count;
    k->thread->plain_state = k->state;
    a->counts->fates[PIPE_BEGAN] += k->began;
    a->counts->fates[PIPE_ENDED] += ended;
    a->counts->spans += ended;
    a->counts->sampled_out += k->left_out;
}

/* ---- one span ---- */

/* The first span of a trace; see root_trace and sample_span. */
static inline ALWAYS_INLINE void begin_trace(struct stretch *k, struct plain_span *span)
{
    span->trace[0] = k->trace_hi;
    span->trace[1] = span->span_id ^ k->salt;
    span->parent_id = 0;
    span->trace_flags = MODEL_TRACE_RANDOM;
    span->flags |= MODEL_SPAN_ROOT;
    k->state = 0;
    if (!ratio_keeps(span->trace[1], k->threshold)) {
        span->flags |= MODEL_SPAN_UNSAMPLED;
        k->a->unsampled = true;
        return;
    }
    span->trace_flags |= MODEL_TRACE_SAMPLED;
    if (k->threshold)
        k->state = sample_state(k->a, k->threshold);
}

/* What a span has that begins at r. Like set_parent, but nobody is asked. */
static inline ALWAYS_INLINE struct plain_span begin(struct stretch *k, const struct model_record *r)
{
    const struct open_span *top = k->top;
    struct plain_span span;
    span.span_id = oriel_id_mix(r->raw_id);
    span.start_ns = r->t_ns;
    span.begin = r;
    span.depth = (uint16_t)(k->depth + k->count);
    if (k->count) { /* in another plain one: as that went */
        const struct plain_span *in = &k->spans[k->count - 1];
        span.trace[0] = in->trace[0];
        span.trace[1] = in->trace[1];
        span.parent_id = in->span_id;
        span.trace_flags = in->trace_flags;
        span.flags =
            (in->flags & MODEL_SPAN_UNSAMPLED) | (in->start_ns == r->t_ns ? MODEL_SPAN_TIED : 0);
        return span;
    }
    span.flags = top && k->top_start_ns == r->t_ns ? MODEL_SPAN_TIED : 0;
    if (top && has_trace(top)) {
        span.trace[0] = top->trace[0];
        span.trace[1] = top->trace[1];
        span.parent_id = top->span_id;
        span.trace_flags = top->trace_flags;
        span.flags |= top->flags & MODEL_SPAN_UNSAMPLED;
        if (top->kind == SPAN_CONTEXT)
            span.flags |= top->flags & MODEL_SPAN_REMOTE_PARENT;
        return span;
    }
    begin_trace(k, &span);
    return span;
}

static inline ALWAYS_INLINE void register_id(struct stretch *k, const struct model_record *r)
{
    if (__builtin_expect(k->high == r->raw_id >> 32, 1))
        return;
    track_id(&k->a->track, k->stream, r->raw_id, r->position);
    k->high = k->stream->high;
}

/* It ended: its item, for which there is room. */
static inline ALWAYS_INLINE void finish(struct stretch *k, const struct plain_span *span,
                                        uint64_t end_ns)
{
    const struct model_record *r = span->begin;
    uint32_t flags = span->flags;
    if (flags & k->out) {
        (void)clamp_end(k->a, span->start_ns, end_ns, &flags);
        k->left_out++;
        return;
    }
    struct model_item *it = k->items++;
    struct model_span *out = &it->u.span;
    it->kind = MODEL_ITEM_SPAN;
    it->t_ns = k->now;
    memcpy(out->trace_id, span->trace, sizeof out->trace_id);
    out->span_id = span->span_id;
    out->parent_id = span->parent_id;
    out->start_ns = span->start_ns;
    end_ns = clamp_end(k->a, span->start_ns, end_ns, &flags);
    out->end_ns = end_ns;
    out->busy_ns = end_ns - span->start_ns;
    out->site = r->site;
    out->thread = out->end_thread = k->owner;
    out->flags = flags;
    out->trace_flags = span->trace_flags;
    out->depth = span->depth;
    clear_rest(out);
    if (__builtin_expect(k->state, 0))
        out->trace_state = emit_state(k->a, k->state);
    if (__builtin_expect(r->words > 2, 0))
        emit_begun(k->a, r, out);
}

/* Waits are told of the span that is innermost. */
static inline ALWAYS_INLINE void note_past(const struct stretch *k, uint64_t t_ns)
{
    struct past *past = k->past;
    if (__builtin_expect(!past, 1))
        return;
    const struct plain_span *in = k->count ? &k->spans[k->count - 1] : NULL;
    if (!in || !(in->trace[0] | in->trace[1]))
        past_note(past, k->thread, t_ns);
    else if (in->span_id != past->span_id)
        past_change(past, in->trace[0], in->trace[1], in->span_id, in->begin->site, t_ns);
}

/* ---- a stretch ---- */

/* The first that a thread has open in a push: memory, and a place among the threads that have some.
 * False: no memory, or no more may be open. */
static __attribute__((noinline)) bool make_room(struct assemble *a, struct thread_state *t)
{
    struct plain *all = &a->plain;
    if (t->plain_listed || (!t->plain && !(t->plain = mem_alloc(PLAIN_DEPTH * sizeof *t->plain))))
        return false;
    if (all->thread_count == PLAIN_THREADS)
        plain_settle_all(a);
    all->threads[all->thread_count++] = t;
    return t->plain_listed = true;
}

/* One that stays open, for now. Field by field: a copy in one would read in wide words what was
 * just written in narrow ones, and wait for that. */
static inline ALWAYS_INLINE void keep(struct stretch *k, const struct plain_span *span)
{
    struct plain_span *to = &k->spans[k->count++];
    to->trace[0] = span->trace[0];
    to->trace[1] = span->trace[1];
    to->span_id = span->span_id;
    to->parent_id = span->parent_id;
    to->start_ns = span->start_ns;
    to->begin = span->begin;
    to->order = k->a->plain.order++;
    to->flags = span->flags;
    to->depth = span->depth;
    to->trace_flags = span->trace_flags;
}

/* Whether the record behind its begin is its end. */
static inline ALWAYS_INLINE bool ends_at_once(const struct stretch *k, const struct model_record *r,
                                              const struct model_record *behind)
{
    const struct model_record *end = r + 1;
    return end < behind && kind_of(end) == k->ends && end->thread == k->owner &&
           ORIEL_RECORD_LOW(end->raw[0]) == (uint32_t)r->raw_id;
}

/* What ends at once in a span that is left out, where nobody asks who is innermost, needs no ids.
 */
static inline ALWAYS_INLINE bool may_pass(const struct stretch *k)
{
    return k->count && k->spans[k->count - 1].flags & k->out && !k->past;
}

static inline ALWAYS_INLINE void pass(struct stretch *k, const struct model_record *r)
{
    const uint64_t end_ns = r[1].t_ns;
    uint32_t flags = 0;
    (void)clamp_end(k->a, r->t_ns, end_ns, &flags);
    k->now = end_ns > k->now ? end_ns : k->now;
    k->left_out++;
}

/* A begin, or one with its end behind it. Returns how many records that was; 0: it is not plain. */
static inline ALWAYS_INLINE size_t take_begin(struct stretch *k, const struct model_record *r,
                                              const struct model_record *behind)
{
    if (!r->site)
        return 0;
    if (__builtin_expect(k->count >= k->room, 0)) {
        if (!make_room(k->a, k->thread))
            return 0;
        k->spans = k->thread->plain;
        k->room = room_for(k->a, k->thread);
        if (!k->room)
            return 0;
    }
    const bool at_once = ends_at_once(k, r, behind);
    register_id(k, r);
    k->began++;
    if (at_once && may_pass(k)) {
        pass(k, r);
        return 2;
    }
    const struct plain_span span = begin(k, r);
    if (at_once) {
        const struct model_record *end = r + 1;
        if (__builtin_expect(k->past != NULL, 0) && (span.trace[0] | span.trace[1]) &&
            span.span_id != k->past->span_id)
            past_change(k->past, span.trace[0], span.trace[1], span.span_id, r->site, r->t_ns);
        k->now = end->t_ns > k->now ? end->t_ns : k->now;
        finish(k, &span, end->t_ns);
        note_past(k, end->t_ns);
        return 2;
    }
    keep(k, &span);
    note_past(k, r->t_ns);
    return 1;
}

static inline ALWAYS_INLINE size_t take_end(struct stretch *k, const struct model_record *r)
{
    if (!k->count)
        return 0;
    const struct plain_span *span = &k->spans[k->count - 1];
    if ((uint32_t)span->begin->raw_id != ORIEL_RECORD_LOW(r->raw[0]))
        return 0;
    k->count--;
    finish(k, span, r->t_ns);
    note_past(k, r->t_ns);
    return 1;
}

const struct model_record *plain_take(struct assemble *a, struct stream_state *s,
                                      const struct model_record *r,
                                      const struct model_record *behind)
{
    struct stretch k;
    if (!start(&k, a, s, (size_t)(behind - r)))
        return r;
    while (r < behind && r->thread == k.owner) {
        size_t taken = 0;
        const uint64_t now = k.now, kind = kind_of(r);
        k.now = r->t_ns > now ? r->t_ns : now;
        if (kind == k.ends)
            taken = take_end(&k, r);
        else if (kind == k.begins)
            taken = take_begin(&k, r, behind);
        if (!taken) {
            k.now = now;
            break;
        }
        r += taken;
    }
    leave(&k);
    return r;
}

/* ---- back to the long way ---- */

/* As the long way makes it, when it begins. */
static bool make_open(struct assemble *a, struct thread_state *t, const struct plain_span *from)
{
    const struct model_record *r = from->begin;
    struct open_span *span = spans_new(&a->spans);
    if (!span)
        return false;
    fill_span(span, r, t, 2);
    span->trace[0] = from->trace[0];
    span->trace[1] = from->trace[1];
    span->parent_id = from->parent_id;
    span->flags = from->flags;
    span->trace_flags = from->trace_flags;
    span->depth = from->depth;
    span->state = spans_state_ref(&a->spans, t->plain_state);
    if (stack_push(&a->track, t, (struct stack_entry){span, r->position, r->stream, 0}))
        return true;
    spans_close(&a->spans, span);
    return false;
}

/* The oldest of all threads; they are few. */
static struct thread_state *oldest_of(const struct plain *all, const uint32_t *next)
{
    struct thread_state *found = NULL;
    uint64_t order = UINT64_MAX;
    for (uint32_t i = 0; i < all->thread_count; i++) {
        struct thread_state *t = all->threads[i];
        if (next[i] == t->plain_count || t->plain[next[i]].order >= order)
            continue;
        order = t->plain[next[i]].order;
        found = t;
    }
    return found;
}

/* By age: the list of open spans is in that order. A span that finds no memory has not begun, as
 * on the long way; what began in it keeps its name. */
void plain_settle_all(struct assemble *a)
{
    struct plain *all = &a->plain;
    uint32_t next[PLAIN_THREADS] = {0};
    struct thread_state *t;
    while ((t = oldest_of(all, next))) {
        uint32_t i = 0;
        while (all->threads[i] != t)
            i++;
        if (!make_open(a, t, &t->plain[next[i]++])) {
            a->counts->fates[PIPE_BEGAN]--;
            a->counts->fates[PIPE_NO_MEMORY]++;
            a->no_memory = true;
        }
    }
    for (uint32_t i = 0; i < all->thread_count; i++) {
        all->threads[i]->plain_count = 0;
        all->threads[i]->plain_listed = false;
    }
    all->thread_count = 0;
    all->open = 0;
}
