/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the files of a destination share; nobody else looks in.
 *
 *   deliver.c   the destination as others see it: options, out, figures, ends
 *   queue.c     what waits: bounded lists, one lock, figures
 *   sender.c    what goes out next, what its fate is
 *   thread.c    the thread that does it
 *   prepare.c   options, checked and copied
 *   spill.c     what goes to disk and comes back
 *   tell.c      lines for the user
 *
 * Whoever fills the queue only ever takes `lock`, which is never held over a
 * system call; everything marked "sender" belongs to the sending thread (or, after
 * it was joined, to the closing one).
 */
#ifndef ORIEL_DELIVER_INSIDE_H
#define ORIEL_DELIVER_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/clock.h"
#include "deliver/deliver.h"
#include "deliver/endpoint.h"
#include "deliver/retry.h"
#include "deliver/spool.h"
#include "deliver/transport.h"
#include "util/grpc.h"
#include "util/zip.h"

enum { LANES_MAX = OUT_SIGNALS, UNDER_WAY_MAX = 16 };

/* A message that was taken, from then on until its fate is known. */
struct item {
    struct item *next, *prev;
    uint64_t seq; /* order of arrival */
    uint64_t items, seen;
    enum out_signal signal;
    unsigned lane;
    bool sending;
    bool from_spool, own; /* own: counted in `given` */
    unsigned ticket;      /* of the spool */
    unsigned tries, repeats;
    uint64_t first_ns, started_ns; /* of its first and its last try */
    uint64_t epoch;                /* of the lane's retry when it began */
    struct transport_job job;
    struct buf packed; /* the compressed body */
    size_t cost;       /* of queue_bytes, without `packed` */
    size_t n;
    char frame[GRPC_PREFIX]; /* stands right before the bytes */
    char bytes[];
};
_Static_assert(offsetof(struct item, bytes) == offsetof(struct item, frame) + GRPC_PREFIX,
               "a frame goes out together with its message");

/* All that goes to one host: an outage of it stops nobody else. */
struct lane {
    /* Under the lock: */
    struct item *first, *last; /* in order of arrival, with those sending */
    uint64_t messages;         /* in this list */
    bool open, failing;        /* as `retry` says */
    /* sender: */
    struct stream_options stream;
    struct endpoint endpoint;
    struct transport *transport; /* made when it is first needed */
    struct tls_context *tls;
    struct retry retry;
    struct item *under_way[UNDER_WAY_MAX];
    unsigned sending;
    bool answered;                /* a request, once */
    char why[DELIVER_WHY_BYTES];  /* the last failure */
    char told[DELIVER_WHY_BYTES]; /* the one that was said when it went away */
};
enum gate { GATE_OPEN, GATE_HELD, GATE_BARRED };

struct route { /* of a signal */
    unsigned lane;
    char path[ENDPOINT_PATH_MAX];
    struct http_header *headers;
    size_t header_count;
    char *authorization; /* secret; of the endpoint */
    uint64_t told_ns;    /* sender: when something was last said of it */
    uint64_t told_hash;
    uint64_t untold;
    uint64_t full_told, full_told_ns; /* sender: what was said of a full queue */
};

/* A pipe and not an eventfd, because those cannot be told apart: a daemon that closes all
 * descriptors may have these numbers again, and nothing is ever written to what is its own. */
struct wake {
    int read_fd, write_fd;
    dev_t dev;
    ino_t ino;
};

struct deliver {
    struct out base; /* first: an out is closed by its address */
    int pid;         /* a child of fork touches nothing */

    /* Set by deliver_open, then only read. */
    char name[64];
    const struct deliver_dialect *dialect;
    struct http_header *headers; /* one block each; values are secret */
    size_t header_count;
    char *user_agent, *proxy_host, *proxy_authorization;
    uint16_t proxy_port;
    bool grpc, unverified, attended, books;
    bool keeps; /* has a spool */
    enum deliver_compression compression;
    uint64_t timeout_ns, patience_ns, room_wait_ns;
    uint64_t queue_items;
    size_t queue_bytes;
    void (*say)(void *user, const char *line);
    void *user;
    uint64_t (*now)(void *user);
    struct route routes[OUT_SIGNALS];
    unsigned lane_count;
    /* enum gate. Until it is open nobody reads the headers; release pairs with the acquire in
     * sender_step. */
    atomic_int gate;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* fates, and the end of the thread */
    /* Under the lock: */
    struct lane lanes[LANES_MAX]; /* `first` and `last` of them */
    uint64_t progress_ns;         /* when a message last had its fate, or the queue began to fill */
    uint64_t held_items;
    size_t held_bytes; /* of messages, with their compressed copies */
    uint64_t seq;
    struct deliver_counts counts[OUT_SIGNALS]; /* without what the spool itself counts: */
    struct spool_counts spool_counts;
    uint64_t lost_seen, connections;
    uint64_t calls; /* grows with everything the sender must hear of */
    bool running, asleep, closing, finishing;
    bool full_in_items;                /* what the queue was full of last */
    char left[DELIVER_WHY_BYTES];      /* why something was, at the end */
    uint64_t deadline_ns, lost_before; /* by out_finish: until when, and what was lost before */
    pthread_t thread;
    struct wake wake; /* no descriptors before the thread */

    /* sender: */
    struct spool *spool;
    struct item *spooled[SPOOL_AHEAD]; /* of the spool, oldest first, until their fates are known */
    unsigned spooled_count;
    uint64_t spool_after_ns; /* a disk that failed is asked again then */
    struct zip *zip;
    int (*make_transport)(struct transport **out, const struct transport_options *options);
};

static inline uint64_t deliver_now(const struct deliver *d)
{
    return d->now ? d->now(d->user) : clock_mono_ns();
}

/* ---- queue.c ---- */

/* Until something changed or the deadline; false: it has passed. The lock is held. */
bool queue_wait_change(struct deliver *d, uint64_t deadline_ns);
/* A copy, counted. 0; ORIEL_ELIMIT, ORIEL_ENOMEM: not taken. When there is no room it is
 * counted as `full` and that is its fate. */
int queue_put(struct deliver *d, const struct out_message *m);
/* A message of the spool: in no list, counted in nothing but bytes. NULL: no memory. */
struct item *queue_item_new(struct deliver *d, const struct out_message *m);
/* The next of the lane that is not under way: of the first few the one with the fewest
 * tries, so that one message that always fails holds nobody up. NULL: none. */
struct item *queue_next(struct deliver *d, struct lane *l);
/* The oldest that is not under way; NULL. */
struct item *queue_oldest(struct deliver *d, struct lane *l);
bool queue_is_over_half(struct deliver *d);
uint64_t queue_waiting(struct deliver *d, const struct lane *l); /* items */
uint64_t queue_messages(struct deliver *d, const struct lane *l);
void queue_mark(struct deliver *d, struct item *i, bool sending);
/* Room for a compressed copy: true and taken, or false. */
bool queue_take_bytes(struct deliver *d, size_t n);
void queue_give_bytes(struct deliver *d, size_t n);

enum fate { FATE_DELIVERED, FATE_REFUSED, FATE_EXPIRED, FATE_SPOOLED, FATE_SPOOL_LOST };
/* Out of its list, counted and freed. */
void queue_settle(struct deliver *d, struct item *i, enum fate fate, uint64_t rejected);
/* Frees one of the spool whose fate is as it was. */
void queue_forget(struct deliver *d, struct item *i);
/* Whether something is held that came before `seq`, inclusive. The lock is held. */
bool queue_holds_until(const struct deliver *d, uint64_t seq);

/* ---- sender.c ---- */

/* One round without waiting; `w` says what to wait for. */
void sender_step(struct deliver *d, uint64_t now_ns, struct transport_wait *w);
/* Everything that is left gets its fate now; connections and spool are closed. */
void sender_end(struct deliver *d);

/* ---- thread.c ---- */

int sender_start(struct deliver *d); /* once; 0 or ORIEL_ENOMEM */
void sender_wake(struct deliver *d);
void wake_close(struct wake *w);

/* ---- spill.c ---- */

/* Moves what waits to disk while a lane is open, or the queue over half full. */
void spill_some(struct deliver *d, uint64_t now_ns);
/* One message to disk; its fate is settled. False: no disk, or it does not take it now. */
bool spill_item(struct deliver *d, struct item *i);
/* The oldest message on disk for this lane that is not under way; NULL: none. Then *out_wait says
 * whether something newer has to wait for those that are. */
struct item *spill_next(struct deliver *d, const struct lane *l, uint64_t now_ns, bool *out_wait);
/* Whether there is one to send, as far as is known. */
bool spill_has(const struct deliver *d, unsigned lane);
/* That one has its fate; it is freed. */
void spill_done(struct deliver *d, struct item *i, enum fate fate, uint64_t rejected);
void spill_end(struct deliver *d);
/* The spool's figures into ours. The lock is held. */
void spill_count(struct deliver *d);

/* ---- tell.c ---- */

void tell_open(struct deliver *d, struct lane *l);
void tell_back(struct deliver *d, struct lane *l);
/* The end finds a request under way: what that says of a receiver that never answered. */
void tell_silence(struct lane *l);
/* For deliver_left, before anything that is left has its fate. */
void tell_why(struct deliver *d, const struct lane *l);
void tell_left(struct deliver *d, struct lane *l, uint64_t lost, uint64_t kept);
/* "UNAVAILABLE: why", "HTTP 503: why" */
void tell_reason(const struct deliver_reply *r, const struct deliver_verdict *v, char *out,
                 size_t n);
void tell_verdict(struct deliver *d, const struct item *i, const struct deliver_reply *r,
                  const struct deliver_verdict *v, uint64_t now_ns);
/* Since it was last said, which is once a minute; at the `end`, and once that was asked for, what
 * was not. */
void tell_full(struct deliver *d, uint64_t now_ns, bool end);
void tell_refused(struct deliver *d, const struct item *i, const char *why, uint64_t now_ns);

#endif
