/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program to be recorded. Says on stdout what it emitted, so that a test can
 * compare; behaves otherwise exactly the same with and without a recorder.
 *
 *   events N THREADS [STATUS]  N events on each thread, exit with STATUS
 *   spans N                    N spans with one event each
 *   endless                    events until killed; the count is in COUNT_FILE
 *   burst SECONDS              events as fast as can be, then says how many
 *   slow N MS                  N events, MS apart
 *   hold N MS                  N short spans, one that stays open for MS, N more
 *   levels N MS                N times an info and a debug event, MS apart
 *   fork N                     parent and child emit N events each
 *   daemon SECONDS             a child outlives the program and keeps emitting
 *   exec N                     N events, then this program again, with N more
 *   look                       signals, descriptors, group, environment
 *   catch SIGNAL STATUS        emits, waits for SIGNAL, says so, exits
 */
#include <dirent.h>
#include <fcntl.h>
#include <oriel/oriel.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static void *emit_events(void *count)
{
    long n = *(const long *)count;
    for (long i = 0; i < n; i++)
        ORIEL_INFO("said", "i", i);
    return NULL;
}

static int events(long n, int threads, int status)
{
    pthread_t t[64];
    for (int i = 0; i < threads; i++)
        pthread_create(&t[i], NULL, emit_events, &n);
    for (int i = 0; i < threads; i++)
        pthread_join(t[i], NULL);
    printf("emitted %ld\n", n * threads);
    return status;
}

static int spans(long n)
{
    for (long i = 0; i < n; i++) {
        ORIEL_SPAN("outer", "i", i);
        ORIEL_INFO("inside");
    }
    printf("emitted %ld\n", n);
    return 0;
}

/* A count that survives SIGKILL, one step behind at most. */
static int endless(void)
{
    const char *path = getenv("COUNT_FILE");
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, 4096) != 0)
        return 1;
    volatile long *count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (;;) {
        ORIEL_INFO("said", "i", *count);
        ++*count;
        for (volatile int k = 0; k < 300; k++)
            ;
    }
}

static int burst(double seconds)
{
    struct timespec a, b;
    long n = 0;
    clock_gettime(CLOCK_MONOTONIC, &a);
    do {
        for (int i = 0; i < 1000; i++, n++)
            ORIEL_INFO("said", "i", n);
        clock_gettime(CLOCK_MONOTONIC, &b);
    } while ((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9 < seconds);
    printf("emitted %ld\n", n);
    return 0;
}

static int levels(long n, long ms)
{
    printf("pid %d\n", (int)getpid());
    fflush(stdout);
    for (long i = 0; i < n; i++) {
        ORIEL_INFO("coarse", "i", i);
        ORIEL_DEBUG("fine", "i", i);
        sleep_ms(ms);
    }
    return 0;
}

static int hold(long n, long ms)
{
    for (long i = 0; i < n; i++) {
        ORIEL_SPAN("short");
    }
    {
        ORIEL_SPAN("held");
        sleep_ms(ms);
    }
    for (long i = 0; i < n; i++) {
        ORIEL_SPAN("short");
    }
    return 0;
}

static int slow(long n, long ms)
{
    for (long i = 0; i < n; i++) {
        ORIEL_INFO("said", "i", i);
        sleep_ms(ms);
    }
    printf("emitted %ld\n", n);
    return 0;
}

static int with_child(long n)
{
    emit_events(&n);
    if (fork() == 0) {
        emit_events(&n);
        _exit(0);
    }
    printf("emitted %ld\n", 2 * n);
    fflush(stdout);
    return 0;
}

static int daemonise(long seconds)
{
    ORIEL_INFO("parent");
    if (fork() == 0) {
        setsid();
        for (int fd = 0; fd < 3; fd++)
            close(fd);
        for (long i = 0; i < seconds * 100; i++) {
            ORIEL_INFO("child", "i", i);
            sleep_ms(10);
        }
        _exit(0);
    }
    return 0;
}

static int again(char **argv, long n)
{
    char one[] = "events", count[32], threads[] = "1";
    emit_events(&n);
    snprintf(count, sizeof count, "%ld", n);
    char *args[] = {argv[0], one, count, threads, NULL};
    execv("/proc/self/exe", args);
    return 1;
}

/* Everything a program could notice of a recorder, in a fixed order. */
static int look(void)
{
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int s = 1; s < NSIG; s++) {
        struct sigaction sa;
        if (sigaction(s, NULL, &sa) == 0 && sa.sa_handler != SIG_DFL)
            printf("signal %d is not at its default\n", s);
        if (sigismember(&blocked, s) == 1)
            printf("signal %d is blocked\n", s);
    }
    for (int fd = 0; fd < 64; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf("descriptor %d\n", fd);
    printf("leader of its group: %d\n", getpgrp() == getpid());
    printf("session of the parent: %d\n", getsid(0) == getsid(getppid()));
    printf("ring in the environment: %d\n", getenv("ORIEL_RING") != NULL);
    return 0;
}

static volatile sig_atomic_t caught;
static void on_signal(int s)
{
    caught = s;
}

static int catch_signal(int number, int status)
{
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(number, &sa, NULL);
    ORIEL_INFO("waiting");
    printf("ready\n");
    fflush(stdout);
    while (!caught)
        sleep_ms(1);
    printf("caught %d\n", (int)caught);
    return status;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    long a = argc > 2 ? strtol(argv[2], NULL, 10) : 0, b = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
    int c = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 0;
    if (strcmp(mode, "events") == 0)
        return events(a, (int)b, c);
    if (strcmp(mode, "spans") == 0)
        return spans(a);
    if (strcmp(mode, "endless") == 0)
        return endless();
    if (strcmp(mode, "burst") == 0)
        return burst(strtod(argv[2], NULL));
    if (strcmp(mode, "slow") == 0)
        return slow(a, b);
    if (strcmp(mode, "hold") == 0)
        return hold(a, b);
    if (strcmp(mode, "levels") == 0)
        return levels(a, b);
    if (strcmp(mode, "fork") == 0)
        return with_child(a);
    if (strcmp(mode, "daemon") == 0)
        return daemonise(a);
    if (strcmp(mode, "exec") == 0)
        return again(argv, a);
    if (strcmp(mode, "look") == 0)
        return look();
    if (strcmp(mode, "catch") == 0)
        return catch_signal((int)a, (int)b);
    return 64;
}
