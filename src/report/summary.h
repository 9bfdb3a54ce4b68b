/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where CPU time, waiting and memory went: of each the amount, and the function
 * (or reason), span, program and thread that has most of it. The text and the JSON tell
 * the same. Pure; one thread.
 */
#ifndef ORIEL_REPORT_SUMMARY_H
#define ORIEL_REPORT_SUMMARY_H

#include "report/frames.h"

struct report;

enum { SUMMARY_MAX = 7 };

/* Who has most of it: `part` of `whole`, which is what was sampled. part 0: nobody is known. */
struct summary_share {
    uint64_t part, whole;
    struct model_str name;
};

struct summary_line {
    uint8_t kind; /* enum oriel_sample_kind */
    const char *title;
    uint64_t amount;           /* as the program knew it, else as samples tell it */
    struct summary_share most; /* a function, or with `reason` what was waited for */
    struct frame function;     /* where it is defined; "" and NULL where it is none */
    bool reason;
    struct summary_share span;
    struct summary_share thread;
    const struct model_thread *who; /* of `thread`; NULL: not known */
    struct summary_share program;
};

struct summary {
    struct frames frames; /* names and functions are theirs */
    struct summary_line lines[SUMMARY_MAX];
    unsigned count;
    bool programs; /* there are several */
};

/* 0 or ORIEL_ENOMEM; done may be called in both cases. */
int summary_make(const struct report *r, struct summary *out);
void summary_done(struct summary *s);

#endif
