/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The spans of a program that somebody else records, seen from outside: what is
 * open stands in the ring, so looking costs the program nothing and takes
 * nothing from its recorder. What a look finds counts from then until the look that finds
 * it gone, so shares of time are right and counts are not. For `oriel top`.
 */
#ifndef ORIEL_SOURCE_OPEN_SPANS_H
#define ORIEL_SOURCE_OPEN_SPANS_H

#include "source/source.h"

/* Beside source_perf, whose threads it speaks of; its options are the ring's path. */
extern const struct source source_open_spans;

#endif
