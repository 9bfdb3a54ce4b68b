/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The tree of a TOML document: making, linking, finding. One thread per arena.
 */
#include <assert.h>
#include <string.h>

#include "util/toml.h"

const char *toml_type_name(enum toml_type type)
{
    static const char *const names[] = {
        [TOML_STRING] = "string",
        [TOML_INTEGER] = "integer",
        [TOML_FLOAT] = "float",
        [TOML_BOOL] = "boolean",
        [TOML_DATETIME] = "date and time",
        [TOML_DATETIME_LOCAL] = "local date and time",
        [TOML_DATE] = "date",
        [TOML_TIME] = "time",
        [TOML_ARRAY] = "array",
        [TOML_TABLE] = "table",
    };
    return names[type];
}

struct toml_value *toml_get(const struct toml_value *table, const char *key)
{
    size_t n = strlen(key);
    if (!table || table->type != TOML_TABLE)
        return NULL;
    for (struct toml_value *v = table->first; v; v = v->next)
        if (v->key_n == n && memcmp(v->key, key, n) == 0)
            return v;
    return NULL;
}

struct toml_value *toml_at(const struct toml_value *v, size_t index)
{
    if (!v || (v->type != TOML_ARRAY && v->type != TOML_TABLE))
        return NULL;
    struct toml_value *item = v->first;
    while (item && index--)
        item = item->next;
    return item;
}

struct toml_value *toml_new(struct arena *arena, enum toml_type type)
{
    struct toml_value *v = arena_alloc(arena, sizeof *v, _Alignof(struct toml_value));
    if (!v)
        return NULL;
    memset(v, 0, sizeof *v);
    v->type = type;
    v->form = TOML_HEADER;
    return v;
}

int toml_add(struct arena *arena, struct toml_value *to, const char *key, size_t key_n,
             struct toml_value *item)
{
    assert(to->type == TOML_TABLE || to->type == TOML_ARRAY);
    assert(!item->parent && (to->type == TOML_TABLE) == (key != NULL));
    if (to->depth >= TOML_DEPTH_MAX)
        return ORIEL_ELIMIT;
    if (key) {
        item->key = arena_copy(arena, key, key_n);
        item->key_n = key_n;
        if (!item->key)
            return ORIEL_ENOMEM;
    }
    item->parent = to;
    item->depth = (uint16_t)(to->depth + 1);
    if (to->last)
        to->last->next = item;
    else
        to->first = item;
    to->last = item;
    to->count++;
    return 0;
}
