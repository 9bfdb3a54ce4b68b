/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel cov: what of a program was executed. Reads what compilers count, runs
 * programs that were built to count, or sets breakpoints in those that were not
 * (--binary), and compares; the rest is report/coverage.h.
 */
#include <assert.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/child.h"
#include "cli/cli.h"
#include "cli/cov_binary.h"
#include "cli/cov_inputs.h"
#include "cli/cov_store.h"
#include "cli/shared.h"
#include "cli/source_lines.h"
#include "symbol/points.h"
#include "util/num.h"
#include "util/out.h"
#include "util/tty.h"

#define WAIT_NS UINT64_C(1000000000)
#define NOTHING_LEFT "no source file is left: see --include, --exclude, --system"

struct cov_options {
    const char *output, *source, *fail_under, *gcov, *name, *object, *include, *exclude;
    int64_t top, width;
    bool binary, function, json, force, fail_lost, system;
};

#define AT(member) .offset = offsetof(struct cov_options, member)
static const struct option_def options[] = {
    {.name = "binary",
     .type = OPTION_BOOL,
     AT(binary),
     .letter = 'b',
     .help = "run an unmodified program: a breakpoint at each line, until it is reached"},
    {.name = "function",
     .type = OPTION_BOOL,
     AT(function),
     .help = "each function, in place of each file"},
    {.name = "source",
     .type = OPTION_STRING,
     AT(source),
     .arg = "FILE",
     .letter = 's',
     .help = "this source file with how often each line was executed"},
    {.name = "fail_under",
     .type = OPTION_STRING,
     AT(fail_under),
     .arg = "PERCENT",
     .help = "exit with 1 when fewer lines were executed, e.g. 80%"},
    {.name = "fail_lost",
     .type = OPTION_BOOL,
     AT(fail_lost),
     .help = "diff: exit with 1 when a line is not executed any more"},
    {.name = "json", .type = OPTION_BOOL, AT(json), .letter = 'j', .help = "as JSON"},
    SHARED_OUTPUT(AT(output), "also write a tracefile of lcov (.info), JSON (.json) or a page "
                              "(.html)"),
    SHARED_FORCE(AT(force), "file"),
    {.name = "object",
     .type = OPTION_STRING,
     AT(object),
     .arg = "FILE",
     .list = true,
     .help = "an executable or library to look at, in place of the program; may be given again"},
    {.name = "include",
     .type = OPTION_STRING,
     AT(include),
     .arg = "PATTERN",
     .list = true,
     .help = "only source files like this (* and ?) or below it; may be given again"},
    {.name = "exclude",
     .type = OPTION_STRING,
     AT(exclude),
     .arg = "PATTERN",
     .list = true,
     .help = "no source files like this or below it; may be given again"},
    {.name = "system",
     .type = OPTION_BOOL,
     AT(system),
     .help = "source files below /usr/include and /usr/lib too"},
    {.name = "gcov",
     .type = OPTION_STRING,
     AT(gcov),
     .fallback = "gcov",
     .arg = "PROGRAM",
     .help = "the gcov of the compiler, e.g. gcov-11"},
    {.name = "name",
     .type = OPTION_STRING,
     AT(name),
     .arg = "NAME",
     .help = "what the run is called, in place of the program's name"},
    SHARED_TOP(AT(top)),
    SHARED_WIDTH(AT(width)),
    OPTION_END,
};

/* One telling: of a program that just ran, or of files. */
struct work {
    const struct cov_options *o;
    struct coverage c;
    struct cov_inputs in;
    struct source_lines lines;
    struct coverage_view view;
    char cwd[PATH_MAX];
    bool aside;  /* standard output is the program's: tell on standard error */
    size_t lost; /* words that could not be read, which was said */
    double least;
};

/* ---- options ---- */

static int parse_percent(const char *text, double *out)
{
    size_t n = strlen(text);
    if (n && text[n - 1] == '%')
        n--;
    while (n && text[n - 1] == ' ')
        n--;
    if (num_parse_double(text, n, out) < 0 || !(*out >= 0 && *out <= 100))
        return cli_usage("cov: --fail-under: \"%s\" is not a percentage from 0 to 100", text);
    return CLI_OK;
}

static bool given(const char *text)
{
    return text && text[0];
}

static bool ends_with(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    return n > m && strcmp(path + n - m, suffix) == 0;
}

static int check(struct work *w)
{
    const struct cov_options *o = w->o;
    w->least = -1;
    if (given(o->fail_under) && parse_percent(o->fail_under, &w->least) != CLI_OK)
        return CLI_USAGE;
    if (!given(o->output))
        return CLI_OK;
    if (!ends_with(o->output, ".info") && !ends_with(o->output, ".json") &&
        !ends_with(o->output, ".html"))
        return cli_usage("cov: -o %s: its name must end with .info, .json or .html", o->output);
    return shared_may_write(o->output, o->force);
}

/* The i-th line of a list option. */
static bool next_of(const char **list, char *out, size_t n)
{
    if (!given(*list))
        return false;
    size_t bytes = strcspn(*list, "\n");
    (void)snprintf(out, n, "%.*s", (int)bytes, *list);
    *list += bytes + ((*list)[bytes] == '\n');
    return true;
}

static bool is_like(const char *list, struct model_str path, struct model_str shown)
{
    char pattern[4096];
    while (next_of(&list, pattern, sizeof pattern)) {
        const struct model_str both[] = {path, shown};
        size_t n = strlen(pattern);
        while (n > 1 && pattern[n - 1] == '/')
            pattern[--n] = 0;
        for (int i = 0; i < 2; i++)
            if (points_match(pattern, both[i].p, both[i].n) ||
                (both[i].n > n && both[i].p[n] == '/' && memcmp(both[i].p, pattern, n) == 0))
                return true;
    }
    return false;
}

static bool starts_with(struct model_str path, const char *start)
{
    size_t n = strlen(start);
    return path.n > n && memcmp(path.p, start, n) == 0;
}

/* Whether a source file is told of. */
static bool keep(void *user, struct model_str path)
{
    const struct work *w = user;
    struct model_str shown = coverage_path(&w->view, path);
    bool system = starts_with(path, "/usr/include/") || starts_with(path, "/usr/lib/");
    if (given(w->o->include) && !is_like(w->o->include, path, shown))
        return false;
    if (system && !w->o->system && !given(w->o->include))
        return false;
    return !given(w->o->exclude) || !is_like(w->o->exclude, path, shown);
}

/* ---- telling ---- */

static void look(struct work *w)
{
    struct tty tty;
    struct timespec now;
    tty_look(&tty, w->aside ? STDERR_FILENO : STDOUT_FILENO, TTY_AUTO);
    clock_gettime(CLOCK_REALTIME, &now);
    source_lines_init(&w->lines, UINT64_MAX);
    w->view = (struct coverage_view){.width = w->o->width    ? (uint32_t)w->o->width
                                              : tty.terminal ? tty.width
                                                             : 0,
                                     .top = (uint32_t)w->o->top,
                                     .colour = tty.colour,
                                     .functions = w->o->function,
                                     .base = getcwd(w->cwd, sizeof w->cwd),
                                     .line = source_lines_get,
                                     .user = &w->lines};
}

static int print(const struct work *w, struct buf *b)
{
    if (!w->aside)
        return cli_print(b);
    struct out *out;
    if (out_fd_open(&out, STDERR_FILENO, "standard error") < 0)
        return CLI_FAILED;
    (void)out_write_buf(out, b); /* who does not listen is not told */
    out_close(out);
    return CLI_OK;
}

/* Files whose path ends with what was said; several are asked about. */
static const struct coverage_file *find_source(const struct work *w, const char *name)
{
    const struct coverage_file *found = NULL;
    size_t n = strlen(name);
    for (size_t i = 0; i < w->c.files.count; i++) {
        const struct coverage_file *f = &w->c.files.items[i];
        struct model_str path = coverage_string(&w->c, f->name);
        bool ends = path.n >= n && memcmp(path.p + path.n - n, name, n) == 0 &&
                    (path.n == n || path.p[path.n - n - 1] == '/' || name[0] == '/');
        if (ends && found) {
            struct model_str other = coverage_string(&w->c, found->name);
            cli_fail("cov: --source %s: both %.*s and %.*s; say more of the path", name,
                     (int)other.n, other.p, (int)path.n, path.p);
            return NULL;
        }
        found = ends ? f : found;
    }
    if (!found)
        cli_fail("cov: --source %s: no line of such a file is known", name);
    return found;
}

static int write_file(struct work *w, const char *path)
{
    struct buf b;
    buf_init(&b);
    if (ends_with(path, ".info"))
        coverage_put_lcov(&w->c, &b);
    else if (ends_with(path, ".json"))
        coverage_json(&w->c, &w->view, &b);
    else
        coverage_html(&w->c, &w->view, &b);
    int status =
        b.failed ? cli_fail("%s: out of memory", path)
                 : shared_write(path, &b, ends_with(path, ".html") ? ", open it in a browser" : "");
    buf_done(&b);
    return status;
}

static int tell(struct work *w)
{
    struct buf b;
    int status = CLI_OK;
    const struct coverage_file *source = NULL;
    if (given(w->o->source) && !(source = find_source(w, w->o->source)))
        return CLI_FAILED;
    buf_init(&b);
    if (w->o->json)
        coverage_json(&w->c, &w->view, &b);
    else if (source)
        coverage_source(&w->c, source, &w->view, &b);
    else
        coverage_text(&w->c, &w->view, &b);
    status = b.failed ? cli_fail("cov: out of memory") : print(w, &b);
    buf_done(&b);
    if (status == CLI_OK && given(w->o->output) && w->lost)
        status = cli_fail("%s: not written: it would lack what could not be read", w->o->output);
    else if (status == CLI_OK && given(w->o->output))
        status = write_file(w, w->o->output);
    return status;
}

static int judge(const struct work *w)
{
    struct coverage_sum s = coverage_sum_all(&w->c);
    double part = s.lines ? 100.0 * (double)s.lines_hit / (double)s.lines : 0;
    if (w->lost)
        return CLI_FAILED;
    if (w->least < 0 || part >= w->least)
        return CLI_OK;
    return cli_fail("cov: %.2f %% of the lines were executed, fewer than %g %%", part, w->least);
}

/* ---- reading ---- */

static void finish(struct work *w)
{
    const struct cov_trouble *t = &w->in.trouble;
    if (t->note[0])
        cli_note("%s", t->note);
    if (t->lost > 1)
        cli_fail("%s; %zu more %s lost, too", t->why, t->lost - 1,
                 num_noun(t->lost - 1, "file was", "files were"));
    else if (t->lost)
        cli_fail("%s", t->why);
    w->lost += t->lost;
    coverage_finish(&w->c, keep, w);
    w->view.method = w->in.method;
}

static int add_objects(struct work *w)
{
    const char *list = w->o->object;
    char path[4096];
    int rc = 0;
    while (rc == 0 && next_of(&list, path, sizeof path))
        rc = cov_inputs_object(&w->in, path);
    return rc;
}

/* A word that cannot be read costs itself, and the exit status. */
static int read_words(struct work *w, char *const words[], int count, struct oriel_err *err)
{
    int rc = add_objects(w);
    for (int i = 0; i < count && rc == 0; i++)
        if (cov_inputs_add(&w->in, words[i], err) < 0) {
            cli_fail("%s", err->text);
            w->lost++;
        }
    return rc ? rc : cov_inputs_read(&w->in, err);
}

static int begin(struct work *w, const struct cov_options *o, bool aside)
{
    *w = (struct work){.o = o, .aside = aside};
    int rc = coverage_init(&w->c);
    cov_inputs_init(&w->in, &w->c, o->gcov);
    look(w);
    return rc;
}

static void end(struct work *w)
{
    cov_inputs_done(&w->in);
    source_lines_done(&w->lines);
    coverage_done(&w->c);
}

/* The newest run of coverage, when nothing is named. */
static int newest(char *out, size_t n, struct oriel_err *err)
{
    struct runs runs;
    int rc = runs_list(&runs);
    if (rc < 0)
        return err_set(err, rc, "%s: %s", RUNS_DIR, err_text(rc));
    rc = ORIEL_ENOTFOUND;
    for (size_t i = 0; i < runs.count && rc < 0; i++)
        if (runs.items[i].coverage) {
            (void)snprintf(out, n, "%s", runs.items[i].dir);
            rc = 0;
        }
    runs_done(&runs);
    return rc ? err_set(err, rc,
                        "no run of coverage in %s yet; make one with: oriel cov -- PROGRAM (built "
                        "with --coverage), or oriel cov --binary -- PROGRAM",
                        RUNS_DIR)
              : 0;
}

static int read_and_tell(const struct cov_options *o, char *const words[], int count)
{
    struct work w;
    struct oriel_err err = {0};
    char dir[RUNS_PATH_BYTES];
    char *const latest[] = {dir};
    int rc = begin(&w, o, false);
    int status = rc == 0 ? check(&w) : CLI_FAILED;
    if (status == CLI_OK && count == 0)
        rc = newest(dir, sizeof dir, &err);
    if (status == CLI_OK && rc == 0)
        rc = read_words(&w, count ? words : latest, count ? count : 1, &err);
    if (status == CLI_OK && rc == 0) {
        finish(&w);
        status = w.c.files.count ? tell(&w) : w.lost ? CLI_FAILED : cli_fail("cov: " NOTHING_LEFT);
        if (status == CLI_OK)
            status = judge(&w);
    } else if (rc < 0) {
        status = cli_fail("%s", err.code ? err.text : err_text(rc));
    }
    end(&w);
    return status;
}

/* ---- comparing ---- */

static int tell_diff(struct work *after, const struct coverage_diff *d)
{
    struct buf b;
    buf_init(&b);
    if (after->o->json)
        coverage_diff_json(d, &after->view, &b);
    else
        coverage_diff_text(d, &after->view, &b);
    int status = b.failed ? cli_fail("cov: out of memory") : cli_print(&b);
    buf_done(&b);
    if (status == CLI_OK)
        status = judge(after);
    if (status == CLI_OK && after->o->fail_lost && d->lost)
        status = cli_fail("cov: %llu %s not executed any more", (unsigned long long)d->lost,
                          num_noun(d->lost, "line is", "lines are"));
    return status;
}

static int run_diff(const struct cov_options *o, char *const words[], int count)
{
    struct work sides[2];
    struct coverage_diff d = {0};
    struct oriel_err err = {0};
    if (count != 2)
        return cli_usage("cov diff: two sides: a run, a tracefile or a directory each");
    int rc = begin(&sides[0], o, false), second = begin(&sides[1], o, false);
    int status = check(&sides[1]);
    rc = rc ? rc : second;
    for (int i = 0; i < 2 && rc == 0 && status == CLI_OK; i++) {
        rc = read_words(&sides[i], words + i, 1, &err);
        if (rc == 0)
            finish(&sides[i]);
        if (sides[i].lost) /* which was said: half a side would lie */
            status = CLI_FAILED;
    }
    if (rc == 0 && status == CLI_OK)
        rc = coverage_diff(&sides[0].c, &sides[1].c, &d);
    if (rc < 0)
        status = cli_fail("%s", err.code ? err.text : err_text(rc));
    else if (status == CLI_OK)
        status = tell_diff(&sides[1], &d);
    coverage_diff_done(&d);
    end(&sides[0]);
    end(&sides[1]);
    return status;
}

/* ---- running ---- */

struct running {
    struct work w;
    char exe[PATH_MAX], dir[RUNS_PATH_BYTES], sent[PATH_MAX];
    char **argv;
    int status; /* of the program, as from waitpid */
};

static int choose_sent(struct running *r, struct oriel_err *err)
{
    char path[RUNS_PATH_BYTES + sizeof "/" COV_SENT];
    (void)snprintf(path, sizeof path, "%s/" COV_SENT, r->dir);
    if (mkdir(path, 0700) != 0 || !realpath(path, r->sent))
        return err_set(err, ORIEL_EIO, "%s: cannot be made", path);
    return 0;
}

/* The run-time libraries of the compilers write at the end of each process, by these
 * variables, into the run's directory; children that are such programs do, too. */
static int run_counting(struct running *r, struct oriel_err *err)
{
    char prefix[PATH_MAX + 32], strip[] = "GCOV_PREFIX_STRIP=0", profile[PATH_MAX + 64];
    char *const settings[] = {prefix, strip, profile, NULL};
    struct child child;
    int rc = choose_sent(r, err);
    if (rc < 0)
        return rc;
    (void)snprintf(prefix, sizeof prefix, "GCOV_PREFIX=%s", r->sent);
    /* %4m: one file for each binary, to which its processes add. */
    (void)snprintf(profile, sizeof profile, "LLVM_PROFILE_FILE=%s/%%4m.profraw", r->sent);
    rc = child_start(&child, r->exe, r->argv, settings, err);
    if (rc < 0)
        return rc;
    while (!child_poll(&child))
        child_sleep(&child, WAIT_NS, -1, -1);
    child_release(&child);
    r->status = child.status;
    return 0;
}

static int collect_counts(struct running *r, struct oriel_err *err)
{
    struct cov_inputs *in = &r->w.in;
    int rc = given(r->w.o->object) ? add_objects(&r->w) : cov_inputs_object(in, r->exe);
    if (rc == 0)
        rc = cov_inputs_add_sent(in, r->sent, err);
    if (rc == 0 && in->notes.count + in->profiles.count == 0)
        rc = err_set(err, ORIEL_ENOTFOUND,
                     "%s: left no counts: build it with --coverage, or -fprofile-instr-generate "
                     "-fcoverage-mapping (clang), or use oriel cov --binary; a program that is "
                     "killed, or ends with _exit, leaves none",
                     r->argv[0]);
    return rc ? rc : cov_inputs_read(in, err);
}

static int run_binary(struct running *r, struct oriel_err *err)
{
    struct cov_paths objects = {0};
    int rc = given(r->w.o->object) ? add_objects(&r->w) : cov_inputs_object(&r->w.in, r->exe);
    for (size_t i = 0; i < r->w.in.objects.count && rc == 0; i++)
        rc = cov_paths_add(&objects, r->w.in.objects.items[i]);
    if (rc == 0)
        rc = cov_binary_run(&r->w.c, r->exe, r->argv, &objects, &r->status, r->w.in.trouble.note,
                            sizeof r->w.in.trouble.note, err);
    cov_inputs_method(&r->w.in, "breakpoints");
    VEC_DONE(&objects);
    return rc;
}

static int tell_run(struct running *r, struct oriel_err *err)
{
    struct work *w = &r->w;
    finish(w);
    if (w->c.files.count == 0)
        return err_set(err, ORIEL_ENOTFOUND, "%s", w->lost ? "" : "cov: " NOTHING_LEFT);
    coverage_hash_texts(&w->c, source_lines_get, &w->lines);
    int rc = cov_store(r->dir, &w->c, w->in.method, r->exe, r->argv, err);
    if (rc < 0)
        return rc;
    int status = tell(w);
    cli_note("%s: stored; oriel cov --source FILE shows the lines", r->dir);
    return status == CLI_OK && judge(w) == CLI_OK ? 0 : err_set(err, ORIEL_ESTATE, "%s", "");
}

static int start(struct running *r, struct oriel_err *err, bool *out_ran)
{
    const char *name = given(r->w.o->name) ? r->w.o->name : r->argv[0];
    int rc = runs_make(name, time(NULL), r->dir, sizeof r->dir, err);
    if (rc < 0)
        return rc;
    rc = r->w.o->binary ? run_binary(r, err) : run_counting(r, err);
    *out_ran = rc == 0;
    if (rc == 0 && !r->w.o->binary)
        rc = collect_counts(r, err);
    if (rc == 0)
        rc = tell_run(r, err);
    if (r->sent[0])
        cov_store_remove(r->sent);
    (void)rmdir(r->dir); /* when nothing was stored */
    return rc;
}

/* What the program returned goes before what we think of it. */
static int run_program(const struct cov_options *o, char **argv)
{
    struct running r = {.argv = argv};
    struct oriel_err err = {0};
    bool ran = false;
    int rc = begin(&r.w, o, true), status = CLI_FAILED;
    if (rc == 0 && o->json) {
        end(&r.w);
        return cli_usage("cov: standard output belongs to the program: -o FILE.json writes JSON");
    }
    if (rc == 0 && (status = check(&r.w)) == CLI_OK) {
        rc = child_find(argv[0], r.exe, sizeof r.exe, &err);
        status = rc == ORIEL_EPERM ? CLI_NOT_EXECUTABLE : rc < 0 ? CLI_NOT_FOUND : CLI_FAILED;
        if (rc == 0)
            rc = start(&r, &err, &ran);
        if (rc < 0 && err.text[0])
            cli_fail("%s", err.text);
        if (rc == 0)
            status = CLI_OK;
    }
    end(&r.w);
    bool well = ran && r.status == 0;
    return ran && !well ? child_exit_like(r.status) : status;
}

static int run(const struct cli_call *call)
{
    const struct cov_options *o = call->options;
    int split = call->arg_count;
    for (int i = 0; i < split; i++)
        if (strcmp(call->args[i], "--") == 0)
            split = i;
    if (split == call->arg_count && o->binary)
        return cli_usage("cov: --binary wants a program: oriel cov --binary -- PROGRAM");
    if (split == call->arg_count && split > 0 && strcmp(call->args[0], "diff") == 0)
        return run_diff(o, call->args + 1, split - 1);
    if (split == call->arg_count)
        return read_and_tell(o, call->args, split);
    if (split > 0)
        return cli_usage("cov: \"%s\": files to read, or a program behind --, not both",
                         call->args[0]);
    if (split + 1 == call->arg_count)
        return cli_usage("cov: the program is missing behind --");
    return run_program(o, call->args + split + 1);
}

const struct cli_command cli_command_cov = {
    .name = "cov",
    .summary = "tell which lines, branches and functions of a program were executed",
    .args = "[FILE...] | diff A B | -- PROGRAM [ARGS...]",
    .description =
        "Runs a program that was built to count (--coverage, clang -fprofile-instr-generate "
        "-fcoverage-mapping), or, with --binary, any program that has debug information, by a "
        "breakpoint at each line that goes when it is reached. Or reads what is there: "
        "directories of a build, .gcda, .profraw and .profdata files (with --object), tracefiles "
        "of lcov, earlier runs; several are added up; without any, the newest run. diff names the "
        "lines that lost their coverage. The exit status is the program's.",
    .examples = "oriel cov -- ./tests/unit\n"
                "oriel cov --binary -- ./prog input      # as it is, not built for it\n"
                "oriel cov --source parse.c\n"
                "oriel cov --fail-under 80% build/       # for CI\n"
                "oriel cov diff @2 @1\n"
                "oriel cov -o all.info a.info b.info     # added up",
    .options = options,
    .options_size = sizeof(struct cov_options),
    .max_args = -1,
    .program = true,
    .sides = true,
    .run = run,
};
