/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A destination over the network: a bounded queue of whole requests and one
 * thread that sends them, one after the other or side by side, again where the
 * protocol allows it. The thread that fills the queue never waits for the
 * network; what cannot be sent is spooled or counted, by cause.
 *
 *   out_message -> queue -> (spool) -> compress -> HTTP or gRPC -> verdict
 *
 * No thread is there before the first message. Nothing is read from the
 * environment. Nothing is printed: a change of state (lost, back, refused) is one
 * line to `say`.
 */
#ifndef ORIEL_DELIVER_DELIVER_H
#define ORIEL_DELIVER_DELIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "util/http.h"
#include "util/out.h"

struct spool;

/* ---- what a protocol says about requests and replies ---- */

struct deliver_reply {
    bool grpc;
    int status; /* of HTTP, or enum grpc_status */
    const char *text;
    const void *body; /* content of HTTP or the message of gRPC, decompressed, capped */
    size_t body_n;
    bool cut;       /* the body was longer than is read */
    bool has_delay; /* Retry-After or RetryInfo */
    uint64_t delay_ns;
};
enum deliver_fate {
    DELIVER_TAKEN, /* perhaps not all of it: see rejected */
    DELIVER_AGAIN,
    DELIVER_REFUSED,  /* never again with these bytes */
    DELIVER_TOO_LARGE /* 413 and the like: refused, and worth saying how to make it smaller */
};
struct deliver_verdict {
    enum deliver_fate fate;
    uint64_t rejected; /* partial success: of the items */
    char text[256];    /* what the receiver said, without control characters */
};
struct deliver_dialect {
    const char *name;           /* "otlp" */
    const char *content_type;   /* of HTTP */
    const char *const *paths;   /* [OUT_SIGNALS], appended to the endpoint's: "v1/traces" */
    const char *const *methods; /* [OUT_SIGNALS], of gRPC: "/pkg.Service/Export"; NULL: no gRPC */
    void (*judge)(enum out_signal signal, const struct deliver_reply *reply,
                  struct deliver_verdict *out);
};

/* ---- a destination ---- */

enum deliver_compression { DELIVER_PLAIN, DELIVER_GZIP, DELIVER_ZSTD };

struct deliver_tls { /* paths of PEM files; NULL: the machine's certificates, no client's */
    const char *ca, *certificate, *key;
    const char *ca_said, *certificate_said, *key_said; /* where, for lines; NULL */
    bool unverified;                                   /* only ever by the user's own word */
};
struct deliver_options {
    size_t size;                           /* sizeof of this struct */
    const char *name;                      /* of the outlet, in lines and figures */
    const struct deliver_dialect *dialect; /* lives for ever */
    bool grpc;
    /* "http://host:4318/base", "https://...", "unix:/path" (and "unix:/path|/base"). User and
     * password in it become basic authorization and are never told. */
    const char *endpoint;
    const char *endpoints[OUT_SIGNALS]; /* instead, for one signal, taken as it is; NULL */
    const struct http_header *headers;  /* copied; their values are secret */
    size_t header_count;
    /* What is given waits, in the queue or on disk, until deliver_admit or deliver_bar. */
    bool held;
    struct deliver_tls tls;
    const char *proxy, *no_proxy; /* NULL: none */
    const char *user_agent;
    enum deliver_compression compression;
    uint64_t timeout_ns; /* of one try; 0: 10 s */
    size_t queue_items;  /* 0: no limit but bytes */
    size_t queue_bytes;  /* 0: 16 MiB; with the one under way */
    /* For processes of ours: out_message waits so long for room while replies come; 0: never.
     * It never waits longer than this after the last message that had its fate. */
    uint64_t room_wait_ns;
    uint64_t first_ns; /* longest first pause before another try; 0: 1 s */
    uint64_t most_ns;  /* longest pause; 0: 30 s. What the receiver asks for counts above it */
    uint64_t
        patience_ns; /* one message is tried again for so long, then spooled or lost; 0: 5 min */
    /* Somebody waits for the end of it: the first failure is told at once, and a receiver that has
     * been away for patience_ns is given up with all that waits for it. */
    bool attended;
    /* Who gives tells at the end what became of everything, with deliver_left: no line about it. */
    bool books;
    struct spool *spool;                       /* taken, also on failure; NULL: none */
    void (*say)(void *user, const char *line); /* from the sending thread; NULL */
    void *user;
    uint64_t (*now)(
        void *user); /* monotonic; NULL: base/clock. For tests with a time of their own */
};

struct deliver;
/* 0; ORIEL_EINVAL (an endpoint that is none, a header that cannot be sent, with a line that
 * holds no secret), ORIEL_ENOTFOUND, ORIEL_EPERM or ORIEL_EFORMAT (a certificate),
 * ORIEL_EUNSUPPORTED (TLS without OpenSSL on this machine), ORIEL_ENOMEM. Everything is copied;
 * nobody is called yet. */
int deliver_open(struct deliver **out, const struct deliver_options *options,
                 struct oriel_err *err);
/* The end an outlet writes to. Any one thread at a time. out_finish begins the end; out_close
 * frees the out and the destination, at once: whatever is still held is spooled or lost. */
struct out *deliver_out(struct deliver *d);
/* Once, of one that is held: requests may go out, with these headers too (copied). 0; as
 * deliver_open, and then it is held still. Any thread, before out_close. */
int deliver_admit(struct deliver *d, const struct http_header *headers, size_t count,
                  struct oriel_err *err);
/* The same, but none ever will: what waits and what comes is kept on disk, else refused. Nothing
 * is said of it here. */
void deliver_bar(struct deliver *d);
/* Whether what is left at the end is kept on disk. Any thread. */
bool deliver_keeps(const struct deliver *d);
/* Waits until what was given so far has a fate or is in the spool. 0 or ORIEL_ETIMEOUT. Any
 * thread, also beside the others. */
int deliver_flush(struct deliver *d, uint64_t deadline_ns);

/* The same, and until the spool is empty: what earlier runs left goes out without a message of
 * this one. 0; ORIEL_ETIMEOUT: some is still on disk; ORIEL_ENOMEM. */
int deliver_drain(struct deliver *d, uint64_t deadline_ns);

/* Items, exact at all times:
 *   given == delivered + rejected + refused + full + expired + spool_lost + queued + spooled */
struct deliver_counts {
    uint64_t given, delivered;
    uint64_t rejected;   /* partial success */
    uint64_t refused;    /* the receiver will never take them, or it was barred */
    uint64_t full;       /* no room in the queue, and no spool */
    uint64_t expired;    /* patience or the time at the end ran out, and no spool */
    uint64_t spool_lost; /* the oldest of a full spool, or what a disk did not take */
    uint64_t queued, in_flight /* of these */, spooled;
    uint64_t recovered; /* of earlier runs: delivered from the spool, not in `given` */
    uint64_t messages, tries, connections;
    uint64_t bytes_out; /* of bodies, as sent */
    uint64_t try_ns;    /* spent in tries, for the mean */
    bool open;          /* the receiver does not answer: waiting before another try */
    /* Of a total: what the queue holds at most, of all signals together; 0 items: bytes alone. */
    uint64_t queue_items, queue_bytes;
};
void deliver_counts(struct deliver *d, enum out_signal signal, struct deliver_counts *out);
void deliver_total(struct deliver *d, struct deliver_counts *out);
/* Why something was left at the end, lost or on disk: "no reply within 10000 ms"; "" where nothing
 * was. Any thread. */
enum { DELIVER_WHY_BYTES = 256 };
void deliver_left(struct deliver *d, char out[DELIVER_WHY_BYTES]);

#endif
