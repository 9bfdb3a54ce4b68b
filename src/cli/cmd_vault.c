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

static void put_json(struct buf *b, const char *provider, const char *key,
                     const struct vault_headers *h)
{
    struct json j;
    json_init(&j, b);
    json_object(&j);
    json_key(&j, "provider");
    json_string(&j, provider);
    json_key(&j, "key");
    json_string(&j, key);
    json_key(&j, "headers");
    json_array(&j);
    for (size_t i = 0; i < h->count; i++)
        json_string(&j, h->items[i].name);
    json_array_end(&j);
    json_object_end(&j);
    buf_putc(b, '\n');
}

static int tell(const struct config *c, const struct vault_headers *h, bool as_json)
{
    struct buf b;
    const char *provider = vault_provider_name(config_section_options(c, "vault"));
    const char *key = session_headers_key(c);
    buf_init(&b);
    if (as_json)
        put_json(&b, provider, key, h);
    else
        buf_printf(&b, "vault %s, key %s: %zu header%s\n", provider, key, h->count,
                   h->count == 1 ? "" : "s");
    for (size_t i = 0; i < h->count && !as_json; i++)
        buf_printf(&b, "  %s: ***\n", h->items[i].name);
    int status = cli_print(&b);
    buf_done(&b);
    return status;
}

static int ask(const struct config *c, const struct vault_check_options *o)
{
    struct vault_headers h;
    struct oriel_err err = {0};
    const struct headers_ask how = {.environment = (const char *const *)environ,
                                    .deadline_ns = clock_mono_ns() + o->timeout_ns};
    int rc = session_headers(c, &how, &h, &err);
    if (rc != 0)
        return cli_fail("%s", err.text);
    if (err.text[0])
        cli_note("%s", err.text);
    int status = tell(c, &h, o->json);
    vault_headers_done(&h);
    return status;
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
    int status = session_wants_headers(c)
                     ? ask(c, call->options)
                     : cli_fail("no vault is configured; [telemetry.vault] provider says which");
    config_free(c);
    return status;
}

const struct cli_command cli_command_vault = {
    .name = "vault",
    .summary = "ask the vault that is configured for the headers to send",
    .args = "check [FILE]",
    .description =
        "Asks the provider of [telemetry.vault] for otlp_headers_vault_key, as a program started "
        "here would, and lists the names of the headers that come out. Values are never shown. "
        "FILE is the configuration: $ORIEL_CONFIG or ./oriel.toml unless it is named.",
    .examples = "oriel vault check    # does the vault answer, and with which headers?\n",
    .options = options,
    .options_size = sizeof(struct vault_check_options),
    .min_args = 1,
    .max_args = 2,
    .run = run,
};
