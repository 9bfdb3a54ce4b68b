/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What text and JSON share: the order in which the call tree is told, and a
 * few small texts. Seen only inside this room.
 */
#ifndef ORIEL_REPORT_RENDER_H
#define ORIEL_REPORT_RENDER_H

#include "base/vec.h"
#include "report/state.h"

struct report_row {
    uint32_t node;                               /* 0: stands for the children that got no row */
    uint32_t depth;                              /* 0 outermost */
    size_t parent_row;                           /* SIZE_MAX none */
    bool last;                                   /* of its siblings' rows */
    uint64_t rest_names, rest_count, rest_total; /* where node is 0 */
};
struct report_order {
    VEC(struct report_row) rows; /* parents before children, siblings by total */
};

/* All: 0 or ORIEL_ENOMEM; done may be called in both cases. */
int report_order_all(const struct report *r, struct report_order *out);
/* The `limit` most expensive paths with all that leads to them. */
int report_order_top(const struct report *r, size_t limit, struct report_order *out);
void report_order_done(struct report_order *o);
/* Spans that were counted by name only. */
uint64_t report_elsewhere(const struct report *r);

void report_pointer_text(char out[19], uint64_t p); /* 0x7f.. */

#endif
