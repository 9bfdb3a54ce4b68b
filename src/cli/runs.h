/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where recordings of a project live: .oriel/runs/<MMDD-HHMMSS>-<name>/ in the
 * current directory. Files only; nothing is cached.
 */
#ifndef ORIEL_CLI_RUNS_H
#define ORIEL_CLI_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"
#include "base/vec.h"

#define RUNS_DIR ".oriel/runs"
#define RUNS_FILE "capture.oriel"
#define RUNS_COVERAGE "coverage.info" /* beside a capture that holds nothing but its header */
#define RUNS_PATH_BYTES 512u

struct run {
    char dir[RUNS_PATH_BYTES];  /* .oriel/runs/1120-101530-codesearch */
    char path[RUNS_PATH_BYTES]; /* its capture */
    uint64_t bytes;
    int64_t changed_ns; /* unix; last write */
    bool coverage;      /* by `oriel cov`: nothing to report from */
};
struct runs {
    struct run *items;
    size_t count, capacity;
};

/* All runs, newest first. Free with runs_done. 0 (none is no error) or
 * ORIEL_ENOMEM. */
int runs_list(struct runs *out);
void runs_done(struct runs *r);
/* Path of the newest capture that is none of coverage. 0, or ORIEL_ENOTFOUND with a line. */
int runs_newest(char *out, size_t n, struct oriel_err *err);
/* Runs that a person means by a word: "@1" is the newest, "@2" the one before; the name of a
 * run's directory; or what the run is of ("codesearch", or as `record --name` called it): all
 * of these, newest first. 0 (none is no error) or ORIEL_ENOMEM. */
int runs_match(const char *word, struct runs *out);
/* Somebody still writes it. */
bool runs_is_busy(const struct run *r);
/* Remove its files and its directory, when nothing else is in there. 0, ORIEL_EPERM (a directory
 * lies in it) or what the system answers, with a line. */
int runs_remove(const struct run *r, struct oriel_err *err);
/* Make the directory of a new run of `program` (a path or a name); several in
 * one second get ~2, ~3, ... 0, or a code with a line. */
int runs_make(const char *program, time_t now, char *out_dir, size_t n, struct oriel_err *err);

#endif
