/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sampling decisions. The share that holds for a site is worked out once; a
 * decision then is a look-up and a compare of the trace id. The limit per second
 * is a bucket that a trace takes from, kept as the time at which it is full.
 */
#include "pipe/sample.h"

#include <assert.h>

#include "base/mem.h"
#include "base/ratio.h"

#define SECOND UINT64_C(1000000000)

static bool valid(const struct pipe_sampling *how)
{
    bool ok = how->size == sizeof *how && how->root <= PIPE_SAMPLE_RATIO && how->share >= 0 &&
              how->share <= 1 && how->remote_sampled <= PIPE_DELEGATE_RATIO &&
              how->remote_not_sampled <= PIPE_DELEGATE_RATIO &&
              how->local_sampled <= PIPE_DELEGATE_RATIO &&
              how->local_not_sampled <= PIPE_DELEGATE_RATIO;
    for (size_t i = 0; ok && i < how->rate_count; i++)
        ok = how->rates[i].target && how->rates[i].share >= 0 && how->rates[i].share <= 1;
    return ok;
}

/* Whether every span is wanted, whatever it is, and nothing is said of it that it did not bring. */
static bool takes_all(const struct pipe_sampling *how)
{
    bool root = how->root == PIPE_SAMPLE_ON || (how->root == PIPE_SAMPLE_RATIO && how->share >= 1);
    bool parents = how->parent_based && how->remote_not_sampled == PIPE_DELEGATE_ON &&
                   how->remote_sampled <= PIPE_DELEGATE_ON &&
                   how->local_sampled <= PIPE_DELEGATE_ON;
    return root && parents && how->rate_count == 0 && how->traces_per_s == 0;
}

static bool copy_rates(struct sampler *s, const struct pipe_sampling *how)
{
    arena_init(&s->arena);
    struct pipe_rate *rates =
        arena_alloc(&s->arena, how->rate_count * sizeof *rates, _Alignof(struct pipe_rate));
    for (size_t i = 0; rates && i < how->rate_count; i++) {
        const char *target = how->rates[i].target;
        rates[i] = how->rates[i];
        rates[i].target = arena_copy(&s->arena, target, strlen(target));
        if (!rates[i].target)
            rates = NULL;
    }
    s->how.rates = rates;
    return rates != NULL;
}

static bool compose_init(struct sampler *s, const struct compose *from)
{
    struct sampler_composed *c = mem_calloc(1, sizeof *c);
    if (!c)
        return false;
    arena_init(&c->arena);
    s->composed = c; /* sampler_done sees to it */
    s->how.composite = c->root = compose_copy(&c->arena, from);
    return c->root != NULL;
}

int sampler_init(struct sampler *s, const struct pipe_sampling *how)
{
    *s = (struct sampler){.active = false};
    if (!how)
        return 0;
    if (!valid(how))
        return ORIEL_EINVAL;
    s->how = *how;
    s->how.rates = NULL;
    if (how->rate_count && !copy_rates(s, how)) {
        sampler_done(s);
        return ORIEL_ENOMEM;
    }
    if (how->composite && !compose_init(s, how->composite)) {
        sampler_done(s);
        return ORIEL_ENOMEM;
    }
    s->active = how->composite || !takes_all(how);
    s->inherits = how->parent_based ? how->local_sampled == PIPE_AS_PARENT &&
                                          how->local_not_sampled == PIPE_AS_PARENT
                                    : how->rate_count == 0;
    s->threshold = how->root == PIPE_SAMPLE_OFF  ? RATIO_NONE
                   : how->root == PIPE_SAMPLE_ON ? 0
                                                 : ratio_threshold(how->share);
    s->by_share = !how->composite && how->rate_count == 0 && how->traces_per_s == 0;
    if (how->composite) { /* by the parent is what a local one was decided by */
        s->inherits = how->composite->kind == COMPOSE_PARENT;
        s->threshold = compose_usual(how->composite);
    }
    return 0;
}

void sampler_done(struct sampler *s)
{
    if (s->composed) {
        s->composed->before = s->retired;
        s->retired = s->composed;
    }
    for (struct sampler_composed *c = s->retired, *before; c; c = before) {
        before = c->before;
        arena_done(&c->arena);
        mem_free(c);
    }
    arena_done(&s->arena);
    mem_free(s->sites);
    *s = (struct sampler){.active = false};
}

void sampler_replace(struct sampler *s, const struct sampler *next)
{
    struct sampler_composed *kept = s->composed ? s->composed : s->retired;
    assert(!next->retired);
    if (s->composed)
        kept->before = s->retired;
    s->composed = s->retired = NULL;
    sampler_done(s);
    *s = *next;
    s->retired = kept;
}

/* ---- the share of a target ---- */

/* "net" is net, net.http, net::http and net/http, and not network. */
static bool below(struct model_str target, const char *rule, size_t n)
{
    if (n == 0)
        return true;
    if (target.n < n || memcmp(target.p, rule, n) != 0)
        return false;
    return target.n == n || target.p[n] == '.' || target.p[n] == '/' || target.p[n] == ':';
}

uint64_t sampler_threshold(const struct sampler *s, struct model_str target)
{
    uint64_t threshold = s->threshold;
    size_t longest = 0;
    for (size_t i = 0; i < s->how.rate_count; i++) {
        const struct pipe_rate *r = &s->how.rates[i];
        size_t n = strlen(r->target);
        if (n < longest || !below(target, r->target, n))
            continue;
        longest = n;
        threshold = ratio_threshold(r->share);
    }
    return threshold;
}

static bool grow(struct sampler *s, uint32_t index)
{
    size_t capacity = s->site_capacity ? s->site_capacity : 64;
    while (capacity <= index)
        capacity *= 2;
    uint64_t *more = mem_realloc(s->sites, capacity * sizeof *more);
    if (!more)
        return false;
    memset(more + s->site_capacity, 0, (capacity - s->site_capacity) * sizeof *more);
    s->sites = more;
    s->site_capacity = capacity;
    return true;
}

static uint64_t threshold_at(struct sampler *s, const struct model_site *site)
{
    if (s->how.rate_count == 0 || !site)
        return s->threshold;
    if (site->index >= s->site_capacity && !grow(s, site->index))
        return sampler_threshold(s,
                                 site->target); /* no memory to remember: work it out every time */
    uint64_t *known = &s->sites[site->index];
    if (!*known)
        *known = sampler_threshold(s, site->target) + 1;
    return *known - 1;
}

/* ---- so many a second ---- */

/* A trace costs a share of a second; what was saved up is a second at most. Records of
 * threads come nearly in order: time that steps back saves nothing up. */
static bool within_limit(struct sampler *s, uint64_t t_ns)
{
    if (s->how.traces_per_s == 0)
        return true;
    uint64_t cost = SECOND / s->how.traces_per_s;
    cost += cost == 0;
    if (t_ns > s->newest_ns)
        s->newest_ns = t_ns;
    uint64_t full = s->full_ns > s->newest_ns ? s->full_ns : s->newest_ns;
    if (full + cost > s->newest_ns + SECOND)
        return false;
    s->full_ns = full + cost;
    return true;
}

/* ---- decisions ---- */

/* A limit keeps fewer than the share says, and so nobody can count with the share. */
bool sampler_root(struct sampler *s, const struct model_site *site, uint64_t randomness,
                  uint64_t t_ns, uint64_t *out_threshold)
{
    assert(s->active);
    const uint64_t threshold = threshold_at(s, site);
    *out_threshold = s->how.traces_per_s ? SAMPLER_UNTOLD : threshold;
    return randomness >= threshold && within_limit(s, t_ns);
}

enum pipe_delegate sampler_delegate(const struct pipe_sampling *how, bool remote, bool sampled)
{
    if (remote)
        return sampled ? how->remote_sampled : how->remote_not_sampled;
    return sampled ? how->local_sampled : how->local_not_sampled;
}

bool sampler_child(struct sampler *s, bool remote, bool parent_sampled,
                   const struct model_site *site, uint64_t randomness, uint64_t *out_threshold)
{
    assert(s->active);
    *out_threshold = SAMPLER_AS_PARENT;
    /* Without regard to parents: within one process the share has been decided by the same id,
     * and the limit is one of traces. */
    if (!s->how.parent_based) {
        if (!remote && s->how.rate_count == 0)
            return parent_sampled;
        *out_threshold = threshold_at(s, site);
        return randomness >= *out_threshold;
    }
    switch (sampler_delegate(&s->how, remote, parent_sampled)) {
    case PIPE_DELEGATE_ON:
        *out_threshold = 0;
        return true;
    case PIPE_DELEGATE_OFF:
        *out_threshold = RATIO_NONE;
        return false;
    case PIPE_DELEGATE_RATIO:
        *out_threshold = ratio_threshold(s->how.share);
        return randomness >= *out_threshold;
    case PIPE_AS_PARENT:
        break;
    }
    return parent_sampled;
}

bool sampler_compose(struct sampler *s, const struct compose_span *span, uint64_t randomness,
                     uint64_t t_ns, struct compose_intent *out)
{
    assert(s->active && s->composed);
    compose_ask(s->composed->root, span, out);
    out->reliable = out->reliable && !s->how.traces_per_s;
    return out->threshold < RATIO_NONE && randomness >= out->threshold &&
           (!span->root || within_limit(s, t_ns));
}

bool sampler_guess(const struct sampler *s, const uint64_t trace[2])
{
    return !s->active || ratio_keeps(trace[1], s->threshold);
}
