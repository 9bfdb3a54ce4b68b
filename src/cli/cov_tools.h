/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The compilers' own readers of what they count, run as helpers: gcov and LLVM's
 * llvm-profdata and llvm-cov know every version of their formats. What they
 * print is bounded and checked.
 */
#ifndef ORIEL_CLI_COV_TOOLS_H
#define ORIEL_CLI_COV_TOOLS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "report/coverage.h"

/* Paths; the texts live elsewhere. */
struct cov_paths {
    char **items;
    size_t count, capacity;
};
int cov_paths_add(struct cov_paths *p, char *path);

/* Data (.gcda) or notes (.gcno) files, whose partners lie beside them. `out_note`: a line on
 * what gcov complained of, "" nothing. 0, ORIEL_ENOTFOUND (no gcov), ORIEL_EFORMAT,
 * ORIEL_EIO, ORIEL_ENOMEM. */
int cov_gcov(struct coverage *c, const char *gcov, const struct cov_paths *files, char *out_note,
             size_t note_bytes, struct oriel_err *err);
/* Profiles (.profraw, .profdata) of these executables and libraries. `merged` is a file to put
 * their sum into; it may be removed afterwards. Codes as above. */
int cov_llvm(struct coverage *c, const struct cov_paths *profiles, const struct cov_paths *objects,
             const char *merged, struct oriel_err *err);

#endif
