/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Programs that close all descriptors they find, as daemons do when they begin, while
 * the sending thread (pthread_create of sender_start) is there: nothing is written to what they
 * open then, and they end. The receiver is a process of its own, made before any thread, because
 * the thread sanitizer knows no fork of a process that has some.
 */
#include "deliver/deliver.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deliver/test_destination.h"
#include "peer.h"
#include "receiver.h"
#include "test.h"

enum { LAST_FD = 200, THEIR_FILES = 60 };

/* Closes all descriptors and opens files of its own, as daemons do. */
static bool goes_on_with_its_own_files(const char *url, bool grpc)
{
    struct deliver_options o = destination_options(url, grpc);
    struct deliver *d = destination_open(&o);
    struct deliver_counts c;
    int theirs[THEIR_FILES];
    bool good = destination_put(d, OUT_TRACES, 1, 1) == 0;
    DESTINATION_UNTIL(d, &c, c.delivered == 1);
    for (int fd = 3; fd < LAST_FD; fd++)
        (void)syscall(SYS_close,
                      fd); /* not before the eyes of a sanitizer: it is a race, on purpose */
    for (int i = 0; i < THEIR_FILES; i++)
        theirs[i] = memfd_create("theirs", 0);
    good = destination_put(d, OUT_TRACES, 2, 1) == 0 && good;
    DESTINATION_UNTIL(d, &c, c.delivered == 2);
    out_close(deliver_out(d));
    for (int i = 0; i < THEIR_FILES; i++)
        good = lseek(theirs[i], 0, SEEK_END) == 0 && good; /* open, and empty */
    return good;
}

/* Its URL is there when this returns. */
static pid_t receive_elsewhere(bool grpc, char *url, size_t n)
{
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    pid_t child = fork();
    if (child == 0) {
        struct receiver_options ro = {.grpc = grpc};
        const char *text = receiver_url(receiver_start(&ro));
        if (write(fds[1], text, strlen(text) + 1) > 0)
            for (;;)
                pause(); /* until it is killed */
        _exit(1);
    }
    REQUIRE(child > 0 && read(fds[0], url, n) > 0);
    close(fds[0]);
    close(fds[1]);
    return child;
}

static void end_elsewhere(pid_t receiver)
{
    int status;
    kill(receiver, SIGKILL);
    CHECK_EQ(waitpid(receiver, &status, 0), receiver);
}

TEST(a_program_that_closes_all_descriptors_is_not_written_to_and_ends)
{
    char url[64];
    pid_t receiver = receive_elsewhere(false, url, sizeof url);
    CHECK(goes_on_with_its_own_files(url, false));
    end_elsewhere(receiver);
}

TEST(nor_is_one_whose_receiver_speaks_grpc)
{
    char url[64];
    pid_t receiver = receive_elsewhere(true, url, sizeof url);
    CHECK(goes_on_with_its_own_files(url, true));
    end_elsewhere(receiver);
}

TEST_MAIN()
