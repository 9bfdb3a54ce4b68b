/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The declarative configuration as a model: read, looked into, changed, taken. */
#include "config/model.h"

#include "config/config.h"
#include "config/otlp.h"
#include "test.h"

static const char file[] = "file_format: '1.0'\n"
                           "tracer_provider:\n"
                           "  processors:\n"
                           "    - batch:\n"
                           "        schedule_delay: 1000\n"
                           "        exporter:\n"
                           "          mine: {endpoint: '${WHERE}', sizes: [1, 2], deep: {x: y}}\n"
                           "    - simple:\n"
                           "        exporter: {console: }\n"
                           "  sampler: {always_on: }\n";
static const char *const environment[] = {"WHERE=here", "TELEMETRY_ENABLED=true", NULL};

static struct config_model *parsed(void)
{
    struct config_model *m;
    REQUIRE(config_model_parse(&m, "f.yaml", file, sizeof file - 1, environment, NULL) == 0);
    return m;
}

static const char *text_at(const struct config_model *m, const char *path)
{
    const struct yaml_value *v = config_model_at(config_model_root(m), path);
    return v && config_model_scalar(v) ? v->text ? v->text : "" : "(none)";
}

TEST(a_parsed_file_is_a_model_that_can_be_looked_into)
{
    struct config_model *m = parsed();
    CHECK_STR(text_at(m, "file_format"), "1.0");
    CHECK_STR(text_at(m, "tracer_provider.processors.0.batch.schedule_delay"), "1000");
    CHECK_STR(text_at(m, "tracer_provider.processors.1.simple.exporter.console"), "");
    CHECK_STR(text_at(m, "tracer_provider.processors.2"), "(none)");
    CHECK_STR(text_at(m, "tracer_provider.processors.x"), "(none)");
    CHECK_STR(text_at(m, "tracer_provider"), "(none)");
    CHECK_STR(text_at(m, "file_format.deeper"), "(none)");
    config_model_free(m);
}

TEST(what_stands_below_a_component_of_the_program_is_in_the_model_with_its_references_replaced)
{
    struct config_model *m = parsed();
    const struct yaml_value *p =
        config_model_at(config_model_root(m), "tracer_provider.processors.0.batch.exporter.mine");
    REQUIRE(p != NULL);
    CHECK_EQ(p->count, 3);
    CHECK_STR(config_model_at(p, "endpoint")->text, "here");
    CHECK_STR(config_model_at(p, "sizes.1")->text, "2");
    CHECK_STR(config_model_at(p, "deep.x")->text, "y");
    config_model_free(m);
}

TEST(a_model_takes_changes_where_there_is_a_place_for_them)
{
    struct config_model *m = parsed();
    struct oriel_err err = {0};
    CHECK_EQ(config_model_set(m, "tracer_provider.processors.0.batch.schedule_delay", "7", NULL),
             0);
    CHECK_STR(text_at(m, "tracer_provider.processors.0.batch.schedule_delay"), "7");
    CHECK_EQ(config_model_set(m, "tracer_provider.sampler", "{always_off: }", NULL), 0);
    CHECK_STR(text_at(m, "tracer_provider.sampler.always_off"), "");
    CHECK_STR(text_at(m, "tracer_provider.sampler.always_on"), "(none)");
    CHECK_EQ(config_model_set(m, "logger_provider.limits.attribute_count_limit", "9", NULL), 0);
    CHECK_STR(text_at(m, "logger_provider.limits.attribute_count_limit"), "9");
    CHECK_EQ(config_model_set(m, "tracer_provider.processors.2.simple.exporter.console", "", NULL),
             0);
    CHECK_STR(text_at(m, "tracer_provider.processors.2.simple.exporter.console"), "null");
    CHECK_EQ(config_model_set(m, "tracer_provider.processors.9", "1", &err), ORIEL_EINVAL);
    CHECK(strstr(err.text, "processors.9"));
    CHECK_EQ(config_model_set(m, "file_format.x", "1", NULL), ORIEL_EINVAL);
    CHECK_EQ(config_model_set(m, "", "1", NULL), ORIEL_EINVAL);
    CHECK_EQ(config_model_set(m, "a..b", "1", NULL), ORIEL_EINVAL);
    CHECK(config_model_set(m, "a", "[1", NULL) < 0);
    config_model_free(m);
}

TEST(a_file_that_is_none_gives_no_model)
{
    struct config_model *m;
    struct oriel_err err = {0};
    CHECK_EQ(config_model_parse(&m, "f", "file_format: '9.0'\n", 19, NULL, &err), ORIEL_EFORMAT);
    CHECK(strstr(err.text, "f:1: file_format"));
    CHECK_EQ(config_model_parse(&m, "f", "a: [", 4, NULL, &err), ORIEL_EFORMAT);
    config_model_free(NULL);
}

static bool knows_mine(const char *name, bool logs)
{
    return strcmp(name, "mine") == 0 && !logs;
}

/* What a start takes of a model is what it takes of its file. */
TEST(a_configuration_is_loaded_of_a_model_as_of_its_file)
{
    struct config_model *m = parsed();
    struct config *c;
    const struct config_component *components;
    CHECK_EQ(config_model_set(m, "tracer_provider.sampler", "{always_off: }", NULL), 0);
    const struct config_input in = {.size = sizeof in,
                                    .model = config_model_root(m),
                                    .known_component = knows_mine,
                                    .environment = environment};
    REQUIRE(config_load(&c, &in, NULL) == 0);
    config_model_free(m); /* it was copied */
    CHECK(config_can_start(c));
    CHECK_EQ(config_telemetry(c)->sampler, CONFIG_SAMPLER_OFF);
    CHECK_EQ(config_batches(c)->spans.delay_ms, 1000);
    CHECK_STR(config_telemetry(c)->traces_exporter, "console");
    CHECK_STR(config_telemetry(c)->logs_exporter, "none");
    REQUIRE(config_components(c, &components) == 1);
    CHECK_STR(components[0].name, "mine");
    CHECK(!components[0].logs);
    CHECK_STR(config_model_at(components[0].properties, "endpoint")->text, "here");
    config_free(c);
}

TEST(a_component_that_nobody_registered_is_an_error)
{
    static const char text[] = "file_format: '1.0'\n"
                               "logger_provider:\n"
                               "  processors: [{batch: {exporter: {mine: }}}]\n";
    const struct config_message *messages;
    const struct config_component *components;
    struct config *c;
    struct config_input in = {.size = sizeof in,
                              .declarative_name = "f",
                              .declarative_text = text,
                              .declarative_bytes = sizeof text - 1,
                              .known_component = knows_mine, /* for spans */
                              .environment = environment};
    REQUIRE(config_load(&c, &in, NULL) == 0);
    CHECK_EQ(config_components(c, &components), 0);
    REQUIRE(config_messages(c, &messages) == 1);
    CHECK_STR(messages[0].text,
              "f:3: logger_provider.processors.batch.exporter.mine is no exporter "
              "that Oriel has, and the program has registered none of this name");
    CHECK(!config_can_start(c) && config_unregistered(c) == 1);
    config_free(c);
    in.registers = "theirs,mine"; /* of a program that is not here */
    REQUIRE(config_load(&c, &in, NULL) == 0);
    CHECK_EQ(config_components(c, &components), 1);
    CHECK(config_can_start(c) && config_unregistered(c) == 0);
    config_free(c);
}

TEST_MAIN()
