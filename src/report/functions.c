/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One pass over the rows; every stack is walked from its innermost function
 * out. What was met already in the same stack carries the row's number, so
 * that recursion counts once.
 */
#include "report/functions.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "report/glue.h"

bool profile_filter_takes(const struct profile_filter *f, const struct model_catalog *c,
                          const struct model_profile_row *row)
{
    if (row->kind != f->kind || (f->site && row->site != f->site) ||
        (f->outside_spans && row->site))
        return false;
    if (f->thread >= 0 && row->thread != (uint64_t)f->thread)
        return false;
    return f->process < 0 || c->threads[row->thread]->process == (uint64_t)f->process;
}

/* What is kept by a key while the rows pass: its place in the result, and the
 * last row it was met in. */
struct seen {
    struct map index;       /* key -> place in the result */
    VEC(uint32_t) last_row; /* by that place: number of the row + 1 */
};

static void seen_done(struct seen *s)
{
    map_done(&s->index);
    VEC_DONE(&s->last_row);
}

/* The place of a key. `count` is the next free one: if that is the answer, the
 * caller adds it. UINT32_MAX: no memory. */
static uint32_t seen_at(struct seen *s, uint64_t key, size_t count)
{
    uint64_t *at = map_put(&s->index, key, count);
    if (!at)
        return UINT32_MAX;
    if (*at == count && s->last_row.count == count) {
        if (!VEC_PUSH(&s->last_row)) {
            (void)map_remove(&s->index, key);
            return UINT32_MAX;
        }
    }
    return (uint32_t)*at;
}

/* True the first time in this row. */
static bool first_in_row(struct seen *s, uint32_t at, uint32_t row)
{
    bool first = s->last_row.items[at] != row + 1;
    s->last_row.items[at] = row + 1;
    return first;
}

/* ---- functions ---- */

static int by_self(const void *a, const void *b)
{
    const struct function_sum *x = a, *y = b;
    if (x->self != y->self)
        return x->self < y->self ? 1 : -1;
    if (x->total != y->total)
        return x->total < y->total ? 1 : -1;
    return x->frame < y->frame ? -1 : x->frame > y->frame;
}

static bool add_function(struct function_sums *out, struct seen *seen, uint32_t frame, uint32_t row,
                         const struct model_profile_row *r, bool innermost)
{
    uint32_t at = seen_at(seen, frame, out->items.count);
    if (at == UINT32_MAX)
        return false;
    if (at == out->items.count) {
        struct function_sum *new = VEC_PUSH(&out->items);
        if (!new)
            return false;
        new->frame = frame;
    }
    struct function_sum *sum = &out->items.items[at];
    if (first_in_row(seen, at, row)) {
        sum->total += r->weight;
        sum->total_count += r->count;
        sum->total_square += r->square;
    }
    if (innermost) {
        sum->self += r->weight;
        sum->self_count += r->count;
        sum->self_square += r->square;
    }
    return true;
}

static bool is_memory(uint8_t kind)
{
    return strcmp(model_sample_unit(kind), "bytes") == 0 && kind != ORIEL_SAMPLE_DEPTH;
}

/* The innermost function that asked for what was sampled; 0: there is none. Containers ask for
 * memory, and guards for locks, on behalf of whoever uses them. */
static size_t first_user(const struct frames *f, const struct frame_list *stack, uint8_t kind)
{
    const bool locks =
        kind == ORIEL_SAMPLE_LOCK || kind == ORIEL_SAMPLE_HOLDER || kind == ORIEL_SAMPLE_CONDITION;
    const bool handed_on = locks || is_memory(kind);
    for (size_t k = 0; k < stack->items.count; k++) {
        const struct frame *frame = &f->items.items[stack->items.items[k].frame];
        const struct model_module *m = frame->module;
        if ((!m || m->kind != MODEL_MODULE_KERNEL) && !(locks && frames_is_own(m)) &&
            !(handed_on && (name_is_glue(frame->name) || file_is_glue(frame->file))))
            return k;
    }
    return 0;
}

int functions_sum(struct frames *f, const struct model_profile *p, const struct model_catalog *c,
                  const struct profile_filter *filter, struct function_sums *out)
{
    struct seen seen = {0};
    struct frame_list stack = {0};
    int rc = 0;
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; rc == 0 && i < p->row_count; i++) {
        const struct model_profile_row *r = &p->rows[i];
        if (!profile_filter_takes(filter, c, r))
            continue;
        out->weight += r->weight;
        out->count += r->count;
        rc = frames_list(f, r->stack, &stack);
        size_t self = rc == 0 && filter->user_self ? first_user(f, &stack, filter->kind) : 0;
        for (size_t k = 0; rc == 0 && k < stack.items.count; k++)
            if (!add_function(out, &seen, stack.items.items[k].frame, i, r, k == self))
                rc = ORIEL_ENOMEM;
    }
    if (out->items.count)
        qsort(out->items.items, out->items.count, sizeof *out->items.items, by_self);
    seen_done(&seen);
    VEC_DONE(&stack.items);
    return rc;
}

void function_sums_done(struct function_sums *s)
{
    VEC_DONE(&s->items);
}

/* ---- edges ---- */

static int by_weight(const void *a, const void *b)
{
    const struct function_edge *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight < y->weight ? 1 : -1;
    return x->frame < y->frame ? -1 : x->frame > y->frame;
}

static bool add_edge(struct function_edges *out, bool callee, struct seen *seen, uint32_t frame,
                     uint32_t row, uint64_t weight, uint64_t samples)
{
    size_t count = callee ? out->callees.count : out->callers.count;
    uint32_t at = seen_at(seen, frame, count);
    if (at == UINT32_MAX)
        return false;
    if (at == count) {
        struct function_edge *new = callee ? VEC_PUSH(&out->callees) : VEC_PUSH(&out->callers);
        if (!new)
            return false;
        new->frame = frame;
    }
    struct function_edge *e = callee ? &out->callees.items[at] : &out->callers.items[at];
    if (first_in_row(seen, at, row))
        e->weight += weight;
    e->count += samples;
    return true;
}

/* The edges of `frame` in one stack. A call of itself is no edge. */
static bool add_edges(struct function_edges *out, struct seen seen[2],
                      const struct frame_list *stack, uint32_t frame, uint32_t index,
                      const struct model_profile_row *row)
{
    const struct frame_at *at = stack->items.items;
    size_t n = stack->items.count;
    for (size_t k = 0; k < n; k++) {
        if (at[k].frame != frame)
            continue;
        uint32_t caller = k + 1 < n ? at[k + 1].frame : FRAMES_NONE;
        if (caller != frame &&
            !add_edge(out, false, &seen[0], caller, index, row->weight, k == 0 ? row->count : 0))
            return false;
        if (k > 0 && at[k - 1].frame != frame &&
            !add_edge(out, true, &seen[1], at[k - 1].frame, index, row->weight,
                      k == 1 ? row->count : 0))
            return false;
    }
    return true;
}

int functions_edges(struct frames *f, const struct model_profile *p, const struct model_catalog *c,
                    const struct profile_filter *filter, uint32_t frame, struct function_edges *out)
{
    struct seen seen[2] = {{{0}, {0}}, {{0}, {0}}};
    struct frame_list stack = {0};
    int rc = 0;
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; rc == 0 && i < p->row_count; i++) {
        const struct model_profile_row *r = &p->rows[i];
        if (!profile_filter_takes(filter, c, r))
            continue;
        rc = frames_list(f, r->stack, &stack);
        if (rc == 0 && !add_edges(out, seen, &stack, frame, i, r))
            rc = ORIEL_ENOMEM;
    }
    if (out->callers.count)
        qsort(out->callers.items, out->callers.count, sizeof *out->callers.items, by_weight);
    if (out->callees.count)
        qsort(out->callees.items, out->callees.count, sizeof *out->callees.items, by_weight);
    seen_done(&seen[0]);
    seen_done(&seen[1]);
    VEC_DONE(&stack.items);
    return rc;
}

void function_edges_done(struct function_edges *e)
{
    VEC_DONE(&e->callers);
    VEC_DONE(&e->callees);
}

/* ---- lines ---- */

static int by_line(const void *a, const void *b)
{
    const struct line_sum *x = a, *y = b;
    uint32_t n = x->file.n < y->file.n ? x->file.n : y->file.n;
    int order = n ? memcmp(x->file.p, y->file.p, n) : 0;
    if (order == 0)
        order = x->file.n < y->file.n ? -1 : x->file.n > y->file.n;
    if (order == 0)
        order = x->line < y->line ? -1 : x->line > y->line;
    return order ? order : x->frame < y->frame ? -1 : x->frame > y->frame;
}

static bool add_line(struct line_sums *out, struct seen *seen, const struct frame_at *at,
                     uint32_t row, uint64_t weight, bool innermost)
{
    /* Equal file names are one text in the model: its address tells them apart. */
    uint64_t parts[2] = {(uint64_t)at->frame << 32 | at->line, (uintptr_t)at->file.p};
    uint64_t key = map_hash_bytes(parts, sizeof parts, 0);
    uint32_t index = seen_at(seen, key, out->items.count);
    if (index == UINT32_MAX)
        return false;
    if (index == out->items.count) {
        struct line_sum *new = VEC_PUSH(&out->items);
        if (!new)
            return false;
        *new = (struct line_sum){.file = at->file, .line = at->line, .frame = at->frame};
    }
    struct line_sum *sum = &out->items.items[index];
    if (first_in_row(seen, index, row))
        sum->total += weight;
    if (innermost)
        sum->self += weight;
    return true;
}

int functions_lines(struct frames *f, const struct model_profile *p, const struct model_catalog *c,
                    const struct profile_filter *filter, uint32_t frame, struct line_sums *out)
{
    struct seen seen = {0};
    struct frame_list stack = {0};
    int rc = 0;
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; rc == 0 && i < p->row_count; i++) {
        const struct model_profile_row *r = &p->rows[i];
        if (!profile_filter_takes(filter, c, r))
            continue;
        rc = frames_list(f, r->stack, &stack);
        for (size_t k = 0; rc == 0 && k < stack.items.count; k++) {
            const struct frame_at *at = &stack.items.items[k];
            if ((frame == FRAMES_NONE || at->frame == frame) &&
                !add_line(out, &seen, at, i, r->weight, k == 0))
                rc = ORIEL_ENOMEM;
        }
    }
    if (out->items.count)
        qsort(out->items.items, out->items.count, sizeof *out->items.items, by_line);
    seen_done(&seen);
    VEC_DONE(&stack.items);
    return rc;
}

void line_sums_done(struct line_sums *s)
{
    VEC_DONE(&s->items);
}
