/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The slow sides of the protobuf writer, and the reader: every length is
 * checked against what is left before it is believed. Pure; any thread.
 */
#include "util/pb.h"

#include <assert.h>

void pb_fixed32(struct buf *b, uint32_t field, uint32_t v)
{
    char *p = buf_reserve(b, PB_TAG_MAX + 4);
    if (!p)
        return;
    char *end = pb_at_tag(p, field, PB_FIXED32);
    for (int i = 0; i < 4; i++)
        *end++ = (char)(v >> 8 * i);
    b->size += (size_t)(end - p);
}

/* Moves the body so that its length takes `width` bytes. */
static void set_width(struct buf *b, struct pb_mark m, unsigned width)
{
    size_t n = b->size - m.body;
    if (b->failed || !buf_reserve(b, PB_VARINT_MAX))
        return;
    assert(m.body >= m.width && m.body <= b->size);
    char *length = b->data + m.body - m.width;
    memmove(length + width, length + m.width, n);
    pb_at_varint_wide(length, n, width);
    b->size = b->size - m.width + width;
}

void pb_close_slow(struct buf *b, struct pb_mark m)
{
    if (!b->failed)
        set_width(b, m, pb_varint_size(b->size - m.body));
}

void pb_close_tight(struct buf *b, struct pb_mark m)
{
    unsigned width = b->failed ? m.width : pb_varint_size(b->size - m.body);
    if (width == m.width)
        pb_close(b, m);
    else
        set_width(b, m, width);
}

static bool fail(struct pb_reader *r)
{
    r->failed = true;
    r->p = r->end;
    return false;
}

bool pb_next_varint(struct pb_reader *r, uint64_t *out)
{
    uint64_t v = 0;
    if (r->p == r->end)
        return false;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (r->p == r->end)
            return fail(r);
        uint8_t c = *r->p++;
        if (shift == 63 && c > 1)
            return fail(r); /* more than 64 bits */
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            *out = v;
            return true;
        }
    }
    return fail(r);
}

/* Tags, lengths and most numbers are one byte. */
static inline bool short_varint(struct pb_reader *r, uint64_t *out)
{
    if (r->p != r->end && *r->p < 0x80) {
        *out = *r->p++;
        return true;
    }
    return pb_next_varint(r, out);
}

static bool read_fixed(struct pb_reader *r, unsigned n, uint64_t *out)
{
    uint64_t v = 0;
    if ((size_t)(r->end - r->p) < n)
        return fail(r);
    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)r->p[i] << 8 * i;
    r->p += n;
    *out = v;
    return true;
}

bool pb_next_fixed64(struct pb_reader *r, uint64_t *out)
{
    return r->p != r->end && read_fixed(r, 8, out);
}

static bool read_bytes(struct pb_reader *r, struct pb_field *out)
{
    uint64_t n;
    if (r->p == r->end || !short_varint(r, &n) || n > (uint64_t)(r->end - r->p))
        return fail(r);
    out->bytes = r->p;
    out->size = (size_t)n;
    r->p += n;
    return true;
}

bool pb_next(struct pb_reader *r, struct pb_field *out)
{
    uint64_t tag;
    if (!short_varint(r, &tag))
        return false;
    if (tag >> 3 == 0 || tag >> 3 > 536870911u)
        return fail(r);
    *out = (struct pb_field){.number = (uint32_t)(tag >> 3), .wire = (enum pb_wire)(tag & 7)};
    switch (tag & 7) {
    case PB_VARINT:
        return (r->p != r->end && short_varint(r, &out->value)) || fail(r);
    case PB_FIXED64:
        return read_fixed(r, 8, &out->value);
    case PB_BYTES:
        return read_bytes(r, out);
    case PB_FIXED32:
        return read_fixed(r, 4, &out->value);
    default:
        return fail(r); /* groups went out of use before these formats began */
    }
}

bool pb_find(struct pb_reader message, uint32_t number, struct pb_field *out)
{
    struct pb_field f;
    while (pb_next(&message, &f)) {
        if (f.number != number)
            continue;
        *out = f;
        return true;
    }
    return false;
}
