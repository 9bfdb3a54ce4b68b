/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For tests of outlets only: a small catalog, items by hand, and an outlet run
 * over them into memory.
 */
#ifndef ORIEL_EXPORT_TEST_FIXTURE_H
#define ORIEL_EXPORT_TEST_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>

#include "export/exporter.h"
#include "test.h"

struct fixture {
    struct model_catalog catalog;
    struct model_batch batch;
    struct model_process *process;
    struct model_thread *main, *worker;
    struct buf bytes; /* what the outlet wrote */
    struct out *out;
    const struct exporter *exporter;
    void *state;
    struct export_env env;
};

#define FIXTURE_START 1700000000000000000u

static inline struct model_str fixture_text(const char *s)
{
    return (struct model_str){s, (uint32_t)strlen(s)};
}

static inline struct model_site *fixture_site(struct fixture *f, uint8_t kind, const char *name,
                                              const char *target)
{
    struct model_site s = {
        .id = 2 + f->catalog.site_count,
        .process = 0,
        .line = 10 + f->catalog.site_count,
        .kind = kind,
        .level = ORIEL_LEVEL_INFO,
        .name = fixture_text(name),
        .target = fixture_text(target),
        .file = MODEL_STR("src/demo.c"),
        .function = MODEL_STR("demo"),
    };
    return model_catalog_add_site(&f->catalog, &s);
}

static inline void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    model_catalog_init(&f->catalog);
    f->catalog.start_ns = FIXTURE_START;
    for (unsigned i = 0; i < 16; i++)
        f->catalog.session_id[i] = (uint8_t)(i + 1);
    model_catalog_set_resource(&f->catalog, MODEL_STR("host.name"), MODEL_STR("box"));
    f->process = model_catalog_add_process(&f->catalog, 100, MODEL_STR("/usr/bin/demo"),
                                           (struct model_str){"demo\0-v", 7});
    f->main = model_catalog_add_thread(&f->catalog, 0, 100, 1);
    f->worker = model_catalog_add_thread(&f->catalog, 0, 101, 2);
    model_thread_set_name(&f->catalog, f->worker, MODEL_STR("worker"));
    model_batch_init(&f->batch, &f->catalog);
    buf_init(&f->bytes);
    REQUIRE(f->process && f->main && f->worker);
}

static inline void fixture_done(struct fixture *f)
{
    model_batch_done(&f->batch);
    model_catalog_done(&f->catalog);
    buf_done(&f->bytes);
}

static inline struct model_item *fixture_item(struct fixture *f, enum model_item_kind kind,
                                              uint64_t t_ns)
{
    struct model_item *item = model_batch_add_item(&f->batch);
    REQUIRE(item != NULL);
    item->kind = kind;
    item->t_ns = t_ns;
    return item;
}

/* Times count from FIXTURE_START; ids from `id`: trace 0..0 id, span id, parent. */
static inline struct model_span *fixture_span(struct fixture *f, const struct model_site *site,
                                              const struct model_thread *thread, uint64_t id,
                                              uint64_t parent, uint64_t start, uint64_t end)
{
    struct model_item *item = fixture_item(f, MODEL_ITEM_SPAN, FIXTURE_START + end);
    struct model_span *s = &item->u.span;
    s->trace_id[0] = 0xab;
    s->trace_id[15] = 0xcd;
    s->trace_flags = 1;
    s->span_id = id;
    s->parent_id = parent;
    s->start_ns = FIXTURE_START + start;
    s->end_ns = FIXTURE_START + end;
    s->busy_ns = end - start;
    s->site = site;
    s->thread = s->end_thread = thread;
    s->flags = parent ? 0 : MODEL_SPAN_ROOT;
    return s;
}

static inline void fixture_open_to(struct fixture *f, const struct exporter *exporter,
                                   const void *options, struct out *out)
{
    struct oriel_err err = {0};
    f->exporter = exporter;
    f->out = out;
    f->state = calloc(1, exporter->state_size);
    f->env = (struct export_env){&f->catalog, f->out, "demo", "0.0.0"};
    REQUIRE(f->state != NULL);
    REQUIRE(exporter->open(f->state, options, &f->env, &err) == 0);
}

static inline void fixture_open(struct fixture *f, const struct exporter *exporter,
                                const void *options)
{
    struct out *out = NULL;
    REQUIRE(out_buf_open(&out, &f->bytes) == 0);
    fixture_open_to(f, exporter, options, out);
}

static inline int fixture_write(struct fixture *f)
{
    struct oriel_err err = {0};
    int rc = f->exporter->write(f->state, &f->batch, &err);
    model_batch_clear(&f->batch);
    return rc;
}

static inline int fixture_close(struct fixture *f)
{
    struct export_summary end = {.records = 7, .start_ns = FIXTURE_START};
    struct oriel_err err = {0};
    for (int i = 0; i < ORIEL_LOST_CAUSES; i++)
        end.lost[i] = f->main->lost[i] + f->worker->lost[i] + f->catalog.lost[i];
    int rc = f->exporter->close(f->state, &end, &err);
    free(f->state);
    out_close(f->out);
    f->state = NULL;
    return rc;
}

/* Everything at once: open, write the batch, close; the text is in f->bytes. */
static inline const char *fixture_run(struct fixture *f, const struct exporter *exporter,
                                      const void *options)
{
    fixture_open(f, exporter, options);
    REQUIRE(fixture_write(f) == 0);
    REQUIRE(fixture_close(f) == 0);
    return buf_cstr(&f->bytes);
}

/* Compare with a golden file; ORIEL_GOLDEN=write writes it instead. */
static inline void fixture_golden(const char *path, const char *text, size_t n)
{
    const char *mode = getenv("ORIEL_GOLDEN");
    char *expected = calloc(1, n + 2);
    FILE *file = fopen(path, mode && strcmp(mode, "write") == 0 ? "w" : "r");
    REQUIRE(file != NULL && expected != NULL);
    if (mode && strcmp(mode, "write") == 0) {
        CHECK_EQ(fwrite(text, 1, n, file), n);
    } else {
        size_t got = fread(expected, 1, n + 1, file);
        if (got != n || memcmp(expected, text, n) != 0)
            test_fail(path, 1, "differs from what was written:\n%.*s", (int)n, text);
    }
    fclose(file);
    free(expected);
}

/* A fixture with a span "work" whose target "shop" is of version 1.2 and has an attribute, and a
 * span "rest" of a call site of "shop" that says nothing of it. */
static inline void fixture_versions(struct fixture *f)
{
    fixture_init(f);
    struct model_site *work = fixture_site(f, ORIEL_SITE_SPAN, "work", "shop");
    const struct model_site *rest = fixture_site(f, ORIEL_SITE_SPAN, "rest", "shop");
    const struct model_value team = {
        .key = MODEL_STR("team"), .type = ORIEL_TYPE_STR, .v.str = MODEL_STR("blue")};
    const struct model_scope said = {.name = work->target,
                                     .version = MODEL_STR("1.2"),
                                     .told = {.attrs = &team, .attr_count = 1}};
    const struct model_scope *scope = model_catalog_add_scope(&f->catalog, &said);
    REQUIRE(scope != NULL);
    model_site_set_scope(&f->catalog, work->index, scope);
    fixture_span(f, work, f->main, 1, 0, 10, 20);
    fixture_span(f, rest, f->main, 2, 0, 30, 40);
}

#endif
