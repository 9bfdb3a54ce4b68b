/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Layers put one on another: each value goes in by config_put, which keeps its
 * origin or says what is wrong with it. One thread.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/state.h"
#include "util/num.h"

/* ---- messages ---- */

static char *format_text(struct config *c, const char *format, va_list args)
{
    char text[600];
    int n = vsnprintf(text, sizeof text, format, args);
    size_t used = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    char *copy = arena_copy(&c->arena, text, used);
    c->no_memory = c->no_memory || !copy;
    return copy;
}

static const char *text_of(struct config *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static const char *text_of(struct config *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = format_text(c, format, args);
    va_end(args);
    return text ? text : "";
}

void config_say(struct config *c, enum config_severity severity, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = format_text(c, format, args);
    va_end(args);
    struct config_message *m = text ? VEC_PUSH(&c->messages) : NULL;
    c->no_memory = c->no_memory || !m;
    c->has_error = c->has_error || severity == CONFIG_ERROR;
    if (m)
        *m = (struct config_message){severity, text};
}

const char *config_where(struct config *c, const struct config_origin *o)
{
    const char *name = o->name ? o->name : "";
    switch (o->layer) {
    case CONFIG_DEFAULT:
        return "default";
    case CONFIG_PRESET:
        return text_of(c, "preset %s", name);
    case CONFIG_FILE:
        return text_of(c, "%s:%u", name, o->line);
    case CONFIG_VARIABLE:
        return text_of(c, "$%s", name);
    case CONFIG_CODE:
        break;
    }
    return "the program";
}

const char *config_key_text(struct config *c, const struct config_part *p,
                            const struct option_def *d)
{
    return text_of(c, "telemetry.%s%s%s", p->name, p->name[0] ? "." : "", d->name);
}

/* ---- values ---- */

size_t config_index(const struct config_part *p, const struct option_def *d)
{
    assert(d >= p->defs && d < p->defs + p->count);
    return (size_t)(d - p->defs);
}

/* A number beyond its bounds is the nearest one inside, and said. */
static const char *clamped(struct config *c, const struct option_def *d, const char *text,
                           const char *key, const char *where)
{
    double v;
    if (d->type != OPTION_FLOAT || (d->min == 0 && d->max == 0) ||
        num_parse_double(text, strlen(text), &v) != 0 || (v >= d->min && v <= d->max))
        return text;
    char bound[NUM_DOUBLE_MAX + 1];
    *num_put_double(bound, v < d->min ? d->min : d->max) = 0;
    config_say(c, CONFIG_WARNING, "%s: %s = %.40s is taken as %s", where, key, text, bound);
    return text_of(c, "%s", bound);
}

/* Each of a list of choices; false after saying which is none. */
static bool are_choices(struct config *c, const struct option_def *d, const char *text,
                        enum config_severity severity, const char *key, const char *where)
{
    if (d->type != OPTION_STRING || !d->choices)
        return true;
    for (const char *p = text;; p++) {
        size_t n = strcspn(p, ",");
        const char *const *choice = d->choices;
        while (*choice && (strlen(*choice) != n || memcmp(*choice, p, n) != 0))
            choice++;
        if (!*choice) {
            config_say(c, severity, "%s: %s: \"%.*s\" is not one of local, otlp", where, key,
                       n > 40 ? 40 : (int)n, p);
            return false;
        }
        p += n;
        if (!*p)
            return true;
    }
}

static bool same_as_default(const struct option_def *d, const char *text)
{
    return d->fallback && strcmp(d->fallback, text) == 0;
}

/* "sample_rate", "chrome.*", "backend=otlp" of the list of absent things. */
static const struct config_absent *find_absent(const struct config *c, const struct config_part *p,
                                               const struct option_def *d, const char *text)
{
    char key[160];
    snprintf(key, sizeof key, "%s%s%s", p->name, p->name[0] ? "." : "", d->name);
    size_t key_n = strlen(key);
    for (size_t i = 0; i < c->absent_count; i++) {
        const char *absent = c->absent[i].key, *value = strchr(absent, '=');
        size_t n = value ? (size_t)(value - absent) : strlen(absent);
        if (n != key_n || memcmp(absent, key, n) != 0)
            continue;
        if (value ? strstr(text, value + 1) != NULL : !same_as_default(d, text))
            return &c->absent[i];
    }
    return NULL;
}

void config_put(struct config *c, struct config_part *p, const struct option_def *d,
                const char *text, struct config_origin origin)
{
    enum config_severity severity = origin.layer == CONFIG_VARIABLE ? CONFIG_WARNING : CONFIG_ERROR;
    const char *key = config_key_text(c, p, d), *where = config_where(c, &origin);
    struct oriel_err err = {0};
    if (d->secret && origin.layer == CONFIG_FILE) {
        config_say(c, CONFIG_ERROR, "%s: %s is a secret and never stands in a file", where, key);
        return;
    }
    const struct config_absent *absent = find_absent(c, p, d, text);
    if (absent) {
        config_say(c, absent->refused ? CONFIG_ERROR : severity, "%s: %s cannot take effect: %s",
                   where, key, absent->why);
        return;
    }
    text = clamped(c, d, text, key, where);
    if (!are_choices(c, d, text, severity, key, where))
        return;
    int rc = option_set(d, p->values, text, &err);
    if (rc == ORIEL_ENOMEM)
        c->no_memory = true;
    else if (rc < 0)
        config_say(c, severity, "%s: %s%s%s", where, p->name, p->name[0] ? "." : "", err.text);
    else
        p->origins[config_index(p, d)] = origin;
}

struct config_part *config_part_find(const struct config *c, const char *name, size_t n)
{
    for (size_t i = 0; i < c->part_count; i++)
        if (strlen(c->parts[i].name) == n && memcmp(c->parts[i].name, name, n) == 0)
            return &c->parts[i];
    return NULL;
}

static const struct option_def *find_key(const struct config *c, const char *key,
                                         struct config_part **out_part)
{
    const char *dot = strchr(key, '.');
    *out_part = config_part_find(c, key, dot ? (size_t)(dot - key) : 0);
    const char *name = dot ? dot + 1 : key;
    return *out_part ? option_find((*out_part)->defs, name, strlen(name)) : NULL;
}

bool config_put_key(struct config *c, const char *key, const char *text,
                    struct config_origin origin)
{
    struct config_part *p;
    const struct option_def *d = find_key(c, key, &p);
    if (d)
        config_put(c, p, d, text, origin);
    return d != NULL;
}

/* ---- loading ---- */

static int make_part(struct config *c, struct config_part *p, const char *name,
                     const struct option_def *defs, size_t size)
{
    static const struct option_def none[] = {OPTION_END};
    p->name = name;
    p->defs = defs ? defs : none;
    p->size = size;
    while (p->defs[p->count].name)
        p->count++;
    p->values = mem_calloc(1, size ? size : 1);
    p->origins = mem_calloc(p->count + 1, sizeof *p->origins);
    c->part_count++;
    return p->values && p->origins ? option_defaults(p->defs, p->values) : ORIEL_ENOMEM;
}

static int make_parts(struct config *c, const struct config_input *in)
{
    c->parts = mem_calloc(in->section_count + 1, sizeof *c->parts);
    if (!c->parts)
        return ORIEL_ENOMEM;
    int rc =
        make_part(c, &c->parts[0], "", config_telemetry_options, sizeof(struct config_telemetry));
    for (size_t i = 0; rc == 0 && i < in->section_count; i++)
        rc = make_part(c, &c->parts[i + 1], in->sections[i].name, in->sections[i].defs,
                       in->sections[i].size);
    return rc;
}

/* A document, or NULL where there is none or it is not TOML, which is said. */
static struct toml_doc *read_document(struct config *c, const struct config_input *in)
{
    struct toml_read_options how = {
        .size = sizeof how, .max_bytes = CONFIG_FILE_MAX, .name = in->file_name};
    struct toml_doc *doc = NULL;
    struct oriel_err err = {0};
    char *text = in->file_text ? arena_copy(&c->arena, in->file_text, in->file_bytes) : NULL;
    c->no_memory = c->no_memory || (in->file_text && !text);
    int rc = text ? toml_read(&c->arena, text, in->file_bytes, &how, &doc, &err) : 0;
    if (rc == ORIEL_ENOMEM)
        c->no_memory = true;
    else if (rc < 0)
        config_say(c, CONFIG_ERROR, "%s", err.text);
    return rc == 0 ? doc : NULL;
}

static void choose_preset(struct config *c, const struct config_input *in,
                          const struct toml_doc *doc)
{
    const char *variable = config_variable(in->environment, "ORIEL_PRESET");
    const struct toml_value *table = doc ? toml_get(doc->root, "telemetry") : NULL;
    const struct toml_value *v = toml_get(table, "preset");
    struct config_origin file = {CONFIG_FILE, in->file_name, v ? v->at.line : 0};
    struct config_origin environment = {CONFIG_VARIABLE, "ORIEL_PRESET", 0};
    if (in->preset)
        config_apply_preset(c, in->preset, (struct config_origin){CONFIG_CODE, NULL, 0});
    else if (variable)
        config_apply_preset(c, variable, environment);
    else if (v && v->type != TOML_STRING)
        config_say(c, CONFIG_ERROR, "%s: telemetry.preset is text, not a %s",
                   config_where(c, &file), toml_type_name(v->type));
    else if (v)
        config_apply_preset(c, v->text, file);
}

static void apply(struct config *c, const struct config_input *in)
{
    bool is_private = in->preset && strcmp(in->preset, "private") == 0;
    struct toml_doc *doc = is_private ? NULL : read_document(c, in);
    choose_preset(c, in, doc);
    if (doc && !c->is_private)
        config_apply_file(c, in, doc);
    if (in->environment && !c->is_private)
        config_apply_environment(c, in->environment);
    for (size_t i = 0; i < in->code_count; i++)
        if (!config_put_key(c, in->code[i].key, in->code[i].value,
                            (struct config_origin){CONFIG_CODE, NULL, 0}))
            config_say(c, CONFIG_ERROR, "the program: there is no key telemetry.%s",
                       in->code[i].key);
}

int config_load(struct config **out, const struct config_input *in, struct oriel_err *err)
{
    if (in->size != sizeof *in)
        return err_set(err, ORIEL_EINVAL, "configuration input of another size");
    struct config *c = mem_calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ORIEL_ENOMEM, "out of memory");
    arena_init(&c->arena);
    c->absent = in->absent;
    c->absent_count = in->absent_count;
    struct config_input own = *in;
    own.file_name = arena_copy(&c->arena, in->file_name ? in->file_name : CONFIG_FILE_NAME,
                               strlen(in->file_name ? in->file_name : CONFIG_FILE_NAME));
    int rc = own.file_name ? make_parts(c, in) : ORIEL_ENOMEM;
    if (rc == 0)
        apply(c, &own);
    if (rc < 0 || c->no_memory) {
        config_free(c);
        return err_set(err, ORIEL_ENOMEM, "out of memory reading the configuration");
    }
    c->absent = NULL; /* the caller's */
    c->absent_count = 0;
    *out = c;
    return 0;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->part_count; i++) {
        if (c->parts[i].values)
            option_done(c->parts[i].defs, c->parts[i].values);
        mem_free(c->parts[i].values);
        mem_free(c->parts[i].origins);
    }
    mem_free(c->parts);
    VEC_DONE(&c->messages);
    arena_done(&c->arena);
    mem_free(c);
}

/* ---- access ---- */

const struct config_telemetry *config_telemetry(const struct config *c)
{
    return c->parts[0].values;
}

const void *config_section_options(const struct config *c, const char *name)
{
    const struct config_part *p = config_part_find(c, name, strlen(name));
    return p && p->name[0] ? p->values : NULL;
}

bool config_section_is_set(const struct config *c, const char *name)
{
    const struct config_part *p = config_part_find(c, name, strlen(name));
    for (size_t i = 0; p && i < p->count; i++)
        if (p->origins[i].layer != CONFIG_DEFAULT)
            return true;
    return false;
}

bool config_origin(const struct config *c, const char *key, struct config_origin *out)
{
    struct config_part *p;
    const struct option_def *d = find_key(c, key, &p);
    if (d)
        *out = p->origins[config_index(p, d)];
    return d != NULL;
}

size_t config_messages(const struct config *c, const struct config_message **out)
{
    *out = c->messages.items;
    return c->messages.count;
}

bool config_can_start(const struct config *c)
{
    return !c->has_error;
}

/* Has the comma list this item? */
static bool has_item(const char *list, const char *item)
{
    size_t n = strlen(item);
    for (const char *p = list; *p;) {
        size_t size = strcspn(p, ",");
        if (size == n && memcmp(p, item, n) == 0)
            return true;
        p += size + (p[size] == ',');
    }
    return false;
}

/* OTEL_SDK_DISABLED wins over everything; OTEL_SDK_ENABLED adds or takes away
 * OTLP, and does nothing while telemetry is off. */
struct config_choice config_choose(const struct config *c)
{
    const struct config_telemetry *t = config_telemetry(c);
    bool otlp = c->sdk_enabled_set ? c->sdk_enabled : has_item(t->backend, "otlp");
    return (struct config_choice){.telemetry = t->enabled,
                                  .local = t->enabled && has_item(t->backend, "local"),
                                  .otlp = t->enabled && otlp && !c->sdk_disabled,
                                  .tracy = t->tracy};
}
