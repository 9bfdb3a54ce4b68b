/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside the search for points, in the confined child: points_scan.c finds
 * them, points_args.c reads what DWARF says of functions, points_image.c writes
 * the answer and (in the parent) checks it.
 */
#ifndef ORIEL_SYMBOL_POINTS_JOB_H
#define ORIEL_SYMBOL_POINTS_JOB_H

#include "symbol/module.h"
#include "symbol/points.h"

struct points_maker {
    VEC(struct point) items;
    VEC(uint64_t) exits;
    VEC(struct point_arg) args;
    struct buf strings;
    bool throws, has_dwarf, instrumented;
    uint32_t refused;
    uint64_t patchable, patchable_bytes;
};

/* points_scan.c: a job_fn; `how` is a struct points_query. */
int points_job(const void *how, const struct job *job, struct buf *out, struct job_result *result);

/* points_args.c: arguments and results of the functions among the items. */
int points_read_args(struct points_maker *p, struct module *m);

/* points_image.c */
void points_maker_init(struct points_maker *p);
void points_maker_done(struct points_maker *p);
/* The id of a text; 0 for "" and when there is no memory (out->failed then). */
uint32_t points_add_text(struct points_maker *p, const char *text, size_t n);
int points_write(struct points_maker *p, struct buf *out);
/* Check an image and point into it. 0 or ORIEL_EDAMAGED. */
int points_open(struct points *p);

#endif
