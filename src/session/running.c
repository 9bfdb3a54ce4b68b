/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Makes an export inside the program out of what was wished for, changes it in place, and releases
 * it. The order of a change: the new outlets open first, since only that can fail for reasons
 * of the world.
 */
#include "session/running.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "session/artifact.h"
#include "session/decider.h"
#include "session/drain.h"
#include "session/headers.h"
#include "session/outlets.h"
#include "session/published.h"
#include "session/sampling.h"
#include "session/start_config.h"
#include "session/start_resource.h"
#include "session/told_resource.h"
#include "util/interrupted.h"
#include "util/num.h"

#define PATIENCE_NS UINT64_C(10000000000) /* at most */
#define CHANGE_NS UINT64_C(1000000000)    /* for what was said before a change, at most */
#define KEEP_SHARE 8                      /* of the ring, at most, for what nobody has sent yet */
#define KEEP_NS UINT64_C(1000000000)      /* for a spool, at the end, where there is less time */
enum { EXPECTED_MS = 500 }; /* for a fork child's first steps, at most: on a busy machine */

const struct config *running_config(const struct running *r)
{
    return r->latest ? r->latest : r->config;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t running_patience(const struct running *r, uint64_t now_ns)
{
    uint64_t delay;
    const uint64_t due = session_due(r->session, &delay);
    uint64_t ns = least(PATIENCE_NS, delay);
    if (r->metrics_ns)
        ns = least(ns, r->metrics_ns);
    if (r->reload.toml.path || r->reload.declarative.path)
        ns = least(ns, r->reload.stirred ? RELOAD_STILL_NS : RELOAD_LOOK_NS);
    return due > now_ns ? least(ns, due - now_ns) : 0;
}

/* ---- made ---- */

static void warn(const char *line)
{
    start_say("", line);
}

/* Where relative names begin, for a program that has gone elsewhere since its start, as one does
 * that went into the background; NULL: it is still there. */
static const char *start_of_names(const struct running *r)
{
    char here[sizeof r->where];
    return r->where[0] && (!getcwd(here, sizeof here) || strcmp(here, r->where) != 0) ? r->where
                                                                                      : NULL;
}

/* As much is said as OTEL_LOG_LEVEL wants. *out_fetch asks for the headers of these receivers, once
 * it is started. `which` 0: the first outlets. */
static int add_outlets(struct running *r, struct config *c, unsigned which,
                       struct fetch **out_fetch, struct oriel_err *err)
{
    const bool tells = config_telemetry(c)->log_level >= CONFIG_LOG_WARN;
    const bool warns = config_telemetry(r->config)->log_level >= CONFIG_LOG_ERROR;
    const char *names = start_of_names(r);
    struct outlets_wish how = {.session = r->session,
                               .config = c,
                               .which = which,
                               .serial = which          ? r->reloads + 1
                                         : r->inherited ? (unsigned)os_getpid()
                                                        : 0,
                               .where = r->where,
                               .names = names,
                               .session_id = region_session_id(r->region),
                               .deadline_ns = &r->call_deadline_ns,
                               .say = tells ? start_say_delivery : NULL,
                               .warn = warns ? warn : NULL};
    const struct fetch_options later = {.size = sizeof later,
                                        .config = c,
                                        .environment = start_environment(&r->reload, r->inherited),
                                        .say = start_say_headers,
                                        .user = c,
                                        .where = names};
    int rc = fetch_new(&how.fetch, &later);
    if (rc == 0)
        rc = outlets_add(&how, err);
    if (rc == 0)
        *out_fetch = how.fetch;
    else
        fetch_unref(how.fetch);
    return rc;
}

static void describe(struct running *r)
{
    struct model_catalog *c = session_catalog(r->session);
    start_resource(config_telemetry(r->config), start_environment(&r->reload, r->inherited), c,
                   &r->said);
    (void)artifact_set(c, "oriel.inprocess", "true");
    told_resource_keep(c);
    if (!r->inherited)
        r->began_pid = os_getpid();
    c->said_pid = r->began_pid;
    published_set(c);
}

int running_make_session(struct running *r, struct oriel_err *err)
{
    struct sampling sampling;
    sampling_of(running_config(r), &sampling);
    const struct pipe_options pipe = {.size = sizeof pipe, .sampling = &sampling.how};
    struct session *made = NULL;
    const char *path = region_path(r->region);
    int rc = r->inherited ? session_new_with(&made, &source_ring, r->region, path, &pipe, err)
                          : session_new(&made, "ring", path, &pipe, err);
    r->session = made;
    if (rc == 0 && !r->inherited) /* a fork child has its parent's */
        rc = decider_set(&sampling.how);
    if (rc == 0) {
        region_tell_threshold(r->region, sampling_threshold(running_config(r)));
        describe(r);
        start_watching(r->session, r->metrics_ns);
        if (!r->flight)
            session_keep_unsent(r->session, r->ring_bytes / KEEP_SHARE);
        rc = add_outlets(r, r->latest ? r->latest : r->config, 0, &r->fetch, err);
    }
    return rc;
}

/* What programs left before this one gives way where there is no room for its ring. To see to it
 * is the drain thread's, where programs live long enough to have one that runs. */
static int make_region(struct running *r, const struct region_options *how, struct oriel_err *err)
{
    static const struct region_limit newest = {.rings = 1};
    if (region_left_late(NULL))
        (void)region_tidy(NULL, NULL, &r->tidied);
    int rc = region_create(&r->region, how, err);
    if (rc != ORIEL_ENOSPC || region_tidy(NULL, &newest, &r->tidied) != 0)
        return rc;
    return region_create(&r->region, how, err);
}

int running_make(struct running *r, struct wish *w, struct oriel_err *err)
{
    r->config = w->config;
    w->config = NULL; /* taken: the strings of the wish stay valid with it */
    r->reload = w->reload;
    w->reload = (struct reload){.looked_ns = 0};
    r->flight = (w->flags & ORIEL_START_FLIGHT_RECORDER) != 0;
    r->ring_bytes = w->ring_bytes;
    r->metrics_ns = w->metrics_ns;
    if (!getcwd(r->where, sizeof r->where))
        r->where[0] = 0;
    struct region_options how = {
        .size = sizeof how,
        .ring_bytes = w->ring_bytes,
        .policy = r->flight ? WIRE_POLICY_OVERWRITE_OLDEST : WIRE_POLICY_DROP_NEWEST,
        .flags = WIRE_REGION_OTEL_CTX |
                 (w->flags & ORIEL_START_INCLUDE_ARGS ? WIRE_REGION_INCLUDE_ARGS : 0) |
                 (w->flags & ORIEL_START_CRASH ? WIRE_REGION_CRASH : 0),
        .directives = w->filter};
    int rc = make_region(r, &how, err);
    if (rc == 0) {
        region_hold(r->region);
        rc = running_make_session(r, err);
    }
    return rc;
}

void running_forget(struct running *r)
{
    r->inherited = false;
    r->session = NULL;
    r->fetch = NULL;
    r->region = NULL;
    r->said = (struct resource){.schema_url = ""};
    r->config = r->latest = NULL;
    r->reload = (struct reload){.looked_ns = 0};
    r->call_deadline_ns = 0;
}

/* By a fork child that said nothing yet, and did not become another program since. */
static bool may_be_followed(const struct running *r, const struct life *life)
{
    const struct timespec step = {0, 1000000};
    int32_t children[LIFE_CHILDREN];
    for (int i = 0; i < EXPECTED_MS && life && life_expects(life); i++)
        nanosleep(&step, NULL);
    const unsigned n = life ? life_children(life, children) : 0;
    bool may = false;
    for (unsigned i = 0; i < n && !may; i++)
        may = children[i] != os_getpid() && region_is_mapped(r->region, children[i]);
    return may;
}

/* Who went into the background left the session that it was in; other children are no heirs while
 * the owner lives. One that is about to be gone is seen by its life, which is asked of children
 * that have another parent. */
bool running_is_heir(const struct region *region, struct life *life)
{
    const pid_t owner = (pid_t)region_owner(region), there = getsid(owner);
    if ((there >= 0 && there != getsid(0)) || region_is_left(region))
        return true;
    return getppid() != owner && !interrupted_may_be() && life_has_ended(life);
}

uint64_t running_keep_ns(const struct running *r)
{
    return r->session && session_has_spool(r->session) ? KEEP_NS : 0;
}

static bool has_unread(const struct running *r)
{
    return r->session && session_left_some(r->session) && !region_is_spent(r->region);
}

void running_release(struct running *r, const struct life *life)
{
    /* Of fork children that still record here one may read on; else `oriel recover` finds it, as
     * it finds what there was no time to read. */
    const bool leave =
        r->region && (region_is_shared(r->region) || may_be_followed(r, life) || has_unread(r));
    fetch_unref(r->fetch);
    session_free(r->session);
    resource_done(&r->said);
    if (r->region && !leave)
        (void)region_unlink(region_path(r->region), NULL);
    region_free(r->region);
    config_free(r->latest);
    config_free(r->config);
    reload_done(&r->reload);
    told_resource_clear();
    published_clear();
    (void)decider_set(NULL);
    running_forget(r);
}

/* ---- what others left ---- */

void running_tidy(struct running *r)
{
    struct region_tidied t;
    char line[160], unread[NUM_TEXT_MAX], n[NUM_TEXT_MAX];
    if (region_tidy(NULL, NULL, &t) != 0)
        t = (struct region_tidied){0};
    const unsigned removed = t.removed + r->tidied.removed;
    const uint64_t bytes = t.unread_bytes + r->tidied.unread_bytes;
    r->tidied = (struct region_tidied){0};
    if (bytes == 0 || config_telemetry(r->config)->log_level < CONFIG_LOG_WARN)
        return;
    snprintf(line, sizeof line,
             "removed %s %s that ended programs had left, with %s that nobody had read; the newest "
             "stay for oriel recover",
             num_count(n, removed), num_noun(removed, "ring", "rings"), num_bytes(unread, bytes));
    start_say("", line);
}

void running_leave(struct running *r, const struct life *life)
{
    char line[160], n[NUM_TEXT_MAX];
    struct deliver_counts c = {.queued = 0};
    if (r->session)
        session_sent(r->session, NULL, NULL, &c);
    if (c.queued && config_telemetry(r->config)->log_level >= CONFIG_LOG_WARN) {
        snprintf(line, sizeof line,
                 "%s %s on the way when the time was over: lost, but for what the ring still has "
                 "(oriel recover)",
                 num_count(n, c.queued), c.queued == 1 ? "item was" : "items were");
        start_say("", line);
    }
    if (r->region && region_is_spent(r->region) && !may_be_followed(r, life))
        (void)region_unlink(region_path(r->region), NULL);
}

/* ---- what a disk did not take ---- */

static void tell_file(const struct session_file *f, bool over)
{
    char line[600], n[NUM_TEXT_MAX], all[NUM_TEXT_MAX];
    const char *path = f->path ? f->path : "files that a change of the configuration ended";
    const char *what = num_noun(over ? f->given : f->unwritten, f->records ? "record" : "item",
                                f->records ? "records" : "items");
    if (over && f->unwritten)
        snprintf(line, sizeof line, "%.400s: %s of %s %s could not be written: %s", path,
                 num_count(n, f->unwritten), num_count(all, f->given), what, err_text(f->why));
    else if (over)
        snprintf(line, sizeof line, "%.400s: %s; no %s is missing in it", path, err_text(f->why),
                 f->records ? "record" : "item");
    else
        snprintf(line, sizeof line,
                 "%.400s: %s: %s %s not written so far; what comes is tried again", path,
                 err_text(f->why), num_count(n, f->unwritten), what);
    start_say("", line);
}

void running_tell_files(struct running *r, bool over)
{
    struct session_file f;
    if (config_telemetry(running_config(r))->log_level < CONFIG_LOG_WARN)
        return;
    for (unsigned i = 0; i <= SESSION_OUTLETS_MAX; i++) {
        if (!session_file(r->session, i, &f) || !f.why || (!over && (f.told || !f.path)))
            continue;
        tell_file(&f, over);
        session_file_told(r->session, i);
    }
}

/* ---- changed ---- */

static int open_new_outlets(struct running *r, struct config *now, unsigned which,
                            struct fetch **out_fetch, struct oriel_err *err)
{
    if (!outlets_any(now))
        return err_set(err, ORIEL_EUNSUPPORTED,
                       "no outlet is left; that takes effect with the next start only");
    int rc = session_know_headers(now, err);
    if (rc == 0)
        rc = session_change_begin(r->session, which, err);
    if (rc == 0 && (rc = add_outlets(r, now, which, out_fetch, err)) < 0)
        session_change_drop(r->session);
    if (rc < 0 && !err->text[0])
        err_set(err, rc, "the new outlets do not open: %s", err_text(rc));
    return rc;
}

int running_change_begin(struct running *r, struct config *now, unsigned outlets,
                         struct fetch **out_fetch, struct oriel_err *err)
{
    *out_fetch = NULL;
    int rc = region_check_directives(config_telemetry(now)->filter, err);
    if (rc == 0 && outlets)
        rc = open_new_outlets(r, now, outlets, out_fetch, err);
    return rc;
}

/* Levels and rates; the filter cannot fail once it was checked. */
static int apply_rest(struct running *r, const struct config *now, struct oriel_err *err)
{
    const char *filter = config_telemetry(now)->filter;
    struct sampling sampling;
    sampling_of(now, &sampling);
    int rc = 0;
    if (!sampling_same(running_config(r), now)) {
        rc = decider_set(&sampling.how);
        if (rc == 0)
            rc = session_set_sampling(r->session, &sampling.how);
        if (rc < 0)
            return err_set(err, rc, "the new rates cannot be taken: %s", err_text(rc));
        region_tell_threshold(r->region, sampling_threshold(now));
    }
    unsigned threads, waiting;
    if (strcmp(filter, config_telemetry(running_config(r))->filter) != 0)
        rc = region_switch(region_path(r->region), filter, 0, &threads, &waiting, err);
    return rc;
}

int running_change_take(struct running *r, struct config *now, unsigned outlets,
                        struct oriel_err *err)
{
    /* What was recorded is sampled by what its headers said. */
    if ((outlets || !sampling_same(running_config(r), now)) && !r->flight)
        drain_up_to_now(r->session, clock_mono_ns() + CHANGE_NS);
    int rc = apply_rest(r, now, err);
    if (outlets && rc < 0)
        session_change_drop(r->session);
    else if (outlets)
        session_change_take(r->session);
    return rc;
}

void running_tell_change(struct running *r, const char *line, int rc, const struct oriel_err *err)
{
    int level = config_telemetry(running_config(r))->log_level;
    char key[40];
    if (rc < 0 && level >= CONFIG_LOG_ERROR)
        start_say("configuration not reloaded, the old one stays: ", err->text);
    if (rc < 0 || !line[0])
        return;
    if (level >= CONFIG_LOG_INFO)
        start_say("configuration reloaded: ", line);
    snprintf(key, sizeof key, "oriel.reload.%u", ++r->reloads);
    (void)artifact_set(session_catalog(r->session), key, line);
}
