/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A storm of forks (B7): eight threads emit while children are forked, which
 * emit under their own pid and end by _exit, exit, exec or abort in turns. A
 * child that hangs is ended by its alarm. Prints "forks N hangs N odd N".
 *
 *   forks PAGE_FILE COUNT
 */
#include "tick.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { THREADS = 8, CHILD_TICKS = 3, CHILD = 1000, AFTER_EXEC = 10000000, WATCHDOG_S = 600 };

static volatile int over;

static void *emit(void *arg)
{
    for (uint64_t i = 0; !over; i++) {
        tick((uint64_t)(uintptr_t)arg, i);
        if (i % 64 == 63)
            usleep(200);
    }
    return NULL;
}

static void child(char **argv, unsigned i)
{
    char who[16], page[512];
    alarm(WATCHDOG_S);
    tick_own_pid();
    for (uint64_t k = 0; k < CHILD_TICKS; k++)
        tick(CHILD + i, k);
    switch (i % 4) {
    case 0:
        _exit(0);
    case 1:
        exit(0);
    case 2:
        snprintf(who, sizeof who, "%u", AFTER_EXEC + i);
        snprintf(page, sizeof page, "%s", argv[1]);
        execl("/proc/self/exe", argv[0], page, "exec", who, (char *)NULL);
        _exit(3);
    default:
        abort();
    }
}

/* True if it ended as it was meant to. */
static int ended_well(int status, unsigned i)
{
    return i % 4 == 3 ? WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT
                      : WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    const struct rlimit none = {0, 0};
    pthread_t t[THREADS];
    unsigned hangs = 0, odd = 0;
    if (argc < 3 || tick_open(argv[1]) != 0)
        return 2;
    if (argc > 3) { /* after exec */
        tick(strtoull(argv[3], NULL, 10), 0);
        return 0;
    }
    setrlimit(RLIMIT_CORE, &none);
    unsigned count = (unsigned)strtoul(argv[2], NULL, 10);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, emit, (void *)i);
    for (unsigned i = 0; i < count; i++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
            child(argv, i);
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
            return 3;
        hangs += WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
        odd += !ended_well(status, i);
    }
    over = 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    printf("forks %u hangs %u odd %u\n", count, hangs, odd);
    return 0;
}
