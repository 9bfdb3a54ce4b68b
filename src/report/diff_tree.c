/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Both sides' trees of functions laid over each other: a node is there when
 * either side has it.
 */
#include "report/diff_state.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

void diff_tree_done(struct diff_tree *t)
{
    VEC_DONE(&t->nodes);
    map_done(&t->by_key);
}

/* UINT32_MAX: no memory. */
static uint32_t child_of(struct diff_tree *t, uint32_t parent, uint32_t item, bool inlined)
{
    uint64_t key = (uint64_t)parent << 32 | item << 1 | inlined;
    uint64_t *at = map_put(&t->by_key, key, t->nodes.count);
    if (!at)
        return UINT32_MAX;
    uint32_t node = (uint32_t)*at;
    if (node < t->nodes.count)
        return node;
    struct diff_node *new = VEC_PUSH(&t->nodes);
    if (!new) {
        (void)map_remove(&t->by_key, key);
        return UINT32_MAX;
    }
    struct diff_node *up = &t->nodes.items[parent];
    *new = (struct diff_node){.item = item,
                              .parent = parent,
                              .sibling = up->child,
                              .depth = up->depth + 1,
                              .inlined = inlined};
    up->child = node;
    return node;
}

static int add_tree(struct diff *d, enum diff_side side, const struct report *r,
                    const struct frames *f, const struct flametree *from, struct diff_tree *to)
{
    double runs = (double)d->options.runs[side];
    uint32_t *map = mem_calloc(from->nodes.count + 1, sizeof *map); /* node -> node */
    int rc = map ? 0 : ORIEL_ENOMEM;
    for (uint32_t at = 0, first = 1; rc == 0 && (first || at); at = flametree_next(from, at)) {
        const struct flametree_node *n = &from->nodes.items[at];
        if (!first) {
            uint32_t item = diff_item_of_frame(d, r->catalog, &f->items.items[n->frame]);
            if (item == UINT32_MAX || item > UINT32_MAX / 2)
                rc = ORIEL_ENOMEM;
            else
                map[at] = child_of(to, map[n->parent], item, n->inlined);
        }
        first = 0;
        if (rc < 0 || map[at] == UINT32_MAX) {
            rc = ORIEL_ENOMEM;
            break;
        }
        to->nodes.items[map[at]].self[side] += (double)n->self / runs;
        to->nodes.items[map[at]].total[side] += (double)n->total / runs;
    }
    mem_free(map);
    return rc;
}

int diff_tree_add(struct diff *d, enum diff_side side, const struct report *r, struct frames *f,
                  uint8_t kind)
{
    const struct profile_filter all = {.kind = kind, .thread = -1, .process = -1};
    struct diff_tree *t = &d->trees[kind];
    struct flametree one;
    if (t->nodes.count == 0) {
        struct diff_node *root = VEC_PUSH(&t->nodes);
        if (!root)
            return ORIEL_ENOMEM;
        root->item = UINT32_MAX;
    }
    int rc = flametree_make(&one, f, &r->profile, r->catalog, &all, FLAMETREE_PLAIN);
    if (rc == 0)
        rc = add_tree(d, side, r, f, &one, t);
    flametree_done(&one);
    return rc;
}

/* ---- order ---- */

struct sorting {
    struct model_str name;
    uint32_t node;
};

static int by_name(const void *a, const void *b)
{
    const struct sorting *x = a, *y = b;
    uint32_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
    int order = n ? memcmp(x->name.p, y->name.p, n) : 0;
    if (order == 0)
        order = x->name.n < y->name.n ? -1 : x->name.n > y->name.n;
    return order ? order : x->node < y->node ? -1 : x->node > y->node;
}

int diff_tree_sort(const struct diff *d, struct diff_tree *t)
{
    VEC(struct sorting) all = {0};
    for (size_t i = 0; i < t->nodes.count; i++) {
        all.count = 0;
        for (uint32_t c = t->nodes.items[i].child; c; c = t->nodes.items[c].sibling) {
            struct sorting *s = VEC_PUSH(&all);
            if (!s) {
                VEC_DONE(&all);
                return ORIEL_ENOMEM;
            }
            *s = (struct sorting){d->items.items[t->nodes.items[c].item].name, c};
        }
        if (all.count < 2)
            continue;
        qsort(all.items, all.count, sizeof *all.items, by_name);
        t->nodes.items[i].child = all.items[0].node;
        for (size_t k = 0; k < all.count; k++)
            t->nodes.items[all.items[k].node].sibling =
                k + 1 < all.count ? all.items[k + 1].node : 0;
    }
    VEC_DONE(&all);
    return 0;
}

uint32_t diff_tree_next(const struct diff_tree *t, uint32_t node)
{
    if (t->nodes.items[node].child)
        return t->nodes.items[node].child;
    while (node && !t->nodes.items[node].sibling)
        node = t->nodes.items[node].parent;
    return node ? t->nodes.items[node].sibling : 0;
}

/* ---- callers ---- */

/* The nearest function above that is another one. */
static uint32_t caller_of(const struct diff_tree *t, uint32_t node)
{
    uint32_t item = t->nodes.items[node].item;
    while (node && t->nodes.items[node].item == item)
        node = t->nodes.items[node].parent;
    return t->nodes.items[node].item;
}

/* What a node itself, and the kernel for it, took more after than before. */
static double own_change(const struct diff *d, const struct diff_tree *t, uint32_t node)
{
    const struct diff_node *n = &t->nodes.items[node];
    double change = n->self[DIFF_B] - n->self[DIFF_A];
    for (uint32_t c = n->child; c; c = t->nodes.items[c].sibling)
        if (d->items.items[t->nodes.items[c].item].kernel && !d->items.items[n->item].kernel)
            change += t->nodes.items[c].total[DIFF_B] - t->nodes.items[c].total[DIFF_A];
    return change;
}

uint32_t diff_tree_caller(const struct diff *d, const struct diff_tree *t, uint32_t item)
{
    uint32_t best = UINT32_MAX;
    double most = 0, all = 0;
    struct map sums = {
        0}; /* caller -> change in 1/16 units, as it is whole numbers that a map holds */
    for (uint32_t i = 1; i < t->nodes.count; i++)
        if (t->nodes.items[i].item == item)
            all += own_change(d, t, i);
    for (uint32_t i = 1; i < t->nodes.count; i++) {
        const struct diff_node *n = &t->nodes.items[i];
        uint32_t caller = n->item == item ? caller_of(t, i) : UINT32_MAX;
        uint64_t *sum = caller == UINT32_MAX ? NULL : map_put(&sums, caller, 0);
        if (!sum)
            continue;
        double change = own_change(d, t, i);
        *sum += (uint64_t)(int64_t)((all < 0 ? -change : change) * 16);
        if ((double)(int64_t)*sum > most || best == UINT32_MAX) {
            most = (double)(int64_t)*sum;
            best = caller;
        }
    }
    map_done(&sums);
    return best;
}
