/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From nested spans to flat slots, and from entries to names. Reads memory
 * only; one thread.
 */
#include <assert.h>

#include "base/err.h"
#include "symbol/tree.h"

enum { PAINT_MAX = 1 << 26, SPANS_MAX = 1 << 20, NAME_HOPS = 8 };

static size_t lower_bound(const struct sort_key *bounds, size_t n, uint64_t key)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (bounds[mid].key < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* All ends of spans, sorted, each once. Returns their number. */
static size_t gather(const struct tree *t, const struct tree_function *f, struct sort_key *bounds,
                     int *rc)
{
    size_t n = 0, kept = 0;
    for (uint32_t i = f->head; i != UINT32_MAX; i = t->spans.items[i].next) {
        bounds[n++].key = t->spans.items[i].lo;
        bounds[n++].key = t->spans.items[i].hi;
    }
    *rc = sort_keys(bounds, n);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || bounds[i].key != bounds[kept - 1].key)
            bounds[kept++].key = bounds[i].key;
    return kept;
}

/* Inner spans come after outer ones, so they paint over them. */
static int paint(const struct tree *t, const struct tree_function *f, struct sort_key *bounds,
                 size_t n)
{
    size_t work = 0;
    for (size_t i = 0; i < n; i++)
        bounds[i].index = UINT32_MAX;
    for (uint32_t i = f->head; i != UINT32_MAX; i = t->spans.items[i].next) {
        const struct tree_span *span = &t->spans.items[i];
        for (size_t k = lower_bound(bounds, n, span->lo); k < n && bounds[k].key < span->hi; k++) {
            bounds[k].index = span->node;
            if (++work > PAINT_MAX)
                return ORIEL_ELIMIT;
        }
    }
    return 0;
}

int tree_flatten(struct tree *t, struct tree_function *f)
{
    size_t count = 0;
    int rc = 0;
    if (f->flat)
        return 0;
    for (uint32_t i = f->head; i != UINT32_MAX; i = t->spans.items[i].next)
        count++;
    if (count > SPANS_MAX)
        return ORIEL_ELIMIT;
    struct sort_key *bounds = mem_calloc(count * 2 + 1, sizeof *bounds);
    if (!bounds)
        return ORIEL_ENOMEM;
    size_t n = gather(t, f, bounds, &rc);
    if (rc == 0)
        rc = paint(t, f, bounds, n);
    f->first_slot = (uint32_t)t->slots.count;
    for (size_t i = 0; i + 1 < n && rc == 0; i++) {
        if (bounds[i].index == UINT32_MAX)
            continue;
        struct tree_slot *slot = VEC_PUSH(&t->slots);
        if (slot)
            *slot = (struct tree_slot){bounds[i].key, bounds[i + 1].key, bounds[i].index};
        else
            rc = ORIEL_ENOMEM;
    }
    f->slot_count = (uint32_t)t->slots.count - f->first_slot;
    f->flat = rc == 0;
    mem_free(bounds);
    return rc;
}

/* The names of one entry, as far as they are not known yet, and where to go on. */
static bool read_names(struct dw_unit **u, uint64_t *entry, struct tree_name *out)
{
    struct reader r = rd_at(bytes_part((*u)->dw->info, 0, (*u)->end), *entry);
    const struct dw_abbrev *a = dw_abbrev_find((*u)->abbrevs, rd_uleb(&r));
    struct dw_value next = {0};
    for (uint32_t i = 0; a && i < a->attr_count && !r.bad; i++) {
        const struct dw_attr *attr = &(*u)->abbrevs->attrs.items[a->attr + i];
        struct dw_value value;
        dw_value_read(*u, &r, attr, &value);
        switch (attr->name) {
        case DW_AT_name:
            out->name = out->name ? out->name : dw_string(*u, &value);
            break;
        case DW_AT_linkage_name:
        case DW_AT_MIPS_linkage_name:
            out->linkage = out->linkage ? out->linkage : dw_string(*u, &value);
            break;
        case DW_AT_decl_line:
            out->line = out->line ? out->line : (uint32_t)value.raw;
            break;
        case DW_AT_specification:
        case DW_AT_abstract_origin:
            next = value;
            break;
        default:
            break;
        }
    }
    return next.form != 0 && dw_reference(*u, &next, u, entry);
}

void tree_name(struct dw_unit *u, uint64_t entry, struct tree_name *out)
{
    *out = (struct tree_name){0};
    for (int hop = 0; hop < NAME_HOPS && read_names(&u, &entry, out); hop++) {
    }
}

uint64_t tree_origin(struct dw_unit *u, uint64_t entry, struct dw_unit **out_unit,
                     uint64_t *out_entry)
{
    struct reader r = rd_at(bytes_part(u->dw->info, 0, u->end), entry);
    const struct dw_abbrev *a = dw_abbrev_find(u->abbrevs, rd_uleb(&r));
    struct dw_unit *to = u;
    uint64_t at = entry;
    for (uint32_t i = 0; a && i < a->attr_count && !r.bad; i++) {
        const struct dw_attr *attr = &u->abbrevs->attrs.items[a->attr + i];
        struct dw_value value;
        dw_value_read(u, &r, attr, &value);
        if (attr->name == DW_AT_abstract_origin) {
            dw_reference(u, &value, &to, &at);
            break;
        }
    }
    *out_unit = to;
    *out_entry = at;
    return (uint64_t)(uintptr_t)(to->dw->info.p + at);
}
