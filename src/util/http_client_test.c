/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdlib.h>
#include <poll.h>

#include "base/clock.h"
#include "base/mem.h"
#include "peer.h"
#include "test.h"
#include "util/http_client.h"

#define SECOND UINT64_C(1000000000)

static uint64_t in_ms(uint64_t ms)
{
    return clock_mono_ns() + ms * 1000000;
}

static struct http_client *client_of(uint16_t port, struct http_client_options *o)
{
    struct http_client *c = NULL;
    struct oriel_err err = {0};
    o->size = sizeof *o;
    o->stream.size = sizeof o->stream;
    if (!o->stream.unix_path && !o->stream.proxy_host) {
        o->stream.host = "127.0.0.1";
        o->stream.port = port;
    }
    if (!o->authority)
        o->authority = "localhost";
    REQUIRE(http_client_new(&c, o, &err) == 0);
    return c;
}

static int post(struct http_client *c, const void *body, size_t n, struct http_reply *out,
                struct oriel_err *err)
{
    struct http_header type = {"content-type", "text/plain", 12, 10};
    struct http_request r = {.size = sizeof r,
                             .method = "POST",
                             .target = "/v1",
                             .headers = &type,
                             .header_count = 1,
                             .body = body,
                             .body_n = n};
    return http_client_call(c, &r, in_ms(60000), out, err);
}

/* Replies to every request (bodies of at most some bytes) with the text. */
static void reply_always(int fd, unsigned which, void *arg)
{
    char got[4096];
    while (peer_read_until(fd, "\r\n\r\n", got, sizeof got))
        peer_send(fd, arg);
}

static void reply_once(int fd, unsigned which, void *arg)
{
    char got[4096];
    if (peer_read_until(fd, "\r\n\r\n", got, sizeof got))
        peer_send(fd, arg);
}

TEST(one_connection_serves_many_requests)
{
    struct peer *p =
        peer_start(reply_always, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello", NULL);
    struct http_client_options o = {0};
    struct http_client *c = client_of(peer_port(p), &o);
    struct oriel_err err = {0};
    for (int i = 0; i < 20; i++) {
        struct http_reply r;
        REQUIRE(post(c, "a", 1, &r, &err) == 0);
        CHECK_EQ(r.head.status, 200);
        CHECK_MEM(r.body, r.body_n, "hello", 5);
        CHECK(http_find(&r.head, "x") != NULL);
    }
    CHECK_EQ(http_client_connections(c), 1);
    CHECK_EQ(peer_accepted(p), 1);
    http_client_free(c);
    peer_stop(p);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_reply_may_come_in_chunks_after_interim_ones_or_until_the_end)
{
    static const char interim[] =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\n"
        "Content-Length: 5\r\nConnection: close\r\n\r\nhello";
    static const char *const replies[] = {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        interim,
        "HTTP/1.1 200 OK\r\n\r\nhello",
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        struct peer *p = peer_start(reply_once, replies[i], NULL);
        struct http_client_options o = {0};
        struct http_client *c = client_of(peer_port(p), &o);
        struct oriel_err err = {0};
        struct http_reply r;
        CHECK_EQ(post(c, NULL, 0, &r, &err), 0);
        test_stop_if_failed();
        CHECK_EQ(r.head.status, 200);
        CHECK_MEM(r.body, r.body_n, "hello", 5);
        http_client_free(c);
        peer_stop(p);
    }
}

TEST(nobody_there_is_said_with_the_address)
{
    struct http_client_options o = {0};
    struct http_client *c = client_of(peer_unused_port(), &o);
    struct oriel_err err = {0};
    struct http_reply r;
    CHECK_EQ(post(c, NULL, 0, &r, &err), ORIEL_ECLOSED);
    CHECK(strstr(err.text, "127.0.0.1:") != NULL);
    CHECK(strstr(err.text, "refused") != NULL);
    http_client_free(c);
}

static void silent(int fd, unsigned which, void *arg)
{
    peer_drain(fd);
}

/* One byte of a header after the other, for as long as somebody listens. */
static void drip(int fd, unsigned which, void *arg)
{
    struct pollfd hung_up = {.fd = fd, .events = POLLRDHUP};
    char got[4096];
    peer_read_until(fd, "\r\n\r\n", got, sizeof got);
    peer_send(fd, arg);
    while (poll(&hung_up, 1, 2) == 0)
        peer_send(fd, "x");
}

TEST(a_deadline_ends_the_call_whatever_the_server_does)
{
    struct {
        peer_script *script;
        const char *text;
    } cases[] = {{silent, ""},
                 {drip, "HTTP/1.1 200 OK\r\nX: "},
                 {drip, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer *p = peer_start(cases[i].script, cases[i].text, NULL);
        struct http_client_options o = {0};
        struct http_client *c = client_of(peer_port(p), &o);
        struct oriel_err err = {0};
        struct http_reply reply;
        struct http_request r = {.size = sizeof r, .method = "GET", .target = "/"};
        uint64_t deadline = in_ms(60);
        CHECK_EQ(http_client_call(c, &r, deadline, &reply, &err), ORIEL_ETIMEOUT);
        CHECK(clock_mono_ns() >= deadline);
        http_client_free(c);
        peer_stop(p);
    }
    CHECK_EQ(mem_live_blocks(), 0);
}

static void reset_inside(int fd, unsigned which, void *arg)
{
    char got[4096];
    peer_read_until(fd, "\r\n\r\n", got, sizeof got);
    peer_send(fd, arg);
    peer_reset(fd);
}

TEST(a_connection_that_is_lost_is_no_reply)
{
    static const char *const sent[] = {
        "", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"};
    for (size_t i = 0; i < 8; i++) {
        struct peer *p = peer_start(i % 2 ? reset_inside : reply_once, sent[i / 2], NULL);
        struct http_client_options o = {0};
        struct http_client *c = client_of(peer_port(p), &o);
        struct oriel_err err = {0};
        struct http_reply r;
        CHECK_EQ(post(c, NULL, 0, &r, &err), ORIEL_ECLOSED);
        CHECK(strlen(err.text) > 0);
        http_client_free(c);
        peer_stop(p);
    }
}

/* A head, then more than anybody wants to read. */
static void flood(int fd, unsigned which, void *arg)
{
    static char much[64 << 10];
    struct pollfd gone = {.fd = fd, .events = POLLRDHUP};
    char got[4096];
    memset(much, 'x', sizeof much);
    peer_read_until(fd, "\r\n\r\n", got, sizeof got);
    peer_send(fd, arg);
    while (poll(&gone, 1, 0) == 0)
        peer_send_n(fd, much, sizeof much);
}

TEST(of_a_flood_little_is_read_and_the_connection_is_closed)
{
    struct peer *p = peer_start(flood, "HTTP/1.1 503 Busy\r\n\r\n", NULL);
    struct http_client_options o = {.body_max = 1000};
    struct http_client *c = client_of(peer_port(p), &o);
    struct oriel_err err = {0};
    struct http_reply r;
    CHECK_EQ(post(c, NULL, 0, &r, &err), 0);
    test_stop_if_failed();
    CHECK_EQ(r.head.status, 503);
    CHECK(r.cut);
    CHECK_EQ(r.body_n, 1000);
    http_client_free(c);
    peer_stop(p); /* returns: its connection was closed */

    p = peer_start(flood, "HTTP/1.1 200 OK\r\nX: ", NULL);
    struct http_client_options heads = {0};
    c = client_of(peer_port(p), &heads);
    CHECK_EQ(post(c, NULL, 0, &r, &err), ORIEL_ELIMIT);
    http_client_free(c);
    peer_stop(p);
}

TEST(what_is_no_http_is_said_so)
{
    static const char *const sent[] = {"SSH-2.0-x\r\n\r\n", "HTTP/1.1 101 Up\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz"};
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
        struct peer *p = peer_start(reply_once, sent[i], NULL);
        struct http_client_options o = {0};
        struct http_client *c = client_of(peer_port(p), &o);
        struct oriel_err err = {0};
        struct http_reply r;
        CHECK_EQ(post(c, NULL, 0, &r, &err), ORIEL_EFORMAT);
        http_client_free(c);
        peer_stop(p);
    }
}

TEST(a_redirect_is_reported_and_not_followed)
{
    struct peer *p = peer_start(
        reply_once, "HTTP/1.1 307 Away\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", NULL);
    struct http_client_options o = {0};
    struct http_client *c = client_of(peer_port(p), &o);
    struct oriel_err err = {0};
    struct http_reply r;
    REQUIRE(post(c, NULL, 0, &r, &err) == 0);
    CHECK_EQ(r.head.status, 307);
    CHECK_EQ(peer_accepted(p), 1);
    http_client_free(c);
    peer_stop(p);
}

/* Answers when it has seen the head, never mind the rest. */
static void refuse_early(int fd, unsigned which, void *arg)
{
    char got[512];
    peer_read_until(fd, "\r\n\r\n", got, sizeof got);
    peer_send(fd, "HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n");
    peer_drain(fd);
}

TEST(a_reply_before_the_whole_request_counts)
{
    enum { BIG = 64 << 20 };
    char *body = calloc(1, BIG);
    struct peer *p = peer_start(refuse_early, NULL, NULL);
    struct http_client_options o = {0};
    struct http_client *c = client_of(peer_port(p), &o);
    struct oriel_err err = {0};
    struct http_reply r;
    REQUIRE(body != NULL);
    REQUIRE(post(c, body, BIG, &r, &err) == 0);
    CHECK_EQ(r.head.status, 413);
    http_client_free(c);
    peer_stop(p);
    free(body);
}

TEST(a_kept_connection_that_died_is_replaced)
{
    struct peer *p = peer_start(reply_once, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", NULL);
    struct http_client_options o = {0};
    struct http_client *c = client_of(peer_port(p), &o);
    struct oriel_err err = {0};
    for (unsigned i = 0; i < 5; i++) {
        struct http_reply r;
        REQUIRE(post(c, "a", 1, &r, &err) == 0);
        CHECK_EQ(r.head.status, 200);
        CHECK_EQ(http_client_connections(c), i + 1);
    }
    http_client_free(c);
    peer_stop(p);
}

TEST(nothing_given_becomes_a_line_of_its_own)
{
    struct http_client_options o = {0};
    struct http_client *c = client_of(1, &o);
    struct oriel_err err = {0};
    struct http_header bad[] = {{"x", "a\r\nY: b", 1, 7}, {"x y", "a", 3, 1}, {"", "a", 0, 1}};
    for (size_t i = 0; i < 3; i++) {
        struct http_request r = {.size = sizeof r,
                                 .method = "GET",
                                 .target = "/",
                                 .headers = &bad[i],
                                 .header_count = 1};
        CHECK_EQ(http_client_start(c, &r, 0, &err), ORIEL_EINVAL);
    }
    struct http_request r = {.size = sizeof r, .method = "GET", .target = "/ HTTP/1.1\r\nX: y"};
    CHECK_EQ(http_client_start(c, &r, 0, &err), ORIEL_EINVAL);
    http_client_free(c);
}

TEST(a_unix_socket_serves_as_well)
{
    char path[256];
    snprintf(path, sizeof path, "%s/s", test_tmpdir());
    struct peer *p = peer_start(reply_once, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", path);
    struct http_client_options o = {.stream.unix_path = path};
    struct http_client *c = client_of(0, &o);
    struct oriel_err err = {0};
    struct http_reply r;
    REQUIRE(post(c, NULL, 0, &r, &err) == 0);
    CHECK_EQ(r.head.status, 200);
    http_client_free(c);
    peer_stop(p);
}

/* Keeps the first head it hears, and grants a tunnel before it serves. */
static void proxy(int fd, unsigned which, void *arg)
{
    char *heard = arg, more[1024];
    peer_read_until(fd, "\r\n\r\n", heard, 1024);
    if (strncmp(heard, "CONNECT refused", 15) == 0)
        peer_send(fd, "HTTP/1.1 407 Who\r\n\r\n");
    else if (strncmp(heard, "CONNECT", 7) == 0) {
        peer_send(fd, "HTTP/1.1 200 Go\r\n\r\n");
        if (!peer_read_until(fd, "\r\n\r\n", more, sizeof more))
            return;
    }
    peer_send(fd, "HTTP/1.1 204 Done\r\n\r\n");
}

TEST(a_proxy_is_asked_for_a_tunnel_or_for_the_page)
{
    char heard[1024] = "";
    struct peer *p = peer_start(proxy, heard, NULL);
    for (int plain = 0; plain < 2; plain++) {
        struct http_client_options o = {.authority = "far.example:4318",
                                        .stream = {.proxy_host = "127.0.0.1",
                                                   .proxy_port = peer_port(p),
                                                   .proxy_plain = plain,
                                                   .proxy_authorization = "Basic eA==",
                                                   .host = "far.example",
                                                   .port = 4318}};
        struct http_client *c = client_of(0, &o);
        struct oriel_err err = {0};
        struct http_reply r;
        REQUIRE(post(c, NULL, 0, &r, &err) == 0);
        CHECK_EQ(r.head.status, 204);
        const char *line = plain
                               ? "POST http://far.example:4318/v1 HTTP/1.1\r\n"
                               : "CONNECT far.example:4318 HTTP/1.1\r\nHost: far.example:4318\r\n";
        CHECK(strncmp(heard, line, strlen(line)) == 0);
        CHECK(strstr(heard, "Proxy-Authorization: Basic eA==\r\n") != NULL);
        http_client_free(c);
    }
    struct http_client_options o = {
        .stream = {
            .proxy_host = "127.0.0.1", .proxy_port = peer_port(p), .host = "refused", .port = 1}};
    struct http_client *c = client_of(0, &o);
    struct oriel_err err = {0};
    struct http_reply r;
    CHECK_EQ(post(c, NULL, 0, &r, &err), ORIEL_EPERM);
    CHECK(strstr(err.text, "407") != NULL);
    http_client_free(c);
    peer_stop(p);
}

TEST(no_memory_is_an_error_at_every_allocation)
{
    struct peer *p =
        peer_start(reply_always, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", NULL);
    uint64_t n = 0;
    for (int rc = -1; rc != 0; n++) {
        struct http_client_options o = {
            .size = sizeof o,
            .authority = "a",
            .stream = {.size = sizeof o.stream, .host = "127.0.0.1", .port = peer_port(p)}};
        struct http_client *c = NULL;
        struct oriel_err err = {0};
        struct http_reply r;
        mem_fail_after(n + 1);
        rc = http_client_new(&c, &o, &err);
        if (rc == 0)
            rc = post(c, "a", 1, &r, &err);
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        http_client_free(c);
        CHECK_EQ(mem_live_blocks(), 0);
        REQUIRE(n < 100);
    }
    CHECK(n > 5);
    peer_stop(p);
}

TEST(in_steps_nothing_waits)
{
    struct peer *p = peer_start(silent, NULL, NULL);
    struct http_client_options o = {0};
    struct http_client *c = client_of(peer_port(p), &o);
    struct oriel_err err = {0};
    struct http_reply reply;
    struct http_request r = {.size = sizeof r, .method = "GET", .target = "/"};
    CHECK_EQ(http_client_step(c, 0, &reply, &err), ORIEL_ESTATE);
    REQUIRE(http_client_start(c, &r, 0, &err) == 0);
    CHECK_EQ(http_client_start(c, &r, 0, &err), ORIEL_ESTATE);
    for (int i = 0; i < 100; i++) {
        struct net_wait w;
        CHECK_EQ(http_client_step(c, 0, &reply, &err), NET_AGAIN);
        net_wait_init(&w);
        http_client_wait(c, &w);
        CHECK_EQ(w.count, 1);
    }
    http_client_drop(c);
    CHECK_EQ(http_client_step(c, 0, &reply, &err), ORIEL_ESTATE);
    http_client_free(c);
    peer_stop(p);
}

TEST_MAIN()
