/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Dates and times of TOML, which are those of RFC 3339: read whole or not at
 * all, and written. Pure; any thread.
 */
#include <string.h>

#include "util/num.h"
#include "util/toml.h"

struct cursor {
    const char *p, *end;
    bool ok;
};

static unsigned digits(struct cursor *c, unsigned n)
{
    unsigned v = 0;
    for (; n && c->ok; n--) {
        c->ok = c->p < c->end && *c->p >= '0' && *c->p <= '9';
        if (c->ok)
            v = v * 10 + (unsigned)(*c->p++ - '0');
    }
    return v;
}

static bool take(struct cursor *c, char wanted)
{
    if (!c->ok || c->p >= c->end || *c->p != wanted)
        return false;
    c->p++;
    return true;
}

static void expect(struct cursor *c, char wanted)
{
    if (!take(c, wanted))
        c->ok = false;
}

static unsigned days_of(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static void parse_date(struct cursor *c, struct toml_time *t)
{
    t->year = (uint16_t)digits(c, 4);
    expect(c, '-');
    t->month = (uint8_t)digits(c, 2);
    expect(c, '-');
    t->day = (uint8_t)digits(c, 2);
    c->ok = c->ok && t->month >= 1 && t->month <= 12 && t->day >= 1 &&
            t->day <= days_of(t->year, t->month);
}

static void parse_fraction(struct cursor *c, struct toml_time *t)
{
    const char *start = c->p;
    uint32_t v = 0;
    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++) {
        if (t->digits == 9)
            continue; /* finer than a nanosecond is cut, as TOML allows */
        v = v * 10 + (unsigned)(*c->p - '0');
        t->digits++;
    }
    c->ok = c->p > start;
    for (unsigned i = t->digits; i < 9; i++)
        v *= 10;
    t->ns = v;
}

/* Seconds up to 60: a leap second is a time, which day it falls on or not. */
static void parse_clock(struct cursor *c, struct toml_time *t)
{
    t->hour = (uint8_t)digits(c, 2);
    expect(c, ':');
    t->minute = (uint8_t)digits(c, 2);
    expect(c, ':');
    t->second = (uint8_t)digits(c, 2);
    c->ok = c->ok && t->hour <= 23 && t->minute <= 59 && t->second <= 60;
    if (take(c, '.'))
        parse_fraction(c, t);
}

static void parse_offset(struct cursor *c, struct toml_time *t)
{
    if (take(c, 'Z') || take(c, 'z'))
        return;
    bool west = take(c, '-');
    if (!west)
        expect(c, '+');
    unsigned hours = digits(c, 2);
    expect(c, ':');
    unsigned minutes = digits(c, 2);
    c->ok = c->ok && hours <= 23 && minutes <= 59;
    t->offset_min = (int16_t)(hours * 60 + minutes);
    if (west)
        t->offset_min = (int16_t)-t->offset_min;
}

bool toml_parse_time(const char *p, size_t n, enum toml_type *out_type, struct toml_time *out)
{
    struct cursor c = {p, p + n, true};
    struct toml_time t = {0};
    enum toml_type type = n > 2 && p[2] == ':' ? TOML_TIME : TOML_DATE;
    if (type == TOML_DATE)
        parse_date(&c, &t);
    if (type == TOML_DATE && (take(&c, 'T') || take(&c, 't') || take(&c, ' ')))
        type = TOML_DATETIME_LOCAL;
    if (c.ok && type != TOML_DATE)
        parse_clock(&c, &t);
    if (c.ok && type == TOML_DATETIME_LOCAL && c.p < c.end) {
        type = TOML_DATETIME;
        parse_offset(&c, &t);
    }
    if (!c.ok || c.p != c.end)
        return false;
    *out_type = type;
    *out = t;
    return true;
}

/* ---- writing ---- */

static char *put_clock(char *p, const struct toml_time *t)
{
    p = num_put_padded(p, t->hour, 2);
    *p++ = ':';
    p = num_put_padded(p, t->minute, 2);
    *p++ = ':';
    p = num_put_padded(p, t->second, 2);
    if (t->digits == 0)
        return p;
    *p++ = '.';
    (void)num_put_padded(p, t->ns, 9);
    return p + (t->digits < 9 ? t->digits : 9);
}

static char *put_offset(char *p, int minutes)
{
    if (minutes == 0) {
        *p++ = 'Z';
        return p;
    }
    *p++ = minutes < 0 ? '-' : '+';
    unsigned size = (unsigned)(minutes < 0 ? -minutes : minutes);
    p = num_put_padded(p, size / 60, 2);
    *p++ = ':';
    return num_put_padded(p, size % 60, 2);
}

void toml_put_time(struct buf *out, enum toml_type type, const struct toml_time *t)
{
    char text[64], *p = text;
    if (type != TOML_TIME) {
        p = num_put_padded(p, t->year, 4);
        *p++ = '-';
        p = num_put_padded(p, t->month, 2);
        *p++ = '-';
        p = num_put_padded(p, t->day, 2);
    }
    if (type == TOML_DATETIME || type == TOML_DATETIME_LOCAL)
        *p++ = 'T';
    if (type != TOML_DATE)
        p = put_clock(p, t);
    if (type == TOML_DATETIME)
        p = put_offset(p, t->offset_min);
    buf_put(out, text, (size_t)(p - text));
}
