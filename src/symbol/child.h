/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The confined child: a fork that keeps a socket and the mapped file, loses all
 * rights it does not need, runs a job and sends the table back. The parent
 * opens further files for it and believes nothing it sends. See child.c.
 */
#ifndef ORIEL_SYMBOL_CHILD_H
#define ORIEL_SYMBOL_CHILD_H

#include "base/buf.h"
#include "base/err.h"
#include "symbol/job.h"

struct child_options {
    uint32_t timeout_ms;
    uint64_t memory_bytes;
    /* Open the answer to a question, or -1. `name`, `dir` and the build-id come
     * from a hostile file; *out_file numbers what was opened. */
    int (*open)(void *ctx, const struct job_question *q, uint32_t *out_file);
    void *ctx;
    /* The job; NULL: job_run. */
    int (*run)(const void *how, const struct job *job, struct buf *out, struct job_result *result);
    const void *how;
};
struct child_outcome {
    int code; /* of the job */
    struct job_result result;
    bool unconfined; /* no system call filter */
};

/* Run the job on the file fd (-1: none) in a child. 0 with the image, unchecked,
 * in out and *outcome set; else a negative code with a line in err: the child
 * crashed, took too long, or was ended for breaking its bounds. */
int child_run(int fd, struct bytes build_id, struct asked asked,
              const struct child_options *options, struct buf *out, struct child_outcome *outcome,
              struct oriel_err *err);

#endif
