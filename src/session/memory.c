/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Finished spans and log records kept for tests of the program: an exporter like
 * one of the program's own, with copies behind a lock. Any thread.
 */
#include <assert.h>
#include <pthread.h>

#include "base/mem.h"
#include "session/inprocess.h"
#include "session/view.h"

/* Scope and resource are the same for many: who they were copied of, and the copy. */
struct shared {
    const void *from, *copy;
};
struct oriel_memory {
    pthread_mutex_t lock;
    struct arena arena;
    VEC(const struct oriel_view_span *) spans;
    VEC(const struct oriel_view_log *) logs;
    VEC(struct shared) shared;
    size_t most;
    uint64_t dropped;
    bool at_work;
};

struct oriel_memory *oriel_inprocess_memory_new(size_t most)
{
    struct oriel_memory *m = mem_calloc(1, sizeof *m);
    if (!m)
        return NULL;
    pthread_mutex_init(&m->lock, NULL);
    arena_init(&m->arena);
    m->most = most;
    return m;
}

static const void *shared_find(const struct oriel_memory *m, const void *from)
{
    for (size_t i = 0; i < m->shared.count; i++)
        if (m->shared.items[i].from == from)
            return m->shared.items[i].copy;
    return NULL;
}

static const void *shared_keep(struct oriel_memory *m, const void *from, const void *copy)
{
    struct shared *s = copy ? VEC_PUSH(&m->shared) : NULL;
    if (s)
        *s = (struct shared){from, copy};
    return copy;
}

static const struct oriel_view_scope *scope_of(struct oriel_memory *m,
                                               const struct oriel_view_scope *from)
{
    const void *copy = shared_find(m, from);
    return copy ? copy : shared_keep(m, from, view_copy_scope(from, &m->arena));
}

static const struct oriel_view_resource *resource_of(struct oriel_memory *m,
                                                     const struct oriel_view_resource *from)
{
    const void *copy = shared_find(m, from);
    return copy ? copy : shared_keep(m, from, view_copy_resource(from, &m->arena));
}

static bool keep_span(struct oriel_memory *m, const struct oriel_view_span *from)
{
    const struct oriel_view_scope *scope = scope_of(m, from->scope);
    const struct oriel_view_resource *resource = resource_of(m, from->resource);
    struct oriel_view_span span = *from;
    span.scope = scope;
    span.resource = resource;
    const struct oriel_view_span *copy =
        scope && resource && m->spans.count < m->most ? view_copy_span(&span, &m->arena) : NULL;
    const struct oriel_view_span **at = copy ? VEC_PUSH(&m->spans) : NULL;
    if (at)
        *at = copy;
    return at != NULL;
}

static bool keep_log(struct oriel_memory *m, const struct oriel_view_log *from)
{
    const struct oriel_view_scope *scope = scope_of(m, from->scope);
    const struct oriel_view_resource *resource = resource_of(m, from->resource);
    struct oriel_view_log log = *from;
    log.scope = scope;
    log.resource = resource;
    const struct oriel_view_log *copy =
        scope && resource && m->logs.count < m->most ? view_copy_log(&log, &m->arena) : NULL;
    const struct oriel_view_log **at = copy ? VEC_PUSH(&m->logs) : NULL;
    if (at)
        *at = copy;
    return at != NULL;
}

/* ---- the exporter ---- */

static int take_spans(void *user, const struct oriel_view_span *const *spans, size_t count,
                      unsigned timeout_ms)
{
    struct oriel_memory *m = user;
    (void)timeout_ms;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < count; i++)
        m->dropped += !keep_span(m, spans[i]);
    pthread_mutex_unlock(&m->lock);
    return 0;
}

static int take_logs(void *user, const struct oriel_view_log *const *logs, size_t count,
                     unsigned timeout_ms)
{
    struct oriel_memory *m = user;
    (void)timeout_ms;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < count; i++)
        if (!(logs[i]->flags & ORIEL_VIEW_SEEN))
            m->dropped += !keep_log(m, logs[i]);
    pthread_mutex_unlock(&m->lock);
    return 0;
}

/* What the copies were made of is about to go, and others may come in its place. */
static int end(void *user, unsigned timeout_ms)
{
    struct oriel_memory *m = user;
    (void)timeout_ms;
    pthread_mutex_lock(&m->lock);
    m->shared.count = 0;
    m->at_work = false;
    pthread_mutex_unlock(&m->lock);
    return 0;
}

int oriel_inprocess_memory_add(struct oriel_memory *m)
{
    const struct oriel_exporter e = {.size = sizeof e,
                                     .name = "memory",
                                     .user = m,
                                     .export_spans = take_spans,
                                     .export_logs = take_logs,
                                     .shutdown = end};
    if (!m)
        return ORIEL_EINVAL;
    int rc = oriel_inprocess_exporter_add(&e);
    if (rc == 0) {
        pthread_mutex_lock(&m->lock);
        m->at_work = true;
        pthread_mutex_unlock(&m->lock);
    }
    return rc;
}

/* ---- what there is ---- */

size_t oriel_inprocess_memory_spans(struct oriel_memory *m, const struct oriel_view_span **out,
                                    size_t room)
{
    assert(m && (out || !room));
    pthread_mutex_lock(&m->lock);
    const size_t n = m->spans.count;
    for (size_t i = 0; i < n && i < room; i++)
        out[i] = m->spans.items[i];
    pthread_mutex_unlock(&m->lock);
    return n;
}

size_t oriel_inprocess_memory_logs(struct oriel_memory *m, const struct oriel_view_log **out,
                                   size_t room)
{
    assert(m && (out || !room));
    pthread_mutex_lock(&m->lock);
    const size_t n = m->logs.count;
    for (size_t i = 0; i < n && i < room; i++)
        out[i] = m->logs.items[i];
    pthread_mutex_unlock(&m->lock);
    return n;
}

uint64_t oriel_inprocess_memory_dropped(struct oriel_memory *m)
{
    pthread_mutex_lock(&m->lock);
    const uint64_t n = m->dropped;
    pthread_mutex_unlock(&m->lock);
    return n;
}

void oriel_inprocess_memory_reset(struct oriel_memory *m)
{
    pthread_mutex_lock(&m->lock);
    m->spans.count = m->logs.count = m->shared.count = 0;
    m->dropped = 0;
    arena_reset(&m->arena);
    pthread_mutex_unlock(&m->lock);
}

int oriel_inprocess_memory_free(struct oriel_memory *m)
{
    if (!m)
        return 0;
    pthread_mutex_lock(&m->lock);
    const bool busy = m->at_work;
    pthread_mutex_unlock(&m->lock);
    if (busy && oriel_inprocess_exporter_remove("memory") < 0)
        return ORIEL_EBUSY;
    pthread_mutex_destroy(&m->lock);
    VEC_DONE(&m->spans);
    VEC_DONE(&m->logs);
    VEC_DONE(&m->shared);
    arena_done(&m->arena);
    mem_free(m);
    return 0;
}
