/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What was sampled of one kind, added up by thread or by innermost span. Pure;
 * one thread.
 */
#ifndef ORIEL_REPORT_WEIGHTS_H
#define ORIEL_REPORT_WEIGHTS_H

#include "model/profile.h"

struct report;

enum weights_by { WEIGHTS_BY_THREAD, WEIGHTS_BY_SPAN };

struct weight {
    uint64_t weight;
    uint32_t index; /* of the thread; or of the site + 1, 0: outside any span */
};
struct weights {
    struct weight *items; /* those above zero, the largest first */
    size_t count;
};
/* Exact sums of memory are the process's: which thread and span they came from is not known. */
bool weights_are_summed(const struct model_profile *p, const struct model_catalog *c, uint8_t kind);
/* Of kinds that are summed none. 0 or ORIEL_ENOMEM; done may be called in both cases. */
int weights_sum(const struct report *r, uint8_t kind, enum weights_by by, struct weights *out);
void weights_done(struct weights *w);

#endif
