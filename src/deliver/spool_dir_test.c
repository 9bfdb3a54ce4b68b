/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "deliver/spool_dir.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "random.h"
#include "deliver/test_spool.h"

TEST(names_are_read_only_as_they_are_written)
{
    static const char *const wrong[] = {"",
                                        ".",
                                        "x.spool",
                                        "0000000000000001-1-1-00000001",
                                        "0000000000000001-1-1-00000001.lock",
                                        "1-1-1-00000001.spool",
                                        "0000000000000001-01-1-00000001.spool",
                                        "0000000000000001--1-1-00000001.spool",
                                        "0000000000000001-1-1-1.spool",
                                        "0000000000000001-2147483648-1-00000001.spool",
                                        "000000000000000A-1-1-00000001.spool",
                                        "ffffffffffffffff-1-1-00000001.spool",
                                        "0000000000000001-1-1-00000001.spool~",
                                        "0000000000000001- 1-1-00000001.spool",
                                        "0000000000000001-1-0x1-00000001.spool"};
    struct spool_name name = {0x17a, {4242, 0xfeed, 0xabc}}, again;
    char text[SPOOL_NAME_MAX];
    spool_name_text(&name, text);
    CHECK_STR(text, "000000000000017a-4242-feed-00000abc.spool");
    REQUIRE(spool_name_parse(text, &again));
    CHECK_EQ(again.created_ns, name.created_ns);
    CHECK_EQ(again.owner.pid, 4242);
    CHECK_EQ(again.owner.start, 0xfeed);
    CHECK_EQ(again.owner.tag, 0xabc);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (spool_name_parse(wrong[i], &again))
            test_fail(__FILE__, __LINE__, "%s was taken for a name", wrong[i]);
}

TEST(a_living_process_keeps_its_files)
{
    const char *dir = test_tmpdir();
    int up[2], down[2];
    char c = 0;
    REQUIRE(pipe(up) == 0 && pipe(down) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct spool *s = open_spool(dir, 0, 0);
        put(s, 1, 64);
        put(s, 2, 64);
        if (write(up[1], "x", 1) != 1 || read(down[0], &c, 1) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    REQUIRE(read(up[0], &c, 1) == 1);
    struct spool *s = open_spool(dir, 0, 0);
    CHECK_EQ(next(s, NULL), -1);
    struct spool *second = open_spool(dir, 0, 0); /* of this very process: likewise */
    CHECK_EQ(put(second, 7, 64), 0);
    CHECK_EQ(next(s, NULL), -1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    CHECK_EQ(next(s, NULL), -1); /* looked a moment ago */
    test_now += 11 * SECOND;
    CHECK_EQ(next(s, NULL), 1);
    spool_done(s);
    CHECK_EQ(next(s, NULL), 2);
    spool_done(s);
    CHECK_EQ(next(s, NULL), -1);
    spool_close(s);
    CHECK_EQ(next(second, NULL), 7);
    spool_close(second);
}

/* Process 1 of a container, with a /proc that knows nobody else. */
static void in_container(const char *dir, int up)
{
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("proc", "/proc", "proc", 0, NULL) != 0)
        _exit(77);
    struct spool *s = open_spool(dir, 0, 0);
    if (put(s, 1, 64) != 0 || write(up, "x", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

TEST(a_process_that_cannot_be_seen_keeps_its_files_by_its_lock)
{
    const char *dir = test_tmpdir();
    int up[2];
    char c;
    REQUIRE(pipe(up) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(up[0]);
        if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0)
            _exit(77);
        pid_t inner = fork();
        if (inner == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            in_container(dir, up[1]);
        }
        close(up[1]);
        waitpid(inner, NULL, 0);
        _exit(0);
    }
    close(up[1]);
    if (read(up[0], &c, 1) != 1) {
        waitpid(pid, NULL, 0);
        test_skip("cannot make a process namespace here");
    }
    struct spool *s = open_spool(dir, 0, 0);
    CHECK_EQ(next(s, NULL), -1);
    kill(pid, SIGKILL); /* and with it the one inside, sooner or later: its pipe ends then */
    waitpid(pid, NULL, 0);
    CHECK_EQ(read(up[0], &c, 1), 0);
    for (long long id = -1; id < 0;) { /* its lock goes right after its pipe */
        test_now += 11 * SECOND;
        id = next(s, NULL);
        CHECK(id == -1 || id == 1);
    }
    spool_close(s);
}

TEST(a_child_of_fork_does_not_keep_its_dead_parents_files)
{
    const char *dir = test_tmpdir();
    int up[2], hold[2];
    char c;
    REQUIRE(pipe(up) == 0 && pipe(hold) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct spool *s = open_spool(dir, 0, 0);
        put(s, 1, 64);
        if (fork() == 0) { /* lives on with all descriptors of its parent */
            close(hold[1]);
            if (write(up[1], "x", 1) == 1 && read(hold[0], &c, 1) >= 0)
                _exit(0);
            _exit(1);
        }
        for (;;)
            pause();
    }
    close(hold[0]);
    REQUIRE(read(up[0], &c, 1) == 1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    struct spool *s = open_spool(dir, 0, 0);
    CHECK_EQ(next(s, NULL), 1);
    spool_close(s);
    close(hold[1]);
}

TEST(a_fork_child_has_no_spool)
{
    const char *dir = test_tmpdir();
    struct spool *s = open_spool(dir, 0, 0);
    CHECK_EQ(put(s, 1, 64), 0);
    CHECK_EQ(next(s, NULL), 1);
    pid_t pid = fork();
    if (pid == 0) {
        struct buf b;
        struct out_message m;
        bool own, right = put(s, 2, 64) == ORIEL_ESTATE;
        buf_init(&b);
        right &= spool_next(s, &m, &b, &own, NULL) == ORIEL_ESTATE;
        spool_done(s);
        spool_close(s);
        _exit(right ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
    CHECK_EQ(next(s, NULL), 1);
    spool_done(s);
    CHECK_EQ(next(s, NULL), -1);
    spool_close(s);
}

/* ---- kill -9 ---- */

struct note { /* what the child had done when it said so */
    uint64_t id;
    uint64_t done; /* else put */
};

/* Puts, and sends now and then, and says each after it happened, for ever. */
static void put_for_ever(const char *dir, int fd, uint64_t seed)
{
    struct spool *s = open_spool(dir, 0, 64 << 10);
    for (uint64_t id = 0;;) {
        struct note n = {.done = random_below(&seed, 16) > 9};
        if (n.done) {
            long long got = next(s, NULL);
            n.id = (uint64_t)got;
            if (got < 0)
                continue;
            spool_done(s);
        } else {
            n.id = id++;
            if (put(s, n.id, 8 + random_below(&seed, 20000)) != 0)
                _exit(1);
        }
        if (write(fd, &n, sizeof n) != sizeof n)
            _exit(1);
    }
}

static void kill_round(const char *dir, unsigned seed)
{
    static unsigned char put_said[1 << 16], done_said[1 << 16];
    int up[2];
    struct note n;
    memset(put_said, 0, sizeof put_said);
    memset(done_said, 0, sizeof done_said);
    REQUIRE(pipe(up) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(up[0]);
        put_for_ever(dir, up[1], seed);
    }
    close(up[1]);
    /* The moment: after so many words of the child, which goes on meanwhile. */
    for (unsigned i = 0; i < seed % 97 && read(up[0], &n, sizeof n) == sizeof n; i++)
        (n.done ? done_said : put_said)[n.id] = 1;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    while (read(up[0], &n, sizeof n) == sizeof n) {
        REQUIRE(n.id < sizeof put_said);
        (n.done ? done_said : put_said)[n.id] = 1;
    }
    close(up[0]);
    struct spool *s = open_spool(dir, 0, 0);
    long long last = -1;
    for (long long id; (id = next(s, NULL)) >= 0; last = id) {
        CHECK(id > last);
        if (done_said[id])
            test_fail(__FILE__, __LINE__, "%lld was done and came again (round %u)", id, seed);
        put_said[id] = 0;
        spool_done(s);
    }
    struct sums c = counts_of(s);
    CHECK_EQ(c.damaged, 0);
    spool_close(s);
    unsigned missing = 0; /* one at most: done, but killed before it could say so */
    for (unsigned i = 0; i < sizeof put_said; i++)
        missing += put_said[i] && !done_said[i];
    if (missing > 1)
        test_fail(__FILE__, __LINE__, "%u messages are gone (round %u)", missing, seed);
}

TEST_T(a_kill_loses_nothing_that_was_put_and_repeats_nothing_that_was_done, 300)
{
    const char *rounds = getenv("SPOOL_KILLS");
    unsigned long n = rounds ? strtoul(rounds, NULL, 10) : test_times(1000);
    for (unsigned i = 0; i < n; i++) {
        kill_round(test_tmpdir(), i * 7 + 1);
        test_stop_if_failed();
    }
}

TEST(many_processes_share_out_what_a_dead_one_left_each_message_once)
{
    const char *dir = test_tmpdir();
    enum { MESSAGES = 400, WORKERS = 4 };
    unsigned char seen[MESSAGES] = {0};
    struct spool *s = open_spool(dir, 0, 16 << 10);
    int up[2];
    for (uint64_t id = 0; id < MESSAGES; id++)
        CHECK_EQ(put(s, id, 1000), 0);
    spool_close(s);
    REQUIRE(pipe(up) == 0);
    for (int w = 0; w < WORKERS; w++)
        if (fork() == 0) {
            close(up[0]);
            s = open_spool(dir, 0, 16 << 10);
            for (long long id; (id = next(s, NULL)) >= 0;) {
                uint64_t said = (uint64_t)id;
                spool_done(s);
                if (write(up[1], &said, sizeof said) != sizeof said)
                    _exit(1);
            }
            spool_close(s);
            _exit(0);
        }
    close(up[1]);
    for (uint64_t id; read(up[0], &id, sizeof id) == sizeof id;)
        if (id < MESSAGES)
            seen[id]++;
    for (int i = 0; i < MESSAGES; i++)
        CHECK_EQ(seen[i], 1);
    while (wait(NULL) > 0)
        ;
}

TEST(processes_that_live_share_the_room)
{
    const char *dir = test_tmpdir();
    const uint64_t most = 256 << 10;
    struct spool *a = open_spool(dir, most, 0), *b;
    for (uint64_t id = 0; id < 300; id++)
        CHECK_EQ(put(a, id, 2000), 0);
    b = open_spool(dir, most, 0);
    for (uint64_t id = 0; id < 300; id++) {
        CHECK_EQ(put(b, id, 2000), 0);
        CHECK(counts_of(b).bytes <= most / 2);
    }
    for (uint64_t id = 300; id < 400; id++)
        CHECK_EQ(put(a, id, 2000), 0);
    CHECK(counts_of(a).bytes <= most / 2);
    CHECK(counts_of(a).bytes + counts_of(b).bytes > most / 2);
    spool_close(b);
    spool_close(a);
}

TEST_MAIN()
