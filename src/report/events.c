/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Counting events by site, and the sums by target. Pure; one thread at a time.
 */
#include "report/events.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"

/* As model_level_text tells them: what is not a level counts as INFO. */
static uint8_t level_of(const struct model_site *site)
{
    bool known = site && site->level >= ORIEL_LEVEL_TRACE && site->level <= ORIEL_LEVEL_FATAL;
    return known ? site->level : ORIEL_LEVEL_INFO;
}

int events_add(struct events *e, const struct model_event *event)
{
    const struct model_site *site = event->site;
    if (site && site->index >= EVENTS_SITES_MAX)
        site = NULL;
    uint32_t index = site ? site->index + 1 : 0;
    while (e->sites.count <= index)
        if (!VEC_PUSH(&e->sites))
            return ORIEL_ENOMEM;
    struct event_stats *s = &e->sites.items[index];
    if (s->count++ == 0) {
        s->site = site;
        s->first_ns = event->t_ns;
        uint32_t n = event->message.n;
        n = n < EVENTS_EXAMPLE_MAX ? n : EVENTS_EXAMPLE_MAX;
        s->example = mem_alloc(n ? n : 1);
        if (!s->example)
            return ORIEL_ENOMEM;
        if (n)
            memcpy(s->example, event->message.p, n);
        s->example_bytes = n;
    }
    s->last_ns = event->t_ns;
    e->count++;
    e->by_level[level_of(event->site)]++;
    return 0;
}

static int by_count(const void *a, const void *b)
{
    const struct event_target *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    uint32_t n = x->target.n < y->target.n ? x->target.n : y->target.n;
    int order = n ? memcmp(x->target.p, y->target.p, n) : 0;
    return order ? order : (x->target.n > y->target.n) - (x->target.n < y->target.n);
}

static struct event_target *target_of(struct event_targets *out, struct map *seen,
                                      struct model_str text)
{
    uint64_t *slot = map_put(seen, map_hash_bytes(text.p, text.n, 0), UINT64_MAX);
    if (!slot)
        return NULL;
    if (*slot == UINT64_MAX) {
        struct event_target *made = VEC_PUSH(&out->items);
        if (!made)
            return NULL;
        made->target = text;
        *slot = out->items.count - 1;
    }
    assert(*slot < out->items.count);
    return &out->items.items[*slot];
}

int events_by_target(const struct events *e, struct event_targets *out)
{
    struct map seen = {0};
    int rc = 0;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < e->sites.count && rc == 0; i++) {
        const struct event_stats *s = &e->sites.items[i];
        if (s->count == 0)
            continue;
        struct model_str text = s->site ? s->site->target : (struct model_str){"", 0};
        struct event_target *target = target_of(out, &seen, text);
        if (!target) {
            rc = ORIEL_ENOMEM;
            break;
        }
        target->count += s->count;
        target->by_level[level_of(s->site)] += s->count;
    }
    map_done(&seen);
    if (rc != 0)
        VEC_DONE(&out->items);
    else if (out->items.count)
        qsort(out->items.items, out->items.count, sizeof *out->items.items, by_count);
    return rc;
}

void events_done(struct events *e)
{
    for (size_t i = 0; i < e->sites.count; i++)
        mem_free(e->sites.items[i].example);
    VEC_DONE(&e->sites);
}
