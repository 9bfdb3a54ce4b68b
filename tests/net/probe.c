/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Our clients and servers as a program, to be put before peers that are not ours.
 *   probe http|h2|grpc URL [-n TIMES] [-b BODY-BYTES] [--ca F] [--cert F] [--key F]
 *                          [--insecure] [--proxy HOST:PORT] [--unix PATH]
 *   probe serve-h2 [--cert F --key F]   prints its port, serves until stdin ends
 * Prints one line for each exchange: code, status, grpc-status, bytes, body.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "util/grpc.h"
#include "util/h2_client.h"
#include "util/http_client.h"

struct settings {
    struct http_url url;
    struct tls_options tls;
    struct tls_context *context;
    unsigned times;
    size_t body_n;
    const char *proxy_host, *unix_path;
    uint16_t proxy_port;
};

static void die(const char *what, const struct oriel_err *err)
{
    fprintf(stderr, "probe: %s: %s\n", what, err->text);
    exit(1);
}

static uint64_t deadline(void)
{
    return clock_mono_ns() + UINT64_C(60000000000);
}

static struct stream_options stream_of(const struct settings *s)
{
    return (struct stream_options){.size = sizeof(struct stream_options),
                                   .host = s->unix_path ? NULL : s->url.host,
                                   .port = s->url.port,
                                   .unix_path = s->unix_path,
                                   .proxy_host = s->proxy_host,
                                   .proxy_port = s->proxy_port,
                                   .tls = s->context};
}

static void line(const char *code, int status, int grpc, const char *text, const char *body,
                 size_t n)
{
    printf("%s %d %d %zu %.60s%s%.*s\n", code, status, grpc, n, text, *text ? " " : "",
           n < 60 ? (int)n : 60, body);
}

static int by_http(const struct settings *s, const char *authority, const char *body)
{
    struct http_client_options o = {
        .size = sizeof o, .authority = authority, .stream = stream_of(s)};
    struct http_request r = {.size = sizeof r,
                             .method = s->body_n ? "POST" : "GET",
                             .target = s->url.path,
                             .body = body,
                             .body_n = s->body_n};
    struct http_client *c;
    struct oriel_err err = {0};
    int failures = 0;
    if (http_client_new(&c, &o, &err) != 0)
        die("client", &err);
    for (unsigned i = 0; i < s->times; i++) {
        struct http_reply reply;
        int rc = http_client_call(c, &r, deadline(), &reply, &err);
        failures += rc != 0;
        if (rc == 0)
            line("ok", reply.head.status, -1, "", reply.body, reply.body_n);
        else
            line(err_text(rc), 0, -1, err.text, "", 0);
    }
    printf("connections %u\n", http_client_connections(c));
    http_client_free(c);
    return failures != 0;
}

static int by_h2(const struct settings *s, const char *authority, const char *body, bool grpc)
{
    struct h2_client_options o = {.size = sizeof o, .authority = authority, .stream = stream_of(s)};
    struct http_header headers[] = {{"content-type", "application/grpc", 12, 16},
                                    {"te", "trailers", 2, 8}};
    struct h2_request r = {.size = sizeof r,
                           .method = s->body_n || grpc ? "POST" : "GET",
                           .path = s->url.path,
                           .headers = headers,
                           .header_count = grpc ? 2 : 0,
                           .body = body,
                           .body_n = s->body_n};
    struct h2_client *c;
    struct oriel_err err = {0};
    int failures = 0;
    if (h2_client_new(&c, &o, &err) != 0)
        die("client", &err);
    for (unsigned i = 0; i < s->times; i++) {
        struct h2_exchange *x;
        struct grpc_result g = {.status = -1};
        size_t n = 0;
        int rc = h2_client_call(c, &r, deadline(), &x, &err);
        const char *got = rc == 0 ? h2_body(x, &n) : "";
        if (rc == 0 && grpc) {
            grpc_result_read(x, &g);
            got = g.message ? (const char *)g.message : "";
            n = g.message_n;
        }
        failures += rc != 0;
        line(rc == 0 ? "ok" : err_text(rc), rc == 0 ? h2_status(x) : 0, g.status,
             rc != 0 ? err.text : g.text, got, n);
        if (g.has_delay)
            printf("come again in %llu ms\n", (unsigned long long)(g.delay_ns / 1000000));
        h2_exchange_free(x);
    }
    printf("connections %u\n", h2_client_connections(c));
    h2_client_free(c);
    return failures != 0;
}

/* ---- a server: every request is answered with its own body, as gRPC ---- */

enum { CONNECTIONS_MAX = 64 };
struct connection {
    struct stream *stream;
    struct h2 *h2;
};

static bool answer(struct h2 *h)
{
    struct http_header type = {"content-type", "application/grpc", 12, 16};
    struct http_header status = {"grpc-status", "0", 11, 1};
    struct h2_exchange *x;
    bool any = false;
    for (; (x = h2_next(h)) != NULL; any = true) {
        size_t n;
        struct h2_response r = {.size = sizeof r,
                                .status = 200,
                                .headers = &type,
                                .header_count = 1,
                                .trailers = &status,
                                .trailer_count = 1};
        r.body = h2_body(x, &n);
        r.body_n = n;
        h2_respond_take(x, &r, NULL);
    }
    return any;
}

static bool serve_one(struct connection *c)
{
    struct oriel_err err;
    int rc = stream_step(c->stream, clock_mono_ns(), &err);
    if (rc == 0) {
        do
            rc = h2_pump(c->h2, c->stream, &err);
        while (rc == NET_AGAIN && answer(c->h2));
    }
    return rc >= 0;
}

static void accept_one(int listener, struct tls_context *tls, struct connection *c)
{
    struct oriel_err err;
    struct h2_options o = {.size = sizeof o, .server = true};
    int fd;
    if (net_accept(listener, &fd, &err) != 0)
        return;
    if (stream_accepted(&c->stream, fd, tls, &err) != 0 || h2_new(&c->h2, &o, &err) != 0)
        die("accept", &err);
}

static int serve(const struct settings *s)
{
    struct net_listen_options o = {.size = sizeof o, .backlog = 512};
    static struct connection connections[CONNECTIONS_MAX];
    struct net_addr at;
    struct oriel_err err = {0};
    int listener;
    if (net_listen(&o, &listener, &at, &err) != 0)
        die("listen", &err);
    printf("%u\n", ntohs(((struct sockaddr_in *)&at.sa)->sin_port));
    fflush(stdout);
    for (;;) {
        struct pollfd fds[CONNECTIONS_MAX + 2] = {{.fd = listener, .events = POLLIN},
                                                  {.fd = 0, .events = POLLIN}};
        struct connection *spare = NULL;
        int timeout = -1;
        for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
            struct net_wait w;
            fds[i + 2].fd = -1;
            if (!connections[i].stream) {
                spare = &connections[i];
                continue;
            }
            net_wait_init(&w);
            h2_wait(connections[i].h2, connections[i].stream, &w);
            if (w.count)
                fds[i + 2] = w.fds[0];
            if (w.wake_ns == 0)
                timeout = 0;
        }
        poll(fds, CONNECTIONS_MAX + 2, timeout);
        if (fds[1].revents)
            return 0;
        if (fds[0].revents && spare)
            accept_one(listener, s->context, spare);
        for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
            if (connections[i].stream && !serve_one(&connections[i])) {
                h2_free(connections[i].h2);
                stream_free(connections[i].stream);
                connections[i] = (struct connection){0};
            }
    }
}

static void read_option(struct settings *s, const char *name, char *value)
{
    if (strcmp(name, "-n") == 0)
        s->times = (unsigned)atoi(value);
    else if (strcmp(name, "-b") == 0)
        s->body_n = (size_t)atoi(value);
    else if (strcmp(name, "--ca") == 0)
        s->tls.ca_file = value;
    else if (strcmp(name, "--cert") == 0)
        s->tls.cert_file = value;
    else if (strcmp(name, "--key") == 0)
        s->tls.key_file = value;
    else if (strcmp(name, "--unix") == 0)
        s->unix_path = value;
    else if (strcmp(name, "--proxy") == 0) {
        char *colon = strrchr(value, ':');
        *colon = 0;
        s->proxy_host = value;
        s->proxy_port = (uint16_t)atoi(colon + 1);
    }
}

int main(int argc, char **argv)
{
    struct settings s = {.times = 1, .tls = {.size = sizeof s.tls}};
    struct oriel_err err = {0};
    struct buf authority;
    const char *mode = argc > 1 ? argv[1] : "";
    bool server = strcmp(mode, "serve-h2") == 0, h2 = server || strcmp(mode, "http") != 0;
    int at = server ? 2 : 3;
    if (argc < at) {
        fprintf(stderr, "usage: probe http|h2|grpc URL [options] | serve-h2 [options]\n");
        return 2;
    }
    for (; at < argc; at++) {
        if (strcmp(argv[at], "--insecure") == 0)
            s.tls.insecure = true;
        else if (at + 1 < argc) {
            read_option(&s, argv[at], argv[at + 1]);
            at++;
        }
    }
    if (!server && http_url_read(argv[2], &s.url, &err) != 0)
        die(argv[2], &err);
    s.tls.server = server;
    s.tls.alpn = h2 ? "h2" : "http/1.1";
    if ((s.url.scheme == HTTP_TLS || s.tls.cert_file) &&
        tls_context_new(&s.context, &s.tls, &err) != 0)
        die("TLS", &err);
    if (server)
        return serve(&s);
    buf_init(&authority);
    http_url_authority(&s.url, &authority);
    bool grpc = strcmp(mode, "grpc") == 0;
    if (grpc)
        s.body_n += GRPC_PREFIX;
    char *body = calloc(1, s.body_n + 1);
    if (!body)
        return 1;
    memset(body, 'x', s.body_n);
    if (grpc)
        grpc_prefix((uint8_t *)body, s.body_n - GRPC_PREFIX, false);
    int rc =
        h2 ? by_h2(&s, buf_cstr(&authority), body, grpc) : by_http(&s, buf_cstr(&authority), body);
    free(body);
    buf_done(&authority);
    tls_context_free(s.context);
    return rc;
}
