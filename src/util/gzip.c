/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * zlib with a gzip header. Memory grows with what really comes out, up to the
 * caller's cap; zlib's own working memory is counted by mem. Any thread.
 */
#include "util/gzip.h"

#include <assert.h>
#include <stdint.h>
#include <zlib.h>

#include "base/err.h"
#include "base/mem.h"

/* zlib counts in unsigned int; half of it is more than any profile takes. */
#define GZIP_MAX ((size_t)1 << 31)
enum { GZIP_WINDOW = 15 + 16, MEMORY_LEVEL = 8, STEP = 64 * 1024 };

static void *take(void *user, unsigned n, unsigned size)
{
    (void)user;
    return mem_calloc(n, size);
}

static void give(void *user, void *p)
{
    (void)user;
    mem_free(p);
}

static int compress_at(int level, const void *bytes, size_t n, struct buf *out)
{
    assert(out && (bytes || n == 0));
    if (n >= GZIP_MAX)
        return ORIEL_ELIMIT;
    z_stream z = {.zalloc = take, .zfree = give};
    if (deflateInit2(&z, level, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return ORIEL_ENOMEM;
    size_t bound = deflateBound(&z, n);
    char *p = buf_reserve(out, bound);
    int result = Z_MEM_ERROR;
    if (p) {
        z.next_in = (z_const Bytef *)(uintptr_t)bytes;
        z.avail_in = (uInt)n;
        z.next_out = (Bytef *)p;
        z.avail_out = (uInt)bound;
        result = deflate(&z, Z_FINISH);
    }
    if (result == Z_STREAM_END)
        out->size += z.total_out;
    deflateEnd(&z);
    return result == Z_STREAM_END ? 0 : ORIEL_ENOMEM;
}

int gzip_compress(const void *bytes, size_t n, struct buf *out)
{
    return compress_at(Z_DEFAULT_COMPRESSION, bytes, n, out);
}

int gzip_compress_fast(const void *bytes, size_t n, struct buf *out)
{
    return compress_at(Z_BEST_SPEED, bytes, n, out);
}

/* One step; a byte more than allowed shows that there is more. */
static int inflate_step(z_stream *z, size_t room, struct buf *out, bool *over)
{
    size_t step = room < STEP ? room + 1 : STEP;
    char *p = buf_reserve(out, step);
    if (!p)
        return ORIEL_ENOMEM;
    z->next_out = (Bytef *)p;
    z->avail_out = (uInt)step;
    int result = inflate(z, Z_NO_FLUSH);
    size_t got = step - z->avail_out;
    if (result == Z_MEM_ERROR)
        return ORIEL_ENOMEM;
    if (result != Z_OK && result != Z_STREAM_END)
        return ORIEL_EDAMAGED;
    if (got > room)
        return ORIEL_ELIMIT;
    if (result == Z_OK && got == 0)
        return ORIEL_EDAMAGED; /* cut */
    out->size += got;
    *over = result == Z_STREAM_END;
    return 0;
}

int gzip_decompress(const void *bytes, size_t n, size_t max_bytes, struct buf *out)
{
    assert(out && (bytes || n == 0));
    if (!gzip_is(bytes, n))
        return ORIEL_EDAMAGED;
    if (n >= GZIP_MAX)
        return ORIEL_ELIMIT;
    z_stream z = {.zalloc = take,
                  .zfree = give,
                  .next_in = (z_const Bytef *)(uintptr_t)bytes,
                  .avail_in = (uInt)n};
    size_t start = out->size;
    bool over = false;
    int rc = inflateInit2(&z, GZIP_WINDOW) == Z_OK ? 0 : ORIEL_ENOMEM;
    if (rc < 0)
        return rc;
    while (rc == 0 && !over)
        rc = inflate_step(&z, max_bytes - (out->size - start), out, &over);
    if (rc == 0 && z.avail_in)
        rc = ORIEL_EDAMAGED;
    inflateEnd(&z);
    if (rc != 0)
        out->size = start;
    return rc;
}
