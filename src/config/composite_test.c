/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* composite/development of the declarative file as a tree of samplers. */
#include "base/compose.h"

#include "config/config.h"
#include "test.h"

static struct config *load(const char *sampler)
{
    static const char *const environment[] = {"TELEMETRY_ENABLED=true", NULL};
    char text[2048];
    struct config *c;
    snprintf(text, sizeof text,
             "file_format: '1.0'\n"
             "tracer_provider:\n"
             "  processors: [{simple: {exporter: {console: }}}]\n"
             "  sampler:\n"
             "    composite/development: %s\n",
             sampler);
    const struct config_input in = {.size = sizeof in,
                                    .declarative_name = "f",
                                    .declarative_text = text,
                                    .declarative_bytes = strlen(text),
                                    .environment = environment};
    REQUIRE(config_load(&c, &in, NULL) == 0);
    return c;
}

TEST(samplers_made_of_samplers_are_taken_from_the_file)
{
    struct config *c = load(
        "{rule_based: {rules: ["
        "{attribute_values: {key: http.route, values: [/health, 7]}, sampler: {always_off: }}, "
        "{attribute_patterns: {key: path, included: ['/a/*'], excluded: ['/a/b']}, "
        "span_kinds: [client, consumer], parent: [none, remote], sampler: {always_on: {}}}, "
        "{sampler: {parent_threshold: {root: {probability: {ratio: 0.25}}}}}, "
        "{sampler: {annotating: {attributes: [{name: a, value: x}, {name: b, value: 3}, "
        "{name: c, value: true}, {name: d, value: 0.5}], sampler: {probability: }}}}]}}");
    CHECK(config_can_start(c));
    const struct compose *rules = config_composite(c);
    REQUIRE(rules && rules->kind == COMPOSE_RULES && rules->rule_count == 4);
    const struct compose_rule *r = rules->rules;
    CHECK_STR(r[0].key, "http.route");
    CHECK_STR(r[0].values[1], "7");
    CHECK(!r[0].values[2]);
    CHECK_EQ(r[0].sampler->kind, COMPOSE_OFF);
    CHECK_STR(r[1].pattern_key, "path");
    CHECK_STR(r[1].included[0], "/a/*");
    CHECK_STR(r[1].excluded[0], "/a/b");
    CHECK_EQ(r[1].kinds, 1u << 3 | 1u << 5);
    CHECK_EQ(r[1].parents, COMPOSE_NO_PARENT | COMPOSE_REMOTE);
    CHECK_EQ(r[2].sampler->kind, COMPOSE_PARENT);
    CHECK(r[2].sampler->of->ratio == 0.25);
    const struct compose *noted = r[3].sampler;
    REQUIRE(noted->kind == COMPOSE_NOTES && noted->note_count == 4);
    CHECK_STR(noted->notes[0].text, "x");
    CHECK(noted->notes[1].type == ORIEL_TYPE_I64 && noted->notes[1].i64 == 3);
    CHECK(noted->notes[2].type == ORIEL_TYPE_BOOL && noted->notes[2].i64 == 1);
    CHECK(noted->notes[3].type == ORIEL_TYPE_F64 && noted->notes[3].f64 == 0.5);
    CHECK(noted->of->kind == COMPOSE_RATIO && noted->of->ratio == 1);
    config_free(c);
}

TEST(samplers_that_are_none_stop_the_start_with_their_line)
{
    static const struct {
        const char *sampler, *says;
    } cases[] = {
        {"{sometimes: }", "wants always_on, always_off"},
        {"always_on", "wants one sampler"},
        {"{always_on: , always_off: }", "wants one sampler"},
        {"{probability: {ratio: 2}}", "ratio wants a number from 0 to 1"},
        {"{parent_threshold: }", "wants the sampler that it is of"},
        {"{rule_based: {rules: [{parent: [none]}]}}", "a rule wants its sampler"},
        {"{rule_based: {rules: [{parent: [uncle], sampler: {always_on: }}]}}",
         "a word that is none"},
        {"{rule_based: {rules: [{attribute_values: {values: [a]}, sampler: {always_on: }}]}}",
         "wants the key of an attribute"},
        {"{annotating: {sampler: {always_on: }}}", "annotating wants attributes"},
        {"{parent_threshold: {root: {parent_threshold: {root: {parent_threshold: {root: "
         "{parent_threshold: {root: {parent_threshold: {root: {parent_threshold: {root: "
         "{parent_threshold: {root: {parent_threshold: {root: {parent_threshold: {root: "
         "{parent_threshold: {root: {always_on: }}}}}}}}}}}}}}}}}}}}}",
         "deeper than 10 samplers"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct config_message *m;
        struct config *c = load(cases[i].sampler);
        CHECK(!config_can_start(c));
        REQUIRE(config_messages(c, &m) >= 1);
        CHECK(strstr(m[0].text, "f:5: tracer_provider.sampler.composite/development: "));
        if (!strstr(m[0].text, cases[i].says))
            test_fail(__FILE__, __LINE__, "\"%s\" has no \"%s\"", m[0].text, cases[i].says);
        config_free(c);
    }
}

TEST(no_composite_and_rules_of_nothing_are_what_they_are)
{
    struct config *c = load("{rule_based: }");
    CHECK(config_composite(c) && config_composite(c)->rule_count == 0);
    config_free(c);
    const struct config_input in = {.size = sizeof in};
    REQUIRE(config_load(&c, &in, NULL) == 0);
    CHECK(config_composite(c) == NULL);
    config_free(c);
}

TEST_MAIN()
