/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Plots (a named number over time) and frames (marks that end one frame and
 * begin the next). Both by name; at most SERIES_MAX of each, the rest counted.
 * Pure; one thread.
 */
#ifndef ORIEL_REPORT_SERIES_H
#define ORIEL_REPORT_SERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/vec.h"
#include "model/batch.h"
#include "report/hist.h"

#define SERIES_MAX 1024u
#define SERIES_SLOTS 32u /* of the curve: a power of two */
#define FRAMES_SLOW 4u

/* Means over equal pieces of time; a piece doubles when time runs out. */
struct curve {
    uint64_t start_ns, piece_ns;
    double sums[SERIES_SLOTS];
    uint32_t counts[SERIES_SLOTS];
};
struct plot_stats {
    uint32_t name;
    bool integer; /* only whole numbers so far */
    uint64_t count, last_ns;
    double min, max, sum, last;
    struct curve curve;
};
struct frame_slow {
    uint64_t t_ns, ns; /* start, length */
};
struct frame_stats {
    uint32_t name, process;
    uint64_t count, last_ns; /* marks; frames are one less */
    uint64_t max, sum;
    struct hist hist;
    struct frame_slow slow[FRAMES_SLOW]; /* slowest first */
    uint32_t slow_count;
};
struct series {
    VEC(struct plot_stats) plots;
    VEC(struct frame_stats) frames;
    struct map plot_by_name, frame_by_name; /* -> index */
    uint64_t plots_dropped, frames_dropped; /* of names beyond SERIES_MAX */
};

/* 0 or ORIEL_ENOMEM. */
int series_plot(struct series *s, const struct model_plot *plot, uint32_t name);
int series_frame(struct series *s, const struct model_frame *frame, uint32_t name);
void series_done(struct series *s);

#endif
