/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which instance of a service a process is (service.instance.id): the same for whoever asks, in
 * the process and out of what it recorded. Pure; no allocation.
 */
#ifndef ORIEL_BASE_INSTANCE_H
#define ORIEL_BASE_INSTANCE_H

#include <stdint.h>

enum { INSTANCE_SEED = 16, INSTANCE_TEXT = 37 };

/* A UUID of version 8, ours to define, out of random bytes and a number among those who share
 * them. */
void instance_id(const void *seed, uint64_t number, char out[INSTANCE_TEXT]);

/* What an export in a process says of its resource to the record path, which publishes it
 * (rec/context.c): OpenTelemetry's Resource in protobuf. The first `common` bytes are of the fork
 * children of that process, too; `own` bytes behind them are not. */
enum { INSTANCE_TOLD_MAX = 3584 };
enum instance_adds {
    INSTANCE_TOLD = 1,    /* something is told */
    INSTANCE_ADDS_ID = 2, /* the id of each process, where `own` has none */
    INSTANCE_ADDS_PIDS = 4
};
typedef void instance_told_fn(const void *bytes, uint32_t common, uint32_t own, uint32_t adds);

#endif
