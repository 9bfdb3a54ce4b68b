/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Arrays and lists of pairs: in a value they are the JSON of them, marked
 * ORIEL_FIELD_NESTED (source/otlp/attrs.c); here they become AnyValues again. Pure but
 * for memory.
 */
#include <math.h>

#include "export/otlp/otlp.h"

enum { KEY = 1, VALUE = 2 };
enum { TEXT = 1, BOOLEAN = 2, INTEGER = 3, REAL = 4, ARRAY = 5, PAIRS = 6, BYTES = 7 };

static void put_tree(struct put *w, const struct json_value *v);

static void put_items(struct put *w, const struct json_value *v)
{
    const bool pairs = v->type == JSON_OBJECT;
    struct pb_mark list =
        put_open(w, pairs ? PAIRS : ARRAY, pairs ? "kvlistValue" : "arrayValue", 4);
    put_list(w, "values");
    for (const struct json_value *i = v->first; i; i = i->next) {
        struct pb_mark one = put_open(w, 1, NULL, 4);
        if (pairs) {
            put_text(w, KEY, "key", (struct model_str){i->key, (uint32_t)i->key_n});
            struct pb_mark any = put_open(w, VALUE, "value", 4);
            put_tree(w, i);
            put_close(w, any);
        } else {
            put_tree(w, i);
        }
        put_close(w, one);
    }
    put_list_end(w);
    put_close(w, list);
}

static void put_real(struct put *w, double v)
{
    if (!w->json) {
        pb_double(w->out, REAL, v);
        return;
    }
    put_key(w, "doubleValue");
    json_put_double(w->out, v, true);
}

static int digit64(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* base64 as we wrote it; false: it is something else. */
static bool put_bytes(struct put *w, const struct json_value *v)
{
    struct buf bytes;
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = v->text_n;
    bool ok = n % 4 == 0;
    buf_init(&bytes);
    while (n && v->text[n - 1] == '=')
        n--;
    for (size_t i = 0; ok && i < n; i++) {
        int d = digit64(v->text[i]);
        ok = d >= 0;
        bits = bits << 6 | (uint32_t)(d & 63);
        have += 6;
        if (have >= 8)
            buf_putc(&bytes, (char)(bits >> (have -= 8)));
    }
    if (ok && w->json) {
        put_key(w, "bytesValue");
        json_put_base64(w->out, bytes.data, bytes.size);
    } else if (ok) {
        pb_bytes(w->out, BYTES, bytes.data, bytes.size);
    }
    w->out->failed |= bytes.failed;
    buf_done(&bytes);
    return ok;
}

static bool is_word(const struct json_value *v, const char *word)
{
    return v->key_n == strlen(word) && memcmp(v->key, word, v->key_n) == 0;
}

/* Bytes and numbers that JSON has no word for are objects with OTLP's. */
static bool put_worded(struct put *w, const struct json_value *v)
{
    const struct json_value *only = v->first;
    if (v->count != 1 || only->type != JSON_STRING)
        return false;
    if (is_word(only, "bytesValue"))
        return put_bytes(w, only);
    if (!is_word(only, "doubleValue") || only->text_n == 0)
        return false;
    put_real(w, only->text[0] == 'N'   ? (double)NAN
                : only->text[0] == '-' ? -(double)INFINITY
                                       : (double)INFINITY);
    return true;
}

static void put_tree(struct put *w, const struct json_value *v)
{
    switch (v->type) {
    case JSON_NULL: /* an AnyValue without a value */
        break;
    case JSON_BOOL:
        if (w->json) {
            put_key(w, "boolValue");
            buf_puts(w->out, v->boolean ? "true" : "false");
        } else {
            pb_bool(w->out, BOOLEAN, v->boolean);
        }
        break;
    case JSON_NUMBER:
        if (v->is_integer)
            put_i64(w, INTEGER, "intValue", (int64_t)v->integer);
        else
            put_real(w, v->number);
        break;
    case JSON_STRING:
        put_text(w, TEXT, "stringValue", (struct model_str){v->text, (uint32_t)v->text_n});
        break;
    case JSON_OBJECT:
        if (put_worded(w, v))
            break;
        __attribute__((fallthrough));
    case JSON_ARRAY:
        put_items(w, v);
        break;
    }
}

bool otlp_put_nested(struct put *w, struct model_str text)
{
    struct arena arena;
    struct json_value *v;
    arena_init(&arena);
    bool ok = json_read(&arena, text.p, text.n, NULL, &v, NULL) == 0;
    if (ok)
        put_tree(w, v);
    arena_done(&arena);
    return ok;
}
