/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What share of the CPU time has no function's name, and what to do about it:
 * the file that lacks symbols most, and code made at run time; and what share is
 * not the program's but of our hooks in it. Pure.
 */
#include <string.h>

#include "base/mem.h"
#include "report/text.h"

#define TOLD_PERCENT 10u /* less is not worth a line */
#define OWN_PERCENT 1u   /* of what is ours */

/* The module of the innermost function, when nobody could name it. */
static const struct model_module *unnamed_module(const struct model_stacks *s,
                                                 const struct model_profile_row *row)
{
    const struct model_stack *node = model_stack(s, row->stack);
    const struct model_place *p = node ? model_stack_place(s, node) : NULL;
    const struct model_module *m = p ? s->modules[p->module] : NULL;
    return m && (p->line_count == 0 || frames_is_start(m, &p->lines[0])) ? m : NULL;
}

static bool is_told(uint64_t weight, uint64_t all)
{
    return weight > 0 && (double)weight * 100 >= (double)all * TOLD_PERCENT;
}

void report_text_unnamed(const struct report *r, struct buf *out)
{
    const struct model_stacks *s = &r->catalog->stacks;
    uint64_t all = r->profile.weight[ORIEL_SAMPLE_CPU], made = 0;
    const struct model_module *most = NULL;
    uint64_t *of = mem_calloc(s->module_count + 1, sizeof *of);
    char share[NUM_TEXT_MAX];
    for (uint32_t i = 0; of && i < r->profile.row_count; i++) {
        const struct model_profile_row *row = &r->profile.rows[i];
        const struct model_module *m =
            row->kind == ORIEL_SAMPLE_CPU ? unnamed_module(s, row) : NULL;
        if (!m || (m->kind != MODEL_MODULE_FILE && m->kind != MODEL_MODULE_JIT))
            continue;
        of[m->index] += row->weight;
        made += m->kind == MODEL_MODULE_JIT ? row->weight : 0;
        if (m->kind == MODEL_MODULE_FILE && (!most || of[m->index] > of[most->index]))
            most = m;
    }
    if (most && is_told(of[most->index], all)) {
        const char *slash = memrchr(most->path.p, '/', most->path.n);
        const char *name = slash ? slash + 1 : most->path.p;
        sheet_line(r, out, TABLE_YELLOW,
                   "%s of the CPU time is in functions of %.*s that have no names: install its "
                   "debug symbols, or set DEBUGINFOD_URLS",
                   num_percent(share, (double)of[most->index], (double)all),
                   (int)(most->path.p + most->path.n - name), name);
    }
    if (is_told(made, all))
        sheet_line(r, out, TABLE_YELLOW,
                   "%s of the CPU time is in code made at run time that has no names: run node "
                   "with --perf-basic-prof, Java with -XX:+DumpPerfMapAtExit, python with -X perf",
                   num_percent(share, (double)made, (double)all));
    mem_free(of);
}

/* The innermost module outside the kernel: what a hook has the kernel do is the hook's. */
static const struct model_module *user_module(const struct model_stacks *s, uint32_t stack)
{
    const struct model_stack *node = model_stack(s, stack);
    for (; node; node = model_stack(s, node->parent)) {
        const struct model_place *p = model_stack_place(s, node);
        const struct model_module *m = p ? s->modules[p->module] : NULL;
        if (m && m->kind != MODEL_MODULE_KERNEL)
            return m;
    }
    return NULL;
}

void report_text_own(const struct report *r, struct buf *out)
{
    const uint64_t all = r->profile.weight[ORIEL_SAMPLE_CPU];
    uint64_t own = 0;
    char share[NUM_TEXT_MAX];
    for (uint32_t i = 0; i < r->profile.row_count; i++) {
        const struct model_profile_row *row = &r->profile.rows[i];
        if (row->kind == ORIEL_SAMPLE_CPU &&
            frames_is_own(user_module(&r->catalog->stacks, row->stack)))
            own += row->weight;
    }
    if (own && (double)own * 100 >= (double)all * OWN_PERCENT)
        sheet_line(r, out, TABLE_YELLOW,
                   "%s of the CPU time was Oriel's own hooks in the program (liboriel-*), not the "
                   "program's",
                   num_percent(share, (double)own, (double)all));
}
