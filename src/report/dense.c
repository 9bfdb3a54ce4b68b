/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * spans that are so short or so many that watching them is much of what
 * they show. The one that costs most is named, with what to do. Pure.
 */
#include "base/err.h"
#include "report/state.h"
#include "report/text.h"

#define SPAN_COST_NS 25u       /* what a span costs, give or take: docs/SPEED.md */
#define COUNT_MIN 10000u       /* fewer are no matter, however short */
#define COSTS_MIN 20u          /* a median of so many costs and more is long enough */
#define PER_SECOND_MAX 400000u /* 1 % of a processor */

static uint64_t median(const struct report_flat *f)
{
    return hist_quantile(&f->hist, 500, f->max);
}

static bool is_dense(const struct report_flat *f, uint64_t duration_ns)
{
    return f->count >= COUNT_MIN &&
           (median(f) < (uint64_t)SPAN_COST_NS * COSTS_MIN ||
            (double)f->count * 1e9 > (double)PER_SECOND_MAX * (double)duration_ns);
}

int report_text_dense(const struct report *r, struct buf *out)
{
    struct report_flats flats;
    const struct report_flat *most = NULL;
    uint64_t duration_ns = report_offset(r, r->last_ns);
    unsigned others = 0;
    char count[NUM_TEXT_MAX], typical[NUM_TEXT_MAX], cost[NUM_TEXT_MAX];
    /* Programs of other makes were watched by others, at a price that is not ours to tell. */
    if (model_str_equal(model_catalog_resource(r->catalog, "oriel.import"), MODEL_STR("otlp")))
        return 0;
    int rc = report_flatten(r, &flats);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < flats.items.count; i++) {
        const struct report_flat *f = &flats.items.items[i];
        if (!is_dense(f, duration_ns))
            continue;
        others += most != NULL;
        if (!most || f->count > most->count)
            most = f;
    }
    if (most) {
        struct model_str name = report_name(r, most->name);
        sheet_line(r, out, TABLE_YELLOW,
                   "span %.*s: %s times, typically %s; some %s of that is the watching itself. "
                   "--filter leaves its target out, or watch its caller instead",
                   (int)name.n, name.p, num_count(count, most->count),
                   num_duration(typical, median(most)),
                   num_duration(cost, most->count * SPAN_COST_NS));
        if (others)
            sheet_line(r, out, TABLE_DIM, "%u more span%s as short or as frequent", others,
                       others == 1 ? " is" : "s are");
    }
    report_flats_done(&flats);
    return 0;
}
