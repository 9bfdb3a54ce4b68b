/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Finds the command, parses its arguments, runs it.
 */
#include "cli/cli.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "secret/scrub.h"
#include "source/region_io.h"
#include "util/left_out.h"

#define COMMAND(name) extern const struct cli_command cli_command_##name;
#include "cli/commands.def"
#undef COMMAND

const struct cli_command *const cli_commands[] = {
#define COMMAND(name) &cli_command_##name,
#include "cli/commands.def"
#undef COMMAND
    NULL,
};

const struct cli_command *cli_command_find(const char *name)
{
    for (size_t i = 0; cli_commands[i]; i++)
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    const struct cli_command *near = cli_command_nearest(name);
    char why[LEFT_OUT_WHY_BYTES];
    if (name[0] == '-')
        return cli_usage("unknown option \"%s\"; oriel --help lists the commands", name);
    if (left_out_find("COMMAND", name, strlen(name), why))
        return cli_usage("%s: %s", name, why);
    if (near)
        return cli_usage("no command is called \"%s\"; did you mean \"%s\"?", name, near->name);
    return cli_usage("no command is called \"%s\"; oriel --help lists them", name);
}

static int print_help(const struct cli_command *command)
{
    struct buf b;
    buf_init(&b);
    if (command)
        cli_help_command(&b, command);
    else
        cli_help(&b);
    int status = cli_print(&b);
    buf_done(&b);
    return status;
}

static int run_command(const struct cli_command *command, int argc, char **argv)
{
    struct cli_args a;
    struct oriel_err err = {0};
    int status;
    int rc = cli_args_parse(&a, command, argc, argv, &err);
    if (rc == 0 && a.help)
        status = print_help(command);
    else if (rc == ORIEL_EINVAL)
        status = cli_usage("%s: %s", command->name, err.text);
    else if (rc < 0)
        status = cli_fail("%s: %s", command->name, err.text);
    else
        status = command->run(&a.call);
    cli_args_done(&a);
    return status;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int cli_main(int argc, char **argv)
{
    assert(argv);
    region_guard();
    const char *redaction = getenv(CONFIG_REDACTION_VARIABLE);
    scrub_set_guessing(!redaction || strcmp(redaction, "known") != 0);
    if (argc < 2) {
        (void)print_help(NULL);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (is_help(name))
        return print_help(NULL);
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    if (strcmp(name, "help") == 0) {
        if (argc < 3)
            return print_help(NULL);
        const struct cli_command *topic = cli_command_find(argv[2]);
        return topic ? print_help(topic) : unknown_command(argv[2]);
    }
    const struct cli_command *command = cli_command_find(name);
    return command ? run_command(command, argc - 2, argv + 2) : unknown_command(name);
}
