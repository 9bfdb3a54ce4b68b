/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An end of a destination that waits for room in its queue, where the source can
 * wait too: a recording that is read from a file loses nothing to a slow network.
 */
#ifndef ORIEL_SESSION_PATIENT_H
#define ORIEL_SESSION_PATIENT_H

#include "util/out.h"

struct deliver;

/* Writes to deliver_out(d), and closes it. `bytes` and `items` (0: any number) are what the
 * queue of `d` holds. ORIEL_ENOMEM: nothing was taken. */
int patient_open(struct out **out, struct deliver *d, uint64_t bytes, uint64_t items);

#endif
