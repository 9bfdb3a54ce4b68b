/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The slow path of oriel_emit_start, and records whose values come as arrays.
 * Any thread, any signal handler; after a thread's first record no system call.
 */
#include "rec/hooks.h"
#include "rec/rec.h"

#include <assert.h>
#include <time.h>

#include "base/clock.h"

uint32_t oriel_include_args;

uint64_t oriel_abi_ticks_slow(void)
{
    if (oriel_tls.thread->clock == ORIEL_CLOCK_MARK)
        rec_switch_look();
    return clock_ticks((enum oriel_clock)rec_runtime.clock);
}

/* ---- what the thread allocated ---- */

enum { HEAP_WORDS = 6 };

static inline bool heap_changed(const struct oriel_gate *g)
{
    return g->heap && g->heap->allocations + g->heap->frees != g->heap->told;
}

/* In front of every record, so that what was allocated between two records
 * belongs to the span that was current between them. There is room. */
static void tell_heap(struct oriel_thread *t, struct oriel_heap *h)
{
    uint64_t *w = (uint64_t *)t->head;
    w[0] = ORIEL_RECORD_HEADER(HEAP_WORDS, ORIEL_REC_HEAP, 0, 0);
    w[1] = oriel_ticks(t);
    w[2] = h->allocations;
    w[3] = h->bytes;
    w[4] = h->frees;
    w[5] = h->freed_bytes;
    h->told = w[2] + w[4];
    __atomic_store_n(&t->head, (uintptr_t)(w + HEAP_WORDS), __ATOMIC_RELEASE);
}

/* Room in the current chunk or the next; the gate is closed on success. */
static struct oriel_gate *make_room(struct oriel_gate *g, size_t wanted)
{
    struct oriel_thread *t = g->thread;
    const size_t bytes = wanted & ~(size_t)ORIEL_EMIT_END;
    const size_t heap_bytes = heap_changed(g) ? HEAP_WORDS * 8 : 0;
    __atomic_store_n(&g->ready, 0u, __ATOMIC_RELAXED);
    ORIEL_SIGNAL_FENCE();
    bool fits = bytes <= ORIEL_RECORD_MAX_BYTES;
    if ((t->chunk && t->head + heap_bytes + bytes <= g->room_end) ||
        (fits && rec_chunk_next(t, g))) {
        if (heap_bytes)
            tell_heap(t, g->heap);
        return g;
    }
    /* Here without it, at most: the next one tells all. */
    if (t->chunk && t->head + bytes <= g->room_end)
        return g;
    /* The end of a span may use the reserve of the chunk we are in. */
    if (bytes != wanted && t->chunk && t->head + bytes <= g->room_end + REC_END_RESERVE)
        return g;
    rec_count_lost(t, fits ? ORIEL_LOST_RING_FULL : ORIEL_LOST_TOO_LARGE);
    ORIEL_SIGNAL_FENCE();
    __atomic_store_n(&g->ready, g->open, __ATOMIC_RELAXED);
    return NULL;
}

/* The interrupted emit's block, seen from a signal handler: spans begun here
 * are children of the span that was current there. */
static void follow_context(struct oriel_thread *second, const struct oriel_thread *first)
{
    uint32_t depth = oriel_stack_depth(first);
    if (oriel_stack_depth(second) > 1)
        return;
    second->stack_bytes = 0;
    second->ctx.valid = 0; /* as it is wherever no span is current */
    second->ctx.flags = first->ctx.flags;
    if (depth && depth <= ORIEL_STACK_DEPTH) {
        second->stack[0] = first->stack[depth - 1];
        memcpy(second->ctx.trace_id, first->ctx.trace_id, 16);
        second->stack_bytes = ORIEL_STACK_ENTRY;
    }
}

static struct oriel_gate *find_gate(size_t bytes)
{
    struct oriel_gate *g = oriel_tls.gate;
    if (g != &rec_null_gate && !g->live) {
        /* Wiped by a fork that bypassed pthread_atfork. */
        rec_thread_forked();
        g = oriel_tls.gate;
    }
    if (g == &rec_null_gate || !rec_gate_is_current(g)) {
        if (!rec_thread_setup()) {
            if (rec_thread_local.setting_up)
                __atomic_fetch_add(&rec_runtime.shared->lost[ORIEL_LOST_NESTED], 1,
                                   __ATOMIC_RELAXED);
            return NULL;
        }
        rec_current_tell();
        return make_room(oriel_tls.gate, bytes);
    }
    if (__atomic_load_n(&g->ready, __ATOMIC_RELAXED))
        return make_room(g, bytes);
    /* Not ready but live: this call interrupted a record of this thread. */
    struct oriel_gate *second = rec_thread_second(g);
    if (!second || !__atomic_load_n(&second->ready, __ATOMIC_RELAXED)) {
        rec_count_lost(g->thread, ORIEL_LOST_NESTED);
        return NULL;
    }
    follow_context(second->thread, g->thread);
    return make_room(second, bytes);
}

struct oriel_gate *oriel_emit_slow(size_t bytes)
{
    if (!rec_enter())
        return NULL;
    if (ORIEL_UNLIKELY(__atomic_load_n(&rec_runtime.served, __ATOMIC_RELAXED)) &&
        rec_heir_is_asked()) {
        rec_leave();
        rec_heir_come();
        if (!rec_enter())
            return NULL;
    }
    struct oriel_gate *g = find_gate(bytes);
    rec_leave();
    return g;
}

static bool gate_has_room(struct oriel_gate *g, size_t bytes)
{
    struct oriel_thread *t = g->thread;
    const size_t heap_bytes = heap_changed(g) ? HEAP_WORDS * 8 : 0;
    if (!__atomic_load_n(&g->ready, __ATOMIC_RELAXED))
        return false; /* it interrupts a record */
    if (t->chunk && t->head + heap_bytes + bytes <= g->room_end)
        return true;
    __atomic_store_n(&g->ready, 0u, __ATOMIC_RELAXED);
    ORIEL_SIGNAL_FENCE();
    bool found = rec_chunk_next(t, g);
    ORIEL_SIGNAL_FENCE();
    __atomic_store_n(&g->ready, g->open, __ATOMIC_RELAXED);
    return found;
}

bool rec_has_room(size_t bytes)
{
    assert(bytes <= ORIEL_RECORD_MAX_BYTES);
    if (!rec_enter())
        return false;
    struct oriel_gate *g = oriel_tls.gate;
    if (g != &rec_null_gate && !g->live) {
        rec_thread_forked();
        g = oriel_tls.gate;
    }
    bool there = (g != &rec_null_gate && rec_gate_is_current(g)) || rec_thread_setup();
    bool found = there && gate_has_room(oriel_tls.gate, bytes);
    rec_leave();
    return found;
}

void rec_heap_tell(void)
{
    struct oriel_gate *g = oriel_tls.gate;
    if (!g->live || !g->heap || !rec_enter())
        return;
    g = rec_gate_is_current(g) ? find_gate(0) : NULL;
    if (g) { /* with nothing but what was told */
        ORIEL_SIGNAL_FENCE();
        __atomic_store_n(&g->ready, g->open, __ATOMIC_RELAXED);
    }
    rec_leave();
}

/* ---- values as arrays ---- */

static size_t value_bytes(const struct oriel_value *v)
{
    if (v->type != ORIEL_TYPE_STR && v->type != ORIEL_TYPE_BYTES)
        return 8;
    return 8 + (((size_t)v->size + 7) & ~(size_t)7);
}

/* Bytes of all values, texts cut to `cap` each when they do not fit as they are. */
static size_t values_bytes(const struct oriel_value *values, uint32_t count, uint32_t *out_cap)
{
    size_t budget = ORIEL_RECORD_MAX_BYTES - 64, total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += value_bytes(&values[i]);
    *out_cap = ORIEL_STRING_MAX_BYTES;
    if (total <= budget)
        return total;
    *out_cap = count && budget / count > 16 ? (uint32_t)(budget / count - 16) & ~7u : 0;
    total = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct oriel_value v = values[i];
        v.size = v.size > *out_cap ? *out_cap : v.size;
        total += value_bytes(&v);
    }
    return total;
}

static uint64_t *put_values(uint64_t *at, const struct oriel_value *values, uint32_t count,
                            uint32_t cap)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct oriel_value *v = &values[i];
        if (v->type == ORIEL_TYPE_STR || v->type == ORIEL_TYPE_BYTES) {
            struct oriel_val_str s = {v->v.bytes, v->size > cap ? cap : v->size, v->size};
            at = oriel_put_str(at, s);
        } else {
            *at++ = v->v.u64;
        }
    }
    return at;
}

/* Header, time and `extra` words, then the values. NULL: not recorded. */
static uint64_t *start(struct oriel_emit *out, uint32_t type, uint32_t low, uint32_t extra,
                       const struct oriel_value *values, uint32_t count)
{
    uint32_t cap = 0;
    size_t bytes = 16 + extra * 8 + values_bytes(values, count, &cap);
    struct oriel_emit e = oriel_emit_start(bytes);
    if (!e.words)
        return NULL;
    e.words[0] = ORIEL_RECORD_HEADER(bytes / 8, type, 0, low);
    e.words[1] = oriel_ticks(e.thread);
    uint64_t *end = put_values(e.words + 2 + extra, values, count, cap);
    assert(end == e.words + bytes / 8);
    *out = e;
    return end;
}

struct oriel_scope oriel_abi_begin(oriel_word word, const struct oriel_value *values,
                                   uint32_t count)
{
    struct oriel_emit e;
    struct oriel_scope none = {0, 0, 0};
    uint64_t *end = start(&e, ORIEL_REC_BEGIN, ORIEL_RECORDED(word), 0, values, count);
    return end ? oriel_begin_commit(e, word, end) : none;
}

void oriel_abi_end(struct oriel_scope *scope)
{
    oriel_end(scope);
}

void rec_end(uint64_t id, uint32_t stack_bytes, uint64_t ticks)
{
    struct oriel_emit e = oriel_emit_start(16 + ORIEL_EMIT_END);
    if (!e.words) {
        oriel_abi_end_lost(stack_bytes);
        return;
    }
    if (ticks)
        e.words[1] = ticks;
    else
        oriel_put_end_ticks(e);
    e.words[0] = ORIEL_RECORD_HEADER(2, ORIEL_REC_END, 0, (uint32_t)id);
    oriel_stack_pop(e.thread, stack_bytes);
    oriel_emit_commit(e, e.words + 2);
}

void oriel_abi_end_slow(uint64_t id, uint32_t stack_bytes)
{
    if (ORIEL_UNLIKELY(stack_bytes & ORIEL_SCOPE_MARKS))
        rec_hooked_end(id, stack_bytes);
    else
        rec_end(id, stack_bytes, 0);
}

void oriel_abi_end_lost(uint32_t stack_bytes)
{
    struct oriel_thread *t = oriel_tls.thread;
    if (t != &rec_null_thread && t->stack_bytes > stack_bytes)
        oriel_stack_pop(t, stack_bytes);
}

bool rec_event(oriel_word word, uint64_t span, const struct oriel_value *values, uint32_t count)
{
    struct oriel_emit e;
    uint64_t *end = start(&e, ORIEL_REC_EVENT, ORIEL_RECORDED(word), span != 0, values, count);
    if (!end)
        return false;
    if (span) {
        e.words[0] |= (uint64_t)ORIEL_RECF_HAS_SPAN << 24;
        e.words[2] = span;
    }
    oriel_emit_commit(e, end);
    return true;
}

void oriel_abi_event(oriel_word word, uint64_t span, const struct oriel_value *values,
                     uint32_t count)
{
    (void)rec_event(word, span, values, count);
}

void oriel_abi_set(oriel_word word, uint64_t span, const struct oriel_value *values, uint32_t count)
{
    struct oriel_emit e;
    uint64_t id = span ? span : oriel_stack_top(oriel_tls.thread);
    if (!id)
        return; /* no span to add to */
    uint64_t *end = start(&e, ORIEL_REC_SET, ORIEL_RECORDED(word), 1, values, count);
    if (!end)
        return;
    e.words[2] = id;
    oriel_emit_commit(e, end);
}

static void trace_of(const struct oriel_thread *t, uint64_t id, const struct oriel_span *parent,
                     struct oriel_span *out)
{
    out->flags = REC_GUARD(parent ? rec_span_flags(parent) : t->ctx.flags);
    if (parent && parent->id) {
        out->trace_hi = parent->trace_hi;
        out->trace_lo = parent->trace_lo;
    } else if (!parent && t->stack_bytes) {
        memcpy(&out->trace_hi, t->ctx.trace_id, 8);
        memcpy(&out->trace_lo, t->ctx.trace_id + 8, 8);
    } else {
        out->trace_hi = t->trace_hi;
        out->trace_lo = oriel_id_mix(id) ^ t->trace_salt;
    }
}

struct oriel_span oriel_abi_open(oriel_word word, const struct oriel_span *parent,
                                 const struct oriel_value *values, uint32_t count)
{
    struct oriel_emit e;
    struct oriel_span s = {0, 0, 0, 0, 0};
    uint64_t *end = start(&e, ORIEL_REC_OPEN, ORIEL_RECORDED(word), 1, values, count);
    if (!end)
        return s;
    s.id = oriel_emit_id(e);
    s.site = ORIEL_RECORDED(word);
    e.words[2] = parent ? parent->id : oriel_stack_top(e.thread);
    trace_of(e.thread, s.id, parent, &s);
    if (parent && !parent->id)
        e.words[0] |= (uint64_t)ORIEL_RECF_ROOT << 24;
    oriel_emit_commit(e, end);
    return s;
}

struct oriel_span rec_open_given(oriel_word word, const struct rec_given *given,
                                 const struct oriel_value *values, uint32_t count)
{
    struct oriel_emit e;
    struct oriel_span s = {0, 0, 0, 0, 0};
    uint64_t *end = start(&e, ORIEL_REC_TOLD, ORIEL_RECORDED(word), 5, values, count);
    if (!end)
        return s;
    s = (struct oriel_span){given->raw ? given->raw : oriel_emit_id(e), given->trace[0],
                            given->trace[1], ORIEL_RECORDED(word),
                            REC_GUARD((uint8_t)given->flags)};
    e.words[0] |= (uint64_t)(ORIEL_RECF_HERE | (given->decided ? ORIEL_RECF_DECIDED : 0u)) << 24;
    e.words[2] = s.id;
    e.words[3] = given->parent;
    e.words[4] = s.trace_hi;
    e.words[5] = s.trace_lo;
    e.words[6] = given->flags;
    oriel_emit_commit(e, end);
    return s;
}

void oriel_abi_external(oriel_word word, uint64_t start_unix_ns, uint64_t end_unix_ns,
                        const struct oriel_span *parent, const struct oriel_value *values,
                        uint32_t count)
{
    struct oriel_emit e;
    uint64_t *end = start(&e, ORIEL_REC_SPAN, ORIEL_RECORDED(word), 2, values, count);
    if (!end)
        return;
    uint32_t root = parent && !parent->id ? ORIEL_RECF_ROOT : 0;
    e.words[0] |= (uint64_t)(ORIEL_RECF_HAS_TIME | root) << 24;
    e.words[1] = start_unix_ns;
    e.words[2] = end_unix_ns;
    e.words[3] = parent ? parent->id : oriel_stack_top(e.thread);
    oriel_emit_commit(e, end);
}
