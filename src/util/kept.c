/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A table without a lock, because a child of fork reads it as the fork left it: an
 * entry is claimed, written, and shown with its last store. What does not fit is only
 * not closed in children.
 */
#include "util/kept.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENTRIES = 512, FREE = 0, CLAIMED = -1 };

static struct entry {
    atomic_int fd_plus_1; /* or FREE, CLAIMED */
    _Atomic dev_t dev;
    _Atomic ino_t ino;
} entries[ENTRIES];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool is_still(int fd, dev_t dev, ino_t ino)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* The same in the order in which it was shown: acquire pairs with the release of kept_note. */
static bool is_entry(struct entry *e, int fd, dev_t dev, ino_t ino)
{
    return atomic_load_explicit(&e->fd_plus_1, memory_order_acquire) == fd + 1 && e->dev == dev &&
           e->ino == ino;
}

/* Async-signal-safe. */
static void forked(void)
{
    int kept = errno;
    for (unsigned i = 0; i < ENTRIES; i++) {
        struct entry *e = &entries[i];
        int fd = atomic_load_explicit(&e->fd_plus_1, memory_order_acquire) - 1;
        if (fd >= 0 && is_still(fd, e->dev, e->ino))
            close(fd);
        /* Also what a thread, which is not here, was about to write. */
        atomic_store_explicit(&e->fd_plus_1, FREE, memory_order_relaxed);
    }
    errno = kept;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forked);
}

void kept_note(int fd, dev_t dev, ino_t ino)
{
    pthread_once(&once, watch_forks);
    for (unsigned i = 0; i < ENTRIES && fd >= 0; i++) {
        struct entry *e = &entries[i];
        int expected = FREE;
        if (!atomic_compare_exchange_strong(&e->fd_plus_1, &expected, CLAIMED))
            continue;
        e->dev = dev;
        e->ino = ino;
        /* Pairs with the acquire of is_entry and forked. */
        atomic_store_explicit(&e->fd_plus_1, fd + 1, memory_order_release);
        return;
    }
}

void kept_forget(int fd, dev_t dev, ino_t ino)
{
    for (unsigned i = 0; i < ENTRIES && fd >= 0; i++)
        if (is_entry(&entries[i], fd, dev, ino)) {
            atomic_store_explicit(&entries[i].fd_plus_1, FREE, memory_order_release);
            return;
        }
}

struct kept kept_open(int fd)
{
    int kept = errno;
    struct stat st = {0};
    struct kept k = {.fd = fd};
    if (fd >= 0 && fstat(fd, &st) == 0) {
        k.dev = st.st_dev;
        k.ino = st.st_ino;
        kept_note(fd, k.dev, k.ino);
    }
    errno = kept;
    return k;
}

bool kept_is_ours(struct kept *k)
{
    int kept = errno;
    bool ours = is_still(k->fd, k->dev, k->ino);
    if (!ours)
        (void)kept_release(k);
    errno = kept;
    return ours;
}

int kept_release(struct kept *k)
{
    int fd = k->fd;
    kept_forget(fd, k->dev, k->ino);
    k->fd = -1;
    return fd;
}

void kept_close(struct kept *k)
{
    int kept = errno;
    if (kept_is_ours(k))
        close(kept_release(k));
    errno = kept;
}
