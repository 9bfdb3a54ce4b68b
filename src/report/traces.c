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

static bool fold_add(struct trace *t, uint64_t parent, uint64_t count, uint64_t ns)
{
    uint64_t at = 0;
    if (t->folds.count == 0 && !VEC_PUSH(&t->folds))
        return false;
    if (parent && t->folds.count < TRACE_FOLDS) {
        uint64_t *slot = map_put(&t->fold_by_parent, parent, 0);
        if (!slot || (*slot == 0 && !VEC_PUSH(&t->folds)))
            return false;
        if (*slot == 0)
            *slot = t->folds.count - 1;
        at = *slot;
    } else if (parent) {
        const uint64_t *slot = map_get(&t->fold_by_parent, parent);
        at = slot ? *slot : 0;
    }
    t->folds.items[at].count += count;
    t->folds.items[at].ns += ns;
    return true;
}

/* A span leaves the copies: it and what was folded below it go to its parent. */
static bool fold(struct trace *t, const struct inst *i)
{
    uint64_t count = 1, ns = inst_duration(i);
    const uint64_t *below = map_get(&t->fold_by_parent, i->u.span.span_id);
    if (below) { /* its time lies within the span's own */
        count += t->folds.items[*below].count;
        t->folds.items[*below].count = 0;
        t->folds.items[*below].ns = 0;
    }
    return fold_add(t, i->u.span.parent_id, count, ns);
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
    qsort(t->spans.items, t->spans.count, sizeof *t->spans.items, longest_first);
    while (t->spans.count > TRACE_SPANS) {
        struct inst *i = t->spans.items[--t->spans.count];
        ok &= fold(t, i);
        t->bytes -= i->bytes;
        if (!t->kept)
            all->bytes -= i->bytes;
        mem_free(i);
    }
    return ok;
}

static void account(struct traces *all, struct trace *t, const struct inst *i)
{
    t->bytes += i->bytes;
    if (!t->kept)
        all->bytes += i->bytes;
}

int traces_span(struct traces *all, const struct model_span *span, uint32_t name, uint64_t self_ns)
{
    struct trace *t = trace_of(all, span->trace_id);
    struct inst *i = t ? inst_span(span, name, self_ns) : NULL;
    struct inst **slot = i ? VEC_PUSH(&t->spans) : NULL;
    if (!slot) {
        mem_free(i);
        return ORIEL_ENOMEM;
    }
    *slot = i;
    account(all, t, i);
    t->span_count++;
    uint64_t ns = inst_duration(i);
    bool root = span->parent_id == 0 || (span->flags & MODEL_SPAN_ROOT);
    t->longest_ns = ns > t->longest_ns ? ns : t->longest_ns;
    if ((root || (span->flags & MODEL_SPAN_REMOTE_PARENT)) && ns > t->root_ns)
        t->root_ns = ns;
    bool ok = t->spans.count < 2 * TRACE_SPANS || prune(all, t);
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
