/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * "JSON Protobuf Encoding" of the OTLP specification, read by the tables of
 * schema.c and written as protobuf, so that there is one decoder: names in
 * lowerCamelCase, ids hexadecimal, 64-bit integers as text or number, enumerations
 * as numbers, unknown names ignored. Pure but for memory.
 */
#include "source/otlp/otlp.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/json.h"
#include "util/num.h"

enum { VALUES_MAX = 400000 }; /* some 40 MB of tree */

static int wrong(const struct otlp_field *f, const char *what, struct oriel_err *err)
{
    return err_set(err, ORIEL_EFORMAT, "\"%s\" is not %s", f->json, what);
}

/* A whole number, or a text of one; what no 64 bits hold is none. */
static bool as_integer(const struct json_value *v, bool *out_negative, uint64_t *out)
{
    int64_t below;
    *out_negative = false;
    if (v->type == JSON_NUMBER && v->is_integer) {
        *out_negative = v->is_negative && v->integer;
        *out = v->integer;
        return true;
    }
    if (v->type == JSON_NUMBER) { /* 1e3 is a whole number too */
        bool whole = v->number == floor(v->number) && fabs(v->number) < 9e15;
        *out_negative = v->number < 0;
        *out = whole ? (uint64_t)(int64_t)v->number : 0;
        return whole;
    }
    if (v->type != JSON_STRING)
        return false;
    if (num_parse_u64(v->text, v->text_n, out) == 0)
        return true;
    if (num_parse_i64(v->text, v->text_n, &below) != 0)
        return false;
    *out_negative = below < 0;
    *out = (uint64_t)below;
    return true;
}

/* As the field's type takes it. */
static bool fits(enum otlp_type type, bool negative, uint64_t n)
{
    if (type == OTLP_INT64)
        return negative || n <= INT64_MAX;
    return !negative && (type == OTLP_FIXED64 || n <= UINT32_MAX);
}

static bool as_double(const struct json_value *v, double *out)
{
    static const struct {
        const char *text;
        double value;
    } words[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    if (v->type == JSON_NUMBER) {
        *out = v->number;
        return true;
    }
    for (size_t i = 0; v->type == JSON_STRING && i < sizeof words / sizeof *words; i++)
        if (strcmp(v->text, words[i].text) == 0) {
            *out = words[i].value;
            return true;
        }
    if (v->type != JSON_STRING || v->text_n == 0 || v->text_n > 40)
        return false;
    char *end;
    *out = strtod(v->text, &end);
    return *end == 0 && v->text[0] > ' ';
}

static int digit16(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int put_id(struct buf *out, const struct otlp_field *f, const struct json_value *v,
                  struct oriel_err *err)
{
    uint8_t id[16];
    if (v->type != JSON_STRING || v->text_n > 32 || v->text_n % 2)
        return wrong(f, "an id in hexadecimal", err);
    for (size_t i = 0; i < v->text_n; i += 2) {
        int high = digit16(v->text[i]), low = digit16(v->text[i + 1]);
        if (high < 0 || low < 0)
            return wrong(f, "an id in hexadecimal", err);
        id[i / 2] = (uint8_t)(high << 4 | low);
    }
    if (v->text_n)
        pb_bytes(out, f->number, id, v->text_n / 2);
    return 0;
}

static int digit64(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+' || c == '-' ? 62
           : c == '/' || c == '_' ? 63
                                  : -1;
}

/* base64, with or without padding, in both alphabets. */
static int put_base64(struct buf *out, const struct otlp_field *f, const struct json_value *v,
                      struct oriel_err *err)
{
    struct buf bytes;
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = v->type == JSON_STRING ? v->text_n : 0;
    if (v->type != JSON_STRING)
        return wrong(f, "text in base64", err);
    while (n && v->text[n - 1] == '=')
        n--;
    buf_init(&bytes);
    for (size_t i = 0; i < n; i++) {
        int d = digit64(v->text[i]);
        if (d < 0) {
            buf_done(&bytes);
            return wrong(f, "text in base64", err);
        }
        bits = bits << 6 | (uint32_t)d;
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_putc(&bytes, (char)(bits >> have));
        }
    }
    out->failed |= bytes.failed;
    pb_bytes(out, f->number, bytes.data, bytes.size);
    buf_done(&bytes);
    return 0;
}

static int put_message(struct buf *out, const struct otlp_message *m, const struct json_value *v,
                       unsigned depth, struct oriel_err *err);

static int put_nested(struct buf *out, const struct otlp_field *f, const struct json_value *v,
                      unsigned depth, struct oriel_err *err)
{
    if (v->type != JSON_OBJECT)
        return wrong(f, "an object", err);
    if (depth == OTLP_DEPTH_MAX)
        return err_set(err, ORIEL_ELIMIT, "the request is nested deeper than %u messages",
                       (unsigned)OTLP_DEPTH_MAX);
    struct pb_mark mark = pb_open(out, f->number, 2);
    int rc = put_message(out, f->message, v, depth, err);
    pb_close(out, mark);
    return rc;
}

static int put_number(struct buf *out, const struct otlp_field *f, const struct json_value *v,
                      struct oriel_err *err)
{
    uint64_t n;
    bool negative;
    if (!as_integer(v, &negative, &n) || !fits((enum otlp_type)f->type, negative, n))
        return wrong(f, "a whole number that it can have", err);
    if (f->type == OTLP_FIXED64)
        pb_fixed64(out, f->number, n);
    else if (f->type == OTLP_FIXED32)
        pb_fixed32(out, f->number, (uint32_t)n);
    else
        pb_uint(out, f->number, n);
    return 0;
}

static int put_value(struct buf *out, const struct otlp_field *f, const struct json_value *v,
                     unsigned depth, struct oriel_err *err)
{
    double d;
    switch ((enum otlp_type)f->type) {
    case OTLP_MESSAGE:
        return put_nested(out, f, v, depth, err);
    case OTLP_TEXT:
        if (v->type != JSON_STRING)
            return wrong(f, "text", err);
        pb_bytes(out, f->number, v->text, v->text_n);
        return 0;
    case OTLP_BYTES:
        return put_base64(out, f, v, err);
    case OTLP_ID:
        return put_id(out, f, v, err);
    case OTLP_FIXED64:
    case OTLP_FIXED32:
    case OTLP_INT64:
    case OTLP_VARINT:
        return put_number(out, f, v, err);
    case OTLP_BOOL:
        if (v->type != JSON_BOOL)
            return wrong(f, "true or false", err);
        pb_bool(out, f->number, v->boolean);
        return 0;
    case OTLP_DOUBLE:
        if (!as_double(v, &d))
            return wrong(f, "a number", err);
        pb_double(out, f->number, d);
        return 0;
    }
    return 0;
}

static const struct otlp_field *by_name(const struct otlp_message *m, const struct json_value *v)
{
    for (const struct otlp_field *f = m->fields; f->number; f++)
        if (strlen(f->json) == v->key_n && memcmp(f->json, v->key, v->key_n) == 0)
            return f;
    return NULL;
}

static int put_message(struct buf *out, const struct otlp_message *m, const struct json_value *v,
                       unsigned depth, struct oriel_err *err)
{
    int rc = 0;
    assert(v->type == JSON_OBJECT && depth <= OTLP_DEPTH_MAX);
    for (const struct json_value *member = v->first; member && rc == 0; member = member->next) {
        const struct otlp_field *f = by_name(m, member);
        if (!f || member->type == JSON_NULL)
            continue;
        if (!f->repeated) {
            rc = put_value(out, f, member, depth + 1, err);
            continue;
        }
        if (member->type != JSON_ARRAY)
            return wrong(f, "a list", err);
        for (const struct json_value *i = member->first; i && rc == 0; i = i->next)
            rc = put_value(out, f, i, depth + 1, err);
    }
    return rc;
}

int otlp_from_json(enum otlp_signal signal, const char *text, size_t n, struct buf *out,
                   struct oriel_err *err)
{
    struct arena arena;
    struct json_value *v;
    const struct json_read_options options = {.size = sizeof options, .max_values = VALUES_MAX};
    arena_init(&arena);
    int rc = json_read(&arena, text, n, &options, &v, err);
    if (rc == 0 && v->type != JSON_OBJECT)
        rc = err_set(err, ORIEL_EFORMAT, "the request is not a JSON object");
    if (rc == 0)
        rc = put_message(out, &otlp_requests[signal], v, 0, err);
    arena_done(&arena);
    if (rc == 0 && out->failed)
        rc = err_set(err, ORIEL_ENOMEM, "%s", err_text(ORIEL_ENOMEM));
    return rc;
}
