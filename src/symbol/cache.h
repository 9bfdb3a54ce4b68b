/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tables on disk, one file per build-id, in a folder of ours (0700). Files are
 * written aside and renamed, so that a reader sees all or nothing; the folder is
 * kept below its bound by dropping what was used longest ago.
 */
#ifndef ORIEL_SYMBOL_CACHE_H
#define ORIEL_SYMBOL_CACHE_H

#include "base/buf.h"
#include "symbol/read.h"

enum { CACHE_NAME_MAX = 256 };

/* Append the file's bytes, unchecked. False when there is none. */
bool cache_load(const char *dir, struct bytes build_id, const char *suffix, struct buf *out);
/* Write, make the folder if need be, and prune. Failure is silent: nothing is kept. */
void cache_store(const char *dir, struct bytes build_id, const char *suffix, struct bytes content,
                 uint64_t max_bytes);
/* "<hex>" of a build-id; false when it has no bytes or too many. */
bool cache_name(struct bytes build_id, char *out, size_t n);

#define CACHE_TABLE ".symbols"
#define CACHE_ASKED ".asked" /* what a debuginfod server said, and when */

#endif
