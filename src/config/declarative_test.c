/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of OpenTelemetry's declarative file: what of it becomes keys, and what is said of the rest.
 */
#include "config/otlp.h"
#include "config/test_config.h"

static struct config *load(const char *yaml, const char *const *environment)
{
    const struct config_input input = {.size = sizeof input,
                                       .declarative_name = "o.yaml",
                                       .declarative_text = yaml,
                                       .declarative_bytes = strlen(yaml),
                                       .environment = environment};
    return load_input(&input);
}

static const char whole[] =
    "file_format: \"1.0\"\n"
    "disabled: false\n"
    "log_level: warn\n"
    "attribute_limits: {attribute_count_limit: 9, attribute_value_length_limit: 99}\n"
    "propagator:\n"
    "  composite: [{tracecontext: }, {b3: }]\n"
    "resource:\n"
    "  attributes:\n"
    "    - {name: service.name, value: shop}\n"
    "    - {name: a b, value: 'x,y=z%'}\n"
    "    - {name: list, value: [p, q]}\n"
    "    - {name: count, value: 3, type: int}\n"
    "tracer_provider:\n"
    "  processors:\n"
    "    - batch:\n"
    "        schedule_delay: 11\n"
    "        export_timeout: 12\n"
    "        max_queue_size: 13\n"
    "        max_export_batch_size: 7\n"
    "        exporter:\n"
    "          otlp_http:\n"
    "            endpoint: https://t:4318/v1/traces\n"
    "            compression: gzip\n"
    "            timeout: 5\n"
    "            encoding: json\n"
    "            headers: [{name: api-key, value: \"${KEY}\"}, {name: x, value: '${env:X:-y}'}]\n"
    "            tls: {ca_file: ca.pem, key_file: k.pem, cert_file: c.pem}\n"
    "  limits: {attribute_count_limit: 1, attribute_value_length_limit: 2, event_count_limit: 3,\n"
    "    link_count_limit: 4, event_attribute_count_limit: 5, link_attribute_count_limit: 6}\n"
    "  sampler:\n"
    "    parent_based:\n"
    "      root: {trace_id_ratio_based: {ratio: 0.25}}\n"
    "      remote_parent_sampled: {always_on: {}}\n"
    "logger_provider:\n"
    "  processors: [{simple: {exporter: {otlp_grpc: {endpoint: 'l:1', tls: {insecure: true}}}}}]\n"
    "  limits: {attribute_count_limit: 21}\n";

TEST(all_that_oriel_has_is_taken_from_the_file)
{
    struct config *c = load(whole, ENVIRONMENT("KEY=secret,1", "X=z"));
    const struct config_telemetry *t = config_telemetry(c);
    const struct config_batches *b = config_batches(c);
    struct config_limits l = config_limits(c);
    struct config_otlp_target traces = target(c, CONFIG_TRACES), logs = target(c, CONFIG_LOGS);
    CHECK_STR(message(c, 0), "");
    CHECK(config_can_start(c) && t->log_level == CONFIG_LOG_WARN);
    CHECK_STR(t->propagators, "tracecontext,b3");
    CHECK_STR(t->resource_attributes, "service.name=shop,a%20b=x%2Cy%3Dz%25,list=p%2Cq,count=3");
    CHECK(t->sampler == CONFIG_SAMPLER_PARENT_RATIO && t->sample_rate == 0.25);
    CHECK_STR(t->backend, "otlp");
    CHECK_STR(t->traces_exporter, "otlp");
    CHECK_STR(t->logs_exporter, "otlp");
    CHECK(b->spans.delay_ms == 11 && b->spans.timeout_ms == 12 && b->spans.queue == 13 &&
          b->spans.size == 7 && b->logs.delay_ms == 1 && b->logs.size == 1 &&
          b->logs.queue == 2048);
    CHECK(l.attribute_count == 9 && l.attribute_length == 99 && l.span_attribute_count == 1 &&
          l.span_attribute_length == 2 && l.event_count == 3 && l.link_count == 4 &&
          l.event_attribute_count == 5 && l.link_attribute_count == 6);
    CHECK(l.log_attribute_count == 21 && l.log_attribute_length == 99);
    CHECK_STR(traces.url, "https://t:4318/v1/traces");
    CHECK(traces.protocol == CONFIG_HTTP_JSON && traces.timeout_ms == 5 &&
          traces.compression == CONFIG_COMPRESSION_GZIP);
    CHECK_STR(traces.headers, "api-key=secret%2C1,x=z");
    CHECK_STR(traces.certificate, "ca.pem");
    CHECK_STR(traces.client_key, "k.pem");
    CHECK_STR(traces.client_certificate, "c.pem");
    CHECK_STR(logs.url, "http://l:1");
    CHECK(logs.protocol == CONFIG_GRPC);
    config_free(c);
}

TEST(the_older_form_of_the_exporter_is_read_too)
{
    struct config *c = load("file_format: '0.3'\n"
                            "propagator: {composite: [tracecontext, baggage]}\n"
                            "tracer_provider:\n  processors:\n    - batch:\n        exporter:\n"
                            "          otlp:\n            protocol: grpc\n"
                            "            endpoint: https://c:4317\n"
                            "            certificate: ca.pem\n"
                            "            headers_list: ${LIST}\n",
                            ENVIRONMENT("LIST=a=1,b=2"));
    struct config_otlp_target t = target(c, CONFIG_TRACES);
    CHECK_STR(message(c, 0), "");
    CHECK_STR(t.url, "https://c:4317");
    CHECK_STR(t.headers, "a=1,b=2");
    CHECK_STR(t.certificate, "ca.pem");
    CHECK_STR(config_telemetry(c)->logs_exporter, "none"); /* no provider: goes nowhere */
    config_free(c);
}

TEST(all_other_variables_are_ignored_but_the_switch)
{
    struct config *c = load("file_format: '1.0'\nlog_level: ${LEVEL:-debug}\n",
                            ENVIRONMENT("OTEL_SERVICE_NAME=a", "OTEL_TRACES_SAMPLER=always_off",
                                        "ORIEL_TRACE_DIR=b", "TELEMETRY_ENABLED=true",
                                        "OTEL_SDK_DISABLED=true", "OTEL_LOG_LEVEL=none"));
    const struct config_telemetry *t = config_telemetry(c);
    CHECK(t->enabled && t->log_level == CONFIG_LOG_DEBUG);
    CHECK_STR(t->service_name, "");
    CHECK_STR(t->trace_dir, ".local/traces");
    CHECK_EQ(t->sampler, CONFIG_SAMPLER_PARENT_RATIO);
    CHECK_STR(message(c, 0), "");
    config_free(c);
}

TEST(references_are_replaced_by_the_rules)
{
    static const struct {
        const char *text, *becomes; /* NULL: refused */
    } cases[] = {{"${A}", "one"},
                 {"${env:A}", "one"},
                 {"x-${A}-${B}", "x-one-two"},
                 {"${NONE}", ""},
                 {"${NONE:-d}", "d"},
                 {"${EMPTY:-d}", "d"},
                 {"${A:-d}", "one"},
                 {"${NONE:-}", ""},
                 {"$${A}", "${A}"},
                 {"$$$${A}", "$${A}"},
                 {"$$${A}", "$one"},
                 {"a$b", "a$b"},
                 {"${NONE:-a:-b}", "a:-b"},
                 {"${DEEP}", "${A}"},
                 {"$", "$"},
                 {"${A", NULL},
                 {"${}", NULL},
                 {"${1A}", NULL},
                 {"${A!}", NULL},
                 {"${A }", NULL},
                 {"${env:}", NULL},
                 {"${file:x}", NULL},
                 {"${LINES}", "a\nb: c"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char yaml[200], want[200];
        snprintf(yaml, sizeof yaml,
                 "file_format: '1.0'\nresource: {attributes: [{name: n, value: '%s'}]}\n",
                 cases[i].text);
        struct config *c =
            load(yaml, ENVIRONMENT("A=one", "B=two", "EMPTY=", "DEEP=${A}", "LINES=a\nb: c"));
        struct buf b;
        buf_init(&b);
        for (const char *p = cases[i].becomes; p && *p; p++)
            buf_printf(&b, *p == '\n' || *p == ' ' ? "%%%02X" : "%c", *p);
        snprintf(want, sizeof want, "n=%s", buf_cstr(&b));
        bool right = cases[i].becomes
                         ? strcmp(config_telemetry(c)->resource_attributes, want) == 0
                         : !config_can_start(c) && strncmp(message(c, 0), "o.yaml:2: ", 10) == 0;
        if (!right)
            test_fail(__FILE__, __LINE__, "%s: %s %s", cases[i].text,
                      config_telemetry(c)->resource_attributes, message(c, 0));
        buf_done(&b);
        config_free(c);
    }
}

TEST(what_oriel_has_not_is_said_once_with_its_path)
{
    struct config *c =
        load("file_format: '1.0'\n"
             "meter_provider:\n  readers: [{periodic: {interval: 1}}]\n"
             "instrumentation/development: {general: {}}\n"
             "tracer_provider:\n  processors:\n"
             "    - batch: {hurry: {endpoint: x}}\n"
             "    - batch: {exporter: {console: }}\n"
             "    - batch: {exporter: {otlp_file/development: {output_stream: stdout}}}\n"
             "    - batch: {exporter: {otlp_http: }}\n"
             "    - simple: {exporter: {otlp_grpc: }}\n"
             "  sampler: {parent_based: {cousin: {endpoint: x}}}\n"
             "  id_generator: {random: }\n"
             "resource: {schema_url: 'https://o/1.0'}\n",
             NULL);
    const struct config_message *m;
    CHECK_EQ(config_messages(c, &m), 6);
    CHECK_STR(m[0].text, "o.yaml:3: meter_provider is nothing Oriel has, and left out");
    CHECK_STR(m[1].text,
              "o.yaml:4: instrumentation/development is nothing Oriel has, and left out");
    CHECK_STR(m[2].text, "o.yaml:7: tracer_provider.processors.batch.hurry is nothing Oriel has, "
                         "and left out");
    CHECK_STR(m[3].text, "o.yaml:11: tracer_provider.processors.simple.exporter.otlp_grpc is left "
                         "out: Oriel has one such exporter for each signal");
    CHECK_STR(
        m[4].text,
        "o.yaml:12: tracer_provider.sampler.parent_based.cousin is nothing Oriel has, and left "
        "out");
    CHECK_STR(m[5].text, "o.yaml:14: resource.schema_url has no effect: the one that Oriel's own "
                         "attributes are of is sent");
    CHECK(config_can_start(c));
    CHECK_STR(config_telemetry(c)->traces_exporter, "console,otlp/stdout,otlp");
    CHECK_STR(config_telemetry(c)->logs_exporter, "none");
    CHECK_STR(config_telemetry(c)->backend, "otlp");
    CHECK_EQ(config_batches(c)->spans.delay_ms, 5000); /* the simple one was left out */
    config_free(c);
}

/* A build without OTLP refuses its backend, but not what only writes to the console. */
TEST(only_an_exporter_of_otlp_asks_for_that_backend)
{
    struct config *c =
        load("file_format: '1.0'\n"
             "tracer_provider:\n  processors:\n    - batch: {exporter: {console: }}\n",
             ENVIRONMENT("TELEMETRY_ENABLED=true"));
    CHECK_STR(config_telemetry(c)->backend, "program");
    CHECK(config_choose(c).console && !config_choose(c).otlp && !config_choose(c).local);
    config_free(c);
}

TEST(what_is_known_and_wrong_stops_telemetry_with_a_line)
{
    static const struct {
        const char *yaml, *line;
    } cases[] = {
        {"disabled: true\n", "o.yaml:1: file_format has to be 0.3, 0.4, 1.0 or 1.1"},
        {"file_format: '2.0'\n", "o.yaml:1: file_format has to be 0.3, 0.4, 1.0 or 1.1"},
        {"file_format: '1.0'\ndisabled: perhaps\n", "o.yaml:2: disabled wants true or false"},
        {"file_format: '1.0'\ntracer_provider: 5\n", "o.yaml:2: tracer_provider wants a table"},
        {"file_format: '1.0'\nattribute_limits: {attribute_count_limit: many}\n",
         "o.yaml:2: limits.attribute_count: "},
        {"file_format: '1.0'\nattribute_limits: {attribute_count_limit: [1]}\n",
         "o.yaml:2: attribute_limits.attribute_count_limit wants one value, not a list or a table"},
        {"file_format: '1.0'\ntracer_provider: {sampler: {trace_id_ratio_based: {ratio: x}}}\n",
         "o.yaml:2: sample_rate: "},
        {"file_format: '1.0'\ntracer_provider: {processors: [{batch: {exporter: {otlp_http: "
         "{headers: [{name: a, value: canary}]}}}}]}\n",
         "o.yaml:2: tracer_provider.processors.batch.exporter.otlp_http.headers has a value, and "
         "those of headers never stand in a file: write ${VARIABLE}"},
        {"file_format: '1.0'\ntracer_provider: {processors: [{batch: {exporter: {otlp_http: "
         "{headers_list: a=canary}}}}]}\n",
         "o.yaml:2: tracer_provider.processors.batch.exporter.otlp_http.headers_list has values, "
         "and those of headers never stand in a file: write ${VARIABLE}"},
        {"file_format: '1.0'\nlogger_provider: {processors: [{simple: {exporter: "
         "{otlp_file/development: {output_stream: 'file:///tmp/x'}}}}]}\n",
         "o.yaml:2: logger_provider.processors.simple.exporter.otlp_file/development.output_stream "
         "has to be stdout: files are the local tier's"},
        {"a: [\n", "o.yaml:2: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config *c = load(cases[i].yaml, NULL);
        if (config_can_start(c) ||
            strncmp(message(c, 0), cases[i].line, strlen(cases[i].line)) != 0 ||
            strstr(message(c, 0), "canary"))
            test_fail(__FILE__, __LINE__, "%zu: %s", i, message(c, 0));
        config_free(c);
    }
}

TEST(a_component_that_nobody_has_stops_telemetry_with_a_line_wherever_it_stands)
{
    static const struct {
        const char *below, *line;
    } cases[] = {
        {"processors: [{batch: {exporter: {zipkin: {endpoint: x}}}}]",
         "processors.batch.exporter.zipkin is no exporter that Oriel has, and the program has "
         "registered none of this name"},
        {"processors: [{simple: {exporter: {my.own: }}}]",
         "processors.simple.exporter.my.own is no exporter that Oriel has, and the program has "
         "registered none of this name"},
        {"processors: [{mine: {a: 1}}]", "processors.mine is no processor that Oriel has"},
        {"sampler: {jaeger_remote: {endpoint: x}}",
         "sampler.jaeger_remote is no sampler that Oriel has"},
        {"sampler: {parent_based: {root: {mine: }}}",
         "sampler.parent_based.root.mine is no sampler for this that Oriel has"},
        {"sampler: {always_record: {root: {mine: }}}", "sampler.mine is no sampler that Oriel has"},
        {"sampler: {always_record: }",
         "sampler.always_record wants a root, which is a sampler, and nothing else"},
        {"sampler: {always_record: {root: {always_on: }, ratio: 1}}",
         "sampler.always_record wants a root, which is a sampler, and nothing else"},
        {"id_generator: {xray: }", "id_generator.xray is no generator of ids that Oriel has"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char yaml[300], want[300];
        snprintf(yaml, sizeof yaml, "file_format: '1.0'\ntracer_provider: {%s}\n", cases[i].below);
        snprintf(want, sizeof want, "o.yaml:2: tracer_provider.%s", cases[i].line);
        struct config *c = load(yaml, NULL);
        const struct config_message *m;
        CHECK(!config_can_start(c));
        CHECK_EQ(config_messages(c, &m), 1);
        CHECK_STR(message(c, 0), want);
        CHECK_EQ(config_unregistered(c), i < 2);
        config_free(c);
    }
}

/* Of a list by its key, as everywhere. */
TEST(a_propagator_or_a_detector_that_nobody_has_stops_it_too)
{
    struct config *c = load("file_format: '1.0'\npropagator: {composite: [{xray: }]}\n", NULL);
    CHECK(!config_can_start(c) && strstr(message(c, 0), "\"xray\" is not one of"));
    config_free(c);
    c = load("file_format: '1.0'\n"
             "resource: {detection/development: {detectors: [{moon: }]}}\n",
             NULL);
    CHECK(!config_can_start(c) && strstr(message(c, 0), "\"moon\" is not one of"));
    config_free(c);
}

TEST(delegates_of_a_sampler_by_the_parent_are_those_of_the_file_and_of_no_other)
{
    static const char toml[] = "[telemetry.sampling]\nlocal_parent_sampled = 'always_off'\n";
    static const char yaml[] =
        "file_format: '1.0'\ntracer_provider: {sampler: {parent_based: {\n"
        "  root: {trace_id_ratio_based: {ratio: 0.25}}, remote_parent_sampled: {always_off: },\n"
        "  remote_parent_not_sampled: {trace_id_ratio_based: {ratio: %s}}}}}\n";
    char text[sizeof yaml + 8];
    struct config_input in = {.size = sizeof in,
                              .file_text = toml,
                              .file_bytes = sizeof toml - 1,
                              .declarative_name = "o.yaml",
                              .declarative_text = text};
    struct config_sampling s;
    for (unsigned other = 0; other < 2; other++) {
        snprintf(text, sizeof text, yaml, other ? "0.5" : "0.25");
        in.declarative_bytes = strlen(text);
        struct config *c = load_input(&in);
        config_delegates(c, &s);
        CHECK(config_can_start(c) == !other);
        CHECK_STR(message(c, 0),
                  other
                      ? "o.yaml:4: tracer_provider.sampler.parent_based.remote_parent_not_sampled."
                        "trace_id_ratio_based.ratio is another share than before: there is one "
                        "for all samplers"
                      : "");
        CHECK_EQ(s.remote_parent_sampled, CONFIG_DELEGATE_OFF);
        CHECK_EQ(s.remote_parent_not_sampled, CONFIG_DELEGATE_RATIO);
        CHECK_EQ(s.local_parent_sampled, CONFIG_DELEGATE_ON);
        config_free(c);
    }
}

TEST(the_root_of_always_record_is_the_sampler)
{
    struct config_sampling s;
    struct config *c = load("file_format: '1.0'\ntracer_provider: {sampler: {always_record: {root: "
                            "{parent_based: {root: {trace_id_ratio_based: {ratio: 0.25}}, "
                            "local_parent_sampled: {always_off: }}}}}}\n",
                            NULL);
    CHECK(config_can_start(c));
    CHECK_EQ(config_messages(c, &(const struct config_message *){NULL}), 0);
    CHECK_EQ(config_telemetry(c)->sampler, CONFIG_SAMPLER_PARENT_RATIO);
    CHECK(config_telemetry(c)->sample_rate == 0.25);
    config_delegates(c, &s);
    CHECK_EQ(s.local_parent_sampled, CONFIG_DELEGATE_OFF);
    config_free(c);
}

TEST(the_filter_of_logs_by_their_trace_is_taken_from_the_file)
{
    struct config *c =
        load("file_format: '1.0'\nlogger_provider:\n  logger_configurator/development: "
             "{default_config: {trace_based: true}}\n",
             NULL);
    const struct config_sampling *s = config_section_options(c, "sampling");
    CHECK(config_can_start(c) && s->trace_based_logs);
    CHECK_EQ(config_messages(c, &(const struct config_message *){NULL}), 0);
    config_free(c);
}

TEST(what_switches_single_loggers_and_tracers_is_told_to_be_the_filters)
{
    struct config *c =
        load("file_format: '1.0'\nlogger_provider:\n"
             "  logger_configurator/development:\n"
             "    default_config: {minimum_severity: info}\n"
             "    loggers: [{name: db, config: {enabled: false}}]\n"
             "tracer_provider:\n"
             "  tracer_configurator/development: {default_config: {enabled: false}}\n",
             NULL);
    const struct config_message *m;
    REQUIRE(config_messages(c, &m) == 3);
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(m[i].severity, CONFIG_REMARK);
        CHECK(
            strstr(m[i].text, " is left out: filter (ORIEL_FILTER) says which call sites record"));
    }
    CHECK(config_can_start(c));
    config_free(c);
}

TEST(disabled_takes_the_network_away)
{
    struct config *c = load("file_format: '1.0'\ndisabled: true\ntracer_provider:\n  processors: "
                            "[{batch: {exporter: {otlp_grpc: }}}]\n",
                            ENVIRONMENT("TELEMETRY_ENABLED=true"));
    CHECK(config_can_start(c) && !config_choose(c).otlp);
    config_free(c);
}

TEST_MAIN()
