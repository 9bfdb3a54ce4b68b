/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Requests as POSTs over a few HTTP/1.1 connections, each kept: one at first, more
 * when there is more to send than one round trip at a time carries. The sending
 * thread only.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "deliver/transport.h"
#include "util/gzip.h"
#include "util/http_client.h"

enum { SIDE_BY_SIDE = 4 };
#define SECOND UINT64_C(1000000000)

struct slot {
    struct http_client *client; /* NULL: not needed so far */
    struct transport_job *job;
    bool served;
};
struct transport_http {
    struct transport base;
    struct http_client_options o;
    struct slot slots[SIDE_BY_SIDE];
    struct buf plain; /* a reply that came compressed */
};

static struct transport_http *of(struct transport *t)
{
    return (struct transport_http *)t;
}

void transport_wait_add(struct transport_wait *w, const struct net_wait *more)
{
    for (unsigned i = 0; i < more->count && w->count < TRANSPORT_POLL_MAX; i++)
        w->fds[w->count++] = more->fds[i];
    if (more->wake_ns < w->wake_ns)
        w->wake_ns = more->wake_ns;
}

struct http_header transport_header(const char *name, const char *value)
{
    return (struct http_header){name, value, strlen(name), strlen(value)};
}

size_t transport_headers(const struct transport_job *j, struct http_header *out)
{
    assert(j->header_count + 8 <= TRANSPORT_HEADERS_MAX);
    memcpy(out, j->headers, j->header_count * sizeof *out);
    return j->header_count;
}

static struct slot *free_slot(struct transport_http *h)
{
    struct slot *fresh = NULL;
    for (unsigned i = 0; i < SIDE_BY_SIDE; i++) {
        struct slot *s = &h->slots[i];
        if (!s->job && s->client)
            return s;
        if (!s->job && !fresh)
            fresh = s;
    }
    return fresh;
}

static int http_start(struct transport *t, struct transport_job *j, uint64_t now_ns)
{
    struct transport_http *h = of(t);
    struct http_header headers[TRANSPORT_HEADERS_MAX];
    struct slot *s = free_slot(h);
    if (!s)
        return ORIEL_EBUSY;
    size_t n = transport_headers(j, headers);
    headers[n++] = transport_header("content-type", j->content_type);
    if (j->encoding)
        headers[n++] = transport_header("content-encoding", j->encoding);
    struct http_request r = {.size = sizeof r,
                             .method = "POST",
                             .target = j->path,
                             .headers = headers,
                             .header_count = n,
                             .body = j->body,
                             .body_n = j->body_n};
    int rc = s->client ? 0 : http_client_new(&s->client, &h->o, &j->err);
    if (rc == 0)
        rc = http_client_start(s->client, &r, now_ns, &j->err);
    if (rc == 0) {
        s->job = j;
        j->busy = true;
        j->kept = s->served;
    }
    return rc;
}

/* What the receiver says, in the terms that a dialect judges. */
static void tell(struct transport_http *h, const struct http_reply *r, struct deliver_reply *out)
{
    const struct http_header *after = http_find(&r->head, "retry-after");
    const struct http_header *coding = http_find(&r->head, "content-encoding");
    uint64_t seconds;
    *out = (struct deliver_reply){
        .status = r->head.status, .text = "", .body = r->body, .body_n = r->body_n, .cut = r->cut};
    if (after &&
        http_retry_after(after->value, after->value_n, clock_unix_ns() / SECOND, &seconds)) {
        out->has_delay = true;
        out->delay_ns = seconds * SECOND;
    }
    if (coding && http_list_has(coding, "gzip")) { /* not asked for, but some do */
        buf_clear(&h->plain);
        bool good =
            !r->cut && gzip_decompress(r->body, r->body_n, TRANSPORT_REPLY_MAX, &h->plain) == 0;
        out->body = h->plain.data;
        out->body_n = good ? h->plain.size : 0;
    }
}

static struct transport_job *http_step(struct transport *t, uint64_t now_ns,
                                       struct deliver_reply *reply)
{
    struct transport_http *h = of(t);
    for (unsigned i = 0; i < SIDE_BY_SIDE; i++) {
        struct slot *s = &h->slots[i];
        struct transport_job *j = s->job;
        struct http_reply r;
        if (!j)
            continue;
        j->rc = http_client_step(s->client, now_ns, &r, &j->err);
        if (j->rc == NET_AGAIN)
            continue;
        s->job = NULL;
        s->served = j->rc == 0;
        j->busy = false;
        if (j->rc == 0)
            tell(h, &r, reply);
        return j;
    }
    return NULL;
}

static void http_cancel(struct transport *t, struct transport_job *j)
{
    struct transport_http *h = of(t);
    for (unsigned i = 0; i < SIDE_BY_SIDE; i++)
        if (h->slots[i].job == j) {
            http_client_drop(h->slots[i].client);
            h->slots[i].job = NULL;
            h->slots[i].served = false;
        }
    j->busy = false;
}

static void http_wait(struct transport *t, struct transport_wait *w)
{
    struct transport_http *h = of(t);
    for (unsigned i = 0; i < SIDE_BY_SIDE; i++) {
        struct net_wait one;
        net_wait_init(&one);
        if (h->slots[i].job)
            http_client_wait(h->slots[i].client, &one);
        transport_wait_add(w, &one);
    }
}

static uint64_t http_connections(const struct transport *t)
{
    const struct transport_http *h = (const struct transport_http *)t;
    uint64_t n = 0;
    for (unsigned i = 0; i < SIDE_BY_SIDE; i++)
        n += h->slots[i].client ? http_client_connections(h->slots[i].client) : 0;
    return n;
}

static void http_free(struct transport *t)
{
    struct transport_http *h = of(t);
    for (unsigned i = 0; i < SIDE_BY_SIDE; i++)
        http_client_free(h->slots[i].client);
    buf_done(&h->plain);
    mem_free(h);
}

int transport_http_new(struct transport **out, const struct transport_options *o)
{
    static const struct transport_ops ops = {.side_by_side = SIDE_BY_SIDE,
                                             .start = http_start,
                                             .step = http_step,
                                             .cancel = http_cancel,
                                             .wait = http_wait,
                                             .connections = http_connections,
                                             .free = http_free};
    struct transport_http *h = mem_calloc(1, sizeof *h);
    if (!h)
        return ORIEL_ENOMEM;
    h->base.ops = &ops;
    h->o = (struct http_client_options){.size = sizeof h->o,
                                        .stream = o->stream,
                                        .authority = o->authority,
                                        .body_max = TRANSPORT_REPLY_MAX};
    buf_init(&h->plain);
    *out = &h->base;
    return 0;
}
