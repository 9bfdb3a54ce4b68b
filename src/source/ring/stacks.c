/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Addresses that samplers inside a program wrote become stacks of the catalog.
 * Object files come through the meta log, with the time since which they lie
 * where they lie; a fork child has those of its parents. Untrusted input.
 */
#include "source/ring/ring.h"

#include <assert.h>

#include "base/err.h"
#include "wire/meta.h"

enum { GENERATIONS_MAX = 64, SAMPLE_WORDS = 6, PLACES_KEPT = 1 << 17 };

void ring_stacks_done(struct ring *r)
{
    VEC_DONE(&r->modules);
    map_done(&r->modules_of);
    map_done(&r->place_of);
}

static struct model_module describe(const struct wire_meta_module_view *v)
{
    struct model_module m = {
        .kind = MODEL_MODULE_FILE, .process = UINT32_MAX, .path = {v->path.p, v->path.n}};
    m.build_id_bytes =
        (uint8_t)(v->build_id.n < MODEL_BUILD_ID_MAX ? v->build_id.n : MODEL_BUILD_ID_MAX);
    memcpy(m.build_id, v->build_id.p, m.build_id_bytes);
    if (v->path.n == 6 && memcmp(v->path.p, "[vdso]", 6) == 0)
        m.kind = MODEL_MODULE_VDSO;
    else if (v->path.n == 0)
        m.path = MODEL_STR("[unknown]");
    return m;
}

int ring_stacks_module(struct ring *r, size_t bytes)
{
    struct wire_meta_module_view v;
    if (!wire_meta_module_parse(r->meta_copy, bytes, &v))
        return ORIEL_EDAMAGED;
    if (r->modules.count >= RING_MODULES_MAX)
        return 0; /* its places stay addresses */
    struct model_module like = describe(&v);
    const struct model_module *m = model_stacks_module(&r->catalog->stacks, &like);
    uint64_t *latest = m ? map_put(&r->modules_of, v.process, 0) : NULL;
    struct ring_module *new = latest ? VEC_PUSH(&r->modules) : NULL;
    if (!new)
        return ORIEL_ENOMEM;
    *new = (struct ring_module){.bias = v.bias,
                                .start = v.start,
                                .end = v.end,
                                .ticks = v.ticks,
                                .module = m->index,
                                .before = (uint32_t)*latest};
    *latest = r->modules.count;
    map_clear(&r->place_of);
    return 0;
}

struct found {
    const struct ring_module *module; /* NULL: nothing lay there */
    uint32_t candidates;              /* object files that ever lay there */
};

/* What lay at the address then, among what one process told. A sample may be a
 * little older than the entry that explains it: then the oldest that ever did. */
static struct found find_in(const struct ring *r, uint32_t serial, uint64_t address, uint64_t ticks)
{
    struct found f = {NULL, 0};
    const uint64_t *latest = map_get(&r->modules_of, serial & 0xffffu);
    const struct ring_module *m;
    for (uint32_t at = latest ? (uint32_t)*latest : 0; at; at = m->before) {
        m = &r->modules.items[at - 1];
        if (address < m->start || address >= m->end)
            continue;
        f.candidates++;
        if (!f.module || f.module->ticks > ticks)
            f.module = m;
    }
    return f;
}

static struct found find(struct ring *r, const struct ring_process *p, uint64_t address,
                         uint64_t ticks)
{
    uint32_t serial = p->serial;
    struct found f = {NULL, 0};
    for (int hops = 0; hops < GENERATIONS_MAX; hops++) {
        f = find_in(r, serial, address, ticks);
        const uint64_t *next = map_get(&r->sites_of, serial);
        uint32_t parent = next ? (uint32_t)*next : hops == 0 ? p->sites_of : 0;
        if (f.module || parent == 0 || parent == serial)
            break;
        serial = parent;
    }
    return f;
}

/* Code that lies in no file: made at run time, by this process alone. */
static struct model_place *nowhere(struct ring *r, const struct ring_process *p, uint64_t address,
                                   bool caller)
{
    const struct model_module like = {
        .kind = MODEL_MODULE_JIT, .process = p->model->index, .path = MODEL_STR("[jit]")};
    const struct model_module *m = model_stacks_module(&r->catalog->stacks, &like);
    return m ? model_stacks_place(&r->catalog->stacks, m->index, address, caller) : NULL;
}

static struct model_place *place_of(struct ring *r, const struct ring_process *p, uint64_t address,
                                    bool caller, uint64_t ticks)
{
    const uint64_t key = oriel_id_mix(address) ^ ((uint64_t)p->serial << 1 | caller);
    const uint64_t *known = map_get(&r->place_of, key);
    if (known)
        return r->catalog->stacks.places[*known];
    struct found f = find(r, p, address - caller, ticks);
    if (!f.module && ring_meta_poll(r) == 0)
        f = find(r, p, address - caller, ticks);
    struct model_place *place = f.module ? model_stacks_place(&r->catalog->stacks, f.module->module,
                                                              address - f.module->bias, caller)
                                         : nowhere(r, p, address, caller);
    if (r->place_of.count >= PLACES_KEPT)
        map_clear(&r->place_of);
    /* Where several lay, the next sample may mean another. */
    uint64_t *slot = place && f.candidates < 2 ? map_put(&r->place_of, key, 0) : NULL;
    if (slot)
        *slot = place->index;
    return place;
}

void ring_stacks_sample(struct ring *r, struct ring_process *p, uint64_t *words)
{
    const uint32_t count = ORIEL_RECORD_WORDS(words[0]) - SAMPLE_WORDS;
    const uint32_t interrupted = ORIEL_STACK_INTERRUPTED(words[2]);
    const bool first_called = ORIEL_STACK_CALLER(words[2]);
    uint32_t node = 0;
    assert(ORIEL_RECORD_TYPE(words[0]) == ORIEL_REC_STACK && ORIEL_STACK_COUNT(words[2]) == count);
    for (uint32_t i = count; i-- > 0;) {
        bool caller = i > 0 ? i != interrupted : first_called;
        const struct model_place *place = place_of(r, p, words[SAMPLE_WORDS + i], caller, words[1]);
        uint32_t next = place ? model_stacks_node(&r->catalog->stacks, node, place->index) : 0;
        node = next ? next : node; /* without memory: the rest of the stack */
    }
    words[0] = ORIEL_RECORD_HEADER(SAMPLE_WORDS, ORIEL_REC_SAMPLE, ORIEL_RECORD_FLAGS(words[0]), 0);
    words[2] = node;
}
