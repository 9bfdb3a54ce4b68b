/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The one reader of foreign bytes in this room: a cursor that never leaves its
 * bounds. Failure is sticky: after one read too far everything reads as zero
 * and `bad` stays set, so that loops check once. Pure; any thread.
 */
#ifndef ORIEL_SYMBOL_READ_H
#define ORIEL_SYMBOL_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *p;
    size_t n;
};

struct reader {
    const uint8_t *p, *end;
    bool bad;
};

/* The part of b from `at`, at most n bytes; empty when `at` lies outside. */
static inline struct bytes bytes_part(struct bytes b, uint64_t at, uint64_t n)
{
    if (!b.p || at > b.n)
        return (struct bytes){NULL, 0};
    return (struct bytes){b.p + at, n < b.n - at ? (size_t)n : (size_t)(b.n - at)};
}
/* True when [at, at + n) lies inside b. */
static inline bool bytes_hold(struct bytes b, uint64_t at, uint64_t n)
{
    return b.p && at <= b.n && n <= b.n - at;
}

static inline struct reader rd_at(struct bytes b, uint64_t at)
{
    if (!b.p || at > b.n)
        return (struct reader){NULL, NULL, true};
    return (struct reader){b.p + at, b.p + b.n, false};
}
static inline size_t rd_left(const struct reader *r)
{
    return (size_t)(r->end - r->p);
}
static inline void rd_fail(struct reader *r)
{
    r->bad = true;
    r->p = r->end;
}
static inline const uint8_t *rd_take(struct reader *r, uint64_t n)
{
    if (rd_left(r) < n) {
        rd_fail(r);
        return NULL;
    }
    const uint8_t *p = r->p;
    r->p += n;
    return p;
}
static inline void rd_skip(struct reader *r, uint64_t n)
{
    rd_take(r, n);
}

/* Little endian, n at most 8 bytes; three bytes are a form of DWARF too. */
static inline uint64_t rd_uint(struct reader *r, unsigned n)
{
    uint64_t value = 0;
    const uint8_t *p = rd_take(r, n);
    if (p)
        memcpy(&value, p, n);
    return value;
}
static inline uint8_t rd_u8(struct reader *r)
{
    if (__builtin_expect(r->p < r->end, 1))
        return *r->p++;
    rd_fail(r);
    return 0;
}
static inline uint16_t rd_u16(struct reader *r)
{
    return (uint16_t)rd_uint(r, 2);
}
static inline uint32_t rd_u32(struct reader *r)
{
    return (uint32_t)rd_uint(r, 4);
}
static inline uint64_t rd_u64(struct reader *r)
{
    return rd_uint(r, 8);
}
static inline uint64_t rd_uleb(struct reader *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = rd_u8(r);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
}
static inline int64_t rd_sleb(struct reader *r)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;
    do {
        byte = rd_u8(r);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (shift < 64 && (byte & 0x40))
        value |= UINT64_MAX << shift;
    return (int64_t)value;
}
/* A NUL-terminated string inside the bounds; "" when there is no NUL. */
static inline const char *rd_str(struct reader *r)
{
    size_t left = rd_left(r);
    const uint8_t *nul = left ? memchr(r->p, 0, left) : NULL;
    if (!nul) {
        rd_fail(r);
        return "";
    }
    const char *s = (const char *)r->p;
    r->p = nul + 1;
    return s;
}
/* The length of a DWARF unit: 32 bits, or 0xffffffff and 64 bits. */
static inline uint64_t rd_unit_length(struct reader *r, unsigned *out_offset_size)
{
    uint64_t n = rd_u32(r);
    *out_offset_size = 4;
    if (n == 0xffffffff) {
        n = rd_u64(r);
        *out_offset_size = 8;
    } else if (n >= 0xfffffff0) {
        rd_fail(r);
    }
    return n;
}
/* The string at an offset of a string section; NULL when outside. */
static inline const char *bytes_str(struct bytes b, uint64_t at)
{
    struct reader r = rd_at(b, at);
    const char *s = r.bad ? "" : rd_str(&r);
    return r.bad ? NULL : s;
}

#endif
