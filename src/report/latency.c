/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Pairs up A and B as they pass. Pure; one thread at a time.
 */
#include "report/latency.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

struct seen { /* an A or a B */
    uint64_t t_ns;
    const uint8_t *trace_id;
    const struct model_thread *thread;
    const struct model_value *attrs;
    uint32_t attr_count;
};

bool latency_wanted(const struct latency *l)
{
    return l->from && l->to;
}

static bool is(const struct model_site *site, const char *name)
{
    size_t n = strlen(name);
    return site && site->name.n == n && memcmp(site->name.p, name, n) == 0;
}

static bool is_span(const struct model_span *span, const char *name)
{
    struct model_str own = {name, (uint32_t)strlen(name)};
    return span->flags & MODEL_SPAN_RENAMED ? model_str_equal(model_span_name(span), own)
                                            : is(span->site, name);
}

static bool hash_key(const struct seen *s, const char *key, uint64_t *out)
{
    size_t n = strlen(key);
    for (uint32_t i = 0; i < s->attr_count; i++) {
        const struct model_value *v = &s->attrs[i];
        if (v->key.n != n || memcmp(v->key.p, key, n) != 0)
            continue;
        if (v->type == ORIEL_TYPE_STR || v->type == ORIEL_TYPE_BYTES)
            *out = map_hash_bytes(v->v.str.p, v->v.str.n, 1);
        else if (v->type == ORIEL_TYPE_BOOL)
            *out = v->v.b;
        else
            *out = v->v.u64; /* same bits for signed and unsigned */
        return true;
    }
    return false;
}

/* What A and B must have in common; false: this one has no such thing. */
static bool common(const struct latency *l, const struct seen *s, unsigned way, uint64_t *out)
{
    static const uint8_t none[16];
    if (way == LATENCY_KEY)
        return hash_key(s, l->key, out);
    if (way == LATENCY_THREAD) {
        *out = s->thread ? s->thread->index : 0;
        return s->thread != NULL;
    }
    *out = map_hash_bytes(s->trace_id, 16, 2);
    return memcmp(s->trace_id, none, 16) != 0;
}

static int open_from(struct latency_way *w, uint64_t id, uint64_t t_ns)
{
    uint64_t *slot = map_get(&w->open, id);
    if (slot) {
        w->from_unmatched++;
        *slot = t_ns;
        return 0;
    }
    if (w->open.count >= LATENCY_OPEN_MAX) {
        w->from_unmatched++;
        return 0;
    }
    return map_put(&w->open, id, t_ns) ? 0 : ORIEL_ENOMEM;
}

static void keep_slow(struct latency_way *w, struct latency_pair p)
{
    uint64_t ns = p.to_ns - p.from_ns;
    uint32_t at = w->slow_count;
    assert(p.to_ns >= p.from_ns && at <= LATENCY_SLOW);
    if (at == LATENCY_SLOW && ns <= w->slow[at - 1].to_ns - w->slow[at - 1].from_ns)
        return;
    if (at == LATENCY_SLOW)
        at--;
    else
        w->slow_count++;
    for (; at && w->slow[at - 1].to_ns - w->slow[at - 1].from_ns < ns; at--)
        w->slow[at] = w->slow[at - 1];
    w->slow[at] = p;
}

static int close_to(struct latency_way *w, uint64_t id, const struct seen *s)
{
    const uint64_t *from = map_get(&w->open, id);
    if (!from || *from > s->t_ns) {
        w->to_unmatched++;
        return 0;
    }
    struct latency_pair p = {*from, s->t_ns, s->thread};
    uint64_t ns = p.to_ns - p.from_ns;
    map_remove(&w->open, id);
    w->max = ns > w->max ? ns : w->max;
    w->sum += ns;
    keep_slow(w, p);
    return hist_add(&w->hist, ns) ? 0 : ORIEL_ENOMEM;
}

static int see(struct latency *l, const struct seen *s, bool from)
{
    int rc = 0;
    if (from)
        l->from_seen++;
    else
        l->to_seen++;
    for (unsigned way = 0; way < LATENCY_WAYS; way++) {
        struct latency_way *w = &l->ways[way];
        uint64_t id;
        if ((way == LATENCY_KEY) != (l->key != NULL))
            continue;
        if (!common(l, s, way, &id)) {
            *(from ? &w->from_unmatched : &w->to_unmatched) += 1;
            continue;
        }
        int one = from ? open_from(w, id, s->t_ns) : close_to(w, id, s);
        rc = one ? one : rc;
    }
    return rc;
}

/* B before A: where both have one name, each closes the pair before it. */
int latency_span(struct latency *l, const struct model_span *span)
{
    struct seen s = {span->start_ns, span->trace_id, span->thread, span->attrs, span->attr_count};
    int rc = 0;
    if (is_span(span, l->to) && !(span->flags & MODEL_SPAN_ORPHAN_END))
        rc = see(l, &s, false);
    if (is_span(span, l->from) && !(span->flags & MODEL_SPAN_UNFINISHED)) {
        s.t_ns = span->end_ns;
        s.thread = span->end_thread ? span->end_thread : span->thread;
        int one = see(l, &s, true);
        rc = one ? one : rc;
    }
    return rc;
}

int latency_event(struct latency *l, const struct model_event *event)
{
    const struct seen s = {event->t_ns, event->trace_id, event->thread, event->attrs,
                           event->attr_count};
    int rc = 0;
    if (is(event->site, l->to))
        rc = see(l, &s, false);
    if (is(event->site, l->from)) {
        int one = see(l, &s, true);
        rc = one ? one : rc;
    }
    return rc;
}

unsigned latency_best(const struct latency *l)
{
    if (l->key)
        return LATENCY_KEY;
    return l->ways[LATENCY_TRACE].hist.count || !l->ways[LATENCY_THREAD].hist.count
               ? LATENCY_TRACE
               : LATENCY_THREAD;
}

const char *latency_way_text(unsigned way)
{
    static const char *const texts[LATENCY_WAYS] = {"trace", "thread", "key"};
    assert(way < LATENCY_WAYS);
    return texts[way];
}

uint64_t latency_from_unmatched(const struct latency_way *w)
{
    return w->from_unmatched + w->open.count;
}

void latency_done(struct latency *l)
{
    for (unsigned way = 0; way < LATENCY_WAYS; way++) {
        map_done(&l->ways[way].open);
        hist_done(&l->ways[way].hist);
    }
    memset(l, 0, sizeof *l);
}
