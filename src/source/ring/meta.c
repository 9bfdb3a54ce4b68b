/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The meta log: entries of sites and resources into the catalog, and a dense
 * table of sites per process for the decoder. An entry is copied out before it
 * is looked at. A writer that died inside an entry leaves a hole, which is kept
 * in mind and stepped over.
 */
#include "source/ring/ring.h"

#include <assert.h>

#include "wire/meta.h"

enum { SITE_ROOM_MIN = 64 };
#define STUCK_NS UINT64_C(1000000000)

/* ---- the table of a process ---- */

static bool make_room(struct ring_process *p, uint32_t id)
{
    uint32_t room = p->site_room ? p->site_room : SITE_ROOM_MIN;
    if (id < p->site_room)
        return true;
    while (room <= id)
        room *= 2;
    assert(id <= ORIEL_SITE_ID_MAX);
    struct ring_site *sites = mem_realloc(p->sites, room * sizeof *sites);
    if (!sites)
        return false;
    memset(sites + p->site_room, 0, (room - p->site_room) * sizeof *sites);
    p->sites = sites;
    p->site_room = room;
    return true;
}

static uint32_t words_of(const struct model_site *s)
{
    for (uint32_t i = 0; i < s->field_count; i++)
        if (s->types[i] == ORIEL_TYPE_STR || s->types[i] == ORIEL_TYPE_BYTES)
            return RING_WORDS_VARY;
    return s->field_count;
}

static int put_site(struct ring *r, struct ring_process *p, const struct model_site *wanted)
{
    if (!make_room(p, wanted->id))
        return ORIEL_ENOMEM;
    if (p->sites[wanted->id].site)
        return 0; /* told twice: the first stays, records refer to it */
    struct model_site *s = model_catalog_add_site(r->catalog, wanted);
    if (!s)
        return ORIEL_ENOMEM;
    p->sites[wanted->id] = (struct ring_site){s, words_of(s)};
    ring_scopes_site(r, p, s);
    return 0;
}

/* ---- entries ---- */

static struct model_str str_of(struct wire_text t)
{
    return (struct model_str){t.p, t.n};
}

static uint64_t index_key(uint32_t serial, uint32_t id)
{
    return (uint64_t)(serial & 0xffffu) << 32 | id;
}

/* The entry in the private copy into the table of p. */
static int add_site(struct ring *r, struct ring_process *p, struct wire_meta_site_view *v)
{
    struct wire_meta_field_view f;
    struct model_field_def fields[WIRE_SITE_FIELDS_MAX];
    uint32_t count = 0;
    while (wire_meta_site_next(v, &f))
        fields[count++] = (struct model_field_def){str_of(f.name), f.type, f.flags};
    assert(count == v->field_count);
    const struct model_site site = {.id = v->id,
                                    .process = p->model->index,
                                    .line = v->line,
                                    .kind = v->kind,
                                    .level = v->level,
                                    .field_count = v->field_count,
                                    .flags = v->flags,
                                    .name = str_of(v->name),
                                    .target = str_of(v->target),
                                    .file = str_of(v->file),
                                    .function = str_of(v->function),
                                    .format = str_of(v->format),
                                    .fields = fields};
    return put_site(r, p, &site);
}

/* Remember where it stands, for fork children; and who said it may be gone. */
static int see_site(struct ring *r, size_t bytes, uint64_t at)
{
    struct wire_meta_site_view v;
    if (!wire_meta_site_parse(r->meta_copy, bytes, &v))
        return ORIEL_EDAMAGED;
    if (!map_put(&r->meta_index, index_key(v.process, v.id), at))
        return ORIEL_ENOMEM;
    struct ring_process *p = ring_who_tagged(r, v.process);
    return p ? add_site(r, p, &v) : 0;
}

/* The first to name an attribute of the recording names it for all. */
static int add_resource(struct ring *r, size_t bytes)
{
    struct wire_meta_resource_view v;
    char key[WIRE_META_KEY_MAX + 1];
    if (!wire_meta_resource_parse(r->meta_copy, bytes, &v))
        return ORIEL_EDAMAGED;
    if (v.key.n > WIRE_META_KEY_MAX || r->catalog->resource_count >= RING_RESOURCES_MAX)
        return 0;
    memcpy(key, v.key.p, v.key.n);
    key[v.key.n] = 0;
    if (model_catalog_resource(r->catalog, key).n)
        return 0;
    return model_catalog_set_resource(r->catalog, str_of(v.key), str_of(v.value));
}

/* 0 also for entries that are damaged: they are counted and passed. */
static int take_entry(struct ring *r, uint64_t at, uint32_t words)
{
    const char *from = r->base + r->h.meta_off + at;
    size_t bytes = (size_t)words * 8;
    int rc = 0;
    if (bytes > WIRE_META_ENTRY_MAX) {
        ring_damaged(r, from, 1, bytes);
        return 0;
    }
    ring_copy(r->meta_copy, from, bytes);
    switch (((const struct wire_meta *)r->meta_copy)->type) {
    case WIRE_META_SITE:
        rc = see_site(r, bytes, at);
        break;
    case WIRE_META_RESOURCE:
        rc = add_resource(r, bytes);
        break;
    case WIRE_META_MODULE:
        rc = ring_stacks_module(r, bytes);
        break;
    case WIRE_META_SCOPE:
        rc = ring_scopes_add(r, bytes);
        break;
    default: /* of a later version, or forgotten: skippable */
        break;
    }
    if (rc == ORIEL_EDAMAGED) {
        ring_damaged(r, from, 1, bytes);
        rc = 0;
    }
    return rc;
}

/* A site that somebody else described, for this process as its own. */
static const struct ring_site *adopt(struct ring *r, struct ring_process *p, uint64_t at,
                                     uint32_t id)
{
    struct wire_meta_site_view v;
    const char *from = r->base + r->h.meta_off + at;
    size_t bytes = (size_t)RING_LOAD_ACQUIRE(&((const struct wire_meta *)from)->words) * 8;
    if (bytes > WIRE_META_ENTRY_MAX || bytes > r->h.meta_bytes - at)
        return NULL;
    ring_copy(r->meta_copy, from, bytes);
    if (!wire_meta_site_parse(r->meta_copy, bytes, &v) || v.id != id || add_site(r, p, &v) != 0)
        return NULL;
    return &p->sites[id];
}

uint32_t ring_meta_parent(const struct ring *r, const struct ring_process *p, uint32_t serial)
{
    const uint64_t *next = map_get(&r->sites_of, serial);
    return next ? (uint32_t)*next : serial == p->serial ? p->sites_of : 0;
}

const struct ring_site *ring_meta_site(struct ring *r, struct ring_process *p, uint32_t id)
{
    uint32_t serial = p->serial;
    if (id < p->site_room && p->sites[id].site)
        return &p->sites[id];
    for (int hops = 0; hops < RING_GENERATIONS_MAX; hops++) {
        const uint64_t *at = map_get(&r->meta_index, index_key(serial, id));
        if (at)
            return adopt(r, p, *at, id);
        uint32_t parent = ring_meta_parent(r, p, serial);
        if (parent == 0 || parent == serial)
            return NULL;
        serial = parent;
    }
    return NULL;
}

/* ---- reading on ---- */

static uint32_t length_at(struct ring *r, uint64_t at)
{
    const struct wire_meta *m = (const struct wire_meta *)(r->base + r->h.meta_off + at);
    return RING_LOAD_ACQUIRE(&m->words);
}

/* Holes that were committed since. */
static int visit_holes(struct ring *r)
{
    for (uint32_t i = 0; i < r->hole_count;) {
        uint32_t words = length_at(r, r->holes[i].at);
        if (words != r->holes[i].words) { /* still pending, or changed under us */
            i++;
            continue;
        }
        int rc = take_entry(r, r->holes[i].at, words);
        if (rc != 0)
            return rc;
        r->holes[i] = r->holes[--r->hole_count];
    }
    return 0;
}

static void remember_hole(struct ring *r, uint64_t at, uint32_t words)
{
    assert(words && at + (uint64_t)words * 8 <= r->h.meta_bytes);
    if (r->hole_count == RING_HOLES_MAX) { /* the oldest will not come any more */
        ring_damaged(r, r->base + r->h.meta_off + r->holes[0].at, 1, r->holes[0].words * 8);
        r->holes[0] = r->holes[--r->hole_count];
    }
    r->holes[r->hole_count++] = (struct ring_hole){at, words};
}

/* A reservation without even a length: its writer died between two
 * instructions. Nothing was written there, so the next word that is not zero
 * starts the next entry. True if there is one. */
static bool step_over_nothing(struct ring *r, uint64_t end)
{
    if (!r->meta_stuck_ns)
        r->meta_stuck_ns = r->now_ns;
    if (r->now_ns - r->meta_stuck_ns < STUCK_NS && !r->frozen)
        return false;
    for (uint64_t at = r->meta_at; at < end; at += 8)
        if (length_at(r, at) & ~WIRE_META_PENDING) { /* that bit alone says nothing either */
            r->meta_at = at;
            return true;
        }
    r->meta_stuck_ns = r->now_ns; /* look again in a while */
    return false;
}

int ring_meta_poll(struct ring *r)
{
    uint64_t end = RING_LOAD_ACQUIRE(&r->shared->meta_head);
    if (end > r->h.meta_bytes)
        end = r->h.meta_bytes;
    int rc = r->hole_count ? visit_holes(r) : 0;
    end &= ~UINT64_C(7);
    while (rc == 0 && r->meta_at < end) {
        uint32_t word = length_at(r, r->meta_at), words = word & ~WIRE_META_PENDING;
        if (words == 0) {
            if (!step_over_nothing(r, end))
                break;
            continue;
        }
        if (words > (end - r->meta_at) / 8) {
            /* Reserved but too long for the log, or garbage: nothing follows. */
            ring_damaged(r, r->base + r->h.meta_off + r->meta_at, 1, end - r->meta_at);
            r->meta_at = r->h.meta_bytes;
            break;
        }
        if (word & WIRE_META_PENDING)
            remember_hole(r, r->meta_at, words);
        else
            rc = take_entry(r, r->meta_at, words);
        if (rc == 0) {
            r->meta_at += (uint64_t)words * 8;
            r->meta_stuck_ns = 0;
        }
    }
    assert(r->meta_at <= r->h.meta_bytes && r->hole_count <= RING_HOLES_MAX);
    return rc;
}
