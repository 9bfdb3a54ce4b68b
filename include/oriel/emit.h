/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The hot path, inlined into the observed program: clock, room, words, commit.
 * No call unless the chunk is full. See docs/LIFE-OF-AN-EVENT.md.
 *
 * While a record is being written the gate is not ready; an emit from a signal
 * handler that interrupts it sees that and goes to the slow path, which gives
 * it the thread's second block. So plain stores suffice: no atomic
 * read-modify-write, no lock, and nothing of the interrupted record is lost.
 */
#ifndef ORIEL_EMIT_H
#define ORIEL_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "abi/record.h"
#include "abi/runtime.h"

#ifndef __has_feature
#define ORIEL_HAS_FEATURE(x) 0
#else
#define ORIEL_HAS_FEATURE(x) __has_feature(x)
#endif

#define ORIEL_LIKELY(x) __builtin_expect(!!(x), 1)
#define ORIEL_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ORIEL_INLINE static inline __attribute__((always_inline, unused))
/* A thread that ends the recording sets it to 0, whenever that is. An atomic load
 * would say so to the compiler, and cost an instruction: it is no operand of a
 * comparison. So only the sanitizer is told. */
#if defined(__SANITIZE_THREAD__) || ORIEL_HAS_FEATURE(thread_sanitizer)
#define ORIEL_GATE_LIMIT(gate) __atomic_load_n(&(gate)->limit, __ATOMIC_RELAXED)
#else
#define ORIEL_GATE_LIMIT(gate) ((gate)->limit)
#endif
/* Order against signal handlers of this thread only: no instruction. */
#define ORIEL_SIGNAL_FENCE() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* The clock that inline code reads; elsewhere no thread has that one. */
ORIEL_INLINE uint64_t oriel_ticks_inline(void)
{
#if defined(__x86_64__)
    uint64_t lo, hi; /* the instruction clears the upper halves */
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return hi << 32 | lo;
#elif defined(__aarch64__)
    uint64_t v;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
    return v;
#else
    return 0;
#endif
}

ORIEL_INLINE uint64_t oriel_ticks(const struct oriel_thread *t)
{
    if (ORIEL_LIKELY(t->clock == ORIEL_CLOCK_INLINE))
        return oriel_ticks_inline();
    return oriel_abi_ticks_slow();
}

/* The same into a record: the two halves as the instruction gives them, which is
 * one store more and two instructions less than joining them. */
ORIEL_INLINE void oriel_put_ticks_inline(uint64_t *at)
{
#if defined(__x86_64__)
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    memcpy(at, &lo, 4);
    ORIEL_SIGNAL_FENCE(); /* two stores; joined in a vector register they cost more */
    memcpy((char *)at + 4, &hi, 4);
#else
    *at = oriel_ticks_inline();
#endif
}

ORIEL_INLINE void oriel_put_ticks(uint64_t *at, const struct oriel_thread *t)
{
    if (ORIEL_LIKELY(t->clock == ORIEL_CLOCK_INLINE))
        oriel_put_ticks_inline(at);
    else
        *at = oriel_abi_ticks_slow();
}

/* One record being written. Passed by value, so that it stays in registers. */
struct oriel_emit {
    struct oriel_thread *thread;
    struct oriel_gate *gate;
    uint64_t *words; /* where the record starts; NULL: not recorded */
    uint32_t open;   /* what the gate's `ready` is again afterwards */
};

/* The time of a span's end. That the gate was open to inline code says which clock
 * it is: asked of a register, not of memory. A mark in the clock's place is not
 * seen here; the next begin or event sees it. */
ORIEL_INLINE void oriel_put_end_ticks(struct oriel_emit e)
{
    if (ORIEL_LIKELY(e.open == ORIEL_GATE_INLINE))
        oriel_put_ticks_inline(e.words + 1);
    else
        e.words[1] = oriel_abi_ticks_slow();
}

/* Added to the bytes of a record that ends something: it may use room that is
 * kept for such, so that a full ring loses begins before it loses ends. */
#define ORIEL_EMIT_END 1u

/* The same where inline code finds it; else words is NULL, and nothing was counted. */
ORIEL_INLINE struct oriel_emit oriel_emit_try(size_t bytes)
{
    struct oriel_emit e;
    struct oriel_gate *g = oriel_tls.gate;
    ORIEL_SIGNAL_FENCE();
    e.open = g->ready;
    e.gate = g;
    e.words = 0;
    e.thread = 0;
    if (ORIEL_UNLIKELY(e.open != ORIEL_GATE_INLINE))
        return e;
    __atomic_store_n(&g->ready, 0u, __ATOMIC_RELAXED);
    ORIEL_SIGNAL_FENCE();
    e.thread = oriel_tls.thread;
    e.words = (uint64_t *)e.thread->head;
    if (ORIEL_LIKELY((uintptr_t)e.words + bytes <= ORIEL_GATE_LIMIT(g))) {
        if (!e.words)
            __builtin_unreachable();
        return e;
    }
    __atomic_store_n(&g->ready, e.open, __ATOMIC_RELAXED);
    e.words = 0;
    return e;
}

/* Room for a record of `bytes` (a multiple of 8, and perhaps ORIEL_EMIT_END). */
ORIEL_INLINE struct oriel_emit oriel_emit_start(size_t bytes)
{
    struct oriel_emit e;
    struct oriel_gate *g = oriel_tls.gate;
    ORIEL_SIGNAL_FENCE();
    e.open = g->ready; /* nobody's to write but this thread's and its handlers' */
    if (ORIEL_UNLIKELY(e.open != ORIEL_GATE_INLINE))
        goto slow;
    __atomic_store_n(&g->ready, 0u, __ATOMIC_RELAXED);
    ORIEL_SIGNAL_FENCE();
    e.gate = g;
    e.thread = oriel_tls.thread;
    e.words = (uint64_t *)e.thread->head;
    if (ORIEL_LIKELY((uintptr_t)e.words + bytes <= ORIEL_GATE_LIMIT(g))) {
        if (!e.words)
            __builtin_unreachable(); /* so the caller's test costs nothing here */
        return e;
    }
    __atomic_store_n(&g->ready, e.open, __ATOMIC_RELAXED); /* not interrupted, just full */
slow:
    g = oriel_emit_slow(bytes);
    e.gate = g;
    e.open = g ? g->open : 0;
    e.thread = g ? g->thread : 0;
    e.words = g ? (uint64_t *)g->thread->head : 0;
    return e;
}

/* Commit: pairs with the reader's acquire load of head. */
ORIEL_INLINE void oriel_emit_commit(struct oriel_emit e, const uint64_t *end)
{
    __atomic_store_n(&e.thread->head, (uintptr_t)end, __ATOMIC_RELEASE);
    ORIEL_SIGNAL_FENCE();
    __atomic_store_n(&e.gate->ready, e.open, __ATOMIC_RELAXED);
}

/* Raw id of the record at e.words: its position in the region's streams. */
ORIEL_INLINE uint64_t oriel_emit_id(struct oriel_emit e)
{
    return (uint64_t)(uintptr_t)e.words + e.thread->id_bias;
}

/*
 * ---- thread context for outside profilers (OTEP 4947) ----
 * Whoever reads it has interrupted the thread, so one store of eight bytes changes
 * the span at once. The trace changes only while the context is not valid, as it
 * is wherever no span is open.
 */

ORIEL_INLINE void oriel_ctx_trace(struct oriel_thread *t, uint64_t hi, uint64_t lo)
{
    memcpy(t->ctx.trace_id, &hi, 8);
    ORIEL_SIGNAL_FENCE(); /* two stores; joined in a vector register they cost more */
    memcpy(t->ctx.trace_id + 8, &lo, 8);
}

/* ---- span stack ---- */

/* The entry that ends where `stack_bytes` of the stack are in use. */
ORIEL_INLINE struct oriel_stack_entry *oriel_stack_entry_below(struct oriel_thread *t,
                                                               size_t stack_bytes)
{
    return (struct oriel_stack_entry *)((char *)t->stack + stack_bytes) - 1;
}

/* Returns what was in use before: the place to pop to. */
ORIEL_INLINE uint32_t oriel_stack_push(struct oriel_thread *t, uint64_t id, uint32_t site)
{
    const uint64_t w3c = oriel_id_mix(id), site_and_flags = site;
    const size_t used = t->stack_bytes; /* wide: it goes into an address as it is */
    if (ORIEL_LIKELY(used < ORIEL_STACK_BYTES)) {
        struct oriel_stack_entry *top =
            oriel_stack_entry_below(t, used + sizeof(struct oriel_stack_entry));
        top->id = id;
        memcpy(&top->site, &site_and_flags, 8); /* one store for both */
    }
    ORIEL_SIGNAL_FENCE(); /* what counts as on the stack is there */
    t->stack_bytes = (uint32_t)used + ORIEL_STACK_ENTRY;
    if (used == 0) /* no context is valid then */
        oriel_ctx_trace(t, t->trace_hi, w3c ^ t->trace_salt);
    memcpy(t->ctx.span_id, &w3c, 8);
    ORIEL_SIGNAL_FENCE();
    t->ctx.valid = 1;
    return (uint32_t)used;
}

/* Back to what was in use before the push: also what heals the stack after a
 * longjmp over open scopes. */
ORIEL_INLINE void oriel_stack_pop(struct oriel_thread *t, uint32_t stack_bytes)
{
    t->stack_bytes = stack_bytes;
    if (stack_bytes && ORIEL_LIKELY(stack_bytes <= ORIEL_STACK_BYTES)) {
        const struct oriel_stack_entry *top = oriel_stack_entry_below(t, stack_bytes);
        uint64_t w3c = top->site ? oriel_id_mix(top->id) : top->id;
        memcpy(t->ctx.span_id, &w3c, 8);
        ORIEL_SIGNAL_FENCE();
        t->ctx.valid = 1;
        ORIEL_SIGNAL_FENCE(); /* else both stores become one of a register */
    } else {
        t->ctx.valid = 0;
    }
}

/* Number of open spans; more than ORIEL_STACK_DEPTH where the deepest have no entry. */
ORIEL_INLINE uint32_t oriel_stack_depth(const struct oriel_thread *t)
{
    return t->stack_bytes / ORIEL_STACK_ENTRY;
}

/* Raw id of the current span of this thread, 0 if there is none. */
ORIEL_INLINE uint64_t oriel_stack_top(const struct oriel_thread *t)
{
    uint32_t depth = oriel_stack_depth(t);
    if (depth == 0 || depth > ORIEL_STACK_DEPTH)
        return 0;
    return t->stack[depth - 1].site ? t->stack[depth - 1].id : 0;
}

/* ---- scoped spans ---- */

/* Begin a span whose fields, if any, take `field_bytes`: the caller writes
 * them from words[2] on and then calls oriel_begin_commit. */
ORIEL_INLINE struct oriel_emit oriel_begin_start(oriel_word word, size_t field_bytes)
{
    struct oriel_emit e = oriel_emit_start(16 + field_bytes);
    if (ORIEL_LIKELY(e.words)) {
        oriel_put_ticks(e.words + 1, e.thread);
        e.words[0] =
            ORIEL_RECORD_HEADER((16 + field_bytes) / 8, ORIEL_REC_BEGIN, 0, ORIEL_RECORDED(word));
    }
    return e;
}

ORIEL_INLINE struct oriel_scope oriel_begin_commit(struct oriel_emit e, oriel_word word,
                                                   const uint64_t *end)
{
    struct oriel_scope s = {oriel_emit_id(e), 0, 0};
    if (!s.id)
        __builtin_unreachable(); /* so a scope that ends in sight is not asked whether it began */
    /* The stack entry is complete before the gate opens, so a handler never
     * sees a span that was committed but is not on the stack. */
    s.stack_bytes = oriel_stack_push(e.thread, s.id, ORIEL_RECORDED(word));
    oriel_emit_commit(e, end);
    return s;
}

ORIEL_INLINE void oriel_end(struct oriel_scope *scope)
{
    uint64_t id = scope->id;
    uint32_t stack_bytes = scope->stack_bytes;
    if (!id)
        return;
    struct oriel_emit e = oriel_emit_try(16 + ORIEL_EMIT_END);
    if (ORIEL_UNLIKELY(!e.words)) {
        oriel_abi_end_slow(id, stack_bytes);
        return;
    }
    oriel_put_ticks_inline(e.words + 1);
    e.words[0] = ORIEL_RECORD_HEADER(2, ORIEL_REC_END, 0, (uint32_t)id);
    oriel_stack_pop(e.thread, stack_bytes);
    oriel_emit_commit(e, e.words + 2);
}

/* For __attribute__((cleanup)). */
ORIEL_INLINE void oriel_scope_end(struct oriel_scope *s)
{
    if (s->id)
        oriel_end(s);
}

/* ---- values ---- */

struct oriel_val_word {
    uint64_t word;
};
struct oriel_val_str {
    const void *bytes;
    uint32_t size;      /* stored */
    uint32_t full_size; /* before truncation */
};

ORIEL_INLINE struct oriel_val_word oriel_val_u64(uint64_t v)
{
    struct oriel_val_word w = {v};
    return w;
}
ORIEL_INLINE struct oriel_val_word oriel_val_i64(int64_t v)
{
    struct oriel_val_word w = {(uint64_t)v};
    return w;
}
ORIEL_INLINE struct oriel_val_word oriel_val_f64(double v)
{
    struct oriel_val_word w;
    memcpy(&w.word, &v, 8);
    return w;
}
ORIEL_INLINE struct oriel_val_word oriel_val_ptr(const void *v)
{
    struct oriel_val_word w = {(uint64_t)(uintptr_t)v};
    return w;
}
ORIEL_INLINE struct oriel_val_str oriel_val_bytes(const void *p, size_t n)
{
    struct oriel_val_str s;
    s.bytes = p;
    s.full_size = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    s.size = s.full_size > ORIEL_STRING_MAX_BYTES ? ORIEL_STRING_MAX_BYTES : s.full_size;
    return s;
}
/* NULL is recorded as "(null)". */
ORIEL_INLINE struct oriel_val_str oriel_val_cstr(const char *p)
{
    if (!p)
        return oriel_val_bytes("(null)", 6);
    return oriel_val_bytes(p, strlen(p));
}

ORIEL_INLINE size_t oriel_size_word(struct oriel_val_word v)
{
    (void)v;
    return 8;
}
ORIEL_INLINE size_t oriel_size_str(struct oriel_val_str v)
{
    return 8 + (((size_t)v.size + 7) & ~(size_t)7);
}
ORIEL_INLINE uint64_t *oriel_put_word(uint64_t *at, struct oriel_val_word v)
{
    *at = v.word;
    return at + 1;
}
ORIEL_INLINE uint64_t *oriel_put_str(uint64_t *at, struct oriel_val_str v)
{
    size_t words = ((size_t)v.size + 7) / 8;
    *at++ = (uint64_t)v.size | ((uint64_t)v.full_size << 32);
    if (words) {
        at[words - 1] = 0; /* pad, so that no stale byte leaves the process */
        memcpy(at, v.bytes, v.size);
    }
    return at + words;
}

#endif
