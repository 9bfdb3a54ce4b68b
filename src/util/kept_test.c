/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "util/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* What the child says of itself. */
static int in_child(bool (*is_good)(void *arg), void *arg)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(is_good(arg) ? 0 : 1);
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}

TEST(one_that_a_program_closed_is_none_whatever_has_its_number)
{
    int pair[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    struct kept k = kept_open(pair[0]);
    CHECK(kept_is_ours(&k));
    close(pair[0]);
    int theirs = memfd_create("theirs", 0);
    REQUIRE(theirs == pair[0]);
    errno = ENOTTY;
    CHECK(!kept_is_ours(&k));
    CHECK_EQ(k.fd, -1);
    kept_close(&k);
    CHECK_EQ(errno, ENOTTY);
    CHECK(is_open(theirs));
    struct kept none = kept_open(-1);
    CHECK(!kept_is_ours(&none));
    kept_close(&none);
}

struct three {
    int kept, released, theirs;
};

static bool has_only_what_is_not_kept(void *arg)
{
    const struct three *t = arg;
    return !is_open(t->kept) && is_open(t->released) && is_open(t->theirs);
}

TEST(a_child_of_fork_has_none_of_them_and_everything_else)
{
    int a[2], b[2];
    char byte = 0;
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
    struct kept first = kept_open(a[0]), second = kept_open(b[0]), third = kept_open(dup(b[1]));
    struct three t = {.kept = a[0], .released = kept_release(&second), .theirs = third.fd};
    close(third.fd); /* and its number is the program's now */
    REQUIRE(memfd_create("theirs", 0) == t.theirs);
    CHECK_EQ(in_child(has_only_what_is_not_kept, &t), 0);
    CHECK(kept_is_ours(&first)); /* here nothing has changed, and nobody was told anything */
    CHECK_EQ(send(first.fd, "x", 1, 0), 1);
    CHECK_EQ(recv(a[1], &byte, 1, 0), 1);
    CHECK_EQ(recv(a[1], &byte, 1, MSG_DONTWAIT), -1);
    kept_close(&first);
    CHECK_EQ(recv(a[1], &byte, 1, 0), 0);
}

static bool has_a_table_of_its_own(void *arg)
{
    struct kept k = kept_open(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const struct three t = {k.fd, 1, 1};
    bool good = kept_is_ours(&k);
    return good && in_child(has_only_what_is_not_kept, (void *)(uintptr_t)&t) == 0;
}

TEST(so_it_is_in_a_child_of_the_child)
{
    struct kept k = kept_open(open("/dev/null", O_RDONLY | O_CLOEXEC));
    CHECK_EQ(in_child(has_a_table_of_its_own, NULL), 0);
    kept_close(&k);
}

TEST(more_than_the_table_has_room_for_are_kept_all_the_same)
{
    enum { MANY = 700 };
    static struct kept k[MANY];
    for (int i = 0; i < MANY; i++)
        k[i] = kept_open(open("/dev/null", O_RDONLY | O_CLOEXEC));
    for (int i = 0; i < MANY; i++) {
        CHECK(kept_is_ours(&k[i]));
        kept_close(&k[i]);
    }
    struct kept again = kept_open(open("/dev/null", O_RDONLY | O_CLOEXEC));
    struct three t = {again.fd, 1, 1};
    CHECK_EQ(in_child(has_only_what_is_not_kept, &t), 0); /* the room is there again */
    kept_close(&again);
}

TEST_MAIN()
