/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A cursor over untrusted bytes that never passes its end: a read too many
 * yields zero and sets `bad` for good. Little-endian, as both machines are.
 */
#ifndef ORIEL_UNWIND_BYTES_H
#define ORIEL_UNWIND_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *at, *end;
    bool bad;
};

static inline size_t bytes_left(const struct bytes *b)
{
    return (size_t)(b->end - b->at);
}
static inline uint64_t bytes_uint(struct bytes *b, size_t n)
{
    uint64_t v = 0;
    if (b->bad || bytes_left(b) < n) {
        b->bad = true;
        return 0;
    }
    memcpy(&v, b->at, n);
    b->at += n;
    return v;
}
static inline uint8_t bytes_u8(struct bytes *b)
{
    if (b->bad || b->at >= b->end) {
        b->bad = true;
        return 0;
    }
    return *b->at++;
}
static inline uint16_t bytes_u16(struct bytes *b)
{
    return (uint16_t)bytes_uint(b, 2);
}
static inline uint32_t bytes_u32(struct bytes *b)
{
    return (uint32_t)bytes_uint(b, 4);
}
static inline uint64_t bytes_u64(struct bytes *b)
{
    return bytes_uint(b, 8);
}
static inline void bytes_skip(struct bytes *b, uint64_t n)
{
    if (b->bad || bytes_left(b) < n)
        b->bad = true;
    else
        b->at += n;
}

/* What does not fit in 64 bits is cut off. */
static inline uint64_t bytes_uleb(struct bytes *b)
{
    uint64_t v = 0;
    unsigned shift = 0;
    for (;;) {
        uint8_t byte = bytes_u8(b);
        if (shift < 64)
            v |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if (!(byte & 0x80))
            return v;
    }
}
static inline int64_t bytes_sleb(struct bytes *b)
{
    uint64_t v = 0;
    unsigned shift = 0;
    for (;;) {
        uint8_t byte = bytes_u8(b);
        if (shift < 64)
            v |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if (byte & 0x80)
            continue;
        if (shift < 64 && (byte & 0x40))
            v |= ~UINT64_C(0) << shift;
        return (int64_t)v;
    }
}

#endif
