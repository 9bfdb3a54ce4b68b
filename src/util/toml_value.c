/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Values of TOML: numbers, booleans, times, arrays and inline tables. Arrays
 * nest by recursion, which the reader's depth bounds. One thread.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "util/num.h"
#include "util/toml_reader.h"

static int read_value(struct toml_reader *r, struct toml_value *v);

/* ---- numbers ---- */

/* What could be part of a number, a time or a bare word. */
static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '-' || c == '.' || c == ':' || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_digit_of(char c, unsigned base)
{
    unsigned d = is_digit(c)            ? (unsigned)(c - '0')
                 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                 : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                        : 99;
    return d < base;
}

/* Digits with single underscores between them, from p on, into the scratch
 * buffer without those; NULL if there is none or an underscore is misplaced. */
static const char *take_digits(struct toml_reader *r, const char *p, const char *end, unsigned base)
{
    if (p == end || !is_digit_of(*p, base))
        return NULL;
    for (; p < end; p++) {
        if (*p == '_' && (p + 1 == end || !is_digit_of(p[1], base)))
            return NULL;
        if (*p != '_' && !is_digit_of(*p, base))
            break;
        if (*p != '_')
            buf_putc(&r->scratch, *p);
    }
    return p;
}

enum parsed { PARSED, NO_NUMBER, TOO_LARGE };

static enum parsed parse_based(struct toml_reader *r, const char *p, const char *end,
                               struct toml_value *v)
{
    unsigned base = *p == 'x' ? 16 : *p == 'o' ? 8 : 2;
    uint64_t sum = 0;
    if (take_digits(r, p + 1, end, base) != end)
        return NO_NUMBER;
    for (size_t i = 0; i < r->scratch.size; i++) {
        char c = r->scratch.data[i];
        unsigned d = is_digit(c) ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
        if (__builtin_mul_overflow(sum, (uint64_t)base, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)d, &sum) || sum > INT64_MAX)
            return TOO_LARGE;
    }
    v->type = TOML_INTEGER;
    v->integer = (int64_t)sum;
    return PARSED;
}

/* Fraction and exponent from p on; both optional. */
static bool take_rest(struct toml_reader *r, const char *p, const char *end)
{
    if (p < end && *p == '.') {
        buf_putc(&r->scratch, '.');
        p = take_digits(r, p + 1, end, 10);
    }
    if (p && p < end && (*p == 'e' || *p == 'E')) {
        buf_putc(&r->scratch, 'e');
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            buf_putc(&r->scratch, *p++);
        p = take_digits(r, p, end, 10);
    }
    return p == end;
}

static enum parsed parse_decimal(struct toml_reader *r, const char *p, const char *end,
                                 struct toml_value *v)
{
    if (*p == '+' || *p == '-') {
        if (*p == '-')
            buf_putc(&r->scratch, '-');
        p++;
    }
    const char *digits = p;
    p = take_digits(r, p, end, 10);
    if (!p || (*digits == '0' && p - digits > 1))
        return NO_NUMBER; /* also 00 and 0_1 */
    v->type = p == end ? TOML_INTEGER : TOML_FLOAT;
    if (p != end && !take_rest(r, p, end))
        return NO_NUMBER;
    if (v->type == TOML_FLOAT &&
        num_parse_double(r->scratch.data, r->scratch.size, &v->number) != 0)
        return NO_NUMBER;
    if (v->type == TOML_FLOAT)
        return isinf(v->number) ? TOO_LARGE : PARSED; /* nobody means infinity by digits */
    return num_parse_i64(r->scratch.data, r->scratch.size, &v->integer) == 0 ? PARSED : TOO_LARGE;
}

static bool is_text(const char *p, const char *end, const char *text)
{
    size_t n = strlen(text);
    return (size_t)(end - p) == n && memcmp(p, text, n) == 0;
}

/* true, false, inf, nan and the signed ones. */
static bool parse_name(const char *p, const char *end, struct toml_value *v)
{
    v->boolean = is_text(p, end, "true");
    v->type = TOML_BOOL;
    if (v->boolean || is_text(p, end, "false"))
        return true;
    bool negative = *p == '-';
    p += *p == '-' || *p == '+';
    v->type = TOML_FLOAT;
    bool infinite = is_text(p, end, "inf");
    v->number = copysign(infinite ? (double)INFINITY : (double)NAN, negative ? -1.0 : 1.0);
    return infinite || is_text(p, end, "nan");
}

static int refuse_word(struct toml_reader *r, struct toml_place at, const char *p, const char *end)
{
    int n = end - p < 40 ? (int)(end - p) : 40;
    if (p == end) {
        char what[32];
        return toml_refuse_at(r, at, "a value belongs here, not %s", toml_what(r, what));
    }
    if (is_digit(*p) || *p == '+' || *p == '-' || *p == '.')
        return toml_refuse_at(r, at, "\"%.*s\" is no number, date or time", n, p);
    return toml_refuse_at(r, at, "\"%.*s\" is no value; text stands in quotes", n, p);
}

/* The end of the word at r->p; a date may be followed by a space and a time. */
static const char *word_end(const struct toml_reader *r)
{
    const char *p = r->p;
    while (p < r->end && is_word(*p))
        p++;
    bool date = p - r->p == 10 && r->p[4] == '-' && r->p[7] == '-';
    if (date && r->end - p > 3 && *p == ' ' && is_digit(p[1]) && is_digit(p[2]) && p[3] == ':')
        for (p++; p < r->end && is_word(*p);)
            p++;
    return p;
}

static int read_word(struct toml_reader *r, struct toml_value *v)
{
    const char *p = r->p, *end = word_end(r);
    struct toml_place at = toml_here(r);
    enum parsed parsed = NO_NUMBER;
    buf_clear(&r->scratch);
    if (p == end)
        return refuse_word(r, at, p, end);
    if (parse_name(p, end, v) || toml_parse_time(p, (size_t)(end - p), &v->type, &v->time))
        parsed = PARSED;
    else if (end - p > 2 && *p == '0' && (p[1] == 'x' || p[1] == 'o' || p[1] == 'b'))
        parsed = parse_based(r, p + 1, end, v);
    else
        parsed = parse_decimal(r, p, end, v);
    if (r->scratch.failed)
        return toml_no_memory(r);
    if (parsed == TOO_LARGE)
        return toml_refuse_at(r, at, "\"%.*s\" does not fit into 64 bits",
                              end - p < 40 ? (int)(end - p) : 40, p);
    if (parsed == NO_NUMBER)
        return refuse_word(r, at, p, end);
    r->p = end;
    return 0;
}

/* ---- containers ---- */

/* Space, comments and ends of lines between the items of an array. */
static int skip_between(struct toml_reader *r)
{
    int rc;
    do {
        toml_skip_space(r);
        rc = toml_skip_comment(r);
    } while (rc == 0 && toml_take_newline(r));
    return rc;
}

static int read_array(struct toml_reader *r, struct toml_value *v)
{
    char what[32];
    v->type = TOML_ARRAY;
    assert(v->form == TOML_INLINE && v->depth <= r->max_depth);
    for (;;) {
        struct toml_value *item;
        int rc = skip_between(r);
        if (rc != 0 || toml_take(r, ']'))
            return rc;
        rc = toml_add_new(r, v, NULL, &item);
        if (rc == 0)
            rc = read_value(r, item);
        if (rc == 0)
            rc = skip_between(r);
        if (rc != 0)
            return rc;
        if (!toml_take(r, ',') && (r->p >= r->end || *r->p != ']'))
            return toml_refuse(r, "a comma or ] belongs here, not %s", toml_what(r, what));
    }
}

static int read_inline_table(struct toml_reader *r, struct toml_value *v)
{
    char what[32];
    v->type = TOML_TABLE;
    toml_skip_space(r);
    if (toml_take(r, '}'))
        return 0;
    for (;;) {
        struct toml_value *item;
        toml_skip_space(r);
        int rc = toml_read_pair(r, v, &item);
        if (rc != 0)
            return rc;
        toml_skip_space(r);
        if (toml_take(r, '}'))
            return 0;
        if (!toml_take(r, ','))
            return toml_refuse(r, "a comma or } belongs here on the same line, not %s",
                               toml_what(r, what));
    }
}

static int read_any(struct toml_reader *r, struct toml_value *v)
{
    char c = r->p < r->end ? *r->p : 0;
    if (toml_take(r, '['))
        return read_array(r, v);
    if (toml_take(r, '{'))
        return read_inline_table(r, v);
    if (c != '"' && c != '\'')
        return read_word(r, v);
    v->type = TOML_STRING;
    return toml_read_string(r, true, &v->text, &v->text_n);
}

static int read_value(struct toml_reader *r, struct toml_value *v)
{
    v->at = toml_here(r);
    v->form = TOML_INLINE;
    int rc = read_any(r, v);
    toml_close_place(r, &v->at);
    return rc;
}

int toml_read_pair(struct toml_reader *r, struct toml_value *table, struct toml_value **out)
{
    struct toml_part part;
    char what[32];
    int rc = toml_read_pair_key(r, table, &table, &part);
    if (rc != 0)
        return rc;
    if (!toml_take(r, '='))
        return toml_refuse(r, "= belongs behind the key, not %s", toml_what(r, what));
    toml_skip_space(r);
    rc = toml_add_new(r, table, &part, out);
    return rc == 0 ? read_value(r, *out) : rc;
}
