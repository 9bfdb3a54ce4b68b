/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A growing byte buffer. Failure is sticky: after one failed append all
 * appends are ignored and `failed` stays set, so encoders check once.
 */
#ifndef ORIEL_BASE_BUF_H
#define ORIEL_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    char *data;
    size_t size, capacity;
    bool failed;
};

void buf_init(struct buf *b);
void buf_done(struct buf *b);
static inline void buf_clear(struct buf *b)
{
    b->size = 0;
    b->failed = false;
}

/* Make room for n more bytes; NULL if out of memory (and failed is set).
 * The caller writes at the returned pointer and then adds to b->size. */
char *buf_reserve_slow(struct buf *b, size_t n);
static inline char *buf_reserve(struct buf *b, size_t n)
{
    if (b->capacity - b->size >= n && !b->failed)
        return b->data + b->size;
    return buf_reserve_slow(b, n);
}
static inline void buf_put(struct buf *b, const void *bytes, size_t n)
{
    char *p = n ? buf_reserve(b, n) : 0;
    if (p) {
        memcpy(p, bytes, n);
        b->size += n;
    }
}
static inline void buf_putc(struct buf *b, char c)
{
    char *p = buf_reserve(b, 1);
    if (p) {
        *p = c;
        b->size++;
    }
}
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* NUL-terminates without counting the NUL; "" when failed. */
const char *buf_cstr(struct buf *b);

#endif
