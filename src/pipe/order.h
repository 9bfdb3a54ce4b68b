/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Stage 1: one sequence out of many streams. Inside the pipe only.
 *
 * A batch is cut into runs (stretches that are in order already), runs and the
 * held-back segments are merged by (time, stream, position), and what is newer
 * than the watermark is copied into a new segment for the next push. One
 * sorted run that needs nothing held costs a single scan and no copy.
 */
#ifndef ORIEL_PIPE_ORDER_H
#define ORIEL_PIPE_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/batch.h"

/* More than this is not held back: the oldest goes on early. */
#define ORDER_HOLD_RECORDS (1u << 20)
#define ORDER_HOLD_BYTES ((uint64_t)128 << 20)
#define ORDER_SEGMENTS 48u

/* A consumer of records that are in order. */
typedef void order_sink(void *user, const struct model_record *records, size_t count);

/* A sorted stretch of held-back records with their raw words. */
struct order_segment {
    struct arena words;
    struct model_record *records;
    size_t first, count, capacity;
};

struct order_cursor {
    uint64_t key; /* time of *at, never less than that of the one before it */
    const struct model_record *at, *end;
    struct order_segment *segment; /* NULL: of the batch that is being pushed */
    bool rising;                   /* no record is older than the one before it */
};

struct order {
    struct order_segment segments[ORDER_SEGMENTS]; /* oldest first; those not used keep memory */
    struct order_cursor *cursors;
    size_t segment_count, cursor_count, cursor_capacity;
    uint64_t held;        /* records not yet given on */
    uint64_t held_bytes;  /* their raw bytes; of the batch that is pushed only once it matters */
    uint64_t refused;     /* records that found no memory: not given on, not held */
    uint64_t refused_now; /* of these, in the push that runs */
};

void order_init(struct order *o);
void order_done(struct order *o);

/*
 * Give on what of `in` and of earlier batches is due, in order. Records of
 * earlier batches stay readable until order_release. Returns 0, or
 * ORIEL_ENOMEM when some were refused (counted).
 */
int order_push(struct order *o, const struct model_batch *in, order_sink *sink, void *user);
/* After a push, once nobody needs the records it gave on. */
void order_release(struct order *o);

#endif
