/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Modules, places and stacks, each kept once. The maps are keyed by hashes;
 * two different things with one hash are told apart by looking, and the second
 * one takes the next key.
 */
#include "model/stack.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/vec.h"

void model_stacks_init(struct model_stacks *s)
{
    memset(s, 0, sizeof *s);
    arena_init(&s->arena);
}

void model_stacks_done(struct model_stacks *s)
{
    map_done(&s->module_by_hash);
    map_done(&s->place_by_hash);
    map_done(&s->node_by_key);
    map_done(&s->text_by_hash);
    mem_free(s->modules);
    mem_free(s->places);
    mem_free(s->nodes);
    arena_done(&s->arena);
    memset(s, 0, sizeof *s);
}

static bool grow(void **items, uint32_t *capacity, uint32_t count, size_t item_size)
{
    size_t wide = *capacity;
    if (count < *capacity)
        return true;
    if (count == UINT32_MAX || !vec_grow(items, &wide, count, item_size))
        return false;
    *capacity = wide > UINT32_MAX ? UINT32_MAX : (uint32_t)wide;
    return true;
}

/* A text kept once. Its key holds the address of a stored model_str. */
static bool keep_text(struct model_stacks *s, struct model_str text, struct model_str *out)
{
    if (text.n == 0) {
        *out = MODEL_STR("");
        return true;
    }
    uint64_t key = map_hash_bytes(text.p, text.n, 0);
    for (;; key++) {
        uint64_t *at = map_put(&s->text_by_hash, key, 0);
        if (!at)
            return false;
        if (*at == 0) {
            struct model_str *kept = arena_alloc(&s->arena, sizeof *kept, _Alignof(max_align_t));
            const char *copy = kept ? arena_copy(&s->arena, text.p, text.n) : NULL;
            if (!copy) {
                (void)map_remove(&s->text_by_hash, key);
                return false;
            }
            *kept = (struct model_str){copy, text.n};
            *at = (uintptr_t)kept;
        }
        const struct model_str *kept = (const struct model_str *)(uintptr_t)*at;
        if (model_str_equal(*kept, text)) {
            *out = *kept;
            return true;
        }
    }
}

static bool same_module(const struct model_module *a, const struct model_module *b)
{
    return a->kind == b->kind && a->process == b->process &&
           a->build_id_bytes == b->build_id_bytes &&
           memcmp(a->build_id, b->build_id, a->build_id_bytes) == 0 &&
           model_str_equal(a->path, b->path);
}

static struct model_module *new_module(struct model_stacks *s, const struct model_module *m)
{
    struct model_module *own = NULL;
    if (grow((void **)&s->modules, &s->module_capacity, s->module_count, sizeof *s->modules))
        own = arena_alloc(&s->arena, sizeof *own, _Alignof(max_align_t));
    if (!own)
        return NULL;
    *own = *m;
    if (!keep_text(s, m->path, &own->path))
        return NULL;
    own->segments = NULL; /* they may be another catalog's */
    own->segment_count = 0;
    own->index = s->module_count;
    s->modules[s->module_count++] = own;
    return own;
}

struct model_module *model_stacks_module(struct model_stacks *s, const struct model_module *m)
{
    assert(m->build_id_bytes <= MODEL_BUILD_ID_MAX);
    uint64_t key = map_hash_bytes(m->path.p, m->path.n, m->kind + ((uint64_t)m->process << 8));
    key ^= map_hash_bytes(m->build_id, m->build_id_bytes, 1);
    for (;; key++) {
        const uint64_t *at = map_get(&s->module_by_hash, key);
        if (at && same_module(s->modules[*at], m))
            return s->modules[*at];
        if (at)
            continue;
        struct model_module *own = new_module(s, m);
        return own && map_put(&s->module_by_hash, key, own->index) ? own : NULL;
    }
}

int model_module_set_segments(struct model_stacks *s, struct model_module *m,
                              const struct model_segment *segments, uint32_t n)
{
    assert(m->index < s->module_count && s->modules[m->index] == m);
    struct model_segment *own =
        n ? arena_alloc(&s->arena, n * sizeof *own, _Alignof(max_align_t)) : NULL;
    if (n && !own)
        return ORIEL_ENOMEM;
    if (n)
        memcpy(own, segments, n * sizeof *own);
    m->segments = own;
    m->segment_count = n;
    return 0;
}

struct model_place *model_stacks_place(struct model_stacks *s, uint32_t module, uint64_t address,
                                       bool caller)
{
    assert(module < s->module_count);
    uint64_t key = (address << 1 | caller) * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)module << 32;
    for (;; key++) {
        const uint64_t *at = map_get(&s->place_by_hash, key);
        struct model_place *p = at ? s->places[*at] : NULL;
        if (p && p->address == address && p->module == module && p->caller == caller)
            return p;
        if (p)
            continue;
        if (!grow((void **)&s->places, &s->place_capacity, s->place_count, sizeof *s->places) ||
            !(p = arena_alloc(&s->arena, sizeof *p, _Alignof(max_align_t))))
            return NULL;
        *p = (struct model_place){
            .index = s->place_count, .module = module, .address = address, .caller = caller};
        if (!map_put(&s->place_by_hash, key, p->index))
            return NULL;
        s->places[s->place_count++] = p;
        return p;
    }
}

uint32_t model_stacks_node(struct model_stacks *s, uint32_t parent, uint32_t place)
{
    assert(place < s->place_count && (parent == 0 || parent < s->node_count));
    uint64_t key = (uint64_t)parent << 32 | place;
    const uint64_t *at = map_get(&s->node_by_key, key);
    if (at)
        return (uint32_t)*at;
    uint32_t depth = parent ? s->nodes[parent].depth + 1 : 1;
    if (depth > MODEL_STACK_DEPTH_MAX)
        return 0;
    if (s->node_count == 0) {
        if (!grow((void **)&s->nodes, &s->node_capacity, 0, sizeof *s->nodes))
            return 0;
        s->nodes[s->node_count++] = (struct model_stack){0};
    }
    if (!grow((void **)&s->nodes, &s->node_capacity, s->node_count, sizeof *s->nodes) ||
        !map_put(&s->node_by_key, key, s->node_count))
        return 0;
    s->nodes[s->node_count] = (struct model_stack){parent, place, depth};
    return s->node_count++;
}

int model_place_set_lines(struct model_stacks *s, struct model_place *p,
                          const struct model_line *lines, uint32_t n)
{
    assert(n <= UINT8_MAX && (lines || n == 0));
    struct model_line *own =
        arena_alloc(&s->arena, n ? n * sizeof *own : 1, _Alignof(struct model_line));
    if (!own)
        return ORIEL_ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        own[i] = lines[i];
        if (!keep_text(s, lines[i].function, &own[i].function) ||
            !keep_text(s, lines[i].linkage, &own[i].linkage) ||
            !keep_text(s, lines[i].file, &own[i].file))
            return ORIEL_ENOMEM;
    }
    p->lines = own;
    p->line_count = (uint8_t)n;
    p->resolved = true;
    return 0;
}
