/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What liboriel-cpu puts in front of libc: threads get their timer when they
 * start and lose it when they end; a program that handles our signal itself gets
 * it. Preloaded by `oriel record` where the kernel refuses perf events.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "hook/cpu/cpu.h"
#include "rec/rec.h"

#define PUBLIC __attribute__((visibility("default")))

enum { STARTS_MAX = 256, RATE_DEFAULT = 99, RATE_MAX = 10000 };

/* What a thread that is about to start will run. */
struct start {
    uint32_t used; /* atomic */
    void *(*run)(void *);
    void *arg;
};
static struct start starts[STARTS_MAX];
static pthread_key_t key;
static bool opened, key_usable;

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
typedef int action_fn(int, const struct sigaction *, struct sigaction *);
typedef void (*handler)(int);

/* ISO C has no conversion from object to function pointer; POSIX has. */
static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* ---- threads ---- */

static void at_thread_end(void *unused)
{
    (void)unused;
    cpu_thread_end();
}

static void *begin_thread(void *at)
{
    struct start *s = at, mine = *s;
    __atomic_store_n(&s->used, 0, __ATOMIC_RELEASE);
    cpu_thread_begin();
    if (key_usable)
        pthread_setspecific(key, &opened);
    void *result = mine.run(mine.arg);
    cpu_thread_end();
    return result;
}

PUBLIC int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg)
{
    static create_fn *real;
    if (!real) {
        void *found = next("pthread_create");
        memcpy(&real, &found, sizeof real);
    }
    for (unsigned i = 0; opened && i < STARTS_MAX; i++) {
        uint32_t no = 0;
        struct start *s = &starts[i];
        if (!__atomic_compare_exchange_n(&s->used, &no, 1, false, __ATOMIC_ACQUIRE,
                                         __ATOMIC_RELAXED))
            continue;
        s->run = run;
        s->arg = arg;
        int rc = real(thread, attr, begin_thread, s);
        if (rc != 0)
            __atomic_store_n(&s->used, 0, __ATOMIC_RELEASE);
        return rc;
    }
    return real(thread, attr, run, arg); /* too many at once: it goes unseen */
}

/* ---- signals ---- */

static action_fn *real_action(void)
{
    static action_fn *real;
    if (!real) {
        void *found = next("sigaction");
        memcpy(&real, &found, sizeof real);
    }
    return real;
}

/* Our signal, as the program believes it to be: at its default, until it wants it. To
 * set the default is no reason to end; one that is pending would kill. */
PUBLIC int sigaction(int number, const struct sigaction *act, struct sigaction *old)
{
    if (!opened || number != cpu_signal())
        return real_action()(number, act, old);
    if (!act || (!(act->sa_flags & SA_SIGINFO) && act->sa_handler == SIG_DFL)) {
        if (old)
            memset(old, 0, sizeof *old);
        return 0;
    }
    opened = false;
    cpu_yield();
    int rc = real_action()(number, act, old);
    if (old)
        memset(old, 0, sizeof *old);
    return rc;
}

PUBLIC handler signal(int number, handler fn)
{
    static handler (*real)(int, handler);
    struct sigaction old, act = {.sa_handler = fn, .sa_flags = SA_RESTART};
    if (!real) {
        void *found = next("signal");
        memcpy(&real, &found, sizeof real);
    }
    if (!opened || number != cpu_signal())
        return real(number, fn);
    return sigaction(number, &act, &old) == 0 ? old.sa_handler : SIG_ERR;
}

/* ---- beginning ---- */

static uint32_t rate_of(const char *text)
{
    unsigned long n = strtoul(text, NULL, 10);
    return n == 0 || n > RATE_MAX ? RATE_DEFAULT : (uint32_t)n;
}

static void forked(void)
{
    if (opened)
        cpu_forked();
}

__attribute__((constructor)) static void begin(void)
{
    bool secure = getauxval(AT_SECURE) != 0;
    const char *rate = secure ? NULL : getenv("ORIEL_CPU");
    const char *ring = secure ? NULL : getenv("ORIEL_RING");
    int kept = errno;
    rec_current_looks_on();
    if (rate && *rate && ring && *ring) {
        if (!rec_is_on())
            (void)oriel_attach(ring);
        key_usable = pthread_key_create(&key, at_thread_end) == 0;
        if (rec_is_on() && cpu_open(rate_of(rate)) == 0) {
            opened = true;
            pthread_atfork(NULL, NULL, forked);
        }
    }
    errno = kept;
}
