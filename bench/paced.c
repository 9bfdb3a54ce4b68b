/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program that works at a steady pace and says a steady number of spans: what telemetry
 * costs it as a share of one core (bench/overhead.py), and in one that does nothing.
 *
 *   paced SPANS_PER_SECOND SECONDS [IDLE]    it says ten spans and sleeps for IDLE seconds first
 *
 * It wakes up every ten milliseconds for what is due. One line of JSON when it has
 * begun and one at the end: `spans`, and `cpu_ns` of its one thread. Then it waits for a byte on
 * its input, so that somebody can still look at its threads.
 */
#include <errno.h>
#include <oriel/oriel.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS UINT64_C(10000000)

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
    const struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

/* Traces of ten spans: what is sampled goes by whole traces. */
static void work(uint64_t spans)
{
    while (spans >= 10) {
        ORIEL_SPAN("request");
        for (int i = 0; i < 9; i++) {
            ORIEL_SPAN("step");
        }
        spans -= 10;
    }
}

int main(int argc, char **argv)
{
    const double rate = argc > 1 ? atof(argv[1]) : 100000, seconds = argc > 2 ? atof(argv[2]) : 1;
    const double idle = argc > 3 ? atof(argv[3]) : 0;
    char byte;
    work(10);
    printf("{\"pid\":%d}\n", (int)getpid());
    fflush(stdout);
    sleep_until(clock_ns(CLOCK_MONOTONIC) + (uint64_t)(idle * 1e9));
    const uint64_t began = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    const uint64_t end = began + (uint64_t)(seconds * 1e9);
    uint64_t said = 0, now = began;
    while (now < end) {
        sleep_until(rate > 0 ? now + PAUSE_NS : end);
        now = clock_ns(CLOCK_MONOTONIC);
        const uint64_t due = (uint64_t)((double)(now - began) * rate / 1e9) / 10 * 10;
        work(due - said);
        said = due;
    }
    printf("{\"spans\":%llu,\"cpu_ns\":%llu}\n", (unsigned long long)said,
           (unsigned long long)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu));
    fflush(stdout);
    return read(STDIN_FILENO, &byte, 1) < 0;
}
