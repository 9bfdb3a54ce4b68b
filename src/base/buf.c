/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The growing byte buffer's slow side: growth and formatting. Appending itself
 * is inline in the header. One thread at a time.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

enum { CAPACITY_MIN = 256 };

void buf_init(struct buf *b)
{
    memset(b, 0, sizeof *b);
}

void buf_done(struct buf *b)
{
    mem_free(b->data);
    memset(b, 0, sizeof *b);
}

char *buf_reserve_slow(struct buf *b, size_t n)
{
    assert(b->size <= b->capacity);
    if (b->failed)
        return NULL;
    size_t need, capacity = b->capacity ? b->capacity : CAPACITY_MIN;
    if (__builtin_add_overflow(b->size, n, &need) || need > PTRDIFF_MAX / 2) {
        b->failed = true;
        return NULL;
    }
    while (capacity < need)
        capacity *= 2;
    char *p = mem_realloc(b->data, capacity);
    if (!p) {
        b->failed = true;
        return NULL;
    }
    b->data = p;
    b->capacity = capacity;
    return p + b->size;
}

void buf_puts(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list ap, again;
    char *p = buf_reserve(b, 64); /* most lines fit at the first try */
    if (!p)
        return;
    size_t room = b->capacity - b->size;
    va_start(ap, format);
    va_copy(again, ap);
    int n = vsnprintf(p, room, format, ap);
    if (n < 0) {
        b->failed = true;
    } else if ((size_t)n >= room) {
        p = buf_reserve(b, (size_t)n + 1);
        if (p)
            n = vsnprintf(p, (size_t)n + 1, format, again);
    }
    if (!b->failed)
        b->size += (size_t)n;
    va_end(again);
    va_end(ap);
}

const char *buf_cstr(struct buf *b)
{
    char *p = buf_reserve(b, 1);
    if (!p)
        return "";
    *p = 0;
    return b->data;
}
