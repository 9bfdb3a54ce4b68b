/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A crash note of the ring as part of the recording: resource attributes, for
 * the crash whose event found no room in its stream or whose thread had none.
 */
#ifndef ORIEL_SESSION_CRASH_H
#define ORIEL_SESSION_CRASH_H

#include <stddef.h>
#include <stdint.h>

#include "model/catalog.h"

/* oriel.crash.*: of the process that was seen to die of a signal (pid 0: nobody
 * looked), else of the first that a signal ended. 0 or ORIEL_ENOMEM. */
int crash_describe(struct model_catalog *c, const char *ring, int32_t pid, int signal_number);
/* What the attributes say, as one line; "" if nothing crashed. */
void crash_line(const struct model_catalog *c, char *out, size_t n);

#endif
