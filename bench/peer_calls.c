/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Function entry and exit: a small function called many times. Built three
 * times: plain (the base), with -pg for uftrace, and with a span per call.
 */
#include "bench.h"

#ifdef CALLS_ORIEL
#include <oriel/oriel.h>
#else
#define ORIEL_FN()
#endif

__attribute__((noinline)) static int step(int x)
{
    ORIEL_FN();
    __asm__ volatile("" : "+r"(x));
    return x + 1;
}

static volatile int sink;
static void calls(uint64_t n)
{
    int x = 0;
    for (uint64_t i = 0; i < n; i++)
        x = step(x);
    sink = x;
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 300000;
    double rounds[BENCH_ROUNDS];
    for (int r = 0; r < BENCH_ROUNDS; r++)
        rounds[r] = bench_once(calls, n, 1);
    printf("{\"name\":\"%s\",\"ns\":%.3f}\n", argc > 1 ? argv[1] : "calls",
           bench_median(rounds, BENCH_ROUNDS));
    return 0;
}
