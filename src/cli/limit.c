/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * --max-size: an out in front of another one. Outlets know what to do on a full
 * disk (count, and say so in the file), so nothing else has to know a limit.
 */
#include "cli/limit.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

struct limit {
    struct out out;
    struct out *inner;
    uint64_t max_bytes;
};

static struct limit *of(struct out *o)
{
    return (struct limit *)o;
}

static int limit_write(struct out *o, const void *bytes, size_t n, size_t *out_written)
{
    struct limit *l = of(o);
    uint64_t used = l->inner->bytes;
    if (used >= l->max_bytes || n > l->max_bytes - used) {
        *out_written = 0;
        return ORIEL_ENOSPC;
    }
    int rc = out_write(l->inner, bytes, n);
    *out_written = rc == 0 ? n : (size_t)(l->inner->bytes - used);
    return rc;
}

static int limit_sync(struct out *o)
{
    return out_sync(of(o)->inner);
}

static int limit_write_at(struct out *o, uint64_t offset, const void *bytes, size_t n)
{
    return out_write_at(of(o)->inner, offset, bytes, n);
}

static int limit_read_at(struct out *o, uint64_t offset, void *bytes, size_t n, size_t *out_read)
{
    return out_read_at(of(o)->inner, offset, bytes, n, out_read);
}

static int limit_truncate(struct out *o, uint64_t size)
{
    return out_truncate(of(o)->inner, size);
}

static void limit_close(struct out *o)
{
    out_close(of(o)->inner);
}

static const struct out_ops seekable = {.write = limit_write,
                                        .sync = limit_sync,
                                        .close = limit_close,
                                        .write_at = limit_write_at,
                                        .read_at = limit_read_at,
                                        .truncate = limit_truncate};
static const struct out_ops plain = {
    .write = limit_write, .sync = limit_sync, .close = limit_close};

int limit_open(struct out **out, struct out *inner, uint64_t max_bytes)
{
    assert(out && inner);
    struct limit *l = mem_calloc(1, sizeof *l);
    if (!l) {
        out_close(inner);
        return ORIEL_ENOMEM;
    }
    l->out.ops = out_can_seek(inner) ? &seekable : &plain;
    l->out.bytes = inner->bytes;
    memcpy(l->out.path, inner->path, sizeof l->out.path);
    l->inner = inner;
    l->max_bytes = max_bytes;
    *out = &l->out;
    return 0;
}
