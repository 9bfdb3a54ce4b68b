/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Who closes slowly keeps what it was given, and nothing else of ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "source/kernel_aside.h"
#include "test.h"

/* The end of the pipe: its last writer is gone. Waits for that. */
static bool ends(int fd)
{
    char c;
    ssize_t n;
    while ((n = read(fd, &c, 1)) < 0 && errno == EINTR)
        continue;
    return n == 0;
}

TEST(what_is_closed_aside_is_closed_here_at_once_and_everywhere_soon)
{
    int given[3][2], fds[3];
    for (int i = 0; i < 3; i++) {
        REQUIRE(pipe(given[i]) == 0);
        fds[2 - i] = given[i][1]; /* in no order */
    }
    kernel_close_aside(fds, 3);
    for (int i = 0; i < 3; i++) {
        CHECK(fcntl(given[i][1], F_GETFD) < 0 && errno == EBADF);
        CHECK(ends(given[i][0]));
        close(given[i][0]);
    }
}

TEST(nothing_else_is_held_by_who_closes_aside)
{
    int before[2], given[2], after[2];
    REQUIRE(pipe(before) == 0 && pipe(given) == 0 && pipe(after) == 0);
    kernel_close_aside(&given[1], 1);
    close(before[1]);
    close(after[1]);
    CHECK(ends(before[0]));
    CHECK(ends(after[0]));
    CHECK(ends(given[0]));
}

TEST_MAIN()
