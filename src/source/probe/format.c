/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads lines such as
 *   field:__data_loc char[] name;  offset:8;  size:4;  signed:1;
 * The type is C as somebody wrote it, so only its shape counts.
 */
#include "source/probe/format.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <oriel/abi/site.h>

/* One line and what is left of it. */
struct text {
    const char *p;
    size_t n;
};

static bool take_line(struct text *all, struct text *out)
{
    if (all->n == 0)
        return false;
    const char *end = memchr(all->p, '\n', all->n);
    out->p = all->p;
    out->n = end ? (size_t)(end - all->p) : all->n;
    size_t used = out->n + (end != NULL);
    all->p += used;
    all->n -= used;
    return true;
}

/* The number behind "key:" in the line; false: there is none. */
static bool number_of(struct text line, const char *key, uint32_t *out)
{
    const char *at = memmem(line.p, line.n, key, strlen(key));
    if (!at)
        return false;
    uint64_t value = 0;
    const char *p = at + strlen(key), *end = line.p + line.n;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    const char *first = p;
    for (; p < end && *p >= '0' && *p <= '9' && value < UINT32_MAX; p++)
        value = value * 10 + (uint64_t)(*p - '0');
    *out = (uint32_t)value;
    return p > first && value <= UINT32_MAX;
}

static bool has(struct text t, const char *word)
{
    return memmem(t.p, t.n, word, strlen(word)) != NULL;
}

static bool begins(struct text t, const char *word)
{
    return t.n >= strlen(word) && memcmp(t.p, word, strlen(word)) == 0;
}

static uint8_t kind_of(struct text type, bool array, uint32_t size)
{
    bool chars = has(type, "char");
    if (begins(type, "__data_loc"))
        return chars ? FORMAT_DYNAMIC : FORMAT_BLOB;
    if (begins(type, "__rel_loc"))
        return FORMAT_RELATIVE;
    if (array || has(type, "["))
        return chars && !has(type, "unsigned") ? FORMAT_CHARS : FORMAT_BYTES;
    if (size != 1 && size != 2 && size != 4 && size != 8)
        return FORMAT_BYTES;
    if (has(type, "*"))
        return FORMAT_POINTER;
    return begins(type, "bool") && size == 1 ? FORMAT_BOOL : FORMAT_INT;
}

/* "TYPE NAME" or "TYPE NAME[16]" into both. */
static bool split_declaration(struct text d, struct text *type, struct text *name, bool *array)
{
    size_t end = d.n;
    *array = end > 0 && d.p[end - 1] == ']' && memchr(d.p, '[', end);
    while (*array && end > 0 && d.p[end - 1] != '[')
        end--;
    end -= *array && end > 0;
    size_t at = end;
    while (at > 0 && d.p[at - 1] != ' ' && d.p[at - 1] != '*')
        at--;
    *name = (struct text){d.p + at, end - at};
    *type = (struct text){d.p, at};
    return name->n > 0 && type->n > 0;
}

static void add_field(struct text line, struct format *out)
{
    const char *at = memmem(line.p, line.n, "field:", 6);
    const char *end = at ? memchr(at, ';', (size_t)(line.p + line.n - at)) : NULL;
    struct text type, name;
    uint32_t offset, size, is_signed = 0;
    bool array;
    if (!end ||
        !split_declaration((struct text){at + 6, (size_t)(end - at - 6)}, &type, &name, &array))
        return;
    struct text rest = {end, (size_t)(line.p + line.n - end)};
    if (!number_of(rest, "offset:", &offset) || !number_of(rest, "size:", &size) ||
        begins(name, "common_") || name.n >= FORMAT_NAME_BYTES ||
        out->field_count == FORMAT_FIELDS_MAX)
        return;
    (void)number_of(rest, "signed:", &is_signed);
    struct format_field *f = &out->fields[out->field_count++];
    *f = (struct format_field){.offset = offset,
                               .size = size,
                               .kind = kind_of(type, array, size),
                               .is_signed = is_signed != 0};
    memcpy(f->name, name.p, name.n);
}

bool format_parse(const char *text, size_t n, struct format *out)
{
    struct text all = {text, n}, line;
    bool has_id = false;
    memset(out, 0, sizeof *out);
    while (take_line(&all, &line)) {
        if (begins(line, "ID:"))
            has_id = number_of(line, "ID:", &out->id);
        else if (begins(line, "print fmt:"))
            break;
        else
            add_field(line, out);
    }
    return has_id;
}

const struct format_field *format_find(const struct format *f, const char *name)
{
    for (uint32_t i = 0; i < f->field_count; i++)
        if (strcmp(f->fields[i].name, name) == 0)
            return &f->fields[i];
    return NULL;
}

uint64_t format_number(const struct format_field *f, const uint8_t *raw, size_t n)
{
    uint64_t value = 0;
    uint32_t size = f->size > 8 ? 8 : f->size;
    if (size == 0 || f->offset > n || size > n - f->offset)
        return 0;
    memcpy(&value, raw + f->offset, size);
    unsigned unused = 64 - size * 8;
    return f->is_signed && unused ? (uint64_t)((int64_t)(value << unused) >> unused) : value;
}

static bool is_text(const struct format_field *f)
{
    return f->kind == FORMAT_CHARS || f->kind == FORMAT_DYNAMIC || f->kind == FORMAT_RELATIVE;
}

struct model_str format_text(const struct format_field *f, const uint8_t *raw, size_t n)
{
    struct model_str s = {"", 0};
    uint64_t at = f->offset, bytes = f->size;
    if (f->kind == FORMAT_DYNAMIC || f->kind == FORMAT_RELATIVE || f->kind == FORMAT_BLOB) {
        uint32_t where = 0;
        if (f->offset > n || n - f->offset < sizeof where)
            return s;
        memcpy(&where, raw + f->offset, sizeof where);
        at = where & 0xffff;
        at += f->kind == FORMAT_RELATIVE ? f->offset + f->size : 0;
        bytes = where >> 16;
    }
    if (at > n || bytes > n - at)
        return s;
    s.p = (const char *)raw + at;
    s.n = (uint32_t)(is_text(f) ? strnlen(s.p, bytes) : bytes);
    return s;
}

uint8_t format_type(const struct format_field *f)
{
    switch (f->kind) {
    case FORMAT_BOOL:
        return ORIEL_TYPE_BOOL;
    case FORMAT_POINTER:
        return ORIEL_TYPE_PTR;
    case FORMAT_CHARS:
    case FORMAT_DYNAMIC:
    case FORMAT_RELATIVE:
        return ORIEL_TYPE_STR;
    case FORMAT_BYTES:
    case FORMAT_BLOB:
        return ORIEL_TYPE_BYTES;
    default:
        assert(f->kind == FORMAT_INT);
        return f->is_signed ? ORIEL_TYPE_I64 : ORIEL_TYPE_U64;
    }
}
