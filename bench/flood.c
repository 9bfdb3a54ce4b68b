/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The workload of the data rows: flood [SPANS [MILLIONS_PER_SECOND [rich]]]
 * As fast as a thread can, or at a rate: in steps of a thousand, so that the
 * clock is no part of it. Half of the spans are nested; plain ones have no
 * fields, rich ones a number and a text, and every eighth an event in it.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <oriel/oriel.h>

enum { STEP = 1000 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void plain(long n)
{
    for (long i = 0; i < n; i += 2) {
        ORIEL_SPAN("flood.outer");
        {
            ORIEL_SPAN("flood.inner");
            __asm__ volatile("" ::: "memory");
        }
    }
}

/* Numbers that do not compress into nothing. */
static unsigned random_of(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 12;
}

static void rich(long n, unsigned *state)
{
    static const char *const methods[] = {"GET", "POST", "DELETE", "OPTIONS"};
    for (long i = 0; i < n; i += 2) {
        ORIEL_SPAN("flood.request", "bytes", random_of(state));
        {
            ORIEL_SPAN("flood.handler", "method", methods[random_of(state) % 4]);
            if (i % 16 == 0)
                ORIEL_EVENT("flood.event", "attempt", i);
        }
    }
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 1000000;
    double rate = argc > 2 ? atof(argv[2]) * 1e6 : 0, begin = now();
    bool is_rich = argc > 3 && strcmp(argv[3], "rich") == 0;
    unsigned state = 1;
    for (long done = 0; done < n; done += STEP) {
        long step = n - done < STEP ? n - done : STEP;
        while (rate > 0 && (now() - begin) * rate < (double)done)
            ;
        if (is_rich)
            rich(step, &state);
        else
            plain(step);
    }
    return 0;
}
