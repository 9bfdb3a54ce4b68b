/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The nodes of the call tree: one per path of names, found through a small
 * direct-mapped cache in front of a map. Folded trees use the same pool; their
 * root has no parent until they are merged into their place.
 */
#include "report/calltree.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

enum { CACHE_BITS = 10 };

static uint64_t path_key(uint32_t parent, uint32_t name)
{
    return (uint64_t)parent << 32 | name;
}

static struct calltree_cached *cache_slot(const struct calltree *t, uint64_t key)
{
    return &t->cache[key * 0x9e3779b97f4a7c15u >> (64 - CACHE_BITS)];
}

static struct calltree_node *at(struct calltree *t, uint32_t index)
{
    assert(index && index < t->nodes.count);
    return &t->nodes.items[index];
}

/* A zeroed node outside every list; 0: no memory. */
static uint32_t node_take(struct calltree *t)
{
    uint32_t index = t->free_node;
    if (index) {
        t->free_node = at(t, index)->sibling;
        at(t, index)->sibling = 0;
    } else {
        if (!VEC_PUSH(&t->nodes))
            return 0;
        index = (uint32_t)t->nodes.count - 1;
    }
    t->live_nodes++;
    return index;
}

static void node_give(struct calltree *t, uint32_t index)
{
    struct calltree_node *n = at(t, index);
    if (n->parent) {
        uint64_t key = path_key(n->parent, n->name);
        struct calltree_cached *c = cache_slot(t, key);
        if (c->key == key)
            c->key = 0;
        map_remove(&t->by_path, key);
    }
    hist_done(&n->hist);
    memset(n, 0, sizeof *n);
    n->sibling = t->free_node;
    t->free_node = index;
    assert(t->live_nodes);
    t->live_nodes--;
}

/* A new child of `under`, which has none of that name; 0: no memory. */
static uint32_t node_new(struct calltree *t, uint32_t under, uint32_t name)
{
    uint64_t *slot = map_put(&t->by_path, path_key(under, name), 0);
    uint32_t index = slot ? node_take(t) : 0;
    if (!index) {
        if (slot)
            map_remove(&t->by_path, path_key(under, name));
        return 0;
    }
    *slot = index;
    struct calltree_node *parent = at(t, under), *n = at(t, index);
    assert(!parent->flat && parent->depth <= CALLTREE_DEPTH_MAX);
    n->name = name;
    n->parent = under;
    n->sibling = parent->child;
    parent->child = index;
    n->depth = (uint16_t)(parent->depth + 1);
    n->flat = under == CALLTREE_ELSEWHERE;
    return index;
}

uint32_t calltree_node_child(struct calltree *t, uint32_t under, uint32_t name)
{
    const struct calltree_node *u = at(t, under);
    if (u->flat || u->depth >= CALLTREE_DEPTH_MAX)
        under = CALLTREE_ELSEWHERE;
    uint64_t key = path_key(under, name);
    struct calltree_cached *c = cache_slot(t, key);
    if (c->key == key)
        return c->node;
    const uint64_t *found = map_get(&t->by_path, key);
    uint32_t index = found ? (uint32_t)*found : 0;
    if (!index) {
        /* Below "elsewhere" the number of names bounds the number of nodes. */
        if (under != CALLTREE_ELSEWHERE && t->live_nodes >= t->limits.nodes_max)
            return calltree_node_child(t, CALLTREE_ELSEWHERE, name);
        index = node_new(t, under, name);
        if (!index)
            return 0;
    }
    *c = (struct calltree_cached){key, index};
    return index;
}

bool calltree_node_add(struct calltree *t, uint32_t node, const struct calltree_entry *e)
{
    struct calltree_node *n = at(t, node);
    assert(!(e->flags & CALLTREE_TREE));
    if (e->flags & CALLTREE_GHOST)
        return true;
    n->count++;
    n->total += e->dur;
    n->self += e->self;
    n->busy += e->busy;
    n->max = e->dur > n->max ? e->dur : n->max;
    n->unfinished += (e->flags & CALLTREE_UNFINISHED) != 0;
    n->errors += (e->flags & CALLTREE_ERROR) != 0;
    return hist_add(&n->hist, e->dur);
}

static bool node_absorb(struct calltree_node *to, struct calltree_node *from)
{
    to->count += from->count;
    to->total += from->total;
    to->self += from->self;
    to->busy += from->busy;
    to->max = from->max > to->max ? from->max : to->max;
    to->unfinished += from->unfinished;
    to->errors += from->errors;
    if (to->hist.count == 0) { /* take instead of copying */
        struct hist empty = to->hist;
        to->hist = from->hist;
        from->hist = empty;
        return true;
    }
    return hist_merge(&to->hist, &from->hist);
}

/* No deeper than CALLTREE_DEPTH_MAX: a folded tree obeys it like any other. */
bool calltree_node_merge(struct calltree *t, uint32_t to, uint32_t from)
{
    bool ok = true;
    assert(to != from);
    for (uint32_t c = at(t, from)->child, next; c; c = next) {
        next = at(t, c)->sibling;
        uint32_t place = calltree_node_child(t, to, at(t, c)->name);
        if (!place || !node_absorb(at(t, place), at(t, c)))
            ok = false;
        /* Without a place what is below is freed all the same. */
        if (!calltree_node_merge(t, place ? place : CALLTREE_ELSEWHERE, c))
            ok = false;
    }
    node_give(t, from);
    return ok;
}

uint32_t calltree_node_fold_root(struct calltree *t)
{
    return node_take(t);
}

int calltree_nodes_init(struct calltree *t)
{
    t->cache = mem_calloc((size_t)1 << CACHE_BITS, sizeof *t->cache);
    if (!t->cache || !VEC_PUSH(&t->nodes)) /* index 0 is no node */
        return ORIEL_ENOMEM;
    uint32_t root = node_take(t);
    if (!root || node_new(t, root, UINT32_MAX) != CALLTREE_ELSEWHERE)
        return ORIEL_ENOMEM;
    assert(root == CALLTREE_ROOT);
    return 0;
}

void calltree_nodes_done(struct calltree *t)
{
    for (size_t i = 0; i < t->nodes.count; i++)
        hist_done(&t->nodes.items[i].hist);
    VEC_DONE(&t->nodes);
    map_done(&t->by_path);
    mem_free(t->cache);
}
