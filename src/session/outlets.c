/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which outlets a configuration means. The local tier names its files after the
 * session; what OTLP is to send, and where, is the standard's to say. One thread.
 */
#include "session/outlets.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "session/console.h"
#include "session/outlet.h"
#include "session/programs.h"
#include "session/sending.h"
#include "util/left_out.h"

static const char otlp[] = "otlp"; /* the outlet behind backend = "otlp" */

/* ---- files ---- */

/* DIRECTORY/{session id}_{timestamp}, behind a change with its number */
static int make_stem(const struct outlets_wish *w, const char *dir, char *out, size_t n)
{
    char hex[33], stamp[32] = "0";
    time_t now = time(NULL);
    struct tm tm;
    model_trace_hex(w->session_id, hex);
    if (gmtime_r(&now, &tm))
        strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
    char serial[16] = "";
    if (w->serial)
        snprintf(serial, sizeof serial, "_%u", w->serial);
    int size = snprintf(out, n, "%s/%s_%s%s", dir, hex, stamp, serial);
    return size > 0 && (size_t)size + 32 < n ? 0 : ORIEL_EINVAL;
}

static const struct exporter *find_outlet(const char *name, size_t n, struct oriel_err *err)
{
    char text[32], why[LEFT_OUT_WHY_BYTES];
    const int size = n < sizeof text ? (int)n : (int)sizeof text - 1;
    snprintf(text, sizeof text, "%.*s", size, name);
    const struct exporter *e = export_find(text);
    if (!e && left_out_find("EXPORTER", text, strlen(text), why))
        err_set(err, ORIEL_EINVAL, "outlets: %s: %s", text, why);
    else if (!e)
        err_set(err, ORIEL_EINVAL, "outlets: no outlet is called \"%s\"", text);
    return e;
}

static int add_file(const struct outlets_wish *w, const char *name, size_t n, const char *stem,
                    struct oriel_err *err)
{
    char path[512];
    struct out *out;
    const struct exporter *e = find_outlet(name, n, err);
    if (!e)
        return ORIEL_EINVAL;
    snprintf(path, sizeof path, "%s%s", stem, e->suffix);
    int rc = out_file_open(&out, path, false, err);
    if (rc < 0)
        return rc;
    rc = session_add_outlet(w->session, e, config_section_options(w->config, e->name), out, err);
    if (rc < 0)
        (void)unlink(path); /* there is nothing in it */
    return rc;
}

/* A program that went into the background is somewhere else than where it was started. */
static const char *directory_of(const struct outlets_wish *w, char *room, size_t n)
{
    const char *dir = config_telemetry(w->config)->trace_dir;
    if (dir[0] == '/' || !w->where || !w->where[0])
        return dir;
    int size = snprintf(room, n, "%s/%s", w->where, dir);
    return size > 0 && (size_t)size < n ? room : dir;
}

static int add_files(const struct outlets_wish *w, struct oriel_err *err)
{
    const struct config_telemetry *t = config_telemetry(w->config);
    char stem[480], room[480];
    const char *dir = directory_of(w, room, sizeof room);
    int rc = out_make_dir(dir, true, err);
    if (rc == 0)
        rc = make_stem(w, dir, stem, sizeof stem);
    for (const char *p = t->outlets; rc == 0;) {
        size_t n = strcspn(p, ",");
        rc = add_file(w, p, n, stem, err);
        if (!p[n])
            break;
        p += n + 1;
    }
    return rc;
}

static int check_files(const struct outlets_wish *w, struct oriel_err *err)
{
    const struct config_telemetry *t = config_telemetry(w->config);
    int rc = out_check_dir(t->trace_dir, err);
    for (const char *p = t->outlets; rc == 0;) {
        const size_t n = strcspn(p, ",");
        rc = find_outlet(p, n, err) ? 0 : ORIEL_EINVAL;
        if (!p[n])
            break;
        p += n + 1;
    }
    return rc;
}

/* ---- receivers ---- */

/* OTEL_TRACES_EXPORTER and OTEL_LOGS_EXPORTER choose among the signals. */
static unsigned signals_of(const struct config *c)
{
    const struct config_telemetry *t = config_telemetry(c);
    if (!config_choose(c).otlp)
        return 0;
    return (config_has_item(t->traces_exporter, otlp) ? 1u << CONFIG_TRACES : 0) |
           (config_has_item(t->logs_exporter, otlp) ? 1u << CONFIG_LOGS : 0);
}

static struct sending sending_of(const struct outlets_wish *w, unsigned signals)
{
    return (struct sending){.size = sizeof(struct sending),
                            .exporter = export_find(otlp),
                            .options = config_section_options(w->config, otlp),
                            .config = w->config,
                            .signals = signals,
                            .fetch = w->fetch,
                            .say = w->say,
                            .user = w->user,
                            .where = w->names};
}

static int add_receivers(const struct outlets_wish *w, unsigned signals, struct oriel_err *err)
{
    const struct sending how = sending_of(w, signals);
    return sending_add(w->session, &how, NULL, err);
}

/* ---- standard output, for whoever named it ---- */

static int say_option(const struct exporter *e, void *options, const char *name, const char *text)
{
    const struct option_def *d = option_find(e->options, name, strlen(name));
    assert(d);
    return option_set(d, options, text, NULL);
}

/* Takes the options; `rc` is what became of them so far. */
static int add_console(const struct outlets_wish *w, const struct exporter *e, void *options,
                       int rc, struct oriel_err *err)
{
    struct out *out;
    if (rc == 0)
        rc = console_open(&out, err);
    if (rc == 0)
        rc = session_add_outlet(w->session, e, options, out, err);
    outlet_options_free(e, options);
    return rc;
}

/* "console": lines for people, as the log outlet has them. */
static int add_lines(const struct outlets_wish *w, bool traces, bool logs, struct oriel_err *err)
{
    const struct exporter *e = export_find("log");
    void *options = NULL;
    int rc = outlet_options_copy(e, config_section_options(w->config, e->name), &options);
    if (rc == 0)
        rc = say_option(e, options, "spans", traces ? "true" : "false");
    if (rc == 0)
        rc = say_option(e, options, "events", logs ? "true" : "false");
    return add_console(w, e, options, rc, err);
}

/* "otlp/stdout": a request of OTLP on each line. */
static int add_requests(const struct outlets_wish *w, bool traces, bool logs, struct oriel_err *err)
{
    const struct sending how = sending_of(w, 0);
    void *options = NULL;
    int rc = sending_options(&how, &options);
    if (rc == 0)
        rc = say_option(how.exporter, options, "encoding", "json");
    if (rc == 0)
        rc = say_option(how.exporter, options, "signals",
                        !logs     ? "traces"
                        : !traces ? "logs"
                                  : "all");
    return add_console(w, how.exporter, options, rc, err);
}

static int add_consoles(const struct outlets_wish *w, struct oriel_err *err)
{
    static const struct {
        const char *name;
        int (*add)(const struct outlets_wish *w, bool traces, bool logs, struct oriel_err *err);
    } ways[] = {{"console", add_lines}, {CONFIG_OTLP_STDOUT, add_requests}};
    const struct config_telemetry *t = config_telemetry(w->config);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof ways / sizeof *ways; i++) {
        const bool traces = config_has_item(t->traces_exporter, ways[i].name);
        const bool logs = config_has_item(t->logs_exporter, ways[i].name);
        if (traces || logs)
            rc = ways[i].add(w, traces, logs, err);
    }
    return rc;
}

/* ---- all of them ---- */

/* Those of the program are SDK, too: what switches that off leaves them alone. */
static bool wants_programs(const struct config *c)
{
    return config_choose(c).program && programs_any(c);
}

static int add_programs(const struct outlets_wish *w, struct oriel_err *err)
{
    const struct programs_wish wish = {.session = w->session,
                                       .config = w->config,
                                       .deadline_ns = w->deadline_ns,
                                       .say = w->say,
                                       .user = w->user};
    return programs_add(&wish, err);
}

bool outlets_any(const struct config *c)
{
    const struct config_choice choice = config_choose(c);
    return choice.local || choice.console || signals_of(c) || wants_programs(c);
}

/* A service's directory is often one that it cannot write to: what else there is goes on. Not so
 * where there are outlets already: they stay. */
static int add_local(const struct outlets_wish *w, bool alone,
                     int (*add)(const struct outlets_wish *w, struct oriel_err *err),
                     struct oriel_err *err)
{
    struct oriel_err why = {0};
    char line[sizeof why.text + 64];
    int rc = add(w, &why);
    if (rc == 0)
        return 0;
    const char *text = why.text[0] ? why.text : err_text(rc);
    if (alone)
        return err_set(err, rc, "%s (trace_dir says where files go)", text);
    snprintf(line, sizeof line, "no local files: %s (trace_dir says where they go)", text);
    if (w->warn)
        w->warn(line);
    return 0;
}

int outlets_add(const struct outlets_wish *w, struct oriel_err *err)
{
    const struct config_choice choice = config_choose(w->config);
    const unsigned which = w->which ? w->which : SESSION_FILES | SESSION_RECEIVERS;
    const unsigned signals = which & SESSION_RECEIVERS ? signals_of(w->config) : 0;
    const bool alone = w->which || (!choice.console && !signals);
    int rc = which & SESSION_FILES && choice.local ? add_local(w, alone, add_files, err) : 0;
    if (rc == 0 && which & SESSION_FILES && choice.console)
        rc = add_consoles(w, err);
    if (rc == 0 && !w->which && wants_programs(w->config)) /* they are never changed */
        rc = add_programs(w, err);
    return rc == 0 && signals ? add_receivers(w, signals, err) : rc;
}

int outlets_check(const struct config *c, void (*warn)(const char *line), struct oriel_err *err)
{
    const struct config_choice choice = config_choose(c);
    const struct outlets_wish w = {.config = c, .warn = warn};
    const unsigned signals = signals_of(c);
    const bool alone = !choice.console && !signals;
    int rc = choice.local ? add_local(&w, alone, check_files, err) : 0;
    struct sending how = sending_of(&w, signals);
    how.check = true;
    return rc == 0 && signals ? sending_add(NULL, &how, NULL, err) : rc;
}
