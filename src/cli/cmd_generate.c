/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel generate: manual pages and completions, for `make install` and for
 * packagers. Hidden: nobody needs it every day.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "util/out.h"

struct generate_options {
    const char *output;
};

static const struct option_def options[] = {
    {.name = "output",
     .type = OPTION_STRING,
     .offset = offsetof(struct generate_options, output),
     .help = "directory to write files into; without it, standard output",
     .letter = 'o',
     .arg = "DIR"},
    OPTION_END,
};

static int to_file(const char *dir, const char *name, struct buf *b)
{
    char path[512];
    struct out *out;
    struct oriel_err err = {0};
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return cli_fail("%s: the path is too long", dir);
    int rc = out_file_open(&out, path, false, &err);
    if (rc < 0)
        return cli_fail("%s", err.text);
    rc = out_write_buf(out, b);
    out_close(out);
    return rc < 0 ? cli_fail("%s: %s", path, err_text(rc)) : CLI_OK;
}

static int emit(const struct generate_options *o, const char *name, struct buf *b)
{
    int status = o->output && o->output[0] ? to_file(o->output, name, b) : cli_print(b);
    buf_clear(b);
    return status;
}

static int man_pages(const struct generate_options *o, struct buf *b)
{
    generate_man(b, NULL);
    int status = emit(o, "oriel.1", b);
    for (size_t i = 0; cli_commands[i] && status == CLI_OK; i++) {
        char name[64];
        if (cli_commands[i]->hidden)
            continue;
        snprintf(name, sizeof name, "oriel-%s.1", cli_commands[i]->name);
        generate_man(b, cli_commands[i]);
        status = emit(o, name, b);
    }
    return status;
}

static int run(const struct cli_call *call)
{
    const struct generate_options *o = call->options;
    static const struct {
        const char *name, *file;
        void (*make)(struct buf *b);
    } shells[] = {{"bash", "oriel.bash", generate_bash},
                  {"zsh", "_oriel", generate_zsh},
                  {"fish", "oriel.fish", generate_fish},
                  {"config", "CONFIG.md", generate_config}};
    struct buf b;
    buf_init(&b);
    int status = -1;
    if (strcmp(call->args[0], "man") == 0)
        status = man_pages(o, &b);
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++)
        if (strcmp(call->args[0], shells[i].name) == 0) {
            shells[i].make(&b);
            status = emit(o, shells[i].file, &b);
        }
    buf_done(&b);
    return status >= 0
               ? status
               : cli_usage("generate: \"%s\" is not man, bash, zsh, fish or config", call->args[0]);
}

const struct cli_command cli_command_generate = {
    .name = "generate",
    .summary = "write manual pages, shell completions or the page of all options",
    .args = "man|bash|zsh|fish|config",
    .options = options,
    .options_size = sizeof(struct generate_options),
    .min_args = 1,
    .max_args = 1,
    .hidden = true,
    .run = run,
};
