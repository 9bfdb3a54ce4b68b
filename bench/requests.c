/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A host that serves requests at a steady rate, each with a span and an event in
 * it, and tells how long they took: what telemetry costs while its receiver is
 * away, slow or hostile. Started again and again by bench/away.py.
 *
 *   requests PER_SECOND SECONDS [WORK]    WORK: rounds of arithmetic in each
 *
 * One line of JSON: count, p50, p99, p99.9 and max in ns of their service.
 */
#include <oriel/oriel.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
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

int main(int argc, char **argv)
{
    long rate = argc > 1 ? atol(argv[1]) : 10000, seconds = argc > 2 ? atol(argv[2]) : 1;
    long work = argc > 3 ? atol(argv[3]) : 100000, n = rate * seconds;
    uint64_t *took = calloc((size_t)n, sizeof *took);
    if (!took || n < 1000)
        return 2;
    uint64_t began = now_ns();
    for (long i = 0; i < n; i++) {
        uint64_t due = began + (uint64_t)i * 1000000000u / (uint64_t)rate, from;
        while ((from = now_ns()) < due) {
            struct timespec t = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)};
            if (due - from > 80000)
                clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        }
        serve(i, work);
        took[i] = now_ns() - from;
    }
    qsort(took, (size_t)n, sizeof *took, compare);
    printf("{\"count\":%ld,\"p50\":%llu,\"p99\":%llu,\"p999\":%llu,\"max\":%llu}\n", n,
           (unsigned long long)took[n / 2], (unsigned long long)took[n / 100 * 99],
           (unsigned long long)took[n / 1000 * 999], (unsigned long long)took[n - 1]);
    fflush(stdout);
    free(took);
    return 0;
}
