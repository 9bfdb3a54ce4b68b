/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The answer of the confined child as one block: head, points, exits, arguments,
 * texts. Whoever reads it believes nothing: every index and offset is checked
 * once, so that nobody has to check again.
 */
#include "symbol/points_job.h"

#include <assert.h>

#define MAGIC UINT64_C(0x32746e696f70724f)

struct image_head {
    uint64_t magic;
    uint32_t count, exit_count, arg_count, string_bytes;
    uint32_t throws, has_dwarf, refused, instrumented;
    uint64_t patchable, patchable_bytes;
};
_Static_assert(sizeof(struct image_head) == 56, "as both ends know it");
_Static_assert(sizeof(struct point) == 80 && sizeof(struct point_arg) == 8, "no gaps");

void points_maker_init(struct points_maker *p)
{
    memset(p, 0, sizeof *p);
    buf_init(&p->strings);
    buf_put(&p->strings, "", 1);
}

void points_maker_done(struct points_maker *p)
{
    VEC_DONE(&p->items);
    VEC_DONE(&p->exits);
    VEC_DONE(&p->args);
    buf_done(&p->strings);
}

uint32_t points_add_text(struct points_maker *p, const char *text, size_t n)
{
    size_t at = p->strings.size;
    if (n == 0 || at + n + 1 >= UINT32_MAX)
        return 0;
    buf_put(&p->strings, text, n);
    buf_put(&p->strings, "", 1);
    return p->strings.failed ? 0 : (uint32_t)at;
}

int points_write(struct points_maker *p, struct buf *out)
{
    const struct image_head head = {.magic = MAGIC,
                                    .count = (uint32_t)p->items.count,
                                    .exit_count = (uint32_t)p->exits.count,
                                    .arg_count = (uint32_t)p->args.count,
                                    .string_bytes = (uint32_t)p->strings.size,
                                    .throws = p->throws,
                                    .has_dwarf = p->has_dwarf,
                                    .refused = p->refused,
                                    .instrumented = p->instrumented,
                                    .patchable = p->patchable,
                                    .patchable_bytes = p->patchable_bytes};
    if (p->strings.failed)
        return ORIEL_ENOMEM;
    buf_put(out, &head, sizeof head);
    if (p->items.count)
        buf_put(out, p->items.items, p->items.count * sizeof *p->items.items);
    if (p->exits.count)
        buf_put(out, p->exits.items, p->exits.count * sizeof *p->exits.items);
    if (p->args.count)
        buf_put(out, p->args.items, p->args.count * sizeof *p->args.items);
    buf_put(out, p->strings.data, p->strings.size);
    return out->failed ? ORIEL_ENOMEM : 0;
}

static bool arg_is_right(const struct points *p, const struct point_arg *a)
{
    return a->name < p->string_bytes && a->type <= POINT_BOOL && a->reg < 8 &&
           (a->type == POINT_NONE || a->bytes == 1 || a->bytes == 2 || a->bytes == 4 ||
            a->bytes == 8);
}

static bool point_is_right(const struct points *p, const struct point *i)
{
    return i->kind >= POINT_USDT && i->kind <= POINT_LINE && i->provider < p->string_bytes &&
           i->name < p->string_bytes && i->linkage < p->string_bytes && i->spec < p->string_bytes &&
           i->file < p->string_bytes && i->first_arg <= p->arg_count &&
           i->arg_count <= p->arg_count - i->first_arg && i->first_exit <= p->exit_count &&
           i->exit_count <= p->exit_count - i->first_exit && arg_is_right(p, &i->result);
}

int points_open(struct points *p)
{
    struct image_head h;
    const char *at = p->image.data;
    if (p->image.size < sizeof h)
        return ORIEL_EDAMAGED;
    memcpy(&h, at, sizeof h);
    uint64_t bytes = sizeof h + (uint64_t)h.count * sizeof *p->items +
                     (uint64_t)h.exit_count * sizeof *p->exits +
                     (uint64_t)h.arg_count * sizeof *p->args + h.string_bytes;
    if (h.magic != MAGIC || bytes != p->image.size || h.string_bytes == 0 || at[bytes - 1] != 0)
        return ORIEL_EDAMAGED;
    p->items = (const struct point *)(const void *)(at + sizeof h);
    p->exits = (const uint64_t *)(const void *)(p->items + h.count);
    p->args = (const struct point_arg *)(const void *)(p->exits + h.exit_count);
    p->strings = (const char *)(p->args + h.arg_count);
    p->count = h.count;
    p->exit_count = h.exit_count;
    p->arg_count = h.arg_count;
    p->string_bytes = h.string_bytes;
    p->throws = h.throws != 0;
    p->has_dwarf = h.has_dwarf != 0;
    p->instrumented = h.instrumented != 0;
    p->patchable = h.patchable;
    p->patchable_bytes = h.patchable_bytes;
    p->refused = h.refused;
    for (uint32_t i = 0; i < h.count; i++)
        if (!point_is_right(p, &p->items[i]))
            return ORIEL_EDAMAGED;
    for (uint32_t i = 0; i < h.arg_count; i++)
        if (!arg_is_right(p, &p->args[i]))
            return ORIEL_EDAMAGED;
    assert(((uintptr_t)p->items & 7) == 0);
    return 0;
}
