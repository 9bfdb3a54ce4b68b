/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "util/http_server.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "test.h"

#define SECOND UINT64_C(1000000000)

/* A connection whose other end is the test's. */
static struct http_server_conn *connection(int *out_client, size_t body_max)
{
    struct http_server_options o = {.size = sizeof o, .body_max = body_max};
    struct http_server_conn *c = NULL;
    struct stream *s = NULL;
    int pair[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    REQUIRE(stream_accepted(&s, pair[0], NULL, NULL) == 0);
    REQUIRE(http_server_conn_new(&c, s, &o, 0, NULL) == 0);
    *out_client = pair[1];
    return c;
}

static void say(int fd, const char *text)
{
    REQUIRE(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

/* What has been answered so far. */
static const char *hear(int fd)
{
    static char got[4096];
    ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
    got[n > 0 ? n : 0] = 0;
    return got;
}

TEST(requests_are_given_out_whole_and_one_after_the_other)
{
    int fd;
    struct http_server_conn *c = connection(&fd, 0);
    struct http_server_request r;
    struct oriel_err err = {0};
    const char *text =
        "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
        "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n0\r\n\r\nGET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    static const char *const targets[] = {"/a", "/b", "/c"}, *const bodies[] = {"hello", "abc", ""};
    unsigned given = 0;
    int rc = NET_AGAIN;
    for (size_t i = 0; i < strlen(text); i++) {
        char one[2] = {text[i], 0};
        say(fd, one);
        while ((rc = http_server_step(c, 0, &r, &err)) == 0) {
            REQUIRE(given < 3);
            CHECK_MEM(r.head->target, r.head->target_n, targets[given], 2);
            CHECK_MEM(r.body, r.body_n, bodies[given], strlen(bodies[given]));
            CHECK_EQ(http_server_answer(c, 200, NULL, 0, "ok", 2, false, 0, &err), 0);
            given++;
        }
        CHECK(rc == NET_AGAIN || i + 1 == strlen(text));
    }
    CHECK_EQ(given, 3);
    CHECK_EQ(rc, ORIEL_ECLOSED); /* as the last request asked */
    const char *got = hear(fd);
    const char *answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    CHECK(strncmp(got, answer, strlen(answer)) == 0);
    CHECK(strstr(got, "Connection: close") != NULL);
    http_server_conn_free(c);
    close(fd);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(what_cannot_be_read_is_refused_and_the_connection_closed)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost: x\r\n\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"POST / HTTP/1.1\nHost: x\n\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n", 0},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello", 400},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd, status = 0;
        struct http_server_conn *c = connection(&fd, 100);
        struct http_server_request r;
        struct oriel_err err = {0};
        char longer[200];
        memset(longer, 'x', sizeof longer);
        say(fd, cases[i].text);
        CHECK_EQ(http_server_step(c, 0, &r, &err), NET_AGAIN);
        if (cases[i].status == 0) /* the chunk that was announced */
            CHECK(send(fd, longer, 0x65, 0) == 0x65);
        say(fd, "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
        CHECK_EQ(http_server_step(c, 0, &r, &err), NET_AGAIN); /* nothing is given out */
        shutdown(fd, SHUT_WR);
        CHECK_EQ(http_server_step(c, 0, &r, &err), ORIEL_EFORMAT);
        CHECK(err.text[0]);
        const char *got = hear(fd);
        CHECK(sscanf(got, "HTTP/1.1 %d", &status) == 1);
        CHECK_EQ(status, cases[i].status ? cases[i].status : 413);
        CHECK(strstr(got, "Connection: close\r\n") && !strstr(got + 1, "HTTP/1.1"));
        http_server_conn_free(c);
        close(fd);
    }
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(bytes_do_not_prolong_a_deadline)
{
    static const struct {
        const char *first;
        uint64_t limit_s;
    } cases[] = {{"", 30},
                 {"GET / HTTP/1.1\r\nX: ", 5},
                 {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", 30}};
    for (size_t i = 0; i < 3; i++) {
        int fd, rc = NET_AGAIN;
        struct http_server_conn *c = connection(&fd, 0);
        struct http_server_request r;
        struct oriel_err err = {0};
        uint64_t now = 0;
        say(fd, cases[i].first);
        for (; rc == NET_AGAIN && now < 100 * SECOND; now += SECOND) {
            if (i > 0)
                say(fd, "x");
            rc = http_server_step(c, now, &r, &err);
            struct net_wait w;
            net_wait_init(&w);
            http_server_wait(c, &w);
            CHECK(w.count == 1 && w.wake_ns == cases[i].limit_s * SECOND);
        }
        CHECK_EQ(rc, ORIEL_ETIMEOUT);
        CHECK_EQ((now - SECOND) / SECOND, cases[i].limit_s);
        http_server_conn_free(c);
        close(fd);
    }
}

TEST(a_head_without_an_end_is_refused)
{
    int fd, rc = NET_AGAIN;
    struct http_server_conn *c = connection(&fd, 0);
    struct http_server_request r;
    struct oriel_err err = {0};
    char much[1024];
    memset(much, 'x', sizeof much);
    say(fd, "GET / HTTP/1.1\r\nX: ");
    for (int i = 0; i < 40 && rc == NET_AGAIN; i++) {
        send(fd, much, sizeof much, MSG_NOSIGNAL | MSG_DONTWAIT);
        rc = http_server_step(c, 0, &r, &err);
    }
    CHECK(strncmp(hear(fd), "HTTP/1.1 431 ", 13) == 0);
    http_server_conn_free(c);
    close(fd);
}

TEST(who_waits_for_it_is_told_to_continue)
{
    int fd;
    struct http_server_conn *c = connection(&fd, 0);
    struct http_server_request r;
    struct oriel_err err = {0};
    say(fd, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    CHECK_EQ(http_server_step(c, 0, &r, &err), NET_AGAIN);
    CHECK_STR(hear(fd), "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, "ok");
    CHECK_EQ(http_server_step(c, 0, &r, &err), 0);
    struct http_header bad = {"x", "a\r\nb", 1, 4};
    CHECK_EQ(http_server_answer(c, 200, &bad, 1, NULL, 0, false, 0, &err), ORIEL_EINVAL);
    http_server_conn_free(c);
    close(fd);
}

TEST(a_client_that_leaves_is_no_error_of_ours)
{
    int fd;
    struct http_server_conn *c = connection(&fd, 0);
    struct http_server_request r;
    struct oriel_err err = {0};
    say(fd, "GET / HT");
    close(fd);
    CHECK_EQ(http_server_step(c, 0, &r, &err), ORIEL_ECLOSED);
    http_server_conn_free(c);
}

TEST_MAIN()
