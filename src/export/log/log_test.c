/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The log outlet: lines compared as a person or a parser would read them. */
#include "export/log/log.h"

#include "export/test_story.h"
#include "util/json.h"

extern const struct exporter export_log;

static const struct log_options text = {.events = true, .format = LOG_TEXT};

static const char *run(struct fixture *f, const struct log_options *options)
{
    return fixture_run(f, &export_log, options);
}

/* A line per format of the same story. */
static void check_golden(int format, const char *name)
{
    struct fixture f;
    char path[512];
    const struct log_options options = {
        .events = true, .format = format, .spans = true, .context = "tenant"};
    fixture_init(&f);
    story_tell(&f);
    run(&f, &options);
    snprintf(path, sizeof path, "%s/src/export/log/golden_%s.txt", TEST_SOURCE_DIR, name);
    fixture_golden(path, f.bytes.data, f.bytes.size);
    fixture_done(&f);
}

TEST(text_lines_are_as_before)
{
    check_golden(LOG_TEXT, "text");
}

TEST(json_lines_are_as_before)
{
    check_golden(LOG_JSON, "json");
}

TEST(compact_lines_are_as_before)
{
    check_golden(LOG_COMPACT, "compact");
}

TEST(pretty_lines_are_as_before)
{
    check_golden(LOG_PRETTY, "pretty");
}

TEST(a_target_is_told_with_its_version)
{
    struct fixture f;
    const struct log_options json = {.spans = true, .format = LOG_JSON};
    const struct log_options lines = {.spans = true, .format = LOG_TEXT};
    fixture_versions(&f);
    CHECK(strstr(run(&f, &lines), " shop@1.2: work") != NULL);
    fixture_done(&f);
    fixture_versions(&f);
    const char *line = run(&f, &json);
    CHECK(strstr(line, "\"target\":\"shop\"") != NULL);
    CHECK(strstr(line, "\"scope\":{\"version\":\"1.2\",\"attributes\":{\"team\":\"blue\"}}"));
    fixture_done(&f);
}

static struct model_event *event(struct fixture *f, const struct model_site *site,
                                 struct model_str message)
{
    struct model_item *item = fixture_item(f, MODEL_ITEM_EVENT, FIXTURE_START);
    item->u.event.t_ns = FIXTURE_START;
    item->u.event.site = site;
    item->u.event.thread = f->main;
    item->u.event.message = message;
    return &item->u.event;
}

TEST(every_json_line_has_the_promised_fields)
{
    struct fixture f;
    struct arena a;
    struct json_value *v = NULL;
    const struct log_options options = {
        .events = true, .format = LOG_JSON, .context = "tenant_id,kernel_id"};
    const struct model_value attrs[] = {
        {.key = MODEL_STR("tenant_id"), .type = ORIEL_TYPE_STR, .v.str = MODEL_STR("acme")},
        {.key = MODEL_STR("kernel_id"), .type = ORIEL_TYPE_U64, .v.u64 = UINT64_MAX},
        {.key = MODEL_STR("n"), .type = ORIEL_TYPE_I64, .v.i64 = -3},
    };
    fixture_init(&f);
    arena_init(&a);
    struct model_site *site = fixture_site(&f, ORIEL_SITE_EVENT, "hello", "demo.net");
    site->level = ORIEL_LEVEL_WARN;
    struct model_event *e = event(&f, site, site->name);
    memset(e->trace_id, 0x5a, 16);
    e->span_id = 0x0807060504030201;
    e->attrs = attrs;
    e->attr_count = 3;
    run(&f, &options);
    CHECK(f.bytes.data[f.bytes.size - 1] == '\n');
    REQUIRE(json_read(&a, f.bytes.data, f.bytes.size, NULL, &v, NULL) == 0);
    CHECK_STR(json_get_string(v, "timestamp", ""), "2023-11-14T22:13:20.000000000Z");
    CHECK_STR(json_get_string(v, "level", ""), "WARN");
    CHECK_STR(json_get_string(v, "message", ""), "hello");
    CHECK_STR(json_get_string(v, "target", ""), "demo.net");
    CHECK_STR(json_get_string(v, "tenant_id", ""), "acme");
    CHECK_STR(json_get(v, "kernel_id")->text, "18446744073709551615");
    CHECK_EQ(json_get_i64(json_get(v, "fields"), "n", 0), -3);
    CHECK(json_get(json_get(v, "fields"), "tenant_id") == NULL);
    CHECK(json_get(v, "event_name") == NULL);
    CHECK_STR(json_get_string(v, "trace_id", ""), "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a");
    CHECK_STR(json_get_string(v, "span_id", ""), "0102030405060708");
    arena_done(&a);
    fixture_done(&f);
}

TEST(a_named_event_says_its_name_as_one)
{
    struct fixture f;
    struct arena a;
    struct json_value *v = NULL;
    const struct log_options options = {.events = true, .format = LOG_JSON};
    fixture_init(&f);
    arena_init(&a);
    struct model_site *site = fixture_site(&f, ORIEL_SITE_EVENT, "cache.evicted", "demo");
    site->flags = ORIEL_SITE_NAMED;
    event(&f, site, site->name);
    run(&f, &options);
    REQUIRE(json_read(&a, f.bytes.data, f.bytes.size, NULL, &v, NULL) == 0);
    CHECK_STR(json_get_string(v, "event_name", ""), "cache.evicted");
    CHECK_STR(json_get_string(v, "message", ""), "cache.evicted");
    arena_done(&a);
    fixture_done(&f);
}

TEST(the_end_of_a_span_has_its_duration_as_a_number)
{
    struct fixture f;
    const struct log_options options = {.events = true, .format = LOG_JSON, .spans = true};
    fixture_init(&f);
    struct model_site *site = fixture_site(&f, ORIEL_SITE_SPAN, "work", "demo");
    fixture_span(&f, site, f.main, 1, 0, 10, 12345678);
    CHECK(strstr(run(&f, &options), "\"duration_ms\":12.345668,") != NULL);
    fixture_done(&f);
}

TEST(spans_are_silent_unless_asked_for)
{
    struct fixture f;
    fixture_init(&f);
    fixture_span(&f, fixture_site(&f, ORIEL_SITE_SPAN, "work", "demo"), f.main, 1, 0, 10, 20);
    CHECK_STR(run(&f, &text), "");
    fixture_done(&f);
}

TEST(nothing_logged_can_end_a_line_or_command_a_terminal)
{
    struct fixture f;
    const struct model_value attr = {.key = MODEL_STR("a b"),
                                     .type = ORIEL_TYPE_STR,
                                     .v.str = MODEL_STR("x=\"1\"\x1b]0;evil\a")};
    fixture_init(&f);
    struct model_site *site = fixture_site(&f, ORIEL_SITE_EVENT, "m", "t\n");
    struct model_event *e =
        event(&f, site,
              MODEL_STR("one\ntwo\r\t\x1b[31m\x7f\\ \xff \xc2\x9b \xe2\x80\xae \xc3\xa9 \0 end"));
    e->attrs = &attr;
    e->attr_count = 1;
    CHECK_STR(run(&f, &text), "2023-11-14T22:13:20.000000000Z INFO  t\\n: "
                              "one\\ntwo\\r\\t\\x1b[31m\\x7f\\\\ \\xff \\u{9b} \\u{202e} \xc3\xa9 "
                              "\\x00 end \"a b\"=\"x=\\\"1\\\"\\x1b]0;evil\\x07\"\n");
    fixture_done(&f);
}

TEST(colour_is_for_terminals_or_on_demand)
{
    struct log_options options = {.events = true, .format = LOG_TEXT, .color = LOG_COLOUR_ALWAYS};
    for (int choice = LOG_COLOUR_AUTO; choice <= LOG_COLOUR_NEVER; choice++)
        for (int terminal = 0; terminal < 2; terminal++) {
            struct fixture f;
            struct out *out = NULL;
            options.color = choice;
            fixture_init(&f);
            REQUIRE(out_buf_open(&out, &f.bytes) == 0);
            out->colour = terminal;
            fixture_open_to(&f, &export_log, &options, out);
            event(&f, fixture_site(&f, ORIEL_SITE_EVENT, "m", "t"), MODEL_STR("m"));
            REQUIRE(fixture_write(&f) == 0);
            REQUIRE(fixture_close(&f) == 0);
            bool coloured = strstr(buf_cstr(&f.bytes), "\x1b[32mINFO") != NULL;
            CHECK_EQ(coloured,
                     choice == LOG_COLOUR_ALWAYS || (choice == LOG_COLOUR_AUTO && terminal));
            fixture_done(&f);
        }
}

/* Which of three targets at INFO show with these directives. */
static void check_filter(const char *levels, int level, bool net, bool http, bool network)
{
    static const char *const targets[] = {"net", "net.http", "network"};
    const bool expected[] = {net, http, network};
    const struct log_options options = {
        .events = true, .format = LOG_COMPACT, .level = level, .levels = levels};
    for (int i = 0; i < 3; i++) {
        struct fixture f;
        fixture_init(&f);
        event(&f, fixture_site(&f, ORIEL_SITE_EVENT, "m", targets[i]), MODEL_STR("m"));
        bool shown = run(&f, &options)[0] != 0;
        if (shown != expected[i])
            test_fail(__FILE__, __LINE__, "levels '%s': %s shown: %d", levels, targets[i], shown);
        fixture_done(&f);
    }
}

TEST(the_longest_target_that_fits_decides_the_level)
{
    enum { TRACE = 0, INFO = 2, WARN = 3, OFF = 6 };
    check_filter("", TRACE, true, true, true);
    check_filter("", INFO, true, true, true);
    check_filter("", WARN, false, false, false);
    check_filter("", OFF, false, false, false);
    check_filter("net=warn", TRACE, false, false, true);
    check_filter("net=warn, net.http = debug", TRACE, false, true, true);
    check_filter("net.http=debug,net=warn", TRACE, false, true, true);
    check_filter("net=TRACE", OFF, true, true, false);
    check_filter("net=off", TRACE, false, false, true);
    check_filter("error,network=info", TRACE, false, false, true);
    check_filter(",,", TRACE, true, true, true);
}

TEST(a_wrong_directive_is_named)
{
    static const char *const wrong[] = {"net=loud", "net=", "=x", "loud"};
    for (int i = 0; i < 4; i++) {
        struct fixture f;
        struct oriel_err err = {0};
        struct log_state state = {0};
        const struct log_options options = {.levels = wrong[i]};
        fixture_init(&f);
        REQUIRE(out_buf_open(&f.out, &f.bytes) == 0);
        f.env = (struct export_env){&f.catalog, f.out, "demo", "0"};
        CHECK_EQ(export_log.open(&state, &options, &f.env, &err), ORIEL_EINVAL);
        CHECK(strstr(err.text, wrong[i]) != NULL);
        out_close(f.out);
        fixture_done(&f);
    }
}

TEST(time_stamps_know_the_calendar)
{
    static const struct {
        uint64_t s;
        const char *stamp;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000000007Z"},
        {951782399, "2000-02-28T23:59:59.000000007Z"},
        {951782400, "2000-02-29T00:00:00.000000007Z"},
        {1709251199, "2024-02-29T23:59:59.000000007Z"},
        {1735689599, "2024-12-31T23:59:59.000000007Z"},
        {4107542400, "2100-03-01T00:00:00.000000007Z"},
        {18446744073, "2554-07-21T23:34:33.000000007Z"},
    };
    struct log_state l = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char stamp[LOG_STAMP_BYTES + 1] = {0};
        log_put_stamp(&l, stamp, cases[i].s * 1000000000u + 7);
        CHECK_STR(stamp, cases[i].stamp);
    }
}

TEST(events_are_lines_unless_only_spans_are_wanted)
{
    struct fixture f;
    const struct log_options options = {.format = LOG_COMPACT, .spans = true};
    fixture_init(&f);
    story_tell(&f);
    const char *lines = run(&f, &options);
    CHECK(strstr(lines, "duration_ms=") != NULL);
    for (const char *p = lines; (p = strchr(p, '\n')) && p[1]; p++)
        CHECK(strstr(p, "duration_ms=") != NULL || strstr(p, "records lost") != NULL);
    fixture_done(&f);
}

TEST(losses_are_said_whatever_the_level)
{
    struct fixture f;
    const struct log_options options = {.events = true, .format = LOG_COMPACT, .level = 6};
    fixture_init(&f);
    struct model_item *item = fixture_item(&f, MODEL_ITEM_LOSS, FIXTURE_START);
    item->u.loss = (struct model_loss){0, FIXTURE_START, NULL, 1204, ORIEL_LOST_RING_FULL};
    CHECK(strstr(run(&f, &options), "records lost count=1204 cause=\"ring full\"") != NULL);
    fixture_done(&f);
}

TEST(out_of_memory_is_an_error_and_not_a_crash)
{
    for (uint64_t n = 1; n < 100; n++) {
        struct fixture f;
        struct oriel_err err;
        const struct log_options options = {
            .events = true, .levels = "a=info,b=warn", .context = "c,d"};
        struct log_state state = {0};
        fixture_init(&f);
        story_tell(&f);
        REQUIRE(out_buf_open(&f.out, &f.bytes) == 0);
        f.env = (struct export_env){&f.catalog, f.out, "demo", "0"};
        mem_fail_after(n);
        int rc = export_log.open(&state, &options, &f.env, &err);
        if (rc == 0) {
            rc = export_log.write(&state, &f.batch, &err);
            int flushed = export_log.flush(&state, &err);
            rc = rc ? rc : flushed;
            export_log.close(&state, &(struct export_summary){0}, &err);
        }
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        out_close(f.out);
        fixture_done(&f);
        if (rc == 0)
            return;
    }
    CHECK(!"still failing after 100 allocations");
}

TEST_MAIN()
