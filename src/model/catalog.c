/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The catalog: sites, processes, threads and the resource of one recording.
 * Everything it hands out lives in its arena at a fixed address; only the
 * tables of pointers move. One thread at a time.
 */
#include "model/catalog.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/vec.h"
#include "secret/scrub.h"

static uint64_t tid_key(uint32_t process, int32_t tid)
{
    return (uint64_t)process << 32 | (uint32_t)tid;
}

static uint64_t site_key(uint32_t process, uint32_t id)
{
    return (uint64_t)process << 32 | id;
}

/* What is written by people in source text: a format has password=%s, which is none. */
enum { NAMES = SCRUB_KNOWN | SCRUB_SHAPES };

/* A copy in the catalog, scrubbed; *out is untouched when out of memory. */
static bool copy_text(struct arena *arena, struct model_str s, unsigned what, struct model_str *out)
{
    assert(s.p || s.n == 0);
    if (s.n == 0) {
        *out = MODEL_STR("");
        return true;
    }
    char *p = arena_copy(arena, s.p, s.n);
    if (!p)
        return false;
    size_t n = scrub_in_place(p, s.n, what);
    p[n] = 0;
    *out = (struct model_str){p, (uint32_t)n};
    return true;
}

static bool copy_str(struct model_catalog *c, struct model_str s, struct model_str *out)
{
    return copy_text(&c->arena, s, NAMES, out);
}

static bool same_str(struct model_str a, struct model_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Room for one more pointer (or struct) in a table with 32-bit counts. */
static bool grow(void **items, uint32_t *capacity, uint32_t count, size_t item_size)
{
    size_t wide = *capacity;
    if (count < *capacity)
        return true;
    if (count == UINT32_MAX || !vec_grow(items, &wide, count, item_size))
        return false;
    *capacity = wide > UINT32_MAX ? UINT32_MAX : (uint32_t)wide;
    return true;
}
#define GROW(c, one, table)                                                                        \
    grow((void **)&(c)->table, &(c)->one##_capacity, (c)->one##_count, sizeof *(c)->table)

static void *new_zeroed(struct model_catalog *c, size_t size)
{
    void *p = arena_alloc(&c->arena, size, _Alignof(max_align_t));
    return p ? memset(p, 0, size) : NULL;
}

void model_catalog_init(struct model_catalog *c)
{
    memset(c, 0, sizeof *c);
    arena_init(&c->arena);
    model_stacks_init(&c->stacks);
}

void model_catalog_done(struct model_catalog *c)
{
    map_done(&c->site_by_key);
    map_done(&c->thread_by_key);
    map_done(&c->thread_by_tid);
    map_done(&c->process_by_pid);
    mem_free(c->sites);
    mem_free(c->processes);
    mem_free(c->threads);
    mem_free(c->resource);
    mem_free(c->scopes);
    arena_done(&c->arena);
    model_stacks_done(&c->stacks);
    memset(c, 0, sizeof *c);
}

static struct model_str last_component(struct model_str path)
{
    uint32_t at = path.n;
    while (at > 0 && path.p[at - 1] != '/')
        at--;
    return (struct model_str){path.p + at, path.n - at};
}

struct model_process *model_catalog_add_process(struct model_catalog *c, int32_t pid,
                                                struct model_str exe, struct model_str cmdline)
{
    struct model_process *p = GROW(c, process, processes) ? new_zeroed(c, sizeof *p) : NULL;
    uint64_t *at = p ? map_put(&c->process_by_pid, (uint32_t)pid, c->process_count) : NULL;
    if (!at || !copy_str(c, exe, &p->exe) || !copy_text(&c->arena, cmdline, SCRUB_ALL, &p->cmdline))
        return NULL;
    *at = c->process_count;
    p->index = c->process_count;
    p->pid = pid;
    p->name = last_component(p->exe);
    c->processes[c->process_count++] = p;
    return p;
}

struct model_process *model_catalog_adopt_process(struct model_catalog *c, int32_t pid,
                                                  struct model_str exe, struct model_str cmdline)
{
    struct model_process *p = model_catalog_find_process(c, pid);
    if (!p || p->trace_hi || p->trace_salt)
        return model_catalog_add_process(c, pid, exe, cmdline);
    if ((exe.n && !copy_str(c, exe, &p->exe)) ||
        (cmdline.n && !copy_text(&c->arena, cmdline, SCRUB_ALL, &p->cmdline)))
        return NULL;
    p->name = last_component(p->exe);
    return p;
}

int model_process_set_program(struct model_catalog *c, struct model_process *p,
                              struct model_str exe)
{
    if (!copy_str(c, exe, &p->exe))
        return ORIEL_ENOMEM;
    p->name = last_component(p->exe);
    p->cmdline = MODEL_STR("");
    return 0;
}

struct model_thread *model_catalog_add_thread(struct model_catalog *c, uint32_t process,
                                              int32_t tid, uint32_t serial)
{
    assert(process < c->process_count);
    struct model_thread *t = GROW(c, thread, threads) ? new_zeroed(c, sizeof *t) : NULL;
    uint64_t *at = t ? map_put(&c->thread_by_key, serial, c->thread_count) : NULL;
    uint64_t *by_tid = at ? map_put(&c->thread_by_tid, tid_key(process, tid), 0) : NULL;
    if (!by_tid)
        return NULL;
    *at = *by_tid = c->thread_count; /* what is seen again means the newer thread */
    t->index = c->thread_count;
    t->process = process;
    t->tid = tid;
    t->serial = serial;
    t->name = MODEL_STR("");
    c->threads[c->thread_count++] = t;
    return t;
}

struct model_thread *model_catalog_adopt_thread(struct model_catalog *c, uint32_t process,
                                                int32_t tid, uint32_t serial)
{
    struct model_thread *t = model_catalog_find_thread(c, process, tid);
    if (!t || !t->looked_at || t->own_serial)
        return model_catalog_add_thread(c, process, tid, serial);
    if (model_catalog_alias_thread(c, serial, t->index) < 0)
        return NULL;
    t->own_serial = serial;
    return t;
}

int model_catalog_alias_thread(struct model_catalog *c, uint32_t serial, uint32_t index)
{
    assert(index < c->thread_count);
    uint64_t *at = map_put(&c->thread_by_key, serial, index);
    if (!at)
        return ORIEL_ENOMEM;
    *at = index;
    return 0;
}

int model_thread_set_name(struct model_catalog *c, struct model_thread *t, struct model_str name)
{
    char clean[256];
    if (same_str(t->name, name))
        return 0;
    /* One with a secret in it comes again as it was: it is known by what is left of it. */
    if (name.n && name.n <= sizeof clean) {
        memcpy(clean, name.p, name.n);
        name = (struct model_str){clean, (uint32_t)scrub_in_place(clean, name.n, NAMES)};
    }
    if (same_str(t->name, name))
        return 0;
    return copy_str(c, name, &t->name) ? 0 : ORIEL_ENOMEM;
}

/* Fields and their types, in one block. */
static bool copy_fields(struct model_catalog *c, const struct model_site *from,
                        struct model_site *to)
{
    size_t n = from->field_count;
    struct model_field_def *fields = new_zeroed(c, n * (sizeof *fields + 1) + 1);
    if (!fields)
        return false;
    uint8_t *types = (uint8_t *)(fields + n);
    for (size_t i = 0; i < n; i++) {
        fields[i] = from->fields[i];
        types[i] = from->fields[i].type;
        if (!copy_str(c, from->fields[i].name, &fields[i].name))
            return false;
        bool text = types[i] == ORIEL_TYPE_STR || types[i] == ORIEL_TYPE_BYTES;
        to->has_texts |= text;
        fields[i].flags &= (uint8_t)~MODEL_FIELD_KEYED;
        if (text &&
            (scrub_key(fields[i].name.p, fields[i].name.n) ||
             (from->format.n && scrub_argument(from->format.p, from->format.n, (unsigned)i))))
            fields[i].flags |= MODEL_FIELD_KEYED;
    }
    to->fields = fields;
    to->types = types;
    return true;
}

static bool logs_span_events(const struct model_told *told)
{
    for (uint32_t i = 0; told && i < told->attr_count; i++) {
        const struct model_value *v = &told->attrs[i];
        if (v->type == ORIEL_TYPE_STR && same_str(v->key, MODEL_STR(MODEL_SPAN_EVENTS_KEY)))
            return same_str(v->v.str, MODEL_STR(MODEL_SPAN_EVENTS_LOGGED));
    }
    return false;
}

struct model_site *model_catalog_add_site(struct model_catalog *c, const struct model_site *site)
{
    assert(site && (site->fields || site->field_count == 0));
    uint64_t key = site_key(site->process, site->id);
    const uint64_t *known = map_get(&c->site_by_key, key);
    if (known)
        return c->sites[*known];
    struct model_site *s = GROW(c, site, sites) ? new_zeroed(c, sizeof *s) : NULL;
    if (!s)
        return NULL;
    *s = *site;
    s->has_texts = false;
    if (!copy_str(c, site->name, &s->name) || !copy_str(c, site->target, &s->target) ||
        !copy_str(c, site->file, &s->file) || !copy_str(c, site->function, &s->function) ||
        !copy_str(c, site->format, &s->format) || !copy_fields(c, site, s))
        return NULL;
    s->index = c->site_count;
    s->copies =
        site->process < c->process_count && logs_span_events(c->processes[site->process]->told);
    if (!map_put(&c->site_by_key, key, s->index))
        return NULL;
    c->sites[c->site_count++] = s;
    return s;
}

/* ---- what a protocol told ---- */

static bool is_text(const struct model_value *v)
{
    return v->type == ORIEL_TYPE_STR || v->type == ORIEL_TYPE_BYTES;
}

/* An attribute; one with the name of a secret keeps no text. */
static bool copy_attr(struct arena *arena, const struct model_value *from, struct model_value *to)
{
    *to = *from;
    if (!copy_text(arena, from->key, NAMES, &to->key))
        return false;
    if (!is_text(from))
        return true;
    struct model_str text = from->v.str;
    if (text.n && scrub_key(from->key.p, from->key.n)) {
        text = MODEL_STR(SCRUB_TEXT);
        to->flags = (uint8_t)((to->flags & ~ORIEL_FIELD_NESTED) | MODEL_VALUE_REDACTED);
    }
    return copy_text(arena, text, SCRUB_TEXTS, &to->v.str);
}

void model_told_redact(struct model_value *values, uint32_t n, struct arena *arena)
{
    for (uint32_t i = 0; i < n; i++) {
        struct model_value *v = &values[i];
        struct scrub_hit hit;
        bool whole = is_text(v) && v->v.str.n && scrub_key(v->key.p, v->key.n);
        if (!is_text(v) || (!whole && !scrub_find(v->v.str.p, v->v.str.n, 0, SCRUB_TEXTS, &hit)))
            continue;
        char *copy = whole ? NULL : arena_copy(arena, v->v.str.p, v->v.str.n);
        if (copy) /* JSON stays JSON */
            v->v.str =
                (struct model_str){copy, (uint32_t)scrub_in_place(copy, v->v.str.n, SCRUB_TEXTS)};
        else
            v->v.str = MODEL_STR(SCRUB_TEXT);
        v->type = copy ? v->type : ORIEL_TYPE_STR;
        v->flags &= copy ? 0xff : (uint8_t)~ORIEL_FIELD_NESTED;
        v->full_bytes = v->v.str.n;
    }
}

static bool copy_told(struct arena *arena, const struct model_told *from, struct model_told *to)
{
    size_t size = from->attr_count * sizeof(struct model_value) + 1;
    struct model_value *attrs = arena_alloc(arena, size, _Alignof(max_align_t));
    *to = *from;
    to->attrs = attrs;
    if (!attrs || !copy_text(arena, from->schema_url, NAMES, &to->schema_url))
        return false;
    for (uint32_t i = 0; i < from->attr_count; i++)
        if (!copy_attr(arena, &from->attrs[i], &attrs[i]))
            return false;
    return true;
}

int model_process_set_told(struct model_catalog *c, struct model_process *p,
                           const struct model_told *told)
{
    struct model_told *copy = new_zeroed(c, sizeof *copy);
    if (!copy || !copy_told(&c->arena, told, copy))
        return ORIEL_ENOMEM;
    p->told = copy;
    for (uint32_t i = 0; logs_span_events(copy) && i < c->site_count; i++)
        c->sites[i]->copies |= c->sites[i]->process == p->index; /* those that were there before */
    return 0;
}

static bool same_value(const struct model_value *a, const struct model_value *b)
{
    if (!same_str(a->key, b->key) || a->type != b->type || a->flags != b->flags)
        return false;
    return is_text(a) ? same_str(a->v.str, b->v.str) : a->v.u64 == b->v.u64;
}

static bool same_scope(const struct model_scope *a, const struct model_scope *b)
{
    if (!same_str(a->name, b->name) || !same_str(a->version, b->version) ||
        !same_str(a->told.schema_url, b->told.schema_url) ||
        a->told.attr_count != b->told.attr_count || a->told.dropped_attrs != b->told.dropped_attrs)
        return false;
    for (uint32_t i = 0; i < a->told.attr_count; i++)
        if (!same_value(&a->told.attrs[i], &b->told.attrs[i]))
            return false;
    return true;
}

static bool copy_scope(struct arena *arena, const struct model_scope *from, struct model_scope *to)
{
    return copy_text(arena, from->name, NAMES, &to->name) &&
           copy_text(arena, from->version, NAMES, &to->version) &&
           copy_told(arena, &from->told, &to->told);
}

static struct model_scope *find_scope(const struct model_catalog *c,
                                      const struct model_scope *scope)
{
    for (uint32_t i = c->scope_count; i > 0; i--)
        if (same_scope(c->scopes[i - 1], scope))
            return c->scopes[i - 1];
    return NULL;
}

static struct model_scope *put_scope(struct model_catalog *c, const struct model_scope *scope)
{
    struct model_scope *s = GROW(c, scope, scopes) ? new_zeroed(c, sizeof *s) : NULL;
    if (!s || !copy_scope(&c->arena, scope, s))
        return NULL;
    s->index = c->scope_count;
    c->scopes[c->scope_count++] = s;
    return s;
}

struct model_scope *model_catalog_add_scope(struct model_catalog *c,
                                            const struct model_scope *scope)
{
    struct model_scope clean = {0}, *s = find_scope(c, scope);
    struct arena arena;
    if (s)
        return s;
    /* One with a secret in it is kept without: it is known again only by what is left. */
    arena_init(&arena);
    if (copy_scope(&arena, scope, &clean)) {
        s = find_scope(c, &clean);
        s = s ? s : put_scope(c, &clean);
    }
    arena_done(&arena);
    return s;
}

void model_site_set_scope(struct model_catalog *c, uint32_t site, const struct model_scope *scope)
{
    assert(site < c->site_count && scope->index < c->scope_count);
    c->sites[site]->scope = scope->index + 1;
}

int model_catalog_set_resource(struct model_catalog *c, struct model_str key,
                               struct model_str value)
{
    struct model_attr_text next;
    uint32_t at = 0;
    while (at < c->resource_count && !same_str(c->resource[at].key, key))
        at++;
    if (at == c->resource_count &&
        !grow((void **)&c->resource, &c->resource_capacity, c->resource_count, sizeof *c->resource))
        return ORIEL_ENOMEM;
    if (scrub_key(key.p, key.n) && value.n)
        value = MODEL_STR(SCRUB_TEXT);
    if (!copy_str(c, key, &next.key) || !copy_text(&c->arena, value, SCRUB_ALL, &next.value))
        return ORIEL_ENOMEM;
    c->resource[at] = next;
    if (at == c->resource_count)
        c->resource_count++;
    return 0;
}

const struct model_site *model_catalog_site(const struct model_catalog *c, uint32_t process,
                                            uint32_t id)
{
    const uint64_t *at = map_get(&c->site_by_key, site_key(process, id));
    assert(!at || *at < c->site_count);
    return at ? c->sites[*at] : NULL;
}

const struct model_thread *model_catalog_thread(const struct model_catalog *c, uint32_t serial)
{
    const uint64_t *at = map_get(&c->thread_by_key, serial);
    assert(!at || *at < c->thread_count);
    return at ? c->threads[*at] : NULL;
}

uint64_t model_catalog_ticks(const struct model_catalog *c, const struct model_thread *t,
                             uint64_t unix_ns, uint64_t offset)
{
    const struct clock_piece *now = &c->processes[t->process]->clock.now;
    if (now->mult == 0)
        return unix_ns - offset;
    const __int128 ns = (int64_t)(unix_ns - now->base_ns); /* perhaps before it */
    return now->base_ticks + (uint64_t)(int64_t)(ns * ((__int128)1 << 32) / (__int128)now->mult);
}

struct model_str model_catalog_resource(const struct model_catalog *c, const char *key)
{
    struct model_str wanted = {key, (uint32_t)strlen(key)};
    for (uint32_t i = 0; i < c->resource_count; i++)
        if (same_str(c->resource[i].key, wanted))
            return c->resource[i].value;
    return MODEL_STR("");
}

/* An entry may be left over from something that found no memory. */
struct model_process *model_catalog_find_process(const struct model_catalog *c, int32_t pid)
{
    const uint64_t *at = map_get(&c->process_by_pid, (uint32_t)pid);
    struct model_process *p = at && *at < c->process_count ? c->processes[*at] : NULL;
    return p && p->pid == pid ? p : NULL;
}

struct model_thread *model_catalog_find_thread(const struct model_catalog *c, uint32_t process,
                                               int32_t tid)
{
    const uint64_t *at = map_get(&c->thread_by_tid, tid_key(process, tid));
    struct model_thread *t = at && *at < c->thread_count ? c->threads[*at] : NULL;
    return t && t->tid == tid && t->process == process ? t : NULL;
}
