/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Locks that a program waits for, and who holds them. Each function first tries
 * its lock: where that works, nothing is asked of the system and two words are
 * stored: which lock, and by whom and where it was taken. Where it does not work
 * the wait is timed and told with its stack and with those two words. What a lock
 * does, and what it returns, is the C library's.
 *
 * Runs in every thread of the observed program, in its signal handlers too: no
 * lock of ours, no allocation, errno stays.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "hook/stacks.h"
#include "rec/rec.h"

#define EXPORT __attribute__((visibility("default")))
#define CALLER ((uintptr_t)__builtin_return_address(0))
#define TLS __attribute__((tls_model("initial-exec")))

enum {
    HOLDERS_BITS = 14,
    SLOTS = 1 << 16, /* threads; beyond that numbers are used again */
    SHORT_NS = 20000,
    SHORT_ONE_IN = 8 /* of waits that are shorter, one in so many is told */
};

/* ---- the C library's ---- */

/* In the order of `names`. */
enum function {
    MUTEX_LOCK,
    MUTEX_TRY,
    MUTEX_TIMED,
    MUTEX_CLOCK,
    RW_READ,
    RW_WRITE,
    RW_TRY_READ,
    RW_TRY_WRITE,
    RW_TIMED_READ,
    RW_TIMED_WRITE,
    SPIN_LOCK,
    COND_WAIT,
    COND_TIMED,
    COND_CLOCK,
    SEM_WAIT,
    SEM_TIMED,
    SEM_CLOCK,
    RW_CLOCK_READ,
    RW_CLOCK_WRITE,
    BARRIER,
    FUNCTIONS
};
static const char *const names[FUNCTIONS] = {"pthread_mutex_lock",
                                             "pthread_mutex_trylock",
                                             "pthread_mutex_timedlock",
                                             "pthread_mutex_clocklock",
                                             "pthread_rwlock_rdlock",
                                             "pthread_rwlock_wrlock",
                                             "pthread_rwlock_tryrdlock",
                                             "pthread_rwlock_trywrlock",
                                             "pthread_rwlock_timedrdlock",
                                             "pthread_rwlock_timedwrlock",
                                             "pthread_spin_lock",
                                             "pthread_cond_wait",
                                             "pthread_cond_timedwait",
                                             "pthread_cond_clockwait",
                                             "sem_wait",
                                             "sem_timedwait",
                                             "sem_clockwait",
                                             "pthread_rwlock_clockrdlock",
                                             "pthread_rwlock_clockwrlock",
                                             "pthread_barrier_wait"};
static void *found[FUNCTIONS]; /* atomic */

/* Conditions have had an older form, which dlsym may give: of the library that it finds,
 * the newer one. That is the C library, or another in front of it. */
static void *find_condition(const char *name)
{
    Dl_info first, versioned;
    void *p = dlsym(RTLD_NEXT, name), *newer = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
    bool same = p && newer && dladdr(p, &first) && dladdr(newer, &versioned) &&
                first.dli_fbase == versioned.dli_fbase;
    return same || !p ? newer : p;
}

static void *find(enum function f)
{
    void *p = __atomic_load_n(&found[f], __ATOMIC_RELAXED);
    if (__builtin_expect(p != NULL, 1))
        return p;
    int kept = errno;
    if (f == COND_WAIT || f == COND_TIMED)
        p = find_condition(names[f]);
    if (!p)
        p = dlsym(RTLD_NEXT, names[f]);
    __atomic_store_n(&found[f], p, __ATOMIC_RELAXED);
    errno = kept;
    return p;
}
#define REAL(f, type) ((type)(uintptr_t)find(f))

typedef int mutex_fn(pthread_mutex_t *);
typedef int mutex_timed_fn(pthread_mutex_t *, const struct timespec *);
typedef int mutex_clock_fn(pthread_mutex_t *, clockid_t, const struct timespec *);
typedef int rwlock_fn(pthread_rwlock_t *);
typedef int rwlock_timed_fn(pthread_rwlock_t *, const struct timespec *);
typedef int spin_fn(pthread_spinlock_t *);
typedef int cond_fn(pthread_cond_t *, pthread_mutex_t *);
typedef int cond_timed_fn(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
typedef int cond_clock_fn(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
typedef int sem_fn(sem_t *);
typedef int sem_timed_fn(sem_t *, const struct timespec *);
typedef int sem_clock_fn(sem_t *, clockid_t, const struct timespec *);
typedef int rwlock_clock_fn(pthread_rwlock_t *, clockid_t, const struct timespec *);
typedef int barrier_fn(pthread_barrier_t *);

/* ---- who holds what ---- */

/* Two words without a lock: `who` is the place (48 bits) and the thread's slot,
 * `check` the address of the lock mixed with it. Halves of two holders do not
 * fit together, nor do those of another lock in the same place. */
struct holder {
    uint64_t check, who; /* atomic */
};
static struct holder holders[1 << HOLDERS_BITS];
static int32_t tids[SLOTS]; /* atomic */
static uint32_t slots_used; /* atomic */
static bool on;             /* set once, before the program's own threads */
static __thread uint32_t my_slot TLS;
static __thread uint32_t inside TLS, random_bits TLS;
static __thread uint8_t whose TLS; /* enum whose */

static struct holder *holder_of(uint64_t lock)
{
    return &holders[lock * UINT64_C(0x9e3779b97f4a7c15) >> (64 - HOLDERS_BITS)];
}

__attribute__((noinline)) static uint32_t new_slot(void)
{
    uint32_t n = __atomic_add_fetch(&slots_used, 1, __ATOMIC_RELAXED);
    my_slot = 1 + n % (SLOTS - 1);
    __atomic_store_n(&tids[my_slot], (int32_t)syscall(SYS_gettid), __ATOMIC_RELAXED);
    return my_slot;
}

static inline void took(const void *lock, uintptr_t place)
{
    if (__builtin_expect(!on, 0))
        return;
    uint32_t slot = __builtin_expect(my_slot != 0, 1) ? my_slot : new_slot();
    uint64_t who = (uint64_t)place << 16 | slot;
    struct holder *h = holder_of((uintptr_t)lock);
    __atomic_store_n(&h->who, who, __ATOMIC_RELAXED);
    __atomic_store_n(&h->check, who ^ (uintptr_t)lock, __ATOMIC_RELAXED);
}

/* 0: not known. */
static uint64_t who_has(const void *lock)
{
    const struct holder *h = holder_of((uintptr_t)lock);
    uint64_t check = __atomic_load_n(&h->check, __ATOMIC_RELAXED);
    uint64_t who = __atomic_load_n(&h->who, __ATOMIC_RELAXED);
    return (check ^ who) == (uintptr_t)lock && (who & 0xffff) != my_slot ? who : 0;
}

/* ---- waits ---- */

enum whose { WHOSE_UNKNOWN = 0, WHOSE_PROGRAM, WHOSE_ORIEL };
struct wait {
    uint64_t begin_ns, who;
    bool told;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Threads of Oriel's own wait most of their time, and nobody wants to know. What they hold
 * is noted all the same: should the program wait for it, it is told for whom. */
static bool is_told(void)
{
    if (!on || inside)
        return false;
    if (whose == WHOSE_UNKNOWN)
        whose = own_thread_here() ? WHOSE_ORIEL : WHOSE_PROGRAM;
    return whose == WHOSE_PROGRAM;
}

static struct wait wait_begin(const void *lock)
{
    struct wait w = {.told = is_told()};
    if (w.told) {
        w.begin_ns = now_ns();
        w.who = who_has(lock);
    }
    return w;
}

/* Whom a condition waits for is not known. */
static struct wait condition_begin(void)
{
    struct wait w = {.told = is_told()};
    if (w.told)
        w.begin_ns = now_ns();
    return w;
}

/* How many waits this one stands for; 0: it is not told. */
static uint32_t stands_for(uint64_t ns)
{
    if (ns >= SHORT_NS)
        return 1;
    random_bits = random_bits * 1664525u + 1013904223u + (uint32_t)ns;
    return (random_bits >> 16) % SHORT_ONE_IN == 0 ? SHORT_ONE_IN : 0;
}

static void tell_holder(const struct hook_sample *waited, uint64_t who, struct hook_stack *room)
{
    int32_t tid = __atomic_load_n(&tids[who & 0xffff], __ATOMIC_RELAXED);
    const struct hook_sample held = {ORIEL_SAMPLE_HOLDER, waited->weight, waited->count,
                                     (uint32_t)tid};
    room->result = (struct unwind_result){.count = 1, .end = UNWIND_END_COMPLETE};
    room->caller = true;
    room->pcs[0] = who >> 16;
    (void)hook_stacks_sample(&held, room);
}

/* The frames of this function and of the one that calls it are ours; the latter
 * bears the name of what was called and says what for. */
__attribute__((noinline)) static void wait_end(const struct wait *w, const void *lock, uint8_t kind)
{
    int kept = errno;
    if (!w->told)
        return;
    uint64_t ns = now_ns() - w->begin_ns;
    uint32_t n = stands_for(ns);
    if (n) {
        inside++;
        const struct hook_sample waited = {kind, ns * n, n, (uintptr_t)lock};
        struct hook_stack *stack = hook_stacks_borrow();
        hook_stacks_thread();
        if (stack)
            hook_stacks_here(stack, 1);
        bool unknown = stack && hook_stacks_unknown(stack);
        if (hook_stacks_sample(&waited, stack) && w->who && stack)
            tell_holder(&waited, w->who, stack);
        hook_stacks_return(stack);
        if (unknown)
            hook_stacks_refresh();
        inside--;
    }
    errno = kept;
}

/* ---- what the program calls ---- */

/* Tried first; what trying says of a lock that is free, broken or its own holds. */
#define TRY_THEN(lock, tried, waits)                                                               \
    int rc = tried;                                                                                \
    if (rc == EBUSY) {                                                                             \
        struct wait w = wait_begin(lock);                                                          \
        rc = waits;                                                                                \
        if (rc == 0 || rc == EOWNERDEAD || rc == ETIMEDOUT)                                        \
            wait_end(&w, lock, ORIEL_SAMPLE_LOCK);                                                 \
    }                                                                                              \
    if (rc == 0 || rc == EOWNERDEAD)                                                               \
        took(lock, CALLER);                                                                        \
    return rc

EXPORT int pthread_mutex_lock(pthread_mutex_t *m)
{
    TRY_THEN(m, REAL(MUTEX_TRY, mutex_fn *)(m), REAL(MUTEX_LOCK, mutex_fn *)(m));
}

EXPORT int pthread_mutex_trylock(pthread_mutex_t *m)
{
    int rc = REAL(MUTEX_TRY, mutex_fn *)(m);
    if (rc == 0 || rc == EOWNERDEAD)
        took(m, CALLER);
    return rc;
}

EXPORT int pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *until)
{
    TRY_THEN(m, REAL(MUTEX_TRY, mutex_fn *)(m), REAL(MUTEX_TIMED, mutex_timed_fn *)(m, until));
}

EXPORT int pthread_mutex_clocklock(pthread_mutex_t *m, clockid_t clock,
                                   const struct timespec *until)
{
    TRY_THEN(m, REAL(MUTEX_TRY, mutex_fn *)(m),
             REAL(MUTEX_CLOCK, mutex_clock_fn *)(m, clock, until));
}

EXPORT int pthread_rwlock_rdlock(pthread_rwlock_t *l)
{
    TRY_THEN(l, REAL(RW_TRY_READ, rwlock_fn *)(l), REAL(RW_READ, rwlock_fn *)(l));
}

EXPORT int pthread_rwlock_wrlock(pthread_rwlock_t *l)
{
    TRY_THEN(l, REAL(RW_TRY_WRITE, rwlock_fn *)(l), REAL(RW_WRITE, rwlock_fn *)(l));
}

EXPORT int pthread_rwlock_tryrdlock(pthread_rwlock_t *l)
{
    int rc = REAL(RW_TRY_READ, rwlock_fn *)(l);
    if (rc == 0)
        took(l, CALLER);
    return rc;
}

EXPORT int pthread_rwlock_trywrlock(pthread_rwlock_t *l)
{
    int rc = REAL(RW_TRY_WRITE, rwlock_fn *)(l);
    if (rc == 0)
        took(l, CALLER);
    return rc;
}

EXPORT int pthread_rwlock_timedrdlock(pthread_rwlock_t *l, const struct timespec *until)
{
    TRY_THEN(l, REAL(RW_TRY_READ, rwlock_fn *)(l),
             REAL(RW_TIMED_READ, rwlock_timed_fn *)(l, until));
}

EXPORT int pthread_rwlock_timedwrlock(pthread_rwlock_t *l, const struct timespec *until)
{
    TRY_THEN(l, REAL(RW_TRY_WRITE, rwlock_fn *)(l),
             REAL(RW_TIMED_WRITE, rwlock_timed_fn *)(l, until));
}

EXPORT int pthread_rwlock_clockrdlock(pthread_rwlock_t *l, clockid_t clock,
                                      const struct timespec *until)
{
    TRY_THEN(l, REAL(RW_TRY_READ, rwlock_fn *)(l),
             REAL(RW_CLOCK_READ, rwlock_clock_fn *)(l, clock, until));
}

EXPORT int pthread_rwlock_clockwrlock(pthread_rwlock_t *l, clockid_t clock,
                                      const struct timespec *until)
{
    TRY_THEN(l, REAL(RW_TRY_WRITE, rwlock_fn *)(l),
             REAL(RW_CLOCK_WRITE, rwlock_clock_fn *)(l, clock, until));
}

EXPORT int pthread_spin_lock(pthread_spinlock_t *l)
{
    TRY_THEN((const void *)(uintptr_t)l, pthread_spin_trylock(l), REAL(SPIN_LOCK, spin_fn *)(l));
}

/* A condition gives its mutex back and takes it again, perhaps after waiting for it too:
 * that is told as one wait, for the condition. From then on this thread holds it. */
#define WAIT_CONDITION(c, m, waits)                                                                \
    struct wait w = condition_begin();                                                             \
    int rc = waits;                                                                                \
    if (rc == 0 || rc == ETIMEDOUT || rc == EOWNERDEAD) {                                          \
        wait_end(&w, c, ORIEL_SAMPLE_CONDITION);                                                   \
        took(m, CALLER);                                                                           \
    }                                                                                              \
    return rc

EXPORT int pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
    WAIT_CONDITION(c, m, REAL(COND_WAIT, cond_fn *)(c, m));
}

EXPORT int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                  const struct timespec *until)
{
    WAIT_CONDITION(c, m, REAL(COND_TIMED, cond_timed_fn *)(c, m, until));
}

EXPORT int pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock,
                                  const struct timespec *until)
{
    WAIT_CONDITION(c, m, REAL(COND_CLOCK, cond_clock_fn *)(c, m, clock, until));
}

/* The last to come waits for nobody: it is told one time in eight, as short waits are. */
EXPORT int pthread_barrier_wait(pthread_barrier_t *b)
{
    struct wait w = condition_begin();
    int rc = REAL(BARRIER, barrier_fn *)(b);
    if (rc == 0)
        wait_end(&w, b, ORIEL_SAMPLE_CONDITION);
    return rc;
}

/* As a lock: the last that came through holds it. errno is not touched where it is
 * free at once. */
#define TRY_SEM(s, waits)                                                                          \
    pthread_testcancel(); /* which waiting would do */                                             \
    int kept = errno, rc = sem_trywait(s);                                                         \
    if (rc != 0 && errno == EAGAIN) {                                                              \
        struct wait w = wait_begin(s);                                                             \
        errno = kept;                                                                              \
        rc = waits;                                                                                \
        wait_end(&w, s, ORIEL_SAMPLE_LOCK);                                                        \
    }                                                                                              \
    if (rc == 0)                                                                                   \
        took(s, CALLER);                                                                           \
    return rc

EXPORT int sem_wait(sem_t *s)
{
    TRY_SEM(s, REAL(SEM_WAIT, sem_fn *)(s));
}

EXPORT int sem_timedwait(sem_t *s, const struct timespec *until)
{
    TRY_SEM(s, REAL(SEM_TIMED, sem_timed_fn *)(s, until));
}

EXPORT int sem_clockwait(sem_t *s, clockid_t clock, const struct timespec *until)
{
    TRY_SEM(s, REAL(SEM_CLOCK, sem_clock_fn *)(s, clock, until));
}

/* ---- beginning ---- */

static void forked(void)
{
    hook_stacks_forked(__atomic_load_n(&slots_used, __ATOMIC_RELAXED) <= 1);
    my_slot = 0; /* another number */
    whose = WHOSE_UNKNOWN;
}

/* The core of this library attaches to the ring by itself. */
__attribute__((constructor)) static void begin(void)
{
    int kept = errno;
    const char *wanted = getauxval(AT_SECURE) ? NULL : getenv("ORIEL_LOCKS");
    rec_current_looks_on();
    for (int f = 0; f < FUNCTIONS; f++)
        (void)find((enum function)f);
    if (wanted && *wanted && hook_stacks_open(true) == 0) {
        hook_stacks_tell();
        hook_stacks_thread();
        pthread_atfork(NULL, NULL, forked);
        on = true;
    }
    errno = kept;
}
