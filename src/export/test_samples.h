/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For tests of outlets of samples: a few stacks, known and unknown, with
 * inlined calls and recursion, and samples of them.
 */
#ifndef ORIEL_EXPORT_TEST_SAMPLES_H
#define ORIEL_EXPORT_TEST_SAMPLES_H

#include "export/test_fixture.h"

static inline uint32_t samples_node(struct fixture *f, uint32_t parent, const char *path,
                                    const char *function, const char *inlined)
{
    struct model_stacks *s = &f->catalog.stacks;
    struct model_module like = {.process = UINT32_MAX,
                                .kind = path[0] == '[' ? MODEL_MODULE_KERNEL : MODEL_MODULE_FILE,
                                .path = fixture_text(path)};
    uint64_t address = s->place_count * 16u;
    struct model_place *p =
        model_stacks_place(s, model_stacks_module(s, &like)->index, address, false);
    REQUIRE(p);
    if (function) {
        struct model_line lines[2] = {{.function = fixture_text(inlined ? inlined : function),
                                       .file = MODEL_STR("/src/a.c"),
                                       .line = 9,
                                       .start_line = 7},
                                      {.function = fixture_text(function),
                                       .file = MODEL_STR("/src/a.c"),
                                       .line = 30,
                                       .start_line = 20}};
        REQUIRE(model_place_set_lines(s, p, lines, inlined ? 2 : 1) == 0);
    }
    return model_stacks_node(s, parent, p->index);
}

static inline struct model_sample *samples_add(struct fixture *f, const struct model_thread *t,
                                               uint8_t kind, uint32_t stack, uint64_t weight)
{
    struct model_item *item =
        fixture_item(f, MODEL_ITEM_SAMPLE, FIXTURE_START + f->batch.item_count);
    item->u.sample = (struct model_sample){.t_ns = item->t_ns,
                                           .weight = weight,
                                           .count = 1,
                                           .thread = t,
                                           .stack = stack,
                                           .kind = kind};
    return &item->u.sample;
}

/* [libz.so.1] > run > "in, and run > again > run. */
static inline void samples_tell(struct fixture *f)
{
    uint32_t lib = samples_node(f, 0, "/lib/libz.so.1", NULL, NULL),
             run = samples_node(f, lib, "/bin/demo", "run", "a;b\n\"\xff"),
             again = samples_node(f, run, "/bin/demo", "again", NULL),
             inner = samples_node(f, again, "/bin/demo", "run", NULL),
             kernel = samples_node(f, inner, "[kernel]", "sys_read", NULL);
    samples_add(f, f->worker, ORIEL_SAMPLE_CPU, run, 10);
    samples_add(f, f->worker, ORIEL_SAMPLE_CPU, run, 20);
    samples_add(f, f->worker, ORIEL_SAMPLE_CPU, lib, 5);
    samples_add(f, f->worker, ORIEL_SAMPLE_CPU, kernel, 2);
    samples_add(f, f->worker, ORIEL_SAMPLE_CPU, inner, 1);
    samples_add(f, f->main, ORIEL_SAMPLE_CPU, 0, 3);
    samples_add(f, f->worker, ORIEL_SAMPLE_ALLOC, lib, 64);
}

/* Of any outlet with these samples: each n-th allocation fails. */
static inline void samples_torture(const struct exporter *e, const void *options)
{
    struct fixture f;
    fixture_init(&f);
    samples_tell(&f);
    int rc = ORIEL_ENOMEM;
    for (uint64_t n = 1; rc == ORIEL_ENOMEM && n < 1000; n++) {
        struct oriel_err err = {0};
        buf_clear(&f.bytes);
        fixture_open(&f, e, options);
        size_t blocks = mem_live_blocks();
        mem_fail_after(n);
        rc = f.exporter->write(f.state, &f.batch, &err);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        mem_fail_after(rc == 0 ? n : 0);
        int closed = fixture_close(&f);
        mem_fail_after(0);
        rc = rc == 0 ? closed : rc;
        CHECK(mem_live_blocks() <= blocks);
    }
    CHECK_EQ(rc, 0);
    fixture_done(&f);
}

/* A recording without any: said, and nothing written. */
static inline void samples_none(const struct exporter *e, const void *options)
{
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f, e, options);
    CHECK_EQ(fixture_write(&f), 0);
    CHECK_EQ(fixture_close(&f), ORIEL_ENOTFOUND);
    CHECK_EQ(f.bytes.size, 0);
    fixture_done(&f);
}

#endif
