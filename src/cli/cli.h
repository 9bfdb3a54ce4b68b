/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a command is: one const table. Help, man pages, completion and the
 * parser come out of it. One thread; the only room that prints.
 */
#ifndef ORIEL_CLI_CLI_H
#define ORIEL_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "export/exporter.h"
#include "util/option.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_NOT_EXECUTABLE = 126,
    CLI_NOT_FOUND = 127
};

/* What a command is called with. Valid while it runs. */
struct cli_call {
    const struct cli_command *command;
    const void *options;           /* the command's struct, filled */
    const struct exporter *outlet; /* named by the option --to, else NULL */
    const void *outlet_options;
    char **args; /* positional, NULL-terminated */
    int arg_count;
};

struct cli_command {
    const char *name;
    const char *summary;     /* one line, no full stop */
    const char *args;        /* "[FILE]", "" */
    const char *description; /* one paragraph; may be NULL */
    const char *examples;    /* lines "command # what it does"; may be NULL */
    const struct option_def *options;
    size_t options_size;
    int min_args, max_args; /* max < 0: any number */
    bool program;           /* the first positional begins somebody else's command line */
    bool sides;             /* "--" separates positionals and is one of them; with `program`,
                             * it begins somebody else's command line, and nothing before it does */
    bool outlet;            /* has --to NAME; options of that outlet are accepted */
    bool hidden;
    /* Returns the exit status. */
    int (*run)(const struct cli_call *call);
};

extern const struct cli_command *const cli_commands[]; /* NULL-terminated */
const struct cli_command *cli_command_find(const char *name);

/* The whole command; `main` does nothing else. */
int cli_main(int argc, char **argv);

/* ---- args.c ---- */

struct cli_args {
    struct cli_call call;
    void *options, *outlet_options; /* owned */
    bool help;
};
/* Parse what follows the command's name. 0, or ORIEL_EINVAL or ORIEL_ENOMEM
 * with a line. Call cli_args_done in every case. */
int cli_args_parse(struct cli_args *a, const struct cli_command *command, int argc, char **argv,
                   struct oriel_err *err);
void cli_args_done(struct cli_args *a);

/* ---- help.c ---- */

/* "--snake-case" from snake_case. */
void cli_option_flag(const struct option_def *d, char *out, size_t n);
/* "FILE", "SIZE", "chrome|perfetto"; "" for a switch. */
void cli_option_arg(const struct option_def *d, char *out, size_t n);
void cli_help(struct buf *b);
void cli_help_command(struct buf *b, const struct cli_command *command);
/* Names for the line "did you mean": closest command or NULL. */
const struct cli_command *cli_command_nearest(const char *name);

/* ---- generate.c ---- */

void generate_man(struct buf *b, const struct cli_command *command); /* NULL: oriel(1) */
void generate_bash(struct buf *b);
void generate_zsh(struct buf *b);
void generate_fish(struct buf *b);
void generate_config(struct buf *b);

/* ---- say.c ---- */

/* "oriel: ..." on stderr. Each returns the exit status to use. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, for those below who say something now and then; also from other threads. */
void cli_pass_on(void *unused, const char *text);
/* Unix time as a person here writes it, "2026-11-20 19:04:11"; returns `out`. */
#define CLI_TIME_BYTES 32
const char *cli_time(char out[CLI_TIME_BYTES], int64_t unix_ns);
/* The buffer to standard output; CLI_OK, or CLI_FAILED after saying why. */
int cli_print(struct buf *b);
/* Whether whoever read standard output has gone; then this ends as any filter does, by SIGPIPE and
 * without a word. Returns the status where that signal is ignored. */
bool cli_reader_left(void);
int cli_end_unheard(void);

#endif
