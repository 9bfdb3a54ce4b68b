/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The times of a ring while somebody sets the wall clock and while the machine
 * sleeps. This program has clocks of its own; the counter is the real one.
 */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "source/ring/ring.h"

#include "ring_fixture.h"

#define MS UINT64_C(1000000)
#define HOUR INT64_C(3600000000000)

static int64_t wall_offset;                /* somebody set the wall clock by this much */
static uint64_t asleep_since, slept_total; /* time that the monotonic clock did not count */

static uint64_t true_ns(clockid_t id)
{
    struct timespec t;
    syscall(SYS_clock_gettime, id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Found before that of libc by all that is linked into this program. */
int clock_gettime(clockid_t id, struct timespec *out)
{
    uint64_t ns = true_ns(id);
    if (id == CLOCK_REALTIME)
        ns += (uint64_t)wall_offset;
    else if (id == CLOCK_MONOTONIC)
        ns = (asleep_since ? asleep_since : ns) - slept_total;
    out->tv_sec = (time_t)(ns / 1000000000u);
    out->tv_nsec = (long)(ns % 1000000000u);
    return 0;
}

static void let_pass(uint64_t ns)
{
    uint64_t until = true_ns(CLOCK_MONOTONIC) + ns;
    while (true_ns(CLOCK_MONOTONIC) < until)
        ;
}

static void machine_sleeps(uint64_t ns)
{
    asleep_since = true_ns(CLOCK_MONOTONIC);
    let_pass(ns);
    slept_total += true_ns(CLOCK_MONOTONIC) - asleep_since;
    asleep_since = 0;
}

/* An event now, read back: its time. *near: the true one, or close to it. */
static uint64_t told(struct fixture *f, bool *near)
{
    uint64_t before = true_ns(CLOCK_REALTIME);
    rw_event(&f->t, EVENT, 1);
    uint64_t after = true_ns(CLOCK_REALTIME);
    uint64_t t = only(f, ORIEL_REC_EVENT)->t_ns;
    reader_commit(&f->r);
    if (near)
        *near = t + 3 * MS > before && t < after + 3 * MS;
    return t;
}

/* Until the reader has looked at the clocks again. */
static void next_anchor(struct fixture *f, enum oriel_clock kind)
{
    uint64_t last = inside(f)->clocks[kind].next_ns, until = true_ns(CLOCK_MONOTONIC) + 300000 * MS;
    while (inside(f)->clocks[kind].next_ns == last && true_ns(CLOCK_MONOTONIC) < until)
        reader_poll(&f->r, 100);
    CHECK(inside(f)->clocks[kind].next_ns != last);
}

TEST(setting_the_wall_clock_moves_no_time_of_a_ring)
{
    static const int64_t steps[] = {HOUR, -HOUR, 0};
    struct fixture f;
    bool near;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    const enum oriel_clock kind = (enum oriel_clock)f.p.h.clock;
    uint64_t last = told(&f, NULL);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        wall_offset = steps[i];
        for (int n = 0; n < 2; n++) {
            if (kind != ORIEL_CLOCK_MONOTONIC)
                next_anchor(&f, kind);
            uint64_t t = told(&f, &near);
            CHECK(t > last && near);
            last = t;
        }
    }
    finish(&f);
}

TEST(who_reads_a_ring_after_the_wall_clock_was_set_tells_the_same_times)
{
    struct fixture f;
    bool near;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    rw_event(&f.t, EVENT, 1);
    uint64_t first = only(&f, ORIEL_REC_EVENT)->t_ns; /* not committed: read again */
    let_pass(5 * MS);
    reader_close(&f.r);
    wall_offset = -HOUR;
    REQUIRE(reader_open(&f.r, region_path(f.region)) == 0);
    int64_t off = (int64_t)(only(&f, ORIEL_REC_EVENT)->t_ns - first);
    CHECK(off > -(int64_t)MS && off < (int64_t)MS);
    reader_commit(&f.r);
    told(&f, &near);
    CHECK(near);
    finish(&f);
}

TEST(a_process_that_comes_after_the_wall_clock_was_set_shares_the_time_of_the_others)
{
    struct fixture f = {.region = reader_region(0, 16, WIRE_POLICY_DROP_NEWEST)};
    bool near;
    wall_offset = HOUR;
    REQUIRE(rw_attach_path(&f.p, region_path(f.region)));
    if (f.p.h.clock == ORIEL_CLOCK_MONOTONIC)
        test_skip("no counter here");
    f.p.shared->clock = ORIEL_CLOCK_MONOTONIC; /* so the anchor is the process's */
    f.p.shared->created.ticks = f.p.shared->created.mono_ns;
    describe(&f.p);
    REQUIRE(rw_thread_start(&f.t, &f.p, 0));
    REQUIRE(reader_open(&f.r, region_path(f.region)) == 0);
    told(&f, &near);
    CHECK(near);
    finish(&f);
}

TEST(a_counter_that_runs_on_through_a_sleep_keeps_telling_the_time)
{
    struct fixture f;
    bool near;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    const enum oriel_clock kind = (enum oriel_clock)f.p.h.clock;
    if (kind == ORIEL_CLOCK_MONOTONIC)
        test_skip("no counter here");
    uint64_t last = told(&f, NULL);
    next_anchor(&f, kind);
    machine_sleeps(200 * MS);
    for (int i = 0; i < 3; i++) {
        next_anchor(&f, kind);
        uint64_t began = true_ns(CLOCK_MONOTONIC), begin = told(&f, &near);
        CHECK(begin > last && near);
        let_pass(5 * MS);
        last = told(&f, NULL);
        uint64_t took = true_ns(CLOCK_MONOTONIC) - began;
        CHECK(last - begin >= 4 * MS && last - begin <= took + MS);
    }
    finish(&f);
}

/* What one finds who looks at the ring of a dead program in the morning. */
TEST(a_ring_from_before_a_sleep_is_read_at_the_rate_of_its_counter)
{
    struct fixture f;
    start(&f, 0, 16, WIRE_POLICY_DROP_NEWEST);
    if (f.p.h.clock == ORIEL_CLOCK_MONOTONIC)
        test_skip("no counter here");
    reader_close(&f.r);
    uint64_t began = true_ns(CLOCK_REALTIME), times[2] = {0};
    rw_event(&f.t, EVENT, 0);
    let_pass(20 * MS);
    rw_event(&f.t, EVENT, 1);
    uint64_t ended = true_ns(CLOCK_REALTIME);
    machine_sleeps(300 * MS);
    REQUIRE(reader_open(&f.r, region_path(f.region)) == 0);
    REQUIRE(reader_wait(&f.r, 1000) == SOURCE_DATA);
    for (size_t i = 0; i < f.r.batch.record_count; i++)
        if (f.r.batch.records[i].type == ORIEL_REC_EVENT)
            times[f.r.batch.records[i].raw[2] & 1] = f.r.batch.records[i].t_ns;
    CHECK(times[0] + MS > began && times[1] < ended + MS);
    CHECK(times[1] - times[0] >= 19 * MS && times[1] - times[0] <= ended - began + MS);
    finish(&f);
}

TEST_MAIN()
