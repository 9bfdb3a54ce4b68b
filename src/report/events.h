/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Events by call site, with one example of the text; levels and targets are
 * summed up from the sites at the end. Pure; one thread.
 */
#ifndef ORIEL_REPORT_EVENTS_H
#define ORIEL_REPORT_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "model/batch.h"

#define EVENTS_SITES_MAX 65536u /* call sites beyond it share the row of "none" */
#define EVENTS_EXAMPLE_MAX 160u /* bytes */
#define EVENTS_LEVELS (ORIEL_LEVEL_FATAL + 1u)

struct event_stats {
    const struct model_site *site; /* NULL: several, or unknown */
    uint64_t count, first_ns, last_ns;
    char *example; /* the first message */
    uint32_t example_bytes;
};
struct events {
    VEC(struct event_stats) sites; /* site index + 1; [0]: no site */
    uint64_t count, by_level[EVENTS_LEVELS];
};
struct event_target {
    struct model_str target;
    uint64_t count, by_level[EVENTS_LEVELS];
};
struct event_targets {
    VEC(struct event_target) items; /* most events first */
};

/* 0 or ORIEL_ENOMEM. */
int events_add(struct events *e, const struct model_event *event);
int events_by_target(const struct events *e, struct event_targets *out);
void events_done(struct events *e);

#endif
