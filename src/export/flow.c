/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Arrows between slices. Spans are remembered in a ring; the index over it is
 * only built when a link is looked up, so that programs without links pay one
 * store per span. One thread at a time.
 */
#include "export/flow.h"

#include <assert.h>

#include "base/mem.h"

void export_flows_init(struct export_flows *f)
{
    memset(f, 0, sizeof *f);
    f->seen = mem_alloc(EXPORT_FLOW_SEEN * sizeof *f->seen);
    f->next_id = 1;
}

void export_flows_done(struct export_flows *f)
{
    mem_free(f->seen);
    map_done(&f->by_span);
    map_done(&f->wanted);
    map_done(&f->tasks);
    VEC_DONE(&f->pending);
    f->seen = NULL;
}

void export_flows_point(const struct model_span *s, struct export_point *out)
{
    bool async = (s->flags & (MODEL_SPAN_ASYNC | MODEL_SPAN_EXTERNAL)) != 0;
    out->span_id = s->span_id;
    out->start_ns = out->slice_ns = s->start_ns;
    out->thread = async ? NULL : s->thread;
    out->async = async;
    if (async && s->busy_count) {
        out->thread = s->busy[0].thread;
        out->slice_ns = s->busy[0].start_ns;
    }
}

/* Brings the index up to date and drops what the ring has overwritten. */
static void index_seen(struct export_flows *f)
{
    uint64_t oldest = f->seen_count > EXPORT_FLOW_SEEN ? f->seen_count - EXPORT_FLOW_SEEN : 0;
    if (f->by_span.count >= 2 * (size_t)EXPORT_FLOW_SEEN) {
        map_clear(&f->by_span);
        f->indexed = oldest;
    }
    if (f->indexed < oldest)
        f->indexed = oldest;
    for (; f->indexed < f->seen_count; f->indexed++) {
        uint64_t id = f->seen[f->indexed & (EXPORT_FLOW_SEEN - 1)].span_id;
        uint64_t *number = map_put(&f->by_span, id, f->indexed);
        if (number)
            *number = f->indexed;
    }
}

static const struct export_point *find_seen(struct export_flows *f, uint64_t span_id)
{
    if (!f->seen)
        return NULL;
    index_seen(f);
    const uint64_t *number = map_get(&f->by_span, span_id);
    if (!number)
        return NULL;
    const struct export_point *p = &f->seen[*number & (EXPORT_FLOW_SEEN - 1)];
    return p->span_id == span_id ? p : NULL;
}

static void connect(struct export_flows *f, const struct export_point *a,
                    const struct export_point *b, export_flow_fn *fn, void *user)
{
    bool forward = a->start_ns <= b->start_ns;
    fn(user, f->next_id++, forward ? a : b, forward ? b : a);
}

/* The target has not come yet, most likely because it is still open. */
static void want(struct export_flows *f, uint64_t span_id, const struct export_point *point)
{
    if (f->pending.count >= EXPORT_FLOW_PENDING) {
        /* Targets in other processes never come: start anew. */
        map_clear(&f->wanted);
        f->pending.count = 0;
    }
    struct export_flow_pending *p = VEC_PUSH(&f->pending);
    if (!p)
        return;
    p->point = *point;
    p->wants = span_id;
    uint64_t *head = map_put(&f->wanted, span_id, 0);
    if (!head) {
        f->pending.count--;
        return;
    }
    p->next = (uint32_t)*head;
    *head = f->pending.count;
}

/* `s` is what others have been waiting for. */
static void satisfy(struct export_flows *f, const struct export_point *target, export_flow_fn *fn,
                    void *user)
{
    const uint64_t *head = map_get(&f->wanted, target->span_id);
    if (!head)
        return;
    for (uint32_t at = (uint32_t)*head; at; at = f->pending.items[at - 1].next) {
        assert(at <= f->pending.count);
        connect(f, target, &f->pending.items[at - 1].point, fn, user);
    }
    map_remove(&f->wanted, target->span_id);
    if (f->wanted.count == 0)
        f->pending.count = 0;
}

void export_flows_resolve(struct export_flows *f, const struct model_span *s, export_flow_fn *fn,
                          void *user)
{
    struct export_point here;
    export_flows_point(s, &here);
    if (f->wanted.count)
        satisfy(f, &here, fn, user);
    for (uint32_t i = 0; i < s->link_count; i++) {
        if (s->links[i].span_id == s->span_id)
            continue;
        const struct export_point *there = find_seen(f, s->links[i].span_id);
        if (there)
            connect(f, there, &here, fn, user);
        else
            want(f, s->links[i].span_id, &here);
    }
}

char export_flows_task(struct export_flows *f, const struct model_task *t, uint64_t *out_id)
{
    uint64_t *id = map_get(&f->tasks, t->task);
    switch (t->op) {
    case ORIEL_TASK_SPAWN:
    case ORIEL_TASK_WAKE:
        if (id) {
            *out_id = *id;
            return 't';
        }
        if (f->tasks.count >= EXPORT_FLOW_TASKS || !map_put(&f->tasks, t->task, f->next_id))
            return 0;
        *out_id = f->next_id++;
        return 's';
    case ORIEL_TASK_RESUME:
        if (!id)
            return 0;
        *out_id = *id;
        map_remove(&f->tasks, t->task);
        return 'f';
    case ORIEL_TASK_COMPLETE:
        map_remove(&f->tasks, t->task);
        return 0;
    default: /* yield, block, name: nothing moves; unknown numbers of a newer writer */
        return 0;
    }
}
