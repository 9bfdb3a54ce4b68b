/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What was sampled, added up by program: processes of one name, of which a
 * build or a script has hundreds. Pure; one thread.
 */
#ifndef ORIEL_REPORT_PROGRAMS_H
#define ORIEL_REPORT_PROGRAMS_H

#include "base/vec.h"
#include "model/batch.h"

struct report;

struct program {
    struct model_str name; /* the catalog's */
    uint64_t processes;    /* that have samples */
    uint64_t weight[ORIEL_SAMPLE_KINDS];
};
struct programs {
    VEC(struct program) items; /* the busiest first */
};
/* 0 or ORIEL_ENOMEM; done may be called in both cases. */
int programs_sum(const struct report *r, struct programs *out);
void programs_done(struct programs *p);
/* That which has most of a kind; NULL: none has any. */
const struct program *programs_most(const struct programs *p, uint8_t kind);

#endif
