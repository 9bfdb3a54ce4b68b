/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The speedscope outlet, read back with our JSON reader. Its schema is asked
 * in tests/speedscope, and tests/conformance reads every stack.
 */
#include "export/speedscope/speedscope.h"

#include "export/test_samples.h"
#include "util/json.h"

extern const struct exporter export_speedscope;

static const struct speedscope_options everything = {0};

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
    samples_tell(&f);
    struct json_value *root = run_and_read(&f, &arena, &everything);
    const struct json_value *profiles = json_get(root, "profiles");
    REQUIRE(profiles && profiles->count == 3);
    const struct json_value *worker = json_at(profiles, 0);
    CHECK_STR(json_get_string(worker, "name", ""), "cpu: worker (101)");
    CHECK_STR(json_get_string(json_at(profiles, 1), "name", ""), "cpu: demo (100)");
    CHECK_STR(json_get_string(json_at(profiles, 2), "unit", ""), "bytes");
    CHECK_EQ(json_get_i64(worker, "endValue", 0), 38);
    const struct json_value *weights = json_get(worker, "weights");
    REQUIRE(weights->count == 4 && json_get(worker, "samples")->count == 4);
    CHECK_EQ(json_at(weights, 0)->integer, 30);
    CHECK_EQ(json_at(weights, 1)->integer, 5);
    CHECK_EQ(json_at(weights, 2)->integer, 2);
    CHECK_EQ(json_at(weights, 3)->integer, 1);
    arena_done(&arena);
    fixture_done(&f);
}

TEST(the_first_profile_is_the_cpu_time_of_the_thread_that_has_most)
{
    struct fixture f;
    struct arena arena;
    fixture_init(&f);
    samples_add(&f, f.worker, ORIEL_SAMPLE_WAKE, 0, 900);
    samples_add(&f, f.worker, ORIEL_SAMPLE_OFF_CPU, 0, 800);
    samples_add(&f, f.worker, ORIEL_SAMPLE_CPU, 0, 3);
    samples_add(&f, f.main, ORIEL_SAMPLE_CPU, 0, 4);
    struct json_value *root = run_and_read(&f, &arena, &everything);
    const struct json_value *profiles = json_get(root, "profiles");
    CHECK_EQ(json_get_i64(root, "activeProfileIndex", -1), 0);
    REQUIRE(profiles && profiles->count == 4);
    CHECK_STR(json_get_string(json_at(profiles, 0), "name", ""), "cpu: demo (100)");
    CHECK_STR(json_get_string(json_at(profiles, 1), "name", ""), "cpu: worker (101)");
    CHECK_STR(json_get_string(json_at(profiles, 2), "name", ""), "off-cpu: worker (101)");
    arena_done(&arena);
    fixture_done(&f);
}

TEST(stacks_stand_from_the_root_and_what_is_unknown_has_a_name)
{
    struct fixture f;
    struct arena arena;
    fixture_init(&f);
    samples_tell(&f);
    struct json_value *root = run_and_read(&f, &arena, &everything);
    const struct json_value *profiles = json_get(root, "profiles");
    const struct json_value *stack = json_at(json_get(json_at(profiles, 0), "samples"), 0);
    REQUIRE(stack->count == 3);
    CHECK_STR(frame_name(root, stack, 0), "[libz.so.1]");
    CHECK_STR(frame_name(root, stack, 1), "run");
    CHECK_STR(frame_name(root, stack, 2), "a;b\n\"\xef\xbf\xbd");
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
    samples_tell(&f);
    CHECK_EQ(json_get(run_and_read(&f, &arena, &o), "profiles")->count, 1);
    arena_done(&arena);
    buf_clear(&f.bytes);
    o.kind = ORIEL_SAMPLE_LOCK;
    samples_tell(&f);
    fixture_open(&f, &export_speedscope, &o);
    CHECK_EQ(fixture_write(&f), 0);
    CHECK_EQ(fixture_close(&f), ORIEL_ENOTFOUND);
    CHECK_EQ(f.bytes.size, 0);
    fixture_done(&f);
}

TEST(a_recording_without_samples_is_said_to_be_one_and_nothing_is_written)
{
    samples_none(&export_speedscope, &everything);
}

TEST(without_memory_it_fails_and_leaks_nothing)
{
    samples_torture(&export_speedscope, &everything);
}

TEST_MAIN()
