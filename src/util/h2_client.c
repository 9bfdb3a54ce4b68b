/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Keeps one HTTP/2 connection alive for those who send requests. One thread.
 */
#include "util/h2_client.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

struct h2_client {
    struct h2_client_options o;
    struct stream *stream;
    struct h2 *h2;
    unsigned connections;
};

int h2_client_new(struct h2_client **out, const struct h2_client_options *o, struct oriel_err *err)
{
    assert(o->size >= sizeof *o && o->authority && !o->h2.server);
    struct h2_client *c = mem_calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ORIEL_ENOMEM, "no memory for an HTTP/2 client");
    c->o = *o;
    c->o.h2.size = sizeof c->o.h2;
    *out = c;
    return 0;
}

void h2_client_drop(struct h2_client *c)
{
    h2_free(c->h2);
    stream_free(c->stream);
    c->h2 = NULL;
    c->stream = NULL;
}

void h2_client_free(struct h2_client *c)
{
    if (!c)
        return;
    h2_client_drop(c);
    mem_free(c);
}

unsigned h2_client_connections(const struct h2_client *c)
{
    return c->connections;
}

struct h2 *h2_client_session(struct h2_client *c)
{
    return c->h2;
}

static int connect_anew(struct h2_client *c, uint64_t now_ns, struct oriel_err *err)
{
    h2_client_drop(c);
    int rc = h2_new(&c->h2, &c->o.h2, err);
    if (rc == 0)
        rc = stream_new(&c->stream, &c->o.stream, now_ns, err);
    if (rc != 0)
        h2_client_drop(c);
    else
        c->connections++;
    return rc;
}

int h2_client_start(struct h2_client *c, const struct h2_request *r, uint64_t now_ns,
                    struct h2_exchange **out, struct oriel_err *err)
{
    struct h2_request whole = *r;
    assert(r->size >= sizeof *r);
    if (!whole.scheme)
        whole.scheme = c->o.stream.tls ? "https" : "http";
    if (!whole.authority)
        whole.authority = c->o.authority;
    int rc = 0;
    if (!c->h2 || (h2_is_going_away(c->h2) && h2_live(c->h2) == 0))
        rc = connect_anew(c, now_ns, err);
    return rc == 0 ? h2_start(c->h2, &whole, out, err) : rc;
}

int h2_client_step(struct h2_client *c, uint64_t now_ns, struct oriel_err *err)
{
    if (!c->h2)
        return NET_AGAIN;
    int rc = stream_step(c->stream, now_ns, err);
    if (rc == 0 && c->o.stream.tls && strcmp(stream_alpn(c->stream), "h2") != 0)
        rc = err_set(err, ORIEL_EUNSUPPORTED, "%s: the server does not speak HTTP/2",
                     c->o.authority);
    if (rc == 0)
        rc = h2_pump(c->h2, c->stream, err);
    if (rc < 0)
        h2_client_drop(c);
    return rc;
}

void h2_client_wait(const struct h2_client *c, struct net_wait *w)
{
    if (!c->h2)
        return;
    if (stream_ready(c->stream))
        h2_wait(c->h2, c->stream, w);
    else
        stream_wait(c->stream, true, true, w);
}

/* One try; *out is done or NULL. */
static int call_once(struct h2_client *c, const struct h2_request *r, uint64_t deadline_ns,
                     struct h2_exchange **out, struct oriel_err *err)
{
    struct h2_exchange *x = NULL;
    struct net_wait w;
    int rc = h2_client_start(c, r, clock_mono_ns(), &x, err);
    *out = NULL;
    if (rc != 0)
        return rc;
    uint64_t heard = h2_heard_bytes(c->h2);
    for (;;) {
        rc = h2_client_step(c, clock_mono_ns(), err);
        if (h2_done(x)) {
            *out = x;
            return rc < 0 ? rc : 0;
        }
        assert(rc == NET_AGAIN);
        net_wait_init(&w);
        h2_client_wait(c, &w);
        if (net_wait_sleep(&w, deadline_ns) == 0)
            continue;
        bool silent = h2_heard_bytes(c->h2) == heard;
        h2_exchange_free(x); /* the connection may be good: others had replies */
        if (silent || !stream_ready(c->stream))
            h2_client_drop(c);
        else
            h2_client_step(c, clock_mono_ns(), err);
        return err_set(err, ORIEL_ETIMEOUT, "%s: no reply in time", c->o.authority);
    }
}

int h2_client_call(struct h2_client *c, const struct h2_request *r, uint64_t deadline_ns,
                   struct h2_exchange **out, struct oriel_err *err)
{
    struct oriel_err why;
    unsigned before = c->connections;
    bool kept = c->h2 != NULL;
    int rc = call_once(c, r, deadline_ns, out, err);
    if (*out && h2_result(*out, &why) != 0) {
        bool lost = rc < 0 && kept && c->connections == before && !h2_begun(*out);
        if (lost || h2_result(*out, &why) == ORIEL_EBUSY) {
            h2_exchange_free(*out);
            rc = call_once(c, r, deadline_ns, out, err);
        }
    }
    if (rc < 0 && *out) {
        if (h2_result(*out, &why) == 0)
            return 0; /* the reply was whole before the connection ended */
        h2_exchange_free(*out);
        *out = NULL;
    }
    return rc;
}
