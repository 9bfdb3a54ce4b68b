/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Calls that a program counted (record --calls-mode sums): by function and by edge
 * between a caller and what it calls, with what the program says it could not count or
 * tell. Stacks are in the profile, kind CALL. Pure; one thread.
 */
#ifndef ORIEL_REPORT_CALLSUMS_H
#define ORIEL_REPORT_CALLSUMS_H

#include "base/vec.h"
#include "model/batch.h"
#include "report/frames.h"

struct report;

struct call_times {
    uint64_t least, most; /* of one call with all that it called, ns; UINT64_MAX, 0: none ended */
};
struct callsums {
    /* As the program said: calls it saw; what became of them. */
    uint64_t counted, told, too_deep, no_room, ring_full;
    bool said;
    VEC(struct call_times) by_stack;
};
/* Others are passed over. 0 or ORIEL_ENOMEM. */
int callsums_sample(struct callsums *c, const struct model_sample *s);
void callsums_event(struct callsums *c, const struct model_event *e);
void callsums_done(struct callsums *c);

struct call_row {
    uint32_t frame;
    uint64_t calls, total, self; /* ns; total counts once per stack */
    struct call_times times;
};
struct call_edge {
    uint32_t caller, callee; /* caller FRAMES_NONE: nobody that is counted */
    uint64_t calls, total;   /* total: in the callee, with all that it called */
};
struct call_tables {
    VEC(struct call_row) rows;   /* by self, then total, descending */
    VEC(struct call_edge) edges; /* by total, then calls, descending */
    uint64_t calls, self;        /* sums */
};
/* 0 or ORIEL_ENOMEM; done may be called in both cases. */
int call_tables_make(const struct report *r, struct frames *f, struct call_tables *out);
void call_tables_done(struct call_tables *t);

#endif
