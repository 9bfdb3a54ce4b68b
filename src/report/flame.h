/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A flame graph as one HTML page that needs nothing else: search, zoom, flame
 * or icicle, by thread or span, for each kind of sample there is. Pure.
 */
#ifndef ORIEL_REPORT_FLAME_H
#define ORIEL_REPORT_FLAME_H

#include "report/flametree.h"

struct flame_options {
    const char *title; /* "codesearch index", NULL: the name of the program */
    uint8_t kind;      /* only this kind of sample; 0: all there are */
};
/* Append the page to `out`. 0 or ORIEL_ENOMEM. A profile without samples makes
 * a page that says so. */
int flame_html(struct frames *f, const struct model_profile *p, const struct model_catalog *c,
               const struct flame_options *o, struct buf *out);

/* Append the page with `data`, JSON as flame.c and diff_json.c make it, in its place. */
void flame_page(const struct buf *data, struct buf *out);

#endif
