/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Two sides, each of one recording or several, compared: functions by what was
 * sampled in them, spans by count, own time and percentiles. What changed, by
 * how much, how sure that is, and where it was called from. Functions are the
 * same when their names are, whatever file they moved to. Pure; one thread.
 */
#ifndef ORIEL_REPORT_DIFF_H
#define ORIEL_REPORT_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "report/report.h"

#define DIFF_RUNS_MAX 64u /* of both sides together */

enum diff_side { DIFF_A = 0, DIFF_B = 1 };

struct diff_options {
    uint32_t size;     /* sizeof */
    size_t runs[2];    /* of each side; at least 1 */
    double confidence; /* 0..1; 0: 0.95 */
    double noise;      /* assumed between runs where it cannot be measured; < 0: 0.05 */
    double least;      /* smallest change that is called one, as part of the whole; < 0: 0.005 */
    uint8_t kind;      /* only this kind of sample, and no spans; 0: everything */
    uint32_t width, top;
    bool color;
};

struct diff;
/* 0, ORIEL_EINVAL (no runs, or too many) or ORIEL_ENOMEM. */
int diff_new(struct diff **out, const struct diff_options *options);
/* The next run of a side, with its places resolved; nothing of it is kept. `name`
 * is what a person calls it. 0, ORIEL_EINVAL (that side has all its runs) or ORIEL_ENOMEM. */
int diff_add(struct diff *d, enum diff_side side, struct report *r, const char *name);
/* Compare; every run was added. 0 or ORIEL_ENOMEM. */
int diff_finish(struct diff *d);
/* Whether there was anything to compare: samples, or spans. */
bool diff_is_empty(const struct diff *d);
/* Append to `out`, after diff_finish. 0 or ORIEL_ENOMEM. */
int diff_text(const struct diff *d, struct buf *out);
int diff_markdown(const struct diff *d, struct buf *out);
int diff_json(const struct diff *d, struct buf *out);
int diff_html(const struct diff *d, struct buf *out);
/* The worst growth that is sure and more than `over` (0.05: 5 %), as one line without
 * its end. False: there is none. */
bool diff_is_worse(const struct diff *d, double over, struct buf *line);
void diff_free(struct diff *d); /* takes NULL */

#endif
