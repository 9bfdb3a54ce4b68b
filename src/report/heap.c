/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads back what the pipe wrote behind a span's own attributes, and the event
 * with which liboriel-alloc ends.
 */
#include "report/heap.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

static bool is(struct model_str s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static uint64_t number(const struct model_value *v, uint32_t n, const char *key)
{
    for (uint32_t i = n; i-- > 0;) /* the pipe's own stand last */
        if (is(v[i].key, key))
            return v[i].v.u64;
    return 0;
}

bool heap_is_attribute(struct model_str key)
{
    static const char *const begins[] = {"alloc.", "dealloc."};
    static const char *const ends[] = {"count",      "bytes",      "net_bytes",
                                       "self.count", "self.bytes", "self.net_bytes"};
    for (size_t b = 0; b < sizeof begins / sizeof *begins; b++) {
        size_t n = strlen(begins[b]);
        if (key.n <= n || memcmp(key.p, begins[b], n) != 0)
            continue;
        for (size_t e = 0; e < sizeof ends / sizeof *ends; e++)
            if (is((struct model_str){key.p + n, key.n - (uint32_t)n}, ends[e]))
                return true;
    }
    return false;
}

static void add_counts(struct heap_counts *to, const struct model_span *s,
                       const char *const keys[4])
{
    to->allocations += number(s->attrs, s->attr_count, keys[0]);
    to->bytes += number(s->attrs, s->attr_count, keys[1]);
    to->frees += number(s->attrs, s->attr_count, keys[2]);
    to->freed += number(s->attrs, s->attr_count, keys[3]);
}

int heap_add_span(struct heap *h, const struct model_span *s, uint32_t name)
{
    static const char *const own[4] = {"alloc.self.count", "alloc.self.bytes", "dealloc.self.count",
                                       "dealloc.self.bytes"};
    static const char *const all[4] = {"alloc.count", "alloc.bytes", "dealloc.count",
                                       "dealloc.bytes"};
    if (s->attr_count == 0 || !is(s->attrs[s->attr_count - 1].key, "alloc.self.net_bytes"))
        return 0;
    while (h->spans.count <= name)
        if (!VEC_PUSH(&h->spans))
            return ORIEL_ENOMEM;
    struct heap_span *at = &h->spans.items[name];
    at->spans++;
    add_counts(&at->own, s, own);
    add_counts(&at->all, s, all);
    h->any = true;
    return 0;
}

void heap_add_event(struct heap *h, const struct model_event *e)
{
    if (!is(e->site->target, "oriel.heap") || !is(e->site->name, "heap.end"))
        return;
    h->processes++;
    h->allocations += number(e->attrs, e->attr_count, "allocations");
    h->bytes += number(e->attrs, e->attr_count, "bytes");
    h->frees += number(e->attrs, e->attr_count, "frees");
    h->freed += number(e->attrs, e->attr_count, "freed_bytes");
    h->live += number(e->attrs, e->attr_count, "live_bytes");
    uint64_t peak = number(e->attrs, e->attr_count, "peak_bytes");
    h->peak = peak > h->peak ? peak : h->peak;
}

void heap_done(struct heap *h)
{
    VEC_DONE(&h->spans);
}
