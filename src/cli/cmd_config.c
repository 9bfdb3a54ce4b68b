/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel config: what telemetry in a program started here would be told, and
 * where each value comes from; files checked, rewritten, and their schema.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "config/otlp.h"
#include "secret/scrub.h"
#include "session/outlets.h"
#include "session/sending.h"
#include "session/settings.h"
#include "util/num.h"

struct config_options {
    bool json, all, in_place;
    const char *registers;
};

#define AT(member) .offset = offsetof(struct config_options, member)
static const struct option_def options[] = {
    {.name = "all",
     .type = OPTION_BOOL,
     AT(all),
     .letter = 'a',
     .help = "show: keys that have their default too"},
    {.name = "json", .type = OPTION_BOOL, AT(json), .letter = 'j', .help = "show: as JSON"},
    {.name = "in_place",
     .type = OPTION_BOOL,
     AT(in_place),
     .letter = 'i',
     .help = "migrate: rewrite the file instead of printing it"},
    {.name = "registers",
     .type = OPTION_STRING,
     AT(registers),
     .fallback = "",
     .arg = "NAME[,..]",
     .help = "show, check: exporters that the program registers itself, for $OTEL_CONFIG_FILE"},
    OPTION_END,
};

static struct settings_input input_of(const struct cli_call *call)
{
    const struct config_options *o = call->options;
    return (struct settings_input){.size = sizeof(struct settings_input),
                                   .registers = o->registers,
                                   .file = call->arg_count > 1 ? call->args[1] : NULL,
                                   .environment = (const char *const *)environ};
}

/* The messages as notes; how many are errors. */
static size_t say_messages(const struct config *c)
{
    const struct config_message *m;
    size_t n = config_messages(c, &m), errors = 0;
    for (size_t i = 0; i < n; i++) {
        cli_note("%s: %s", m[i].severity == CONFIG_ERROR ? "error" : "warning", m[i].text);
        errors += m[i].severity == CONFIG_ERROR;
    }
    if (config_unregistered(c))
        cli_note("an exporter that the program registers itself is named by --registers");
    return errors;
}

static void put_receiver(const struct config *c, const char *section, struct buf *b)
{
    const struct config_telemetry *t = config_telemetry(c);
    static const char *const what[] = {[CONFIG_TRACES] = "traces", [CONFIG_LOGS] = "logs"};
    const char *const exporters[] = {
        [CONFIG_TRACES] = t->traces_exporter, [CONFIG_LOGS] = t->logs_exporter};
    for (unsigned s = CONFIG_TRACES; s <= CONFIG_LOGS; s++) {
        struct config_otlp_target to;
        struct oriel_err err = {0};
        if (!config_has_item(exporters[s], "otlp") || !sending_lets_out(c, section, s))
            continue;
        int rc = section ? config_otlp_receiver(c, section, s, &to, &err)
                         : config_otlp_target(c, s, &to, &err);
        buf_printf(b, "#   %s to %s\n", what[s], rc == 0 ? to.url : err.text);
    }
}

/* The file alone starts nothing: it is read once somebody asks for telemetry. */
static bool is_asked_for(const struct config *c)
{
    struct config_origin from;
    return config_origin(c, "enabled", &from) && from.layer == CONFIG_VARIABLE;
}

/* What all keys and switches together come to, as remarks of TOML. */
static void put_outcome(const struct config *c, struct buf *b)
{
    const struct config_choice choice = config_choose(c);
    const struct config_telemetry *t = config_telemetry(c);
    if (!config_can_start(c) || !choice.telemetry) {
        buf_printf(b, "# A program started here has no telemetry%s.\n",
                   choice.telemetry ? ": what is wrong stands above"
                                    : "; enabled = true is not said");
        return;
    }
    buf_puts(b, is_asked_for(c) ? "# A program started here has telemetry:\n"
                                : "# A program that calls oriel_start, or is started here with "
                                  "TELEMETRY_ENABLED=true, has telemetry:\n");
    if (choice.local)
        buf_printf(b, "#   files (%s) in %s\n", t->outlets, t->trace_dir);
    if (choice.by.layer != CONFIG_DEFAULT) {
        buf_puts(b, "#   by ");
        config_put_origin(&choice.by, b);
        buf_puts(b, choice.otlp ? ", whatever backend says:\n"
                                : ", neither by OTLP nor on standard output\n");
    }
    if (choice.otlp) {
        if (sending_has_first(c))
            put_receiver(c, NULL, b);
        for (size_t i = 0; config_receiver(c, i); i++)
            put_receiver(c, config_receiver(c, i), b);
    }
    if (choice.console)
        buf_puts(b, "#   lines on its standard output\n");
    if (!choice.local && !choice.otlp && !choice.console)
        buf_puts(b, "#   nowhere to: backend and exporters are none\n");
}

static int show(const struct cli_call *call)
{
    const struct config_options *o = call->options;
    const struct settings_input in = input_of(call);
    struct oriel_err err = {0};
    struct config *c;
    struct buf b;
    if (settings_load(&c, &in, &err) < 0)
        return cli_fail("%s", err.text);
    buf_init(&b);
    const size_t errors = say_messages(c);
    if (o->json) {
        config_write_json(c, &b);
    } else {
        put_outcome(c, &b);
        size_t before = b.size;
        config_write(c, o->all, &b);
        if (b.size == before)
            cli_note("everything has its default; oriel config show --all tells them");
    }
    if (!b.failed) /* attributes of the resource, names with a token in them */
        b.size = scrub_in_place(b.data, b.size, SCRUB_TEXTS);
    int status = cli_print(&b);
    if (status == CLI_OK && errors)
        status = cli_fail("telemetry would not start");
    buf_done(&b);
    config_free(c);
    return status;
}

static void say_warning(const char *line)
{
    cli_note("warning: %s", line);
}

/* What a program finds out when it begins: it is more careful with files than whoever looks at them
 * here, and opens what it is to write to. */
static int check_as_program(struct settings_input in, bool off)
{
    static const struct config_set on = {"enabled", "true"};
    struct oriel_err err = {0};
    struct config *c;
    in.careful = true;
    in.code = &on;
    in.code_count = off ? 0 : 1;
    if (settings_load(&c, &in, &err) < 0)
        return cli_fail("%s; telemetry of this user's programs would not start", err.text);
    int rc = outlets_check(c, say_warning, &err);
    config_free(c);
    return rc < 0 ? cli_fail("%s; telemetry would not start", err.text[0] ? err.text : err_text(rc))
                  : CLI_OK;
}

/* Whoever said that there is to be no telemetry is not told what it would lack. */
static bool is_off(const struct config *c)
{
    struct config_origin from;
    return config_origin(c, "enabled", &from) && from.layer != CONFIG_DEFAULT &&
           !config_telemetry(c)->enabled;
}

static int check(const struct cli_call *call)
{
    const struct settings_input in = input_of(call);
    struct oriel_err err = {0};
    struct config *c;
    if (settings_load(&c, &in, &err) < 0)
        return cli_fail("%s", err.text);
    const char *path = settings_file(&in), *declarative = getenv(CONFIG_DECLARATIVE_VARIABLE);
    size_t errors = say_messages(c);
    const bool off = is_off(c);
    config_free(c);
    if (errors)
        return cli_fail("telemetry would not start");
    int status = check_as_program(in, off);
    if (status == CLI_OK)
        cli_note("%s: can start", path                          ? path
                                  : declarative && *declarative ? declarative
                                                                : "no file");
    return status;
}

/* Beside the file and then in its place, with its mode: whole or not at all. */
static int replace(const char *path, struct buf *b)
{
    char beside[4200];
    struct stat st;
    struct oriel_err err = {0};
    struct out *out;
    if ((size_t)snprintf(beside, sizeof beside, "%s.new", path) >= sizeof beside)
        return cli_fail("%.100s...: the name is too long", path);
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return cli_fail("%s: is rewritten only where it is a regular file, not a link", path);
    int rc = out_file_open(&out, beside, false, &err);
    if (rc < 0)
        return cli_fail("%s", err.text);
    rc = out_write_buf(out, b);
    if (rc == 0)
        rc = out_sync(out);
    out_close(out);
    if (rc < 0 || chmod(beside, st.st_mode & 07777) != 0 || rename(beside, path) != 0) {
        (void)unlink(beside);
        return cli_fail("%s: %s; it is as it was", path,
                        rc < 0 ? err_text(rc) : "cannot be replaced");
    }
    return CLI_OK;
}

static int print_or_replace(const struct cli_call *call, const char *path, struct buf *b,
                            unsigned changes)
{
    const struct config_options *o = call->options;
    if (!o->in_place && changes == 0)
        cli_note("%s: nothing to migrate", path);
    if (!o->in_place)
        return cli_print(b);
    if (changes == 0) {
        cli_note("%s: nothing to rewrite", path);
        return CLI_OK;
    }
    int status = replace(path, b);
    if (status == CLI_OK)
        cli_note("%s: %u %s rewritten", path, changes, num_noun(changes, "line", "lines"));
    return status;
}

static int migrate(const struct cli_call *call)
{
    const struct settings_input in = input_of(call);
    const char *path = settings_file(&in);
    struct oriel_err err = {0};
    struct buf text, b;
    unsigned changes = 0;
    if (!path)
        return cli_fail("there is no " CONFIG_FILE_NAME " here; name the file to migrate");
    buf_init(&text);
    buf_init(&b);
    int rc = config_read_file(path, false, &text, &err);
    if (rc == 0)
        rc = config_migrate(path, buf_cstr(&text), text.size, &b, &changes, &err);
    int status = rc < 0 ? cli_fail("%s", err.text) : print_or_replace(call, path, &b, changes);
    buf_done(&text);
    buf_done(&b);
    return status;
}

static int schema(const struct cli_call *call)
{
    struct config_section sections[SETTINGS_SECTIONS_MAX];
    struct buf b;
    if (call->arg_count > 1)
        return cli_usage("config schema takes no file");
    buf_init(&b);
    config_write_schema(sections, settings_sections(sections), &b);
    int status = cli_print(&b);
    buf_done(&b);
    return status;
}

static int run(const struct cli_call *call)
{
    static const struct {
        const char *name;
        int (*run)(const struct cli_call *call);
    } verbs[] = {{"show", show}, {"check", check}, {"migrate", migrate}, {"schema", schema}};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(call->args[0], verbs[i].name) == 0)
            return verbs[i].run(call);
    return cli_usage("config \"%s\": there are show, check, migrate and schema", call->args[0]);
}

const struct cli_command cli_command_config = {
    .name = "config",
    .summary = "show, check or rewrite the configuration of telemetry in programs",
    .args = "show|check|migrate|schema [FILE]",
    .description =
        "show tells each effective value and where it came from, with secrets masked: defaults, "
        "preset, file, environment, each above the one before; it exits 1 where they have errors. "
        "check says what is wrong and exits 1 if telemetry would not start. migrate rewrites the "
        "sections [observability] and "
        "[debug.traces] as [telemetry] and keeps comments, order and layout. schema prints a JSON "
        "Schema for editors. FILE is $ORIEL_CONFIG or oriel.toml in this directory.",
    .examples = "oriel config show --all\noriel config check\noriel config migrate --in-place",
    .options = options,
    .options_size = sizeof(struct config_options),
    .min_args = 1,
    .max_args = 2,
    .run = run,
};
