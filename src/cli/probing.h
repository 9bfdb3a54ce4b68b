/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From the words of `-e` (record, attach) to what source/probe watches.
 *
 *   usdt:[BINARY:]PROVIDER:NAME[%TYPES]
 *   uprobe:[BINARY:]FUNCTION[%TYPES[->TYPE]]
 *   line:[BINARY:]FILE:LINE
 *   tracepoint:GROUP:NAME
 *
 * Names may hold * and ?. TYPES (str, i8..i64, u8..u64, ptr, bool; by commas)
 * are the arguments, where debug information does not tell.
 */
#ifndef ORIEL_CLI_PROBING_H
#define ORIEL_CLI_PROBING_H

#include "base/mem.h"
#include "base/vec.h"
#include "session/session.h"
#include "source/probe_options.h"

/* How the end of a function is seen. */
enum probing_returns {
    PROBING_AUTO = 0, /* fast where no exception can pass, else exact */
    PROBING_FAST = 1, /* by the return address: cheap, but exceptions cannot pass */
    PROBING_EXACT = 2 /* at each instruction that leaves it */
};

struct probing {
    struct arena arena;
    VEC(struct probe_def) defs;
    VEC(struct probe_place) places;
    struct probe_options options; /* complete but for pid, running and ring_bytes */
    struct probe_ability ability;
    uint32_t stepped; /* places that are single-stepped */
    uint32_t endless; /* functions whose ways out are not known: events */
    bool throws;      /* exceptions may pass functions of the program */
};

/* `events`: one for each line; NULL or "": nothing is watched. `program`: the file that is run;
 * or `pid`, not 0: the process that runs already, whose files are then those it has mapped. 0,
 * ORIEL_EINVAL (not understood), ORIEL_ENOTFOUND (nothing matches), and what points_find answers;
 * with a line. Call probing_done in every case. */
int probing_make(struct probing *p, const char *events, const char *program, int32_t pid,
                 int returns, struct oriel_err *err);
/* Watch, before the first step of `s`; `p` must outlive it. What the kernel refuses is
 * told in a line and in the recording, which goes on without. */
void probing_start(struct probing *p, struct session *s, int32_t pid, bool running);
/* When everything was read: what the kernel counted and did not hand over. */
void probing_say(const struct probing *p, const char *command);
void probing_done(struct probing *p);

#endif
