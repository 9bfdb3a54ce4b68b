/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Speedscope outlet: its options, for tests too. Runs on one thread.
 */
#ifndef ORIEL_EXPORT_SPEEDSCOPE_SPEEDSCOPE_H
#define ORIEL_EXPORT_SPEEDSCOPE_SPEEDSCOPE_H

struct speedscope_options {
    int kind; /* enum oriel_sample_kind; 0 all */
};

#endif
