/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Comes by one function, hit(), in every kind of thread and process there is, counts
 * how often, and says that at the end. On one CPU, where the kernel goes from
 * one thread right to the next.
 *
 *   hits                   all kinds
 *   hits gate              all kinds when a line has come
 *   hits flood N RECORDER  N times while the recorder is stopped
 *   hits slow N RECORDER   numbered(), N times, never more than the recorder has room for
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 20, CHILDREN = 4, SHORT = 100 };

static atomic_ulong *count; /* of all processes */

__attribute__((noinline)) void hit(void)
{
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) void numbered(unsigned long number)
{
    __asm__ volatile("" : : "r"(number) : "memory");
}

static void *hitting(void *times)
{
    for (int i = 0; i < *(const int *)times; i++) {
        hit();
        atomic_fetch_add(count, 1);
    }
    return NULL;
}

static void hit_here(int times)
{
    (void)hitting(&times);
}

static void must(int rc)
{
    if (rc != 0)
        abort();
}

static void *has_child(void *times)
{
    pthread_t child;
    (void)hitting(times);
    must(pthread_create(&child, NULL, hitting, times));
    must(pthread_join(child, NULL));
    return hitting(times);
}

/* The main thread goes on with what another one left it. */
static void joined(void)
{
    int times = 3;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t other;
        must(pthread_create(&other, NULL, i % 2 ? has_child : hitting, &times));
        must(pthread_join(other, NULL));
        hit_here(5);
    }
}

static void short_lived(void)
{
    pthread_t all[SHORT];
    int times = 1;
    for (int i = 0; i < SHORT; i++)
        must(pthread_create(&all[i], NULL, hitting, &times));
    for (int i = 0; i < SHORT; i++)
        must(pthread_join(all[i], NULL));
    hit_here(1);
}

static void in_child(void (*what)(void))
{
    pid_t child = fork();
    int status;
    if (child == 0) {
        what();
        _exit(0);
    }
    must(child < 0 || waitpid(child, &status, 0) != child || status != 0);
}

static void *outlives(void *main_thread)
{
    must(pthread_join(*(pthread_t *)main_thread, NULL));
    joined();
    in_child(joined);
    _exit(0);
}

/* Its process goes on without it. */
static void leaves(void)
{
    static pthread_t self;
    pthread_t other;
    self = pthread_self();
    must(pthread_create(&other, NULL, outlives, &self));
    hit_here(2);
    pthread_exit(NULL);
}

/* The same program again, which counts there. */
static void executed(void)
{
    char name[] = "hits", again[] = "again", fd[] = "3", *argv[] = {name, again, fd, NULL};
    pid_t child;
    int status;
    must(posix_spawn(&child, "/proc/self/exe", NULL, NULL, argv, environ));
    must(waitpid(child, &status, 0) != child || status != 0);
    hit_here(1);
}

static void all_kinds(void)
{
    joined();
    short_lived();
    for (int i = 0; i < CHILDREN; i++)
        in_child(joined);
    in_child(short_lived);
    in_child(leaves);
    in_child(executed);
    executed();
    joined();
}

static void share(int fd)
{
    void *at = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(at == MAP_FAILED);
    count = at;
}

/* How often it went to sleep by itself, which it does after each look. */
static unsigned long rests_of(const char *pid)
{
    static const char key[] = "\nvoluntary_ctxt_switches:";
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%s/status", pid);
    FILE *f = fopen(path, "re");
    must(!f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    must(fclose(f));
    const char *at = strstr(text, key);
    must(!at);
    return strtoul(at + strlen(key), NULL, 10);
}

static void hit_slowly(unsigned long times, const char *recorder)
{
    enum { PORTION = 5000, LOOKS = 3 };
    for (unsigned long i = 0; i < times; i++) {
        numbered(i);
        const unsigned long before = i % PORTION == PORTION - 1 ? rests_of(recorder) : 0;
        while (before && rests_of(recorder) < before + LOOKS)
            (void)usleep(1000);
    }
    atomic_store(count, times);
}

int main(int argc, char **argv)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    (void)sched_setaffinity(0, sizeof one, &one);
    if (argc == 3) {
        share(atoi(argv[2]));
        joined();
        return 0;
    }
    int fd = memfd_create("hits", 0);
    must(fd < 0 || dup2(fd, 3) != 3 || ftruncate(3, sizeof *count) != 0);
    share(3);
    if (argc == 4 && strcmp(argv[1], "slow") == 0) {
        hit_slowly(strtoul(argv[2], NULL, 10), argv[3]);
    } else if (argc == 4) {
        must(kill(atoi(argv[3]), SIGSTOP));
        hit_here(atoi(argv[2]));
        must(kill(atoi(argv[3]), SIGCONT));
    } else {
        if (argc == 2)
            (void)getchar();
        all_kinds();
    }
    printf("hits %lu\n", atomic_load(count));
    return 0;
}
