/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The receiver behind `oriel collect`: listens on loopback or a Unix socket, takes
 * OTLP over gRPC and HTTP, and is a live source (source_collect) of what came. A
 * request is answered once the outlets hold what it told. One thread.
 */
#ifndef ORIEL_SOURCE_COLLECT_H
#define ORIEL_SOURCE_COLLECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/batch.h"
#include "util/net.h"

enum { COLLECT_LISTENERS_MAX = 4 };

struct collect_listen {
    const char *address; /* numeric or "localhost"; NULL: 127.0.0.1 */
    uint16_t port;       /* 0: the kernel's choice */
    const char *unix_path;
};
struct collect_options {
    struct collect_listen listens[COLLECT_LISTENERS_MAX];
    unsigned listen_count;
    bool beyond_loopback;  /* other addresses than loopback; needs a token */
    const char *token;     /* Authorization: Bearer, of every request; NULL: none */
    const char *hosts;     /* further names by which a client may call us: comma list */
    uint64_t body_max;     /* of a request as it comes; 0: 4 MiB */
    uint64_t unpacked_max; /* of one that was compressed; 0: 16 MiB */
    uint32_t text_max;     /* of one value, cut beyond; 0: 64 KiB */
    unsigned connections;  /* at once; 0: 48 */
    /* Records that the outlets did not take so far: asked before and after they were
     * to hold a request. NULL: they hold everything. */
    uint64_t (*refused)(void *ctx);
    void *ctx;
};

struct collect_counts {
    uint64_t connections, evicted, requests, accepted_requests;
    uint64_t tls; /* connections that began with TLS, and were closed at once */
    uint64_t spans, logs, span_events; /* told */
    uint64_t points;                   /* of metrics: refused, they are not kept yet */
    uint64_t no_id, too_many, no_memory;
    uint64_t not_stored; /* requests that were told to come again: outlets full */
    uint64_t malformed, too_large, not_allowed, unsupported; /* requests that were refused */
    uint64_t cut_texts;
    uint64_t lost[ORIEL_LOST_CAUSES]; /* at senders, records that they told of; each stands in a
                                       * log record too */
};

struct collect;
/* Listens. 0, or what net_listen answers; ORIEL_EPERM: an address beyond loopback without
 * leave, or without a token. */
int collect_open(struct collect **out, const struct collect_options *options,
                 struct oriel_err *err);
/* Can be read when there is something to do. */
int collect_fd(const struct collect *c);
unsigned collect_listeners(const struct collect *c);
const struct net_addr *collect_bound(const struct collect *c, unsigned listener);
/* No new connections and requests: the source ends when those there are told. */
void collect_stop(struct collect *c);
/* Somebody waits for what is told already to be held. */
bool collect_is_owing(const struct collect *c);
/* Requests are whole and wait to be read: the next poll has them, whatever the descriptor says. */
bool collect_has_more(const struct collect *c);
void collect_get_counts(const struct collect *c, struct collect_counts *out);
/* After the session with its source is gone: last answers go out, as far as they can at
 * once. Takes NULL. */
void collect_close(struct collect *c);

#endif
