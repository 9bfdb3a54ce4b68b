/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The fixtures as JSON for the checker: numbers as text, texts as hex. */
#include <inttypes.h>
#include <stdio.h>

#include "fixtures.h"

static void put_text(struct json *j, const char *key, struct model_str s)
{
    json_key(j, key);
    json_hex(j, s.p, s.n);
}

static void put_hex(struct json *j, const char *key, const void *bytes, size_t n)
{
    json_key(j, key);
    json_hex(j, bytes, n);
}

static void put_u64(struct json *j, const char *key, uint64_t v)
{
    json_key(j, key);
    json_u64(j, v);
}

static void put_thread(struct json *j, const char *key, const struct model_thread *t)
{
    json_key(j, key);
    if (t)
        json_u64(j, t->index);
    else
        json_null(j);
}

/* The bits of a double, and bytes as hex: nothing is rounded or escaped. */
static void put_value(struct json *j, const struct model_value *v)
{
    uint64_t bits;
    json_object(j);
    put_text(j, "key", v->key);
    put_u64(j, "type", v->type);
    put_u64(j, "flags", v->flags);
    json_key(j, "value");
    switch (v->type) {
    case ORIEL_TYPE_BOOL:
        json_bool(j, v->v.b);
        break;
    case ORIEL_TYPE_I64:
        json_i64(j, v->v.i64);
        break;
    case ORIEL_TYPE_F64:
        memcpy(&bits, &v->v.f64, 8);
        json_u64(j, bits);
        break;
    case ORIEL_TYPE_STR:
    case ORIEL_TYPE_BYTES:
        json_hex(j, v->v.str.p, v->v.str.n);
        break;
    default:
        json_u64(j, v->v.u64);
    }
    put_u64(j, "full", v->full_bytes);
    json_object_end(j);
}

static void put_values(struct json *j, const struct model_value *v, uint32_t n)
{
    json_key(j, "attrs");
    json_array(j);
    for (uint32_t i = 0; i < n; i++)
        put_value(j, &v[i]);
    json_array_end(j);
}

static void put_site(struct json *j, const struct model_site *s)
{
    put_text(j, "name", s->name);
    put_text(j, "target", s->target);
    put_text(j, "file", s->file);
    put_text(j, "function", s->function);
    put_u64(j, "line", s->line);
    put_u64(j, "level", s->level);
}

static void put_span(struct json *j, const struct model_span *s)
{
    put_site(j, s->site);
    put_hex(j, "trace_id", s->trace_id, 16);
    put_hex(j, "span_id", &s->span_id, 8);
    put_hex(j, "parent_id", &s->parent_id, s->parent_id ? 8 : 0);
    put_u64(j, "start", s->start_ns);
    put_u64(j, "end", s->end_ns);
    put_u64(j, "busy_ns", s->busy_ns);
    put_u64(j, "flags", s->flags);
    put_u64(j, "trace_flags", s->trace_flags);
    put_text(j, "trace_state", s->trace_state);
    put_u64(j, "depth", s->depth);
    put_u64(j, "status", s->status);
    put_text(j, "status_message", s->status_message);
    put_u64(j, "dropped_attrs", s->dropped_attrs);
    put_u64(j, "dropped_events", s->dropped_events);
    put_u64(j, "dropped_links", s->dropped_links);
    put_thread(j, "thread", s->thread);
    put_thread(j, "end_thread", s->end_thread);
    put_values(j, s->attrs, s->attr_count);
    json_key(j, "links");
    json_array(j);
    for (uint32_t i = 0; i < s->link_count; i++) {
        json_object(j);
        put_hex(j, "trace_id", s->links[i].trace_id, 16);
        put_hex(j, "span_id", &s->links[i].span_id, 8);
        put_u64(j, "flags", s->links[i].flags);
        put_text(j, "trace_state", s->links[i].trace_state);
        json_key(j, "follows_from");
        json_bool(j, s->links[i].follows_from);
        json_object_end(j);
    }
    json_array_end(j);
    json_key(j, "busy");
    json_array(j);
    for (uint32_t i = 0; i < s->busy_count; i++) {
        json_object(j);
        put_thread(j, "thread", s->busy[i].thread);
        put_u64(j, "start", s->busy[i].start_ns);
        put_u64(j, "end", s->busy[i].end_ns);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_event(struct json *j, const struct model_event *e)
{
    put_site(j, e->site);
    put_hex(j, "trace_id", e->trace_id, 16);
    put_u64(j, "trace_flags", e->trace_flags);
    put_hex(j, "span_id", &e->span_id, 8);
    put_u64(j, "t", e->t_ns);
    put_thread(j, "thread", e->thread);
    put_text(j, "message", e->message);
    put_u64(j, "dropped_attrs", e->dropped_attrs);
    put_values(j, e->attrs, e->attr_count);
}

static void put_item(struct json *j, const struct model_item *it)
{
    static const char *const kinds[] = {"", "span", "event", "plot", "frame", "task", "loss"};
    json_object(j);
    json_key(j, "kind");
    json_string(j, kinds[it->kind]);
    switch (it->kind) {
    case MODEL_ITEM_SPAN:
        put_span(j, &it->u.span);
        break;
    case MODEL_ITEM_EVENT:
        put_event(j, &it->u.event);
        break;
    case MODEL_ITEM_PLOT:
        put_site(j, it->u.plot.site);
        put_u64(j, "t", it->u.plot.t_ns);
        put_thread(j, "thread", it->u.plot.thread);
        put_values(j, &it->u.plot.value, 1);
        break;
    case MODEL_ITEM_FRAME:
        put_site(j, it->u.frame.site);
        put_u64(j, "t", it->u.frame.t_ns);
        put_thread(j, "thread", it->u.frame.thread);
        break;
    case MODEL_ITEM_TASK:
        put_site(j, it->u.task.site);
        put_u64(j, "t", it->u.task.t_ns);
        put_u64(j, "op", it->u.task.op);
        put_u64(j, "task", it->u.task.task);
        put_u64(j, "other", it->u.task.other);
        put_hex(j, "span_id", &it->u.task.span_id, 8);
        put_thread(j, "thread", it->u.task.thread);
        break;
    case MODEL_ITEM_LOSS:
        put_u64(j, "from", it->u.loss.from_ns);
        put_u64(j, "t", it->u.loss.to_ns);
        put_u64(j, "count", it->u.loss.count);
        json_key(j, "cause");
        json_string(j, model_lost_text(it->u.loss.cause));
        put_thread(j, "thread", it->u.loss.thread);
        break;
    case MODEL_ITEM_SAMPLE:
        put_u64(j, "t", it->u.sample.t_ns);
        put_u64(j, "weight", it->u.sample.weight);
        put_thread(j, "thread", it->u.sample.thread);
        break;
    }
    json_object_end(j);
}

static void put_catalog(struct json *j, const struct model_catalog *c)
{
    put_u64(j, "start", c->start_ns);
    put_hex(j, "session_id", c->session_id, 16);
    json_key(j, "resource");
    json_object(j);
    for (uint32_t i = 0; i < c->resource_count; i++) {
        json_key_n(j, c->resource[i].key.p, c->resource[i].key.n);
        json_hex(j, c->resource[i].value.p, c->resource[i].value.n);
    }
    json_object_end(j);
    json_key(j, "processes");
    json_array(j);
    for (uint32_t i = 0; i < c->process_count; i++) {
        json_object(j);
        put_u64(j, "pid", (uint64_t)c->processes[i]->pid);
        put_text(j, "name", c->processes[i]->name);
        json_object_end(j);
    }
    json_array_end(j);
    json_key(j, "threads");
    json_array(j);
    for (uint32_t i = 0; i < c->thread_count; i++) {
        json_object(j);
        put_u64(j, "process", c->threads[i]->process);
        put_u64(j, "tid", (uint64_t)c->threads[i]->tid);
        put_text(j, "name", c->threads[i]->name);
        json_object_end(j);
    }
    json_array_end(j);
}

void fixtures_describe(const struct fixtures *f, struct buf *out)
{
    struct json j;
    json_init(&j, out);
    json_object(&j);
    put_catalog(&j, &f->catalog);
    json_key(&j, "items");
    json_array(&j);
    for (size_t i = 0; i < f->items.item_count; i++)
        put_item(&j, &f->items.items[i]);
    json_array_end(&j);
    json_key(&j, "samples");
    fixtures_describe_samples(&j, f);
    json_object_end(&j);
}

void fixtures_describe_record(struct json *j, const struct model_record *r)
{
    struct model_values it;
    struct model_value v;
    json_object(j);
    if (r->site)
        put_site(j, r->site);
    put_u64(j, "t", r->t_ns);
    put_u64(j, "raw_id", r->raw_id);
    put_u64(j, "position", r->position);
    put_u64(j, "stream", r->stream);
    put_u64(j, "type", r->type);
    put_u64(j, "flags", r->flags);
    put_hex(j, "words", r->raw, r->words * (size_t)8);
    put_u64(j, "tid", (uint64_t)r->thread->tid);
    put_text(j, "thread", r->thread->name);
    json_key(j, "attrs");
    json_array(j);
    model_values_begin(&it, r);
    while (model_values_next(&it, &v))
        put_value(j, &v);
    json_array_end(j);
    json_object_end(j);
}
