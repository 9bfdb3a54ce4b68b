/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of files that change: when they are looked at, and what may be taken out of them. */
#include "session/reload.h"

#include <oriel/config.h>
#include <unistd.h>

#include "session/inprocess.h"
#include "session/session.h"
#include "session/settings.h"
#include "test.h"

static struct oriel_err err;

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    REQUIRE(f);
    fputs(text, f);
    fclose(f);
    CHECK_EQ(chmod(name, 0600), 0);
}

static struct config *load(const struct config_set *code, size_t count)
{
    struct config *c = NULL;
    const struct settings_input in = {.size = sizeof in, .code = code, .code_count = count};
    REQUIRE(settings_load(&c, &in, &err) == 0);
    return c;
}

static int never(void *user, unsigned kind, const struct oriel_config *properties,
                 struct oriel_exporter *out)
{
    (void)user;
    (void)kind;
    (void)properties;
    (void)out;
    return -1;
}

TEST(a_file_is_looked_at_once_a_second_and_each_change_counts_once)
{
    const uint64_t s = RELOAD_LOOK_NS, still = RELOAD_STILL_NS;
    struct reload r;
    REQUIRE(chdir(test_tmpdir()) == 0);
    REQUIRE(reload_init(&r, NULL) == 0);
    CHECK(!reload_due(&r, s, true)); /* there is none */
    reload_done(&r);
    write_file("oriel.toml", "[telemetry]\n");
    REQUIRE(reload_init(&r, NULL) == 0);
    CHECK(!reload_due(&r, s, false));
    write_file("oriel.toml", "[telemetry]\nfilter = 'info'\n");
    CHECK(!reload_due(&r, s + 1, false));
    CHECK(!reload_due(&r, 2 * s, false)); /* may not be whole yet */
    CHECK(reload_due(&r, 2 * s + still, false));
    CHECK(!reload_due(&r, 4 * s, false));
    CHECK(reload_due(&r, 4 * s + 1, true)); /* asked */
    write_file("new", "[telemetry]\nfilter = 'warn'\n");
    REQUIRE(rename("new", "oriel.toml") == 0);
    CHECK(!reload_due(&r, 6 * s, false));
    CHECK(reload_due(&r, 7 * s, false));
    REQUIRE(unlink("oriel.toml") == 0);
    CHECK(!reload_due(&r, 9 * s, false)); /* gone is no change */
    CHECK(!reload_due(&r, 11 * s, false));
    reload_done(&r);
}

/* As an editor does that empties the file first. */
TEST(a_file_that_is_being_written_is_not_taken_before_it_stands_still)
{
    const uint64_t s = RELOAD_LOOK_NS, still = RELOAD_STILL_NS;
    struct reload r;
    REQUIRE(chdir(test_tmpdir()) == 0);
    write_file("oriel.toml", "[telemetry]\nfilter = 'info'\n");
    REQUIRE(reload_init(&r, NULL) == 0);
    CHECK(!reload_due(&r, s, false));
    write_file("oriel.toml", "");
    CHECK(!reload_due(&r, 2 * s, false));
    CHECK(!reload_due(&r, 2 * s + 1, false));
    write_file("oriel.toml", "[telemetry]\n");
    CHECK(!reload_due(&r, 2 * s + still, false));
    write_file("oriel.toml", "[telemetry]\nfilter = 'warn'\n");
    CHECK(!reload_due(&r, 2 * s + 2 * still, false));
    CHECK(!reload_due(&r, 2 * s + 2 * still + 1, false));
    CHECK(reload_due(&r, 2 * s + 3 * still, false));
    CHECK(!reload_due(&r, 4 * s, false));
    write_file("oriel.toml", "");
    CHECK(reload_due(&r, 5 * s, true)); /* who asks says that it is whole */
    CHECK(!reload_due(&r, 7 * s, false));
    reload_done(&r);
}

TEST(what_was_refused_because_others_are_at_it_is_tried_again_and_said_once)
{
    const uint64_t s = RELOAD_LOOK_NS;
    struct reload r;
    REQUIRE(chdir(test_tmpdir()) == 0);
    write_file("oriel.toml", "[telemetry]\n");
    REQUIRE(reload_init(&r, NULL) == 0);
    write_file("oriel.toml", "[telemetry]\nfilter = 'info'\n");
    CHECK(!reload_due(&r, s, false));
    CHECK(reload_due(&r, 2 * s, false));
    CHECK(reload_answered(&r, ORIEL_EBUSY));
    CHECK(!reload_due(&r, 2 * s + 1, false)); /* not before its time */
    CHECK(reload_due(&r, 3 * s, false));
    CHECK(!reload_answered(&r, ORIEL_EBUSY));
    CHECK(reload_due(&r, 4 * s, false));
    CHECK(reload_answered(&r, 0));
    CHECK(!reload_due(&r, 5 * s, false));
    write_file("oriel.toml", "[telemetry]\nfilter = 'warning'\n");
    CHECK(!reload_due(&r, 6 * s, false));
    CHECK(reload_due(&r, 7 * s, false));
    CHECK(reload_answered(&r, ORIEL_EINVAL)); /* stays wrong until it is changed */
    CHECK(!reload_due(&r, 8 * s, false));
    reload_done(&r);
}

TEST(what_the_program_said_stays_above_a_changed_file)
{
    static const struct config_set code[] = {{"filter", "debug"}};
    struct reload r;
    struct config *now;
    struct buf line;
    unsigned outlets = 9;
    REQUIRE(chdir(test_tmpdir()) == 0);
    write_file("oriel.toml", "[telemetry]\n");
    REQUIRE(reload_init(&r, NULL) == 0);
    struct config *before = load(code, 1);
    buf_init(&line);
    write_file("oriel.toml", "[telemetry]\nfilter = 'error'\n");
    CHECK_EQ(reload_load(&r, before, &now, &outlets, &line, &err), 0);
    CHECK(now == NULL && line.size == 0 && outlets == 0);
    write_file("oriel.toml", "[telemetry]\nsample_rate = 0.5\n");
    CHECK_EQ(reload_load(&r, before, &now, &outlets, &line, &err), 0);
    REQUIRE(now);
    CHECK_STR(buf_cstr(&line), "sample_rate: \"1\" -> \"0.5\"");
    CHECK_EQ(outlets, 0);
    CHECK_STR(config_telemetry(now)->filter, "debug");
    config_free(now);
    buf_clear(&line);
    write_file("oriel.toml", "[telemetry]\nsample_rate = 0.5\nservice_name = 'x'\n");
    CHECK_EQ(reload_load(&r, before, &now, &outlets, &line, &err), ORIEL_EUNSUPPORTED);
    CHECK(now == NULL);
    CHECK(strstr(err.text, "oriel.toml:3: telemetry.service_name takes effect with the next start "
                           "only") != NULL);
    config_free(before);
    reload_done(&r);
    buf_done(&line);
}

/* Each key that an outlet is made of, and which are opened anew for it. */
TEST(changed_keys_say_which_outlets_they_change)
{
    static const struct {
        const char *text;
        unsigned outlets;
    } rows[] = {
        {"outlets = 'log'\n", SESSION_FILES},
        {"trace_dir = 'x'\n", SESSION_FILES},
        {"[telemetry.chrome]\nform = 'object'\n", SESSION_FILES},
        {"backend = 'otlp'\n", SESSION_FILES | SESSION_RECEIVERS},
        {"otlp_endpoint = 'http://c:4318'\n", SESSION_RECEIVERS},
        {"logs_exporter = 'none'\n", SESSION_FILES | SESSION_RECEIVERS},
        {"[telemetry.otlp_traces]\ncompression = 'gzip'\n", SESSION_RECEIVERS},
        {"[telemetry.batch]\nspans_delay_ms = 7\n", SESSION_FILES | SESSION_RECEIVERS},
        {"[telemetry.limits]\nlink_count = 7\n", SESSION_FILES | SESSION_RECEIVERS},
        {"[telemetry.otlp]\nqueue_bytes = 1000000\n", SESSION_FILES | SESSION_RECEIVERS},
    };
    /* Without it most of them would have no effect. */
    static const char *const environment[] = {"OTEL_SDK_ENABLED=true", NULL};
    char text[200];
    struct reload r;
    struct config *now;
    struct buf line;
    REQUIRE(chdir(test_tmpdir()) == 0);
    write_file("oriel.toml", "[telemetry]\n");
    REQUIRE(reload_init(&r, environment) == 0);
    struct config *before = load(NULL, 0);
    buf_init(&line);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned outlets = 0;
        snprintf(text, sizeof text, "[telemetry]\n%s", rows[i].text);
        write_file("oriel.toml", text);
        buf_clear(&line);
        if (reload_load(&r, before, &now, &outlets, &line, &err) != 0 || !now ||
            outlets != rows[i].outlets)
            test_fail(__FILE__, __LINE__, "%s: %u, %s", rows[i].text, outlets, err.text);
        config_free(now);
    }
    config_free(before);
    reload_done(&r);
    buf_done(&line);
}

#define SAMPLER "file_format: '1.0'\ntracer_provider:\n  sampler: {composite/development: "

/* What of a composed sampler is different is said by its place, elements of lists by their number.
 */
TEST(a_composed_sampler_changes_in_place_and_is_told_by_its_element)
{
    static const char *const environment[] = {"OTEL_CONFIG_FILE=o.yaml", "SECRET=canary", NULL};
    static const struct {
        const char *text, *line; /* of what follows the first */
    } cases[] = {
        {SAMPLER "{rule_based: {rules: [{sampler: {always_off: }}, {span_kinds: [server], sampler: "
                 "{probability: {ratio: 0.5}}}]}}}\n",
         ""},
        {SAMPLER "{rule_based: {rules: [{sampler: {always_off: }}, {span_kinds: [client], sampler: "
                 "{probability: {ratio: 0.25}}}]}}}\n",
         "sampler.composite.rule_based.rules.1.span_kinds.0: \"server\" -> \"client\", "
         "sampler.composite.rule_based.rules.1.sampler.probability.ratio: \"0.5\" -> \"0.25\""},
        {SAMPLER "{rule_based: {rules: [{sampler: {always_off: }}]}}}\n",
         "sampler.composite.rule_based.rules.1: \"there\" -> \"\""},
        {SAMPLER
         "{rule_based: {rules: [{sampler: {always_off: }}, {span_kinds: [server], sampler: "
         "{probability: {ratio: 0.5}}}, {attribute_values: {key: k, values: ['${SECRET}']}, "
         "sampler: {always_on: }}]}}}\n",
         "sampler.composite.rule_based.rules.2: \"\" -> \"there\""},
        {"file_format: '1.0'\ntracer_provider: {sampler: {always_on: }}\n",
         "sampler: \"parentbased_traceidratio\" -> \"always_on\", sampler.composite: \"there\" -> "
         "\"\""},
    };
    struct reload r;
    struct config *now = NULL, *before = NULL;
    struct buf line;
    unsigned outlets;
    const struct settings_input in = {.size = sizeof in, .environment = environment};
    REQUIRE(chdir(test_tmpdir()) == 0);
    buf_init(&line);
    write_file("o.yaml", cases[0].text);
    REQUIRE(reload_init(&r, environment) == 0);
    REQUIRE(settings_load(&before, &in, &err) == 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file("o.yaml", cases[i].text);
        buf_clear(&line);
        CHECK_EQ(reload_load(&r, before, &now, &outlets, &line, &err), 0);
        CHECK_STR(buf_cstr(&line), cases[i].line);
        CHECK((now != NULL) == (i > 0) && outlets == 0);
        CHECK(!now || !config_composite_same(before, now));
        config_free(now);
    }
    config_free(before);
    reload_done(&r);
    buf_done(&line);
}

TEST(an_exporter_of_the_program_that_is_configured_otherwise_waits_for_the_next_start)
{
    static const char *const environment[] = {"OTEL_CONFIG_FILE=o.yaml", NULL};
    static const char text[] = "file_format: '1.0'\ntracer_provider:\n  processors: "
                               "[{batch: {exporter: {mine: {sizes: [1, %d]}}}}]\n";
    char yaml[sizeof text];
    struct reload r;
    struct config *now = NULL, *before = NULL;
    struct buf line;
    unsigned outlets;
    const struct oriel_component mine = {.size = sizeof mine,
                                         .kinds = ORIEL_COMPONENT_SPAN_EXPORTER,
                                         .name = "mine",
                                         .create = never};
    const struct settings_input in = {.size = sizeof in, .environment = environment};
    REQUIRE(chdir(test_tmpdir()) == 0);
    REQUIRE(oriel_inprocess_component_register(&mine) == 0);
    buf_init(&line);
    snprintf(yaml, sizeof yaml, text, 2);
    write_file("o.yaml", yaml);
    REQUIRE(reload_init(&r, environment) == 0);
    REQUIRE(settings_load(&before, &in, &err) == 0);
    CHECK(config_can_start(before));
    snprintf(yaml, sizeof yaml, text, 3);
    write_file("o.yaml", yaml);
    CHECK_EQ(reload_load(&r, before, &now, &outlets, &line, &err), ORIEL_EUNSUPPORTED);
    CHECK_STR(err.text, "telemetry.exporter.mine.sizes.1 takes effect with the next start only");
    config_free(before);
    reload_done(&r);
    buf_done(&line);
}

TEST_MAIN()
