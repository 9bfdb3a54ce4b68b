/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel export: a capture into any outlet, or to a receiver. Never writes over what
 * it reads, nor over another file unless told to.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/reading.h"
#include "cli/shared.h"
#include "cli/spooled.h"
#include "cli/stopping.h"
#include "cli/symbolize.h"
#include "session/sending.h"
#include "util/left_out.h"
#include "util/num.h"

struct export_command {
    const char *to, *output, *spool;
    bool force;
};

#define AT(member) .offset = offsetof(struct export_command, member)
static const struct option_def options[] = {
    {.name = "to",
     .type = OPTION_STRING,
     AT(to),
     .arg = "OUTLET",
     .help =
         "capture, chrome, perfetto, log, otlp, pprof, speedscope, firefox, callgrind, folded or "
         "perf"},
    SHARED_OUTPUT(AT(output), "where to write; - is standard output (default: beside FILE)"),
    SHARED_FORCE(AT(force), "file"),
    {.name = "spool",
     .type = OPTION_STRING,
     AT(spool),
     .filled = true,
     .arg = "DIR",
     .help = "instead of FILE: send what programs left there when their receiver was away"},
    OPTION_END,
};

static int unknown_outlet(const char *name)
{
    char names[256] = "", why[LEFT_OUT_WHY_BYTES];
    size_t at = 0;
    if (name && left_out_find("EXPORTER", name, strlen(name), why))
        return cli_usage("export: --to %s: %s", name, why);
    for (size_t i = 0; export_registry[i] && at < sizeof names; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "",
                               export_registry[i]->name);
    if (!name || !name[0])
        return cli_usage("export: --to OUTLET is missing; outlets: %s", names);
    return cli_usage("export: no outlet is called \"%s\"; outlets: %s", name, names);
}

/* FILE with the suffix of the outlet in place of its own ".oriel". */
static bool default_output(const char *path, const char *suffix, char *out, size_t n)
{
    size_t len = strlen(path);
    if (len > 6 && strcmp(path + len - 6, ".oriel") == 0)
        len -= 6;
    int size = snprintf(out, n, "%.*s%s", (int)len, path, suffix);
    return size > 0 && (size_t)size < n;
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Where to write, checked: never over the input, never over a file unasked. */
static int choose_output(const struct cli_call *call, const char *path, char *out, size_t n)
{
    const struct export_command *o = call->options;
    struct stat st;
    if (o->output && o->output[0]) {
        int size = snprintf(out, n, "%s", o->output);
        if (size < 0 || (size_t)size >= n)
            return cli_usage("export: the output path is too long");
    } else if (!default_output(path, call->outlet->suffix, out, n)) {
        return cli_usage("export: the path is too long, give -o");
    }
    if (strcmp(out, "-") == 0)
        return CLI_OK;
    if (same_file(path, out))
        return cli_usage("export: %s is the file to read; name another one with -o", out);
    if (stat(out, &st) == 0 && S_ISDIR(st.st_mode))
        return cli_fail("%s: is a directory; name a file with -o", out);
    if (!o->force && lstat(out, &st) == 0 && S_ISREG(st.st_mode))
        return cli_fail("%s: exists; -f overwrites it, -o names another one", out);
    return CLI_OK;
}

/* Where it goes: beside the file that is asked for, until it is whole. */
struct target {
    const char *path;
    char beside[4200]; /* "" none: it is written where it belongs */
    mode_t mode;       /* of the file that it takes the place of; 0: there is none */
};

#define PART ".oriel-part-" /* a name that nobody else gives: what is left of it may be removed */

/* Whether `name` is "base.oriel-part-PID" of a process that is gone. */
static bool is_left(const char *name, const char *base, size_t n)
{
    char again[24];
    if (strncmp(name, base, n) != 0 || strncmp(name + n, PART, sizeof PART - 1) != 0)
        return false;
    const long pid = strtol(name + n + sizeof PART - 1, NULL, 10);
    snprintf(again, sizeof again, "%ld", pid);
    return pid > 0 && pid <= INT32_MAX && strcmp(again, name + n + sizeof PART - 1) == 0 &&
           kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/* One in another namespace of processes has a PID that is none here, but holds its lock. */
static void remove_left(int dir, const char *name)
{
    struct stat st;
    const int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink == 1 &&
        flock(fd, LOCK_EX | LOCK_NB) == 0)
        (void)unlinkat(dir, name, 0);
    close(fd);
}

/* What exports to the same path left when they were killed. */
static void remove_all_left(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    char folder[4200];
    const int n = snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash + 1 - path) : 1,
                           slash ? path : ".");
    DIR *d = n > 0 && (size_t)n < sizeof folder ? opendir(folder) : NULL;
    for (struct dirent *e; d && (e = readdir(d));)
        if (is_left(e->d_name, base, strlen(base)))
            remove_left(dirfd(d), e->d_name);
    if (d)
        closedir(d);
}

/* What stands at the path is asked whether it may be written at all, and stays what it is. Not for
 * a device, nor where nothing can be made beside the file. */
static int open_beside(struct target *t, struct out **out, struct oriel_err *err)
{
    struct stat st;
    struct out *before;
    const bool there = lstat(t->path, &st) == 0;
    const int n = snprintf(t->beside, sizeof t->beside, "%s" PART "%d", t->path, (int)getpid());
    int rc = 0;
    if ((there && !S_ISREG(st.st_mode)) || n < 0 || (size_t)n >= sizeof t->beside) {
        t->beside[0] = 0;
        return out_file_open(out, t->path, false, err);
    }
    if (there) {
        rc = out_file_open(&before, t->path, true, err);
        if (rc < 0)
            return rc;
        out_close(before);
        t->mode = st.st_mode & 07777;
    }
    remove_all_left(t->path);
    rc = out_file_open(out, t->beside, false, err);
    if (rc < 0) {
        t->beside[0] = 0;
        return there && rc == ORIEL_EPERM ? out_file_open(out, t->path, false, err) : rc;
    }
    snprintf((*out)->path, sizeof(*out)->path, "%s", t->path); /* for messages */
    return 0;
}

static int open_output(struct target *t, struct out **out, struct oriel_err *err)
{
    if (strcmp(t->path, "-") != 0)
        return open_beside(t, out, err);
    int rc = out_fd_open(out, STDOUT_FILENO, "-");
    return rc < 0 ? err_set(err, rc, "standard output: %s", err_text(rc)) : 0;
}

/* Whole, with the mode of the file before it; or not at all. */
static int settle_output(struct target *t, int rc, struct oriel_err *err)
{
    if (!t->beside[0])
        return rc;
    if (rc == 0 && ((t->mode && chmod(t->beside, t->mode) != 0) || rename(t->beside, t->path) != 0))
        rc = err_set_errno(err, errno, "%s", t->path);
    if (rc < 0)
        (void)unlink(t->beside);
    return rc;
}

static void say_samples(const struct reading *r, const struct exporter *e)
{
    char count[NUM_TEXT_MAX];
    struct session_counts c;
    session_get_counts(r->session, &c);
    const uint64_t n = session_samples(&c);
    if (n && export_leaves_samples(e))
        cli_note("left behind: %s %s: %s has no place for them; oriel export --to perfetto, pprof "
                 "or firefox has",
                 num_count(count, n), num_noun(n, "sample", "samples"), e->name);
}

/* "3 spans, " */
static void put_count(struct buf *b, uint64_t n, const char *one, const char *many)
{
    char count[NUM_TEXT_MAX];
    buf_printf(b, "%s %s, ", num_count(count, n), num_noun(n, one, many));
}

static void say_done(const struct reading *r, const struct exporter *e, const char *path)
{
    struct session_counts c;
    struct stat st;
    struct buf b;
    char bytes[NUM_TEXT_MAX];
    session_get_counts(r->session, &c);
    if (stat(path, &st) != 0)
        return;
    const uint64_t samples = export_leaves_samples(e) ? 0 : session_samples(&c);
    buf_init(&b);
    if (reading_spans(&c) || reading_events(&c) || !samples) {
        put_count(&b, reading_spans(&c), "span", "spans");
        put_count(&b, reading_events(&c), "event", "events");
    }
    if (samples)
        put_count(&b, samples, "sample", "samples");
    cli_note("%s: %s%s", path, buf_cstr(&b), num_bytes(bytes, (uint64_t)st.st_size));
    buf_done(&b);
}

/* Everything is read, named and brought to an end. */
static int run_all(const struct cli_call *call, struct reading *r, struct oriel_err *out_err)
{
    struct oriel_err err = {0};
    int rc = reading_run(r, &err);
    if (rc == 0 && call->outlet->wants & EXPORT_SYMBOLS &&
        symbolize(session_catalog(r->session), false) < 0)
        rc = err_set(&err, ORIEL_ENOMEM, "reading symbols: %s", err_text(ORIEL_ENOMEM));
    if (rc == 0 && call->outlet->wants & EXPORT_SEGMENTS &&
        symbolize_segments(session_catalog(r->session)) < 0)
        rc = err_set(&err, ORIEL_ENOMEM, "reading object files: %s", err_text(ORIEL_ENOMEM));
    if (r->cut)
        session_skip_rest(r->session);
    if (rc == 0)
        rc = session_finish(r->session, &err);
    *out_err = err;
    return rc;
}

static int export_file(const struct cli_call *call, struct reading *r, const char *output)
{
    struct oriel_err err = {0};
    struct out *out;
    struct target target = {.path = output};
    int rc = open_output(&target, &out, &err);
    if (rc == 0)
        rc = session_add_outlet(r->session, call->outlet, call->outlet_options, out, &err);
    if (rc == 0)
        rc = run_all(call, r, &err);
    rc = settle_output(&target, rc, &err);
    if (rc < 0 && strcmp(output, "-") == 0 && cli_reader_left())
        return cli_end_unheard(); /* `| head` has what it wanted */
    if (rc < 0)
        return cli_fail("%s", err.text);
    reading_say_damage(r);
    say_samples(r, call->outlet);
    if (session_outlet_note(r->session, 0)[0])
        cli_note("%s", session_outlet_note(r->session, 0));
    if (strcmp(output, "-") != 0)
        say_done(r, call->outlet, output);
    return CLI_OK;
}

/* ---- to a receiver ---- */

static bool is_over(void *unused)
{
    (void)unused;
    return stopping_asked();
}

/* No use in reading on. */
struct in_vain {
    const struct session *session;
    unsigned outlets;
};
static bool is_vain(void *user)
{
    const struct in_vain *v = user;
    return stopping_asked() || sending_is_vain(v->session, v->outlets);
}

/* The books, whichever way it ended. */
static int say_sent(const struct cli_call *call, const struct reading *r, const struct config *c,
                    unsigned count)
{
    char where[512], words[SENDING_WORDS_BYTES];
    bool all = !r->cut;
    reading_say_damage(r);
    sending_where(c, where, sizeof where);
    for (unsigned i = 0; i < count; i++) {
        all &= sending_words(r->session, i, words, sizeof words);
        cli_note("%s: %s", where, words);
    }
    say_samples(r, call->outlet);
    if (r->cut || (stopping_asked() && !all))
        cli_note("%s%s%s%s", stopping_asked() ? "interrupted" : "given up",
                 r->cut ? "; the rest of " : "", r->cut ? r->path : "",
                 r->cut ? " was not read" : "");
    return all ? CLI_OK : CLI_FAILED;
}

static int send_all(const struct cli_call *call, struct reading *r, const struct config *c)
{
    struct oriel_err err = {0};
    struct in_vain vain = {r->session, 0};
    sigset_t open;
    const struct sending how = {.size = sizeof how,
                                .exporter = call->outlet,
                                .options = call->outlet_options,
                                .config = c,
                                .patient = true,
                                .books = true,
                                .attended = true,
                                .over = is_over,
                                .environment = (const char *const *)environ,
                                .say = cli_pass_on};
    int rc = sending_add(r->session, &how, &vain.outlets, &err);
    if (rc == ORIEL_EINVAL || rc == ORIEL_EFORMAT)
        return cli_usage("export: %s", err.text);
    if (rc < 0)
        return cli_fail("export: %s", err.text);
    r->over = is_vain;
    r->user = &vain;
    stopping_catch(0, &open);
    rc = run_all(call, r, &err);
    const int status = rc < 0 ? cli_fail("%s", err.text) : say_sent(call, r, c, vain.outlets);
    stopping_release(&open);
    return status;
}

/* *out: what is said of the receiver; NULL: a file is to be written. */
static int choose_receiver(const struct cli_call *call, struct config **out)
{
    const struct export_command *o = call->options;
    struct oriel_err err = {0};
    const bool file = o->output && o->output[0];
    const bool given = sending_is_given(call->outlet, call->outlet_options);
    *out = NULL;
    if (given && file)
        return cli_usage("export: -o writes a file and --endpoint sends to a receiver: choose one");
    if (file || !call->outlet->destination)
        return CLI_OK;
    if (sending_configure(call->outlet, call->outlet_options, (const char *const *)environ, out,
                          &err) < 0)
        return cli_usage("export: %s", err.text);
    sending_warnings(*out, cli_pass_on, NULL);
    if (!given && !sending_is_asked(*out)) {
        config_free(*out);
        *out = NULL;
    }
    return CLI_OK;
}

static int run_spool(const struct cli_call *call, const struct config *receiver)
{
    const struct export_command *o = call->options;
    if (call->arg_count || (o->output && o->output[0]))
        return cli_usage(
            "export: --spool DIR takes the place of FILE, and goes to a receiver only");
    if (!receiver)
        return cli_usage("export: --spool needs a receiver: --to otlp --endpoint URL");
    const struct sending how = {.size = sizeof how,
                                .exporter = call->outlet,
                                .options = call->outlet_options,
                                .config = receiver,
                                .attended = true,
                                .environment = (const char *const *)environ,
                                .say = cli_pass_on};
    return spooled_send(&how, o->spool);
}

static int run(const struct cli_call *call)
{
    const struct export_command *o = call->options;
    struct oriel_err err = {0};
    struct reading r;
    char output[512];
    struct config *receiver;
    if (!call->outlet)
        return unknown_outlet(o->to);
    int status = choose_receiver(call, &receiver);
    if (status != CLI_OK)
        return status;
    if (o->spool && o->spool[0]) {
        status = run_spool(call, receiver);
        config_free(receiver);
        return status;
    }
    if (reading_open(&r, call->arg_count ? call->args[0] : NULL, &err) < 0) {
        config_free(receiver);
        return cli_fail("%s", err.text);
    }
    r.verb = receiver ? "sending" : "exporting";
    status = receiver ? CLI_OK : choose_output(call, r.path, output, sizeof output);
    if (receiver)
        status = send_all(call, &r, receiver);
    else if (status == CLI_OK)
        status = export_file(call, &r, output);
    reading_close(&r);
    config_free(receiver);
    return status;
}

const struct cli_command cli_command_export = {
    .name = "export",
    .summary = "turn a recording into another format",
    .args = "[FILE]",
    .description = "Reads a capture and writes it through an outlet; --to otlp also sends it to a "
                   "receiver, which --endpoint or $OTEL_EXPORTER_OTLP_ENDPOINT names, and fails "
                   "where that does not take all of it. FILE is a capture or the "
                   "directory of a run; without it, the newest run in .oriel/runs.",
    .examples = "oriel export --to perfetto c.oriel           # for ui.perfetto.dev\n"
                "oriel export --to log -o - c.oriel | less    # what was logged\n"
                "oriel export --to otlp --endpoint http://box:4317 c.oriel   # to a receiver\n"
                "oriel export --to otlp --endpoint http://box:4317 --spool DIR # the rest",
    .options = options,
    .options_size = sizeof(struct export_command),
    .max_args = 1,
    .outlet = true,
    .run = run,
};
