/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a program says of its targets (include/oriel/instrumentation.h): an entry of the
 * meta log becomes a scope of the catalog, which sites of that target have from then on.
 * A fork child has what its parents said. The reader's thread.
 */
#include "source/ring/ring.h"

#include <assert.h>

#include "base/err.h"
#include "wire/meta.h"

static uint64_t hash_of(struct model_str target)
{
    return map_hash_bytes(target.p, target.n, 1);
}

static const struct ring_scope *find(const struct ring *r, uint32_t serial, uint64_t target)
{
    for (size_t i = 0; i < r->scopes.count; i++)
        if (r->scopes.items[i].target == target && r->scopes.items[i].tag == (uint16_t)serial)
            return &r->scopes.items[i];
    return NULL;
}

void ring_scopes_site(struct ring *r, const struct ring_process *p, const struct model_site *site)
{
    if (r->scopes.count == 0 || site->scope)
        return;
    const uint64_t target = hash_of(site->target);
    const struct ring_scope *s = NULL;
    uint32_t serial = p->serial;
    for (int hops = 0; !s && serial && hops < RING_GENERATIONS_MAX; hops++) {
        uint32_t parent = ring_meta_parent(r, p, serial);
        s = find(r, serial, target);
        serial = parent == serial ? 0 : parent;
    }
    if (s)
        model_site_set_scope(r->catalog, site->index, r->catalog->scopes[s->scope]);
}

/* The entry was behind sites that it is about: as a rule it comes first. */
static void tell_sites(struct ring *r)
{
    for (uint32_t i = 0; i < WIRE_PROCESSES_MAX; i++) {
        const struct ring_process *p = r->processes[i];
        for (uint32_t id = 0; p && id < p->site_room; id++)
            if (p->sites[id].site)
                ring_scopes_site(r, p, p->sites[id].site);
    }
}

static struct model_str str_of(struct wire_text t)
{
    return (struct model_str){t.p, t.n};
}

static struct model_value value_of(const struct wire_meta_attr_view *a)
{
    struct model_value v = {.key = str_of(a->key), .type = a->type, .flags = a->flags};
    if (a->type == ORIEL_TYPE_STR || a->type == ORIEL_TYPE_BYTES) {
        v.v.str = str_of(a->text);
        v.full_bytes = a->text.n;
    } else if (a->type == ORIEL_TYPE_BOOL) {
        v.v.u64 = 0;
        v.v.b = a->value != 0;
    } else {
        v.v.u64 = a->value;
    }
    return v;
}

int ring_scopes_add(struct ring *r, size_t bytes)
{
    struct wire_meta_scope_view v;
    struct wire_meta_attr_view a;
    struct model_value attrs[WIRE_SITE_FIELDS_MAX];
    uint32_t n = 0;
    if (!wire_meta_scope_parse(r->meta_copy, bytes, &v))
        return ORIEL_EDAMAGED;
    while (wire_meta_scope_next(&v, &a))
        attrs[n++] = value_of(&a);
    assert(n == v.attr_count);
    const uint64_t target = hash_of(str_of(v.target));
    if (find(r, v.process, target) || r->scopes.count >= RING_SCOPES_MAX)
        return 0; /* the first word stands */
    const struct model_scope wanted = {
        .name = str_of(v.target),
        .version = str_of(v.version),
        .told = {.schema_url = str_of(v.schema_url), .attrs = attrs, .attr_count = n}};
    const struct model_scope *scope = model_catalog_add_scope(r->catalog, &wanted);
    struct ring_scope *kept = scope ? VEC_PUSH(&r->scopes) : NULL;
    if (!kept)
        return ORIEL_ENOMEM;
    *kept = (struct ring_scope){target, scope->index, v.process};
    tell_sites(r);
    return 0;
}
