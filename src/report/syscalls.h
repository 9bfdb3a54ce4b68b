/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * System calls as the kernel's counts tell them: for each call and thread how
 * many, how long, which errors. Threads beyond a bound share one row for each
 * call. Pure; one thread.
 */
#ifndef ORIEL_REPORT_SYSCALLS_H
#define ORIEL_REPORT_SYSCALLS_H

#include "base/map.h"
#include "base/vec.h"
#include "model/batch.h"
#include "report/hist.h"

#define SYSCALLS_ROWS 16384u /* of calls and threads; then one for each call */
#define SYSCALLS_NAMES 2048u /* calls; then those are left out, and counted */

struct syscall_error {
    uint64_t count;
    char name[24]; /* "EAGAIN" */
};
struct syscall_row {
    const struct model_thread *thread; /* NULL: all others, or all */
    uint32_t name;                     /* in names */
    uint64_t count, errors, total_ns, max_ns;
    struct hist hist;                 /* owned */
    VEC(struct syscall_error) failed; /* by name; what is missing to `errors` is not known */
};
struct syscall_rows {
    VEC(struct syscall_row) items;
};
struct syscall_named {
    char text[40];
};
struct syscalls {
    struct syscall_rows rows; /* by call and thread */
    struct map by_key;        /* thread and call -> row */
    VEC(struct syscall_named) names;
    uint64_t count, errors, total_ns;
    uint64_t left_out; /* calls of names beyond the bound */
};

bool syscalls_is(const struct model_site *site);
/* 0 or ORIEL_ENOMEM. */
int syscalls_add(struct syscalls *s, const struct model_event *e);
/* Rows of one call each, and of one thread each (all calls, which `name` then has most time
 * of), by time, descending. 0 or ORIEL_ENOMEM; done may be called in both cases. */
int syscalls_by_call(const struct syscalls *s, struct syscall_rows *out);
int syscalls_by_thread(const struct syscalls *s, struct syscall_rows *out);
void syscall_rows_done(struct syscall_rows *rows);
void syscalls_done(struct syscalls *s);

#endif
