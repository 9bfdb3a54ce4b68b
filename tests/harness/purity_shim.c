/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Preloaded by the purity test: counts calls of what an emit may not call.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#define EXPORTED __attribute__((visibility("default")))

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);
extern int __pthread_mutex_lock(pthread_mutex_t *);
extern int __pthread_mutex_unlock(pthread_mutex_t *);

static unsigned long calls;

EXPORTED unsigned long purity_calls(void);
unsigned long purity_calls(void)
{
    return __atomic_load_n(&calls, __ATOMIC_RELAXED);
}

static void count(void)
{
    __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
}

EXPORTED void *malloc(size_t n)
{
    count();
    return __libc_malloc(n);
}

EXPORTED void *calloc(size_t n, size_t size)
{
    count();
    return __libc_calloc(n, size);
}

EXPORTED void *realloc(void *p, size_t n)
{
    count();
    return __libc_realloc(p, n);
}

EXPORTED void free(void *p)
{
    count();
    __libc_free(p);
}

/* Not called on: a lock is wrong whatever it does. */
EXPORTED int pthread_mutex_lock(pthread_mutex_t *m)
{
    (void)m;
    count();
    return 0;
}

EXPORTED int pthread_mutex_unlock(pthread_mutex_t *m)
{
    (void)m;
    count();
    return 0;
}
