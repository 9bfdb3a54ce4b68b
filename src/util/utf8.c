/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * UTF-8 by the well-formed byte sequences of the Unicode standard (table 3-7).
 * Pure; any thread.
 */
#include "util/utf8.h"

#include <assert.h>

/* Length and bounds of the second byte by lead byte; 0: not a lead byte. */
static unsigned lead(uint8_t c, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (c < 0x80)
        return 1;
    if (c < 0xc2)
        return 0; /* continuation, or overlong */
    if (c < 0xe0)
        return 2;
    if (c < 0xf0) {
        if (c == 0xe0)
            *low = 0xa0; /* overlong */
        if (c == 0xed)
            *high = 0x9f; /* surrogates */
        return 3;
    }
    if (c == 0xf0)
        *low = 0x90; /* overlong */
    if (c == 0xf4)
        *high = 0x8f; /* beyond U+10FFFF */
    return c <= 0xf4 ? 4 : 0;
}

/* Bytes at p that are a start of a character of `*out_length` bytes. */
static unsigned match(const uint8_t *p, size_t n, unsigned *out_length)
{
    uint8_t low, high;
    unsigned length = lead(p[0], &low, &high), i;
    *out_length = length;
    if (length == 0)
        return 0;
    for (i = 1; i < length && i < n; i++) {
        if (p[i] < low || p[i] > high)
            return i;
        low = 0x80;
        high = 0xbf;
    }
    return i;
}

unsigned utf8_next(const char *p, size_t n, uint32_t *out_char)
{
    const uint8_t *b = (const uint8_t *)p;
    unsigned length;
    assert(n > 0);
    if (match(b, n, &length) < length || length == 0)
        return 0;
    static const uint8_t lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = b[0] & lead_bits[length];
    for (unsigned i = 1; i < length; i++)
        c = c << 6 | (b[i] & 0x3f);
    *out_char = c;
    return length;
}

unsigned utf8_error_size(const char *p, size_t n)
{
    unsigned length, matched = match((const uint8_t *)p, n, &length);
    return matched ? matched : 1;
}

/* Bytes of plain ASCII at p. */
static size_t ascii_run(const char *p, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t v;
        memcpy(&v, p + i, 8);
        if (v & 0x8080808080808080u)
            break;
    }
    while (i < n && !((uint8_t)p[i] & 0x80))
        i++;
    return i;
}

char *utf8_put(char *out, uint32_t c)
{
    assert(c <= 0x10ffff && (c < 0xd800 || c > 0xdfff));
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

bool utf8_valid(const char *p, size_t n)
{
    size_t i = 0;
    if (n == 0)
        return true;
    while ((i += ascii_run(p + i, n - i)) < n) {
        uint32_t c;
        unsigned length = utf8_next(p + i, n - i, &c);
        if (!length)
            return false;
        i += length;
    }
    return true;
}

static const char replacement[] = "\xef\xbf\xbd";

void utf8_repair(struct buf *out, const char *p, size_t n)
{
    size_t start = 0, i = 0;
    if (n == 0)
        return;
    while ((i += ascii_run(p + i, n - i)) < n) {
        uint32_t c;
        unsigned length = utf8_next(p + i, n - i, &c);
        if (length) {
            i += length;
            continue;
        }
        buf_put(out, p + start, i - start);
        buf_put(out, replacement, 3);
        i += utf8_error_size(p + i, n - i);
        start = i;
    }
    buf_put(out, p + start, n - start);
}

static bool is_command(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029 || c == 0x200e || c == 0x200f;
}

void utf8_printable(struct buf *out, const char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t c = 0;
        unsigned length = utf8_next(p + i, n - i, &c);
        if (length && !is_command(c))
            buf_put(out, p + i, length);
        else
            buf_put(out, replacement, 3);
        i += length ? length : utf8_error_size(p + i, n - i);
    }
}

/* Length of the character or error at p, and its code point. */
static unsigned step(const char *p, size_t n, uint32_t *out_char)
{
    unsigned length = utf8_next(p, n, out_char);
    if (length)
        return length;
    *out_char = 0xfffd;
    return utf8_error_size(p, n);
}

size_t utf8_count(const char *p, size_t n)
{
    size_t count = 0;
    uint32_t c;
    for (size_t i = 0; i < n; count++)
        i += step(p + i, n - i, &c);
    return count;
}

size_t utf8_cut_chars(const char *p, size_t n, size_t max_chars)
{
    size_t i = 0;
    uint32_t c;
    if (n <= max_chars)
        return n;
    while (i < n && max_chars--)
        i += step(p + i, n - i, &c);
    return i;
}

size_t utf8_cut_bytes(const char *p, size_t n, size_t max_bytes)
{
    if (n <= max_bytes)
        return n;
    /* The byte behind the cut must start a character; at most three do not. */
    for (size_t back = 0; back < 4 && back <= max_bytes; back++)
        if (((uint8_t)p[max_bytes - back] & 0xc0) != 0x80)
            return max_bytes - back;
    return max_bytes; /* four continuation bytes: no character to split */
}

/* Ranges of the terminal width table; inclusive, in order. */
struct range {
    uint32_t first, last;
};
static const struct range zero_width[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x05bf, 0x05c7}, {0x0610, 0x061a},
    {0x064b, 0x065f}, {0x0670, 0x0670}, {0x06d6, 0x06dc}, {0x06df, 0x06e4}, {0x06e7, 0x06ed},
    {0x0900, 0x0902}, {0x093a, 0x093a}, {0x093c, 0x093c}, {0x0941, 0x0948}, {0x094d, 0x094d},
    {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
    {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2069}, {0x20d0, 0x20f0}, {0x302a, 0x302d},
    {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef},
};
static const struct range double_width[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},
    {0x25fd, 0x25fe},   {0x2614, 0x2615},   {0x2648, 0x2653},   {0x26aa, 0x26ab},
    {0x26bd, 0x26be},   {0x2705, 0x2705},   {0x270a, 0x270b},   {0x274c, 0x274c},
    {0x2753, 0x2755},   {0x2795, 0x2797},   {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},
    {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0x9fff},
    {0xa000, 0xa4cf},   {0xa960, 0xa97c},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x17000, 0x18cd5},
    {0x1b000, 0x1b2ff}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f19a},
    {0x1f200, 0x1f320}, {0x1f32d, 0x1f3d3}, {0x1f3e0, 0x1f4fc}, {0x1f4ff, 0x1f53d},
    {0x1f54b, 0x1f567}, {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6fc}, {0x1f900, 0x1f9ff},
    {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

static bool in_ranges(const struct range *r, size_t count, uint32_t c)
{
    while (count) {
        size_t half = count / 2;
        if (c > r[half].last) {
            r += half + 1;
            count -= half + 1;
        } else if (c < r[half].first) {
            count = half;
        } else {
            return true;
        }
    }
    return false;
}

static unsigned char_width(uint32_t c)
{
    if (c < 0x300)
        return 1;
    if (in_ranges(zero_width, sizeof zero_width / sizeof *zero_width, c))
        return 0;
    return in_ranges(double_width, sizeof double_width / sizeof *double_width, c) ? 2 : 1;
}

size_t utf8_width(const char *p, size_t n)
{
    size_t width = 0;
    uint32_t c;
    for (size_t i = 0; i < n;) {
        i += step(p + i, n - i, &c);
        width += char_width(c);
    }
    return width;
}

size_t utf8_cut_width(const char *p, size_t n, size_t max_columns)
{
    size_t i = 0, width = 0;
    uint32_t c;
    while (i < n) {
        unsigned length = step(p + i, n - i, &c);
        width += char_width(c);
        if (width > max_columns)
            break;
        i += length;
    }
    return i;
}
