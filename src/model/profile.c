/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The table of rows. Keyed by a hash; rows that share one are told apart by
 * looking, and take the next key.
 */
#include "model/profile.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/vec.h"

void model_profile_init(struct model_profile *p, bool by_span)
{
    memset(p, 0, sizeof *p);
    p->by_span = by_span;
    p->first_ns = UINT64_MAX;
}

void model_profile_done(struct model_profile *p)
{
    map_done(&p->by_hash);
    mem_free(p->rows);
    memset(p, 0, sizeof *p);
}

static bool same(const struct model_profile_row *a, const struct model_profile_row *b)
{
    return a->stack == b->stack && a->thread == b->thread && a->site == b->site &&
           a->kind == b->kind && a->span_id == b->span_id &&
           memcmp(a->trace_id, b->trace_id, sizeof a->trace_id) == 0;
}

static uint64_t hash(const struct model_profile_row *r)
{
    uint64_t parts[4] = {(uint64_t)r->stack << 32 | r->thread, (uintptr_t)r->site ^ r->kind,
                         r->span_id, 0};
    memcpy(&parts[3], r->trace_id, sizeof parts[3]);
    return map_hash_bytes(parts, sizeof parts, 0);
}

static struct model_profile_row *find(struct model_profile *p, const struct model_profile_row *like)
{
    for (uint64_t key = hash(like);; key++) {
        uint64_t *at = map_put(&p->by_hash, key, p->row_count);
        if (!at)
            return NULL;
        if (*at < p->row_count) {
            if (same(&p->rows[*at], like))
                return &p->rows[*at];
            continue;
        }
        size_t wide = p->row_capacity;
        if (p->row_count == UINT32_MAX ||
            (p->row_count == p->row_capacity &&
             !vec_grow((void **)&p->rows, &wide, p->row_count, sizeof *p->rows))) {
            (void)map_remove(&p->by_hash, key);
            return NULL;
        }
        p->row_capacity = wide > UINT32_MAX ? UINT32_MAX : (uint32_t)wide;
        p->rows[p->row_count] = *like;
        return &p->rows[p->row_count++];
    }
}

int model_profile_add(struct model_profile *p, const struct model_sample *s)
{
    assert(s->kind < ORIEL_SAMPLE_KINDS && s->thread);
    struct model_profile_row like = {
        .site = s->site, .stack = s->stack, .thread = s->thread->index, .kind = s->kind};
    if (p->by_span) {
        like.span_id = s->span_id;
        memcpy(like.trace_id, s->trace_id, sizeof like.trace_id);
    }
    struct model_profile_row *row = find(p, &like);
    if (!row)
        return ORIEL_ENOMEM;
    row->weight += s->weight;
    row->count += s->count;
    row->square += (double)s->weight * (double)s->weight;
    p->samples[s->kind] += s->weight || s->count; /* else it says that the thread was there */
    p->between += s->kind == ORIEL_SAMPLE_CPU && s->count == 0 && s->weight != 0;
    p->weight[s->kind] += s->weight;
    p->first_ns = s->t_ns < p->first_ns ? s->t_ns : p->first_ns;
    p->last_ns = s->t_ns > p->last_ns ? s->t_ns : p->last_ns;
    return 0;
}

uint64_t model_profile_samples(const struct model_profile *p)
{
    uint64_t samples = 0;
    for (unsigned kind = 0; kind < ORIEL_SAMPLE_KINDS; kind++)
        samples += p->samples[kind];
    assert(samples >= p->between);
    return samples - p->between;
}

static const struct {
    const char *name, *unit;
} kinds[ORIEL_SAMPLE_KINDS] = {
    [ORIEL_SAMPLE_CPU] = {"cpu", "nanoseconds"},
    [ORIEL_SAMPLE_OFF_CPU] = {"off_cpu", "nanoseconds"},
    [ORIEL_SAMPLE_ALLOC] = {"alloc_space", "bytes"},
    [ORIEL_SAMPLE_FREE] = {"free_space", "bytes"},
    [ORIEL_SAMPLE_LOCK] = {"lock", "nanoseconds"},
    [ORIEL_SAMPLE_FAULT] = {"page_faults", "count"},
    [ORIEL_SAMPLE_PREEMPTED] = {"preempted", "nanoseconds"},
    [ORIEL_SAMPLE_WAKE] = {"wakes", "nanoseconds"},
    [ORIEL_SAMPLE_DEPTH] = {"stack_depth", "bytes"},
    [ORIEL_SAMPLE_HOLDER] = {"lock_holder", "nanoseconds"},
    [ORIEL_SAMPLE_LIVE] = {"inuse_space", "bytes"},
    [ORIEL_SAMPLE_TEMPORARY] = {"temporary_space", "bytes"},
    [ORIEL_SAMPLE_PEAK] = {"peak_space", "bytes"},
    [ORIEL_SAMPLE_CONDITION] = {"condition", "nanoseconds"},
    [ORIEL_SAMPLE_CALL] = {"calls", "nanoseconds"},
};

const char *model_sample_kind_text(uint8_t kind)
{
    return kind < ORIEL_SAMPLE_KINDS && kinds[kind].name ? kinds[kind].name : "unknown";
}

const char *model_sample_unit(uint8_t kind)
{
    return kind < ORIEL_SAMPLE_KINDS && kinds[kind].unit ? kinds[kind].unit : "count";
}
