/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A ring of changes per thread that was seen waiting. It grows while there are
 * that many within KEEP_NS, up to a bound; then the oldest goes.
 */
#include "pipe/past.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_CHANGES = 64 };
_Static_assert((FIRST_CHANGES & (FIRST_CHANGES - 1)) == 0 && PAST_MAX % FIRST_CHANGES == 0,
               "it doubles up to the bound");
#define KEEP_NS UINT64_C(200000000) /* twice as long as waits are counted together */

const struct open_span past_nobody = {.span_id = 0};

static inline struct past_change *change_at(const struct past *p, uint32_t i)
{
    assert(i < p->capacity);
    return &p->items[(p->first + i) & (p->capacity - 1)];
}

static bool grow(struct past *p)
{
    uint32_t capacity = p->capacity ? p->capacity * 2 : FIRST_CHANGES;
    struct past_change *more = mem_alloc(capacity * sizeof *more);
    if (!more)
        return false;
    for (uint32_t i = 0; i < p->count; i++)
        more[i] = *change_at(p, i);
    mem_free(p->items);
    p->items = more;
    p->first = 0;
    p->capacity = capacity;
    return true;
}

/* Where one more is kept, instead of the oldest if need be. */
static __attribute__((noinline)) struct past_change *add_change(struct past *p, uint64_t trace_hi,
                                                                uint64_t trace_lo, uint64_t span_id,
                                                                const struct model_site *site,
                                                                uint64_t t_ns)
{
    const bool room = p->count < p->capacity ||
                      (p->capacity < PAST_MAX && change_at(p, 0)->t_ns + KEEP_NS > t_ns && grow(p));
    return past_fill(p, room ? change_at(p, p->count++) : past_take_oldest(p), trace_hi, trace_lo,
                     span_id, site, t_ns);
}

static struct past_change *add(struct past *p, uint64_t t_ns, const struct open_span *in)
{
    return add_change(p, in->trace[0], in->trace[1], in->span_id, in->site, t_ns);
}

struct past *past_new(const struct thread_state *t)
{
    const struct open_span *in = past_innermost(t);
    struct past *p = mem_calloc(1, sizeof *p);
    if (!p || !grow(p)) {
        mem_free(p);
        return NULL;
    }
    (void)add(p, in->start_ns, in);
    return p;
}

/* Nothing of the thread's own happens while it waits: only clocks may differ a little. A wait
 * has two parts of one end: until somebody woke it, and until it ran. */
void past_gap(struct past *p, const struct thread_state *t, uint64_t t_ns, uint64_t ns)
{
    const struct past_change *last = change_at(p, p->count - 1);
    const bool second = p->count > 2 && last->t_ns == t_ns && change_at(p, p->count - 2)->gap;
    struct past_change *gap = second ? change_at(p, p->count - 2) : NULL;
    const struct past_change *before = gap ? change_at(p, p->count - 3) : last;
    uint64_t end = gap ? gap->t_ns : t_ns, begin = end > ns ? end - ns : 0;
    begin = begin > before->t_ns ? begin : before->t_ns;
    p->to_ns = 0; /* what was divided is no longer all there is */
    if (gap) {
        gap->t_ns = begin;
        return;
    }
    if (begin >= t_ns)
        return;
    add(p, begin, &past_nobody)->gap = true;
    (void)add(p, t_ns, past_innermost(t));
}

void past_free(struct past *p)
{
    if (p)
        mem_free(p->items);
    mem_free(p);
}

void past_add(struct past *p, uint64_t trace_hi, uint64_t trace_lo, uint64_t span_id,
              const struct model_site *site, uint64_t t_ns)
{
    (void)add_change(p, trace_hi, trace_lo, span_id, site, t_ns);
}

static void give(struct past *p, const struct past_change *to, uint64_t ns)
{
    uint32_t i = 0;
    while (i < p->part_count && p->parts[i].site != to->site)
        i++;
    if (i == PAST_PARTS)
        i = 0;
    struct past_part *part = &p->parts[i];
    if (i == p->part_count) {
        *part = (struct past_part){
            .site = to->site, .trace = {to->trace[0], to->trace[1]}, .span_id = to->span_id};
        p->part_count++;
    }
    if (part->span_id != to->span_id)
        part->span_id = part->trace[0] = part->trace[1] = 0;
    part->ns += ns;
}

void past_divide(struct past *p, uint64_t from_ns, uint64_t to_ns)
{
    static const struct past_change nobody = {0};
    uint64_t end = to_ns, gaps = 0;
    assert(from_ns < to_ns);
    if (p->from_ns == from_ns && p->to_ns == to_ns)
        return; /* all places of a while are told one after the other */
    p->part_count = 0;
    give(p, &nobody, 0);
    for (uint32_t i = p->count; i-- > 0 && end > from_ns;) {
        const struct past_change *c = change_at(p, i);
        uint64_t begin = c->t_ns > from_ns ? c->t_ns : from_ns;
        if (begin >= end)
            continue;
        if (c->gap)
            gaps += end - begin;
        else
            give(p, c, end - begin);
        end = begin;
    }
    p->parts[0].ns += end - from_ns;
    p->sum_ns = to_ns - from_ns - gaps;
    p->from_ns = from_ns;
    p->to_ns = to_ns;
}
