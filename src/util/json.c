/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The JSON writer. Strings are the hot part: eight bytes at a time are tested
 * for anything that cannot be copied as it is. One thread per buf.
 */
#include "util/json.h"

#include <assert.h>
#include <math.h>

#include "util/utf8.h"

#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u

/* Non-zero when one of eight bytes is a control, a quote, a backslash or not
 * ASCII. The borrow of a subtraction may mark a clean byte above a dirty one,
 * which costs a second look and nothing else. */
static inline uint64_t dirty(uint64_t v)
{
    uint64_t control = v - ONES * 0x20;
    uint64_t quote = (v ^ ONES * '"') - ONES;
    uint64_t backslash = (v ^ ONES * '\\') - ONES;
    return (v | ((control | quote | backslash) & ~v)) & HIGHS;
}

static inline bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* One byte below 0x80 that needs an escape. */
static char *put_escape(char *out, uint8_t c)
{
    static const char short_form[0x20] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    static const char hex[] = "0123456789abcdef";
    char letter = c < 0x20 ? short_form[c] : (char)c;
    *out++ = '\\';
    if (letter) {
        *out++ = letter;
        return out;
    }
    memcpy(out, "u00", 3);
    out[3] = hex[c >> 4];
    out[4] = hex[c & 15];
    return out + 5;
}

/* The last bytes, 0 < n < 8, filled up with something clean. Put together in
 * a register: a memcpy of n bytes would be a call. */
static inline uint64_t load_tail(const char *p, size_t n)
{
    uint64_t v = ONES * 'x';
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint8_t *b = (const uint8_t *)p;
    uint32_t low, high;
    v <<= 8 * n;
    if (n < 4) /* first, middle and last cover one, two and three */
        return v | b[0] | (uint64_t)b[n / 2] << 8 * (n / 2) | (uint64_t)b[n - 1] << 8 * (n - 1);
    memcpy(&low, p, 4);
    memcpy(&high, p + n - 4, 4);
    return v | low | (uint64_t)high << 8 * (n - 4);
#else
    memcpy(&v, p, n);
    return v;
#endif
}

/* Copies from p to at least `stop` (a character may reach to `end`); at most
 * six bytes come out for each that goes in, and up to eight more are touched.
 * Returns the new end of output. */
static char *escape(char *out, const char **at, const char *stop, const char *end)
{
    const char *p = *at;
    while (p < stop) {
        size_t left = (size_t)(end - p), n = left < 8 ? left : 8;
        uint64_t v = n == 8 ? 0 : load_tail(p, n);
        if (n == 8)
            memcpy(&v, p, 8);
        if (!dirty(v)) {
            memcpy(out, &v, 8);
            out += n;
            p += n;
            continue;
        }
        while (is_plain((uint8_t)*p)) /* ends: one of the eight is not */
            *out++ = *p++;
        if ((uint8_t)*p < 0x80) {
            out = put_escape(out, (uint8_t)*p++);
            continue;
        }
        uint32_t c;
        unsigned length = utf8_next(p, (size_t)(end - p), &c);
        memcpy(out, length ? p : "\xef\xbf\xbd", length ? length : 3);
        out += length ? length : 3;
        p += length ? length : utf8_error_size(p, (size_t)(end - p));
    }
    *at = p;
    return out;
}

enum { PIECE = 4096, SPARE = 64 };

/* In pieces, because the worst case is reserved beforehand. */
static void put_escaped(struct buf *out, const char *p, size_t n, bool quotes)
{
    const char *end = p + n;
    do {
        size_t piece = (size_t)(end - p) < PIECE ? (size_t)(end - p) : PIECE;
        char *o = buf_reserve(out, piece * 6 + SPARE);
        if (!o)
            return;
        if (quotes && p == end - n)
            *o++ = '"';
        o = escape(o, &p, p + piece, end);
        if (quotes && p == end)
            *o++ = '"';
        out->size = (size_t)(o - out->data);
    } while (p < end);
}

void json_put_string(struct buf *out, const char *p, size_t n)
{
    put_escaped(out, p, n, true);
}

void json_put_escaped(struct buf *out, const char *p, size_t n)
{
    put_escaped(out, p, n, false);
}

void json_put_hex(struct buf *out, const void *bytes, size_t n)
{
    char *p = n <= PTRDIFF_MAX / 4 ? buf_reserve(out, 2 * n + 2) : NULL;
    if (!p) {
        out->failed = true;
        return;
    }
    *p = '"';
    char *end = num_put_hex(p + 1, bytes, n);
    *end++ = '"';
    out->size += (size_t)(end - p);
}

void json_put_base64(struct buf *out, const void *bytes, size_t n)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *b = bytes;
    char *p = n <= PTRDIFF_MAX / 4 ? buf_reserve(out, n / 3 * 4 + 6) : NULL, *start = p;
    if (!p) {
        out->failed = true;
        return;
    }
    *p++ = '"';
    for (; n >= 3; n -= 3, b += 3) {
        uint32_t v = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
        *p++ = digit[v >> 18];
        *p++ = digit[v >> 12 & 63];
        *p++ = digit[v >> 6 & 63];
        *p++ = digit[v & 63];
    }
    if (n) {
        uint32_t v = (uint32_t)b[0] << 16 | (n == 2 ? (uint32_t)b[1] << 8 : 0);
        *p++ = digit[v >> 18];
        *p++ = digit[v >> 12 & 63];
        *p++ = n == 2 ? digit[v >> 6 & 63] : '=';
        *p++ = '=';
    }
    *p++ = '"';
    out->size += (size_t)(p - start);
}

void json_put_double(struct buf *out, double v, bool nan_as_text)
{
    char *p = buf_reserve(out, NUM_DOUBLE_MAX + 2);
    if (!p)
        return;
    if (isfinite(v)) {
        out->size += (size_t)(num_put_double(p, v) - p);
    } else if (nan_as_text) {
        *p = '"';
        char *end = num_put_double(p + 1, v);
        *end++ = '"';
        out->size += (size_t)(end - p);
    } else {
        memcpy(p, "null", 4);
        out->size += 4;
    }
}

void json_init(struct json *j, struct buf *out)
{
    *j = (struct json){.out = out};
}

/* Before every value: the comma, unless a key or nothing stands before it. */
static void separate(struct json *j)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    uint64_t bit = j->depth ? (uint64_t)1 << (j->depth - 1) : 0;
    if (j->filled & bit)
        buf_putc(j->out, ',');
    j->filled |= bit;
}

static void open_container(struct json *j, char c)
{
    separate(j);
    buf_putc(j->out, c);
    if (j->depth == JSON_DEPTH_MAX) {
        j->out->failed = true;
        return;
    }
    j->filled &= ~((uint64_t)1 << j->depth++);
}

static void close_container(struct json *j, char c)
{
    assert(!j->after_key);
    assert(j->depth > 0 || j->out->failed);
    if (j->depth > 0)
        j->depth--;
    buf_putc(j->out, c);
}

void json_object(struct json *j)
{
    open_container(j, '{');
}

void json_object_end(struct json *j)
{
    close_container(j, '}');
}

void json_array(struct json *j)
{
    open_container(j, '[');
}

void json_array_end(struct json *j)
{
    close_container(j, ']');
}

void json_key_n(struct json *j, const char *name, size_t n)
{
    assert(!j->after_key);
    separate(j);
    put_escaped(j->out, name, n, true);
    buf_putc(j->out, ':');
    j->after_key = true;
}

void json_key(struct json *j, const char *name)
{
    json_key_n(j, name, strlen(name));
}

void json_string_n(struct json *j, const char *p, size_t n)
{
    separate(j);
    put_escaped(j->out, p, n, true);
}

void json_string(struct json *j, const char *text)
{
    if (text)
        json_string_n(j, text, strlen(text));
    else
        json_null(j);
}

void json_i64(struct json *j, int64_t v)
{
    separate(j);
    json_put_i64(j->out, v);
}

void json_u64(struct json *j, uint64_t v)
{
    separate(j);
    json_put_u64(j->out, v);
}

void json_double(struct json *j, double v)
{
    separate(j);
    json_put_double(j->out, v, j->nan_as_text);
}

void json_pair_u64(struct json *j, const char *key, uint64_t v)
{
    json_key(j, key);
    json_u64(j, v);
}

void json_pair_double(struct json *j, const char *key, double v)
{
    json_key(j, key);
    json_double(j, v);
}

void json_pair_text(struct json *j, const char *key, const char *text)
{
    json_key(j, key);
    json_string(j, text);
}

void json_pair_text_n(struct json *j, const char *key, const char *p, size_t n)
{
    json_key(j, key);
    json_string_n(j, p, n);
}

void json_bool(struct json *j, bool v)
{
    separate(j);
    buf_puts(j->out, v ? "true" : "false");
}

void json_null(struct json *j)
{
    separate(j);
    buf_put(j->out, "null", 4);
}

void json_hex(struct json *j, const void *bytes, size_t n)
{
    separate(j);
    json_put_hex(j->out, bytes, n);
}

void json_raw(struct json *j, const char *p, size_t n)
{
    separate(j);
    buf_put(j->out, p, n);
}
