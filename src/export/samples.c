/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sums and stacks for outlets of samples. Pure; one thread.
 */
#include "export/samples.h"

#include <assert.h>
#include <string.h>

#define LABEL_BYTES 256u

const char *const export_sample_kinds[] = {
    "all",   "cpu",    "off-cpu", "alloc",     "free", "lock",      "fault", "preempted", "wake",
    "depth", "holder", "live",    "temporary", "peak", "condition", "calls", NULL};
_Static_assert(sizeof export_sample_kinds / sizeof *export_sample_kinds == ORIEL_SAMPLE_KINDS + 1,
               "a name for each kind");

int export_samples_write(struct export_samples *s, const struct model_batch *batch,
                         struct oriel_err *err)
{
    uint64_t before = s->missed;
    for (size_t i = 0; i < batch->item_count; i++) {
        const struct model_sample *sample = &batch->items[i].u.sample;
        if (batch->items[i].kind == MODEL_ITEM_SAMPLE && (!s->kind || sample->kind == s->kind))
            s->missed += model_profile_add(&s->profile, sample) < 0;
    }
    return s->missed == before ? 0
                               : err_set(err, ORIEL_ENOMEM, "%s: samples are missing: %s",
                                         s->outlet, err_text(ORIEL_ENOMEM));
}

int export_samples_any(const struct export_samples *s, struct oriel_err *err)
{
    assert(s->kind >= 0 && s->kind < ORIEL_SAMPLE_KINDS);
    if (s->profile.row_count || s->missed)
        return 0;
    return err_set(err, ORIEL_ENOTFOUND, "%s: the recording holds no %s%ssamples%s", s->outlet,
                   s->kind ? export_sample_kinds[s->kind] : "", s->kind ? " " : "",
                   s->kind > ORIEL_SAMPLE_CPU ? "" : "; record with --rate 99");
}

int export_samples_failed(struct export_samples *s, struct out *out, uint64_t keep, int rc,
                          struct oriel_err *err)
{
    if (out_can_seek(out))
        (void)out_truncate(out, keep);
    for (int i = 0; i < ORIEL_SAMPLE_KINDS; i++)
        s->missed += s->profile.samples[i];
    return err_set(err, rc, "%s: writing the profile: %s", *out->path ? out->path : s->outlet,
                   err_text(rc));
}

/* ---- stacks ---- */

int export_stack_init(struct export_stack *s)
{
    memset(s, 0, sizeof *s);
    return intern_init(&s->names);
}

void export_stack_done(struct export_stack *s)
{
    intern_done(&s->names);
    VEC_DONE(&s->frames);
}

static struct export_frame *push(struct export_stack *s, struct model_str name)
{
    struct export_frame *f = VEC_PUSH(&s->frames);
    if (f)
        f->name = name;
    return f;
}

/* A place without lines counts as its module, "[libz.so.1]". */
static bool push_module(struct export_stack *s, const struct model_module *m, uint32_t place)
{
    char label[LABEL_BYTES] = "[";
    struct model_str base = m->path;
    const char *slash = base.n ? memrchr(base.p, '/', base.n) : NULL;
    if (slash)
        base = (struct model_str){slash + 1, (uint32_t)(base.p + base.n - slash - 1)};
    if (!base.n)
        base = MODEL_STR("[unknown]");
    if (base.p[0] != '[') {
        uint32_t n = base.n < LABEL_BYTES - 2 ? base.n : LABEL_BYTES - 2;
        memcpy(label + 1, base.p, n);
        label[n + 1] = ']';
        uint32_t id = intern_add(&s->names, label, n + 2);
        if (id == UINT32_MAX)
            return false;
        struct intern_str kept = intern_get(&s->names, id);
        base = (struct model_str){kept.p, kept.n};
    }
    struct export_frame *f = push(s, base);
    if (!f)
        return false;
    f->module = m;
    f->place = place;
    return true;
}

/* The function that was called first, then what is inlined into it. */
static bool push_lines(struct export_stack *s, const struct model_module *m,
                       const struct model_place *p)
{
    for (unsigned i = p->line_count; i > 0; i--) {
        const struct model_line *l = &p->lines[i - 1];
        struct export_frame *f = push(s, l->function);
        if (!f)
            return false;
        f->file = l->file;
        f->module = m;
        f->place = p->index;
        f->line = l->line;
        f->column = l->column;
        f->start_line = l->start_line;
        f->depth = (uint8_t)(p->line_count - i);
        f->resolved = true;
    }
    return true;
}

int export_stack_set(struct export_stack *s, const struct model_stacks *stacks, uint32_t at)
{
    uint32_t path[MODEL_STACK_DEPTH_MAX], n = 0;
    const struct model_stack *node;
    for (; (node = model_stack(stacks, at)) != NULL && n < MODEL_STACK_DEPTH_MAX; at = node->parent)
        path[n++] = node->place;
    s->frames.count = 0;
    if (n == 0) {
        struct export_frame *f = push(s, MODEL_STR("[unknown]"));
        if (f)
            f->place = UINT32_MAX;
        return f ? 0 : ORIEL_ENOMEM;
    }
    while (n > 0) {
        const struct model_place *p = stacks->places[path[--n]];
        const struct model_module *m = stacks->modules[p->module];
        bool ok = p->line_count ? push_lines(s, m, p) : push_module(s, m, p->index);
        if (!ok)
            return ORIEL_ENOMEM;
    }
    assert(s->frames.count > 0);
    return 0;
}
