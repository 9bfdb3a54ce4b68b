/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The per-thread block that inline code writes, and its gate.
 *
 * struct oriel_thread lives in the shared region, so a reader sees the span
 * stack and the published head of a thread that was killed. struct oriel_gate
 * lives in a private page that a fork wipes: a gate that is not ready sends every
 * record of the child down the slow path, where it gets a block of its own.
 *
 * Publishing: the payload is written beyond `head`, then `head` is stored with
 * release order; that store is the commit of the record. Nothing between
 * `head` and `limit` is ever read. While a record is being written the gate
 * is not ready, so an emit from a signal handler that interrupts it takes the
 * slow path and writes to the thread's second block.
 */
#ifndef ORIEL_ABI_THREAD_H
#define ORIEL_ABI_THREAD_H

#include <stdint.h>

#include "record.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One entry of the span stack. id is a raw id, or a W3C id where the entry
 * stands for a context attached from outside (site 0). */
struct oriel_stack_entry {
    uint64_t id;
    uint32_t site;
    uint32_t flags;
};

/* Thread context record of OTEP 4947, version 1: read by eBPF profilers
 * through the exported thread-local pointer otel_thread_ctx_v1. */
struct oriel_otel_ctx {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t valid;
    uint8_t flags;
    uint16_t attrs_size;
    uint8_t attrs[4];
};

#define ORIEL_STACK_ENTRY 16u /* bytes; what one open span adds to stack_bytes */
#define ORIEL_STACK_BYTES (ORIEL_STACK_DEPTH * ORIEL_STACK_ENTRY)

enum oriel_clock { ORIEL_CLOCK_TSC = 0, ORIEL_CLOCK_MONOTONIC = 1, ORIEL_CLOCK_CNTVCT = 2 };
/* The one that inline code reads with one instruction. */
#if defined(__x86_64__)
#define ORIEL_CLOCK_INLINE 0u
#elif defined(__aarch64__)
#define ORIEL_CLOCK_INLINE 2u
#else
#define ORIEL_CLOCK_INLINE 3u /* none has it */
#endif
/* In place of a thread's clock: the directives were switched, look. */
#define ORIEL_CLOCK_MARK 0x80000000u

enum oriel_thread_state {
    ORIEL_THREAD_FREE = 0,
    ORIEL_THREAD_CLAIMED = 1, /* being set up */
    ORIEL_THREAD_LIVE = 2,
    ORIEL_THREAD_EXITED = 3, /* the owner is gone; the reader frees the slot */
    ORIEL_THREAD_VACANT = 4, /* the owner is gone; a thread of its process may go on here */
    ORIEL_THREAD_PASSING = 5 /* that thread takes it over right now; the stream goes on */
};

struct oriel_thread {
    /* what every record touches: one cache line */
    uintptr_t head;       /* address of the next free byte in the owner's mapping */
    uint64_t id_bias;     /* raw id = head + id_bias */
    uint32_t stack_bytes; /* of the span stack in use, so that an entry is one addition away;
                           * more than it holds where spans are deeper */
    uint32_t clock;       /* enum oriel_clock */
    uint64_t trace_hi;    /* upper half of trace ids begun here, and ... */
    uint64_t trace_salt;  /* ... lower half = oriel_id_mix(raw root id) ^ salt */
    uintptr_t base;       /* address of the region in the owner's mapping */
    uint64_t reserved0;
    uint32_t include_args; /* 1: values marked ORIEL_MARK_ARG are recorded */
    uint32_t reserved1;

    struct oriel_otel_ctx ctx; /* current trace and span */
    uint32_t serial;           /* of the stream; never reused in a region; starts at 1 */
    uint32_t primary;          /* of the thread that owns it now: serial of its first block */
    uint32_t process;          /* index in the region's process table */
    uint32_t state;            /* enum oriel_thread_state, atomic */
    int32_t tid;
    uint32_t chunk;       /* index + 1 of the chunk being written, 0 none */
    uint64_t stream_base; /* stream position of that chunk's first byte */

    uint64_t lost[8];        /* by enum oriel_lost_cause, monotonic */
    uint64_t lost_synced[8]; /* values last told in a SYNC record */
    uint64_t start_time;     /* of the task, to tell a reused tid */
    char name[32];           /* NUL-terminated, as the owner last set it */
    uint64_t reserved2[11];

    struct oriel_stack_entry stack[ORIEL_STACK_DEPTH];
};

#define ORIEL_GATE_INLINE 1u
#define ORIEL_GATE_OTHER 2u

/* What a thread has allocated and freed since it began; kept by liboriel-alloc,
 * which exports oriel_heap_here(). Only the thread itself writes. */
struct oriel_heap {
    uint64_t allocations, bytes, frees, freed_bytes;
    uint64_t told; /* allocations + frees in its last HEAP record; UINT64_MAX: none yet */
};

struct oriel_gate {
    uintptr_t limit; /* end of what may be written to the current chunk */
    struct oriel_thread *thread;
    struct oriel_gate *second; /* for emits that interrupt an emit; NULL until then */
    /* Where a thread's allocations are counted, `limit` is 0: every record takes the
     * slow path, which writes a HEAP record first and goes by `room_end`. */
    uintptr_t room_end;
    struct oriel_heap *heap; /* NULL: not counted */
    uint32_t open;           /* ORIEL_GATE_INLINE, or another: the clock is another one */
    uint32_t slot;           /* index in the region's thread table */
    uint32_t nested;         /* 1: the gate of a thread's second block */
    uint32_t live;           /* 1 while owned; wiped by fork */
    uint32_t pad0;
    /* 0: take the slow path; else `open`: a record may be started. Written before
     * the thread's block is read: where both lie alike in their pages, a processor
     * that compares only that takes one for the other, and waits. Nothing that a
     * record reads has this place in its cache line. */
    uint32_t ready;
};

struct oriel_tls {
    struct oriel_thread *thread;
    struct oriel_gate *gate;
};

#ifdef __cplusplus
}
#endif
#endif
