/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sampling as record and attach do it: beside the ring of a session, told in
 * the recording itself, and given its functions before the outlets close.
 */
#ifndef ORIEL_CLI_SAMPLING_H
#define ORIEL_CLI_SAMPLING_H

#include "cli/cli.h"
#include "cli/outputs.h"
#include "session/session.h"
#include "source/perf_options.h"
#include "source/syscall_options.h"

struct sampling {
    const struct outputs *outputs;
    const struct cli_call *call;
    int64_t rate;
    struct perf_ability can; /* missing: also when nothing at all is permitted */
    struct syscall_ability calls;
};

/* Begin, before the first step of `s`; `sampling` must outlive it. `running`: `pid`
 * runs already. Else the events wake with the exec of a child of `pid`. Codes of
 * the source; the session goes on without samples all the same. */
int sampling_start(struct sampling *sampling, struct session *s, int32_t pid, bool running,
                   struct oriel_err *err);
/* Outlets that write functions get them before they close: part of sampling_start,
 * for recordings that have stacks without it. */
void sampling_names(struct sampling *sampling, struct session *s);
/* Count system calls too; `pid` and `running` as above. Refused, the recording says why, and goes
 * on without. */
void sampling_calls(struct sampling *sampling, struct session *s, int32_t pid, bool running);
/* How long to sleep at most between two looks into the kernel's rings. */
uint64_t sampling_sleep_ns(const struct sampling *sampling);
/* Polls readable when they had better be looked at before that; -1 none. */
int sampling_wake_fd(const struct sampling *sampling);
/* The program samples itself, because perf events are refused: what is seen then. */
void sampling_inside(struct sampling *sampling, struct session *s);

#endif
