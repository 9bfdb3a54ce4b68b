/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * zstd in one shot, with contexts that are reused from call to call. Input may
 * be hostile: what comes out is capped. One thread per context.
 */
#ifndef ORIEL_UTIL_ZIP_H
#define ORIEL_UTIL_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct zip;

/* A context for both directions; `level` is zstd's (1 is fast, 3 its default).
 * 0 or ORIEL_ENOMEM. */
int zip_new(struct zip **out, int level);
void zip_free(struct zip *z); /* takes NULL */

/* Append the compressed bytes, one frame that tells its size, to `out`.
 * 0, or ORIEL_ENOMEM; `out` then keeps what it had. */
int zip_compress(struct zip *z, const void *bytes, size_t n, struct buf *out);

/* The same for numbers, which hardly repeat each other but are unevenly
 * distributed: hardly looks for repetition, so it is up to three times faster
 * than level 1, whatever the level of `z`. Any frame decompresses the same way. */
int zip_compress_numbers(struct zip *z, const void *bytes, size_t n, struct buf *out);

/* Append what one frame decompresses to, at most max_bytes. 0; ORIEL_EDAMAGED (not zstd,
 * cut, or followed by something else); ORIEL_ELIMIT (larger than max_bytes);
 * ORIEL_ENOMEM. `out` keeps what it had on failure. */
int zip_decompress(struct zip *z, const void *bytes, size_t n, size_t max_bytes, struct buf *out);

#endif
