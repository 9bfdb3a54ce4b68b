/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Slots of threads and processes that are gone: when they come back, and what
 * must be safe before. One thread.
 */
#include "ring_reader.h"
#include "ring_writer.h"

#include <sys/wait.h>
#include <unistd.h>

enum { EVENT = ORIEL_SITE_ID_FIRST };

struct fixture {
    struct region *region;
    struct reader r;
    struct rw_process p;
};

static void start(struct fixture *f, uint32_t threads)
{
    f->region = reader_region(64 * WIRE_CHUNK_BYTES, threads, WIRE_POLICY_DROP_NEWEST);
    REQUIRE(reader_open(&f->r, region_path(f->region)) == 0);
    REQUIRE(rw_attach_path(&f->p, region_path(f->region)));
    REQUIRE(rw_site(&f->p, EVENT, ORIEL_SITE_EVENT, "event", "u"));
}

static void finish(struct fixture *f)
{
    reader_close(&f->r);
    rw_detach(&f->p);
    region_free(f->region);
}

/* Polls, without a commit, until this many records were seen; then a few more. */
static void read_records(struct fixture *f, uint64_t wanted)
{
    for (uint64_t seen = 0; seen < wanted; seen += f->r.batch.record_count)
        REQUIRE(reader_wait(&f->r, 1000) == SOURCE_DATA);
    for (int i = 0; i < 4; i++)
        reader_poll(&f->r, 1000);
}

static uint64_t told(const struct fixture *f, uint32_t serial)
{
    const struct model_thread *t = model_catalog_thread(&f->r.catalog, serial);
    return t ? t->lost[ORIEL_LOST_RING_FULL] : 0;
}

TEST(a_slot_keeps_its_losses_until_a_batch_has_told_them_and_was_acknowledged)
{
    struct fixture f;
    struct rw_thread t;
    start(&f, 8);
    REQUIRE(rw_thread_start(&t, &f.p, 0));
    REQUIRE(rw_event(&t, EVENT, 1));
    uint32_t serial = t.t->serial;
    uint32_t *state = &t.t->state;
    t.t->lost[ORIEL_LOST_RING_FULL] = 77;
    rw_thread_exit(&t);
    read_records(&f, 2); /* with its SYNC */
    CHECK_EQ(wire_state(*state), ORIEL_THREAD_EXITED);
    reader_commit(&f.r); /* its chunk goes, its losses may not be told yet */
    CHECK_EQ(wire_state(*state), ORIEL_THREAD_EXITED);
    reader_poll(&f.r, 1000);
    CHECK_EQ(told(&f, serial), 77);
    CHECK_EQ(wire_state(*state), ORIEL_THREAD_EXITED);
    reader_commit(&f.r);
    CHECK_EQ(wire_state(*state), ORIEL_THREAD_FREE);
    CHECK_EQ(told(&f, serial), 77);
    finish(&f);
}

TEST(a_reader_is_pressed_while_the_dead_hold_slots_that_run_short)
{
    struct fixture f;
    struct rw_thread t[4];
    start(&f, 8);
    for (int i = 0; i < 4; i++) {
        REQUIRE(rw_thread_start(&t[i], &f.p, 0));
        REQUIRE(rw_event(&t[i], EVENT, (uint64_t)i));
    }
    read_records(&f, 8);
    CHECK(!source_ring.pressed(f.r.state)); /* all of them live */
    for (int i = 0; i < 4; i++)
        rw_thread_exit(&t[i]);
    reader_poll(&f.r, 1000);
    CHECK(source_ring.pressed(f.r.state));
    for (int i = 0; i < 3; i++) {
        reader_commit(&f.r);
        reader_poll(&f.r, 1000);
    }
    CHECK(!source_ring.pressed(f.r.state));
    finish(&f);
}

/* Forked one after the other, each with a slot of the process table. */
TEST(processes_come_and_go_through_few_slots)
{
    enum { PROCESSES = 3 * WIRE_PROCESSES_MAX };
    struct fixture f;
    uint32_t attached = 0;
    start(&f, 64);
    for (uint32_t i = 0; i < PROCESSES; i++) {
        uint64_t until = clock_mono_ns() + UINT64_C(300000000000);
        int status = 1;
        do {
            pid_t pid = fork();
            if (pid == 0) {
                struct rw_process child;
                struct rw_thread t;
                bool good = rw_attach_child(&child, &f.p) && rw_thread_start(&t, &child, 0) &&
                            rw_event(&t, EVENT, i);
                _exit(good ? 0 : 1);
            }
            REQUIRE(waitpid(pid, &status, 0) == pid);
            reader_poll(&f.r, 1000);
            reader_commit(&f.r);
        } while (status != 0 && clock_mono_ns() < until);
        attached += status == 0;
    }
    CHECK_EQ(attached, PROCESSES);
    finish(&f);
}

TEST_MAIN()
