/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What an export inside the program consists of: its ring, its session and the configuration it
 * goes by; made at a start or taken over from a parent, changed by a file, released at the end.
 * Knows of no thread: inprocess.c says when, and holds its lock where it is needed.
 */
#ifndef ORIEL_SESSION_RUNNING_H
#define ORIEL_SESSION_RUNNING_H

#include "session/fetch.h"
#include "session/life.h"
#include "session/reload.h"
#include "session/resource.h"
#include "session/session.h"
#include "session/start_wish.h"
#include "source/region_io.h"
#include "source/region_left.h"

struct running {
    struct region *region;
    struct session *session;
    struct resource said;  /* at the start, for what the cloud says later */
    struct fetch *fetch;   /* of the first outlets, until their vault was waited for */
    struct config *config; /* at the start */
    struct config *latest; /* what a changed file says since; NULL: that */
    struct reload reload;
    unsigned reloads;            /* that were taken */
    struct region_tidied tidied; /* removed for want of room, and not told yet */
    uint64_t call_deadline_ns;   /* of what the drain thread is at; its own; 0: none */
    uint64_t ring_bytes, metrics_ns;
    char where[512]; /* the working directory at the start */
    bool flight;
    int32_t began_pid; /* which process began it */
    bool inherited;    /* from a process that is gone: fork children may go on with it */
};

/* What was wished for is taken, strings and all. 0, or a negative code with a line: then
 * running_release. */
int running_make(struct running *r, struct wish *w, struct oriel_err *err);
/* Of a region and a configuration that are there: the session with its outlets. As above. */
int running_make_session(struct running *r, struct oriel_err *err);
/* Its ring's file stays where fork children have the ring, too: one of them may read on. `life`
 * knows those that have said nothing yet; may be NULL. */
void running_release(struct running *r, const struct life *life);
/* How long its spool may take to keep what is left at the end; 0: there is none. */
uint64_t running_keep_ns(const struct running *r);
/* Of rings that others left, the newest stay; what had to go is told once. By the drain thread. */
void running_tidy(struct running *r);
/* Is this fork child the next to read `region`, whose owner's life is `life`? */
bool running_is_heir(const struct region *region, struct life *life);
/* This process ends, its thread did not get to the end: what is lost by that is told, and the ring
 * goes where nothing is left in it, with `life` as above. */
void running_leave(struct running *r, const struct life *life);
/* Nothing of it runs here; what there was is released, or another's. What a start said of sizes
 * and places stays, for who goes on with it. */
void running_forget(struct running *r);

/* A file that could not be written is told to who asks for warnings: when that began, once, or at
 * the end (`over`), with all that is missing in it. By the drain thread. */
void running_tell_files(struct running *r, bool over);

const struct config *running_config(const struct running *r);

/* For how long nothing has to be read or sent at `now`, if nobody says anything: what is configured
 * to happen by itself, and how long what comes may wait. 0: something is to be done. */
uint64_t running_patience(const struct running *r, uint64_t now_ns);

/* A file that was changed says `now`; `outlets` (enum session_outlets) are opened beside the old
 * ones, which go on if one of these does not open. *out_fetch asks for the headers of the new
 * ones, NULL where there are none. 0, or a negative code with a line: nothing is different then. */
int running_change_begin(struct running *r, struct config *now, unsigned outlets,
                         struct fetch **out_fetch, struct oriel_err *err);
/* They take over: what was said before goes to the old outlets, by the old rates. Or all stays as
 * it was, with a negative code and a line. */
int running_change_take(struct running *r, struct config *now, unsigned outlets,
                        struct oriel_err *err);
/* Told to who may see it, and in the recording, for whoever wonders why there is less from here
 * on. `line`: what changed. */
void running_tell_change(struct running *r, const char *line, int rc, const struct oriel_err *err);

#endif
