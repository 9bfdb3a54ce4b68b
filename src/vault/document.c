/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A value out of a document of several: a JSON object, or lines KEY=value. Pure.
 */
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "util/json.h"
#include "vault/provider.h"

/* ---- JSON ---- */

void vault_json_wipe(const struct json_value *v)
{
    for (; v; v = v->next) {
        if (v->text)
            explicit_bzero((char *)(uintptr_t)v->text, v->text_n);
        vault_json_wipe(v->first);
    }
}

/* An object of texts as JSON again. */
static int put_object(const struct json_value *v, struct secret *out)
{
    struct buf text;
    struct json j;
    buf_init(&text);
    json_init(&j, &text);
    json_object(&j);
    for (const struct json_value *m = v->first; m; m = m->next) {
        json_key_n(&j, m->key, m->key_n);
        if (m->type == JSON_STRING)
            json_string_n(&j, m->text, m->text_n);
        else
            json_null(&j); /* refused, by number, where headers are made of it */
    }
    json_object_end(&j);
    int rc = text.failed ? ORIEL_ENOMEM : secret_copy(out, text.data, text.size);
    if (text.data)
        explicit_bzero(text.data, text.capacity);
    buf_done(&text);
    return rc;
}

int vault_json_text(const struct json_value *v, struct secret *out)
{
    if (v->type == JSON_STRING)
        return secret_copy(out, v->text, v->text_n);
    return v->type == JSON_OBJECT ? put_object(v, out) : ORIEL_EFORMAT;
}

static int pick_json(const struct secret *document, const char *key, const char *where,
                     struct secret *out, struct oriel_err *err)
{
    const struct json_read_options how = {
        .size = sizeof how, .max_values = 65536, .max_depth = 16, .unique_keys = true};
    struct json_value *root = NULL;
    struct arena arena;
    arena_init(&arena);
    int rc = json_read(&arena, document->p, document->n, &how, &root, NULL);
    const struct json_value *v = rc == 0 ? json_get(root, key) : NULL;
    if (rc != 0)
        rc = err_set(err, rc, "%s: it begins like a JSON object and is none", where);
    else if (!v)
        rc = ORIEL_ENOTFOUND;
    else if ((rc = vault_json_text(v, out)) == ORIEL_EFORMAT)
        rc = err_set(err, rc, "%s: %.80s is neither text nor an object", where, key);
    vault_json_wipe(root);
    arena_done(&arena);
    return rc;
}

/* ---- lines ---- */

/* "export " before the key and quotes around the value are allowed, as in shells. */
static bool line_value(const char *p, size_t n, const char *key, const char **out_p, size_t *out_n)
{
    static const char export[] = "export ";
    size_t k = strlen(key);
    for (; n && isspace((unsigned char)*p); p++)
        n--;
    for (; n && isspace((unsigned char)p[n - 1]);)
        n--;
    if (n >= sizeof export && memcmp(p, export, sizeof export - 1) == 0) {
        p += sizeof export - 1;
        n -= sizeof export - 1;
    }
    if (n <= k || memcmp(p, key, k) != 0 || p[k] != '=')
        return false;
    p += k + 1;
    n -= k + 1;
    if (n >= 2 && (*p == '"' || *p == '\'') && p[n - 1] == *p) {
        p++;
        n -= 2;
    }
    *out_p = p;
    *out_n = n;
    return true;
}

static int pick_line(const struct secret *document, const char *key, struct secret *out)
{
    const char *p = document->p, *end = p + document->n, *value;
    size_t value_n;
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const char *stop = nl ? nl : end;
        if (line_value(p, (size_t)(stop - p), key, &value, &value_n))
            return secret_copy(out, value, value_n);
        p = stop + 1;
    }
    return ORIEL_ENOTFOUND;
}

int vault_pick(const struct secret *document, const char *key, const char *where,
               struct secret *out, struct oriel_err *err)
{
    assert(document->p && key[0]);
    size_t at = strspn(document->p, " \t\r\n");
    return at < document->n && document->p[at] == '{' ? pick_json(document, key, where, out, err)
                                                      : pick_line(document, key, out);
}
