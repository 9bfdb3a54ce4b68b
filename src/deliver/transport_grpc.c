/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Requests as unary calls of gRPC, side by side on one kept HTTP/2 connection. The
 * sending thread only.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "deliver/transport.h"
#include "util/grpc.h"
#include "util/gzip.h"
#include "util/h2_client.h"

enum { SIDE_BY_SIDE = 8 };

struct call {
    struct transport_job *job; /* NULL: free */
    struct h2_exchange *exchange;
    unsigned connection;
    uint64_t heard; /* bytes that had come when it began */
};
struct transport_grpc {
    struct transport base;
    struct h2_client *client;
    struct call calls[SIDE_BY_SIDE];
    struct grpc_result result; /* of the reply that was given out */
    struct buf message;
    unsigned served; /* number of the connection that has served */
    struct oriel_err why;
};

static struct transport_grpc *of(struct transport *t)
{
    return (struct transport_grpc *)t;
}

static int grpc_start(struct transport *t, struct transport_job *j, uint64_t now_ns)
{
    struct transport_grpc *g = of(t);
    struct http_header headers[TRANSPORT_HEADERS_MAX];
    char timeout[16];
    struct call *c = NULL;
    for (unsigned i = 0; i < SIDE_BY_SIDE && !c; i++)
        c = g->calls[i].job ? NULL : &g->calls[i];
    if (!c)
        return ORIEL_EBUSY;
    grpc_timeout(j->timeout_ns, timeout);
    size_t n = transport_headers(j, headers);
    headers[n++] = transport_header("content-type", "application/grpc");
    headers[n++] = transport_header("te", "trailers");
    headers[n++] = transport_header("grpc-timeout", timeout);
    headers[n++] = transport_header("grpc-accept-encoding", "identity,gzip");
    if (j->encoding)
        headers[n++] = transport_header("grpc-encoding", j->encoding);
    struct h2_request r = {.size = sizeof r,
                           .method = "POST",
                           .path = j->path,
                           .headers = headers,
                           .header_count = n,
                           .body = j->body,
                           .body_n = j->body_n};
    int rc = h2_client_start(g->client, &r, now_ns, &c->exchange, &j->err);
    if (rc == 0) {
        c->job = j;
        c->connection = h2_client_connections(g->client);
        c->heard = h2_heard_bytes(h2_client_session(g->client));
        j->busy = true;
        j->kept = g->served == c->connection;
    }
    return rc;
}

/* The message is copied, so that the exchange, which knows the request's bytes, can go. A
 * compressed one that cannot be read counts as empty. */
static void tell(struct transport_grpc *g, const struct h2_exchange *x, struct deliver_reply *out)
{
    const char *coding = h2_header(x, "grpc-encoding");
    struct grpc_result *r = &g->result;
    grpc_result_read(x, r);
    buf_clear(&g->message);
    if (r->message && !r->compressed)
        buf_put(&g->message, r->message, r->message_n);
    else if (r->message && coding && strcasecmp(coding, "gzip") == 0)
        (void)gzip_decompress(r->message, r->message_n, TRANSPORT_REPLY_MAX, &g->message);
    *out = (struct deliver_reply){.grpc = true,
                                  .status = r->status,
                                  .text = r->text,
                                  .body = buf_cstr(&g->message),
                                  .body_n = g->message.size,
                                  .has_delay = r->has_delay,
                                  .delay_ns = r->delay_ns};
}

/* The call is over: its job, with a reply or the reason why there is none. */
static struct transport_job *end_call(struct transport_grpc *g, struct call *c,
                                      struct deliver_reply *reply)
{
    struct transport_job *j = c->job;
    bool last = c->connection == h2_client_connections(g->client);
    j->rc = h2_result(c->exchange, &j->err);
    if (j->rc == ORIEL_ECLOSED && g->why.code && last) {
        j->rc = g->why.code; /* of the connection: it says more */
        j->err = g->why;
    }
    j->kept = j->kept && !h2_begun(c->exchange);
    if (j->rc == 0) {
        g->served = c->connection;
        tell(g, c->exchange, reply);
    }
    h2_exchange_free(c->exchange);
    *c = (struct call){0};
    if (j->rc == ORIEL_ELIMIT && last)
        h2_client_drop(g->client); /* more of it would come */
    j->busy = false;
    return j;
}

static struct transport_job *grpc_step(struct transport *t, uint64_t now_ns,
                                       struct deliver_reply *reply)
{
    struct transport_grpc *g = of(t);
    struct oriel_err why = {0};
    int rc = h2_client_step(g->client, now_ns, &why);
    if (rc < 0) {
        g->why = why;
        g->why.code = rc;
    }
    for (unsigned i = 0; i < SIDE_BY_SIDE; i++)
        if (g->calls[i].job && h2_done(g->calls[i].exchange))
            return end_call(g, &g->calls[i], reply);
    return NULL;
}

/* A connection that says nothing at all is of no use to the others either. */
static void grpc_cancel(struct transport *t, struct transport_job *j)
{
    struct transport_grpc *g = of(t);
    for (unsigned i = 0; i < SIDE_BY_SIDE; i++) {
        struct call *c = &g->calls[i];
        if (c->job != j)
            continue;
        struct h2 *h = h2_client_session(g->client);
        bool same = h && c->connection == h2_client_connections(g->client);
        bool silent = same && h2_heard_bytes(h) == c->heard;
        h2_exchange_free(c->exchange);
        *c = (struct call){0};
        if (silent)
            h2_client_drop(g->client);
    }
    j->busy = false;
}

static void grpc_wait(struct transport *t, struct transport_wait *w)
{
    struct net_wait one;
    net_wait_init(&one);
    h2_client_wait(of(t)->client, &one);
    transport_wait_add(w, &one);
}

static uint64_t grpc_connections(const struct transport *t)
{
    return h2_client_connections(((const struct transport_grpc *)t)->client);
}

static void grpc_free(struct transport *t)
{
    struct transport_grpc *g = of(t);
    for (unsigned i = 0; i < SIDE_BY_SIDE; i++)
        h2_exchange_free(g->calls[i].exchange);
    h2_client_free(g->client);
    buf_done(&g->message);
    mem_free(g);
}

int transport_grpc_new(struct transport **out, const struct transport_options *o)
{
    static const struct transport_ops ops = {.side_by_side = SIDE_BY_SIDE,
                                             .start = grpc_start,
                                             .step = grpc_step,
                                             .cancel = grpc_cancel,
                                             .wait = grpc_wait,
                                             .connections = grpc_connections,
                                             .free = grpc_free};
    struct transport_grpc *g = mem_calloc(1, sizeof *g);
    struct h2_client_options how = {
        .size = sizeof how,
        .stream = o->stream,
        .authority = o->authority,
        .h2 = {.size = sizeof how.h2, .body_max = TRANSPORT_REPLY_MAX + GRPC_PREFIX}};
    if (!g || h2_client_new(&g->client, &how, NULL) != 0) {
        mem_free(g);
        return ORIEL_ENOMEM;
    }
    g->base.ops = &ops;
    buf_init(&g->message);
    *out = &g->base;
    return 0;
}
