/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Deep copies of what exporters of the program are shown. Pure but for the arena.
 */
#include <assert.h>
#include <stdalign.h>
#include <string.h>

#include "session/view.h"

/* Where copies go, and whether one did not fit. */
struct place {
    struct arena *arena;
    bool failed;
};

static void *take(struct place *p, const void *from, size_t n)
{
    void *to = arena_alloc(p->arena, n ? n : 1, alignof(max_align_t));
    p->failed = p->failed || !to;
    if (to && n)
        memcpy(to, from, n);
    return to;
}

static const char *take_bytes(struct place *p, const char *from, size_t n)
{
    const char *to = arena_copy(p->arena, from, n);
    p->failed = p->failed || !to;
    return to;
}

static const char *take_text(struct place *p, const char *from)
{
    return take_bytes(p, from, strlen(from));
}

static const struct oriel_view_attribute *
take_attributes(struct place *p, const struct oriel_view_attribute *from, size_t n)
{
    struct oriel_view_attribute *to = take(p, from, n * sizeof *to);
    for (size_t i = 0; to && i < n; i++) {
        to[i].key = take_text(p, from[i].key);
        if (from[i].type == ORIEL_TYPE_STR || from[i].type == ORIEL_TYPE_BYTES)
            to[i].v.text = take_bytes(p, from[i].v.text, from[i].bytes);
    }
    return to;
}

const struct oriel_view_event *view_copy_event(const struct oriel_view_event *from,
                                               struct arena *arena)
{
    struct place p = {arena, false};
    struct oriel_view_event *to = take(&p, from, sizeof *to);
    if (!to)
        return NULL;
    to->name = take_text(&p, from->name);
    to->attributes = take_attributes(&p, from->attributes, from->attribute_count);
    return p.failed ? NULL : to;
}

static const struct oriel_view_link *take_link(struct place *p, const struct oriel_view_link *from)
{
    struct oriel_view_link *to = take(p, from, sizeof *to);
    if (!to)
        return NULL;
    to->trace_state = take_text(p, from->trace_state);
    to->attributes = take_attributes(p, from->attributes, from->attribute_count);
    return to;
}

static void take_lists(struct place *p, const struct oriel_view_span *from,
                       struct oriel_view_span *to)
{
    const struct oriel_view_event **events =
        take(p, from->events, from->event_count * sizeof *events);
    const struct oriel_view_link **links = take(p, from->links, from->link_count * sizeof *links);
    for (size_t i = 0; events && i < from->event_count; i++) {
        events[i] = view_copy_event(from->events[i], p->arena);
        p->failed = p->failed || !events[i];
    }
    for (size_t i = 0; links && i < from->link_count; i++)
        links[i] = take_link(p, from->links[i]);
    to->events = events;
    to->links = links;
}

const struct oriel_view_span *view_copy_span(const struct oriel_view_span *from,
                                             struct arena *arena)
{
    struct place p = {arena, false};
    assert(from && arena);
    struct oriel_view_span *to = take(&p, from, sizeof *to);
    if (!to)
        return NULL;
    to->trace_state = take_text(&p, from->trace_state);
    to->name = take_text(&p, from->name);
    to->status_message = take_text(&p, from->status_message);
    to->file = take_text(&p, from->file);
    to->function = take_text(&p, from->function);
    to->thread_name = take_text(&p, from->thread_name);
    to->attributes = take_attributes(&p, from->attributes, from->attribute_count);
    take_lists(&p, from, to);
    return p.failed ? NULL : to;
}

const struct oriel_view_log *view_copy_log(const struct oriel_view_log *from, struct arena *arena)
{
    struct place p = {arena, false};
    assert(from && arena);
    struct oriel_view_log *to = take(&p, from, sizeof *to);
    if (!to)
        return NULL;
    to->severity_text = take_text(&p, from->severity_text);
    to->event_name = take_text(&p, from->event_name);
    to->body = take_bytes(&p, from->body, from->body_bytes);
    to->file = take_text(&p, from->file);
    to->function = take_text(&p, from->function);
    to->thread_name = take_text(&p, from->thread_name);
    to->attributes = take_attributes(&p, from->attributes, from->attribute_count);
    return p.failed ? NULL : to;
}

const struct oriel_view_scope *view_copy_scope(const struct oriel_view_scope *from,
                                               struct arena *arena)
{
    struct place p = {arena, false};
    struct oriel_view_scope *to = take(&p, from, sizeof *to);
    if (!to)
        return NULL;
    to->name = take_text(&p, from->name);
    to->version = take_text(&p, from->version);
    to->schema_url = take_text(&p, from->schema_url);
    to->attributes = take_attributes(&p, from->attributes, from->attribute_count);
    return p.failed ? NULL : to;
}

const struct oriel_view_resource *view_copy_resource(const struct oriel_view_resource *from,
                                                     struct arena *arena)
{
    struct place p = {arena, false};
    struct oriel_view_resource *to = take(&p, from, sizeof *to);
    if (!to)
        return NULL;
    to->schema_url = take_text(&p, from->schema_url);
    to->attributes = take_attributes(&p, from->attributes, from->attribute_count);
    return p.failed ? NULL : to;
}
