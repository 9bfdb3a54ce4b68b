/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What waits for its parent: the pool of entries, the frames of open parents,
 * and the memory of spans that ended lately, by which a child that outlives
 * its parent (an async task, a thread handed a context) still finds its path.
 */
#include "report/calltree.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

enum {
    BLOCK_BITS = 12,
    BLOCK_ENTRIES = 1 << BLOCK_BITS,
    FRAMES_MIN = 256,
    RECENT_BITS = 14,
    REMOTE_MAX = 4096, /* parents of another process awaited at a time */
    RELIEF_MIN = 16    /* smaller lists are not worth a tree of their own */
};

struct calltree_frame {
    uint64_t id;       /* of the open parent; 0: an empty slot */
    uint64_t same_ns;  /* time of its children on `thread` ... */
    uint64_t other_ns; /* ... and on other threads */
    uint32_t thread;   /* of the first child that counts */
    uint32_t first;    /* entry */
    uint32_t weight;   /* entries in the list, with all below */
    uint32_t tree;     /* fold root, 0 none */
};

struct calltree_recent {
    uint64_t id, parent;
    uint32_t name;
};

/* ---- the entry pool ---- */

static struct calltree_entry *entry(const struct calltree *t, uint32_t index)
{
    assert(index);
    return &t->blocks.items[index >> BLOCK_BITS][index & (BLOCK_ENTRIES - 1)];
}

/* 0: the pool is full, or no memory. */
static uint32_t entry_take(struct calltree *t)
{
    uint32_t index = t->free_entry;
    if (index) {
        t->free_entry = entry(t, index)->next;
    } else {
        if (t->made_entries >= t->limits.entries_max)
            return 0;
        index = t->made_entries;
        if (index >> BLOCK_BITS >= t->blocks.count) {
            struct calltree_entry *block = mem_alloc(BLOCK_ENTRIES * sizeof *block);
            struct calltree_entry **slot = block ? VEC_PUSH(&t->blocks) : NULL;
            if (!slot) {
                mem_free(block);
                t->failed = true;
                return 0;
            }
            *slot = block;
        }
        t->made_entries++;
    }
    t->live_entries++;
    return index;
}

static void entry_give(struct calltree *t, uint32_t index)
{
    entry(t, index)->next = t->free_entry;
    t->free_entry = index;
    assert(t->live_entries);
    t->live_entries--;
}

/* ---- frames ---- */

static size_t frame_home(const struct calltree *t, uint64_t id)
{
    return (id * 0x9e3779b97f4a7c15u >> 32) & (t->frame_capacity - 1);
}

static struct calltree_frame *frame_find(const struct calltree *t, uint64_t id)
{
    size_t mask = t->frame_capacity - 1;
    for (size_t i = frame_home(t, id); t->frames[i].id; i = (i + 1) & mask)
        if (t->frames[i].id == id)
            return &t->frames[i];
    return NULL;
}

static struct calltree_frame *frame_slot(struct calltree *t, uint64_t id)
{
    size_t mask = t->frame_capacity - 1, i = frame_home(t, id);
    while (t->frames[i].id)
        i = (i + 1) & mask;
    return &t->frames[i];
}

static bool frames_grow(struct calltree *t)
{
    size_t before = t->frame_capacity, capacity = before ? before * 2 : FRAMES_MIN;
    struct calltree_frame *old = t->frames;
    struct calltree_frame *frames = mem_calloc(capacity, sizeof *frames);
    if (!frames)
        return false;
    t->frames = frames;
    t->frame_capacity = capacity;
    for (size_t i = 0; i < before; i++)
        if (old[i].id)
            *frame_slot(t, old[i].id) = old[i];
    mem_free(old);
    return true;
}

/* NULL: too many parents are open, or no memory. */
static struct calltree_frame *frame_new(struct calltree *t, uint64_t id)
{
    assert(id && !frame_find(t, id));
    if (t->frame_count >= t->limits.frames_max)
        return NULL;
    if (t->frame_count * 2 >= t->frame_capacity && !frames_grow(t)) {
        t->failed = true;
        return NULL;
    }
    struct calltree_frame *f = frame_slot(t, id);
    *f = (struct calltree_frame){.id = id, .thread = UINT32_MAX};
    t->frame_count++;
    return f;
}

/* Later frames of the run move back, so that no search ends too early. */
static void frame_remove(struct calltree *t, struct calltree_frame *f)
{
    size_t mask = t->frame_capacity - 1, hole = (size_t)(f - t->frames);
    assert(f->id && hole <= mask);
    for (size_t i = (hole + 1) & mask; t->frames[i].id; i = (i + 1) & mask) {
        size_t home = frame_home(t, t->frames[i].id);
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        t->frames[hole] = t->frames[i];
        hole = i;
    }
    t->frames[hole].id = 0;
    t->frame_count--;
}

/* ---- from entries to nodes ---- */

/* Count a list of entries and everything below it under a node, and free the
 * entries. The stack needs no more than the depth of the tree: nodes further
 * down lie flat, so there the order no longer matters and lists are joined. */
static void replay(struct calltree *t, uint32_t first, uint32_t under)
{
    struct {
        uint32_t at, under;
    } stack[CALLTREE_DEPTH_MAX];
    uint32_t used = 0, i = first;
    while (i || used) {
        if (!i) {
            used--;
            i = stack[used].at;
            under = stack[used].under;
        }
        const struct calltree_entry e = *entry(t, i);
        entry_give(t, i);
        i = e.next;
        if (e.flags & CALLTREE_TREE) {
            if (!calltree_node_merge(t, under, (uint32_t)e.dur))
                t->failed = true;
            continue;
        }
        uint32_t node = calltree_node_child(t, under, e.name);
        if (!node || !calltree_node_add(t, node, &e))
            t->failed = true;
        if (!e.kids)
            continue;
        if (i && used < CALLTREE_DEPTH_MAX) {
            stack[used].at = i;
            stack[used++].under = under;
        } else if (i) {
            uint32_t last = e.kids;
            while (entry(t, last)->next)
                last = entry(t, last)->next;
            entry(t, last)->next = i;
        }
        i = e.kids;
        under = node ? node : CALLTREE_ELSEWHERE;
    }
}

/* Turn a frame's entries into a tree of sums of its own. */
static void fold(struct calltree *t, struct calltree_frame *f)
{
    if (!f->tree)
        f->tree = calltree_node_fold_root(t);
    if (!f->tree) {
        t->failed = true;
        return;
    }
    replay(t, f->first, f->tree);
    f->first = 0;
    f->weight = 0;
}

/* Give up on the path of what waits in a frame. */
static void detach(struct calltree *t, struct calltree_frame *f)
{
    t->detached += f->first || f->tree;
    replay(t, f->first, CALLTREE_ROOT);
    if (f->tree && !calltree_node_merge(t, CALLTREE_ROOT, f->tree))
        t->failed = true;
    f->first = f->tree = f->weight = 0;
}

/* The pool is full: make room, at first without losing any path. */
static void relieve(struct calltree *t)
{
    for (size_t i = 0; i < t->frame_capacity; i++)
        if (t->frames[i].id && t->frames[i].weight >= RELIEF_MIN)
            fold(t, &t->frames[i]);
    if (t->live_entries < t->limits.entries_max / 4 * 3)
        return;
    for (size_t i = 0; i < t->frame_capacity; i++)
        if (t->frames[i].id)
            detach(t, &t->frames[i]);
}

/* ---- where a span belongs ---- */

static struct calltree_recent *recent_slot(const struct calltree *t, uint64_t id)
{
    return &t->recent[id * 0x9e3779b97f4a7c15u >> (64 - RECENT_BITS)];
}

static void push(struct calltree *t, struct calltree_frame *f, uint32_t e, uint32_t weight)
{
    assert(weight);
    entry(t, e)->next = f->first;
    f->first = e;
    f->weight += weight;
    if (f->weight >= t->limits.fold_entries)
        fold(t, f);
}

static void place_at_top(struct calltree *t, uint32_t e)
{
    entry(t, e)->next = 0;
    replay(t, e, CALLTREE_ROOT);
}

/* Remember which parents may never come because they are somewhere else, and
 * wait only for the last REMOTE_MAX of them. */
static void await_remote(struct calltree *t, uint64_t id)
{
    uint64_t oldest = t->remote[t->remote_at];
    struct calltree_frame *f = oldest ? frame_find(t, oldest) : NULL;
    t->remote[t->remote_at] = id;
    t->remote_at = (t->remote_at + 1) % REMOTE_MAX;
    if (f) {
        detach(t, f);
        frame_remove(t, f);
    }
}

/* Hang an entry under its parent: the frame of an open one, or by way of
 * ghosts below the nearest open ancestor of one that has ended. */
static struct calltree_frame *place(struct calltree *t, uint32_t e, uint64_t parent,
                                    uint32_t weight, bool remote)
{
    for (unsigned up = 0; parent && up < CALLTREE_DEPTH_MAX; up++) {
        struct calltree_frame *f = frame_find(t, parent);
        const struct calltree_recent *r = recent_slot(t, parent);
        bool ended = r->id == parent;
        if (!f && !ended && up == 0) {
            if (remote)
                await_remote(t, parent);
            f = frame_new(t, parent);
        }
        if (f) {
            push(t, f, e, weight);
            return up == 0 ? f : NULL;
        }
        uint32_t ghost = ended ? entry_take(t) : 0;
        if (!ghost) {
            t->detached++;
            break;
        }
        *entry(t, ghost) =
            (struct calltree_entry){.kids = e, .name = r->name, .flags = CALLTREE_GHOST};
        entry(t, e)->next = 0;
        e = ghost;
        weight++;
        parent = r->parent;
    }
    place_at_top(t, e);
    return NULL;
}

static void credit(struct calltree_frame *f, uint32_t thread, uint64_t ns)
{
    assert(thread != UINT32_MAX);
    if (f->thread == UINT32_MAX)
        f->thread = thread;
    if (f->thread == thread)
        f->same_ns += ns;
    else
        f->other_ns += ns;
}

/* Tell the parent what of its time this span took. A span of another process
 * or with given times runs beside its parent, not in its time; those of a program
 * that told all of its spans are as good as ours. */
static void credit_span(struct calltree_frame *f, const struct model_span *s)
{
    const bool beside = s->flags & MODEL_SPAN_EXTERNAL && !(s->flags & MODEL_SPAN_TOLD);
    if (beside || s->flags & MODEL_SPAN_REMOTE_PARENT)
        return;
    if (!(s->flags & MODEL_SPAN_ASYNC)) {
        credit(f, s->thread ? s->thread->index : 0, s->end_ns - s->start_ns);
        return;
    }
    for (uint32_t i = 0; i < s->busy_count; i++)
        credit(f, s->busy[i].thread ? s->busy[i].thread->index : 0,
               s->busy[i].end_ns - s->busy[i].start_ns);
}

/* Time of the children that ran inside this span's own busy time. */
static uint64_t child_time(const struct calltree_frame *f, const struct model_span *s)
{
    if (s->flags & MODEL_SPAN_ASYNC)
        return f->same_ns + f->other_ns;
    return s->thread && s->thread->index != f->thread ? f->other_ns : f->same_ns;
}

/* The children that waited for this span, as one list; its frame is gone. */
static uint32_t take_children(struct calltree *t, const struct model_span *s, uint64_t *child_ns,
                              uint32_t *weight)
{
    struct calltree_frame *f = frame_find(t, s->span_id);
    if (!f)
        return 0;
    uint32_t kids = f->first;
    *child_ns = child_time(f, s);
    *weight = f->weight;
    if (f->tree) {
        uint32_t e = entry_take(t);
        if (e) {
            *entry(t, e) =
                (struct calltree_entry){.next = kids, .flags = CALLTREE_TREE, .dur = f->tree};
            kids = e;
            ++*weight;
        } else {
            detach(t, f);
            kids = *weight = 0;
        }
    }
    frame_remove(t, f);
    return kids;
}

/* Whether the way up leads back to the span: no program has such parents, but what was received
 * may. Each span that closes a circle is found here, so there are none among those before. */
static bool comes_round(const struct calltree *t, uint64_t id, uint64_t parent)
{
    for (unsigned up = 0; parent && up < CALLTREE_DEPTH_MAX; up++) {
        if (parent == id)
            return true;
        const struct calltree_recent *r = recent_slot(t, parent);
        parent = r->id == parent ? r->parent : 0;
    }
    return false;
}

int calltree_add(struct calltree *t, const struct model_span *s, uint32_t name, uint64_t *out_self)
{
    uint64_t child_ns = 0, dur = s->end_ns - s->start_ns;
    uint64_t busy = s->flags & MODEL_SPAN_ASYNC ? s->busy_ns : dur;
    uint32_t weight = 0;
    assert(s->end_ns >= s->start_ns);
    /* Keep enough entries for the way up through ghosts. */
    if (t->live_entries + CALLTREE_DEPTH_MAX + 2 > t->limits.entries_max)
        relieve(t);
    uint32_t kids = s->span_id ? take_children(t, s, &child_ns, &weight) : 0;
    uint32_t e = entry_take(t);
    if (!e) {
        t->failed = true;
        if (kids)
            replay(t, kids, CALLTREE_ROOT);
        return ORIEL_ENOMEM;
    }
    *out_self = busy > child_ns ? busy - child_ns : 0;
    *entry(t, e) = (struct calltree_entry){
        .kids = kids,
        .name = name,
        .flags = (s->flags & MODEL_SPAN_UNFINISHED ? CALLTREE_UNFINISHED : 0) |
                 (s->status == ORIEL_STATUS_ERROR ? CALLTREE_ERROR : 0),
        .dur = dur,
        .self = *out_self,
        .busy = busy};
    uint64_t parent = s->flags & MODEL_SPAN_ROOT ? 0 : s->parent_id;
    if (parent && comes_round(t, s->span_id, parent)) {
        t->circles++;
        parent = 0;
    }
    if (s->span_id)
        *recent_slot(t, s->span_id) = (struct calltree_recent){s->span_id, parent, name};
    struct calltree_frame *f = place(t, e, parent, weight + 1, s->flags & MODEL_SPAN_REMOTE_PARENT);
    if (f)
        credit_span(f, s);
    return t->failed ? ORIEL_ENOMEM : 0;
}

int calltree_settle(struct calltree *t)
{
    for (size_t i = 0; i < t->frame_capacity; i++)
        if (t->frames[i].id)
            detach(t, &t->frames[i]);
    if (t->frame_capacity)
        memset(t->frames, 0, t->frame_capacity * sizeof *t->frames);
    t->frame_count = 0;
    return t->failed ? ORIEL_ENOMEM : 0;
}

int calltree_init(struct calltree *t, const struct calltree_limits *limits)
{
    memset(t, 0, sizeof *t);
    if (limits)
        t->limits = *limits;
    struct calltree_limits *l = &t->limits;
    l->nodes_max = l->nodes_max ? l->nodes_max : 8192;
    l->entries_max = l->entries_max ? l->entries_max : 524288;
    l->frames_max = l->frames_max ? l->frames_max : 262144;
    l->fold_entries = l->fold_entries ? l->fold_entries : 512;
    assert(l->entries_max > 2 * CALLTREE_DEPTH_MAX);
    t->made_entries = 1; /* index 0 is no entry */
    t->recent = mem_calloc((size_t)1 << RECENT_BITS, sizeof *t->recent);
    t->remote = mem_calloc(REMOTE_MAX, sizeof *t->remote);
    if (!t->recent || !t->remote || !frames_grow(t))
        return ORIEL_ENOMEM;
    return calltree_nodes_init(t);
}

void calltree_done(struct calltree *t)
{
    for (size_t i = 0; i < t->blocks.count; i++)
        mem_free(t->blocks.items[i]);
    VEC_DONE(&t->blocks);
    mem_free(t->frames);
    mem_free(t->recent);
    mem_free(t->remote);
    calltree_nodes_done(t);
    memset(t, 0, sizeof *t);
}
