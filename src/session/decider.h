/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The sampler that programs ask before a span, where the configuration has one that trace
 * ids alone do not follow (pipe/verdict.h). Told to every copy of the record path that
 * asked, again after each change.
 */
#ifndef ORIEL_SESSION_DECIDER_H
#define ORIEL_SESSION_DECIDER_H

#include "pipe/pipe.h"

struct oriel_sampler;

/* What holds from now on; NULL: nothing runs. 0; ORIEL_ENOMEM; ORIEL_EBUSY: a hook of the program
 * does not return, and nothing is changed. */
int decider_set(const struct pipe_sampling *how);
void decider_forked(void);

#endif
