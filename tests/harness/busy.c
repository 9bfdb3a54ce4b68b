/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A stranger that does all that Oriel's preloaded libraries look at: threads
 * that allocate, free each other's blocks, want one lock, wait for a condition
 * and use the CPU; a child; a library that is opened and closed. What it says on
 * both streams, and its status 7, depend on its arguments alone.
 *
 *   busy ROUNDS [THREADS]
 * Says that it is ready and waits for a byte (or the end) of stdin before it begins.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 64, THREADS_MAX = 4096, CHILD_STATUS = 5 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
static sem_t two;
static unsigned char *slots[SLOTS]; /* by lock */
static uint64_t sum;                /* likewise */
static unsigned turn, threads, rounds;

/* The function that `record --calls` is told to watch: once a round. */
__attribute__((noinline)) static uint64_t leaf(uint64_t x)
{
    for (int i = 0; i < 200; i++)
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return x >> 33;
}

/* One block comes, and what another thread may have left here goes. */
static void exchange(unsigned who, unsigned round)
{
    size_t n = 16 + (who * 131 + round * 17) % 2000;
    unsigned char *p = malloc(n), *old;
    if (!p)
        abort();
    memset(p, (int)(n & 0xff), n);
    if (round % 5 == 0) {
        p = realloc(p, n * 2);
        if (!p || p[n - 1] != (n & 0xff))
            abort();
    }
    pthread_mutex_lock(&lock);
    old = slots[round % SLOTS];
    slots[round % SLOTS] = p;
    pthread_mutex_unlock(&lock);
    free(old);
}

/* Every thread in its turn, once in a hundred rounds. */
static void take_turn(unsigned who)
{
    pthread_mutex_lock(&lock);
    while (turn % threads != who)
        pthread_cond_wait(&changed, &lock);
    turn++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void *work(void *arg)
{
    pthread_attr_t attr;
    /* The first thing that many a runtime does in a thread; it allocates meanwhile. */
    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        abort();
    pthread_attr_destroy(&attr);
    unsigned who = (unsigned)(uintptr_t)arg;
    uint64_t mine = 0;
    for (unsigned i = 0; i < rounds; i++) {
        exchange(who, i);
        mine += leaf(who + i);
        if (i % 100 == 0)
            take_turn(who);
        if (i % 16 == 0) {
            sem_wait(&two);
            (i % 32 ? pthread_rwlock_rdlock : pthread_rwlock_wrlock)(&shared);
            pthread_rwlock_unlock(&shared);
            sem_post(&two);
        }
    }
    pthread_mutex_lock(&lock);
    sum += mine;
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* A library comes and goes; the child allocates, and ends in its own way. */
static void interlude(unsigned n)
{
    int status = 0;
    void *library = dlopen("libresolv.so.2", RTLD_NOW);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        for (unsigned i = 0; i < 200; i++)
            free(malloc(leaf(i) % 3000 + 1));
        if (n % 2)
            _exit(CHILD_STATUS);
        exit(CHILD_STATUS);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        abort();
    printf("child %u: %s %d\n", n, WIFEXITED(status) ? "status" : "signal",
           WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    if (library)
        dlclose(library);
}

static void all_threads(void)
{
    pthread_t t[THREADS_MAX];
    for (uintptr_t i = 0; i < threads; i++)
        if (pthread_create(&t[i], NULL, work, (void *)i) != 0)
            abort();
    for (unsigned i = 0; i < threads; i++)
        if (pthread_join(t[i], NULL) != 0)
            abort();
}

int main(int argc, char **argv)
{
    char go;
    rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
    threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 4;
    if (rounds == 0 || threads == 0 || threads > THREADS_MAX)
        return 2;
    sem_init(&two, 0, 2);
    if (write(1, "ready\n", 6) != 6 || read(0, &go, 1) < 0)
        return 3;
    for (unsigned n = 0; n < 3; n++) {
        interlude(n);
        all_threads();
        printf("part %u: %llu\n", n, (unsigned long long)sum);
        fprintf(stderr, "part %u is over\n", n);
        fflush(stdout);
    }
    for (unsigned i = 0; i < SLOTS; i++)
        free(slots[i]);
    return 7;
}
