/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * How long a drain may sleep: long enough to cost nothing, short enough that
 * the ring does not fill. Pure; the time comes in.
 */
#ifndef ORIEL_SESSION_PACE_H
#define ORIEL_SESSION_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_BUSY_NS UINT64_C(100000)    /* shortest sleep */
#define PACE_IDLE_NS UINT64_C(10000000)  /* longest while data comes now and then */
#define PACE_QUIET_NS UINT64_C(20000000) /* after a second without data */
#define PACE_SENT_NS                                                                               \
    UINT64_C(50000000) /* longest where what comes waits to be sent, in a large ring */
#define PACE_LITTLE_NS                                                                             \
    UINT64_C(200000000) /* between rounds, while the ring is seen to fill little */
#define PACE_SILENT_NS UINT64_C(50000000) /* after ten seconds */

struct pace {
    uint64_t ring_bytes;
    uint64_t bytes_per_s; /* highest of late, decaying */
    uint64_t last_ns;     /* of the last call behind which there was no more; 0 none */
    uint64_t bytes;       /* since then */
    uint64_t data_ns;     /* when data was last seen */
    uint64_t idle_ns;     /* longest while data comes now and then; PACE_IDLE_NS */
    bool spoke;           /* there was data */
};

/* `idle_ns` may be set after this, for data that comes evenly. */
void pace_init(struct pace *p, uint64_t ring_bytes);
/* For idle_ns where what comes waits to be sent: nothing is gained by reading it sooner, and a
 * round that finds little costs as much as reading two hundred spans. Between PACE_QUIET_NS and
 * PACE_SENT_NS, so that a ring of which an eighth is taken has room for a burst of ten million
 * spans a second meanwhile. */
uint64_t pace_of_sending(uint64_t ring_bytes);
/* Before the round: at that time little had come since the one before, so what it brings came
 * after it. 0: it was not looked at. */
void pace_looked(struct pace *p, uint64_t now_ns);
/* After a round that brought `bytes`; `more` says the source has more at hand.
 * Returns how long to sleep, 0: not at all. */
uint64_t pace_next(struct pace *p, uint64_t bytes, bool more, uint64_t now_ns);
/* After that: nothing has come for a second. */
bool pace_is_quiet(const struct pace *p, uint64_t now_ns);

#endif
