/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spans added up by the path of names that leads to them, in bounded memory.
 *
 * Spans arrive when they end, children before parents, so the path of a span
 * is unknown until its last ancestor ends. Until then a span is one `entry` in
 * the list of its parent's `frame`; a span that ends takes its own frame's
 * list along. When a root ends, the whole tree of entries is replayed from the
 * top into `node`s (path -> sums and histogram) and its entries are reused.
 *
 *   frames: open parent id -> { children that ended, their time }
 *   entries: main { index.file { tokenize, db.insert }, index.file { ... } }
 *   nodes: main > index.file > tokenize   count, total, self, busy, histogram
 *
 * Bounds: a frame with FOLD_ENTRIES entries is replayed early into a tree of
 * its own, merged into its place later. When the entry pool is full the same
 * is done to all frames, and then what is left is shown without its path
 * (counted as `detached`). Paths beyond nodes_max, or deeper than
 * CALLTREE_DEPTH_MAX, are kept by name only, below one node "elsewhere". Sums
 * and histograms stay complete in every case, and so does self time, which
 * needs no path, as long as no more than frames_max parents are open at once.
 * Pure; one thread.
 */
#ifndef ORIEL_REPORT_CALLTREE_H
#define ORIEL_REPORT_CALLTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "base/vec.h"
#include "model/batch.h"
#include "report/hist.h"

#define CALLTREE_ROOT 1u      /* indices of the two nodes that always exist; */
#define CALLTREE_ELSEWHERE 2u /* 0 is no node */
#define CALLTREE_DEPTH_MAX 64u

struct calltree_node {
    uint64_t count, total, self, busy, max;
    uint64_t unfinished, errors;
    struct hist hist;
    uint32_t name;
    uint32_t parent, child, sibling; /* nodes; 0 none */
    uint16_t depth;                  /* the root has 0 */
    bool flat;                       /* below "elsewhere": holds no children */
};

struct calltree_limits {   /* 0: the default */
    uint32_t nodes_max;    /* 8,192 */
    uint32_t entries_max;  /* 524,288 */
    uint32_t frames_max;   /* 262,144 */
    uint32_t fold_entries; /* 512: fit into a small cache */
};

struct calltree_entry;
struct calltree_frame;
struct calltree_recent;
struct calltree_cached {
    uint64_t key;
    uint32_t node;
};

struct calltree {
    struct calltree_limits limits;
    VEC(struct calltree_node) nodes;
    struct map by_path; /* parent node << 32 | name -> node */
    struct calltree_cached *cache;
    uint32_t free_node, live_nodes;

    VEC(struct calltree_entry *) blocks; /* the entry pool */
    uint32_t free_entry, live_entries, made_entries;

    struct calltree_frame *frames; /* open addressing by span id */
    size_t frame_count, frame_capacity;
    struct calltree_recent *recent; /* spans that ended lately, for late children */
    uint64_t *remote;               /* parents that may be in another process */
    uint32_t remote_at;
    uint64_t detached; /* parents that were not seen: their children stand at the top */
    uint64_t circles;  /* spans that are above their own parent: they stand at the top */
    bool failed;       /* memory ran out: something is missing from the sums */
};

/* 0 or ORIEL_ENOMEM; done may be called in both cases. */
int calltree_init(struct calltree *t, const struct calltree_limits *limits);
/* Add a span that ended. Its self time (busy time less that of its children
 * on the same thread) goes to *out_self. 0 or ORIEL_ENOMEM. */
int calltree_add(struct calltree *t, const struct model_span *span, uint32_t name,
                 uint64_t *out_self);
/* Put what still waits for its parent at the top, so that the nodes are
 * complete. Adding more afterwards is fine. 0 or ORIEL_ENOMEM. */
int calltree_settle(struct calltree *t);
static inline const struct calltree_node *calltree_node(const struct calltree *t, uint32_t index)
{
    return &t->nodes.items[index];
}
void calltree_done(struct calltree *t);

/* Between calltree.c (what waits) and calltree_node.c (the sums). */
enum calltree_entry_flag {
    CALLTREE_UNFINISHED = 1,
    CALLTREE_ERROR = 2,
    CALLTREE_GHOST = 4, /* stands for a span counted before: path only */
    CALLTREE_TREE = 8   /* `dur` is the root of a folded tree */
};
struct calltree_entry {
    uint32_t next, kids; /* entries; 0 none */
    uint32_t name, flags;
    uint64_t dur, self, busy;
};
int calltree_nodes_init(struct calltree *t);
void calltree_nodes_done(struct calltree *t);
/* The node below `under` for a name, made if new; 0: no memory. */
uint32_t calltree_node_child(struct calltree *t, uint32_t under, uint32_t name);
bool calltree_node_add(struct calltree *t, uint32_t node, const struct calltree_entry *e);
/* A root for a folded tree; 0: no memory. */
uint32_t calltree_node_fold_root(struct calltree *t);
/* Move everything below `from` (a fold root, freed) to below `to`. */
bool calltree_node_merge(struct calltree *t, uint32_t to, uint32_t from);

#endif
