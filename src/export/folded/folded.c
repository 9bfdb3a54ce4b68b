/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * "root;child;leaf WEIGHT" lines, as flamegraph.pl, speedscope and most others
 * read them. Equal lines are one, sorted by their bytes, so that equal
 * profiles give equal files. Weights are of one kind, in its unit. Written at
 * the end, when places have their lines. Runs on one thread.
 */
#include "export/folded/folded.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "export/exporter.h"
#include "export/samples.h"

enum { WRITE_BYTES = 256 * 1024 };

struct folded {
    struct export_env env;
    struct folded_options options;
    struct export_samples samples;
};

static const char *const groupings[] = {"all", "thread", "span", NULL};
static const struct option_def folded_option_defs[] = {
    {.name = "kind",
     .type = OPTION_ENUM,
     .offset = offsetof(struct folded_options, kind),
     .fallback = "cpu",
     .choices = export_sample_kinds + 1,
     .arg = "KIND",
     .help = "which samples; a file has one kind"},
    {.name = "by",
     .type = OPTION_ENUM,
     .offset = offsetof(struct folded_options, by),
     .fallback = "all",
     .choices = groupings,
     .arg = "GROUP",
     .help = "one root for each thread or span"},
    OPTION_END,
};

static int folded_open(void *state, const void *options, const struct export_env *env,
                       struct oriel_err *err)
{
    struct folded *f = state;
    (void)err;
    assert(env->catalog && env->out);
    f->options = *(const struct folded_options *)options;
    f->env = *env;
    f->samples = (struct export_samples){.outlet = "folded", .kind = f->options.kind + 1};
    model_profile_init(&f->samples.profile, false);
    return 0;
}

static int folded_write(void *state, const struct model_batch *batch, struct oriel_err *err)
{
    return export_samples_write(&((struct folded *)state)->samples, batch, err);
}

/* ---- the file ---- */

struct line {
    struct intern_str text;
    uint64_t weight;
};
struct lines {
    struct intern texts;
    struct export_stack stack;
    VEC(uint64_t) weights; /* by the number of the text */
    struct buf text;
};

/* A name may hold anything; ';' and line ends mean something here. */
static void put_name(struct buf *out, struct model_str name)
{
    for (uint32_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        buf_putc(out, c == ';' ? ':' : c == '\n' || c == '\r' || c == '\0' ? ' ' : c);
    }
}

static void put_group(const struct folded *f, const struct model_profile_row *row, struct buf *out)
{
    const struct model_thread *t = f->env.catalog->threads[row->thread];
    if (f->options.by == FOLDED_BY_SPAN) {
        put_name(out, row->site ? row->site->name : MODEL_STR("(no span)"));
        buf_putc(out, ';');
    } else if (f->options.by == FOLDED_BY_THREAD) {
        put_name(out, t->name);
        buf_printf(out, t->name.n ? " (tid %d);" : "tid %d;", t->tid);
    }
}

static int add_row(const struct folded *f, struct lines *l, const struct model_profile_row *row)
{
    if (export_stack_set(&l->stack, &f->env.catalog->stacks, row->stack) < 0)
        return ORIEL_ENOMEM;
    buf_clear(&l->text);
    put_group(f, row, &l->text);
    for (size_t i = 0; i < l->stack.frames.count; i++) {
        const struct export_frame *at = &l->stack.frames.items[i];
        if (i)
            buf_putc(&l->text, ';');
        put_name(&l->text, at->name);
        if (at->module && at->module->kind == MODEL_MODULE_KERNEL)
            buf_puts(&l->text, "_[k]");
        else if (at->depth)
            buf_puts(&l->text, "_[i]");
    }
    uint32_t id = l->text.failed ? UINT32_MAX : intern_add(&l->texts, l->text.data, l->text.size);
    if (id == UINT32_MAX)
        return ORIEL_ENOMEM;
    while (l->weights.count <= id)
        if (!VEC_PUSH(&l->weights))
            return ORIEL_ENOMEM;
    l->weights.items[id] += row->weight;
    return 0;
}

static int by_text(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    uint32_t n = x->text.n < y->text.n ? x->text.n : y->text.n;
    int order = memcmp(x->text.p, y->text.p, n);
    return order ? order : x->text.n < y->text.n ? -1 : x->text.n > y->text.n;
}

static int write_lines(const struct folded *f, struct lines *l)
{
    size_t n = l->weights.count;
    int rc = 0;
    struct line *sorted = mem_alloc(n * sizeof *sorted + 1);
    if (!sorted)
        return ORIEL_ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        sorted[i] = (struct line){intern_get(&l->texts, i), l->weights.items[i]};
    qsort(sorted, n, sizeof *sorted, by_text);
    buf_clear(&l->text);
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (!sorted[i].weight)
            continue;
        buf_put(&l->text, sorted[i].text.p, sorted[i].text.n);
        buf_printf(&l->text, " %llu\n", (unsigned long long)sorted[i].weight);
        if (l->text.size < WRITE_BYTES)
            continue;
        rc = out_write_buf(f->env.out, &l->text);
        buf_clear(&l->text);
    }
    if (rc == 0)
        rc = out_write_buf(f->env.out, &l->text);
    mem_free(sorted);
    return rc;
}

static int put_file(const struct folded *f)
{
    struct lines l = {0};
    buf_init(&l.text);
    int rc = intern_init(&l.texts);
    if (export_stack_init(&l.stack) < 0)
        rc = ORIEL_ENOMEM;
    const struct model_profile *p = &f->samples.profile;
    for (uint32_t i = 0; i < p->row_count && rc == 0; i++)
        rc = add_row(f, &l, &p->rows[i]);
    if (rc == 0)
        rc = write_lines(f, &l);
    export_stack_done(&l.stack);
    intern_done(&l.texts);
    VEC_DONE(&l.weights);
    buf_done(&l.text);
    return rc;
}

static int folded_close(void *state, const struct export_summary *end, struct oriel_err *err)
{
    struct folded *f = state;
    const uint64_t keep = f->env.out->bytes;
    (void)end;
    int rc = export_samples_any(&f->samples, err);
    if (rc == 0) {
        rc = put_file(f);
        if (rc < 0)
            rc = export_samples_failed(&f->samples, f->env.out, keep, rc, err);
    }
    model_profile_done(&f->samples.profile);
    return rc;
}

static uint64_t folded_unwritten(const void *state)
{
    return ((const struct folded *)state)->samples.missed;
}

const struct exporter export_folded = {
    .name = "folded",
    .help = "samples as folded stacks, one line each, for flame graph tools",
    .suffix = ".folded",
    .wants = EXPORT_ITEMS | EXPORT_SYMBOLS,
    .options = folded_option_defs,
    .options_size = sizeof(struct folded_options),
    .state_size = sizeof(struct folded),
    .open = folded_open,
    .write = folded_write,
    .close = folded_close,
    .unwritten = folded_unwritten,
};
