/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The rings into which the kernel writes what perf events say, one per CPU, as
 * one sequence by time. The kernel is trusted to write them. Runs in the
 * recorder only.
 */
#ifndef ORIEL_SOURCE_KERNEL_RING_H
#define ORIEL_SOURCE_KERNEL_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kernel_ring {
    int fd; /* of the event that owns the ring */
    uint8_t *base;
    uint64_t data_bytes; /* power of two */
    uint64_t tail, head; /* what was read; what may be read in this round */
    uint8_t *joined;     /* a record that wraps, in one piece */
    const uint8_t *next; /* the record at the tail; NULL: not looked at yet */
    uint64_t next_ns;
    size_t next_bytes;
};

/* Map the ring of an event, as large as the limit on locked memory allows, but of `pages_max`
 * (a power of two; 0: KERNEL_RING_PAGES) pages at most: the kernel makes all of them at once.
 * Negative numbers of the kernel. Unmap takes one that is not mapped. */
enum { KERNEL_RING_PAGES = 1024 };
int kernel_ring_map(struct kernel_ring *r, int fd, size_t pages_max);
void kernel_ring_unmap(struct kernel_ring *r);

/* Rings of CPUs that are off are not mapped, and passed over. Begin a round: everything the
 * kernel wrote until now may be read. */
void kernel_rings_begin(struct kernel_ring *rings, unsigned count);
/* When a record was written; false: it is damaged, and handed out at once. */
typedef bool kernel_ring_time(const uint8_t *at, size_t bytes, uint64_t *out_ns);
/* The oldest record of all rings that is older than `horizon_ns`; NULL: none. Valid until the
 * next call. */
const uint8_t *kernel_rings_next(struct kernel_ring *rings, unsigned count, uint64_t horizon_ns,
                                 kernel_ring_time *time, size_t *out_bytes);
/* What was returned so far may be overwritten. */
void kernel_rings_end(struct kernel_ring *rings, unsigned count);
/* Instead of that: it comes again. */
void kernel_rings_back(struct kernel_ring *rings, unsigned count);

#endif
