/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names of code that a program made at run time, from what its compiler wrote:
 *
 *   /tmp/perf-PID.map   "START SIZE NAME" lines, START and SIZE in hex
 *   jit-PID.dump        records with code, names and source lines (jitdump 1)
 *
 * Which of them a file is, its content tells. Foreign like any module: jit_run
 * runs in the confined child, and in the fuzz target as it is.
 */
#ifndef ORIEL_SYMBOL_JIT_H
#define ORIEL_SYMBOL_JIT_H

#include "symbol/job.h"

/* A job of child.h: `how` is not used. Where several names were given to an
 * address the last one counts; what has none is left out of the table. A name
 * that ends in " FILE:LINE" or " FILE:LINE:COLUMN", as JavaScript's do, gives
 * these away. 0; ORIEL_EFORMAT (note says so), ORIEL_ENOMEM, ORIEL_ELIMIT. */
int jit_run(const void *how, const struct job *job, struct buf *out, struct job_result *result);

/* The file, to be read, or -1: it is none, is older than `not_before_ns` (unix),
 * is a link, or belongs to somebody else. Root reads everybody's, unless others
 * than its owner may write to it. */
int jit_open(const char *path, uint64_t not_before_ns);

#endif
