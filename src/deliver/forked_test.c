/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A child of fork that never execs: it has none of the sender's descriptors, so that a
 * connection ends when its parent ends it, and the parent's goes on as if nothing were.
 */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deliver/deliver.h"
#include "deliver/spool.h"
#include "deliver/test_destination.h"
#include "receiver.h"
#include "test.h"

enum { LAST_FD = 200 };

/* Descriptors of a process: which of the numbers from 3 on are open. */
static void list_fds(bool out[LAST_FD])
{
    struct stat st;
    for (int fd = 3; fd < LAST_FD; fd++)
        out[fd] = fstat(fd, &st) == 0;
}

static bool has_the_same(const bool expected[LAST_FD])
{
    bool here[LAST_FD];
    list_fds(here);
    for (int fd = 3; fd < LAST_FD; fd++)
        if (here[fd] != expected[fd])
            return false;
    return true;
}

static void forks(bool grpc)
{
    char url[64];
    bool before[LAST_FD], with[LAST_FD];
    unsigned more = 0;
    int status = -1;
    pid_t receiver = receiver_start_elsewhere(grpc, url, sizeof url);
    struct deliver_options o = destination_options(url, grpc);
    struct spool_options so = {
        .size = sizeof so, .directory = test_tmpdir(), .destination = "test"};
    struct out_message m = {.signal = OUT_TRACES, .items = 1, .bytes = "x", .n = 1};
    struct deliver_counts c;
    REQUIRE(spool_open(&o.spool, &so, NULL) == 0);
    CHECK_EQ(spool_put(o.spool, &m, clock_unix_ns(), NULL), 0);
    spool_close(o.spool);
    list_fds(before);
    REQUIRE(spool_open(&o.spool, &so, NULL) == 0); /* its directory, and its lock */
    struct deliver *d = destination_open(&o);
    CHECK_EQ(destination_put(d, OUT_TRACES, 1, 1), 0);
    DESTINATION_UNTIL(d, &c, c.delivered == 1 && c.recovered == 1);
    const uint64_t connections = c.connections;
    list_fds(with);
    for (int fd = 3; fd < LAST_FD; fd++)
        more += with[fd] && !before[fd];
    CHECK(more >= 4); /* a connection, both ends of the pipe, the directory at least */
    pid_t child = fork();
    if (child == 0) {
        bool good = has_the_same(before);
        out_close(deliver_out(d)); /* and nothing is said over what it shares */
        if (good && has_the_same(before))
            kill(getpid(), SIGKILL); /* memory of its parent's thread is nobody's here */
        _exit(1);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, SIGKILL);
    CHECK(has_the_same(with));
    CHECK_EQ(destination_put(d, OUT_TRACES, 2, 1), 0);
    DESTINATION_UNTIL(d, &c, c.delivered == 2);
    CHECK_EQ(c.connections, connections); /* the same as before */
    out_close(deliver_out(d));
    CHECK(has_the_same(before));
    receiver_stop_elsewhere(receiver);
}

TEST(a_child_has_none_of_its_parents_descriptors_over_http)
{
    forks(false);
}

TEST(a_child_has_none_of_its_parents_descriptors_over_grpc)
{
    forks(true);
}

TEST_MAIN()
