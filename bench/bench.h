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

enum { BENCH_ROUNDS = 9, BENCH_SLICE = 5000, BENCH_THREADS_MAX = 8 };

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
    bench_fn *fn, *floor; /* floor: NULL, or what to measure in turns with fn */
    uint64_t n;
    int cpu;
    double ns, floor_ns;
    pthread_barrier_t *start;
};

/* CPU time of this thread: what others do on the machine does not count. */
static inline double bench_timed(bench_fn *fn, uint64_t n)
{
    double begin = bench_clock(CLOCK_THREAD_CPUTIME_ID);
    fn(n);
    return bench_clock(CLOCK_THREAD_CPUTIME_ID) - begin;
}

static void *bench_run(void *arg)
{
    struct bench_thread *t = (struct bench_thread *)arg;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(t->cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
    t->fn(t->n / 10 + 1); /* warm */
    pthread_barrier_wait(t->start);
    if (!t->floor) {
        t->ns = bench_timed(t->fn, t->n) / (double)t->n;
        return NULL;
    }
    /* A tenth of a millisecond each: a processor that shares its core with a busy one
     * is slower by a third, from one millisecond to the next. */
    uint64_t done = 0;
    for (; done < t->n; done += BENCH_SLICE) {
        t->floor_ns += bench_timed(t->floor, BENCH_SLICE);
        t->ns += bench_timed(t->fn, BENCH_SLICE);
    }
    t->ns /= (double)done;
    t->floor_ns /= (double)done;
    return NULL;
}

/* Mean over threads, each on a CPU of its own; *over_floor (may be NULL without a
 * floor) is that divided by the mean of `floor`. */
static double bench_beside(bench_fn *fn, bench_fn *floor, uint64_t n, int threads,
                           double *over_floor)
{
    struct bench_thread t[BENCH_THREADS_MAX];
    pthread_t id[BENCH_THREADS_MAX];
    pthread_barrier_t start;
    double sum = 0, floors = 0;
    pthread_barrier_init(&start, NULL, (unsigned)threads);
    for (int i = 0; i < threads; i++) {
        t[i].fn = fn, t[i].floor = floor, t[i].n = n, t[i].cpu = i, t[i].start = &start;
        t[i].ns = t[i].floor_ns = 0;
        pthread_create(&id[i], NULL, bench_run, &t[i]);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(id[i], NULL);
        sum += t[i].ns;
        floors += t[i].floor_ns;
    }
    pthread_barrier_destroy(&start);
    if (floor)
        *over_floor = sum / floors;
    return sum / threads;
}

static inline double bench_once(bench_fn *fn, uint64_t n, int threads)
{
    return bench_beside(fn, NULL, n, threads, NULL);
}

static inline double bench_median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof v[0], bench_compare);
    return v[n / 2];
}

struct bench_op {
    const char *name;
    bench_fn *fn, *floor; /* floor: NULL, or what to measure in turns with fn */
    uint64_t n;
    double one[BENCH_ROUNDS], two[BENCH_ROUNDS], ratio[BENCH_ROUNDS], over_floor[BENCH_ROUNDS];
};

/* Medians of rounds, and of their ratios of two threads to one (of what each is
 * over the floor, where there is one: two processors may share a core). All operations
 * take turns in every round: what disturbs the machine disturbs them alike. */
static inline void bench_all(struct bench_op *ops, size_t count, const char *suffix)
{
    for (int r = 0; r < BENCH_ROUNDS; r++)
        for (size_t i = 0; i < count; i++) {
            struct bench_op *op = &ops[i];
            double two_over_floor = 0;
            op->one[r] = bench_beside(op->fn, op->floor, op->n, 1, &op->over_floor[r]);
            op->two[r] = bench_beside(op->fn, op->floor, op->n, 2, &two_over_floor);
            op->ratio[r] = op->floor ? two_over_floor / op->over_floor[r] : op->two[r] / op->one[r];
        }
    for (size_t i = 0; i < count; i++) {
        printf("{\"name\":\"%s%s\",\"ns\":%.3f,\"ns_two_threads\":%.3f,\"two_over_one\":%.4f",
               ops[i].name, suffix, bench_median(ops[i].one, BENCH_ROUNDS),
               bench_median(ops[i].two, BENCH_ROUNDS), bench_median(ops[i].ratio, BENCH_ROUNDS));
        if (ops[i].floor)
            printf(",\"over_floor\":%.4f", bench_median(ops[i].over_floor, BENCH_ROUNDS));
        printf("}\n");
    }
    fflush(stdout);
}

#endif
