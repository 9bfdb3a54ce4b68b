/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The state of source/perf: see perf.h for its parts.
 */
#ifndef ORIEL_SOURCE_PERF_SOURCE_H
#define ORIEL_SOURCE_PERF_SOURCE_H

#include "model/batch.h"
#include "source/perf/perf.h"
#include "source/perf/space.h"

struct perf_thread {
    struct model_thread *thread;
    uint64_t position;   /* in its stream of samples */
    uint64_t left_ns;    /* off its CPU since; 0: on it, or unknown */
    uint32_t serial;     /* of that stream */
    uint32_t wait_stack; /* where it left; 0 unknown */
    bool preempted;
};

struct perf_counts {
    uint64_t samples;   /* handed out */
    uint64_t lost;      /* the kernel had no room: counted by the kernel */
    uint64_t damaged;   /* records that made no sense */
    uint64_t throttled; /* times the kernel made sampling pause */
    uint64_t no_memory;
};

struct perf_source {
    struct perf_events events;
    struct spaces spaces;
    struct model_catalog *catalog;
    struct map threads; /* tid -> struct perf_thread * */
    uint64_t unix_offset, watermark_ns;
    uint32_t next_serial;
    struct perf_counts counts;
    struct perf_ability *ability; /* the caller's; may be NULL */
    bool over;
};

#endif
