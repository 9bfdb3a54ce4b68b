/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Signals at several kHz whose handler emits (B9), while the thread emits,
 * allocates, loads and unloads a library, starts threads, and exits. Prints the
 * number of signals taken so far; more come during exit.
 *
 *   signals PAGE_FILE COUNT        until so many of the first timer were taken
 */
#include "tick.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { INTERVAL_NS = 150000, WORK = 1, HANDLER = 2, NESTED = 3, THREAD = 4, AT_EXIT = 5 };

static uint64_t taken, taken_nested;
static uint64_t threads;

/* The second signal interrupts the first handler too. */
static void on_timer(int number)
{
    if (number == SIGUSR1)
        tick(HANDLER, __atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED));
    else
        tick(NESTED, __atomic_fetch_add(&taken_nested, 1, __ATOMIC_RELAXED));
}

static void start_timer(int number, long interval_ns)
{
    timer_t timer;
    struct sigevent how = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = number};
    struct itimerspec when = {{0, interval_ns}, {0, interval_ns}};
    struct sigaction sa = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    sigaction(number, &sa, NULL);
    timer_create(CLOCK_MONOTONIC, &how, &timer);
    timer_settime(timer, 0, &when, NULL);
}

static void *short_thread(void *unused)
{
    tick(THREAD, threads++);
    return unused;
}

static void at_exit(void)
{
    for (uint64_t i = 0; i < 20000; i++)
        tick(AT_EXIT, i);
}

int main(int argc, char **argv)
{
    uint64_t seq = 0;
    if (argc != 3 || tick_open(argv[1]) != 0)
        return 2;
    atexit(at_exit);
    start_timer(SIGUSR1, INTERVAL_NS);
    start_timer(SIGUSR2, INTERVAL_NS * 7 / 3);
    uint64_t enough = strtoull(argv[2], NULL, 10);
    while (__atomic_load_n(&taken, __ATOMIC_RELAXED) < enough ||
           __atomic_load_n(&taken_nested, __ATOMIC_RELAXED) == 0) {
        pthread_t t;
        for (int i = 0; i < 200; i++)
            tick(WORK, seq++);
        for (size_t n = 16; n < 100000; n *= 3)
            free(malloc(n));
        void *library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
        if (library)
            dlclose(library);
        if (pthread_create(&t, NULL, short_thread, NULL) == 0)
            pthread_join(t, NULL);
    }
    printf("signals %llu nested %llu\n", (unsigned long long)taken,
           (unsigned long long)taken_nested);
    return 0;
}
