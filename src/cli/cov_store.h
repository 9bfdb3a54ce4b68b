/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where the coverage of a run lies: .oriel/runs/<time>-<name>/ with a tracefile
 * and a capture that holds nothing but the artifact header.
 */
#ifndef ORIEL_CLI_COV_STORE_H
#define ORIEL_CLI_COV_STORE_H

#include "cli/runs.h"
#include "report/coverage.h"

#define COV_SENT "raw" /* below the run's directory, while the program runs */

/* Write both. `exe` and `argv` are the program's. 0, or what the files answer, with a line. */
int cov_store(const char *dir, const struct coverage *c, const char *method, const char *exe,
              char *const argv[], struct oriel_err *err);
/* Remove a directory of our own making with all that is in it; links are not followed. */
void cov_store_remove(const char *dir);

#endif
