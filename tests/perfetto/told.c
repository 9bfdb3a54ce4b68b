/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program that says everything there is to say, from several threads, so
 * that its trace can be compared with what it did. told.sh knows the numbers.
 */
#include <oriel/oriel.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { WORKERS = 3, ROUNDS = 200 };

static struct oriel_span moved; /* opened here, run there, closed elsewhere */
static struct oriel_span first;

static uint64_t unix_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int leaf(int depth)
{
    ORIEL_SPAN("leaf", "depth", depth);
    return depth ? leaf(depth - 1) + 1 : 0;
}

static void *worker(void *argument)
{
    long number = *(long *)argument;
    char name[16];
    snprintf(name, sizeof name, "told-%ld", number);
    oriel_thread_name(name);
    ORIEL_TASK(ORIEL_TASK_RESUME, "job", 100 + number, 0);
    {
        struct oriel_guard g = oriel_span_enter(&moved);
        leaf(0);
        oriel_span_exit(&g);
    }
    for (int i = 0; i < ROUNDS; i++) {
        ORIEL_SPAN("round", "i", i, "worker", number, "ratio", 0.5, "text", "a \"b\"\n");
        leaf(3);
        if (i % 10 == 0)
            ORIEL_INFO("ten more", "i", i);
        ORIEL_SPAN_SET("done", true);
    }
    if (number == 0) {
        ORIEL_SPAN("after");
        struct oriel_span current = oriel_span_current();
        oriel_span_follows(&current, &first);
        oriel_span_status(&current, ORIEL_STATUS_ERROR, "on purpose");
    }
    ORIEL_TASK(ORIEL_TASK_COMPLETE, "job", 100 + number, 0);
    return NULL;
}

int main(void)
{
    pthread_t threads[WORKERS];
    long numbers[WORKERS];
    oriel_thread_name("told-main");
    {
        ORIEL_SPAN("first");
        first = oriel_span_current();
    }
    moved = ORIEL_OPEN("moved", ORIEL_CURRENT, "id", 7);
    {
        ORIEL_SPAN("main");
        for (long i = 0; i < WORKERS; i++) {
            numbers[i] = i;
            ORIEL_TASK(ORIEL_TASK_SPAWN, "job", 100 + i, 1);
            pthread_create(&threads[i], NULL, worker, &numbers[i]);
        }
        for (int i = 0; i < 50; i++)
            ORIEL_PLOT("height", i * 1.5);
        uint64_t now = unix_ns();
        ORIEL_EXTERNAL("gpu", now - 5000, now - 1000, ORIEL_CURRENT, "queue", 2);
        ORIEL_FRAME("picture");
        for (int i = 0; i < WORKERS; i++)
            pthread_join(threads[i], NULL);
    }
    oriel_span_close(&moved);
    return 0;
}
