/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Option tables at work: one parser and one printer per type. The value's type
 * decides everything, so a room adds an option by adding a row. No I/O; one
 * thread per options struct.
 */
#include "util/option.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "util/num.h"

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first, for printing; the first spelling of a factor is printed. */
static const struct unit size_units[] = {
    {"TiB", (uint64_t)1 << 40},
    {"T", (uint64_t)1 << 40},
    {"GiB", 1 << 30},
    {"G", 1 << 30},
    {"MiB", 1 << 20},
    {"M", 1 << 20},
    {"KiB", 1 << 10},
    {"K", 1 << 10},
    {"k", 1 << 10},
    {"B", 1},
    {"", 1},
    {NULL, 0},
};
static const struct unit duration_units[] = {
    {"h", UINT64_C(3600000000000)},
    {"d", UINT64_C(86400000000000)},
    {"m", UINT64_C(60000000000)},
    {"s", 1000000000},
    {"", 1000000000},
    {"ms", 1000000},
    {"us", 1000},
    {"ns", 1},
    {NULL, 0},
};

/* "12.5unit" into whole base units; false if it is anything else, does not fit
 * or has a fraction of a base unit. */
static bool parse_with_unit(const char *text, const struct unit *units, uint64_t *out)
{
    uint64_t whole = 0, part = 0, scale = 1;
    const char *p = text;
    for (; isdigit((unsigned char)*p); p++)
        if (__builtin_mul_overflow(whole, 10u, &whole) ||
            __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
            return false;
    if (p == text)
        return false;
    if (*p == '.') {
        const char *start = ++p;
        for (; isdigit((unsigned char)*p); p++) {
            if (p - start >= 15)
                return false;
            part = part * 10 + (uint64_t)(*p - '0');
            scale *= 10;
        }
        if (p == start)
            return false;
    }
    while (units->name && strcmp(units->name, p) != 0)
        units++;
    if (!units->name)
        return false;
    unsigned __int128 extra = (unsigned __int128)part * units->factor;
    unsigned __int128 sum = (unsigned __int128)whole * units->factor + extra / scale;
    if (extra % scale != 0 || sum > UINT64_MAX)
        return false;
    *out = (uint64_t)sum;
    return true;
}

int option_parse_size(const char *text, uint64_t *out)
{
    return parse_with_unit(text, size_units, out) ? 0 : ORIEL_EINVAL;
}

int option_parse_duration(const char *text, uint64_t *out_ns)
{
    return parse_with_unit(text, duration_units, out_ns) ? 0 : ORIEL_EINVAL;
}

/* The largest unit that gives a whole number. */
static void put_with_unit(char *out, size_t n, uint64_t v, const struct unit *units)
{
    const struct unit *u = units;
    while (u[1].name && (v % u->factor != 0 || (v == 0 && u->factor != 1)))
        u++;
    snprintf(out, n, "%llu%s", (unsigned long long)(v / u->factor), u->name);
}

static void put_size(char *out, size_t n, uint64_t v)
{
    put_with_unit(out, n, v, size_units);
    size_t len = strlen(out);
    if (len && out[len - 1] == 'B' && (len < 2 || out[len - 2] != 'i'))
        out[len - 1] = 0; /* bytes need no unit */
}

static void put_duration(char *out, size_t n, uint64_t v)
{
    if (v == 0)
        snprintf(out, n, "0s");
    else
        put_with_unit(out, n, v, duration_units);
}

static bool is_bounded(const struct option_def *def)
{
    return def->min != 0 || def->max != 0;
}

static bool in_bounds(const struct option_def *def, double v)
{
    return !is_bounded(def) || (v >= def->min && v <= def->max);
}

/* A bound in the words the option takes. */
static void put_bound(const struct option_def *def, double v, char *out, size_t n)
{
    char digits[NUM_DOUBLE_MAX + 1];
    uint64_t whole = v <= 0 ? 0 : v >= 0x1p64 ? UINT64_MAX : (uint64_t)v;
    *num_put_double(digits, v) = 0;
    if (def->type == OPTION_SIZE)
        put_size(out, n, whole);
    else if (def->type == OPTION_DURATION)
        put_duration(out, n, whole);
    else
        snprintf(out, n, "%s", digits);
}

static void put_allowed(const struct option_def *def, struct buf *b)
{
    static const char *const kinds[] = {
        [OPTION_BOOL] = "true or false",
        [OPTION_INT] = "a whole number",
        [OPTION_FLOAT] = "a number",
        [OPTION_STRING] = "text",
        [OPTION_ENUM] = "one of",
        [OPTION_SIZE] = "a size like 4096, 64KiB or 16MiB",
        [OPTION_DURATION] = "a duration like 500ms, 5s or 2m",
    };
    char low[48], high[48];
    buf_puts(b, kinds[def->type]);
    for (const char *const *c = def->choices; def->type == OPTION_ENUM && c && *c; c++)
        buf_printf(b, "%s%s", c == def->choices ? " " : ", ", *c);
    if (!is_bounded(def) || def->type == OPTION_BOOL || def->type == OPTION_STRING ||
        def->type == OPTION_ENUM)
        return;
    put_bound(def, def->min, low, sizeof low);
    put_bound(def, def->max, high, sizeof high);
    buf_printf(b, " from %s to %s", low, high);
}

static int refuse(const struct option_def *def, const char *text, struct oriel_err *err)
{
    struct buf allowed;
    if (!err)
        return ORIEL_EINVAL;
    buf_init(&allowed);
    put_allowed(def, &allowed);
    if (def->secret)
        err_set(err, ORIEL_EINVAL, "%s: the value is not %s", def->name, buf_cstr(&allowed));
    else
        err_set(err, ORIEL_EINVAL, "%s: \"%.80s\" is not %s", def->name, text, buf_cstr(&allowed));
    buf_done(&allowed);
    return ORIEL_EINVAL;
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    for (int i = 0; i < 4; i++) {
        if (strcasecmp(text, yes[i]) == 0)
            return *out = true;
        if (strcasecmp(text, no[i]) == 0) {
            *out = false;
            return true;
        }
    }
    return false;
}

static int set_string(char **member, const char *text, bool list)
{
    const char *before = list && *member && **member ? *member : NULL;
    size_t n = before ? strlen(before) + 1 : 0;
    char *copy = mem_alloc(n + strlen(text) + 1);
    if (!copy)
        return ORIEL_ENOMEM;
    if (before) {
        memcpy(copy, before, n);
        copy[n - 1] = '\n';
    }
    memcpy(copy + n, text, strlen(text) + 1);
    mem_free(*member);
    *member = copy;
    return 0;
}

static bool set_enum(const struct option_def *def, int *member, const char *text)
{
    for (int i = 0; def->choices && def->choices[i]; i++) {
        if (strcmp(def->choices[i], text) != 0)
            continue;
        *member = i;
        return true;
    }
    return false;
}

static bool set_u64(const struct option_def *def, uint64_t *member, const char *text)
{
    uint64_t v;
    int rc =
        def->type == OPTION_SIZE ? option_parse_size(text, &v) : option_parse_duration(text, &v);
    if (rc != 0 || !in_bounds(def, (double)v))
        return false;
    *member = v;
    return true;
}

static bool set_int(const struct option_def *def, int64_t *member, const char *text)
{
    int64_t v;
    if (num_parse_i64(text, strlen(text), &v) != 0 || !in_bounds(def, (double)v))
        return false;
    *member = v;
    return true;
}

static bool set_float(const struct option_def *def, double *member, const char *text)
{
    double v;
    if (num_parse_double(text, strlen(text), &v) != 0 || v - v != 0 || !in_bounds(def, v))
        return false;
    *member = v;
    return true;
}

int option_set(const struct option_def *def, void *options, const char *text, struct oriel_err *err)
{
    void *member = (char *)options + def->offset;
    bool ok = false;
    switch (def->type) {
    case OPTION_BOOL:
        ok = parse_bool(text, member);
        break;
    case OPTION_INT:
        ok = set_int(def, member, text);
        break;
    case OPTION_FLOAT:
        ok = set_float(def, member, text);
        break;
    case OPTION_STRING:
        if (set_string(member, text, def->list) != 0)
            return err_set(err, ORIEL_ENOMEM, "%s: out of memory", def->name);
        ok = true;
        break;
    case OPTION_ENUM:
        ok = set_enum(def, member, text);
        break;
    case OPTION_SIZE:
    case OPTION_DURATION:
        ok = set_u64(def, member, text);
        break;
    }
    return ok ? 0 : refuse(def, text, err);
}

static size_t member_size(enum option_type type)
{
    static const uint8_t sizes[] = {
        [OPTION_BOOL] = sizeof(bool),         [OPTION_INT] = sizeof(int64_t),
        [OPTION_FLOAT] = sizeof(double),      [OPTION_STRING] = sizeof(char *),
        [OPTION_ENUM] = sizeof(int),          [OPTION_SIZE] = sizeof(uint64_t),
        [OPTION_DURATION] = sizeof(uint64_t),
    };
    return sizes[type];
}

int option_defaults(const struct option_def *defs, void *options)
{
    for (const struct option_def *d = defs; d->name; d++)
        memset((char *)options + d->offset, 0, member_size(d->type));
    for (const struct option_def *d = defs; d->name; d++) {
        int rc = d->fallback ? option_set(d, options, d->fallback, NULL) : 0;
        assert(rc != ORIEL_EINVAL); /* a table whose default its own parser refuses */
        if (rc != 0) {
            option_done(defs, options);
            return rc;
        }
    }
    return 0;
}

void option_text(const struct option_def *def, const void *options, char *out, size_t n)
{
    const void *member = (const char *)options + def->offset;
    char digits[NUM_DOUBLE_MAX + 1];
    assert(n > 0);
    if (def->secret) {
        snprintf(out, n, "***");
        return;
    }
    switch (def->type) {
    case OPTION_BOOL:
        snprintf(out, n, "%s", *(const bool *)member ? "true" : "false");
        break;
    case OPTION_INT:
        snprintf(out, n, "%lld", (long long)*(const int64_t *)member);
        break;
    case OPTION_FLOAT:
        *num_put_double(digits, *(const double *)member) = 0;
        snprintf(out, n, "%s", digits);
        break;
    case OPTION_STRING:
        snprintf(out, n, "%s", *(char *const *)member ? *(char *const *)member : "");
        break;
    case OPTION_ENUM:
        snprintf(out, n, "%s", def->choices ? def->choices[*(const int *)member] : "");
        break;
    case OPTION_SIZE:
        put_size(out, n, *(const uint64_t *)member);
        break;
    case OPTION_DURATION:
        put_duration(out, n, *(const uint64_t *)member);
        break;
    }
}

void option_done(const struct option_def *defs, void *options)
{
    for (const struct option_def *d = defs; d->name; d++) {
        if (d->type != OPTION_STRING)
            continue;
        char **member = (char **)((char *)options + d->offset);
        mem_free(*member);
        *member = NULL;
    }
}

static char fold(char c)
{
    return c == '-' ? '_' : c;
}

const struct option_def *option_find(const struct option_def *defs, const char *name, size_t n)
{
    for (; defs->name; defs++) {
        size_t i = 0;
        while (i < n && defs->name[i] && defs->name[i] == fold(name[i]))
            i++;
        if (i == n && !defs->name[i])
            return defs;
    }
    return NULL;
}

enum { NAME_MAX_COMPARED = 63 };

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edits from a to b, a swap of neighbours counting as one (optimal string
 * alignment); names longer than the bound are as far as can be. */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][NAME_MAX_COMPARED + 1];
    size_t an = strlen(a), bn = strlen(b);
    if (an > NAME_MAX_COMPARED || bn > NAME_MAX_COMPARED)
        return NAME_MAX_COMPARED;
    for (size_t j = 0; j <= bn; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= an; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= bn; j++) {
            bool same = fold(a[i - 1]) == fold(b[j - 1]);
            row[j] = smallest(above[j] + 1, row[j - 1] + 1, above[j - 1] + !same);
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
                fold(a[i - 2]) == fold(b[j - 1]) && two_above[j - 2] + 1 < row[j])
                row[j] = two_above[j - 2] + 1;
        }
    }
    return rows[an % 3][bn];
}

const struct option_def *option_nearest(const struct option_def *defs, const char *name)
{
    const struct option_def *best = NULL;
    unsigned best_distance = 3;
    size_t n = strlen(name);
    for (; defs->name; defs++) {
        unsigned d = distance(name, defs->name);
        if (d < best_distance && d < n) {
            best = defs;
            best_distance = d;
        }
    }
    return best;
}
