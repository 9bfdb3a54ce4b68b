/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Items as oriel/exporter.h shows them to code of the program: texts with their NUL,
 * events in their spans, and what is said once (resource, scope, place of a site)
 * kept beside them. One thread.
 */
#ifndef ORIEL_SESSION_VIEW_H
#define ORIEL_SESSION_VIEW_H

#include <oriel/exporter.h>

#include "base/map.h"
#include "base/vec.h"
#include "export/exporter.h"

/* -1: nothing; text in characters. */
struct view_limits {
    int64_t attributes, text;
};
struct view_options {
    struct view_limits spans, logs;
    int64_t event_count, link_count, event_attribute_count, link_attribute_count;
};
struct view_site {
    const struct oriel_view_scope *scope;
    const char *name, *file, *function;
};
struct view_process {
    const struct oriel_view_resource *resource;
    uint32_t attributes; /* of the catalog, when it was made */
};
/* Events of a span that has not ended. */
struct view_held {
    struct arena arena;
    VEC(const struct oriel_view_event *) events;
    uint32_t next_vacant; /* index + 1 of another entry that is free; 0 none */
};
struct view {
    struct export_env env;
    struct view_options options;
    struct arena kept;
    VEC(struct view_site) sites;        /* by index */
    VEC(struct view_process) processes; /* by index */
    struct map held_by_span;
    VEC(struct view_held) held;
    uint32_t vacant; /* index + 1; 0 none */
    size_t held_bytes;
};

void view_init(struct view *v, const struct export_env *env, const struct view_options *options);
void view_done(struct view *v);
/* In `arena`, but for what is kept until view_done. NULL: no memory. */
const struct oriel_view_span *view_span(struct view *v, const struct model_span *s,
                                        struct arena *arena);
const struct oriel_view_log *view_log(struct view *v, const struct model_event *e,
                                      struct arena *arena);
const struct oriel_view_log *view_loss(struct view *v, const struct model_loss *l,
                                       struct arena *arena);
/* An event waits for its span, which counts it as dropped where it cannot. */
void view_hold(struct view *v, const struct model_event *e);

/* Copies that need nothing but the arena, and the scope and the resource that they are given.
 * NULL: no memory. */
const struct oriel_view_span *view_copy_span(const struct oriel_view_span *from,
                                             struct arena *arena);
const struct oriel_view_log *view_copy_log(const struct oriel_view_log *from, struct arena *arena);
const struct oriel_view_event *view_copy_event(const struct oriel_view_event *from,
                                               struct arena *arena);
const struct oriel_view_scope *view_copy_scope(const struct oriel_view_scope *from,
                                               struct arena *arena);
const struct oriel_view_resource *view_copy_resource(const struct oriel_view_resource *from,
                                                     struct arena *arena);

#endif
