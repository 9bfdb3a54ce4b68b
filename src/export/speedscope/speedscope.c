/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * JSON for speedscope: for each kind of sample and each thread one profile, its
 * stacks in the order of time. Written at the end, when places have their
 * lines; until then a sample is a number of a stack and a weight, and equal
 * neighbours are one. Runs on one thread.
 */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/map.h"
#include "base/vec.h"
#include "export/exporter.h"
#include "export/samples.h"
#include "export/speedscope/speedscope.h"
#include "model/profile.h"
#include "util/json.h"

enum { WRITE_BYTES = 256 * 1024 };
/* 64 MiB of stacks; what a viewer in a browser can show is less. */
enum { STACKS_MAX = 4 << 20 };

struct weighed {
    uint32_t stack;
    uint64_t weight;
};
/* What one profile is made of. */
struct series {
    uint32_t thread;
    uint8_t kind;
    uint64_t sum;
    VEC(struct weighed) stacks;
};
struct speedscope {
    struct export_env env;
    struct speedscope_options options;
    struct map by_key; /* thread << 8 | kind -> index in series */
    VEC(struct series) series;
    size_t stacks;
    uint64_t taken, missed;
    struct buf buf;
    struct json json;
    struct intern texts, frames; /* frames: struct frame as bytes; number is id - 1 */
    int failed;
};
struct frame {
    uint32_t name, file, line;
};

static const struct option_def speedscope_option_defs[] = {
    {.name = "kind",
     .type = OPTION_ENUM,
     .offset = offsetof(struct speedscope_options, kind),
     .fallback = "all",
     .choices = export_sample_kinds,
     .arg = "KIND",
     .help = "which samples; every kind of every thread is a profile of its own"},
    OPTION_END,
};

static int speedscope_open(void *state, const void *options, const struct export_env *env,
                           struct oriel_err *err)
{
    struct speedscope *s = state;
    assert(env->catalog && env->out);
    s->options = *(const struct speedscope_options *)options;
    s->env = *env;
    buf_init(&s->buf);
    json_init(&s->json, &s->buf);
    if (intern_init(&s->texts) == 0 && intern_init(&s->frames) == 0)
        return 0;
    intern_done(&s->texts);
    return err_set(err, ORIEL_ENOMEM, "speedscope: %s", err_text(ORIEL_ENOMEM));
}

/* ---- taking samples in ---- */

static struct series *series_of(struct speedscope *s, const struct model_sample *sample)
{
    uint64_t key = (uint64_t)sample->thread->index << 8 | sample->kind;
    uint64_t *at = map_put(&s->by_key, key, s->series.count);
    if (!at)
        return NULL;
    if (*at == s->series.count) {
        struct series *fresh = VEC_PUSH(&s->series);
        if (!fresh) {
            (void)map_remove(&s->by_key, key);
            return NULL;
        }
        fresh->thread = sample->thread->index;
        fresh->kind = sample->kind;
    }
    return &s->series.items[*at];
}

static int take(struct speedscope *s, const struct model_sample *sample)
{
    struct series *series = series_of(s, sample);
    if (!series)
        return ORIEL_ENOMEM;
    size_t n = series->stacks.count;
    struct weighed *last = n ? &series->stacks.items[n - 1] : NULL;
    if (!last || last->stack != sample->stack) {
        if (s->stacks == STACKS_MAX)
            return ORIEL_ELIMIT;
        last = VEC_PUSH(&series->stacks);
        if (!last)
            return ORIEL_ENOMEM;
        last->stack = sample->stack;
        s->stacks++;
    }
    last->weight += sample->weight;
    series->sum += sample->weight;
    s->taken++;
    return 0;
}

static int speedscope_write(void *state, const struct model_batch *batch, struct oriel_err *err)
{
    struct speedscope *s = state;
    int first = 0;
    for (size_t i = 0; i < batch->item_count; i++) {
        const struct model_sample *sample = &batch->items[i].u.sample;
        if (batch->items[i].kind != MODEL_ITEM_SAMPLE ||
            (s->options.kind && sample->kind != s->options.kind))
            continue;
        int rc = take(s, sample);
        s->missed += rc < 0;
        first = first < 0 ? first : rc;
    }
    return first == 0 ? 0
                      : err_set(err, first, "speedscope: samples are missing: %s", err_text(first));
}

/* ---- the file ---- */

static void drain(struct speedscope *s)
{
    if (!s->failed)
        s->failed = out_write_buf(s->env.out, &s->buf);
    buf_clear(&s->buf);
}

static uint32_t text_id(struct speedscope *s, struct model_str text)
{
    uint32_t id = intern_add(&s->texts, text.p, text.n);
    s->buf.failed |= id == UINT32_MAX;
    return id;
}

static void put_frame(struct speedscope *s, struct model_str name, struct model_str file,
                      uint32_t line)
{
    struct frame f = {text_id(s, name), text_id(s, file), line};
    uint32_t id = intern_add(&s->frames, (const char *)&f, sizeof f);
    s->buf.failed |= id == UINT32_MAX;
    json_u64(&s->json, (uint64_t)id - 1);
}

/* A place without lines counts as its module, "[libz.so.1]". */
static void put_module(struct speedscope *s, const struct model_module *m)
{
    char name[256] = "[";
    const char *slash = m->path.n ? memrchr(m->path.p, '/', m->path.n) : NULL;
    struct model_str base = m->path;
    if (slash) {
        base.p = slash + 1;
        base.n = (uint32_t)(m->path.p + m->path.n - base.p);
    }
    bool bare = base.n && base.p[0] == '[';
    if (base.n > sizeof name - 2)
        base.n = sizeof name - 2;
    if (!bare) {
        memcpy(name + 1, base.p, base.n);
        name[base.n + 1] = ']';
        base = (struct model_str){name, base.n + 2};
    }
    put_frame(s, base, m->path, 0);
}

/* The outermost first. */
static void put_stack(struct speedscope *s, uint32_t at)
{
    const struct model_stacks *stacks = &s->env.catalog->stacks;
    uint32_t path[MODEL_STACK_DEPTH_MAX], n = 0;
    const struct model_stack *node;
    for (; (node = model_stack(stacks, at)) != NULL && n < MODEL_STACK_DEPTH_MAX; at = node->parent)
        path[n++] = node->place;
    json_array(&s->json);
    if (n == 0)
        put_frame(s, MODEL_STR("[unknown]"), MODEL_STR(""), 0);
    while (n > 0) {
        const struct model_place *p = stacks->places[path[--n]];
        if (p->line_count == 0)
            put_module(s, stacks->modules[p->module]);
        for (unsigned i = p->line_count; i > 0; i--)
            put_frame(s, p->lines[i - 1].function, p->lines[i - 1].file,
                      p->lines[i - 1].start_line);
    }
    json_array_end(&s->json);
}

static void put_name(struct speedscope *s, const struct series *series)
{
    const struct model_catalog *c = s->env.catalog;
    const struct model_thread *t = c->threads[series->thread];
    const struct model_process *p = c->processes[t->process];
    struct model_str name = t->name.n ? t->name : p->name;
    struct buf text;
    buf_init(&text);
    buf_printf(&text, "%s: ", export_sample_kinds[series->kind]);
    buf_put(&text, name.p, name.n);
    buf_printf(&text, " (%d)", t->tid);
    json_key(&s->json, "name");
    json_string_n(&s->json, text.data, text.size);
    s->buf.failed |= text.failed;
    buf_done(&text);
}

static void put_series(struct speedscope *s, const struct series *series)
{
    struct json *j = &s->json;
    const char *unit = model_sample_unit(series->kind);
    json_object(j);
    json_key(j, "type");
    json_string(j, "sampled");
    put_name(s, series);
    json_key(j, "unit");
    json_string(j, strcmp(unit, "count") == 0 ? "none" : unit);
    json_key(j, "startValue");
    json_u64(j, 0);
    json_key(j, "endValue");
    json_u64(j, series->sum);
    json_key(j, "samples");
    json_array(j);
    for (size_t i = 0; i < series->stacks.count && !s->failed; i++) {
        put_stack(s, series->stacks.items[i].stack);
        if (s->buf.size >= WRITE_BYTES)
            drain(s);
    }
    json_array_end(j);
    json_key(j, "weights");
    json_array(j);
    for (size_t i = 0; i < series->stacks.count; i++)
        json_u64(j, series->stacks.items[i].weight);
    json_array_end(j);
    json_object_end(j);
    drain(s);
}

static void put_frames(struct speedscope *s)
{
    struct json *j = &s->json;
    for (uint32_t i = 1; i < s->frames.count; i++) {
        struct frame f;
        memcpy(&f, intern_get(&s->frames, i).p, sizeof f);
        struct intern_str name = intern_get(&s->texts, f.name),
                          file = intern_get(&s->texts, f.file);
        json_object(j);
        json_key(j, "name");
        json_string_n(j, name.p, name.n);
        if (file.n) {
            json_key(j, "file");
            json_string_n(j, file.p, file.n);
        }
        if (f.line) {
            json_key(j, "line");
            json_u64(j, f.line);
        }
        json_object_end(j);
    }
}

/* The viewer opens with the first: CPU time, of the thread that has most of it. */
static int by_interest(const void *a, const void *b)
{
    const struct series *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->sum != y->sum)
        return x->sum > y->sum ? -1 : 1;
    return x->thread < y->thread ? -1 : x->thread > y->thread;
}

static int put_file(struct speedscope *s)
{
    struct json *j = &s->json;
    uint64_t keep = s->env.out->bytes;
    qsort(s->series.items, s->series.count, sizeof *s->series.items, by_interest);
    json_object(j);
    json_key(j, "$schema");
    json_string(j, "https://www.speedscope.app/file-format-schema.json");
    json_key(j, "name");
    json_string(j, s->env.service_name);
    json_key(j, "exporter");
    json_string(j, "oriel");
    json_key(j, "activeProfileIndex");
    json_u64(j, 0);
    json_key(j, "profiles");
    json_array(j);
    for (size_t i = 0; i < s->series.count && !s->failed; i++)
        put_series(s, &s->series.items[i]);
    json_array_end(j);
    json_key(j, "shared");
    json_object(j);
    json_key(j, "frames");
    json_array(j);
    put_frames(s);
    json_array_end(j);
    json_object_end(j);
    json_object_end(j);
    buf_putc(&s->buf, '\n');
    drain(s);
    if (s->failed && out_can_seek(s->env.out))
        out_truncate(s->env.out, keep);
    return s->failed;
}

static int speedscope_close(void *state, const struct export_summary *end, struct oriel_err *err)
{
    struct speedscope *s = state;
    (void)end;
    int rc = 0;
    if (s->taken) {
        rc = put_file(s);
        if (rc < 0) {
            s->missed += s->taken;
            err_set(err, rc, "%s: writing the profile: %s",
                    *s->env.out->path ? s->env.out->path : "speedscope", err_text(rc));
        }
    } else if (!s->missed) {
        rc = err_set(err, ORIEL_ENOTFOUND, "speedscope: the recording holds no %s%ssamples%s",
                     s->options.kind ? export_sample_kinds[s->options.kind] : "",
                     s->options.kind ? " " : "", s->options.kind ? "" : "; record with --rate 99");
    }
    for (size_t i = 0; i < s->series.count; i++)
        VEC_DONE(&s->series.items[i].stacks);
    VEC_DONE(&s->series);
    map_done(&s->by_key);
    intern_done(&s->texts);
    intern_done(&s->frames);
    buf_done(&s->buf);
    return rc;
}

static uint64_t speedscope_unwritten(const void *state)
{
    return ((const struct speedscope *)state)->missed;
}

const struct exporter export_speedscope = {
    .name = "speedscope",
    .help = "samples as JSON for speedscope.app, one profile for each thread",
    .suffix = ".speedscope.json",
    .wants = EXPORT_ITEMS | EXPORT_SYMBOLS,
    .options = speedscope_option_defs,
    .options_size = sizeof(struct speedscope_options),
    .state_size = sizeof(struct speedscope),
    .open = speedscope_open,
    .write = speedscope_write,
    .close = speedscope_close,
    .unwritten = speedscope_unwritten,
};
