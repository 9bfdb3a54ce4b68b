/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Lookups and connections under way in a program that closes all its descriptors and opens
 * files of its own: these are neither written to, nor read, nor closed.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "test.h"
#include "util/net.h"

enum { LAST_FD = 100 };

/* What was opened since, closed, and the same numbers given to files of the program. */
static unsigned take_all(const bool before[LAST_FD], int theirs[LAST_FD])
{
    unsigned n = 0;
    for (int fd = 3; fd < LAST_FD; fd++) {
        bool opened = !before[fd] && fcntl(fd, F_GETFD) >= 0;
        theirs[fd] = -1;
        if (opened) {
            int file = memfd_create("theirs", 0);
            REQUIRE(write(file, "theirs", 6) == 6 && dup2(file, fd) == fd);
            close(file);
            theirs[fd] = fd;
            n++;
        }
    }
    return n;
}

static void check_theirs(const int theirs[LAST_FD])
{
    char text[8];
    for (int fd = 3; fd < LAST_FD; fd++)
        if (theirs[fd] >= 0)
            CHECK_EQ(pread(fd, text, sizeof text, 0), 6); /* open, and as it was */
}

static void list(bool out[LAST_FD])
{
    for (int fd = 3; fd < LAST_FD; fd++)
        out[fd] = fcntl(fd, F_GETFD) >= 0;
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    REQUIRE(bind(fd, (struct sockaddr *)&a, n) == 0);
    REQUIRE(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
    return ntohs(a.sin_port);
}

TEST(a_lookup_asks_once_more_with_a_socket_of_its_own)
{
    char config[300];
    bool before[LAST_FD];
    int theirs[LAST_FD], server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(config, sizeof config, "%s/resolv.conf", test_tmpdir());
    FILE *f = fopen(config, "w");
    fprintf(f, "nameserver 127.0.0.1\noptions timeout:30\n");
    fclose(f);
    const struct net_resolver r = {.size = sizeof r,
                                   .hosts_path = "/nowhere",
                                   .config_path = config,
                                   .port = bound_port(server)};
    struct net_lookup *l;
    struct oriel_err err;
    unsigned heard = 0;
    char question[600];
    REQUIRE(net_lookup_new(&l, "nowhere.example", 1, &r, 0, &err) == 0);
    list(before);
    CHECK_EQ(net_lookup_step(l, 0, &err), NET_AGAIN);
    CHECK_EQ(take_all(before, theirs), 1);
    CHECK_EQ(net_lookup_step(l, 1, &err), NET_AGAIN);
    check_theirs(theirs);
    net_lookup_free(l);
    check_theirs(theirs);
    while (recv(server, question, sizeof question, MSG_DONTWAIT) > 0)
        heard++;
    CHECK_EQ(heard, 4); /* both families, twice */
    close(server);
}

/* A listener whose queue is full answers nobody. */
static int deaf_listener(uint16_t *out_port, int fillers[8])
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *out_port = bound_port(fd);
    a.sin_port = htons(*out_port);
    REQUIRE(listen(fd, 0) == 0);
    for (int i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&a, sizeof a);
    }
    return fd;
}

TEST(a_connection_that_the_program_closed_has_failed)
{
    bool before[LAST_FD];
    int theirs[LAST_FD], fillers[8], fd = -1;
    uint16_t port;
    int listener = deaf_listener(&port, fillers);
    const struct net_dial_options o = {.size = sizeof o, .host = "127.0.0.1", .port = port};
    for (int step_too = 0; step_too < 2; step_too++) {
        struct net_dial *d;
        struct oriel_err err = {0};
        list(before);
        REQUIRE(net_dial_new(&d, &o, 0, &err) == 0);
        REQUIRE(net_dial_step(d, 0, &fd, &err) == NET_AGAIN);
        CHECK_EQ(take_all(before, theirs), 1);
        if (step_too)
            CHECK(net_dial_step(d, 1, &fd, &err) < 0);
        check_theirs(theirs);
        net_dial_free(d);
        check_theirs(theirs);
    }
    for (int i = 0; i < 8; i++)
        close(fillers[i]);
    close(listener);
}

TEST_MAIN()
