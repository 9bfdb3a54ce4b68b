/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Edits of a TOML file: a sorted list of pieces with what takes their place.
 * What no edit touches comes out byte for byte. One thread.
 */
#include <assert.h>
#include <string.h>

#include "base/vec.h"
#include "util/toml.h"

struct toml_edit {
    size_t offset, size;
    const char *with;
    size_t with_n;
};

void toml_edits_init(struct toml_edits *e, struct arena *arena)
{
    memset(e, 0, sizeof *e);
    e->arena = arena;
}

void toml_edits_done(struct toml_edits *e)
{
    vec_free((void **)&e->items);
    e->count = e->capacity = 0;
}

/* Behind all edits that end where this one begins, or before; what is inserted
 * goes before what is replaced at the same place. */
static size_t place_for(const struct toml_edits *e, size_t offset, size_t size)
{
    size_t i = e->count;
    while (i > 0 && (e->items[i - 1].offset > offset ||
                     (size == 0 && e->items[i - 1].offset == offset && e->items[i - 1].size > 0)))
        i--;
    return i;
}

int toml_edits_replace(struct toml_edits *e, size_t offset, size_t size, const char *with,
                       size_t with_n)
{
    size_t i = place_for(e, offset, size);
    const struct toml_edit *before = i ? &e->items[i - 1] : NULL;
    if (before && before->offset + before->size > offset)
        return ORIEL_EINVAL;
    if (i < e->count && offset + size > e->items[i].offset)
        return ORIEL_EINVAL;
    char *copy = arena_copy(e->arena, with, with_n);
    if (!copy || (e->count == e->capacity &&
                  !vec_grow((void **)&e->items, &e->capacity, e->count, sizeof *e->items)))
        return ORIEL_ENOMEM;
    memmove(e->items + i + 1, e->items + i, (e->count - i) * sizeof *e->items);
    e->items[i] = (struct toml_edit){offset, size, copy, with_n};
    e->count++;
    return 0;
}

void toml_edits_apply(const struct toml_edits *e, const struct toml_doc *doc, struct buf *out)
{
    size_t at = 0;
    for (size_t i = 0; i < e->count; i++) {
        const struct toml_edit *edit = &e->items[i];
        assert(edit->offset >= at && edit->offset + edit->size <= doc->text_n);
        buf_put(out, doc->text + at, edit->offset - at);
        buf_put(out, edit->with, edit->with_n);
        at = edit->offset + edit->size;
    }
    buf_put(out, doc->text + at, doc->text_n - at);
}
