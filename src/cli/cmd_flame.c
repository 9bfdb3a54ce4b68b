/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel flame: what a recording sampled, as a flame graph in one HTML page or
 * as folded stacks. Never writes over what it reads, nor over another file
 * unless told to.
 */
#include <stddef.h>

#include "cli/cli.h"
#include "cli/reading.h"
#include "cli/shared.h"
#include "cli/symbolize.h"
#include "report/flame.h"

enum flame_format { FLAME_HTML = 0, FLAME_FOLDED = 1 };

struct flame_command {
    const char *output;
    int format, kind, by;
    bool force;
};

static const char *const formats[] = {"html", "folded", NULL};
static const char *const groupings[] = {"all", "thread", "span", NULL};

#define AT(member) .offset = offsetof(struct flame_command, member)
static const struct option_def options[] = {
    SHARED_OUTPUT(AT(output),
                  "where to write; - is standard output (default: flame.html; folded: -)"),
    {.name = "format",
     .type = OPTION_ENUM,
     AT(format),
     .fallback = "html",
     .choices = formats,
     .arg = "FORMAT",
     .help = "a page to look at, or folded stacks for other tools"},
    SHARED_KIND(AT(kind), "which samples; folded stacks are of one kind (default there: cpu)"),
    {.name = "by",
     .type = OPTION_ENUM,
     AT(by),
     .fallback = "all",
     .choices = groupings,
     .arg = "GROUP",
     .help = "folded: one root for each thread or span (the page has all three)"},
    SHARED_FORCE(AT(force), "file"),
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

static int render(const struct flame_command *o, struct reading *r, const struct model_profile *p,
                  const char *path)
{
    struct buf page;
    buf_init(&page);
    int rc = symbolize(session_catalog(r->session), true);
    if (rc == 0)
        rc = make(o, p, session_catalog(r->session), &page);
    int status =
        rc < 0 ? cli_fail("%s: %s", r->path, err_text(rc))
               : shared_write(path, &page, o->format == FLAME_HTML ? ", open it in a browser" : "");
    buf_done(&page);
    return status;
}

static int run(const struct cli_call *call)
{
    const struct flame_command *o = call->options;
    struct oriel_err err = {0};
    struct reading r;
    struct model_profile p;
    const char *path = o->output && o->output[0]   ? o->output
                       : o->format == FLAME_FOLDED ? "-"
                                                   : "flame.html";
    int status = shared_may_write(path, o->force);
    if (status != CLI_OK)
        return status;
    if (reading_open(&r, call->arg_count ? call->args[0] : NULL, &err) < 0)
        return cli_fail("%s", err.text);
    model_profile_init(&p, false);
    session_on_items(r.session, add_samples, &p);
    int rc = reading_run(&r, &err);
    if (rc == 0)
        rc = session_finish(r.session, &err);
    if (rc < 0)
        status = cli_fail("%s", err.text);
    else if (p.row_count == 0)
        status = cli_fail("%s: holds no samples; record with --rate 99", r.path);
    else
        status = render(o, &r, &p, path);
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
