/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A thread's table of paths: which function was called from where, how often, and
 * how long it took. Bounded; a table that is full is told and emptied (tell.c), and
 * where that comes too often, paths become shorter, so that fewer are different.
 *
 * Compiled like calls.c: called by patched functions, without a vector register. One
 * thread, with its table.
 */
#include "hook/calls/calls.h"

#include <assert.h>
#include <string.h>

#include <oriel/emit.h>

enum { KEEP_FREE = 1 }; /* for whoever does not know yet that it is full */

void calls_sums_init(struct calls_sums *s)
{
    s->cap = SUMS_PATH;
    s->count = 1;
    s->told_ticks = oriel_ticks(oriel_tls.thread);
    s->random = 1;
}

static void remember(struct calls_sums *s, uint16_t parent, uint16_t node)
{
    s->nodes[parent].callees[(uintptr_t)s->nodes[node].address >> 4 & 3] = node;
}

uint16_t calls_sums_node(struct calls_sums *s, uint16_t parent, uint32_t function,
                         const void *address, uint32_t bytes)
{
    uint32_t at = calls_sums_hash(parent, address);
    assert(parent < s->count && function <= UINT16_MAX);
    for (; s->index[at]; at = (at + 1) % SUMS_INDEX) {
        const struct calls_node *n = &s->nodes[s->index[at]];
        if (n->parent == parent && n->address == address) {
            remember(s, parent, s->index[at]);
            return s->index[at];
        }
    }
    const uint32_t node = s->count;
    if (node + 1 + KEEP_FREE >= SUMS_NODES)
        s->due = 1;
    if (node == SUMS_NODES)
        return 0;
    struct calls_node *n = &s->nodes[node];
    n->address = address;
    n->parent = parent;
    n->function = (uint16_t)function;
    n->depth = (uint16_t)(s->nodes[parent].depth + 1);
    n->bytes = bytes;
    n->calls = n->self = 0;
    n->least = UINT32_MAX;
    n->most = n->timed = n->took_mean = n->self_mean = n->skip = 0;
    for (int i = 0; i < 4; i++)
        n->callees[i] = 0;
    s->index[at] = (uint16_t)node;
    /* Pairs with the acquire of who tells it when the process ends. */
    __atomic_store_n(&s->count, node + 1, __ATOMIC_RELEASE);
    remember(s, parent, (uint16_t)node);
    return (uint16_t)node;
}

/* So many calls in so many paths: less of each will do. */
static void shorten(struct calls_sums *s)
{
    const uint64_t calls = s->counted_ever - s->counted_before;
    if (calls < (uint64_t)SUMS_CALLS * SUMS_NODES && s->cap > 1)
        s->cap /= 2;
    s->counted_before = s->counted_ever;
}

void calls_sums_empty(struct calls_thread *t)
{
    struct calls_sums *s = t->sums;
    shorten(s);
    for (uint32_t i = 1; i < s->count; i++)
        s->ring_full += s->nodes[i].calls;
    __atomic_store_n(&s->count, 1u, __ATOMIC_RELAXED);
    memset(s->index, 0, sizeof s->index);
    memset(s->nodes[0].callees, 0, sizeof s->nodes[0].callees);
    s->current = 0;
    for (uint32_t i = 0; i < t->depth; i++) {
        struct call *c = &t->open[i];
        if (c->node == 0)
            continue;
        c->before = s->current;
        c->node = calls_sums_node(s, s->current, c->function, c->address, calls_bytes(c->function));
        if (s->nodes[c->node].depth < s->cap)
            s->current = c->node;
    }
    s->due = 0;
    assert(s->count <= CALLS_DEPTH_MAX + 1);
}

void calls_sums_charge(struct calls_thread *t, uint64_t now)
{
    uint64_t until = now, others = 0;
    for (uint32_t i = t->depth; i-- > 0;) {
        struct call *c = &t->open[i];
        if (c->node == 0 || c->began == 0) {
            others += c->inside;
            continue;
        }
        const uint64_t own = until - c->began - c->inside - others;
        struct calls_node *n = &t->sums->nodes[c->node];
        if ((int64_t)own > 0) {
            __atomic_store_n(&n->self, n->self + own, __ATOMIC_RELAXED);
            c->inside += own;
        }
        until = c->began;
        others = 0;
    }
}
