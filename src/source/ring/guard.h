/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Mappings of ring files that somebody else may cut short. Only this room
 * includes this file; region_guard (source/region_io.h) switches it on.
 */
#ifndef ORIEL_SOURCE_RING_GUARD_H
#define ORIEL_SOURCE_RING_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/* From now on, until it is removed, zeros stand in for what is missing. */
void guard_add(void *base, size_t bytes);
void guard_remove(const void *base);
/* Pages of it were missing. */
bool guard_is_cut(const void *base);

#endif
