/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Oriel: one include, one line per thing said.
 *
 *   #include <oriel/oriel.h>
 *
 *   int handle(struct request *rq)
 *   {
 *       ORIEL_SPAN("http.request", "http.route", rq->route, "bytes", rq->len);
 *       if (!cache_get(rq))
 *           ORIEL_INFO("cache miss", "tenant", rq->tenant);
 *       ...
 *   }
 *
 * Link with liboriel-core (pkg-config oriel-core). Run under `oriel record`.
 * Nothing to initialise. Define ORIEL_OFF to compile all of it away, and
 * ORIEL_TARGET "component" before the include to name the component.
 */
#ifndef ORIEL_ORIEL_H
#define ORIEL_ORIEL_H

#include "event.h"
#include "instrumentation.h"
#include "runtime.h"
#include "span.h"

#endif
