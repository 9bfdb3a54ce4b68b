/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Lists of "key=value": OTEL_RESOURCE_ATTRIBUTES (resource/sdk.md) and headers
 * of OTLP (protocol/exporter.md, "Specifying headers"). Read twice, so that
 * nothing of a wrong list is used. Pure.
 */
#include <string.h>

#include "base/buf.h"
#include "config/otlp.h"
#include "util/http.h"
#include "util/utf8.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoded, with a NUL behind it. False: not such a text, or a NUL in it. */
static bool decode(const char *p, size_t n, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (c == '%') {
            int high = i + 2 < n ? hex(p[i + 1]) : -1, low = i + 2 < n ? hex(p[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        buf_putc(out, c);
    }
    return true;
}

static void trim(const char **p, size_t *n)
{
    while (*n && (**p == ' ' || **p == '\t'))
        ++*p, --*n;
    while (*n && ((*p)[*n - 1] == ' ' || (*p)[*n - 1] == '\t'))
        --*n;
}

struct pair {
    struct buf key, value;
};

static const char *what_is_wrong(const char *p, size_t n, enum config_pairs kind, struct pair *out)
{
    const char *equals = memchr(p, '=', n);
    if (!equals)
        return "has no \"=\"";
    const char *value = equals + 1;
    size_t key_n = (size_t)(equals - p), value_n = n - key_n - 1;
    trim(&p, &key_n);
    trim(&value, &value_n);
    if (key_n == 0)
        return "has no key";
    bool header = kind == CONFIG_PAIRS_HEADERS; /* whose name has no encoding */
    buf_clear(&out->key);
    if (header)
        buf_put(&out->key, p, key_n);
    if ((!header && !decode(p, key_n, &out->key)) || !decode(value, value_n, &out->value))
        return "is not percent-encoded as it should be";
    if (!header)
        return utf8_valid(out->key.data, out->key.size) &&
                       utf8_valid(out->value.data, out->value.size)
                   ? NULL
                   : "is not UTF-8";
    if (memchr(value, ';', value_n))
        return "has a \";\", behind which nothing is taken: encode it as %3B";
    if (!http_token_valid(p, key_n))
        return "has a key that is no name of a header";
    return http_value_valid(buf_cstr(&out->value), out->value.size)
               ? NULL
               : "has a value with control characters";
}

static int read_once(const char *text, enum config_pairs kind, config_pair_fn *each, void *user,
                     struct pair *pair, struct oriel_err *err)
{
    unsigned number = 0;
    for (const char *p = text;; p++) {
        size_t n = strcspn(p, ","), size = n;
        const char *member = p;
        trim(&member, &size);
        number++;
        const char *wrong = size ? what_is_wrong(member, size, kind, pair) : NULL;
        if (pair->key.failed || pair->value.failed)
            return err_set(err, ORIEL_ENOMEM, "out of memory");
        if (wrong)
            return err_set(err, ORIEL_EFORMAT, "member %u of the list %s", number, wrong);
        int rc = size && each ? each(user, buf_cstr(&pair->key), buf_cstr(&pair->value)) : 0;
        if (rc < 0)
            return rc;
        p += n;
        if (!*p)
            return 0;
    }
}

int config_pairs_read(const char *text, enum config_pairs kind, config_pair_fn *each, void *user,
                      struct oriel_err *err)
{
    struct pair pair;
    if (strlen(text) > CONFIG_PAIRS_MAX_BYTES)
        return err_set(err, ORIEL_ELIMIT, "a list of more than %zu bytes", CONFIG_PAIRS_MAX_BYTES);
    buf_init(&pair.key);
    buf_init(&pair.value);
    int rc = read_once(text, kind, NULL, NULL, &pair, err);
    if (rc == 0 && each)
        rc = read_once(text, kind, each, user, &pair, err);
    buf_done(&pair.key);
    buf_done(&pair.value);
    return rc;
}
