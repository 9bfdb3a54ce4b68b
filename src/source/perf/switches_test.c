/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Waits as this kernel's own accounts have them, beside what our program in it
 * adds up. Skipped where that is not permitted.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "source/kernel_program.h"
#include "source/perf/perf.h"
#include "test.h"

static int feed[2];

/* Waits for the next byte; with `spin`, runs after each until told not to. */
static pid_t reader_start(volatile int *spin)
{
    REQUIRE(pipe(feed) == 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        char c;
        close(feed[1]);
        while (read(feed[0], &c, 1) == 1)
            if (spin)
                for (*spin = 1; *spin;)
                    continue;
        _exit(0);
    }
    close(feed[0]);
    return pid;
}

static uint64_t number(pid_t pid, const char *name)
{
    char path[40], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    REQUIRE(os_read_file(path, text, sizeof text) > 0);
    const char *at = strstr(text, name);
    REQUIRE(at);
    return strtoull(at + strlen(name), NULL, 10);
}

/* Until it sleeps, and the kernel's program knows. */
static struct perf_known asleep(const struct perf_events *e, pid_t pid)
{
    struct perf_known k = {0};
    char path[40], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    for (bool sleeps = false; !sleeps || !k.left_ns;) {
        REQUIRE(perf_watch_known(&e->watch, pid, &k));
        REQUIRE(os_read_file(path, text, sizeof text) > 0);
        const char *state = strrchr(text, ')');
        sleeps = state && state[2] == 'S';
    }
    return k;
}

static void open_or_skip(struct perf_events *e, pid_t pid)
{
    const struct perf_options o = {.pid = pid,
                                   .running = true,
                                   .rate = 99,
                                   .stack_bytes = 1024,
                                   .off_cpu = true,
                                   .kernel = true};
    const int rc = perf_events_open(e, &o, NULL);
    if (rc == 0 && e->watch.counts)
        return;
    if (rc == 0)
        perf_events_close(e);
    close(feed[1]);
    waitpid(pid, NULL, 0);
    test_skip("programs in the kernel are not permitted");
}

TEST(waits_are_as_many_as_the_kernel_counts_and_no_longer_than_they_took)
{
    enum { FEEDS = 300 };
    struct perf_events e;
    pid_t pid = reader_start(NULL);
    open_or_skip(&e, pid);
    REQUIRE(write(feed[1], "x", 1) == 1);
    struct perf_known first = asleep(&e, pid), last = first;
    const uint64_t before = number(pid, "\nvoluntary_ctxt_switches:"), began = clock_mono_ns();
    for (unsigned i = 0; i < FEEDS; i++) {
        REQUIRE(write(feed[1], "x", 1) == 1);
        for (last = asleep(&e, pid); last.waits == first.waits + i;)
            last = asleep(&e, pid); /* it has not begun to read */
    }
    const uint64_t took = clock_mono_ns() - began + began - first.left_ns;
    /* One that began unseen is missed, and counted as that. */
    const uint64_t waits = last.waits - first.waits + perf_watch_missed(&e.watch).waits;
    CHECK_EQ(waits, number(pid, "\nvoluntary_ctxt_switches:") - before);
    CHECK(waits >= FEEDS);
    CHECK(last.wait_ns > first.wait_ns);
    CHECK(last.wait_ns - first.wait_ns + last.ready_ns - first.ready_ns + last.taken_ns -
              first.taken_ns <=
          took);
    CHECK_EQ(last.pid, pid);
    CHECK_EQ(last.tid, pid);
    perf_events_close(&e);
    close(feed[1]);
    waitpid(pid, NULL, 0);
}

/* A thread that runs looks as if it had left and nobody had seen it come back. False: it was
 * pushed off its CPU meanwhile, and that was seen. */
static bool unseen(const struct perf_events *e, pid_t pid, struct perf_known *out)
{
    struct perf_known k = {0};
    REQUIRE(perf_watch_known(&e->watch, pid, out));
    out->left_ns = clock_mono_ns() - 50000000;
    out->woke_ns = out->seen_ns = 0;
    out->flags = 0;
    REQUIRE(kernel_map_put(e->watch.tids, &pid, out) == 0);
    do
        REQUIRE(perf_watch_known(&e->watch, pid, &k));
    while (k.left_ns == out->left_ns && !k.seen_ns);
    out->seen_ns = k.seen_ns;
    return k.left_ns == out->left_ns;
}

TEST(a_thread_that_nobody_saw_come_back_waited_until_a_timer_met_it)
{
    struct perf_events e;
    struct perf_known put, last;
    uint64_t backs = 0;
    volatile int *spin =
        mmap(NULL, sizeof *spin, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(spin != MAP_FAILED);
    pid_t pid = reader_start(spin);
    open_or_skip(&e, pid);
    for (bool whole = false; !whole;) {
        REQUIRE(write(feed[1], "x", 1) == 1);
        while (!*spin)
            continue;
        backs = perf_watch_missed(&e.watch).backs;
        whole = unseen(&e, pid, &put);
        *spin = 0;
        do /* what was put is no proof that it left */
            last = asleep(&e, pid);
        while (last.left_ns == put.left_ns);
        whole = whole && last.taken == put.taken;
    }
    CHECK_EQ(perf_watch_missed(&e.watch).backs, backs + 1);
    CHECK_EQ(last.waits, put.waits + 1);
    CHECK_EQ(last.wait_ns - put.wait_ns, put.seen_ns - put.left_ns);
    perf_events_close(&e);
    close(feed[1]);
    waitpid(pid, NULL, 0);
    munmap((void *)(uintptr_t)spin, sizeof *spin);
}

TEST(what_was_not_told_is_told_when_a_thread_ends)
{
    struct perf_events e;
    struct perf_known told = {0}, last;
    pid_t pid = reader_start(NULL);
    const uint8_t *at;
    size_t bytes;
    open_or_skip(&e, pid);
    for (unsigned i = 0; i < 100; i++) { /* more than are shown one by one */
        REQUIRE(write(feed[1], "x", 1) == 1);
        last = asleep(&e, pid);
    }
    close(feed[1]);
    REQUIRE(waitpid(pid, NULL, 0) == pid);
    CHECK(!perf_watch_known(&e.watch, pid, &(struct perf_known){0}));
    kernel_rings_begin(e.rings, e.ring_count);
    while ((at = kernel_rings_next(e.rings, e.ring_count, UINT64_MAX, perf_record_time, &bytes)) !=
           NULL) {
        struct perf_record r;
        REQUIRE(perf_record_decode(at, bytes, &r));
        if (r.type != PERF_RECORD_SAMPLE || perf_events_kind(&e, r.id) != PERF_EVENT_BACK)
            continue;
        REQUIRE(r.u.sample.raw_bytes >= PERF_KNOWN_TOLD);
        memcpy(&told, r.u.sample.raw, PERF_KNOWN_TOLD);
        CHECK_EQ(told.tid, pid);
    }
    kernel_rings_end(e.rings, e.ring_count);
    CHECK(told.waits > last.waits); /* the one for the end of the pipe, too */
    CHECK_EQ(told.born_ns, last.born_ns);
    perf_events_close(&e);
}

TEST_MAIN()
