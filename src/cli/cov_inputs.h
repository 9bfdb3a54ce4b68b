/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What coverage is read from: tracefiles of lcov, data of gcc and clang,
 * directories with these, earlier runs. One thread.
 */
#ifndef ORIEL_CLI_COV_INPUTS_H
#define ORIEL_CLI_COV_INPUTS_H

#include "base/mem.h"
#include "cli/cov_tools.h"

struct cov_inputs {
    struct coverage *c;
    const char *gcov;
    struct cov_paths objects;  /* for LLVM's profiles */
    struct cov_paths notes;    /* for gcov */
    struct cov_paths profiles; /* of LLVM */
    struct arena arena;
    char method[64];
    struct cov_trouble trouble;
    size_t files; /* seen in directories */
};

void cov_inputs_init(struct cov_inputs *in, struct coverage *c, const char *gcov);
void cov_inputs_done(struct cov_inputs *in);
int cov_inputs_object(struct cov_inputs *in, const char *path);
/* A file, a directory, or the name of a run. 0, or ORIEL_ENOTFOUND, ORIEL_EFORMAT, ... with a
 * line. */
int cov_inputs_add(struct cov_inputs *in, const char *word, struct oriel_err *err);
/* Data that GCOV_PREFIX and LLVM_PROFILE_FILE sent below this directory. 0 with nothing added
 * when there is none. */
int cov_inputs_add_sent(struct cov_inputs *in, const char *dir, struct oriel_err *err);
/* Have the helpers read what was collected. */
int cov_inputs_read(struct cov_inputs *in, struct oriel_err *err);
/* "gcov", "gcov, lcov": what was read. */
void cov_inputs_method(struct cov_inputs *in, const char *name);

#endif
