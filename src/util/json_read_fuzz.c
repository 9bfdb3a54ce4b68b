/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as JSON. What the strict reader accepts is written
 * again by the writer, read once more, and must be the same value; the limits
 * on depth and number of values hold.
 */
#include <stdlib.h>
#include <string.h>

#include "util/json.h"

enum { DEPTH = 24, VALUES = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static size_t write_value(struct json *j, const struct json_value *v, unsigned depth)
{
    size_t values = 1;
    uint32_t items = 0;
    require(depth <= DEPTH);
    if (v->type == JSON_NULL)
        json_null(j);
    else if (v->type == JSON_BOOL)
        json_bool(j, v->boolean);
    else if (v->type == JSON_NUMBER)
        json_raw(j, v->text, v->text_n);
    else if (v->type == JSON_STRING)
        json_string_n(j, v->text, v->text_n);
    else if (v->type == JSON_ARRAY)
        json_array(j);
    else
        json_object(j);
    for (const struct json_value *item = v->first; item; item = item->next, items++) {
        if (v->type == JSON_OBJECT)
            json_key_n(j, item->key, item->key_n);
        values += write_value(j, item, depth + 1);
    }
    require(items == v->count);
    if (v->type == JSON_ARRAY)
        json_array_end(j);
    else if (v->type == JSON_OBJECT)
        json_object_end(j);
    return values;
}

/* In the order of json_read: neither may have more or less than the other. */
static void same(const struct json_value *a, const struct json_value *b)
{
    require(a->type == b->type && a->count == b->count && a->boolean == b->boolean);
    require(a->key_n == b->key_n && (a->key_n == 0 || memcmp(a->key, b->key, a->key_n) == 0));
    require(a->text_n == b->text_n && (a->text_n == 0 || memcmp(a->text, b->text, a->text_n) == 0));
    require(a->is_integer == b->is_integer && a->integer == b->integer);
    const struct json_value *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next)
        same(x, y);
    require(!x && !y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_read_options options = {.size = sizeof options,
                                        .max_depth = DEPTH,
                                        .max_values = VALUES,
                                        .unique_keys = size && data[size - 1] == '\n'};
    struct arena arena;
    struct json_value *value, *again;
    struct oriel_err err;
    arena_init(&arena);
    if (json_read(&arena, (const char *)data, size, &options, &value, &err) == 0) {
        struct buf text;
        struct json j;
        buf_init(&text);
        json_init(&j, &text);
        require(write_value(&j, value, 0) <= VALUES);
        require(!text.failed);
        require(json_read(&arena, buf_cstr(&text), text.size, &options, &again, &err) == 0);
        same(value, again);
        buf_done(&text);
    }
    arena_done(&arena);
    return 0;
}
