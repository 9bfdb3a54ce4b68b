/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A recording inside one test process: makes a region, attaches the record
 * path to it, and reads back what was recorded through the real ring source.
 */
#ifndef ORIEL_TEST_RECORDING_H
#define ORIEL_TEST_RECORDING_H

#include <stdint.h>

#include "model/batch.h"
#include "source/region_io.h"

struct recording {
    struct region *region;
    char path[512];
    struct model_catalog catalog;
    void *state;                         /* of the ring source; opened by the first read */
    uint64_t by_type[ORIEL_REC_MAX + 1]; /* records read so far */
    uint64_t records, damaged;
    uint64_t lost[ORIEL_LOST_CAUSES];
    /* Called for every record read, in the order of its stream. */
    void (*on_record)(void *user, const struct model_record *r);
    void *user;
};

/* options may be NULL. Fails the test when the region cannot be made. */
void recording_make(struct recording *r, const struct region_options *options);
/* The same, and attach this process. */
void recording_begin(struct recording *r, const struct region_options *options);
/* Read what is there now; with `all`, until the source ends. */
void recording_read(struct recording *r, bool all);
/* The reader goes; the ring stays, for another. */
void recording_close(struct recording *r);
/* Close, remove the ring. */
void recording_end(struct recording *r);
uint64_t recording_lost_total(const struct recording *r);

#endif
