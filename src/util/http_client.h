/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An HTTP/1.1 client: one connection, kept while both sides allow it, one request
 * at a time. Stepped, or as one blocking call with a deadline. Redirects are
 * reported, never followed; what it reads is bounded. One thread at a time.
 */
#ifndef ORIEL_UTIL_HTTP_CLIENT_H
#define ORIEL_UTIL_HTTP_CLIENT_H

#include "util/http.h"
#include "util/stream.h"

struct http_client_options {
    size_t size;
    struct stream_options stream; /* its texts live as long as the client */
    const char *authority;        /* of the Host header, see http_url_authority */
    size_t body_max;              /* of a reply; 0: 64 KiB. What is beyond is not read */
};
struct http_request {
    size_t size;
    const char *method, *target;       /* "POST", "/v1/traces" */
    const struct http_header *headers; /* besides Host and Content-Length */
    size_t header_count;
    const void *body; /* lives until the reply is there */
    size_t body_n;
};
struct http_reply {
    struct http_head head; /* valid until the next request */
    const char *body;
    size_t body_n;
    bool cut; /* the body was longer than body_max: the rest was not read */
};
struct http_client;
/* Connects to nobody yet. ORIEL_ENOMEM. */
int http_client_new(struct http_client **out, const struct http_client_options *options,
                    struct oriel_err *err);
void http_client_free(struct http_client *c); /* takes NULL */

/* Begins a request: on the kept connection, or on a new one. ORIEL_EINVAL for what
 * cannot be sent (a line break in a header), ORIEL_ESTATE inside another request. */
int http_client_start(struct http_client *c, const struct http_request *r, uint64_t now_ns,
                      struct oriel_err *err);
/* 0: *out is the reply. NET_AGAIN; an error: the connection is gone. Of these,
 * ORIEL_ECLOSED, ORIEL_EIO and ORIEL_ETIMEOUT may help to be tried again. A kept
 * connection that the server had just given up is replaced once without a word. */
int http_client_step(struct http_client *c, uint64_t now_ns, struct http_reply *out,
                     struct oriel_err *err);
void http_client_wait(const struct http_client *c, struct net_wait *w);
/* Gives up what is under way, with its connection. */
void http_client_drop(struct http_client *c);
/* All of it, at most until the deadline: ORIEL_ETIMEOUT, and the connection is gone. */
int http_client_call(struct http_client *c, const struct http_request *r, uint64_t deadline_ns,
                     struct http_reply *out, struct oriel_err *err);
/* Connections made so far. */
unsigned http_client_connections(const struct http_client *c);

#endif
