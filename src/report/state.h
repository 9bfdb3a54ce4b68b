/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a report knows, for the files that collect it (report.c) and the ones
 * that tell it (text*.c, json.c). Seen only inside this room.
 */
#ifndef ORIEL_REPORT_STATE_H
#define ORIEL_REPORT_STATE_H

#include "model/profile.h"
#include "report/callsums.h"
#include "report/calltree.h"
#include "report/crash.h"
#include "report/events.h"
#include "report/inst.h"
#include "report/latency.h"
#include "report/heap.h"
#include "report/names.h"
#include "report/report.h"
#include "report/series.h"
#include "report/syscalls.h"
#include "report/system.h"
#include "report/tasks.h"
#include "report/threads.h"
#include "report/traces.h"
#include "report/waits.h"

#define REPORT_SLOW_NAMES 1024u /* names whose slowest instances are kept */

struct report {
    struct report_options options;
    char *from, *to, *key;
    const struct model_catalog *catalog;
    struct names names;
    struct calltree tree;
    VEC(struct slow) slow; /* by name id */
    struct threads threads;
    struct tasks tasks;
    struct events events;
    struct series series;
    struct system_use system;
    struct syscalls syscalls;
    struct latency latency;
    struct traces traces;
    struct model_profile profile;
    struct waits waits;
    struct heap heap;
    struct callsums calls;
    struct crashes crashes;
    uint64_t spans, unfinished, clamped, orphan_ends, errors;
    uint64_t lost[ORIEL_LOST_CAUSES];
    uint64_t first_ns, last_ns; /* UINT64_MAX, 0: nothing seen */
};

/* One name's sums over all paths. */
struct report_flat {
    uint32_t name;
    uint64_t count, total, self, busy, max, unfinished, errors;
    struct hist hist; /* owned */
};
struct report_flats {
    VEC(struct report_flat) items; /* by total, descending */
};

/* Everything that is pending is put where it belongs. 0 or ORIEL_ENOMEM. */
int report_settle(struct report *r);
/* Total counts a span within a span of the same name once. 0 or ORIEL_ENOMEM. */
int report_flatten(const struct report *r, struct report_flats *out);
void report_flats_done(struct report_flats *f);
/* Time of an item from the start of the recording, 0 if before it. */
uint64_t report_offset(const struct report *r, uint64_t t_ns);
uint64_t report_start(const struct report *r);
/* Facts with what the items alone can tell where the caller has none. */
struct report_facts report_facts_of(const struct report *r, const struct report_facts *facts);
uint64_t report_lost_total(const struct report_facts *facts);

#endif
