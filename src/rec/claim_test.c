/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One process, one slot: whoever asks for it, however many ask at once, and
 * whatever stands in the table already.
 */
#define ORIEL_TARGET "claim.test"
#include <oriel/oriel.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "rec/rec.h"
#include "recording.h"
#include "test.h"

enum { FREE = 0, CLAIMED = 1, LIVE = 2, OVER = 3 };

static void tell(void)
{
    ORIEL_EVENT("told");
}

static struct wire_region *map_of(const struct recording *r)
{
    size_t size;
    void *base = NULL;
    REQUIRE(os_map_file(r->path, &size, &base) == 0);
    return base;
}

static struct wire_process *slot_of(struct wire_region *region, uint32_t i)
{
    return wire_region_process(region, region, i);
}

static uint32_t slots_of(struct wire_region *region, int32_t pid)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < region->process_count; i++)
        n += slot_of(region, i)->state != FREE && slot_of(region, i)->pid == pid;
    return n;
}

/* A slot as another copy of the record path in this process would fill it. */
static struct wire_process *put_self(struct wire_region *region, uint32_t i)
{
    struct wire_process *p = slot_of(region, i);
    memcpy(&p->image_tag, (const void *)(uintptr_t)getauxval(AT_RANDOM), sizeof p->image_tag);
    p->pid = getpid();
    p->start_time = os_start_time(getpid(), 0);
    p->trace_salt = 99;
    p->copies = 1;
    p->next_site = 40;
    p->serial = p->sites_of = __atomic_add_fetch(&region->process_serial, 1, __ATOMIC_RELAXED);
    p->state = LIVE;
    return p;
}

/* ---- races ---- */

enum { RACERS = 8, FORKS = 60 };
static pthread_barrier_t line;

static void *race(void *unused)
{
    (void)unused;
    pthread_barrier_wait(&line);
    tell();
    return NULL;
}

static int child_of_racers(struct wire_region *region)
{
    pthread_t t[RACERS];
    pthread_barrier_init(&line, NULL, RACERS);
    for (int i = 0; i < RACERS; i++)
        pthread_create(&t[i], NULL, race, NULL);
    for (int i = 0; i < RACERS; i++)
        pthread_join(t[i], NULL);
    return slots_of(region, getpid()) == 1 ? 0 : 1;
}

TEST_T(threads_that_race_after_a_fork_claim_one_slot, 600)
{
    struct recording r = {0};
    const unsigned long forks = test_times(FORKS);
    recording_begin(&r, NULL);
    struct wire_region *region = map_of(&r);
    for (unsigned long i = 0; i < forks; i++) {
        int status = -1;
        pid_t pid = fork();
        if (pid == 0)
            test_leave(child_of_racers(region));
        waitpid(pid, &status, 0);
        CHECK_EQ(status, 0);
        recording_read(&r, false);
    }
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], forks * RACERS);
    CHECK_EQ(recording_lost_total(&r), 0);
    recording_end(&r);
}

TEST(a_thread_that_was_interrupted_before_it_showed_the_slot_is_helped_by_the_next)
{
    struct recording r = {0};
    recording_begin(&r, NULL);
    struct wire_process *p = rec_process_self();
    REQUIRE(p);
    p->state = wire_claim(CLAIMED, (uint32_t)getpid());
    tell();
    CHECK_EQ(p->state, LIVE);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 1);
    recording_end(&r);
}

#ifndef __SANITIZE_THREAD__ /* which makes a fork of it */
/* So does qemu's user mode: what the child writes its parent does not see. */
static void skip_if_vfork_is_fork(void)
{
    static volatile int seen;
    volatile pid_t pid = vfork();
    if (pid == 0) {
        seen = 1;
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    if (!seen)
        test_skip("vfork is a fork here: the child has memory of its own");
}

TEST(a_vfork_child_goes_on_as_its_parent)
{
    struct recording r = {0};
    skip_if_vfork_is_fork();
    recording_begin(&r, NULL);
    pid_t child = fork();
    if (child == 0) { /* which has told nothing yet when its own child does */
        volatile pid_t pid = vfork();
        if (pid == 0) {
            tell();
            _exit(0);
        }
        waitpid(pid, NULL, 0);
        tell();
        struct wire_process *p = rec_process_self();
        test_leave(p && p->pid == getpid() && slots_of(rec_runtime.shared, getpid()) == 1 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 2);
    CHECK_EQ(r.catalog.process_count, 2);
    recording_end(&r);
}
#endif

/* ---- what stands in the table ---- */

TEST(what_exec_replaced_is_over_but_nobody_else_of_that_pid_is)
{
    struct recording r = {0};
    recording_make(&r, NULL);
    struct wire_region *region = map_of(&r);
    struct wire_process *former = put_self(region, 0), *elsewhere = put_self(region, 1);
    struct wire_process *unknown = put_self(region, 2);
    former->image_tag = elsewhere->image_tag = ~former->image_tag;
    elsewhere->start_time++; /* the same number in another pid namespace */
    unknown->image_tag = 0;
    REQUIRE(oriel_attach(r.path) == 0);
    CHECK_EQ(former->state, OVER);
    CHECK_EQ(elsewhere->state, LIVE);
    CHECK_EQ(unknown->state, LIVE);
    CHECK(rec_process_self() == wire_region_process(&rec_runtime.header, rec_runtime.base, 3));
    recording_end(&r);
}

TEST(a_second_copy_in_a_process_joins_the_slot_of_the_first)
{
    struct recording r = {0};
    recording_make(&r, NULL);
    struct wire_region *region = map_of(&r);
    struct wire_process *first = put_self(region, 5);
    struct oriel_thread *theirs = wire_region_thread(region, region, 7);
    theirs->serial = theirs->primary = ++region->thread_serial;
    theirs->process = 5;
    theirs->tid = os_gettid();
    theirs->state = ORIEL_THREAD_LIVE;
    REQUIRE(oriel_attach(r.path) == 0);
    tell();
    CHECK_EQ(first->copies, 2);
    CHECK_EQ(slots_of(region, getpid()), 1);
    CHECK(first->next_site > 40); /* ids of both in one row */
    CHECK_EQ(oriel_tls.thread->primary, theirs->serial);
    CHECK(oriel_tls.thread->serial != theirs->serial);
    recording_read(&r, true);
    CHECK_EQ(r.catalog.process_count, 1);
    CHECK_EQ(r.catalog.thread_count, 1);
    CHECK_EQ(r.by_type[ORIEL_REC_EVENT], 1);
    CHECK_EQ(r.damaged, 0);
    recording_end(&r);
}

TEST(a_claim_of_another_copy_that_never_ends_holds_nobody_up)
{
    struct recording r = {0};
    recording_make(&r, NULL);
    struct wire_region *region = map_of(&r);
    slot_of(region, 0)->state = wire_claim(CLAIMED, (uint32_t)getpid());
    slot_of(region, 2)->state = wire_claim(CLAIMED, (uint32_t)getpid());
    REQUIRE(oriel_attach(r.path) == 0);
    CHECK_EQ(slot_of(region, 1)->state, LIVE);
    CHECK_EQ(slot_of(region, 1)->pid, getpid());
    recording_end(&r);
}

static void *finish_claim(void *slot)
{
    uint32_t *state = &((struct wire_process *)slot)->state;
    while (__atomic_load_n(&rec_runtime.state, __ATOMIC_ACQUIRE) == REC_OFF)
        ;
    __atomic_store_n(state, LIVE, __ATOMIC_RELEASE);
    return NULL;
}

/* In a process of its own: how many slots it has when both have claimed. */
static int claim_twice(void)
{
    struct recording r = {0};
    recording_make(&r, NULL);
    struct wire_region *region = map_of(&r);
    struct wire_process *other = put_self(region, 3);
    pthread_t t;
    other->state = wire_claim(CLAIMED, (uint32_t)getpid());
    pthread_create(&t, NULL, finish_claim, other);
    REQUIRE(oriel_attach(r.path) == 0);
    pthread_join(t, NULL);
    int slots = slots_of(region, getpid());
    CHECK(slots != 1 || rec_process_self()->serial == other->serial);
    test_stop_if_failed();
    recording_end(&r);
    return slots;
}

/* Nobody is held up for long, so a claim whose thread does not get to run may be
 * passed by: then there are two slots. On some try it runs. */
TEST(of_two_copies_that_claim_at_once_one_waits_and_joins)
{
    int slots = 0;
    (void)test_tmpdir(); /* the children share it */
    for (int tries = 0; tries < 1000 && slots != 1; tries++) {
        int status = -1;
        pid_t pid = fork();
        if (pid == 0)
            test_leave(10 + claim_twice());
        REQUIRE(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
        slots = WEXITSTATUS(status) - 10;
        REQUIRE(slots == 1 || slots == 2);
    }
    CHECK_EQ(slots, 1);
}

TEST(site_ids_of_a_child_go_on_after_those_of_all_copies_of_its_parent)
{
    struct recording r = {0};
    recording_begin(&r, NULL);
    tell();
    rec_process_self()->next_site = 500; /* another copy has described some */
    pid_t pid = fork();
    if (pid == 0) {
        tell();
        test_leave(rec_process_self()->next_site >= 500 ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
    recording_end(&r);
}

TEST_MAIN()
