/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fields that are arrays: of integers, floating numbers, bools or texts. Outlets that know arrays
 * get one with typed elements (OTLP: arrayValue), others its JSON.
 *
 *   char room[256];
 *   ORIEL_SPAN("query", "table", t, ORIEL_ARRAY_I64("ids", room, ids, n));
 *
 * `room` is an array of the caller's, one for each such field of a call, in which the values are
 * put together while the call site records, and only then. From the first element on that does not
 * fit it (or 4 KiB) none is there. A record with many fields has less room for each (with 16 of
 * them 488 bytes): an array that is cut by it arrives as a text, marked as cut. Any thread;
 * floating numbers not from signal handlers.
 */
#ifndef ORIEL_ARRAY_H
#define ORIEL_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef ORIEL_OFF

#include <stdio.h>
#include <string.h>

#include "abi/mark.h"
#include "values.h"

#define ORIEL_ARRAY_I64(name, room, values, count)                                                 \
    ORIEL_MARK_NESTED name, oriel_array_i64(room, sizeof(room), values, count)
#define ORIEL_ARRAY_F64(name, room, values, count)                                                 \
    ORIEL_MARK_NESTED name, oriel_array_f64(room, sizeof(room), values, count)
#define ORIEL_ARRAY_BOOL(name, room, values, count)                                                \
    ORIEL_MARK_NESTED name, oriel_array_bool(room, sizeof(room), values, count)
/* Of const char *; NULL is an element without a value (null). */
#define ORIEL_ARRAY_STR(name, room, values, count)                                                 \
    ORIEL_MARK_NESTED name, oriel_array_str(room, sizeof(room), values, count)

struct oriel_array {
    char *out;
    size_t size, used, whole; /* whole: up to here all elements are complete */
    bool full;
};
static inline void oriel_array_put(struct oriel_array *a, const char *p, size_t n)
{
    a->full = a->full || a->used + n + 1 > a->size; /* there is room for the bracket */
    if (a->full)
        return;
    memcpy(a->out + a->used, p, n);
    a->used += n;
}
static inline struct oriel_array oriel_array_begin(char *room, size_t size)
{
    struct oriel_array a = {room, size, 0, 0, false};
    if (size > ORIEL_STRING_MAX_BYTES - 8) /* cut in the record it would be no array */
        a.size = ORIEL_STRING_MAX_BYTES - 8;
    oriel_array_put(&a, "[", 1);
    a.whole = a.used;
    return a;
}
/* False: this one did not fit, and none after it is tried. */
static inline bool oriel_array_next(struct oriel_array *a)
{
    if (!a->full)
        a->whole = a->used;
    oriel_array_put(a, ",", 1);
    return !a->full;
}
static inline struct oriel_text_view oriel_array_end(struct oriel_array *a)
{
    if (!a->whole) /* no room for anything */
        return oriel_text("", 0);
    a->out[a->whole] = ']';
    return oriel_text(a->out, a->whole + 1);
}

static __attribute__((unused)) struct oriel_text_view
oriel_array_i64(char *room, size_t size, const int64_t *values, size_t count)
{
    struct oriel_array a = oriel_array_begin(room, size);
    bool more = !a.full;
    for (size_t i = 0; more && i < count; i++) {
        char digits[20];
        size_t at = sizeof digits;
        uint64_t v = values[i] < 0 ? 0 - (uint64_t)values[i] : (uint64_t)values[i];
        do
            digits[--at] = (char)('0' + v % 10);
        while ((v /= 10) != 0);
        if (values[i] < 0)
            digits[--at] = '-';
        oriel_array_put(&a, digits + at, sizeof digits - at);
        more = oriel_array_next(&a);
    }
    return oriel_array_end(&a);
}

/* JSON has no word for what is no number: an object with OTLP's. A number keeps a point or an
 * exponent, which is what makes it one of these; the point of the locale is not JSON's. */
static inline void oriel_array_real(struct oriel_array *a, double v)
{
    char text[40];
    bool real = false;
    if (v != v || v - v != 0) {
        const char *word = v != v  ? "{\"doubleValue\":\"NaN\"}"
                           : v > 0 ? "{\"doubleValue\":\"Infinity\"}"
                                   : "{\"doubleValue\":\"-Infinity\"}";
        oriel_array_put(a, word, strlen(word));
        return;
    }
    int n = snprintf(text, sizeof text, "%.17g", v);
    for (int i = 0; i < n; i++) {
        bool part = (text[i] >= '0' && text[i] <= '9') || text[i] == '-' || text[i] == '+';
        real = real || !part;
        if (!part && text[i] != 'e')
            text[i] = '.';
    }
    oriel_array_put(a, text, n > 0 ? (size_t)n : 0);
    if (!real)
        oriel_array_put(a, ".0", 2);
}
static __attribute__((unused)) struct oriel_text_view
oriel_array_f64(char *room, size_t size, const double *values, size_t count)
{
    struct oriel_array a = oriel_array_begin(room, size);
    bool more = !a.full;
    for (size_t i = 0; more && i < count; i++) {
        oriel_array_real(&a, values[i]);
        more = oriel_array_next(&a);
    }
    return oriel_array_end(&a);
}

static __attribute__((unused)) struct oriel_text_view
oriel_array_bool(char *room, size_t size, const bool *values, size_t count)
{
    struct oriel_array a = oriel_array_begin(room, size);
    bool more = !a.full;
    for (size_t i = 0; more && i < count; i++) {
        oriel_array_put(&a, values[i] ? "true" : "false", values[i] ? 4 : 5);
        more = oriel_array_next(&a);
    }
    return oriel_array_end(&a);
}

static inline void oriel_array_quote(struct oriel_array *a, const char *s)
{
    oriel_array_put(a, "\"", 1);
    for (; *s && !a->full; s++) {
        const unsigned char c = (unsigned char)*s;
        char escape[6] = {'\\', 'u', '0', '0', (char)('0' + (c >> 4)), "0123456789abcdef"[c & 15]};
        if (c < 32)
            oriel_array_put(a, escape, sizeof escape);
        else if (c == '"' || c == '\\')
            oriel_array_put(a, c == '"' ? "\\\"" : "\\\\", 2);
        else
            oriel_array_put(a, s, 1);
    }
    oriel_array_put(a, "\"", 1);
}
static __attribute__((unused)) struct oriel_text_view
oriel_array_str(char *room, size_t size, const char *const *values, size_t count)
{
    struct oriel_array a = oriel_array_begin(room, size);
    bool more = !a.full;
    for (size_t i = 0; more && i < count; i++) {
        if (values[i])
            oriel_array_quote(&a, values[i]);
        else
            oriel_array_put(&a, "null", 4);
        more = oriel_array_next(&a);
    }
    return oriel_array_end(&a);
}

#else

#include "off.h"
#define ORIEL_ARRAY_I64(name, room, values, count) name, ((void)(room), (void)(values), count)
#define ORIEL_ARRAY_F64(name, room, values, count) name, ((void)(room), (void)(values), count)
#define ORIEL_ARRAY_BOOL(name, room, values, count) name, ((void)(room), (void)(values), count)
#define ORIEL_ARRAY_STR(name, room, values, count) name, ((void)(room), (void)(values), count)

#endif
#endif
