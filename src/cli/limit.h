/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An out that holds at most so many bytes: beyond them it is a full disk.
 */
#ifndef ORIEL_CLI_LIMIT_H
#define ORIEL_CLI_LIMIT_H

#include <stdint.h>

#include "util/out.h"

/* Takes `inner`, also when it fails. 0 or ORIEL_ENOMEM. */
int limit_open(struct out **out, struct out *inner, uint64_t max_bytes);

#endif
