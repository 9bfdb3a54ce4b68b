/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Numbers to text and back, without the locale: fast decimal for encoders,
 * short forms with units for people. Pure; any thread.
 */
#ifndef ORIEL_UTIL_NUM_H
#define ORIEL_UTIL_NUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { NUM_U64_MAX = 20, NUM_I64_MAX = 20, NUM_DOUBLE_MAX = 32, NUM_TEXT_MAX = 40 };

extern const char num_pairs[201]; /* "00" .. "99" */

/* Decimal digits, no NUL; returns the end. There must be room for NUM_U64_MAX
 * bytes (NUM_I64_MAX with the sign), all of which may be touched. */
char *num_put_u64_long(char *out, uint64_t v);
static inline char *num_put_u64(char *out, uint64_t v)
{
    if (v < 100) {
        if (v < 10) {
            *out = (char)('0' + v);
            return out + 1;
        }
        memcpy(out, num_pairs + 2 * v, 2);
        return out + 2;
    }
    return num_put_u64_long(out, v);
}
static inline char *num_put_i64(char *out, int64_t v)
{
    uint64_t u = (uint64_t)v;
    if (v < 0) {
        *out++ = '-';
        u = 0 - u;
    }
    return num_put_u64(out, u);
}
/* Exactly `digits` digits of v, zeros in front; v < 10^digits. */
char *num_put_padded(char *out, uint64_t v, unsigned digits);
/* 2 * n lower-case hex digits of n bytes; returns the end. */
char *num_put_hex(char *out, const void *bytes, size_t n);

/* The shortest decimal that reads back as the same double, as JSON spells
 * numbers ("-0", "0.1", "1e+300"); "NaN", "Infinity", "-Infinity". Writes at
 * most NUM_DOUBLE_MAX bytes, no NUL; returns the end. */
char *num_put_double(char *out, double v);

/* The whole of [p, p+n) as a decimal number, correctly rounded; also
 * overflowing to infinity. 0, or ORIEL_EINVAL if it is anything else. */
int num_parse_double(const char *p, size_t n, double *out);
/* The whole text as an integer in range, optional sign, no spaces; or ORIEL_EINVAL. */
int num_parse_i64(const char *p, size_t n, int64_t *out);
int num_parse_u64(const char *p, size_t n, uint64_t *out);

/*
 * For people: three digits at most, then the unit. Each writes a NUL-terminated
 * text of less than NUM_TEXT_MAX bytes and returns `out`.
 *   duration  5.02 s   640 us   12 ns   3 min 20 s   2 h 05 min
 *   bytes     1.9 GB   96 MB    512 B              (powers of 1000)
 *   count     92,311
 *   short     92.3 k   1.2 M
 *   percent   71 %     0.43 %
 */
char *num_duration(char out[NUM_TEXT_MAX], uint64_t ns);
char *num_bytes(char out[NUM_TEXT_MAX], uint64_t bytes);
char *num_count(char out[NUM_TEXT_MAX], uint64_t v);
char *num_short(char out[NUM_TEXT_MAX], double v);
char *num_percent(char out[NUM_TEXT_MAX], double part, double whole);
/* The word behind a number: "1 span", "0 spans". */
static inline const char *num_noun(uint64_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}

#endif
