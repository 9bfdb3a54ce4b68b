/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Per-CPU rings as one sequence by time. A record is stamped before it becomes
 * visible, and a thread moves between CPUs, so what is newer than the horizon
 * waits: a mapping must be known before the first sample in it.
 */
#include "source/kernel_ring.h"

#include <assert.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    RING_PAGES_MIN = 8,       /* the most with CAP_IPC_LOCK; others get what mlock_kb leaves */
    RECORD_BYTES_MAX = 65536, /* sizes are 16 bits */
};

static struct perf_event_mmap_page *page(const struct kernel_ring *r)
{
    return (struct perf_event_mmap_page *)(void *)r->base;
}

int kernel_ring_map(struct kernel_ring *r, int fd, size_t pages_max)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    assert(!r->base);
    size_t most = pages_max ? pages_max : KERNEL_RING_PAGES;
    assert((most & (most - 1)) == 0);
    for (size_t pages = most; pages >= RING_PAGES_MIN; pages /= 2) {
        void *p = mmap(NULL, (pages + 1) * bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
            continue;
        *r = (struct kernel_ring){.fd = fd,
                                  .base = p,
                                  .data_bytes = pages * bytes,
                                  .joined = mem_alloc(RECORD_BYTES_MAX)};
        return r->joined ? 0 : -ENOMEM;
    }
    return -errno;
}

void kernel_ring_unmap(struct kernel_ring *r)
{
    if (r->base)
        munmap(r->base, r->data_bytes + (size_t)sysconf(_SC_PAGESIZE));
    mem_free(r->joined);
}

void kernel_rings_begin(struct kernel_ring *rings, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        /* Pairs with the kernel's barrier before it moves the head. */
        if (rings[i].base)
            rings[i].head = __atomic_load_n(&page(&rings[i])->data_head, __ATOMIC_ACQUIRE);
}

void kernel_rings_end(struct kernel_ring *rings, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        /* Pairs with the kernel's reading of it before it writes there. */
        if (rings[i].base)
            __atomic_store_n(&page(&rings[i])->data_tail, rings[i].tail, __ATOMIC_RELEASE);
}

void kernel_rings_back(struct kernel_ring *rings, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (rings[i].base)
            rings[i].tail = page(&rings[i])->data_tail; /* only ever written by us */
        rings[i].next = NULL;
    }
}

/* The record at the tail, in one piece. NULL: none, or the ring makes no sense
 * and is given up until the next round. */
static const uint8_t *peek(struct kernel_ring *r, size_t *out_bytes)
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
static bool look(struct kernel_ring *r, kernel_ring_time *time)
{
    if (!r->next && r->base) {
        r->next = peek(r, &r->next_bytes);
        if (r->next && !time(r->next, r->next_bytes, &r->next_ns))
            r->next_ns = 0;
    }
    return r->next != NULL;
}

const uint8_t *kernel_rings_next(struct kernel_ring *rings, unsigned count, uint64_t horizon_ns,
                                 kernel_ring_time *time, size_t *out_bytes)
{
    struct kernel_ring *best = NULL;
    uint64_t best_ns = horizon_ns;
    for (unsigned i = 0; i < count; i++) {
        if (look(&rings[i], time) && rings[i].next_ns < best_ns) {
            best = &rings[i];
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
