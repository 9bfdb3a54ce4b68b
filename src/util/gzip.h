/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * gzip in one shot, for formats that are told to be gzip (pprof). Reproducible:
 * the same bytes make the same file, which names no time. Any thread.
 */
#ifndef ORIEL_UTIL_GZIP_H
#define ORIEL_UTIL_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Append one gzip member to `out`. 0, or ORIEL_ENOMEM; ORIEL_ELIMIT from 2 GiB
 * on. `out` then keeps what it had. */
int gzip_compress(const void *bytes, size_t n, struct buf *out);
/* The same, faster by half or more and a little larger: for what is sent and forgotten. */
int gzip_compress_fast(const void *bytes, size_t n, struct buf *out);

/* Append what one member decompresses to, at most max_bytes. 0; ORIEL_EDAMAGED
 * (not gzip, cut, or followed by something else); ORIEL_ELIMIT; ORIEL_ENOMEM.
 * `out` keeps what it had on failure. Input may be hostile. */
int gzip_decompress(const void *bytes, size_t n, size_t max_bytes, struct buf *out);

/* Do these bytes begin like a gzip file? */
static inline bool gzip_is(const void *bytes, size_t n)
{
    const unsigned char *p = (const unsigned char *)bytes;
    return n >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}

#endif
