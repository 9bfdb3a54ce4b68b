/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Attributes: common/v1 KeyValue and AnyValue. What OTLP has no type for goes as
 * OpenTelemetry's mapping says (common/attribute-type-mapping.md): integers
 * beyond int64 as decimal text, addresses as hexadecimal text. Pure.
 */
#include <stdio.h>

#include "export/otlp/otlp.h"
#include "export/values.h"
#include "util/utf8.h"

enum { KEY = 1, VALUE = 2 };                                      /* of KeyValue */
enum { KEY_BYTES = 64 };                                          /* of a name of ours, at most */
enum { TEXT = 1, BOOLEAN = 2, INTEGER = 3, REAL = 4, BYTES = 7 }; /* of AnyValue */

void put_text(struct put *w, uint32_t field, const char *name, struct model_str text)
{
    if (w->json) {
        put_key(w, name);
        json_put_string(w->out, text.p, text.n);
    } else if (utf8_valid(text.p, text.n)) {
        pb_bytes(w->out, field, text.p, text.n);
    } else { /* each wrong byte becomes three at most */
        struct pb_mark m = pb_open(w->out, field, put_width((size_t)text.n * 3));
        utf8_repair(w->out, text.p, text.n);
        pb_close(w->out, m);
    }
}

struct attr {
    struct pb_mark pair, value;
};

static struct attr attr_open(struct put *w, uint32_t field, struct model_str key, size_t size)
{
    struct attr a;
    a.pair = put_open(w, field, NULL, put_width(3 * (size_t)key.n + size + 16));
    put_text(w, KEY, "key", key);
    a.value = put_open(w, VALUE, "value", put_width(size + 8));
    return a;
}

static void attr_close(struct put *w, struct attr a)
{
    put_close(w, a.value);
    put_close(w, a.pair);
}

void otlp_attr_text(struct put *w, uint32_t field, const char *key, struct model_str text)
{
    struct attr a = attr_open(w, field, put_str(key), 3 * (size_t)text.n);
    put_text(w, TEXT, "stringValue", text);
    attr_close(w, a);
}

void otlp_attr_i64(struct put *w, uint32_t field, const char *key, int64_t v)
{
    struct attr a = attr_open(w, field, put_str(key), PB_VARINT_MAX);
    put_i64(w, INTEGER, "intValue", v);
    attr_close(w, a);
}

static void put_bool(struct put *w, bool v)
{
    if (w->json) {
        put_key(w, "boolValue");
        buf_puts(w->out, v ? "true" : "false");
    } else {
        pb_bool(w->out, BOOLEAN, v);
    }
}

void otlp_attr_true(struct put *w, uint32_t field, const char *key)
{
    struct attr a = attr_open(w, field, put_str(key), 1);
    put_bool(w, true);
    attr_close(w, a);
}

static void put_real(struct put *w, double v)
{
    if (w->json) {
        put_key(w, "doubleValue");
        export_put_double(w->out, v);
    } else {
        pb_double(w->out, REAL, v);
    }
}

static void put_bytes(struct put *w, struct model_str v)
{
    if (w->json) {
        put_key(w, "bytesValue");
        json_put_base64(w->out, v.p, v.n);
    } else {
        pb_bytes(w->out, BYTES, v.p, v.n);
    }
}

static void put_number_text(struct put *w, const char *format, uint64_t v)
{
    char text[24];
    snprintf(text, sizeof text, format, (unsigned long long)v);
    put_text(w, TEXT, "stringValue", put_str(text));
}

/* As many characters as the limit allows; bytes count one each. */
static struct model_str shortened(const struct put *w, const struct model_value *v)
{
    struct model_str s = v->v.str;
    if (!w->longest || s.n < w->longest)
        return s;
    size_t n =
        v->type == ORIEL_TYPE_STR ? utf8_cut_chars(s.p, s.n, w->longest - 1) : w->longest - 1;
    return (struct model_str){s.p, (uint32_t)n};
}

static void put_value(struct put *w, const struct model_value *v)
{
    switch (v->type) {
    case ORIEL_TYPE_BOOL:
        put_bool(w, v->v.b);
        break;
    case ORIEL_TYPE_I64:
        put_i64(w, INTEGER, "intValue", v->v.i64);
        break;
    case ORIEL_TYPE_U64:
        if (v->v.u64 <= INT64_MAX)
            put_i64(w, INTEGER, "intValue", (int64_t)v->v.u64);
        else
            put_number_text(w, "%llu", v->v.u64);
        break;
    case ORIEL_TYPE_F64:
        put_real(w, v->v.f64);
        break;
    case ORIEL_TYPE_PTR:
        put_number_text(w, "0x%llx", v->v.u64);
        break;
    case ORIEL_TYPE_BYTES:
        if (!(v->flags & MODEL_VALUE_REDACTED)) {
            put_bytes(w, shortened(w, v));
            break;
        }
        __attribute__((fallthrough));
    case ORIEL_TYPE_STR:
        if (!(v->flags & ORIEL_FIELD_NESTED) || !otlp_put_nested(w, v->v.str))
            put_text(w, TEXT, "stringValue", shortened(w, v));
        break;
    default: /* a type of a newer writer: an AnyValue without a value is null */
        break;
    }
}

static size_t size_of(const struct model_value *v)
{
    bool text = v->type == ORIEL_TYPE_STR || v->type == ORIEL_TYPE_BYTES;
    return text ? 3 * (size_t)v->v.str.n : 24;
}

static bool starts(struct model_str key, const char *prefix)
{
    size_t n = strlen(prefix);
    return key.n >= n && memcmp(key.p, prefix, n) == 0;
}

/* Keys are unique in OTLP. One of the program's that has the name of one of ours
 * gets a prefix; most keys are settled by their first letter. */
static bool is_ours(struct model_str key)
{
    if (key.n < 6)
        return false;
    switch (key.p[0]) {
    case 'c':
        return model_str_equal(key, put_str("code.function.name")) ||
               model_str_equal(key, put_str("code.file.path")) ||
               model_str_equal(key, put_str("code.line.number"));
    case 'o':
        return starts(key, "oriel.") && key.n <= KEY_BYTES;
    case 't':
        return model_str_equal(key, put_str("thread.id")) ||
               model_str_equal(key, put_str("thread.name"));
    default:
        return false;
    }
}

static struct model_str rename_key(char *out, struct model_str key)
{
    memcpy(out, EXPORT_KEY_PREFIX, sizeof EXPORT_KEY_PREFIX - 1);
    memcpy(out + sizeof EXPORT_KEY_PREFIX - 1, key.p, key.n);
    return (struct model_str){out, (uint32_t)(sizeof EXPORT_KEY_PREFIX - 1 + key.n)};
}

uint32_t otlp_attrs(struct put *w, uint32_t field, const struct model_value *attrs, uint32_t count,
                    int64_t limit)
{
    uint32_t n = limit >= 0 && limit < (int64_t)count ? (uint32_t)limit : count;
    for (uint32_t i = 0; i < n; i++) {
        char renamed[sizeof EXPORT_KEY_PREFIX + KEY_BYTES];
        struct model_str key = attrs[i].key;
        if (is_ours(key))
            key = rename_key(renamed, key);
        struct attr a = attr_open(w, field, key, size_of(&attrs[i]));
        put_value(w, &attrs[i]);
        attr_close(w, a);
    }
    return count - n;
}

/* ---- at a pointer: what nearly all attributes are ---- */

/* Numbers and text of an unchanged name, as they are. */
static bool is_simple(const struct model_value *v)
{
    const bool text = v->type == ORIEL_TYPE_STR;
    const bool number = v->type == ORIEL_TYPE_BOOL || v->type == ORIEL_TYPE_I64 ||
                        v->type == ORIEL_TYPE_F64 ||
                        (v->type == ORIEL_TYPE_U64 && v->v.u64 <= INT64_MAX);
    return (number || (text && !(v->flags & ORIEL_FIELD_NESTED))) && !is_ours(v->key) &&
           utf8_valid(v->key.p, v->key.n) && (!text || utf8_valid(v->v.str.p, v->v.str.n));
}

size_t otlp_simple_room(const struct model_value *attrs, uint32_t count)
{
    enum { AROUND = 4 * (PB_TAG_MAX + PB_VARINT_MAX) }; /* pair, key, value, what is in it */
    size_t room = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct model_value *v = &attrs[i];
        if (!is_simple(v))
            return SIZE_MAX;
        room += AROUND + v->key.n + (v->type == ORIEL_TYPE_STR ? v->v.str.n : 0);
    }
    return room;
}

static char *at_value(char *p, const struct model_value *v)
{
    if (v->type == ORIEL_TYPE_STR)
        return pb_at_bytes(p, TEXT, v->v.str.p, v->v.str.n);
    if (v->type == ORIEL_TYPE_F64)
        return pb_at_fixed64(p, REAL, v->v.u64);
    if (v->type == ORIEL_TYPE_BOOL)
        return pb_at_uint(p, BOOLEAN, v->v.b);
    return pb_at_uint(p, INTEGER, v->v.u64);
}

char *otlp_at_simple(char *p, uint32_t field, const struct model_value *attrs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct model_value *v = &attrs[i];
        const size_t size = size_of(v);
        const unsigned pair_width = put_width(3 * (size_t)v->key.n + size + 16);
        const unsigned value_width = put_width(size + 8);
        char *const pair = pb_at_tag(p, field, PB_BYTES) + pair_width;
        p = pb_at_bytes(pair, KEY, v->key.p, v->key.n);
        char *const value = pb_at_tag(p, VALUE, PB_BYTES) + value_width;
        p = at_value(value, v);
        pb_at_varint_wide(value - value_width, (uint64_t)(p - value), value_width);
        pb_at_varint_wide(pair - pair_width, (uint64_t)(p - pair), pair_width);
    }
    return p;
}

void otlp_attr(struct put *w, uint32_t field, const struct model_value *v)
{
    struct attr a = attr_open(w, field, v->key, size_of(v));
    put_value(w, v);
    attr_close(w, a);
}

void otlp_any(struct put *w, uint32_t field, const char *name, const struct model_value *v)
{
    struct pb_mark m = put_open(w, field, name, put_width(size_of(v) + 8));
    put_value(w, v);
    put_close(w, m);
}
