/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * How much of a time line is covered by intervals that overlap and come in any
 * order, in constant memory: the last COVER_MAX separate stretches are kept,
 * older ones only as one span of time with the sum of what was covered in it.
 * Exact as long as what comes late is not older than those. Pure; one thread.
 */
#ifndef ORIEL_REPORT_COVER_H
#define ORIEL_REPORT_COVER_H

#include <stdint.h>

#define COVER_MAX 32u

struct cover_range {
    uint64_t start, end;
};
struct cover {
    struct cover_range old; /* before all kept ranges; empty: start == end */
    uint64_t old_covered;   /* within `old` */
    uint32_t count;
    struct cover_range ranges[COVER_MAX]; /* apart from each other, ascending */
};
/* What [start, end) covers that was not covered before. */
uint64_t cover_add(struct cover *c, uint64_t start, uint64_t end);

#endif
