/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where a profile's weight went, by function, by edge between functions and by
 * line. Self is what a function did itself, total includes what it called; a
 * recursive function counts once per stack. Pure; one thread.
 */
#ifndef ORIEL_REPORT_FUNCTIONS_H
#define ORIEL_REPORT_FUNCTIONS_H

#include "model/profile.h"
#include "report/frames.h"

/* Which rows count. */
struct profile_filter {
    uint8_t kind;                  /* enum oriel_sample_kind; required */
    int64_t thread;                /* index in the catalog; -1 all */
    int64_t process;               /* index in the catalog; -1 all */
    const struct model_site *site; /* only in spans of this site; NULL all */
    bool outside_spans;            /* only outside any span */
    bool user_self; /* self goes to the innermost function outside the kernel, if any; of locks
                     * also outside the library of ours that the program called instead, of memory
                     * and locks also outside the standard library of C++ and Rust */
};
bool profile_filter_takes(const struct profile_filter *f, const struct model_catalog *c,
                          const struct model_profile_row *row);

struct function_sum {
    uint32_t frame;
    uint64_t self, total;
    uint64_t self_count, total_count; /* samples */
    double self_square, total_square; /* sums of the squares of their weights */
};
struct function_sums {
    VEC(struct function_sum) items; /* by self, then total, descending */
    uint64_t weight, count;         /* of all rows that the filter takes */
};
/* 0 or ORIEL_ENOMEM; done may be called in both cases. */
int functions_sum(struct frames *f, const struct model_profile *p, const struct model_catalog *c,
                  const struct profile_filter *filter, struct function_sums *out);
void function_sums_done(struct function_sums *s);

struct function_edge {
    uint32_t frame; /* the other end; FRAMES_NONE: nobody, it was outermost */
    uint64_t weight;
    uint64_t count; /* samples whose innermost function this edge leads to: of CALL, calls */
};
struct function_edges {
    VEC(struct function_edge) callers, callees; /* by weight, descending */
};
/* Who called `frame` and whom it called. 0 or ORIEL_ENOMEM. */
int functions_edges(struct frames *f, const struct model_profile *p, const struct model_catalog *c,
                    const struct profile_filter *filter, uint32_t frame,
                    struct function_edges *out);
void function_edges_done(struct function_edges *e);

struct line_sum {
    struct model_str file;
    uint32_t line; /* 0 unknown */
    uint32_t frame;
    uint64_t self, total;
};
struct line_sums {
    VEC(struct line_sum) items; /* by file, then line */
};
/* The lines of one function (FRAMES_NONE: of all). 0 or ORIEL_ENOMEM. */
int functions_lines(struct frames *f, const struct model_profile *p, const struct model_catalog *c,
                    const struct profile_filter *filter, uint32_t frame, struct line_sums *out);
void line_sums_done(struct line_sums *s);

#endif
