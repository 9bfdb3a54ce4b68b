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

extern const struct source source_folded;

#endif
