/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Crash notes (struct wire_crash): their texts, shared by the handler that
 * writes one and by everybody who tells it; and reading one out of a region
 * that nobody may be trusted to have left in order. Pure, async-signal-safe.
 */
#ifndef ORIEL_WIRE_CRASH_H
#define ORIEL_WIRE_CRASH_H

#include <stdbool.h>

#include "wire/region.h"

/* Target of the event "exception" that tells of a crash in a stream. */
#define WIRE_CRASH_TARGET "oriel.crash"

/* "SIGSEGV"; "signal" for one that ends no program this way. */
const char *wire_crash_signal(int number);
/* What the signal's code says: "address not mapped"; never NULL. */
const char *wire_crash_reason(int number, int code);
/* True if the kernel sent it for what the thread did, and says where. */
bool wire_crash_has_address(int number, int code);

/* A private copy of a whole note. False: there is none, it is not whole, or it
 * changed while it was copied. */
bool wire_crash_read(const struct wire_crash *shared, struct wire_crash *out);

#endif
