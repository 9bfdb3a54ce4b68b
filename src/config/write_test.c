/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of what is told of a configuration: TOML that reads back, JSON, schema. */
#include "base/mem.h"
#include "config/config.h"
#include "test.h"
#include "util/json.h"
#include "util/toml.h"

struct net {
    const char *token, *url;
    uint64_t timeout_ns;
    int mode;
};
static const char *const modes[] = {"fast", "safe", NULL};
static const struct option_def net_options[] = {
    {.name = "token",
     .type = OPTION_STRING,
     .offset = offsetof(struct net, token),
     .variable = "NET_TOKEN",
     .secret = true,
     .help = "a secret"},
    {.name = "url", .type = OPTION_STRING, .offset = offsetof(struct net, url), .help = "where"},
    {.name = "timeout",
     .type = OPTION_DURATION,
     .offset = offsetof(struct net, timeout_ns),
     .fallback = "5s",
     .help = "how long"},
    {.name = "mode",
     .type = OPTION_ENUM,
     .offset = offsetof(struct net, mode),
     .fallback = "fast",
     .choices = modes,
     .help = "how"},
    OPTION_END,
};
static const struct config_section sections[] = {{"net", net_options, sizeof(struct net)}};
static struct oriel_err err;

static struct config *load(const char *text, size_t n, const char *const *environment)
{
    struct config *c = NULL;
    struct config_input in = {.size = sizeof in,
                              .sections = sections,
                              .section_count = 1,
                              .file_name = "a.toml",
                              .file_text = text,
                              .file_bytes = n,
                              .environment = environment};
    REQUIRE(config_load(&c, &in, &err) == 0);
    return c;
}

static const char file[] =
    "[telemetry]\nenabled = true\nbackend = ['otlp', 'local']\nsample_rate = 0.125\n"
    "service_name = \"a \\\"b\\\"\\u0001\"\notlp_endpoint = 'http://me:hush@h:1/p@q'\n"
    "[telemetry.net]\nurl = 'https://u@h'\ntimeout = '250ms'\nmode = 'safe'\n";
static const char *const environment[] = {"NET_TOKEN=canary", "ORIEL_EXIT_MS=12", NULL};

TEST(what_is_shown_names_origins_and_hides_secrets)
{
    struct config *c = load(file, sizeof file - 1, environment);
    struct buf b;
    buf_init(&b);
    config_write(c, false, &b);
    CHECK_STR(buf_cstr(&b), "[telemetry]\n"
                            "enabled = true                                # a.toml:2\n"
                            "backend = \"otlp,local\"                        # a.toml:3\n"
                            "otlp_endpoint = \"http://***@h:1/p@q\"          # a.toml:6\n"
                            "service_name = \"a \\\"b\\\"\\u0001\"                # a.toml:5\n"
                            "sample_rate = 0.125                           # a.toml:4\n"
                            "exit_ms = 12                                  # $ORIEL_EXIT_MS\n"
                            "\n[telemetry.net]\n"
                            "# token = \"***\"                               # $NET_TOKEN\n"
                            "url = \"https://***@h\"                         # a.toml:8\n"
                            "timeout = \"250ms\"                             # a.toml:9\n"
                            "mode = \"safe\"                                 # a.toml:10\n");
    config_write_json(c, &b);
    CHECK(strstr(buf_cstr(&b), "canary") == NULL && strstr(buf_cstr(&b), "hush") == NULL);
    buf_done(&b);
    config_free(c);
}

TEST(what_is_shown_reads_back_to_the_same)
{
    struct config *c = load(file, sizeof file - 1, environment), *again;
    struct buf first, second;
    buf_init(&first);
    buf_init(&second);
    config_write(c, true, &first);
    again = load(buf_cstr(&first), first.size, environment);
    const struct config_message *m;
    CHECK_EQ(config_messages(again, &m), 0);
    CHECK(config_telemetry(again)->sample_rate == 0.125);
    CHECK_STR(config_telemetry(again)->service_name, "a \"b\"\x01");
    const struct net *net = config_section_options(again, "net");
    CHECK(net->timeout_ns == 250000000 && net->mode == 1);
    CHECK_STR(net->token, "canary");
    buf_done(&first);
    buf_done(&second);
    config_free(c);
    config_free(again);
}

TEST(json_tells_keys_choice_and_messages)
{
    static const char wrong[] = "[telemetry]\nenabled = 1\nnope = 2\n";
    struct config *c = load(wrong, sizeof wrong - 1, NULL);
    struct arena arena;
    struct json_value *root;
    struct buf b;
    buf_init(&b);
    arena_init(&arena);
    config_write_json(c, &b);
    REQUIRE(json_read(&arena, buf_cstr(&b), b.size, NULL, &root, &err) == 0);
    CHECK(!json_get_bool(root, "can_start", true) && !json_get_bool(root, "otlp", true));
    CHECK_EQ(json_get(root, "messages")->count, 2);
    CHECK_STR(json_get_string(json_at(json_get(root, "messages"), 0), "severity", ""), "error");
    const struct json_value *first = json_at(json_get(root, "keys"), 0);
    CHECK_STR(json_get_string(first, "key", ""), "telemetry.enabled");
    CHECK_STR(json_get_string(first, "origin", ""), "default");
    arena_done(&arena);
    buf_done(&b);
    config_free(c);
}

TEST(the_schema_has_every_key_but_secrets)
{
    struct arena arena;
    struct json_value *root;
    struct buf b;
    buf_init(&b);
    arena_init(&arena);
    config_write_schema(sections, 1, &b);
    REQUIRE(json_read(&arena, buf_cstr(&b), b.size, NULL, &root, &err) == 0);
    const struct json_value *keys =
        json_get(json_get(json_get(root, "properties"), "telemetry"), "properties");
    for (const struct option_def *d = config_telemetry_options; d->name; d++) {
        const struct json_value *key = json_get(keys, d->name);
        CHECK(d->secret ? key == NULL : key && json_get_string(key, "description", "")[0]);
    }
    CHECK(json_get(json_get(keys, "sample_rate"), "maximum")->number == 1);
    CHECK_EQ(json_get(json_get(keys, "backend"), "anyOf")->count, 2);
    CHECK_STR(json_get_string(json_get(keys, "trace_dir"), "type", ""), "string");
    CHECK_EQ(json_get(json_get(keys, "preset"), "enum")->count, 5);
    const struct json_value *net = json_get(json_get(keys, "net"), "properties");
    CHECK_EQ(net->count, 3);
    CHECK(json_get(net, "token") == NULL);
    CHECK_EQ(json_get(json_get(net, "mode"), "enum")->count, 2);
    arena_done(&arena);
    buf_done(&b);
}

TEST_MAIN()
