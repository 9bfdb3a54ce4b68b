/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The stacks of a chunk: its own numbers for the modules, places and nodes
 * that its samples refer to. A node stands behind its parent, so a reader
 * rebuilds the tree in one pass. Stacks that come again in the next chunk are
 * told again: a chunk is complete in itself.
 */
#include "export/capture/encode.h"

#include <assert.h>

#include "base/err.h"

void encoder_stacks_reset(struct encode_stacks *s)
{
    map_clear(&s->by_node);
    map_clear(&s->by_place);
    map_clear(&s->by_module);
    s->nodes.count = s->places.count = s->modules.count = 0;
}

void encoder_stacks_done(struct encode_stacks *s)
{
    map_done(&s->by_node);
    map_done(&s->by_place);
    map_done(&s->by_module);
    VEC_DONE(&s->nodes);
    VEC_DONE(&s->places);
    VEC_DONE(&s->modules);
}

/* The chunk's number of something, from 1; it is added to `list` if new. 0: no
 * memory. */
static uint32_t number_of(struct map *by, void *list, uint32_t id)
{
    VEC(uint32_t) *items = list;
    uint64_t *at = map_put(by, id, items->count + 1);
    if (!at)
        return 0;
    if (*at <= items->count)
        return (uint32_t)*at;
    uint32_t *new = VEC_PUSH(items);
    if (!new) {
        (void)map_remove(by, id);
        return 0;
    }
    *new = id;
    return (uint32_t)*at;
}

int encoder_find_stack(struct encoder *e, uint32_t node, uint32_t *out)
{
    const struct model_stacks *all = &e->catalog->stacks;
    struct encode_stacks *s = &e->stacks;
    uint32_t chain[MODEL_STACK_DEPTH_MAX], n = 0;
    *out = 0;
    for (uint32_t at = node; model_stack(all, at); at = all->nodes[at].parent) {
        const uint64_t *known = map_get(&s->by_node, at);
        if (known && n == 0) {
            *out = (uint32_t)*known;
            return 0;
        }
        if (known)
            break;
        assert(n < MODEL_STACK_DEPTH_MAX);
        chain[n++] = at;
    }
    if (s->nodes.count + n > WIRE_CAPTURE_NODES_MAX)
        return ORIEL_ELIMIT;
    while (n > 0) {
        uint32_t at = chain[--n], place = all->nodes[at].place;
        if (!number_of(&s->by_module, &s->modules, all->places[place]->module) ||
            !number_of(&s->by_place, &s->places, place) ||
            !(*out = number_of(&s->by_node, &s->nodes, at)))
            return ORIEL_ENOMEM;
    }
    return 0;
}

static void put_module(struct encoder *e, struct intern *texts, const struct model_module *m,
                       struct buf *b)
{
    uint32_t process = 0; /* from 1; in the table, because a stream of it is */
    for (uint32_t i = 0; i < e->processes.count; i++)
        if (e->processes.items[i].process->index == m->process)
            process = i + 1;
    uint32_t path = intern_add(texts, m->path.p, m->path.n);
    if (path == UINT32_MAX)
        b->failed = true;
    encoder_table_number(b, m->kind);
    encoder_table_number(b, process);
    encoder_table_number(b, path);
    encoder_table_number(b, m->build_id_bytes);
    buf_put(b, m->build_id, m->build_id_bytes);
}

void encoder_put_stacks(struct encoder *e, struct intern *texts, struct buf *b)
{
    const struct model_stacks *all = &e->catalog->stacks;
    struct encode_stacks *s = &e->stacks;
    uint64_t address = 0;
    encoder_table_number(b, s->modules.count);
    for (size_t i = 0; i < s->modules.count; i++)
        put_module(e, texts, all->modules[s->modules.items[i]], b);
    encoder_table_number(b, s->places.count);
    for (size_t i = 0; i < s->places.count; i++) {
        const struct model_place *p = all->places[s->places.items[i]];
        const uint64_t *module = map_get(&s->by_module, p->module);
        encoder_table_number(b, (module ? *module - 1 : 0) << 1 | p->caller);
        encoder_table_number(b, wire_zigzag(p->address - address));
        address = p->address;
    }
    encoder_table_number(b, s->nodes.count);
    for (size_t i = 0; i < s->nodes.count; i++) {
        const struct model_stack *n = &all->nodes[s->nodes.items[i]];
        const uint64_t *parent = n->parent ? map_get(&s->by_node, n->parent) : NULL;
        const uint64_t *place = map_get(&s->by_place, n->place);
        /* Mostly the node before, and a place that is new with it. */
        encoder_table_number(b, parent ? i + 1 - *parent : 0);
        encoder_table_number(b, wire_zigzag((place ? *place - 1 : 0) - i));
    }
}
