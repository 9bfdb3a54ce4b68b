/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Items come in the order of time: a wake-up before the wait it ends, the
 * holder of a lock right behind the wait for it.
 */
#include "report/waits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "report/reason.h"

/* What a thread does that is not complete yet. */
struct waits_pending {
    struct model_sample wake; /* that will end its wait; kind 0: none */
    struct model_sample lock; /* that it waited for; kind 0: none */
    struct model_sample off;  /* its last wait */
};

static struct waits_pending *pending_of(struct waits *w, int32_t tid)
{
    uint64_t *at = map_put(&w->pending, (uint32_t)tid, 0);
    if (!at)
        return NULL;
    if (*at == 0)
        *at = (uintptr_t)mem_calloc(1, sizeof(struct waits_pending));
    if (*at == 0)
        (void)map_remove(&w->pending, (uint32_t)tid);
    return at ? (struct waits_pending *)(uintptr_t)*at : NULL;
}

static struct wait_row *row(struct waits *w, const struct model_sample *s)
{
    const uint64_t extra = s->extra & (0xffffu | ORIEL_WAIT_DISK);
    const uint64_t parts[] = {s->thread->index, s->stack, extra};
    uint64_t key = map_hash_bytes(parts, sizeof parts, 0);
    for (;; key++) {
        uint64_t *at = map_put(&w->row_of, key, w->rows.count);
        if (!at)
            return NULL;
        if (*at < w->rows.count) {
            struct wait_row *r = &w->rows.items[*at];
            if (r->thread == s->thread && r->stack == s->stack && r->extra == extra)
                return r;
            continue;
        }
        struct wait_row *new = VEC_PUSH(&w->rows);
        if (new)
            *new = (struct wait_row){.thread = s->thread, .stack = s->stack, .extra = extra};
        else
            (void)map_remove(&w->row_of, key);
        return new;
    }
}

static int add_wait(struct waits *w, const struct model_sample *s)
{
    w->ns += s->weight;
    w->count += s->count;
    if (w->rows.count >= WAITS_ROWS_MAX) {
        w->beyond_ns += s->weight;
        return 0;
    }
    struct wait_row *r = row(w, s);
    if (!r)
        return ORIEL_ENOMEM;
    r->ns += s->weight;
    r->count += s->count;
    if (!(s->extra & ORIEL_WAIT_SHARED) && s->weight > r->max_ns)
        r->max_ns = s->weight;
    return 0;
}

static int add_chain(struct waits *w, const struct wait_chain *c)
{
    const uint64_t parts[] = {(uintptr_t)c->thread,
                              (uintptr_t)c->by,
                              c->flags,
                              c->lock,
                              (uint64_t)c->stack << 32 | c->by_stack,
                              (uint32_t)c->by_tid};
    uint64_t key = map_hash_bytes(parts, sizeof parts, 1);
    if (w->chains.count >= WAITS_ROWS_MAX) {
        w->beyond_ns += c->ns;
        return 0;
    }
    for (;; key++) {
        uint64_t *at = map_put(&w->chain_of, key, w->chains.count);
        if (!at)
            return ORIEL_ENOMEM;
        if (*at == w->chains.count) {
            struct wait_chain *new = VEC_PUSH(&w->chains);
            if (!new) {
                (void)map_remove(&w->chain_of, key);
                return ORIEL_ENOMEM;
            }
            *new = *c;
            return 0;
        }
        struct wait_chain *k = &w->chains.items[*at];
        if (k->thread != c->thread || k->by != c->by || k->flags != c->flags ||
            k->lock != c->lock || k->stack != c->stack || k->by_stack != c->by_stack ||
            k->by_tid != c->by_tid)
            continue;
        k->ns += c->ns;
        k->count += c->count;
        k->max_ns = c->max_ns > k->max_ns ? c->max_ns : k->max_ns;
        return 0;
    }
}

/* The wait of `s` ended by what woke it. `stack`: where it waited. */
static int add_wake(struct waits *w, const struct model_sample *wake,
                    const struct model_thread *thread, uint32_t stack)
{
    const uint64_t flags = wake->extra & (ORIEL_WAKE_INTERRUPT | ORIEL_WAKE_OUTSIDE);
    const struct wait_chain c = {.thread = thread,
                                 .by = flags ? NULL : wake->thread,
                                 .flags = flags,
                                 .ns = wake->weight,
                                 .count = wake->count,
                                 .max_ns = wake->weight,
                                 .stack = stack,
                                 .by_stack = wake->stack};
    return add_chain(w, &c);
}

static int add_off(struct waits *w, const struct model_sample *s)
{
    struct waits_pending *p = pending_of(w, s->thread->tid);
    int rc = p ? add_wait(w, s) : ORIEL_ENOMEM;
    if (rc == 0 && p->wake.kind) {
        /* A share of many waits is not the one that was ended. */
        rc = add_wake(w, &p->wake, s->thread, s->extra & ORIEL_WAIT_SHARED ? 0 : s->stack);
        p->wake.kind = 0;
    }
    if (p)
        p->off = *s;
    return rc;
}

/* The time from its wake-up on belongs to the wait before; else it was pushed. */
static int add_ready(struct waits *w, const struct model_sample *s)
{
    if (!(s->extra & ORIEL_WAIT_WOKEN)) {
        uint64_t *ns = map_put(&w->pushed, s->thread->index, 0);
        w->pushed_ns += s->weight;
        if (ns)
            *ns += s->weight;
        return ns ? 0 : ORIEL_ENOMEM;
    }
    struct waits_pending *p = pending_of(w, s->thread->tid);
    w->ready_ns += s->weight;
    if (!p || p->off.kind == 0 || p->off.t_ns != s->t_ns || w->rows.count >= WAITS_ROWS_MAX)
        return p ? 0 : ORIEL_ENOMEM;
    struct wait_row *r = row(w, &p->off);
    if (r)
        r->ready_ns += s->weight;
    return r ? 0 : ORIEL_ENOMEM;
}

/* Of many that are told together it is not known which ended which wait. */
static int take_wake(struct waits *w, const struct model_sample *s)
{
    struct waits_pending *p = pending_of(w, ORIEL_WAKE_TID(s->extra));
    w->wakes += s->count;
    if (!p)
        return ORIEL_ENOMEM;
    if (!(s->extra & ORIEL_WAIT_SHARED)) {
        p->wake = *s;
        return 0;
    }
    return p->off.thread ? add_wake(w, s, p->off.thread, 0) : 0;
}

/* A wait for a lock whose holder is known (`by`) or not (NULL). */
static int end_lock(struct waits *w, struct waits_pending *p, const struct model_sample *by)
{
    const struct wait_chain c = {.thread = p->lock.thread,
                                 .lock = p->lock.extra,
                                 .ns = p->lock.weight,
                                 .count = p->lock.count,
                                 .max_ns = p->lock.weight,
                                 .stack = p->lock.stack,
                                 .by_stack = by ? by->stack : 0,
                                 .by_tid = by ? (int32_t)by->extra : 0};
    bool any = p->lock.kind != 0;
    p->lock.kind = 0;
    return any ? add_chain(w, &c) : 0;
}

static int take_lock(struct waits *w, const struct model_sample *s)
{
    struct waits_pending *p = pending_of(w, s->thread->tid);
    int rc = p ? end_lock(w, p, NULL) : ORIEL_ENOMEM;
    if (rc == 0)
        p->lock = *s;
    return rc;
}

static int take_holder(struct waits *w, const struct model_sample *s)
{
    struct waits_pending *p = pending_of(w, s->thread->tid);
    return p ? end_lock(w, p, s) : ORIEL_ENOMEM;
}

static int take_depth(struct waits *w, const struct model_sample *s)
{
    uint64_t *at = map_put(&w->depth_of, s->thread->index, w->depths.count);
    struct wait_depth *d = NULL;
    if (at && *at < w->depths.count)
        d = &w->depths.items[*at];
    else if (at && (d = VEC_PUSH(&w->depths)) != NULL)
        d->thread = s->thread;
    if (!d)
        return ORIEL_ENOMEM;
    d->bytes += s->weight;
    d->limit = s->extra;
    d->stack = s->stack;
    return 0;
}

int waits_add(struct waits *w, const struct model_sample *s)
{
    assert(s->thread);
    switch (s->kind) {
    case ORIEL_SAMPLE_OFF_CPU:
        return add_off(w, s);
    case ORIEL_SAMPLE_PREEMPTED:
        return add_ready(w, s);
    case ORIEL_SAMPLE_WAKE:
        return take_wake(w, s);
    case ORIEL_SAMPLE_LOCK:
        return take_lock(w, s);
    case ORIEL_SAMPLE_HOLDER:
        return take_holder(w, s);
    case ORIEL_SAMPLE_DEPTH:
        return take_depth(w, s);
    default:
        return 0;
    }
}

static int rows_by_time(const void *a, const void *b)
{
    const struct wait_row *x = a, *y = b;
    if (x->ns != y->ns)
        return x->ns < y->ns ? 1 : -1;
    return x->stack < y->stack ? -1 : x->stack > y->stack;
}

static int chains_by_time(const void *a, const void *b)
{
    const struct wait_chain *x = a, *y = b;
    if (x->ns != y->ns)
        return x->ns < y->ns ? 1 : -1;
    return x->by_stack < y->by_stack ? -1 : x->by_stack > y->by_stack;
}

int waits_settle(struct waits *w)
{
    size_t at = 0;
    uint64_t key, value;
    int rc = 0;
    while (rc == 0 && map_next(&w->pending, &at, &key, &value))
        rc = end_lock(w, (struct waits_pending *)(uintptr_t)value, NULL);
    return rc;
}

/* Where a thread waits, and how much of its waiting is there. */
struct usual {
    uint64_t ns, there_ns;
    uint32_t stack, place; /* place: the program's own function */
    enum reason reason;
};

/* One pass over the rows, the longest first. */
static int find_usual(const struct waits_order *o, struct frames *f, struct map *by_thread,
                      struct usual *all)
{
    struct frame_list list = {0};
    size_t used = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->row_count; i++) {
        const struct wait_row *row = &o->rows[i];
        const uint64_t *at = map_put(by_thread, row->thread->index, used);
        rc = at ? frames_list(f, row->stack, &list) : ORIEL_ENOMEM;
        if (rc < 0)
            break;
        struct usual *u = &all[*at];
        uint32_t place = row->stack ? reason_place(f, &list) : FRAMES_NONE;
        enum reason reason = reason_of(f, &list, row->extra);
        used += *at == used;
        if (!u->stack && row->stack)
            *u = (struct usual){u->ns, 0, row->stack, place, reason};
        u->ns += row->ns;
        if (row->stack && u->place == place && u->reason == reason)
            u->there_ns += row->ns;
    }
    VEC_DONE(&list.items);
    return rc;
}

/* Of wakes that are told together it is not known which wait each ended. Where a thread waits at
 * one place only, nine tenths of its time, it is that; else it stays unknown. */
static int place_shared(struct waits_order *o, struct frames *f)
{
    struct map by_thread = {0};
    struct usual *all = mem_calloc(o->row_count + 1, sizeof *all);
    int rc = all ? find_usual(o, f, &by_thread, all) : ORIEL_ENOMEM;
    for (size_t i = 0; rc == 0 && i < o->chain_count; i++) {
        struct wait_chain *c = &o->chains[i];
        const uint64_t *at = c->stack || c->lock ? NULL : map_get(&by_thread, c->thread->index);
        if (at && all[*at].there_ns >= all[*at].ns / 10 * 9)
            c->stack = all[*at].stack;
    }
    map_done(&by_thread);
    mem_free(all);
    return rc;
}

static int tell_interrupts(struct waits_order *o, struct frames *f)
{
    struct frame_list by = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->chain_count; i++) {
        struct wait_chain *c = &o->chains[i];
        rc = c->lock || !c->by_stack ? 0 : frames_list(f, c->by_stack, &by);
        if (rc < 0 || c->lock || !c->by_stack || !reason_is_interrupt(f, &by))
            continue;
        c->flags = ORIEL_WAKE_INTERRUPT;
        c->by = NULL;
        c->by_stack = 0;
    }
    VEC_DONE(&by.items);
    return rc;
}

int waits_order(const struct waits *w, struct frames *f, struct waits_order *out)
{
    *out = (struct waits_order){.row_count = w->rows.count, .chain_count = w->chains.count};
    out->rows = mem_alloc((out->row_count + 1) * sizeof *out->rows);
    out->chains = mem_alloc((out->chain_count + 1) * sizeof *out->chains);
    if (!out->rows || !out->chains) {
        waits_order_done(out);
        return ORIEL_ENOMEM;
    }
    if (out->row_count)
        memcpy(out->rows, w->rows.items, out->row_count * sizeof *out->rows);
    if (out->chain_count)
        memcpy(out->chains, w->chains.items, out->chain_count * sizeof *out->chains);
    qsort(out->rows, out->row_count, sizeof *out->rows, rows_by_time);
    int rc = place_shared(out, f);
    qsort(out->chains, out->chain_count, sizeof *out->chains, chains_by_time);
    return rc < 0 ? rc : tell_interrupts(out, f);
}

void waits_order_done(struct waits_order *o)
{
    mem_free(o->rows);
    mem_free(o->chains);
    *o = (struct waits_order){.row_count = 0};
}

void waits_done(struct waits *w)
{
    size_t at = 0;
    uint64_t key, value;
    while (map_next(&w->pending, &at, &key, &value))
        mem_free((void *)(uintptr_t)value);
    map_done(&w->pending);
    map_done(&w->row_of);
    map_done(&w->chain_of);
    map_done(&w->depth_of);
    map_done(&w->pushed);
    VEC_DONE(&w->rows);
    VEC_DONE(&w->chains);
    VEC_DONE(&w->depths);
    memset(w, 0, sizeof *w);
}
