/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Short threads (B15), ten ticks each, up to four at a time. Prints how much
 * private memory grew between a tenth of the way and the end.
 *
 *   churn PAGE_FILE THREADS
 */
#include "tick.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 4, TICKS = 10 };

static void *work(void *arg)
{
    for (uint64_t i = 0; i < TICKS; i++)
        tick((uint64_t)(uintptr_t)arg, i);
    return NULL;
}

/* Of this process alone: the ring is everybody's. */
static unsigned long private_kib(void)
{
    char line[128];
    unsigned long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtoul(line + 8, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

int main(int argc, char **argv)
{
    pthread_t t[AT_ONCE];
    unsigned long before = 0;
    if (argc != 3 || tick_open(argv[1]) != 0)
        return 2;
    uintptr_t count = strtoul(argv[2], NULL, 10);
    for (uintptr_t i = 0; i < count; i++) {
        if (i >= AT_ONCE)
            pthread_join(t[i % AT_ONCE], NULL);
        if (pthread_create(&t[i % AT_ONCE], NULL, work, (void *)i) != 0)
            return 3;
        if (i == count / 10)
            before = private_kib();
    }
    for (int i = 0; i < AT_ONCE; i++)
        pthread_join(t[i], NULL);
    printf("threads %lu grew_kib %ld\n", (unsigned long)count, (long)(private_kib() - before));
    return 0;
}
