/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Collecting whole traces within bounds. Open traces form a list by the time
 * of their last item; kept ones have left it and still take late spans.
 */
#include "report/traces.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

static uint64_t rank(const struct trace *t)
{
    return t->root_ns ? t->root_ns : t->longest_ns;
}

static void list_remove(struct traces *all, struct trace *t)
{
    *(t->older ? &t->older->newer : &all->oldest) = t->newer;
    *(t->newer ? &t->newer->older : &all->newest) = t->older;
    t->older = t->newer = NULL;
}

static void list_append(struct traces *all, struct trace *t)
{
    t->older = all->newest;
    t->newer = NULL;
    *(all->newest ? &all->newest->newer : &all->oldest) = t;
    all->newest = t;
}

static void trace_free(struct traces *all, struct trace *t)
{
    map_remove(&all->by_key, t->key);
    for (size_t i = 0; i < t->spans.count; i++)
        mem_free(t->spans.items[i]);
    for (size_t i = 0; i < t->events.count; i++)
        mem_free(t->events.items[i]);
    VEC_DONE(&t->spans);
    VEC_DONE(&t->events);
    VEC_DONE(&t->folds);
    map_done(&t->fold_by_parent);
    mem_free(t);
}

/* An open trace is over: among the slowest, or gone. */
static void retire(struct traces *all, struct trace *t)
{
    assert(!t->kept);
    list_remove(all, t);
    all->bytes -= t->bytes;
    uint32_t at = all->kept_count;
    if (at == TRACES_KEPT) {
        if (rank(t) <= rank(all->kept[at - 1])) {
            trace_free(all, t);
            return;
        }
        trace_free(all, all->kept[--at]);
        all->kept_count--;
    }
    for (; at && rank(all->kept[at - 1]) < rank(t); at--)
        all->kept[at] = all->kept[at - 1];
    all->kept[at] = t;
    all->kept_count++;
    t->kept = true;
}

static void make_room(struct traces *all, const struct trace *current)
{
    while ((all->bytes > TRACES_BYTES || all->by_key.count > TRACES_OPEN_MAX) && all->oldest &&
           all->oldest != current) {
        all->cut_off++;
        retire(all, all->oldest);
    }
}

/* NULL: no memory. */
static struct trace *trace_of(struct traces *all, const uint8_t id[16])
{
    uint64_t key = map_hash_bytes(id, 16, 3);
    uint64_t *slot = map_put(&all->by_key, key, 0);
    if (!slot)
        return NULL;
    struct trace *t = (struct trace *)(uintptr_t)*slot;
    if (!t) {
        t = mem_calloc(1, sizeof *t);
        if (!t) {
            map_remove(&all->by_key, key);
            return NULL;
        }
        *slot = (uintptr_t)t;
        memcpy(t->id, id, 16);
        t->key = key;
        t->bytes = sizeof *t;
        all->bytes += t->bytes;
        all->seen++;
    } else if (!t->kept) {
        list_remove(all, t);
    }
    if (!t->kept)
        list_append(all, t);
    return t;
}

/* ---- spans too short to be kept ---- */

/* Index of the sums below a parent, 0 (parents not known) when there are too
 * many. False: no memory. */
static bool fold_place(struct trace *t, uint64_t parent, uint32_t *out)
{
    if (t->folds.count == 0 && !VEC_PUSH(&t->folds))
        return false;
    const uint64_t *found = map_get(&t->fold_by_parent, parent);
    *out = found ? (uint32_t)*found : 0;
    if (found || !parent || t->fold_by_parent.count >= TRACE_FOLDS)
        return true;
    uint32_t index = t->free_fold;
    if (index)
        t->free_fold = t->folds.items[index].next_free;
    else if (VEC_PUSH(&t->folds))
        index = (uint32_t)t->folds.count - 1;
    else
        return false;
    t->folds.items[index] = (struct trace_fold){0};
    if (!map_put(&t->fold_by_parent, parent, index)) {
        t->folds.items[index].next_free = t->free_fold;
        t->free_fold = index;
        return false;
    }
    *out = index;
    return true;
}

/* A span gets no copy: it and what was folded below it go to its parent. */
static bool fold(struct trace *t, uint64_t id, uint64_t parent, uint64_t ns)
{
    uint64_t count = 1;
    uint32_t place;
    const uint64_t *below = map_get(&t->fold_by_parent, id);
    if (below) { /* its time lies within the span's own */
        uint32_t index = (uint32_t)*below;
        count += t->folds.items[index].count;
        t->folds.items[index] = (struct trace_fold){.next_free = t->free_fold};
        t->free_fold = index;
        map_remove(&t->fold_by_parent, id);
    }
    if (!fold_place(t, parent, &place))
        return false;
    assert(place < t->folds.count);
    t->folds.items[place].count += count;
    t->folds.items[place].ns += ns;
    return true;
}

static int longest_first(const void *a, const void *b)
{
    const struct inst *x = *(const struct inst *const *)a, *y = *(const struct inst *const *)b;
    uint64_t p = inst_duration(x), q = inst_duration(y);
    if (p != q)
        return p < q ? 1 : -1;
    /* The last resort makes the order the same on every machine. */
    return (x->u.span.span_id > y->u.span.span_id) - (x->u.span.span_id < y->u.span.span_id);
}

static bool prune(struct traces *all, struct trace *t)
{
    bool ok = true;
    assert(t->spans.count > TRACE_SPANS);
    qsort(t->spans.items, t->spans.count, sizeof *t->spans.items, longest_first);
    while (t->spans.count > TRACE_SPANS) {
        struct inst *i = t->spans.items[--t->spans.count];
        ok &= fold(t, i->u.span.span_id, i->u.span.parent_id, inst_duration(i));
        t->bytes -= i->bytes;
        if (!t->kept)
            all->bytes -= i->bytes;
        mem_free(i);
    }
    t->floor_ns = inst_duration(t->spans.items[t->spans.count - 1]);
    return ok;
}

static void account(struct traces *all, struct trace *t, const struct inst *i)
{
    t->bytes += i->bytes;
    if (!t->kept)
        all->bytes += i->bytes;
}

/* Room for a span's copy in its trace. False: no memory. */
static bool keep(struct traces *all, struct trace *t, const struct model_span *span, uint32_t name,
                 uint64_t self_ns)
{
    struct inst *i = inst_span(span, name, self_ns);
    struct inst **slot = i ? VEC_PUSH(&t->spans) : NULL;
    if (!slot) {
        mem_free(i);
        return false;
    }
    *slot = i;
    account(all, t, i);
    return t->spans.count < 2 * TRACE_SPANS || prune(all, t);
}

int traces_span(struct traces *all, const struct model_span *span, uint32_t name, uint64_t self_ns)
{
    struct trace *t = trace_of(all, span->trace_id);
    if (!t)
        return ORIEL_ENOMEM;
    uint64_t ns = span->end_ns - span->start_ns;
    bool root = span->parent_id == 0 || (span->flags & MODEL_SPAN_ROOT);
    /* Enough longer ones are kept: the next pruning would take this one. */
    bool ok = ns < t->floor_ns ? fold(t, span->span_id, span->parent_id, ns)
                               : keep(all, t, span, name, self_ns);
    t->span_count++;
    t->longest_ns = ns > t->longest_ns ? ns : t->longest_ns;
    if ((root || (span->flags & MODEL_SPAN_REMOTE_PARENT)) && ns > t->root_ns)
        t->root_ns = ns;
    if (root && !t->kept)
        retire(all, t);
    make_room(all, t);
    return ok ? 0 : ORIEL_ENOMEM;
}

int traces_event(struct traces *all, const struct model_event *event, uint32_t name)
{
    static const uint8_t none[16];
    if (memcmp(event->trace_id, none, 16) == 0)
        return 0;
    struct trace *t = trace_of(all, event->trace_id);
    if (!t)
        return ORIEL_ENOMEM;
    t->event_count++;
    if (t->events.count >= TRACE_EVENTS)
        return 0;
    struct inst *i = inst_event(event, name);
    struct inst **slot = i ? VEC_PUSH(&t->events) : NULL;
    if (!slot) {
        mem_free(i);
        return ORIEL_ENOMEM;
    }
    *slot = i;
    account(all, t, i);
    make_room(all, t);
    return 0;
}

/* By time; of what begins together the longer is the outer one. */
static int earliest_first(const void *a, const void *b)
{
    const struct inst *x = *(const struct inst *const *)a, *y = *(const struct inst *const *)b;
    if (x->t_ns != y->t_ns)
        return x->t_ns > y->t_ns ? 1 : -1;
    return x->is_event ? 0 : longest_first(a, b);
}

void traces_settle(struct traces *all)
{
    while (all->oldest)
        retire(all, all->oldest);
    for (uint32_t i = 0; i < all->kept_count; i++) {
        struct trace *t = all->kept[i];
        if (t->spans.count > TRACE_SPANS)
            (void)prune(all, t); /* only counts can be lost */
        if (t->spans.count)
            qsort(t->spans.items, t->spans.count, sizeof *t->spans.items, earliest_first);
        if (t->events.count)
            qsort(t->events.items, t->events.count, sizeof *t->events.items, earliest_first);
    }
}

void traces_done(struct traces *all)
{
    while (all->oldest) {
        struct trace *t = all->oldest;
        list_remove(all, t);
        trace_free(all, t);
    }
    for (uint32_t i = 0; i < all->kept_count; i++)
        trace_free(all, all->kept[i]);
    map_done(&all->by_key);
    memset(all, 0, sizeof *all);
}
