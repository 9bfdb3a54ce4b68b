/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Allocations and spans. A HEAP record stands in front of the record that
 * begins or ends a span, so what it adds was allocated in the span that was the
 * thread's innermost until then. With what is inside it a span has the difference of
 * two readings; alone, what came while it was on top. Also: which allocation a
 * free belongs to, for samples.
 */
#include "pipe/assemble.h"

#include <assert.h>

enum { HEAP_ATTRS = 10 };

static struct heap_counts minus(const struct heap_counts *a, const struct heap_counts *b)
{
    return (struct heap_counts){a->allocations - b->allocations, a->bytes - b->bytes,
                                a->frees - b->frees, a->freed_bytes - b->freed_bytes};
}

static void add(struct heap_counts *sum, const struct heap_counts *c)
{
    sum->allocations += c->allocations;
    sum->bytes += c->bytes;
    sum->frees += c->frees;
    sum->freed_bytes += c->freed_bytes;
}

/* Two streams of one thread may tell in either order; counts only grow. */
static bool is_newer(const struct heap_counts *now, const struct heap_counts *before)
{
    return now->allocations >= before->allocations && now->frees >= before->frees &&
           now->bytes >= before->bytes && now->freed_bytes >= before->freed_bytes;
}

enum pipe_fate take_heap(struct assemble *a, struct stream_state *s, const struct model_record *r)
{
    struct thread_state *t = s->thread;
    const struct heap_counts now = {r->raw[2], r->raw[3], r->raw[4], r->raw[5]};
    const struct stack_entry *top = stack_top(t);
    (void)a;
    if (t->heap_known && !is_newer(&now, &t->heap))
        return PIPE_CONTROL;
    struct span_extra *e = top && !top->span->closed ? top->span->extra : NULL;
    if (t->heap_known && e && e->heap.known) {
        const struct heap_counts since = minus(&now, &t->heap);
        add(&e->heap.self, &since);
    }
    t->heap = now;
    t->heap_known = true;
    return PIPE_CONTROL;
}

void heap_begin(struct assemble *a, const struct thread_state *t, struct open_span *span)
{
    struct span_extra *e = spans_extra(&a->spans, span);
    if (!e) {
        a->no_memory = true;
        return;
    }
    e->heap.known = true;
    e->heap.begin = t->heap;
}

void heap_stretch(struct assemble *a, struct span_extra *e, const struct span_active *active)
{
    const struct thread_state *t = assemble_thread(a, active->thread);
    if (!e->heap.known || !is_newer(&t->heap, &active->heap))
        return;
    const struct heap_counts since = minus(&t->heap, &active->heap);
    add(&e->heap.total, &since);
}

/* ---- attributes ---- */

static void put(struct model_value *v, const char *key, uint32_t n, uint64_t number)
{
    *v = (struct model_value){
        .key = {key, n}, .type = ORIEL_TYPE_I64, .v = {.i64 = (int64_t)number}};
}
#define PUT(v, key, number) put((v), (key), sizeof(key) - 1, (number))

void heap_attributes(struct assemble *a, const struct open_span *span, struct model_span *out)
{
    const struct span_heap *h = &span->extra->heap;
    struct heap_counts all = h->total;
    if (span->kind == SPAN_SCOPED)
        all = minus(&assemble_thread(a, span->thread)->heap, &h->begin);
    struct model_value *v = arena_alloc(&a->out->arena, (out->attr_count + HEAP_ATTRS) * sizeof *v,
                                        _Alignof(struct model_value));
    if (!v) {
        a->no_memory = true;
        out->dropped_attrs += HEAP_ATTRS;
        return;
    }
    if (out->attr_count)
        memcpy(v, out->attrs, out->attr_count * sizeof *v);
    out->attrs = v;
    v += out->attr_count;
    PUT(v++, "alloc.count", all.allocations);
    PUT(v++, "alloc.bytes", all.bytes);
    PUT(v++, "dealloc.count", all.frees);
    PUT(v++, "dealloc.bytes", all.freed_bytes);
    PUT(v++, "alloc.net_bytes", all.bytes - all.freed_bytes);
    PUT(v++, "alloc.self.count", h->self.allocations);
    PUT(v++, "alloc.self.bytes", h->self.bytes);
    PUT(v++, "dealloc.self.count", h->self.frees);
    PUT(v++, "dealloc.self.bytes", h->self.freed_bytes);
    PUT(v++, "alloc.self.net_bytes", h->self.bytes - h->self.freed_bytes);
    out->attr_count += HEAP_ATTRS;
    assert(v == out->attrs + out->attr_count);
    a->rich = true;
}

/* ---- blocks ---- */

void heap_live_done(struct heap_live *live)
{
    map_done(&live->by_address);
    map_done(&live->by_stack);
    mem_free(live->blocks);
    mem_free(live->sums);
    memset(live, 0, sizeof *live);
}

/* User addresses have 57 bits at most. */
static uint64_t key_of(const struct model_sample *s)
{
    return s->extra ^ oriel_id_mix((uint64_t)s->thread->process + 1);
}

static struct heap_block *new_block(struct heap_live *live, uint32_t *out_index)
{
    if (live->free) {
        *out_index = live->free - 1;
        live->free = live->blocks[*out_index].next_free;
        return &live->blocks[*out_index];
    }
    if (live->count == live->capacity) {
        uint32_t capacity = live->capacity ? live->capacity * 2 : 1024;
        struct heap_block *more =
            capacity > HEAP_LIVE_MAX ? NULL : mem_realloc(live->blocks, capacity * sizeof *more);
        if (!more)
            return NULL;
        live->blocks = more;
        live->capacity = capacity;
    }
    *out_index = live->count++;
    return &live->blocks[*out_index];
}

void heap_came(struct assemble *a, const struct model_sample *s)
{
    struct heap_live *live = &a->live;
    uint64_t *slot = map_put(&live->by_address, key_of(s), UINT64_MAX);
    uint32_t index = slot ? (uint32_t)*slot : 0;
    struct heap_block *b = NULL;
    if (slot && *slot != UINT64_MAX) /* its free was lost */
        b = &live->blocks[index];
    else if (slot)
        b = new_block(live, &index);
    if (!b) {
        if (slot)
            map_remove(&live->by_address, key_of(s));
        a->no_memory = true;
        return;
    }
    *slot = index;
    *b = (struct heap_block){.span_id = s->span_id,
                             .site = s->site,
                             .thread = s->thread,
                             .bytes = s->weight,
                             .count = s->count,
                             .stack = s->stack,
                             .taken = true};
    memcpy(b->trace, s->trace_id, sizeof b->trace);
}

bool heap_went(struct assemble *a, struct model_sample *out)
{
    struct heap_live *live = &a->live;
    const uint64_t *slot = map_get(&live->by_address, key_of(out));
    if (!slot)
        return false;
    uint32_t index = (uint32_t)*slot;
    struct heap_block *b = &live->blocks[index];
    map_remove(&live->by_address, key_of(out));
    memcpy(out->trace_id, b->trace, sizeof out->trace_id);
    out->span_id = b->span_id;
    out->site = b->site;
    out->thread = b->thread;
    out->stack = b->stack;
    b->taken = false;
    b->next_free = live->free;
    live->free = index + 1;
    return true;
}

/* ---- sums ---- */

static struct heap_sum *sum_of(struct heap_live *live, const struct model_sample *s)
{
    uint64_t *slot =
        map_put(&live->by_stack, (uint64_t)s->thread->process << 32 | s->stack, live->sum_count);
    if (!slot)
        return NULL;
    if (*slot < live->sum_count)
        return &live->sums[*slot];
    if (live->sum_count == live->sum_capacity) {
        uint32_t capacity = live->sum_capacity ? live->sum_capacity * 2 : 256;
        struct heap_sum *more = mem_realloc(live->sums, capacity * sizeof *more);
        if (!more) {
            map_remove(&live->by_stack, (uint64_t)s->thread->process << 32 | s->stack);
            return NULL;
        }
        live->sums = more;
        live->sum_capacity = capacity;
    }
    live->sums[live->sum_count] = (struct heap_sum){.thread = s->thread, .stack = s->stack};
    return &live->sums[live->sum_count++];
}

void heap_summed(struct assemble *a, const struct model_sample *s)
{
    if (s->kind != ORIEL_SAMPLE_ALLOC && s->kind != ORIEL_SAMPLE_FREE)
        return;
    struct heap_sum *sum = sum_of(&a->live, s);
    if (!sum) {
        a->no_memory = true;
        return;
    }
    bool came = s->kind == ORIEL_SAMPLE_ALLOC;
    sum->bytes += came ? s->weight : -s->weight; /* may pass below zero for a moment */
    sum->count += came ? s->count : -s->count;
}

/* ---- the end ---- */

static void tell(struct assemble *a, const struct model_sample *s)
{
    struct model_item *it = model_batch_add_item(a->out);
    if (!it) {
        a->no_memory = true;
        return;
    }
    it->kind = MODEL_ITEM_SAMPLE;
    it->t_ns = a->now;
    it->u.sample = *s;
    it->u.sample.t_ns = a->now;
    it->u.sample.kind = ORIEL_SAMPLE_LIVE;
}

void heap_tell_live(struct assemble *a)
{
    const struct heap_live *live = &a->live;
    for (uint32_t i = 0; i < live->count; i++) {
        const struct heap_block *b = &live->blocks[i];
        struct model_sample s = {.weight = b->bytes,
                                 .count = b->count,
                                 .span_id = b->span_id,
                                 .site = b->site,
                                 .thread = b->thread,
                                 .stack = b->stack};
        memcpy(s.trace_id, b->trace, sizeof s.trace_id);
        if (b->taken)
            tell(a, &s);
    }
    for (uint32_t i = 0; i < live->sum_count; i++) {
        const struct heap_sum *sum = &live->sums[i];
        const struct model_sample s = {
            .weight = sum->bytes, .count = sum->count, .thread = sum->thread, .stack = sum->stack};
        if ((int64_t)sum->bytes > 0)
            tell(a, &s);
    }
    heap_live_done(&a->live);
}
