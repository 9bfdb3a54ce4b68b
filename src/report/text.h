/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The files that write the report for a terminal. Seen only inside this room.
 */
#ifndef ORIEL_REPORT_TEXT_H
#define ORIEL_REPORT_TEXT_H

#include "report/frames.h"
#include "report/sheet.h"
#include "report/state.h"
#include "util/num.h"

/* Threads, tasks, events, plots, frames. 0 or ORIEL_ENOMEM. */
int report_text_activity(const struct report *r, struct buf *out);
/* What was sampled. 0 or ORIEL_ENOMEM. */
int report_text_profile(const struct report *r, struct buf *out);
/* One kind of sample by function. As above. */
struct frames;
int report_text_functions(const struct report *r, struct frames *f, uint8_t kind, struct buf *out);
/* Where CPU time, waiting and memory went, in a few lines. 0 or ORIEL_ENOMEM. */
int report_text_summary(const struct report *r, struct buf *out);
/* What sampling could not see; by innermost span; by program; by thread. 0 or ORIEL_ENOMEM. */
void report_text_unseen(const struct report *r, struct buf *out);
/* Which part of the CPU time has no names, when that is much. */
void report_text_unnamed(const struct report *r, struct buf *out);
/* Which part of it our hooks in the program took. */
void report_text_own(const struct report *r, struct buf *out);
/* spans that are too short or too many to be worth a span each. 0 or ORIEL_ENOMEM. */
int report_text_dense(const struct report *r, struct buf *out);
int report_text_spans(const struct report *r, struct buf *out);
int report_text_programs(const struct report *r, struct buf *out);
int report_text_threads(const struct report *r, struct buf *out);
/* What the program waited for, and for whom. 0 or ORIEL_ENOMEM. */
int report_text_waits(const struct report *r, struct frames *f, struct buf *out);
/* What it waited for most; "" nothing. As above. */
int report_text_reason(const struct report *r, struct frames *f, const char **out_text,
                       uint64_t *out_ns);
/* System calls: a line above all, where they took much of the time; and the tables. */
void report_text_syscall_line(const struct report *r, struct buf *out);
int report_text_syscalls(const struct report *r, struct buf *out);
/* Calls that it counted. 0 or ORIEL_ENOMEM. */
int report_text_calls(const struct report *r, struct frames *f, struct buf *out);
/* What it allocated. 0 or ORIEL_ENOMEM. */
int report_text_heap(const struct report *r, struct frames *f, struct buf *out);
/* "file.c:88", or the name of the object file. */
void report_text_where(struct sheet *s, const struct frame *f);
/* what was asked for with from and to. */
void report_text_latency(const struct report *r, struct buf *out);
/* the slowest traces as trees. 0 or ORIEL_ENOMEM. */
int report_text_traces(const struct report *r, struct buf *out);

/* "CPU time", "waiting"; an amount as that kind counts it; "f" for "f(int) const". */
const char *report_kind_title(uint8_t kind);
const char *report_amount(char text[NUM_TEXT_MAX], uint8_t kind, uint64_t v);
struct model_str report_without_parameters(struct model_str name);

static inline struct model_str report_name(const struct report *r, uint32_t name)
{
    return r->names.items.items[name].text;
}

#endif
