/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The resource of an export in this process, for the record path to publish to profilers outside
 * (base/instance.h, rec/context.c): told to every copy of it that asked. Any thread.
 */
#ifndef ORIEL_SESSION_PUBLISHED_H
#define ORIEL_SESSION_PUBLISHED_H

#include "model/catalog.h"

/* What the catalog says now. What does not fit is left out, and counted as OpenTelemetry does. */
void published_set(const struct model_catalog *c);
/* The export is over. What was published stays. */
void published_clear(void);
/* In a fork child: plain stores only. */
void published_forked(void);

#endif
