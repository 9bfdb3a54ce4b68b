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

/* Eight digits of v < 10^8 as values 0..9, the first in the lowest byte: split
 * in halves of four, two and one, all lanes of a word at once. A product with
 * the rounded-up inverse is the quotient for numbers this small. */
static uint64_t eight_digits(uint32_t v)
{
    uint32_t high = v / 10000;
    uint64_t x = high | (uint64_t)(v - high * 10000) << 32;
    uint64_t q = x * 5243 >> 19 & 0x0000007f0000007fu; /* 100 */
    x = q | (x - q * 100) << 16;
    q = x * 103 >> 10 & 0x000f000f000f000fu; /* 10 */
    return q | (x - q * 10) << 8;
}

static void store_digits(char *out, uint64_t digits)
{
    digits |= 0x3030303030303030u;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    digits = __builtin_bswap64(digits);
#endif
    memcpy(out, &digits, 8);
}

static char *put_eight(char *out, uint32_t v)
{
    store_digits(out, eight_digits(v));
    return out + 8;
}

/* 0 < v < 10^8 without zeros in front; touches eight bytes whatever it says. */
static char *put_up_to_eight(char *out, uint32_t v)
{
    uint64_t digits = eight_digits(v);
    unsigned zeros = (unsigned)__builtin_ctzll(digits) / 8;
    store_digits(out, digits >> 8 * zeros);
    return out + 8 - zeros;
}

char *num_put_u64_long(char *out, uint64_t v)
{
    const uint64_t eight = 100000000;
    assert(v > 0);
    if (v < eight)
        return put_up_to_eight(out, (uint32_t)v);
    uint64_t high = v / eight;
    uint32_t low = (uint32_t)(v - high * eight);
    if (high < eight) {
        out = put_up_to_eight(out, (uint32_t)high);
    } else {
        out = put_up_to_eight(out, (uint32_t)(high / eight));
        out = put_eight(out, (uint32_t)(high % eight));
    }
    return put_eight(out, low);
}

char *num_put_padded(char *out, uint64_t v, unsigned digits)
{
    for (char *p = out + digits; p > out; v /= 10)
        *--p = (char)('0' + v % 10);
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

/*
 * The shortest digits of m / 2^s that lie closer to it than to any other
 * double (Steele and White's free-format algorithm), exact in 128 bits. All is
 * scaled by four, so that half the distance to a neighbour, and half of that
 * below a power of two, are whole. Digits of the fraction go to `out`; returns
 * their number. *out_whole may be rounded up, then there are none.
 */
enum { SHIFT_MAX = 118, FRACTION_MAX = 40 };

static unsigned shortest_fraction(char *out, uint64_t m, unsigned s, uint64_t *out_whole)
{
    const unsigned __int128 one = (unsigned __int128)4 << s;
    unsigned __int128 rest = ((unsigned __int128)m << 2) & (one - 1);
    unsigned __int128 above = 2, below = m == (uint64_t)1 << 52 ? 1 : 2;
    unsigned n = 0;
    *out_whole = s < 64 ? m >> s : 0;
    while (rest >= below && rest <= one - above) {
        rest *= 10;
        above *= 10;
        below *= 10;
        out[n++] = (char)('0' + (int)(rest >> (s + 2)));
        rest &= one - 1;
    }
    if (rest > one - above && (rest >= below || rest > one / 2)) {
        if (n)
            out[n - 1]++; /* never beyond 9: it would have ended a digit earlier */
        else
            ++*out_whole;
    }
    return n;
}

/* d.ddde-x out of a fraction whose first `zeros` digits are zeros. */
static char *put_small(char *out, const char *digits, unsigned n, unsigned zeros)
{
    *out++ = digits[zeros];
    if (n > zeros + 1) {
        *out++ = '.';
        memcpy(out, digits + zeros + 1, n - zeros - 1);
        out += n - zeros - 1;
    }
    *out++ = 'e';
    return num_put_i64(out, -(int64_t)zeros - 1);
}

/* For 0 < v < 2^52, and not so small that 128 bits are too few. */
static char *put_shortest(char *out, double v)
{
    char digits[FRACTION_MAX];
    uint64_t bits, whole;
    unsigned zeros = 0;
    memcpy(&bits, &v, sizeof bits);
    int shift = 1075 - (int)(bits >> 52); /* v = m / 2^shift */
    uint64_t m = (bits & (((uint64_t)1 << 52) - 1)) | (uint64_t)1 << 52;
    if (shift < 1 || shift > SHIFT_MAX)
        return NULL;
    unsigned n = shortest_fraction(digits, m, (unsigned)shift, &whole);
    while (zeros < n && digits[zeros] == '0')
        zeros++;
    if (whole == 0 && zeros >= 5)
        return put_small(out, digits, n, zeros);
    out = num_put_u64(out, whole);
    if (n) {
        *out++ = '.';
        memcpy(out, digits, n);
        out += n;
    }
    return out;
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
    assert(v > 0 && isfinite(v));
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
    if (v < EXACT_MAX && v == (double)(uint64_t)v)
        return num_put_u64(out, (uint64_t)v);
    char *end = put_shortest(out, v);
    return end ? end : put_hard_double(out, v);
}

static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
enum { EXACT_POWER = 22 };

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
