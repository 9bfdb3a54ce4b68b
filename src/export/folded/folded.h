/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Options of the outlet of folded stacks, for its test.
 */
#ifndef ORIEL_EXPORT_FOLDED_FOLDED_H
#define ORIEL_EXPORT_FOLDED_FOLDED_H

enum folded_grouping { FOLDED_ALL = 0, FOLDED_BY_THREAD = 1, FOLDED_BY_SPAN = 2 };

struct folded_options {
    int kind; /* enum oriel_sample_kind */
    int by;   /* enum folded_grouping */
};

#endif
