/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What to sample, and what the kernel let us see. For source/perf, made by
 * whoever starts or attaches to a program.
 */
#ifndef ORIEL_SOURCE_PERF_OPTIONS_H
#define ORIEL_SOURCE_PERF_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "source/source.h"

enum perf_clock {
    PERF_CLOCK_AUTO = 0, /* cycles where the machine has a counter, else cpu-clock */
    PERF_CLOCK_CPU = 1   /* the scheduler's clock, by a timer */
};

struct perf_ability;
struct perf_options {
    int32_t pid;          /* who will start the program, or the program (running) */
    bool running;         /* it runs already: open each of its threads */
    uint32_t rate;        /* samples per second of CPU time, 1..10000 */
    uint32_t stack_bytes; /* of user stack copied with a sample; multiple of 8 */
    bool off_cpu;         /* also time spent waiting */
    bool kernel;          /* kernel frames too, where permitted */
    bool no_programs;     /* none of ours in the kernel, though permitted */
    enum perf_clock clock;
    struct perf_ability *ability; /* filled in, also on failure; lives as long as the source;
                                   * NULL: not wanted */
};

/* What became of it, for the report's first lines. */
struct perf_ability {
    bool cpu;           /* samples on the CPU */
    bool hardware;      /* by cycles, not by a timer */
    bool by_cpu;        /* each CPU has a timer of its own: short threads are sampled too */
    bool kernel;        /* kernel frames are seen */
    bool off_cpu;       /* waiting times are seen */
    bool off_cpu_stack; /* and where it waits */
    bool wakes;         /* and who ends that */
    bool wakes_picked;  /* by programs in the kernel: every one that ends a long wait */
    uint32_t rate;      /* what the kernel lets us have */
    uint64_t stacks;    /* on the CPU, walked so far */
    uint64_t cut;       /* of these, not up to the thread's start */
    const char *cut_by; /* why most of them; NULL: none */
    uint64_t lost;      /* samples so far that found no room, in the kernel or here */
    uint64_t unknown;   /* threads that were not sampled: too many at one time */
    /* What the kernel did not show: a thread that came back to a CPU, one that left (how long it
     * was away nobody knows), who or what ended a wait. */
    uint64_t unseen_backs, unseen_waits, unseen_wakes;
    uint64_t own_ns;   /* CPU time of threads of Oriel's in the program, which are left out */
    int wake_fd;       /* polls readable once a ring is half full; -1 none */
    bool hurry;        /* of late something was met that had better be looked at soon */
    bool missed_told;  /* what was missed stands in `missing` */
    char missing[384]; /* one line: what is not seen and why; "" nothing */
};

/* Beside the first source of a session; its options are a struct perf_options. */
extern const struct source source_perf;

/* Try it on this process, without keeping anything: what would be seen. */
void perf_try(const struct perf_options *o, struct perf_ability *out);

#endif
