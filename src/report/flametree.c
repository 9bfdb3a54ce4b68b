/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The tree is built row by row, then sorted. Nodes are found by parent and
 * frame (or group) through one map.
 */
#include "report/flametree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* Node below `parent` for a frame or, with FRAMES_NONE, a group's label.
 * UINT32_MAX: no memory. */
static uint32_t child_of(struct flametree *t, uint32_t parent, uint32_t frame, uint32_t label,
                         bool inlined)
{
    /* Groups count down from the top, where no frame's number comes. */
    uint32_t what = frame == FRAMES_NONE ? UINT32_MAX - 1 - label : frame;
    uint64_t key = (uint64_t)parent << 32 | what;
    uint64_t *at = map_put(&t->by_key, key, t->nodes.count);
    if (!at)
        return UINT32_MAX;
    if (*at < t->nodes.count)
        return (uint32_t)*at;
    struct flametree_node *n = VEC_PUSH(&t->nodes);
    if (!n) {
        (void)map_remove(&t->by_key, key);
        return UINT32_MAX;
    }
    struct flametree_node *up = &t->nodes.items[parent];
    struct intern_str text = intern_get(&t->labels, frame == FRAMES_NONE ? label : 0);
    *n = (struct flametree_node){.frame = frame,
                                 .parent = parent,
                                 .sibling = up->child,
                                 .depth = up->depth + 1,
                                 .label = {text.p, text.n},
                                 .inlined = inlined};
    up->child = (uint32_t)(t->nodes.count - 1);
    return up->child;
}

static uint32_t group_label(struct flametree *t, const struct model_catalog *c,
                            const struct model_profile_row *r, enum flametree_grouping by)
{
    char text[160];
    const struct model_thread *th = c->threads[r->thread];
    struct model_str name = th->name;
    if (by == FLAMETREE_BY_SPAN)
        return r->site ? intern_add(&t->labels, r->site->name.p, r->site->name.n)
                       : intern_add(&t->labels, "(no span)", 9);
    int n = snprintf(text, sizeof text, "%.*s%stid %d%s", name.n > 100 ? 100 : (int)name.n,
                     name.n ? name.p : "", name.n ? " (" : "", th->tid, name.n ? ")" : "");
    return intern_add(&t->labels, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
}

static int add_row(struct flametree *t, const struct frame_list *stack, uint32_t at,
                   const struct model_profile_row *r)
{
    t->nodes.items[0].total += r->weight;
    if (at)
        t->nodes.items[at].total += r->weight;
    for (size_t k = stack->items.count; k-- > 0;) {
        at = child_of(t, at, stack->items.items[k].frame, 0, stack->items.items[k].inlined);
        if (at == UINT32_MAX)
            return ORIEL_ENOMEM;
        t->nodes.items[at].total += r->weight;
    }
    t->nodes.items[at].self += r->weight;
    return 0;
}

/* ---- order ---- */

struct sorting {
    uint32_t node;
    struct model_str label;
};

static int by_label(const void *a, const void *b)
{
    const struct sorting *x = a, *y = b;
    uint32_t n = x->label.n < y->label.n ? x->label.n : y->label.n;
    int order = n ? memcmp(x->label.p, y->label.p, n) : 0;
    if (order == 0)
        order = x->label.n < y->label.n ? -1 : x->label.n > y->label.n;
    return order ? order : x->node < y->node ? -1 : x->node > y->node;
}

static int sort_children(struct flametree *t, const struct frames *f)
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
            *s = (struct sorting){c, flametree_label(t, f, c)};
        }
        if (all.count < 2)
            continue;
        qsort(all.items, all.count, sizeof *all.items, by_label);
        t->nodes.items[i].child = all.items[0].node;
        for (size_t k = 0; k < all.count; k++)
            t->nodes.items[all.items[k].node].sibling =
                k + 1 < all.count ? all.items[k + 1].node : 0;
    }
    VEC_DONE(&all);
    return 0;
}

int flametree_make(struct flametree *t, struct frames *f, const struct model_profile *p,
                   const struct model_catalog *c, const struct profile_filter *filter,
                   enum flametree_grouping by)
{
    struct frame_list stack = {0};
    memset(t, 0, sizeof *t);
    int rc = intern_init(&t->labels);
    struct flametree_node *root = rc == 0 ? VEC_PUSH(&t->nodes) : NULL;
    if (!root)
        return ORIEL_ENOMEM;
    *root = (struct flametree_node){.frame = FRAMES_NONE, .label = MODEL_STR("all")};
    for (uint32_t i = 0; rc == 0 && i < p->row_count; i++) {
        const struct model_profile_row *r = &p->rows[i];
        if (!profile_filter_takes(filter, c, r))
            continue;
        uint32_t at = 0;
        if (by != FLAMETREE_PLAIN) {
            uint32_t label = group_label(t, c, r, by);
            at = label == UINT32_MAX ? label : child_of(t, 0, FRAMES_NONE, label, false);
        }
        rc = at == UINT32_MAX ? ORIEL_ENOMEM : frames_list(f, r->stack, &stack);
        if (rc == 0)
            rc = add_row(t, &stack, at, r);
    }
    if (rc == 0)
        rc = sort_children(t, f);
    VEC_DONE(&stack.items);
    return rc;
}

void flametree_done(struct flametree *t)
{
    VEC_DONE(&t->nodes);
    map_done(&t->by_key);
    intern_done(&t->labels);
}

/* ---- folded ---- */

static void put_name(struct buf *out, struct model_str name)
{
    for (uint32_t i = 0; i < name.n; i++) {
        char ch = name.p[i];
        buf_putc(out, ch == ';' ? ':' : ch == '\n' || ch == '\r' ? ' ' : ch);
    }
}

static void put_frame(const struct flametree *t, const struct frames *f, uint32_t node,
                      struct buf *out)
{
    const struct flametree_node *n = &t->nodes.items[node];
    const struct model_module *m = n->frame == FRAMES_NONE ? NULL : f->items.items[n->frame].module;
    put_name(out, flametree_label(t, f, node));
    if (m && m->kind == MODEL_MODULE_KERNEL)
        buf_puts(out, "_[k]");
    else if (n->inlined)
        buf_puts(out, "_[i]");
}

uint32_t flametree_next(const struct flametree *t, uint32_t node)
{
    if (t->nodes.items[node].child)
        return t->nodes.items[node].child;
    while (node && !t->nodes.items[node].sibling)
        node = t->nodes.items[node].parent;
    return node ? t->nodes.items[node].sibling : 0;
}

int flametree_folded(const struct flametree *t, const struct frames *f, struct buf *out)
{
    VEC(uint32_t) path = {0}; /* of nodes, the outermost first */
    for (uint32_t node = t->nodes.items[0].child; node; node = flametree_next(t, node)) {
        const struct flametree_node *n = &t->nodes.items[node];
        while (path.count && path.items[path.count - 1] != n->parent)
            path.count--;
        uint32_t *here = VEC_PUSH(&path);
        if (!here) {
            VEC_DONE(&path);
            return ORIEL_ENOMEM;
        }
        *here = node;
        for (size_t i = 0; n->self && i < path.count; i++) {
            put_frame(t, f, path.items[i], out);
            buf_putc(out, i + 1 < path.count ? ';' : ' ');
        }
        if (n->self)
            buf_printf(out, "%llu\n", (unsigned long long)n->self);
    }
    VEC_DONE(&path);
    return out->failed ? ORIEL_ENOMEM : 0;
}
