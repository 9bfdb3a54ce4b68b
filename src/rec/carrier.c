/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Carriers that are at hand: lists of headers, and environments. Any thread,
 * signal-safe: an environment can be made between fork and exec.
 */
#include "rec/propagate.h"

#include <assert.h>
#include <strings.h>

#include "base/err.h"

/* ---- headers ---- */

/* Most names differ in their first letter; the rest is asked of the C library. */
static bool same_name(const char *a, const char *b)
{
    return ((unsigned char)(a[0] ^ b[0]) & ~0x20u) == 0 && strcasecmp(a, b) == 0;
}

static const char *header_get(void *carrier, const char *name, size_t index, size_t *out_bytes)
{
    const struct oriel_headers *h = carrier;
    for (size_t i = 0; i < h->count; i++) {
        const struct oriel_header *one = &h->headers[i];
        if (!one->name || !one->value || !same_name(one->name, name) || index-- > 0)
            continue;
        *out_bytes = strlen(one->value);
        return one->value;
    }
    return NULL;
}

static const char *header_name(void *carrier, size_t index, size_t *out_bytes)
{
    const struct oriel_headers *h = carrier;
    if (index >= h->count)
        return NULL;
    const char *name = h->headers[index].name ? h->headers[index].name : "";
    *out_bytes = strlen(name);
    return name;
}

const struct oriel_getter oriel_header_getter = {header_get, header_name};

static char *keep_text(struct oriel_headers *h, const char *text, size_t n)
{
    char *to = h->text + h->text_bytes;
    memcpy(to, text, n);
    to[n] = 0;
    h->text_bytes += n + 1;
    return to;
}

static int header_set(void *carrier, const char *name, const char *value, size_t bytes)
{
    struct oriel_headers *h = carrier;
    const size_t name_bytes = strlen(name);
    size_t i = 0;
    while (i < h->count && !same_name(h->headers[i].name, name))
        i++;
    if (i == h->capacity || name_bytes + bytes + 2 > h->text_capacity - h->text_bytes)
        return ORIEL_ELIMIT;
    h->headers[i].name = keep_text(h, name, name_bytes);
    h->headers[i].value = keep_text(h, value, bytes);
    h->count += i == h->count;
    return 0;
}

const struct oriel_setter oriel_header_setter = {header_set};

/* ---- environments ---- */

/* The character that a header's stands for in the name of a variable. */
static char variable_char(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
}

/* Where the value of the variable of that header begins in "NAME=value"; NULL: it is not. */
static const char *variable_value(const char *entry, const char *header)
{
    size_t i = 0;
    while (header[i] && entry[i] == variable_char(header[i]))
        i++;
    return header[i] || entry[i] != '=' ? NULL : entry + i + 1;
}

static const char *environment_get(void *carrier, const char *name, size_t index, size_t *out_bytes)
{
    char *const *environment = carrier;
    for (; environment && *environment && index == 0; environment++) {
        const char *value = variable_value(*environment, name);
        if (!value)
            continue;
        *out_bytes = strlen(value);
        return value;
    }
    return NULL; /* a variable has one value */
}

const struct oriel_getter oriel_environment_getter = {environment_get, NULL};

struct environment {
    char **out;
    size_t count, slots;
    char *text;
    size_t text_bytes;
};

static int environment_set(void *carrier, const char *name, const char *value, size_t bytes)
{
    struct environment *e = carrier;
    const size_t name_bytes = strlen(name);
    if (e->count + 1 >= e->slots || name_bytes + bytes + 2 > e->text_bytes)
        return ORIEL_ELIMIT;
    char *at = e->text;
    e->out[e->count++] = at;
    for (size_t i = 0; i < name_bytes; i++)
        *at++ = variable_char(name[i]);
    *at++ = '=';
    memcpy(at, value, bytes);
    at[bytes] = 0;
    e->text_bytes -= (size_t)(at + bytes + 1 - e->text);
    e->text = at + bytes + 1;
    return 0;
}

/* A variable that any propagator writes: what a parent's parent said is not passed on. */
static bool is_ours(const char *entry)
{
    struct oriel_propagators all;
    const char *fields[ORIEL_FIELDS_MAX];
    oriel_propagators_parse("tracecontext,baggage,b3,b3multi,jaeger,ottrace", &all);
    size_t n = oriel_propagators_fields(&all, fields);
    for (size_t i = 0; i < n; i++)
        if (variable_value(entry, fields[i]))
            return true;
    return false;
}

int oriel_environment_make(const struct oriel_propagators *p, const struct oriel_context *c,
                           char *const *from, char **out, size_t slots, char *text,
                           size_t text_bytes)
{
    static const struct oriel_setter setter = {environment_set};
    struct environment e = {out, 0, slots, text, text_bytes};
    for (; from && *from; from++) {
        if (is_ours(*from))
            continue;
        if (e.count + 1 >= slots)
            return ORIEL_ELIMIT;
        out[e.count++] = *from;
    }
    if (slots == 0)
        return ORIEL_ELIMIT;
    int rc = oriel_inject(p, c, &setter, &e);
    assert(e.count < slots);
    out[e.count] = NULL;
    return rc;
}
