/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Looks at the span stacks of a ring's threads with each poll, and says as
 * records of begins and ends what has changed. Only threads that another source
 * has met are of interest. Everything in the region is loaded once and
 * checked; what a hostile writer makes up is at worst a span that is not there.
 * One thread of the looker.
 */
#include "source/open_spans.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/os.h"
#include "source/ring/guard.h"
#include "wire/meta.h"
#include "wire/region.h"

#define LOAD(p) __atomic_load_n((p), __ATOMIC_RELAXED)

enum {
    SERIAL_FIRST = 0x50000000, /* rings count from 1, source/perf and source/probe elsewhere */
    GENERATIONS_MAX = 64,
    WORDS = 3 /* of a record: header, ticks, id */
};

struct open_thread {
    uint32_t serial; /* of the block's stream */
    uint32_t stream; /* of ours */
    uint32_t depth;
    uint64_t position;
    uint64_t looked_ns; /* when its stack was seen last */
    struct model_thread *thread;
    uint64_t ids[ORIEL_STACK_DEPTH];
};
struct open_spans {
    struct wire_region h; /* private copy, checked */
    void *base;
    size_t bytes;
    struct open_thread *threads; /* by slot */
    struct model_catalog *catalog;
    struct model_batch *batch;
    struct map entries; /* process serial << 32 | site id -> place in the meta log */
    struct map sites;   /* process << 32 | site id -> struct model_site * */
    uint64_t entry[WIRE_META_ENTRY_MAX / 8];
    uint64_t meta_at, unix_offset, now_ns;
    struct clock_anchor first[3]; /* by enum oriel_clock */
    uint64_t ticks[3];            /* now */
    uint32_t next_stream;
    bool over;
};

static void close_spans(void *state)
{
    struct open_spans *o = state;
    if (o->base) {
        guard_remove(o->base);
        os_unmap(o->base, o->bytes);
    }
    map_done(&o->entries);
    map_done(&o->sites);
    mem_free(o->threads);
}

static int open_ring(void *state, const void *options, struct model_catalog *catalog,
                     struct oriel_err *err)
{
    struct open_spans *o = state;
    const char *ring = options;
    struct clock_anchor now;
    memset(o, 0, sizeof *o);
    o->catalog = catalog;
    o->next_stream = SERIAL_FIRST;
    clock_anchor_read(ORIEL_CLOCK_MONOTONIC, &now);
    o->unix_offset = now.unix_ns - now.mono_ns;
    clock_anchor_read(clock_choose(), &o->first[clock_choose()]);
    int rc = os_map_file(ring, &o->bytes, &o->base);
    if (rc != 0) {
        o->base = NULL;
        return err_set_errno(err, -rc, "%s", ring);
    }
    guard_add(o->base, o->bytes);
    if (o->bytes >= sizeof o->h)
        memcpy(&o->h, o->base, sizeof o->h);
    rc = wire_region_check(&o->h, o->bytes);
    o->threads = rc == 0 ? mem_calloc(o->h.thread_count, sizeof *o->threads) : NULL;
    if (rc == 0 && !o->threads)
        rc = ORIEL_ENOMEM;
    if (rc != 0)
        close_spans(o);
    return rc == 0 ? 0 : err_set(err, rc, "%s: %s", ring, err_text(rc));
}

/* ---- sites ---- */

static uint64_t key_of(uint32_t serial, uint32_t id)
{
    return (uint64_t)(serial & 0xffffu) << 32 | id;
}

/* A private copy of the entry at a place of the meta log; its bytes, 0: there is none (yet). */
static size_t copy_entry(struct open_spans *o, uint64_t at, uint64_t end)
{
    const char *from = (const char *)o->base + o->h.meta_off + at;
    uint32_t words =
        __atomic_load_n(&((const struct wire_meta *)(const void *)from)->words, __ATOMIC_ACQUIRE);
    size_t bytes = (size_t)words * 8;
    if (words == 0 || (words & WIRE_META_PENDING) || bytes > WIRE_META_ENTRY_MAX ||
        bytes > end - at)
        return 0;
    memcpy(o->entry, from, bytes);
    __asm__ volatile("" : : : "memory"); /* read once */
    return bytes;
}

/* Entries that are new. One that is not complete is waited for: its writer is at it, or has
 * died, and then later ones are not seen here. */
static void read_meta(struct open_spans *o)
{
    uint64_t end = __atomic_load_n(&((struct wire_region *)o->base)->meta_head, __ATOMIC_ACQUIRE);
    size_t bytes;
    end = (end < o->h.meta_bytes ? end : o->h.meta_bytes) & ~UINT64_C(7);
    for (; o->meta_at < end && (bytes = copy_entry(o, o->meta_at, end)) > 0; o->meta_at += bytes) {
        struct wire_meta_site_view v;
        struct wire_meta head;
        memcpy(&head, o->entry, sizeof head);
        if (head.type == WIRE_META_SITE && wire_meta_site_parse(o->entry, bytes, &v))
            (void)map_put(&o->entries, key_of(v.process, v.id), o->meta_at);
    }
}

/* Where the site of a process is described; a fork's child uses its parent's. */
static const uint64_t *find_entry(const struct open_spans *o, uint32_t slot, uint32_t id)
{
    const struct wire_process *p = wire_region_process(&o->h, o->base, slot);
    uint32_t serial = LOAD(&p->serial), parent = LOAD(&p->sites_of);
    for (int i = 0; i < GENERATIONS_MAX && serial; i++) {
        const uint64_t *at = map_get(&o->entries, key_of(serial, id));
        if (at)
            return at;
        serial = parent;
        parent = 0;
        for (uint32_t k = 0; k < o->h.process_count && !parent; k++) {
            const struct wire_process *other = wire_region_process(&o->h, o->base, k);
            if (LOAD(&other->serial) == serial)
                parent = LOAD(&other->sites_of);
        }
    }
    return NULL;
}

static struct model_str str_of(struct wire_text t)
{
    return (struct model_str){t.p, t.n};
}

/* Without its fields: their values are not told here. */
static const struct model_site *site_of(struct open_spans *o, uint32_t process, uint32_t slot,
                                        uint32_t id)
{
    struct wire_meta_site_view v;
    uint64_t key = (uint64_t)process << 32 | id;
    const uint64_t *known = map_get(&o->sites, key);
    if (known)
        return (const struct model_site *)(uintptr_t)*known;
    const uint64_t *at = find_entry(o, slot, id);
    size_t bytes = at ? copy_entry(o, *at, o->h.meta_bytes) : 0;
    if (bytes == 0 || !wire_meta_site_parse(o->entry, bytes, &v) || v.id != id)
        return NULL;
    const struct model_site like = {.id = id,
                                    .process = process,
                                    .line = v.line,
                                    .kind = ORIEL_SITE_SPAN,
                                    .level = v.level,
                                    .flags = v.flags,
                                    .name = str_of(v.name),
                                    .target = str_of(v.target),
                                    .file = str_of(v.file),
                                    .function = str_of(v.function)};
    const struct model_site *s = model_catalog_add_site(o->catalog, &like);
    return s && map_put(&o->sites, key, (uintptr_t)s) ? s : NULL;
}

/* ---- what has changed ---- */

static void add(struct open_spans *o, struct open_thread *t, uint64_t ns, uint32_t type,
                uint64_t id, const struct model_site *site)
{
    uint32_t words = type == ORIEL_REC_BEGIN ? WORDS - 1 : WORDS;
    uint64_t *raw = arena_alloc(&o->batch->arena, WORDS * sizeof *raw, sizeof *raw);
    struct model_record *r = raw ? model_batch_add_record(o->batch) : NULL;
    if (!r)
        return;
    raw[0] = ORIEL_RECORD_HEADER(words, type, ORIEL_RECF_WATCHED, site ? site->id : (uint32_t)id);
    raw[1] = ns;
    raw[2] = id;
    *r = (struct model_record){.t_ns = ns + o->unix_offset,
                               .raw_id = id,
                               .position = t->position,
                               .raw = raw,
                               .site = site,
                               .thread = t->thread,
                               .words = (uint16_t)words,
                               .type = (uint8_t)type,
                               .flags = ORIEL_RECF_WATCHED,
                               .stream = t->stream};
    t->position += words * sizeof *raw;
}

static void close_down_to(struct open_spans *o, struct open_thread *t, uint32_t depth, uint64_t ns)
{
    while (t->depth > depth) {
        uint64_t id = t->ids[--t->depth];
        if (id)
            add(o, t, ns, ORIEL_REC_CLOSE, id, NULL);
    }
}

/* The stack as it was at one moment, if it stood still for the look. */
static bool copy_stack(const struct oriel_thread *block, struct oriel_stack_entry *out,
                       uint32_t *out_depth)
{
    uint32_t bytes = __atomic_load_n(&block->stack_bytes, __ATOMIC_ACQUIRE);
    uint32_t depth = bytes / ORIEL_STACK_ENTRY;
    uintptr_t head = __atomic_load_n(&block->head, __ATOMIC_ACQUIRE);
    *out_depth = depth < ORIEL_STACK_DEPTH ? depth : ORIEL_STACK_DEPTH;
    for (uint32_t i = 0; i < *out_depth; i++) {
        /* Acquire: what tells below whether it stood still is loaded later. */
        out[i].id = __atomic_load_n(&block->stack[i].id, __ATOMIC_ACQUIRE);
        out[i].site = __atomic_load_n(&block->stack[i].site, __ATOMIC_ACQUIRE);
        out[i].flags = __atomic_load_n(&block->stack[i].flags, __ATOMIC_ACQUIRE);
    }
    return LOAD(&block->stack_bytes) == bytes && LOAD(&block->head) == head;
}

/* The thread of a block, once another source has met it. */
static bool identify(struct open_spans *o, struct open_thread *t, const struct oriel_thread *block,
                     uint32_t slot)
{
    int32_t pid = LOAD(&wire_region_process(&o->h, o->base, slot)->pid);
    const struct model_process *p = model_catalog_find_process(o->catalog, pid);
    struct model_thread *thread =
        p ? model_catalog_find_thread(o->catalog, p->index, LOAD(&block->tid)) : NULL;
    uint32_t stream = o->next_stream;
    if (!thread || model_catalog_alias_thread(o->catalog, stream, thread->index) < 0)
        return false;
    o->next_stream++;
    t->thread = thread;
    t->stream = stream;
    t->position = 0;
    return true;
}

/* When a span began, if its record still stands where it was written: between the last look and
 * this one. Else now. */
static uint64_t begin_of(const struct open_spans *o, const struct open_thread *t,
                         const struct oriel_thread *block, uint32_t slot,
                         const struct oriel_stack_entry *e)
{
    const uint64_t at = e->id - LOAD(&block->id_bias) - LOAD(&block->base);
    const uint32_t kind = LOAD(&wire_region_process(&o->h, o->base, slot)->clock);
    if (at < o->h.chunk_off || at > o->bytes - 16 || at % 8 || kind > 2 || !o->first[kind].ticks)
        return o->now_ns;
    const uint64_t *words = (const uint64_t *)(const void *)((const char *)o->base + at);
    const uint64_t head = LOAD(&words[0]), ticks = LOAD(&words[1]);
    const struct clock_anchor *first = &o->first[kind];
    if (ORIEL_RECORD_TYPE(head) != ORIEL_REC_BEGIN || ORIEL_RECORD_LOW(head) != e->site ||
        o->ticks[kind] <= first->ticks || ticks > o->ticks[kind])
        return o->now_ns;
    double rate = (double)(o->now_ns - first->mono_ns) / (double)(o->ticks[kind] - first->ticks);
    double before = (double)(o->ticks[kind] - ticks) * rate;
    uint64_t since = o->now_ns - t->looked_ns;
    return before < (double)since ? o->now_ns - (uint64_t)before : t->looked_ns;
}

static void open_up_to(struct open_spans *o, struct open_thread *t, const uint64_t *began,
                       const struct oriel_stack_entry *stack, uint32_t depth, uint32_t slot)
{
    for (; t->depth < depth; t->depth++) {
        const struct oriel_stack_entry *e = &stack[t->depth];
        const struct model_site *site = e->id && e->site && e->site <= ORIEL_SITE_ID_MAX
                                            ? site_of(o, t->thread->process, slot, e->site)
                                            : NULL; /* from outside, or not described yet */
        t->ids[t->depth] = site ? e->id : 0;
        if (site)
            add(o, t, began[t->depth], ORIEL_REC_BEGIN, e->id, site);
    }
    assert(t->depth <= ORIEL_STACK_DEPTH);
}

static void look_at(struct open_spans *o, uint32_t slot)
{
    const struct oriel_thread *block = wire_region_thread(&o->h, o->base, slot);
    struct open_thread *t = &o->threads[slot];
    struct oriel_stack_entry stack[ORIEL_STACK_DEPTH];
    uint64_t began[ORIEL_STACK_DEPTH];
    uint32_t state = wire_state(__atomic_load_n(&block->state, __ATOMIC_ACQUIRE)), depth = 0;
    uint32_t serial = LOAD(&block->serial), process = LOAD(&block->process), same = 0;
    if (t->thread && (t->serial != serial || state != ORIEL_THREAD_LIVE)) {
        close_down_to(o, t, 0, o->now_ns);
        t->thread = NULL;
    }
    t->serial = serial;
    if (state != ORIEL_THREAD_LIVE || process >= o->h.process_count ||
        !copy_stack(block, stack, &depth) || (!t->thread && !identify(o, t, block, process)))
        return;
    t->looked_ns = t->looked_ns ? t->looked_ns : o->now_ns;
    while (same < depth && same < t->depth && t->ids[same] == stack[same].id)
        same++;
    for (uint32_t i = same; i < depth; i++) {
        began[i] = begin_of(o, t, block, process, &stack[i]);
        began[i] = i > same && began[i] < began[i - 1] ? began[i - 1] : began[i];
    }
    close_down_to(o, t, same, same < depth ? began[same] : o->now_ns);
    open_up_to(o, t, began, stack, depth, process);
    t->looked_ns = o->now_ns;
}

static int poll_spans(void *state, struct model_batch *batch, size_t max_records,
                      struct oriel_err *err)
{
    struct open_spans *o = state;
    (void)max_records; /* as many as there are open spans, at most twice */
    (void)err;
    o->batch = batch;
    o->ticks[clock_choose()] = clock_ticks(clock_choose());
    o->now_ns = clock_mono_ns();
    read_meta(o);
    for (uint32_t slot = 0; slot < o->h.thread_count && !o->over; slot++)
        look_at(o, slot);
    o->batch = NULL;
    batch->watermark_ns = o->over ? UINT64_MAX : o->now_ns + o->unix_offset;
    return batch->record_count > 0 ? SOURCE_DATA : SOURCE_IDLE;
}

static void end_spans(void *state)
{
    struct open_spans *o = state;
    o->over = true;
}

static void damage_of(const void *state, struct source_damage *out)
{
    (void)state;
    *out = (struct source_damage){.first_offset = UINT64_MAX};
}

const struct source source_open_spans = {.name = "open-spans",
                                         .state_size = sizeof(struct open_spans),
                                         .open_with = open_ring,
                                         .poll = poll_spans,
                                         .over = end_spans,
                                         .damage = damage_of,
                                         .close = close_spans};
