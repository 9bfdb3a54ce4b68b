/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Who waits where, and for whom: waits joined with the wake-ups that ended them
 * and with the holders of locks. Rows grow with what is different, up to a
 * bound; what is beyond is summed up in one. Pure; one thread.
 */
#ifndef ORIEL_REPORT_WAITS_H
#define ORIEL_REPORT_WAITS_H

#include "base/map.h"
#include "base/vec.h"
#include "model/batch.h"
#include "report/frames.h"

#define WAITS_ROWS_MAX 65536u

/* A thread at one place, and how long. */
struct wait_row {
    const struct model_thread *thread;
    uint64_t extra; /* what the record says it is for, ORIEL_WAIT_DISK */
    uint64_t ns, count, ready_ns;
    uint64_t max_ns; /* of those that are told one by one */
    uint32_t stack;
};
/* A thread at one place that somebody at another made go on, or kept waiting. */
struct wait_chain {
    const struct model_thread *thread, *by; /* by NULL: nobody of the program */
    uint64_t flags;                         /* ORIEL_WAKE_* */
    uint64_t lock;                          /* address; 0: a wake-up */
    uint64_t ns, count, max_ns;
    uint32_t stack, by_stack; /* stack 0: see waits_order */
    int32_t by_tid;           /* of a lock's holder; 0 unknown */
};
/* A high-water mark of a stack. */
struct wait_depth {
    const struct model_thread *thread;
    uint64_t bytes, limit;
    uint32_t stack; /* the deepest one */
};

struct waits_pending;
struct waits {
    VEC(struct wait_row) rows;
    VEC(struct wait_chain) chains;
    VEC(struct wait_depth) depths;
    struct map row_of, chain_of; /* by hash */
    struct map depth_of;         /* thread -> index */
    struct map pending;          /* tid -> struct waits_pending * */
    struct map pushed;           /* thread -> ns it was pushed off its CPU */
    uint64_t ns, ready_ns, pushed_ns, count, wakes;
    uint64_t beyond_ns; /* of rows and chains that found no place */
};

/* 0 or ORIEL_ENOMEM. Samples of other kinds are passed over. */
int waits_add(struct waits *w, const struct model_sample *s);
/* What waits for the rest of it counts as it is. 0 or ORIEL_ENOMEM. */
int waits_settle(struct waits *w);
void waits_done(struct waits *w);

/* Both by time, descending; what an interrupt did on somebody's back is nobody's; chains whose
 * place was not told have the one where their thread waited nine tenths of its time, else 0. */
struct waits_order {
    struct wait_row *rows;
    struct wait_chain *chains;
    size_t row_count, chain_count;
};
/* 0 or ORIEL_ENOMEM; done may be called in both cases. */
int waits_order(const struct waits *w, struct frames *f, struct waits_order *out);
void waits_order_done(struct waits_order *o);

#endif
