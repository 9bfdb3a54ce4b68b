/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The hook of locks in many threads at once, also under the sanitizers, which put
 * themselves in front of the same functions: what a program calls bears other
 * names here. What a report says of it: scenario.waiting.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#define pthread_mutex_lock hooked_mutex_lock
#define pthread_mutex_trylock hooked_mutex_trylock
#define pthread_mutex_timedlock hooked_mutex_timedlock
#define pthread_mutex_clocklock hooked_mutex_clocklock
#define pthread_rwlock_rdlock hooked_rdlock
#define pthread_rwlock_wrlock hooked_wrlock
#define pthread_rwlock_tryrdlock hooked_tryrdlock
#define pthread_rwlock_trywrlock hooked_trywrlock
#define pthread_rwlock_timedrdlock hooked_timedrdlock
#define pthread_rwlock_timedwrlock hooked_timedwrlock
#define pthread_rwlock_clockrdlock hooked_clockrdlock
#define pthread_rwlock_clockwrlock hooked_clockwrlock
#define pthread_spin_lock hooked_spin_lock
#define pthread_cond_wait hooked_cond_wait
#define pthread_cond_timedwait hooked_cond_timedwait
#define pthread_cond_clockwait hooked_cond_clockwait
#define pthread_barrier_wait hooked_barrier_wait
#define sem_wait hooked_sem_wait
#define sem_timedwait hooked_sem_timedwait
#define sem_clockwait hooked_sem_clockwait
int pthread_mutex_lock(pthread_mutex_t *m);
int pthread_mutex_trylock(pthread_mutex_t *m);
int pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *until);
int pthread_mutex_clocklock(pthread_mutex_t *m, clockid_t clock, const struct timespec *until);
int pthread_rwlock_rdlock(pthread_rwlock_t *l);
int pthread_rwlock_wrlock(pthread_rwlock_t *l);
int pthread_rwlock_tryrdlock(pthread_rwlock_t *l);
int pthread_rwlock_trywrlock(pthread_rwlock_t *l);
int pthread_rwlock_timedrdlock(pthread_rwlock_t *l, const struct timespec *until);
int pthread_rwlock_timedwrlock(pthread_rwlock_t *l, const struct timespec *until);
int pthread_rwlock_clockrdlock(pthread_rwlock_t *l, clockid_t clock, const struct timespec *until);
int pthread_rwlock_clockwrlock(pthread_rwlock_t *l, clockid_t clock, const struct timespec *until);
int pthread_spin_lock(pthread_spinlock_t *l);
int pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);
int pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock,
                           const struct timespec *until);
int pthread_barrier_wait(pthread_barrier_t *b);
int sem_wait(sem_t *s);
int sem_timedwait(sem_t *s, const struct timespec *until);
int sem_clockwait(sem_t *s, clockid_t clock, const struct timespec *until);

#include "hook/lock/interpose.c"

#include <oriel/runtime.h>
#include "ring_reader.h"
#include "test.h"

enum { THREADS = 4, ROUNDS = 2000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
static sem_t two;
static unsigned turn, sum, read_sum;

static struct {
    struct region *region;
    struct reader reader;
    uint64_t count[ORIEL_SAMPLE_KINDS], ns[ORIEL_SAMPLE_KINDS];
} f;

static void start(void)
{
    f.region = reader_region(0, 64, WIRE_POLICY_DROP_NEWEST);
    REQUIRE(oriel_attach(region_path(f.region)) == 0);
    setenv("ORIEL_LOCKS", "1", 1);
    begin();
    REQUIRE(on);
    REQUIRE(sem_init(&two, 0, 2) == 0);
    REQUIRE(reader_open(&f.reader, region_path(f.region)) == 0);
}

/* What was told, by kind. */
static void finish(void)
{
    while (reader_poll(&f.reader, 1 << 16) == SOURCE_DATA)
        for (size_t i = 0; i < f.reader.batch.record_count; i++) {
            const struct model_record *r = &f.reader.batch.records[i];
            if (r->type != ORIEL_REC_SAMPLE)
                continue;
            f.count[r->flags] += r->raw[4];
            f.ns[r->flags] += r->raw[3];
        }
    reader_close(&f.reader);
    region_free(f.region);
}

static void *work(void *arg)
{
    const unsigned me = (unsigned)(uintptr_t)arg;
    for (unsigned long i = 0, n = test_times(ROUNDS); i < n; i++) {
        pthread_mutex_lock(&lock);
        sum++;
        while (i % 50 == 0 && turn % THREADS != me)
            pthread_cond_wait(&changed, &lock);
        if (i % 50 == 0) {
            turn++;
            pthread_cond_broadcast(&changed);
        }
        pthread_mutex_unlock(&lock);
        sem_wait(&two);
        (i % 4 ? pthread_rwlock_rdlock : pthread_rwlock_wrlock)(&shared);
        if (i % 4 == 0)
            read_sum++;
        pthread_rwlock_unlock(&shared);
        sem_post(&two);
    }
    return NULL;
}

TEST(locks_do_what_they_do_and_what_is_told_holds_together)
{
    pthread_t t[THREADS];
    start();
    for (uintptr_t i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&t[i], NULL, work, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_join(t[i], NULL) == 0);
    CHECK_EQ(sum, THREADS * test_times(ROUNDS));
    CHECK_EQ(read_sum, THREADS * ((test_times(ROUNDS) + 3) / 4));
    finish();
    CHECK(f.count[ORIEL_SAMPLE_CONDITION] > 0);
    CHECK(f.count[ORIEL_SAMPLE_HOLDER] <= f.count[ORIEL_SAMPLE_LOCK]);
    CHECK(f.ns[ORIEL_SAMPLE_HOLDER] <= f.ns[ORIEL_SAMPLE_LOCK]);
}

static uint32_t step; /* atomic */

static void *holds(void *unused)
{
    pthread_mutex_lock(&lock);
    __atomic_store_n(&step, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&step, __ATOMIC_ACQUIRE) != 2)
        usleep(100);
    usleep(2000); /* whoever comes now waits for longer than what is left out */
    pthread_mutex_unlock(&lock);
    return unused;
}

static void await(uint32_t n)
{
    while (__atomic_load_n(&step, __ATOMIC_ACQUIRE) != n)
        usleep(100);
}

TEST(a_wait_for_a_condition_is_no_contention)
{
    struct timespec until;
    start();
    pthread_mutex_lock(&lock);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int rc = 0;
    while (rc == 0) /* may wake for nothing */
        rc = pthread_cond_timedwait(&changed, &lock, &until);
    CHECK_EQ(rc, ETIMEDOUT);
    pthread_mutex_unlock(&lock);
    finish();
    CHECK(f.count[ORIEL_SAMPLE_CONDITION] > 0 && f.ns[ORIEL_SAMPLE_CONDITION] >= 900000);
    CHECK_EQ(f.count[ORIEL_SAMPLE_LOCK] + f.count[ORIEL_SAMPLE_HOLDER], 0);
}

TEST(a_wait_for_a_lock_is_told_with_its_holder_and_is_no_condition)
{
    pthread_t t;
    start();
    REQUIRE(pthread_create(&t, NULL, holds, NULL) == 0);
    await(1);
    const struct timespec never = {INT64_C(1) << 40, 0};
    __atomic_store_n(&step, 2, __ATOMIC_RELEASE);
    CHECK_EQ(pthread_mutex_timedlock(&lock, &never), 0);
    pthread_mutex_unlock(&lock);
    pthread_join(t, NULL);
    finish();
    CHECK_EQ(f.count[ORIEL_SAMPLE_CONDITION], 0);
    CHECK_EQ(f.count[ORIEL_SAMPLE_LOCK], f.count[ORIEL_SAMPLE_HOLDER]);
}

static pthread_barrier_t both;

static void *meets(void *unused)
{
    usleep(2000);
    pthread_barrier_wait(&both);
    return unused;
}

TEST(whoever_waits_at_a_barrier_waits_for_a_condition)
{
    pthread_t t;
    start();
    REQUIRE(pthread_barrier_init(&both, NULL, 2) == 0);
    REQUIRE(pthread_create(&t, NULL, meets, NULL) == 0);
    int rc = pthread_barrier_wait(&both);
    CHECK(rc == 0 || rc == PTHREAD_BARRIER_SERIAL_THREAD);
    pthread_join(t, NULL);
    finish();
    CHECK_EQ(f.count[ORIEL_SAMPLE_LOCK], 0);
}

TEST(what_refuses_is_answered_as_the_c_library_does)
{
    const struct timespec past = {1, 0}, wrong = {1, -1};
    pthread_mutexattr_t checking;
    pthread_mutex_t m;
    sem_t none;
    start();
    pthread_mutexattr_init(&checking);
    pthread_mutexattr_settype(&checking, PTHREAD_MUTEX_ERRORCHECK);
    REQUIRE(pthread_mutex_init(&m, &checking) == 0 && sem_init(&none, 0, 0) == 0);
    CHECK_EQ(pthread_mutex_lock(&m), 0);
    CHECK_EQ(pthread_mutex_lock(&m), EDEADLK);
    CHECK_EQ(pthread_mutex_trylock(&m), EBUSY);
    errno = 7;
    CHECK_EQ(pthread_cond_timedwait(&changed, &m, &past), ETIMEDOUT);
    CHECK_EQ(pthread_cond_timedwait(&changed, &m, &wrong), EINVAL);
    CHECK_EQ(errno, 7);
    pthread_mutex_unlock(&m);
    CHECK(sem_timedwait(&none, &past) == -1 && errno == ETIMEDOUT);
    CHECK(sem_clockwait(&none, CLOCK_MONOTONIC, &past) == -1 && errno == ETIMEDOUT);
    CHECK_EQ(pthread_rwlock_wrlock(&shared), 0);
    CHECK_EQ(pthread_rwlock_clockrdlock(&shared, CLOCK_MONOTONIC, &past), EDEADLK);
    pthread_rwlock_unlock(&shared);
    finish();
}

TEST_MAIN()
