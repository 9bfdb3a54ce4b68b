/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the system says of the program while it is recorded: memory, CPU time,
 * threads, descriptors, faults, I/O. For source/metrics, by whoever starts or
 * attaches to a program, or is one.
 */
#ifndef ORIEL_SOURCE_METRICS_OPTIONS_H
#define ORIEL_SOURCE_METRICS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "source/source.h"

#define METRICS_INTERVAL_MIN_NS UINT64_C(1000000000) /* shorter ones are this */
/* The key `system_metrics_interval_secs`: in the environment, and unless told else. */
#define METRICS_INTERVAL_VARIABLE "ORIEL_SYSTEM_METRICS_INTERVAL_SECS"
#define METRICS_INTERVAL_DEFAULT "5s"

/* What the kernel tells of a program that is over, its children included.
 * Filled in by whoever waited for it, before the source is told that it is over. */
struct metrics_end {
    bool known;
    uint64_t cpu_ns, peak_rss_bytes, minor_faults, major_faults;
    uint64_t voluntary_switches, involuntary_switches;
};

struct metrics_options {
    int32_t pid;      /* the program; it may not have done its exec yet */
    int32_t recorder; /* whose children its orphans become; 0: nobody's */
    bool running;     /* it runs already (attach, or it is this very process) */
    uint64_t interval_ns;
    const struct metrics_end *end; /* lives as long as the source; NULL: will not be known */
};

/* Beside the first source of a session; its options are a struct metrics_options. */
extern const struct source source_metrics;

#endif
