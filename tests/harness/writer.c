/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program to be killed: THREADS threads emit at full rate. After each emit a
 * thread stores how many it has attempted into a page outside of Oriel, so that
 * a checker knows to one record what must be there.
 *
 *   writer PAGE_FILE THREADS [SECONDS]
 */
#define ORIEL_TARGET "harness"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <oriel/oriel.h>

enum { THREADS_MAX = 64, LINE = 8 };

static volatile uint64_t *page;

static void *emit(void *arg)
{
    uint64_t me = (uint64_t)(uintptr_t)arg;
    volatile uint64_t *attempted = &page[me * LINE];
    for (uint64_t i = 0;; i++) {
        ORIEL_EVENT("tick", "thread", me, "seq", i, "check", ~i * 2654435761u, "text",
                    "some words");
        __atomic_store_n(attempted, i + 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
    unsigned threads = (unsigned)atoi(argv[2]);
    if (fd < 0 || threads > THREADS_MAX || ftruncate(fd, 4096) != 0)
        return 2;
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return 2;
    for (unsigned i = 0; i < threads; i++) {
        pthread_t t;
        pthread_create(&t, NULL, emit, (void *)(uintptr_t)i);
    }
    if (argc > 3) {
        struct timespec t = {atoi(argv[3]), 0};
        nanosleep(&t, NULL);
        _exit(0);
    }
    for (;;)
        pause();
}
