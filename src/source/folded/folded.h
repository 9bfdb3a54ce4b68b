/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The state of source/folded, and how its tests feed it.
 */
#ifndef ORIEL_SOURCE_FOLDED_FOLDED_H
#define ORIEL_SOURCE_FOLDED_FOLDED_H

#include "source/import.h"

struct folded_source {
    struct import import;
    uint32_t user, kernel, thread;
};

/* As open of source_folded, over these bytes. */
int folded_source_open_memory(struct folded_source *s, const void *bytes, size_t n,
                              struct model_catalog *catalog, struct oriel_err *err);

extern const struct source source_folded;

#endif
