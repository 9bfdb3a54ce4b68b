/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Samples by the timers of CPUs: of threads that live shorter than a period, and of
 * nobody else. Skipped where programs in the kernel are not permitted.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "source/kernel_program.h"
#include "source/perf/perf.h"
#include "test.h"

enum { RATE = 199 };

static uint64_t cpu_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *spin_a_millisecond(void *unused)
{
    (void)unused;
    while (cpu_ns(CLOCK_THREAD_CPUTIME_ID) < 1000000)
        continue;
    return NULL;
}

static void short_threads(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        pthread_t t;
        REQUIRE(pthread_create(&t, NULL, spin_a_millisecond, NULL) == 0);
        pthread_join(t, NULL);
    }
}

/* Until it is killed, or we are gone. */
static pid_t spinning_child(void)
{
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (pid == 0)
        continue;
    return pid;
}

static void end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

struct seen {
    unsigned own, first, child, foreign;
};

static struct seen read_samples(struct perf_events *e, pid_t child)
{
    struct seen s = {0};
    const uint8_t *at;
    size_t bytes;
    kernel_rings_begin(e->rings, e->ring_count);
    while ((at = kernel_rings_next(e->rings, e->ring_count, UINT64_MAX, perf_record_time,
                                   &bytes)) != NULL) {
        struct perf_record r;
        REQUIRE(perf_record_decode(at, bytes, &r));
        if (r.type != PERF_RECORD_SAMPLE || perf_events_kind(e, r.id) != PERF_EVENT_CPU)
            continue;
        s.own += r.pid == getpid();
        s.first += r.tid == getpid();
        s.child += r.pid == child;
        s.foreign += r.pid != getpid() && r.pid != child;
    }
    kernel_rings_end(e->rings, e->ring_count);
    return s;
}

static void open_or_skip(struct perf_events *e)
{
    const struct perf_options o = {.pid = getpid(),
                                   .running = true,
                                   .rate = RATE,
                                   .stack_bytes = 1024,
                                   .kernel = true,
                                   .clock = PERF_CLOCK_CPU};
    if (perf_events_open(e, &o, NULL) < 0)
        test_skip("perf events are refused");
    if (!e->ability.by_cpu) {
        perf_events_close(e);
        test_skip("programs in the kernel are not permitted");
    }
}

TEST(a_program_that_is_too_long_is_refused_and_nothing_behind_it_is_written)
{
    struct {
        struct kernel_program p;
        uint64_t behind;
    } box = {.behind = 7};
    for (int i = 0; i < KERNEL_PROGRAM_MAX + 40; i++)
        op_set(&box.p, BPF_REG_0, i);
    op_land(&box.p, KERNEL_PROGRAM_MAX + 20);
    op_end(&box.p);
    CHECK_EQ(box.p.n, KERNEL_PROGRAM_MAX + 42);
    CHECK_EQ(box.behind, 7);
    CHECK_EQ(kernel_program_load(&box.p, BPF_PROG_TYPE_TRACEPOINT, "long"), -E2BIG);
}

TEST(threads_that_live_shorter_than_a_period_are_sampled)
{
    struct perf_events e;
    open_or_skip(&e);
    short_threads(600); /* 120 samples, or five times the deviation from the bound */
    struct seen s = read_samples(&e, 0);
    CHECK(s.own - s.first > 40);
    CHECK_EQ(s.foreign, 0);
    CHECK_EQ(perf_watch_missed(&e.watch).threads, 0);
    perf_events_close(&e);
}

TEST(a_process_that_is_not_ours_is_not_sampled_and_a_child_is)
{
    struct perf_events e;
    open_or_skip(&e); /* nobody is left spinning by a test that cannot go on */
    perf_events_close(&e);
    pid_t before = spinning_child(); /* of us: seen when we look */
    open_or_skip(&e);
    pid_t after = spinning_child();
    struct seen s = {0};
    while (s.child < 5) { /* both have their share of a CPU */
        struct seen more = read_samples(&e, after);
        s.child += more.child;
        s.foreign += more.foreign;
    }
    CHECK(s.foreign > 0); /* the first child */
    end_child(after);
    perf_events_close(&e);

    /* Whoever watches another one sees neither us nor them. */
    const struct perf_options o = {
        .pid = before, .running = true, .rate = RATE, .stack_bytes = 1024, .kernel = true};
    after = spinning_child();
    REQUIRE(perf_events_open(&e, &o, NULL) == 0);
    for (s = (struct seen){0}; s.child < 5;) {
        struct seen more = read_samples(&e, before);
        s.child += more.child;
        s.own += more.own;
        s.foreign += more.foreign;
    }
    CHECK_EQ(s.own, 0);
    CHECK_EQ(s.foreign, 0);
    end_child(after);
    end_child(before);
    perf_events_close(&e);
}

/* ---- a thread that replaces the program ---- */

static int told[2], feed[2];

static void *exec_cat(void *unused)
{
    const int32_t tid = (int32_t)gettid();
    (void)unused;
    char go;
    if (read(feed[0], &go, 1) == 1 && write(told[1], &tid, sizeof tid) == sizeof tid) {
        dup2(feed[0], 0);
        close(feed[1]);
        execl("/bin/cat", "cat", (char *)NULL);
    }
    _exit(1);
}

static pid_t child_with_a_thread(void)
{
    REQUIRE(pipe(told) == 0 && pipe(feed) == 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        pthread_t t;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (pthread_create(&t, NULL, exec_cat, NULL) == 0)
            pthread_join(t, NULL);
        _exit(1);
    }
    close(feed[0]);
    return pid;
}

TEST(the_number_a_thread_had_before_it_became_the_program_is_nobody_s)
{
    struct perf_events e;
    open_or_skip(&e);
    pid_t pid = child_with_a_thread(); /* of us: known from its beginning */
    int32_t tid = 0;
    struct perf_known value;
    char path[40], name[16] = "";
    REQUIRE(write(feed[1], "", 1) == 1 && read(told[0], &tid, sizeof tid) == sizeof tid);
    CHECK(tid != pid);
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    while (strncmp(name, "cat", 3) != 0)
        REQUIRE(os_read_file(path, name, sizeof name) > 0);
    /* The name is there a moment before the tracepoint. */
    while (kernel_map_get(e.watch.tids, &tid, &value) == 0 ||
           kernel_map_get(e.watch.tids, &pid, &value) != 0)
        continue; /* one goes before the other comes */
    end_child(pid);
    perf_events_close(&e);
}

TEST_MAIN()
