/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The Chrome outlet: text compared, JSON read back with our strict reader. */
#include "export/chrome/chrome.h"

#include "export/test_story.h"
#include "util/json.h"

extern const struct exporter export_chrome;

static const struct chrome_options defaults = {CHROME_ARRAY, true, true};
static const struct chrome_options bare = {CHROME_ARRAY, false, false};

/* The value of the whole text; ends the test when it is not JSON. */
static struct json_value *parse(struct arena *a, const struct buf *b)
{
    struct json_value *v = NULL;
    struct oriel_err err = {0};
    arena_init(a);
    if (json_read(a, b->data, b->size, NULL, &v, &err) != 0)
        test_fail(__FILE__, __LINE__, "not JSON: %s\n%.*s", err.text, (int)b->size, b->data);
    test_stop_if_failed();
    return v;
}

/* The n-th event with that phase, NULL if there are fewer. */
static const struct json_value *event(const struct json_value *array, const char *phase, int n)
{
    for (size_t i = 0; i < array->count; i++) {
        const struct json_value *v = json_at(array, i);
        if (strcmp(json_get_string(v, "ph", ""), phase) == 0 && n-- == 0)
            return v;
    }
    return NULL;
}

static int count(const struct json_value *array, const char *phase)
{
    int n = 0;
    for (size_t i = 0; i < array->count; i++)
        n += strcmp(json_get_string(json_at(array, i), "ph", ""), phase) == 0;
    return n;
}

TEST(chrome_tells_the_story_as_before)
{
    struct fixture f;
    fixture_init(&f);
    story_tell(&f);
    fixture_run(&f, &export_chrome, &defaults);
    fixture_golden(TEST_SOURCE_DIR "/src/export/chrome/golden_array.json", f.bytes.data,
                   f.bytes.size);
    fixture_done(&f);
}

TEST(chrome_object_form_carries_metadata_and_losses)
{
    struct fixture f;
    struct arena a;
    const struct chrome_options options = {CHROME_OBJECT, true, true};
    fixture_init(&f);
    story_tell(&f);
    fixture_run(&f, &export_chrome, &options);
    const struct json_value *v = parse(&a, &f.bytes), *meta = json_get(v, "metadata");
    REQUIRE(meta != NULL);
    CHECK_STR(json_get_string(meta, "session_id", ""), "0102030405060708090a0b0c0d0e0f10");
    CHECK_STR(json_get_string(meta, "start_unix_ns", ""), "1700000000000000000");
    CHECK_STR(json_get_string(json_get(meta, "resource"), "host.name", ""), "box");
    CHECK_EQ(json_get_i64(json_get(meta, "lost"), "ring full", -1), 42);
    CHECK_EQ(json_get_i64(json_get(meta, "lost"), "no free thread slot", -1), 1);
    CHECK_EQ(json_get_i64(meta, "records", -1), 7);
    CHECK_EQ(count(json_get(v, "traceEvents"), "X"), 5);
    fixture_golden(TEST_SOURCE_DIR "/src/export/chrome/golden_object.json", f.bytes.data,
                   f.bytes.size);
    arena_done(&a);
    fixture_done(&f);
}

TEST(numbers_stay_exact_and_what_json_lacks_becomes_text)
{
    struct fixture f;
    struct arena a;
    fixture_init(&f);
    story_spans(&f);
    fixture_run(&f, &export_chrome, &bare);
    const struct json_value *args = json_get(event(parse(&a, &f.bytes), "X", 1), "args");
    REQUIRE(args != NULL);
    CHECK(json_get_i64(args, "i", 0) == INT64_MIN);
    CHECK_STR(json_get_string(args, "u", ""), "18446744073709551615");
    CHECK(json_get_double(args, "f", 0) == 0.1);
    CHECK_STR(json_get_string(args, "nan", ""), "NaN");
    CHECK_STR(json_get_string(args, "path", ""), "a \"b\"\n\x1b[31m");
    CHECK_EQ(json_get_i64(json_get(args, "oriel.truncated"), "path", 0), 99);
    CHECK_STR(json_get_string(args, "raw", ""), "00ff");
    CHECK_STR(json_get_string(args, "at", ""), "0x7f00deadbeef");
    CHECK(json_get(args, "trace_id") == NULL);
    arena_done(&a);
    fixture_done(&f);
}

TEST(version_and_attributes_of_a_target_are_args)
{
    struct fixture f;
    struct arena a;
    fixture_versions(&f);
    fixture_run(&f, &export_chrome, &bare);
    const struct json_value *v = parse(&a, &f.bytes);
    const struct json_value *args = json_get(event(v, "X", 0), "args");
    CHECK_STR(json_get_string(args, "otel.scope.version", ""), "1.2");
    CHECK_STR(json_get_string(args, "otel.scope.team", ""), "blue");
    CHECK(!json_get(json_get(event(v, "X", 1), "args"), "otel.scope.version"));
    arena_done(&a);
    fixture_done(&f);
}

TEST(times_keep_every_digit)
{
    static const uint64_t times[] = {0,         1,           999,           1000,
                                     99999,     100000,      9999999,       99999999999,
                                     100000000, 12345678901, 1234567890123, 100000000000000};
    struct fixture f;
    char expected[64];
    fixture_init(&f);
    struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "s", "t");
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        fixture_span(&f, site, f.main, i + 1, 0, times[i], 2 * times[i] + 7);
    const char *text = fixture_run(&f, &export_chrome, &bare);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        uint64_t t = times[i], d = t + 7;
        snprintf(expected, sizeof expected, "\"ts\":%llu.%03u,\"dur\":%llu.%03u,",
                 (unsigned long long)(t / 1000), (unsigned)(t % 1000),
                 (unsigned long long)(d / 1000), (unsigned)(d % 1000));
        if (!strstr(text, expected))
            test_fail(__FILE__, __LINE__, "%s is missing", expected);
    }
    fixture_done(&f);
}

TEST(the_file_is_json_after_every_flush)
{
    for (int form = CHROME_ARRAY; form <= CHROME_OBJECT; form++) {
        struct fixture f;
        struct oriel_err err;
        const struct chrome_options options = {form, true, true};
        fixture_init(&f);
        struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "s", "t");
        fixture_open(&f, &export_chrome, &options);
        for (int round = 0; round < 4; round++) {
            struct arena a;
            REQUIRE(export_chrome.flush(f.state, &err) == 0);
            const struct json_value *v = parse(&a, &f.bytes);
            CHECK_EQ(count(form == CHROME_OBJECT ? json_get(v, "traceEvents") : v, "X"), round);
            arena_done(&a);
            fixture_span(&f, site, f.main, 1, 0, 10, 20);
            REQUIRE(fixture_write(&f) == 0);
        }
        REQUIRE(fixture_close(&f) == 0);
        fixture_done(&f);
    }
}

TEST(a_flush_without_news_writes_nothing)
{
    struct fixture f;
    struct oriel_err err;
    fixture_init(&f);
    fixture_open(&f, &export_chrome, &defaults);
    REQUIRE(export_chrome.flush(f.state, &err) == 0);
    size_t before = f.bytes.size;
    memset(f.bytes.data, '?', before);
    REQUIRE(export_chrome.flush(f.state, &err) == 0);
    CHECK_EQ(f.bytes.size, before);
    CHECK(f.bytes.data[before - 1] == '?');
    fixture_close(&f);
    fixture_done(&f);
}

/* ---- an output that fills up ---- */

struct small_out {
    struct out base;
    struct buf bytes;
    size_t limit;
};

static int small_write(struct out *o, const void *bytes, size_t n, size_t *out_written)
{
    struct small_out *s = (struct small_out *)o;
    size_t room = s->limit - s->bytes.size;
    *out_written = n < room ? n : room;
    buf_put(&s->bytes, bytes, *out_written);
    return *out_written == n ? 0 : ORIEL_ENOSPC;
}

static int small_truncate(struct out *o, uint64_t size)
{
    ((struct small_out *)o)->bytes.size = (size_t)size;
    return 0;
}

static int small_write_at(struct out *o, uint64_t offset, const void *bytes, size_t n)
{
    memcpy(((struct small_out *)o)->bytes.data + offset, bytes, n);
    return 0;
}

static void small_close(struct out *o)
{
    (void)o;
}

TEST(a_full_disk_leaves_valid_json_and_the_names_come_again)
{
    static const struct out_ops ops = {.write = small_write,
                                       .write_at = small_write_at,
                                       .truncate = small_truncate,
                                       .close = small_close};
    struct fixture f;
    struct arena a;
    struct oriel_err err = {0};
    struct small_out *small = calloc(1, sizeof *small);
    fixture_init(&f);
    REQUIRE(small != NULL);
    small->base.ops = &ops;
    small->limit = 1500;
    struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "s", "t");
    fixture_open_to(&f, &export_chrome, &defaults, &small->base);
    fixture_span(&f, site, f.main, 1, 0, 10, 20);
    REQUIRE(fixture_write(&f) == 0);
    REQUIRE(export_chrome.flush(f.state, &err) == 0);
    size_t before = small->bytes.size;
    for (int i = 0; i < 50; i++)
        fixture_span(&f, site, f.worker, 1, 0, 10, 20);
    REQUIRE(fixture_write(&f) == 0); /* still in the buffer */
    CHECK_EQ(export_chrome.flush(f.state, &err), ORIEL_ENOSPC);
    CHECK(strstr(err.text, "no space left") != NULL);
    CHECK(small->bytes.size > before && small->bytes.size <= small->limit);
    const struct json_value *v = parse(&a, &small->bytes);
    const int there = count(v, "X");
    CHECK(there > 1);
    CHECK_EQ(there + (int)export_chrome.unwritten(f.state), 51);
    arena_done(&a);

    small->limit = 1 << 20; /* somebody made room */
    fixture_span(&f, site, f.worker, 1, 0, 10, 20);
    REQUIRE(fixture_write(&f) == 0);
    REQUIRE(export_chrome.flush(f.state, &err) == 0);
    v = parse(&a, &small->bytes);
    CHECK_EQ(count(v, "X"), there + 1);
    CHECK_EQ(there + (int)export_chrome.unwritten(f.state), 51);
    CHECK(strstr(buf_cstr(&small->bytes), "\"args\":{\"name\":\"worker\"}") != NULL);
    arena_done(&a);
    export_chrome.close(f.state, &(struct export_summary){0}, &err);
    free(f.state);
    buf_done(&small->bytes);
    free(small);
    fixture_done(&f);
}

/* Many buffers full, with room for so many bytes: what is there and what is not is all there is. */
static void fill(size_t limit, int form)
{
    static const struct out_ops ops = {.write = small_write,
                                       .write_at = small_write_at,
                                       .truncate = small_truncate,
                                       .close = small_close};
    enum { BATCHES = 30, SPANS = 500 };
    struct fixture f;
    struct arena a;
    struct oriel_err err = {0};
    const struct chrome_options options = {form, true, true};
    struct small_out *small = calloc(1, sizeof *small);
    fixture_init(&f);
    REQUIRE(small != NULL);
    small->base.ops = &ops;
    small->limit = limit;
    struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "s", "t");
    fixture_open_to(&f, &export_chrome, &options, &small->base);
    for (int i = 0; i < BATCHES; i++) {
        for (int k = 0; k < SPANS; k++)
            fixture_span(&f, site, f.worker, 1, 0, 10, 20);
        (void)fixture_write(&f);
        if (i % 7 == 0)
            (void)export_chrome.flush(f.state, &err);
    }
    CHECK_EQ(export_chrome.close(f.state, &(struct export_summary){0}, &err), ORIEL_ENOSPC);
    uint64_t there = 0;
    if (small->bytes.size) {
        const struct json_value *v = parse(&a, &small->bytes);
        there = (uint64_t)count(form == CHROME_OBJECT ? json_get(v, "traceEvents") : v, "X");
        arena_done(&a);
    }
    CHECK(limit < 2000 || there > (limit - 2000) / 300);
    CHECK_EQ(there + export_chrome.unwritten(f.state), BATCHES * SPANS);
    free(f.state);
    buf_done(&small->bytes);
    free(small);
    fixture_done(&f);
}

TEST(on_a_disk_of_any_size_what_is_there_and_what_is_not_is_everything)
{
    static const size_t sizes[] = {0,    100,   700,    701,    702,   2000,
                                   4096, 50000, 262144, 262150, 700000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        fill(sizes[i], CHROME_ARRAY);
        fill(sizes[i], CHROME_OBJECT);
    }
}

TEST(without_seeking_the_end_comes_at_close_and_what_is_there_is_an_open_array)
{
    static const struct out_ops ops = {.write = small_write, .close = small_close};
    struct fixture f;
    struct arena a;
    struct oriel_err err = {0};
    struct small_out *pipe = calloc(1, sizeof *pipe);
    fixture_init(&f);
    REQUIRE(pipe != NULL);
    pipe->base.ops = &ops;
    pipe->limit = 1 << 20;
    struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "s", "t");
    fixture_open_to(&f, &export_chrome, &defaults, &pipe->base);
    for (int i = 0; i < 3; i++) {
        fixture_span(&f, site, f.main, 1, 0, 10, 20);
        REQUIRE(fixture_write(&f) == 0);
        REQUIRE(export_chrome.flush(f.state, &err) == 0);
        CHECK(pipe->bytes.data[pipe->bytes.size - 1] == '}');
    }
    REQUIRE(export_chrome.close(f.state, &(struct export_summary){0}, &err) == 0);
    const struct json_value *v = parse(&a, &pipe->bytes);
    CHECK_EQ(count(v, "X"), 3);
    arena_done(&a);
    free(f.state);
    buf_done(&pipe->bytes);
    free(pipe);
    fixture_done(&f);
}

TEST(a_reused_tid_is_another_thread)
{
    struct fixture f;
    struct arena a;
    fixture_init(&f);
    struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "s", "t");
    struct model_thread *again = model_catalog_add_thread(&f.catalog, 0, 101, 3);
    fixture_span(&f, site, f.worker, 1, 0, 10, 20);
    fixture_span(&f, site, again, 2, 0, 30, 40);
    fixture_span(&f, site, f.worker, 3, 0, 50, 60);
    fixture_run(&f, &export_chrome, &defaults);
    const struct json_value *v = parse(&a, &f.bytes);
    int64_t first = json_get_i64(event(v, "X", 0), "tid", 0);
    int64_t second = json_get_i64(event(v, "X", 1), "tid", 0);
    CHECK_EQ(first, 101);
    CHECK(second != 101);
    CHECK_EQ(json_get_i64(event(v, "X", 2), "tid", 0), 101);
    CHECK(strstr(f.bytes.data, "\"os_tid\":101") != NULL);
    arena_done(&a);
    fixture_done(&f);
}

TEST(a_renamed_thread_is_told_again)
{
    struct fixture f;
    struct arena a;
    fixture_init(&f);
    struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "s", "t");
    fixture_open(&f, &export_chrome, &defaults);
    fixture_span(&f, site, f.worker, 1, 0, 10, 20);
    REQUIRE(fixture_write(&f) == 0);
    model_thread_set_name(&f.catalog, f.worker, MODEL_STR("renamed"));
    fixture_span(&f, site, f.worker, 1, 0, 30, 40);
    REQUIRE(fixture_write(&f) == 0);
    REQUIRE(fixture_close(&f) == 0);
    parse(&a, &f.bytes);
    const char *text = buf_cstr(&f.bytes);
    CHECK(strstr(text, "\"name\":\"worker\"") && strstr(text, "\"name\":\"renamed\""));
    arena_done(&a);
    fixture_done(&f);
}

TEST(nothing_begins_before_time_zero)
{
    struct fixture f;
    struct arena a;
    fixture_init(&f);
    struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "s", "t");
    fixture_open(&f, &export_chrome, &defaults);
    /* The first batch moves the origin, later ones are cut to it. */
    fixture_span(&f, site, f.main, 1, 0, (uint64_t)-5000, 20);
    REQUIRE(fixture_write(&f) == 0);
    fixture_span(&f, site, f.main, 2, 0, (uint64_t)-7500, 40);
    REQUIRE(fixture_write(&f) == 0);
    REQUIRE(fixture_close(&f) == 0);
    const struct json_value *v = parse(&a, &f.bytes);
    CHECK(json_get_double(event(v, "X", 0), "ts", -1) == 0.0);
    CHECK(json_get_double(event(v, "X", 0), "dur", -1) == 5.020);
    CHECK(json_get_double(event(v, "X", 1), "ts", -1) == 0.0);
    CHECK(json_get_double(event(v, "X", 1), "dur", -1) == 5.040);
    CHECK_EQ(json_get_i64(json_get(event(v, "X", 1), "args"), "oriel.before_start_ns", 0), 2500);
    arena_done(&a);
    fixture_done(&f);
}

TEST(of_equal_intervals_the_outer_stands_first)
{
    struct fixture f;
    struct arena a;
    fixture_init(&f);
    struct model_site *in = fixture_site(&f, ORIEL_SITE_SPAN, "in", "t");
    struct model_site *out = fixture_site(&f, ORIEL_SITE_SPAN, "out", "t");
    fixture_span(&f, in, f.main, 2, 1, 10, 20)->flags |= MODEL_SPAN_TIED;
    fixture_span(&f, out, f.main, 1, 0, 10, 20);
    fixture_span(&f, in, f.main, 4, 3, 10, 30)->flags |= MODEL_SPAN_TIED;
    fixture_run(&f, &export_chrome, &defaults);
    const struct json_value *v = parse(&a, &f.bytes);
    CHECK_STR(json_get_string(event(v, "X", 0), "name", ""), "out");
    CHECK_STR(json_get_string(event(v, "X", 1), "name", ""), "in");
    CHECK_EQ(count(v, "X"), 3);
    arena_done(&a);
    fixture_done(&f);
}

TEST(attributes_with_our_names_are_told_apart)
{
    struct fixture f;
    struct arena a;
    struct model_value attr = {.key = MODEL_STR("span_id"), .type = ORIEL_TYPE_I64, .v.i64 = 7};
    fixture_init(&f);
    struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "s", "t");
    struct model_span *s = fixture_span(&f, site, f.main, 1, 0, 10, 20);
    s->attrs = &attr;
    s->attr_count = 1;
    fixture_run(&f, &export_chrome, &defaults);
    const struct json_value *args = json_get(event(parse(&a, &f.bytes), "X", 0), "args");
    CHECK_STR(json_get_string(args, "span_id", ""), "0100000000000000");
    CHECK_EQ(json_get_i64(args, "attr.span_id", 0), 7);
    arena_done(&a);
    fixture_done(&f);
}

TEST(out_of_memory_is_an_error_and_not_a_crash)
{
    for (uint64_t n = 1; n < 200; n++) {
        struct fixture f;
        struct arena a;
        struct oriel_err err;
        fixture_init(&f);
        story_tell(&f);
        fixture_open(&f, &export_chrome, &defaults);
        mem_fail_after(n);
        int rc = export_chrome.write(f.state, &f.batch, &err);
        int flushed = export_chrome.flush(f.state, &err);
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        if (f.bytes.size) {
            parse(&a, &f.bytes);
            arena_done(&a);
        }
        fixture_close(&f);
        fixture_done(&f);
        if (rc == 0 && flushed == 0)
            return;
    }
    CHECK(!"still failing after 200 allocations");
}

TEST_MAIN()
