/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Wake-ups as this kernel tells them: picked out by programs of ours in it, and
 * without those. Skipped where that is not permitted.
 */
#include <linux/perf_event.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "source/perf/perf.h"
#include "test.h"

/* A child that waits for a byte, again and again. */
struct sleeper {
    pid_t pid;
    int feed;
};

static struct sleeper sleeper_start(void)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        char c;
        close(ends[1]);
        while (read(ends[0], &c, 1) == 1) {
        }
        _exit(0);
    }
    close(ends[0]);
    return (struct sleeper){pid, ends[1]};
}

static void sleeper_end(const struct sleeper *s)
{
    close(s->feed);
    waitpid(s->pid, NULL, 0);
}

/* Wake-ups of the child that ended up in the rings, and by whom the last was. */
static unsigned read_wakes(struct perf_events *e, pid_t woken, int32_t *out_by)
{
    unsigned found = 0;
    const uint8_t *at;
    size_t bytes;
    kernel_rings_begin(e->rings, e->ring_count);
    while ((at = kernel_rings_next(e->rings, e->ring_count, UINT64_MAX, perf_record_time,
                                   &bytes)) != NULL) {
        struct perf_record r;
        int64_t tid = 0;
        REQUIRE(perf_record_decode(at, bytes, &r));
        if (r.type != PERF_RECORD_SAMPLE || perf_events_kind(e, r.id) != PERF_EVENT_WAKE)
            continue;
        REQUIRE(perf_record_field(&r, e->fields.wake_pid, &tid));
        if (tid != woken)
            continue;
        *out_by = r.pid;
        found++;
    }
    kernel_rings_end(e->rings, e->ring_count);
    return found;
}

static void wakes_are_told(bool programs)
{
    struct sleeper s = sleeper_start();
    struct perf_events e;
    const struct perf_options o = {.pid = s.pid,
                                   .running = true,
                                   .rate = 99,
                                   .stack_bytes = 4096,
                                   .off_cpu = true,
                                   .kernel = true,
                                   .no_programs = !programs};
    int rc = perf_events_open(&e, &o, NULL);
    bool able = rc == 0 && e.ability.wakes && e.ability.wakes_picked == programs;
    int32_t by = 0;
    if (able) {
        /* Until it was asleep when it was fed, which nobody can know beforehand. */
        for (unsigned found = 0; found < 3;) {
            REQUIRE(write(s.feed, "x", 1) == 1);
            nanosleep(&(struct timespec){0, 1000000}, NULL);
            found += read_wakes(&e, s.pid, &by);
        }
        CHECK_EQ(by, getpid());
    }
    if (rc == 0)
        perf_events_close(&e);
    sleeper_end(&s);
    if (!able)
        test_skip("not permitted here");
}

TEST(wake_ups_are_picked_out_in_the_kernel_with_who_made_them)
{
    wakes_are_told(true);
}

TEST(without_programs_in_the_kernel_they_come_from_the_tracepoint)
{
    wakes_are_told(false);
}

TEST_MAIN()
