/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Watches files by what stat says of them, which sees files that editors put in
 * the place of others, too. Reads with the same care as at the start.
 */
#include "session/reload.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "export/exporter.h"
#include "session/session.h"
#include "session/settings.h"
#include "session/start_config.h"

/* ---- watching ---- */

static char *copy_text(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = mem_alloc(n);
    if (copy)
        memcpy(copy, text, n);
    return copy;
}

/* Absolute, for the program may go elsewhere. */
static bool watch(struct reload_file *f, const char *path)
{
    char full[PATH_MAX] = "";
    if (!path)
        return true;
    if (path[0] != '/' && !getcwd(full, sizeof full / 2))
        return true; /* nobody can say where it is */
    size_t n = strlen(full);
    if ((size_t)snprintf(full + n, sizeof full - n, "%s%s", n ? "/" : "", path) >= sizeof full - n)
        return true;
    f->path = copy_text(full);
    if (f->path && stat(f->path, &f->seen) != 0)
        memset(&f->seen, 0, sizeof f->seen);
    return f->path != NULL;
}

static bool copy_environment(struct reload *r, const char *const *environment)
{
    size_t n = 0;
    while (environment && environment[n])
        n++;
    r->environment = mem_calloc(n + 1, sizeof *r->environment);
    for (size_t i = 0; r->environment && i < n; i++)
        if (!(r->environment[i] = copy_text(environment[i])))
            return false;
    return r->environment != NULL;
}

int reload_init(struct reload *r, const char *const *environment)
{
    const struct settings_input in = {.size = sizeof in, .environment = environment};
    memset(r, 0, sizeof *r);
    bool ok =
        watch(&r->toml, settings_file(&in)) && watch(&r->declarative, settings_declarative(&in));
    if (ok)
        ok = copy_environment(r, environment);
    if (!ok)
        reload_done(r);
    return ok ? 0 : ORIEL_ENOMEM;
}

void reload_done(struct reload *r)
{
    for (char **e = r->environment; e && *e; e++)
        mem_free(*e);
    mem_free(r->environment);
    mem_free(r->toml.path);
    mem_free(r->declarative.path);
    memset(r, 0, sizeof *r);
}

/* A file that is gone is no change: it may be about to come back. */
static bool has_changed(struct reload_file *f)
{
    struct stat now;
    if (!f->path || stat(f->path, &now) != 0)
        return false;
    const struct stat *was = &f->seen;
    bool same =
        was->st_dev == now.st_dev && was->st_ino == now.st_ino && was->st_size == now.st_size &&
        was->st_mtim.tv_sec == now.st_mtim.tv_sec && was->st_mtim.tv_nsec == now.st_mtim.tv_nsec &&
        was->st_ctim.tv_sec == now.st_ctim.tv_sec && was->st_ctim.tv_nsec == now.st_ctim.tv_nsec;
    f->seen = now;
    return !same;
}

bool reload_due(struct reload *r, uint64_t now_ns, bool asked)
{
    const bool stirred = r->stirred;
    const uint64_t wait = stirred ? RELOAD_STILL_NS : RELOAD_LOOK_NS;
    if ((!r->toml.path && !r->declarative.path) ||
        (!asked && r->looked_ns && now_ns - r->looked_ns < wait))
        return false;
    r->looked_ns = now_ns ? now_ns : 1;
    bool toml = has_changed(&r->toml), declarative = has_changed(&r->declarative);
    r->stirred = (toml || declarative) && !asked;
    return asked || ((stirred || r->again) && !r->stirred);
}

bool reload_answered(struct reload *r, int rc)
{
    const bool said = r->again && rc == ORIEL_EBUSY;
    r->again = rc == ORIEL_EBUSY;
    return !said;
}

/* ---- loading ---- */

/* What the program said, with texts that outlive its options. */
struct said {
    struct config_set *sets;
    size_t count, room;
};

static void said_done(struct said *s)
{
    for (size_t i = 0; i < s->count; i++) {
        mem_free((char *)(uintptr_t)s->sets[i].key);
        mem_free((char *)(uintptr_t)s->sets[i].value);
    }
    mem_free(s->sets);
}

static int keep(void *user, const char *key, const char *value)
{
    struct said *s = user;
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 16;
        struct config_set *sets = mem_realloc(s->sets, room * sizeof *sets);
        if (!sets)
            return ORIEL_ENOMEM;
        s->sets = sets;
        s->room = room;
    }
    s->sets[s->count] = (struct config_set){copy_text(key), copy_text(value)};
    const struct config_set *set = &s->sets[s->count++];
    return set->key && set->value ? 0 : ORIEL_ENOMEM;
}

/* In place: which call sites record, which traces are sampled, and what Oriel says and waits for.
 */
static bool can_change(const char *key)
{
    static const char *const keys[] = {"filter",         "sampler",   "sample_rate",
                                       "sampling.rates", "log_level", "sampling.traces_per_s",
                                       "exit_ms"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return strcmp(key, "sampling.root") == 0 || strncmp(key, "sampling.remote_parent_", 23) == 0 ||
           strncmp(key, "sampling.local_parent_", 22) == 0 ||
           strncmp(key, CONFIG_COMPOSITE_KEY, strlen(CONFIG_COMPOSITE_KEY)) == 0;
}

/* Which outlets are made of it: those that write files, those that send. The table of an outlet
 * has its name; that of otlp is both. */
static unsigned outlets_of(const char *key)
{
    static const struct {
        const char *key; /* one that ends with a dot: a table */
        unsigned outlets;
    } rows[] = {{"backend", SESSION_FILES | SESSION_RECEIVERS},
                {"outlets", SESSION_FILES},
                {"trace_dir", SESSION_FILES},
                {"traces_exporter", SESSION_FILES | SESSION_RECEIVERS},
                {"logs_exporter", SESSION_FILES | SESSION_RECEIVERS},
                {"batch.", SESSION_FILES | SESSION_RECEIVERS},
                {"limits.", SESSION_FILES | SESSION_RECEIVERS},
                {"vault.", SESSION_RECEIVERS},
                {"otlp.", SESSION_FILES | SESSION_RECEIVERS}};
    char name[32];
    const size_t n = strcspn(key, ".");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (key[n] ? strncmp(rows[i].key, key, n + 1) == 0 : strcmp(rows[i].key, key) == 0)
            return rows[i].outlets;
    if (strncmp(key, "otlp_", 5) == 0) /* otlp_endpoint, otlp_traces.endpoint */
        return SESSION_RECEIVERS;
    snprintf(name, sizeof name, "%.*s", (int)n, key);
    return key[n] && export_find(name) ? SESSION_FILES : 0;
}

struct difference {
    struct buf *line;
    unsigned outlets;
    char fixed[96]; /* the first key that cannot change in place; "" none */
};

static void tell(void *user, const char *key, const char *was, const char *is)
{
    struct difference *d = user;
    const unsigned outlets = outlets_of(key);
    if (!outlets && !can_change(key) && !d->fixed[0])
        snprintf(d->fixed, sizeof d->fixed, "%s", key);
    d->outlets |= outlets;
    buf_printf(d->line, "%s%s: \"%.80s\" -> \"%.80s\"", d->line->size ? ", " : "", key, was, is);
}

static int first_error(const struct config *c, struct oriel_err *err)
{
    const struct config_message *m;
    size_t n = config_messages(c, &m);
    for (size_t i = 0; i < n; i++)
        if (m[i].severity == CONFIG_ERROR)
            return err_set(err, ORIEL_EINVAL, "%s", m[i].text);
    return 0;
}

/* Where it stands now; what went away stood there before. */
static int say_fixed(const struct config *before, const struct config *now, const char *key,
                     struct oriel_err *err)
{
    struct config_origin o = {.layer = CONFIG_DEFAULT};
    bool there = config_origin(now, key, &o) && o.layer == CONFIG_FILE;
    if (!there && config_origin(before, key, &o) && o.layer == CONFIG_FILE)
        return err_set(err, ORIEL_EUNSUPPORTED,
                       "%.200s: telemetry.%s is gone, which takes effect with the next start only",
                       o.name, key);
    if (!there)
        return err_set(err, ORIEL_EUNSUPPORTED,
                       "telemetry.%s takes effect with the next start only", key);
    return err_set(err, ORIEL_EUNSUPPORTED,
                   "%.200s:%u: telemetry.%s takes effect with the next start only", o.name, o.line,
                   key);
}

/* Whether the new one may take the place of the old. */
static int compare(const struct config *before, const struct config *now, unsigned *out_outlets,
                   struct buf *line, struct oriel_err *err)
{
    struct difference d = {line, 0, ""};
    int rc = first_error(now, err);
    if (rc < 0)
        return rc;
    config_changes(before, now, tell, &d);
    if (line->failed)
        return err_set(err, ORIEL_ENOMEM, "out of memory");
    *out_outlets = d.outlets;
    return d.fixed[0] ? say_fixed(before, now, d.fixed, err) : 0;
}

int reload_load(const struct reload *r, const struct config *before, struct config **out,
                unsigned *out_outlets, struct buf *line, struct oriel_err *err)
{
    struct said said = {.count = 0};
    struct config *now = NULL;
    int rc = config_each_code(before, keep, &said);
    struct settings_input in = {.size = sizeof in,
                                .careful = true,
                                .file = r->toml.path,
                                .environment = (const char *const *)r->environment,
                                .code = said.sets,
                                .code_count = said.count};
    *out = NULL;
    *out_outlets = 0;
    if (rc == 0)
        rc = settings_load(&now, &in, err);
    if (rc == 0 && !r->again) /* it was told when it was read first */
        start_tell_warnings(now);
    if (rc == 0)
        rc = compare(before, now, out_outlets, line, err);
    if (rc == 0 && line->size)
        *out = now;
    else
        config_free(now);
    said_done(&said);
    return rc;
}
