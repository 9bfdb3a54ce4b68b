/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the layers: who wins, where a value came from, what is refused. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config.h"
#include "config/test_config.h"

struct chrome {
    uint64_t max_bytes;
    bool args;
    const char *token;
};
static const struct option_def chrome_options[] = {
    {.name = "max_bytes",
     .type = OPTION_SIZE,
     .offset = offsetof(struct chrome, max_bytes),
     .fallback = "0",
     .variable = "ORIEL_CHROME_MAX",
     .help = "largest file"},
    {.name = "args",
     .type = OPTION_BOOL,
     .offset = offsetof(struct chrome, args),
     .fallback = "false"},
    {.name = "token",
     .type = OPTION_STRING,
     .offset = offsetof(struct chrome, token),
     .variable = "ORIEL_CHROME_TOKEN",
     .secret = true},
    OPTION_END,
};
static const struct config_section sections[] = {{"chrome", chrome_options, sizeof(struct chrome)},
                                                 {"log", NULL, 0}};

static struct config_input input;

static struct config *load(const char *file, const char *const *environment)
{
    input.size = sizeof input;
    input.sections = sections;
    input.section_count = 2;
    input.file_text = file;
    input.file_bytes = file ? strlen(file) : 0;
    input.environment = environment;
    return load_input(&input);
}

static size_t messages(const struct config *c)
{
    const struct config_message *m;
    return config_messages(c, &m);
}

TEST(nothing_said_is_everything_off_and_silent)
{
    struct config *c = load(NULL, NULL);
    const struct config_telemetry *t = config_telemetry(c);
    CHECK(!t->enabled && !t->tracy && !t->include_args);
    CHECK_STR(t->backend, "local");
    CHECK_STR(t->trace_dir, ".local/traces");
    CHECK_STR(t->outlets, "chrome");
    CHECK(t->sample_rate == 1 && t->sampler == CONFIG_SAMPLER_PARENT_RATIO);
    CHECK_EQ(t->system_metrics_interval_secs, 5);
    CHECK(config_can_start(c) && messages(c) == 0);
    CHECK(!config_choose(c).telemetry && !config_choose(c).local && !config_choose(c).otlp);
    config_free(c);
}

TEST(each_layer_stands_above_the_one_before_and_is_remembered)
{
    static const struct config_set code[] = {{"exit_ms", "7"}, {"chrome.args", "true"}};
    struct config_origin o;
    input.code = code;
    input.code_count = 2;
    struct config *c =
        load("[telemetry]\npreset = 'testing'\nenabled = false\n"
             "trace_dir = \"a\"\nfilter = 'info'\nexit_ms = 5\n"
             "[telemetry.chrome]\nmax_bytes = \"1MiB\"\n",
             ENVIRONMENT("ORIEL_TRACE_DIR=b", "ORIEL_EXIT_MS=6", "PATH=/bin", "ORIEL_FILTER="));
    const struct config_telemetry *t = config_telemetry(c);
    const struct chrome *chrome = config_section_options(c, "chrome");
    CHECK_EQ(messages(c), 0);
    CHECK(!t->enabled && t->include_args && t->exit_ms == 7);
    CHECK_STR(t->trace_dir, "b");
    CHECK_STR(t->filter, "info"); /* an empty variable is unset */
    CHECK(chrome->max_bytes == 1 << 20 && chrome->args);
    CHECK(config_origin(c, "include_args", &o) && o.layer == CONFIG_PRESET);
    CHECK_STR(o.name, "testing");
    CHECK(config_origin(c, "enabled", &o) && o.layer == CONFIG_FILE && o.line == 3);
    CHECK_STR(o.name, "oriel.toml");
    CHECK(config_origin(c, "trace_dir", &o) && o.layer == CONFIG_VARIABLE);
    CHECK_STR(o.name, "ORIEL_TRACE_DIR");
    CHECK(config_origin(c, "chrome.args", &o) && o.layer == CONFIG_CODE);
    CHECK(config_origin(c, "chrome.max_bytes", &o) && o.line == 8);
    CHECK(config_origin(c, "service_name", &o) && o.layer == CONFIG_DEFAULT);
    CHECK(!config_origin(c, "none", &o) && !config_origin(c, "log.none", &o));
    CHECK(config_section_is_set(c, "chrome") && !config_section_is_set(c, "log"));
    config_free(c);
}

TEST(the_ten_keys_are_read_from_a_file)
{
    struct config *c =
        load("[telemetry]\nenabled = true\nbackend = ['local', 'otlp']\ntrace_dir = 'd'\n"
             "include_args = true\notlp_endpoint = 'http://h:1'\notlp_headers_vault_key = 'K'\n"
             "service_name = 's'\nsample_rate = 0.25\npyroscope_endpoint = 'http://p'\n"
             "system_metrics_interval_secs = 9\n",
             NULL);
    const struct config_telemetry *t = config_telemetry(c);
    CHECK_EQ(messages(c), 0);
    CHECK(t->enabled && t->include_args && t->sample_rate == 0.25);
    CHECK_STR(t->backend, "local,otlp");
    CHECK_STR(t->trace_dir, "d");
    CHECK_STR(t->otlp_endpoint, "http://h:1");
    CHECK_STR(t->otlp_headers_vault_key, "K");
    CHECK(t->otlp_headers_required); /* a key that is configured has to be there */
    CHECK_STR(t->service_name, "s");
    CHECK_STR(t->pyroscope_endpoint, "http://p");
    CHECK_EQ(t->system_metrics_interval_secs, 9);
    CHECK(config_choose(c).local && config_choose(c).otlp);
    config_free(c);
}

TEST(switches_of_the_environment_go_together_as_the_table_says)
{
    static const struct {
        const char *telemetry, *enabled, *disabled, *tracy;
        bool local, otlp, tracy_on;
    } rows[] = {
        {"", "", "", "", false, false, false},
        {"TELEMETRY_ENABLED=true", "", "", "", true, false, false},
        {"TELEMETRY_ENABLED=TRUE", "OTEL_SDK_ENABLED=true", "", "", true, true, false},
        {"TELEMETRY_ENABLED=1", "OTEL_SDK_ENABLED=1", "", "", true, false, false},
        {"TELEMETRY_ENABLED=true", "OTEL_SDK_ENABLED=false", "", "", true, false, false},
        {"TELEMETRY_ENABLED=true", "OTEL_SDK_ENABLED=true", "OTEL_SDK_DISABLED=true", "", true,
         false, false},
        {"TELEMETRY_ENABLED=true", "OTEL_SDK_ENABLED=true", "OTEL_SDK_DISABLED=no", "", true, true,
         false},
        {"TELEMETRY_ENABLED=false", "OTEL_SDK_ENABLED=true", "", "", false, false, false},
        {"", "OTEL_SDK_ENABLED=true", "", "", false, false, false},
        {"TELEMETRY_ENABLED=false", "", "", "TRACY_ENABLED=true", false, false, true},
        {"", "", "OTEL_SDK_DISABLED=true", "TRACY_ENABLED=1", false, false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config *c = load(
            NULL, ENVIRONMENT(rows[i].telemetry, rows[i].enabled, rows[i].disabled, rows[i].tracy));
        struct config_choice choice = config_choose(c);
        if (choice.local != rows[i].local || choice.otlp != rows[i].otlp ||
            choice.tracy != rows[i].tracy_on)
            test_fail(__FILE__, __LINE__, "row %zu: %d %d %d", i, choice.local, choice.otlp,
                      choice.tracy);
        config_free(c);
    }
}

TEST(disabled_wins_over_otlp_of_the_file)
{
    static const char file[] = "[telemetry]\nenabled = true\nbackend = 'otlp'\n";
    struct config *c = load(file, ENVIRONMENT("OTEL_SDK_DISABLED=true"));
    CHECK(config_choose(c).telemetry && !config_choose(c).otlp && !config_choose(c).local);
    config_free(c);
    c = load(file, ENVIRONMENT("TELEMETRY_ENABLED=false"));
    CHECK(!config_choose(c).otlp);
    config_free(c);
}

TEST(either_switch_turns_it_on_as_it_always_did)
{
    struct config *c = load(NULL, ENVIRONMENT("TELEMETRY_ENABLED=true", "ORIEL_ENABLED=0"));
    CHECK(config_telemetry(c)->enabled);
    config_free(c);
    c = load(NULL, ENVIRONMENT("TELEMETRY_ENABLED=false", "ORIEL_ENABLED=1"));
    CHECK(config_telemetry(c)->enabled);
    config_free(c);
    c = load("[telemetry]\nenabled = true\n", ENVIRONMENT("ORIEL_ENABLED=0"));
    CHECK(!config_telemetry(c)->enabled);
    config_free(c);
}

TEST(names_of_others_are_read_and_own_names_win)
{
    struct config_origin o;
    struct config *c = load(
        NULL, ENVIRONMENT("RUSTKERNEL_TRACING_ENABLED=true", "RUSTKERNEL_METRICS_ENABLED=false",
                          "RUSTKERNEL_OTLP_ENDPOINT=http://a", "RUSTKERNEL_LOG_LEVEL=INFO",
                          "OTEL_EXPORTER_OTLP_ENDPOINT=http://b", "OTEL_SERVICE_NAME=s",
                          "OTEL_TRACES_SAMPLER=AlwaysOff", "OTEL_TRACES_SAMPLER=x",
                          "OTEL_TRACES_SAMPLER_ARG=0.5"));
    const struct config_telemetry *t = config_telemetry(c);
    CHECK(t->enabled && t->system_metrics_interval_secs == 0);
    CHECK(t->sample_rate == 1); /* without a sampler the number says nothing */
    CHECK_STR(t->otlp_endpoint, "http://b");
    CHECK_STR(t->filter, "info");
    CHECK_STR(t->service_name, "s");
    CHECK(config_origin(c, "otlp_endpoint", &o));
    CHECK_STR(o.name, "OTEL_EXPORTER_OTLP_ENDPOINT");
    CHECK_EQ(t->sampler, CONFIG_SAMPLER_PARENT_RATIO); /* unknown: said and ignored */
    CHECK_EQ(messages(c), 2);
    CHECK(strstr(message(c, 0), "$OTEL_TRACES_SAMPLER: sampler: \"alwaysoff\" is not one of"));
    CHECK(config_can_start(c));
    config_free(c);
    c = load(NULL, ENVIRONMENT("OTEL_SERVICE_NAME=s", "ORIEL_SERVICE_NAME=own",
                               "OTEL_TRACES_SAMPLER=ALWAYS_OFF",
                               "ORIEL_SYSTEM_METRICS_INTERVAL_SECS=500ms"));
    CHECK_STR(config_telemetry(c)->service_name, "own");
    CHECK_EQ(config_telemetry(c)->sampler, CONFIG_SAMPLER_OFF);
    CHECK_EQ(config_telemetry(c)->system_metrics_interval_secs, 1);
    CHECK_EQ(messages(c), 0);
    config_free(c);
}

TEST(wrong_values_of_the_environment_are_said_and_ignored)
{
    struct config *c =
        load(NULL, ENVIRONMENT("TELEMETRY_ENABLED=yes", "OTEL_TRACES_SAMPLER_ARG=lots",
                               "ORIEL_EXIT_MS=-1", "ORIEL_SYSTEM_METRICS_INTERVAL_SECS=soon",
                               "OTEL_SDK_DISABLED=1", "ORIEL_BACKEND=local,cloud"));
    CHECK(!config_telemetry(c)->enabled && config_telemetry(c)->sample_rate == 1);
    CHECK_EQ(config_telemetry(c)->exit_ms, 1000);
    CHECK_STR(config_telemetry(c)->backend, "local"); /* what is known of the list */
    CHECK_EQ(messages(c), 6);
    CHECK(config_can_start(c));
    config_free(c);
}

TEST(wrong_values_of_a_file_stop_the_start_with_a_line)
{
    static const struct {
        const char *file, *text;
    } rows[] = {
        {"[telemetry]\nenabled = 'yes'",
         "oriel.toml:2: telemetry.enabled wants true or false, not this string"},
        {"[telemetry]\nbackend = 'cloud'",
         "oriel.toml:2: telemetry.backend: \"cloud\" is not one of local, otlp, program"},
        {"[telemetry]\nbackend = ['otlp', 1]",
         "oriel.toml:2: telemetry.backend wants text or a list of texts, not this array"},
        {"[telemetry]\ntrace_dir = ['a']",
         "oriel.toml:2: telemetry.trace_dir wants text, not this array"},
        {"[telemetry]\nexit_ms = -1",
         "oriel.toml:2: exit_ms: \"-1\" is not a whole number from 0 to 3600000"},
        {"[telemetry]\notlp_headers = 'a=b'",
         "oriel.toml:2: header values never stand in a file; put them into the vault and name "
         "their key: otlp_headers_vault_key"},
        {"[telemetry.otlp]\nheaders = { a = 'b' }",
         "oriel.toml:2: header values never stand in a file; put them into the vault and name "
         "their key: otlp_headers_vault_key"},
        {"[telemetry.chrome]\ntoken = 'abc'",
         "oriel.toml:2: telemetry.chrome.token is a secret and never stands in a file"},
        {"[telemetry]\npreset = 'fast'",
         "oriel.toml:2: no preset is called \"fast\"; there are development, production, "
         "high-performance, testing and private"},
        {"[telemetry\n", "oriel.toml:1:11: a header ends with ], not with the end of the line"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config *c = load(rows[i].file, NULL);
        CHECK(!config_can_start(c));
        CHECK_STR(message(c, 0), rows[i].text);
        config_free(c);
    }
}

TEST(names_that_are_not_known_are_said_with_the_nearest)
{
    struct config *c = load("[telemetry]\nenable = true\n[telemetry.chrom]\nx = 1\n"
                            "[telemetry.chrome]\nmax_byte = 1\nqqq = 1\n[other]\nx = 1\n",
                            NULL);
    CHECK_EQ(messages(c), 5);
    CHECK_STR(message(c, 0),
              "oriel.toml:2: there is no key telemetry.enable; did you mean enabled?");
    CHECK_STR(message(c, 1),
              "oriel.toml:3: there is no section telemetry.chrom; did you mean chrome?");
    CHECK_STR(message(c, 2),
              "oriel.toml:6: there is no key telemetry.chrome.max_byte; did you mean max_bytes?");
    CHECK_STR(message(c, 3), "oriel.toml:7: there is no key telemetry.chrome.qqq");
    CHECK_STR(message(c, 4), "oriel.toml:8: \"other\" is not read; Oriel's table is [telemetry]");
    CHECK(config_can_start(c));
    config_free(c);
}

TEST(a_rate_out_of_range_is_the_nearest_and_said)
{
    struct config *c = load("[telemetry]\nsample_rate = 7\n", NULL);
    CHECK(config_telemetry(c)->sample_rate == 1);
    CHECK_STR(message(c, 0), "oriel.toml:2: telemetry.sample_rate = 7 is taken as 1");
    CHECK(config_can_start(c));
    config_free(c);
    c = load("[telemetry]\nsample_rate = -0.5\n", NULL);
    CHECK(config_telemetry(c)->sample_rate == 0);
    CHECK_EQ(messages(c), 1);
    config_free(c);
}

TEST(what_this_build_cannot_do_stops_the_start_and_is_not_swallowed)
{
    static const struct config_absent absent[] = {
        {"sample_rate", "traces are not sampled yet", false},
        {"backend=otlp", "there is no outlet otlp", true},
        {"limits.*", "there are no limits", false},
        {"tracy", "there is no outlet tracy", true}};
    input.absent = absent;
    input.absent_count = 4;
    struct config *c = load("[telemetry]\nsample_rate = 0.5\nbackend = ['local', 'otlp']\n", NULL);
    CHECK(!config_can_start(c) && messages(c) == 2);
    CHECK_STR(message(c, 0), "oriel.toml:2: telemetry.sample_rate cannot take effect: traces are "
                             "not sampled yet");
    CHECK_STR(config_telemetry(c)->backend, "local");
    config_free(c);
    c = load("[telemetry]\nsample_rate = 1\ntracy = false\n",
             ENVIRONMENT("OTEL_TRACES_SAMPLER_ARG=0.5"));
    CHECK(config_can_start(c) && messages(c) == 1);
    config_free(c);
    c = load("[telemetry.limits]\nevent_count = 1\n[telemetry.batch]\nspans_size = 1\n", NULL);
    CHECK(!config_can_start(c) && messages(c) == 1 && config_batches(c)->spans.size == 1);
    config_free(c);
    c = load(NULL, ENVIRONMENT("TRACY_ENABLED=true"));
    CHECK(!config_can_start(c) && !config_choose(c).tracy);
    config_free(c);
    c = load(NULL, ENVIRONMENT("TELEMETRY_ENABLED=true", "OTEL_SDK_ENABLED=true"));
    CHECK(!config_can_start(c) && messages(c) == 1);
    CHECK_STR(message(c, 0), "$OTEL_SDK_ENABLED cannot take effect: there is no outlet otlp");
    config_free(c);
    c = load(NULL, ENVIRONMENT("OTEL_SDK_ENABLED=true"));
    CHECK(config_can_start(c)); /* telemetry is off: it does nothing */
    config_free(c);
}

/* Items of lists are told apart, and what is not there at all is absent, not unknown. */
TEST(what_a_build_leaves_out_is_refused_by_whole_names_and_without_its_tables)
{
    static const struct config_absent absent[] = {{"outlets=perf", "made without perf", true},
                                                  {"gone.*", "made without gone", false},
                                                  {"backend=otlp", "made without otlp", true},
                                                  {"otlp_*", "made without otlp", false}};
    static const struct config_set code = {"gone.key", "1"};
    struct oriel_err unused;
    input.absent = absent;
    input.absent_count = 4;
    struct config *c = load("[telemetry]\noutlets = 'chrome,perfetto'\n", NULL);
    CHECK(config_can_start(c) && messages(c) == 0);
    config_free(c);
    c = load(NULL, ENVIRONMENT("ORIEL_TO=chrome , perf"));
    CHECK(!config_can_start(c) && messages(c) == 1);
    CHECK_STR(message(c, 0), "$ORIEL_TO: telemetry.outlets cannot take effect: made without perf");
    config_free(c);
    c = load("[telemetry.gone]\nkey = 1\n", NULL);
    CHECK(!config_can_start(c) && messages(c) == 1);
    CHECK_STR(message(c, 0), "oriel.toml:1: telemetry.gone cannot take effect: made without gone");
    config_free(c);
    c = load("[telemetry.goner]\nkey = 1\n", NULL);
    CHECK(config_can_start(c) && messages(c) == 1);
    config_free(c);
    input.code = &code;
    input.code_count = 1;
    c = load(NULL, NULL);
    CHECK(!config_can_start(c) && messages(c) == 1);
    CHECK_STR(message(c, 0),
              "the program: telemetry.gone.key cannot take effect: made without gone");
    config_free(c);
    input.code_count = 0;
    /* The switch alone asks for nothing where nobody exports to OTLP. */
    c = load(NULL, ENVIRONMENT("TELEMETRY_ENABLED=true", "OTEL_SDK_ENABLED=true",
                               "OTEL_TRACES_EXPORTER=console", "OTEL_LOGS_EXPORTER=none"));
    CHECK(config_can_start(c) && messages(c) == 0);
    config_free(c);
    /* Headers are of no use, and a secret all the same. */
    c = load(NULL, ENVIRONMENT("OTEL_EXPORTER_OTLP_HEADERS=k=v"));
    struct config_otlp_target t;
    CHECK(config_can_start(c) && messages(c) == 1);
    CHECK_EQ(config_otlp_target(c, CONFIG_TRACES, &t, &unused), 0);
    CHECK_STR(t.headers, "k=v");
    config_free(c);
}

TEST(batches_and_limits_have_the_defaults_of_the_standard_and_its_variables)
{
    struct config *c = load(NULL, NULL);
    const struct config_batch *spans = &config_batches(c)->spans, *logs = &config_batches(c)->logs;
    struct config_limits l = config_limits(c);
    CHECK(spans->delay_ms == 5000 && spans->timeout_ms == 30000);
    CHECK(spans->queue == 2048 && spans->size == 512);
    CHECK(logs->delay_ms == 1000 && logs->timeout_ms == 30000);
    CHECK(logs->queue == 2048 && logs->size == 512);
    CHECK(l.span_attribute_count == 128 && l.log_attribute_count == 128);
    CHECK(l.span_attribute_length == -1 && l.event_count == 128 && l.link_count == 128);
    CHECK(l.event_attribute_count == 128 && l.link_attribute_count == 128);
    CHECK_STR(config_telemetry(c)->propagators, "tracecontext,baggage");
    CHECK_STR(config_telemetry(c)->traces_exporter, "otlp");
    config_free(c);
    c = load(NULL,
             ENVIRONMENT("OTEL_BSP_MAX_QUEUE_SIZE=100", "OTEL_BLRP_SCHEDULE_DELAY=x",
                         "OTEL_ATTRIBUTE_COUNT_LIMIT=7", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=9",
                         "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT=30", "OTEL_RESOURCE_ATTRIBUTES=a=b"));
    l = config_limits(c);
    CHECK(config_batches(c)->spans.queue == 100 && config_batches(c)->spans.size == 100);
    CHECK_EQ(config_batches(c)->logs.delay_ms, 1000);
    CHECK(l.span_attribute_count == 9 && l.log_attribute_count == 7);
    CHECK(l.span_attribute_length == 30 && l.log_attribute_length == 30);
    CHECK_EQ(messages(c), 2); /* the bad number, and the batch that is cut to its queue */
    CHECK_STR(config_telemetry(c)->resource_attributes, "a=b");
    config_free(c);
}

TEST(of_a_list_in_the_environment_only_what_is_known_counts)
{
    struct config *c = load(NULL, ENVIRONMENT("OTEL_PROPAGATORS= b3 ,xray,\ttracecontext",
                                              "OTEL_TRACES_EXPORTER=logging"));
    CHECK_STR(config_telemetry(c)->propagators, "b3,tracecontext");
    CHECK_STR(config_telemetry(c)->traces_exporter, "otlp");
    CHECK_EQ(messages(c), 2);
    CHECK_STR(message(c, 0), "$OTEL_PROPAGATORS: telemetry.propagators: \"xray\" is not one of "
                             "tracecontext, baggage, b3, b3multi, jaeger, ottrace, none");
    config_free(c);
}

TEST(the_preset_private_reads_neither_file_nor_environment)
{
    input.preset = "private";
    struct config *c = load("[telemetry\n", ENVIRONMENT("ORIEL_TRACE_DIR=b", "TRACY_ENABLED=1",
                                                        "ORIEL_PRESET=testing"));
    CHECK(config_telemetry(c)->enabled && !config_telemetry(c)->tracy);
    CHECK_STR(config_telemetry(c)->trace_dir, ".local/traces");
    CHECK_EQ(messages(c), 0);
    config_free(c);
    input.preset = NULL;
    c = load("[telemetry]\ntrace_dir = 'a'\n", ENVIRONMENT("ORIEL_PRESET=private", "ORIEL_TO=log"));
    CHECK_STR(config_telemetry(c)->trace_dir, ".local/traces");
    CHECK_STR(config_telemetry(c)->outlets, "chrome");
    config_free(c);
}

TEST(presets_differ_and_stand_below_the_file)
{
    for (size_t i = 0; config_presets[i]; i++) {
        input.preset = config_presets[i];
        struct config *c = load("[telemetry]\nservice_name = 'x'\n", NULL);
        const struct config_telemetry *t = config_telemetry(c);
        CHECK(t->enabled && config_can_start(c) && messages(c) == 0);
        bool production = strcmp(config_presets[i], "production") == 0;
        CHECK_EQ(t->sample_rate == 0.1, production);
        config_free(c);
    }
    input.preset = NULL;
    struct config *c = load("[telemetry]\npreset = 'production'\nsample_rate = 0.5\n", NULL);
    CHECK(config_telemetry(c)->sample_rate == 0.5);
    CHECK_STR(config_telemetry(c)->backend, "otlp");
    config_free(c);
    c = load("[telemetry]\npreset = 1\n", ENVIRONMENT("ORIEL_PRESET=fastest"));
    CHECK(config_can_start(c) && messages(c) == 1);
    config_free(c);
}

TEST(old_sections_are_read_with_a_warning_and_below_the_new_one)
{
    struct config *c = load("[observability]\nexporter = \"otlp\"\nendpoint = 'http://a'\n"
                            "[debug.traces]\nservice_name = 's'\noutput_dir = 'd'\nredact = true\n"
                            "[telemetry]\nservice_name = 'new'\n",
                            NULL);
    const struct config_telemetry *t = config_telemetry(c);
    CHECK(config_can_start(c) && t->enabled);
    CHECK_STR(t->backend, "otlp");
    CHECK_STR(t->otlp_endpoint, "http://a");
    CHECK_STR(t->service_name, "new");
    CHECK_STR(t->trace_dir, "d");
    CHECK_EQ(messages(c), 2);
    CHECK_STR(message(c, 0),
              "oriel.toml:1: [observability] is now part of [telemetry] and no longer "
              "read from version 2.0; oriel config migrate rewrites it");
    config_free(c);
    c = load("[debug.traces]\nredact = false\n[observability]\nexporter = 'none'\n", NULL);
    CHECK(!config_can_start(c) && !config_telemetry(c)->enabled);
    config_free(c);
    c = load("[observability]\nenabled = false\nexporter = 'otlp'\n", NULL);
    CHECK(config_can_start(c) && !config_telemetry(c)->enabled); /* what is said wins */
    config_free(c);
    c = load("[observability]\nenabled = 1\n", NULL);
    CHECK(!config_can_start(c)); /* as in the section of today */
    config_free(c);
}

TEST(second_names_of_keys_are_taken)
{
    struct config *c = load("[telemetry]\nsampling_rate = 0.1\n[telemetry.otlp]\n"
                            "endpoint = 'http://localhost:4317'\n",
                            NULL);
    CHECK(config_telemetry(c)->sample_rate == 0.1 && messages(c) == 0);
    CHECK_STR(config_telemetry(c)->otlp_endpoint, "http://localhost:4317");
    config_free(c);
}

TEST(what_the_program_sets_has_to_be_right)
{
    static const struct config_set code[] = {{"exit_ms", "soon"}, {"none", "1"}, {"chrome.x", "1"}};
    input.code = code;
    input.code_count = 3;
    struct config *c = load(NULL, NULL);
    CHECK(!config_can_start(c) && messages(c) == 3);
    CHECK_STR(message(c, 1), "the program: there is no key telemetry.none");
    config_free(c);
}

TEST(every_allocation_may_fail)
{
    static const char file[] =
        "[telemetry]\nenabled = true\nbackend = ['local', 'otlp']\nqq = 1\n"
        "[telemetry.chrome]\nmax_bytes = 12\n[observability]\nendpoint = 'x'\n";
    struct oriel_err err;
    struct config *c;
    int rc = ORIEL_ENOMEM;
    config_free(load(file, ENVIRONMENT("ORIEL_TO=log")));
    for (uint64_t n = 1; rc != 0; n++) {
        size_t blocks = mem_live_blocks();
        mem_fail_after(n);
        rc = config_load(&c, &input, &err);
        mem_fail_after(0);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        if (rc == 0)
            config_free(c);
        CHECK_EQ(mem_live_blocks(), blocks);
        REQUIRE(n < 500);
    }
}

TEST(only_a_file_that_nobody_else_could_write_is_read)
{
    char path[600];
    struct oriel_err err;
    struct buf b;
    buf_init(&b);
    snprintf(path, sizeof path, "%s/oriel.toml", test_tmpdir());
    CHECK_EQ(config_read_file(path, true, &b, &err), ORIEL_ENOTFOUND);
    FILE *f = fopen(path, "w");
    REQUIRE(f);
    fputs("[telemetry]\n", f);
    fclose(f);
    CHECK_EQ(chmod(path, 0644), 0);
    CHECK_EQ(config_read_file(path, true, &b, &err), 0);
    CHECK_EQ(b.size, 12);
    CHECK_EQ(chmod(path, 0666), 0);
    CHECK_EQ(config_read_file(path, true, &b, &err), ORIEL_EPERM);
    buf_clear(&b);
    CHECK_EQ(config_read_file(path, false, &b, &err), 0);
    CHECK_EQ(config_read_file(test_tmpdir(), false, &b, &err), ORIEL_EPERM);
    CHECK_EQ(truncate(path, CONFIG_FILE_MAX + 1), 0);
    buf_clear(&b);
    CHECK_EQ(config_read_file(path, false, &b, &err), ORIEL_ELIMIT);
    buf_done(&b);
}

/* A section "otlp" with what the tests of rules need, and a key that [telemetry] has as well. */
struct sending {
    const char *spool_dir, *endpoint, *protocol;
    int64_t queue_items;
};
static const struct option_def sending_options[] = {
    {.name = "spool_dir",
     .type = OPTION_STRING,
     .offset = offsetof(struct sending, spool_dir),
     .fallback = ""},
    {.name = "endpoint",
     .type = OPTION_STRING,
     .offset = offsetof(struct sending, endpoint),
     .fallback = ""},
    {.name = "protocol",
     .type = OPTION_STRING,
     .offset = offsetof(struct sending, protocol),
     .fallback = ""},
    {.name = "queue_items",
     .type = OPTION_INT,
     .offset = offsetof(struct sending, queue_items),
     .fallback = "0",
     .max = 100},
    OPTION_END,
};

static struct config *load_sending(const char *file, const char *const *environment)
{
    static const struct config_section some[] = {
        {"chrome", chrome_options, sizeof(struct chrome)},
        {"otlp", sending_options, sizeof(struct sending)},
        {"vault", sending_options, sizeof(struct sending)}};
    struct config_input in = {.size = sizeof in,
                              .sections = some,
                              .section_count = 3,
                              .file_text = file,
                              .file_bytes = file ? strlen(file) : 0,
                              .environment = environment};
    return load_input(&in);
}

TEST(a_key_without_a_variable_of_its_own_has_one_by_rule)
{
    struct config_origin o;
    struct config *c = load_sending(
        "[telemetry.otlp]\nspool_dir = 'of the file'\nqueue_items = 7\n",
        ENVIRONMENT("ORIEL_OTLP_SPOOL_DIR=sp", "ORIEL_SAMPLING_KEEP_ERRORS=1",
                    "ORIEL_SAMPLING_ROOT=Always_Off", "ORIEL_SAMPLING_HOLD_BYTES=1MiB",
                    "ORIEL_CHROME_ARGS=true", "ORIEL_OTLP_QUEUE_ITEMS=", "ORIEL_VAULT_SPOOL_DIR=no",
                    "ORIEL_CHROME_NONE=1"));
    const struct sending *s = config_section_options(c, "otlp");
    const struct config_sampling *sampling = config_section_options(c, "sampling");
    CHECK_EQ(messages(c), 0); /* who else reads ORIEL_CHROME_... is not known */
    CHECK_STR(s->spool_dir, "sp");
    CHECK(s->queue_items == 7); /* empty is unset */
    CHECK(sampling->keep_errors && sampling->hold_bytes == 1 << 20);
    CHECK_EQ(sampling->root, CONFIG_DELEGATE_OFF + 1);
    CHECK(((const struct chrome *)config_section_options(c, "chrome"))->args);
    CHECK(config_origin(c, "otlp.spool_dir", &o) && o.layer == CONFIG_VARIABLE);
    CHECK_STR(o.name, "ORIEL_OTLP_SPOOL_DIR");
    /* The vault is asked where its own names say, and nowhere else. */
    CHECK_STR(((const struct sending *)config_section_options(c, "vault"))->spool_dir, "");
    config_free(c);
}

TEST(a_rule_stands_above_the_standard_and_sets_the_key_that_counts)
{
    struct config_origin o;
    struct config *c = load_sending(
        NULL, ENVIRONMENT("ORIEL_OTLP_PROTOCOL=http/json", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
                          "ORIEL_OTLP_TIMEOUT_MS=70", "ORIEL_OTLP_TRACES_TIMEOUT_MS=60",
                          "ORIEL_OTLP_ENDPOINT=http://h:1", "ORIEL_OTLP_HEADERS_REQUIRED=false"));
    CHECK_EQ(messages(c), 0);
    CHECK_STR(config_telemetry(c)->otlp_endpoint, "http://h:1");
    CHECK_EQ(config_telemetry(c)->otlp.protocol, CONFIG_HTTP_JSON);
    CHECK(config_origin(c, "otlp_protocol", &o));
    CHECK_STR(o.name, "ORIEL_OTLP_PROTOCOL");
    CHECK(!config_telemetry(c)->otlp_headers_required);
    CHECK(target(c, CONFIG_TRACES).timeout_ms == 60 && target(c, CONFIG_LOGS).timeout_ms == 70);
    config_free(c);
}

TEST(a_name_that_no_key_has_is_a_warning_with_the_nearest)
{
    struct config *c =
        load_sending(NULL, ENVIRONMENT("ORIEL_OTLP_SPOOLDIR=sp", "ORIEL_SAMPLING_QUITE_OTHER=1",
                                       "ORIEL_OTLP_QUEUE_ITEMS=many"));
    CHECK_EQ(messages(c), 3);
    CHECK_STR(message(c, 0), "$ORIEL_OTLP_SPOOLDIR: there is no key telemetry.otlp.spooldir; did "
                             "you mean $ORIEL_OTLP_SPOOL_DIR?");
    CHECK_STR(message(c, 1),
              "$ORIEL_SAMPLING_QUITE_OTHER: there is no key telemetry.sampling.quite_other");
    CHECK(strncmp(message(c, 2), "$ORIEL_OTLP_QUEUE_ITEMS: otlp.queue_items", 41) == 0);
    CHECK(config_can_start(c));
    config_free(c);
}

TEST_MAIN()
