/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Manual pages and shell completions, made from the command tables. Pure:
 * tables in, text out.
 */
#include "cli/cli.h"

#include <string.h>

typedef void visit(struct buf *b, const struct option_def *d, const struct cli_command *c);

/* Every option a command takes, those of all outlets included. */
static void each_option(struct buf *b, const struct cli_command *c, visit *fn)
{
    for (const struct option_def *d = c->options; d && d->name; d++)
        fn(b, d, c);
    for (size_t i = 0; c->outlet && export_registry[i]; i++)
        for (const struct option_def *d = export_registry[i]->options; d && d->name; d++)
            fn(b, d, c);
}

/* ---- man ---- */

static void roff(struct buf *b, const char *text)
{
    bool line_start = true;
    for (const char *p = text; *p; p++) {
        if (line_start && (*p == '.' || *p == '\''))
            buf_puts(b, "\\&");
        if (*p == '\\')
            buf_puts(b, "\\e");
        else if (*p == '-')
            buf_puts(b, "\\-");
        else
            buf_putc(b, *p);
        line_start = *p == '\n';
    }
}

static void man_option(struct buf *b, const struct option_def *d, const struct cli_command *c)
{
    char flag[80], arg[160];
    cli_option_flag(d, flag, sizeof flag);
    cli_option_arg(d, arg, sizeof arg);
    buf_puts(b, ".TP\n");
    if (d->letter)
        buf_printf(b, "\\fB\\-%c\\fR, ", d->letter);
    buf_puts(b, "\\fB");
    roff(b, flag);
    buf_puts(b, "\\fR");
    if (arg[0]) {
        buf_puts(b, " \\fI");
        roff(b, arg);
        buf_puts(b, "\\fR");
    }
    buf_putc(b, '\n');
    roff(b, d->help ? d->help : "");
    buf_puts(b, ".\n");
    if (d->fallback && d->fallback[0]) {
        buf_puts(b, "Default: ");
        roff(b, d->fallback);
        buf_puts(b, ".\n");
    }
}

static void man_options(struct buf *b, const struct cli_command *c)
{
    if (c->options && c->options->name) {
        buf_puts(b, ".SH OPTIONS\n");
        for (const struct option_def *d = c->options; d->name; d++)
            man_option(b, d, c);
    }
    for (size_t i = 0; c->outlet && export_registry[i]; i++) {
        buf_printf(b, ".SS With \\-\\-to %s\n", export_registry[i]->name);
        roff(b, export_registry[i]->help);
        buf_puts(b, ".\n");
        for (const struct option_def *d = export_registry[i]->options; d && d->name; d++)
            man_option(b, d, c);
    }
}

static void man_examples(struct buf *b, const char *examples)
{
    buf_puts(b, ".SH EXAMPLES\n.nf\n");
    roff(b, examples);
    buf_puts(b, "\n.fi\n");
}

static void man_top(struct buf *b)
{
    buf_puts(b,
             ".TH ORIEL 1 \"\" \"oriel " ORIEL_VERSION_TEXT "\" \"Oriel Manual\"\n"
             ".SH NAME\noriel \\- observability for native programs\n"
             ".SH SYNOPSIS\n\\fBoriel\\fR \\fICOMMAND\\fR [\\fIoptions\\fR] [\\fIarguments\\fR]\n"
             ".SH COMMANDS\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        if (cli_commands[i]->hidden)
            continue;
        buf_printf(b, ".TP\n\\fBoriel\\-%s\\fR(1)\n", cli_commands[i]->name);
        roff(b, cli_commands[i]->summary);
        buf_puts(b, ".\n");
    }
    buf_puts(b, ".SH EXIT STATUS\n0 on success, 1 on failure, 2 when the command line is wrong; "
                "\\fBoriel record\\fR passes on what its program returns.\n");
}

void generate_man(struct buf *b, const struct cli_command *c)
{
    if (!c) {
        man_top(b);
        return;
    }
    buf_printf(b, ".TH ORIEL\\-%s 1 \"\" \"oriel " ORIEL_VERSION_TEXT "\" \"Oriel Manual\"\n",
               c->name);
    buf_printf(b, ".SH NAME\noriel\\-%s \\- ", c->name);
    roff(b, c->summary);
    buf_printf(b, "\n.SH SYNOPSIS\n\\fBoriel %s\\fR [\\fIoptions\\fR] ", c->name);
    roff(b, c->args);
    buf_putc(b, '\n');
    if (c->description) {
        buf_puts(b, ".SH DESCRIPTION\n");
        roff(b, c->description);
        buf_putc(b, '\n');
    }
    man_options(b, c);
    if (c->examples)
        man_examples(b, c->examples);
    buf_puts(b, ".SH SEE ALSO\n\\fBoriel\\fR(1)\n");
}

/* ---- completions ---- */

static void word_flag(struct buf *b, const struct option_def *d, const struct cli_command *c)
{
    char flag[80];
    cli_option_flag(d, flag, sizeof flag);
    buf_printf(b, "%s ", flag);
}

static void command_words(struct buf *b)
{
    for (size_t i = 0; cli_commands[i]; i++)
        if (!cli_commands[i]->hidden)
            buf_printf(b, "%s ", cli_commands[i]->name);
}

static void outlet_words(struct buf *b)
{
    for (size_t i = 0; export_registry[i]; i++)
        buf_printf(b, "%s ", export_registry[i]->name);
}

static void bash_choices(struct buf *b, const struct option_def *d, const struct cli_command *c)
{
    if (d->type != OPTION_ENUM || !d->choices)
        return;
    char flag[80];
    cli_option_flag(d, flag, sizeof flag);
    buf_printf(b, "    %s:%s) words=\"", c->name, flag);
    for (size_t i = 0; d->choices[i]; i++)
        buf_printf(b, "%s ", d->choices[i]);
    buf_puts(b, "\" ;;\n");
}

void generate_bash(struct buf *b)
{
    buf_puts(b, "# bash completion of oriel, made by: oriel generate bash\n"
                "_oriel() {\n"
                "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words= i\n"
                "  local cmd=${COMP_WORDS[1]}\n"
                "  if ((COMP_CWORD == 1)); then\n"
                "    COMPREPLY=($(compgen -W \"");
    command_words(b);
    buf_puts(b, "help --help --version\" -- \"$cur\"))\n    return\n  fi\n"
                "  for ((i = 2; i < COMP_CWORD; i++)); do\n"
                "    if [[ ${COMP_WORDS[i]} == -- ]]; then\n"
                "      declare -F _command_offset >/dev/null && _command_offset $((i + 1))\n"
                "      return\n    fi\n  done\n"
                "  case $cmd:$prev in\n    *:--to) words=\"");
    outlet_words(b);
    buf_puts(b, "\" ;;\n");
    for (size_t i = 0; cli_commands[i]; i++)
        each_option(b, cli_commands[i], bash_choices);
    buf_puts(b, "  esac\n  if [[ -z $words && $cur == -* ]]; then\n    case $cmd in\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        if (cli_commands[i]->hidden)
            continue;
        buf_printf(b, "    %s) words=\"", cli_commands[i]->name);
        each_option(b, cli_commands[i], word_flag);
        buf_puts(b, "--help\" ;;\n");
    }
    buf_puts(b, "    esac\n  fi\n"
                "  if [[ -n $words ]]; then\n"
                "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                "  else\n    COMPREPLY=($(compgen -f -- \"$cur\"))\n  fi\n}\n"
                "complete -o filenames -F _oriel oriel\n");
}

/* Text inside single quotes and brackets of zsh, or single quotes of fish. */
static void quoted(struct buf *b, const char *text, const char *escape)
{
    for (const char *p = text ? text : ""; *p; p++) {
        if (*p == '\'') {
            buf_puts(b, "'\\''");
            continue;
        }
        if (strchr(escape, *p))
            buf_putc(b, '\\');
        buf_putc(b, *p);
    }
}

static void zsh_option(struct buf *b, const struct option_def *d, const struct cli_command *c)
{
    char flag[80], arg[160];
    cli_option_flag(d, flag, sizeof flag);
    cli_option_arg(d, arg, sizeof arg);
    buf_printf(b, "      '%s%s[", flag, arg[0] ? "=" : "");
    quoted(b, d->help, "[]:\\");
    buf_putc(b, ']');
    if (strcmp(d->name, "to") == 0) {
        buf_puts(b, ":outlet:(");
        outlet_words(b);
        buf_putc(b, ')');
    } else if (d->type == OPTION_ENUM && d->choices) {
        buf_puts(b, ":value:(");
        for (size_t i = 0; d->choices[i]; i++)
            buf_printf(b, "%s ", d->choices[i]);
        buf_putc(b, ')');
    } else if (arg[0]) {
        buf_puts(b, strstr(arg, "FILE") ? ":file:_files" : ":value: ");
    }
    buf_puts(b, "' \\\n");
}

void generate_zsh(struct buf *b)
{
    buf_puts(b, "#compdef oriel\n# zsh completion of oriel, made by: oriel generate zsh\n"
                "_oriel() {\n  if ((CURRENT == 2)); then\n    local -a commands=(\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        if (cli_commands[i]->hidden)
            continue;
        buf_printf(b, "      '%s:", cli_commands[i]->name);
        quoted(b, cli_commands[i]->summary, ":\\");
        buf_puts(b, "'\n");
    }
    buf_puts(b, "    )\n    _describe command commands\n    return\n  fi\n"
                "  local cmd=$words[2]\n  shift words\n  ((CURRENT--))\n  case $cmd in\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_command *c = cli_commands[i];
        if (c->hidden)
            continue;
        buf_printf(b, "    %s) _arguments \\\n", c->name);
        each_option(b, c, zsh_option);
        buf_printf(b, "      '--help[tell the options]' %s ;;\n",
                   c->program && !c->sides ? "'*:::command:_normal'" : "'*:file:_files'");
    }
    buf_puts(b, "  esac\n}\n_oriel \"$@\"\n");
}

static void fish_option(struct buf *b, const struct option_def *d, const struct cli_command *c)
{
    char flag[80], arg[160];
    cli_option_flag(d, flag, sizeof flag);
    cli_option_arg(d, arg, sizeof arg);
    buf_printf(b, "complete -c oriel -n '__fish_seen_subcommand_from %s' -l %s", c->name, flag + 2);
    if (d->letter)
        buf_printf(b, " -s %c", d->letter);
    if (strcmp(d->name, "to") == 0) {
        buf_puts(b, " -x -a '");
        outlet_words(b);
        buf_putc(b, '\'');
    } else if (d->type == OPTION_ENUM && d->choices) {
        buf_puts(b, " -x -a '");
        for (size_t i = 0; d->choices[i]; i++)
            buf_printf(b, "%s ", d->choices[i]);
        buf_putc(b, '\'');
    } else if (arg[0]) {
        buf_puts(b, strstr(arg, "FILE") ? " -r" : " -x");
    }
    buf_puts(b, " -d '");
    quoted(b, d->help, "\\");
    buf_puts(b, "'\n");
}

void generate_fish(struct buf *b)
{
    buf_puts(b, "# fish completion of oriel, made by: oriel generate fish\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_command *c = cli_commands[i];
        if (c->hidden)
            continue;
        buf_printf(b, "complete -c oriel -f -n __fish_use_subcommand -a %s -d '", c->name);
        quoted(b, c->summary, "\\");
        buf_puts(b, "'\n");
        if (c->max_args != 0)
            buf_printf(b, "complete -c oriel -F -n '__fish_seen_subcommand_from %s'\n", c->name);
        each_option(b, c, fish_option);
    }
}
