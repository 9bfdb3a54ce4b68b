/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names that secrets go by. A name is taken apart into words, at what is no letter
 * or digit and where a capital begins one; the words decide. Pure.
 */
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "secret/inside.h"

enum { WORDS_MAX = 12, WORD_BYTES = 16 };

struct words {
    char text[WORDS_MAX][WORD_BYTES]; /* in lower case, cut */
    unsigned count;
};

static bool begins_word(const char *p, size_t i)
{
    unsigned char c = (unsigned char)p[i], before = (unsigned char)p[i - 1];
    return isupper(c) && !isupper(before);
}

/* The last WORDS_MAX words count. */
static void split(const char *p, size_t n, struct words *w)
{
    size_t at = 0;
    w->count = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_part = isalnum((unsigned char)p[i]) != 0;
        if (is_part && (i == 0 || !isalnum((unsigned char)p[i - 1]) || begins_word(p, i))) {
            if (w->count == WORDS_MAX) {
                memmove(w->text[0], w->text[1], sizeof w->text - WORD_BYTES);
                w->count--;
            }
            at = 0;
            memset(w->text[w->count++], 0, WORD_BYTES);
        }
        if (is_part && at < WORD_BYTES - 1)
            w->text[w->count - 1][at++] = (char)tolower((unsigned char)p[i]);
    }
}

static bool is_among(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

static bool ends_with(const char *word, const char *end)
{
    size_t n = strlen(word), m = strlen(end);
    return n >= m && strcmp(word + n - m, end) == 0;
}

/* What the value of such a name is about, and not the thing itself. */
static bool tells_about(const char *last)
{
    static const char *const about[] = {
        "name",    "type",  "count", "length", "len",     "size",    "id",   "ids",  "version",
        "expiry",  "ttl",   "kind",  "policy", "enabled", "expires", "path", "file", "required",
        "present", "valid", "algo",  "limit",  "index",   "status",  NULL};
    return is_among(last, about);
}

static bool is_strong(const char *word)
{
    static const char *const strong[] = {
        "password",  "passwd",        "passphrase",  "passcode",  "pwd",        "secret",
        "secrets",   "authorization", "cookie",      "cookies",   "credential", "credentials",
        "apikey",    "accesskey",     "privatekey",  "secretkey", "authtoken",  "accesstoken",
        "passwords", "sessiontoken",  "bearertoken", NULL};
    return is_among(word, strong) || ends_with(word, "password") || ends_with(word, "passwd");
}

/* api key, access key, ... */
static bool is_key_of(const char *word)
{
    static const char *const kinds[] = {
        "api",     "access", "private", "secret",  "signing",      "encrypt",    "auth", "master",
        "account", "shared", "ssh",     "license", "subscription", "encryption", NULL};
    return is_among(word, kinds);
}

/* Nearly every name has none of these in it, and is done with here. */
static bool may_be_secret(const char *p, size_t n)
{
    static const char begins[][4] = {"pas", "pwd", "sec", "aut", "coo", "cre",
                                     "key", "tok", "jwt", "bea", "api", "ses"};
    for (size_t i = 0; i + 2 < n; i++) {
        const char c[3] = {(char)(p[i] | 32), (char)(p[i + 1] | 32), (char)(p[i + 2] | 32)};
        if (!strchr("pscaktjb", c[0]))
            continue;
        for (size_t k = 0; k < sizeof begins / sizeof *begins; k++)
            if (memcmp(begins[k], c, 3) == 0)
                return true;
    }
    return false;
}

bool scrub_names_secret(const char *name, size_t n, bool *out_strong)
{
    struct words w;
    assert(name || n == 0);
    *out_strong = false;
    if (!may_be_secret(name, n))
        return false;
    split(name, n, &w);
    if (w.count == 0 || tells_about(w.text[w.count - 1]))
        return false;
    for (unsigned i = 0; i < w.count; i++)
        if (is_strong(w.text[i]) ||
            (i > 0 && strcmp(w.text[i], "key") == 0 && is_key_of(w.text[i - 1]))) {
            *out_strong = true;
            return true;
        }
    const char *last = w.text[w.count - 1];
    bool token = strcmp(last, "token") == 0 || strcmp(last, "jwt") == 0 ||
                 (w.count == 1 && (strcmp(last, "auth") == 0 || strcmp(last, "bearer") == 0));
    /* `max_tokens` and `token` of a parser: the first has another word at its end. */
    return token;
}

bool scrub_key(const char *name, size_t n)
{
    bool strong;
    return scrub_guesses() && scrub_names_secret(name, n, &strong);
}
