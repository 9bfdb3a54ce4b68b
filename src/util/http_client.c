/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sends one request and reads its reply at the same time, because a server may
 * answer (413, 503) before it has read the whole body. One thread.
 */
#include "util/http_client.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum { BODY_MAX = 64 << 10, INTERIM_MAX = 8, PIECE = 16 << 10, TOGETHER_MAX = 16 << 10 };

struct http_client {
    struct http_client_options o;
    struct stream *stream;
    bool busy;
    bool kept;        /* the connection has served before */
    bool heard;       /* a byte of this reply has come */
    bool cannot_send; /* the server takes no more; it may still have answered */
    bool head_done, cut;
    unsigned interim, connections;
    struct buf out; /* head of the request, and a small body */
    const char *body;
    size_t body_n, out_at, body_at;
    struct buf head, content; /* of the reply */
    size_t head_seen;
    struct http_head parsed;
    struct http_body framing;
};

int http_client_new(struct http_client **out, const struct http_client_options *o,
                    struct oriel_err *err)
{
    assert(o->size >= sizeof *o && o->authority);
    struct http_client *c = mem_calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ORIEL_ENOMEM, "no memory for an HTTP client");
    c->o = *o;
    if (c->o.body_max == 0)
        c->o.body_max = BODY_MAX;
    buf_init(&c->out);
    buf_init(&c->head);
    buf_init(&c->content);
    *out = c;
    return 0;
}

void http_client_drop(struct http_client *c)
{
    stream_free(c->stream);
    c->stream = NULL;
    c->busy = false;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    http_client_drop(c);
    buf_done(&c->out);
    buf_done(&c->head);
    buf_done(&c->content);
    mem_free(c);
}

unsigned http_client_connections(const struct http_client *c)
{
    return c->connections;
}

/* Nothing of what the caller gives may become a line of its own. */
static int check_request(const struct http_request *r, struct oriel_err *err)
{
    bool good = http_token_valid(r->method, strlen(r->method)) && r->target[0] == '/';
    for (const char *p = r->target; *p; p++)
        good = good && *p > ' ' && *p <= '~';
    if (!good)
        return err_set(err, ORIEL_EINVAL, "a request with an invalid method or path");
    for (size_t i = 0; i < r->header_count; i++) {
        const struct http_header *h = &r->headers[i];
        if (!http_token_valid(h->name, h->name_n) || !http_value_valid(h->value, h->value_n))
            return err_set(err, ORIEL_EINVAL,
                           "header \"%.*s\" cannot be sent: a character in it "
                           "is not allowed",
                           (int)(h->name_n < 60 ? h->name_n : 60), h->name);
    }
    return 0;
}

static int write_head(struct http_client *c, const struct http_request *r, struct oriel_err *err)
{
    bool by_proxy = c->o.stream.proxy_host && c->o.stream.proxy_plain;
    buf_clear(&c->out);
    buf_printf(&c->out, "%s %s%s%s HTTP/1.1\r\nHost: %s\r\n", r->method, by_proxy ? "http://" : "",
               by_proxy ? c->o.authority : "", r->target, c->o.authority);
    for (size_t i = 0; i < r->header_count; i++) {
        buf_put(&c->out, r->headers[i].name, r->headers[i].name_n);
        buf_puts(&c->out, ": ");
        buf_put(&c->out, r->headers[i].value, r->headers[i].value_n);
        buf_puts(&c->out, "\r\n");
    }
    if (by_proxy && c->o.stream.proxy_authorization)
        buf_printf(&c->out, "Proxy-Authorization: %s\r\n", c->o.stream.proxy_authorization);
    if (r->body_n || strcmp(r->method, "GET") != 0)
        buf_printf(&c->out, "Content-Length: %zu\r\n", r->body_n);
    buf_puts(&c->out, "\r\n");
    c->body = r->body;
    c->body_n = r->body_n;
    if (r->body_n <= TOGETHER_MAX) { /* one packet */
        buf_put(&c->out, r->body, r->body_n);
        c->body_n = 0;
    }
    return c->out.failed ? err_set(err, ORIEL_ENOMEM, "no memory for a request") : 0;
}

static void rewind_request(struct http_client *c)
{
    c->out_at = c->body_at = c->head_seen = 0;
    c->interim = 0;
    c->heard = c->cannot_send = c->head_done = c->cut = false;
    buf_clear(&c->head);
    buf_clear(&c->content);
}

static int connect_anew(struct http_client *c, uint64_t now_ns, struct oriel_err *err)
{
    stream_free(c->stream);
    c->stream = NULL;
    c->kept = false;
    int rc = stream_new(&c->stream, &c->o.stream, now_ns, err);
    c->connections += rc == 0;
    return rc;
}

/* Between requests a server has nothing to say: bytes or an end mean that the
 * connection is of no use any more. */
static bool still_good(struct http_client *c)
{
    char byte;
    size_t n;
    struct oriel_err ignored;
    return c->stream && stream_ready(c->stream) &&
           stream_read(c->stream, &byte, 1, &n, &ignored) == NET_AGAIN;
}

int http_client_start(struct http_client *c, const struct http_request *r, uint64_t now_ns,
                      struct oriel_err *err)
{
    assert(r->size >= sizeof *r);
    if (c->busy)
        return err_set(err, ORIEL_ESTATE, "another request is under way on this connection");
    int rc = check_request(r, err);
    if (rc == 0)
        rc = write_head(c, r, err);
    if (rc != 0)
        return rc;
    rewind_request(c);
    c->kept = still_good(c);
    rc = c->kept ? 0 : connect_anew(c, now_ns, err);
    c->busy = rc == 0;
    return rc;
}

static bool all_sent(const struct http_client *c)
{
    return c->out_at == c->out.size && c->body_at == c->body_n;
}

/* As much of the request as the stream takes; 0 when all of it went. */
static int send_request(struct http_client *c, struct oriel_err *err)
{
    while (!all_sent(c)) {
        bool head = c->out_at < c->out.size;
        size_t put = 0, *at = head ? &c->out_at : &c->body_at;
        const char *from = head ? c->out.data : c->body;
        size_t left = (head ? c->out.size : c->body_n) - *at;
        int rc = stream_write(c->stream, from + *at, left, &put, err);
        if (rc != 0)
            return rc;
        *at += put;
    }
    return stream_flush(c->stream, err);
}

/* Content from a piece of the body; true in *out_done when the reply is whole. */
static int take_body(struct http_client *c, const char *p, size_t n, bool *out_done,
                     struct oriel_err *err)
{
    while (n && !c->framing.done && !c->cut) {
        size_t used, data_n;
        const char *data;
        int rc = http_body_step(&c->framing, p, n, &used, &data, &data_n, err);
        if (rc != 0)
            return rc;
        size_t room = c->o.body_max - c->content.size;
        c->cut = data_n > room;
        buf_put(&c->content, data, c->cut ? room : data_n);
        p += used;
        n -= used;
    }
    if (c->content.failed)
        return err_set(err, ORIEL_ENOMEM, "no memory for a reply");
    *out_done = c->framing.done || c->cut;
    if (n > 0) /* more than was asked for: whose reply is that? */
        c->parsed.keep_alive = false;
    return 0;
}

/* A head may be whole in `head` now. Interim ones are passed over. */
static int take_head(struct http_client *c, bool *out_done, struct oriel_err *err)
{
    size_t n;
    while ((n = http_head_size(c->head.data, c->head.size, &c->head_seen)) > 0) {
        int rc = http_response_read(c->head.data, n, &c->parsed, err);
        if (rc != 0)
            return rc;
        if (c->parsed.status >= 200) {
            c->head_done = true;
            http_body_init(&c->framing, &c->parsed, false);
            *out_done = c->framing.done;
            return take_body(c, c->head.data + n, c->head.size - n, out_done, err);
        }
        if (c->parsed.status == 101 || ++c->interim > INTERIM_MAX)
            return err_set(err, ORIEL_EFORMAT, "a reply that never begins (status %d)",
                           c->parsed.status);
        memmove(c->head.data, c->head.data + n, c->head.size - n);
        c->head.size -= n;
        c->head_seen = 0;
    }
    if (c->head.size > HTTP_HEAD_MAX)
        return err_set(err, ORIEL_ELIMIT, "a reply whose head is longer than %d bytes",
                       HTTP_HEAD_MAX);
    return 0;
}

static int read_reply(struct http_client *c, bool *out_done, struct oriel_err *err)
{
    char piece[PIECE];
    while (!*out_done) {
        size_t n = 0;
        int rc = stream_read(c->stream, piece, sizeof piece, &n, err);
        if (rc != 0)
            return rc; /* a reset too: it is no end */
        if (n == 0) {
            if (!c->head_done)
                return err_set(err, ORIEL_ECLOSED, "the server closed the connection %s%s",
                               c->heard ? "inside its reply" : "without a reply",
                               stream_hint(c->stream));
            *out_done = true;
            c->parsed.keep_alive = false;
            return http_body_end(&c->framing, err);
        }
        c->heard = true;
        if (c->head_done) {
            rc = take_body(c, piece, n, out_done, err);
        } else {
            buf_put(&c->head, piece, n);
            rc = c->head.failed ? err_set(err, ORIEL_ENOMEM, "no memory for a reply")
                                : take_head(c, out_done, err);
        }
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void finish(struct http_client *c, struct http_reply *out)
{
    out->head = c->parsed;
    out->body_n = c->content.size;
    out->body = buf_cstr(&c->content);
    out->cut = c->cut;
    c->busy = false;
    if (!c->parsed.keep_alive || c->cut || !all_sent(c) || !c->framing.done)
        http_client_drop(c);
}

/* Sends and reads what can be now; 0: the reply is whole. */
static int exchange(struct http_client *c, struct oriel_err *err)
{
    struct oriel_err send_err;
    bool done = false;
    int sent = c->cannot_send ? 0 : send_request(c, &send_err);
    if (sent == ORIEL_ENOMEM)
        return err_set(err, sent, "%s", send_err.text);
    if (sent < 0)
        c->cannot_send = true;
    int rc = read_reply(c, &done, err);
    if (rc == NET_AGAIN && sent < 0) /* refused, and nothing is said about it yet */
        return NET_AGAIN;
    return rc;
}

int http_client_step(struct http_client *c, uint64_t now_ns, struct http_reply *out,
                     struct oriel_err *err)
{
    if (!c->busy)
        return err_set(err, ORIEL_ESTATE, "no request is under way");
    for (;;) {
        int rc = stream_step(c->stream, now_ns, err);
        if (rc == 0)
            rc = exchange(c, err);
        if (rc == NET_AGAIN)
            return rc;
        if (rc == 0) {
            finish(c, out);
            return 0;
        }
        if (c->kept && !c->heard && (rc == ORIEL_ECLOSED || rc == ORIEL_EIO)) {
            rewind_request(c);
            rc = connect_anew(c, now_ns, err);
            if (rc == 0)
                continue;
        }
        http_client_drop(c);
        return rc;
    }
}

void http_client_wait(const struct http_client *c, struct net_wait *w)
{
    if (c->busy)
        stream_wait(c->stream, true, !c->cannot_send && !all_sent(c), w);
}

int http_client_call(struct http_client *c, const struct http_request *r, uint64_t deadline_ns,
                     struct http_reply *out, struct oriel_err *err)
{
    int rc = http_client_start(c, r, clock_mono_ns(), err);
    while (rc == 0 || rc == NET_AGAIN) {
        struct net_wait w;
        rc = http_client_step(c, clock_mono_ns(), out, err);
        if (rc != NET_AGAIN)
            return rc;
        net_wait_init(&w);
        http_client_wait(c, &w);
        if (net_wait_sleep(&w, deadline_ns) != 0) {
            http_client_drop(c);
            return err_set(err, ORIEL_ETIMEOUT, "%s: no reply in time", c->o.authority);
        }
    }
    return rc;
}
