/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * JSON: a streaming writer into a buf, and a small strict reader (RFC 8259).
 *
 * Writer: failure is the buf's (sticky). Text that is not UTF-8 is repaired
 * with U+FFFD. 64-bit integers are written exactly. NaN and infinities have no
 * JSON: they become null, or "NaN", "Infinity", "-Infinity" where the format
 * (OTLP) wants that. Hot encoders use the json_put_* layer and place commas
 * themselves.
 */
#ifndef ORIEL_UTIL_JSON_H
#define ORIEL_UTIL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "util/num.h"

/* ---- values without structure ---- */

/* A string with its quotes. */
void json_put_string(struct buf *out, const char *p, size_t n);
/* Its inside only, for strings put together from parts. Parts are repaired
 * each by itself: do not split a character over two. */
void json_put_escaped(struct buf *out, const char *p, size_t n);
void json_put_base64(struct buf *out, const void *bytes, size_t n); /* with quotes */
void json_put_hex(struct buf *out, const void *bytes, size_t n);    /* with quotes */
void json_put_double(struct buf *out, double v, bool nan_as_text);
static inline void json_put_u64(struct buf *out, uint64_t v)
{
    char *p = buf_reserve(out, NUM_U64_MAX);
    if (p)
        out->size += (size_t)(num_put_u64(p, v) - p);
}
static inline void json_put_i64(struct buf *out, int64_t v)
{
    char *p = buf_reserve(out, NUM_I64_MAX);
    if (p)
        out->size += (size_t)(num_put_i64(p, v) - p);
}
/* A string literal of JSON text as it is. */
#define JSON_PUT(out, literal) buf_put(out, "" literal "", sizeof(literal) - 1)

/* ---- objects and arrays ---- */

enum { JSON_DEPTH_MAX = 64 };

struct json {
    struct buf *out;
    uint64_t filled; /* bit d: the container at depth d has an item */
    unsigned depth;
    bool after_key;
    bool nan_as_text;
};

/* Writes to `out`, which stays the caller's. Deeper than JSON_DEPTH_MAX sets
 * out->failed. */
void json_init(struct json *j, struct buf *out);
void json_object(struct json *j);
void json_object_end(struct json *j);
void json_array(struct json *j);
void json_array_end(struct json *j);
void json_key(struct json *j, const char *name);
void json_key_n(struct json *j, const char *name, size_t n);
void json_string(struct json *j, const char *text); /* NULL: null */
void json_string_n(struct json *j, const char *p, size_t n);
void json_i64(struct json *j, int64_t v);
void json_u64(struct json *j, uint64_t v);
void json_double(struct json *j, double v);
/* A key and its value. */
void json_pair_u64(struct json *j, const char *key, uint64_t v);
void json_pair_double(struct json *j, const char *key, double v);
void json_pair_text(struct json *j, const char *key, const char *text); /* NULL: null */
void json_pair_text_n(struct json *j, const char *key, const char *p, size_t n);
void json_bool(struct json *j, bool v);
void json_null(struct json *j);
void json_hex(struct json *j, const void *bytes, size_t n);
void json_raw(struct json *j, const char *p, size_t n); /* valid JSON, as it is */

/* ---- reader ---- */

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
    enum json_type type;
    bool boolean;
    bool is_integer;  /* a number without point or exponent that fits ... */
    bool is_negative; /* ... i64 if negative, else u64 */
    uint32_t count;   /* items of an array or object */
    uint64_t integer; /* two's complement where negative */
    double number;    /* always set for numbers */
    const char *text; /* string: decoded UTF-8 with a NUL; number: as written */
    size_t text_n;
    const char *key; /* inside an object */
    size_t key_n;
    struct json_value *first, *next;
};

struct json_read_options {
    size_t size;        /* sizeof of this struct */
    size_t max_bytes;   /* 0: 64 MiB */
    size_t max_values;  /* 0: 4 million */
    unsigned max_depth; /* 0: JSON_DEPTH_MAX, which is also the most */
    bool unique_keys;   /* refuse an object that has a key twice */
};

/* One value and nothing behind it. Everything lives in the arena. 0; ORIEL_EFORMAT with
 * what is wrong and at which byte; ORIEL_ELIMIT; ORIEL_ENOMEM. */
int json_read(struct arena *arena, const char *p, size_t n, const struct json_read_options *options,
              struct json_value **out, struct oriel_err *err);

/* Member by name (the last one if there are several), NULL if `v` is NULL, not
 * an object, or has none. json_at: item by position. */
const struct json_value *json_get(const struct json_value *v, const char *key);
const struct json_value *json_at(const struct json_value *v, size_t index);
/* Value of a member, or `fallback` if it is missing or of another type. */
int64_t json_get_i64(const struct json_value *v, const char *key, int64_t fallback);
double json_get_double(const struct json_value *v, const char *key, double fallback);
const char *json_get_string(const struct json_value *v, const char *key, const char *fallback);
bool json_get_bool(const struct json_value *v, const char *key, bool fallback);

#endif
