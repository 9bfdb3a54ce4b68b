/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel diff: two sides of recordings, read one after the other so that memory
 * holds one at a time; the comparison is report/diff.h.
 */
#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/reading.h"
#include "cli/runs.h"
#include "cli/shared.h"
#include "cli/symbolize.h"
#include "report/diff.h"
#include "util/num.h"

enum diff_format { DIFF_FORMAT_TEXT = 0, DIFF_FORMAT_MARKDOWN = 1, DIFF_FORMAT_JSON = 2 };

struct diff_command {
    const char *output, *fail_over, *confidence, *noise;
    int format, kind;
    int64_t top, width;
    bool markdown, json, force;
};

static const char *const formats[] = {"text", "markdown", "json", NULL};

#define AT(member) .offset = offsetof(struct diff_command, member)
static const struct option_def options[] = {
    SHARED_OUTPUT(AT(output), "also write a page with a differential flame graph"),
    {.name = "format",
     .type = OPTION_ENUM,
     AT(format),
     .fallback = "text",
     .choices = formats,
     .arg = "FORMAT",
     .help = "what to print"},
    {.name = "markdown",
     .type = OPTION_BOOL,
     AT(markdown),
     .help = "the same as --format markdown: a summary for a release note"},
    {.name = "json", .type = OPTION_BOOL, AT(json), .letter = 'j', .help = "as JSON"},
    {.name = "fail_over",
     .type = OPTION_STRING,
     AT(fail_over),
     .arg = "PERCENT",
     .help = "exit with 1 when anything surely got worse by more than this, e.g. 5%"},
    SHARED_KIND(AT(kind), "compare only this kind of sample, and no spans"),
    {.name = "confidence",
     .type = OPTION_STRING,
     AT(confidence),
     .fallback = "95%",
     .arg = "PERCENT",
     .help = "how sure a change must be to be called one"},
    {.name = "noise",
     .type = OPTION_STRING,
     AT(noise),
     .fallback = "5%",
     .arg = "PERCENT",
     .help = "how much runs of one build differ, where there is one run of each side only"},
    SHARED_TOP(AT(top)),
    SHARED_WIDTH(AT(width)),
    SHARED_FORCE(AT(force), "page"),
    OPTION_END,
};

/* ---- which recordings ---- */

struct paths {
    char (*items)[RUNS_PATH_BYTES];
    size_t count, capacity;
};

static int add_path(struct paths *p, const char *path)
{
    char(*slot)[RUNS_PATH_BYTES] = VEC_PUSH(p);
    if (!slot)
        return ORIEL_ENOMEM;
    return (size_t)snprintf(*slot, sizeof *slot, "%s", path) < sizeof *slot ? 0 : ORIEL_ELIMIT;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* A directory that is no run itself: the captures and runs in it. */
static int add_directory(struct paths *p, const char *path)
{
    DIR *d = opendir(path);
    size_t before = p->count;
    int rc = d ? 0 : ORIEL_EIO;
    for (struct dirent *e = d ? readdir(d) : NULL; e && rc == 0; e = readdir(d)) {
        char name[2 * RUNS_PATH_BYTES];
        struct stat st;
        size_t n = strlen(e->d_name);
        bool capture = n > 6 && strcmp(e->d_name + n - 6, ".oriel") == 0;
        snprintf(name, sizeof name, "%s/%s%s", path, e->d_name, capture ? "" : "/" RUNS_FILE);
        if (e->d_name[0] != '.' && stat(name, &st) == 0 && S_ISREG(st.st_mode))
            rc = add_path(p, name);
    }
    if (d)
        closedir(d);
    if (rc == 0 && p->count > before + 1)
        qsort(p->items + before, p->count - before, sizeof *p->items, by_name);
    return rc;
}

/* What a person means: a capture, a run, a directory of them, "@2", a name. */
static int add_word(struct paths *p, const char *word, struct oriel_err *err)
{
    struct stat st;
    struct runs runs = {0};
    char inside[2 * RUNS_PATH_BYTES];
    size_t before = p->count;
    int rc = 0;
    snprintf(inside, sizeof inside, "%s/" RUNS_FILE, word);
    if (stat(word, &st) != 0) {
        rc = runs_match(word, &runs);
        for (size_t i = 0; rc == 0 && i < runs.count; i++)
            rc = add_path(p, runs.items[i].path);
        runs_done(&runs);
    } else if (!S_ISDIR(st.st_mode)) {
        rc = add_path(p, word);
    } else if (stat(inside, &st) == 0) {
        rc = add_path(p, inside);
    } else {
        rc = add_directory(p, word);
    }
    if (rc < 0)
        return err_set(err, rc, "%s: %s", word, err_text(rc));
    if (p->count == before)
        return err_set(err, ORIEL_ENOTFOUND,
                       "%s: no capture, no directory with captures, and no run; oriel runs lists "
                       "these",
                       word);
    return 0;
}

/* "A B", or "A1 A2 -- B1 B2". */
static int choose(const struct cli_call *call, struct paths sides[2], struct oriel_err *err)
{
    int split = -1;
    for (int i = 0; i < call->arg_count; i++) {
        if (strcmp(call->args[i], "--") != 0)
            continue;
        if (split >= 0)
            return err_set(err, ORIEL_EINVAL, "diff: one -- separates the two sides");
        split = i;
    }
    if (split < 0 && call->arg_count != 2)
        return err_set(err, ORIEL_EINVAL,
                       "diff: two recordings, or A1 A2 -- B1 B2 for several of each side");
    if (split == 0 || split == call->arg_count - 1)
        return err_set(err, ORIEL_EINVAL, "diff: nothing stands on one side of --");
    int rc = 0;
    for (int i = 0; rc == 0 && i < call->arg_count; i++)
        if (i != split)
            rc = add_word(&sides[split < 0 ? i : i > split], call->args[i], err);
    if (rc == 0 && sides[0].count + sides[1].count > DIFF_RUNS_MAX)
        rc = err_set(err, ORIEL_EINVAL, "diff: at most %u recordings at a time", DIFF_RUNS_MAX);
    return rc;
}

/* ---- reading ---- */

static int add_run(struct diff *d, enum diff_side side, const char *path, struct oriel_err *err)
{
    struct reading r;
    struct report *report = NULL;
    int rc = reading_report(&r, path, NULL, &report, err);
    if (rc < 0)
        return rc;
    reading_say_damage(&r);
    rc = symbolize(session_catalog(r.session), true);
    if (rc == 0)
        rc = diff_add(d, side, report, path);
    if (rc < 0 && !err->code)
        err_set(err, rc, "%s: %s", path, err_text(rc));
    report_free(report);
    reading_close(&r);
    return rc;
}

/* "5%", "5", "0.5%": as a part of one. */
static int parse_percent(const char *name, const char *text, double most, double *out,
                         struct oriel_err *err)
{
    size_t n = text ? strlen(text) : 0;
    if (n && text[n - 1] == '%')
        n--;
    while (n && text[n - 1] == ' ')
        n--;
    if (num_parse_double(text, n, out) < 0 || !(*out >= 0 && *out <= most))
        return err_set(err, ORIEL_EINVAL, "diff: --%s: \"%s\" is not a percentage from 0 to %.0f",
                       name, text ? text : "", most);
    *out /= 100;
    return 0;
}

static int prepare(const struct diff_command *o, const struct paths sides[2],
                   struct diff_options *out, double *out_over, struct oriel_err *err)
{
    bool colour;
    uint32_t width = shared_width(o->width, &colour);
    *out = (struct diff_options){.size = sizeof *out,
                                 .runs = {sides[0].count, sides[1].count},
                                 .least = -1,
                                 .kind = (uint8_t)o->kind,
                                 .width = width,
                                 .top = (uint32_t)o->top,
                                 .color = colour};
    *out_over = -1;
    int rc = parse_percent("confidence", o->confidence, 100, &out->confidence, err);
    if (rc == 0 && (out->confidence < 0.5 || out->confidence > 0.999999))
        rc = err_set(err, ORIEL_EINVAL, "diff: --confidence: from 50 to 99.9999");
    if (rc == 0)
        rc = parse_percent("noise", o->noise, 1000, &out->noise, err);
    if (rc == 0 && o->fail_over && o->fail_over[0])
        rc = parse_percent("fail-over", o->fail_over, 1e6, out_over, err);
    return rc;
}

/* ---- telling ---- */

static int write_page(const struct diff *d, const char *path)
{
    struct buf page;
    buf_init(&page);
    int rc = diff_html(d, &page);
    int status = rc < 0 ? cli_fail("%s: %s", path, err_text(rc))
                        : shared_write(path, &page, ", open it in a browser");
    buf_done(&page);
    return status;
}

static int tell(const struct diff_command *o, const struct diff *d)
{
    int format = o->json ? DIFF_FORMAT_JSON : o->markdown ? DIFF_FORMAT_MARKDOWN : o->format;
    struct buf b;
    buf_init(&b);
    int rc = format == DIFF_FORMAT_JSON       ? diff_json(d, &b)
             : format == DIFF_FORMAT_MARKDOWN ? diff_markdown(d, &b)
                                              : diff_text(d, &b);
    int status = rc < 0 ? cli_fail("diff: %s", err_text(rc)) : cli_print(&b);
    buf_done(&b);
    return status;
}

static int judge(const struct diff *d, double over)
{
    struct buf line;
    int status = CLI_OK;
    buf_init(&line);
    if (over >= 0 && diff_is_worse(d, over, &line))
        status = cli_fail("diff: %s", buf_cstr(&line));
    buf_done(&line);
    return status;
}

static int compare(const struct diff_command *o, const struct paths sides[2],
                   const struct diff_options *how, double over)
{
    struct oriel_err err = {0};
    struct diff *d = NULL;
    int rc = diff_new(&d, how);
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; rc == 0 && i < sides[side].count; i++)
            rc = add_run(d, (enum diff_side)side, sides[side].items[i], &err);
    if (rc == 0)
        rc = diff_finish(d);
    int status = rc == 0 ? CLI_OK : cli_fail("%s", err.code ? err.text : err_text(rc));
    if (rc == 0 && diff_is_empty(d))
        status =
            cli_fail("diff: nothing to compare: neither samples (record --rate 499) nor spans");
    if (status == CLI_OK)
        status = tell(o, d);
    if (status == CLI_OK && o->output && o->output[0])
        status = write_page(d, o->output);
    if (status == CLI_OK)
        status = judge(d, over);
    diff_free(d);
    return status;
}

static int run(const struct cli_call *call)
{
    const struct diff_command *o = call->options;
    struct paths sides[2] = {{0}, {0}};
    struct diff_options how;
    struct oriel_err err = {0};
    double over;
    int rc = choose(call, sides, &err);
    if (rc == 0)
        rc = prepare(o, sides, &how, &over, &err);
    int status;
    if (rc < 0)
        status = rc == ORIEL_EINVAL ? cli_usage("%s", err.text) : cli_fail("%s", err.text);
    else
        status = o->output && o->output[0] ? shared_may_write(o->output, o->force) : CLI_OK;
    if (rc == 0 && status == CLI_OK)
        status = compare(o, sides, &how, over);
    VEC_DONE(&sides[0]);
    VEC_DONE(&sides[1]);
    return status;
}

const struct cli_command cli_command_diff = {
    .name = "diff",
    .summary = "compare recordings: what became slower, where, and how sure that is",
    .args = "A B",
    .description =
        "Compares two recordings, or several of each side separated by --: functions by what was "
        "sampled in them, spans by count, own time and percentiles. Changes that cannot be told "
        "from noise are not called changes; several runs of each side tell smaller ones. A side "
        "is a capture, the directory of a run or of several captures, @1 for the newest run, or "
        "the name of runs. The exit status is 1 when --fail-over says so.",
    .examples = "oriel diff before.oriel after.oriel\n"
                "oriel diff -o d.html a1.oriel a2.oriel -- b1.oriel b2.oriel\n"
                "oriel diff --fail-over 5% @2 @1          # for CI",
    .options = options,
    .options_size = sizeof(struct diff_command),
    .min_args = 2,
    .max_args = -1,
    .sides = true,
    .run = run,
};
