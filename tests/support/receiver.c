/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* See receiver.h: one thread that polls over its listener and connections. */
#include "receiver.h"

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "util/grpc.h"
#include "util/h2.h"
#include "util/http_server.h"

enum { CONNECTIONS_MAX = 64, FDS_PER = 2, SILENT_MAX = 256 };

struct connection {
    struct stream *stream; /* of h2; HTTP's is its own */
    struct h2 *h2;
    struct http_server_conn *http;
    bool silent; /* HTTP: has a request that is never answered */
    struct h2_exchange *unanswered[SILENT_MAX];
    unsigned unanswered_count;
};
struct receiver {
    struct receiver_options o;
    pthread_t thread;
    int listener, stop_fd;
    uint16_t port;
    char url[300];
    atomic_uint requests, accepted;
    struct connection connections[CONNECTIONS_MAX];
};

static void need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "receiver: %s\n", what);
        abort();
    }
}

static const char *http_header_of(const struct receiver_request *r, const char *name)
{
    const struct http_header *h = http_find(r->inside, name);
    char *text = (char *)(uintptr_t)r->text;
    if (h)
        snprintf(text, sizeof r->text, "%.*s", (int)h->value_n, h->value);
    return h ? text : NULL;
}

static const char *h2_header_of(const struct receiver_request *r, const char *name)
{
    return h2_header(r->inside, name);
}

static void ask(struct receiver *r, struct receiver_request *q, struct receiver_answer *a)
{
    q->which = atomic_fetch_add(&r->requests, 1);
    *a = (struct receiver_answer){.status = r->o.grpc ? GRPC_OK : 200};
    if (r->o.script)
        r->o.script(q, a, r->o.arg);
}

static struct http_header header_of(const char *name, const char *value)
{
    return (struct http_header){name, value, strlen(name), strlen(value)};
}

/* ---- gRPC ---- */

static void answer_call(struct receiver *r, struct connection *c, struct h2_exchange *x)
{
    struct receiver_request q = {
        .inside = x, .header = h2_header_of, .path = h2_header(x, ":path")};
    struct receiver_answer a;
    struct http_header type = header_of("content-type", "application/grpc"), trailers[3];
    const uint8_t *message = NULL;
    char status[16], frame[4096];
    size_t n;
    const char *body = h2_body(x, &n);
    need(grpc_unframe(body, n, &message, &q.body_n, &q.compressed, NULL) == 0, "no frame");
    q.body = (const char *)message;
    ask(r, &q, &a);
    if (a.silent) {
        need(c->unanswered_count < SILENT_MAX, "too many requests without an answer");
        c->unanswered[c->unanswered_count++] = x;
        return;
    }
    snprintf(status, sizeof status, "%d", a.status);
    struct h2_response out = {.size = sizeof out,
                              .status = 200,
                              .headers = &type,
                              .header_count = 1,
                              .trailers = trailers,
                              .trailer_count = 1,
                              .body = frame,
                              .body_n = GRPC_PREFIX + a.body_n};
    trailers[0] = header_of("grpc-status", status);
    if (a.text)
        trailers[out.trailer_count++] = header_of("grpc-message", a.text);
    if (a.details)
        trailers[out.trailer_count++] = header_of("grpc-status-details-bin", a.details);
    need(out.body_n <= sizeof frame, "an answer that is too large");
    grpc_prefix((uint8_t *)frame, a.body_n, false);
    if (a.body_n)
        memcpy(frame + GRPC_PREFIX, a.body, a.body_n);
    if (a.status != GRPC_OK)
        out.body_n = 0;
    (void)h2_respond_take(x, &out, NULL);
}

static bool serve_grpc(struct receiver *r, struct connection *c)
{
    struct h2_exchange *x;
    struct oriel_err err;
    bool any = true;
    int rc = stream_step(c->stream, clock_mono_ns(), &err);
    if (rc != 0)
        return rc > 0;
    while (rc >= 0 && any) {
        rc = h2_pump(c->h2, c->stream, &err);
        for (any = false; rc >= 0 && (x = h2_next(c->h2)); any = true)
            answer_call(r, c, x);
    }
    return rc >= 0;
}

/* ---- HTTP ---- */

static int answer_post(struct receiver *r, struct connection *c,
                       const struct http_server_request *in)
{
    char path[1024];
    struct receiver_request q = {.inside = in->head,
                                 .header = http_header_of,
                                 .path = path,
                                 .body = in->body,
                                 .body_n = in->body_n};
    struct receiver_answer a;
    struct http_header headers[1];
    size_t n = 0;
    snprintf(path, sizeof path, "%.*s", (int)in->head->target_n, in->head->target);
    q.compressed = http_find(in->head, "content-encoding") != NULL;
    ask(r, &q, &a);
    c->silent = a.silent;
    if (a.silent)
        return NET_AGAIN;
    if (a.retry_after)
        headers[n++] = header_of("Retry-After", a.retry_after);
    return http_server_answer(c->http, a.status, headers, n, a.body, a.body_n, a.hang_up,
                              clock_mono_ns(), NULL);
}

static bool serve_http(struct receiver *r, struct connection *c)
{
    struct http_server_request in;
    struct oriel_err err;
    int rc = c->silent ? NET_AGAIN : 0;
    while (rc == 0) {
        rc = http_server_step(c->http, clock_mono_ns(), &in, &err);
        if (rc == 0)
            rc = answer_post(r, c, &in);
    }
    return rc > 0;
}

/* ---- connections ---- */

static void accept_one(struct receiver *r)
{
    struct h2_options h2 = {.size = sizeof h2, .server = true, .body_max = 64 << 20};
    struct http_server_options http = {
        .size = sizeof http, .body_max = 64 << 20, .idle_ns = UINT64_C(3600000000000)};
    struct connection *c = r->connections, *end = c + CONNECTIONS_MAX;
    int fd;
    while (c < end && (c->stream || c->http))
        c++;
    if (c == end || net_accept(r->listener, &fd, NULL) != 0)
        return;
    atomic_fetch_add(&r->accepted, 1);
    need(stream_accepted(&c->stream, fd, r->o.tls, NULL) == 0, "no memory");
    if (r->o.grpc) {
        need(h2_new(&c->h2, &h2, NULL) == 0, "no memory");
        return;
    }
    need(http_server_conn_new(&c->http, c->stream, &http, clock_mono_ns(), NULL) == 0, "no memory");
    c->stream = NULL;
}

static void end_one(struct connection *c)
{
    h2_free(c->h2);
    for (unsigned i = 0; i < c->unanswered_count; i++)
        h2_exchange_free(c->unanswered[i]);
    stream_free(c->stream);
    http_server_conn_free(c->http);
    *c = (struct connection){0};
}

static void wait_one(const struct connection *c, struct pollfd *fds, unsigned *io_n, int *io_ms)
{
    struct net_wait w;
    net_wait_init(&w);
    if (c->http && !c->silent)
        http_server_wait(c->http, &w);
    if (c->h2 && stream_ready(c->stream))
        h2_wait(c->h2, c->stream, &w);
    else if (c->h2)
        stream_wait(c->stream, true, true, &w);
    for (unsigned i = 0; i < w.count && i < FDS_PER; i++)
        fds[(*io_n)++] = w.fds[i];
    if (w.wake_ns == 0)
        *io_ms = 0;
}

static void *serve(void *arg)
{
    struct receiver *r = arg;
    for (;;) {
        struct pollfd fds[2 + CONNECTIONS_MAX * FDS_PER] = {{.fd = r->listener, .events = POLLIN},
                                                            {.fd = r->stop_fd, .events = POLLIN}};
        unsigned n = 2;
        int ms = -1;
        for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
            wait_one(&r->connections[i], fds, &n, &ms);
        poll(fds, n, ms);
        if (fds[1].revents)
            return NULL;
        if (fds[0].revents)
            accept_one(r);
        for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
            struct connection *c = &r->connections[i];
            if ((c->h2 && !serve_grpc(r, c)) || (c->http && !serve_http(r, c)))
                end_one(c);
        }
    }
}

struct receiver *receiver_start(const struct receiver_options *o)
{
    struct receiver *r = calloc(1, sizeof *r);
    struct net_listen_options l = {
        .size = sizeof l, .port = o->port, .unix_path = o->unix_path, .backlog = 256};
    struct net_addr at;
    need(r != NULL, "no memory");
    r->o = *o;
    need(net_listen(&l, &r->listener, &at, NULL) == 0, "cannot listen");
    r->port = o->unix_path ? 0 : ntohs(((struct sockaddr_in *)&at.sa)->sin_port);
    if (o->unix_path)
        snprintf(r->url, sizeof r->url, "unix:%s", o->unix_path);
    else
        snprintf(r->url, sizeof r->url, "http%s:%u", o->tls ? "s://localhost" : "://127.0.0.1",
                 r->port);
    r->stop_fd = eventfd(0, EFD_CLOEXEC);
    need(r->stop_fd >= 0 && pthread_create(&r->thread, NULL, serve, r) == 0, "no thread");
    return r;
}

uint16_t receiver_port(const struct receiver *r)
{
    return r->port;
}

const char *receiver_url(const struct receiver *r)
{
    return r->url;
}

unsigned receiver_requests(struct receiver *r)
{
    return atomic_load(&r->requests);
}

unsigned receiver_accepted(struct receiver *r)
{
    return atomic_load(&r->accepted);
}

void receiver_stop(struct receiver *r)
{
    uint64_t one = 1;
    need(write(r->stop_fd, &one, sizeof one) == sizeof one, "cannot stop");
    pthread_join(r->thread, NULL);
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        end_one(&r->connections[i]);
    close(r->stop_fd);
    net_close(r->listener);
    free(r);
}

pid_t receiver_start_elsewhere(bool grpc, char *url, size_t n)
{
    int fds[2];
    need(pipe(fds) == 0, "no pipe");
    pid_t child = fork();
    if (child == 0) {
        struct receiver_options ro = {.grpc = grpc};
        const char *text = receiver_url(receiver_start(&ro));
        if (write(fds[1], text, strlen(text) + 1) > 0)
            for (;;)
                pause(); /* until it is killed */
        _exit(1);
    }
    need(child > 0 && read(fds[0], url, n) > 0, "no process");
    close(fds[0]);
    close(fds[1]);
    return child;
}

void receiver_stop_elsewhere(pid_t receiver)
{
    int status;
    kill(receiver, SIGKILL);
    need(waitpid(receiver, &status, 0) == receiver, "the process is gone");
}
