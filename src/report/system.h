/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the system said of the program: of each of its numbers the largest and
 * the last value. Told in one line, apart from what the program plots itself.
 * Pure; one thread.
 */
#ifndef ORIEL_REPORT_SYSTEM_H
#define ORIEL_REPORT_SYSTEM_H

#include <stdbool.h>

#include "base/buf.h"
#include "model/batch.h"
#include "util/json.h"

enum system_number {
    SYSTEM_RSS,
    SYSTEM_PSS,
    SYSTEM_ANONYMOUS,
    SYSTEM_CPU_TIME,
    SYSTEM_CPU_SHARE,
    SYSTEM_THREADS,
    SYSTEM_DESCRIPTORS,
    SYSTEM_MINOR_FAULTS,
    SYSTEM_MAJOR_FAULTS,
    SYSTEM_VOLUNTARY,
    SYSTEM_INVOLUNTARY,
    SYSTEM_READ,
    SYSTEM_WRITTEN,
    SYSTEM_NUMBERS
};
struct system_use {
    double max[SYSTEM_NUMBERS], last[SYSTEM_NUMBERS], first[SYSTEM_NUMBERS];
    uint64_t readings;
    uint32_t known;       /* a bit for each that was read */
    bool midway;          /* it ran before anybody looked: what it counted until then is not told */
    bool peak_now, exact; /* the reading at hand, the last one: it knows the peak of memory */
};

static inline bool system_is(const struct model_site *site)
{
    return site && (site->flags & ORIEL_SITE_SYSTEM);
}
void system_plot(struct system_use *s, const struct model_plot *plot);
/* The line, without its end, of at most `width` columns: what matters least is
 * left out. Nothing when nothing was read. */
void system_text(const struct system_use *s, uint64_t duration_ns, uint32_t width, struct buf *out);
/* "system": {...}, or nothing. */
void system_json(const struct system_use *s, struct json *j);

#endif
