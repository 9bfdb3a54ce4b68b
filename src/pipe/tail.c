/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One entry per trace that waits, in order of their first spans. Once an entry is
 * to be kept its spans leave at once and later ones pass by; it stays, empty, until
 * its local root has come, so that those are known.
 */
#include "pipe/tail.h"

#include <assert.h>

#include "base/mem.h"
#include "base/vec.h"

enum { BYTES_DEFAULT = 16 << 20 };
#define WAIT_DEFAULT UINT64_C(30000000000)

struct tail_trace {
    uint64_t key;
    struct arena arena;
    VEC(struct model_span) spans;
    uint64_t bytes, first_ns;
    bool kept;
    struct tail_trace *older, *newer;
};

void tail_init(struct tail *t, const struct pipe_sampling *how, struct pipe_counts *counts)
{
    *t = (struct tail){.keep_errors = how->keep_errors,
                       .keep_slow_ns = how->keep_slow_ns,
                       .max_bytes = how->tail_bytes ? how->tail_bytes : BYTES_DEFAULT,
                       .max_ns = how->tail_ns ? how->tail_ns : WAIT_DEFAULT,
                       .counts = counts};
}

/* Its spans have a fate: they were given out, or go here. */
static void forget(struct tail *t, struct tail_trace *x)
{
    *(x->older ? &x->older->newer : &t->oldest) = x->newer;
    *(x->newer ? &x->newer->older : &t->newest) = x->older;
    map_remove(&t->by_id, x->key);
    t->counts->sampled_out += x->spans.count;
    t->counts->tail_held -= x->spans.count;
    t->bytes -= x->bytes;
    VEC_DONE(&x->spans);
    arena_done(&x->arena);
    mem_free(x);
}

void tail_finish(struct tail *t)
{
    while (t->oldest)
        forget(t, t->oldest);
    assert(t->bytes == 0 && t->counts->tail_held == 0);
}

void tail_done(struct tail *t)
{
    while (t->oldest)
        forget(t, t->oldest);
    map_done(&t->by_id);
}

static uint64_t key_of(const struct model_span *s)
{
    uint64_t half[2];
    memcpy(half, s->trace_id, sizeof half);
    return oriel_id_mix(half[0]) ^ half[1];
}

static struct tail_trace *find(struct tail *t, uint64_t key)
{
    const uint64_t *slot = map_get(&t->by_id, key);
    return slot ? (struct tail_trace *)(uintptr_t)*slot : NULL;
}

static struct tail_trace *add(struct tail *t, uint64_t key, uint64_t now_ns)
{
    struct tail_trace *x = mem_calloc(1, sizeof *x);
    uint64_t *slot = x ? map_put(&t->by_id, key, (uint64_t)(uintptr_t)x) : NULL;
    if (!slot) {
        mem_free(x);
        return NULL;
    }
    arena_init(&x->arena);
    x->key = key;
    x->first_ns = now_ns;
    x->bytes = sizeof *x;
    t->bytes += sizeof *x;
    x->older = t->newest;
    *(t->newest ? &t->newest->newer : &t->oldest) = x;
    t->newest = x;
    return x;
}

/* Every span of the entry joins the batch, as if it ended now: outlets are given items
 * in the order of t_ns. */
static bool give_out(struct tail *t, struct tail_trace *x, struct model_batch *out, uint64_t now_ns)
{
    bool ok = true;
    x->kept = true;
    for (size_t i = 0; i < x->spans.count; i++) {
        size_t bytes;
        struct model_item *item = model_batch_add_item(out);
        if (!item || !model_span_copy(&item->u.span, &x->spans.items[i], &out->arena, &bytes)) {
            out->item_count -= item != NULL;
            t->counts->sampled_out++;
            ok = false;
            continue;
        }
        item->kind = MODEL_ITEM_SPAN;
        item->t_ns = now_ns;
        t->counts->tail_kept++;
    }
    t->counts->tail_held -= x->spans.count;
    t->bytes -= x->bytes - sizeof *x;
    x->bytes = sizeof *x;
    VEC_DONE(&x->spans);
    arena_done(&x->arena);
    return ok;
}

static bool hold(struct tail *t, struct tail_trace *x, const struct model_span *s)
{
    size_t bytes = 0;
    struct model_span *held = VEC_PUSH(&x->spans);
    if (!held)
        return false;
    bool ok = model_span_copy(held, s, &x->arena, &bytes);
    x->bytes += bytes + sizeof *s; /* what a copy that failed took stays in the arena */
    t->bytes += bytes + sizeof *s;
    if (!ok) {
        x->spans.count--;
        return false;
    }
    t->counts->tail_held++;
    return true;
}

static bool is_local_root(const struct model_span *s)
{
    return s->flags & (MODEL_SPAN_ROOT | MODEL_SPAN_REMOTE_PARENT);
}

static bool worth_keeping(const struct tail *t, const struct model_span *s)
{
    return (t->keep_errors && s->status == ORIEL_STATUS_ERROR) ||
           (t->keep_slow_ns && is_local_root(s) && s->end_ns - s->start_ns >= t->keep_slow_ns);
}

/* *out_stays: the span itself is to be given out where it stands. */
static bool take_span(struct tail *t, const struct model_span *s, struct model_batch *out,
                      uint64_t now_ns, bool *out_stays)
{
    uint64_t key = key_of(s);
    struct tail_trace *x = find(t, key);
    bool ok = true;
    if (!x && !worth_keeping(t, s) && is_local_root(s)) { /* nobody waits for it */
        t->counts->sampled_out++;
        return true;
    }
    if (!x && !(x = add(t, key, now_ns))) {
        t->counts->sampled_out++;
        return false;
    }
    if (!x->kept && worth_keeping(t, s))
        ok = give_out(t, x, out, now_ns);
    *out_stays = x->kept;
    if (x->kept) {
        t->counts->tail_kept++;
    } else if (!is_local_root(s)) {
        bool held = hold(t, x, s);
        t->counts->sampled_out += !held;
        ok &= held;
    } else {
        t->counts->sampled_out++;
    }
    if (is_local_root(s))
        forget(t, x);
    return ok;
}

bool tail_take(struct tail *t, struct model_batch *out, size_t first, uint64_t now_ns)
{
    size_t end = out->item_count, to = first;
    bool ok = true;
    for (size_t i = first; i < end; i++) {
        bool stays = true;
        const struct model_item *item = &out->items[i];
        if (item->kind == MODEL_ITEM_SPAN && item->u.span.flags & MODEL_SPAN_UNSAMPLED) {
            struct model_span span = item->u.span; /* the list may grow and move */
            stays = false;
            ok &= take_span(t, &span, out, now_ns, &stays);
        }
        if (stays)
            out->items[to++] = out->items[i];
    }
    if (to != end) /* else nothing moves, and there may be no items at all */
        memmove(out->items + to, out->items + end, (out->item_count - end) * sizeof *out->items);
    out->item_count -= end - to;
    while (t->oldest && (t->bytes > t->max_bytes || t->oldest->first_ns + t->max_ns < now_ns))
        forget(t, t->oldest);
    return ok;
}
