/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The last seconds of what is sampled, for a screen that is drawn again and
 * again: a ring of profiles, one for each interval, the oldest forgotten when a
 * new one begins. Pure; one thread.
 */
#ifndef ORIEL_REPORT_LIVE_H
#define ORIEL_REPORT_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/batch.h"

#define LIVE_INTERVALS_MAX 60u

enum live_view { LIVE_CPU = 0, LIVE_WAITING = 1, LIVE_THREADS = 2, LIVE_SPANS = 3, LIVE_VIEWS = 4 };

struct live;
/* Keep `intervals` of them, 1 to LIVE_INTERVALS_MAX. 0 or ORIEL_ENOMEM. */
int live_new(struct live **out, const struct model_catalog *catalog, unsigned intervals);
void live_free(struct live *l); /* takes NULL */
/* Samples of a batch into the interval that is open. 0 or ORIEL_ENOMEM. */
int live_add(struct live *l, const struct model_batch *items);
/* The interval is over; it took this long. */
void live_tick(struct live *l, uint64_t interval_ns);
/* "CPU 98 %, 3 threads, 495 samples in 5.00 s": of the intervals that are over, the open one
 * left out. */
void live_summary(const struct live *l, struct buf *out);
/* The table of a view, at most `rows` lines of `width` columns, without colours. 0 or
 * ORIEL_ENOMEM. */
int live_text(const struct live *l, enum live_view view, uint32_t width, uint32_t rows,
              struct buf *out);

#endif
