/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One pass over the rows of the profile: every stack is a path of calls, its weight the
 * time in the innermost function itself. So an edge's time is the sum of all paths that
 * have it, once each.
 */
#include "report/callsums.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "report/functions.h"
#include "report/state.h"

static bool is(struct model_str s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static uint64_t number(const struct model_event *e, const char *key)
{
    for (uint32_t i = 0; i < e->attr_count; i++)
        if (is(e->attrs[i].key, key))
            return e->attrs[i].v.u64;
    return 0;
}

void callsums_event(struct callsums *c, const struct model_event *e)
{
    if (!is(e->site->target, "oriel.calls") || !is(e->site->name, "calls.told"))
        return;
    c->said = true;
    c->counted += number(e, "counted");
    c->told += number(e, "told");
    c->too_deep += number(e, "too_deep");
    c->no_room += number(e, "no_room");
    c->ring_full += number(e, "ring_full");
}

static void widen(struct call_times *t, uint64_t least, uint64_t most)
{
    t->least = least < t->least ? least : t->least;
    t->most = most > t->most ? most : t->most;
}

int callsums_sample(struct callsums *c, const struct model_sample *s)
{
    if (s->kind != ORIEL_SAMPLE_CALL || s->extra == 0)
        return 0;
    while (c->by_stack.count <= s->stack) {
        struct call_times *new = VEC_PUSH(&c->by_stack);
        if (!new)
            return ORIEL_ENOMEM;
        new->least = UINT64_MAX;
    }
    widen(&c->by_stack.items[s->stack], ORIEL_CALL_LEAST(s->extra), ORIEL_CALL_MOST(s->extra));
    return 0;
}

void callsums_done(struct callsums *c)
{
    VEC_DONE(&c->by_stack);
}

/* ---- tables ---- */

struct maker {
    const struct report *r;
    struct frames *f;
    struct call_tables *out;
    struct frame_list stack;
    struct map row_of, edge_of; /* frame, and both frames -> its place */
    VEC(uint32_t) last;         /* by edge: the row of the profile it was met in + 1 */
};

static bool make_rows(struct maker *m, const struct function_sums *sums)
{
    for (size_t i = 0; i < sums->items.count; i++) {
        const struct function_sum *s = &sums->items.items[i];
        struct call_row *row = VEC_PUSH(&m->out->rows);
        if (!row || !map_put(&m->row_of, s->frame, i))
            return false;
        *row = (struct call_row){s->frame, s->self_count, s->total, s->self, {UINT64_MAX, 0}};
    }
    m->out->calls = sums->count;
    m->out->self = sums->weight;
    return true;
}

static void add_times(struct maker *m, const struct model_profile_row *row, uint32_t frame)
{
    const struct callsums *c = &m->r->calls;
    const uint64_t *at = map_get(&m->row_of, frame);
    if (at && row->stack < c->by_stack.count && c->by_stack.items[row->stack].most)
        widen(&m->out->rows.items[*at].times, c->by_stack.items[row->stack].least,
              c->by_stack.items[row->stack].most);
}

static bool add_edge(struct maker *m, uint32_t caller, uint32_t callee, uint32_t index, bool leaf)
{
    const struct model_profile_row *row = &m->r->profile.rows[index];
    uint64_t *at = map_put(&m->edge_of, (uint64_t)caller << 32 | callee, m->out->edges.count);
    if (!at)
        return false;
    if (*at == m->out->edges.count) {
        struct call_edge *new = VEC_PUSH(&m->out->edges);
        if (!new || (m->last.count < m->out->edges.count && !VEC_PUSH(&m->last)))
            return false;
        *new = (struct call_edge){.caller = caller, .callee = callee};
    }
    struct call_edge *e = &m->out->edges.items[*at];
    if (m->last.items[*at] != index + 1)
        e->total += row->weight;
    m->last.items[*at] = index + 1;
    e->calls += leaf ? row->count : 0;
    return true;
}

static int add_row(struct maker *m, uint32_t index)
{
    const struct model_profile_row *row = &m->r->profile.rows[index];
    int rc = frames_list(m->f, row->stack, &m->stack);
    const struct frame_at *at = m->stack.items.items;
    const size_t n = rc == 0 ? m->stack.items.count : 0;
    if (n)
        add_times(m, row, at[0].frame);
    for (size_t k = 0; rc == 0 && k < n; k++)
        if (!add_edge(m, k + 1 < n ? at[k + 1].frame : FRAMES_NONE, at[k].frame, index, k == 0))
            rc = ORIEL_ENOMEM;
    return rc;
}

static int by_total(const void *a, const void *b)
{
    const struct call_edge *x = a, *y = b;
    if (x->total != y->total)
        return x->total < y->total ? 1 : -1;
    if (x->calls != y->calls)
        return x->calls < y->calls ? 1 : -1;
    if (x->caller != y->caller)
        return x->caller < y->caller ? -1 : 1;
    return x->callee < y->callee ? -1 : x->callee > y->callee;
}

int call_tables_make(const struct report *r, struct frames *f, struct call_tables *out)
{
    const struct profile_filter all = {.kind = ORIEL_SAMPLE_CALL, .thread = -1, .process = -1};
    struct maker m = {.r = r, .f = f, .out = out};
    struct function_sums sums;
    memset(out, 0, sizeof *out);
    int rc = functions_sum(f, &r->profile, r->catalog, &all, &sums);
    if (rc == 0 && !make_rows(&m, &sums))
        rc = ORIEL_ENOMEM;
    function_sums_done(&sums);
    for (uint32_t i = 0; rc == 0 && i < r->profile.row_count; i++)
        if (r->profile.rows[i].kind == ORIEL_SAMPLE_CALL)
            rc = add_row(&m, i);
    if (out->edges.count)
        qsort(out->edges.items, out->edges.count, sizeof *out->edges.items, by_total);
    assert(rc || out->edges.count >= out->rows.count);
    VEC_DONE(&m.stack.items);
    map_done(&m.row_of);
    map_done(&m.edge_of);
    VEC_DONE(&m.last);
    return rc;
}

void call_tables_done(struct call_tables *t)
{
    VEC_DONE(&t->rows);
    VEC_DONE(&t->edges);
}
