/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Limits per item. Whether the keys of a site are unique is worked out once
 * per site, so that the usual item costs a look-up and two compares.
 */
#include "pipe/limit.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>

#include "pipe/attrs.h"

enum { SITE_UNKNOWN = 0, SITE_UNIQUE = 1, SITE_REPEATS = 2 };

void limit_init(struct limit *l, const struct pipe_options *options)
{
    memset(l, 0, sizeof *l);
    l->options = options;
    for (unsigned i = 0; i < LIMIT_ARG_NAMES; i++)
        snprintf(l->names[i], sizeof l->names[i], "arg%u", i);
}

void limit_done(struct limit *l)
{
    mem_free(l->sites);
    l->sites = NULL;
    l->site_capacity = 0;
}

static bool has_repeats(const struct model_site *site)
{
    for (uint32_t i = 1; i < site->field_count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (site->fields[i].name.n &&
                attrs_same_key(site->fields[i].name, site->fields[k].name))
                return true;
    return false;
}

static bool grow_sites(struct limit *l, uint32_t index)
{
    size_t capacity = l->site_capacity ? l->site_capacity : 64;
    while (capacity <= index)
        capacity *= 2;
    uint8_t *more = mem_realloc(l->sites, capacity);
    if (!more)
        return false;
    memset(more + l->site_capacity, SITE_UNKNOWN, capacity - l->site_capacity);
    l->sites = more;
    l->site_capacity = capacity;
    return true;
}

static bool repeats(struct limit *l, const struct model_site *site)
{
    if (site->field_count < 2)
        return false;
    if (site->index >= l->site_capacity && !grow_sites(l, site->index))
        return true; /* no memory to remember: look every time */
    if (l->sites[site->index] == SITE_UNKNOWN)
        l->sites[site->index] = has_repeats(site) ? SITE_REPEATS : SITE_UNIQUE;
    return l->sites[site->index] == SITE_REPEATS;
}

/* Later values take the place of earlier ones of the same key. */
static uint32_t merge_repeats(struct model_value *values, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = 0;
        while (at < kept && !(values[i].key.n && attrs_same_key(values[at].key, values[i].key)))
            at++;
        if (at != i)
            values[at] = values[i];
        kept += at == kept;
    }
    return kept;
}

static void name_arguments(const struct limit *l, struct model_value *values, uint32_t n)
{
    for (uint32_t i = 0; i < n && i < LIMIT_ARG_NAMES; i++)
        if (!values[i].key.n)
            values[i].key = (struct model_str){l->names[i], (uint32_t)strlen(l->names[i])};
}

/* Bytes of the first `characters` characters; what is not UTF-8 counts by the
 * byte. */
static uint32_t cut_characters(struct model_str s, uint32_t characters)
{
    uint32_t at = 0;
    for (; characters && at < s.n; characters--) {
        uint8_t lead = (uint8_t)s.p[at];
        uint32_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0, k = 0;
        while (k < more && at + 1 + k < s.n && ((uint8_t)s.p[at + 1 + k] & 0xc0) == 0x80)
            k++;
        at += k == more ? 1 + more : 1;
    }
    return at;
}

static void cut_texts(const struct limit *l, struct model_value *values, uint32_t n)
{
    uint32_t most = l->options->attribute_length_limit;
    for (uint32_t i = 0; most && i < n; i++) {
        struct model_value *v = &values[i];
        if (!attrs_has_text(v) || v->v.str.n <= most || (v->flags & MODEL_VALUE_REDACTED))
            continue;
        uint32_t bytes = v->type == ORIEL_TYPE_BYTES ? most : cut_characters(v->v.str, most);
        assert(bytes <= v->v.str.n);
        if (bytes < v->v.str.n)
            v->flags |= MODEL_VALUE_TRUNCATED;
        v->v.str.n = bytes;
    }
}

static void limit_values(struct limit *l, const struct model_site *site, struct model_value *values,
                         uint32_t *count, uint32_t *dropped)
{
    if (!*count)
        return;
    name_arguments(l, values, *count);
    if (repeats(l, site))
        *count = merge_repeats(values, *count);
    if (*count > l->options->attribute_count_limit) {
        *dropped += *count - l->options->attribute_count_limit;
        *count = l->options->attribute_count_limit;
    }
    cut_texts(l, values, *count);
}

uint64_t limit_item(struct limit *l, struct model_item *item)
{
    if (item->kind == MODEL_ITEM_SPAN) {
        struct model_span *s = &item->u.span;
        limit_values(l, s->site, (struct model_value *)s->attrs, &s->attr_count, &s->dropped_attrs);
        return s->dropped_attrs;
    }
    if (item->kind == MODEL_ITEM_EVENT) {
        struct model_event *e = &item->u.event;
        limit_values(l, e->site, (struct model_value *)e->attrs, &e->attr_count, &e->dropped_attrs);
        return e->dropped_attrs;
    }
    return 0;
}
