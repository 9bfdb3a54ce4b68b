/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The page is assets/flame.html with the data put where it says so: frames
 * once, then every tree as rows of five numbers, depth first.
 */
#include "report/flame.h"

#include <stdio.h>
#include <string.h>

#include "report/weights.h"
#include "base/err.h"
#include "report/json.h"
#include "util/num.h"

extern const unsigned char report_flame_html[];
extern const size_t report_flame_html_bytes;

static const char place_of_data[] = "/*DATA*/";

static void put_frames(struct json *j, const struct frames *f)
{
    json_key(j, "frames");
    json_array(j);
    for (size_t i = 0; i < f->items.count; i++) {
        const struct frame *frame = &f->items.items[i];
        struct model_str module = frame->module ? frame->module->path : MODEL_STR("");
        json_object(j);
        report_json_str(j, "name", frame->name);
        report_json_str(j, "module", module);
        report_json_str(j, "file", frame->file);
        json_key(j, "line");
        json_u64(j, frame->line);
        json_key(j, "resolved");
        json_bool(j, frame->resolved);
        json_key(j, "kind");
        json_string(j, frame->module && frame->module->kind == MODEL_MODULE_KERNEL ? "kernel"
                                                                                   : "user");
        json_object_end(j);
    }
    json_array_end(j);
}

/* A group or the root is a frame below zero: -1 - its label. */
static void put_nodes(struct json *j, const struct flametree *t)
{
    int64_t labels = 0;
    json_key(j, "nodes");
    json_array(j);
    for (uint32_t node = 0, first = 1; first || node; first = 0, node = flametree_next(t, node)) {
        const struct flametree_node *n = &t->nodes.items[node];
        json_i64(j, n->frame == FRAMES_NONE ? -1 - labels++ : (int64_t)n->frame);
        json_u64(j, n->depth);
        json_u64(j, n->total);
        json_u64(j, n->self);
        json_u64(j, n->inlined);
    }
    json_array_end(j);
    json_key(j, "labels");
    json_array(j);
    for (uint32_t node = 0, first = 1; first || node; first = 0, node = flametree_next(t, node))
        if (t->nodes.items[node].frame == FRAMES_NONE)
            json_string_n(j, t->nodes.items[node].label.p, t->nodes.items[node].label.n);
    json_array_end(j);
}

static const struct {
    enum flametree_grouping by;
    const char *name;
} groupings[] = {
    {FLAMETREE_PLAIN, ""}, {FLAMETREE_BY_THREAD, ", by thread"}, {FLAMETREE_BY_SPAN, ", by span"}};

static const char *kind_title(uint8_t kind)
{
    static const char *const titles[ORIEL_SAMPLE_KINDS] = {
        [ORIEL_SAMPLE_CPU] = "CPU time",
        [ORIEL_SAMPLE_OFF_CPU] = "Waiting",
        [ORIEL_SAMPLE_ALLOC] = "Allocations",
        [ORIEL_SAMPLE_FREE] = "Frees",
        [ORIEL_SAMPLE_LOCK] = "Waiting for locks",
        [ORIEL_SAMPLE_FAULT] = "Page faults",
        [ORIEL_SAMPLE_PREEMPTED] = "Ready, but others ran",
        [ORIEL_SAMPLE_WAKE] = "Wakes, by how long the other had waited",
        [ORIEL_SAMPLE_DEPTH] = "Stack, by how much deeper",
        [ORIEL_SAMPLE_HOLDER] = "Holders of locks, by how long others waited",
        [ORIEL_SAMPLE_LIVE] = "Memory in use at the end",
        [ORIEL_SAMPLE_TEMPORARY] = "Memory given back at once",
        [ORIEL_SAMPLE_PEAK] = "Memory when most was in use",
        [ORIEL_SAMPLE_CONDITION] = "Waiting for conditions",
        [ORIEL_SAMPLE_CALL] = "Time in counted calls"};
    return titles[kind] ? titles[kind] : "Samples";
}

static bool has_spans(const struct model_profile *p)
{
    for (uint32_t i = 0; i < p->row_count; i++)
        if (p->rows[i].site)
            return true;
    return false;
}

static int put_tree(struct json *j, struct frames *f, const struct model_profile *p,
                    const struct model_catalog *c, uint8_t kind, size_t grouping)
{
    struct flametree t;
    struct profile_filter all = {.kind = kind, .thread = -1, .process = -1};
    int rc = flametree_make(&t, f, p, c, &all, groupings[grouping].by);
    if (rc == 0) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", kind_title(kind), groupings[grouping].name);
        json_object(j);
        json_key(j, "name");
        json_string(j, name);
        json_key(j, "unit");
        json_string(j, model_sample_unit(kind));
        put_nodes(j, &t);
        json_object_end(j);
    }
    flametree_done(&t);
    return rc;
}

static int put_trees(struct json *j, struct frames *f, const struct model_profile *p,
                     const struct model_catalog *c, const struct flame_options *o)
{
    int rc = 0;
    bool spans = has_spans(p);
    json_key(j, "trees");
    json_array(j);
    for (uint8_t kind = 1; kind < ORIEL_SAMPLE_KINDS; kind++)
        for (size_t g = 0; rc == 0 && g < sizeof groupings / sizeof *groupings; g++)
            if (p->samples[kind] && (!o->kind || o->kind == kind) &&
                (g == 0 || !weights_are_summed(p, c, kind)) &&
                (spans || groupings[g].by != FLAMETREE_BY_SPAN))
                rc = put_tree(j, f, p, c, kind, g);
    json_array_end(j);
    return rc;
}

/* What it is of: commit, host, how many samples. */
static void put_about(struct json *j, const struct model_profile *p, const struct model_catalog *c)
{
    struct buf b;
    struct model_str host = model_catalog_resource(c, "host.name");
    struct model_str commit = model_catalog_resource(c, "vcs.ref.head.revision");
    const uint64_t samples = model_profile_samples(p);
    buf_init(&b);
    char count[NUM_TEXT_MAX];
    buf_printf(&b, "%s sample%s", num_count(count, samples), samples == 1 ? "" : "s");
    if (p->last_ns > p->first_ns)
        buf_printf(&b, " in %.2f s", (double)(p->last_ns - p->first_ns) / 1e9);
    if (commit.n)
        buf_printf(&b, ", commit %.*s", commit.n > 12 ? 12 : (int)commit.n, commit.p);
    if (host.n)
        buf_printf(&b, ", on %.*s", (int)host.n, host.p);
    json_key(j, "about");
    json_string(j, buf_cstr(&b));
    buf_done(&b);
}

static int put_data(struct frames *f, const struct model_profile *p, const struct model_catalog *c,
                    const struct flame_options *o, struct buf *out)
{
    struct json j;
    struct model_str command = model_catalog_resource(c, "service.name");
    json_init(&j, out);
    json_object(&j);
    json_key(&j, "title");
    if (o->title)
        json_string(&j, o->title);
    else
        json_string_n(&j, command.n ? command.p : "flame graph", command.n ? command.n : 11);
    put_about(&j, p, c);
    int rc = put_trees(&j, f, p, c, o);
    put_frames(&j, f); /* after the trees: they make frames */
    json_object_end(&j);
    return rc;
}

void flame_page(const struct buf *data, struct buf *out)
{
    const char *page = (const char *)report_flame_html;
    const char *at = memmem(page, report_flame_html_bytes, place_of_data, sizeof place_of_data - 1);
    buf_put(out, page, (size_t)(at - page));
    /* "</script>" in a name must not end the data; in JSON a '<' stands in
     * strings only. */
    for (size_t i = 0; i < data->size; i++) {
        if (data->data[i] == '<')
            buf_puts(out, "\\u003c");
        else
            buf_putc(out, data->data[i]);
    }
    at += sizeof place_of_data - 1;
    buf_put(out, at, report_flame_html_bytes - (size_t)(at - page));
}

int flame_html(struct frames *f, const struct model_profile *p, const struct model_catalog *c,
               const struct flame_options *o, struct buf *out)
{
    struct buf data;
    buf_init(&data);
    int rc = put_data(f, p, c, o, &data);
    flame_page(&data, out);
    rc = data.failed || out->failed ? ORIEL_ENOMEM : rc;
    buf_done(&data);
    return rc;
}
