/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is said once for many: the resource of a process, and the head of what a
 * site says (its name and its place in the source). Made when first needed; a
 * resource anew when the catalog learns more. Runs on one thread.
 */
#include <assert.h>
#include <string.h>

#include "export/otlp/otlp.h"
#include "export/resource.h"

enum { RESOURCE = 1, RESOURCE_ATTRIBUTES = 1, RESOURCE_DROPPED = 2 };
enum { SPAN_NAME = 5, SPAN_ATTRIBUTES = 9 };
enum { LOG_EVENT_NAME = 12, LOG_ATTRIBUTES = 6 };

/* ---- the resource of a process ---- */

static void put_one(void *user, const struct model_value *v)
{
    otlp_attr(user, RESOURCE_ATTRIBUTES, v);
}

const struct buf *otlp_resource_of(struct otlp *o, uint32_t process)
{
    const struct model_catalog *c = o->env.catalog;
    assert(process < c->process_count);
    while (o->resources.count <= process)
        if (!VEC_PUSH(&o->resources))
            return NULL;
    struct otlp_resource *r = &o->resources.items[process];
    if (r->made && r->attributes == c->resource_count)
        return &r->bytes;
    buf_clear(&r->bytes);
    struct put w = {&r->bytes, o->json, 0};
    struct pb_mark m = put_open(&w, RESOURCE, "resource", 2);
    if (c->processes[process]->told) {
        otlp_put_told(&w, c->processes[process]->told, RESOURCE_ATTRIBUTES, RESOURCE_DROPPED);
    } else {
        put_list(&w, "attributes");
        export_resource_each(&o->env, process, put_one, &w);
        /* Who shows both kinds needs to know that they are one. */
        if (o->options.span_events && o->options.signals == 0 && !export_resource_is_empty(c))
            otlp_attr_text(&w, RESOURCE_ATTRIBUTES, MODEL_SPAN_EVENTS_KEY,
                           MODEL_STR(MODEL_SPAN_EVENTS_LOGGED));
        put_list_end(&w);
    }
    put_close(&w, m);
    r->attributes = c->resource_count;
    r->made = !r->bytes.failed;
    return r->made ? &r->bytes : NULL;
}

/* ---- threads ---- */

static bool make_thread(struct otlp_thread *t, bool json, uint32_t field,
                        const struct model_thread *of)
{
    struct put w = {&t->bytes, json, 0};
    buf_clear(&t->bytes);
    otlp_attr_i64(&w, field, "thread.id", of->tid);
    if (of->name.n)
        otlp_attr_text(&w, field, "thread.name", of->name);
    t->name = of->name.p;
    t->made = !t->bytes.failed;
    return t->made;
}

const struct buf *otlp_thread_of(struct otlp *o, enum otlp_signal signal,
                                 const struct model_thread *t)
{
    const size_t at = (size_t)t->index * OTLP_SIGNALS + signal;
    const uint32_t field = signal == OTLP_TRACES ? SPAN_ATTRIBUTES : LOG_ATTRIBUTES;
    while (o->threads.count <= at)
        if (!VEC_PUSH(&o->threads))
            return NULL;
    struct otlp_thread *own = &o->threads.items[at];
    if ((!own->made || own->name != t->name.p) && !make_thread(own, o->json, field, t))
        return NULL;
    return &own->bytes;
}

void otlp_put_thread(struct otlp *o, struct put *w, enum otlp_signal signal,
                     const struct model_thread *t)
{
    const struct buf *own = t ? otlp_thread_of(o, signal, t) : NULL;
    if (own && w->json)
        put_comma(w);
    if (own)
        buf_put(w->out, own->data, own->size);
    w->out->failed |= t && !own;
}

/* ---- sites ---- */

static void put_source(struct put *w, uint32_t field, const struct model_site *s)
{
    if (s->function.n)
        otlp_attr_text(w, field, "code.function.name", s->function);
    if (s->file.n) {
        otlp_attr_text(w, field, "code.file.path", s->file);
        otlp_attr_i64(w, field, "code.line.number", s->line);
    }
}

void otlp_put_head(struct put *w, const struct otlp *o, const struct model_site *s,
                   struct model_str name, enum otlp_signal signal)
{
    if (signal == OTLP_TRACES)
        put_text(w, SPAN_NAME, "name", name);
    else if (s->flags & ORIEL_SITE_NAMED)
        put_text(w, LOG_EVENT_NAME, "eventName", name);
    put_list(w, "attributes");
    if (o->options.source && !(s->flags & ORIEL_SITE_TOLD)) /* those said it themselves */
        put_source(w, signal == OTLP_TRACES ? SPAN_ATTRIBUTES : LOG_ATTRIBUTES, s);
}

uint32_t otlp_group_of(struct otlp *o, uint32_t process, struct model_str target, uint32_t scope,
                       enum otlp_signal signal)
{
    for (size_t i = 0; i < o->groups.count; i++) {
        const struct otlp_group *g = &o->groups.items[i];
        if (g->process == process && g->signal == signal && g->scope == scope &&
            g->target.n == target.n &&
            (target.n == 0 || memcmp(g->target.p, target.p, target.n) == 0))
            return (uint32_t)i;
    }
    struct otlp_group *g = VEC_PUSH(&o->groups);
    if (!g)
        return UINT32_MAX;
    *g = (struct otlp_group){
        .process = process, .scope = scope, .signal = (uint8_t)signal, .target = target};
    return (uint32_t)(o->groups.count - 1);
}

static bool make_site(struct otlp *o, struct otlp_site *out, const struct model_site *s,
                      enum otlp_signal signal)
{
    struct buf head;
    buf_init(&head);
    struct put w = {&head, o->json, 0};
    otlp_put_head(&w, o, s, s->name, signal);
    char *kept = head.failed ? NULL : arena_copy(&o->arena, head.data, head.size);
    uint32_t group = kept ? otlp_group_of(o, s->process, s->target, s->scope, signal) : UINT32_MAX;
    if (group != UINT32_MAX)
        *out = (struct otlp_site){.group = group + 1, .n = (uint32_t)head.size, .head = kept};
    buf_done(&head);
    return group != UINT32_MAX;
}

const struct otlp_site *otlp_site_of(struct otlp *o, const struct model_site *s,
                                     enum otlp_signal signal)
{
    while (o->sites.count <= s->index)
        if (!VEC_PUSH(&o->sites))
            return NULL;
    struct otlp_site *site = &o->sites.items[s->index];
    /* A scope may be told after the first that a site says. */
    bool right = site->group && o->groups.items[site->group - 1].scope == s->scope;
    if (__builtin_expect(!right, 0) && !make_site(o, site, s, signal))
        return NULL;
    return site;
}
