/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Stage 4: OpenTelemetry's limits on attributes. Inside the pipe only. Keys are
 * made unique (the later value counts), arguments of printf formats get a name,
 * then the count and the length in characters are held to.
 */
#ifndef ORIEL_PIPE_LIMIT_H
#define ORIEL_PIPE_LIMIT_H

#include <stdint.h>

#include "model/batch.h"
#include "pipe/pipe.h"

#define LIMIT_ARG_NAMES 128u

struct limit {
    const struct pipe_options *options;
    uint8_t *sites; /* by index: what is known of the keys of a site */
    size_t site_capacity;
    char names[LIMIT_ARG_NAMES][8]; /* "arg0", "arg1", ... */
};

void limit_init(struct limit *l, const struct pipe_options *options);
void limit_done(struct limit *l);
/* Hold an item made by the pipe to the limits. Returns how many attributes it
 * lost, here and before. */
uint64_t limit_item(struct limit *l, struct model_item *item);

#endif
