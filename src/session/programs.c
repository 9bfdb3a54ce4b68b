/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A short list of exporters behind a lock, which no call of theirs is made under.
 */
#include "session/programs.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "session/inprocess.h"
#include "session/program_config.h"
#include "session/program_outlet.h"

enum { NAME_MAX_BYTES = 64 };

struct entry {
    struct oriel_exporter exporter; /* its name is `name` */
    char name[NAME_MAX_BYTES];
    bool used, at_work;
};
struct component {
    struct oriel_component of; /* its name is `name` */
    char name[NAME_MAX_BYTES];
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry entries[ORIEL_EXPORTERS_MAX];
static struct component components[ORIEL_COMPONENTS_MAX];
static size_t component_count;

/* The lock is held. */
static struct entry *find(const char *name)
{
    for (size_t i = 0; i < ORIEL_EXPORTERS_MAX; i++)
        if (entries[i].used && strcmp(entries[i].name, name) == 0)
            return &entries[i];
    return NULL;
}

static int add_locked(const struct oriel_exporter *e)
{
    struct entry *vacant = NULL;
    if (find(e->name))
        return ORIEL_ESTATE;
    for (size_t i = 0; i < ORIEL_EXPORTERS_MAX && !vacant; i++)
        vacant = entries[i].used ? NULL : &entries[i];
    if (!vacant)
        return ORIEL_ELIMIT;
    *vacant = (struct entry){.used = true};
    snprintf(vacant->name, sizeof vacant->name, "%s", e->name);
    memcpy(&vacant->exporter, e,
           e->size < sizeof vacant->exporter ? e->size : sizeof vacant->exporter);
    vacant->exporter.name = vacant->name;
    return 0;
}

int oriel_inprocess_exporter_add(const struct oriel_exporter *e)
{
    const size_t least = offsetof(struct oriel_exporter, shutdown) + sizeof e->shutdown;
    if (!e || e->size < least || !e->name || !e->name[0] || strlen(e->name) >= NAME_MAX_BYTES ||
        (!e->export_spans && !e->export_logs))
        return ORIEL_EINVAL;
    pthread_mutex_lock(&lock);
    int rc = add_locked(e);
    pthread_mutex_unlock(&lock);
    return rc;
}

int oriel_inprocess_exporter_remove(const char *name)
{
    pthread_mutex_lock(&lock);
    struct entry *e = name ? find(name) : NULL;
    int rc = !e ? ORIEL_ENOTFOUND : e->at_work ? ORIEL_EBUSY : 0;
    if (rc == 0)
        e->used = false;
    pthread_mutex_unlock(&lock);
    return rc;
}

/* It was shut down. */
static void over(const char *name)
{
    pthread_mutex_lock(&lock);
    struct entry *e = find(name);
    assert(e && e->at_work);
    e->used = false;
    pthread_mutex_unlock(&lock);
}

/* ---- components that a configuration names ---- */

static unsigned kind_of(bool logs)
{
    return logs ? ORIEL_COMPONENT_LOG_EXPORTER : ORIEL_COMPONENT_SPAN_EXPORTER;
}

/* The lock is held. */
static struct component *component_find(const char *name, unsigned kinds)
{
    for (size_t i = 0; i < component_count; i++)
        if ((components[i].of.kinds & kinds) && strcmp(components[i].name, name) == 0)
            return &components[i];
    return NULL;
}

int oriel_inprocess_component_register(const struct oriel_component *c)
{
    const unsigned all = ORIEL_COMPONENT_SPAN_EXPORTER | ORIEL_COMPONENT_LOG_EXPORTER;
    if (!c || c->size < sizeof *c || !c->name || !c->name[0] || strchr(c->name, '.') ||
        strlen(c->name) >= NAME_MAX_BYTES || !c->create || !(c->kinds & all) || c->kinds & ~all)
        return ORIEL_EINVAL;
    int rc = 0;
    pthread_mutex_lock(&lock);
    if (component_find(c->name, c->kinds))
        rc = ORIEL_ESTATE;
    else if (component_count == ORIEL_COMPONENTS_MAX)
        rc = ORIEL_ELIMIT;
    if (rc == 0) {
        struct component *made = &components[component_count++];
        made->of = *c;
        snprintf(made->name, sizeof made->name, "%s", c->name);
        made->of.name = made->name;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

bool programs_known(const char *name, bool logs)
{
    pthread_mutex_lock(&lock);
    const bool known = component_find(name, kind_of(logs)) != NULL;
    pthread_mutex_unlock(&lock);
    return known;
}

/* It takes what it was named for and nothing else; what it is not opened with is shut down. */
static int add_component(const struct programs_wish *w, struct program_options *how,
                         const struct config_component *wanted, struct oriel_err *err)
{
    const struct oriel_config properties = {NULL, wanted->properties};
    pthread_mutex_lock(&lock);
    const struct component *c = component_find(wanted->name, kind_of(wanted->logs));
    pthread_mutex_unlock(&lock); /* none is ever taken away */
    assert(c);
    how->exporter = (struct oriel_exporter){.size = sizeof how->exporter, .name = c->name};
    how->over = NULL;
    int rc = c->of.create(c->of.user, kind_of(wanted->logs), &properties, &how->exporter);
    how->exporter.name = c->name;
    if (wanted->logs)
        how->exporter.export_spans = NULL;
    else
        how->exporter.export_logs = NULL;
    if (rc < 0)
        return err_set(err, ORIEL_EINVAL, "the exporter %s cannot be made: the program answers %d",
                       c->name, rc);
    rc = session_add_outlet(w->session, &export_program, how, NULL, err);
    if (rc < 0 && how->exporter.shutdown)
        (void)how->exporter.shutdown(how->exporter.user, 0);
    return rc;
}

static int add_components(const struct programs_wish *w, struct program_options *how,
                          struct oriel_err *err)
{
    const struct config_component *wanted;
    const size_t n = config_components(w->config, &wanted);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = add_component(w, how, &wanted[i], err);
    return rc;
}

/* ---- all of them ---- */

bool programs_any(const struct config *c)
{
    const struct config_component *named;
    bool any = config_components(c, &named) > 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < ORIEL_EXPORTERS_MAX; i++)
        any = any || entries[i].used;
    pthread_mutex_unlock(&lock);
    return any;
}

static struct program_options options_of(const struct programs_wish *w)
{
    const struct config_limits l = config_limits(w->config);
    const struct config_batches *b = config_batches(w->config);
    return (struct program_options){
        .limits = {.spans = {l.span_attribute_count, l.span_attribute_length},
                   .logs = {l.log_attribute_count, l.log_attribute_length},
                   .event_count = l.event_count,
                   .link_count = l.link_count,
                   .event_attribute_count = l.event_attribute_count,
                   .link_attribute_count = l.link_attribute_count},
        .spans = b->spans,
        .logs = b->logs,
        .deadline_ns = w->deadline_ns,
        .say = w->say,
        .user = w->user,
        .over = over};
}

int programs_add(const struct programs_wish *w, struct oriel_err *err)
{
    struct program_options how = options_of(w);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ORIEL_EXPORTERS_MAX; i++) {
        pthread_mutex_lock(&lock);
        const bool wanted = entries[i].used && !entries[i].at_work;
        entries[i].at_work = entries[i].at_work || wanted;
        how.exporter = entries[i].exporter;
        pthread_mutex_unlock(&lock);
        if (wanted)
            rc = session_add_outlet(w->session, &export_program, &how, NULL, err);
        if (rc < 0) { /* it was not opened, so it is not shut down either */
            pthread_mutex_lock(&lock);
            entries[i].at_work = false;
            pthread_mutex_unlock(&lock);
        }
    }
    return rc == 0 ? add_components(w, &how, err) : rc;
}

void programs_forked(void)
{
    static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    lock = unlocked;
    for (size_t i = 0; i < ORIEL_EXPORTERS_MAX; i++)
        entries[i].used = entries[i].at_work = false;
}
