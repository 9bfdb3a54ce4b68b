/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Latency between two named things: from the moment A happened to the
 * moment B happened, the nearest A before B of the same trace, else of the
 * same thread, or with the same value of a key attribute.
 *
 * An event happens when it was said; a span as A when it ended, as B when it
 * began. A second A before a B takes the place of the first, which is counted
 * as unmatched. By trace and by thread are counted side by side; by trace is
 * told as soon as it has a single pair. At most LATENCY_OPEN_MAX wait for
 * their B. Pure; one thread.
 */
#ifndef ORIEL_REPORT_LATENCY_H
#define ORIEL_REPORT_LATENCY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "model/batch.h"
#include "report/hist.h"

#define LATENCY_OPEN_MAX 65536u
#define LATENCY_SLOW 5u

struct latency_pair {
    uint64_t from_ns, to_ns;
    const struct model_thread *thread; /* of B */
};
struct latency_way {
    struct map open; /* what they have in common -> time of A */
    struct hist hist;
    uint64_t max, sum;
    uint64_t from_unmatched, to_unmatched;
    struct latency_pair slow[LATENCY_SLOW]; /* slowest first */
    uint32_t slow_count;
};
enum { LATENCY_TRACE, LATENCY_THREAD, LATENCY_KEY, LATENCY_WAYS };
struct latency {
    const char *from, *to, *key; /* key: NULL none */
    struct latency_way ways[LATENCY_WAYS];
    uint64_t from_seen, to_seen;
};

bool latency_wanted(const struct latency *l);
/* 0 or ORIEL_ENOMEM. */
int latency_span(struct latency *l, const struct model_span *span);
int latency_event(struct latency *l, const struct model_event *event);
/* Index of the way to tell. */
unsigned latency_best(const struct latency *l);
const char *latency_way_text(unsigned way);
/* A's that wait for a B count as unmatched, too. */
uint64_t latency_from_unmatched(const struct latency_way *w);
void latency_done(struct latency *l);

#endif
