/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The stacks of a chunk, into the catalog's tree. A node names a parent that
 * stands before it, so there is no way round in circles. Untrusted bytes.
 */
#include "source/file/file.h"

#include "base/err.h"

enum { STACK_COST = 96, MODULES_MAX = 1 << 16 };

static uint64_t get_count(struct wire_cursor *c, uint64_t max)
{
    uint64_t n = wire_number_get(c);
    if (n > max || n > (uint64_t)(c->end - c->at))
        c->failed = true;
    return c->failed ? 0 : n;
}

/* Every chunk tells its stacks again: what the catalog has already costs nothing. */
static int pay(struct decoder *d, bool is_new, uint64_t more)
{
    return !is_new || decoder_pay(d, STACK_COST + more) ? 0 : ORIEL_ELIMIT;
}

static int get_module(struct decoder *d, struct wire_cursor *c, uint32_t *out)
{
    struct model_module m = {.process = UINT32_MAX};
    uint64_t kind = wire_number_get(c), process = wire_number_get(c), path = wire_number_get(c),
             bytes = wire_number_get(c);
    const uint8_t *id = bytes <= MODEL_BUILD_ID_MAX ? wire_bytes_get(c, bytes) : NULL;
    if (!id || c->failed || kind > MODEL_MODULE_JIT || process > d->processes.count ||
        path >= d->texts.count)
        return ORIEL_EDAMAGED;
    m.kind = (uint8_t)kind;
    m.path = d->texts.items[path];
    m.build_id_bytes = (uint8_t)bytes;
    memcpy(m.build_id, id, bytes);
    if (process)
        m.process = d->processes.items[process - 1].process->index;
    const uint32_t known = d->catalog->stacks.module_count;
    const struct model_module *own = model_stacks_module(&d->catalog->stacks, &m);
    if (!own)
        return ORIEL_ENOMEM;
    *out = own->index;
    return pay(d, own->index >= known, m.path.n);
}

static int get_modules(struct decoder *d, struct wire_cursor *c)
{
    uint64_t n = get_count(c, MODULES_MAX);
    d->modules.count = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t *slot = VEC_PUSH(&d->modules);
        int rc = slot ? get_module(d, c, slot) : ORIEL_ENOMEM;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int get_places(struct decoder *d, struct wire_cursor *c)
{
    uint64_t n = get_count(c, WIRE_CAPTURE_NODES_MAX), address = 0;
    d->places.count = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t *slot = VEC_PUSH(&d->places);
        uint64_t module = wire_number_get(c);
        address += wire_unzigzag(wire_number_get(c));
        if (!slot)
            return ORIEL_ENOMEM;
        if (c->failed || module >> 1 >= d->modules.count)
            return ORIEL_EDAMAGED;
        const uint32_t known = d->catalog->stacks.place_count;
        const struct model_place *p = model_stacks_place(
            &d->catalog->stacks, d->modules.items[module >> 1], address, module & 1);
        if (!p)
            return ORIEL_ENOMEM;
        *slot = p->index;
        int rc = pay(d, p->index >= known, 0);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int get_nodes(struct decoder *d, struct wire_cursor *c)
{
    uint64_t n = get_count(c, WIRE_CAPTURE_NODES_MAX);
    d->nodes.count = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t *slot = VEC_PUSH(&d->nodes);
        uint64_t up = wire_number_get(c), place = wire_unzigzag(wire_number_get(c)) + i;
        if (!slot)
            return ORIEL_ENOMEM;
        if (c->failed || up > i || place >= d->places.count)
            return ORIEL_EDAMAGED;
        const struct model_stacks *all = &d->catalog->stacks;
        const uint32_t known = all->node_count;
        uint32_t parent = up ? d->nodes.items[i - up] : 0;
        if (parent && model_stack(all, parent)->depth == MODEL_STACK_DEPTH_MAX)
            return ORIEL_EDAMAGED;
        *slot = model_stacks_node(&d->catalog->stacks, parent, d->places.items[place]);
        if (!*slot)
            return ORIEL_ENOMEM;
        int rc = pay(d, *slot >= known, 0);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int decoder_stacks(struct decoder *d, struct wire_cursor *c)
{
    d->modules.count = d->places.count = d->nodes.count = 0;
    if (c->at == c->end)
        return 0;
    int rc = get_modules(d, c);
    if (rc == 0)
        rc = get_places(d, c);
    if (rc == 0)
        rc = get_nodes(d, c);
    return rc < 0 ? rc : c->failed ? ORIEL_EDAMAGED : 0;
}
