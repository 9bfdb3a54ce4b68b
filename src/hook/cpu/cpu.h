/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Samples of the CPU from inside the program, for where the kernel refuses to
 * let it be watched: every thread has a timer of its own CPU time that sends it
 * a signal, and the handler walks the stack that was interrupted.
 *
 *   sampler.c    timers and the handler
 *   interpose.c  threads that start, and signals that the program wants itself
 *
 * The handler uses neither heap nor lock nor loader. The signal is a real-time
 * one, so that SIGPROF stays the program's; one that handles this signal too
 * gets it, and is sampled no more.
 */
#ifndef ORIEL_HOOK_CPU_CPU_H
#define ORIEL_HOOK_CPU_CPU_H

#include <stdbool.h>
#include <stdint.h>

/* The number of our signal. */
int cpu_signal(void);
/* So many samples per second of CPU time, from now on, of this thread and of those
 * that call cpu_thread_begin. 0 or ORIEL_E...: then nothing has changed. */
int cpu_open(uint32_t rate);
/* First and last of all in a thread. */
void cpu_thread_begin(void);
void cpu_thread_end(void);
/* In a fork child. */
void cpu_forked(void);
/* No more samples: the signal is the program's now. */
void cpu_yield(void);
/* How many timers there are; for tests. */
uint32_t cpu_timers(void);

#endif
