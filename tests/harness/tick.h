/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the programs of this folder record: events that say who made them and
 * which one it is, so that tally.c can find each of them once; and a page
 * outside of Oriel with the number of tries, which outlives any death.
 */
#ifndef ORIEL_HARNESS_TICK_H
#define ORIEL_HARNESS_TICK_H

#ifndef ORIEL_TARGET
#define ORIEL_TARGET "harness"
#endif
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <oriel/oriel.h>

enum { TICK_PAGE = 4096 };

static uint64_t *tick_page; /* [0]: tries */
static uint64_t tick_pid;

/* Call it at the start, and in a fork child. */
__attribute__((unused)) static void tick_own_pid(void)
{
    tick_pid = (uint64_t)getpid();
}

__attribute__((unused)) static int tick_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, TICK_PAGE) != 0)
        return -1;
    void *p = mmap(0, TICK_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return -1;
    tick_page = (uint64_t *)p;
    tick_own_pid();
    return 0;
}

/* One try. Safe wherever an emit is. */
__attribute__((unused)) static inline void tick(uint64_t who, uint64_t seq)
{
    ORIEL_EVENT("tick", "pid", tick_pid, "who", who, "seq", seq);
    __atomic_fetch_add(&tick_page[0], 1, __ATOMIC_RELAXED);
}

#endif
