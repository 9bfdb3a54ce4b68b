/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An HTTP/2 client: one connection kept, requests side by side on it, made anew
 * when it was lost or the server is going away. Prior knowledge without TLS, ALPN
 * with it. Stepped, or as one blocking call with a deadline. One thread at a time.
 */
#ifndef ORIEL_UTIL_H2_CLIENT_H
#define ORIEL_UTIL_H2_CLIENT_H

#include "util/h2.h"
#include "util/stream.h"

struct h2_client_options {
    size_t size;
    struct stream_options stream; /* its texts live as long as the client */
    const char *authority;        /* when a request does not say */
    struct h2_options h2;
};
struct h2_client;
/* Connects to nobody yet. */
int h2_client_new(struct h2_client **out, const struct h2_client_options *options,
                  struct oriel_err *err);
void h2_client_free(struct h2_client *c); /* takes NULL; exchanges stay, as failed */

/* Begins a request on the kept connection or a new one: as h2_start. ORIEL_EBUSY also
 * while a connection that is going away still has requests under way. Scheme and
 * authority may be NULL. */
int h2_client_start(struct h2_client *c, const struct h2_request *r, uint64_t now_ns,
                    struct h2_exchange **out, struct oriel_err *err);
/* Moves everything on. NET_AGAIN; or why the connection is gone: all its exchanges
 * have then failed, and the next start makes a new one. */
int h2_client_step(struct h2_client *c, uint64_t now_ns, struct oriel_err *err);
void h2_client_wait(const struct h2_client *c, struct net_wait *w);
/* At most until the deadline: *out is done, h2_result says how. Repeated once, on a
 * new connection, when the kept one turned out to be gone before any reply, or when
 * the server did not take it. ORIEL_ETIMEOUT, or as h2_client_step. */
int h2_client_call(struct h2_client *c, const struct h2_request *r, uint64_t deadline_ns,
                   struct h2_exchange **out, struct oriel_err *err);
/* Closes the connection, if there is one. */
void h2_client_drop(struct h2_client *c);
unsigned h2_client_connections(const struct h2_client *c);
struct h2 *h2_client_session(struct h2_client *c); /* NULL: not connected */

#endif
