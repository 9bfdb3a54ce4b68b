/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Pushes the fixtures through every outlet of the registry, in every form that
 * it has, into a directory, and puts the truth beside it for check.py.
 *
 *   conformance DIR [texts]   truth.json, records.json, <outlet>.<form>, outlets.json
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "capture_maker.h"
#include "export/exporter.h"
#include "fixtures.h"
#include "source/source.h"

/* The forms of an outlet; one without a row here is run with its defaults. */
static const struct form {
    const char *outlet, *name;
    const char *options[4][2];
} forms[] = {
    {"chrome", "array", {{"form", "array"}}},
    {"chrome", "object", {{"form", "object"}}},
    {"chrome", "bare", {{"ids", "false"}, {"source", "false"}}},
    {"perfetto", "default", {{"ids", "true"}}},
    {"perfetto", "bare", {{"ids", "false"}, {"source", "false"}}},
    {"log", "json", {{"format", "json"}, {"spans", "true"}, {"context", ""}}},
    {"log", "text", {{"format", "text"}, {"spans", "true"}}},
    {"log", "compact", {{"format", "compact"}}},
    {"log", "pretty", {{"format", "pretty"}, {"spans", "true"}}},
    {"otlp", "json", {{"encoding", "json"}}},
    {"otlp", "traces", {{"encoding", "protobuf"}, {"signals", "traces"}}},
    {"otlp", "logs", {{"encoding", "protobuf"}, {"signals", "logs"}}},
    {"capture", "default", {{NULL, NULL}}},
    {"pprof", "default", {{"gzip", "true"}}},
    {"pprof", "spans", {{"spans", "true"}, {"gzip", "false"}}},
    {"firefox", "default", {{"marks", "true"}}},
    {"firefox", "samples", {{"marks", "false"}}},
};

static void die(const char *what, const struct oriel_err *err)
{
    fprintf(stderr, "conformance: %s: %s\n", what, err->text);
    exit(1);
}

static void write_text(const char *dir, const char *name, const struct buf *b)
{
    char path[600];
    struct out *out;
    struct oriel_err err = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (out_file_open(&out, path, false, &err) != 0 || out_write(out, b->data, b->size) != 0)
        die(path, &err);
    out_close(out);
}

static void fill_summary(const struct fixtures *f, struct export_summary *end)
{
    memset(end, 0, sizeof *end);
    end->records = f->items.item_count;
    end->clamped = 1;
    end->unfinished = 1;
    end->start_ns = FIXTURES_START;
    end->end_ns = f->t;
    for (size_t i = 0; i < f->items.item_count; i++)
        if (f->items.items[i].kind == MODEL_ITEM_LOSS)
            end->lost[f->items.items[i].u.loss.cause] += f->items.items[i].u.loss.count;
}

/* The items in pieces, so that flushes come between them. */
static void write_pieces(const struct exporter *e, void *state, const struct fixtures *f,
                         struct oriel_err *err)
{
    const struct model_batch *all = e->wants & EXPORT_RECORDS ? &f->records : &f->items;
    size_t n = e->wants & EXPORT_RECORDS ? all->record_count : all->item_count, piece = 37;
    for (size_t at = 0; at < n; at += piece) {
        struct model_batch part = *all;
        size_t count = n - at < piece ? n - at : piece;
        part.records += at;
        part.items += at;
        *(e->wants & EXPORT_RECORDS ? &part.record_count : &part.item_count) = count;
        part.last = at + count == n;
        if (e->write(state, &part, err) != 0 || (e->flush && e->flush(state, err) != 0))
            die(e->name, err);
    }
}

static void run(const struct fixtures *f, const struct exporter *e, const struct form *form,
                const char *dir)
{
    char path[600];
    struct oriel_err err = {0};
    struct export_summary end;
    void *options = mem_calloc(1, e->options_size ? e->options_size : 1);
    void *state = mem_calloc(1, e->state_size);
    struct export_env env = {&f->catalog, NULL, "conformance", "0"};
    snprintf(path, sizeof path, "%s/%s.%s", dir, e->name, form->name);
    if (!options || !state || option_defaults(e->options, options) != 0)
        die(e->name, &err);
    for (int i = 0; i < 4 && form->options[i][0]; i++) {
        const char *name = form->options[i][0];
        const struct option_def *def = option_find(e->options, name, strlen(name));
        if (!def || option_set(def, options, form->options[i][1], &err) != 0)
            die(name, &err);
    }
    if (out_file_open(&env.out, path, false, &err) != 0)
        die(path, &err);
    if (e->open(state, options, &env, &err) != 0)
        die(e->name, &err);
    write_pieces(e, state, f, &err);
    if (e->wants & EXPORT_ITEMS && e->wants & (EXPORT_SYMBOLS | EXPORT_SEGMENTS) &&
        e->write(state, &f->samples, &err) != 0)
        die(e->name, &err);
    fill_summary(f, &end);
    int rc = e->close(state, &end, &err);
    if (rc != 0 && !(rc == ORIEL_ENOTFOUND && f->samples.item_count == 0))
        die(e->name, &err);
    out_close(env.out);
    option_done(e->options, options);
    mem_free(options);
    mem_free(state);
}

/* Every record of a batch as one item of the open array. */
static void put_records(struct json *j, const struct model_batch *b)
{
    for (size_t i = 0; i < b->record_count; i++)
        fixtures_describe_record(j, &b->records[i]);
}

/* A capture as its source reads it, told the same way as what went in. */
static void read_back(const char *dir, const char *file)
{
    char path[600], name[80];
    struct oriel_err err = {0};
    struct model_catalog catalog;
    struct model_batch batch;
    const struct source *source = source_find("file");
    struct buf text;
    struct json j;
    int rc;
    if (!source)
        return;
    void *state = mem_calloc(1, source->state_size);
    snprintf(path, sizeof path, "%s/%s", dir, file);
    model_catalog_init(&catalog);
    model_batch_init(&batch, &catalog);
    buf_init(&text);
    json_init(&j, &text);
    if (!state || source->open(state, path, &catalog, &err) != 0)
        die(path, &err);
    json_array(&j);
    while (model_batch_clear(&batch), (rc = source->poll(state, &batch, 1000, &err)) == SOURCE_DATA)
        put_records(&j, &batch);
    json_array_end(&j);
    if (rc < 0)
        die(path, &err);
    snprintf(name, sizeof name, "%s.read.json", file);
    write_text(dir, name, &text);
    source->close(state);
    mem_free(state);
    buf_done(&text);
    model_batch_done(&batch);
    model_catalog_done(&catalog);
}

/* Records of every type, not only those that an item of ours is made of. */
static void run_all_types(const char *dir, struct fixtures *f)
{
    static struct maker m;
    const struct form form = {"capture", "types", {{NULL, NULL}}};
    const struct exporter *e = export_find("capture");
    struct fixtures other = *f;
    struct buf text;
    struct json j;
    if (!e)
        return;
    maker_init(&m, 4);
    maker_everything(&m, 100);
    other.catalog = m.catalog;
    other.records = m.batch;
    run(&other, e, &form, dir);
    buf_init(&text);
    json_init(&j, &text);
    json_array(&j);
    put_records(&j, &m.batch);
    json_array_end(&j);
    write_text(dir, "types.json", &text);
    buf_done(&text);
    maker_done(&m);
    read_back(dir, "capture.default");
    read_back(dir, "capture.types");
}

int main(int argc, char **argv)
{
    static struct fixtures f;
    const char *dir = argc > 1 ? argv[1] : ".";
    struct buf text;
    struct json j;
    buf_init(&text);
    if (argc > 2 && strcmp(argv[2], "texts") == 0)
        fixtures_make_texts(&f);
    else
        fixtures_make(&f);
    fixtures_describe(&f, &text);
    write_text(dir, "truth.json", &text);
    buf_clear(&text);
    json_init(&j, &text);
    json_array(&j);
    put_records(&j, &f.records);
    json_array_end(&j);
    write_text(dir, "records.json", &text);
    buf_clear(&text);
    json_init(&j, &text);
    json_array(&j);
    for (size_t i = 0; export_registry[i]; i++) {
        const struct exporter *e = export_registry[i];
        const struct form plain = {e->name, "default", {{NULL, NULL}}};
        unsigned done = 0;
        json_string(&j, e->name);
        for (size_t k = 0; k < sizeof forms / sizeof *forms; k++)
            if (strcmp(forms[k].outlet, e->name) == 0) {
                run(&f, e, &forms[k], dir);
                done++;
            }
        if (!done)
            run(&f, e, &plain, dir);
    }
    json_array_end(&j);
    write_text(dir, "outlets.json", &text);
    run_all_types(dir, &f);
    buf_done(&text);
    fixtures_done(&f);
    return 0;
}
