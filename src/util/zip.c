/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * zstd contexts. Sizes in a frame's header are claims: memory grows with what
 * really comes out, up to the caller's cap. One thread per context. zstd's own
 * working memory is not counted by mem.
 */
#include "util/zip.h"

#include <assert.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"

struct zip {
    ZSTD_CCtx *in, *numbers;
    ZSTD_DCtx *out;
    int level;
};

int zip_new(struct zip **out, int level)
{
    struct zip *z = mem_calloc(1, sizeof *z);
    if (!z)
        return ORIEL_ENOMEM;
    z->level = level;
    *out = z;
    return 0;
}

void zip_free(struct zip *z)
{
    if (!z)
        return;
    ZSTD_freeCCtx(z->in);
    ZSTD_freeCCtx(z->numbers);
    ZSTD_freeDCtx(z->out);
    mem_free(z);
}

/* One frame behind what `out` holds. */
static int compress(ZSTD_CCtx *c, const void *bytes, size_t n, struct buf *out)
{
    size_t bound = ZSTD_compressBound(n);
    char *p = ZSTD_isError(bound) ? NULL : buf_reserve(out, bound);
    if (!p)
        return ORIEL_ENOMEM;
    size_t got = ZSTD_compress2(c, p, bound, bytes, n);
    if (ZSTD_isError(got))
        return ORIEL_ENOMEM; /* the only thing that can go wrong here */
    assert(got <= bound);
    out->size += got;
    return 0;
}

int zip_compress(struct zip *z, const void *bytes, size_t n, struct buf *out)
{
    if (!z->in && !(z->in = ZSTD_createCCtx()))
        return ORIEL_ENOMEM;
    ZSTD_CCtx_setParameter(z->in, ZSTD_c_compressionLevel, z->level);
    return compress(z->in, bytes, n, out);
}

/* Steps this long between two looks for a repetition; 16 to 64 do as well. */
enum { NUMBERS_STEP = 32, FORCE_ENTROPY = 1 };

int zip_compress_numbers(struct zip *z, const void *bytes, size_t n, struct buf *out)
{
    if (!z->numbers) {
        if (!(z->numbers = ZSTD_createCCtx()))
            return ORIEL_ENOMEM;
        ZSTD_CCtx_setParameter(z->numbers, ZSTD_c_compressionLevel, 1);
        ZSTD_CCtx_setParameter(z->numbers, ZSTD_c_targetLength, NUMBERS_STEP);
        /* literalCompressionMode: on, although the long step would switch it
         * off. A zstd that does not know it makes larger frames, no wrong ones. */
        ZSTD_CCtx_setParameter(z->numbers, ZSTD_c_experimentalParam5, FORCE_ENTROPY);
    }
    return compress(z->numbers, bytes, n, out);
}

static int code_of(size_t zstd_error)
{
    switch (ZSTD_getErrorCode(zstd_error)) {
    case ZSTD_error_memory_allocation:
        return ORIEL_ENOMEM;
    case ZSTD_error_frameParameter_windowTooLarge:
        return ORIEL_ELIMIT;
    default:
        return ORIEL_EDAMAGED;
    }
}

/* The size is known and bounded: straight into its place. */
static int decompress_known(struct zip *z, const void *bytes, size_t n, size_t size,
                            struct buf *out)
{
    char *p = buf_reserve(out, size ? size : 1);
    if (!p)
        return ORIEL_ENOMEM;
    size_t got = ZSTD_decompressDCtx(z->out, p, size, bytes, n);
    if (ZSTD_isError(got))
        return code_of(got);
    if (got != size)
        return ORIEL_EDAMAGED;
    out->size += size;
    return 0;
}

/* The frame does not tell, or claims more than its bytes could plausibly hold. */
static int decompress_stream(struct zip *z, const void *bytes, size_t n, size_t max_bytes,
                             struct buf *out)
{
    ZSTD_inBuffer in = {bytes, n, 0};
    size_t start = out->size, left = 1;
    int rc = 0;
    ZSTD_DCtx_reset(z->out, ZSTD_reset_session_only);
    while (rc == 0 && left != 0) {
        size_t room = max_bytes - (out->size - start), step = ZSTD_DStreamOutSize();
        char *p = buf_reserve(out, step);
        if (!p) {
            rc = ORIEL_ENOMEM;
            break;
        }
        /* One byte more than allowed shows that there is more. */
        ZSTD_outBuffer o = {p, room < step ? room + 1 : step, 0};
        size_t before = in.pos;
        left = ZSTD_decompressStream(z->out, &o, &in);
        if (ZSTD_isError(left))
            rc = code_of(left);
        else if (o.pos > room)
            rc = ORIEL_ELIMIT;
        else if (left && o.pos == 0 && in.pos == before)
            rc = ORIEL_EDAMAGED; /* cut */
        else
            out->size += o.pos;
    }
    if (rc == 0 && in.pos != n)
        rc = ORIEL_EDAMAGED;
    if (rc != 0)
        out->size = start;
    return rc;
}

enum { TRUSTED_SIZE = 1 << 20, TRUSTED_RATIO = 256 };

int zip_decompress(struct zip *z, const void *bytes, size_t n, size_t max_bytes, struct buf *out)
{
    if (!z->out && !(z->out = ZSTD_createDCtx()))
        return ORIEL_ENOMEM;
    /* A frame of few bytes may ask for a window of many: 8 MiB is what all levels up to 19
     * write, and the most that is told to be supported (RFC 8878, 3.1.1.1.2). */
    if (out->failed || ZSTD_isError(ZSTD_DCtx_setParameter(z->out, ZSTD_d_windowLogMax, 23)))
        return ORIEL_ENOMEM;
    unsigned long long size = ZSTD_getFrameContentSize(bytes, n);
    if (size == ZSTD_CONTENTSIZE_ERROR)
        return ORIEL_EDAMAGED;
    if (size != ZSTD_CONTENTSIZE_UNKNOWN && size > max_bytes)
        return ORIEL_ELIMIT;
    /* A 20-byte file must not make us take 64 MiB on its word. */
    if (size != ZSTD_CONTENTSIZE_UNKNOWN && (size <= TRUSTED_SIZE || size / TRUSTED_RATIO <= n))
        return decompress_known(z, bytes, n, (size_t)size, out);
    return decompress_stream(z, bytes, n, max_bytes, out);
}
