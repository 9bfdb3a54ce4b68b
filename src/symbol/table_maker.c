/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Writing tables: segments in any order and overlapping, as hostile debug
 * information may have them, come out sorted and disjoint. Pure; one thread.
 */
#include <assert.h>

#include "base/err.h"
#include "symbol/sort.h"
#include "symbol/table.h"
#include "util/crc32c.h"

enum { SEGMENTS_MAX = 1 << 25, NODES_MAX = 1 << 24 };

int table_maker_init(struct table_maker *m)
{
    *m = (struct table_maker){0};
    return intern_init(&m->strings);
}

void table_maker_done(struct table_maker *m)
{
    VEC_DONE(&m->segments);
    VEC_DONE(&m->nodes);
    intern_done(&m->strings);
}

static bool same(const struct table_segment *a, const struct table_segment *b)
{
    return a->node == b->node && a->file == b->file && a->line == b->line && a->column == b->column;
}

int table_maker_add(struct table_maker *m, uint64_t lo, uint64_t hi,
                    const struct table_segment *what)
{
    assert(lo < hi);
    while (lo < hi) {
        uint32_t length = hi - lo > INT32_MAX ? INT32_MAX : (uint32_t)(hi - lo);
        struct table_segment *last =
            m->segments.count ? &m->segments.items[m->segments.count - 1] : NULL;
        if (last && last->start + last->length == lo && same(last, what) &&
            last->length <= INT32_MAX) {
            last->length += length;
        } else {
            if (m->segments.count >= SEGMENTS_MAX)
                return ORIEL_ELIMIT;
            struct table_segment *s = VEC_PUSH(&m->segments);
            if (!s)
                return ORIEL_ENOMEM;
            *s = *what;
            s->start = lo;
            s->length = length;
        }
        lo += length;
    }
    return 0;
}

static uint32_t copy_string(struct table_maker *m, const struct table *t, uint32_t at)
{
    return at ? intern_add(&m->strings, t->strings + at, strlen(t->strings + at)) : 0;
}

int table_maker_add_table(struct table_maker *m, const struct table *t)
{
    uint32_t before = (uint32_t)m->nodes.count;
    int rc = 0;
    for (size_t i = 0; i < t->node_count; i++) {
        struct table_node *node = m->nodes.count < NODES_MAX ? VEC_PUSH(&m->nodes) : NULL;
        if (!node)
            return ORIEL_ENOMEM;
        *node = t->nodes[i];
        if (node->parent != TABLE_NONE)
            node->parent += before;
        node->name = copy_string(m, t, node->name);
        node->linkage = copy_string(m, t, node->linkage);
        node->call_file = copy_string(m, t, node->call_file);
    }
    uint32_t last_from = 0, last_to = 0; /* files repeat */
    for (size_t i = 0; i < t->segments && rc == 0; i++) {
        if (t->file[i] != last_from) {
            last_from = t->file[i];
            last_to = copy_string(m, t, last_from);
        }
        struct table_segment s = {.node =
                                      t->node[i] == TABLE_NONE ? TABLE_NONE : t->node[i] + before,
                                  .file = last_to,
                                  .line = t->line[i],
                                  .column = t->column[i]};
        rc = table_maker_add(m, t->start[i], t->start[i] + t->length[i], &s);
    }
    return rc;
}

/* Sort by start; of two that overlap the one that starts later loses its head. */
static int order(struct table_maker *m)
{
    size_t n = m->segments.count, kept = 0;
    struct sort_key *keys = mem_calloc(n + 1, sizeof *keys);
    struct table_segment *sorted = mem_calloc(n + 1, sizeof *sorted);
    int rc = keys && sorted ? 0 : ORIEL_ENOMEM;
    for (size_t i = 0; i < n && rc == 0; i++)
        keys[i] = (struct sort_key){m->segments.items[i].start, (uint32_t)i};
    if (rc == 0)
        rc = sort_keys(keys, n);
    uint64_t end = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct table_segment s = m->segments.items[keys[i].index];
        uint64_t s_end = s.start + s.length;
        if (s_end <= end || s_end < s.start)
            continue;
        if (s.start < end) {
            s.length = (uint32_t)(s_end - end);
            s.start = end;
        }
        sorted[kept++] = s;
        end = s_end;
    }
    if (rc == 0 && kept)
        memcpy(m->segments.items, sorted, kept * sizeof *sorted);
    if (rc == 0)
        m->segments.count = kept;
    mem_free(keys);
    mem_free(sorted);
    return rc;
}

/* Strings get offsets in the order of their ids; id 0 is "" at offset 0. */
static uint32_t *string_offsets(const struct table_maker *m, uint64_t *out_bytes)
{
    uint32_t count = m->strings.count;
    uint32_t *offsets = mem_calloc(count + 1u, sizeof *offsets);
    uint64_t at = 0;
    for (uint32_t i = 0; offsets && i < count; i++) {
        offsets[i] = (uint32_t)at;
        at += (uint64_t)intern_get(&m->strings, i).n + 1;
    }
    *out_bytes = at;
    return offsets;
}

static void write_segments(const struct table_maker *m, const uint32_t *offsets, struct table *t)
{
    uint64_t *start = (uint64_t *)(uintptr_t)t->start;
    uint32_t *length = (uint32_t *)(uintptr_t)t->length, *node = (uint32_t *)(uintptr_t)t->node;
    uint32_t *file = (uint32_t *)(uintptr_t)t->file, *line = (uint32_t *)(uintptr_t)t->line;
    uint16_t *column = (uint16_t *)(uintptr_t)t->column;
    for (size_t i = 0; i < m->segments.count; i++) {
        const struct table_segment *s = &m->segments.items[i];
        start[i] = s->start;
        length[i] = s->length;
        node[i] = s->node;
        file[i] = offsets[s->file];
        line[i] = s->line;
        column[i] = s->column;
    }
}

static void write_nodes(const struct table_maker *m, const uint32_t *offsets, char *p)
{
    for (size_t i = 0; i < m->nodes.count; i++) {
        struct table_node node = m->nodes.items[i];
        node.name = offsets[node.name];
        node.linkage = offsets[node.linkage];
        node.call_file = offsets[node.call_file];
        memcpy(p + i * sizeof node, &node, sizeof node);
    }
}

static void write_strings(const struct table_maker *m, char *p)
{
    for (uint32_t i = 0; i < m->strings.count; i++) {
        struct intern_str s = intern_get(&m->strings, i);
        memcpy(p, s.p, s.n);
        p[s.n] = 0;
        p += s.n + 1;
    }
}

int table_maker_finish(struct table_maker *m, uint32_t flags, struct bytes build_id,
                       struct buf *out)
{
    struct table_header h = {.magic = "ORIELSYM", .version = TABLE_VERSION, .flags = flags};
    int rc = order(m);
    uint64_t string_bytes, n = m->segments.count;
    uint32_t *offsets = rc == 0 ? string_offsets(m, &string_bytes) : NULL;
    if (!offsets)
        return ORIEL_ENOMEM;
    h.segments = (uint32_t)n;
    h.nodes = (uint32_t)m->nodes.count;
    h.string_bytes = string_bytes;
    h.build_id_bytes = build_id.n <= TABLE_ID_MAX ? (uint32_t)build_id.n : 0;
    if (h.build_id_bytes)
        memcpy(h.build_id, build_id.p, h.build_id_bytes);
    h.bytes = sizeof h + n * 26 + m->nodes.count * sizeof(struct table_node) + string_bytes;
    char *p = string_bytes <= INT32_MAX ? buf_reserve(out, h.bytes) : NULL;
    if (!p) {
        mem_free(offsets);
        return string_bytes <= INT32_MAX ? ORIEL_ENOMEM : ORIEL_ELIMIT;
    }
    struct table t;
    uint64_t *start = (uint64_t *)(void *)(p + sizeof h);
    char *nodes = (char *)(start + n);
    t.start = start;
    t.length = (uint32_t *)(void *)(nodes + m->nodes.count * sizeof(struct table_node));
    t.node = t.length + n;
    t.file = t.node + n;
    t.line = t.file + n;
    t.column = (const uint16_t *)(const void *)(t.line + n);
    write_segments(m, offsets, &t);
    write_nodes(m, offsets, nodes);
    write_strings(m, nodes + m->nodes.count * sizeof(struct table_node) + n * 18);
    memcpy(p, &h, sizeof h);
    h.crc = crc32c(0, p + 16, h.bytes - 16);
    memcpy(p, &h, sizeof h);
    out->size += h.bytes;
    mem_free(offsets);
    return 0;
}
