/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fields of OTLP messages in both encodings by the same words: protobuf by
 * number, JSON by name in lowerCamelCase, where ids are hex, enumerations
 * numbers and 64-bit integers text (OTLP specification, "JSON Protobuf
 * Encoding"). Failure is the buf's. One thread at a time.
 */
#ifndef ORIEL_EXPORT_OTLP_PUT_H
#define ORIEL_EXPORT_OTLP_PUT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "model/str.h"
#include "util/json.h"
#include "util/pb.h"

struct put {
    struct buf *out;
    bool json;
    uint32_t longest; /* characters of an attribute's text + 1; 0: any number */
};

static inline struct model_str put_str(const char *text)
{
    return (struct model_str){text, (uint32_t)strlen(text)};
}

/* Bytes of a length that holds any message of this size. */
static inline unsigned put_width(size_t n)
{
    return n < 120 ? 1 : n < 16000 ? 2 : 4;
}

/* Nothing stands before the first of an object, an array or the buffer. */
static inline void put_comma(struct put *w)
{
    const struct buf *b = w->out;
    if (b->size && b->data[b->size - 1] != '{' && b->data[b->size - 1] != '[')
        buf_putc(w->out, ',');
}

static inline void put_key(struct put *w, const char *name)
{
    size_t n = strlen(name);
    put_comma(w);
    char *p = buf_reserve(w->out, n + 3);
    if (!p)
        return;
    *p++ = '"';
    memcpy(p, name, n);
    p[n] = '"';
    p[n + 1] = ':';
    w->out->size += n + 3;
}

/* A nested message; name NULL: an item of the list around it. */
static inline struct pb_mark put_open(struct put *w, uint32_t field, const char *name,
                                      unsigned width)
{
    if (!w->json)
        return pb_open(w->out, field, width);
    if (name)
        put_key(w, name);
    else
        put_comma(w);
    buf_putc(w->out, '{');
    return (struct pb_mark){0, 0};
}
static inline void put_close(struct put *w, struct pb_mark mark)
{
    if (w->json)
        buf_putc(w->out, '}');
    else
        pb_close(w->out, mark);
}

/* Protobuf has no lists, only fields that come again. */
static inline void put_list(struct put *w, const char *name)
{
    if (!w->json)
        return;
    put_key(w, name);
    buf_putc(w->out, '[');
}
static inline void put_list_end(struct put *w)
{
    if (w->json)
        buf_putc(w->out, ']');
}

/* Text is repaired to UTF-8: receivers refuse a whole request for one wrong byte. */
void put_text(struct put *w, uint32_t field, const char *name, struct model_str text);

static inline void put_fixed64(struct put *w, uint32_t field, const char *name, uint64_t v)
{
    if (!w->json) {
        pb_fixed64(w->out, field, v);
        return;
    }
    put_key(w, name);
    buf_putc(w->out, '"');
    json_put_u64(w->out, v);
    buf_putc(w->out, '"');
}
static inline void put_i64(struct put *w, uint32_t field, const char *name, int64_t v)
{
    if (!w->json) {
        pb_int(w->out, field, v);
        return;
    }
    put_key(w, name);
    buf_putc(w->out, '"');
    json_put_i64(w->out, v);
    buf_putc(w->out, '"');
}
static inline void put_u32(struct put *w, uint32_t field, const char *name, uint32_t v)
{
    if (!w->json) {
        pb_uint(w->out, field, v);
        return;
    }
    put_key(w, name);
    json_put_u64(w->out, v);
}
static inline void put_flags(struct put *w, uint32_t field, uint32_t v)
{
    if (!w->json) {
        pb_fixed32(w->out, field, v);
        return;
    }
    put_key(w, "flags");
    json_put_u64(w->out, v);
}
static inline void put_id(struct put *w, uint32_t field, const char *name, const void *id, size_t n)
{
    if (!w->json) {
        pb_bytes(w->out, field, id, n);
        return;
    }
    put_key(w, name);
    json_put_hex(w->out, id, n);
}

#endif
