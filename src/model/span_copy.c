/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A span that outlives its batch. Sites, threads and keys are the catalog's and
 * stay where they are; texts, values and lists are copied. Pure but for memory.
 */
#include "model/batch.h"

#include <assert.h>

struct copier {
    struct arena *arena;
    size_t bytes;
    bool failed;
};

static void *copy(struct copier *c, const void *from, size_t n, size_t align)
{
    if (n == 0)
        return NULL;
    void *to = arena_alloc(c->arena, n, align);
    c->bytes += n;
    c->failed |= !to;
    return to ? memcpy(to, from, n) : NULL;
}

static struct model_str copy_text(struct copier *c, struct model_str s)
{
    s.p = copy(c, s.p, s.n, 1);
    return s;
}

static bool is_text(const struct model_value *v)
{
    return v->type == ORIEL_TYPE_STR || v->type == ORIEL_TYPE_BYTES;
}

static const struct model_value *copy_values(struct copier *c, const struct model_value *from,
                                             uint32_t count)
{
    struct model_value *values = copy(c, from, count * sizeof *from, _Alignof(struct model_value));
    for (uint32_t i = 0; values && i < count; i++) {
        values[i].key = copy_text(c, values[i].key); /* of a printf format they are the pipe's */
        if (is_text(&values[i]))
            values[i].v.str = copy_text(c, values[i].v.str);
    }
    return values;
}

bool model_span_copy(struct model_span *out, const struct model_span *from, struct arena *arena,
                     size_t *out_bytes)
{
    struct copier c = {.arena = arena};
    assert(out != from);
    *out = *from;
    out->status_message = copy_text(&c, from->status_message);
    out->trace_state = copy_text(&c, from->trace_state);
    struct model_link *links =
        copy(&c, from->links, from->link_count * sizeof *from->links, _Alignof(struct model_link));
    for (uint32_t i = 0; links && i < from->link_count; i++) {
        links[i].trace_state = copy_text(&c, links[i].trace_state);
        links[i].attrs = copy_values(&c, links[i].attrs, links[i].attr_count);
    }
    out->links = links;
    out->busy =
        copy(&c, from->busy, from->busy_count * sizeof *from->busy, _Alignof(struct model_busy));
    const uint32_t name = from->flags & MODEL_SPAN_RENAMED ? 1 : 0;
    out->attrs = copy_values(&c, from->attrs, from->attr_count + name);
    *out_bytes = c.bytes;
    return !c.failed;
}
