/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of what OTLP is told for each signal, and of the standard's variables and their rules. */
#include "config/otlp.h"
#include "config/test_config.h"

static struct config_set code[4];
static size_t code_count;
static const char *const *code_said;

static struct config *load(const char *file, const char *const *environment)
{
    const struct config_input input = {.size = sizeof input,
                                       .file_text = file,
                                       .file_bytes = file ? strlen(file) : 0,
                                       .environment = environment,
                                       .code = code,
                                       .code_count = code_count,
                                       .code_said = code_said};
    return load_input(&input);
}

TEST(nothing_said_is_grpc_to_this_machine)
{
    struct config *c = load(NULL, NULL);
    for (int signal = 0; signal < CONFIG_SIGNALS; signal++) {
        struct config_otlp_target t = target(c, (enum config_signal)signal);
        CHECK_STR(t.url, "http://localhost:4317");
        CHECK(t.protocol == CONFIG_GRPC && t.compression == CONFIG_COMPRESSION_NONE);
        CHECK(t.timeout_ms == 10000 && !t.headers[0] && !t.certificate[0] && !t.client_key[0]);
    }
    config_free(c);
}

TEST(what_is_said_for_a_signal_wins_over_what_is_said_for_all)
{
    struct config *c = load(
        NULL,
        ENVIRONMENT(
            "OTEL_EXPORTER_OTLP_ENDPOINT=https://all:4318/x",
            "OTEL_EXPORTER_OTLP_PROTOCOL=HTTP/Protobuf", "OTEL_EXPORTER_OTLP_HEADERS=a=1",
            "OTEL_EXPORTER_OTLP_COMPRESSION=gzip", "OTEL_EXPORTER_OTLP_TIMEOUT=5",
            "OTEL_EXPORTER_OTLP_CERTIFICATE=ca", "OTEL_EXPORTER_OTLP_CLIENT_KEY=k",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=cc",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://traces:1",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json", "OTEL_EXPORTER_OTLP_TRACES_HEADERS=b=2",
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=none", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=6",
            "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE=lca", "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY=lk",
            "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE=lcc"));
    struct config_otlp_target t = target(c, CONFIG_TRACES), l = target(c, CONFIG_LOGS);
    CHECK_STR(message(c, 0), "");
    CHECK_STR(t.url, "https://traces:1/");
    CHECK_STR(l.url, "https://all:4318/x/v1/logs");
    CHECK(t.protocol == CONFIG_HTTP_JSON && l.protocol == CONFIG_HTTP_PROTOBUF);
    CHECK(t.compression == CONFIG_COMPRESSION_NONE && l.compression == CONFIG_COMPRESSION_GZIP);
    CHECK(t.timeout_ms == 6 && l.timeout_ms == 5);
    CHECK_STR(t.headers, "b=2");
    CHECK_STR(l.headers, "a=1");
    CHECK_STR(t.certificate, "ca");
    CHECK_STR(t.client_key, "k");
    CHECK_STR(t.client_certificate, "cc");
    CHECK_STR(l.certificate, "lca");
    CHECK_STR(l.client_key, "lk");
    CHECK_STR(l.client_certificate, "lcc");
    config_free(c);
}

TEST(certificates_for_an_endpoint_without_tls_are_told_once)
{
    struct config *c = load(NULL, ENVIRONMENT("OTEL_EXPORTER_OTLP_CERTIFICATE=ca",
                                              "OTEL_EXPORTER_OTLP_ENDPOINT=http://all:4318"));
    const struct config_message *m;
    REQUIRE(config_messages(c, &m) == 1);
    CHECK(m[0].severity == CONFIG_ADVICE && config_can_start(c));
    CHECK_STR(m[0].text, "$OTEL_EXPORTER_OTLP_CERTIFICATE: telemetry.otlp_certificate: has no "
                         "effect: there is no TLS to an endpoint with http://; use https://");
    config_free(c);
    c = load(NULL, ENVIRONMENT("OTEL_EXPORTER_OTLP_CERTIFICATE=ca",
                               "OTEL_EXPORTER_OTLP_ENDPOINT=https://all:4318"));
    CHECK_STR(message(c, 0), "");
    config_free(c);
}

TEST(lines_tell_a_key_as_it_was_said)
{
    static const char file[] = "[telemetry]\notlp_certificate = 'ca'\n";
    static const char *const said[] = {"--certificate"};
    struct config *c = load(file, ENVIRONMENT("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY=tk"));
    char text[CONFIG_SAID_BYTES];
    config_otlp_said(c, NULL, CONFIG_TRACES, "certificate", text);
    CHECK(strstr(text, ":2: telemetry.otlp_certificate") != NULL);
    config_otlp_said(c, NULL, CONFIG_TRACES, "client_key", text);
    CHECK_STR(text, "$OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY: telemetry.otlp_traces.client_key");
    config_free(c);
    code[0] = (struct config_set){"otlp_certificate", "mine"};
    code_count = 1;
    c = load(NULL, NULL);
    config_otlp_said(c, NULL, CONFIG_LOGS, "certificate", text);
    CHECK_STR(text, "the program: telemetry.otlp_certificate");
    config_free(c);
    code_said = said;
    c = load(NULL, NULL);
    config_otlp_said(c, NULL, CONFIG_LOGS, "certificate", text);
    CHECK_STR(text, "--certificate");
    config_free(c);
}

TEST(what_a_command_was_given_wrongly_is_told_by_the_option_alone)
{
    static const char *const said[] = {"--endpoint", "--headers"};
    code[0] = (struct config_set){"otlp_endpoint", "htp://u:hunter2@h"};
    code[1] = (struct config_set){"otlp_headers", "hunter2"};
    code_count = 2;
    code_said = said;
    struct config *c = load(NULL, NULL);
    CHECK(!config_can_start(c));
    CHECK_STR(message(c, 0), "--headers: member 1 of the list has no \"=\"");
    CHECK_STR(message(c, 1), "--endpoint: a URL must begin with http://, https:// or unix:");
    config_free(c);
}

TEST(a_higher_layer_wins_over_a_signal_in_a_lower_one)
{
    static const char file[] = "[telemetry.otlp_traces]\nendpoint = 'http://file:1'\n"
                               "[telemetry.otlp]\ncompression = 'gzip'\ntimeout_ms = 7\n";
    struct config *c = load(file, ENVIRONMENT("OTEL_EXPORTER_OTLP_ENDPOINT=http://env:2"));
    struct config_otlp_target t = target(c, CONFIG_TRACES);
    CHECK_STR(t.url, "http://env:2");
    CHECK(t.compression == CONFIG_COMPRESSION_GZIP && t.timeout_ms == 7);
    config_free(c);
    c = load(file, NULL);
    CHECK_STR(target(c, CONFIG_TRACES).url, "http://file:1");
    CHECK_STR(target(c, CONFIG_LOGS).url, "http://localhost:4317");
    config_free(c);
    code[0] = (struct config_set){"otlp_logs.endpoint", "http://code:3/p"};
    code_count = 1;
    c = load(file, ENVIRONMENT("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://env:2"));
    CHECK_STR(target(c, CONFIG_LOGS).url, "http://code:3/p");
    config_free(c);
}

TEST(insecure_counts_for_endpoints_without_a_scheme_only)
{
    struct config *c = load(NULL, ENVIRONMENT("OTEL_EXPORTER_OTLP_ENDPOINT=c:1",
                                              "OTEL_EXPORTER_OTLP_TRACES_INSECURE=TRUE",
                                              "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=https://d:2",
                                              "OTEL_EXPORTER_OTLP_LOGS_INSECURE=true"));
    CHECK_STR(target(c, CONFIG_TRACES).url, "http://c:1");
    CHECK_STR(target(c, CONFIG_LOGS).url, "https://d:2");
    config_free(c);
    c = load(NULL, ENVIRONMENT("OTEL_EXPORTER_OTLP_ENDPOINT=c:1",
                               "OTEL_EXPORTER_OTLP_INSECURE=1")); /* "1" is not true */
    CHECK_STR(target(c, CONFIG_TRACES).url, "https://c:1");
    CHECK(strstr(message(c, 0), "OTEL_EXPORTER_OTLP_INSECURE") != NULL);
    config_free(c);
}

TEST(a_wrong_endpoint_of_the_environment_is_said_and_counts_as_unset)
{
    struct config *c =
        load("[telemetry]\nenabled = true\n",
             ENVIRONMENT("OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
                         "OTEL_EXPORTER_OTLP_ENDPOINT=http://all:4318",
                         "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://me:hunter2@c:1"));
    CHECK_STR(target(c, CONFIG_TRACES).url, "http://all:4318/v1/traces");
    CHECK_STR(message(c, 0),
              "$OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: telemetry.otlp_traces.endpoint: a URL with a "
              "user or password in it: say it as a header instead; it counts as unset");
    CHECK(config_can_start(c));
    config_free(c);
    c = load("[telemetry]\notlp_endpoint = 'nonsense'\notlp_protocol = 'http/json'\n", NULL);
    CHECK(!config_can_start(c));
    CHECK(strncmp(message(c, 0), "oriel.toml:2: telemetry.otlp_endpoint: a URL", 43) == 0);
    config_free(c);
}

TEST(a_path_that_grpc_cannot_use_is_said)
{
    struct config *c = load(NULL, ENVIRONMENT("OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
                                              "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:1/p"));
    CHECK_STR(target(c, CONFIG_TRACES).url, "http://c:1");
    CHECK_STR(message(c, 0), "$OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: gRPC does not use the path of "
                             "the endpoint");
    config_free(c);
}

TEST(headers_come_from_environment_and_program_but_never_from_a_file)
{
    struct config *c = load("[telemetry.otlp_traces]\nheaders = 'a=hunter2'\n", NULL);
    CHECK(!config_can_start(c) && !strstr(message(c, 0), "hunter2"));
    config_free(c);
    c = load(NULL, ENVIRONMENT("OTEL_EXPORTER_OTLP_HEADERS=a=hunter2;b"));
    CHECK(config_can_start(c) && !target(c, CONFIG_TRACES).headers[0]);
    CHECK_STR(message(c, 0), "$OTEL_EXPORTER_OTLP_HEADERS: otlp_headers: member 1 of the list has "
                             "a \";\", behind which nothing is taken: encode it as %3B");
    config_free(c);
    code[0] = (struct config_set){"otlp_headers", "a=1"};
    code_count = 1;
    c = load(NULL, NULL);
    CHECK_STR(target(c, CONFIG_LOGS).headers, "a=1");
    config_free(c);
}

TEST(resource_attributes_with_one_wrong_member_are_dropped_whole)
{
    struct config *c = load(NULL, ENVIRONMENT("OTEL_RESOURCE_ATTRIBUTES=a=1,b=%zz"));
    CHECK_STR(config_telemetry(c)->resource_attributes, "");
    CHECK_STR(message(c, 0), "$OTEL_RESOURCE_ATTRIBUTES: resource_attributes: member 2 of the "
                             "list is not percent-encoded as it should be");
    config_free(c);
    c = load(NULL, ENVIRONMENT("OTEL_RESOURCE_ATTRIBUTES=a=1,b=%2C"));
    CHECK_STR(config_telemetry(c)->resource_attributes, "a=1,b=%2C");
    config_free(c);
}

TEST(unknown_names_and_bad_numbers_are_said_and_ignored)
{
    struct config *c = load(
        NULL, ENVIRONMENT("OTEL_EXPORTER_OTLP_PROTOCOL=thrift", "OTEL_EXPORTER_OTLP_TIMEOUT=10s",
                          "OTEL_EXPORTER_OTLP_COMPRESSION=lzma", "OTEL_LOG_LEVEL=loud",
                          "OTEL_TRACES_SAMPLER=jaeger_remote", "OTEL_BSP_MAX_QUEUE_SIZE=-1",
                          "OTEL_TRACES_EXPORTER=logging", "OTEL_PROPAGATORS=xray"));
    struct config_otlp_target t = target(c, CONFIG_TRACES);
    const struct config_message *m;
    CHECK_EQ(config_messages(c, &m), 8);
    /* What others that share a variable may know is no mistake. */
    for (size_t i = 0; i < 8; i++)
        CHECK_EQ(m[i].severity, strstr(m[i].text, "\"jaeger_remote\"") ||
                                        strstr(m[i].text, "\"logging\"") ||
                                        strstr(m[i].text, "\"xray\"")
                                    ? CONFIG_REMARK
                                    : CONFIG_WARNING);
    CHECK(t.protocol == CONFIG_GRPC && t.timeout_ms == 10000 &&
          t.compression == CONFIG_COMPRESSION_NONE);
    CHECK_EQ(config_telemetry(c)->log_level, CONFIG_LOG_ERROR);
    CHECK_STR(config_telemetry(c)->traces_exporter, "otlp");
    CHECK_STR(config_telemetry(c)->propagators, "tracecontext,baggage");
    CHECK(config_batches(c)->spans.queue == 2048 && config_can_start(c));
    config_free(c);
}

TEST(the_argument_of_a_sampler_counts_with_one_that_takes_it)
{
    struct config *c = load(NULL, ENVIRONMENT("OTEL_TRACES_SAMPLER=ParentBased_TraceIdRatio",
                                              "OTEL_TRACES_SAMPLER_ARG=0.25"));
    CHECK(config_telemetry(c)->sample_rate == 0.25 &&
          config_telemetry(c)->sampler == CONFIG_SAMPLER_PARENT_RATIO);
    config_free(c);
    c = load(NULL, ENVIRONMENT("OTEL_TRACES_SAMPLER=always_on", "OTEL_TRACES_SAMPLER_ARG=0.25"));
    CHECK(config_telemetry(c)->sample_rate == 1);
    CHECK_STR(message(c, 0), "$OTEL_TRACES_SAMPLER_ARG: has no effect without a sampler by ratio");
    config_free(c);
    c = load(NULL, ENVIRONMENT("OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=1.5"));
    CHECK(config_telemetry(c)->sample_rate == 1);
    CHECK_STR(message(c, 0), "$OTEL_TRACES_SAMPLER_ARG: \"1.5\" is no number from 0 to 1");
    config_free(c);
}

TEST(a_timeout_of_nothing_is_the_longest_one)
{
    struct config *c = load(NULL, ENVIRONMENT("OTEL_EXPORTER_OTLP_TIMEOUT=0"));
    CHECK_EQ(target(c, CONFIG_TRACES).timeout_ms, 3600000);
    config_free(c);
}

TEST_MAIN()
