/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names and values inside a text: password=.., "secret": "..", Authorization: ..,
 * ?token=.., --password NEXT. The scanner calls here at each = and :. Pure.
 */
#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "secret/inside.h"

enum { NAME_MAX_BYTES = 64 };

static bool in_name(unsigned char c)
{
    return isalnum(c) || c == '_' || c == '-' || c == '.' || c == '[' || c == ']';
}

/* The name that ends before `at`; *out_quoted: it stands in quotes. */
static size_t name_before(const char *p, size_t at, size_t *out_from, bool *out_quoted)
{
    size_t end = at;
    *out_quoted = end > 1 && (p[end - 1] == '"' || p[end - 1] == '\'');
    end -= *out_quoted;
    size_t from = end;
    while (from > 0 && end - from < NAME_MAX_BYTES && in_name((unsigned char)p[from - 1]))
        from--;
    *out_from = from;
    return end - from;
}

static size_t until(const char *p, size_t n, size_t from, const char *stops)
{
    size_t end = from;
    while (end < n && p[end] && !strchr(stops, p[end]))
        end++;
    return end;
}

/* A text in quotes, with what is escaped in it. */
static size_t quoted_end(const char *p, size_t n, size_t from, char quote)
{
    size_t end = from;
    for (; end < n && p[end] != quote; end++)
        if (p[end] == '\\' && end + 1 < n)
            end++;
    return end;
}

/* Where the value that begins at *io_from ends. Headers are secret to the end of their
 * line: "Cookie: a=1; b=2", "Authorization: Digest username=..". */
static size_t value_end(const char *p, size_t n, size_t *io_from, bool header)
{
    size_t from = *io_from;
    if (from < n && (p[from] == '"' || p[from] == '\'')) {
        *io_from = from + 1;
        return quoted_end(p, n, from + 1, p[from]);
    }
    return until(p, n, from, header ? "\r\n\"'" : " \t\r\n&;,\"'`)}]<>");
}

static bool is_header(const char *name, size_t n)
{
    static const char *const ends[] = {"authorization", "cookie"};
    for (size_t i = 0; i < 2; i++) {
        size_t m = strlen(ends[i]);
        if (n >= m && strncasecmp(name + n - m, ends[i], m) == 0)
            return true;
    }
    return false;
}

/* What stands where a value would, and is none. */
static bool is_nothing(const char *p, size_t n)
{
    static const char *const words[] = {"null", "none", "true", "false", "nil", "***", SCRUB_TEXT};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == n && memcmp(words[i], p, n) == 0)
            return true;
    return n == 0 || *p == '%' || *p == '[' || *p == '{' || *p == '*';
}

/* "passwd: not an Oriel capture", "secret: No such file or directory": how a line about a file
 * of such a name goes on. */
static bool begins_prose(const char *p, size_t n)
{
    static const char *const words[] = {"not", "no",     "is",         "are",          "cannot",
                                        "has", "exists", "permission", "input/output", "too"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == n && strncasecmp(words[i], p, n) == 0)
            return true;
    return false;
}

/* The name that ends before the = or : at `at`, where it names a secret. */
struct pair_name {
    const char *p;
    size_t n;
    bool colon, quoted;
};

static bool secret_name(const char *p, size_t n, size_t at, bool files, struct pair_name *out)
{
    size_t from;
    bool strong;
    out->colon = p[at] == ':';
    out->n = name_before(p, at, &from, &out->quoted);
    out->p = p + from;
    if (out->n < 3 || !scrub_names_secret(out->p, out->n, &strong))
        return false;
    /* "unexpected token: foo" is prose. */
    if (out->colon && !strong && !out->quoted)
        return false;
    /* "/etc/passwd: " names a file. */
    const bool path = from > 0 && p[from - 1] == '/' && at + 1 < n && p[at + 1] == ' ';
    return !(files && out->colon && path);
}

bool pair_find(const char *p, size_t n, size_t at, bool files, struct scrub_hit *out)
{
    struct pair_name name;
    size_t from = at + 1;
    assert(at < n);
    if (!secret_name(p, n, at, files, &name))
        return false;
    const bool plain = name.colon && !name.quoted;
    const bool header = plain && is_header(name.p, name.n);
    while (name.colon && from < n && (p[from] == ' ' || p[from] == '\t'))
        from++;
    /* Before its end is looked for: it may be far away. */
    if (from < n && strchr("%[{*", p[from]) && p[from])
        return false;
    size_t end = value_end(p, n, &from, header);
    if (from >= n || is_nothing(p + from, end - from))
        return false;
    if (plain && !header && begins_prose(p + from, end - from))
        return false;
    *out = (struct scrub_hit){from, end - from};
    return true;
}

bool args_find(const char *p, size_t n, size_t at, struct scrub_hit *out)
{
    size_t from = at;
    bool strong;
    assert(at < n);
    while (from > 0 && at - from < NAME_MAX_BYTES && in_name((unsigned char)p[from - 1]))
        from--;
    bool option = at - from > 3 && p[from] == '-' && (from == 0 || p[from - 1] == p[at]);
    if (!option || !scrub_names_secret(p + from, at - from, &strong) || at + 1 >= n)
        return false;
    char stop[2] = {p[at], 0};
    size_t begin = at + 1, end = begin;
    while (end < n && p[end] != stop[0])
        end++;
    if (end == begin || p[begin] == '-' || is_nothing(p + begin, end - begin))
        return false;
    *out = (struct scrub_hit){begin, end - begin};
    return true;
}

/* ---- formats ---- */

/* Where the conversion begins that takes argument `index`; n: there is none. */
static size_t conversion_of(const char *p, size_t n, unsigned index)
{
    unsigned taken = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        if (p[i] != '%')
            continue;
        size_t begin = i++;
        if (p[i] == '%')
            continue;
        /* Each star is an argument of its own, before the value. */
        for (; i < n && strchr("-+ #0123456789.*'hlLqjzt", p[i]); i++)
            taken += p[i] == '*';
        if (taken >= index)
            return taken == index ? begin : n;
        taken++;
    }
    return n;
}

static bool ends_with_scheme(const char *p, size_t n)
{
    return (n >= 7 && strncasecmp(p + n - 7, "bearer ", 7) == 0) ||
           (n >= 6 && strncasecmp(p + n - 6, "basic ", 6) == 0);
}

bool scrub_argument(const char *format, size_t n, unsigned index)
{
    size_t at = conversion_of(format, n, index), from;
    bool quoted, strong;
    if (!scrub_guesses() || at >= n)
        return false;
    if (ends_with_scheme(format, at))
        return true;
    while (at > 0 && strchr(" \"'", format[at - 1]))
        at--;
    if (at == 0 || (format[at - 1] != '=' && format[at - 1] != ':'))
        return false;
    size_t name_n = name_before(format, at - 1, &from, &quoted);
    return scrub_names_secret(format + from, name_n, &strong) &&
           (strong || quoted || format[at - 1] == '=');
}
