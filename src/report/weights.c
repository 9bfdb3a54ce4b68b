/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One pass over the rows of the profile.
 */
#include "report/weights.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "report/state.h"

static int heaviest_first(const void *a, const void *b)
{
    const struct weight *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight < y->weight ? 1 : -1;
    return x->index < y->index ? -1 : x->index > y->index;
}

bool weights_are_summed(const struct model_profile *p, const struct model_catalog *c, uint8_t kind)
{
    if (kind != ORIEL_SAMPLE_ALLOC && kind != ORIEL_SAMPLE_FREE && kind < ORIEL_SAMPLE_LIVE)
        return false;
    return p->samples[ORIEL_SAMPLE_PEAK] || p->samples[ORIEL_SAMPLE_TEMPORARY] ||
           model_str_equal(model_catalog_resource(c, "oriel.heap"), MODEL_STR("exact"));
}

int weights_sum(const struct report *r, uint8_t kind, enum weights_by by, struct weights *out)
{
    const bool threads = by == WEIGHTS_BY_THREAD;
    size_t n = threads ? r->catalog->thread_count : (size_t)r->catalog->site_count + 1;
    struct weight *all = mem_calloc(n + 1, sizeof *all);
    *out = (struct weights){all, 0};
    if (!all)
        return ORIEL_ENOMEM;
    if (weights_are_summed(&r->profile, r->catalog, kind))
        return 0;
    for (uint32_t i = 0; i < r->profile.row_count; i++) {
        const struct model_profile_row *row = &r->profile.rows[i];
        size_t at = threads ? row->thread : row->site ? (size_t)row->site->index + 1 : 0;
        if (row->kind == kind && at < n)
            all[at].weight += row->weight;
    }
    for (size_t i = 0; i < n; i++)
        if (all[i].weight)
            all[out->count++] = (struct weight){all[i].weight, (uint32_t)i};
    if (out->count > 1)
        qsort(all, out->count, sizeof *all, heaviest_first);
    return 0;
}

void weights_done(struct weights *w)
{
    mem_free(w->items);
    *w = (struct weights){0};
}
