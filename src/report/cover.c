/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Interval union in constant memory; see cover.h. Pure; one thread at a time.
 */
#include "report/cover.h"

#include <assert.h>
#include <string.h>

/* Take the part that lies in `old` off [*start, end); returns what of that
 * part is new. Inside `old` coverage is assumed to be spread evenly. */
static uint64_t settle_old(struct cover *c, uint64_t *start, uint64_t end)
{
    uint64_t span = c->old.end - c->old.start, covered = c->old_covered;
    if (span == 0 || *start >= c->old.end)
        return 0;
    if (*start <= c->old.start && end >= c->old.end) {
        /* Swallowed whole: it becomes a plain range again. */
        c->old.end = c->old.start;
        c->old_covered = 0;
        return (uint64_t)0 - covered; /* the caller counts all of [start, end) */
    }
    if (*start < c->old.start)
        c->old.start = *start;
    uint64_t upto = end < c->old.end ? end : c->old.end, part = upto - *start;
    span = c->old.end - c->old.start;
    uint64_t fresh = (uint64_t)((unsigned __int128)part * (span - covered) / span);
    c->old_covered += fresh;
    *start = upto;
    return fresh;
}

static void drop_oldest(struct cover *c)
{
    if (c->old.start == c->old.end)
        c->old.start = c->ranges[0].start;
    c->old.end = c->ranges[0].end;
    c->old_covered += c->ranges[0].end - c->ranges[0].start;
    c->count--;
    memmove(c->ranges, c->ranges + 1, c->count * sizeof *c->ranges);
}

uint64_t cover_add(struct cover *c, uint64_t start, uint64_t end)
{
    assert(end >= start);
    uint64_t gain = settle_old(c, &start, end);
    if (start >= end)
        return gain;
    gain += end - start;
    struct cover_range merged = {start, end};
    uint32_t from = 0, to;
    while (from < c->count && c->ranges[from].end < start)
        from++;
    for (to = from; to < c->count && c->ranges[to].start <= end; to++) {
        const struct cover_range *r = &c->ranges[to];
        uint64_t low = r->start > start ? r->start : start, high = r->end < end ? r->end : end;
        gain -= high - low;
        merged.start = r->start < merged.start ? r->start : merged.start;
        merged.end = r->end > merged.end ? r->end : merged.end;
    }
    if (from == to && c->count == COVER_MAX) {
        if (from == 0) { /* older than everything kept, and no room */
            struct cover_range none = {start, end};
            if (c->old.start == c->old.end)
                c->old = none;
            c->old.end = end > c->old.end ? end : c->old.end;
            c->old_covered += end - start;
            return gain;
        }
        drop_oldest(c);
        from--;
        to--;
    }
    memmove(c->ranges + from + 1, c->ranges + to, (c->count - to) * sizeof *c->ranges);
    c->count = c->count + 1 - (to - from);
    c->ranges[from] = merged;
    assert(c->count <= COVER_MAX);
    return gain;
}
