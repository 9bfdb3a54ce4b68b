/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The speedscope outlet, read back with our JSON reader. Its schema is asked
 * in tests/speedscope, and tests/conformance reads every stack.
 */
#include "export/speedscope/speedscope.h"

#include "export/test_fixture.h"
#include "util/json.h"

extern const struct exporter export_speedscope;

static const struct speedscope_options everything = {0};

static uint32_t node(struct fixture *f, uint32_t parent, const char *function, const char *inlined)
{
    struct model_stacks *s = &f->catalog.stacks;
    struct model_module like = {
        .process = UINT32_MAX, .kind = MODEL_MODULE_FILE, .path = MODEL_STR("/lib/libz.so.1")};
    uint64_t address = s->place_count * 16u;
    struct model_place *p =
        model_stacks_place(s, model_stacks_module(s, &like)->index, address, false);
    REQUIRE(p);
    if (function) {
        struct model_line lines[2] = {{.function = fixture_text(inlined ? inlined : function),
                                       .file = MODEL_STR("/src/a.c"),
                                       .line = 9,
                                       .start_line = 7},
                                      {.function = fixture_text(function)}};
        REQUIRE(model_place_set_lines(s, p, lines, inlined ? 2 : 1) == 0);
    }
    return model_stacks_node(s, parent, p->index);
}

static void sample(struct fixture *f, const struct model_thread *t, uint8_t kind, uint32_t stack,
                   uint64_t weight)
{
    struct model_item *item = fixture_item(f, MODEL_ITEM_SAMPLE, FIXTURE_START);
    item->u.sample = (struct model_sample){.t_ns = item->t_ns,
                                           .weight = weight,
                                           .count = 1,
                                           .thread = t,
                                           .stack = stack,
                                           .kind = kind};
}

static void tell(struct fixture *f)
{
    uint32_t lib = node(f, 0, NULL, NULL), run = node(f, lib, "run", "\"in\xff");
    sample(f, f->worker, ORIEL_SAMPLE_CPU, run, 10);
    sample(f, f->worker, ORIEL_SAMPLE_CPU, run, 20);
    sample(f, f->worker, ORIEL_SAMPLE_CPU, lib, 5);
    sample(f, f->worker, ORIEL_SAMPLE_CPU, run, 1);
    sample(f, f->main, ORIEL_SAMPLE_CPU, 0, 3);
    sample(f, f->worker, ORIEL_SAMPLE_ALLOC, lib, 64);
}

static const char *frame_name(const struct json_value *root, const struct json_value *stack,
                              size_t i)
{
    const struct json_value *frames = json_get(json_get(root, "shared"), "frames");
    const struct json_value *index = json_at(stack, i);
    REQUIRE(index && index->is_integer && index->integer < frames->count);
    return json_get_string(json_at(frames, index->integer), "name", "");
}

static struct json_value *run_and_read(struct fixture *f, struct arena *arena,
                                       const struct speedscope_options *o)
{
    struct json_value *root = NULL;
    struct oriel_err err = {0};
    fixture_run(f, &export_speedscope, o);
    arena_init(arena);
    REQUIRE(json_read(arena, f->bytes.data, f->bytes.size, NULL, &root, &err) == 0);
    return root;
}

TEST(every_thread_and_kind_is_a_profile_and_equal_neighbours_are_one)
{
    struct fixture f;
    struct arena arena;
    fixture_init(&f);
    tell(&f);
    struct json_value *root = run_and_read(&f, &arena, &everything);
    const struct json_value *profiles = json_get(root, "profiles");
    REQUIRE(profiles && profiles->count == 3);
    const struct json_value *worker = json_at(profiles, 0);
    CHECK_STR(json_get_string(worker, "name", ""), "cpu: worker (101)");
    CHECK_STR(json_get_string(json_at(profiles, 1), "name", ""), "cpu: demo (100)");
    CHECK_STR(json_get_string(json_at(profiles, 2), "unit", ""), "bytes");
    CHECK_EQ(json_get_i64(worker, "endValue", 0), 36);
    const struct json_value *weights = json_get(worker, "weights");
    REQUIRE(weights->count == 3 && json_get(worker, "samples")->count == 3);
    CHECK_EQ(json_at(weights, 0)->integer, 30);
    CHECK_EQ(json_at(weights, 1)->integer, 5);
    CHECK_EQ(json_at(weights, 2)->integer, 1);
    arena_done(&arena);
    fixture_done(&f);
}

TEST(stacks_stand_from_the_root_and_what_is_unknown_has_a_name)
{
    struct fixture f;
    struct arena arena;
    fixture_init(&f);
    tell(&f);
    struct json_value *root = run_and_read(&f, &arena, &everything);
    const struct json_value *profiles = json_get(root, "profiles");
    const struct json_value *stack = json_at(json_get(json_at(profiles, 0), "samples"), 0);
    REQUIRE(stack->count == 3);
    CHECK_STR(frame_name(root, stack, 0), "[libz.so.1]");
    CHECK_STR(frame_name(root, stack, 1), "run");
    CHECK_STR(frame_name(root, stack, 2), "\"in\xef\xbf\xbd");
    stack = json_at(json_get(json_at(profiles, 1), "samples"), 0);
    CHECK_STR(frame_name(root, stack, 0), "[unknown]");
    arena_done(&arena);
    fixture_done(&f);
}

TEST(one_kind_can_be_chosen_and_none_of_it_is_said)
{
    struct speedscope_options o = {.kind = ORIEL_SAMPLE_ALLOC};
    struct fixture f;
    struct arena arena;
    fixture_init(&f);
    tell(&f);
    CHECK_EQ(json_get(run_and_read(&f, &arena, &o), "profiles")->count, 1);
    arena_done(&arena);
    buf_clear(&f.bytes);
    o.kind = ORIEL_SAMPLE_LOCK;
    tell(&f);
    fixture_open(&f, &export_speedscope, &o);
    CHECK_EQ(fixture_write(&f), 0);
    CHECK_EQ(fixture_close(&f), ORIEL_ENOTFOUND);
    CHECK_EQ(f.bytes.size, 0);
    fixture_done(&f);
}

TEST(without_memory_it_fails_and_leaks_nothing)
{
    struct fixture f;
    fixture_init(&f);
    tell(&f);
    int rc = ORIEL_ENOMEM;
    for (uint64_t n = 1; rc == ORIEL_ENOMEM && n < 500; n++) {
        struct oriel_err err = {0};
        buf_clear(&f.bytes);
        fixture_open(&f, &export_speedscope, &everything);
        size_t blocks = mem_live_blocks();
        mem_fail_after(n);
        rc = f.exporter->write(f.state, &f.batch, &err);
        mem_fail_after(rc == 0 ? n : 0);
        int closed = fixture_close(&f);
        mem_fail_after(0);
        rc = rc == 0 ? closed : rc;
        CHECK(mem_live_blocks() < blocks);
    }
    CHECK_EQ(rc, 0);
    fixture_done(&f);
}

TEST_MAIN()
