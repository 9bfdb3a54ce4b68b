/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which outlets a configuration means. The local tier names its files after the
 * session; what OTLP is to send, and where, is the standard's to say. One thread.
 */
#include "session/outlets.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "session/sending.h"

static const char otlp[] = "otlp"; /* the outlet behind backend = "otlp" */

/* ---- files ---- */

/* DIRECTORY/{session id}_{timestamp} */
static int make_stem(const struct outlets_wish *w, char *out, size_t n)
{
    char hex[33], stamp[32] = "0";
    time_t now = time(NULL);
    struct tm tm;
    model_trace_hex(w->session_id, hex);
    if (gmtime_r(&now, &tm))
        strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
    int size = snprintf(out, n, "%s/%s_%s", config_telemetry(w->config)->trace_dir, hex, stamp);
    return size > 0 && (size_t)size + 32 < n ? 0 : ORIEL_EINVAL;
}

static int add_file(const struct outlets_wish *w, const char *name, size_t n, const char *stem)
{
    char text[32], path[512];
    struct out *out;
    if (n == 0 || n >= sizeof text)
        return ORIEL_EINVAL;
    memcpy(text, name, n);
    text[n] = 0;
    const struct exporter *e = export_find(text);
    if (!e)
        return ORIEL_EINVAL;
    snprintf(path, sizeof path, "%s%s", stem, e->suffix);
    int rc = out_file_open(&out, path, false, NULL);
    return rc ? rc
              : session_add_outlet(w->session, e, config_section_options(w->config, text), out,
                                   NULL);
}

static int add_files(const struct outlets_wish *w)
{
    const struct config_telemetry *t = config_telemetry(w->config);
    char stem[480];
    int rc = out_make_dir(t->trace_dir, true, NULL);
    if (rc == 0)
        rc = make_stem(w, stem, sizeof stem);
    for (const char *p = t->outlets; rc == 0;) {
        size_t n = strcspn(p, ",");
        rc = add_file(w, p, n, stem);
        if (!p[n])
            break;
        p += n + 1;
    }
    return rc;
}

/* ---- receivers ---- */

static bool has_otlp(const char *list)
{
    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ",");
        if (n == sizeof otlp - 1 && memcmp(p, otlp, n) == 0)
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

/* OTEL_TRACES_EXPORTER and OTEL_LOGS_EXPORTER choose among the signals. */
static unsigned signals_of(const struct config *c)
{
    const struct config_telemetry *t = config_telemetry(c);
    if (!config_choose(c).otlp)
        return 0;
    return (has_otlp(t->traces_exporter) ? 1u << CONFIG_TRACES : 0) |
           (has_otlp(t->logs_exporter) ? 1u << CONFIG_LOGS : 0);
}

static int add_receivers(const struct outlets_wish *w, unsigned signals, struct oriel_err *err)
{
    const struct sending how = {.size = sizeof how,
                                .exporter = export_find(otlp),
                                .options = config_section_options(w->config, otlp),
                                .config = w->config,
                                .signals = signals,
                                .environment = w->environment,
                                .say = w->say,
                                .user = w->user};
    return sending_add(w->session, &how, NULL, err);
}

bool outlets_any(const struct config *c)
{
    return config_choose(c).local || signals_of(c);
}

int outlets_add(const struct outlets_wish *w, struct oriel_err *err)
{
    const unsigned signals = signals_of(w->config);
    int rc = config_choose(w->config).local ? add_files(w) : 0;
    return rc == 0 && signals ? add_receivers(w, signals, err) : rc;
}
