/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * How requests travel: a few at once, each stepped until it has a reply or has
 * failed. One host per transport; connections are kept. The sending thread only.
 */
#ifndef ORIEL_DELIVER_TRANSPORT_H
#define ORIEL_DELIVER_TRANSPORT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "deliver/deliver.h"
#include "util/stream.h"

enum { TRANSPORT_REPLY_MAX = 64 << 10, TRANSPORT_POLL_MAX = 64, TRANSPORT_HEADERS_MAX = 48 };

/* What all sleep for together. */
struct transport_wait {
    struct pollfd fds[TRANSPORT_POLL_MAX];
    unsigned count;
    uint64_t wake_ns;
};
void transport_wait_add(struct transport_wait *w, const struct net_wait *more);

/* A request; it and what it points to stay where they are until it is done or cancelled. */
struct transport_job {
    const char *path;
    const struct http_header *headers; /* of the destination, the same for all */
    size_t header_count;
    const char *content_type;
    const char *encoding; /* NULL: plain */
    const void *body;     /* gRPC: with its frame */
    size_t body_n;
    uint64_t deadline_ns;
    uint64_t timeout_ns; /* said to the server (gRPC) */
    bool busy;
    bool kept; /* goes over a connection that has served before */
    /* Once it is done: */
    int rc; /* 0: there is a reply; else none will come: `err` */
    struct oriel_err err;
};

struct transport;
struct transport_ops {
    unsigned side_by_side; /* requests at once, at most */
    /* 0; ORIEL_EBUSY: not now, try after the next step; else it has failed: j->err. */
    int (*start)(struct transport *t, struct transport_job *j, uint64_t now_ns);
    /* The next request that is done, NULL for none now. `reply` lives until the next call. */
    struct transport_job *(*step)(struct transport *t, uint64_t now_ns,
                                  struct deliver_reply *reply);
    void (*cancel)(struct transport *t, struct transport_job *j);
    void (*wait)(struct transport *t, struct transport_wait *w);
    uint64_t (*connections)(const struct transport *t);
    void (*free)(struct transport *t);
};
struct transport {
    const struct transport_ops *ops;
};

struct transport_options {
    struct stream_options stream; /* its texts live as long as the transport */
    const char *authority;
};
/* 0 or ORIEL_ENOMEM. Connects to nobody yet. */
int transport_http_new(struct transport **out, const struct transport_options *options);
int transport_grpc_new(struct transport **out, const struct transport_options *options);

/* Into `out`, which has room for TRANSPORT_HEADERS_MAX: those every request has. */
size_t transport_headers(const struct transport_job *j, struct http_header *out);
struct http_header transport_header(const char *name, const char *value);

#endif
