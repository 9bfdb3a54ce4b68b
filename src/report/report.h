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
    uint32_t size;  /* sizeof */
    uint32_t width; /* terminal columns; 0 = 100 */
    bool color;
    uint32_t top;          /* rows per table; 0 = 20 */
    bool tree;             /* a tree of the slowest trace(s) */
    const char *from, *to; /* latency between two named events; NULL off */
    const char *key;       /* ... with the same value of this attribute; NULL: trace or thread */
    bool no_crash;         /* the text leaves crashes to report_crash */
    bool stacks;           /* the depth of every stack, not only of those that are nearly full */
};
/* What the pipeline knew and the items do not show. `first_damage` is a byte
 * offset, UINT64_MAX none. */
struct report_facts {
    uint64_t records, damaged, clamped, unfinished, orphan_ends;
    uint64_t lost[ORIEL_LOST_CAUSES];
    /* Read, but the disk did not take them: records of the program; what was seen of it. */
    uint64_t unwritten, unwritten_seen;
    uint64_t bytes_skipped, first_damage;
    bool truncated;
    const char *path;
};
/* Options are copied; the catalog must outlive the report. 0, ORIEL_EINVAL (a
 * size that is not known, only one of from and to) or ORIEL_ENOMEM. */
int report_new(struct report **out, const struct report_options *options,
               const struct model_catalog *catalog);
/* Nothing of the batch is kept. ORIEL_ENOMEM: something is missing from the
 * sums, the report may be told all the same. Memory has a bound that does not
 * depend on how much is added; docs/REPORT.md tells it. */
int report_add(struct report *r, const struct model_batch *items);
/* How the first table of the text begins, where several kinds of samples are summed up. */
#define REPORT_SUMMARY "where it went"
/* Append to `out`. `facts` may be NULL: then the items must do. What is still
 * open counts as it is; more may be added afterwards. 0 or ORIEL_ENOMEM. */
int report_text(struct report *r, const struct report_facts *facts, struct buf *out);
int report_json(struct report *r, const struct report_facts *facts, struct buf *out);
/* The text with a head that tells of what it is, as Markdown. */
int report_markdown(struct report *r, const struct report_facts *facts, struct buf *out);
/* One line, without its end, about the first crash: which signal, where, in which thread and
 * span, the last events. Nothing is appended where nothing crashed. Codes as above. */
int report_crash(struct report *r, struct buf *out);
/* Where the text of source lines comes from: true, with a line that is valid until the next
 * call; false: it is not there. */
struct report_sources {
    bool (*line)(void *user, struct model_str file, uint32_t line, struct model_str *out);
    void *user;
};
/* One sampled function: what it weighs, its callers and callees, and its lines, with their text
 * where `sources` (NULL: none) has it. The name may be without parameters, without its scope, or
 * a part. 0, ORIEL_ENOTFOUND (nothing is called so) or ORIEL_ENOMEM. */
int report_function(const struct report *r, const char *name, const struct report_sources *sources,
                    struct buf *out);
/* The lines of a source file (the end of its path is enough) with their share of all CPU time.
 * As above. */
int report_source(const struct report *r, const char *file, const struct report_sources *sources,
                  struct buf *out);
void report_free(struct report *r);

#endif
