/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * JSON for the Firefox Profiler: samples as they came, on their threads, and
 * spans and events as markers. Until the end a sample is a number of a stack,
 * a time and a weight. Runs on one thread.
 */
#include "export/firefox/firefox.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "export/values.h"

static const struct option_def firefox_option_defs[] = {
    {.name = "kind",
     .type = OPTION_ENUM,
     .offset = offsetof(struct firefox_options, kind),
     .fallback = "all",
     .choices = export_sample_kinds,
     .arg = "KIND",
     .help = "which samples; every kind of every thread is a track of its own"},
    {.name = "marks",
     .type = OPTION_BOOL,
     .offset = offsetof(struct firefox_options, marks),
     .fallback = "true",
     .help = "spans and events as markers"},
    OPTION_END,
};

static int firefox_open(void *state, const void *options, const struct export_env *env,
                        struct oriel_err *err)
{
    struct firefox *f = state;
    assert(env->catalog && env->out);
    f->options = *(const struct firefox_options *)options;
    f->env = *env;
    f->first_ns = UINT64_MAX;
    buf_init(&f->buf);
    json_init(&f->json, &f->buf);
    return intern_init(&f->texts) == 0
               ? 0
               : err_set(err, ORIEL_ENOMEM, "firefox: %s", err_text(ORIEL_ENOMEM));
}

/* ---- taking in ---- */

static struct firefox_track *track_of(struct firefox *f, const struct model_thread *thread,
                                      uint8_t kind)
{
    uint64_t key = (uint64_t)thread->index << 8 | kind;
    uint64_t *at = map_put(&f->by_key, key, f->tracks.count);
    if (!at)
        return NULL;
    if (*at == f->tracks.count) {
        struct firefox_track *fresh = VEC_PUSH(&f->tracks);
        if (!fresh) {
            (void)map_remove(&f->by_key, key);
            return NULL;
        }
        fresh->thread = thread->index;
        fresh->kind = kind;
    }
    return &f->tracks.items[*at];
}

/* Sums of calls have no place in time, and all here does. */
static int take_sample(struct firefox *f, const struct model_sample *s)
{
    if (s->kind == ORIEL_SAMPLE_CALL)
        return 0;
    if (f->sample_count == FIREFOX_SAMPLES_MAX)
        return ORIEL_ELIMIT;
    struct firefox_track *t = track_of(f, s->thread, s->kind);
    struct firefox_sample *fresh = t ? VEC_PUSH(&t->samples) : NULL;
    if (!fresh)
        return ORIEL_ENOMEM;
    *fresh = (struct firefox_sample){s->t_ns, s->weight, s->stack};
    f->sample_count++;
    f->first_ns = s->t_ns < f->first_ns ? s->t_ns : f->first_ns;
    return 0;
}

/* "shop@1.2" where its version is known. UINT32_MAX: no memory. */
static uint32_t target_of(struct firefox *f, const struct model_site *site)
{
    const struct model_scope *scope = export_scope(f->env.catalog, site);
    struct buf b;
    if (!scope || !scope->version.n)
        return intern_add(&f->texts, site->target.p, site->target.n);
    buf_init(&b);
    buf_put(&b, site->target.p, site->target.n);
    buf_putc(&b, '@');
    buf_put(&b, scope->version.p, scope->version.n);
    const uint32_t id = b.failed ? UINT32_MAX : intern_add(&f->texts, b.data, b.size);
    buf_done(&b);
    return id;
}

static int take_mark(struct firefox *f, const struct model_thread *thread,
                     const struct model_site *site, struct firefox_mark mark, struct model_str name)
{
    if (f->mark_count == FIREFOX_MARKS_MAX)
        return ORIEL_ELIMIT;
    mark.name = intern_add(&f->texts, name.p, name.n);
    mark.target = target_of(f, site);
    struct firefox_track *t = track_of(f, thread, ORIEL_SAMPLE_CPU);
    struct firefox_mark *fresh =
        t && mark.name != UINT32_MAX && mark.target != UINT32_MAX ? VEC_PUSH(&t->marks) : NULL;
    if (!fresh)
        return ORIEL_ENOMEM;
    *fresh = mark;
    f->mark_count++;
    f->first_ns = mark.start_ns < f->first_ns ? mark.start_ns : f->first_ns;
    return 0;
}

static int take(struct firefox *f, const struct model_item *item)
{
    const struct model_span *span = &item->u.span;
    const struct model_event *event = &item->u.event;
    if (item->kind == MODEL_ITEM_SAMPLE)
        return f->options.kind && item->u.sample.kind != f->options.kind
                   ? 0
                   : take_sample(f, &item->u.sample);
    if (!f->options.marks)
        return 0;
    if (item->kind == MODEL_ITEM_SPAN && span->site && span->thread)
        return take_mark(f, span->thread, span->site,
                         (struct firefox_mark){span->start_ns, span->end_ns, 0, 0, true},
                         model_span_name(span));
    if (item->kind == MODEL_ITEM_EVENT && event->site && event->thread &&
        !model_event_is_copy(event))
        return take_mark(f, event->thread, event->site,
                         (struct firefox_mark){event->t_ns, event->t_ns, 0, 0, false},
                         event->message.n ? event->message : event->site->name);
    return 0;
}

static int firefox_write(void *state, const struct model_batch *batch, struct oriel_err *err)
{
    struct firefox *f = state;
    int first = 0;
    for (size_t i = 0; i < batch->item_count; i++) {
        int rc = take(f, &batch->items[i]);
        f->missed += rc < 0;
        first = first < 0 ? first : rc;
    }
    return first == 0 ? 0
                      : err_set(err, first, "firefox: samples are missing: %s", err_text(first));
}

/* ---- the file ---- */

void firefox_drain(struct firefox *f, size_t at_least)
{
    if (f->buf.size < at_least && !f->buf.failed)
        return;
    if (!f->failed)
        f->failed = out_write_buf(f->env.out, &f->buf);
    buf_clear(&f->buf);
}

void firefox_put_time(struct firefox *f, uint64_t t_ns)
{
    char text[48], *end = text;
    uint64_t since = t_ns > f->first_ns ? t_ns - f->first_ns : 0;
    end = num_put_u64(end, since / 1000000);
    *end++ = '.';
    end = num_put_padded(end, since % 1000000, 6);
    json_raw(&f->json, text, (size_t)(end - text));
}

static void put_literal(struct json *j, const char *json)
{
    json_raw(j, json, strlen(json));
}

static void put_categories(struct json *j)
{
    static const char *const names[FIREFOX_CATEGORIES][2] = {
        {"User", "yellow"}, {"Kernel", "orange"}, {"Other", "grey"}, {"Spans", "blue"}};
    json_key(j, "categories");
    json_array(j);
    for (size_t i = 0; i < FIREFOX_CATEGORIES; i++) {
        json_object(j);
        json_key(j, "name");
        json_string(j, names[i][0]);
        json_key(j, "color");
        json_string(j, names[i][1]);
        json_key(j, "subcategories");
        json_array(j);
        json_string(j, "Other");
        json_array_end(j);
        json_object_end(j);
    }
    json_array_end(j);
}

/* What the viewer shows of a span and of an event. */
static void put_schema(struct json *j, const char *name, const char *text)
{
    json_object(j);
    json_key(j, "name");
    json_string(j, name);
    json_key(j, "tooltipLabel");
    json_string(j, text);
    json_key(j, "tableLabel");
    json_string(j, "{marker.data.target}");
    json_key(j, "chartLabel");
    json_string(j, "{marker.name}");
    json_key(j, "display");
    put_literal(j, "[\"marker-chart\",\"marker-table\",\"timeline-overview\"]");
    json_key(j, "data");
    json_array(j);
    json_object(j);
    json_key(j, "key");
    json_string(j, "target");
    json_key(j, "label");
    json_string(j, "Target");
    json_key(j, "format");
    json_string(j, "string");
    json_key(j, "searchable");
    json_bool(j, true);
    json_object_end(j);
    json_array_end(j);
    json_object_end(j);
}

/* The mean time between samples of a thread, in ms: what viewers scale by. */
static double interval_ms(const struct firefox *f)
{
    uint64_t weight = 0, n = 0;
    for (size_t i = 0; i < f->tracks.count; i++) {
        const struct firefox_track *t = &f->tracks.items[i];
        for (size_t k = 0; t->kind == ORIEL_SAMPLE_CPU && k < t->samples.count; k++)
            weight += t->samples.items[k].weight;
        n += t->kind == ORIEL_SAMPLE_CPU ? t->samples.count : 0;
    }
    return n && weight ? (double)weight / (double)n / 1e6 : 1;
}

static void put_meta(struct firefox *f)
{
    struct json *j = &f->json;
    const struct model_catalog *c = f->env.catalog;
    struct model_str name =
        c->process_count && c->processes[0]->name.n
            ? c->processes[0]->name
            : (struct model_str){f->env.service_name, (uint32_t)strlen(f->env.service_name)};
    json_key(j, "meta");
    json_object(j);
    json_key(j, "version");
    json_u64(j, FIREFOX_VERSION);
    json_key(j, "preprocessedProfileVersion");
    json_u64(j, FIREFOX_PROCESSED_VERSION);
    json_key(j, "interval");
    json_double(j, interval_ms(f));
    json_key(j, "startTime");
    json_double(j, (double)f->first_ns / 1e6);
    json_key(j, "processType");
    json_u64(j, 0);
    json_key(j, "stackwalk");
    json_u64(j, 1);
    json_key(j, "debug");
    json_bool(j, false);
    json_key(j, "product");
    json_string_n(j, name.p, name.n);
    json_key(j, "importedFrom");
    json_string(j, "Oriel");
    json_key(j, "symbolicated");
    json_bool(j, true);
    json_key(j, "usesOnlyOneStackType");
    json_bool(j, true);
    json_key(j, "doesNotUseFrameImplementation");
    json_bool(j, true);
    json_key(j, "sourceCodeIsNotOnSearchfox");
    json_bool(j, true);
    json_key(j, "sampleUnits");
    put_literal(j, "{\"time\":\"ms\",\"eventDelay\":\"ms\",\"threadCPUDelta\":\"ns\"}");
    put_categories(j);
    json_key(j, "markerSchema");
    json_array(j);
    put_schema(j, "Span", "{marker.name}");
    put_schema(j, "Event", "{marker.name}");
    json_array_end(j);
    json_object_end(j);
}

struct model_str firefox_module_name(const struct model_module *m)
{
    const char *slash = m->path.n ? memrchr(m->path.p, '/', m->path.n) : NULL;
    if (!slash)
        return m->path;
    return (struct model_str){slash + 1, (uint32_t)(m->path.p + m->path.n - slash - 1)};
}

static void put_libs(struct firefox *f)
{
    struct json *j = &f->json;
    const struct model_stacks *s = &f->env.catalog->stacks;
    json_key(j, "libs");
    json_array(j);
    for (uint32_t i = 0; i < s->module_count; i++) {
        const struct model_module *m = s->modules[i];
        struct model_str base = firefox_module_name(m);
        static const char *const names[] = {"name", "debugName", "path", "debugPath"};
        json_object(j);
        for (size_t k = 0; k < 4; k++) {
            json_key(j, names[k]);
            if (k < 2)
                json_string_n(j, base.p, base.n);
            else
                json_string_n(j, m->path.p, m->path.n);
        }
        json_key(j, "breakpadId");
        json_string(j, "");
        json_key(j, "codeId");
        if (m->build_id_bytes)
            json_hex(j, m->build_id, m->build_id_bytes);
        else
            json_null(j);
        json_key(j, "arch");
        json_null(j);
        json_object_end(j);
    }
    json_array_end(j);
}

static int put_file(struct firefox *f)
{
    struct json *j = &f->json;
    uint64_t keep = f->env.out->bytes;
    json_object(j);
    put_meta(f);
    put_libs(f);
    json_key(j, "threads");
    json_array(j);
    for (int other = 0; other < 2; other++) /* viewers show the first: CPU time */
        for (size_t i = 0; i < f->tracks.count && !f->failed; i++)
            if ((f->tracks.items[i].kind != ORIEL_SAMPLE_CPU) == other)
                firefox_put_thread(f, &f->tracks.items[i]);
    json_array_end(j);
    json_object_end(j);
    buf_putc(&f->buf, '\n');
    firefox_drain(f, 0);
    if (f->failed && out_can_seek(f->env.out))
        out_truncate(f->env.out, keep);
    return f->failed;
}

static int firefox_close(void *state, const struct export_summary *end, struct oriel_err *err)
{
    struct firefox *f = state;
    (void)end;
    int rc = 0;
    if (f->tracks.count) {
        rc = put_file(f);
        if (rc < 0) {
            f->missed += f->sample_count + f->mark_count;
            err_set(err, rc, "%s: writing the profile: %s",
                    *f->env.out->path ? f->env.out->path : "firefox", err_text(rc));
        }
    } else if (!f->missed) {
        rc = err_set(err, ORIEL_ENOTFOUND,
                     "firefox: the recording holds no samples, spans or events; record with "
                     "--rate 99");
    }
    for (size_t i = 0; i < f->tracks.count; i++) {
        VEC_DONE(&f->tracks.items[i].samples);
        VEC_DONE(&f->tracks.items[i].marks);
    }
    VEC_DONE(&f->tracks);
    map_done(&f->by_key);
    intern_done(&f->texts);
    buf_done(&f->buf);
    return rc;
}

static uint64_t firefox_unwritten(const void *state)
{
    return ((const struct firefox *)state)->missed;
}

const struct exporter export_firefox = {
    .name = "firefox",
    .help = "samples and spans on their threads as JSON, for profiler.firefox.com",
    .suffix = ".firefox.json",
    .wants = EXPORT_ITEMS | EXPORT_SYMBOLS,
    .options = firefox_option_defs,
    .options_size = sizeof(struct firefox_options),
    .state_size = sizeof(struct firefox),
    .open = firefox_open,
    .write = firefox_write,
    .close = firefox_close,
    .unwritten = firefox_unwritten,
};
