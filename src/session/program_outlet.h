/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The outlet behind an exporter of the program (oriel/exporter.h): collects views
 * into batches and calls. Seen by the session only; the drain thread.
 */
#ifndef ORIEL_SESSION_PROGRAM_OUTLET_H
#define ORIEL_SESSION_PROGRAM_OUTLET_H

#include <oriel/exporter.h>

#include "config/config.h"
#include "export/exporter.h"
#include "session/view.h"

/* Copied by the session; what it points to outlives that. */
struct program_options {
    struct oriel_exporter exporter;
    struct view_options limits;
    struct config_batch spans, logs;
    const uint64_t *deadline_ns; /* of the flush or the end that is under way, monotonic; 0 none */
    void (*say)(void *user, const char *line); /* the first failure; NULL */
    void *user;
    void (*over)(const char *name); /* it was shut down, and will not be called again; NULL */
};
extern const struct exporter export_program;

#endif
