/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where the instructions of an object file lie in it and where they are executed: what an
 * address of a symbol and an offset in the file have to do with each other. The file is read by
 * the confined child, like for symbols; what it says is checked again here.
 */
#ifndef ORIEL_SYMBOL_SEGMENTS_H
#define ORIEL_SYMBOL_SEGMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "symbol/symbol.h"

enum { SEGMENTS_MAX = 256 };
struct segment {
    uint64_t address, offset, bytes;
};

/* The executable segments of a file, by address; those beyond SEGMENTS_MAX are left out. 0 with
 * *out_count (at least 1); ORIEL_ENOTFOUND (no such file, another build, or none in it),
 * ORIEL_EFORMAT, ORIEL_EDAMAGED, ORIEL_ENOMEM, or what the child says. */
int segments_find(struct symbols *s, const char *path, const uint8_t *build_id,
                  size_t build_id_bytes, struct segment out[SEGMENTS_MAX], uint32_t *out_count);

struct job;
struct job_result;
/* The child's part: appends the segments to out. */
int segments_job(const void *how, const struct job *job, struct buf *out,
                 struct job_result *result);

#endif
