/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Trees of TOML to the tagged JSON of toml-test, and back. For tests only.
 */
#include "tagged.h"

#include <math.h>
#include <stdlib.h>

static void put(struct json *j, const char *type, const char *p, size_t n)
{
    json_object(j);
    json_key(j, "type");
    json_string(j, type);
    json_key(j, "value");
    json_string_n(j, p, n);
    json_object_end(j);
}

void tagged_string(struct json *j, const char *p, size_t n)
{
    put(j, "string", p, n);
}

void tagged_integer(struct json *j, int64_t v)
{
    char text[NUM_I64_MAX];
    put(j, "integer", text, (size_t)(num_put_i64(text, v) - text));
}

void tagged_float(struct json *j, double v)
{
    char text[NUM_DOUBLE_MAX];
    if (isnan(v))
        put(j, "float", "nan", 3);
    else if (isinf(v))
        put(j, "float", v < 0 ? "-inf" : "inf", v < 0 ? 4 : 3);
    else
        put(j, "float", text, (size_t)(num_put_double(text, v) - text));
}

void tagged_bool(struct json *j, bool v)
{
    put(j, "bool", v ? "true" : "false", v ? 4 : 5);
}

void tagged_time(struct json *j, enum toml_type type, const struct toml_time *t)
{
    const char *name = type == TOML_DATETIME         ? "datetime"
                       : type == TOML_DATETIME_LOCAL ? "datetime-local"
                       : type == TOML_DATE           ? "date-local"
                                                     : "time-local";
    struct buf b;
    buf_init(&b);
    toml_put_time(&b, type, t);
    put(j, name, b.data, b.size);
    buf_done(&b);
}

static int by_key(const void *a, const void *b)
{
    const struct toml_value *x = *(struct toml_value *const *)a,
                            *y = *(struct toml_value *const *)b;
    size_t n = x->key_n < y->key_n ? x->key_n : y->key_n;
    int c = memcmp(x->key, y->key, n);
    return c ? c : (x->key_n > y->key_n) - (x->key_n < y->key_n);
}

static void put_table(struct json *j, const struct toml_value *table)
{
    const struct toml_value **members = calloc(table->count + 1, sizeof *members);
    size_t n = 0;
    if (!members)
        abort();
    for (const struct toml_value *v = table->first; v; v = v->next)
        members[n++] = v;
    qsort(members, n, sizeof *members, by_key);
    json_object(j);
    for (size_t i = 0; i < n; i++) {
        json_key_n(j, members[i]->key, members[i]->key_n);
        tagged_value(j, members[i]);
    }
    json_object_end(j);
    free(members);
}

static void put_array(struct json *j, const struct toml_value *array)
{
    json_array(j);
    for (const struct toml_value *v = array->first; v; v = v->next)
        tagged_value(j, v);
    json_array_end(j);
}

void tagged_value(struct json *j, const struct toml_value *v)
{
    switch (v->type) {
    case TOML_STRING:
        tagged_string(j, v->text, v->text_n);
        break;
    case TOML_INTEGER:
        tagged_integer(j, v->integer);
        break;
    case TOML_FLOAT:
        tagged_float(j, v->number);
        break;
    case TOML_BOOL:
        tagged_bool(j, v->boolean);
        break;
    case TOML_DATETIME:
    case TOML_DATETIME_LOCAL:
    case TOML_DATE:
    case TOML_TIME:
        tagged_time(j, v->type, &v->time);
        break;
    case TOML_ARRAY:
        put_array(j, v);
        break;
    case TOML_TABLE:
        put_table(j, v);
        break;
    }
}

/* ---- back ---- */

static bool read_float(const char *p, size_t n, double *out)
{
    bool sign = n && (*p == '-' || *p == '+');
    const char *name = p + sign;
    if (n - sign == 3 && (memcmp(name, "inf", 3) == 0 || memcmp(name, "nan", 3) == 0)) {
        *out = copysign(*name == 'i' ? (double)INFINITY : (double)NAN, *p == '-' ? -1.0 : 1.0);
        return true;
    }
    return num_parse_double(p, n, out) == 0;
}

static struct toml_value *read_plain(struct arena *arena, const char *type,
                                     const struct json_value *value)
{
    struct toml_value *v = toml_new(arena, TOML_STRING);
    const char *p = value->text;
    size_t n = value->text_n;
    bool ok = v && value->type == JSON_STRING;
    if (ok && strcmp(type, "string") == 0) {
        v->text = p;
        v->text_n = n;
    } else if (ok && strcmp(type, "integer") == 0) {
        v->type = TOML_INTEGER;
        ok = num_parse_i64(p, n, &v->integer) == 0;
    } else if (ok && strcmp(type, "float") == 0) {
        v->type = TOML_FLOAT;
        ok = read_float(p, n, &v->number);
    } else if (ok && strcmp(type, "bool") == 0) {
        v->type = TOML_BOOL;
        v->boolean = strcmp(p, "true") == 0;
    } else if (ok) {
        ok = toml_parse_time(p, n, &v->type, &v->time);
    }
    return ok ? v : NULL;
}

struct toml_value *tagged_read(struct arena *arena, const struct json_value *from)
{
    const char *type = json_get_string(from, "type", NULL);
    const struct json_value *plain = json_get(from, "value");
    if (type && plain)
        return read_plain(arena, type, plain);
    if (from->type != JSON_ARRAY && from->type != JSON_OBJECT)
        return NULL;
    struct toml_value *v = toml_new(arena, from->type == JSON_ARRAY ? TOML_ARRAY : TOML_TABLE);
    for (const struct json_value *item = from->first; v && item; item = item->next) {
        struct toml_value *made = tagged_read(arena, item);
        if (!made || toml_add(arena, v, item->key, item->key_n, made) != 0)
            return NULL;
    }
    return v;
}
