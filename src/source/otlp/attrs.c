/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Attributes: KeyValue and AnyValue as values of the model. Arrays, lists of pairs
 * and values that are not there have no type of their own in a record: they are
 * text, the JSON of them, marked as that (ORIEL_FIELD_NESTED), so that every outlet
 * shows them and OTLP gives them back. What JSON cannot tell apart inside is an
 * object with OTLP's own word: {"bytesValue":"AA=="}, {"doubleValue":"NaN"}. Pure.
 */
#include "source/otlp/otlp.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "util/json.h"

enum { KEY = 1, VALUE = 2, KEY_BYTES_MAX = 256, NESTED_BYTES_MAX = 1 << 20 };
enum { TEXT = 1, BOOLEAN = 2, INTEGER = 3, REAL = 4, ARRAY = 5, PAIRS = 6, BYTES = 7 };

void otlp_values_begin(struct otlp_values *v, struct arena *arena, uint32_t text_max)
{
    v->count = 0;
    v->dropped = 0;
    v->arena = arena;
    v->text_max = text_max;
}

/* ---- what is inside arrays ---- */

static void put_any(struct buf *out, const struct pb_field *any);

static void put_real(struct buf *out, double d)
{
    if (!isfinite(d)) {
        JSON_PUT(out, "{\"doubleValue\":");
        json_put_double(out, d, true);
        buf_putc(out, '}');
        return;
    }
    size_t at = out->size;
    json_put_double(out, d, false);
    if (!out->failed && !memchr(out->data + at, '.', out->size - at) &&
        !memchr(out->data + at, 'e', out->size - at))
        JSON_PUT(out, ".0"); /* else it would come back as an integer */
}

static void put_pair(struct buf *out, const struct pb_field *pair)
{
    struct pb_field f;
    if (pb_find(pb_read_nested(pair), KEY, &f))
        json_put_string(out, (const char *)f.bytes, f.size);
    else
        JSON_PUT(out, "\"\"");
    buf_putc(out, ':');
    if (pb_find(pb_read_nested(pair), VALUE, &f))
        put_any(out, &f);
    else
        JSON_PUT(out, "null");
}

static void put_list(struct buf *out, const struct pb_field *list, bool pairs)
{
    struct pb_reader r = pb_read_nested(list);
    struct pb_field f;
    const char *comma = "";
    buf_putc(out, pairs ? '{' : '[');
    while (pb_next(&r, &f) && out->size < NESTED_BYTES_MAX) {
        if (f.number != 1)
            continue;
        buf_puts(out, comma);
        comma = ",";
        if (pairs)
            put_pair(out, &f);
        else
            put_any(out, &f);
    }
    buf_putc(out, pairs ? '}' : ']');
}

static void put_one(struct buf *out, const struct pb_field *f)
{
    switch (f->number) {
    case TEXT:
        json_put_string(out, (const char *)f->bytes, f->size);
        break;
    case BOOLEAN:
        buf_puts(out, f->value ? "true" : "false");
        break;
    case INTEGER:
        json_put_i64(out, (int64_t)f->value);
        break;
    case REAL:
        put_real(out, pb_as_double(f));
        break;
    case ARRAY:
    case PAIRS:
        put_list(out, f, f->number == PAIRS);
        break;
    default:
        JSON_PUT(out, "{\"bytesValue\":");
        json_put_base64(out, f->bytes, f->size);
        buf_putc(out, '}');
    }
}

/* The value that counts, of several the last. */
static bool find_value(const struct pb_field *any, struct pb_field *out)
{
    struct pb_reader r = pb_read_nested(any);
    struct pb_field f;
    bool found = false;
    while (pb_next(&r, &f))
        if (f.number >= TEXT && f.number <= BYTES) {
            *out = f;
            found = true;
        }
    return found;
}

/* As deep as the check of the request lets it be. */
static void put_any(struct buf *out, const struct pb_field *any)
{
    struct pb_field f;
    if (find_value(any, &f))
        put_one(out, &f);
    else
        JSON_PUT(out, "null");
}

/* ---- attributes ---- */

static bool nested(struct otlp_values *v, struct model_value *out, const struct pb_field *f)
{
    struct buf text;
    assert(v->arena);
    buf_init(&text);
    if (f)
        put_one(&text, f);
    else
        JSON_PUT(&text, "null");
    char *copy = text.failed ? NULL : arena_copy(v->arena, text.data, text.size);
    bool whole = text.size <= v->text_max; /* cut JSON is only a text */
    out->type = ORIEL_TYPE_STR;
    out->flags |= whole ? ORIEL_FIELD_NESTED : 0;
    out->v.str = (struct model_str){copy, (uint32_t)text.size};
    buf_done(&text);
    return copy != NULL;
}

static bool any_value(struct otlp_values *v, struct model_value *out, const struct pb_field *any)
{
    struct pb_field f;
    if (!any || !find_value(any, &f))
        return nested(v, out, NULL);
    switch (f.number) {
    case TEXT:
    case BYTES:
        out->type = f.number == TEXT ? ORIEL_TYPE_STR : ORIEL_TYPE_BYTES;
        out->v.str = (struct model_str){(const char *)f.bytes, (uint32_t)f.size};
        return true;
    case BOOLEAN:
        out->type = ORIEL_TYPE_BOOL;
        out->v.u64 = f.value != 0;
        return true;
    case INTEGER:
        out->type = ORIEL_TYPE_I64;
        out->v.u64 = f.value;
        return true;
    case REAL:
        out->type = ORIEL_TYPE_F64;
        out->v.u64 = f.value;
        return true;
    default:
        return nested(v, out, &f);
    }
}

static struct model_value *next(struct otlp_values *v)
{
    assert(v->count <= OTLP_ATTRS_MAX);
    if (v->count == OTLP_ATTRS_MAX) {
        v->dropped++;
        return NULL;
    }
    struct model_value *out = &v->items[v->count];
    memset(out, 0, sizeof *out);
    return out;
}

void otlp_values_add(struct otlp_values *v, const struct pb_field *pair)
{
    struct pb_reader r = pb_read_nested(pair);
    struct pb_field f, any;
    bool has_any = false;
    struct model_value *out = next(v);
    if (!out)
        return;
    out->key = MODEL_STR("");
    while (pb_next(&r, &f)) {
        if (f.number == KEY)
            out->key = (struct model_str){(const char *)f.bytes, (uint32_t)f.size};
        if (f.number == VALUE) {
            any = f;
            has_any = true;
        }
    }
    if (out->key.n <= KEY_BYTES_MAX && any_value(v, out, has_any ? &any : NULL))
        v->count++;
    else
        v->dropped++;
}

static struct model_value *ours(struct otlp_values *v, const char *key)
{
    struct model_value *out = next(v);
    if (out) {
        out->key = (struct model_str){key, (uint32_t)strlen(key)};
        out->flags = ORIEL_FIELD_META;
    }
    return out;
}

void otlp_values_any(struct otlp_values *v, const char *key, const struct pb_field *any)
{
    struct model_value *out = ours(v, key);
    if (out && any_value(v, out, any))
        v->count++;
}

void otlp_values_text(struct otlp_values *v, const char *key, const void *text, size_t n)
{
    struct model_value *out = ours(v, key);
    if (!out)
        return;
    out->type = ORIEL_TYPE_STR;
    out->v.str = (struct model_str){text, (uint32_t)n};
    v->count++;
}

void otlp_values_u64(struct otlp_values *v, const char *key, uint64_t n)
{
    struct model_value *out = ours(v, key);
    if (!out)
        return;
    out->type = ORIEL_TYPE_U64;
    out->v.u64 = n;
    v->count++;
}
