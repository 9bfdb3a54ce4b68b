/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Allocates in every way there is, so many rounds as it is told, and prints what
 * that came to by usable size: "allocations bytes frees freed_bytes". What else
 * the process allocates does not depend on the rounds, so the test takes the
 * difference of two runs. Also keeps, gives back and forks as it is asked:
 *
 *   truth ROUNDS [keep | fork | threads]
 */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* More than there is; the compiler does not know. */
static volatile size_t too_much = SIZE_MAX / 2;

static struct {
    unsigned long allocations, bytes, frees, freed;
} sums;

static void *came(void *p)
{
    if (!p)
        abort();
    __atomic_fetch_add(&sums.allocations, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&sums.bytes, malloc_usable_size(p), __ATOMIC_RELAXED);
    return p;
}

static void *goes(void *p)
{
    if (p) {
        __atomic_fetch_add(&sums.frees, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&sums.freed, malloc_usable_size(p), __ATOMIC_RELAXED);
    }
    return p;
}

static void give(void *p)
{
    free(goes(p));
}

static void one_of_each(size_t n)
{
    void *aligned = NULL;
    void *p[] = {came(malloc(n)),
                 came(calloc(n, 3)),
                 came(memalign(64, n)),
                 came(aligned_alloc(4096, n)),
                 came(valloc(n)),
                 came(pvalloc(n)),
                 came(realloc(NULL, n)),
                 came(reallocarray(NULL, n, 2)),
                 came(strdup("a copy of a text"))};
    if (posix_memalign(&aligned, 128, n) != 0)
        abort();
    came(aligned);
    if (posix_memalign(&aligned, 3, n) == 0 || malloc(too_much) || reallocarray(NULL, too_much, 4))
        abort();
    for (size_t i = 0; i < sizeof p / sizeof p[0]; i++) {
        p[i] = came(realloc(goes(p[i]), n * 7));
        if (realloc(p[i], too_much)) /* refused: it stays */
            abort();
        if (i % 2)
            give(p[i]);
        else if (realloc(goes(p[i]), 0)) /* a free by another name */
            abort();
    }
    give(aligned);
    give(NULL);
}

__attribute__((noinline)) static void keeps(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++)
        memset(came(malloc(1000)), 1, 1000);
}

__attribute__((noinline)) static void gives_back(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++)
        give(memset(came(malloc(3000)), 1, 3000));
}

static void *all(void *rounds)
{
    for (unsigned i = 0; i < *(unsigned *)rounds; i++)
        one_of_each(1 + i * 37 % 5000);
    return NULL;
}

static void in_threads(unsigned rounds)
{
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, all, &rounds);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
}

static void in_child(unsigned rounds)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        memset(&sums, 0, sizeof sums);
        all(&rounds);
        printf("child %lu %lu %lu %lu\n", sums.allocations, sums.bytes, sums.frees, sums.freed);
        fflush(stdout);
        exit(0);
    }
    if (waitpid(pid, &status, 0) != pid || status != 0)
        abort();
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
    const char *how = argc > 2 ? argv[2] : "";
    static char room[BUFSIZ];
    setvbuf(stdout, room, _IOFBF, sizeof room); /* as many allocations, whatever is printed */
    if (strcmp(how, "keep") == 0) {
        keeps(rounds);
        gives_back(rounds);
    } else if (strcmp(how, "fork") == 0) {
        in_child(rounds);
    } else if (strcmp(how, "threads") == 0) {
        in_threads(rounds);
    } else {
        all(&rounds);
    }
    printf("%lu %lu %lu %lu\n", sums.allocations, sums.bytes, sums.frees, sums.freed);
    return 3;
}
