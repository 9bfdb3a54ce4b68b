/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The call tree in the order of telling: best first until the rows are used
 * up, then depth first over what was chosen. Pure; one thread at a time.
 */
#include "report/render.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

/* `weight` of a node: the largest total on it or below; a child may outlast
 * its parent, and a path may have no span of its own. */
struct order_work {
    const struct report *r;
    struct report_order *out;
    uint64_t *weight;
    bool *chosen;
    uint32_t *heap;
    size_t heap_count;
    bool failed;
};

static const struct calltree_node *node_at(const struct order_work *w, uint32_t n)
{
    return calltree_node(&w->r->tree, n);
}

static uint64_t weigh(struct order_work *w, uint32_t node)
{
    uint64_t most = node_at(w, node)->total;
    for (uint32_t c = node_at(w, node)->child; c; c = node_at(w, c)->sibling) {
        uint64_t below = weigh(w, c);
        most = below > most ? below : most;
    }
    /* What has no path comes last. */
    w->weight[node] = node == CALLTREE_ELSEWHERE ? 0 : most;
    return w->weight[node];
}

static bool heavier(const struct order_work *w, uint32_t a, uint32_t b)
{
    if (w->weight[a] != w->weight[b])
        return w->weight[a] > w->weight[b];
    return node_at(w, a)->name < node_at(w, b)->name;
}

static void heap_push(struct order_work *w, uint32_t node)
{
    size_t i = w->heap_count++;
    for (; i && heavier(w, node, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = node;
}

static uint32_t heap_pop(struct order_work *w)
{
    assert(w->heap_count);
    uint32_t top = w->heap[0], last = w->heap[--w->heap_count];
    size_t i = 0, child;
    for (; (child = 2 * i + 1) < w->heap_count; i = child) {
        if (child + 1 < w->heap_count && heavier(w, w->heap[child + 1], w->heap[child]))
            child++;
        if (!heavier(w, w->heap[child], last))
            break;
        w->heap[i] = w->heap[child];
    }
    w->heap[i] = last;
    return top;
}

static void choose(struct order_work *w, size_t limit)
{
    uint32_t node = CALLTREE_ROOT;
    for (size_t taken = 0; taken <= limit; taken++) {
        w->chosen[node] = true;
        for (uint32_t c = node_at(w, node)->child; c; c = node_at(w, c)->sibling)
            heap_push(w, c);
        if (w->heap_count == 0)
            return;
        node = heap_pop(w);
    }
}

/* The chosen children of a node, heaviest first, at w->heap + from; the rest
 * goes to *rest. Returns how many. */
static size_t children(struct order_work *w, uint32_t node, size_t from, struct report_row *rest)
{
    size_t n = 0;
    for (uint32_t c = node_at(w, node)->child; c; c = node_at(w, c)->sibling) {
        if (c == CALLTREE_ELSEWHERE && node_at(w, c)->child == 0)
            continue;
        if (!w->chosen[c]) {
            rest->rest_names++;
            rest->rest_count += node_at(w, c)->count;
            rest->rest_total += node_at(w, c)->total;
            continue;
        }
        size_t at = from + n++;
        for (; at > from && heavier(w, c, w->heap[at - 1]); at--)
            w->heap[at] = w->heap[at - 1];
        w->heap[at] = c;
    }
    return n;
}

static struct report_row *row_add(struct order_work *w, struct report_row row)
{
    struct report_row *slot = VEC_PUSH(&w->out->rows);
    if (slot)
        *slot = row;
    else
        w->failed = true;
    return slot;
}

/* The heap's memory serves as the stack of sorted siblings here. */
static void tell(struct order_work *w, uint32_t node, size_t parent_row, uint32_t depth,
                 size_t from)
{
    struct report_row rest = {.depth = depth, .parent_row = parent_row, .last = true};
    size_t n = children(w, node, from, &rest);
    for (size_t i = 0; i < n && !w->failed; i++) {
        uint32_t c = w->heap[from + i];
        bool last = i + 1 == n && rest.rest_names == 0;
        size_t row = w->out->rows.count;
        row_add(w, (struct report_row){
                       .node = c, .depth = depth, .parent_row = parent_row, .last = last});
        tell(w, c, row, depth + 1, from + n);
    }
    if (rest.rest_names && !w->failed)
        row_add(w, rest);
}

int report_order_top(const struct report *r, size_t limit, struct report_order *out)
{
    size_t nodes = r->tree.nodes.count;
    memset(out, 0, sizeof *out);
    struct order_work w = {.r = r, .out = out};
    w.weight = mem_calloc(nodes, sizeof *w.weight);
    w.chosen = mem_calloc(nodes, sizeof *w.chosen);
    w.heap = mem_calloc(nodes, sizeof *w.heap);
    if (w.weight && w.chosen && w.heap) {
        weigh(&w, CALLTREE_ROOT);
        choose(&w, limit);
        tell(&w, CALLTREE_ROOT, SIZE_MAX, 0, 0);
    } else {
        w.failed = true;
    }
    mem_free(w.weight);
    mem_free(w.chosen);
    mem_free(w.heap);
    return w.failed ? ORIEL_ENOMEM : 0;
}

int report_order_all(const struct report *r, struct report_order *out)
{
    return report_order_top(r, r->tree.nodes.count, out);
}

void report_order_done(struct report_order *o)
{
    VEC_DONE(&o->rows);
}

uint64_t report_elsewhere(const struct report *r)
{
    uint64_t sum = 0;
    for (uint32_t c = calltree_node(&r->tree, CALLTREE_ELSEWHERE)->child; c;
         c = calltree_node(&r->tree, c)->sibling)
        sum += calltree_node(&r->tree, c)->count;
    return sum;
}

void report_pointer_text(char out[19], uint64_t p)
{
    static const char digits[] = "0123456789abcdef";
    int at = 2, shift = 60;
    out[0] = '0';
    out[1] = 'x';
    while (shift > 0 && p >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        out[at++] = digits[p >> shift & 15];
    assert(at <= 18);
    out[at] = 0;
}
