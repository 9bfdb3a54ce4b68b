/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One pass over the rows of the profile, one over the processes.
 */
#include "report/programs.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "report/state.h"

/* What a thread of it is called stands for a program that was gone before it was looked at. */
static struct model_str name_of(const struct model_process *p, const struct model_thread *t)
{
    if (p->name.n)
        return p->name;
    return t->name.n ? t->name : MODEL_STR("(unknown)");
}

/* NULL: no memory. */
static struct program *find(struct programs *p, struct model_str name)
{
    for (size_t i = 0; i < p->items.count; i++)
        if (model_str_equal(p->items.items[i].name, name))
            return &p->items.items[i];
    struct program *new = VEC_PUSH(&p->items);
    if (new)
        new->name = name;
    return new;
}

static int busiest_first(const void *a, const void *b)
{
    static const uint8_t times[] = {ORIEL_SAMPLE_CPU, ORIEL_SAMPLE_PREEMPTED, ORIEL_SAMPLE_OFF_CPU};
    const struct program *x = a, *y = b;
    for (size_t i = 0; i < sizeof times; i++)
        if (x->weight[times[i]] != y->weight[times[i]])
            return x->weight[times[i]] < y->weight[times[i]] ? 1 : -1;
    return 0;
}

/* `of_process`: the place of its program + 1, by index of the process. */
static int sum(const struct report *r, struct programs *out, uint32_t *of_process)
{
    const struct model_catalog *c = r->catalog;
    for (uint32_t i = 0; i < r->profile.row_count; i++) {
        const struct model_profile_row *row = &r->profile.rows[i];
        const struct model_thread *t =
            row->thread < c->thread_count ? c->threads[row->thread] : NULL;
        if (!t)
            continue;
        if (of_process[t->process] == 0) {
            struct program *p = find(out, name_of(c->processes[t->process], t));
            if (!p)
                return ORIEL_ENOMEM;
            of_process[t->process] = (uint32_t)(p - out->items.items) + 1;
            p->processes++;
        }
        out->items.items[of_process[t->process] - 1].weight[row->kind] += row->weight;
    }
    return 0;
}

int programs_sum(const struct report *r, struct programs *out)
{
    uint32_t *of_process = mem_calloc(r->catalog->process_count + 1, sizeof *of_process);
    *out = (struct programs){0};
    int rc = of_process ? sum(r, out, of_process) : ORIEL_ENOMEM;
    mem_free(of_process);
    if (out->items.count > 1)
        qsort(out->items.items, out->items.count, sizeof *out->items.items, busiest_first);
    return rc;
}

void programs_done(struct programs *p)
{
    VEC_DONE(&p->items);
}

const struct program *programs_most(const struct programs *p, uint8_t kind)
{
    const struct program *most = NULL;
    for (size_t i = 0; i < p->items.count; i++)
        if (p->items.items[i].weight[kind] > (most ? most->weight[kind] : 0))
            most = &p->items.items[i];
    return most;
}
