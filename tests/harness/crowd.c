/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program that would notice an observer: threads and children that come and
 * go all the time, system calls that a signal would interrupt, a trap that a
 * tracer would take. Runs until its input ends, then says what went wrong:
 * nothing. "crowd [say]": with records for Oriel, which may not be there.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <oriel/oriel.h>

enum { CROWDS = 3, GUESTS = 4 };

static atomic_bool over;
static atomic_ulong interrupted, failed, born;
static bool say;

static void *guest(void *arg)
{
    volatile unsigned long *sum = arg;
    for (unsigned long i = 0; i < 20000; i++)
        *sum += i * i;
    if (say)
        ORIEL_INFO("guest", "sum", *sum);
    return arg;
}

static void nap(void)
{
    const struct timespec t = {.tv_nsec = 300000};
    if (nanosleep(&t, NULL) != 0 && errno == EINTR)
        interrupted++;
}

static void child(void)
{
    pid_t pid = fork();
    int status;
    if (pid == 0)
        _exit(3);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 3)
        failed++;
}

static void *crowd(void *unused)
{
    volatile unsigned long sums[GUESTS] = {0};
    pthread_t guests[GUESTS];
    do { /* once, however soon it is over */
        for (int i = 0; i < GUESTS; i++)
            if (pthread_create(&guests[i], NULL, guest, (void *)&sums[i]) != 0)
                _exit(1);
        for (int i = 0; i < GUESTS; i++)
            pthread_join(guests[i], NULL);
        born += GUESTS;
        nap();
        child();
    } while (!over);
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t crowds[CROWDS];
    char c;
    say = argc > 1 && strcmp(argv[1], "say") == 0;
    for (int i = 0; i < CROWDS; i++)
        if (pthread_create(&crowds[i], NULL, crowd, NULL) != 0)
            return 1;
    ssize_t n;
    while ((n = read(STDIN_FILENO, &c, 1)) > 0)
        ;
    if (n < 0)
        interrupted += errno == EINTR;
    over = true;
    for (int i = 0; i < CROWDS; i++)
        pthread_join(crowds[i], NULL);
    printf("interrupted %lu, failed %lu, some were born: %d\n", interrupted, failed, born > 0);
    return 7;
}
