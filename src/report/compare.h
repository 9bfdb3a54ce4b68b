/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Did a number change between two sides, each measured in one run or several?
 * What is compared is a family of rows (functions, spans), so that of a
 * thousand of them not fifty seem to have changed by chance.
 *
 *   value of a run = true value + noise of this run + error of sampling
 *
 * The error of sampling is known for each value; the noise between runs is
 * measured over all rows where a side has several runs, else assumed. A row is
 * tested with Student's t, its own spread between runs and that of the family
 * weighing equally (a moderated t-test); the answers are corrected for their
 * number by Holm's method. docs/DIFF.md says what that promises. Pure.
 */
#ifndef ORIEL_REPORT_COMPARE_H
#define ORIEL_REPORT_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct compare_cell { /* of one row in one run */
    double value;
    double variance; /* of sampling; 0: counted exactly */
};

struct compare_options {
    size_t runs_a, runs_b; /* both at least 1 */
    double confidence;     /* from which on a change is called one: 0.95 */
    double noise;          /* between runs, as part of the value, where it cannot be measured */
    double noise_least;    /* as measured by few runs it may seem smaller than it can be */
    double share_least;    /* rows that are a smaller part of the whole are not tested */
    double whole;          /* of both sides together, for share_least; 0: all are tested */
};

struct compare_row {
    double a, b;       /* means of the runs */
    double error;      /* b - a lies within that of the truth with the wanted confidence */
    double confidence; /* that there is a change at all, corrected; 0: not tested */
    bool sure;
};

/* cells: for each row the runs of A, then those of B. *out_noise: what was used.
 * 0 or ORIEL_ENOMEM. */
int compare_rows(const struct compare_options *o, const struct compare_cell *cells, size_t rows,
                 struct compare_row *out, double *out_noise);

/* That Student's t with `df` degrees of freedom is further from 0 than `t`. */
double compare_p(double t, double df);
/* The t whose two-sided probability is p. */
double compare_t(double p, double df);

#endif
