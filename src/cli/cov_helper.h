/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program run for what it prints: the compilers' readers of what they count.
 * Both its streams are read at once, and bounded. One thread; waits for it.
 */
#ifndef ORIEL_CLI_COV_HELPER_H
#define ORIEL_CLI_COV_HELPER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

struct cov_helper {
    VEC(const char *) words; /* its name, found on the PATH, and arguments; they live elsewhere */
    const struct buf *input; /* on its standard input; NULL: nothing */
    const char *dir;         /* to run in; NULL: this one */
    struct buf out, complaints;
    bool failed; /* no memory for a word: it is not run */
};
void cov_helper_init(struct cov_helper *h, const char *name);
void cov_helper_done(struct cov_helper *h);
void cov_helper_word(struct cov_helper *h, const char *word);
/* 0, ORIEL_ENOTFOUND (no such program), ORIEL_EFORMAT with its first complaint, ORIEL_ELIMIT,
 * ORIEL_ENOMEM, ... */
int cov_helper_run(struct cov_helper *h, struct oriel_err *err);
/* All of a regular file, up to COV_FILE_MAX. 0, or a code with a line. */
#define COV_FILE_MAX (UINT64_C(1) << 30)
int cov_helper_read(const char *path, struct buf *out, struct oriel_err *err);

#endif
