/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Measuring one operation: ns per call in a tight loop on a pinned thread, the
 * median of several rounds. Prints one JSON object per line; tools/bench adds
 * ratios and budgets.
 */
#ifndef ORIEL_BENCH_H
#define ORIEL_BENCH_H

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BENCH_ROUNDS = 9, BENCH_THREADS_MAX = 8 };

#define BENCH_BARRIER() __asm__ volatile("" ::: "memory")

typedef void bench_fn(uint64_t n);

static inline double bench_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}
static inline double bench_now(void)
{
    return bench_clock(CLOCK_MONOTONIC);
}

static int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct bench_thread {
    bench_fn *fn;
    uint64_t n;
    int cpu;
    double ns;
    pthread_barrier_t *start;
};

static void *bench_run(void *arg)
{
    struct bench_thread *t = (struct bench_thread *)arg;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(t->cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
    t->fn(t->n / 10 + 1); /* warm */
    pthread_barrier_wait(t->start);
    /* CPU time of this thread: what others do on the machine does not count. */
    double begin = bench_clock(CLOCK_THREAD_CPUTIME_ID);
    t->fn(t->n);
    t->ns = (bench_clock(CLOCK_THREAD_CPUTIME_ID) - begin) / (double)t->n;
    return NULL;
}

/* Mean over threads, each on a CPU of its own. */
static double bench_once(bench_fn *fn, uint64_t n, int threads)
{
    struct bench_thread t[BENCH_THREADS_MAX];
    pthread_t id[BENCH_THREADS_MAX];
    pthread_barrier_t start;
    double sum = 0;
    pthread_barrier_init(&start, NULL, (unsigned)threads);
    for (int i = 0; i < threads; i++) {
        t[i].fn = fn, t[i].n = n, t[i].cpu = i, t[i].ns = 0, t[i].start = &start;
        pthread_create(&id[i], NULL, bench_run, &t[i]);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(id[i], NULL);
        sum += t[i].ns;
    }
    pthread_barrier_destroy(&start);
    return sum / threads;
}

static inline double bench_median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof v[0], bench_compare);
    return v[n / 2];
}

struct bench_op {
    const char *name;
    bench_fn *fn;
    uint64_t n;
    double one[BENCH_ROUNDS], two[BENCH_ROUNDS], ratio[BENCH_ROUNDS];
};

/* Medians of rounds, and of their ratios of two threads to one. All operations
 * take turns in every round: what disturbs the machine disturbs them alike. */
static inline void bench_all(struct bench_op *ops, size_t count, const char *suffix)
{
    for (int r = 0; r < BENCH_ROUNDS; r++)
        for (size_t i = 0; i < count; i++) {
            struct bench_op *op = &ops[i];
            op->one[r] = bench_once(op->fn, op->n, 1);
            op->two[r] = bench_once(op->fn, op->n, 2);
            op->ratio[r] = op->two[r] / op->one[r];
        }
    for (size_t i = 0; i < count; i++)
        printf("{\"name\":\"%s%s\",\"ns\":%.3f,\"ns_two_threads\":%.3f,\"two_over_one\":%.4f}\n",
               ops[i].name, suffix, bench_median(ops[i].one, BENCH_ROUNDS),
               bench_median(ops[i].two, BENCH_ROUNDS), bench_median(ops[i].ratio, BENCH_ROUNDS));
    fflush(stdout);
}

#endif
