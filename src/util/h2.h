/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * HTTP/2 over libnghttp2, for both sides: whole messages out of and into frames.
 * A session knows no socket: bytes are fed and pulled, or h2_pump moves them
 * through a stream. What the other side can make it hold is bounded. One thread.
 */
#ifndef ORIEL_UTIL_H2_H
#define ORIEL_UTIL_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "util/http.h"
#include "util/stream.h"

struct h2_options {
    size_t size;
    bool server;
    size_t body_max;      /* of one message that comes in; 0: 4 MiB */
    size_t held_max;      /* of all that are held at once; 0: four times that */
    size_t head_max;      /* names and values of a head with its trailers; 0: 16 KiB */
    unsigned streams_max; /* at once; 0: 64 */
};
struct h2;
int h2_new(struct h2 **out, const struct h2_options *options, struct oriel_err *err);
/* Its exchanges stay: those not done have failed with ORIEL_ECLOSED. Takes NULL. */
void h2_free(struct h2 *h);

/* ORIEL_EFORMAT: no HTTP/2, or against its rules; ORIEL_ELIMIT: the other side floods
 * us; ORIEL_ENOMEM. What is pulled then still tells it why. */
int h2_feed(struct h2 *h, const void *bytes, size_t n, struct oriel_err *err);
/* What is to be sent, at most some 32 KiB, until h2_pulled says how much of it was. */
size_t h2_pull(struct h2 *h, const char **out);
void h2_pulled(struct h2 *h, size_t n);
bool h2_is_over(struct h2 *h); /* nothing is to be sent or heard any more */
/* The other side takes no new requests (GOAWAY), or there have been too many. */
bool h2_is_going_away(const struct h2 *h);
uint64_t h2_heard_bytes(const struct h2 *h);
size_t h2_held(const struct h2 *h);        /* bytes of bodies that came in and are not freed yet */
unsigned h2_too_large(const struct h2 *h); /* messages that came and were larger than allowed */
unsigned h2_live(const struct h2 *h);      /* exchanges under way */
int h2_ping(struct h2 *h);                 /* ORIEL_ENOMEM */
unsigned h2_pongs(const struct h2 *h);     /* pings that were answered */
void h2_go_away(struct h2 *h);             /* no new requests; those under way end */

/* Moves bytes both ways through a stream that is ready, as long as it does not
 * block. NET_AGAIN, or why the connection is over (ORIEL_ECLOSED when it ended
 * well); all exchanges that are not done have then failed. */
int h2_pump(struct h2 *h, struct stream *s, struct oriel_err *err);
void h2_wait(struct h2 *h, const struct stream *s, struct net_wait *w);

/* ---- one request with its reply ---- */

struct h2_exchange;
struct h2_request {
    size_t size;
    const char *method, *scheme, *authority, *path;
    const struct http_header *headers; /* names in small letters */
    size_t header_count;
    const void *body; /* lives until the exchange is done */
    size_t body_n;
};
/* Client: ORIEL_EBUSY when as many as allowed are under way, or the connection is
 * going away; ORIEL_EINVAL for headers that cannot be sent. */
int h2_start(struct h2 *h, const struct h2_request *r, struct h2_exchange **out,
             struct oriel_err *err);
/* Server: the next request that is whole, NULL for none. */
struct h2_exchange *h2_next(struct h2 *h);
struct h2_response {
    size_t size;
    int status;
    const struct http_header *headers, *trailers;
    size_t header_count, trailer_count;
    const void *body; /* copied */
    size_t body_n;
};
/* Answers; the exchange is taken and freed when it went out. */
int h2_respond_take(struct h2_exchange *x, const struct h2_response *r, struct oriel_err *err);
/* Cancels what is under way; frees. Takes NULL. */
void h2_exchange_free(struct h2_exchange *x);

bool h2_done(const struct h2_exchange *x);
/* When done: 0, the reply is whole. ORIEL_EBUSY: the server did not look at it
 * (refused, or it goes away): surely safe to repeat. ORIEL_ECLOSED: reset, or the
 * connection was lost; ORIEL_ELIMIT: larger than body_max or head_max. */
int h2_result(const struct h2_exchange *x, struct oriel_err *err);
bool h2_begun(const struct h2_exchange *x); /* a head has come */
/* A header (":status", ":path", "grpc-status"): of the trailers, else of the head;
 * NUL-terminated, NULL if there is none. */
const char *h2_header(const struct h2_exchange *x, const char *name);
int h2_status(const struct h2_exchange *x); /* 0: none */
const char *h2_body(const struct h2_exchange *x, size_t *out_n);

#endif
