/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program to be watched from outside: functions that recurse, are jumped out
 * of, call in place of returning, run on threads and in a child; and spans of
 * its own around and inside of them. Says nothing.
 *
 *   all     each of these once
 *   many N  N calls of hot()
 */
#include <oriel/oriel.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define APART __attribute__((noinline))
#define BARRIER() __asm__ volatile("" ::: "memory")

static _Thread_local jmp_buf back;

APART int factorial(int n)
{
    BARRIER();
    int rest = n <= 1 ? 1 : factorial(n - 1);
    BARRIER();
    return rest * n;
}

APART void jumped_over(int depth)
{
    BARRIER();
    if (depth == 0)
        longjmp(back, 1);
    if (depth < 100)
        jumped_over(depth - 1);
    BARRIER();
}

APART int greet(const char *who, unsigned short n, double weight, char *room)
{
    room[0] = who[0];
    BARRIER();
    return (int)strlen(who) + n + (weight > 1e9);
}

APART long tail_target(long n)
{
    BARRIER();
    return n + 1;
}

/* gcc makes it a jump in spite of the options; for clang it is a call. */
#ifndef __clang__
__attribute__((optimize("optimize-sibling-calls")))
#endif
APART long
tail_caller(long n)
{
    BARRIER();
    return tail_target(n * 2);
}

APART int inside(int n)
{
    ORIEL_SPAN("own.inner", "n", n);
    BARRIER();
    return n + 1;
}

APART int outside(int n)
{
    volatile int r = 0;
    char room[1];
    if (!setjmp(back))
        jumped_over(3);
    for (unsigned short i = 0; i < n; i++)
        r += greet("world", i, 0.5, room);
    {
        ORIEL_SPAN("own.middle");
        r += inside(n);
    }
    return r;
}

APART int hot(int n)
{
    BARRIER();
    return n ^ 1;
}

static void *thread(void *unused)
{
    (void)outside(2);
    return unused;
}

static void all(void)
{
    pthread_t threads[2];
    (void)factorial(5);
    {
        ORIEL_SPAN("own.outer");
        (void)outside(3);
    }
    (void)tail_caller(20);
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, thread, NULL) != 0)
            abort();
    for (int i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)factorial(2);
        _exit(0);
    }
    (void)waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "many") == 0)
        for (int i = 0; i < atoi(argv[2]); i++)
            (void)hot(i);
    else
        all();
    return 0;
}
