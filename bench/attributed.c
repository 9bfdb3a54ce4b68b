/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The program that OpenTelemetry's specification measures an SDK with (performance-benchmark.md):
 * spans of ten attributes, each a text of twenty characters. bench/otel.py starts it beside
 * bench/otel_go, which does the same with the SDK for Go.
 *
 *   attributed 0 SPANS          so many, as fast as they go out: 20,000, then until they were taken
 *   attributed RATE SECONDS     so many a second, in bursts every ten milliseconds
 *
 * One line of JSON at the end: `spans`; `cpu_ns` and `wall_ns` of the whole process for them, until
 * the last was taken; `kib`, the most memory it had.
 */
#include <errno.h>
#include <oriel/oriel.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BURST = 20000, FLUSH_MS = 60000 };
#define PAUSE_NS UINT64_C(10000000)

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void say(uint64_t spans)
{
    static const char *const text[10] = {"value-0-abcdefghijkl", "value-1-abcdefghijkl",
                                         "value-2-abcdefghijkl", "value-3-abcdefghijkl",
                                         "value-4-abcdefghijkl", "value-5-abcdefghijkl",
                                         "value-6-abcdefghijkl", "value-7-abcdefghijkl",
                                         "value-8-abcdefghijkl", "value-9-abcdefghijkl"};
    while (spans-- > 0) {
        ORIEL_SPAN("span", "key-0", text[0], "key-1", text[1], "key-2", text[2], "key-3", text[3],
                   "key-4", text[4], "key-5", text[5], "key-6", text[6], "key-7", text[7], "key-8",
                   text[8], "key-9", text[9]);
    }
}

static int flush(void)
{
    const int rc = oriel_flush(FLUSH_MS);
    if (rc != 0)
        fprintf(stderr, "attributed: not all was taken (%d)\n", rc);
    return rc;
}

static int as_fast(uint64_t spans)
{
    int rc = 0;
    for (uint64_t said = 0; rc == 0 && said < spans; said += BURST) {
        say(spans - said < BURST ? spans - said : BURST);
        rc = flush();
    }
    return rc;
}

static uint64_t at_a_pace(double rate, double seconds)
{
    const uint64_t began = clock_ns(CLOCK_MONOTONIC);
    const uint64_t end = began + (uint64_t)(seconds * 1e9);
    uint64_t said = 0, now = began;
    while (now < end) {
        const uint64_t next = now + PAUSE_NS;
        const struct timespec t = {(time_t)(next / 1000000000u), (long)(next % 1000000000u)};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
            ;
        now = clock_ns(CLOCK_MONOTONIC);
        const uint64_t due = (uint64_t)((double)(now - began) * rate / 1e9);
        say(due - said);
        said = due;
    }
    return said;
}

/* That of getrusage begins with the parent's. */
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

int main(int argc, char **argv)
{
    const double rate = argc > 2 ? atof(argv[1]) : 0, amount = argc > 2 ? atof(argv[2]) : 100000;
    uint64_t spans = (uint64_t)amount;
    say(10);
    if (flush() != 0) /* the connection stands now */
        return 1;
    const uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID), wall = clock_ns(CLOCK_MONOTONIC);
    if (rate > 0)
        spans = at_a_pace(rate, amount);
    else if (as_fast(spans) != 0)
        return 1;
    if (rate > 0 && flush() != 0)
        return 1;
    printf("{\"spans\":%llu,\"cpu_ns\":%llu,\"wall_ns\":%llu,\"kib\":%ld}\n",
           (unsigned long long)spans,
           (unsigned long long)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu),
           (unsigned long long)(clock_ns(CLOCK_MONOTONIC) - wall), most_memory());
    return 0;
}
