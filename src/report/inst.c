/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One allocation holds an instance, its attribute values and their bytes.
 */
#include "report/inst.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

struct store {
    char *at, *end;
};

static uint32_t kept_bytes(uint32_t n)
{
    return n < INST_STRING_MAX ? n : INST_STRING_MAX;
}

static bool has_text(const struct model_value *v)
{
    return v->type == ORIEL_TYPE_STR || v->type == ORIEL_TYPE_BYTES;
}

static struct model_str keep(struct store *s, struct model_str text)
{
    struct model_str kept = {s->at, kept_bytes(text.n)};
    assert(s->end - s->at >= (ptrdiff_t)kept.n);
    if (kept.n)
        memcpy(s->at, text.p, kept.n);
    s->at += kept.n;
    return kept;
}

static size_t attrs_bytes(const struct model_value *attrs, uint32_t count)
{
    size_t n = count * sizeof *attrs;
    for (uint32_t i = 0; i < count; i++)
        n += kept_bytes(attrs[i].key.n) + (has_text(&attrs[i]) ? kept_bytes(attrs[i].v.str.n) : 0);
    return n;
}

static void copy_attrs(struct model_value *to, const struct model_value *from, uint32_t count,
                       struct store *s)
{
    for (uint32_t i = 0; i < count; i++) {
        to[i] = from[i];
        to[i].key = keep(s, from[i].key);
        if (!has_text(&from[i]))
            continue;
        to[i].v.str = keep(s, from[i].v.str);
        if (to[i].v.str.n < from[i].v.str.n)
            to[i].flags |= MODEL_VALUE_TRUNCATED;
    }
}

/* An instance with room for attributes and a text behind it. */
static struct inst *inst_new(const struct model_value *attrs, uint32_t count, struct model_str text,
                             struct store *out)
{
    size_t bytes = sizeof(struct inst) + attrs_bytes(attrs, count) + kept_bytes(text.n);
    struct inst *i = mem_alloc(bytes);
    if (!i)
        return NULL;
    memset(i, 0, sizeof *i);
    i->bytes = bytes;
    struct model_value *values = (struct model_value *)(void *)(i + 1);
    out->at = (char *)(values + count);
    out->end = (char *)i + bytes;
    copy_attrs(values, attrs, count, out);
    return i;
}

_Static_assert(sizeof(struct inst) % _Alignof(struct model_value) == 0,
               "the values behind an instance are aligned");

struct inst *inst_span(const struct model_span *span, uint32_t name, uint64_t self_ns)
{
    uint32_t count = span->attr_count < INST_ATTRS_MAX ? span->attr_count : INST_ATTRS_MAX;
    struct store s;
    struct inst *i = inst_new(span->attrs, count, span->status_message, &s);
    if (!i)
        return NULL;
    i->t_ns = span->start_ns;
    i->name = name;
    i->self_ns = self_ns;
    i->u.span = *span;
    i->u.span.attrs = (const struct model_value *)(const void *)(i + 1);
    i->u.span.attr_count = count;
    i->u.span.flags &= ~(uint32_t)MODEL_SPAN_RENAMED; /* `name` says it */
    i->u.span.dropped_attrs += span->attr_count - count;
    i->u.span.links = NULL;
    i->u.span.link_count = 0;
    i->u.span.busy = NULL;
    i->u.span.busy_count = 0;
    i->u.span.status_message = keep(&s, span->status_message);
    return i;
}

struct inst *inst_event(const struct model_event *event, uint32_t name)
{
    uint32_t count = event->attr_count < INST_ATTRS_MAX ? event->attr_count : INST_ATTRS_MAX;
    struct store s;
    struct inst *i = inst_new(event->attrs, count, event->message, &s);
    if (!i)
        return NULL;
    i->t_ns = event->t_ns;
    i->name = name;
    i->is_event = true;
    i->u.event = *event;
    i->u.event.attrs = (const struct model_value *)(const void *)(i + 1);
    i->u.event.attr_count = count;
    i->u.event.dropped_attrs += event->attr_count - count;
    i->u.event.message = keep(&s, event->message);
    return i;
}

int slow_insert(struct slow *s, const struct model_span *span, uint32_t name, uint64_t self_ns)
{
    uint64_t dur = span->end_ns - span->start_ns;
    struct inst *i = inst_span(span, name, self_ns);
    if (!i)
        return ORIEL_ENOMEM;
    if (s->count == SLOW_MAX)
        mem_free(s->items[--s->count]);
    uint32_t at = s->count++;
    for (; at && inst_duration(s->items[at - 1]) < dur; at--)
        s->items[at] = s->items[at - 1];
    s->items[at] = i;
    s->above = inst_duration(s->items[s->count - 1]);
    return 0;
}

void slow_done(struct slow *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        mem_free(s->items[i]);
    s->count = 0;
}
