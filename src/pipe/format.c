/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The formatter. A directive is parsed into a struct, the value is shown by
 * its recorded type, with the conversion as a wish: %d of a string is the
 * string, %s of a number is the number. Only floating point goes through
 * snprintf, with a format built here from checked parts.
 */
#include "pipe/format.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>

enum { PRECISION_NONE = -1, FLOAT_DIGITS_MAX = 400 };

struct directive {
    bool left, plus, space, alt, zero;
    uint32_t width;
    int32_t precision;
    uint32_t bits;  /* of the C type that the length modifier names */
    uint32_t which; /* of N$, 1-based; 0: the next value */
    char conversion;
};

struct reader {
    const char *at, *end;
    const struct model_value *values;
    uint32_t count, next;
};

/* ---- parsing ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A decimal number, cut at FORMAT_WIDTH_MAX. */
static uint32_t read_number(struct reader *r)
{
    uint32_t n = 0;
    for (; r->at < r->end && is_digit(*r->at); r->at++)
        n = n < FORMAT_WIDTH_MAX ? n * 10 + (uint32_t)(*r->at - '0') : n;
    return n < FORMAT_WIDTH_MAX ? n : FORMAT_WIDTH_MAX;
}

static bool skip(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static const struct model_value *take(struct reader *r, uint32_t which)
{
    uint32_t i = which ? which - 1 : r->next++;
    return i < r->count ? &r->values[i] : NULL;
}

/* The number a '*' stands for; other types and missing values count as 0. */
static int64_t read_star(struct reader *r)
{
    const char *back = r->at;
    uint32_t which = read_number(r);
    if (which && !skip(r, '$'))
        which = 0;
    if (!which)
        r->at = back;
    const struct model_value *v = take(r, which);
    int64_t n = v && (v->type == ORIEL_TYPE_I64 || v->type == ORIEL_TYPE_U64) ? v->v.i64 : 0;
    int64_t most = FORMAT_WIDTH_MAX;
    return n > most ? most : n < -most ? -most : n;
}

static void read_flags(struct reader *r, struct directive *d)
{
    for (; r->at < r->end; r->at++) {
        switch (*r->at) {
        case '-':
            d->left = true;
            break;
        case '+':
            d->plus = true;
            break;
        case ' ':
            d->space = true;
            break;
        case '#':
            d->alt = true;
            break;
        case '0':
            d->zero = true;
            break;
        case '\'': /* grouping and other digits belong to a locale */
        case 'I':
            break;
        default:
            return;
        }
    }
}

static void read_width(struct reader *r, struct directive *d)
{
    if (skip(r, '*')) {
        int64_t n = read_star(r);
        d->left |= n < 0;
        d->width = (uint32_t)(n < 0 ? -n : n);
    } else {
        d->width = read_number(r);
    }
    if (!skip(r, '.'))
        return;
    int64_t n = skip(r, '*') ? read_star(r) : (int64_t)read_number(r);
    d->precision = n < 0 ? PRECISION_NONE : (int32_t)n;
}

static void read_length(struct reader *r, struct directive *d)
{
    d->bits = 32;
    if (skip(r, 'h')) {
        d->bits = skip(r, 'h') ? 8 : 16;
    } else if (skip(r, 'l')) {
        d->bits = 64;
        skip(r, 'l');
    } else if (skip(r, 'j') || skip(r, 'z') || skip(r, 't') || skip(r, 'q') || skip(r, 'L')) {
        d->bits = 64;
    }
}

/* What stands after '%'. False: the format ends before its conversion. */
static bool read_directive(struct reader *r, struct directive *d)
{
    *d = (struct directive){.precision = PRECISION_NONE};
    const char *back = r->at;
    uint32_t which = read_number(r);
    if (which && skip(r, '$'))
        d->which = which;
    else
        r->at = back;
    read_flags(r, d);
    read_width(r, d);
    read_length(r, d);
    if (r->at == r->end)
        return false;
    d->conversion = *r->at++;
    return true;
}

/* ---- showing ---- */

static void put_many(struct buf *out, char c, size_t n)
{
    char *p = n ? buf_reserve(out, n) : NULL;
    if (!p)
        return;
    memset(p, c, n);
    out->size += n;
}

/* prefix (sign, 0x) and body, padded to the width. */
static void put_padded(struct buf *out, const struct directive *d, struct model_str prefix,
                       struct model_str body, bool zeros)
{
    size_t used = (size_t)prefix.n + body.n, pad = d->width > used ? d->width - used : 0;
    if (pad && !d->left && !zeros)
        put_many(out, ' ', pad);
    buf_put(out, prefix.p, prefix.n);
    if (pad && !d->left && zeros)
        put_many(out, '0', pad);
    buf_put(out, body.p, body.n);
    if (d->left)
        put_many(out, ' ', pad);
}

static void put_text(struct buf *out, const struct directive *d, struct model_str s)
{
    if (d->precision >= 0 && s.n > (uint32_t)d->precision)
        s.n = (uint32_t)d->precision;
    put_padded(out, d, MODEL_STR(""), s, false);
}

/* What stands before the digits. C signs only what it takes for signed. */
static struct model_str number_prefix(const struct directive *d, bool nonzero, bool negative)
{
    switch (d->conversion) {
    case 'p':
        return MODEL_STR("0x");
    case 'x':
        return d->alt && nonzero ? MODEL_STR("0x") : MODEL_STR("");
    case 'X':
        return d->alt && nonzero ? MODEL_STR("0X") : MODEL_STR("");
    case 'o':
    case 'u':
        return MODEL_STR("");
    default:
        return negative   ? MODEL_STR("-")
               : d->plus  ? MODEL_STR("+")
               : d->space ? MODEL_STR(" ")
                          : MODEL_STR("");
    }
}

static void put_integer(struct buf *out, const struct directive *d, uint64_t n, bool negative)
{
    char digits[FORMAT_WIDTH_MAX + 72], *at = digits + sizeof digits, *end = at;
    uint32_t base = d->conversion == 'o' ? 8 : strchr("xXp", d->conversion) ? 16 : 10;
    const char *set = d->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    for (uint64_t left = n; left; left /= base)
        *--at = set[left % base];
    int32_t least = d->precision >= 0 ? d->precision : 1;
    if (base == 8 && d->alt && least <= end - at)
        least = (int32_t)(end - at) + 1;
    while (end - at < least)
        *--at = '0';
    assert(at >= digits);
    put_padded(out, d, number_prefix(d, n != 0, negative),
               (struct model_str){at, (uint32_t)(end - at)}, d->zero && d->precision < 0);
}

/* snprintf, with a format of ours: flags, width, precision, conversion. */
static void put_float(struct buf *out, const struct directive *d, double value)
{
    char text[FORMAT_WIDTH_MAX + FLOAT_DIGITS_MAX + 400], format[16];
    int32_t most = FLOAT_DIGITS_MAX;
    int precision = d->precision > most ? most : d->precision;
    char conversion = strchr("fFeEgGaA", d->conversion) ? d->conversion : 'g';
    snprintf(format, sizeof format, "%%%s%s%s%s%s*.*%c", d->left ? "-" : "", d->plus ? "+" : "",
             d->space ? " " : "", d->alt ? "#" : "", d->zero ? "0" : "", conversion);
    /* A negative precision counts as none given. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int n = snprintf(text, sizeof text, format, (int)d->width, precision, value);
#pragma GCC diagnostic pop
    assert(n >= 0 && (size_t)n < sizeof text);
    for (int i = 0; i < n; i++) /* the host's locale is not the reader's */
        if (text[i] == ',')
            text[i] = '.';
    buf_put(out, text, (size_t)n);
}

static void put_character(struct buf *out, const struct directive *d, uint64_t c)
{
    char bytes[4];
    uint32_t n = 1;
    if (d->bits < 64 || c < 0x80 || c > 0x10ffff) {
        bytes[0] = (char)c;
    } else { /* %lc: a code point */
        n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        for (uint32_t i = n; i-- > 1; c >>= 6)
            bytes[i] = (char)(0x80 | (c & 0x3f));
        bytes[0] = (char)((0xf00 >> n & 0xff) | c);
    }
    put_padded(out, d, MODEL_STR(""), (struct model_str){bytes, n}, false);
}

/* An integer (or bool, or address) by what the conversion wants of it. */
static void put_whole(struct buf *out, const struct directive *d, const struct model_value *v)
{
    uint64_t n = v->type == ORIEL_TYPE_BOOL ? v->v.b : v->v.u64;
    bool is_signed = v->type == ORIEL_TYPE_I64, negative = is_signed && v->v.i64 < 0;
    struct directive natural = *d;
    switch (d->conversion) {
    case 'c':
        put_character(out, d, n);
        return;
    case 'u':
    case 'x':
    case 'X':
    case 'o':
        if (is_signed && d->bits < 64) /* as C shows a negative int */
            n &= (UINT64_C(1) << d->bits) - 1;
        put_integer(out, d, n, false);
        return;
    case 'p':
        if (n)
            put_integer(out, d, n, false);
        else
            put_padded(out, d, MODEL_STR(""), MODEL_STR("(nil)"), false);
        return;
    case 's':
        if (v->type == ORIEL_TYPE_BOOL) {
            put_text(out, d, v->v.b ? MODEL_STR("true") : MODEL_STR("false"));
            return;
        }
        break;
    default:
        break;
    }
    natural.conversion = v->type == ORIEL_TYPE_PTR ? 'p' : 'd';
    if (!strchr("di", d->conversion))
        natural.precision = PRECISION_NONE;
    put_integer(out, &natural, negative ? -n : n, negative);
}

static void put_value(struct buf *out, const struct directive *d, const struct model_value *v)
{
    if (v->flags & MODEL_VALUE_REDACTED) {
        buf_put(out, v->v.str.p, v->v.str.n);
        return;
    }
    if (d->conversion == 'n')
        return;
    switch (v->type) {
    case ORIEL_TYPE_STR:
    case ORIEL_TYPE_BYTES:
        put_text(out, d, v->v.str);
        return;
    case ORIEL_TYPE_F64:
        put_float(out, d, v->v.f64);
        return;
    default:
        put_whole(out, d, v);
        return;
    }
}

void format_message(struct buf *out, struct model_str format, const struct model_value *values,
                    uint32_t count)
{
    struct reader r = {format.p, format.p + format.n, values, count, 0};
    size_t start = out->size;
    while (r.at < r.end && !out->failed && out->size - start < FORMAT_MESSAGE_MAX) {
        const char *from = r.at, *percent = memchr(r.at, '%', (size_t)(r.end - r.at));
        struct directive d;
        if (percent != from) {
            r.at = percent ? percent : r.end;
            buf_put(out, from, (size_t)(r.at - from));
            continue;
        }
        r.at++;
        bool whole = read_directive(&r, &d);
        if (whole && d.conversion == '%') {
            buf_putc(out, '%');
            continue;
        }
        const struct model_value *v =
            whole && strchr("diuxXocspfFeEgGaAn", d.conversion) && d.conversion ? take(&r, d.which)
                                                                                : NULL;
        if (v)
            put_value(out, &d, v);
        else
            buf_put(out, from, (size_t)(r.at - from));
    }
    if (out->size - start > FORMAT_MESSAGE_MAX)
        out->size = start + FORMAT_MESSAGE_MAX;
}
