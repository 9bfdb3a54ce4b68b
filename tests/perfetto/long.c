/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A long trace: spans of two threads that end in order, below spans that last
 * through many batches and one that lasts from the first to the last. Perfetto
 * has to sort begins back over the whole file.
 *
 *   perfetto_long OUTLET FILE ROUNDS
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "export/exporter.h"

enum { BATCH = 5000, GROUP = 100, STEP_NS = 50 };

static struct model_catalog catalog;
static struct model_batch batch;
static uint64_t next_id = 1;

static const struct model_site *site(const char *name)
{
    const struct model_site s = {.id = 2 + catalog.site_count,
                                 .kind = ORIEL_SITE_SPAN,
                                 .level = ORIEL_LEVEL_INFO,
                                 .name = {name, (uint32_t)strlen(name)},
                                 .target = MODEL_STR("t")};
    return model_catalog_add_site(&catalog, &s);
}

static void span(const struct model_site *s, const struct model_thread *t, uint64_t start,
                 uint64_t end)
{
    struct model_item *item = model_batch_add_item(&batch);
    if (!item || !s || !t)
        exit(1);
    item->kind = MODEL_ITEM_SPAN;
    item->t_ns = end;
    item->u.span = (struct model_span){.span_id = next_id++,
                                       .trace_id = {1},
                                       .start_ns = start,
                                       .end_ns = end,
                                       .site = s,
                                       .thread = t,
                                       .end_thread = t};
}

static void write_batch(const struct exporter *e, void *state)
{
    struct oriel_err err = {0};
    if (e->write(state, &batch, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    model_batch_clear(&batch);
}

static void tell(const struct exporter *e, void *state, unsigned long rounds)
{
    const struct model_thread *threads[2];
    const struct model_site *inner = site("inner"), *middle = site("middle"),
                            *outer = site("outer");
    uint64_t start = catalog.start_ns + 1, t = start + STEP_NS;
    model_catalog_add_process(&catalog, 1, MODEL_STR("/long"), MODEL_STR("long"));
    for (int k = 0; k < 2; k++)
        threads[k] = model_catalog_add_thread(&catalog, 0, 1 + k, 1 + (uint32_t)k);
    for (unsigned long i = 1; i <= rounds; i++, t += STEP_NS) {
        for (int k = 0; k < 2; k++) {
            span(inner, threads[k], t + 10, t + 20);
            if (i % GROUP == 0)
                span(middle, threads[k], t - (GROUP - 1) * STEP_NS, t + 30);
        }
        if (i % BATCH == 0)
            write_batch(e, state);
    }
    for (int k = 0; k < 2; k++)
        span(outer, threads[k], start, t);
    write_batch(e, state);
}

int main(int argc, char **argv)
{
    const struct exporter *e = argc == 4 ? export_find(argv[1]) : NULL;
    struct export_env env = {&catalog, NULL, "long", "0"};
    const struct export_summary end = {0};
    struct oriel_err err = {0};
    if (!e)
        return 2;
    void *options = mem_calloc(1, e->options_size), *state = mem_calloc(1, e->state_size);
    model_catalog_init(&catalog);
    model_batch_init(&batch, &catalog);
    catalog.start_ns = UINT64_C(1700000000000000000);
    if (!options || !state || option_defaults(e->options, options) != 0 ||
        out_file_open(&env.out, argv[2], false, &err) != 0 ||
        e->open(state, options, &env, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    tell(e, state, strtoul(argv[3], NULL, 10));
    int rc = e->close(state, &end, &err);
    out_close(env.out);
    option_done(e->options, options);
    mem_free(options);
    mem_free(state);
    model_batch_done(&batch);
    model_catalog_done(&catalog);
    return rc ? 1 : 0;
}
