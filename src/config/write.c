/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The effective configuration told: as TOML with the origin of each value
 * behind it, which reads back to the same, and as JSON. What is secret is
 * masked in both. One thread.
 */
#include <stdio.h>
#include <string.h>

#include "config/state.h"
#include "util/json.h"

/* "scheme://user:password@host": from :// to the last @ of that part. */
static void mask_url(const char *url, struct buf *out)
{
    const char *start = strstr(url, "://");
    size_t n = start ? strcspn(start + 3, "/?#") : 0;
    const char *at = NULL;
    for (size_t i = 0; i < n; i++)
        if (start[3 + i] == '@')
            at = start + 3 + i;
    if (!at) {
        buf_puts(out, url);
        return;
    }
    buf_put(out, url, (size_t)(start + 3 - url));
    buf_puts(out, "***");
    buf_puts(out, at);
}

/* As option_text says it, without its bound on length, and masked. */
static void value_text(const struct option_def *d, const void *values, struct buf *out)
{
    const void *member = (const char *)values + d->offset;
    char text[128];
    if (d->type == OPTION_STRING && !d->secret) {
        const char *s = *(const char *const *)member;
        mask_url(s ? s : "", out);
        return;
    }
    const char *const *secret = d->secret && d->type == OPTION_STRING ? member : NULL;
    if (secret && (!*secret || !**secret))
        return; /* there is nothing to hide */
    option_text(d, values, text, sizeof text);
    buf_puts(out, text);
}

static bool is_bare(const struct option_def *d)
{
    return !d->secret &&
           (d->type == OPTION_BOOL || d->type == OPTION_INT || d->type == OPTION_FLOAT);
}

static void put_toml_value(const struct option_def *d, const void *values, struct buf *out)
{
    struct buf text;
    buf_init(&text);
    value_text(d, values, &text);
    if (!is_bare(d))
        toml_put_string(out, buf_cstr(&text), text.size);
    else
        buf_puts(out, buf_cstr(&text));
    if (d->type == OPTION_FLOAT && !strpbrk(buf_cstr(&text), ".e"))
        buf_puts(out, ".0");
    out->failed = out->failed || text.failed;
    buf_done(&text);
}

/* Where, without the arena of a loaded configuration, which is const here. */
void config_put_origin(const struct config_origin *o, struct buf *out)
{
    const char *name = o->name ? o->name : "";
    switch (o->layer) {
    case CONFIG_DEFAULT:
        buf_puts(out, "default");
        break;
    case CONFIG_PRESET:
        buf_printf(out, "preset %s", name);
        break;
    case CONFIG_FILE:
        buf_printf(out, "%s:%u", name, o->line);
        break;
    case CONFIG_VARIABLE:
        buf_printf(out, "$%s", name);
        break;
    case CONFIG_CODE:
        buf_puts(out, o->name ? name : "the program");
        break;
    }
}

static bool any_set(const struct config_part *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->origins[i].layer != CONFIG_DEFAULT)
            return true;
    return false;
}

static void write_part(const struct config_part *p, bool all, struct buf *out)
{
    if (!p->count || (!all && !any_set(p)))
        return;
    buf_printf(out, "%s[telemetry%s%s]\n", out->size ? "\n" : "", p->name[0] ? "." : "", p->name);
    for (size_t i = 0; i < p->count; i++) {
        if (!all && p->origins[i].layer == CONFIG_DEFAULT)
            continue;
        size_t start = out->size;
        if (p->defs[i].secret)
            buf_puts(out, "# "); /* a file may not have it */
        buf_printf(out, "%s = ", p->defs[i].name);
        put_toml_value(&p->defs[i], p->values, out);
        size_t n = out->size - start;
        buf_printf(out, "%*s  # ", n < 44 ? (int)(44 - n) : 0, "");
        config_put_origin(&p->origins[i], out);
        buf_putc(out, '\n');
    }
}

void config_write(const struct config *c, bool all, struct buf *out)
{
    for (size_t i = 0; i < c->part_count; i++)
        write_part(&c->parts[i], all, out);
}

static void write_json_key(struct json *j, const struct config_part *p, size_t i)
{
    struct buf text;
    buf_init(&text);
    value_text(&p->defs[i], p->values, &text);
    json_object(j);
    json_key(j, "key");
    char key[160];
    snprintf(key, sizeof key, "telemetry.%s%s%s", p->name, p->name[0] ? "." : "", p->defs[i].name);
    json_string(j, key);
    json_key(j, "value");
    if (is_bare(&p->defs[i]))
        json_raw(j, buf_cstr(&text), text.size);
    else
        json_string_n(j, buf_cstr(&text), text.size);
    buf_clear(&text);
    config_put_origin(&p->origins[i], &text);
    json_key(j, "origin");
    json_string(j, buf_cstr(&text));
    json_object_end(j);
    buf_done(&text);
}

void config_write_json(const struct config *c, struct buf *out)
{
    struct json j;
    struct config_choice choice = config_choose(c);
    json_init(&j, out);
    json_object(&j);
    json_key(&j, "can_start");
    json_bool(&j, config_can_start(c));
    json_key(&j, "local");
    json_bool(&j, choice.local);
    json_key(&j, "otlp");
    json_bool(&j, choice.otlp);
    json_key(&j, "console");
    json_bool(&j, choice.console);
    json_key(&j, "tracy");
    json_bool(&j, choice.tracy);
    json_key(&j, "switched_by"); /* over `backend` */
    if (choice.by.layer == CONFIG_DEFAULT) {
        json_null(&j);
    } else {
        struct buf by;
        buf_init(&by);
        config_put_origin(&choice.by, &by);
        json_string(&j, buf_cstr(&by));
        buf_done(&by);
    }
    json_key(&j, "keys");
    json_array(&j);
    for (size_t i = 0; i < c->part_count; i++)
        for (size_t k = 0; k < c->parts[i].count; k++)
            write_json_key(&j, &c->parts[i], k);
    json_array_end(&j);
    json_key(&j, "messages");
    json_array(&j);
    for (size_t i = 0; i < c->messages.count; i++) {
        json_object(&j);
        json_key(&j, "severity");
        json_string(&j, c->messages.items[i].severity == CONFIG_ERROR ? "error" : "warning");
        json_key(&j, "text");
        json_string(&j, c->messages.items[i].text);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_object_end(&j);
    buf_putc(out, '\n');
}
