/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The one pass over the entries of a unit. libdw searches the tree anew for
 * every address (6.3 ms each on a large unit); here each entry is looked at
 * once, and most are passed over by a merged skip. Reads memory only.
 */
#include "symbol/tree.h"

#include <assert.h>

#include "base/err.h"

enum { DEPTH_MAX = 512 };
#define NONE UINT32_MAX

/* What the entries at one depth belong to. */
struct level {
    uint32_t function, node; /* NONE: outside of any asked function */
};
struct scan {
    struct tree *t;
    struct dw_unit *u;
    struct asked asked;
    struct reader r;
    bool thorough, no_memory;
    unsigned depth;
    struct level levels[DEPTH_MAX];
    struct dw_ranges ranges; /* scratch */
};

/* The attributes of a function or an inlined call. */
struct entry {
    struct dw_value low, high, ranges;
    uint64_t sibling, call_file, call_line, call_column;
};

static void read_entry(struct scan *s, const struct dw_abbrev *a, struct entry *e)
{
    *e = (struct entry){0};
    for (uint32_t i = 0; i < a->attr_count; i++) {
        const struct dw_attr *attr = &s->u->abbrevs->attrs.items[a->attr + i];
        struct dw_value value;
        dw_value_read(s->u, &s->r, attr, &value);
        switch (attr->name) {
        case DW_AT_low_pc:
            e->low = value;
            break;
        case DW_AT_high_pc:
            e->high = value;
            break;
        case DW_AT_ranges:
            e->ranges = value;
            break;
        case DW_AT_call_file:
            e->call_file = value.raw;
            break;
        case DW_AT_call_line:
            e->call_line = value.raw;
            break;
        case DW_AT_call_column:
            e->call_column = value.raw;
            break;
        case DW_AT_sibling:
            e->sibling = value.form == DW_FORM_ref4 ? s->u->offset + value.raw : 0;
            break;
        default:
            break;
        }
    }
}

static bool is_asked(const struct scan *s, uint64_t lo, uint64_t hi)
{
    size_t from = 0, to = s->asked.count;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (s->asked.addrs[mid] < lo)
            from = mid + 1;
        else
            to = mid;
    }
    return from < s->asked.count && s->asked.addrs[from] < hi;
}

static void add_spans(struct scan *s, uint32_t function, uint32_t node)
{
    struct tree *t = s->t;
    for (size_t i = 0; i < s->ranges.count; i++) {
        uint32_t index = (uint32_t)t->spans.count;
        struct tree_span *span = VEC_PUSH(&t->spans);
        if (!span) {
            s->no_memory = true;
            return;
        }
        *span = (struct tree_span){s->ranges.items[i].lo, s->ranges.items[i].hi, node, NONE};
        struct tree_function *f = &t->functions.items[function];
        if (f->head == NONE)
            f->head = index;
        else
            t->spans.items[f->tail].next = index;
        f->tail = index;
    }
}

static uint32_t add_node(struct scan *s, uint32_t parent, uint64_t at, const struct entry *e)
{
    struct tree_node *node = VEC_PUSH(&s->t->nodes);
    if (!node) {
        s->no_memory = true;
        return NONE;
    }
    *node = (struct tree_node){.parent = parent,
                               .entry = at,
                               .call_line = (uint32_t)e->call_line,
                               .call_column = (uint32_t)e->call_column,
                               .call_file = e->call_file};
    return (uint32_t)(s->t->nodes.count - 1);
}

/* A function with code. Returns the level of its children. */
static struct level add_function(struct scan *s, uint64_t at, const struct entry *e)
{
    const struct level outside = {NONE, NONE};
    bool asked = false;
    for (size_t i = 0; i < s->ranges.count; i++)
        asked |= is_asked(s, s->ranges.items[i].lo, s->ranges.items[i].hi);
    uint32_t index = (uint32_t)s->t->functions.count;
    struct tree_function *f = VEC_PUSH(&s->t->functions);
    if (!f) {
        s->no_memory = true;
        return outside;
    }
    *f = (struct tree_function){.root = NONE, .head = NONE, .tail = NONE, .asked = asked};
    for (size_t i = 0; i < s->ranges.count; i++) {
        struct tree_interval *interval = VEC_PUSH(&s->t->intervals);
        if (!interval) {
            s->no_memory = true;
            return outside;
        }
        *interval = (struct tree_interval){s->ranges.items[i].lo, s->ranges.items[i].hi, index};
    }
    if (!asked)
        return outside;
    uint32_t root = add_node(s, NONE, at, e);
    s->t->functions.items[index].root = root;
    if (root == NONE)
        return outside;
    add_spans(s, index, root);
    return (struct level){index, root};
}

static void read_ranges(struct scan *s, const struct entry *e)
{
    s->ranges.count = 0;
    if (dw_ranges_read(s->u, &e->low, &e->high, &e->ranges, &s->ranges) != 0)
        s->no_memory = true;
}

/* Go behind an entry's children by its sibling link; false when there is none. */
static bool jump(struct scan *s, uint64_t sibling)
{
    const uint8_t *to = s->u->dw->info.p + sibling;
    if (sibling == 0 || sibling > s->u->end || to < s->r.p || s->thorough)
        return false;
    s->r.p = to;
    return true;
}

static void enter(struct scan *s, struct level level)
{
    if (s->depth + 1 >= DEPTH_MAX) {
        rd_fail(&s->r);
        return;
    }
    s->levels[++s->depth] = level;
}

static void see_subprogram(struct scan *s, const struct dw_abbrev *a, uint64_t at)
{
    struct level level = {NONE, NONE};
    struct entry e;
    if (!a->code) {
        uint64_t sibling = dw_skip_sibling(s->u, a, &s->r);
        if (a->children && !jump(s, sibling))
            enter(s, level);
        return;
    }
    read_entry(s, a, &e);
    read_ranges(s, &e);
    if (s->ranges.count)
        level = add_function(s, at, &e);
    if (a->children && (level.function != NONE || !jump(s, e.sibling)))
        enter(s, level);
}

static void see_inlined(struct scan *s, const struct dw_abbrev *a, uint64_t at)
{
    struct level level = s->levels[s->depth];
    struct entry e;
    if (level.function == NONE) {
        uint64_t sibling = dw_skip_sibling(s->u, a, &s->r);
        if (a->children && !jump(s, sibling))
            enter(s, level);
        return;
    }
    read_entry(s, a, &e);
    read_ranges(s, &e);
    if (s->ranges.count) {
        uint32_t node = add_node(s, level.node, at, &e);
        if (node != NONE) {
            level.node = node;
            add_spans(s, level.function, node);
        }
    }
    if (a->children)
        enter(s, level);
}

static void see_other(struct scan *s, const struct dw_abbrev *a)
{
    bool holds_code = a->tag == DW_TAG_compile_unit || a->tag == DW_TAG_namespace ||
                      a->tag == DW_TAG_module || a->tag == DW_TAG_lexical_block ||
                      a->tag == DW_TAG_try_block || s->depth == 0;
    struct level level = s->levels[s->depth];
    bool block = a->tag == DW_TAG_lexical_block || a->tag == DW_TAG_try_block;
    uint64_t sibling = dw_skip_sibling(s->u, a, &s->r);
    if (!a->children)
        return;
    if ((!holds_code || (block && level.function == NONE)) && jump(s, sibling))
        return;
    enter(s, level);
}

static int sort_intervals(struct tree *t)
{
    size_t n = t->intervals.count;
    struct sort_key *keys = mem_calloc(n + 1, sizeof *keys);
    struct tree_interval *sorted = mem_calloc(n + 1, sizeof *sorted);
    int rc = keys && sorted ? 0 : ORIEL_ENOMEM;
    for (size_t i = 0; i < n && rc == 0; i++)
        keys[i] = (struct sort_key){t->intervals.items[i].lo, (uint32_t)i};
    if (rc == 0)
        rc = sort_keys(keys, n);
    for (size_t i = 0; i < n && rc == 0; i++)
        sorted[i] = t->intervals.items[keys[i].index];
    if (rc == 0 && n)
        memcpy(t->intervals.items, sorted, n * sizeof *sorted);
    mem_free(keys);
    mem_free(sorted);
    return rc;
}

int tree_scan(struct tree *t, struct dw_unit *u, struct asked asked, bool thorough)
{
    *t = (struct tree){.unit = u};
    if (!dw_unit_open(u)) {
        t->damaged = true;
        return 0;
    }
    struct bytes info = bytes_part(u->dw->info, 0, u->end);
    struct scan s = {
        .t = t, .u = u, .asked = asked, .thorough = thorough, .r = rd_at(info, u->die)};
    s.levels[0] = (struct level){NONE, NONE};
    while (!s.r.bad && !s.no_memory && rd_left(&s.r) > 0) {
        uint64_t at = (uint64_t)(s.r.p - info.p), code = rd_uleb(&s.r);
        if (code == 0) {
            if (s.depth <= 1)
                break;
            s.depth--;
            continue;
        }
        const struct dw_abbrev *a = dw_abbrev_find(u->abbrevs, code);
        if (!a)
            rd_fail(&s.r);
        else if (a->tag == DW_TAG_subprogram)
            see_subprogram(&s, a, at);
        else if (a->tag == DW_TAG_inlined_subroutine)
            see_inlined(&s, a, at);
        else
            see_other(&s, a);
    }
    t->damaged = s.r.bad;
    VEC_DONE(&s.ranges);
    return s.no_memory ? ORIEL_ENOMEM : sort_intervals(t);
}

void tree_done(struct tree *t)
{
    VEC_DONE(&t->nodes);
    VEC_DONE(&t->spans);
    VEC_DONE(&t->functions);
    VEC_DONE(&t->slots);
    VEC_DONE(&t->intervals);
}

void tree_find(const struct tree *t, uint64_t addr, struct tree_interval *out)
{
    size_t lo = 0, hi = t->intervals.count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t->intervals.items[mid].lo <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    *out = (struct tree_interval){0, UINT64_MAX, NONE};
    if (lo < t->intervals.count)
        out->hi = t->intervals.items[lo].lo;
    /* Functions inside of functions: a few outer ones may have to be tried. */
    for (size_t tries = 0; lo > 0 && tries < 8; tries++) {
        const struct tree_interval *item = &t->intervals.items[--lo];
        if (addr < item->hi) {
            out->function = item->function;
            out->lo = item->lo > out->lo ? item->lo : out->lo;
            out->hi = item->hi < out->hi ? item->hi : out->hi;
            return;
        }
        out->lo = item->hi > out->lo ? item->hi : out->lo;
    }
}
