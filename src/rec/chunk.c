/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Chunks: the slow path of a record, taken once per 16 KiB. Finds a free chunk
 * with a compare-and-swap, hands the old one to the reader, writes a SYNC.
 * Runs in any thread and in signal handlers: no lock, no call to libc.
 */
#include "rec/rec.h"

#include <assert.h>
#include <string.h>

enum { OWNER_BYTES_MAX = 3 * 8 + 8 + 32 };

/* Oldest FULL chunk, for the overwrite policy; chunk_count when there is none. */
static uint32_t oldest_full(const struct wire_region *h, void *base)
{
    uint32_t best = h->chunk_count;
    uint64_t best_seq = UINT64_MAX;
    for (uint32_t i = 0; i < h->chunk_count; i++) {
        struct wire_chunk *d = wire_region_desc(h, base, i);
        uint64_t seq = __atomic_load_n(&d->seq, __ATOMIC_RELAXED);
        if (__atomic_load_n(&d->state, __ATOMIC_RELAXED) == WIRE_CHUNK_FULL && seq < best_seq &&
            wire_stealable(__atomic_load_n(&d->taken, __ATOMIC_RELAXED))) {
            best = i;
            best_seq = seq;
        }
    }
    return best;
}

/* Records in a chunk that is about to be overwritten, but for those that the
 * reader has had. It was written by a process of ours, but is read as untrusted
 * all the same. */
static uint32_t count_records(const char *chunk, uint32_t from, uint32_t bytes)
{
    uint32_t n = 0;
    for (uint32_t at = from & ~7u; at + 8 <= bytes;) {
        uint64_t header = *(const uint64_t *)(chunk + at);
        uint32_t words = ORIEL_RECORD_WORDS(header);
        if (words == 0)
            break;
        if (ORIEL_RECORD_TYPE(header) != ORIEL_REC_SYNC &&
            ORIEL_RECORD_TYPE(header) != ORIEL_REC_OWNER)
            n++;
        at += words * 8;
    }
    return n;
}

static uint32_t steal_oldest(struct oriel_thread *t, uint32_t slot)
{
    const struct wire_region *h = &rec_runtime.header;
    for (int tries = 0; tries < 8; tries++) {
        uint32_t i = oldest_full(h, rec_runtime.base);
        if (i == h->chunk_count)
            break;
        struct wire_chunk *d = wire_region_desc(h, rec_runtime.base, i);
        uint32_t expected = WIRE_CHUNK_FULL, wanted = wire_claim(WIRE_CHUNK_WANTED, slot + 1);
        if (__atomic_compare_exchange_n(&d->state, &expected, wanted, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            uint32_t bytes = d->bytes <= h->chunk_bytes ? d->bytes : 0, from;
            if (!wire_steal(d, &from)) { /* the reader has just had it */
                __atomic_store_n(&d->state, WIRE_CHUNK_FULL, __ATOMIC_RELEASE);
                continue;
            }
            uint32_t n = count_records(wire_region_chunk(h, rec_runtime.base, i), from, bytes);
            __atomic_fetch_add(&t->lost[ORIEL_LOST_OVERWRITTEN], n, __ATOMIC_RELAXED);
            __atomic_store_n(&d->state, wire_claim(WIRE_CHUNK_CLAIMED, slot + 1), __ATOMIC_RELEASE);
            return i;
        }
    }
    return h->chunk_count;
}

/* Index of a chunk now claimed by us, or chunk_count. */
static uint32_t claim_chunk(struct oriel_thread *t, uint32_t slot)
{
    struct rec_runtime *rt = &rec_runtime;
    const struct wire_region *h = &rt->header;
    uint32_t *free_chunks = &rt->shared->free_chunks;
    if ((int32_t)__atomic_load_n(free_chunks, __ATOMIC_RELAXED) > 0) {
        /* Lowest free index first: a small working set stays in the cache. */
        for (uint32_t i = 0; i < h->chunk_count; i++) {
            struct wire_chunk *d = wire_region_desc(h, rt->base, i);
            uint32_t expected = WIRE_CHUNK_FREE, claim = wire_claim(WIRE_CHUNK_CLAIMED, slot + 1);
            if (__atomic_load_n(&d->state, __ATOMIC_RELAXED) != WIRE_CHUNK_FREE)
                continue;
            /* Acquire pairs with the reader's release when it frees. */
            if (__atomic_compare_exchange_n(&d->state, &expected, claim, false, __ATOMIC_ACQ_REL,
                                            __ATOMIC_RELAXED)) {
                __atomic_fetch_sub(free_chunks, 1, __ATOMIC_RELAXED);
                return i;
            }
        }
    }
    if (h->policy == WIRE_POLICY_OVERWRITE_OLDEST)
        return steal_oldest(t, slot);
    return h->chunk_count;
}

/* Who writes: first in every chunk, and where a thread goes on in the chunk of
 * one that is over. */
static uintptr_t write_owner(const struct oriel_thread *t, uintptr_t at)
{
    uint64_t *w = (uint64_t *)at;
    uint64_t *end = oriel_put_str(w + 3, oriel_val_bytes(t->name, strnlen(t->name, 31)));
    w[0] = ORIEL_RECORD_HEADER(end - w, ORIEL_REC_OWNER, 0, t->tid);
    w[1] = oriel_ticks(t);
    w[2] = t->primary;
    return (uintptr_t)end;
}

/* The second record of every chunk: losses so far and the open spans, so that
 * a reader can start here. */
static uintptr_t write_sync(struct oriel_thread *t, uintptr_t at)
{
    uint64_t *w = (uint64_t *)at;
    uint32_t depth = oriel_stack_depth(t),
             kept = depth < ORIEL_STACK_DEPTH ? depth : ORIEL_STACK_DEPTH;
    uint32_t words = 2 + ORIEL_LOST_CAUSES + 1 + kept;
    w[0] = ORIEL_RECORD_HEADER(words, ORIEL_REC_SYNC, 0, 0);
    w[1] = oriel_ticks(t);
    for (uint32_t i = 0; i < ORIEL_LOST_CAUSES; i++)
        w[2 + i] = t->lost_synced[i] = __atomic_load_n(&t->lost[i], __ATOMIC_RELAXED);
    w[2 + ORIEL_LOST_CAUSES] = depth;
    for (uint32_t i = 0; i < kept; i++)
        w[3 + ORIEL_LOST_CAUSES + i] = t->stack[i].id;
    return at + words * 8;
}

void rec_chunk_close(struct oriel_thread *t, struct oriel_gate *g)
{
    struct rec_runtime *rt = &rec_runtime;
    if (!t->chunk)
        return;
    struct wire_chunk *d = wire_region_desc(&rt->header, rt->base, t->chunk - 1);
    uintptr_t start = (uintptr_t)wire_region_chunk(&rt->header, rt->base, t->chunk - 1);
    assert(t->head >= start && t->head <= start + rt->header.chunk_bytes);
    rec_gate_set_limit(g, 0);
    d->bytes = (uint32_t)(t->head - start);
    t->stream_base += d->bytes;
    t->chunk = 0;
    /* Pairs with the reader's acquire load of the state. */
    __atomic_store_n(&d->state, WIRE_CHUNK_FULL, __ATOMIC_RELEASE);
}

void rec_chunk_adopt(struct oriel_thread *t, struct oriel_gate *g)
{
    const struct wire_region *h = &rec_runtime.header;
    if (!t->chunk)
        return;
    uintptr_t start = (uintptr_t)wire_region_chunk(h, rec_runtime.base, t->chunk - 1);
    uintptr_t limit = start + h->chunk_bytes - REC_END_RESERVE;
    if (t->head + OWNER_BYTES_MAX > limit) {
        rec_chunk_close(t, g);
        return;
    }
    __atomic_store_n(&t->head, write_owner(t, t->head), __ATOMIC_RELEASE);
    rec_gate_set_limit(g, limit);
}

bool rec_chunk_next(struct oriel_thread *t, struct oriel_gate *g)
{
    struct rec_runtime *rt = &rec_runtime;
    const struct wire_region *h = &rt->header;
    uint32_t i = claim_chunk(t, g->slot);
    if (i == h->chunk_count)
        return false;
    rec_chunk_close(t, g);
    struct wire_chunk *d = wire_region_desc(h, rt->base, i);
    uintptr_t start = (uintptr_t)wire_region_chunk(h, rt->base, i);
    d->thread = g->slot;
    d->serial = t->serial;
    d->process = t->process;
    d->bytes = 0;
    d->stream_base = t->stream_base;
    d->id_base = ((uint64_t)t->serial << 40) + t->trace_salt + t->stream_base;
    __atomic_store_n(&d->consumed, 0, __ATOMIC_RELAXED);
    /* Release: whoever sees the new number, looking for the oldest chunk or
     * copying one that is being overwritten, sees the rest of the descriptor. */
    uint64_t seq = __atomic_fetch_add(&rt->shared->chunk_seq, 1, __ATOMIC_RELEASE);
    __atomic_store_n(&d->seq, seq, __ATOMIC_RELEASE);
    __atomic_store_n(&d->taken, wire_taken(seq, 0, 0), __ATOMIC_RELEASE);
    t->id_bias = d->id_base - start;
    t->chunk = i + 1;
    __atomic_store_n(&t->head, write_sync(t, write_owner(t, start)), __ATOMIC_RELEASE);
    rec_gate_set_limit(g, start + h->chunk_bytes - REC_END_RESERVE);
    /* Pairs with the reader's acquire load of the state. */
    __atomic_store_n(&d->state, WIRE_CHUNK_ACTIVE, __ATOMIC_RELEASE);
    return true;
}
