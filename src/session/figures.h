/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a session says of its own work: the figures OpenTelemetry names otel.sdk.*
 * (semantic conventions, otel/sdk-metrics), out of the counts it keeps anyway.
 * They lie in the ring's header for `oriel doctor --live`, and end up in captures
 * as attributes of the recording. Pure but for the two that say so.
 */
#ifndef ORIEL_SESSION_FIGURES_H
#define ORIEL_SESSION_FIGURES_H

#include "session/session.h"
#include "source/region_io.h"

/* In this order in shared memory: append only. */
enum figure {
    FIGURE_SPAN_LIVE,
    FIGURE_SPAN_STARTED,
    FIGURE_SPAN_QUEUE,
    FIGURE_SPAN_QUEUE_CAPACITY,
    FIGURE_SPAN_PROCESSED,
    FIGURE_SPAN_PROCESSED_FAILED, /* of these, with error.type: the queue was full */
    FIGURE_SPAN_INFLIGHT,
    FIGURE_SPAN_EXPORTED,
    FIGURE_SPAN_EXPORTED_FAILED, /* of these, with error.type: refused, rejected, too late */
    FIGURE_LOG_CREATED,
    FIGURE_LOG_QUEUE,
    FIGURE_LOG_QUEUE_CAPACITY,
    FIGURE_LOG_PROCESSED,
    FIGURE_LOG_PROCESSED_FAILED,
    FIGURE_LOG_INFLIGHT,
    FIGURE_LOG_EXPORTED,
    FIGURE_LOG_EXPORTED_FAILED,
    FIGURE_POINT_INFLIGHT,
    FIGURE_POINT_EXPORTED,
    FIGURE_POINT_EXPORTED_FAILED,
    FIGURE_COLLECTIONS,
    FIGURE_COLLECTION_NS,
    FIGURE_OPERATIONS,
    FIGURE_OPERATION_NS,
    FIGURE_QUEUE_BYTES, /* what both queues hold together; their capacity where none is in items */
    FIGURE_FILE_ITEMS,  /* given to files, all of them together, */
    FIGURE_FILE_UNWRITTEN, /* and not in them, */
    FIGURE_FILE_WHY,       /* for this, the first cause: minus its code */
    FIGURES
};

/* One of the 17 of OpenTelemetry, or of ours behind them, as it is told. */
struct figure_row {
    const char *name;          /* "otel.sdk.span.live" */
    const char *unit;          /* of UCUM: "{span}", "s" */
    enum figure value, failed; /* failed: FIGURES where it has none; of a duration the sum */
    bool duration;             /* value is how often, failed how long in all, in nanoseconds */
};
enum { FIGURE_OTEL_ROWS = 17, FIGURE_ROWS = 18 };
extern const struct figure_row figure_rows[FIGURE_ROWS];

void figures_of(const struct session *s, uint64_t out[FIGURES]);
/* The value of a row, and its unit: a queue that nobody bounded in items is bounded in bytes. */
uint64_t figure_value(const struct figure_row *row, const uint64_t *values, size_t count,
                      const char **out_unit);
/* Into the header of the ring, by the thread that owns the session. */
void figures_tell(const struct session *s, struct region *r, uint64_t now_ns);
/* Those of OpenTelemetry as attributes of the recording, under the rows' names; zeros are left out:
 * what is in a file its reader sees. 0 or ORIEL_ENOMEM. */
int figures_note(const uint64_t values[FIGURES], struct model_catalog *c);

#endif
