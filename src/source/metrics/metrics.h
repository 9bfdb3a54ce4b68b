/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside source/metrics: a program and its descendants, as /proc has them.
 *
 *   proc.c     /proc -> struct metrics_reading
 *   metrics.c  readings -> plots and one event each, on the program's clock
 *
 * Runs in the recorder, or in the drain thread of a program that exports by
 * itself; the program is not stopped, signalled or touched.
 */
#ifndef ORIEL_SOURCE_METRICS_METRICS_H
#define ORIEL_SOURCE_METRICS_METRICS_H

#include "base/vec.h"
#include "source/metrics_options.h"

/* Sums over all processes of the program. What could not be read is 0. */
struct metrics_reading {
    uint64_t t_mono_ns;
    uint64_t processes;
    uint64_t rss_bytes, pss_bytes, anonymous_bytes, virtual_bytes;
    uint64_t peak_rss_bytes; /* ever, of the one that had most */
    uint64_t cpu_ns;         /* since each began, with the children it waited for */
    uint64_t threads, descriptors;
    uint64_t minor_faults, major_faults;
    uint64_t voluntary_switches, involuntary_switches;
    uint64_t read_bytes, written_bytes; /* of disks */
};

/* The processes of a program: `pid`, its descendants, and orphans of it that
 * became children of `recorder`. 0 or ORIEL_ENOMEM. */
struct metrics_pids {
    VEC(int32_t) items;
};
int metrics_find(const char *proc, int32_t pid, int32_t recorder, struct metrics_pids *out);

/* Add what one process uses. `thorough`: also what costs the kernel a walk over
 * its memory or threads. false: it is gone. */
bool metrics_read(const char *proc, int32_t pid, bool thorough, struct metrics_reading *sum);

/* How long a process has been running; 0 where that cannot be read. */
uint64_t metrics_age_ns(const char *proc, int32_t pid);

#endif
