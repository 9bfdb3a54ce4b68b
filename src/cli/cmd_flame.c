/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel flame: what a recording sampled, as a flame graph in one HTML page or
 * as folded stacks. Never writes over what it reads, nor over another file
 * unless told to.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/reading.h"
#include "cli/symbolize.h"
#include "report/flame.h"

enum flame_format { FLAME_HTML = 0, FLAME_FOLDED = 1 };

struct flame_command {
    const char *output;
    int format, kind, by;
    bool force;
};

static const char *const formats[] = {"html", "folded", NULL};
/* In the order of enum oriel_sample_kind, after "all". */
static const char *const kinds[] = {"all",    "cpu",   "off-cpu",   "alloc", "free",
                                    "lock",   "fault", "preempted", "wake",  "depth",
                                    "holder", "live",  "temporary", "peak",  NULL};
_Static_assert(sizeof kinds / sizeof *kinds == ORIEL_SAMPLE_KINDS + 1, "a name for each kind");
static const char *const groupings[] = {"all", "thread", "span", NULL};

#define AT(member) .offset = offsetof(struct flame_command, member)
static const struct option_def options[] = {
    {.name = "output",
     .type = OPTION_STRING,
     AT(output),
     .arg = "FILE",
     .letter = 'o',
     .help = "where to write; - is standard output (default: flame.html; folded: -)"},
    {.name = "format",
     .type = OPTION_ENUM,
     AT(format),
     .fallback = "html",
     .choices = formats,
     .arg = "FORMAT",
     .help = "a page to look at, or folded stacks for other tools"},
    {.name = "kind",
     .type = OPTION_ENUM,
     AT(kind),
     .fallback = "all",
     .choices = kinds,
     .arg = "KIND",
     .help = "which samples; folded stacks are of one kind (default there: cpu)"},
    {.name = "by",
     .type = OPTION_ENUM,
     AT(by),
     .fallback = "all",
     .choices = groupings,
     .arg = "GROUP",
     .help = "folded: one root for each thread or span (the page has all three)"},
    {.name = "force",
     .type = OPTION_BOOL,
     AT(force),
     .letter = 'f',
     .help = "overwrite an existing file"},
    OPTION_END,
};

static int add_samples(void *user, const struct model_batch *items)
{
    int rc = 0;
    for (size_t i = 0; i < items->item_count; i++)
        if (items->items[i].kind == MODEL_ITEM_SAMPLE) {
            int added = model_profile_add(user, &items->items[i].u.sample);
            rc = rc < 0 ? rc : added;
        }
    return rc;
}

static int make(const struct flame_command *o, const struct model_profile *p,
                const struct model_catalog *c, struct buf *out)
{
    struct frames f;
    struct flame_options how = {.kind = (uint8_t)o->kind};
    int rc = frames_init(&f, &c->stacks);
    if (rc == 0 && o->format == FLAME_HTML) {
        rc = flame_html(&f, p, c, &how, out);
    } else if (rc == 0) {
        struct flametree t;
        struct profile_filter all = {
            .kind = o->kind ? (uint8_t)o->kind : ORIEL_SAMPLE_CPU, .thread = -1, .process = -1};
        rc = flametree_make(&t, &f, p, c, &all, (enum flametree_grouping)o->by);
        if (rc == 0)
            rc = flametree_folded(&t, &f, out);
        flametree_done(&t);
    }
    frames_done(&f);
    return rc;
}

static int put(const struct flame_command *o, const char *path, struct buf *b)
{
    struct oriel_err err = {0};
    struct stat st;
    struct out *out;
    if (strcmp(path, "-") == 0)
        return cli_print(b);
    if (!o->force && lstat(path, &st) == 0)
        return cli_fail("%s: exists; -f overwrites it, -o names another one", path);
    int rc = out_file_open(&out, path, false, &err);
    if (rc == 0) {
        rc = out_write(out, b->data, b->size);
        if (rc < 0)
            err_set(&err, rc, "%s: %s", path, err_text(rc));
        out_close(out);
    }
    if (rc < 0)
        return cli_fail("%s", err.text);
    cli_note("%s: written, open it in a browser", path);
    return CLI_OK;
}

static int render(const struct flame_command *o, struct reading *r, const struct model_profile *p)
{
    struct buf page;
    const char *fallback = o->format == FLAME_FOLDED ? "-" : "flame.html";
    buf_init(&page);
    int rc = symbolize(session_catalog(r->session), true);
    if (rc == 0)
        rc = make(o, p, session_catalog(r->session), &page);
    int status = rc < 0 ? cli_fail("%s: %s", r->path, err_text(rc))
                        : put(o, o->output && o->output[0] ? o->output : fallback, &page);
    buf_done(&page);
    return status;
}

static int run(const struct cli_call *call)
{
    const struct flame_command *o = call->options;
    struct oriel_err err = {0};
    struct reading r;
    struct model_profile p;
    if (reading_open(&r, call->arg_count ? call->args[0] : NULL, &err) < 0)
        return cli_fail("%s", err.text);
    model_profile_init(&p, false);
    session_on_items(r.session, add_samples, &p);
    int rc = reading_run(&r, &err);
    if (rc == 0)
        rc = session_finish(r.session, &err);
    int status;
    if (rc < 0)
        status = cli_fail("%s", err.text);
    else if (p.row_count == 0)
        status = cli_fail("%s: holds no samples; record with --rate 99", r.path);
    else
        status = render(o, &r, &p);
    model_profile_done(&p);
    reading_close(&r);
    return status;
}

const struct cli_command cli_command_flame = {
    .name = "flame",
    .summary = "draw what was sampled as a flame graph",
    .args = "[FILE]",
    .description =
        "Reads a capture and writes one HTML page that needs nothing else: flame or icicle, zoom, "
        "search, the functions that weigh most, by thread and by span, for CPU time and waiting. "
        "With --format folded it writes stacks as lines for flamegraph.pl, speedscope and others. "
        "FILE is a capture or the directory of a run; without it, the newest run in .oriel/runs.",
    .examples = "oriel flame -o flame.html c.oriel\n"
                "oriel flame --format folded --kind off-cpu c.oriel",
    .options = options,
    .options_size = sizeof(struct flame_command),
    .max_args = 1,
    .run = run,
};
