/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The slow half of the name table: a site seen for the first time.
 */
#include "report/names.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

int names_init(struct names *n)
{
    memset(n, 0, sizeof *n);
    return intern_init(&n->texts);
}

/* Remember the name of a site, so that it is looked up once. */
static bool remember(struct names *n, const struct model_site *site, uint32_t id)
{
    while (n->by_site.count <= site->index)
        if (!VEC_PUSH(&n->by_site))
            return false;
    n->by_site.items[site->index] = id + 1;
    return true;
}

static uint32_t add_text(struct names *n, struct model_str text)
{
    if (n->items.count >= NAMES_MAX)
        text = (struct model_str)MODEL_STR("(other)");
    uint32_t id = intern_add(&n->texts, text.p, text.n);
    if (id == UINT32_MAX)
        return NAMES_NONE;
    while (n->items.count <= id) {
        struct name *item = VEC_PUSH(&n->items);
        if (!item)
            return NAMES_NONE;
        struct intern_str kept = intern_get(&n->texts, (uint32_t)n->items.count - 1);
        item->text = (struct model_str){kept.p, kept.n};
    }
    assert(n->items.items[id].text.n == text.n);
    return id;
}

uint32_t names_renamed(struct names *n, const struct model_span *span)
{
    uint32_t id = add_text(n, model_span_name(span));
    struct name *item = id == NAMES_NONE ? NULL : &n->items.items[id];
    if (item && !item->site) { /* where one of that name is */
        item->site = span->site;
        item->sites = 1;
    }
    return id;
}

uint32_t names_add(struct names *n, const struct model_site *site)
{
    static const struct model_str unknown = MODEL_STR("(unknown)");
    uint32_t id = add_text(n, site ? site->name : unknown);
    if (id == NAMES_NONE || !site)
        return id;
    struct name *item = &n->items.items[id];
    if (!remember(n, site, id))
        return NAMES_NONE;
    /* A span's line is where the span is, not where a task of that name was marked. */
    if (!item->site || (item->site->kind != ORIEL_SITE_SPAN && site->kind == ORIEL_SITE_SPAN))
        item->site = site;
    item->sites++;
    return id;
}

void names_done(struct names *n)
{
    VEC_DONE(&n->items);
    VEC_DONE(&n->by_site);
    intern_done(&n->texts);
}
