/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A source beside the first one of a session (system metrics, samples, probes):
 * it needs no acknowledgement, and ends with the session. One thread at a time.
 */
#ifndef ORIEL_SESSION_SIDE_H
#define ORIEL_SESSION_SIDE_H

#include "session/held.h"
#include "source/source.h"

struct side {
    const struct source *table;
    void *state, *state_block;
    struct model_catalog *catalog; /* of the session */
    struct model_batch records;    /* of the last round */
    struct held held;              /* flight recorder: what was seen since the last dump */
    uint64_t watermark_ns;
    uint64_t samples_overwritten; /* by later ones */
};

/* What stays at its place until side_close. 0, ORIEL_ENOMEM, or what the source answers: then
 * there is nothing to close. */
int side_open(struct side *d, const struct source *table, const void *options,
              struct model_catalog *c, struct oriel_err *err);
void side_close(struct side *d);
/* As session_set_held, before the first round. */
void side_hold(struct side *d, uint64_t bytes);
/* One round of up to `max` records. SOURCE_DATA: there may be more; else SOURCE_IDLE. What fails
 * there is told by its damage, and costs nobody else anything. */
int side_poll(struct side *d, size_t max);
/* As session_look. */
void side_look(struct side *d, size_t max);
/* No more rounds will be asked for than it takes to give what it has. */
void side_over(struct side *d);

#endif
