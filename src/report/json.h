/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Pieces shared by the two files that write the report as JSON. Seen only
 * inside this room.
 */
#ifndef ORIEL_REPORT_JSON_H
#define ORIEL_REPORT_JSON_H

#include "report/state.h"
#include "util/json.h"

void report_json_str(struct json *j, const char *key, struct model_str s);
/* null where there is no text. */
void report_json_maybe(struct json *j, const char *key, struct model_str s);
void report_json_hist(struct json *j, const struct hist *h, uint64_t max);
void report_json_span(struct json *j, const struct report *r, const struct inst *i);
void report_json_event(struct json *j, const struct report *r, const struct inst *i);
/* Where CPU time, waiting and memory went, in a few lines. 0 or ORIEL_ENOMEM. */
int report_json_summary(struct json *j, const struct report *r);
/* What was sampled. 0 or ORIEL_ENOMEM. */
int report_json_profile(struct json *j, const struct report *r);
/* Name, module, file and line of a function. */
struct frame;
void report_json_frame(struct json *j, const struct frame *f);
/* What was allocated, and what became of it. 0 or ORIEL_ENOMEM. */
int report_json_memory(struct json *j, const struct report *r);
/* Waits, who ended them, locks, stack depths. 0 or ORIEL_ENOMEM. */
int report_json_waits(struct json *j, const struct report *r);
/* Calls that were counted; nothing where none were. 0 or ORIEL_ENOMEM. */
int report_json_calls(struct json *j, const struct report *r);
/* System calls; nothing where none were counted. 0 or ORIEL_ENOMEM. */
int report_json_syscalls(struct json *j, const struct report *r);
/* Threads, tasks, events, plots, frames, latency, traces. 0 or ORIEL_ENOMEM. */
int report_json_activity(struct json *j, const struct report *r);

#endif
