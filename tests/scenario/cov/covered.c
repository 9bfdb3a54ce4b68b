/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What coverage is measured of: branches, loops, a switch, code that is never
 * reached, and, by what the first argument says, threads, forks, signals, an
 * exec of itself and a child that outlives its parent. Prints the same always.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int choose(int n)
{
    switch (n % 5) {
    case 0:
        return 10;
    case 1:
        return 20;
    case 7:
        return 70;
    default:
        break;
    }
    if (n > 100 && n < 200)
        n = -n;
    return n > 2 ? n : 0;
}

static int never(int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum += choose(i);
    return sum;
}

static long work(long n)
{
    long sum = 0;
    for (long i = 0; i < n; i++) {
        if (i % 3 == 0)
            sum += choose((int)i);
        else
            sum ^= i;
    }
    return sum;
}

static volatile sig_atomic_t signals_seen;
static void on_signal(int number)
{
    (void)number;
    signals_seen++;
}

static int only_in_thread(int n)
{
    return n * 2;
}

static pthread_barrier_t barrier;
/* Threads run into the same places at the same time. */
static void *in_thread(void *p)
{
    long sum = 0;
    pthread_barrier_wait(&barrier);
    for (int round = 0; round < 50; round++) {
        sum += work(20);
        sum += only_in_thread(round);
        if (round == 49)
            sum += choose(1000);
    }
    *(long *)p = sum;
    return NULL;
}

static void threads(void)
{
    enum { N = 8 };
    pthread_t t[N];
    long sums[N];
    pthread_barrier_init(&barrier, NULL, N);
    for (int i = 0; i < N; i++)
        if (pthread_create(&t[i], NULL, in_thread, &sums[i]) != 0)
            exit(9);
    for (int i = 0; i < N; i++)
        pthread_join(t[i], NULL);
    for (int i = 1; i < N; i++)
        if (sums[i] != sums[0])
            exit(8);
    printf("threads %ld\n", sums[0]);
}

/* What the kernel makes of this: the thread becomes the process, all others end. */
static void *exec_in_thread(void *p)
{
    char **argv = p;
    execl(argv[0], argv[0], "again", "12", (char *)NULL);
    exit(5);
}

static int only_in_child(int n)
{
    return (int)work(n) & 0x3f;
}

static int also_in_child(int n)
{
    return n + 1;
}

static void forks(void)
{
    int status, sum = 0;
    for (int i = 0; i < 20; i++) {
        fflush(stdout);
        pid_t pid = i % 2 ? fork() : vfork();
        if (pid == 0)
            _exit(i % 2 ? only_in_child(i) : 7);
        waitpid(pid, &status, 0);
        sum += WEXITSTATUS(status);
    }
    sum += also_in_child(sum);
    printf("forks %d\n", sum);
}

static void signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal};
    sigset_t set;
    sigaction(SIGUSR1, &sa, NULL);
    sigaction(SIGTRAP, &sa, NULL);
    raise(SIGUSR1);
    raise(SIGTRAP); /* one of its own */
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR2);
    sigpending(&set);
    printf("signals %d %d\n", (int)signals_seen, sigismember(&set, SIGUSR2));
    /* Nothing is interrupted that would not be without a tracer. */
    int rc = poll(NULL, 0, 20);
    printf("poll %d\n", rc);
}

/* Goes on when its parent is gone; says so in a file. */
static void leave_behind(const char *path)
{
    int gone[2];
    char byte;
    if (pipe(gone) != 0)
        exit(9);
    if (fork() != 0)
        _exit(0); /* the end that the child waits for closes now */
    close(gone[1]);
    int in = open("/dev/null", O_RDWR);
    dup2(in, 0);
    dup2(in, 1);
    dup2(in, 2);
    while (read(gone[0], &byte, 1) < 0 && errno == EINTR)
        ;
    long sum = never(50) + work(30) + only_in_child(5);
    for (int tries = 0; tries < 200; tries++)
        sum += also_in_child(tries);
    char part[4096];
    snprintf(part, sizeof part, "%s.part", path);
    FILE *f = fopen(part, "w");
    if (f && fprintf(f, "%ld\n", sum) > 0 && fclose(f) == 0)
        rename(part, path);
    _exit(0);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    printf("work %ld\n", work(argc > 2 ? atoi(argv[2]) : 40));
    if (strcmp(what, "threads") == 0)
        threads();
    else if (strcmp(what, "forks") == 0)
        forks();
    else if (strcmp(what, "signals") == 0)
        signals();
    else if (strcmp(what, "leave") == 0)
        leave_behind(argv[3]);
    else if (strcmp(what, "kill") == 0)
        raise(SIGTERM);
    else if (strcmp(what, "exec") == 0) {
        fflush(stdout);
        execl(argv[0], argv[0], "again", "12", (char *)NULL);
        return 5;
    } else if (strcmp(what, "thread-exec") == 0) {
        pthread_t t;
        fflush(stdout);
        if (pthread_create(&t, NULL, exec_in_thread, argv) == 0)
            pthread_join(t, NULL);
        return 5;
    } else if (strcmp(what, "stop") == 0) {
        fflush(stdout);
        raise(SIGSTOP);
        printf("went on\n");
    } else if (strcmp(what, "all") == 0) {
        printf("never %d\n", never(9));
        threads();
        forks();
        signals();
    }
    fprintf(stderr, "done\n");
    return strcmp(what, "status") == 0 ? 42 : 0;
}
