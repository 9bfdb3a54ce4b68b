/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program that knows nothing of Oriel and whose waits are known: who waits,
 * where, for what, for whom and at least how long. "waiting WHAT MILLISECONDS":
 * lock, pipe, nap, convoy, cond, rwlock, stdin, deep. "waiting locks" says what
 * locks answer where they refuse.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Not inlined, not a tail call: a frame of its own. */
#ifdef __clang__
#define FRAME __attribute__((noinline))
#else
#define FRAME __attribute__((noinline, noclone))
#endif

static volatile uint64_t sink;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t taken;
static int ready, ends[2];
static uint64_t ms;

FRAME static void nap(void)
{
    struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
    sink++;
}

static void call_me(const char *name)
{
    pthread_setname_np(pthread_self(), name);
}

/* ---- a lock that somebody holds while it naps ---- */

FRAME static void take_it(void)
{
    pthread_mutex_lock(&lock);
    sink++;
}

FRAME static void give_back(void)
{
    pthread_mutex_unlock(&lock);
    sink++;
}

static void *hold(void *unused)
{
    call_me("holder");
    take_it();
    pthread_barrier_wait(&taken);
    nap();
    give_back();
    return unused;
}

FRAME static void want_it(void)
{
    pthread_mutex_lock(&lock);
    sink++;
    pthread_mutex_unlock(&lock);
}

FRAME static void want_to_read(void)
{
    pthread_rwlock_rdlock(&rwlock);
    sink++;
    pthread_rwlock_unlock(&rwlock);
}

FRAME static void write_it(void)
{
    pthread_rwlock_wrlock(&rwlock);
    sink++;
}

static void *hold_for_writing(void *unused)
{
    call_me("writer");
    write_it();
    pthread_barrier_wait(&taken);
    nap();
    pthread_rwlock_unlock(&rwlock);
    return unused;
}

/* ---- a condition, a pipe ---- */

FRAME static void wait_for_change(void)
{
    pthread_mutex_lock(&lock);
    while (!ready)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    sink++;
}

FRAME static void announce(void)
{
    pthread_mutex_lock(&lock);
    ready = 1;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    sink++;
}

static void *change(void *unused)
{
    call_me("changer");
    nap();
    announce();
    return unused;
}

FRAME static void feed(void)
{
    if (write(ends[1], "x", 1) == 1)
        sink++;
}

static void *write_pipe(void *unused)
{
    call_me("feeder");
    nap();
    feed();
    return unused;
}

FRAME static void drink(int from)
{
    char c;
    if (read(from, &c, 1) == 1)
        sink++;
}

/* ---- many for one lock ---- */

enum { MANY = 4 };
static int came; /* atomic */

/* Nobody naps before all have come: then they wait for each other. */
FRAME static void queue_up(void)
{
    __atomic_add_fetch(&came, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_lock(&lock);
    while (__atomic_load_n(&came, __ATOMIC_SEQ_CST) < MANY)
        sched_yield();
    nap();
    pthread_mutex_unlock(&lock);
    sink++;
}

static void *be_one_of_many(void *unused)
{
    call_me("one");
    pthread_barrier_wait(&taken);
    queue_up();
    return unused;
}

/* ---- a deep stack ---- */

FRAME static uint64_t go_down(int levels)
{
    volatile char room[4000];
    struct timespec t;
    room[levels] = (char)levels;
    if (levels > 0) {
        sink += go_down(levels - 1);
    } else {
        do { /* as long as it takes to be seen */
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        } while ((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 < ms);
    }
    return sink + (uint64_t)room[levels];
}

static void with(void *(*other)(void *), void (*then)(void), int wait)
{
    pthread_t t;
    pthread_barrier_init(&taken, NULL, 2);
    pthread_create(&t, NULL, other, NULL);
    if (wait)
        pthread_barrier_wait(&taken);
    then();
    pthread_join(t, NULL);
}

static void drink_pipe(void)
{
    drink(ends[0]);
}

static void convoy(void)
{
    pthread_t t[MANY];
    pthread_barrier_init(&taken, NULL, MANY);
    for (int i = 0; i < MANY; i++)
        pthread_create(&t[i], NULL, be_one_of_many, NULL);
    for (int i = 0; i < MANY; i++)
        pthread_join(t[i], NULL);
}

/* ---- what locks answer ---- */

static void answers(const char *what, int got, int wanted)
{
    printf("%s %s\n", what, got == wanted ? "ok" : "wrong");
}

static void ask_locks(void)
{
    pthread_mutex_t m;
    pthread_mutexattr_t a;
    sem_t s;
    const struct timespec past = {1, 0};
    pthread_mutexattr_init(&a);
    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&m, &a);
    pthread_mutex_lock(&m);
    answers("errorcheck", pthread_mutex_lock(&m), EDEADLK);
    answers("try", pthread_mutex_trylock(&m), EBUSY);
    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&m, &a);
    pthread_mutex_lock(&m);
    answers("recursive", pthread_mutex_lock(&m), 0);
    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_NORMAL);
    pthread_mutex_init(&m, &a);
    pthread_mutex_lock(&m);
    answers("timed", pthread_mutex_timedlock(&m, &past), ETIMEDOUT);
    pthread_rwlock_wrlock(&rwlock);
    answers("rwlock", pthread_rwlock_rdlock(&rwlock), EDEADLK);
    sem_init(&s, 0, 1);
    errno = 77;
    answers("sem", sem_wait(&s) == 0 ? errno : -1, 77);
    answers("sem timed", sem_timedwait(&s, &past) == -1 ? errno : 0, ETIMEDOUT);
    ready = 0;
    pthread_mutex_lock(&lock);
    answers("cond", pthread_cond_timedwait(&changed, &lock, &past), ETIMEDOUT);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "nap";
    ms = argc > 2 ? strtoull(argv[2], NULL, 10) : 200;
    if (pipe(ends) != 0)
        return 1;
    if (strcmp(what, "lock") == 0)
        with(hold, want_it, 1);
    else if (strcmp(what, "rwlock") == 0)
        with(hold_for_writing, want_to_read, 1);
    else if (strcmp(what, "cond") == 0)
        with(change, wait_for_change, 0);
    else if (strcmp(what, "pipe") == 0)
        with(write_pipe, drink_pipe, 0);
    else if (strcmp(what, "convoy") == 0)
        convoy();
    else if (strcmp(what, "stdin") == 0)
        drink(0);
    else if (strcmp(what, "locks") == 0)
        ask_locks();
    else if (strcmp(what, "deep") == 0)
        go_down(100);
    else
        nap();
    return 0;
}
