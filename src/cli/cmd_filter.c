/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel filter: which call sites of a program record, changed while it is
 * recorded. The program is not stopped and not touched; only its ring is.
 */
#include <stddef.h>
#include <stdio.h>

#include "cli/cli.h"
#include "source/region_io.h"

#define WAIT_NS UINT64_C(1000000000)

struct filter_options {
    int64_t pid;
};

static const struct option_def options[] = {
    {.name = "pid",
     .type = OPTION_INT,
     .offset = offsetof(struct filter_options, pid),
     .min = 0,
     .max = 4194304,
     .arg = "PID",
     .letter = 'p',
     .help = "the recorded process, or its recorder"},
    OPTION_END,
};

static int run(const struct cli_call *call)
{
    const struct filter_options *o = call->options;
    struct oriel_err err = {0};
    char ring[512];
    unsigned threads, waiting;
    if (o->pid == 0)
        return cli_usage("filter: which process? (-p PID)");
    if (region_check_directives(call->args[0], &err) < 0)
        return cli_usage("filter: %s", err.text);
    if (region_find((int32_t)o->pid, ring, sizeof ring, &err) < 0 ||
        region_switch(ring, call->args[0], WAIT_NS, &threads, &waiting, &err) < 0)
        return cli_fail("filter: %s", err.text);
    if (threads && waiting == threads)
        cli_note("switched; no annotated line that records was reached since: it takes effect "
                 "with the next one");
    return CLI_OK;
}

const struct cli_command cli_command_filter = {
    .name = "filter",
    .summary = "change what a program records while it runs",
    .args = "DIRECTIVES",
    .description = "Replaces the filter of a program that `oriel record` is recording, with the "
                   "same directives as --filter has; an empty text records everything. It costs "
                   "the program nothing: each of its threads looks at the new directives with "
                   "its next record, and the first one that does switches all call sites, those "
                   "that were off too. A program none of whose call sites records never looks: "
                   "leave one on.",
    .examples = "oriel filter -p 4711 info,db=debug\noriel filter -p 4711 ''",
    .options = options,
    .options_size = sizeof(struct filter_options),
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
