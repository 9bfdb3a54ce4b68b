/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Between watch.c and switches.c, which write programs for the kernel: what
 * they know of each thread, and how they find and tell it.
 */
#ifndef ORIEL_SOURCE_PERF_WATCH_H
#define ORIEL_SOURCE_PERF_WATCH_H

#include "source/kernel_program.h"
#include "source/perf/perf.h"

#define KNOWN(member) ((int)offsetof(struct perf_known, member))

/* On the program's stack. */
enum { PERF_WATCH_KEY = -4 /* a thread's number */, PERF_WATCH_NOBODY = -8 /* the same */ };

/* r0 = what is known of the thread whose number is at `field` of the tracepoint r6, or NULL. */
void perf_watch_find(struct kernel_program *p, const struct perf_watch *w,
                     struct kernel_field field);
/* Hand over what is known of r7 up to PERF_KNOWN_TOLD. The tracepoint is r6; r0 to r5 are lost. */
void perf_watch_tell(struct kernel_program *p, int events);

/* The thread r7 runs, at r8: where nobody saw it come back, what it waited is added up and told.
 * The tracepoint is r6; r0 to r5 and r9 are lost. */
void perf_watch_runs(struct kernel_program *p, const struct perf_watch *w);
/* One more of PERF_NOBODY_..., r0 to r5 are lost. */
void perf_watch_count(struct kernel_program *p, const struct perf_watch *w, int what);

/* Write a program and let it run at a tracepoint. */
bool perf_watch_load(struct perf_watch *w,
                     void (*write)(struct kernel_program *, const struct perf_watch *),
                     uint64_t point, const char *name);
/* Where the programs put what they tell: an event like `like` for each CPU, in `map`. */
bool perf_watch_events(struct perf_events *e, const struct perf_event_attr *like,
                       enum perf_event_kind kind, int map);
/* Events and descriptors that were opened last. */
void perf_watch_take_back(struct perf_events *e, size_t events, int fds);

#endif
