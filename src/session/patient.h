/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An end of a destination that waits for room in its queue, where the source can
 * wait too: a recording that is read from a file loses nothing to a slow network.
 */
#ifndef ORIEL_SESSION_PATIENT_H
#define ORIEL_SESSION_PATIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "util/out.h"

struct deliver;

struct patient_options {
    uint64_t bytes, items; /* what the queue of the destination holds; items 0: any number */
    /* Asked while it waits: true: nothing is waited for any more, and what is left is given up.
     * NULL: never. */
    bool (*over)(void *user);
    void *user;
};
/* Writes to deliver_out(d), and closes it. ORIEL_ENOMEM: nothing was taken. */
int patient_open(struct out **out, struct deliver *d, const struct patient_options *how);
/* Whether the receiver of `d` is away and something was given up for that: whoever waits for room
 * there waits for nothing. */
bool patient_is_vain(struct deliver *d);

#endif
