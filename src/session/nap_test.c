/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Naps of a thread of this very process: what ends them, and that nothing of them is left.
 */
#include "session/nap.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "test.h"

#define MS UINT64_C(1000000)
#define LONG_NS (60000 * MS)

struct sleeper {
    pthread_mutex_t lock;
    struct nap nap;
    bool lies, over; /* under the lock */
    unsigned naps;
    uint64_t cpu_ns, wall_ns;
    enum nap_end end;
    bool refused, left; /* something of a nap */
};

/* Signals of this thread that wait for it to be unblocked, as the kernel tells them. */
static bool has_pending(void)
{
    char line[128];
    unsigned long long set = 0;
    FILE *f = fopen("/proc/thread-self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "SigPnd: %llx", &set) == 1)
            break;
    if (f)
        fclose(f);
    return set != 0;
}

/* What code does that blocks a signal for a moment: a C library forgets its own in that. */
static void set_masks(void)
{
    sigset_t some, before;
    sigemptyset(&some);
    sigaddset(&some, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &some, &before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void *sleep_often(void *arg)
{
    struct sleeper *s = arg;
    nap_begin(&s->nap);
    s->refused = !s->nap.ready;
    for (unsigned i = 0; i < s->naps && s->nap.ready; i++) {
        set_masks();
        pthread_mutex_lock(&s->lock);
        s->lies = nap_lie_down(&s->nap);
        pthread_mutex_unlock(&s->lock);
        s->end = nap_take(&s->nap, s->cpu_ns, s->wall_ns);
        pthread_mutex_lock(&s->lock);
        s->lies = false;
        nap_get_up(&s->nap, s->end);
        pthread_mutex_unlock(&s->lock);
        s->left |= has_pending();
    }
    nap_over(&s->nap);
    pthread_mutex_lock(&s->lock);
    s->over = true;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static bool is_over(struct sleeper *s, unsigned calls)
{
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < calls && s->lies; i++)
        nap_call(&s->nap);
    const bool over = s->over;
    pthread_mutex_unlock(&s->lock);
    return over;
}

static void check(const struct sleeper *s, enum nap_end end)
{
    if (s->refused)
        return; /* this kernel has no such timers: the drain thread then looks as it did */
    CHECK_EQ(s->end, end);
    CHECK(!s->left);
}

TEST(nap_ends_when_somebody_calls)
{
    struct sleeper s = {PTHREAD_MUTEX_INITIALIZER, .naps = 1, .cpu_ns = LONG_NS,
                        .wall_ns = LONG_NS};
    const struct timespec pause = {0, 1000000};
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, sleep_often, &s) == 0);
    while (!is_over(&s, 1))
        nanosleep(&pause, NULL);
    pthread_join(thread, NULL);
    check(&s, NAP_CALLED);
}

TEST(nap_ends_when_the_process_has_run)
{
    struct sleeper s = {PTHREAD_MUTEX_INITIALIZER, .naps = 1, .cpu_ns = 20 * MS,
                        .wall_ns = LONG_NS};
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, sleep_often, &s) == 0);
    while (!is_over(&s, 0)) /* this is what runs */
        ;
    pthread_join(thread, NULL);
    check(&s, NAP_CALLED);
}

TEST(nap_of_an_idle_process_ends_with_its_time)
{
    struct sleeper s = {PTHREAD_MUTEX_INITIALIZER, .naps = 1, .cpu_ns = LONG_NS,
                        .wall_ns = 50 * MS};
    pthread_t thread;
    const uint64_t began = clock_mono_ns();
    REQUIRE(pthread_create(&thread, NULL, sleep_often, &s) == 0);
    pthread_join(thread, NULL);
    check(&s, NAP_OVER);
    CHECK(s.refused || clock_mono_ns() - began >= 50 * MS);
}

TEST(nap_that_is_called_many_times_leaves_no_signal_behind)
{
    /* Called, run out and run for at the same moments: one signal too many would end this process.
     */
    struct sleeper s = {PTHREAD_MUTEX_INITIALIZER, .naps = 300, .cpu_ns = MS, .wall_ns = MS};
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, sleep_often, &s) == 0);
    while (!is_over(&s, 3))
        ;
    pthread_join(thread, NULL);
    check(&s, s.end == NAP_OVER ? NAP_OVER : NAP_CALLED);
}

TEST_MAIN()
