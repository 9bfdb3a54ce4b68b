/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Layers put one on another: each value goes in by config_put, which keeps its
 * origin or says what is wrong with it. One thread.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/otlp.h"
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
    return o->name ? o->name : "the program";
}

const char *config_key_text(struct config *c, const struct config_part *p,
                            const struct option_def *d)
{
    return text_of(c, "telemetry.%s%s%s", p->name, p->name[0] ? "." : "", d->name);
}

/* ---- values ---- */

static size_t index_of(const struct config_part *p, const struct option_def *d)
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

static bool is_choice(const struct option_def *d, const char *p, size_t n)
{
    for (const char *const *choice = d->choices; *choice; choice++)
        if (strlen(*choice) == n && memcmp(*choice, p, n) == 0)
            return true;
    return false;
}

/* Values that the standard knows and Oriel has not: whoever shares the variable may have them. */
static bool is_others_choice(const char *p, size_t n)
{
    static const char *const all[] = {"jaeger_remote",
                                      "parentbased_jaeger_remote",
                                      "xray",
                                      "ottrace",
                                      "jaeger",
                                      "zipkin",
                                      "logging",
                                      "prometheus",
                                      "all",
                                      "verbose",
                                      "trace",
                                      "http/json",
                                      NULL};
    const struct option_def row = {.choices = all};
    return is_choice(&row, p, n);
}

static bool is_shared(const struct config_origin *o)
{
    return o->layer == CONFIG_VARIABLE && strncmp(o->name, "OTEL_", 5) == 0;
}

static void say_no_choice(struct config *c, const struct option_def *d, const char *p, size_t n,
                          enum config_severity severity, const char *key, const char *where)
{
    char list[200] = "";
    if (severity == CONFIG_WARNING && strncmp(where, "$OTEL_", 6) == 0 && is_others_choice(p, n))
        severity = CONFIG_REMARK;
    for (const char *const *choice = d->choices; *choice; choice++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", *choice);
    }
    config_say(c, severity, "%s: %s: \"%.*s\" is not one of %s", where, key, n > 40 ? 40 : (int)n,
               p, list);
}

/* The list without what is no choice, which is said, and without blanks around
 * its items. NULL: nothing is left of it, or one of them is an error. */
static const char *choose(struct config *c, const struct option_def *d, const char *text,
                          enum config_severity severity, const char *key, const char *where)
{
    char left[256] = "";
    size_t used = 0;
    if (d->type != OPTION_STRING || !d->choices)
        return text;
    for (const char *p = text;; p++) {
        p += strspn(p, " \t");
        size_t n = strcspn(p, ","), word = n;
        while (word && (p[word - 1] == ' ' || p[word - 1] == '\t'))
            word--;
        if (!is_choice(d, p, word)) {
            say_no_choice(c, d, p, word, severity, key, where);
            if (severity == CONFIG_ERROR)
                return NULL;
        } else if (used + word + 2 < sizeof left) {
            used += (size_t)snprintf(left + used, sizeof left - used, "%s%.*s", used ? "," : "",
                                     (int)word, p);
        }
        p += n;
        if (!*p)
            return used ? text_of(c, "%s", left) : NULL;
    }
}

static bool same_as_default(const struct option_def *d, const char *text)
{
    return d->fallback && strcmp(d->fallback, text) == 0;
}

/* Whether a list, with blanks or without, has this item. */
static bool names_item(const char *text, const char *item)
{
    const size_t n = strlen(item);
    for (const char *p = text; *p; p += *p == ',') {
        p += strspn(p, " \t");
        const size_t size = strcspn(p, ", \t");
        if (size == n && memcmp(p, item, n) == 0)
            return true;
        p += strcspn(p, ",");
    }
    return false;
}

/* "sample_rate", "chrome.*", "backend=otlp" of the list of absent things. `d` NULL: there is no
 * such key, whatever it is to be. */
static const struct config_absent *find_absent(const struct config *c, const char *key,
                                               const struct option_def *d, const char *text)
{
    size_t key_n = strlen(key);
    for (size_t i = 0; i < c->absent_count; i++) {
        const char *absent = c->absent[i].key, *value = strpbrk(absent, "=*");
        size_t n = value ? (size_t)(value - absent) : strlen(absent);
        bool whole = value && *value == '*'; /* a section */
        if (whole)
            value = NULL;
        if (n > key_n || memcmp(absent, key, n) != 0 || (!whole && n != key_n))
            continue;
        if (!d || (value ? names_item(text, value + 1) : !same_as_default(d, text)))
            return &c->absent[i];
    }
    return NULL;
}

bool config_say_absent(struct config *c, const char *below, const char *name, bool table,
                       struct config_origin origin)
{
    char key[160];
    snprintf(key, sizeof key, "%s%s%.60s%s", below, below[0] ? "." : "", name, table ? "." : "");
    const struct config_absent *absent = find_absent(c, key, NULL, NULL);
    if (absent)
        config_say(c, CONFIG_ERROR, "%s: telemetry.%.*s cannot take effect: %s",
                   config_where(c, &origin), (int)(strlen(key) - table), key, absent->why);
    return absent != NULL;
}

/* Whoever said it by another name is told that one only. */
static const char *without_name(const struct option_def *d, const char *text)
{
    const size_t n = strlen(d->name);
    return strncmp(text, d->name, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text;
}

/* Of a wrong value. */
static enum config_severity severity_of(const struct option_def *d, const char *text,
                                        const struct config_origin *o)
{
    if (o->layer != CONFIG_VARIABLE)
        return CONFIG_ERROR;
    const bool others = d->type == OPTION_ENUM && is_others_choice(text, strlen(text));
    return is_shared(o) && others ? CONFIG_REMARK : CONFIG_WARNING;
}

static enum config_severity severity_of_absent(const struct config_absent *absent,
                                               enum config_severity otherwise,
                                               const struct config_origin *o)
{
    if (absent->refused)
        return CONFIG_ERROR;
    return is_shared(o) ? CONFIG_REMARK : otherwise;
}

void config_put(struct config *c, struct config_part *p, const struct option_def *d,
                const char *text, struct config_origin origin)
{
    const enum config_severity severity = severity_of(d, text, &origin);
    const char *key = config_key_text(c, p, d), *where = config_where(c, &origin);
    struct oriel_err err = {0};
    if (d->secret && origin.layer == CONFIG_FILE) {
        config_say(c, CONFIG_ERROR, "%s: %s is a secret and never stands in a file", where, key);
        return;
    }
    char plain[160];
    snprintf(plain, sizeof plain, "%s%s%s", p->name, p->name[0] ? "." : "", d->name);
    const struct config_absent *absent = find_absent(c, plain, d, text);
    if (absent)
        config_say(c, severity_of_absent(absent, severity, &origin),
                   "%s: %s cannot take effect: %s", where, key, absent->why);
    if (absent && !d->secret) /* what is a secret is kept as one, whoever uses it */
        return;
    text = clamped(c, d, text, key, where);
    text = choose(c, d, text, severity, key, where);
    if (!text)
        return;
    int rc = config_check_value(d, text, &err);
    if (rc == 0)
        rc = option_set(d, p->values, text, &err);
    if (rc == ORIEL_ENOMEM)
        c->no_memory = true;
    else if (rc < 0 && origin.layer == CONFIG_CODE && origin.name)
        config_say(c, severity, "%s: %s", where, without_name(d, err.text));
    else if (rc < 0)
        config_say(c, severity, "%s: %s%s%s", where, p->name, p->name[0] ? "." : "", err.text);
    else
        p->origins[index_of(p, d)] = origin;
}

struct config_part *config_part_find(const struct config *c, const char *name, size_t n)
{
    for (size_t i = 0; i < c->part_count; i++)
        if (strlen(c->parts[i].name) == n && memcmp(c->parts[i].name, name, n) == 0)
            return &c->parts[i];
    return NULL;
}

#define RECEIVER "otlp." /* begins the names of sections that are receivers */

const char *config_receiver(const struct config *c, size_t i)
{
    for (size_t k = 0; k < c->part_count; k++)
        if (strncmp(c->parts[k].name, RECEIVER, strlen(RECEIVER)) == 0 && i-- == 0)
            return c->parts[k].name;
    return NULL;
}

static const struct option_def *find_key(const struct config *c, const char *key,
                                         struct config_part **out_part)
{
    const char *dot = strrchr(key, '.');
    *out_part = config_part_find(c, key, dot ? (size_t)(dot - key) : 0);
    const char *name = dot ? dot + 1 : key;
    return *out_part ? option_find((*out_part)->defs, name, strlen(name)) : NULL;
}

bool config_put_key(struct config *c, const char *key, const char *text,
                    struct config_origin origin)
{
    struct config_part *p;
    const char *last = strrchr(key, '.'), *why;
    if (last && strncmp(key, RECEIVER, strlen(RECEIVER)) == 0 && last > key + strlen(RECEIVER)) {
        const char *name = key + strlen(RECEIVER);
        (void)config_part_receiver(c, name, (size_t)(last - name), &why);
    }
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
    static const struct config_section own[] = {
        {"", config_telemetry_options, sizeof(struct config_telemetry)},
        {"batch", config_batch_options, sizeof(struct config_batches)},
        {"limits", config_limit_options, sizeof(struct config_limits)},
        {"sampling", config_sampling_options, sizeof(struct config_sampling)},
        {"otlp_traces", config_otlp_traces_options, sizeof(struct config_otlp)},
        {"otlp_logs", config_otlp_logs_options, sizeof(struct config_otlp)}};
    const size_t count = sizeof own / sizeof *own;
    int rc = 0;
    c->parts = mem_calloc(in->section_count + count + CONFIG_RECEIVERS_MAX, sizeof *c->parts);
    if (!c->parts)
        return ORIEL_ENOMEM;
    for (size_t i = 0; rc == 0 && i < in->section_count + count; i++) {
        const struct config_section *s = i < count ? &own[i] : &in->sections[i - count];
        rc = make_part(c, &c->parts[i], s->name, s->defs, s->size);
    }
    return rc;
}

static bool is_receiver_name(const char *name, size_t n)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return n > 0 && n <= CONFIG_RECEIVER_NAME_MAX && strspn(name, letters) >= n;
}

struct config_part *config_part_receiver(struct config *c, const char *name, size_t n,
                                         const char **out_why)
{
    const struct config_part *all = config_part_find(c, "otlp", 4);
    *out_why = !all                         ? "this version has no outlet otlp"
               : !is_receiver_name(name, n) ? "a name has up to 32 letters, digits, _ and -"
                                            : NULL;
    if (*out_why)
        return NULL;
    const char *full = text_of(c, RECEIVER "%.*s", (int)n, name);
    struct config_part *p = config_part_find(c, full, strlen(full));
    if (p || c->no_memory)
        return p;
    if (config_receiver(c, CONFIG_RECEIVERS_MAX - 1)) {
        *out_why = "there are no more than 6 of them";
        return NULL;
    }
    p = &c->parts[c->part_count];
    c->no_memory = make_part(c, p, full, all->defs, all->size) < 0;
    return c->no_memory ? NULL : p;
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

/* OTEL_SDK_ENABLED asks for OTLP without naming the key that would be refused. */
static void check_sdk(struct config *c)
{
    const struct config_telemetry *t = config_telemetry(c);
    const bool wanted = config_choose(c).otlp && (config_has_item(t->traces_exporter, "otlp") ||
                                                  config_has_item(t->logs_exporter, "otlp"));
    for (size_t i = 0; i < c->absent_count; i++) {
        const bool is_it = strcmp(c->absent[i].key, "backend=otlp") == 0;
        c->cannot_send = c->cannot_send || is_it;
        if (is_it && wanted)
            config_say(c, CONFIG_ERROR, "$OTEL_SDK_ENABLED cannot take effect: %s",
                       c->absent[i].why);
    }
}

/* A batch larger than the queue it comes from would never be full. */
static void check_batch(struct config *c, struct config_batch *b, const char *kind)
{
    struct config_origin from;
    char key[32];
    if (b->size <= b->queue)
        return;
    snprintf(key, sizeof key, "batch.%s_size", kind);
    const bool said = config_origin(c, key, &from) && from.layer != CONFIG_DEFAULT;
    config_say(c, said ? CONFIG_WARNING : CONFIG_REMARK,
               "telemetry.batch.%s_size = %lld is more than the queue holds, and taken as %lld",
               kind, (long long)b->size, (long long)b->queue);
    b->size = b->queue;
}

/* Part of it would be passed over, and other call sites record than somebody wanted. */
static void check_filter(struct config *c, const struct config_input *in)
{
    struct config_origin from;
    struct oriel_err err = {0};
    if (in->check_filter && in->check_filter(config_telemetry(c)->filter, &err) < 0 &&
        config_origin(c, "filter", &from))
        config_say(c, CONFIG_ERROR, "%s: telemetry.filter: %s", config_where(c, &from), err.text);
}

static void say_no_key(struct config *c, const char *key)
{
    if (!config_say_absent(c, "", key, false, (struct config_origin){CONFIG_CODE, NULL, 0}))
        config_say(c, CONFIG_ERROR, "the program: there is no key telemetry.%s", key);
}

static void apply(struct config *c, const struct config_input *in)
{
    bool is_private = in->preset && strcmp(in->preset, "private") == 0;
    struct toml_doc *doc = is_private ? NULL : read_document(c, in);
    choose_preset(c, in, doc);
    if (doc && !c->is_private)
        config_apply_file(c, in, doc);
    if (in->model) { /* what a program says itself */
        struct yaml_value *model = config_model_copy(&c->arena, in->model);
        c->no_memory = c->no_memory || !model;
        config_apply_switches(c, in->environment);
        if (model)
            config_apply_model(c, in->declarative_name, model);
    } else if (in->declarative_text && !c->is_private) {
        config_apply_switches(c, in->environment);
        config_apply_declarative(c, in->declarative_name, in->declarative_text,
                                 in->declarative_bytes, in->environment);
    } else if (in->environment && !c->is_private) {
        config_apply_environment(c, in->environment);
    }
    for (size_t i = 0; i < in->code_count; i++)
        if (!config_put_key(
                c, in->code[i].key, in->code[i].value,
                (struct config_origin){CONFIG_CODE, in->code_said ? in->code_said[i] : NULL, 0}))
            say_no_key(c, in->code[i].key);
    check_filter(c, in);
    check_sdk(c);
    config_check_otlp(c);
    config_check_delegates(c);
    struct config_batches *batches = c->parts[1].values;
    check_batch(c, &batches->spans, "spans");
    check_batch(c, &batches->logs, "logs");
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
    c->known_component = in->known_component;
    c->registers = in->registers;
    struct config_input own = *in;
    own.file_name = arena_copy(&c->arena, in->file_name ? in->file_name : CONFIG_FILE_NAME,
                               strlen(in->file_name ? in->file_name : CONFIG_FILE_NAME));
    const char *declarative =
        in->declarative_name ? in->declarative_name : CONFIG_DECLARATIVE_VARIABLE;
    own.declarative_name = arena_copy(&c->arena, declarative, strlen(declarative));
    int rc = own.file_name && own.declarative_name ? make_parts(c, in) : ORIEL_ENOMEM;
    if (rc == 0)
        apply(c, &own);
    if (rc < 0 || c->no_memory) {
        config_free(c);
        return err_set(err, ORIEL_ENOMEM, "out of memory reading the configuration");
    }
    c->absent = NULL; /* the caller's */
    c->registers = NULL;
    c->absent_count = 0;
    *out = c;
    return 0;
}

/* The number of owners is no part of what it says. */
static atomic_uint *others_of(const struct config *c)
{
    return &((struct config *)(uintptr_t)c)->others;
}

const struct config *config_ref(const struct config *c)
{
    atomic_fetch_add_explicit(others_of(c), 1, memory_order_relaxed);
    return c;
}

void config_free(struct config *c)
{
    /* What others did with it is done before it is freed. */
    if (!c || atomic_fetch_sub_explicit(others_of(c), 1, memory_order_acq_rel) > 0)
        return;
    for (size_t i = 0; i < c->part_count; i++) {
        if (c->parts[i].values)
            option_done(c->parts[i].defs, c->parts[i].values);
        mem_free(c->parts[i].values);
        mem_free(c->parts[i].origins);
    }
    mem_free(c->parts);
    VEC_DONE(&c->messages);
    VEC_DONE(&c->components);
    arena_done(&c->arena);
    mem_free(c);
}

/* ---- access ---- */

const struct config_telemetry *config_telemetry(const struct config *c)
{
    return c->parts[0].values;
}

size_t config_components(const struct config *c, const struct config_component **out)
{
    *out = c->components.items;
    return c->components.count;
}

unsigned config_unregistered(const struct config *c)
{
    return c->unregistered;
}

const struct config_batches *config_batches(const struct config *c)
{
    return c->parts[1].values;
}

struct config_limits config_limits(const struct config *c)
{
    struct config_limits l = *(const struct config_limits *)c->parts[2].values;
    int64_t *const own[][2] = {{&l.span_attribute_count, &l.attribute_count},
                               {&l.span_attribute_length, &l.attribute_length},
                               {&l.log_attribute_count, &l.attribute_count},
                               {&l.log_attribute_length, &l.attribute_length}};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (*own[i][0] < 0)
            *own[i][0] = *own[i][1];
    return l;
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
        *out = p->origins[index_of(p, d)];
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

bool config_has_item(const char *list, const char *item)
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

static bool wants_console(const char *exporters)
{
    return config_has_item(exporters, "console") || config_has_item(exporters, CONFIG_OTLP_STDOUT);
}

/* OTEL_SDK_DISABLED wins over everything; OTEL_SDK_ENABLED adds or takes away
 * OTLP, and does nothing while telemetry is off. Nobody has the console without asking for it. */
struct config_choice config_choose(const struct config *c)
{
    const struct config_telemetry *t = config_telemetry(c);
    bool otlp = c->sdk_enabled_set ? c->sdk_enabled : config_has_item(t->backend, "otlp");
    bool console = !c->sdk_enabled_set || c->sdk_enabled;
    const struct config_origin by = c->sdk_disabled      ? c->disabled_by
                                    : c->sdk_enabled_set ? c->enabled_by
                                                         : (struct config_origin){0};
    console = console && (wants_console(t->traces_exporter) || wants_console(t->logs_exporter));
    return (struct config_choice){.telemetry = t->enabled,
                                  .local = t->enabled && config_has_item(t->backend, "local"),
                                  .otlp = t->enabled && otlp && !c->sdk_disabled,
                                  .console = t->enabled && console && !c->sdk_disabled,
                                  .program = t->enabled && !c->sdk_disabled,
                                  .tracy = t->tracy,
                                  .by = by};
}
