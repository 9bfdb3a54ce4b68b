/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Samples for outlets of profiles: every kind, stacks of any depth, functions
 * with texts that break careless writers, inlined calls, places without lines.
 */
#include <stdlib.h>

#include "fixtures.h"

enum { PLACES = 300, SAMPLES = 900, STEP_NS = 1000 };

static void *need(void *p)
{
    if (!p)
        abort();
    return p;
}

static void add_modules(struct fixtures *f)
{
    static const struct model_module modules[] = {
        {.kind = MODEL_MODULE_FILE,
         .build_id_bytes = 20,
         .build_id = {0xab, 0xcd, 0x01},
         .path = {"/lib/libodd.so.1", 16}},
        {.kind = MODEL_MODULE_FILE,
         .build_id_bytes = 8,
         .build_id = {0xef},
         .path = {"/usr/bin/demo", 13}},
        {.kind = MODEL_MODULE_KERNEL, .path = {"[kernel]", 8}},
        {.kind = MODEL_MODULE_FILE, .path = {"/lib/stripped.so", 16}},
    };
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        struct model_module m = modules[i];
        m.process = UINT32_MAX;
        need(model_stacks_module(&f->catalog.stacks, &m));
    }
}

/* One to three lines; module 3 has none. */
static struct model_place *add_place(struct fixtures *f, uint32_t i)
{
    uint64_t base = i % 4 == 2 ? UINT64_C(0xffffffff81000000) : 0x1000; /* the kernel's half */
    struct model_place *p =
        need(model_stacks_place(&f->catalog.stacks, i % 4, base + i * 16, i % 3 == 0));
    struct model_line lines[3];
    uint32_t n = 1 + i % 3;
    for (uint32_t k = 0; k < n; k++) {
        lines[k] = (struct model_line){.function = nasty_text(&f->arena, (i + k * 7) % 250),
                                       .linkage = k == 1 ? MODEL_STR("_Zlinkage") : MODEL_STR(""),
                                       .file = k == 2 ? MODEL_STR("") : MODEL_STR("/src/a b.c"),
                                       .line = i * 10 + k,
                                       .column = k,
                                       .start_line = i * 10,
                                       .inlined = k + 1 < n};
        if (!lines[k].function.n)
            lines[k].function = MODEL_STR("plain");
    }
    if (i % 4 != 3 && model_place_set_lines(&f->catalog.stacks, p, lines, n) < 0)
        abort();
    return p;
}

void fixtures_make_samples(struct fixtures *f)
{
    uint32_t node = 0;
    uint64_t t = f->t;
    add_modules(f);
    for (uint32_t i = 0; i < PLACES; i++)
        add_place(f, i);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint32_t depth = node ? f->catalog.stacks.nodes[node].depth : 0;
        if (depth > i % 60)
            node = 0;
        node = model_stacks_node(&f->catalog.stacks, node, i * 31 % PLACES);
        struct model_item *it = need(model_batch_add_item(&f->samples));
        t += STEP_NS;
        it->kind = MODEL_ITEM_SAMPLE;
        it->t_ns = t;
        struct model_sample *s = &it->u.sample;
        *s = (struct model_sample){.t_ns = t,
                                   .weight = i * 1000 + 1,
                                   .count = 1 + i % 5,
                                   .thread = i % 4 ? f->main : f->worker,
                                   .stack = i % 50 == 49 ? 0 : node,
                                   .kind = (uint8_t)(1 + i % (ORIEL_SAMPLE_KINDS - 1))};
        if (i % 3 == 0) {
            s->span_id = i % 30 + 1;
            s->trace_id[3] = (uint8_t)(i % 5 + 1);
            s->site = f->catalog.sites[i % 7];
        }
    }
}

static void put_text(struct json *j, const char *key, struct model_str s)
{
    json_key(j, key);
    json_hex(j, s.p, s.n);
}

static void put_number(struct json *j, const char *key, uint64_t v)
{
    json_key(j, key);
    json_u64(j, v);
}

/* Places, innermost first, each with its lines, innermost first. */
static void put_stack(struct json *j, const struct model_stacks *stacks, uint32_t at)
{
    const struct model_stack *s;
    json_array(j);
    for (; (s = model_stack(stacks, at)) != NULL; at = s->parent) {
        const struct model_place *p = model_stack_place(stacks, s);
        const struct model_module *m = stacks->modules[p->module];
        json_object(j);
        put_number(j, "address", p->address);
        json_key(j, "caller");
        json_bool(j, p->caller);
        put_text(j, "module", m->path);
        json_key(j, "build_id");
        json_hex(j, m->build_id, m->build_id_bytes);
        json_key(j, "lines");
        json_array(j);
        for (unsigned i = 0; i < p->line_count; i++) {
            json_object(j);
            put_text(j, "function", p->lines[i].function);
            put_text(j, "linkage", p->lines[i].linkage);
            put_text(j, "file", p->lines[i].file);
            put_number(j, "line", p->lines[i].line);
            put_number(j, "column", p->lines[i].column);
            put_number(j, "start", p->lines[i].start_line);
            json_object_end(j);
        }
        json_array_end(j);
        json_object_end(j);
    }
    json_array_end(j);
}

void fixtures_describe_samples(struct json *j, const struct fixtures *f)
{
    json_array(j);
    for (size_t i = 0; i < f->samples.item_count; i++) {
        const struct model_sample *s = &f->samples.items[i].u.sample;
        json_object(j);
        put_number(j, "kind", s->kind);
        put_number(j, "t", s->t_ns);
        put_number(j, "weight", s->weight);
        put_number(j, "count", s->count);
        put_number(j, "thread", s->thread->index);
        put_text(j, "span_name", s->site ? s->site->name : MODEL_STR(""));
        char span[17], trace[33];
        model_span_hex(s->span_id, span);
        model_trace_hex(s->trace_id, trace);
        json_key(j, "span_id");
        json_string(j, s->span_id ? span : "");
        json_key(j, "trace_id");
        json_string(j, s->span_id ? trace : "");
        json_key(j, "stack");
        put_stack(j, &f->catalog.stacks, s->stack);
        json_object_end(j);
    }
    json_array_end(j);
}
