/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The Firefox Profiler outlet, read back with our JSON reader. tests/firefox
 * asks the profiler itself, and tests/conformance reads every stack.
 */
#include "export/firefox/firefox.h"

#include "export/test_samples.h"

extern const struct exporter export_firefox;

static const struct firefox_options everything = {.marks = true};

static const struct json_value *run_and_read(struct fixture *f, struct arena *arena,
                                             const struct firefox_options *o)
{
    struct json_value *root = NULL;
    struct oriel_err err = {0};
    fixture_run(f, &export_firefox, o);
    arena_init(arena);
    if (json_read(arena, f->bytes.data, f->bytes.size, NULL, &root, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s:\n%.*s", err.text, (int)f->bytes.size, f->bytes.data);
    return root;
}

static int64_t number(const struct json_value *table, const char *column, size_t i)
{
    const struct json_value *v = json_at(json_get(table, column), i);
    REQUIRE(v);
    return v->type == JSON_NULL ? -1 : (int64_t)v->integer;
}

static const char *text(const struct json_value *thread, int64_t i)
{
    const struct json_value *v = json_at(json_get(thread, "stringArray"), (size_t)i);
    REQUIRE(v && v->type == JSON_STRING);
    return v->text;
}

static const char *function_of(const struct json_value *thread, int64_t stack)
{
    int64_t frame = number(json_get(thread, "stackTable"), "frame", (size_t)stack);
    int64_t function = number(json_get(thread, "frameTable"), "func", (size_t)frame);
    return text(thread, number(json_get(thread, "funcTable"), "name", (size_t)function));
}

TEST(every_kind_of_every_thread_is_a_track_and_every_sample_is_kept)
{
    struct fixture f;
    struct arena arena;
    fixture_init(&f);
    samples_tell(&f);
    const struct json_value *root = run_and_read(&f, &arena, &everything),
                            *threads = json_get(root, "threads");
    REQUIRE(threads && threads->count == 3);
    const struct json_value *worker = json_at(threads, 0), *samples = json_get(worker, "samples");
    CHECK_STR(json_get_string(worker, "name", ""), "worker");
    CHECK_STR(json_get_string(worker, "pid", ""), "100");
    CHECK_STR(json_get_string(samples, "weightType", ""), "tracing-ms");
    CHECK_EQ(json_get_i64(samples, "length", 0), 5);
    CHECK_EQ(json_get(samples, "time")->count, 5);
    CHECK_EQ(number(samples, "threadCPUDelta", 1), 20);
    CHECK_STR(json_get_string(json_at(threads, 1), "name", ""), "demo");
    CHECK(json_get_bool(json_at(threads, 1), "isMainThread", false));
    CHECK_STR(json_get_string(json_at(threads, 2), "name", ""), "worker: alloc");
    CHECK_STR(json_get_string(json_get(json_at(threads, 2), "samples"), "weightType", ""), "bytes");
    arena_done(&arena);
    fixture_done(&f);
}

TEST(stacks_end_in_what_ran_and_lead_to_the_root)
{
    struct fixture f;
    struct arena arena;
    fixture_init(&f);
    samples_tell(&f);
    const struct json_value *threads = json_get(run_and_read(&f, &arena, &everything), "threads"),
                            *worker = json_at(threads, 0), *stacks = json_get(worker, "stackTable");
    int64_t at = number(json_get(worker, "samples"), "stack", 3);
    const char *const expected[] = {"sys_read", "run",        "again", "a;b\n\"\xef\xbf\xbd",
                                    "run",      "[libz.so.1]"};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        REQUIRE(at >= 0);
        CHECK_STR(function_of(worker, at), expected[i]);
        int64_t up = number(stacks, "prefix", (size_t)at);
        CHECK(up < at); /* readers go through the table once */
        at = up;
    }
    CHECK_EQ(at, -1);
    CHECK_STR(function_of(json_at(threads, 1), 0), "[unknown]");
    arena_done(&arena);
    fixture_done(&f);
}

TEST(spans_and_events_are_markers_unless_not_wanted)
{
    struct firefox_options o = everything;
    struct fixture f;
    struct arena arena;
    fixture_init(&f);
    const struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "load", "app");
    fixture_span(&f, site, f.worker, 1, 0, 1000, 2500000);
    struct model_item *item = fixture_item(&f, MODEL_ITEM_EVENT, FIXTURE_START + 5000);
    item->u.event = (struct model_event){
        .t_ns = item->t_ns, .site = site, .thread = f.worker, .message = MODEL_STR("it said")};
    const struct json_value *root = run_and_read(&f, &arena, &o),
                            *worker = json_at(json_get(root, "threads"), 0),
                            *marks = json_get(worker, "markers");
    CHECK_EQ(json_get_i64(marks, "length", 0), 2);
    CHECK_STR(text(worker, number(marks, "name", 0)), "load");
    CHECK_STR(text(worker, number(marks, "name", 1)), "it said");
    CHECK_EQ(json_at(json_get(marks, "endTime"), 0)->number == 2.499, 1);
    CHECK_EQ(json_at(json_get(marks, "endTime"), 1)->type, JSON_NULL);
    CHECK_EQ(number(marks, "phase", 0), 1);
    arena_done(&arena);
    o.marks = false;
    samples_none(&export_firefox, &o);
    fixture_done(&f);
}

TEST(without_memory_it_fails_and_leaks_nothing)
{
    samples_torture(&export_firefox, &everything);
}

TEST(a_marker_tells_the_version_of_its_target)
{
    struct fixture f;
    fixture_versions(&f);
    fixture_run(&f, &export_firefox, &everything);
    CHECK(memmem(f.bytes.data, f.bytes.size, "\"shop@1.2\"", 10) != NULL);
    fixture_done(&f);
}

TEST_MAIN()
