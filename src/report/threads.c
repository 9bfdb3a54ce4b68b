/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Per-thread sums. Outermost spans of a thread follow each other and simply
 * add up; stretches of async spans may lie inside them, so from the first such
 * stretch on a thread keeps the union of both.
 */
#include "report/threads.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

/* NULL: no memory. */
static struct thread_stats *stats(struct threads *t, const struct model_thread *thread)
{
    uint32_t index = thread->index < THREADS_MAX ? thread->index : THREADS_MAX;
    while (t->items.count <= index) {
        struct thread_stats *s = VEC_PUSH(&t->items);
        if (!s)
            return NULL;
        s->first_ns = UINT64_MAX;
    }
    struct thread_stats *s = &t->items.items[index];
    s->thread = thread;
    return s;
}

static void seen(struct thread_stats *s, uint64_t from, uint64_t to)
{
    s->first_ns = from < s->first_ns ? from : s->first_ns;
    s->last_ns = to > s->last_ns ? to : s->last_ns;
}

static void busy(struct thread_stats *s, uint64_t from, uint64_t to)
{
    assert(from <= to);
    s->busy_ns += s->cover ? cover_add(s->cover, from, to) : to - from;
}

/* From now on overlaps are looked for; what was before is one old stretch. */
static bool watch_overlaps(struct thread_stats *s)
{
    if (s->cover)
        return true;
    s->cover = mem_calloc(1, sizeof *s->cover);
    if (!s->cover)
        return false;
    if (s->busy_ns) {
        s->cover->old = (struct cover_range){s->first_ns, s->last_ns};
        s->cover->old_covered = s->busy_ns;
    }
    return true;
}

static int stretches(struct threads *t, const struct model_span *span)
{
    for (uint32_t i = 0; i < span->busy_count; i++) {
        const struct model_busy *b = &span->busy[i];
        struct thread_stats *s = b->thread ? stats(t, b->thread) : NULL;
        if (!b->thread || b->end_ns < b->start_ns)
            continue;
        if (!s || !watch_overlaps(s))
            return ORIEL_ENOMEM;
        busy(s, b->start_ns, b->end_ns);
        seen(s, b->start_ns, b->end_ns);
    }
    return 0;
}

int threads_span(struct threads *t, const struct model_span *span)
{
    if (!span->thread)
        return 0;
    struct thread_stats *s = stats(t, span->thread);
    if (!s)
        return ORIEL_ENOMEM;
    s->spans++;
    s->unfinished += (span->flags & MODEL_SPAN_UNFINISHED) != 0;
    if (span->flags & MODEL_SPAN_ASYNC)
        return stretches(t, span);
    if (span->flags & (MODEL_SPAN_EXTERNAL | MODEL_SPAN_ORPHAN_END))
        return 0;
    if (span->depth == 0) {
        busy(s, span->start_ns, span->end_ns);
        seen(s, span->start_ns, span->end_ns);
    }
    return 0;
}

int threads_event(struct threads *t, const struct model_thread *thread, uint64_t t_ns)
{
    if (!thread)
        return 0;
    struct thread_stats *s = stats(t, thread);
    if (!s)
        return ORIEL_ENOMEM;
    s->events++;
    seen(s, t_ns, t_ns);
    return 0;
}

int threads_loss(struct threads *t, const struct model_loss *loss)
{
    if (!loss->thread)
        return 0;
    struct thread_stats *s = stats(t, loss->thread);
    if (!s)
        return ORIEL_ENOMEM;
    s->lost += loss->count;
    return 0;
}

void threads_done(struct threads *t)
{
    for (size_t i = 0; i < t->items.count; i++)
        mem_free(t->items.items[i].cover);
    VEC_DONE(&t->items);
}
