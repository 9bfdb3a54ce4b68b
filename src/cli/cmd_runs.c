/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel runs: what was recorded in this directory; and, on request only, an end
 * to what is old.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/runs.h"
#include "session/session.h"
#include "util/json.h"
#include "util/num.h"
#include "util/table.h"

struct runs_options {
    bool json, dry_run;
    int64_t keep;
    uint64_t older;
};

#define AT(member) .offset = offsetof(struct runs_options, member)
static const struct option_def options[] = {
    {.name = "json", .type = OPTION_BOOL, AT(json), .help = "as JSON", .letter = 'j'},
    {.name = "keep",
     .type = OPTION_INT,
     AT(keep),
     .fallback = "-1",
     .min = -1,
     .max = 1e9,
     .arg = "N",
     .help = "prune: remove all but the newest N"},
    {.name = "older",
     .type = OPTION_DURATION,
     AT(older),
     .fallback = "0",
     .help = "prune: remove what was last written longer ago than this, e.g. 30d"},
    {.name = "dry_run",
     .type = OPTION_BOOL,
     AT(dry_run),
     .letter = 'n',
     .help = "prune: only say what would go"},
    OPTION_END,
};

/* ---- the list ---- */

/* What the header of a run says of it; "" what it does not. */
struct about {
    char program[64], commit[16];
};

static void take(const struct model_catalog *c, const char *key, char *out, size_t n)
{
    struct model_str s = model_catalog_resource(c, key);
    snprintf(out, n, "%.*s", (int)s.n, s.p);
}

static struct about look_into(const struct run *r)
{
    struct about a = {"", ""};
    struct session *s = NULL;
    if (session_new(&s, "file", r->path, NULL, NULL) < 0)
        return a;
    take(session_catalog(s), "service.name", a.program, sizeof a.program);
    take(session_catalog(s), "vcs.ref.head.revision", a.commit, sizeof a.commit - 3);
    session_free(s);
    return a;
}

static const char *name_of(const struct run *r)
{
    return strrchr(r->dir, '/') + 1;
}

static void as_json(struct buf *b, const struct runs *runs)
{
    struct json j;
    json_init(&j, b);
    json_object(&j);
    json_key(&j, "runs");
    json_array(&j);
    for (size_t i = 0; i < runs->count; i++) {
        const struct run *r = &runs->items[i];
        const struct about a = look_into(r);
        json_object(&j);
        json_key(&j, "number");
        json_u64(&j, i + 1);
        json_key(&j, "name");
        json_string(&j, name_of(r));
        json_key(&j, "directory");
        json_string(&j, r->dir);
        json_key(&j, "capture");
        json_string(&j, r->path);
        json_key(&j, "bytes");
        json_u64(&j, r->bytes);
        json_key(&j, "changed_unix_ns");
        json_i64(&j, r->changed_ns);
        json_key(&j, "program");
        json_string(&j, a.program);
        json_key(&j, "commit");
        json_string(&j, a.commit);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_object_end(&j);
    buf_putc(b, '\n');
}

static void as_text(struct buf *b, const struct runs *runs)
{
    static const struct table_column columns[] = {{NULL, TABLE_TEXT}, {NULL, TABLE_TEXT},
                                                  {NULL, TABLE_TEXT}, {NULL, TABLE_NUMBER},
                                                  {NULL, TABLE_TEXT}, {NULL, TABLE_TEXT}};
    struct table t;
    table_init(&t, columns, 6);
    for (size_t i = 0; i < runs->count; i++) {
        const struct run *r = &runs->items[i];
        const struct about a = look_into(r);
        char size[NUM_TEXT_MAX], when[CLI_TIME_BYTES];
        table_cellf(&t, "@%zu", i + 1);
        table_cell(&t, r->dir);
        table_cell(&t, cli_time(when, r->changed_ns));
        table_cell(&t, num_bytes(size, r->bytes));
        table_cell(&t, a.program);
        table_cell(&t, a.commit);
    }
    table_put(&t, 0, 0, false, b);
    table_done(&t);
}

static int list(const struct runs_options *o, const struct runs *runs)
{
    struct buf b;
    buf_init(&b);
    if (o->json)
        as_json(&b, runs);
    else
        as_text(&b, runs);
    if (!o->json && runs->count == 0)
        cli_note("no run in %s yet; record one with: oriel record -- PROGRAM", RUNS_DIR);
    int status = cli_print(&b);
    buf_done(&b);
    return status;
}

/* ---- pruning ---- */

/* No recorder takes that long to its first byte. */
#define BEGINNING_NS INT64_C(60000000000)

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A run goes when everything that was asked for says so. */
static bool goes(const struct runs_options *o, const struct run *r, size_t number, int64_t now)
{
    bool old = o->older && now > r->changed_ns && (uint64_t)(now - r->changed_ns) > o->older;
    return (o->keep < 0 || number > (uint64_t)o->keep) && (!o->older || old);
}

static int prune(const struct runs_options *o, const struct runs *runs)
{
    struct oriel_err err = {0};
    char bytes[NUM_TEXT_MAX];
    uint64_t sum = 0;
    size_t gone = 0;
    int64_t now = now_ns();
    int status = CLI_OK;
    if (o->keep < 0 && !o->older)
        return cli_usage("runs prune: say what goes: --keep 10, --older 30d, or both");
    for (size_t i = 0; i < runs->count; i++) {
        const struct run *r = &runs->items[i];
        if (!goes(o, r, i + 1, now))
            continue;
        /* Nothing in it yet: a recorder may be between making and locking it. */
        bool begun = r->bytes == 0 && now - r->changed_ns < BEGINNING_NS;
        if (begun || runs_is_busy(r)) {
            cli_note("%s: kept, it is still being written", r->dir);
            continue;
        }
        if (!o->dry_run && runs_remove(r, &err) < 0) {
            status = cli_fail("%s", err.text);
            continue;
        }
        sum += r->bytes;
        gone++;
        if (o->dry_run)
            cli_note("%s would go", r->dir);
    }
    cli_note("%zu of %zu runs %s, %s", gone, runs->count, o->dry_run ? "would go" : "removed",
             num_bytes(bytes, sum));
    return status;
}

static int run(const struct cli_call *call)
{
    const struct runs_options *o = call->options;
    bool pruning = call->arg_count && strcmp(call->args[0], "prune") == 0;
    struct runs runs;
    if (call->arg_count && !pruning)
        return cli_usage("runs: \"%s\" is none of its words; there is: prune", call->args[0]);
    if (!pruning && (o->keep >= 0 || o->older || o->dry_run))
        return cli_usage("runs: --keep, --older and --dry-run belong to: oriel runs prune");
    int rc = runs_list(&runs);
    if (rc < 0)
        return cli_fail("%s: %s", RUNS_DIR, err_text(rc));
    int status = pruning ? prune(o, &runs) : list(o, &runs);
    runs_done(&runs);
    return status;
}

const struct cli_command cli_command_runs = {
    .name = "runs",
    .summary = "list the recordings of this directory, newest first; or prune them",
    .args = "[prune]",
    .description = "Lists what lies in .oriel/runs: the number by which other commands find a run "
                   "(@1 is the newest), when it was last written, its size, program and commit. "
                   "Nothing is ever removed but by prune, which takes --keep, --older or both (a "
                   "run goes when both say so), and keeps what is still being written.",
    .examples = "oriel runs\n"
                "oriel diff @2 @1              # what changed between the last two\n"
                "oriel runs prune --keep 10 --older 30d",
    .options = options,
    .options_size = sizeof(struct runs_options),
    .max_args = 1,
    .run = run,
};
