/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Help texts, rendered from the option tables: what is accepted is what is
 * shown. Plain text, at most 79 columns.
 */
#include "cli/cli.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "util/option_help.h"

#define HELP_WIDTH 79u

void cli_option_flag(const struct option_def *d, char *out, size_t n)
{
    int size = snprintf(out, n, "--%s", d->name);
    assert(size > 2);
    for (int i = 2; i < size && (size_t)i < n; i++)
        if (out[i] == '_')
            out[i] = '-';
}

void cli_option_arg(const struct option_def *d, char *out, size_t n)
{
    struct buf b;
    buf_init(&b);
    option_help_arg(d, &b);
    snprintf(out, n, "%s", buf_cstr(&b));
    buf_done(&b);
}

static void paragraph(struct buf *b, const char *text)
{
    option_help_wrap(b, text, 0, 0, HELP_WIDTH);
    buf_putc(b, '\n');
}

static void options_block(struct buf *b, const char *title, const struct option_def *defs)
{
    if (!defs || !defs->name)
        return;
    buf_putc(b, '\n');
    paragraph(b, title);
    option_help(defs, HELP_WIDTH, b);
}

static void examples_block(struct buf *b, const char *examples)
{
    buf_puts(b, "\nExamples:\n");
    for (const char *p = examples; *p;) {
        size_t n = strcspn(p, "\n");
        buf_puts(b, "  ");
        buf_put(b, p, n);
        buf_putc(b, '\n');
        p += n + (p[n] == '\n');
    }
}

void cli_help_command(struct buf *b, const struct cli_command *c)
{
    bool options = c->options && c->options->name;
    buf_printf(b, "oriel %s%s%s%s\n", c->name, options ? " [options]" : "", c->args[0] ? " " : "",
               c->args);
    paragraph(b, c->summary);
    if (c->description) {
        buf_putc(b, '\n');
        paragraph(b, c->description);
    }
    options_block(b, "Options:", c->options);
    if (c->outlet)
        for (size_t i = 0; export_registry[i]; i++) {
            char title[256];
            snprintf(title, sizeof title, "With --to %s: %s", export_registry[i]->name,
                     export_registry[i]->help);
            options_block(b, title, export_registry[i]->options);
        }
    if (c->examples)
        examples_block(b, c->examples);
}

void cli_help(struct buf *b)
{
    buf_puts(b, "oriel COMMAND [options] [arguments]: observability for native programs\n\n");
    for (size_t i = 0; cli_commands[i]; i++)
        if (!cli_commands[i]->hidden)
            buf_printf(b, "  %-10s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    buf_puts(b, "\noriel COMMAND --help tells the options of a command.\n"
                "Start with: oriel record -- PROGRAM, then: oriel report\n");
}

/* The nearest name by the same measure as for options. */
const struct cli_command *cli_command_nearest(const char *name)
{
    struct option_def names[33] = {0};
    size_t n = 0;
    for (size_t i = 0; cli_commands[i] && n + 1 < sizeof names / sizeof names[0]; i++)
        if (!cli_commands[i]->hidden)
            names[n++].name = cli_commands[i]->name;
    const struct option_def *near = option_nearest(names, name);
    return near ? cli_command_find(near->name) : NULL;
}
