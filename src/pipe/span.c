/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The pool behind open spans. Slabs are given back only at the end; how many
 * there can be follows from the pipe's limit of open spans.
 */
#include "pipe/span.h"

#include <assert.h>

#include "base/vec.h"

enum { SLAB_SPANS = 256, EXTRAS_KEPT = 1024, KEEP_LISTS = 16 };

_Static_assert(sizeof(struct open_span) <= 128, "a plain span is two cache lines");

bool spans_grow(struct spans *s)
{
    if (s->slab_count == s->slab_capacity) {
        size_t capacity = s->slab_capacity ? s->slab_capacity * 2 : 16;
        struct open_span **more = mem_realloc(s->slabs, capacity * sizeof *more);
        if (!more)
            return false;
        s->slabs = more;
        s->slab_capacity = capacity;
    }
    struct open_span *slab = mem_calloc(SLAB_SPANS, sizeof *slab);
    if (!slab)
        return false;
    s->slabs[s->slab_count++] = slab;
    for (size_t i = SLAB_SPANS; i-- > 0;) { /* lowest address on top */
        slab[i].newer = s->free;
        s->free = &slab[i];
    }
    return true;
}

/* ---- tracestates ---- */

uint32_t spans_state_new(struct spans *s, const char *text, uint32_t bytes)
{
    char *copy = mem_strndup(text, bytes);
    if (!copy)
        return 0;
    if (!s->free_state) {
        if (s->state_count == s->state_capacity &&
            !vec_grow((void **)&s->states, &s->state_capacity, s->state_count, sizeof *s->states)) {
            mem_free(copy);
            return 0;
        }
        s->free_state = (uint32_t)++s->state_count;
        s->states[s->free_state - 1].next_free = 0;
    }
    uint32_t state = s->free_state;
    struct span_state *e = &s->states[state - 1];
    s->free_state = e->next_free;
    *e = (struct span_state){copy, bytes, 1, 0};
    return state;
}

uint32_t spans_state_ref(struct spans *s, uint32_t state)
{
    assert(state <= s->state_count);
    if (state)
        s->states[state - 1].refs++;
    return state;
}

void spans_state_unref(struct spans *s, uint32_t state)
{
    if (!state)
        return;
    struct span_state *e = &s->states[state - 1];
    assert(state <= s->state_count && e->refs > 0);
    if (--e->refs)
        return;
    mem_free(e->text);
    *e = (struct span_state){.next_free = s->free_state};
    s->free_state = state;
}

struct model_str spans_state(const struct spans *s, uint32_t state)
{
    if (!state)
        return (struct model_str){NULL, 0};
    assert(state <= s->state_count && s->states[state - 1].refs > 0);
    return (struct model_str){s->states[state - 1].text, s->states[state - 1].bytes};
}

/* ---- what only some spans have ---- */

static void free_links(struct span_extra *e)
{
    for (size_t i = 0; i < e->link_count; i++) {
        mem_free((char *)e->links[i].trace_state.p);
        if (e->links[i].attrs)
            mem_free((char *)e->links[i].attrs - offsetof(struct link_block, values));
    }
    e->link_count = 0;
}

static void extra_done(struct span_extra *e)
{
    free_links(e);
    attrs_done(&e->attrs);
    mem_free(e->links);
    mem_free(e->busy);
    mem_free(e->active);
    mem_free(e->message);
    mem_free(e->name);
    mem_free(e);
}

struct span_extra *spans_extra(struct spans *s, struct open_span *span)
{
    struct span_extra *e = span->extra;
    if (e)
        return e;
    e = s->free_extra;
    if (e) {
        s->free_extra = e->next;
        s->free_extras--;
    } else if (!(e = mem_calloc(1, sizeof *e))) {
        return NULL;
    }
    e->next = NULL;
    return span->extra = e;
}

/* An extra part as good as new, with the memory worth keeping. */
static void extra_clear(struct span_extra *e)
{
    struct span_extra kept = {.attrs = e->attrs};
    free_links(e);
    attrs_clear(&kept.attrs);
    mem_free(e->message);
    mem_free(e->name);
    if (e->link_capacity <= KEEP_LISTS) {
        kept.links = e->links;
        kept.link_capacity = e->link_capacity;
    } else {
        mem_free(e->links);
    }
    if (e->busy_capacity <= KEEP_LISTS) {
        kept.busy = e->busy;
        kept.busy_capacity = e->busy_capacity;
    } else {
        mem_free(e->busy);
    }
    if (e->active_capacity <= KEEP_LISTS) {
        kept.active = e->active;
        kept.active_capacity = e->active_capacity;
    } else {
        mem_free(e->active);
    }
    *e = kept;
}

void spans_free_parts(struct spans *s, struct open_span *span)
{
    struct span_extra *e = span->extra;
    assert(span->closed);
    if (span->owns_raw)
        mem_free((void *)span->raw);
    spans_state_unref(s, span->state);
    span->state = 0;
    span->owns_raw = false;
    span->raw = NULL;
    span->extra = NULL;
    if (!e)
        return;
    assert(s->long_bytes >= e->long_bytes);
    s->long_bytes -= e->long_bytes;
    if (s->free_extras >= EXTRAS_KEPT) {
        extra_done(e);
        return;
    }
    extra_clear(e);
    e->next = s->free_extra;
    s->free_extra = e;
    s->free_extras++;
}

uint64_t spans_keep_fields(struct spans *s)
{
    uint64_t lost = 0;
    /* By age: those of this push are the youngest. */
    for (struct open_span *o = s->newest; o && o->push == s->push; o = o->older) {
        if (!o->raw || o->owns_raw)
            continue;
        uint64_t *copy = mem_alloc((size_t)o->words * sizeof *copy);
        if (copy)
            memcpy(copy, o->raw, (size_t)o->words * sizeof *copy);
        else
            lost += o->site->field_count;
        o->raw = copy;
        o->owns_raw = copy != NULL;
    }
    return lost;
}

void spans_done(struct spans *s)
{
    for (struct open_span *o = s->oldest, *next; o; o = next) {
        next = o->newer;
        spans_close(s, o);
    }
    for (struct span_extra *e = s->free_extra, *next; e; e = next) {
        next = e->next;
        extra_done(e);
    }
    for (size_t i = 0; i < s->slab_count; i++)
        mem_free(s->slabs[i]);
    mem_free(s->slabs);
    for (size_t i = 0; i < s->state_count; i++)
        mem_free(s->states[i].text);
    mem_free(s->states);
    memset(s, 0, sizeof *s);
}
