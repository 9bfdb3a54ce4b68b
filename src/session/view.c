/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From items of the pipe to what exporters of the program are shown. What the
 * standard limits is limited here as the outlet of OTLP does it, and a span has
 * the events that came before its end. The drain thread only.
 */
#include "session/view.h"

#include <assert.h>
#include <stdalign.h>
#include <string.h>

#include "export/resource.h"
#include "util/utf8.h"

enum { HELD_EVENTS = 128, HELD_BYTES = 16 << 20, HELD_BLOCK = 4096 };
enum { KIND_INTERNAL = 1 };

void view_init(struct view *v, const struct export_env *env, const struct view_options *options)
{
    assert(env && env->catalog && options);
    *v = (struct view){.env = *env, .options = *options};
    arena_init(&v->kept);
}

void view_done(struct view *v)
{
    for (size_t i = 0; i < v->held.count; i++) {
        arena_done(&v->held.items[i].arena);
        VEC_DONE(&v->held.items[i].events);
    }
    VEC_DONE(&v->held);
    VEC_DONE(&v->sites);
    VEC_DONE(&v->processes);
    map_done(&v->held_by_span);
    arena_done(&v->kept);
}

/* ---- pieces ---- */

/* Where a view is being made, and whether something did not fit. */
struct place {
    struct arena *arena;
    bool failed;
};

static void *room(struct place *p, size_t n)
{
    void *to = arena_alloc(p->arena, n ? n : 1, alignof(max_align_t));
    p->failed = p->failed || !to;
    return to ? memset(to, 0, n) : NULL;
}

static const char *text(struct place *p, struct model_str s)
{
    const char *to = arena_copy(p->arena, s.n ? s.p : "", s.n);
    p->failed = p->failed || !to;
    return to;
}

static uint32_t cut(const struct model_value *v, int64_t longest)
{
    const struct model_str s = v->v.str;
    if (longest < 0 || (int64_t)s.n <= longest)
        return s.n;
    return (uint32_t)(v->type == ORIEL_TYPE_STR ? utf8_cut_chars(s.p, s.n, (size_t)longest)
                                                : (size_t)longest);
}

static void put_value(struct place *p, struct oriel_view_attribute *to, const struct model_value *v,
                      int64_t longest)
{
    to->key = text(p, v->key);
    to->type = v->type;
    to->flags = (v->flags & ORIEL_FIELD_NESTED ? ORIEL_VIEW_JSON : 0) |
                (v->flags & (MODEL_VALUE_REDACTED | ORIEL_FIELD_SECRET) ? ORIEL_VIEW_REDACTED : 0);
    switch (v->type) {
    case ORIEL_TYPE_BOOL:
        to->v.b = v->v.b;
        break;
    case ORIEL_TYPE_F64:
        to->v.f64 = v->v.f64;
        break;
    case ORIEL_TYPE_STR:
    case ORIEL_TYPE_BYTES: /* half a JSON would be none */
        to->bytes = cut(v, v->flags & ORIEL_FIELD_NESTED ? -1 : longest);
        to->full_bytes = v->full_bytes > v->v.str.n ? v->full_bytes : v->v.str.n;
        to->v.text = text(p, (struct model_str){v->v.str.p, to->bytes});
        if (v->type == ORIEL_TYPE_BYTES && v->flags & MODEL_VALUE_REDACTED)
            to->type = ORIEL_TYPE_STR;
        break;
    default:
        to->v.u64 = v->v.u64;
    }
}

/* No more than `most` (-1: all); *out_dropped gets the rest added. */
static const struct oriel_view_attribute *put_attributes(struct place *p,
                                                         const struct model_value *from,
                                                         uint32_t count, struct view_limits limit,
                                                         size_t *out_count, uint32_t *out_dropped)
{
    const uint32_t n =
        limit.attributes >= 0 && limit.attributes < count ? (uint32_t)limit.attributes : count;
    struct oriel_view_attribute *to = room(p, n * sizeof *to);
    size_t made = 0;
    for (uint32_t i = 0; to && i < n; i++)
        if (!(from[i].flags & ORIEL_FIELD_META))
            put_value(p, &to[made++], &from[i], limit.text);
    *out_count = made;
    *out_dropped += count - n;
    return to;
}

/* ---- what is said once ---- */

static const struct oriel_view_scope *make_scope(struct view *v, const struct model_site *s)
{
    struct place p = {&v->kept, false};
    const struct model_scope *told = s->scope ? v->env.catalog->scopes[s->scope - 1] : NULL;
    const struct model_str own = MODEL_STR(EXPORT_SCHEMA_URL);
    struct oriel_view_scope *to = room(&p, sizeof *to);
    uint32_t dropped = 0;
    if (!to)
        return NULL;
    to->name = text(&p, s->target);
    to->version = text(&p, told ? told->version : (struct model_str){"", 0});
    const bool others = v->env.catalog->processes[s->process]->told != NULL;
    const bool says = told && (told->told.schema_url.n || others);
    to->schema_url = text(&p, says ? told->told.schema_url : own);
    if (told)
        to->attributes =
            put_attributes(&p, told->told.attrs, told->told.attr_count,
                           (struct view_limits){-1, -1}, &to->attribute_count, &dropped);
    return p.failed ? NULL : to;
}

static const struct view_site *site_of(struct view *v, const struct model_site *s)
{
    while (v->sites.count <= s->index)
        if (!VEC_PUSH(&v->sites))
            return NULL;
    struct view_site *site = &v->sites.items[s->index];
    if (site->scope)
        return site;
    struct place p = {&v->kept, false};
    site->name = text(&p, s->name);
    site->file = text(&p, s->file);
    site->function = text(&p, s->function);
    const struct oriel_view_scope *scope = make_scope(v, s);
    if (p.failed || !scope)
        return NULL;
    site->scope = scope;
    return site;
}

struct resource_making {
    struct place place;
    struct oriel_view_attribute *to;
    size_t count;
};

static void count_one(void *user, const struct model_value *v)
{
    (void)v;
    ((struct resource_making *)user)->count++;
}

static void make_one(void *user, const struct model_value *v)
{
    struct resource_making *m = user;
    put_value(&m->place, &m->to[m->count++], v, -1);
}

/* Anew when the catalog has learnt more; who has the former keeps it. */
static const struct oriel_view_resource *resource_of(struct view *v, uint32_t process)
{
    const struct model_catalog *c = v->env.catalog;
    struct resource_making m = {.place = {&v->kept, false}};
    while (v->processes.count <= process)
        if (!VEC_PUSH(&v->processes))
            return NULL;
    struct view_process *own = &v->processes.items[process];
    if (own->resource && own->attributes == c->resource_count)
        return own->resource;
    export_resource_each(&v->env, process, count_one, &m);
    struct oriel_view_resource *to = room(&m.place, sizeof *to);
    m.to = room(&m.place, m.count * sizeof *m.to);
    if (!to || !m.to)
        return NULL;
    m.count = 0;
    export_resource_each(&v->env, process, make_one, &m);
    const struct model_told *told = c->processes[process]->told;
    const struct model_str ours = MODEL_STR(EXPORT_SCHEMA_URL), none = {"", 0};
    const struct model_str schema = export_resource_is_empty(c) ? none : ours;
    to->schema_url = text(&m.place, told ? told->schema_url : schema);
    to->attributes = m.to;
    to->attribute_count = m.count;
    if (m.place.failed)
        return NULL;
    *own = (struct view_process){to, c->resource_count};
    return to;
}

/* ---- events of spans ---- */

static const struct oriel_view_event *make_event(struct view *v, const struct model_event *e,
                                                 struct arena *arena)
{
    struct place p = {arena, false};
    const bool named = (e->site->flags & ORIEL_SITE_NAMED) || !e->message.n;
    const struct view_limits limit = {v->options.event_attribute_count, v->options.spans.text};
    struct oriel_view_event *to = room(&p, sizeof *to);
    if (!to)
        return NULL;
    to->time_ns = e->t_ns;
    to->name = text(&p, named ? e->site->name : e->message);
    to->dropped_attributes = e->dropped_attrs;
    to->attributes = put_attributes(&p, e->attrs, e->attr_count, limit, &to->attribute_count,
                                    &to->dropped_attributes);
    return p.failed ? NULL : to;
}

static struct view_held *held_of(struct view *v, uint64_t span_id)
{
    uint64_t *at = map_get(&v->held_by_span, span_id);
    if (at)
        return &v->held.items[*at];
    if (!v->vacant) {
        if (!VEC_PUSH(&v->held))
            return NULL;
        v->vacant = (uint32_t)v->held.count;
    }
    const uint32_t index = v->vacant - 1;
    if (!map_put(&v->held_by_span, span_id, index))
        return NULL;
    struct view_held *h = &v->held.items[index];
    v->vacant = h->next_vacant;
    return h;
}

/* What it takes, at least: arenas have blocks, and texts are the most of an event. */
static size_t weight(const struct view_held *h, const struct oriel_view_event *e)
{
    size_t n = h->events.count == 1 ? HELD_BLOCK : 0;
    for (size_t i = 0; i < e->attribute_count; i++)
        n += sizeof e->attributes[i] + e->attributes[i].bytes;
    return n + sizeof *e;
}

void view_hold(struct view *v, const struct model_event *e)
{
    const int64_t limit = v->options.event_count;
    const size_t most = limit >= 0 && limit < HELD_EVENTS ? (size_t)limit : HELD_EVENTS;
    struct view_held *h = v->held_bytes < HELD_BYTES ? held_of(v, e->span_id) : NULL;
    if (!h || h->events.count >= most)
        return;
    const struct oriel_view_event *made = make_event(v, e, &h->arena);
    const struct oriel_view_event **at = made ? VEC_PUSH(&h->events) : NULL;
    if (!at)
        return;
    *at = made;
    v->held_bytes += weight(h, made);
}

/* The events of a span that ends, into its arena. */
static void take_events(struct view *v, uint64_t span_id, struct place *p,
                        struct oriel_view_span *to)
{
    uint64_t *at = v->held_by_span.count ? map_get(&v->held_by_span, span_id) : NULL;
    if (!at)
        return;
    const uint32_t index = (uint32_t)*at;
    struct view_held *h = &v->held.items[index];
    const struct oriel_view_event **events = room(p, h->events.count * sizeof *events);
    size_t bytes = 0;
    for (size_t i = 0; i < h->events.count; i++)
        bytes += weight(&(struct view_held){.events = {.count = i + 1}}, h->events.items[i]);
    for (size_t i = 0; events && i < h->events.count; i++) {
        events[i] = view_copy_event(h->events.items[i], p->arena);
        p->failed = p->failed || !events[i];
    }
    to->events = events;
    to->event_count = h->events.count;
    assert(v->held_bytes >= bytes);
    v->held_bytes -= bytes;
    arena_done(&h->arena);
    h->events.count = 0;
    map_remove(&v->held_by_span, span_id);
    h->next_vacant = v->vacant;
    v->vacant = index + 1;
}

/* ---- spans ---- */

/* SpanKind has no word in a call site: the attribute that bridges use for it. */
static uint32_t kind_of(const struct model_span *s)
{
    const struct model_str kinds[] = {MODEL_STR("internal"), MODEL_STR("server"),
                                      MODEL_STR("client"), MODEL_STR("producer"),
                                      MODEL_STR("consumer")};
    for (uint32_t i = 0; i < s->attr_count; i++)
        for (uint32_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            if (s->attrs[i].type == ORIEL_TYPE_STR &&
                model_str_equal(s->attrs[i].key, MODEL_STR("otel.kind")) &&
                model_str_equal(s->attrs[i].v.str, kinds[k]))
                return KIND_INTERNAL + k;
    return KIND_INTERNAL;
}

static const struct oriel_view_link *make_link(const struct view *v, struct place *p,
                                               const struct model_link *l)
{
    const struct view_limits limit = {v->options.link_attribute_count, v->options.spans.text};
    struct oriel_view_link *to = room(p, sizeof *to);
    if (!to)
        return NULL;
    memcpy(to->trace_id, l->trace_id, sizeof to->trace_id);
    memcpy(to->span_id, &l->span_id, sizeof to->span_id);
    to->trace_flags = l->flags;
    to->follows_from = l->follows_from;
    to->trace_state = text(p, l->trace_state);
    to->attributes = put_attributes(p, l->attrs, l->attr_count, limit, &to->attribute_count,
                                    &to->dropped_attributes);
    return to;
}

static void put_links(const struct view *v, struct place *p, const struct model_span *s,
                      struct oriel_view_span *to)
{
    const int64_t limit = v->options.link_count;
    const uint32_t n = limit >= 0 && limit < s->link_count ? (uint32_t)limit : s->link_count;
    const struct oriel_view_link **links = room(p, n * sizeof *links);
    for (uint32_t i = 0; links && i < n; i++)
        links[i] = make_link(v, p, &s->links[i]);
    to->links = links;
    to->link_count = n;
    to->dropped_links = s->dropped_links + s->link_count - n;
}

static uint32_t flags_of(const struct model_span *s)
{
    return (s->flags & MODEL_SPAN_UNFINISHED ? ORIEL_VIEW_UNFINISHED : 0) |
           (s->flags & MODEL_SPAN_ASYNC ? ORIEL_VIEW_ASYNC : 0) |
           (s->flags & MODEL_SPAN_REMOTE_PARENT ? ORIEL_VIEW_REMOTE_PARENT : 0);
}

static void put_identity(struct oriel_view_span *to, const struct model_span *s)
{
    memcpy(to->trace_id, s->trace_id, sizeof to->trace_id);
    memcpy(to->span_id, &s->span_id, sizeof to->span_id);
    memcpy(to->parent_id, &s->parent_id, sizeof to->parent_id);
    to->trace_flags = s->trace_flags;
    to->flags = flags_of(s);
    to->kind = kind_of(s);
    to->status = s->status;
    to->start_ns = s->start_ns;
    to->end_ns = s->end_ns;
    to->busy_ns = s->busy_ns;
}

static uint32_t missing_events(const struct model_span *s, size_t there)
{
    const uint32_t missing = s->event_count > there ? s->event_count - (uint32_t)there : 0;
    return missing > s->dropped_events ? missing : s->dropped_events;
}

const struct oriel_view_span *view_span(struct view *v, const struct model_span *s,
                                        struct arena *arena)
{
    struct place p = {arena, false};
    const struct view_site *site = site_of(v, s->site);
    struct oriel_view_span *to = room(&p, sizeof *to);
    if (!site || !to)
        return NULL;
    put_identity(to, s);
    to->name = s->flags & MODEL_SPAN_RENAMED ? text(&p, model_span_name(s)) : site->name;
    to->file = site->file;
    to->function = site->function;
    to->line = s->site->line;
    to->scope = site->scope;
    to->resource = resource_of(v, s->site->process);
    to->trace_state = text(&p, s->trace_state);
    to->status_message = text(&p, s->status_message);
    to->thread_id = s->thread ? s->thread->tid : 0;
    to->thread_name = text(&p, s->thread ? s->thread->name : (struct model_str){"", 0});
    to->dropped_attributes = s->dropped_attrs;
    to->attributes = put_attributes(&p, s->attrs, s->attr_count, v->options.spans,
                                    &to->attribute_count, &to->dropped_attributes);
    take_events(v, s->span_id, &p, to);
    to->dropped_events = missing_events(s, to->event_count);
    put_links(v, &p, s, to);
    return p.failed || !to->resource ? NULL : to;
}

/* ---- log records ---- */

static void put_severity(struct place *p, struct oriel_view_log *to, uint8_t level)
{
    const char *name = model_level_text(level);
    to->severity = (uint32_t)model_level_severity(level);
    to->severity_text = text(p, (struct model_str){name, (uint32_t)strlen(name)});
}

static void put_place(struct place *p, struct oriel_view_log *to, const struct model_thread *t)
{
    to->thread_id = t ? t->tid : 0;
    to->thread_name = text(p, t ? t->name : (struct model_str){"", 0});
}

const struct oriel_view_log *view_log(struct view *v, const struct model_event *e,
                                      struct arena *arena)
{
    struct place p = {arena, false};
    const struct view_site *site = site_of(v, e->site);
    struct oriel_view_log *to = room(&p, sizeof *to);
    if (!site || !to)
        return NULL;
    const bool named = (e->site->flags & ORIEL_SITE_NAMED) != 0;
    const struct model_str none = {"", 0};
    const struct model_str body = e->message.n ? e->message : named ? none : e->site->name;
    to->time_ns = to->observed_ns = e->t_ns;
    memcpy(to->trace_id, e->trace_id, sizeof to->trace_id);
    memcpy(to->span_id, &e->span_id, sizeof to->span_id);
    to->trace_flags = e->trace_flags;
    to->flags = e->site->flags & (ORIEL_SITE_SYSTEM | ORIEL_SITE_SEEN) ? ORIEL_VIEW_SEEN : 0;
    put_severity(&p, to, e->site->level);
    to->event_name = named ? site->name : "";
    to->body = text(&p, body);
    to->body_bytes = body.n;
    to->file = site->file;
    to->function = site->function;
    to->line = e->site->line;
    to->scope = site->scope;
    to->resource = resource_of(v, e->site->process);
    to->dropped_attributes = e->dropped_attrs;
    to->attributes = put_attributes(&p, e->attrs, e->attr_count, v->options.logs,
                                    &to->attribute_count, &to->dropped_attributes);
    put_place(&p, to, e->thread);
    return p.failed || !to->resource ? NULL : to;
}

const struct oriel_view_log *view_loss(struct view *v, const struct model_loss *l,
                                       struct arena *arena)
{
    static const struct oriel_view_scope own = {"oriel", "", EXPORT_SCHEMA_URL, NULL, 0};
    struct place p = {arena, false};
    const char *cause = model_lost_text(l->cause), *remedy = model_lost_remedy(l->cause);
    const struct model_value values[] = {
        {.key = MODEL_STR("count"), .type = ORIEL_TYPE_I64, .v.i64 = (int64_t)l->count},
        {.key = MODEL_STR("cause"),
         .type = ORIEL_TYPE_STR,
         .v.str = {cause, (uint32_t)strlen(cause)}},
        {.key = MODEL_STR("remedy"),
         .type = ORIEL_TYPE_STR,
         .v.str = {remedy, (uint32_t)strlen(remedy)}},
    };
    struct oriel_view_log *to = room(&p, sizeof *to);
    if (!to || !v->env.catalog->process_count)
        return NULL;
    to->time_ns = l->from_ns;
    to->observed_ns = l->to_ns;
    to->flags = ORIEL_VIEW_SEEN;
    put_severity(&p, to, ORIEL_LEVEL_WARN);
    to->event_name = to->file = to->function = "";
    to->body = text(&p, MODEL_STR("records lost"));
    to->body_bytes = strlen(to->body);
    to->scope = &own;
    to->resource = resource_of(v, l->thread ? l->thread->process : 0);
    to->attributes =
        put_attributes(&p, values, sizeof values / sizeof *values, (struct view_limits){-1, -1},
                       &to->attribute_count, &to->dropped_attributes);
    put_place(&p, to, l->thread);
    return p.failed || !to->resource ? NULL : to;
}
