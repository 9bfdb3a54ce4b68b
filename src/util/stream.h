/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One connection as bytes, whatever it goes through: a name looked up, a socket
 * connected, a proxy asked for a tunnel, TLS agreed on. Stepped until ready, then
 * read and written; nothing of it blocks. One thread at a time.
 */
#ifndef ORIEL_UTIL_STREAM_H
#define ORIEL_UTIL_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "util/net.h"
#include "util/tls.h"

struct stream_options {
    size_t size;
    const char *host;
    uint16_t port;
    const char *unix_path;  /* instead of host and port */
    const char *proxy_host; /* NULL: none */
    uint16_t proxy_port;
    bool proxy_plain;                /* the proxy is spoken to in requests: no tunnel (http only) */
    const char *proxy_authorization; /* value of Proxy-Authorization, NULL: none */
    struct tls_context *tls;         /* NULL: plain; it outlives the stream */
    const char *tls_host;            /* whose certificate; NULL: host */
    const struct net_resolver *resolver;
};
struct stream;
/* The texts must live until the stream is ready or freed. */
int stream_new(struct stream **out, const struct stream_options *options, uint64_t now_ns,
               struct oriel_err *err);
/* A connection that was accepted; the descriptor is taken. tls NULL: plain. */
int stream_accepted(struct stream **out_stream, int fd_take, struct tls_context *tls,
                    struct oriel_err *err);
void stream_free(struct stream *s); /* takes NULL; says goodbye if it can at once */

/* 0: ready. NET_AGAIN; else it is over: the codes of net_dial_step and
 * tls_handshake; ORIEL_EPERM also when the proxy refuses (with its status). */
int stream_step(struct stream *s, uint64_t now_ns, struct oriel_err *err);
bool stream_ready(const struct stream *s);

/* As net_read and net_write, once it is ready. What was written may still stand in
 * the stream: flush until 0. */
int stream_read(struct stream *s, void *bytes, size_t n, size_t *out_n, struct oriel_err *err);
int stream_write(struct stream *s, const void *bytes, size_t n, size_t *out_n,
                 struct oriel_err *err);
int stream_flush(struct stream *s, struct oriel_err *err);
/* Behind the line of one that ended: a guess where the other side never said a byte, as those do
 * that expect TLS where there is none, and the reverse; else "". (What they say is told by the
 * calls above: ORIEL_EFORMAT.) */
const char *stream_hint(const struct stream *s);

/* What to wait for. `reading`, `writing`: what the caller would like to do. */
void stream_wait(const struct stream *s, bool reading, bool writing, struct net_wait *w);
/* "h2", "http/1.1" or "" when there is no TLS or nothing was agreed on. */
const char *stream_alpn(const struct stream *s);
int stream_fd(const struct stream *s); /* -1 before it is connected */

#endif
