/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The files that write the report for a terminal. Seen only inside this room.
 */
#ifndef ORIEL_REPORT_TEXT_H
#define ORIEL_REPORT_TEXT_H

#include "report/sheet.h"
#include "report/state.h"

/* Threads, tasks, events, plots, frames. 0 or ORIEL_ENOMEM. */
int report_text_activity(const struct report *r, struct buf *out);
/* What was sampled. 0 or ORIEL_ENOMEM. */
int report_text_profile(const struct report *r, struct buf *out);
/* What sampling could not see; where the time went in one line; by thread. */
void report_text_unseen(const struct report *r, struct buf *out);
void report_text_times(const struct report *r, struct buf *out);
int report_text_threads(const struct report *r, struct buf *out);
/* what was asked for with from and to. */
void report_text_latency(const struct report *r, struct buf *out);
/* the slowest traces as trees. 0 or ORIEL_ENOMEM. */
int report_text_traces(const struct report *r, struct buf *out);

static inline struct model_str report_name(const struct report *r, uint32_t name)
{
    return r->names.items.items[name].text;
}

#endif
