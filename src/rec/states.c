/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tracestates that samplers gave to spans of this program: by the span they were given to,
 * and, where it begins a trace here, by the trace, for all that is below it. A table in
 * which the latest of two that fall together stays. Any thread, any signal handler: who
 * finds a place that is being written goes without.
 */
#include "rec/hooks.h"

#include <assert.h>

enum { PLACES = 256, WORDS = ORIEL_TRACESTATE_BYTES / 8 };

struct place {
    uint64_t turn;          /* atomic; odd while it is written */
    uint64_t hi, lo, bytes; /* of the trace, or 0 and the W3C id of a span */
    uint64_t words[WORDS];
};
static struct place places[PLACES];
static bool any; /* atomic; what nobody has used costs nobody a look */

/* A span never falls together with its own trace: one has even places, the other odd ones. */
static struct place *place_of(uint64_t hi, uint64_t lo)
{
    return &places[oriel_id_mix(lo) % (PLACES / 2) * 2 + (hi != 0)];
}

/* Every word by itself: a reader may come by in the middle, and then sees that by the turn. */
static __attribute__((noinline)) void put(uint64_t hi, uint64_t lo, const uint64_t *words,
                                          size_t bytes)
{
    struct place *p = place_of(hi, lo);
    uint64_t turn = __atomic_load_n(&p->turn, __ATOMIC_RELAXED);
    if (turn % 2 || !__atomic_compare_exchange_n(&p->turn, &turn, turn + 1, false, __ATOMIC_SEQ_CST,
                                                 __ATOMIC_RELAXED))
        return;
    __atomic_store_n(&p->hi, hi, __ATOMIC_RELEASE);
    __atomic_store_n(&p->lo, lo, __ATOMIC_RELEASE);
    __atomic_store_n(&p->bytes, bytes, __ATOMIC_RELEASE);
    for (size_t i = 0; i < (bytes + 7) / 8; i++)
        __atomic_store_n(&p->words[i], words[i], __ATOMIC_RELEASE);
    __atomic_store_n(&p->turn, turn + 2, __ATOMIC_RELEASE);
}

void rec_state_keep(const struct oriel_context *c, bool of_trace)
{
    uint64_t words[WORDS], span, trace[2];
    assert(c->state_bytes <= sizeof words);
    words[c->state_bytes / 8 < WORDS ? c->state_bytes / 8 : WORDS - 1] = 0;
    memcpy(words, c->state, c->state_bytes);
    memcpy(&span, c->span_id, sizeof span);
    memcpy(trace, c->trace_id, sizeof trace);
    put(0, span, words, c->state_bytes);
    if (of_trace)
        put(trace[0], trace[1], words, c->state_bytes);
    __atomic_store_n(&any, true, __ATOMIC_RELEASE);
}

/* Pairs with put: the words are those of one turn, or none are taken. */
static __attribute__((noinline)) bool get(uint64_t hi, uint64_t lo, struct oriel_context *out)
{
    struct place *p = place_of(hi, lo);
    uint64_t words[WORDS];
    const uint64_t turn = __atomic_load_n(&p->turn, __ATOMIC_ACQUIRE);
    const uint64_t bytes = __atomic_load_n(&p->bytes, __ATOMIC_ACQUIRE);
    if (turn % 2 || __atomic_load_n(&p->hi, __ATOMIC_ACQUIRE) != hi ||
        __atomic_load_n(&p->lo, __ATOMIC_ACQUIRE) != lo || bytes > sizeof words)
        return false;
    for (size_t i = 0; i < (bytes + 7) / 8; i++)
        words[i] = __atomic_load_n(&p->words[i], __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&p->turn, __ATOMIC_ACQUIRE) != turn)
        return false;
    memcpy(out->state, words, bytes);
    out->state[bytes] = 0;
    out->state_bytes = (uint16_t)bytes;
    return true;
}

static bool get_trace(const struct oriel_context *of, struct oriel_context *out)
{
    uint64_t trace[2];
    memcpy(trace, of->trace_id, sizeof trace);
    return get(trace[0], trace[1], out);
}

static bool get_span(const struct oriel_context *of, struct oriel_context *out)
{
    uint64_t span;
    memcpy(&span, of->span_id, sizeof span);
    return get(0, span, out);
}

void rec_state_find(struct oriel_context *out, bool below)
{
    if (__atomic_load_n(&any, __ATOMIC_ACQUIRE) && !get_span(out, out) && below)
        (void)get_trace(out, out);
}

void rec_state_pass(const struct oriel_context *parent, uint64_t child)
{
    struct oriel_context own, whole;
    if (!__atomic_load_n(&any, __ATOMIC_ACQUIRE) || !get_span(parent, &own))
        return;
    if (get_trace(parent, &whole) && own.state_bytes == whole.state_bytes &&
        memcmp(own.state, whole.state, own.state_bytes) == 0)
        return;
    memcpy(own.trace_id, parent->trace_id, sizeof own.trace_id);
    memcpy(own.span_id, &child, sizeof own.span_id);
    rec_state_keep(&own, false);
}
