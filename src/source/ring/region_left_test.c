/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What ended exports leave is bounded, the newest of it stays whole, and nothing that anybody has
 * is touched.
 */
#include "source/region_left.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "ring_reader.h"
#include "ring_writer.h"
#include "source/region_io.h"

enum { EVENTS = 1000, PATHS = 48 };

struct leaving {
    bool recorder;   /* a ring of one, not of an export */
    const char *exe; /* NULL: the usual one */
    int events;
    pid_t *holder; /* a child that has it mapped and told nobody: it lives on */
};

static struct region *make(bool recorder)
{
    struct region_options o = {.size = sizeof o,
                               .directory = test_tmpdir(),
                               .ring_bytes = 1 << 20,
                               .threads = 16,
                               .meta_bytes = 1 << 16};
    struct region *r = NULL;
    struct oriel_err err = {0};
    if (region_create(&r, &o, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    if (r && !recorder)
        region_hold(r);
    return r;
}

static void write_and_die(const struct leaving *how, int out)
{
    struct rw_process p;
    struct rw_thread t;
    static struct region *volatile left; /* to the kernel, on purpose */
    struct region *r = left = make(how->recorder);
    rw_attach_path(&p, region_path(r));
    if (how->exe)
        snprintf(wire_region_process(&p.h, p.base, p.slot)->exe, 64, "%s", how->exe);
    rw_site(&p, 2, ORIEL_SITE_EVENT, "tick", "u");
    rw_thread_start(&t, &p, 0);
    for (int i = 0; i < how->events; i++)
        rw_event(&t, 2, 1);
    struct {
        pid_t holder;
        char path[512];
    } said = {.holder = how->holder ? fork() : 0};
    if (how->holder && said.holder == 0)
        for (;;)
            pause();
    snprintf(said.path, sizeof said.path, "%s", region_path(r));
    if (write(out, &said, sizeof said) != sizeof said)
        _exit(1);
    kill(getpid(), SIGKILL);
}

static void leave(const struct leaving *how, char path[512])
{
    struct {
        pid_t holder;
        char path[512];
    } said;
    int fds[2];
    REQUIRE(test_tmpdir()[0] && pipe(fds) == 0);
    pid_t pid = fork();
    if (pid == 0)
        write_and_die(how, fds[1]);
    REQUIRE(read(fds[0], &said, sizeof said) == sizeof said);
    REQUIRE(waitpid(pid, NULL, 0) == pid);
    close(fds[0]);
    close(fds[1]);
    memcpy(path, said.path, sizeof said.path);
    if (how->holder)
        *how->holder = said.holder;
}

static char paths[PATHS][512];

static void leave_many(int n, int events)
{
    const struct leaving how = {.events = events};
    for (int i = 0; i < n; i++)
        leave(&how, paths[i]);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static unsigned there(int n)
{
    unsigned count = 0;
    for (int i = 0; i < n; i++)
        count += is_there(paths[i]);
    return count;
}

static struct region_tidied tidy(unsigned rings, uint64_t bytes)
{
    const struct region_limit limit = {rings, bytes};
    struct region_tidied t;
    CHECK_EQ(region_tidy(test_tmpdir(), &limit, &t), 0);
    return t;
}

static uint64_t removed(void)
{
    struct region_removed r;
    CHECK_EQ(region_removed_read(test_tmpdir(), &r), 0);
    return r.rings;
}

static struct region_info look(const char *path)
{
    struct region_info info = {.bytes = 0};
    struct oriel_err err = {0};
    if (region_inspect(path, &info, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    return info;
}

static size_t events_in(const char *path)
{
    struct reader r;
    size_t seen = 0;
    int rc;
    REQUIRE(reader_open(&r, path) == 0);
    do {
        rc = reader_poll(&r, 100);
        for (size_t i = 0; i < r.batch.record_count; i++)
            seen += r.batch.records[i].type == ORIEL_REC_EVENT;
        reader_commit(&r);
    } while (rc == SOURCE_DATA);
    CHECK_EQ(rc, SOURCE_END);
    reader_close(&r);
    return seen;
}

TEST(the_newest_stay_and_what_went_is_counted_once)
{
    struct region_removed sum;
    uint64_t unread = 0;
    leave_many(11, EVENTS);
    for (int i = 0; i < 3; i++)
        unread += look(paths[i]).unread_bytes;
    struct region_tidied t;
    REQUIRE(region_tidy(test_tmpdir(), NULL, &t) == 0);
    CHECK_EQ(t.removed, 3);
    CHECK_EQ(t.kept, REGION_LIMIT_RINGS);
    CHECK_EQ(t.unread_bytes, unread);
    for (int i = 0; i < 11; i++)
        CHECK_EQ(is_there(paths[i]), i >= 3);
    t = tidy(8, REGION_LIMIT_BYTES);
    CHECK_EQ(t.removed, 0);
    REQUIRE(region_removed_take(test_tmpdir(), &sum) == 0);
    CHECK_EQ(sum.rings, 3);
    CHECK_EQ(sum.unread_bytes, unread);
    CHECK(sum.unix_s > 1600000000);
    CHECK_EQ(removed(), 0);
}

TEST(what_stays_gives_back_the_memory_that_holds_nothing_and_is_read_whole)
{
    leave_many(1, EVENTS);
    const struct region_info before = look(paths[0]);
    CHECK(before.memory_bytes >= before.bytes); /* every page of it is there */
    const struct region_tidied t = tidy(8, REGION_LIMIT_BYTES);
    const struct region_info after = look(paths[0]);
    CHECK_EQ(after.bytes, before.bytes);
    CHECK_EQ(after.unread_bytes, before.unread_bytes);
    CHECK_EQ(t.kept_bytes, after.memory_bytes);
    CHECK(after.memory_bytes < before.memory_bytes - (900 << 10));
    CHECK_EQ(events_in(paths[0]), EVENTS);
}

TEST(their_memory_is_bounded_and_the_newest_stays_whatever_its_size)
{
    leave_many(4, 20000);
    const uint64_t one = look(paths[3]).unread_bytes;
    CHECK_EQ(tidy(8, 3 * one).removed, 2);
    CHECK(!is_there(paths[0]) && !is_there(paths[1]) && is_there(paths[3]));
    CHECK_EQ(tidy(8, 1).removed, 1);
    CHECK(is_there(paths[3]));
    CHECK_EQ(tidy(0, 0).removed, 0);
    CHECK_EQ(events_in(paths[3]), 20000);
}

TEST(a_program_that_is_killed_over_and_over_costs_the_others_nothing)
{
    const struct leaving other = {.exe = "/usr/bin/other", .events = 5};
    char rare[512];
    leave(&other, rare);
    leave_many(6, EVENTS);
    CHECK_EQ(tidy(3, REGION_LIMIT_BYTES).removed, 4);
    CHECK(is_there(rare) && is_there(paths[4]) && is_there(paths[5]));
}

TEST(what_holds_nothing_goes_first)
{
    const struct leaving empty = {.events = 0};
    char path[512];
    leave_many(2, EVENTS);
    leave(&empty, path);
    leave_many(1, EVENTS);
    /* The SYNC record of its thread is unread, too. */
    struct wire_region *h;
    size_t bytes;
    void *base;
    REQUIRE(os_map_file(path, &bytes, &base) == 0);
    h = base;
    for (uint32_t i = 0; i < h->chunk_count; i++)
        wire_region_desc(h, base, i)->consumed = h->chunk_bytes;
    os_unmap(base, bytes);
    CHECK_EQ(look(path).unread_bytes, 0);
    CHECK_EQ(tidy(3, REGION_LIMIT_BYTES).removed, 1);
    CHECK(!is_there(path));
}

TEST(who_only_maps_a_ring_and_told_nobody_keeps_it)
{
    pid_t heir;
    const struct leaving how = {.events = EVENTS, .holder = &heir};
    char path[512];
    leave(&how, path);
    leave_many(3, EVENTS);
    struct region_info info = look(path);
    CHECK(region_is_orphan(&info)); /* by all that pids say, as in another namespace */
    CHECK_EQ(tidy(1, 1).removed, 2);
    CHECK(is_there(path));
    CHECK_EQ(look(path).memory_bytes, info.memory_bytes);
    kill(heir, SIGKILL);
    /* No child of ours: the kernel closes what it had, some time. */
    for (int i = 0; i < 100000 && is_there(path); i++) {
        (void)tidy(1, 1);
        sched_yield();
    }
    CHECK(!is_there(path));
}

TEST(a_ring_that_is_just_looked_at_is_left_alone)
{
    size_t bytes;
    void *base;
    leave_many(3, EVENTS);
    REQUIRE(os_map_file(paths[0], &bytes, &base) == 0);
    const uint64_t memory = look(paths[0]).memory_bytes;
    CHECK_EQ(tidy(1, 1).removed, 1);
    CHECK(is_there(paths[0]) && !is_there(paths[1]));
    CHECK_EQ(look(paths[0]).memory_bytes, memory);
    CHECK_EQ(removed(), 1);
    os_unmap(base, bytes);
}

TEST(rings_of_recorders_and_of_the_living_are_not_touched)
{
    const struct leaving recorder = {.recorder = true, .events = EVENTS};
    char path[512];
    leave(&recorder, path);
    struct region *mine = make(false);
    leave_many(2, EVENTS);
    CHECK_EQ(tidy(1, 1).removed, 1);
    CHECK(is_there(path) && is_there(region_path(mine)));
    CHECK_EQ(look(path).memory_bytes, look(paths[1]).bytes);
    CHECK(region_is_spent(mine));
    region_unlink(region_path(mine), NULL);
    region_free(mine);
}

/* As in a container, where each start has the numbers of the one before. */
TEST(a_ring_whose_maker_had_our_pid_is_known_to_be_left)
{
    size_t bytes;
    void *base;
    leave_many(1, EVENTS);
    REQUIRE(os_map_file(paths[0], &bytes, &base) == 0);
    struct wire_region *h = base;
    h->creator_pid = h->reader_pid = (uint32_t)getppid();
    h->creator_start = 1;
    h->owner = wire_owner(getppid(), getppid());
    os_unmap(base, bytes);
    const struct region_info info = look(paths[0]);
    CHECK(region_is_orphan(&info));
    CHECK_EQ(events_in(paths[0]), EVENTS);
}

static _Noreturn void tidy_and_end(void)
{
    const struct region_limit one = {1, 1};
    struct region_tidied t;
    _exit(region_tidy(test_tmpdir(), &one, &t) != 0);
}

TEST(whenever_who_removes_is_killed_each_ring_is_there_or_counted)
{
    leave_many(PATHS, 1);
    for (unsigned i = 0; i < 2000 && there(PATHS) > 1; i++) {
        pid_t pid = fork();
        if (pid == 0)
            tidy_and_end();
        for (unsigned k = 0; k < i % 97; k++)
            sched_yield();
        kill(pid, SIGKILL);
        REQUIRE(waitpid(pid, NULL, 0) == pid);
        const uint64_t sum = removed() + there(PATHS);
        /* One may be counted that has yet to go. */
        REQUIRE(sum == PATHS || sum == PATHS + 1);
    }
    (void)tidy(1, 1);
    CHECK_EQ(there(PATHS), 1);
    CHECK_EQ(removed(), PATHS - 1);
}

TEST(several_at_once_remove_nothing_twice)
{
    pid_t pids[8];
    leave_many(24, 1);
    for (int i = 0; i < 8; i++)
        if ((pids[i] = fork()) == 0)
            tidy_and_end();
    for (int i = 0; i < 8; i++) {
        int status;
        REQUIRE(waitpid(pids[i], &status, 0) == pids[i]);
        CHECK_EQ(status, 0);
    }
    CHECK_EQ(removed() + there(24), 24);
    (void)tidy(1, 1);
    CHECK_EQ(removed(), 23);
}

TEST(no_memory_is_an_answer)
{
    struct region_tidied t;
    int rc = -1;
    leave_many(2, 1);
    for (uint64_t n = 1; rc != 0; n++) {
        mem_fail_after(n);
        rc = region_tidy(test_tmpdir(), NULL, &t);
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        REQUIRE(n < 100);
    }
    CHECK_EQ(t.kept, 2);
    CHECK_EQ(region_tidy("/nowhere/at/all", NULL, &t), ORIEL_EIO);
}

TEST(far_more_than_there_may_be_is_seen_by_names)
{
    CHECK(!region_left_late(test_tmpdir()));
    leave_many(11, 1);
    CHECK(!region_left_late(test_tmpdir()));
    leave(&(const struct leaving){.events = 1}, paths[11]);
    CHECK(region_left_late(test_tmpdir()));
    struct region_tidied t;
    CHECK_EQ(region_tidy(test_tmpdir(), NULL, &t), 0);
    CHECK(!region_left_late(test_tmpdir()));
}

TEST_MAIN()
