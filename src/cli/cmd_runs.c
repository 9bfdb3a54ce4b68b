/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel runs: what was recorded in this directory; and, on request only, an end
 * to what is old.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/runs.h"
#include "session/session.h"
#include "util/json.h"
#include "util/num.h"
#include "util/table.h"
#include "util/tty.h"

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
    char program[64], commit[16], with[96];
    int64_t started_ns; /* unix; 0 not known */
    bool changed;       /* files of the commit were */
    struct buf command; /* words with spaces between */
};

static void take(const struct model_catalog *c, const char *key, char *out, size_t n)
{
    struct model_str s = model_catalog_resource(c, key);
    snprintf(out, n, "%.*s", (int)s.n, s.p);
}

/* "499 Hz, heap sampled, locks": what was looked at beside what the program says. */
static void take_with(const struct model_catalog *c, char *out, size_t n)
{
    char rate[24], heap[16], locks[8], attached[8], coverage[48];
    take(c, "oriel.coverage", coverage, sizeof coverage);
    take(c, "oriel.sample.rate", rate, sizeof rate);
    take(c, "oriel.heap", heap, sizeof heap);
    take(c, "oriel.locks", locks, sizeof locks);
    take(c, "oriel.attached", attached, sizeof attached);
    snprintf(out, n, "%s%s%s%s%s%s", attached[0] ? ", attached" : "", rate[0] ? ", " : "", rate,
             rate[0] ? " Hz" : "", heap[0] ? ", heap " : "", heap);
    snprintf(out + strlen(out), n - strlen(out), "%s%s%s", locks[0] ? ", locks" : "",
             coverage[0] ? ", coverage " : "", coverage);
    if (out[0])
        memmove(out, out + 2, strlen(out) - 1);
}

/* The header holds a JSON array. A word with spaces in it is quoted. */
static void take_command(const struct model_catalog *c, struct buf *out)
{
    struct model_str s = model_catalog_resource(c, "process.command_args");
    const struct json_read_options how = {.size = sizeof how};
    struct json_value *words;
    struct arena arena;
    arena_init(&arena);
    if (s.n && json_read(&arena, s.p, s.n, &how, &words, NULL) == 0 && words->type == JSON_ARRAY)
        for (const struct json_value *v = words->first; v; v = v->next) {
            bool quote = v->type == JSON_STRING && (v->text_n == 0 || strpbrk(v->text, " \t\n"));
            buf_printf(out, "%s%s%s%s", out->size ? " " : "", quote ? "'" : "",
                       v->type == JSON_STRING ? v->text : "", quote ? "'" : "");
        }
    arena_done(&arena);
}

static void look_into(const struct run *r, struct about *out)
{
    struct session *s = NULL;
    char dirty[8];
    *out = (struct about){.started_ns = 0};
    buf_init(&out->command);
    if (session_new(&s, "file", r->path, NULL, NULL) < 0)
        return;
    const struct model_catalog *c = session_catalog(s);
    take(c, "service.name", out->program, sizeof out->program);
    take(c, "vcs.ref.head.revision", out->commit, sizeof out->commit - 3);
    take(c, "oriel.vcs.dirty", dirty, sizeof dirty);
    take_with(c, out->with, sizeof out->with);
    take_command(c, &out->command);
    out->changed = strcmp(dirty, "true") == 0;
    out->started_ns = (int64_t)c->start_ns;
    session_free(s);
}

static const char *name_of(const struct run *r)
{
    return strrchr(r->dir, '/') + 1;
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* When it was recorded; of a header that does not say, when it was last written. */
static int64_t recorded_ns(const struct run *r, const struct about *a)
{
    return a->started_ns ? a->started_ns : r->changed_ns;
}

/* "just now", "12 min", "3 h", "40 days". */
static void put_age(struct table *t, int64_t ns)
{
    int64_t minutes = ns / 60000000000;
    if (minutes < 1)
        table_cell(t, "just now");
    else if (minutes < 120)
        table_cellf(t, "%d min", (int)minutes);
    else if (minutes < 48 * 60)
        table_cellf(t, "%d h", (int)(minutes / 60));
    else
        table_cellf(t, "%d days", (int)(minutes / (24 * 60)));
}

static void run_as_json(struct json *j, const struct run *r, size_t number)
{
    struct about a;
    look_into(r, &a);
    json_object(j);
    json_key(j, "number");
    json_u64(j, number);
    json_pair_text(j, "name", name_of(r));
    json_pair_text(j, "directory", r->dir);
    json_pair_text(j, "capture", r->path);
    json_key(j, "bytes");
    json_u64(j, r->bytes);
    json_key(j, "recorded_unix_ns");
    json_i64(j, recorded_ns(r, &a));
    json_key(j, "changed_unix_ns");
    json_i64(j, r->changed_ns);
    json_key(j, "being_written");
    json_bool(j, runs_is_busy(r));
    json_pair_text(j, "program", a.program);
    json_pair_text(j, "command", a.command.size ? buf_cstr(&a.command) : "");
    json_pair_text(j, "with", a.with);
    json_pair_text(j, "commit", a.commit);
    json_key(j, "changed_files");
    json_bool(j, a.changed);
    json_object_end(j);
    buf_done(&a.command);
}

static void as_json(struct buf *b, const struct runs *runs)
{
    struct json j;
    json_init(&j, b);
    json_object(&j);
    json_key(&j, "runs");
    json_array(&j);
    for (size_t i = 0; i < runs->count; i++)
        run_as_json(&j, &runs->items[i], i + 1);
    json_array_end(&j);
    json_object_end(&j);
    buf_putc(b, '\n');
}

static void run_as_row(struct table *t, const struct run *r, size_t number, int64_t now)
{
    struct about a;
    char size[NUM_TEXT_MAX], when[CLI_TIME_BYTES];
    look_into(r, &a);
    table_cellf(t, "@%zu", number);
    table_cell(t, r->dir);
    table_cell(t, cli_time(when, recorded_ns(r, &a)));
    put_age(t, now - recorded_ns(r, &a));
    table_cell(t, num_bytes(size, r->bytes));
    table_cell(t, runs_is_busy(r) ? "being written" : a.with);
    table_cellf(t, "%s%s", a.commit, a.changed ? "+" : "");
    table_cell(t, a.command.size ? buf_cstr(&a.command) : a.program);
    t->failed |= a.command.failed;
    buf_done(&a.command);
}

static void as_text(struct buf *b, const struct runs *runs)
{
    static const struct table_column columns[] = {
        {"run", TABLE_NUMBER},  {"directory", TABLE_TEXT}, {"recorded", TABLE_NUMBER},
        {"age", TABLE_NUMBER},  {"size", TABLE_NUMBER},    {"with", TABLE_TEXT},
        {"commit", TABLE_TEXT}, {"command", TABLE_TEXT}};
    struct table t;
    struct tty tty;
    int64_t now = now_ns();
    tty_look(&tty, STDOUT_FILENO, TTY_AUTO);
    table_init(&t, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < runs->count; i++)
        run_as_row(&t, &runs->items[i], i + 1, now);
    if (runs->count)
        table_put(&t, 0, tty.terminal ? tty.width : 0, tty.colour, b);
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
    cli_note("%zu of %zu %s %s, %s", gone, runs->count, num_noun(runs->count, "run", "runs"),
             o->dry_run ? "would go" : "removed", num_bytes(bytes, sum));
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
                   "(@1 is the newest), its directory, when it was recorded, its size, what it was "
                   "recorded with, the commit (+: with changed files) and the command. "
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
