/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Two things that a program does in pairs, so that tools that watch them can be
 * compared by what one costs more under them:
 *
 *   pairs locks N     N times lock and unlock a mutex that nobody else wants
 *   pairs switches N  N times from one thread to the other, on one CPU
 *
 * Prints nothing: the CPU time of the whole command is what counts.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned long times, counter;
static int ping, pong;

static void say(int fd)
{
    uint64_t one = 1;
    if (write(fd, &one, sizeof one) != sizeof one)
        abort();
}

static void hear(int fd)
{
    uint64_t any;
    if (read(fd, &any, sizeof any) != sizeof any)
        abort();
}

static void *answer(void *unused)
{
    for (unsigned long i = 0; i < times / 2; i++) {
        hear(ping);
        say(pong);
    }
    return NULL;
}

static void on_one_cpu(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(sched_getcpu(), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        abort();
}

static int switches(void)
{
    pthread_t other;
    on_one_cpu();
    ping = eventfd(0, 0);
    pong = eventfd(0, 0);
    if (ping < 0 || pong < 0 || pthread_create(&other, NULL, answer, NULL) != 0)
        return 1;
    for (unsigned long i = 0; i < times / 2; i++) {
        say(ping);
        hear(pong);
    }
    return pthread_join(other, NULL);
}

static void *nothing(void *unused)
{
    return NULL;
}

static int locks(void)
{
    pthread_t other; /* with one thread the C library may do without atomics */
    if (pthread_create(&other, NULL, nothing, NULL) != 0)
        return 1;
    for (unsigned long i = 0; i < times; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return pthread_join(other, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    times = strtoul(argv[2], NULL, 10);
    return strcmp(argv[1], "locks") == 0 ? locks() : switches();
}
