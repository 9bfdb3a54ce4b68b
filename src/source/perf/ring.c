/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Per-CPU rings as one sequence by time. A record is stamped before it becomes
 * visible, and a thread moves between CPUs, so what is newer than the horizon
 * waits: a mapping must be known before the first sample in it.
 */
#include "source/perf/perf.h"

#include <assert.h>
#include <linux/perf_event.h>
#include <string.h>

static struct perf_event_mmap_page *page(const struct perf_ring *r)
{
    return (struct perf_event_mmap_page *)r->base;
}

void perf_rings_begin(struct perf_events *e)
{
    for (unsigned i = 0; i < e->ring_count; i++) {
        struct perf_ring *r = &e->rings[i];
        if (!r->base)
            continue; /* of a CPU that is off */
        /* Pairs with the kernel's barrier before it moves the head. */
        r->head = __atomic_load_n(&page(r)->data_head, __ATOMIC_ACQUIRE);
    }
}

void perf_rings_end(struct perf_events *e)
{
    for (unsigned i = 0; i < e->ring_count; i++)
        __atomic_store_n(&page(&e->rings[i])->data_tail, e->rings[i].tail, __ATOMIC_RELEASE);
}

/* The record at the tail, in one piece. NULL: none, or the ring makes no sense
 * and is given up until the next round. */
static const uint8_t *peek(struct perf_ring *r, size_t *out_bytes)
{
    struct perf_event_header h;
    uint64_t mask = r->data_bytes - 1, available = r->head - r->tail;
    uint8_t *data = r->base + page(r)->data_offset;
    if (available < sizeof h)
        return NULL;
    memcpy(&h, data + (r->tail & mask), sizeof h); /* 8-aligned: a header never wraps */
    if (h.size < sizeof h || h.size > available) {
        r->tail = r->head;
        return NULL;
    }
    *out_bytes = h.size;
    uint64_t at = r->tail & mask, first = r->data_bytes - at;
    if (first >= h.size)
        return data + at;
    memcpy(r->joined, data + at, first);
    memcpy(r->joined + first, data, h.size - first);
    return r->joined;
}

/* Look at the record at the tail, once. */
static bool look(struct perf_ring *r)
{
    if (!r->next && r->base) {
        r->next = peek(r, &r->next_bytes);
        if (r->next && !perf_record_time(r->next, r->next_bytes, &r->next_ns))
            r->next_ns = 0; /* handed out at once, and found damaged there */
    }
    return r->next != NULL;
}

const uint8_t *perf_rings_next(struct perf_events *e, uint64_t horizon_ns, size_t *out_bytes)
{
    struct perf_ring *best = NULL;
    uint64_t best_ns = horizon_ns;
    for (unsigned i = 0; i < e->ring_count; i++) {
        if (look(&e->rings[i]) && e->rings[i].next_ns < best_ns) {
            best = &e->rings[i];
            best_ns = best->next_ns;
        }
    }
    if (!best)
        return NULL;
    const uint8_t *at = best->next;
    *out_bytes = best->next_bytes;
    best->tail += best->next_bytes;
    best->next = NULL;
    return at;
}
