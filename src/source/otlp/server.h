/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The receiver, inside: connections (server.c), what is asked and answered (route.c),
 * compressed bodies (unpack.c), the source (collect.c). One thread.
 */
#ifndef ORIEL_SOURCE_OTLP_SERVER_H
#define ORIEL_SOURCE_OTLP_SERVER_H

#include "source/collect.h"
#include "source/otlp/otlp.h"
#include "util/grpc.h"
#include "util/h2.h"
#include "util/http_server.h"

enum otlp_way { OTLP_HTTP_PROTOBUF, OTLP_HTTP_JSON, OTLP_GRPC };

struct otlp_conn {
    struct otlp_conn *next;
    int fd;
    bool local;  /* by a Unix socket: no host to check */
    bool broken; /* to be freed */
    enum { CONN_SNIFFING, CONN_HTTP1, CONN_H2 } state;
    struct stream *stream; /* CONN_H2; HTTP/1.1 has its own */
    struct http_server_conn *http;
    struct h2 *h2;
    uint32_t events;    /* as epoll knows them; UINT32_MAX: it does not know it */
    uint32_t too_large; /* messages of HTTP/2, as far as they are counted */
    uint32_t jobs;      /* that wait for their answer */
    uint64_t born_ns, last_ns, requests;
};

/* A request that was understood and waits to be told, and for its answer. */
struct otlp_job {
    struct otlp_job *next;
    struct otlp_conn *conn;       /* NULL: it is gone */
    struct h2_exchange *exchange; /* NULL: HTTP/1.1 */
    enum otlp_way way;
    enum otlp_signal signal;
    struct buf body; /* what is decoded, unless it lies in the connection's own */
    const void *bytes;
    size_t n;
    uint64_t rejected;
    bool failed; /* there was no memory for it: it is to come again */
};
struct otlp_jobs {
    struct otlp_job *first, **end;
    unsigned count;
};

struct collect {
    struct collect_options options;
    char *token, *hosts;
    int epoll, listeners[COLLECT_LISTENERS_MAX];
    struct net_addr bound[COLLECT_LISTENERS_MAX];
    char unix_paths[COLLECT_LISTENERS_MAX][108];
    struct otlp_conn *conns;
    unsigned conn_count, conns_max;
    bool accepting, stopping, told_listeners;
    uint64_t ticked_ns, more_ns; /* when all were stepped; when to accept again */
    struct otlp_jobs waiting, told;
    uint64_t waiting_bytes;
    bool decoding; /* the first of waiting has begun */
    struct otlp_tell tell;
    struct otlp_decode *decode;
    bool attached; /* tell is ready */
    uint64_t refused_before;
    struct collect_counts counts;
};

/* ---- server.c ---- */

/* Everything that can be done with the network at once. */
void server_step(struct collect *c, uint64_t now_ns);
/* Bytes of answers go out. */
void server_flush(struct collect *c, struct otlp_conn *conn, uint64_t now_ns);
void server_close(struct collect *c);

/* ---- route.c ---- */

struct otlp_request {
    struct otlp_conn *conn;
    const struct http_server_request *http; /* HTTP/1.1, else: */
    struct h2_exchange *exchange;
};
/* Answered at once, or a job. */
void route_request(struct collect *c, const struct otlp_request *r, uint64_t now_ns);
/* The outlets hold it, or (`stored` false) did not take it. */
void route_answer(struct collect *c, struct otlp_job *job, bool stored, uint64_t now_ns);
void route_job_free(struct otlp_job *job);

/* ---- unpack.c ---- */

/* Append what a body of this Content-Encoding holds. 0; ORIEL_EUNSUPPORTED: no such
 * encoding; ORIEL_EDAMAGED; ORIEL_ELIMIT; ORIEL_ENOMEM. */
int otlp_unpack(const char *encoding, size_t encoding_n, const void *bytes, size_t n, size_t max,
                struct buf *out);

#endif
