/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A task that goes on in one thread where another one left it: CPU time, a
 * wait, allocations and calls, all of them in its span and nothing outside.
 */
#include <oriel/oriel.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { TASK = 4711 };

static struct oriel_span task;

__attribute__((noinline)) static void called(void)
{
    __asm__ volatile("");
}

static void burn(long ms)
{
    struct timespec a, b;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < ms);
}

static void *turn(void *unused)
{
    struct oriel_guard guard = oriel_span_enter(&task);
    ORIEL_TASK(ORIEL_TASK_RESUME, "work", TASK, 0);
    burn(150);
    usleep(50000);
    called();
    for (int i = 0; i < 100; i++) {
        void *volatile p = malloc(1000);
        free(p);
    }
    ORIEL_TASK(ORIEL_TASK_YIELD, "handed over", TASK, 0);
    oriel_span_exit(&guard);
    return unused;
}

int main(void)
{
    pthread_t other;
    task = ORIEL_OPEN("task", NULL);
    ORIEL_TASK(ORIEL_TASK_SPAWN, "work", TASK, 0);
    if (pthread_create(&other, NULL, turn, NULL) != 0)
        return 1;
    pthread_join(other, NULL);
    (void)turn(NULL);
    ORIEL_TASK(ORIEL_TASK_COMPLETE, "work", TASK, 0);
    oriel_span_close(&task);
    return 0;
}
