/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Decimal conversion for encoders and parsers. printf and strtod are used for
 * hard doubles only, and what the locale does to them is undone. Any thread.
 */
#include "util/num.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

const char num_pairs[201] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

static unsigned count_digits(uint64_t v)
{
    unsigned n = 1;
    for (;;) {
        if (v < 10)
            return n;
        if (v < 100)
            return n + 1;
        if (v < 1000)
            return n + 2;
        if (v < 10000)
            return n + 3;
        v /= 10000;
        n += 4;
    }
}

static void fill_digits(char *end, uint64_t v, unsigned digits)
{
    while (digits >= 2) {
        uint64_t q = v / 100;
        end -= 2;
        memcpy(end, num_pairs + 2 * (v - q * 100), 2);
        v = q;
        digits -= 2;
    }
    if (digits)
        end[-1] = (char)('0' + v % 10);
}

char *num_put_u64_long(char *out, uint64_t v)
{
    unsigned digits = count_digits(v);
    fill_digits(out + digits, v, digits);
    return out + digits;
}

char *num_put_padded(char *out, uint64_t v, unsigned digits)
{
    fill_digits(out + digits, v, digits);
    return out + digits;
}

char *num_put_hex(char *out, const void *bytes, size_t n)
{
    static const char digit[] = "0123456789abcdef";
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++) {
        *out++ = digit[p[i] >> 4];
        *out++ = digit[p[i] & 15];
    }
    return out;
}

#define EXACT_MAX 9007199254740992.0 /* 2^53: integers below are exact */
static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
enum { EXACT_POWER = 22 };

/* Digits of x with a point before the last `places`. */
static char *put_fixed(char *out, uint64_t x, unsigned places)
{
    uint64_t unit = (uint64_t)powers[places];
    out = num_put_u64(out, x / unit);
    if (places) {
        *out++ = '.';
        out = num_put_padded(out, x % unit, places);
    }
    return out;
}

/*
 * Most doubles in telemetry are short decimals. If v * 10^k is an integer below
 * 2^53 that divided by 10^k gives v again, then so does reading these digits:
 * both numbers are exact and the division rounds once, as a reader must. The
 * first such k is the shortest.
 */
static char *put_short_decimal(char *out, double v)
{
    for (unsigned places = 0; places <= 15; places++) {
        double x = v * powers[places];
        if (x >= EXACT_MAX)
            return NULL;
        double whole = nearbyint(x);
        if (whole / powers[places] == v)
            return put_fixed(out, (uint64_t)whole, places);
    }
    return NULL;
}

/* Writes what printf wrote, the locale's decimal point (any bytes) as a dot. */
static char *put_without_locale(char *out, const char *text)
{
    bool in_point = false;
    for (; *text; text++) {
        char c = *text;
        bool plain = (c >= '0' && c <= '9') || c == '-' || c == '+' || c == 'e';
        if (plain)
            *out++ = c;
        else if (!in_point)
            *out++ = '.';
        in_point = !plain;
    }
    return out;
}

static char *put_hard_double(char *out, double v)
{
    char text[64];
    /* Below the normal range a double has fewer digits. */
    for (int precision = v < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, v);
        if (precision == 17 || strtod(text, NULL) == v)
            break;
    }
    return put_without_locale(out, text);
}

static char *put_text(char *out, const char *text)
{
    size_t n = strlen(text);
    memcpy(out, text, n);
    return out + n;
}

char *num_put_double(char *out, double v)
{
    if (isnan(v))
        return put_text(out, "NaN");
    if (signbit(v)) {
        *out++ = '-';
        v = -v;
    }
    if (isinf(v))
        return put_text(out, "Infinity");
    char *end = v == 0 ? put_text(out, "0") : NULL;
    if (!end && v >= 1e-5)
        end = put_short_decimal(out, v);
    return end ? end : put_hard_double(out, v);
}

/* The parts of a decimal number; false if [p, end) is not one. */
struct decimal {
    uint64_t digits; /* the first 19 */
    int exponent;    /* of the last of them */
    int given;       /* the exponent as written */
    bool negative, exact;
};

static bool is_digit(const char *p, const char *end)
{
    return p < end && *p >= '0' && *p <= '9';
}

static const char *scan_digits(struct decimal *d, const char *p, const char *end, bool fraction)
{
    for (; is_digit(p, end); p++) {
        if (d->digits >= UINT64_C(1000000000000000000)) {
            d->exact = d->exact && *p == '0';
            d->exponent += !fraction;
            continue;
        }
        d->digits = d->digits * 10 + (uint64_t)(*p - '0');
        d->exponent -= fraction;
    }
    return p;
}

static bool scan_decimal(struct decimal *d, const char *p, const char *end)
{
    *d = (struct decimal){.exact = true};
    if (p < end && (*p == '-' || *p == '+'))
        d->negative = *p++ == '-';
    const char *start = p;
    p = scan_digits(d, p, end, false);
    size_t seen = (size_t)(p - start);
    if (p < end && *p == '.') {
        start = ++p;
        p = scan_digits(d, p, end, true);
        seen += (size_t)(p - start);
    }
    if (seen == 0)
        return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        bool down = false;
        int e = 0;
        if (++p < end && (*p == '-' || *p == '+'))
            down = *p++ == '-';
        if (!is_digit(p, end))
            return false;
        for (; is_digit(p, end); p++)
            e = e < 100000 ? e * 10 + (*p - '0') : e;
        d->given = down ? -e : e;
        d->exponent += d->given;
    }
    return p == end;
}

enum { DIGITS_KEPT = 1100 }; /* more than the 767 that decide any double */

/* The digits of [p, end) without point, up to DIGITS_KEPT; returns their
 * number, and by how much the exponent changes for that. */
static size_t collect_digits(char *out, const char *p, const char *end, int *out_shift)
{
    size_t used = 0;
    int shift = 0;
    bool fraction = false;
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            fraction = true;
        } else if (*p >= '0' && *p <= '9') {
            if (used < DIGITS_KEPT) {
                out[used++] = *p;
                shift -= fraction;
            } else {
                shift += !fraction;
            }
        }
    }
    *out_shift = shift;
    return used;
}

/* strtod wants a NUL and the point of the locale: it gets "digits E exponent". */
static double slow_double(const char *p, size_t n, const struct decimal *d)
{
    char text[DIGITS_KEPT + 64], *end;
    int exponent = d->exponent;
    if (d->exact) {
        end = num_put_u64(text, d->digits);
    } else {
        int kept;
        end = text + collect_digits(text, p, p + n, &kept);
        exponent = d->given + kept;
    }
    *end++ = 'e';
    end = num_put_i64(end, exponent);
    *end = 0;
    return strtod(text, NULL);
}

int num_parse_double(const char *p, size_t n, double *out)
{
    struct decimal d;
    double v;
    if (!scan_decimal(&d, p, p + n))
        return ORIEL_EINVAL;
    if (d.digits == 0)
        v = 0;
    else if (d.exact && d.digits <= (uint64_t)EXACT_MAX && d.exponent >= -EXACT_POWER &&
             d.exponent <= EXACT_POWER)
        /* Both exact, one rounding: correct. */
        v = d.exponent < 0 ? (double)d.digits / powers[-d.exponent]
                           : (double)d.digits * powers[d.exponent];
    else
        v = slow_double(p, n, &d);
    *out = d.negative ? -v : v;
    return 0;
}

int num_parse_u64(const char *p, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    if (n && *p == '+') {
        p++;
        n--;
    }
    if (n == 0)
        return ORIEL_EINVAL;
    for (size_t i = 0; i < n; i++)
        if (p[i] < '0' || p[i] > '9' || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(p[i] - '0'), &v))
            return ORIEL_EINVAL;
    *out = v;
    return 0;
}

int num_parse_i64(const char *p, size_t n, int64_t *out)
{
    bool negative = n && *p == '-';
    uint64_t v;
    if (negative && n > 1 && p[1] == '+')
        return ORIEL_EINVAL;
    if (num_parse_u64(p + negative, n - negative, &v) != 0)
        return ORIEL_EINVAL;
    if (v > (uint64_t)INT64_MAX + negative)
        return ORIEL_EINVAL;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return 0;
}
