/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Coverage of binaries as they are: their lines from debug information,
 * breakpoints by cov_trace.h.
 */
#ifndef ORIEL_CLI_COV_BINARY_H
#define ORIEL_CLI_COV_BINARY_H

#include "base/err.h"
#include "cli/cov_tools.h"
#include "report/coverage.h"

/* Run the program and add what of `objects` (executables and libraries) it reached. `out_note`:
 * a line on what was not seen, "" nothing. 0 with its wait status; ORIEL_ENOTFOUND (no debug
 * information) and those of trace_run, and then nothing ran. */
int cov_binary_run(struct coverage *c, const char *path, char *const argv[],
                   const struct cov_paths *objects, int *out_status, char *out_note,
                   size_t note_bytes, struct oriel_err *err);

#endif
