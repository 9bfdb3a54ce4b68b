/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Destinations before receivers without manners: they flood, drip, redirect, reset, talk
 * nonsense, leave, or show a wrong certificate. Nothing blocks, nothing grows, what they
 * took is not sent twice without need, and no secret reaches them or a line.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "certs.h"
#include "deliver/deliver.h"
#include "deliver/test_destination.h"
#include "peer.h"
#include "receiver.h"
#include "test.h"
#include "util/tls.h"

/* ---- over HTTP ---- */

struct bad {
    struct peer *peer;
    struct watch watch;
    char url[64], lines[4096];
    struct deliver_options o;
    struct deliver *d;
};

static void bad_start(struct bad *b, peer_script *script, const void *arg, bool grpc)
{
    *b = (struct bad){.peer = peer_start(script, arg, NULL)};
    snprintf(b->url, sizeof b->url, "http://127.0.0.1:%u", peer_port(b->peer));
    b->o = destination_options(b->url, grpc);
    b->o.first_ns = 1000000;
    b->o.most_ns = 2000000;
    watch_use(&b->watch, &b->o, false);
    b->d = destination_open(&b->o);
}

static void bad_end(struct bad *b)
{
    struct deliver_counts c;
    destination_total(b->d, &c);
    out_close(deliver_out(b->d));
    watch_lines(&b->watch, b->lines, sizeof b->lines);
    peer_stop(b->peer);
    CHECK_EQ(mem_live_blocks(), 0);
}

static void flood(int fd, unsigned which, void *arg)
{
    char got[4096], piece[16384];
    memset(piece, 'x', sizeof piece);
    if (!peer_read_until(fd, "\r\n\r\n", got, sizeof got))
        return;
    peer_send(fd, arg);
    for (unsigned i = 0; i < 65536; i++) { /* a gigabyte, if anybody reads it */
        ssize_t n = send(fd, piece, sizeof piece, MSG_NOSIGNAL);
        if (n <= 0)
            return;
    }
    test_fail(__FILE__, __LINE__, "all of it was read");
}

TEST(of_a_reply_without_end_little_is_read)
{
    struct bad b;
    struct deliver_counts c;
    size_t before = mem_live_bytes();
    bad_start(&b, flood, "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n", false);
    CHECK_EQ(destination_put(b.d, OUT_TRACES, 1, 3), 0);
    CHECK_EQ(deliver_flush(b.d, destination_in_s(60)), 0);
    destination_total(b.d, &c);
    CHECK_EQ(c.delivered, 3); /* taken: its status says so */
    CHECK(mem_live_bytes() - before < 1 << 20);
    bad_end(&b);
}

/* Three heads without end, then a receiver as it should be. */
static void flood_then_good(int fd, unsigned which, void *arg)
{
    char got[8192];
    if (which < 3) {
        flood(fd, which, arg);
        return;
    }
    while (peer_read_until(fd, "\r\n\r\n", got, sizeof got))
        peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST(a_head_without_end_is_a_try_that_failed_and_is_said_once)
{
    struct bad b;
    struct deliver_counts c;
    bad_start(&b, flood_then_good, "HTTP/1.1 200 OK\r\nX: ", false);
    CHECK_EQ(destination_put(b.d, OUT_TRACES, 1, 3), 0);
    CHECK_EQ(deliver_flush(b.d, destination_in_s(60)), 0);
    destination_total(b.d, &c);
    CHECK_EQ(c.delivered, 3);
    CHECK_EQ(c.tries, 4);
    bad_end(&b);
    CHECK_EQ(b.watch.lines, 2); /* away, and back */
    CHECK(strstr(b.lines, "a reply whose head is longer") != NULL);
}

/* Of its status a line longer than all headers together may be. */
static void long_trailers(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    if (r->which < 3)
        a->text = arg;
}

TEST(trailers_that_are_too_long_are_a_try_that_failed)
{
    char text[20000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    struct receiver_options ro = {.grpc = true, .script = long_trailers, .arg = text};
    struct receiver *r = receiver_start(&ro);
    struct deliver_options o = destination_options(receiver_url(r), true);
    struct watch w;
    struct deliver_counts c;
    char lines[4096];
    watch_use(&w, &o, false);
    o.first_ns = 1000000;
    o.most_ns = 2000000;
    struct deliver *d = destination_open(&o);
    CHECK_EQ(destination_put(d, OUT_TRACES, 1, 3), 0);
    CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0);
    destination_total(d, &c);
    CHECK_EQ(c.delivered, 3);
    CHECK_EQ(c.tries, 4);
    CHECK_EQ(watch_lines(&w, lines, sizeof lines), 2);
    CHECK(strstr(lines, "larger than is read") != NULL);
    out_close(deliver_out(d));
    receiver_stop(r);
}

static void redirect(int fd, unsigned which, void *arg)
{
    char got[4096], text[300];
    snprintf(text, sizeof text,
             "HTTP/1.1 307 Elsewhere\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
             (const char *)arg);
    while (peer_read_until(fd, "\r\n\r\n", got, sizeof got)) {
        CHECK(strstr(got, "authorization: Bearer canary") != NULL);
        peer_send(fd, text);
        peer_drain(fd);
    }
}

static void nobody_should_come(int fd, unsigned which, void *arg)
{
    test_fail(__FILE__, __LINE__, "the redirect was followed");
}

TEST(a_redirect_is_refused_and_its_target_hears_nothing)
{
    struct peer *elsewhere = peer_start(nobody_should_come, NULL, NULL);
    char target[100];
    snprintf(target, sizeof target, "http://127.0.0.1:%u/v1/traces", peer_port(elsewhere));
    struct http_header h = {"Authorization", "Bearer canary", 13, 13};
    struct bad b;
    struct deliver_counts c;
    bad_start(&b, redirect, target, false);
    out_close(deliver_out(b.d));
    b.o.headers = &h;
    b.o.header_count = 1;
    b.d = destination_open(&b.o);
    CHECK_EQ(destination_put(b.d, OUT_TRACES, 1, 3), 0);
    CHECK_EQ(deliver_flush(b.d, destination_in_s(60)), 0);
    destination_total(b.d, &c);
    CHECK_EQ(c.refused, 3);
    bad_end(&b);
    CHECK(strstr(b.lines, "HTTP 307") && !strstr(b.lines, "canary"));
    CHECK_EQ(peer_accepted(elsewhere), 0);
    peer_stop(elsewhere);
}

/* The first connections end badly, the next one is good. */
static void worse_then_good(int fd, unsigned which, void *arg)
{
    char got[8192];
    switch (which) {
    case 0: /* inside the request */
        peer_read_until(fd, "POST", got, sizeof got);
        peer_reset(fd);
        return;
    case 1: /* without a word */
        peer_read_until(fd, "\r\n\r\n", got, sizeof got);
        return;
    case 2: /* inside its reply */
        peer_read_until(fd, "\r\n\r\n", got, sizeof got);
        peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        return;
    case 3: /* no HTTP at all */
        peer_read_until(fd, "\r\n\r\n", got, sizeof got);
        peer_send(fd, "220 mail.example ESMTP\r\n\r\n");
        return;
    default:
        while (peer_read_until(fd, "\r\n\r\n", got, sizeof got))
            peer_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
}

TEST(what_was_not_answered_is_sent_again_until_it_is)
{
    struct bad b;
    struct deliver_counts c;
    bad_start(&b, worse_then_good, NULL, false);
    CHECK_EQ(destination_put(b.d, OUT_TRACES, 1, 3), 0);
    CHECK_EQ(deliver_flush(b.d, destination_in_s(60)), 0);
    destination_total(b.d, &c);
    CHECK_EQ(c.delivered, 3);
    CHECK_EQ(c.tries, 5);
    bad_end(&b);
}

static void drip(int fd, unsigned which, void *arg)
{
    char got[4096];
    peer_read_until(fd, "\r\n\r\n", got, sizeof got);
    while (send(fd, "H", 1, MSG_NOSIGNAL) == 1) /* a head that never begins */
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

TEST(bytes_that_drip_in_do_not_move_the_end)
{
    for (int grpc = 0; grpc < 2; grpc++) {
        struct bad b;
        bad_start(&b, drip, NULL, grpc);
        CHECK_EQ(destination_put(b.d, OUT_TRACES, 1, 3), 0);
        while (peer_accepted(b.peer) == 0)
            nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        CHECK_EQ(out_finish(deliver_out(b.d), clock_mono_ns() + 1000000, true), ORIEL_ETIMEOUT);
        bad_end(&b);
    }
}

/* ---- over gRPC ---- */

static void talk_http1(int fd, unsigned which, void *arg)
{
    peer_send(fd, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    peer_drain(fd);
}

TEST(a_server_that_speaks_no_http2_is_said_at_once)
{
    struct bad b;
    struct deliver_counts c;
    bad_start(&b, talk_http1, NULL, true);
    CHECK_EQ(destination_put(b.d, OUT_TRACES, 1, 3), 0);
    DESTINATION_UNTIL(b.d, &c, c.open);
    CHECK_EQ(c.queued, 3);
    bad_end(&b);
    CHECK(strstr(b.lines, b.url) != NULL);
}

/* SETTINGS, then GOAWAY that names no request, at every connection but the fourth. */
static void go_away(int fd, unsigned which, void *arg)
{
    static const char frames[] = "\0\0\0\4\0\0\0\0\0"
                                 "\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\0";
    char got[64];
    size_t have = 0;
    while (have < 24) {
        ssize_t n = recv(fd, got, 24 - have, 0);
        if (n <= 0)
            return;
        have += (size_t)n;
    }
    peer_send_n(fd, frames, sizeof frames - 1);
    peer_drain(fd);
}

TEST(a_server_that_always_goes_away_is_one_that_is_away)
{
    struct bad b;
    struct deliver_counts c;
    bad_start(&b, go_away, NULL, true);
    for (unsigned i = 0; i < 10; i++)
        CHECK_EQ(destination_put(b.d, OUT_TRACES, i, 1), 0);
    DESTINATION_UNTIL(b.d, &c, c.open);
    CHECK_EQ(c.queued, 10);
    bad_end(&b);
}

static void big_reply(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    static char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[0] = '-';
    text[1] = '1';
    text[2] = ' ';
    a->body = text;
    a->body_n = sizeof text - 1;
}

TEST(what_a_receiver_says_is_cut_to_a_line)
{
    struct receiver_options ro = {.grpc = true, .script = big_reply};
    struct receiver *r = receiver_start(&ro);
    struct deliver_options o = destination_options(receiver_url(r), true);
    struct watch w;
    char lines[4096];
    watch_use(&w, &o, false);
    struct deliver *d = destination_open(&o);
    CHECK_EQ(destination_put(d, OUT_TRACES, 1, 2), 0);
    CHECK_EQ(deliver_flush(d, destination_in_s(60)), 0);
    CHECK_EQ(watch_lines(&w, lines, sizeof lines), 1);
    CHECK(strlen(lines) < 400);
    out_close(deliver_out(d));
    receiver_stop(r);
}

/* ---- TLS ---- */

static struct tls_context *server_of(const char *name)
{
    char cert[300], key[300], file[100];
    struct tls_context *c = NULL;
    struct oriel_err err = {0};
    snprintf(file, sizeof file, "%s.pem", name);
    cert_path(file, cert, sizeof cert);
    snprintf(file, sizeof file, "%s.key", name);
    cert_path(file, key, sizeof key);
    const struct tls_options o = {.size = sizeof o,
                                  .server = true,
                                  .cert_file = cert,
                                  .key_file = key,
                                  .alpn = "h2,http/1.1"};
    if (tls_context_new(&c, &o, &err) != 0)
        test_skip("%s", err.text);
    return c;
}

static void over_tls(const char *name, bool grpc, bool unverified, bool is_good)
{
    struct tls_context *server = server_of(name);
    struct receiver_options ro = {.grpc = grpc, .tls = server};
    struct receiver *r = receiver_start(&ro);
    struct http_header h = {"authorization", "Bearer canary", 13, 13};
    struct deliver_options o = destination_options(receiver_url(r), grpc);
    struct watch w;
    char ca[300], lines[4096];
    watch_use(&w, &o, false);
    o.headers = &h;
    o.header_count = 1;
    o.tls.ca = cert_path("ca.pem", ca, sizeof ca);
    o.tls.unverified = unverified;
    o.first_ns = 1000000;
    o.most_ns = 2000000;
    struct deliver *d = destination_open(&o);
    struct deliver_counts c;
    CHECK_EQ(destination_put(d, OUT_TRACES, 1, 3), 0);
    if (is_good)
        DESTINATION_UNTIL(d, &c, c.delivered == 3);
    else
        DESTINATION_UNTIL(d, &c, c.open && c.tries > 2);
    out_close(deliver_out(d));
    CHECK_EQ(receiver_requests(r), is_good ? 1 : 0);
    unsigned said = watch_lines(&w, lines, sizeof lines);
    CHECK_EQ(said, is_good ? 0 : 2); /* away, and what is lost at the end */
    CHECK(is_good || strstr(lines, "certificate") != NULL);
    CHECK(!strstr(lines, "canary"));
    receiver_stop(r);
    tls_context_free(server);
}

TEST(only_the_right_certificate_hears_anything)
{
    certs_make();
    for (int grpc = 0; grpc < 2; grpc++) {
        over_tls("good", grpc, false, true);
        over_tls("other", grpc, false, false);
        over_tls("expired", grpc, false, false);
        over_tls("foreign", grpc, false, false);
        over_tls("foreign", grpc, true, true); /* by the user's own word */
    }
}

TEST(certificates_that_are_not_there_are_told_at_the_start)
{
    struct deliver_options o = destination_options("https://localhost:1", true);
    struct deliver *d;
    struct oriel_err err = {0};
    o.tls.ca = "/nowhere/ca.pem";
    int rc = deliver_open(&d, &o, &err);
    CHECK(rc == ORIEL_ENOTFOUND || rc == ORIEL_EFORMAT || rc == ORIEL_EUNSUPPORTED);
    CHECK(rc == ORIEL_EUNSUPPORTED || strstr(err.text, "/nowhere/ca.pem"));
}

TEST_MAIN()
