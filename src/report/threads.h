/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What each thread did: spans, events, and the time it spent in spans, every
 * moment counted once. Threads beyond THREADS_MAX share one row. Pure; one
 * thread.
 */
#ifndef ORIEL_REPORT_THREADS_H
#define ORIEL_REPORT_THREADS_H

#include <stdint.h>

#include "base/vec.h"
#include "model/batch.h"
#include "report/cover.h"

#define THREADS_MAX 65536u

struct thread_stats {
    const struct model_thread *thread; /* NULL: nothing came from it */
    uint64_t spans, events, unfinished, lost;
    uint64_t busy_ns;           /* in spans */
    uint64_t first_ns, last_ns; /* first start, last end */
    struct cover *cover;        /* only where async spans ran */
};
struct threads {
    VEC(struct thread_stats) items; /* by thread index; THREADS_MAX: all others */
};

/* All: 0 or ORIEL_ENOMEM. */
int threads_span(struct threads *t, const struct model_span *span);
int threads_event(struct threads *t, const struct model_thread *thread, uint64_t t_ns);
int threads_loss(struct threads *t, const struct model_loss *loss);
void threads_done(struct threads *t);

#endif
