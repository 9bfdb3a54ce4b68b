/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Each process has what keeps it watched once, and only while it lives. Any event of
 * the kernel is as good as a uprobe's here; where none may be opened, none is kept.
 */
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "source/probe/probe.h"
#include "test.h"

/* 0: not to be read. */
static uint32_t any_event(void)
{
    char text[32];
    return os_read_file("/sys/kernel/tracing/events/sched/sched_process_exit/id", text,
                        sizeof text) > 0
               ? (uint32_t)strtoul(text, NULL, 10)
               : 0;
}

static bool events_are_there(void)
{
    struct perf_event_attr counts = {.size = sizeof counts,
                                     .type = PERF_TYPE_SOFTWARE,
                                     .config = PERF_COUNT_SW_DUMMY,
                                     .exclude_kernel = 1};
    long fd = syscall(SYS_perf_event_open, &counts, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd >= 0)
        close((int)fd);
    return fd >= 0; /* an emulator has none */
}

static pid_t wait_in_child(int *out_go)
{
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    pid_t child = fork();
    if (child == 0) {
        char unused;
        close(fds[1]);
        _exit(read(fds[0], &unused, 1) != 0);
    }
    REQUIRE(child > 0);
    close(fds[0]);
    *out_go = fds[1];
    return child;
}

TEST(a_process_has_one_of_each_while_it_is_known)
{
    const uint32_t id = any_event(), ids[2] = {id, id};
    const struct hook_events events = {ids, 2};
    struct keepers k = {0};
    int go;
    pid_t child = wait_in_child(&go);
    keepers_add(&k, &events, child);
    size_t each = k.kept.count;
    CHECK(each == 2 || !id || geteuid() != 0 || !events_are_there());
    keepers_add(&k, &events, child);
    CHECK_EQ(k.kept.count, each);
    keepers_add(&k, &events, getpid());
    CHECK_EQ(k.kept.count, 2 * each);
    keepers_remove(&k, child);
    CHECK_EQ(k.kept.count, each);
    for (size_t i = 0; i < k.kept.count; i++)
        CHECK_EQ(k.kept.items[i].pid, getpid());
    keepers_remove(&k, child); /* not known any more */
    CHECK_EQ(k.kept.count, each);
    keepers_add(&k, &events, child); /* its number may be another's now */
    CHECK_EQ(k.kept.count, 2 * each);
    close(go);
    CHECK_EQ(waitpid(child, NULL, 0), child);
    keepers_done(&k);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_process_that_is_gone_has_none_and_there_is_an_end_of_them)
{
    static uint32_t ids[5000];
    const struct hook_events few = {ids, 1}, many = {ids, 5000};
    struct keepers k = {0};
    int go;
    pid_t child = wait_in_child(&go);
    close(go);
    REQUIRE(waitpid(child, NULL, 0) == child);
    ids[0] = any_event();
    keepers_add(&k, &few, child);
    CHECK_EQ(k.kept.count, 0);
    keepers_add(&k, &many, getpid());
    CHECK_EQ(k.kept.count, 0);
    keepers_done(&k);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
