/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Shapes of secrets: how tokens of well-known services, keys and credentials are
 * written. The scanner (scrub.c) calls here where the first bytes fit; what is
 * long enough, and looks as if a machine had made it, is one. Pure.
 */
#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "secret/inside.h"

/* What a token goes on with behind its prefix. */
enum alphabet {
    WORD,  /* letters, digits, _ and - */
    UPPER, /* capitals and digits */
    DOTTED /* WORD and dots */
};

static const struct prefix {
    const char *text;
    unsigned char least; /* bytes behind it, at least */
    unsigned char alphabet;
} prefixes[] = {
    {"sk-", 16, WORD},   {"sk_live_", 8, WORD}, {"sk_test_", 8, WORD},   {"rk_live_", 8, WORD},
    {"AKIA", 16, UPPER}, {"ASIA", 16, UPPER},   {"ghp_", 16, WORD},      {"gho_", 16, WORD},
    {"ghu_", 16, WORD},  {"ghs_", 16, WORD},    {"ghr_", 16, WORD},      {"github_pat_", 16, WORD},
    {"xoxb-", 10, WORD}, {"xoxp-", 10, WORD},   {"xoxa-", 10, WORD},     {"xoxr-", 10, WORD},
    {"xoxs-", 10, WORD}, {"AIza", 20, WORD},    {"ya29.", 12, DOTTED},   {"glpat-", 12, WORD},
    {"hf_", 16, WORD},   {"npm_", 16, WORD},    {"dckr_pat_", 12, WORD},
};

/* So much of a token decides whether it is one: a text that begins again and again
 * like a secret must not be looked through to its end each time. */
enum { JUDGED_MAX = 256 };

static bool fits(unsigned char c, unsigned alphabet)
{
    if (alphabet == UPPER)
        return isupper(c) || isdigit(c);
    return isalnum(c) || c == '_' || c == '-' || (alphabet == DOTTED && c == '.');
}

/* "sk-fading-circle-of-something" was made by a person. */
static bool looks_made(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isdigit((unsigned char)p[i]))
            return true;
    return false;
}

static bool token_find(const char *p, size_t n, size_t at, struct scrub_hit *out)
{
    /* In the middle of a word it is none: "task-..". */
    if (at > 0 && isalnum((unsigned char)p[at - 1]))
        return false;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        const struct prefix *x = &prefixes[i];
        size_t begin = strlen(x->text), end;
        if (n - at < begin + x->least || memcmp(p + at, x->text, begin) != 0)
            continue;
        for (end = begin;
             end < JUDGED_MAX && at + end < n && fits((unsigned char)p[at + end], x->alphabet);)
            end++;
        if (end - begin < x->least || !looks_made(p + at + begin, end - begin))
            continue;
        while (at + end < n && fits((unsigned char)p[at + end], x->alphabet))
            end++;
        *out = (struct scrub_hit){at, end};
        return true;
    }
    return false;
}

/* Header and claims of a JSON web token, its signature if there is one. */
static bool jwt_find(const char *p, size_t n, size_t at, struct scrub_hit *out)
{
    size_t end = at, part = at, parts = 0;
    const bool in_run = at > 0 && p[at - 1] == '-'; /* else the one before would have been it */
    if (at > 0 && (isalnum((unsigned char)p[at - 1]) || p[at - 1] == '_'))
        return false;
    for (; end < n && fits((unsigned char)p[end], DOTTED); end++) {
        if (parts == 0 && end - at > JUDGED_MAX && in_run)
            return false;
        if (p[end] == '.') {
            if (end - part < 8 && parts < 2)
                return false;
            parts++;
            part = end + 1;
        }
    }
    if (parts < 1 || (parts == 1 && end - part < 8))
        return false;
    *out = (struct scrub_hit){at, end - at};
    return true;
}

/* To its end line; if that was cut away to the end of the text, or of the quotes it
 * stands in. */
static bool pem_find(const char *p, size_t n, size_t at, struct scrub_hit *out)
{
    static const char begin[] = "-----BEGIN ", end[] = "-----END ";
    if (n - at < sizeof begin - 1 || memcmp(p + at, begin, sizeof begin - 1) != 0)
        return false;
    const char *last = memmem(p + at, n - at, end, sizeof end - 1);
    const char *quote = memchr(p + at, '"', n - at);
    size_t stop = quote ? (size_t)(quote - p) : n;
    if (last) {
        const char *dashes =
            memmem(last + sizeof end - 1, n - (size_t)(last + sizeof end - 1 - p), "-----", 5);
        stop = dashes ? (size_t)(dashes - p) + 5 : stop;
    }
    *out = (struct scrub_hit){at, stop - at};
    return true;
}

static bool is_token68(unsigned char c)
{
    return isalnum(c) || (c && strchr("-._~+/=", c));
}

/* "Bearer T" and "Basic T": T goes, the word stays. */
static bool scheme_find(const char *p, size_t n, size_t at, struct scrub_hit *out)
{
    bool bearer = n - at > 7 && strncasecmp(p + at, "bearer ", 7) == 0;
    bool basic = n - at > 6 && strncasecmp(p + at, "basic ", 6) == 0;
    char plain[512];
    if ((!bearer && !basic) || (at > 0 && isalnum((unsigned char)p[at - 1])))
        return false;
    size_t from = at + (bearer ? 7 : 6), end;
    while (from < n && p[from] == ' ')
        from++;
    for (end = from; end < n && is_token68((unsigned char)p[end]);)
        end++;
    if (end - from < 8)
        return false;
    if (bearer && end - from < 24 && !looks_made(p + from, end - from))
        return false; /* of prose */
    size_t m = basic ? scrub_base64(p + from, end - from, plain, sizeof plain) : 0;
    if (basic && !memchr(plain, ':', m)) /* user:password, or it is prose */
        return false;
    *out = (struct scrub_hit){from, end - from};
    return true;
}

/* //user:password@host: all of it up to the @. */
static bool url_find(const char *p, size_t n, size_t at, struct scrub_hit *out)
{
    size_t from = at + 3, end = from, last = 0;
    for (; end < n && !strchr("/?# \t\r\n\"'<>`", p[end]) && p[end]; end++)
        if (p[end] == '@')
            last = end;
    if (last == 0 || last == from)
        return false;
    *out = (struct scrub_hit){from, last - from};
    return true;
}

bool shape_find(const char *p, size_t n, size_t at, struct scrub_hit *out)
{
    assert(at < n);
    switch (p[at]) {
    case '-':
        return pem_find(p, n, at, out);
    case ':':
        return n - at > 3 && memcmp(p + at, "://", 3) == 0 && url_find(p, n, at, out);
    case 'B':
    case 'b':
        return scheme_find(p, n, at, out);
    case 'e':
        return n - at > 3 && memcmp(p + at, "eyJ", 3) == 0 && jwt_find(p, n, at, out);
    default:
        return token_find(p, n, at, out);
    }
}

/* ---- base64 ---- */

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

size_t scrub_base64(const char *p, size_t n, char *out, size_t room)
{
    unsigned long bits = 0;
    unsigned held = 0;
    size_t to = 0;
    while (n && p[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        int d = digit(p[i]);
        if (d < 0)
            return 0;
        bits = bits << 6 | (unsigned long)d;
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        if (to == room)
            return to;
        out[to++] = (char)(bits >> held & 0xff);
    }
    return to;
}
