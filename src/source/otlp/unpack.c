/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Compressed bodies: gzip and zstd, as much as is allowed and not a byte more. Pure but
 * for memory; any thread.
 */
#include "source/otlp/server.h"

#include <string.h>

#include "util/gzip.h"
#include "util/zip.h"

static bool is(const char *name, const char *text, size_t n)
{
    return strlen(name) == n && strncasecmp(name, text, n) == 0;
}

int otlp_unpack(const char *encoding, size_t encoding_n, const void *bytes, size_t n, size_t max,
                struct buf *out)
{
    if (is("gzip", encoding, encoding_n))
        return gzip_decompress(bytes, n, max, out);
    if (!is("zstd", encoding, encoding_n))
        return ORIEL_EUNSUPPORTED;
    struct zip *z = NULL;
    int rc = zip_new(&z, 1);
    if (rc == 0)
        rc = zip_decompress(z, bytes, n, max, out);
    zip_free(z);
    return rc;
}
