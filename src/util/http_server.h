/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One connection of an HTTP/1.1 server, for `oriel collect`: requests one after
 * the other, whole, and answers to them. Strict about where a request ends, bounded
 * in bytes and in time: a head, a body and the time between requests each have a
 * deadline that bytes do not prolong. One thread at a time.
 */
#ifndef ORIEL_UTIL_HTTP_SERVER_H
#define ORIEL_UTIL_HTTP_SERVER_H

#include "util/http.h"
#include "util/stream.h"

struct http_server_options {
    size_t size;
    size_t body_max;   /* 0: 4 MiB; more is answered 413 */
    uint64_t head_ns;  /* from a request's first byte to its whole head; 0: 5 s */
    uint64_t body_ns;  /* from there to its whole body; 0: 30 s */
    uint64_t idle_ns;  /* without a request; 0: 30 s */
    uint64_t write_ns; /* to take an answer; 0: 30 s */
};
struct http_server_conn;
/* The stream is taken, also on failure. */
int http_server_conn_new(struct http_server_conn **out, struct stream *stream_take,
                         const struct http_server_options *options, uint64_t now_ns,
                         struct oriel_err *err);
void http_server_conn_free(struct http_server_conn *c); /* takes NULL */

struct http_server_request {
    const struct http_head *head;
    const char *body;
    size_t body_n;
};
/* 0: *out is a whole request, valid until it is answered. NET_AGAIN; else the connection
 * is over and to be freed: ORIEL_ECLOSED (ended well), ORIEL_ETIMEOUT, ORIEL_EFORMAT (was
 * answered 400, or 413, 431, 501, 505), ORIEL_EIO. */
int http_server_step(struct http_server_conn *c, uint64_t now_ns, struct http_server_request *out,
                     struct oriel_err *err);
/* Answers the request that was given out; the body is copied. `close`: no more after
 * it. Goes on with http_server_step. ORIEL_EINVAL for headers that cannot be sent. */
int http_server_answer(struct http_server_conn *c, int status, const struct http_header *headers,
                       size_t header_count, const void *body, size_t body_n, bool close,
                       uint64_t now_ns, struct oriel_err *err);
/* Memory for a request that is not whole, or not answered yet. */
size_t http_server_held(const struct http_server_conn *c);
void http_server_wait(const struct http_server_conn *c, struct net_wait *w);

#endif
