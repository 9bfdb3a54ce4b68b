/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Headers out of a text: a JSON object, or k=v,k=v. Everything is copied into one
 * piece of memory of secrets; what was parsed in between is wiped. Pure.
 */
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "util/http.h"
#include "util/json.h"
#include "vault/provider.h"

/* The list stands at the beginning of the memory, texts behind it. */
struct making {
    struct secret memory;
    struct vault_header *items;
    size_t count, at;
    const char *where;
    struct oriel_err *err;
};

static int begin(struct making *m, size_t bytes, const char *where, struct oriel_err *err)
{
    size_t list = VAULT_HEADERS_MAX * sizeof(struct vault_header);
    *m = (struct making){.at = list, .where = where, .err = err};
    /* No text grows when it is decoded, and each gets a NUL. */
    int rc = secret_open(&m->memory, list + bytes + 2 * VAULT_HEADERS_MAX);
    if (rc != 0)
        return err_set(err, rc, "%s: %s", where, err_text(rc));
    m->items = (struct vault_header *)(void *)m->memory.p;
    return 0;
}

static const char *keep(struct making *m, const char *p, size_t n)
{
    char *to = m->memory.p + m->at;
    assert(m->at + n + 1 <= m->memory.capacity + 1);
    memcpy(to, p, n);
    to[n] = 0;
    m->at += n + 1;
    m->memory.n = m->at;
    return to;
}

/* Those that the transport makes itself: another one would contradict it. */
static bool is_ours(const char *name)
{
    static const char *const ours[] = {"host",    "content-length",    "content-type",
                                       "te",      "transfer-encoding", "connection",
                                       "upgrade", "content-encoding",  NULL};
    for (size_t i = 0; ours[i]; i++)
        if (strcmp(name, ours[i]) == 0)
            return true;
    return false;
}

static int refuse(struct making *m, int code, const char *why)
{
    return err_set(m->err, code, "%s: header %zu %s", m->where, m->count + 1, why);
}

/* Printable bytes and UTF-8; as http_value_valid, and no tab. */
static bool value_valid(const char *p, size_t n)
{
    return http_value_valid(p, n) && !memchr(p, '\t', n);
}

static int add(struct making *m, const char *name, size_t name_n, const char *value, size_t value_n)
{
    if (m->count == VAULT_HEADERS_MAX)
        return refuse(m, ORIEL_ELIMIT, "is one too many");
    if (!http_token_valid(name, name_n))
        return refuse(m, ORIEL_EFORMAT, "has a name that no header can have");
    if (!value_valid(value, value_n))
        return refuse(m, ORIEL_EFORMAT, "has a control character in its value");
    if (value_n == 0)
        return refuse(m, ORIEL_EFORMAT, "has no value");
    struct vault_header h = {keep(m, name, name_n), keep(m, value, value_n)};
    for (char *c = (char *)(uintptr_t)h.name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (is_ours(h.name))
        return refuse(m, ORIEL_EFORMAT, "is one that the transport sets itself");
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->items[i].name, h.name) == 0)
            return refuse(m, ORIEL_EFORMAT, "is there twice");
    m->items[m->count++] = h;
    return 0;
}

/* ---- JSON ---- */

static int add_json(struct making *m, const char *p, size_t n)
{
    const struct json_read_options how = {
        .size = sizeof how, .max_values = 4096, .max_depth = 2, .unique_keys = true};
    struct json_value *root = NULL;
    struct arena arena;
    arena_init(&arena);
    int rc = json_read(&arena, p, n, &how, &root, NULL);
    if (rc != 0)
        rc = err_set(m->err, rc, "%s: the value begins like a JSON object and is none", m->where);
    for (const struct json_value *v = rc == 0 ? root->first : NULL; v && rc == 0; v = v->next)
        rc = v->type == JSON_STRING ? add(m, v->key, v->key_n, v->text, v->text_n)
                                    : refuse(m, ORIEL_EFORMAT, "has a value that is no text");
    vault_json_wipe(root);
    arena_done(&arena);
    return rc;
}

/* ---- k=v,k=v ---- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %41 is A; what is no such thing stays. In place; how long it is now. */
static size_t decode(char *p, size_t n)
{
    size_t to = 0;
    for (size_t i = 0; i < n; i++) {
        bool coded = p[i] == '%' && i + 2 < n && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0;
        p[to++] = coded ? (char)(hex(p[i + 1]) << 4 | hex(p[i + 2])) : p[i];
        i += coded ? 2 : 0;
    }
    return to;
}

static void trim(const char **p, size_t *n)
{
    for (; *n && isspace((unsigned char)**p); (*p)++)
        (*n)--;
    for (; *n && isspace((unsigned char)(*p)[*n - 1]);)
        (*n)--;
}

static int add_pair(struct making *m, const char *p, size_t n)
{
    struct secret plain;
    const char *equals = memchr(p, '=', n);
    if (!equals)
        return refuse(m, ORIEL_EFORMAT, "is not name=value");
    size_t name_n = (size_t)(equals - p), value_n = n - name_n - 1;
    const char *name = p, *value = equals + 1;
    trim(&name, &name_n);
    trim(&value, &value_n);
    int rc = secret_copy(&plain, value, value_n);
    if (rc != 0)
        return refuse(m, rc, err_text(rc));
    plain.n = decode(plain.p, plain.n);
    rc = add(m, name, name_n, plain.p, plain.n);
    secret_close(&plain);
    return rc;
}

static int add_list(struct making *m, const char *p, size_t n)
{
    int rc = 0;
    for (size_t i = 0, from = 0; i <= n && rc == 0; i++) {
        if (i < n && p[i] != ',' && p[i] != '\n')
            continue;
        const char *one = p + from;
        size_t one_n = i - from;
        trim(&one, &one_n);
        if (one_n)
            rc = add_pair(m, one, one_n);
        from = i + 1;
    }
    return rc;
}

int vault_parse_headers(const char *p, size_t n, const char *where, struct vault_headers *out,
                        struct oriel_err *err)
{
    struct making m;
    trim(&p, &n);
    if (n > VAULT_VALUE_MAX)
        return err_set(err, ORIEL_ELIMIT, "%s: more than %d bytes", where, VAULT_VALUE_MAX);
    int rc = begin(&m, n, where, err);
    if (rc != 0)
        return rc;
    rc = n && *p == '{' ? add_json(&m, p, n) : add_list(&m, p, n);
    if (rc == 0 && m.count == 0)
        rc = err_set(err, ORIEL_EFORMAT, "%s: there is no header in it", where);
    if (rc != 0) {
        secret_close(&m.memory);
        return rc;
    }
    *out = (struct vault_headers){.items = m.items, .count = m.count, .memory = m.memory};
    return 0;
}
