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
#include "session/program_outlet.h"

enum { NAME_MAX_BYTES = 64 };

struct entry {
    struct oriel_exporter exporter; /* its name is `name` */
    char name[NAME_MAX_BYTES];
    bool used, at_work;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry entries[ORIEL_EXPORTERS_MAX];

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

bool programs_any(void)
{
    bool any = false;
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
    return rc;
}

void programs_forked(void)
{
    static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    lock = unlocked;
    for (size_t i = 0; i < ORIEL_EXPORTERS_MAX; i++)
        entries[i].used = entries[i].at_work = false;
}
