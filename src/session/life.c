/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A page that holds one mutex. Any thread. */
#include "session/life.h"

#include <errno.h>
#include <pthread.h>

#include "base/err.h"
#include "base/os.h"

struct life {
    pthread_mutex_t mutex;
    unsigned held;  /* atomic; ever */
    unsigned ended; /* atomic; one that had it ended with it */
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
