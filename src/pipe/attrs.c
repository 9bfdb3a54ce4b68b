/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Texts lie one behind the other in `bytes`; replacing one leaves a hole. When
 * the holes outweigh what is live, the live texts move to a fresh block.
 */
#include "pipe/attrs.h"

#include <assert.h>

enum { KEEP_BYTES = 4096, KEEP_ITEMS = 32, HOLES_MIN = 4096 };

/* Move the live texts to a block with room for `more`. */
static bool make_room(struct attrs *a, size_t more)
{
    size_t size = a->live * 2 + more + 256, used = 0;
    char *bytes = mem_alloc(size);
    if (!bytes)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        struct attrs_item *item = &a->items[i];
        if (!attrs_has_text(&item->value) || !item->value.v.str.n)
            continue;
        memcpy(bytes + used, a->bytes + item->offset, item->value.v.str.n);
        item->offset = used;
        used += item->value.v.str.n;
    }
    assert(used == a->live);
    mem_free(a->bytes);
    a->bytes = bytes;
    a->size = size;
    a->used = used;
    return true;
}

static struct attrs_item *find(const struct attrs *a, struct model_str key)
{
    for (size_t i = 0; i < a->count; i++)
        if (attrs_same_key(a->items[i].value.key, key))
            return &a->items[i];
    return NULL;
}

static struct attrs_item *append(struct attrs *a)
{
    if (a->count == a->capacity) {
        size_t capacity = a->capacity ? a->capacity * 2 : 8;
        struct attrs_item *more = mem_realloc(a->items, capacity * sizeof *more);
        if (!more)
            return NULL;
        a->items = more;
        a->capacity = capacity;
    }
    return memset(&a->items[a->count++], 0, sizeof *a->items);
}

enum attrs_result attrs_put(struct attrs *a, const struct model_value *value, size_t limit)
{
    size_t text = attrs_has_text(value) ? value->v.str.n : 0;
    struct attrs_item *item = find(a, value->key);
    if (!item && a->count >= limit)
        return ATTRS_FULL;
    bool holes = a->used - a->live > a->live + HOLES_MIN;
    if ((a->size - a->used < text || holes) && !make_room(a, text) && a->size - a->used < text)
        return ATTRS_NO_MEMORY;
    if (!item && !(item = append(a)))
        return ATTRS_NO_MEMORY;
    if (attrs_has_text(&item->value))
        a->live -= item->value.v.str.n;
    item->value = *value;
    if (!attrs_has_text(value))
        return ATTRS_OK;
    if (text)
        memcpy(a->bytes + a->used, value->v.str.p, text);
    item->value.v.str.p = NULL;
    item->offset = a->used;
    a->used += text;
    a->live += text;
    return ATTRS_OK;
}

struct model_value *attrs_copy(const struct attrs *a, struct arena *arena)
{
    struct model_value *out = arena_alloc(arena, a->count * sizeof *out, _Alignof(max_align_t));
    char *text = arena_alloc(arena, a->live + 1, 1);
    if (!out || !text)
        return NULL;
    for (size_t i = 0; i < a->count; i++) {
        out[i] = a->items[i].value;
        if (!attrs_has_text(&out[i]))
            continue;
        out[i].v.str.p = text;
        if (!out[i].v.str.n)
            continue;
        memcpy(text, a->bytes + a->items[i].offset, out[i].v.str.n);
        text += out[i].v.str.n;
    }
    return out;
}

void attrs_clear(struct attrs *a)
{
    if (a->capacity > KEEP_ITEMS) {
        mem_free(a->items);
        a->items = NULL;
        a->capacity = 0;
    }
    if (a->size > KEEP_BYTES) {
        mem_free(a->bytes);
        a->bytes = NULL;
        a->size = 0;
    }
    a->count = a->used = a->live = 0;
}

void attrs_done(struct attrs *a)
{
    mem_free(a->items);
    mem_free(a->bytes);
    memset(a, 0, sizeof *a);
}
