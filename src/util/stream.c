/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The stages of a connection one after the other: dial, tunnel, TLS, ready. With
 * TLS, sealed bytes that the socket does not take yet wait in `sealed`, which is
 * sent before anything else is sealed: at most one piece. One thread.
 */
#include "util/stream.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "util/http.h"
#include "util/kept.h"

enum stage { DIALING, ASKING_PROXY, HEARING_PROXY, SHAKING, READY, ENDED };
enum { PIECE = 17 << 10, PROXY_HEAD_MAX = 8 << 10 };

struct stream {
    enum stage stage;
    struct stream_options o;
    struct net_dial *dial;
    struct kept socket; /* a program may have closed it, and have the number again */
    struct tls *tls;
    struct buf sealed; /* to be sent: TLS records, or the request for a tunnel */
    size_t sealed_at;
    struct buf early; /* the proxy's reply, then what came behind it */
    size_t early_at;
    bool tls_wants_read; /* TLS can only go on with more from the other side */
    bool heard;          /* a byte has come from the other side (not from a proxy) */
};

/* ---- the descriptor ---- */

static int lost_fd(struct oriel_err *err)
{
    return err_set(err, ORIEL_ECLOSED, "the program closed the descriptor of the connection");
}

static int write_fd(struct stream *s, const void *bytes, size_t n, size_t *out_n,
                    struct oriel_err *err)
{
    return kept_is_ours(&s->socket) ? net_write(s->socket.fd, bytes, n, out_n, err) : lost_fd(err);
}

static int read_fd(struct stream *s, void *bytes, size_t n, size_t *out_n, struct oriel_err *err)
{
    return kept_is_ours(&s->socket) ? net_read(s->socket.fd, bytes, n, out_n, err) : lost_fd(err);
}

/* ---- making and ending ---- */

int stream_new(struct stream **out, const struct stream_options *o, uint64_t now_ns,
               struct oriel_err *err)
{
    assert(o->size >= sizeof *o);
    assert(!o->proxy_host || o->host);
    struct net_dial_options d = {.size = sizeof d,
                                 .host = o->proxy_host ? o->proxy_host : o->host,
                                 .port = o->proxy_host ? o->proxy_port : o->port,
                                 .unix_path = o->proxy_host ? NULL : o->unix_path,
                                 .resolver = o->resolver};
    struct stream *s = mem_calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ORIEL_ENOMEM, "no memory to connect");
    s->o = *o;
    s->socket = kept_open(-1);
    buf_init(&s->sealed);
    buf_init(&s->early);
    int rc = net_dial_new(&s->dial, &d, now_ns, err);
    if (rc != 0)
        mem_free(s);
    else
        *out = s;
    return rc;
}

int stream_accepted(struct stream **out, int fd_take, struct tls_context *tls,
                    struct oriel_err *err)
{
    assert(fd_take >= 0);
    struct stream *s = mem_calloc(1, sizeof *s);
    if (!s) {
        net_close(fd_take);
        return err_set(err, ORIEL_ENOMEM, "no memory for another connection");
    }
    buf_init(&s->sealed);
    buf_init(&s->early);
    s->socket = kept_open(fd_take);
    s->o.tls = tls;
    s->stage = tls ? SHAKING : READY;
    int rc = tls ? tls_new(&s->tls, tls, NULL, err) : 0;
    if (rc != 0)
        stream_free(s);
    else
        *out = s;
    return rc;
}

void stream_free(struct stream *s)
{
    struct oriel_err ignored;
    if (!s)
        return;
    if (s->tls && s->stage == READY) {
        tls_bye(s->tls);
        stream_flush(s, &ignored);
    }
    tls_free(s->tls);
    net_dial_free(s->dial);
    kept_close(&s->socket);
    buf_done(&s->sealed);
    buf_done(&s->early);
    mem_free(s);
}

bool stream_ready(const struct stream *s)
{
    return s->stage == READY;
}

const char *stream_alpn(const struct stream *s)
{
    return s->tls ? tls_alpn(s->tls) : "";
}

int stream_fd(const struct stream *s)
{
    return s->socket.fd;
}

/* What stands in `sealed` to the socket: 0 when all of it went. */
static int send_sealed(struct stream *s, struct oriel_err *err)
{
    while (s->sealed_at < s->sealed.size) {
        size_t put;
        int rc =
            write_fd(s, s->sealed.data + s->sealed_at, s->sealed.size - s->sealed_at, &put, err);
        if (rc != 0)
            return rc;
        s->sealed_at += put;
    }
    buf_clear(&s->sealed);
    s->sealed_at = 0;
    return 0;
}

int stream_flush(struct stream *s, struct oriel_err *err)
{
    int rc = send_sealed(s, err);
    while (rc == 0 && s->tls && tls_has_output(s->tls)) {
        char *room = buf_reserve(&s->sealed, PIECE);
        if (!room)
            return err_set(err, ORIEL_ENOMEM, "no memory to send");
        s->sealed.size += tls_drain(s->tls, room, PIECE);
        rc = send_sealed(s, err);
    }
    return rc;
}

/* From the socket, but first what came early behind the proxy's reply. */
static int read_plain(struct stream *s, void *bytes, size_t n, size_t *out_n, struct oriel_err *err)
{
    size_t kept = s->early.size - s->early_at;
    if (kept == 0)
        return read_fd(s, bytes, n, out_n, err);
    *out_n = kept < n ? kept : n;
    memcpy(bytes, s->early.data + s->early_at, *out_n);
    s->early_at += *out_n;
    return 0;
}

/* ---- one side with TLS, the other without ---- */

/* Types of TLS's records. No reply of HTTP begins with one, and no first frame of HTTP/2: that
 * would have a length that nobody may send. */
static bool is_tls(const unsigned char *bytes, size_t n)
{
    return bytes[0] >= 0x14 && bytes[0] <= 0x17 && (n == 1 || bytes[1] == 3);
}

/* The first bytes of a server tell which of both it speaks. */
static int check_first(struct stream *s, const void *bytes, size_t n, struct oriel_err *err)
{
    const bool first = !s->heard && n > 0;
    s->heard = s->heard || n > 0;
    if (!first || !s->o.host || is_tls(bytes, n) == (s->tls != NULL))
        return 0;
    return err_set(err, ORIEL_EFORMAT,
                   s->tls ? "%s: does not speak TLS on this port: use http://, not https://"
                          : "%s: speaks TLS on this port: use https://, not http://",
                   s->o.host);
}

const char *stream_hint(const struct stream *s)
{
    if (s->heard || !s->o.host || s->o.unix_path || (s->o.proxy_host && !s->tls))
        return "";
    return s->tls ? "; it may not speak TLS: http://" : "; it may want TLS: https://";
}

/* An end that is an error, of one that never said a word. */
static int hint(const struct stream *s, int rc, struct oriel_err *err)
{
    struct oriel_err why;
    if (rc != ORIEL_ECLOSED || !err || !stream_hint(s)[0])
        return rc;
    why = *err;
    return err_set(err, rc, "%s%s", why.text, stream_hint(s));
}

/* One piece from the socket into TLS; *out_ended when there is none any more. */
static int feed_tls(struct stream *s, bool *out_ended, struct oriel_err *err)
{
    char piece[8 << 10];
    size_t n = 0;
    int rc = read_plain(s, piece, sizeof piece, &n, err);
    *out_ended = rc == 0 && n == 0;
    rc = rc == 0 ? check_first(s, piece, n, err) : hint(s, rc, err);
    if (rc == 0 && n > 0 && tls_feed(s->tls, piece, n) != 0)
        return err_set(err, ORIEL_ENOMEM, "no memory for TLS");
    return rc;
}

static int ask_proxy(struct stream *s, struct oriel_err *err)
{
    bool v6 = strchr(s->o.host, ':') && s->o.host[0] != '[';
    char to[NET_HOST_MAX + 16];
    snprintf(to, sizeof to, "%s%s%s:%u", v6 ? "[" : "", s->o.host, v6 ? "]" : "", s->o.port);
    buf_printf(&s->sealed, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", to, to);
    if (s->o.proxy_authorization)
        buf_printf(&s->sealed, "Proxy-Authorization: %s\r\n", s->o.proxy_authorization);
    buf_puts(&s->sealed, "\r\n");
    return s->sealed.failed ? err_set(err, ORIEL_ENOMEM, "no memory to ask the proxy") : 0;
}

static int hear_proxy(struct stream *s, struct oriel_err *err)
{
    struct http_head head;
    size_t seen = 0, n = 0, got;
    while ((n = http_head_size(s->early.data, s->early.size, &seen)) == 0) {
        char *room = s->early.size < PROXY_HEAD_MAX ? buf_reserve(&s->early, 1024) : NULL;
        if (!room)
            return err_set(err, ORIEL_ELIMIT, "%s: the proxy's reply has no end", s->o.proxy_host);
        int rc = read_fd(s, room, 1024, &got, err);
        if (rc != 0)
            return rc;
        if (got == 0)
            return err_set(err, ORIEL_ECLOSED, "%s: the proxy closed the connection",
                           s->o.proxy_host);
        s->early.size += got;
    }
    int rc = http_response_read(s->early.data, n, &head, err);
    if (rc != 0)
        return err_set(err, rc, "%s: the proxy does not speak HTTP", s->o.proxy_host);
    if (head.status < 200 || head.status > 299)
        return err_set(err, ORIEL_EPERM, "%s: the proxy refuses a tunnel to %s:%u with status %d",
                       s->o.proxy_host, s->o.host, s->o.port, head.status);
    s->early_at = n;
    return 0;
}

static int shake(struct stream *s, struct oriel_err *err)
{
    for (;;) {
        struct oriel_err why = {0}, flush_err;
        bool ended;
        int rc = tls_handshake(s->tls, &why);
        s->tls_wants_read = rc == NET_AGAIN;
        int flushed = stream_flush(s, &flush_err); /* an alert too */
        if (rc < 0 || rc == 0) {
            if (rc < 0)
                return err_set(err, rc, "%s", why.text);
            return 0;
        }
        if (flushed < 0)
            return err_set(err, flushed, "%s", flush_err.text);
        rc = feed_tls(s, &ended, err);
        if (rc != 0)
            return rc;
        if (ended)
            return err_set(err, ORIEL_ECLOSED, "%s: closed the connection in the TLS handshake%s",
                           s->o.host ? s->o.host : "client", stream_hint(s));
    }
}

static int begin_tls(struct stream *s, struct oriel_err *err)
{
    if (!s->o.tls)
        return 0;
    return tls_new(&s->tls, s->o.tls, s->o.tls_host ? s->o.tls_host : s->o.host, err);
}

/* Does this stage's work; 0: on to the next. */
static int do_stage(struct stream *s, uint64_t now_ns, struct oriel_err *err)
{
    switch (s->stage) {
    case DIALING: {
        int fd, rc = net_dial_step(s->dial, now_ns, &fd, err);
        if (rc != 0)
            return rc;
        s->socket = kept_open(fd);
        net_dial_free(s->dial);
        s->dial = NULL;
        if (s->o.proxy_host && !s->o.proxy_plain)
            return ask_proxy(s, err);
        s->stage = HEARING_PROXY; /* none: pass over both */
        return begin_tls(s, err);
    }
    case ASKING_PROXY:
        return send_sealed(s, err);
    case HEARING_PROXY: {
        int rc = hear_proxy(s, err);
        return rc == 0 ? begin_tls(s, err) : rc;
    }
    case SHAKING:
        return s->tls ? shake(s, err) : 0;
    case READY:
    case ENDED:
        break;
    }
    return 0;
}

int stream_step(struct stream *s, uint64_t now_ns, struct oriel_err *err)
{
    if (s->stage == ENDED)
        return err_set(err, ORIEL_ESTATE, "the connection failed before");
    while (s->stage != READY) {
        int rc = do_stage(s, now_ns, err);
        if (rc < 0)
            s->stage = ENDED;
        if (rc != 0)
            return rc;
        s->stage++;
    }
    return 0;
}

int stream_read(struct stream *s, void *bytes, size_t n, size_t *out_n, struct oriel_err *err)
{
    assert(s->stage == READY && n > 0);
    if (!s->tls) {
        int rc = read_plain(s, bytes, n, out_n, err);
        return rc == 0 ? check_first(s, bytes, *out_n, err) : hint(s, rc, err);
    }
    for (;;) {
        bool ended;
        int rc = tls_read(s->tls, bytes, n, out_n, err);
        if (rc != NET_AGAIN)
            return rc;
        rc = stream_flush(s, err); /* answers of TLS itself */
        if (rc < 0)
            return rc;
        rc = feed_tls(s, &ended, err);
        if (rc != 0)
            return rc;
        if (ended) /* without a goodbye: what was read may be cut */
            return err_set(err, ORIEL_ECLOSED, "the other side cut the TLS connection");
    }
}

int stream_write(struct stream *s, const void *bytes, size_t n, size_t *out_n,
                 struct oriel_err *err)
{
    assert(s->stage == READY && n > 0);
    if (!s->tls)
        return hint(s, write_fd(s, bytes, n, out_n, err), err);
    int rc = stream_flush(s, err);
    if (rc != 0)
        return rc;
    rc = tls_write(s->tls, bytes, n, out_n, err);
    if (rc != 0)
        return rc;
    int flushed = stream_flush(s, err);
    return flushed < 0 ? flushed : 0;
}

void stream_wait(const struct stream *s, bool reading, bool writing, struct net_wait *w)
{
    short events = 0;
    if (s->dial) {
        net_dial_wait(s->dial, w);
        return;
    }
    if (s->stage == HEARING_PROXY || s->stage == SHAKING || (s->stage == READY && reading))
        events |= POLLIN;
    if (s->stage == ASKING_PROXY || (s->stage == READY && writing) || s->sealed_at < s->sealed.size)
        events |= POLLOUT;
    if (s->socket.fd >= 0 && events)
        net_wait_add(w, s->socket.fd, events);
    if (s->stage == READY && reading &&
        s->early_at < s->early.size) /* already here: no socket will say so */
        net_wait_until(w, 0);
}
