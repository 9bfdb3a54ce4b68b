/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Four threads that emit COUNT ticks each, flat out or with a pause in
 * microseconds after every hundred, then one line on stdout and exit status 7.
 *
 *   flood PAGE_FILE COUNT [PAUSE_US]
 */
#include "tick.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4 };

static uint64_t count;
static unsigned pause_us;

static void *emit(void *arg)
{
    for (uint64_t i = 0; i < count; i++) {
        tick((uint64_t)(uintptr_t)arg, i);
        if (pause_us && i % 100 == 99)
            usleep(pause_us);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t t[THREADS];
    if (argc < 3 || tick_open(argv[1]) != 0)
        return 2;
    count = strtoull(argv[2], NULL, 10);
    pause_us = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, emit, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    printf("done %llu\n", (unsigned long long)tick_page[0]);
    return 7;
}
