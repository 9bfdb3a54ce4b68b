/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What programs of other makes told of themselves: resources of processes, scopes
 * of sites. The mirror of export/capture/told.c. Untrusted bytes: whatever does not
 * fit ends the chunk. One thread.
 */
#include "source/file/file.h"

#include "base/err.h"

enum { ATTRS_MAX = 4096, SCOPES_MAX = WIRE_CAPTURE_SITES_MAX, COST = 192 };

static uint64_t get_count(struct wire_cursor *c, uint64_t max)
{
    uint64_t n = wire_number_get(c);
    if (n > max || n > (uint64_t)(c->end - c->at))
        c->failed = true;
    return c->failed ? 0 : n;
}

static struct model_str get_ref(const struct decoder *d, struct wire_cursor *c)
{
    uint64_t i = wire_number_get(c);
    if (i >= d->texts.count) {
        c->failed = true;
        return MODEL_STR("");
    }
    return d->texts.items[i];
}

static uint8_t get_byte(struct wire_cursor *c)
{
    const uint8_t *p = wire_bytes_get(c, 1);
    return p ? *p : 0;
}

static void get_value(const struct decoder *d, struct wire_cursor *c, struct model_value *v)
{
    *v = (struct model_value){.key = get_ref(d, c)};
    v->type = get_byte(c);
    v->flags = get_byte(c);
    if (v->type == ORIEL_TYPE_STR || v->type == ORIEL_TYPE_BYTES) {
        v->v.str = get_ref(d, c);
        uint64_t full = wire_number_get(c);
        v->full_bytes = full > v->v.str.n && full <= UINT32_MAX ? (uint32_t)full : v->v.str.n;
    } else if (v->type == ORIEL_TYPE_BOOL) {
        v->v.b = wire_number_get(c) != 0;
    } else {
        v->v.u64 = wire_number_get(c);
    }
    if (v->type < ORIEL_TYPE_BOOL || v->type > ORIEL_TYPE_PTR)
        c->failed = true;
}

/* The attributes are *out_attrs, to be freed by the caller. */
static int get_told(const struct decoder *d, struct wire_cursor *c, struct model_told *out,
                    struct model_value **out_attrs, uint64_t *cost)
{
    *out = (struct model_told){.schema_url = get_ref(d, c)};
    uint64_t dropped = wire_number_get(c), n = get_count(c, ATTRS_MAX);
    *out_attrs = mem_calloc(n + 1, sizeof **out_attrs);
    if (!*out_attrs)
        return ORIEL_ENOMEM;
    out->dropped_attrs = dropped <= UINT32_MAX ? (uint32_t)dropped : UINT32_MAX;
    *cost += COST + out->schema_url.n;
    for (uint64_t i = 0; i < n && !c->failed; i++) {
        struct model_value *v = &(*out_attrs)[i];
        get_value(d, c, v);
        *cost += sizeof *v + v->key.n + 2;
        if (v->type == ORIEL_TYPE_STR || v->type == ORIEL_TYPE_BYTES)
            *cost += v->v.str.n;
    }
    out->attrs = *out_attrs;
    out->attr_count = (uint32_t)n;
    return c->failed ? ORIEL_EDAMAGED : 0;
}

static int get_process(struct decoder *d, struct wire_cursor *c)
{
    uint64_t at = wire_number_get(c), cost = 0;
    struct model_told told;
    struct model_value *attrs;
    int rc = get_told(d, c, &told, &attrs, &cost);
    if (rc == 0 && at >= d->processes.count)
        rc = ORIEL_EDAMAGED;
    if (rc == 0 && !d->processes.items[at].process->told) {
        rc = decoder_pay(d, cost) ? 0 : ORIEL_ELIMIT;
        if (rc == 0)
            rc = model_process_set_told(d->catalog, d->processes.items[at].process, &told);
    }
    mem_free(attrs);
    return rc;
}

static int get_scope(struct decoder *d, struct wire_cursor *c, const struct model_scope **out)
{
    struct model_scope scope = {.name = get_ref(d, c), .version = get_ref(d, c)};
    struct model_value *attrs;
    uint64_t cost = (uint64_t)scope.name.n + scope.version.n;
    int rc = get_told(d, c, &scope.told, &attrs, &cost);
    uint32_t before = d->catalog->scope_count;
    if (rc == 0 && !(*out = model_catalog_add_scope(d->catalog, &scope)))
        rc = ORIEL_ENOMEM;
    if (rc == 0 && d->catalog->scope_count > before && !decoder_pay(d, cost))
        rc = ORIEL_ELIMIT;
    mem_free(attrs);
    return rc;
}

static int get_scopes(struct decoder *d, struct wire_cursor *c)
{
    uint64_t n = get_count(c, SCOPES_MAX);
    const struct model_scope **scopes = mem_calloc(n + 1, sizeof *scopes);
    int rc = scopes ? 0 : ORIEL_ENOMEM;
    for (uint64_t i = 0; i < n && rc == 0; i++)
        rc = get_scope(d, c, &scopes[i]);
    uint64_t sites = rc == 0 ? get_count(c, WIRE_CAPTURE_SITES_MAX) : 0;
    for (uint64_t i = 0; i < sites && rc == 0; i++) {
        uint64_t site = wire_number_get(c), scope = wire_number_get(c);
        if (c->failed || site >= d->sites.count || scope >= n)
            rc = ORIEL_EDAMAGED;
        else if (!d->sites.items[site]->scope)
            model_site_set_scope(d->catalog, d->sites.items[site]->index, scopes[scope]);
    }
    mem_free(scopes);
    return rc;
}

int decoder_told(struct decoder *d, struct wire_cursor *c)
{
    if (c->failed)
        return ORIEL_EDAMAGED;
    if (c->at == c->end) /* none of them in this chunk */
        return 0;
    uint64_t n = get_count(c, d->processes.count);
    int rc = 0;
    for (uint64_t i = 0; i < n && rc == 0; i++)
        rc = get_process(d, c);
    if (rc == 0)
        rc = get_scopes(d, c);
    return rc == 0 && c->failed ? ORIEL_EDAMAGED : rc;
}
