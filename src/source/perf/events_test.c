/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A ring that fills wakes who sleeps, once for each time. Skipped where the kernel
 * refuses perf events.
 */
#include <poll.h>
#include <unistd.h>

#include "source/perf/perf.h"
#include "test.h"

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static uint64_t most_unread(struct perf_events *e)
{
    uint64_t most = 0;
    kernel_rings_begin(e->rings, e->ring_count);
    for (unsigned i = 0; i < e->ring_count; i++) {
        uint64_t bytes = e->rings[i].head - e->rings[i].tail;
        most = bytes > most ? bytes : most;
    }
    return most;
}

static void drain(struct perf_events *e)
{
    size_t bytes;
    kernel_rings_begin(e->rings, e->ring_count);
    while (kernel_rings_next(e->rings, e->ring_count, UINT64_MAX, perf_record_time, &bytes))
        continue;
    kernel_rings_end(e->rings, e->ring_count);
}

TEST(a_ring_that_is_half_full_wakes_who_sleeps)
{
    const struct perf_options o = {
        .pid = getpid(), .running = true, .rate = 10000, .stack_bytes = 65528};
    struct perf_events e;
    if (perf_events_open(&e, &o, NULL) < 0)
        test_skip("perf events are refused");
    REQUIRE(e.ability.wake_fd >= 0);
    CHECK(!readable(e.ability.wake_fd) || most_unread(&e) > 0);
    /* This very loop is what is sampled. */
    while (!readable(e.ability.wake_fd))
        continue;
    CHECK(most_unread(&e) >= e.rings[0].data_bytes / 2);
    drain(&e);
    perf_events_woken(&e);
    /* And again. What woke before that is forgotten: a ring that is left full then
     * would take nothing more. */
    while (!readable(e.ability.wake_fd))
        drain(&e);
    perf_events_close(&e);
}

TEST(events_that_are_refused_leave_nothing_to_wait_for)
{
    const struct perf_options o = {.pid = INT32_MAX, .running = true, .rate = 99};
    struct perf_ability can = {.wake_fd = 0};
    struct perf_events e;
    CHECK(perf_events_open(&e, &o, NULL) < 0);
    can = e.ability;
    CHECK_EQ(can.wake_fd, -1);
}

TEST_MAIN()
