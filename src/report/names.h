/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names as small numbers: sites of the same name (several lines, several
 * processes) count as one in a report. At most NAMES_MAX names are told apart;
 * sites first seen after that count as "(other)". Pure; one thread.
 */
#ifndef ORIEL_REPORT_NAMES_H
#define ORIEL_REPORT_NAMES_H

#include <stdint.h>

#include "base/intern.h"
#include "base/vec.h"
#include "model/batch.h"

#define NAMES_MAX 16384u
#define NAMES_NONE UINT32_MAX

struct name {
    struct model_str text;
    const struct model_site *site; /* the first of that name; NULL: none known */
    uint32_t sites;                /* how many there are */
};
struct names {
    struct intern texts;
    VEC(struct name) items; /* by id of the text */
    VEC(uint32_t) by_site;  /* site index -> id + 1, 0 not seen yet */
};

/* 0 or ORIEL_ENOMEM; done may be called in both cases. */
int names_init(struct names *n);
/* NAMES_NONE: no memory. */
uint32_t names_add(struct names *n, const struct model_site *site);
/* The name of a span that was given another than its site has. */
uint32_t names_renamed(struct names *n, const struct model_span *span);
/* The name of a span's or event's site; NULL is "(unknown)". */
static inline uint32_t names_of(struct names *n, const struct model_site *site)
{
    if (site && site->index < n->by_site.count && n->by_site.items[site->index])
        return n->by_site.items[site->index] - 1;
    return names_add(n, site);
}
/* The name of a span. */
static inline uint32_t names_of_span(struct names *n, const struct model_span *span)
{
    return __builtin_expect(span->flags & MODEL_SPAN_RENAMED, 0) ? names_renamed(n, span)
                                                                 : names_of(n, span->site);
}
void names_done(struct names *n);

#endif
