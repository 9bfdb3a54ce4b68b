/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Protocol buffers: a writer into a buf and a bounds-checked reader. No schema,
 * no descriptors: the caller knows its field numbers.
 *
 * Writer: failure is the buf's (sticky). A nested message is opened with room
 * for its length, written in place, and its length patched in when it is
 * closed; an estimate that was too small costs one memmove. Hot encoders
 * reserve once and use the pb_at_* layer, which checks nothing.
 */
#ifndef ORIEL_UTIL_PB_H
#define ORIEL_UTIL_PB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"

enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

enum { PB_VARINT_MAX = 10, PB_TAG_MAX = 5 };

/* ---- at a pointer: the caller has reserved enough; each returns the end ---- */

static inline char *pb_at_varint(char *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (char)(v | 0x80);
        v >>= 7;
    }
    *p++ = (char)v;
    return p;
}
static inline char *pb_at_tag(char *p, uint32_t field, enum pb_wire wire)
{
    return pb_at_varint(p, (uint64_t)field << 3 | (uint64_t)wire);
}
static inline char *pb_at_uint(char *p, uint32_t field, uint64_t v)
{
    return pb_at_varint(pb_at_tag(p, field, PB_VARINT), v);
}
static inline uint64_t pb_zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}
static inline int64_t pb_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}
/* Little-endian whatever the machine. */
static inline char *pb_at_raw64(char *p, uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    memcpy(p, &v, 8);
    return p + 8;
}
static inline char *pb_at_fixed64(char *p, uint32_t field, uint64_t v)
{
    return pb_at_raw64(pb_at_tag(p, field, PB_FIXED64), v);
}
static inline char *pb_at_fixed32(char *p, uint32_t field, uint32_t v)
{
    p = pb_at_tag(p, field, PB_FIXED32);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    memcpy(p, &v, 4);
    return p + 4;
}
static inline char *pb_at_bytes(char *p, uint32_t field, const void *bytes, size_t n)
{
    p = pb_at_varint(pb_at_tag(p, field, PB_BYTES), n);
    if (n)
        memcpy(p, bytes, n);
    return p + n;
}
/* A varint in exactly `width` bytes: redundant, but valid to every reader. */
static inline char *pb_at_varint_wide(char *p, uint64_t v, unsigned width)
{
    for (unsigned i = 1; i < width; i++) {
        *p++ = (char)(v | 0x80);
        v >>= 7;
    }
    *p++ = (char)(v & 0x7f);
    return p;
}
static inline unsigned pb_varint_size(uint64_t v)
{
    /* 7 bits a byte: (bits * 9 + 64) / 64 is ceil(bits / 7) for 1..64 */
    return ((64u - (unsigned)__builtin_clzll(v | 1)) * 9 + 64) / 64;
}

/* ---- into a buf ---- */

static inline void pb_varint(struct buf *b, uint64_t v)
{
    char *p = buf_reserve(b, PB_VARINT_MAX);
    if (p)
        b->size += (size_t)(pb_at_varint(p, v) - p);
}
static inline void pb_uint(struct buf *b, uint32_t field, uint64_t v)
{
    char *p = buf_reserve(b, PB_TAG_MAX + PB_VARINT_MAX);
    if (p)
        b->size += (size_t)(pb_at_uint(p, field, v) - p);
}
/* int32, int64, enum: negative numbers take ten bytes. */
static inline void pb_int(struct buf *b, uint32_t field, int64_t v)
{
    pb_uint(b, field, (uint64_t)v);
}
static inline void pb_sint(struct buf *b, uint32_t field, int64_t v)
{
    pb_uint(b, field, pb_zigzag(v));
}
static inline void pb_bool(struct buf *b, uint32_t field, bool v)
{
    pb_uint(b, field, v);
}
static inline void pb_fixed64(struct buf *b, uint32_t field, uint64_t v)
{
    char *p = buf_reserve(b, PB_TAG_MAX + 8);
    if (p)
        b->size += (size_t)(pb_at_fixed64(p, field, v) - p);
}
void pb_fixed32(struct buf *b, uint32_t field, uint32_t v);
static inline void pb_double(struct buf *b, uint32_t field, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    pb_fixed64(b, field, bits);
}
static inline void pb_bytes(struct buf *b, uint32_t field, const void *bytes, size_t n)
{
    char *p = n < SIZE_MAX / 2 ? buf_reserve(b, PB_TAG_MAX + PB_VARINT_MAX + n) : 0;
    if (p)
        b->size += (size_t)(pb_at_bytes(p, field, bytes, n) - p);
    else
        b->failed = true;
}
static inline void pb_text(struct buf *b, uint32_t field, const char *text)
{
    pb_bytes(b, field, text, strlen(text));
}

/* An open nested message; the bytes of its length stand before `body`. */
struct pb_mark {
    size_t body;
    unsigned width;
};
/* Open with room for a length of `width` bytes: 1 holds 127 bytes of message,
 * 2 holds 16 KiB, 4 holds 256 MiB. */
static inline struct pb_mark pb_open(struct buf *b, uint32_t field, unsigned width)
{
    char *p = buf_reserve(b, PB_TAG_MAX + PB_VARINT_MAX);
    if (p)
        b->size += (size_t)(pb_at_tag(p, field, PB_BYTES) - p) + width;
    return (struct pb_mark){b->size, width};
}
void pb_close_slow(struct buf *b, struct pb_mark m);
static inline void pb_close(struct buf *b, struct pb_mark m)
{
    size_t n = b->size - m.body;
    if (!b->failed && n < (size_t)1 << 7 * m.width)
        pb_at_varint_wide(b->data + m.body - m.width, n, m.width);
    else
        pb_close_slow(b, m);
}
/* The length in as few bytes as it takes: always one memmove when the width
 * was larger, for small messages of unknown size. */
void pb_close_tight(struct buf *b, struct pb_mark m);

/* ---- reader ---- */

struct pb_reader {
    const uint8_t *p, *end;
    bool failed; /* not a valid message: cut, or a wire type we do not know */
};
struct pb_field {
    uint32_t number;
    enum pb_wire wire;
    uint64_t value;       /* varint, fixed64, fixed32 */
    const uint8_t *bytes; /* PB_BYTES, inside the input */
    size_t size;
};

static inline struct pb_reader pb_read(const void *bytes, size_t n)
{
    const uint8_t *p = (const uint8_t *)bytes;
    return (struct pb_reader){p, n ? p + n : p, false};
}
/* The fields of a nested message. */
static inline struct pb_reader pb_read_nested(const struct pb_field *f)
{
    return pb_read(f->bytes, f->wire == PB_BYTES ? f->size : 0);
}
/* The next field; false at the end or at an error (failed is set). */
bool pb_next(struct pb_reader *r, struct pb_field *out);
/* The next item of a packed field. */
bool pb_next_varint(struct pb_reader *r, uint64_t *out);
bool pb_next_fixed64(struct pb_reader *r, uint64_t *out);
/* First field with that number; false if there is none. */
bool pb_find(struct pb_reader message, uint32_t number, struct pb_field *out);
static inline double pb_as_double(const struct pb_field *f)
{
    double v;
    memcpy(&v, &f->value, sizeof v);
    return v;
}

#endif
