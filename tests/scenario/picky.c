/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program that a sampler inside of it could upset: it counts signals of its
 * own profiling timer, its sleeps must not be interrupted, it forks, runs other
 * programs and starts many short threads. "picky" says what went wrong;
 * "picky take" handles the sampler's own signal itself; "picky naps" sleeps 100,000
 * times in calls that no kernel restarts after a signal.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t profiled, taken;
static volatile uint64_t sink;

static void on_prof(int number)
{
    (void)number;
    profiled = 1;
}

static void on_taken(int number)
{
    (void)number;
    taken++;
}

__attribute__((noinline)) static void burn(unsigned ms)
{
    struct timespec t;
    uint64_t end = 0, now = 0;
    while (now < end || end == 0) {
        for (uint64_t i = 0; i < 20000; i++)
            sink += i * i;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
        end = end ? end : now + ms * UINT64_C(1000000);
    }
}

static void *thread(void *unused)
{
    burn(5);
    return unused;
}

static int child(int program)
{
    pid_t pid = fork();
    int status;
    if (pid == 0) {
        burn(150);
        if (program)
            execl("/bin/sh", "sh", "-c", "exit 5", (char *)NULL);
        _exit(5);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                           : -1;
}

static int was_interrupted(int result)
{
    return result < 0 && errno == EINTR;
}

/* Short, so that the time is the CPU's and its ticks fall into all of it. */
static int naps(int rounds)
{
    int interrupted = 0, epoll = epoll_create1(0);
    const struct timespec nap = {0, 2000};
    struct epoll_event event;
    (void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    for (int i = 0; i < rounds; i++) {
        struct timeval short_time = {0, 2};
        interrupted += was_interrupted(nanosleep(&nap, NULL));
        interrupted += was_interrupted(ppoll(NULL, 0, &nap, NULL));
        interrupted += was_interrupted(select(0, NULL, NULL, NULL, &short_time));
        interrupted += clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL) == EINTR;
        if (i % 100 == 0)
            interrupted += was_interrupted(epoll_wait(epoll, &event, 1, 1));
    }
    close(epoll);
    printf("interrupted %d\n", interrupted);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "naps") == 0)
        return naps(25000);
    const struct itimerval every = {{0, 10000}, {0, 10000}};
    struct timespec nap = {0, 2000000};
    int interrupted = 0, ours = SIGRTMAX - 2, asked = 0;
    struct sigaction old;
    sigaction(ours, NULL, &old);
    printf("the signal is at its default: %d\n", old.sa_handler == SIG_DFL);
    signal(ours, SIG_DFL);
    burn(100);
    if (argc > 1 && strcmp(argv[1], "take") == 0) {
        printf("it was at its default: %d\n", signal(ours, on_taken) == SIG_DFL);
        burn(300);
        raise(ours);
        asked = 1;
    }
    signal(SIGPROF, on_prof);
    setitimer(ITIMER_PROF, &every, NULL);
    burn(300);
    setitimer(ITIMER_PROF, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
    for (int i = 0; i < 50; i++)
        interrupted += nanosleep(&nap, NULL) != 0 && errno == EINTR;
    for (int i = 0; i < 40; i++) {
        pthread_t t;
        if (pthread_create(&t, NULL, thread, NULL) != 0)
            return 1;
        pthread_join(t, NULL);
    }
    printf("children: %d %d\n", child(0), child(1));
    printf("profiled %d, interrupted %d, taken as often as asked: %d\n", (int)profiled, interrupted,
           taken == asked);
    return 9;
}
