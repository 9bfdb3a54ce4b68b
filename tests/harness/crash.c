/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Crashes (A4): some ticks inside three open spans, then the given death.
 *
 *   crash PAGE_FILE segv|abrt|bus|fpe|stack|kill|handled
 */
#include "tick.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { TICKS = 1000, SMALL_STACK = 64 << 10 };

static volatile int bottom = -1; /* never reached */

static int deeper(volatile char *above, int depth)
{
    volatile char room[512];
    room[0] = above[0];
    return depth == bottom ? 0 : deeper(room, depth + 1) + room[0];
}

static void *overflow(void *unused)
{
    volatile char start[1] = {0};
    (void)unused;
    ORIEL_SPAN("thread.work");
    tick(2, 0);
    return (void *)(intptr_t)deeper(start, 0);
}

static void on_small_stack(void)
{
    pthread_t t;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, SMALL_STACK);
    if (pthread_create(&t, &attr, overflow, NULL) == 0)
        pthread_join(t, NULL);
}

/* The program's own handler is called, and may record. */
static void own_handler(int number)
{
    tick(3, 0);
    signal(number, SIG_DFL);
    raise(number);
}

static void die(const char *how)
{
    static volatile int zero;
    if (strcmp(how, "abrt") == 0)
        abort();
    if (strcmp(how, "fpe") == 0)
        zero = 1000 / zero;
    if (strcmp(how, "stack") == 0)
        on_small_stack();
    if (strcmp(how, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(how, "handled") == 0)
        signal(SIGSEGV, own_handler);
    if (strcmp(how, "bus") == 0) {
        FILE *f = tmpfile();
        if (f && ftruncate(fileno(f), 4096) == 0) {
            char *p = (char *)mmap(NULL, 8192, PROT_READ, MAP_SHARED, fileno(f), 0);
            zero = p[4096];
        }
    }
    *(volatile int *)(uintptr_t)zero = 1;
}

int main(int argc, char **argv)
{
    const struct rlimit none = {0, 0};
    if (argc != 3 || tick_open(argv[1]) != 0)
        return 2;
    setrlimit(RLIMIT_CORE, &none);
    ORIEL_SPAN("outer", "how", argv[2]);
    ORIEL_SPAN("middle");
    for (uint64_t i = 0; i < TICKS; i++)
        tick(1, i);
    ORIEL_SPAN("inner");
    die(argv[2]);
    return 0;
}
