/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reading tables. The bytes come from a child that has read a hostile file, or
 * from a disk: nothing in them is used before it was checked. Pure; any thread.
 */
#include "symbol/table.h"

#include <assert.h>

#include "base/err.h"
#include "util/crc32c.h"

enum { CHECKED_FROM = 16 }; /* what the checksum covers begins here */

/* Where each part begins, in bytes; false when the sum is not the size. */
static bool lay_out(struct table *t, const struct table_header *h, const char *image, size_t n)
{
    uint64_t segments = h->segments, nodes = h->nodes;
    uint64_t fixed = sizeof *h + segments * 8 + nodes * sizeof(struct table_node) +
                     segments * 4 * 4 + segments * 2;
    if (fixed > n || h->string_bytes != n - fixed || h->string_bytes == 0)
        return false;
    const char *p = image + sizeof *h;
    t->header = h;
    t->segments = h->segments;
    t->node_count = h->nodes;
    t->start = (const uint64_t *)(const void *)p;
    p += segments * 8;
    t->nodes = (const struct table_node *)(const void *)p;
    p += nodes * sizeof(struct table_node);
    t->length = (const uint32_t *)(const void *)p;
    t->node = t->length + segments;
    t->file = t->node + segments;
    t->line = t->file + segments;
    t->column = (const uint16_t *)(const void *)(t->line + segments);
    t->strings = (const char *)(t->column + segments);
    return t->strings[0] == 0 && t->strings[h->string_bytes - 1] == 0;
}

static bool nodes_are_good(const struct table *t)
{
    uint64_t strings = t->header->string_bytes;
    for (size_t i = 0; i < t->node_count; i++) {
        const struct table_node *node = &t->nodes[i];
        if (node->parent != TABLE_NONE && node->parent >= i)
            return false;
        if (node->name >= strings || node->linkage >= strings || node->call_file >= strings)
            return false;
    }
    return true;
}

static bool segments_are_good(const struct table *t)
{
    uint64_t strings = t->header->string_bytes, end = 0;
    for (size_t i = 0; i < t->segments; i++) {
        if (t->start[i] < end || t->length[i] == 0 ||
            __builtin_add_overflow(t->start[i], t->length[i], &end))
            return false;
        if (t->file[i] >= strings || (t->node[i] != TABLE_NONE && t->node[i] >= t->node_count))
            return false;
    }
    return true;
}

int table_open(struct table *t, const void *image, size_t n)
{
    const struct table_header *h = image;
    struct table view;
    assert(((uintptr_t)image & 7) == 0);
    if (n < sizeof *h || memcmp(h->magic, "ORIELSYM", 8) != 0)
        return ORIEL_EDAMAGED;
    if (h->version != TABLE_VERSION)
        return ORIEL_EVERSION;
    if (h->bytes != n || h->build_id_bytes > TABLE_ID_MAX ||
        h->crc != crc32c(0, (const char *)image + CHECKED_FROM, n - CHECKED_FROM))
        return ORIEL_EDAMAGED;
    if (!lay_out(&view, h, image, n) || !nodes_are_good(&view) || !segments_are_good(&view))
        return ORIEL_EDAMAGED;
    *t = view;
    return 0;
}

size_t table_find(const struct table *t, uint64_t addr, size_t hint)
{
    size_t lo = 0, hi = t->segments;
    if (hint < hi && t->start[hint] <= addr) {
        /* Questions come sorted: look near the last answer, in growing steps. */
        size_t step = 1;
        lo = hint + 1;
        while (lo - 1 + step < hi && t->start[lo - 1 + step] <= addr) {
            lo += step;
            step *= 2;
        }
        hi = lo - 1 + step < hi ? lo - 1 + step : hi;
    }
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t->start[mid] <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo && addr - t->start[lo - 1] < t->length[lo - 1] ? lo - 1 : SIZE_MAX;
}
