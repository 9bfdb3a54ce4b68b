/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Options of the callgrind outlet, for its test.
 */
#ifndef ORIEL_EXPORT_CALLGRIND_CALLGRIND_H
#define ORIEL_EXPORT_CALLGRIND_CALLGRIND_H

struct callgrind_options {
    int kind; /* enum oriel_sample_kind; 0 all */
};

#endif
