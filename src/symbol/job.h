/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The work on one module: an ELF file in memory and sorted addresses in, a table
 * image out. Opens nothing: other files (debug information that lies elsewhere)
 * are asked for. Runs in the confined child, and in fuzz targets as it is.
 */
#ifndef ORIEL_SYMBOL_JOB_H
#define ORIEL_SYMBOL_JOB_H

#include "base/buf.h"
#include "base/err.h"
#include "symbol/read.h"
#include "symbol/tree.h"

enum job_file_kind {
    JOB_FILE_BUILD_ID, /* debug information of a build-id */
    JOB_FILE_LINK,     /* .gnu_debuglink's name, beside file `base` */
    JOB_FILE_ALT,      /* .gnu_debugaltlink's name or build-id */
    JOB_FILE_DWO,      /* a split unit: name and the folder it was compiled in */
    JOB_FILE_DWP       /* the package of split units of file `base` */
};
struct job_question {
    enum job_file_kind kind;
    uint32_t base; /* file that names it; 0 is the module itself */
    uint32_t nth;  /* candidate: the next one when the last did not fit */
    const char *name, *dir;
    struct bytes build_id;
};
struct job_answer {
    struct bytes map; /* stays until the job is over */
    uint32_t file;    /* its number, for further questions */
};

struct job {
    struct bytes file;     /* empty: only what the build-id finds elsewhere */
    struct bytes build_id; /* what the file must have; empty: anything */
    struct asked asked;    /* sorted */
    bool (*ask)(void *ctx, const struct job_question *q, struct job_answer *out);
    void *ctx;
};
struct job_result {
    uint32_t flags; /* TABLE_HAS_... */
    bool mismatch;  /* the file is another build: not used */
    char note[256]; /* one line on what is not as it should be; "" all well */
};

/* Append the table image to out. 0; ORIEL_EFORMAT, ORIEL_EDAMAGED, ORIEL_ENOTFOUND
 * (nothing to read: note says why), ORIEL_ENOMEM, ORIEL_ELIMIT. */
int job_run(const struct job *job, struct buf *out, struct job_result *result);

#endif
