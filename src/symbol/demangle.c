/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * libiberty's printers call back with pieces and allocate nothing but stack, so
 * that a name that expands without end is left by a jump out of the callback.
 * One thread; meant for the confined child.
 */
#include "symbol/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>

enum { NAME_MAX_BYTES = 4096, OUT_MAX_BYTES = 64 << 10 };

struct sink {
    struct buf *out;
    size_t before;
    jmp_buf too_long;
};

static void take(const char *text, size_t n, void *opaque)
{
    struct sink *sink = opaque;
    if (sink->out->size - sink->before + n > OUT_MAX_BYTES || sink->out->failed)
        longjmp(sink->too_long, 1);
    buf_put(sink->out, text, n);
}

static bool run(const char *name, bool rust, struct sink *sink)
{
    if (setjmp(sink->too_long) != 0)
        return false;
    if (rust)
        return rust_demangle_callback(name, 0, take, sink) != 0;
    return cplus_demangle_v3_callback(name, DMGL_PARAMS | DMGL_ANSI | DMGL_NO_RECURSE_LIMIT, take,
                                      sink) != 0;
}

/* Rust's old scheme looks like C++; its names end in a hash: 17h, 16 digits, E. */
static bool looks_like_rust(const char *name, size_t n)
{
    if (name[0] == '_' && name[1] == 'R')
        return true;
    for (size_t i = n; i >= 20; i--)
        if (memcmp(name + i - 20, "17h", 3) == 0 && name[i - 1] == 'E')
            return true;
    return false;
}

bool demangle(const char *linkage, struct buf *out)
{
    char name[NAME_MAX_BYTES + 1];
    struct sink sink = {.out = out, .before = out->size};
    size_t n = strcspn(linkage, "@");
    if (n < 3 || n > NAME_MAX_BYTES || linkage[0] != '_' ||
        (linkage[1] != 'Z' && linkage[1] != 'R'))
        return false;
    memcpy(name, linkage, n);
    name[n] = 0;
    if (looks_like_rust(name, n) && run(name, true, &sink) && out->size > sink.before)
        return true;
    out->size = sink.before;
    if (run(name, false, &sink) && out->size > sink.before && !out->failed)
        return true;
    out->size = sink.before;
    return false;
}
