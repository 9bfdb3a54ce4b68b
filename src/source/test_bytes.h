/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For tests and fuzz targets of sources that read other tools' profiles only:
 * bytes in memory in place of a file, which names object files that are not there.
 */
#ifndef ORIEL_SOURCE_TEST_BYTES_H
#define ORIEL_SOURCE_TEST_BYTES_H

#include "source/source.h"

static inline int open_memory(const struct source *source, void *state, const void *bytes, size_t n,
                              struct model_catalog *catalog, struct oriel_err *err)
{
    const struct source_bytes file = {.path = "memory", .bytes = bytes, .size = n};
    return source->open_bytes(state, &file, catalog, err);
}

#endif
