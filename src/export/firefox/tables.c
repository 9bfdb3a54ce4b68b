/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One thread of the profile. Stacks are a table of (frame, prefix), frames are
 * places and what is inlined there, functions are names of a file in a module.
 * Every table is columns of equal length. Runs on one thread.
 */
#include "export/firefox/firefox.h"

#include <assert.h>
#include <string.h>

/* Keys are interned as bytes; entry 0 of an intern is empty, so numbers here
 * are one less. */
struct function_key {
    uint32_t name, file, start_line, module; /* texts of this thread; module: index or NONE */
};
struct frame_key {
    uint32_t place, function, line, column, depth, category;
};
struct stack_key {
    uint32_t prefix, frame; /* prefix: number + 1, 0 none */
};
enum { NONE = -1 };

struct tables {
    struct firefox *f;
    const struct firefox_track *track;
    struct intern texts, functions, frames, stacks, resources; /* resources: modules */
    struct export_stack stack;
    VEC(uint32_t) sample_stacks; /* number + 1 of each sample's stack */
    bool failed;
};

static uint32_t add(struct tables *t, struct intern *table, const void *key, size_t n)
{
    uint32_t id = intern_add(table, key, n);
    t->failed |= id == UINT32_MAX;
    return id == UINT32_MAX ? 0 : id - 1;
}

static uint32_t text_of(struct tables *t, struct model_str s)
{
    uint32_t id = intern_add(&t->texts, s.p, s.n);
    t->failed |= id == UINT32_MAX;
    return id == UINT32_MAX ? 0 : id;
}

static uint32_t add_frame(struct tables *t, const struct export_frame *at)
{
    uint8_t kind = at->module ? at->module->kind : MODEL_MODULE_UNKNOWN;
    struct function_key fn = {text_of(t, at->name), text_of(t, at->file), at->start_line,
                              at->module ? at->module->index : (uint32_t)NONE};
    if (at->module)
        add(t, &t->resources, &at->module->index, sizeof at->module->index);
    struct frame_key key = {.place = at->place,
                            .function = add(t, &t->functions, &fn, sizeof fn),
                            .line = at->line,
                            .column = at->column,
                            .depth = at->depth,
                            .category = kind == MODEL_MODULE_KERNEL    ? FIREFOX_KERNEL
                                        : kind == MODEL_MODULE_UNKNOWN ? FIREFOX_OTHER
                                                                       : FIREFOX_USER};
    return add(t, &t->frames, &key, sizeof key);
}

static void add_stack(struct tables *t, const struct firefox_sample *s)
{
    uint32_t prefix = 0, *at = VEC_PUSH(&t->sample_stacks);
    if (!at || export_stack_set(&t->stack, &t->f->env.catalog->stacks, s->stack) < 0) {
        t->failed = true;
        return;
    }
    for (size_t i = 0; i < t->stack.frames.count; i++) {
        struct stack_key key = {prefix, add_frame(t, &t->stack.frames.items[i])};
        prefix = add(t, &t->stacks, &key, sizeof key) + 1;
    }
    *at = prefix;
}

/* ---- columns ---- */

static void get(const struct intern *table, uint32_t number, void *out, size_t n)
{
    struct intern_str bytes = intern_get(table, number + 1);
    assert(bytes.n == n);
    memcpy(out, bytes.p, n);
}

static uint32_t count_of(const struct intern *table)
{
    return table->count - 1; /* without the empty one */
}

static void open_column(struct tables *t, const char *name)
{
    json_key(&t->f->json, name);
    json_array(&t->f->json);
}

static void close_column(struct tables *t)
{
    json_array_end(&t->f->json);
    firefox_drain(t->f, FIREFOX_WRITE_BYTES);
}

/* A column of the same value; NONE: null. */
static void put_same(struct tables *t, const char *name, uint32_t n, int64_t value)
{
    open_column(t, name);
    for (uint32_t i = 0; i < n; i++)
        value == NONE ? json_null(&t->f->json) : json_i64(&t->f->json, value);
    close_column(t);
}

static void close_table(struct tables *t, uint32_t n)
{
    json_key(&t->f->json, "length");
    json_u64(&t->f->json, n);
    json_object_end(&t->f->json);
}

static void open_table(struct tables *t, const char *name)
{
    json_key(&t->f->json, name);
    json_object(&t->f->json);
}

/* A column of one member of the keys; 0 is null where it means unknown. */
#define PUT_MEMBER(t, name, table, type, member, value)                                            \
    do {                                                                                           \
        open_column((t), (name));                                                                  \
        for (uint32_t i = 0; i < count_of(table); i++) {                                           \
            type key;                                                                              \
            get((table), i, &key, sizeof key);                                                     \
            const int64_t number = (value);                                                        \
            number == NONE ? json_null(&(t)->f->json) : json_i64(&(t)->f->json, number);           \
        }                                                                                          \
        close_column(t);                                                                           \
    } while (0)
#define KNOWN(member) (key.member ? (int64_t)key.member : NONE)

static uint32_t category_of_frame(const struct tables *t, uint32_t frame)
{
    struct frame_key f;
    get(&t->frames, frame, &f, sizeof f);
    return f.category;
}

static void put_stacks(struct tables *t)
{
    open_table(t, "stackTable");
    PUT_MEMBER(t, "frame", &t->stacks, struct stack_key, frame, key.frame);
    PUT_MEMBER(t, "prefix", &t->stacks, struct stack_key, prefix,
               key.prefix ? (int64_t)key.prefix - 1 : NONE);
    PUT_MEMBER(t, "category", &t->stacks, struct stack_key, frame, category_of_frame(t, key.frame));
    put_same(t, "subcategory", count_of(&t->stacks), 0);
    close_table(t, count_of(&t->stacks));
}

static int64_t address_of(const struct tables *t, uint32_t place)
{
    const struct model_stacks *s = &t->f->env.catalog->stacks;
    /* What does not fit a double exactly is of the kernel: no use to viewers. */
    return place < s->place_count && s->places[place]->address < UINT64_C(1) << 53
               ? (int64_t)s->places[place]->address
               : NONE;
}

static void put_address_column(struct tables *t)
{
    open_column(t, "address");
    for (uint32_t i = 0; i < count_of(&t->frames); i++) {
        struct frame_key key;
        get(&t->frames, i, &key, sizeof key);
        json_i64(&t->f->json, address_of(t, key.place)); /* -1 is "none" here */
    }
    close_column(t);
}

static void put_frames(struct tables *t)
{
    uint32_t n = count_of(&t->frames);
    open_table(t, "frameTable");
    put_address_column(t);
    PUT_MEMBER(t, "inlineDepth", &t->frames, struct frame_key, depth, key.depth);
    PUT_MEMBER(t, "category", &t->frames, struct frame_key, category, key.category);
    put_same(t, "subcategory", n, 0);
    PUT_MEMBER(t, "func", &t->frames, struct frame_key, function, key.function);
    put_same(t, "nativeSymbol", n, NONE);
    put_same(t, "innerWindowID", n, NONE);
    put_same(t, "implementation", n, NONE);
    PUT_MEMBER(t, "line", &t->frames, struct frame_key, line, KNOWN(line));
    PUT_MEMBER(t, "column", &t->frames, struct frame_key, column, KNOWN(column));
    close_table(t, n);
}

static int64_t resource_of(struct tables *t, uint32_t module)
{
    if (module == (uint32_t)NONE)
        return NONE;
    return (int64_t)add(t, &t->resources, &module, sizeof module);
}

static void put_functions(struct tables *t)
{
    uint32_t n = count_of(&t->functions);
    open_table(t, "funcTable");
    put_same(t, "columnNumber", n, NONE);
    PUT_MEMBER(t, "fileName", &t->functions, struct function_key, file, KNOWN(file));
    open_column(t, "isJS");
    for (uint32_t i = 0; i < n; i++)
        json_bool(&t->f->json, false);
    close_column(t);
    PUT_MEMBER(t, "lineNumber", &t->functions, struct function_key, start_line, KNOWN(start_line));
    PUT_MEMBER(t, "name", &t->functions, struct function_key, name, key.name);
    open_column(t, "relevantForJS");
    for (uint32_t i = 0; i < n; i++)
        json_bool(&t->f->json, false);
    close_column(t);
    open_column(t, "resource"); /* -1 is "none" here */
    for (uint32_t i = 0; i < n; i++) {
        struct function_key key;
        get(&t->functions, i, &key, sizeof key);
        json_i64(&t->f->json, resource_of(t, key.module));
    }
    close_column(t);
    close_table(t, n);
}

static void put_resources(struct tables *t)
{
    enum { LIBRARY = 1 };
    const struct model_stacks *s = &t->f->env.catalog->stacks;
    uint32_t n = count_of(&t->resources);
    open_table(t, "resourceTable");
    put_same(t, "host", n, NONE);
    open_column(t, "lib");
    for (uint32_t i = 0; i < n; i++) {
        uint32_t module;
        get(&t->resources, i, &module, sizeof module);
        json_u64(&t->f->json, module);
    }
    close_column(t);
    open_column(t, "name");
    for (uint32_t i = 0; i < n; i++) {
        uint32_t module;
        get(&t->resources, i, &module, sizeof module);
        json_u64(&t->f->json, text_of(t, firefox_module_name(s->modules[module])));
    }
    close_column(t);
    put_same(t, "type", n, LIBRARY);
    close_table(t, n);
}

static void put_no_symbols(struct tables *t)
{
    open_table(t, "nativeSymbols");
    put_same(t, "address", 0, 0);
    put_same(t, "functionSize", 0, 0);
    put_same(t, "libIndex", 0, 0);
    put_same(t, "name", 0, 0);
    close_table(t, 0);
}

/* ---- samples and marks ---- */

/* In ms where the weight is time, so that sums are times; else as it is. */
static void put_weight(struct tables *t, uint64_t weight)
{
    if (strcmp(model_sample_unit(t->track->kind), "nanoseconds") == 0)
        firefox_put_time(t->f, weight + t->f->first_ns);
    else
        json_u64(&t->f->json, weight);
}

static const char *weight_type(uint8_t kind)
{
    const char *unit = model_sample_unit(kind);
    return strcmp(unit, "nanoseconds") == 0 ? "tracing-ms"
           : strcmp(unit, "bytes") == 0     ? "bytes"
                                            : "samples";
}

static void put_samples(struct tables *t)
{
    const struct firefox_sample *s = t->track->samples.items;
    uint32_t n = (uint32_t)t->track->samples.count;
    open_table(t, "samples");
    json_key(&t->f->json, "weightType");
    json_string(&t->f->json, weight_type(t->track->kind));
    open_column(t, "weight");
    for (uint32_t i = 0; i < n; i++)
        put_weight(t, s[i].weight);
    close_column(t);
    open_column(t, "stack");
    for (uint32_t i = 0; i < n && !t->failed; i++)
        json_u64(&t->f->json, t->sample_stacks.items[i] - 1);
    close_column(t);
    open_column(t, "time");
    for (uint32_t i = 0; i < n; i++)
        firefox_put_time(t->f, s[i].t_ns);
    close_column(t);
    if (t->track->kind == ORIEL_SAMPLE_CPU) {
        open_column(t, "threadCPUDelta");
        for (uint32_t i = 0; i < n; i++)
            json_u64(&t->f->json, s[i].weight);
        close_column(t);
    }
    close_table(t, n);
}

static struct model_str kept_text(const struct tables *t, uint32_t id)
{
    struct intern_str s = intern_get(&t->f->texts, id);
    return (struct model_str){s.p, s.n};
}

static void put_marks(struct tables *t)
{
    const struct firefox_mark *m = t->track->marks.items;
    uint32_t n = (uint32_t)t->track->marks.count;
    struct json *j = &t->f->json;
    open_table(t, "markers");
    open_column(t, "data");
    for (uint32_t i = 0; i < n; i++) {
        struct model_str target = kept_text(t, m[i].target);
        json_object(j);
        json_key(j, "type");
        json_string(j, m[i].span ? "Span" : "Event");
        json_key(j, "target");
        json_string_n(j, target.p, target.n);
        json_object_end(j);
    }
    close_column(t);
    open_column(t, "name");
    for (uint32_t i = 0; i < n; i++)
        json_u64(j, text_of(t, kept_text(t, m[i].name)));
    close_column(t);
    open_column(t, "startTime");
    for (uint32_t i = 0; i < n; i++)
        firefox_put_time(t->f, m[i].start_ns);
    close_column(t);
    open_column(t, "endTime");
    for (uint32_t i = 0; i < n; i++)
        m[i].span ? firefox_put_time(t->f, m[i].end_ns) : json_null(j);
    close_column(t);
    open_column(t, "phase"); /* 0 a moment, 1 from start to end */
    for (uint32_t i = 0; i < n; i++)
        json_u64(j, m[i].span);
    close_column(t);
    put_same(t, "category", n, FIREFOX_SPANS);
    close_table(t, n);
}

static void put_texts(struct tables *t)
{
    open_column(t, "stringArray");
    for (uint32_t i = 0; i < t->texts.count; i++) {
        struct intern_str s = intern_get(&t->texts, i);
        json_string_n(&t->f->json, s.p, s.n);
    }
    close_column(t);
}

/* ---- the thread ---- */

/* "worker", and "worker: off-cpu" for other kinds than CPU time. */
static void put_name(struct tables *t, const struct model_thread *thread,
                     const struct model_process *p)
{
    struct model_str name = thread->name.n ? thread->name : p->name;
    struct buf text;
    buf_init(&text);
    buf_put(&text, name.p, name.n);
    if (t->track->kind != ORIEL_SAMPLE_CPU)
        buf_printf(&text, ": %s", export_sample_kinds[t->track->kind]);
    json_key(&t->f->json, "name");
    json_string_n(&t->f->json, text.data, text.size);
    t->failed |= text.failed;
    buf_done(&text);
}

static void put_head(struct tables *t)
{
    struct json *j = &t->f->json;
    const struct model_catalog *c = t->f->env.catalog;
    const struct model_thread *thread = c->threads[t->track->thread];
    const struct model_process *p = c->processes[thread->process];
    char pid[16];
    put_name(t, thread, p);
    json_key(j, "processType");
    json_string(j, "default");
    json_key(j, "processName");
    json_string_n(j, p->name.p, p->name.n);
    json_key(j, "isMainThread");
    json_bool(j, thread->tid == p->pid && t->track->kind == ORIEL_SAMPLE_CPU);
    json_key(j, "pid");
    char *end = num_put_i64(pid, p->pid);
    json_string_n(j, pid, (size_t)(end - pid));
    json_key(j, "tid");
    json_i64(j, thread->tid);
    json_key(j, "processStartupTime");
    json_u64(j, 0);
    json_key(j, "processShutdownTime");
    json_null(j);
    json_key(j, "registerTime");
    json_u64(j, 0);
    json_key(j, "unregisterTime");
    json_null(j);
    json_key(j, "pausedRanges");
    json_array(j);
    json_array_end(j);
}

static void put_tables(struct tables *t)
{
    for (size_t i = 0; i < t->track->samples.count && !t->failed; i++)
        add_stack(t, &t->track->samples.items[i]);
    json_object(&t->f->json);
    put_head(t);
    put_samples(t);
    put_marks(t);
    put_stacks(t);
    put_frames(t);
    put_functions(t);
    put_resources(t);
    put_no_symbols(t);
    put_texts(t);
    json_object_end(&t->f->json);
}

void firefox_put_thread(struct firefox *f, const struct firefox_track *track)
{
    struct tables t = {.f = f, .track = track};
    struct intern *all[] = {&t.texts, &t.functions, &t.frames, &t.stacks, &t.resources};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        t.failed |= intern_init(all[i]) < 0;
    t.failed |= export_stack_init(&t.stack) < 0;
    if (!t.failed)
        put_tables(&t);
    if (t.failed)
        f->failed = ORIEL_ENOMEM;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        intern_done(all[i]);
    export_stack_done(&t.stack);
    VEC_DONE(&t.sample_stacks);
}
