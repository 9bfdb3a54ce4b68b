/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of the configuration of this build: its file, sections, refusals. */
#include "session/settings.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/otlp.h"
#include "export/exporter.h"
#include "test.h"

static struct oriel_err err;
static struct settings_input input = {.size = sizeof input};

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    REQUIRE(f);
    fputs(text, f);
    fclose(f);
    CHECK_EQ(chmod(name, 0600), 0);
}

static struct config *load(void)
{
    struct config *c = NULL;
    if (settings_load(&c, &input, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    test_stop_if_failed();
    return c;
}

TEST(the_file_is_the_one_named_or_the_one_that_is_here)
{
    static const char *const environment[] = {"ORIEL_CONFIG=other.toml", NULL};
    struct config_origin o;
    REQUIRE(chdir(test_tmpdir()) == 0);
    struct config *c = load();
    CHECK(settings_file(&input) == NULL && config_can_start(c));
    config_free(c);
    write_file("oriel.toml", "[telemetry]\ntrace_dir = 'here'\n");
    c = load();
    CHECK_STR(config_telemetry(c)->trace_dir, "here");
    config_free(c);
    input.environment = environment;
    CHECK_EQ(settings_load(&c, &input, &err), ORIEL_ENOTFOUND);
    CHECK(strstr(err.text, "other.toml") != NULL);
    write_file("other.toml", "[telemetry]\ntrace_dir = 'other'\n");
    c = load();
    CHECK(config_origin(c, "trace_dir", &o));
    CHECK_STR(o.name, "other.toml");
    config_free(c);
    input.file = "oriel.toml";
    c = load();
    CHECK_STR(config_telemetry(c)->trace_dir, "here");
    config_free(c);
}

TEST(the_standards_own_file_takes_the_place_of_the_environment)
{
    static const char *const environment[] = {"OTEL_CONFIG_FILE=o.yaml", "OTEL_LOG_LEVEL=none",
                                              "WHO=shop", NULL};
    struct config *c;
    struct config_origin o;
    REQUIRE(chdir(test_tmpdir()) == 0);
    input.environment = environment;
    CHECK_EQ(settings_load(&c, &input, &err), ORIEL_ENOTFOUND);
    CHECK(strstr(err.text, "o.yaml") != NULL);
    write_file("o.yaml", "file_format: '1.0'\nlog_level: ${WHO:+x}\n");
    c = load();
    CHECK(!config_can_start(c));
    config_free(c);
    write_file("o.yaml", "file_format: '1.0'\nattribute_limits: {}\nlog_level: debug\n");
    c = load();
    CHECK(config_can_start(c));
    CHECK_EQ(config_telemetry(c)->log_level, CONFIG_LOG_DEBUG);
    CHECK(config_origin(c, "log_level", &o) && o.line == 3);
    CHECK_STR(o.name, "o.yaml");
    config_free(c);
    input.preset = "private"; /* reads nothing */
    c = load();
    CHECK_EQ(config_telemetry(c)->log_level, CONFIG_LOG_ERROR);
    config_free(c);
    input.preset = NULL;
}

TEST(a_file_that_others_could_write_is_not_for_a_program)
{
    struct config *c = NULL;
    REQUIRE(chdir(test_tmpdir()) == 0);
    write_file("oriel.toml", "[telemetry]\ntrace_dir = 'bad'\n");
    CHECK_EQ(chmod("oriel.toml", 0666), 0);
    input.careful = true;
    CHECK_EQ(settings_load(&c, &input, &err), ORIEL_EPERM);
    input.preset = "private"; /* looks at no file at all */
    c = load();
    CHECK_STR(config_telemetry(c)->trace_dir, ".local/traces");
    config_free(c);
}

TEST(every_outlet_has_a_section_with_its_options)
{
    struct config_section sections[SETTINGS_SECTIONS_MAX];
    size_t n = settings_sections(sections);
    REQUIRE(chdir(test_tmpdir()) == 0);
    struct config *c = load();
    for (size_t i = 0; export_registry[i]; i++) {
        CHECK_STR(sections[i].name, export_registry[i]->name);
        CHECK(config_section_options(c, export_registry[i]->name) != NULL);
    }
    CHECK(export_registry[n - 1] == NULL);
    CHECK_STR(sections[n - 1].name, "vault");
    CHECK(config_section_options(c, "vault") != NULL);
    config_free(c);
}

TEST(presets_choose_between_files_and_a_receiver)
{
    REQUIRE(chdir(test_tmpdir()) == 0);
    input.preset = "development";
    struct config *c = load();
    CHECK(config_can_start(c) && config_choose(c).local && !config_choose(c).otlp);
    config_free(c);
    input.preset = "production";
    c = load();
    CHECK(config_can_start(c) && !config_choose(c).local && config_choose(c).otlp);
    config_free(c);
}

TEST(what_is_not_there_stops_the_start)
{
    REQUIRE(chdir(test_tmpdir()) == 0);
    write_file("oriel.toml", "[telemetry]\npyroscope_endpoint = 'http://x'\n");
    struct config *c = load();
    const struct config_message *m;
    REQUIRE(config_messages(c, &m) > 0);
    CHECK(!config_can_start(c));
    CHECK_STR(m[0].text, "oriel.toml:2: telemetry.pyroscope_endpoint cannot take effect: this "
                         "version has no Pyroscope outlet yet");
    config_free(c);
}

/* The first message of this severity about what has no effect; "" if there is none. */
static const char *idle_line(const struct config *c, enum config_severity severity)
{
    const struct config_message *m;
    for (size_t i = 0, n = config_messages(c, &m); i < n; i++)
        if (m[i].severity == severity && strstr(m[i].text, " effect: "))
            return m[i].text;
    return "";
}

static const struct {
    const char *file, *variable;
    enum config_severity severity;
    const char *line; /* begins so; "": nothing of the kind is said */
} effects[] = {
    {"otlp_endpoint = 'http://x'\n", NULL, CONFIG_ERROR,
     "oriel.toml:2: telemetry.otlp_endpoint cannot take effect: backend has no otlp; set "
     "backend = \"otlp\""},
    {"otlp.endpoint = 'http://x'\n", NULL, CONFIG_ERROR,
     "oriel.toml:2: telemetry.otlp_endpoint cannot take effect: "},
    {"otlp.near.endpoint = 'http://x'\n", NULL, CONFIG_ERROR,
     "oriel.toml:2: telemetry.otlp.near.endpoint cannot take effect: "},
    {"otlp_logs.endpoint = 'http://x'\n", NULL, CONFIG_ERROR,
     "oriel.toml:2: telemetry.otlp_logs.endpoint cannot take effect: "},
    {"otlp_headers_vault_key = 'K'\n", NULL, CONFIG_ERROR,
     "oriel.toml:2: telemetry.otlp_headers_vault_key cannot take effect: "},
    {"vault.provider = 'file'\n", NULL, CONFIG_ERROR,
     "oriel.toml:2: telemetry.vault.provider cannot take effect: "},
    {"traces_exporter = 'otlp'\n", NULL, CONFIG_ERROR,
     "oriel.toml:2: telemetry.traces_exporter cannot take effect: "},
    {"", "RUSTKERNEL_OTLP_ENDPOINT=http://x", CONFIG_ERROR,
     "$RUSTKERNEL_OTLP_ENDPOINT: telemetry.otlp_endpoint cannot take effect: "},
    {"", "ORIEL_OTLP_ENDPOINT=http://x", CONFIG_ERROR,
     "$ORIEL_OTLP_ENDPOINT: telemetry.otlp_endpoint cannot take effect: "},
    /* Others read these, too. */
    {"", "OTEL_EXPORTER_OTLP_ENDPOINT=http://x", CONFIG_REMARK,
     "$OTEL_EXPORTER_OTLP_ENDPOINT has no effect: backend has no otlp; set "},
    {"", "OTEL_TRACES_EXPORTER=otlp", CONFIG_REMARK,
     "$OTEL_TRACES_EXPORTER has no effect: backend has no otlp; set "},
    {"", "OTEL_EXPORTER_OTLP_ENDPOINT=http://x", CONFIG_ERROR, ""},
    /* What is sent, or was switched off by whoever may. */
    {"backend = 'otlp'\notlp_endpoint = 'http://x'\n", NULL, CONFIG_ERROR, ""},
    {"preset = 'production'\notlp_endpoint = 'http://x'\n", NULL, CONFIG_ERROR, ""},
    {"otlp_endpoint = 'http://x'\n", "OTEL_SDK_ENABLED=true", CONFIG_ERROR, ""},
    {"otlp_endpoint = 'http://x'\n", "OTEL_SDK_ENABLED=false", CONFIG_ERROR, ""},
    {"otlp.near.endpoint = 'http://x'\n", "OTEL_SDK_DISABLED=true", CONFIG_ERROR, ""},
    {"backend = 'otlp'\notlp_endpoint = 'http://x'\n", "ORIEL_BACKEND=local", CONFIG_ERROR, ""},
    {"backend = 'otlp'\notlp_endpoint = 'http://x'\n", "ORIEL_BACKEND=local", CONFIG_ADVICE,
     "oriel.toml:3: telemetry.otlp_endpoint has no effect: backend has no otlp, by "
     "$ORIEL_BACKEND"},
    {"enabled = false\notlp_endpoint = 'http://x'\n", NULL, CONFIG_ERROR, ""},
    /* Tables of outlets. */
    {"chrome.form = 'object'\n", NULL, CONFIG_ERROR, ""},
    {"chrome.form = 'object'\noutlets = 'capture'\n", NULL, CONFIG_ERROR,
     "oriel.toml:2: telemetry.chrome.form cannot take effect: outlets has no chrome; name it "
     "there"},
    {"chrome.form = 'object'\nbackend = 'otlp'\n", NULL, CONFIG_ERROR,
     "oriel.toml:2: telemetry.chrome.form cannot take effect: backend has no local files for "
     "chrome; name local there"},
    {"chrome.form = 'object'\n", "ORIEL_TO=capture", CONFIG_ERROR, ""},
    {"chrome.form = 'object'\n", "ORIEL_PRESET=production", CONFIG_ERROR, ""},
    {"log.spans = true\n", NULL, CONFIG_ERROR,
     "oriel.toml:2: telemetry.log.spans cannot take effect: outlets has no log; "},
    {"log.spans = true\n", "OTEL_TRACES_EXPORTER=console", CONFIG_ERROR, ""},
    {"otlp.signals = 'logs'\n", NULL, CONFIG_ERROR,
     "oriel.toml:2: telemetry.otlp.signals cannot take effect: backend has no otlp; "},
    {"otlp.signals = 'logs'\noutlets = 'chrome,otlp'\n", NULL, CONFIG_ERROR, ""},
    {"otlp.signals = 'logs'\n", "OTEL_SDK_ENABLED=true", CONFIG_ERROR, ""},
    /* The form of a file, where none is written. */
    {"backend = 'otlp'\notlp.encoding = 'protobuf'\n", NULL, CONFIG_ERROR,
     "oriel.toml:3: telemetry.otlp.encoding cannot take effect: no file of otlp is written; name "
     "otlp in outlets"},
    {"backend = 'otlp'\n", "ORIEL_OTLP_ENCODING=protobuf", CONFIG_ERROR,
     "$ORIEL_OTLP_ENCODING: telemetry.otlp.encoding cannot take effect: no file"},
    {"backend = 'local,otlp'\noutlets = 'capture'\n", "ORIEL_OTLP_ENCODING=protobuf", CONFIG_ERROR,
     "$ORIEL_OTLP_ENCODING: telemetry.otlp.encoding cannot take effect: no file"},
    {"backend = 'local,otlp'\noutlets = 'otlp'\n", "ORIEL_OTLP_ENCODING=protobuf", CONFIG_ERROR,
     ""},
    {"backend = 'otlp'\n", "ORIEL_OTLP_ENCODING=json", CONFIG_ERROR, ""},
    {"traces_exporter = 'otlp/stdout'\notlp.encoding = 'protobuf'\n", NULL, CONFIG_ERROR,
     "oriel.toml:3: telemetry.otlp.encoding cannot take effect: no file"},
    {"outlets = 'otlp'\nbackend = 'local,otlp'\notlp.encoding = 'protobuf'\n", "ORIEL_TO=capture",
     CONFIG_ADVICE,
     "oriel.toml:4: telemetry.otlp.encoding has no effect: no file of otlp is "
     "written, by $ORIEL_TO"},
    {"backend = 'otlp'\notlp.near.endpoint = 'http://x'\notlp.near.encoding = 'protobuf'\n", NULL,
     CONFIG_ERROR,
     "oriel.toml:4: telemetry.otlp.near.encoding cannot take effect: it is that of a file; "},
    {"backend = 'otlp'\notlp.encoding = 'protobuf'\n", "OTEL_SDK_DISABLED=true", CONFIG_ERROR, ""},
    /* The share of a sampler. */
    {"sample_rate = 0.1\n", NULL, CONFIG_ERROR, ""},
    {"sample_rate = 0.1\nsampler = 'always_on'\n", NULL, CONFIG_ERROR,
     "oriel.toml:2: telemetry.sample_rate cannot take effect: the sampler asks for no share; "},
    {"sample_rate = 1.0\nsampler = 'always_on'\n", NULL, CONFIG_ERROR, ""},
    {"sample_rate = 0.1\n", "OTEL_TRACES_SAMPLER=always_on", CONFIG_ERROR, ""},
    {"sample_rate = 0.1\nsampling.root = 'always_off'\n", NULL, CONFIG_ERROR,
     "oriel.toml:2: telemetry.sample_rate cannot take effect: "},
    {"sample_rate = 0.1\nsampling.root = 'always_off'\n"
     "sampling.remote_parent_sampled = 'traceidratio'\n",
     NULL, CONFIG_ERROR, ""},
    {"preset = 'production'\nsampler = 'always_on'\n", NULL, CONFIG_ERROR, ""},
};

TEST(what_has_no_effect_beside_the_rest_is_told_by_whose_it_is)
{
    REQUIRE(chdir(test_tmpdir()) == 0);
    for (size_t i = 0; i < sizeof effects / sizeof *effects; i++) {
        const char *const environment[] = {effects[i].variable, NULL};
        char text[300];
        snprintf(text, sizeof text, "[telemetry]\n%s", effects[i].file);
        write_file("oriel.toml", text);
        input.environment = environment;
        struct config *c = load();
        const char *line = idle_line(c, effects[i].severity), *wanted = effects[i].line;
        if (strncmp(line, wanted, strlen(wanted)) != 0 || (!wanted[0] && line[0]))
            test_fail(__FILE__, __LINE__, "%s%s: \"%s\"", text,
                      effects[i].variable ? effects[i].variable : "", line);
        if (effects[i].severity == CONFIG_ERROR && config_can_start(c) == (wanted[0] != 0))
            test_fail(__FILE__, __LINE__, "%s: starts, or does not", text);
        config_free(c);
    }
    input.environment = NULL;
}

TEST(a_program_cannot_know_what_its_environment_decides)
{
    static const char *const environment[] = {"ORIEL_BACKEND=local", NULL};
    const struct config_set code[] = {{"otlp_endpoint", "http://x"}};
    REQUIRE(chdir(test_tmpdir()) == 0);
    input.code = code;
    input.code_count = 1;
    struct config *c = load();
    CHECK(!config_can_start(c));
    CHECK(strstr(idle_line(c, CONFIG_ERROR), "telemetry.otlp_endpoint cannot take effect"));
    config_free(c);
    input.environment = environment;
    c = load();
    CHECK(config_can_start(c));
    CHECK(strstr(idle_line(c, CONFIG_ADVICE), "has no effect"));
    config_free(c);
    input.code_count = 0;
    input.environment = NULL;
}

TEST(a_receiver_with_a_section_has_what_all_have_and_what_it_says)
{
    struct config_otlp_target t;
    REQUIRE(chdir(test_tmpdir()) == 0);
    write_file("oriel.toml",
               "[telemetry]\nbackend = 'otlp'\notlp_endpoint = 'http://main'\n"
               "[telemetry.otlp]\ncompression = 'gzip'\ncertificate = 'all.pem'\n"
               "[telemetry.otlp.a]\nendpoint = 'http://a:4318/x'\ntimeout_ms = 7\n"
               "[telemetry.otlp.b]\nendpoint = 'b:1'\ninsecure = true\ncompression = 'zstd'\n"
               "certificate = 'b.pem'\nprotocol = 'grpc'\n");
    struct config *c = load();
    CHECK(config_can_start(c));
    CHECK_STR(config_receiver(c, 0), "otlp.a");
    CHECK_STR(config_receiver(c, 1), "otlp.b");
    CHECK(config_receiver(c, 2) == NULL);
    REQUIRE(config_otlp_receiver(c, "otlp.a", CONFIG_LOGS, &t, &err) == 0);
    CHECK_STR(t.url, "http://a:4318/x/v1/logs");
    CHECK_STR(t.certificate, "all.pem");
    CHECK(t.protocol == CONFIG_HTTP_PROTOBUF && t.compression == CONFIG_COMPRESSION_GZIP);
    CHECK_EQ(t.timeout_ms, 7);
    REQUIRE(config_otlp_receiver(c, "otlp.b", CONFIG_TRACES, &t, &err) == 0);
    CHECK_STR(t.url, "http://b:1");
    CHECK_STR(t.certificate, "b.pem");
    CHECK(t.protocol == CONFIG_GRPC && t.compression == CONFIG_COMPRESSION_ZSTD);
    CHECK_EQ(t.timeout_ms, 10000);
    config_free(c);
}

TEST(a_section_that_is_no_receiver_stops_the_start)
{
    static const struct {
        const char *file, *line;
    } cases[] = {
        {"[telemetry.otlp.a]\nqueue_items = 1\n", "telemetry.otlp.a has no endpoint"},
        {"[telemetry.otlp.a]\nendpoint = 'ftp://x'\n", "oriel.toml:2: telemetry.otlp.a.endpoint: "},
        {"[telemetry.otlp.'a b']\nendpoint = 'http://x'\n", "oriel.toml:1: telemetry.otlp.a b: "},
        {"[telemetry.otlp.a]\nendpoint = 'http://x'\nheaders = 'a=b'\n",
         "oriel.toml:3: header values never stand in a file; put them into the vault and name "
         "their key: headers_vault_key"},
        {"[telemetry.otlp]\n1={endpoint='http://x'}\n2={endpoint='http://x'}\n"
         "3={endpoint='http://x'}\n4={endpoint='http://x'}\n5={endpoint='http://x'}\n"
         "6={endpoint='http://x'}\n7={endpoint='http://x'}\n",
         "oriel.toml:8: telemetry.otlp.7: there are no more than 6 of them"},
    };
    REQUIRE(chdir(test_tmpdir()) == 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct config_message *m;
        write_file("oriel.toml", cases[i].file);
        struct config *c = load();
        if (config_can_start(c) || config_messages(c, &m) == 0 ||
            strncmp(m[0].text, cases[i].line, strlen(cases[i].line)) != 0)
            test_fail(__FILE__, __LINE__, "%s: %s", cases[i].file,
                      config_messages(c, &m) ? m[0].text : "");
        config_free(c);
    }
}

static void count_changes(void *user, const char *key, const char *was, const char *is)
{
    (void)was;
    CHECK(strcmp(key, "otlp.b") != 0 || is[0]);
    CHECK(strcmp(key, "otlp.a") != 0 || !is[0]);
    ++*(int *)user;
}

TEST(receivers_that_came_and_went_are_changes)
{
    int changes = 0;
    REQUIRE(chdir(test_tmpdir()) == 0);
    write_file("oriel.toml", "[telemetry.otlp.a]\nendpoint = 'http://x'\n");
    struct config *before = load();
    write_file("oriel.toml", "[telemetry.otlp.b]\nendpoint = 'http://x'\n");
    struct config *now = load();
    config_changes(before, now, count_changes, &changes);
    CHECK_EQ(changes, 2);
    config_free(before);
    config_free(now);
}

TEST_MAIN()
