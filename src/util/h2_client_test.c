/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "util/h2_client.h"

#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "peer.h"
#include "test.h"
#include "util/grpc.h"

/* What our server does with each connection. */
struct manners {
    unsigned leave_after; /* requests, then GOAWAY; 0: never */
    unsigned hang_up_after;
    bool mute; /* hears everything and answers nothing */
    atomic_uint answered;
};

/* False: nothing was to be answered. */
static bool answer(struct h2 *h, struct manners *m, unsigned *io_here)
{
    struct http_header type = {"content-type", "application/grpc", 12, 16};
    struct http_header status = {"grpc-status", "14", 11, 2};
    struct h2_exchange *x;
    bool any = false;
    while (!m->mute && (x = h2_next(h)) != NULL) {
        any = true;
        struct h2_response r = {.size = sizeof r,
                                .status = 200,
                                .headers = &type,
                                .header_count = 1,
                                .trailers = &status,
                                .trailer_count = 1};
        size_t n;
        const char *body = h2_body(x, &n);
        if (n && body[0] == 'o') { /* a message of zero bytes and a good status */
            status = (struct http_header){"grpc-status", "0", 11, 1};
            r.body = "\0\0\0\0";
            r.body_n = 5;
        }
        h2_respond_take(x, &r, NULL);
        atomic_fetch_add(&m->answered, 1);
        if (++*io_here == m->leave_after)
            h2_go_away(h);
    }
    return any;
}

static void serve(int fd, unsigned which, void *arg)
{
    struct h2_options o = {.size = sizeof o, .server = true};
    struct stream *s;
    struct h2 *h;
    struct oriel_err err;
    unsigned here = 0;
    if (stream_accepted(&s, dup(fd), NULL, &err) != 0)
        return;
    if (h2_new(&h, &o, &err) == 0) {
        while (h2_pump(h, s, &err) == NET_AGAIN) {
            struct net_wait w;
            if (here && here == ((struct manners *)arg)->hang_up_after)
                break; /* the last answer is out; a request that came since is not looked at */
            if (answer(h, arg, &here))
                continue; /* it is to be sent, and more may have come */
            net_wait_init(&w);
            h2_wait(h, s, &w);
            net_wait_sleep(&w, UINT64_MAX);
        }
        h2_free(h);
    }
    stream_free(s);
}

static struct h2_client *client_of(uint16_t port)
{
    struct h2_client_options o = {
        .size = sizeof o,
        .authority = "localhost",
        .stream = {.size = sizeof o.stream, .host = "127.0.0.1", .port = port}};
    struct h2_client *c = NULL;
    REQUIRE(h2_client_new(&c, &o, NULL) == 0);
    return c;
}

static int call(struct h2_client *c, const char *body, uint64_t ms, struct h2_exchange **out,
                struct oriel_err *err)
{
    struct h2_request r = {
        .size = sizeof r, .method = "POST", .path = "/a/B", .body = body, .body_n = strlen(body)};
    return h2_client_call(c, &r, clock_mono_ns() + ms * 1000000, out, err);
}

static int status_of(struct h2_exchange *x)
{
    struct grpc_result g;
    grpc_result_read(x, &g);
    h2_exchange_free(x);
    return g.status;
}

TEST(one_connection_carries_call_after_call)
{
    struct manners m = {0};
    struct peer *p = peer_start(serve, &m, NULL);
    struct h2_client *c = client_of(peer_port(p));
    struct oriel_err err = {0};
    struct h2_exchange *x;
    for (int i = 0; i < 200; i++) {
        REQUIRE(call(c, i % 2 ? "o" : "e", 60000, &x, &err) == 0);
        CHECK_EQ(status_of(x), i % 2 ? GRPC_OK : GRPC_UNAVAILABLE);
    }
    CHECK_EQ(h2_client_connections(c), 1);
    h2_client_free(c);
    peer_stop(p);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_server_that_leaves_or_hangs_up_is_found_again)
{
    for (int hang_up = 0; hang_up < 2; hang_up++) {
        struct manners m = {.leave_after = hang_up ? 0 : 3, .hang_up_after = hang_up ? 3 : 0};
        struct peer *p = peer_start(serve, &m, NULL);
        struct h2_client *c = client_of(peer_port(p));
        struct oriel_err err = {0};
        struct h2_exchange *x = NULL;
        for (int i = 0; i < 12; i++) {
            if (call(c, "o", 60000, &x, &err) != 0)
                test_fail(__FILE__, __LINE__, "call %d: %s", i, err.text);
            test_stop_if_failed();
            CHECK_EQ(status_of(x), GRPC_OK);
        }
        CHECK_EQ(h2_client_connections(c), 4);
        h2_client_free(c);
        peer_stop(p);
    }
}

static void silent(int fd, unsigned which, void *arg)
{
    peer_drain(fd);
}

static void drip(int fd, unsigned which, void *arg)
{
    struct pollfd gone = {.fd = fd, .events = POLLRDHUP};
    /* SETTINGS, then pings without an end, byte by byte */
    static const char frames[] = "\0\0\0\4\0\0\0\0\0"
                                 "\0\0\x8\6\0\0\0\0\0"
                                 "12345678";
    peer_send_n(fd, frames, 9);
    for (size_t i = 9; poll(&gone, 1, 1) == 0; i = i + 1 < sizeof frames - 1 ? i + 1 : 9)
        peer_send_n(fd, frames + i, 1);
}

TEST(a_deadline_ends_the_call_whatever_the_server_does)
{
    struct manners mute = {.mute = true};
    struct {
        peer_script *script;
        void *arg;
    } cases[] = {{silent, NULL}, {drip, NULL}, {serve, &mute}};
    for (int i = 0; i < 3; i++) {
        struct peer *p = peer_start(cases[i].script, cases[i].arg, NULL);
        struct h2_client *c = client_of(peer_port(p));
        struct oriel_err err = {0};
        struct h2_exchange *x;
        CHECK_EQ(call(c, "o", 50, &x, &err), ORIEL_ETIMEOUT);
        CHECK(x == NULL);
        h2_client_free(c);
        peer_stop(p);
    }
    CHECK_EQ(mem_live_blocks(), 0);
}

static void speak(int fd, unsigned which, void *arg)
{
    peer_send(fd, arg);
    peer_drain(fd);
}

static void hang_up(int fd, unsigned which, void *arg)
{
}

TEST(what_is_no_http2_server_is_said_so)
{
    struct oriel_err err = {0};
    struct h2_exchange *x;
    struct peer *p = peer_start(speak, "HTTP/1.1 400 Bad Request\r\n\r\n", NULL);
    struct h2_client *c = client_of(peer_port(p));
    CHECK(call(c, "o", 60000, &x, &err) < 0);
    CHECK(x == NULL && err.text[0]);
    h2_client_free(c);
    peer_stop(p);
    p = peer_start(hang_up, NULL, NULL);
    c = client_of(peer_port(p));
    CHECK_EQ(call(c, "o", 60000, &x, &err), ORIEL_ECLOSED);
    h2_client_free(c);
    peer_stop(p);
    c = client_of(peer_unused_port());
    CHECK_EQ(call(c, "o", 60000, &x, &err), ORIEL_ECLOSED);
    CHECK(strstr(err.text, "refused") != NULL);
    h2_client_free(c);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(in_steps_many_calls_share_one_connection)
{
    enum { MANY = 30 };
    struct manners m = {0};
    struct peer *p = peer_start(serve, &m, NULL);
    struct h2_client *c = client_of(peer_port(p));
    struct oriel_err err = {0};
    struct h2_exchange *x[MANY];
    struct h2_request r = {
        .size = sizeof r, .method = "POST", .path = "/a/B", .body = "o", .body_n = 1};
    unsigned done = 0;
    CHECK_EQ(h2_client_step(c, 0, &err), NET_AGAIN);
    for (unsigned i = 0; i < MANY; i++)
        REQUIRE(h2_client_start(c, &r, 0, &x[i], &err) == 0);
    CHECK_EQ(h2_ping(h2_client_session(c)), 0);
    while (done < MANY || h2_pongs(h2_client_session(c)) == 0) {
        struct net_wait w;
        REQUIRE(h2_client_step(c, clock_mono_ns(), &err) == NET_AGAIN);
        for (done = 0; done < MANY && h2_done(x[done]); done++)
            continue;
        if (done == MANY && h2_pongs(h2_client_session(c)))
            break;
        net_wait_init(&w);
        h2_client_wait(c, &w);
        CHECK(w.count > 0);
        net_wait_sleep(&w, UINT64_MAX);
    }
    CHECK_EQ(h2_client_connections(c), 1);
    h2_client_drop(c); /* whole replies stay */
    for (unsigned i = 0; i < MANY; i++)
        CHECK_EQ(status_of(x[i]), GRPC_OK);
    h2_client_free(c);
    peer_stop(p);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
