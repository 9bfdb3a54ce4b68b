/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * When a receiver may be asked again: pauses that grow, with full jitter, never
 * shorter than what the receiver asks for, then one request alone to see whether
 * it is back. No I/O, no clock. One thread.
 */
#ifndef ORIEL_DELIVER_RETRY_H
#define ORIEL_DELIVER_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct retry {
    uint64_t first_ns, most_ns;
    uint64_t random;        /* state of a generator: never 0 */
    uint64_t epoch;         /* failures ever: who began before the last one tells nothing new */
    unsigned failures;      /* since the last success */
    uint64_t not_before_ns; /* no request until then */
    unsigned open_after;    /* failures in a row that make it open */
    bool open;
    uint64_t since_ns; /* of the first failure */
    uint64_t back_ns;  /* when it last came back; 0: it was never away */
    uint64_t away_ns;  /* for how long it had been */
    bool flapping;     /* it was away again soon after that */
    unsigned level;    /* the pauses begin as if it had failed so often before */
    /* While what piled up goes out: */
    uint64_t own_ns; /* between two messages as they came; 0: there is no pace */
    uint64_t waiting, next_ns, slow_until_ns, paced_until_ns;
};

/* 0: 1 s and 30 s. `seed` may be anything. */
void retry_init(struct retry *r, uint64_t first_ns, uint64_t most_ns, uint64_t seed);
/* How many requests may be under way now beside `under_way`: 0 in a pause, 1 (alone)
 * after a failure, else as many as there may be. */
unsigned retry_room(const struct retry *r, uint64_t now_ns, unsigned under_way, unsigned most);
/* A request that began at `epoch` failed. asked_ns: what the receiver asks for, 0: nothing.
 * plain_fault: nothing will change by itself soon (a certificate, a name): open at once.
 * True: it is open since now. */
bool retry_failed(struct retry *r, uint64_t epoch, uint64_t now_ns, uint64_t asked_ns,
                  bool plain_fault);
/* True: it was open until now. `waiting` messages have piled up, and go out at a pace, because many
 * clients that come back must not run over who has just got up: twice as fast as they came for
 * half a minute, or for as long as it was away when it comes and goes; then eight times. */
bool retry_worked(struct retry *r, uint64_t epoch, uint64_t now_ns, uint64_t waiting);
/* So many messages wait now: none ends the pace, more than there were make it faster. */
void retry_waits(struct retry *r, uint64_t waiting);
/* A request begins. */
void retry_began(struct retry *r, uint64_t now_ns);
/* When retry_room may be more than 0 with nothing under way; 0: at any time. */
uint64_t retry_next(const struct retry *r);

#endif
