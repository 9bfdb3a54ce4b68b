/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The meta log's entries, both directions. Writing happens in the observed
 * program with texts that may lie in a library being unloaded soon: they are
 * copied, cut to bounds, never kept. Reading trusts nothing: all lengths are
 * added up and compared with the size of the entry before a byte is touched.
 */
#include "wire/meta.h"

#include <oriel/abi/mark.h>
#include <oriel/abi/runtime.h>

#include <assert.h>
#include <string.h>

/* ---- writing ---- */

static size_t text_bytes(const char *s, size_t max)
{
    return s ? strnlen(s, max) : 0;
}

static size_t round_up(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* Strips the marks of a field name and turns them into flags. */
static const char *unmark(const char *name, uint8_t *out_flags)
{
    uint8_t flags = 0;
    if (!name)
        name = "";
    for (;; name++) {
        if (*name == ORIEL_MARK_SECRET[0])
            flags |= ORIEL_FIELD_SECRET;
        else if (*name == ORIEL_MARK_ARG[0])
            flags |= ORIEL_FIELD_ARG;
        else if (*name == ORIEL_MARK_NESTED[0])
            flags |= ORIEL_FIELD_NESTED;
        else
            break;
    }
    *out_flags = flags;
    return name;
}

static bool fields_are_known(const struct oriel_site *s)
{
    if (s->field_count > WIRE_SITE_FIELDS_MAX || (s->field_count && !s->fields))
        return false;
    for (uint32_t i = 0; i < s->field_count; i++)
        if (s->fields[i].type < ORIEL_TYPE_BOOL || s->fields[i].type > ORIEL_TYPE_PTR)
            return false;
    return true;
}

size_t wire_meta_site_bytes(const struct oriel_site *s)
{
    if (s->abi_version != ORIEL_ABI_VERSION || s->kind < ORIEL_SITE_SPAN ||
        s->kind > ORIEL_SITE_TASK || !fields_are_known(s))
        return 0;
    size_t n = sizeof(struct wire_meta_site) + s->field_count * sizeof(struct wire_meta_field);
    n += text_bytes(s->name, WIRE_META_NAME_MAX) + text_bytes(s->target, WIRE_META_NAME_MAX) +
         text_bytes(s->file, WIRE_META_PATH_MAX) + text_bytes(s->function, WIRE_META_NAME_MAX) +
         text_bytes(s->format, WIRE_META_FORMAT_MAX);
    for (uint32_t i = 0; i < s->field_count; i++) {
        uint8_t flags;
        n += text_bytes(unmark(s->fields[i].name, &flags), WIRE_META_KEY_MAX);
    }
    return round_up(n);
}

struct cursor {
    char *at, *end;
};

/* Appends as much as fits of the text; returns how much that was. */
static uint16_t put_text(struct cursor *c, const char *s, size_t max)
{
    size_t room = (size_t)(c->end - c->at), n = text_bytes(s, max < room ? max : room);
    if (n)
        memcpy(c->at, s, n);
    c->at += n;
    return (uint16_t)n;
}

static void finish_text(struct cursor *c)
{
    assert(c->at <= c->end);
    memset(c->at, 0, (size_t)(c->end - c->at));
}

static uint8_t clamp_level(uint8_t level)
{
    if (level < ORIEL_LEVEL_TRACE)
        return ORIEL_LEVEL_TRACE;
    return level > ORIEL_LEVEL_FATAL ? ORIEL_LEVEL_FATAL : level;
}

/* The length word is not touched: it says "pending" until the commit. */
static void put_head(struct wire_meta *head, uint16_t type, uint32_t process)
{
    head->type = type;
    head->process = (uint16_t)process;
}

void wire_meta_site_write(void *dst, size_t bytes, const struct oriel_site *s, uint32_t id,
                          uint32_t process)
{
    struct wire_meta_site *m = dst;
    struct wire_meta_field *fields = (struct wire_meta_field *)(m + 1);
    struct cursor c = {(char *)(fields + s->field_count), (char *)dst + bytes};
    assert(s->field_count <= WIRE_SITE_FIELDS_MAX && c.at <= c.end);
    put_head(&m->head, WIRE_META_SITE, process);
    m->id = id;
    m->line = s->line;
    m->kind = s->kind;
    m->level = clamp_level(s->level);
    m->field_count = (uint16_t)s->field_count;
    m->flags = (uint16_t)s->flags;
    m->word_address = (uint64_t)(uintptr_t)s->word;
    m->name_bytes = put_text(&c, s->name, WIRE_META_NAME_MAX);
    m->target_bytes = put_text(&c, s->target, WIRE_META_NAME_MAX);
    m->file_bytes = put_text(&c, s->file, WIRE_META_PATH_MAX);
    m->function_bytes = put_text(&c, s->function, WIRE_META_NAME_MAX);
    m->format_bytes = put_text(&c, s->format, WIRE_META_FORMAT_MAX);
    for (uint32_t i = 0; i < s->field_count; i++) {
        const char *name = unmark(s->fields[i].name, &fields[i].flags);
        fields[i].type = (uint8_t)s->fields[i].type;
        fields[i].name_bytes = put_text(&c, name, WIRE_META_KEY_MAX);
    }
    finish_text(&c);
}

size_t wire_meta_resource_bytes(const char *key, const char *value)
{
    return round_up(sizeof(struct wire_meta) + text_bytes(key, WIRE_META_KEY_MAX) +
                    text_bytes(value, WIRE_META_VALUE_MAX) + 2);
}

void wire_meta_resource_write(void *dst, size_t bytes, const char *key, const char *value,
                              uint32_t process)
{
    struct wire_meta *head = dst;
    /* Two bytes are kept back: each text ends with a NUL. */
    struct cursor c = {(char *)(head + 1), (char *)dst + bytes - 2};
    assert(bytes >= sizeof *head + 2);
    put_head(head, WIRE_META_RESOURCE, process);
    put_text(&c, key, WIRE_META_KEY_MAX);
    *c.at++ = 0;
    c.end++;
    put_text(&c, value, WIRE_META_VALUE_MAX);
    c.end++;
    finish_text(&c);
}

static size_t id_bytes(const struct wire_module *m)
{
    return m->build_id_bytes > WIRE_META_BUILD_ID_MAX ? WIRE_META_BUILD_ID_MAX : m->build_id_bytes;
}

size_t wire_meta_module_bytes(const struct wire_module *m)
{
    return round_up(sizeof(struct wire_meta_module) + id_bytes(m) +
                    text_bytes(m->path, WIRE_META_PATH_MAX));
}

void wire_meta_module_write(void *dst, size_t bytes, const struct wire_module *m, uint32_t process)
{
    struct wire_meta_module *out = dst;
    struct cursor c = {(char *)(out + 1), (char *)dst + bytes};
    size_t n = id_bytes(m);
    assert(n <= (size_t)(c.end - c.at) && m->start < m->end);
    put_head(&out->head, WIRE_META_MODULE, process);
    out->address = m->bias;
    out->start = m->start;
    out->end = m->end;
    out->ticks = m->ticks;
    out->build_id_bytes = (uint16_t)n;
    out->reserved = 0;
    if (n)
        memcpy(c.at, m->build_id, n);
    c.at += n;
    out->path_bytes = put_text(&c, m->path, WIRE_META_PATH_MAX);
    finish_text(&c);
}

static bool has_text(uint32_t type)
{
    return type == ORIEL_TYPE_STR || type == ORIEL_TYPE_BYTES;
}

static uint32_t scope_value_bytes(const struct oriel_value *v)
{
    if (!has_text(v->type))
        return 0;
    return v->size < WIRE_META_VALUE_MAX ? v->size : WIRE_META_VALUE_MAX;
}

size_t wire_meta_scope_bytes(const struct oriel_instrumentation *s)
{
    if (!s->target || !*s->target || s->count > WIRE_SITE_FIELDS_MAX ||
        (s->count && (!s->fields || !s->values)))
        return 0;
    size_t n = sizeof(struct wire_meta_scope) + s->count * sizeof(struct wire_meta_attr);
    n += text_bytes(s->target, WIRE_META_NAME_MAX) + text_bytes(s->version, WIRE_META_NAME_MAX) +
         text_bytes(s->schema_url, WIRE_META_VALUE_MAX);
    for (uint32_t i = 0; i < s->count; i++) {
        uint8_t flags;
        const uint32_t type = s->values[i].type;
        if (type < ORIEL_TYPE_BOOL || type > ORIEL_TYPE_PTR || type != s->fields[i].type)
            return 0;
        n += text_bytes(unmark(s->fields[i].name, &flags), WIRE_META_KEY_MAX) +
             scope_value_bytes(&s->values[i]);
    }
    return round_up(n) <= WIRE_META_ENTRY_MAX ? round_up(n) : 0;
}

static void put_attr(struct cursor *c, struct wire_meta_attr *out, const char *name,
                     const struct oriel_value *v)
{
    uint32_t n = scope_value_bytes(v);
    size_t room;
    out->type = (uint8_t)v->type;
    out->key_bytes = put_text(c, unmark(name, &out->flags), WIRE_META_KEY_MAX);
    out->value = has_text(v->type) ? 0 : v->v.u64;
    room = (size_t)(c->end - c->at);
    out->value_bytes = n < room ? n : (uint32_t)room; /* a key that grew took it */
    if (out->value_bytes)
        memcpy(c->at, v->v.bytes, out->value_bytes);
    c->at += out->value_bytes;
}

void wire_meta_scope_write(void *dst, size_t bytes, const struct oriel_instrumentation *s,
                           uint32_t process)
{
    struct wire_meta_scope *m = dst;
    struct wire_meta_attr *attrs = (struct wire_meta_attr *)(m + 1);
    struct cursor c = {(char *)(attrs + s->count), (char *)dst + bytes};
    assert(s->count <= WIRE_SITE_FIELDS_MAX && c.at <= c.end);
    put_head(&m->head, WIRE_META_SCOPE, process);
    m->attr_count = (uint16_t)s->count;
    m->target_bytes = put_text(&c, s->target, WIRE_META_NAME_MAX);
    m->version_bytes = put_text(&c, s->version, WIRE_META_NAME_MAX);
    m->schema_url_bytes = put_text(&c, s->schema_url, WIRE_META_VALUE_MAX);
    for (uint32_t i = 0; i < s->count; i++)
        put_attr(&c, &attrs[i], s->fields[i].name, &s->values[i]);
    finish_text(&c);
}

/* ---- reading ---- */

/* Cuts the next n bytes off; the caller has checked that they are there. */
static struct wire_text cut(const char **at, uint32_t n)
{
    struct wire_text t = {*at, n};
    assert(n <= WIRE_META_ENTRY_MAX);
    *at += n;
    return t;
}

static bool head_is(const struct wire_meta *head, size_t bytes, uint16_t type, size_t least)
{
    return bytes >= least && bytes <= WIRE_META_ENTRY_MAX && head->type == type;
}

static bool site_lengths_fit(const struct wire_meta_site *m, size_t bytes)
{
    if (m->field_count > WIRE_SITE_FIELDS_MAX)
        return false;
    size_t n = sizeof *m + m->field_count * sizeof(struct wire_meta_field);
    if (n > bytes)
        return false;
    const struct wire_meta_field *fields = (const struct wire_meta_field *)(m + 1);
    n += (size_t)m->name_bytes + m->target_bytes + m->file_bytes + m->function_bytes +
         m->format_bytes;
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (fields[i].type < ORIEL_TYPE_BOOL || fields[i].type > ORIEL_TYPE_PTR)
            return false;
        n += fields[i].name_bytes;
    }
    return n <= bytes;
}

bool wire_meta_site_parse(const void *entry, size_t bytes, struct wire_meta_site_view *out)
{
    const struct wire_meta_site *m = entry;
    assert((uintptr_t)entry % 8 == 0);
    if (!head_is(entry, bytes, WIRE_META_SITE, sizeof *m) || !site_lengths_fit(m, bytes))
        return false;
    if (m->id < ORIEL_SITE_ID_FIRST || m->id > ORIEL_SITE_ID_MAX || m->kind < ORIEL_SITE_SPAN ||
        m->kind > ORIEL_SITE_TASK || m->level < ORIEL_LEVEL_TRACE || m->level > ORIEL_LEVEL_FATAL)
        return false;
    const struct wire_meta_field *fields = (const struct wire_meta_field *)(m + 1);
    const char *at = (const char *)(fields + m->field_count);
    *out = (struct wire_meta_site_view){.id = m->id,
                                        .line = m->line,
                                        .kind = m->kind,
                                        .level = m->level,
                                        .field_count = m->field_count,
                                        .process = m->head.process,
                                        .flags = m->flags,
                                        .word_address = m->word_address,
                                        .field_at = fields,
                                        .fields_left = m->field_count};
    out->name = cut(&at, m->name_bytes);
    out->target = cut(&at, m->target_bytes);
    out->file = cut(&at, m->file_bytes);
    out->function = cut(&at, m->function_bytes);
    out->format = cut(&at, m->format_bytes);
    out->name_at = at;
    return true;
}

bool wire_meta_site_next(struct wire_meta_site_view *site, struct wire_meta_field_view *out)
{
    if (site->fields_left == 0)
        return false;
    const struct wire_meta_field *f = site->field_at++;
    site->fields_left--;
    out->type = f->type;
    out->flags = f->flags & (ORIEL_FIELD_SECRET | ORIEL_FIELD_ARG |
                             (f->type == ORIEL_TYPE_STR ? ORIEL_FIELD_NESTED : 0));
    out->name = cut(&site->name_at, f->name_bytes);
    return true;
}

bool wire_meta_resource_parse(const void *entry, size_t bytes, struct wire_meta_resource_view *out)
{
    const struct wire_meta *head = entry;
    if (!head_is(head, bytes, WIRE_META_RESOURCE, sizeof *head + 2))
        return false;
    const char *key = (const char *)(head + 1), *end = (const char *)entry + bytes;
    const char *stop = memchr(key, 0, (size_t)(end - key));
    if (!stop || stop == key || stop + 1 >= end)
        return false;
    const char *value = stop + 1, *last = memchr(value, 0, (size_t)(end - value));
    if (!last)
        return false;
    out->process = head->process;
    out->key = (struct wire_text){key, (uint32_t)(stop - key)};
    out->value = (struct wire_text){value, (uint32_t)(last - value)};
    return true;
}

bool wire_meta_module_parse(const void *entry, size_t bytes, struct wire_meta_module_view *out)
{
    const struct wire_meta_module *m = entry;
    assert((uintptr_t)entry % 8 == 0);
    if (!head_is(entry, bytes, WIRE_META_MODULE, sizeof *m) ||
        (size_t)m->build_id_bytes + m->path_bytes > bytes - sizeof *m || m->start >= m->end)
        return false;
    const char *at = (const char *)(m + 1);
    out->process = m->head.process;
    out->bias = m->address;
    out->start = m->start;
    out->end = m->end;
    out->ticks = m->ticks;
    out->build_id = cut(&at, m->build_id_bytes);
    out->path = cut(&at, m->path_bytes);
    return true;
}

static bool scope_lengths_fit(const struct wire_meta_scope *m, size_t bytes)
{
    size_t n = sizeof *m + m->attr_count * sizeof(struct wire_meta_attr);
    if (m->attr_count > WIRE_SITE_FIELDS_MAX || n > bytes)
        return false;
    const struct wire_meta_attr *attrs = (const struct wire_meta_attr *)(m + 1);
    n += (size_t)m->target_bytes + m->version_bytes + m->schema_url_bytes;
    for (uint32_t i = 0; i < m->attr_count; i++) {
        const struct wire_meta_attr *a = &attrs[i];
        if (a->type < ORIEL_TYPE_BOOL || a->type > ORIEL_TYPE_PTR ||
            a->value_bytes > (has_text(a->type) ? WIRE_META_VALUE_MAX : 0))
            return false;
        n += (size_t)a->key_bytes + a->value_bytes;
    }
    return n <= bytes;
}

bool wire_meta_scope_parse(const void *entry, size_t bytes, struct wire_meta_scope_view *out)
{
    const struct wire_meta_scope *m = entry;
    assert((uintptr_t)entry % 8 == 0);
    if (!head_is(entry, bytes, WIRE_META_SCOPE, sizeof *m) || !m->target_bytes ||
        !scope_lengths_fit(m, bytes))
        return false;
    const struct wire_meta_attr *attrs = (const struct wire_meta_attr *)(m + 1);
    const char *at = (const char *)(attrs + m->attr_count);
    *out = (struct wire_meta_scope_view){.process = m->head.process,
                                         .attr_count = m->attr_count,
                                         .attr_at = attrs,
                                         .attrs_left = m->attr_count};
    out->target = cut(&at, m->target_bytes);
    out->version = cut(&at, m->version_bytes);
    out->schema_url = cut(&at, m->schema_url_bytes);
    out->text_at = at;
    return true;
}

bool wire_meta_scope_next(struct wire_meta_scope_view *scope, struct wire_meta_attr_view *out)
{
    if (scope->attrs_left == 0)
        return false;
    const struct wire_meta_attr *a = scope->attr_at++;
    scope->attrs_left--;
    *out = (struct wire_meta_attr_view){
        .value = a->value,
        .type = a->type,
        .flags =
            a->flags & (ORIEL_FIELD_SECRET | (a->type == ORIEL_TYPE_STR ? ORIEL_FIELD_NESTED : 0))};
    out->key = cut(&scope->text_at, a->key_bytes);
    out->text = cut(&scope->text_at, a->value_bytes);
    return true;
}
