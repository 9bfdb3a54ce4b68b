/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reports: pure functions over items. Each collects while batches pass and
 * renders text for a terminal or JSON with a documented shape.
 */
#ifndef ORIEL_REPORT_REPORT_H
#define ORIEL_REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/batch.h"

struct report;
struct report_options {
    uint32_t size;         /* sizeof */
    uint32_t width;        /* terminal columns; 0 = 100 */
    bool color;
    uint32_t top;          /* rows per table; 0 = 20 */
    bool tree;             /* a tree of the slowest trace(s) */
    const char *from, *to; /* latency between two named events; NULL off */
};
/* What the pipeline knew and the items do not show. */
struct report_facts {
    uint64_t records, damaged, clamped, unfinished, orphan_ends;
    uint64_t lost[ORIEL_LOST_CAUSES];
    uint64_t bytes_skipped, first_damage;
    bool truncated;
    const char *path;
};
int report_new(struct report **out, const struct report_options *options,
               const struct model_catalog *catalog);
int report_add(struct report *r, const struct model_batch *items);
int report_text(struct report *r, const struct report_facts *facts, struct buf *out);
int report_json(struct report *r, const struct report_facts *facts, struct buf *out);
void report_free(struct report *r);

#endif
