/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A profile as a tree of functions from the outermost in: what flame graphs,
 * folded stacks and tree views draw. Children of a node are sorted by name, so
 * that equal profiles give equal trees. Pure; one thread.
 */
#ifndef ORIEL_REPORT_FLAMETREE_H
#define ORIEL_REPORT_FLAMETREE_H

#include "base/buf.h"
#include "report/functions.h"

enum flametree_grouping {
    FLAMETREE_PLAIN = 0,
    FLAMETREE_BY_THREAD = 1, /* "worker-3 (tid 71)" stands below the root */
    FLAMETREE_BY_SPAN = 2    /* the span's name does; "(no span)" for the rest */
};

struct flametree_node {
    uint32_t frame;                  /* FRAMES_NONE: the root, or a group */
    uint32_t parent, child, sibling; /* 0 none; node 0 is the root */
    uint32_t depth;
    struct model_str label; /* of a group; else the frame's name */
    bool inlined;
    uint64_t self, total;
};
struct flametree {
    VEC(struct flametree_node) nodes;
    struct map by_key;
    struct intern labels;
};

/* 0 or ORIEL_ENOMEM; done may be called in both cases. */
int flametree_make(struct flametree *t, struct frames *f, const struct model_profile *p,
                   const struct model_catalog *c, const struct profile_filter *filter,
                   enum flametree_grouping by);
void flametree_done(struct flametree *t);
static inline struct model_str flametree_label(const struct flametree *t, const struct frames *f,
                                               uint32_t node)
{
    const struct flametree_node *n = &t->nodes.items[node];
    return n->frame == FRAMES_NONE ? n->label : f->items.items[n->frame].name;
}

/* The node after this one, depth first, in the order of names; 0: the end. */
uint32_t flametree_next(const struct flametree *t, uint32_t node);

/* "root;child;leaf WEIGHT" lines; ';' and line ends in names become ':' and
 * ' '. Functions of the kernel end in _[k], inlined ones in _[i]. 0 or
 * ORIEL_ENOMEM. */
int flametree_folded(const struct flametree *t, const struct frames *f, struct buf *out);

#endif
