/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Stacks are arrays whose bottom may leave early (the oldest open span is
 * closed when there are too many), so both ends are cheap. Entries of one
 * stream stand in the order of their positions: deep ones are found by binary
 * search. Where several streams share a stack the search is linear, within a
 * budget that only damaged input can reach.
 */
#include "pipe/track.h"

#include <assert.h>

#include "pipe/more.h"
#include "pipe/past.h"

enum { STACK_MIN = 4, NEAR = 8, LINEAR_BUDGET = 1 << 16 };

static struct stream_state *stream_at(uint64_t value)
{
    return (struct stream_state *)(uintptr_t)value;
}

void track_done(struct track *k)
{
    size_t at = 0;
    uint64_t key, value;
    while (map_next(&k->streams, &at, &key, &value)) {
        mem_free(stream_at(value)->pending);
        more_drop(k, stream_at(value));
        mem_free(stream_at(value));
    }
    for (size_t i = 0; i < k->thread_capacity; i++) {
        if (!k->threads[i])
            continue;
        mem_free(k->threads[i]->stack);
        mem_free(k->threads[i]->plain);
        past_free(k->threads[i]->past);
        mem_free(k->threads[i]);
    }
    mem_free(k->threads);
    map_done(&k->streams);
    map_done(&k->by_high);
    memset(k, 0, sizeof *k);
}

static struct thread_state *thread_of(struct track *k, const struct model_thread *thread)
{
    if (thread->index >= k->thread_capacity) {
        size_t capacity = k->thread_capacity ? k->thread_capacity : 16;
        while (capacity <= thread->index)
            capacity *= 2;
        struct thread_state **more = mem_realloc(k->threads, capacity * sizeof *more);
        if (!more)
            return NULL;
        memset(more + k->thread_capacity, 0, (capacity - k->thread_capacity) * sizeof *more);
        k->threads = more;
        k->thread_capacity = capacity;
    }
    struct thread_state *t = k->threads[thread->index];
    if (t)
        return t;
    t = mem_calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->thread = thread;
    return k->threads[thread->index] = t;
}

static bool has_losses(const uint64_t lost[ORIEL_LOST_CAUSES])
{
    for (int i = 0; i < ORIEL_LOST_CAUSES; i++)
        if (lost[i])
            return true;
    return false;
}

static void forget_stream(struct track *k, struct stream_state *s)
{
    struct thread_state *t = s->thread;
    if (k->recent[s->serial % TRACK_RECENT] == s)
        k->recent[s->serial % TRACK_RECENT] = NULL;
    if (--t->streams == 0 && !has_losses(t->lost)) {
        k->threads[t->thread->index] = NULL;
        mem_free(t->stack);
        mem_free(t->plain);
        past_free(t->past);
        mem_free(t);
    }
    more_drop(k, s);
    mem_free(s);
}

/* A map of what is not forgotten; false: no memory. */
static bool copy_rest(const struct map *m, struct map *rest)
{
    size_t at = 0;
    uint64_t key, value;
    while (map_next(m, &at, &key, &value))
        if (!stream_at(value)->forgotten && !map_put(rest, key, value))
            return false;
    return true;
}

/* Programs that start a thread per request: forget those that are over. */
static void sweep(struct track *k, uint64_t now_ns)
{
    struct map streams = {0}, by_high = {0};
    size_t at = 0;
    uint64_t key, value;
    while (map_next(&k->streams, &at, &key, &value)) {
        struct stream_state *s = stream_at(value);
        s->forgotten = s->last_ns + TRACK_IDLE_NS < now_ns && !s->pending &&
                       s->thread->top == s->thread->base && !s->thread->plain_listed &&
                       !has_losses(s->lost);
    }
    if (copy_rest(&k->streams, &streams) && copy_rest(&k->by_high, &by_high)) {
        struct map before = k->streams;
        map_done(&k->by_high);
        k->streams = streams;
        k->by_high = by_high;
        for (at = 0; map_next(&before, &at, &key, &value);)
            if (stream_at(value)->forgotten)
                forget_stream(k, stream_at(value));
        map_done(&before);
    } else {
        map_done(&streams);
        map_done(&by_high);
    }
    k->sweep_at = k->streams.count * 2 < TRACK_STREAMS ? TRACK_STREAMS : k->streams.count * 2;
}

static struct stream_state *new_stream(struct track *k, const struct model_record *r)
{
    struct stream_state *s = mem_calloc(1, sizeof *s);
    if (!s || !map_put(&k->streams, r->stream, (uint64_t)(uintptr_t)s)) {
        mem_free(s);
        return NULL;
    }
    s->serial = r->stream;
    s->high = UINT64_MAX;
    s->last_ns = r->t_ns;
    s->end = r->position;
    return s;
}

struct stream_state *track_stream_slow(struct track *k, const struct model_record *r)
{
    const uint64_t *known = map_get(&k->streams, r->stream);
    struct stream_state *s = known ? stream_at(*known) : NULL;
    if (!s && k->streams.count >= (k->sweep_at ? k->sweep_at : TRACK_STREAMS))
        sweep(k, r->t_ns);
    struct thread_state *t = thread_of(k, r->thread);
    if (!t || (!s && !(s = new_stream(k, r))))
        return NULL;
    if (s->thread != t) {
        if (s->thread)
            s->thread->streams--; /* a serial that means another thread now */
        s->thread = t;
        t->streams++;
    }
    return k->recent[r->stream % TRACK_RECENT] = s;
}

void track_register(struct track *k, struct stream_state *s, uint64_t raw, uint64_t position)
{
    uint64_t *slot = map_put(&k->by_high, raw >> 32, (uint64_t)(uintptr_t)s);
    s->seed = raw - position;
    s->has_seed = true;
    if (!slot)
        return; /* no memory: such ids are not found from other threads, no more */
    *slot = (uint64_t)(uintptr_t)s;
    s->high = raw >> 32;
}

struct stream_state *track_origin(const struct track *k, uint64_t raw)
{
    const uint64_t *slot = map_get(&k->by_high, raw >> 32);
    return slot ? stream_at(*slot) : NULL;
}

bool stack_grow(struct thread_state *t)
{
    uint32_t used = t->top - t->base;
    if (t->base > t->capacity / 2) {
        memmove(t->stack, t->stack + t->base, used * sizeof *t->stack);
        t->base = 0;
        t->top = used;
        return true;
    }
    if (t->capacity > UINT32_MAX / 2)
        return false;
    uint32_t capacity = t->capacity ? t->capacity * 2 : STACK_MIN;
    struct stack_entry *more = mem_realloc(t->stack, (size_t)capacity * sizeof *more);
    if (!more)
        return false;
    t->stack = more;
    t->capacity = capacity;
    return true;
}

struct open_span *stack_remove(struct track *k, struct thread_state *t, uint32_t at)
{
    assert(at >= t->base && at < t->top);
    struct open_span *span = t->stack[at].span;
    if (at - t->base < t->top - 1 - at) { /* fewer below than above */
        memmove(t->stack + t->base + 1, t->stack + t->base, (at - t->base) * sizeof *t->stack);
        t->base++;
    } else {
        memmove(t->stack + at, t->stack + at + 1, (t->top - 1 - at) * sizeof *t->stack);
        t->top--;
    }
    return stack_forget(k, t, span);
}

static bool is_it(const struct stack_entry *e, uint64_t raw, uint64_t mask)
{
    return e->span->kind != SPAN_CONTEXT && ((e->span->raw_id ^ raw) & mask) == 0;
}

/* By position, where all entries come from one stream. */
static uint32_t find_by_position(const struct thread_state *t, uint64_t raw, uint64_t mask,
                                 uint64_t position)
{
    uint32_t low = t->base, high = t->top;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (t->stack[middle].position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->top && is_it(&t->stack[low], raw, mask) ? low : UINT32_MAX;
}

uint32_t stack_find(const struct thread_state *t, uint64_t raw, uint64_t mask,
                    const struct stream_state *s, uint64_t position)
{
    uint32_t stop = t->top - t->base > NEAR ? t->top - NEAR : t->base;
    uint32_t i = t->top;
    while (i > stop)
        if (is_it(&t->stack[--i], raw, mask))
            return i;
    if (i == t->base)
        return UINT32_MAX;
    if (s && s->has_seed && s->thread == t && t->streams == 1) {
        uint32_t found = find_by_position(t, raw, mask, position);
        if (found != UINT32_MAX || !t->kinds[SPAN_GHOST])
            return found;
    }
    stop = i - t->base > LINEAR_BUDGET ? i - LINEAR_BUDGET : t->base;
    while (i > stop)
        if (is_it(&t->stack[--i], raw, mask))
            return i;
    return UINT32_MAX;
}
