/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * docs/CONFIG.md: every option of every command and outlet, out of the tables
 * that parse them, and the environment variables the library reads.
 */
#include <string.h>

#include "cli/cli.h"
#include "config/config.h"
#include "config/otlp.h"
#include "export/exporter.h"
#include "source/metrics_options.h"
#include "vault/vault.h"

struct variable {
    const char *name, *fallback, *meaning;
};

/* What src/rec/process.c and src/session/inprocess.c read. */
static const struct variable variables[] = {
    {"ORIEL_RING", "", "ring to record into; set by `oriel record` for its children"},
    {"ORIEL_ENABLED", "false", "`1` or `true`: export in this process, with liboriel"},
    {"TELEMETRY_ENABLED", "false", "the same"},
    {CONFIG_FILE_VARIABLE, "./" CONFIG_FILE_NAME, "file to read the table `[telemetry]` from"},
    {CONFIG_DECLARATIVE_VARIABLE, "",
     "OpenTelemetry's declarative file, read instead of all variables but the switch"},
    {"ORIEL_PRESET", "", "preset below file and environment, e.g. `development`"},
    {"ORIEL_CRASH", "",
     "`1` or `0`: note the signals of a crash, or leave them alone, whatever the recorder says"},
    {METRICS_INTERVAL_VARIABLE, METRICS_INTERVAL_DEFAULT,
     "how often the system's numbers are noted (memory, CPU time, threads, descriptors, faults, "
     "I/O); at least 1 s, 0 = never; `oriel record` and `oriel attach` read it too"},
    {CONFIG_REDACTION_VARIABLE, "all",
     "`known`: only secrets that are marked or known are taken out, none by name or shape; the "
     "command reads it too"},
    {"OTEL_SERVICE_NAME", "unknown_service:<executable>",
     "who this process is, for profilers outside"},
    {"NO_COLOR, CLICOLOR_FORCE", "", "the usual conventions, for the command"},
    {"XDG_RUNTIME_DIR", "/dev/shm/oriel-<uid>",
     "where rings are kept, if it is a tmpfs of this user"},
};

/* What says the same in the environment of an observed program; `section` NULL: nothing does. */
static void put_variable(struct buf *b, const char *section, const struct option_def *d)
{
    char by_rule[CONFIG_RULE_BYTES] = "";
    if (section && !d->variable)
        config_rule_variable(section, d, by_rule, sizeof by_rule);
    if (section && d->variable)
        buf_printf(b, "`%s`", d->variable);
    else if (by_rule[0])
        buf_printf(b, "`%s`", by_rule);
}

static void row(struct buf *b, const struct option_def *d, const char *section)
{
    char flag[64], arg[96];
    cli_option_flag(d, flag, sizeof flag);
    cli_option_arg(d, arg, sizeof arg);
    buf_printf(b, "| `%s%s%s` | ", flag, arg[0] ? " " : "", arg);
    if (section) {
        put_variable(b, section, d);
        buf_puts(b, " | ");
    }
    if (d->fallback && d->fallback[0])
        buf_printf(b, "`%s`", d->fallback);
    buf_puts(b, " | ");
    for (const char *p = d->help ? d->help : ""; *p; p++) {
        if (*p == '|')
            buf_putc(b, '\\');
        buf_putc(b, *p);
    }
    if (d->variable && !section)
        buf_printf(b, " (default: `$%s`, else this)", d->variable);
    buf_puts(b, " |\n");
}

/* Of a command, or of an outlet with a section of that name. */
static void rows(struct buf *b, const struct option_def *defs, const char *section)
{
    if (!defs || !defs->name) {
        buf_puts(b, "No options.\n");
        return;
    }
    buf_puts(b, section ? "| option | variable | default | meaning |\n|---|---|---|---|\n"
                        : "| option | default | meaning |\n|---|---|---|\n");
    for (; defs->name; defs++)
        row(b, defs, section);
}

static void key_rows(struct buf *b, const char *section, const struct option_def *d)
{
    buf_puts(b, "| key | variable | default | meaning |\n|---|---|---|---|\n");
    for (; d->name; d++) {
        buf_printf(b, "| `%s` | ", d->name);
        if (strcmp(d->name, "system_metrics_interval_secs") == 0)
            buf_puts(b, "`" METRICS_INTERVAL_VARIABLE "`");
        else
            put_variable(b, section, d);
        buf_puts(b, " | ");
        if (d->fallback && d->fallback[0])
            buf_printf(b, "`%s`", d->fallback);
        buf_printf(b, " | %s |\n", d->help);
    }
}

/* Keys of the file; what the outlets take stands with them below. */
static void file_keys(struct buf *b)
{
    buf_puts(b,
             "\n## Table [telemetry] of " CONFIG_FILE_NAME
             "\n\nAn outlet's options stand in a table of its own, e.g. `[telemetry.chrome]`; "
             "[CONFIGURATION.md](CONFIGURATION.md) tells who wins, and which of these have no "
             "effect yet.\n\nA key in a table of its own can be said as a variable too, "
             "`ORIEL_<TABLE>_<KEY>`: `ORIEL_SAMPLING_KEEP_ERRORS`, `ORIEL_OTLP_SPOOL_DIR`. It "
             "stands above the standard's variable for the same. A name below `ORIEL_OTLP_` or "
             "`ORIEL_SAMPLING_` that no key has is a warning with the nearest. Keys of "
             "`[telemetry.vault]`, which may name a command, and of `[telemetry.otlp.NAME]` have "
             "no such variables.\n\n");
    key_rows(b, "", config_telemetry_options);
    buf_puts(b, "\n### [telemetry.batch]\n\n");
    key_rows(b, "batch", config_batch_options);
    buf_puts(b, "\n### [telemetry.limits]\n\n");
    key_rows(b, "limits", config_limit_options);
    buf_puts(b, "\n### [telemetry.sampling]\n\n[SAMPLING.md](SAMPLING.md) tells how it works.\n\n");
    key_rows(b, "sampling", config_sampling_options);
    buf_puts(b, "\n### [telemetry.otlp_traces]\n\nWhat spans are told else than all signals.\n\n");
    key_rows(b, "otlp_traces", config_otlp_traces_options);
    buf_puts(b, "\n### [telemetry.otlp_logs]\n\nWhat events are told else than all signals.\n\n");
    key_rows(b, "otlp_logs", config_otlp_logs_options);
    buf_puts(b, "\n### [telemetry.vault]\n\nWho knows the headers that authorise an export: "
                "[VAULT.md](VAULT.md).\n\n");
    key_rows(b, "vault", vault_option_table());
}

/* ---- OpenTelemetry's variables ---- */

static void variable_row(struct buf *b, const char *variable, const char *section,
                         const struct option_def *d)
{
    buf_printf(b, "| `%s` | `%s%s%s` | %s%s%s |\n", variable, section, section[0] ? "." : "",
               d->name, d->fallback && d->fallback[0] ? "`" : "", d->fallback ? d->fallback : "",
               d->fallback && d->fallback[0] ? "`" : "");
}

static void variable_rows(struct buf *b, const char *section, const struct option_def *d)
{
    const char *key;
    for (; d->name; d++) {
        if (d->variable && strncmp(d->variable, "OTEL_", 5) == 0)
            variable_row(b, d->variable, section, d);
        for (size_t i = 0; !section[0] && config_other_variable(i, &key); i++) {
            const char *name = config_other_variable(i, &key);
            if (strcmp(key, d->name) == 0 && strncmp(name, "OTEL_", 5) == 0)
                variable_row(b, name, section, d);
        }
    }
}

static void standard_variables(struct buf *b)
{
    buf_puts(b, "\n## Variables of OpenTelemetry\n\nThe key says the same in the file, below "
                "`[telemetry]`, and in a program. The defaults of `batch.*_timeout_ms` and "
                "`batch.*_queue` hold where one of the two is said; else a request is tried for "
                "5m, and only `queue_bytes` limits what waits.\n\n| variable | key | default "
                "|\n|---|---|---|\n"
                "| `OTEL_SDK_DISABLED` | `enabled` (the other way round) | `false` |\n"
                "| `OTEL_SDK_ENABLED` | `backend` | |\n");
    variable_rows(b, "", config_telemetry_options);
    variable_rows(b, "batch", config_batch_options);
    variable_rows(b, "limits", config_limit_options);
    variable_rows(b, "sampling", config_sampling_options);
    variable_rows(b, "otlp_traces", config_otlp_traces_options);
    variable_rows(b, "otlp_logs", config_otlp_logs_options);
}

void generate_config(struct buf *b)
{
    buf_puts(
        b, "# Configuration\n\nMade by `oriel generate config` out of the option tables; a test "
           "compares the two.\n\n## Environment of an observed program\n\nA set-uid program reads "
           "none of it.\n\n| variable | default | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        buf_printf(b, "| `%s` | %s%s%s | %s |\n", variables[i].name,
                   variables[i].fallback[0] ? "`" : "", variables[i].fallback,
                   variables[i].fallback[0] ? "`" : "", variables[i].meaning);
    standard_variables(b);
    file_keys(b);
    for (size_t i = 0; cli_commands[i]; i++) {
        if (cli_commands[i]->hidden)
            continue;
        buf_printf(b, "\n## oriel %s\n\n%s.\n\n", cli_commands[i]->name, cli_commands[i]->summary);
        rows(b, cli_commands[i]->options, NULL);
    }
    for (size_t i = 0; export_registry[i]; i++) {
        buf_printf(b, "\n## Outlet %s\n\n%s. Files end in `%s`.\n\n", export_registry[i]->name,
                   export_registry[i]->help, export_registry[i]->suffix);
        rows(b, export_registry[i]->options, export_registry[i]->name);
    }
}
