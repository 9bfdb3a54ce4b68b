/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program to be recorded. Says on stdout what it emitted, so that a test can
 * compare; behaves otherwise exactly the same with and without a recorder.
 *
 *   events N THREADS [STATUS]  N events on each thread, exit with STATUS
 *   spans N                    N spans with one event each
 *   endless                    events until killed; the count is in COUNT_FILE
 *   steps N                    N events for each line of stdin, answered by "step"
 *   busy                       spans that burn CPU time and that sleep, until it is killed
 *   hold N MS                  N short spans, one that stays open for MS, N more
 *   held SPANS EVENTS          so many; "held", in a span until a line comes; so many
 *   levels                     an info and a debug event every millisecond until
 *                              SIGTERM; the count of pairs is in COUNT_FILE
 *   fork N                     parent and child emit N events each
 *   daemon SECONDS             a child outlives the program and keeps emitting
 *   linger                     a child, whose pid is said, lives until it is killed
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
#include <sys/wait.h>
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
static volatile long *shared_count(void)
{
    const char *path = getenv("COUNT_FILE");
    int fd = path ? open(path, O_RDWR | O_CREAT, 0600) : -1;
    if (fd < 0 || ftruncate(fd, 4096) != 0)
        return NULL;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return page == MAP_FAILED ? NULL : page;
}

static int endless(void)
{
    volatile long *count = shared_count();
    if (!count)
        return 1;
    for (;;) {
        ORIEL_INFO("said", "i", *count);
        ++*count;
        for (volatile int k = 0; k < 300; k++)
            ;
    }
}

static volatile sig_atomic_t caught;
static void on_signal(int s)
{
    caught = s;
}

static int levels(void)
{
    const struct sigaction sa = {.sa_handler = on_signal};
    volatile long *count = shared_count();
    sigaction(SIGTERM, &sa, NULL);
    if (!count)
        return 1;
    printf("pid %d\n", (int)getpid());
    fflush(stdout);
    while (!caught) {
        ORIEL_INFO("coarse", "i", *count);
        ORIEL_DEBUG("fine", "i", *count);
        ++*count;
        sleep_ms(1);
    }
    return 0;
}

static int steps(long n)
{
    char line[64];
    long i = 0;
    while (fgets(line, sizeof line, stdin)) {
        for (long end = i + n; i < end; i++)
            ORIEL_INFO("said", "i", i);
        printf("step\n");
        fflush(stdout);
    }
    printf("emitted %ld\n", i);
    return 0;
}

static int busy(void)
{
    for (;;) {
        ORIEL_SPAN("around");
        {
            ORIEL_SPAN("burning");
            for (volatile long i = 0; i < 20000000; i++)
                ;
        }
        {
            ORIEL_SPAN("napping");
            sleep_ms(20);
        }
    }
}

static void short_spans(long n)
{
    for (long i = 0; i < n; i++) {
        ORIEL_SPAN("short");
    }
}

static int hold(long n, long ms)
{
    short_spans(n);
    {
        ORIEL_SPAN("held");
        sleep_ms(ms);
    }
    short_spans(n);
    return 0;
}

static int held(long n_spans, long n_events)
{
    char line[64];
    short_spans(n_spans);
    emit_events(&n_events);
    {
        ORIEL_SPAN("held");
        printf("held\n");
        fflush(stdout);
        if (!fgets(line, sizeof line, stdin))
            return 1;
    }
    short_spans(n_spans);
    emit_events(&n_events);
    return 0;
}

static int with_child(long n)
{
    int status = 1;
    emit_events(&n);
    pid_t child = fork();
    if (child == 0) {
        emit_events(&n);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || status != 0)
        return 1;
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

/* The child has recorded when the program ends. */
static int linger(void)
{
    int ends[2];
    char byte = 0;
    ORIEL_INFO("parent");
    if (pipe(ends) != 0)
        return 1;
    pid_t child = fork();
    if (child == 0) {
        ORIEL_INFO("child");
        if (write(ends[1], &byte, 1) != 1)
            _exit(1);
        for (int fd = 0; fd < 64; fd++)
            close(fd);
        for (;;)
            pause();
    }
    if (read(ends[0], &byte, 1) != 1)
        return 1;
    printf("child %d\n", (int)child);
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
    if (strcmp(mode, "steps") == 0)
        return steps(a);
    if (strcmp(mode, "busy") == 0)
        return busy();
    if (strcmp(mode, "hold") == 0)
        return hold(a, b);
    if (strcmp(mode, "held") == 0)
        return held(a, b);
    if (strcmp(mode, "levels") == 0)
        return levels();
    if (strcmp(mode, "linger") == 0)
        return linger();
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
