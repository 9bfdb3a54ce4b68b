/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A host that serves requests at a steady rate, each with a span and an event in
 * it, and tells how long they took: what telemetry costs while its receiver is
 * away, slow or hostile. Started again and again by bench/away.py.
 *
 *   requests PER_SECOND SECONDS [WORK [BEGIN TURN]]
 *
 * WORK: rounds of arithmetic in each. With BEGIN, a time of the monotonic clock in ns, two of
 * them serve in turns, a quarter of a second each: TURN 0 and 1, then 1 and 0, and so on, each
 * as many requests as it would alone. What else the machine does meets both alike so.
 *
 * One line of JSON: count; p50, p99, p99.9 and max in ns of their service, and p50 and p99 of the
 * processor's time in it, which other work on the machine does not lengthen; how often
 * the thread that serves had to wait in a request (its own pauses lie between them),
 * was put off the processor, and met a page that was not there; memory in KiB at most.
 */
#include <oriel/oriel.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void serve(long i, long work)
{
    ORIEL_SPAN("request", "i", i, "route", "/search");
    volatile unsigned long x = 1;
    for (long k = 0; k < work; k++)
        x = x * 6364136223846793005u + 1;
    ORIEL_INFO("served", "i", i);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The most memory it had, in KiB; that of getrusage begins with its parent's. */
static long most_memory(void)
{
    char line[128];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %ld", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

#define TURN_NS 250000000u

struct schedule {
    double rate;
    uint64_t begin;
    int turn; /* -1: it serves alone */
};

/* When the i-th request comes. */
static uint64_t due_of(const struct schedule *s, long i)
{
    const uint64_t at = (uint64_t)((double)i * 1e9 / s->rate);
    if (s->turn < 0)
        return s->begin + at;
    const uint64_t pair = at / TURN_NS;
    return s->begin + at + (pair + (pair % 2 != (uint64_t)s->turn)) * TURN_NS;
}

static struct schedule schedule_of(int argc, char **argv)
{
    struct schedule s = {.rate = argc > 1 ? atof(argv[1]) : 10000, .turn = -1};
    s.begin = argc > 5 ? strtoull(argv[4], NULL, 10) : clock_ns(CLOCK_MONOTONIC);
    if (argc > 5)
        s.turn = atoi(argv[5]) != 0;
    return s;
}

int main(int argc, char **argv)
{
    const struct schedule schedule = schedule_of(argc, argv);
    double seconds = argc > 2 ? atof(argv[2]) : 1;
    long work = argc > 3 ? atol(argv[3]) : 100000, n = (long)(schedule.rate * seconds), pauses = 0;
    uint64_t *took = calloc(n > 0 ? (size_t)n : 1, sizeof *took);
    uint64_t *ran = calloc(n > 0 ? (size_t)n : 1, sizeof *ran);
    struct rusage before, after;
    if (!took || !ran || n < 1000)
        return 2;
    getrusage(RUSAGE_THREAD, &before);
    for (long i = 0; i < n; i++) {
        uint64_t due = due_of(&schedule, i), from;
        while ((from = clock_ns(CLOCK_MONOTONIC)) < due) {
            struct timespec t = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)};
            if (due - from <= 80000)
                continue;
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
            pauses++;
        }
        const uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        serve(i, work);
        ran[i] = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
        took[i] = clock_ns(CLOCK_MONOTONIC) - from;
    }
    getrusage(RUSAGE_THREAD, &after);
    qsort(took, (size_t)n, sizeof *took, compare);
    qsort(ran, (size_t)n, sizeof *ran, compare);
    long waits = after.ru_nvcsw - before.ru_nvcsw - pauses;
    printf("{\"count\":%ld,\"p50\":%llu,\"p99\":%llu,\"p999\":%llu,\"max\":%llu,"
           "\"cpu50\":%llu,\"cpu99\":%llu,\"waits\":%ld,\"put_off\":%ld,\"faults\":%ld,\"memory\":%"
           "ld}\n",
           n, (unsigned long long)took[n / 2], (unsigned long long)took[n / 100 * 99],
           (unsigned long long)took[n / 1000 * 999], (unsigned long long)took[n - 1],
           (unsigned long long)ran[n / 2], (unsigned long long)ran[n / 100 * 99],
           waits > 0 ? waits : 0, after.ru_nivcsw - before.ru_nivcsw,
           after.ru_minflt - before.ru_minflt, most_memory());
    fflush(stdout);
    free(took);
    free(ran);
    return 0;
}
