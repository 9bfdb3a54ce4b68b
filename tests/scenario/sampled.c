/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program that knows nothing of Oriel and whose times are known: three parts
 * in heavy(), one in light(), both deep below main, then sleep in wait_here().
 * "sampled MILLISECONDS [THREADS [gate]]"; with a gate, all threads begin when a line comes. CPU
 * time is measured by its own clock.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static volatile uint64_t sink;
static pthread_barrier_t gate;
static int gated;

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Not inlined, not a tail call: a frame of its own. */
#ifdef __clang__
#define FRAME __attribute__((noinline))
#else
#define FRAME __attribute__((noinline, noclone))
#endif

FRAME static void turn(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        sink += i * i;
}

FRAME static void heavy(uint64_t until)
{
    while (cpu_ns() < until)
        turn(20000);
    sink++;
}

FRAME static void light(uint64_t until)
{
    while (cpu_ns() < until)
        turn(10000); /* else the compiler makes one function of both */
    sink++;
}

FRAME static void deep(int levels, uint64_t ms)
{
    volatile char room[256];
    room[0] = (char)levels;
    if (levels > 0) {
        deep(levels - 1, ms);
    } else {
        uint64_t now = cpu_ns(), part = ms * 1000000u / 4;
        heavy(now + 3 * part);
        light(now + 4 * part);
    }
    sink += (uint64_t)room[0];
}

FRAME static void wait_here(uint64_t ms)
{
    struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
    sink++;
}

static void *run(void *ms)
{
    if (gated)
        pthread_barrier_wait(&gate);
    deep(30, *(uint64_t *)ms);
    wait_here(*(uint64_t *)ms / 2);
    return NULL;
}

int main(int argc, char **argv)
{
    uint64_t ms = argc > 1 ? strtoull(argv[1], NULL, 10) : 400;
    int threads = argc > 2 ? atoi(argv[2]) : 1;
    pthread_t t[64];
    gated = argc > 3;
    pthread_barrier_init(&gate, NULL, (unsigned)threads);
    for (int i = 1; i < threads && i < 64; i++)
        pthread_create(&t[i], NULL, run, &ms);
    if (gated && getchar() == EOF)
        return 1;
    run(&ms);
    for (int i = 1; i < threads && i < 64; i++)
        pthread_join(t[i], NULL);
    printf("%llu\n", (unsigned long long)cpu_ns() / 1000000);
    return 0;
}
