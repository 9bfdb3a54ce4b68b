/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel report: a capture as one screen of text, or as JSON.
 */
#include <stddef.h>

#include "cli/cli.h"
#include "cli/reading.h"
#include "cli/shared.h"
#include "cli/source_lines.h"
#include "cli/symbolize.h"

struct report_command {
    bool json, tree, markdown, stacks;
    int64_t top, width;
    const char *from, *to, *by, *function, *source;
};

#define AT(member) .offset = offsetof(struct report_command, member)
static const struct option_def options[] = {
    {.name = "json", .type = OPTION_BOOL, AT(json), .help = "as JSON", .letter = 'j'},
    {.name = "markdown",
     .type = OPTION_BOOL,
     AT(markdown),
     .help = "as Markdown, for a release note or an issue"},
    SHARED_TOP(AT(top)),
    {.name = "tree",
     .type = OPTION_BOOL,
     AT(tree),
     .help = "the slowest trace as a tree of spans with durations",
     .letter = 't'},
    {.name = "function",
     .type = OPTION_STRING,
     AT(function),
     .arg = "NAME",
     .help = "one sampled function: its callers, what it calls, and its source lines"},
    {.name = "source",
     .type = OPTION_STRING,
     AT(source),
     .arg = "FILE",
     .help = "the lines of a source file with their share of CPU time"},
    {.name = "stacks",
     .type = OPTION_BOOL,
     AT(stacks),
     .help = "how deep the stack of every thread was seen; else only those half full or more"},
    {.name = "from",
     .type = OPTION_STRING,
     AT(from),
     .arg = "EVENT",
     .help = "latency from this span or event to the one named by --to"},
    {.name = "to", .type = OPTION_STRING, AT(to), .arg = "EVENT", .help = "see --from"},
    {.name = "by",
     .type = OPTION_STRING,
     AT(by),
     .arg = "ATTRIBUTE",
     .help = "pair --from and --to by this attribute (default: by trace or thread)"},
    SHARED_WIDTH(AT(width)),
    OPTION_END,
};

static bool given(const char *text)
{
    return text && text[0];
}

static struct report_options to_options(const struct report_command *o)
{
    bool colour;
    uint32_t width = shared_width(o->width, &colour);
    return (struct report_options){.size = sizeof(struct report_options),
                                   .width = o->markdown ? (uint32_t)o->width : width,
                                   .color = colour && !o->markdown,
                                   .top = (uint32_t)o->top,
                                   .tree = o->tree,
                                   .stacks = o->stacks,
                                   .from = given(o->from) ? o->from : NULL,
                                   .to = given(o->to) ? o->to : NULL,
                                   .key = given(o->by) ? o->by : NULL};
}

static int print_report(const struct reading *r, struct report *report,
                        const struct report_command *o)
{
    struct report_facts facts;
    struct buf b;
    buf_init(&b);
    reading_facts(r, &facts);
    int rc = symbolize(session_catalog(r->session), true);
    if (rc == 0)
        rc = o->json       ? report_json(report, &facts, &b)
             : o->markdown ? report_markdown(report, &facts, &b)
                           : report_text(report, &facts, &b);
    int status = rc < 0 ? cli_fail("%s: %s", r->path, err_text(rc)) : cli_print(&b);
    buf_done(&b);
    return status;
}

/* One function or one file; only that. */
static int print_part(const struct report_command *o, const struct reading *r,
                      const struct report *report)
{
    struct model_catalog *c = session_catalog(r->session);
    struct source_lines lines;
    const struct report_sources sources = {source_lines_get, &lines};
    bool function = given(o->function);
    struct buf b;
    buf_init(&b);
    source_lines_init(&lines, c->start_ns);
    int rc = symbolize(c, true), status;
    if (rc == 0)
        rc = function ? report_function(report, o->function, &sources, &b)
                      : report_source(report, o->source, &sources, &b);
    if (rc == ORIEL_ENOTFOUND)
        status = cli_fail("%s: no sample is in %s; oriel report and oriel flame show where they "
                          "are",
                          r->path, function ? o->function : o->source);
    else
        status = rc < 0 ? cli_fail("%s: %s", r->path, err_text(rc)) : cli_print(&b);
    source_lines_done(&lines);
    buf_done(&b);
    return status;
}

static int run(const struct cli_call *call)
{
    const struct report_command *o = call->options;
    struct oriel_err err = {0};
    struct reading r;
    struct report *report = NULL;
    if (given(o->from) != given(o->to))
        return cli_usage("report: --from and --to go together");
    if (given(o->by) && !given(o->from))
        return cli_usage("report: --by pairs --from and --to");
    if (o->json && (given(o->function) || given(o->source)))
        return cli_usage("report: --json holds every function; it does not go with --function "
                         "and --source");
    if (o->markdown && (o->json || given(o->function) || given(o->source)))
        return cli_usage("report: --markdown goes without --json, --function and --source");
    struct report_options how = to_options(o);
    if (reading_report(&r, call->arg_count ? call->args[0] : NULL, &how, &report, &err) < 0)
        return cli_fail("%s", err.text);
    bool part = given(o->function) || given(o->source);
    int status = part ? print_part(o, &r, report) : print_report(&r, report, o);
    report_free(report);
    reading_close(&r);
    return status;
}

const struct cli_command cli_command_report = {
    .name = "report",
    .summary = "show what a recording says: spans, slowest instances, threads, losses",
    .args = "[FILE]",
    .description = "Reads a capture and prints tables: every span with its count, total, own and "
                   "busy time and percentiles, the slowest instances, threads and tasks, and "
                   "first of all what was lost. FILE is a capture or the directory of a run; "
                   "without it, the newest run in .oriel/runs.",
    .examples = "oriel report                  # the newest run\n"
                "oriel report -t c.oriel       # its slowest trace as a tree\n"
                "oriel report --function parse # its callers, callees and hot lines\n"
                "oriel report --markdown -n 5 > PROFILE.md\n"
                "oriel report --from order.in --to order.out c.oriel",
    .options = options,
    .options_size = sizeof(struct report_command),
    .max_args = 1,
    .run = run,
};
