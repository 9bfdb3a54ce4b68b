/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel vault: asks the vault that the configuration names, as a program started
 * here would, and tells which headers come out. Their values are never shown.
 */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "session/headers.h"
#include "session/sending.h"
#include "session/settings.h"
#include "util/json.h"

struct vault_check_options {
    bool json;
    uint64_t timeout_ns;
};

#define AT(member) .offset = offsetof(struct vault_check_options, member)
static const struct option_def options[] = {
    {.name = "json", .type = OPTION_BOOL, AT(json), .letter = 'j', .help = "as JSON"},
    {.name = "timeout",
     .type = OPTION_DURATION,
     AT(timeout_ns),
     .fallback = "10s",
     .min = 1e6,
     .max = 3.6e12,
     .help = "longest time to wait for the vault"},
    OPTION_END,
};

/* ---- the keys that are named, and by whom ---- */

/* A receiver is "otlp_endpoint", the usual one, or its section. Two may share a key. */
struct named {
    const char *key, *receiver;
};
struct asked {
    const struct config *config;
    struct named rows[1 + CONFIG_RECEIVERS_MAX];
    size_t count;
};

static void find_keys(struct asked *a, const struct config *c)
{
    const char *section;
    *a = (struct asked){.config = c};
    if (sending_has_first(c) && session_wants_headers(c))
        a->rows[a->count++] = (struct named){session_headers_key(c), "otlp_endpoint"};
    for (size_t i = 0; i < CONFIG_RECEIVERS_MAX && (section = config_receiver(c, i)); i++) {
        const char *key = session_headers_key_of(c, section);
        if (key[0])
            a->rows[a->count++] = (struct named){key, section};
    }
}

/* Whether an earlier receiver has the key of this one. */
static bool is_again(const struct asked *a, size_t row)
{
    for (size_t i = 0; i < row; i++)
        if (strcmp(a->rows[i].key, a->rows[row].key) == 0)
            return true;
    return false;
}

/* ---- what came out ---- */

/* One object a line. */
static void put_json(struct buf *b, const struct asked *a, size_t row, const char *provider,
                     const struct vault_headers *h)
{
    struct json j;
    json_init(&j, b);
    json_object(&j);
    json_key(&j, "provider");
    json_string(&j, provider);
    json_key(&j, "key");
    json_string(&j, a->rows[row].key);
    json_key(&j, "receivers");
    json_array(&j);
    for (size_t i = row; i < a->count; i++)
        if (strcmp(a->rows[i].key, a->rows[row].key) == 0)
            json_string(&j, a->rows[i].receiver);
    json_array_end(&j);
    json_key(&j, "headers");
    json_array(&j);
    for (size_t i = 0; i < h->count; i++)
        json_string(&j, h->items[i].name);
    json_array_end(&j);
    json_object_end(&j);
    buf_putc(b, '\n');
}

static void put_lines(struct buf *b, const struct asked *a, size_t row, const char *provider,
                      const struct vault_headers *h, int rc)
{
    const char *between = " of ";
    buf_printf(b, "vault %s, key %s", provider[0] ? provider : "(none)", a->rows[row].key);
    for (size_t i = row; i < a->count; i++) {
        if (strcmp(a->rows[i].key, a->rows[row].key) != 0)
            continue;
        buf_printf(b, "%s%s", between, a->rows[i].receiver);
        between = ", ";
    }
    if (rc != 0 || h->count == 0)
        buf_printf(b, ": %s\n",
                   rc == 0                 ? "not found, and not required"
                   : rc == ORIEL_ENOTFOUND ? "not found"
                                           : "not known");
    else
        buf_printf(b, ": found, %zu header%s\n", h->count, h->count == 1 ? "" : "s");
    for (size_t i = 0; i < h->count; i++)
        buf_printf(b, "  %s: ***\n", h->items[i].name);
}

/* What is wrong is said at once, on the other stream. 0, or the status of a failure. */
static int ask_one(const struct asked *a, size_t row, uint64_t timeout_ns, bool as_json,
                   struct buf *b)
{
    const char *provider = vault_provider_name(config_section_options(a->config, "vault"));
    struct vault_headers h = {0};
    struct oriel_err err = {0};
    const struct headers_ask how = {.environment = (const char *const *)environ,
                                    .deadline_ns = clock_mono_ns() + timeout_ns};
    const int rc = session_headers_of(a->config, a->rows[row].key, &how, &h, &err);
    if (as_json)
        put_json(b, a, row, provider, &h);
    else
        put_lines(b, a, row, provider, &h, rc);
    vault_headers_done(&h);
    if (rc != 0)
        return cli_fail("%s", err.text);
    if (err.text[0])
        cli_note("%s", err.text);
    return 0;
}

static int ask(const struct asked *a, const struct vault_check_options *o)
{
    struct buf b;
    int status = 0;
    buf_init(&b);
    for (size_t i = 0; i < a->count; i++) {
        const int one = is_again(a, i) ? 0 : ask_one(a, i, o->timeout_ns, o->json, &b);
        status = status ? status : one;
    }
    const int printed = cli_print(&b);
    buf_done(&b);
    return status ? status : printed;
}

static int nothing_to_ask(const struct config *c)
{
    return session_wants_headers(c)
               ? cli_fail("no receiver of this configuration asks the vault; headers_vault_key "
                          "of [telemetry.otlp.NAME] names its key")
               : cli_fail("no vault is configured; [telemetry.vault] provider says which");
}

static int run(const struct cli_call *call)
{
    const struct settings_input in = {.size = sizeof in,
                                      .in_part = true,
                                      .file = call->arg_count > 1 ? call->args[1] : NULL,
                                      .environment = (const char *const *)environ};
    struct oriel_err err = {0};
    struct config *c;
    if (strcmp(call->args[0], "check") != 0)
        return cli_usage("vault %s: there is only \"oriel vault check\"", call->args[0]);
    if (settings_load(&c, &in, &err) < 0)
        return cli_fail("%s", err.text);
    const struct config_message *m;
    for (size_t i = 0, n = config_messages(c, &m); i < n; i++)
        cli_note("%s: %s", m[i].severity == CONFIG_ERROR ? "error" : "warning", m[i].text);
    struct asked a;
    find_keys(&a, c);
    int status = a.count ? ask(&a, call->options) : nothing_to_ask(c);
    config_free(c);
    return status;
}

const struct cli_command cli_command_vault = {
    .name = "vault",
    .summary = "ask the vault that is configured for the headers to send",
    .args = "check [FILE]",
    .description =
        "Asks the provider of [telemetry.vault] for each key that a receiver names "
        "(otlp_headers_vault_key, headers_vault_key of [telemetry.otlp.NAME]), as a program "
        "started here would, and lists the names of the headers that come out. Values are never "
        "shown. Status 1 where a key is missing, unless otlp_headers_required = false. "
        "FILE is the configuration: $ORIEL_CONFIG or ./oriel.toml unless it is named.",
    .examples = "oriel vault check    # does the vault answer, and with which headers?\n",
    .options = options,
    .options_size = sizeof(struct vault_check_options),
    .min_args = 1,
    .max_args = 2,
    .run = run,
};
