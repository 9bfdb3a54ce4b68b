/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a source beside the ring gave that nobody has asked for yet, in a flight
 * recorder: the last of it, in memory with a bound. When that is full the oldest
 * block goes, as in the ring. One thread at a time.
 */
#ifndef ORIEL_SESSION_HELD_H
#define ORIEL_SESSION_HELD_H

#include "base/map.h"
#include "base/vec.h"
#include "model/batch.h"

enum {
    HELD_BLOCK_BYTES = 65536,
    HELD_END_WORDS = 3,   /* of a CLOSE */
    HELD_ENDS_MAX = 65536 /* beyond, ends of spans give way like everything */
};
struct held_block;
/* The end of a span whose begin was given: it stays, or the span would seem open for ever. */
struct held_end {
    struct model_record record;
    uint64_t words[HELD_END_WORDS];
};
struct held {
    struct held_block *first, *last;
    size_t blocks, blocks_max;
    struct map open; /* spans whose begin was given and whose end was not, by raw id */
    VEC(struct held_end) ends;
    size_t ends_given;
    /* A record is given up: it was overwritten, or there is no memory. */
    void (*give_up)(void *user, const struct model_record *r);
    void *user;
};

/* 0 bytes: nothing is held, and held_give has nothing. */
void held_init(struct held *h, uint64_t bytes, void (*give_up)(void *, const struct model_record *),
               void *user);
void held_done(struct held *h); /* what is held is gone, uncounted */
/* Copies all records of the batch. */
void held_take(struct held *h, const struct model_batch *from);
/* The oldest into `out`, until it has `max` records. True: something is held still. */
bool held_give(struct held *h, struct model_batch *out, size_t max);
/* These went on without being held. */
void held_passed(struct held *h, const struct model_batch *b);

#endif
