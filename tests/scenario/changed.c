/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program in two builds: PARSE_MS is what parse() takes of CPU time, by the
 * thread's own clock, so that a busy machine changes nothing. emit() and copy()
 * take the same in both.
 */
#include <stdint.h>
#include <time.h>

static volatile uint64_t sink;

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Bodies that differ, or the compiler makes one function of them. */
#define SPINS(name, step)                                                                          \
    __attribute__((noinline)) static void name(uint64_t ms)                                        \
    {                                                                                              \
        for (uint64_t until = cpu_ns() + ms * 1000000u; cpu_ns() < until;)                         \
            for (int i = 0; i < 20000; i++)                                                        \
                sink += (uint64_t)i * (step);                                                      \
        sink++;                                                                                    \
    }
SPINS(parse, 3)
SPINS(emit, 5)
SPINS(copy, 7)

__attribute__((noinline)) static void load(void)
{
    parse(PARSE_MS);
    sink++;
}

int main(void)
{
    load();
    emit(150);
    copy(100);
    return 0;
}
