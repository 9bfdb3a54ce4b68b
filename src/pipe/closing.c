/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What closes spans other than their own end: too many of them, and the end of
 * the recording. All of it is rare.
 */
#include "pipe/assemble.h"

#include <assert.h>

#include "pipe/plain.h"

struct thread_state *assemble_thread(const struct assemble *a, const struct model_thread *thread)
{
    assert(thread->index < a->track.thread_capacity);
    return a->track.threads[thread->index];
}

void close_other(struct assemble *a, struct open_span *span)
{
    assert(span->kind >= SPAN_CONTEXT && !span->closed);
    a->others--;
    spans_close(&a->spans, span);
}

/* Find a span on its own stack, from the bottom: it is among the oldest. */
static uint32_t index_from_bottom(const struct thread_state *t, const struct open_span *span)
{
    uint32_t i = t->base;
    while (i < t->top && t->stack[i].span != span)
        i++;
    return i < t->top ? i : UINT32_MAX;
}

/* Too many are open: the oldest goes, as unfinished. */
void close_oldest(struct assemble *a)
{
    struct open_span *span = a->spans.oldest;
    if (span->kind != SPAN_ASYNC) {
        struct thread_state *t = assemble_thread(a, span->thread);
        uint32_t at = index_from_bottom(t, span);
        assert(at != UINT32_MAX);
        /* What stands below was pushed before, so it is closed already. */
        while (t->base < at) {
            struct open_span *below = stack_remove(&a->track, t, t->base);
            assert(below->closed);
            spans_release(&a->spans, below);
        }
        stack_remove(&a->track, t, at);
    }
    if (span->kind >= SPAN_CONTEXT)
        close_other(a, span);
    else
        finish_span(a, span, a->now, span->thread, MODEL_SPAN_UNFINISHED);
}

/* Newest time per process, by index; NULL when there is no memory for it. */
static uint64_t *last_times(const struct assemble *a)
{
    size_t at = 0, n = a->catalog->process_count;
    uint64_t key, value, *last = mem_calloc(n + 1, sizeof *last);
    while (last && map_next(&a->track.streams, &at, &key, &value)) {
        const struct stream_state *s = (const struct stream_state *)(uintptr_t)value;
        uint32_t process = s->thread->thread->process;
        if (process < n && s->last_ns > last[process])
            last[process] = s->last_ns;
    }
    return last;
}

static void clear_stacks(struct assemble *a)
{
    for (size_t i = 0; i < a->track.thread_capacity; i++) {
        struct thread_state *t = a->track.threads[i];
        while (t && t->top > t->base)
            spans_release(&a->spans, stack_pop(&a->track, t));
    }
    assert(a->track.entries == 0);
}

void assemble_finish(struct assemble *a)
{
    plain_settle(a);
    uint64_t *last = last_times(a);
    for (struct open_span *o; (o = a->spans.newest);) { /* inner spans first */
        uint32_t process = o->thread->process;
        uint64_t t_ns = last && process < a->catalog->process_count ? last[process] : 0;
        if (!t_ns) /* no stream of it is left */
            t_ns = a->now;
        if (o->kind >= SPAN_CONTEXT)
            close_other(a, o);
        else
            finish_span(a, o, t_ns > o->start_ns ? t_ns : o->start_ns, o->thread,
                        MODEL_SPAN_UNFINISHED);
    }
    mem_free(last);
    clear_stacks(a);
    heap_tell_live(a);
    tell_remaining_losses(a);
}
