/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A page that holds one mutex, and who may wait for it. Any thread. */
#include "session/life.h"

#include <errno.h>
#include <pthread.h>

#include "base/err.h"
#include "base/os.h"

struct life {
    pthread_mutex_t mutex;
    unsigned held;  /* atomic; ever */
    unsigned ended; /* atomic; one that had it ended with it */
    /* All atomic, and ever: forks begun, places taken for their children, in turns, and filled in.
     */
    uint32_t forks, places, there;
    int32_t children[LIFE_CHILDREN];
};

int life_new(struct life **out)
{
    pthread_mutexattr_t attr;
    void *page = NULL;
    if (pthread_mutexattr_init(&attr) != 0)
        return ORIEL_ENOMEM;
    int rc = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    if (rc == 0)
        rc = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    if (rc == 0)
        rc = os_map_shared(sizeof(struct life), &page);
    struct life *l = page;
    if (rc == 0 && (rc = pthread_mutex_init(&l->mutex, &attr)) != 0)
        os_unmap(page, sizeof *l);
    pthread_mutexattr_destroy(&attr);
    if (rc != 0)
        return ORIEL_ENOMEM;
    *out = l;
    return 0;
}

void life_free(struct life *l)
{
    if (l)
        os_unmap(l, sizeof *l);
}

/* Of a lock that was taken: is it whole? */
static bool is_whole(struct life *l, int rc)
{
    if (rc != EOWNERDEAD)
        return rc == 0;
    __atomic_store_n(&l->ended, 1, __ATOMIC_RELEASE);
    return pthread_mutex_consistent(&l->mutex) == 0;
}

bool life_hold(struct life *l)
{
    if (!is_whole(l, pthread_mutex_lock(&l->mutex)))
        return false;
    __atomic_store_n(&l->held, 1, __ATOMIC_RELEASE);
    return true;
}

bool life_has_ended(struct life *l)
{
    if (!is_whole(l, pthread_mutex_trylock(&l->mutex)))
        return false;
    life_let_go(l);
    return __atomic_load_n(&l->ended, __ATOMIC_ACQUIRE);
}

void life_let_go(struct life *l)
{
    (void)pthread_mutex_unlock(&l->mutex);
}

bool life_is_held(const struct life *l)
{
    return __atomic_load_n(&l->held, __ATOMIC_ACQUIRE);
}

void life_expect_child(struct life *l)
{
    __atomic_fetch_add(&l->forks, 1, __ATOMIC_RELEASE); /* pairs with life_expects */
}

bool life_expects(const struct life *l)
{
    return __atomic_load_n(&l->forks, __ATOMIC_ACQUIRE) !=
           __atomic_load_n(&l->there, __ATOMIC_ACQUIRE);
}

void life_add_child(struct life *l, int32_t pid)
{
    const uint32_t at = __atomic_fetch_add(&l->places, 1, __ATOMIC_RELAXED) % LIFE_CHILDREN;
    __atomic_store_n(&l->children[at], pid, __ATOMIC_RELEASE); /* pairs with who asks */
    __atomic_fetch_add(&l->there, 1, __ATOMIC_RELEASE);
}

unsigned life_children(const struct life *l, int32_t out[LIFE_CHILDREN])
{
    unsigned n = 0;
    for (unsigned i = 0; i < LIFE_CHILDREN; i++) {
        const int32_t pid = __atomic_load_n(&l->children[i], __ATOMIC_ACQUIRE);
        if (pid)
            out[n++] = pid;
    }
    return n;
}
