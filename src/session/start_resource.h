/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Who telemetry of a program that exports by itself is from. What its environment
 * says is read at the start, by the thread that starts: the program may change it
 * later.
 */
#ifndef ORIEL_SESSION_START_RESOURCE_H
#define ORIEL_SESSION_START_RESOURCE_H

#include "config/config.h"
#include "session/resource.h"

/* Into the catalog. Where a cloud is to be asked, *out_said gets what a person said, for
 * start_resource_cloud; else it stays empty. */
void start_resource(const struct config_telemetry *t, const char *const *environment,
                    struct model_catalog *c, struct resource *out_said);
/* Waits for the network, so not on a thread of the program. Outlets that say the resource with
 * each request say more from then on; what a person said stands above what is found. */
void start_resource_cloud(const struct resource *said, const struct config_telemetry *t,
                          struct model_catalog *c);

#endif
