/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The layer of $OTEL_CONFIG_FILE: OpenTelemetry's declarative configuration
 * (opentelemetry-configuration, file_format 0.3 to 1.x) for what Oriel has. It
 * stands where the environment would, and the environment is read through its
 * references only. What Oriel has not is said once, with its path. One thread.
 *
 *   path in the file -> row -> key of Oriel
 */
#include <stdio.h>
#include <string.h>

#include "config/otlp.h"
#include "config/state.h"
#include "util/http.h"
#include "util/yaml.h"

enum { PATH_BYTES = 256 };

/* What is done with a value. */
enum way {
    TAKE,      /* as the key's text */
    SKIP,      /* nothing is to be done: it says where, or how, by standing there */
    OURS,      /* said that Oriel's own stands in its place */
    DISABLED,  /* disabled */
    NAMES,     /* a list of names, or of tables with one name each */
    HEADERS,   /* a list of name and value, or a table of them */
    LIST_TEXT, /* headers_list */
    RESOURCE,  /* resource.attributes */
    SET,       /* the key's value is the row's text, whatever stands there */
    STREAM,    /* the row's text, or it is an error */
    COMPOSITE, /* a sampler made of samplers */
    DELEGATE,  /* the row's text for the key that the delegate has */
    SHARE      /* of a sampler: there is one for all of them */
};
/* Of tracer_provider and logger_provider: $P is the provider, $S its section of OTLP, $B its
 * word in [telemetry.batch], $L in [telemetry.limits], $E the key of its exporters; an exporter
 * stands in a batch processor or a simple one, and $X stands for both. $D is a delegate of a
 * sampler by the parent, and its key. */
static const struct row {
    const char *path, *key;
    enum way way;
    const char *text;
} rows[] = {
    {"file_format", NULL, SKIP, NULL},
    {"disabled", NULL, DISABLED, NULL},
    {"log_level", "log_level", TAKE, NULL},
    {"attribute_limits.attribute_count_limit", "limits.attribute_count", TAKE, NULL},
    {"attribute_limits.attribute_value_length_limit", "limits.attribute_length", TAKE, NULL},
    {"propagator.composite", "propagators", NAMES, NULL},
    {"propagator.composite_list", "propagators", TAKE, NULL},
    {"resource.attributes", "resource_attributes", RESOURCE, NULL},
    {"resource.attributes_list", "resource_attributes", TAKE, NULL},
    {"resource.detection/development.detectors", "detectors", NAMES, NULL},
    {"resource.schema_url", NULL, OURS, NULL}, /* our attributes are of it */
    {"$P.processors.batch.schedule_delay", "batch.$B_delay_ms", TAKE, NULL},
    {"$P.processors.batch.export_timeout", "batch.$B_timeout_ms", TAKE, NULL},
    {"$P.processors.batch.max_queue_size", "batch.$B_queue", TAKE, NULL},
    {"$P.processors.batch.max_export_batch_size", "batch.$B_size", TAKE, NULL},
    {"$P.processors.$X.exporter.console", "$E", SET, "console"},
    {"$P.processors.$X.exporter.otlp", "$E", SET, "otlp"},
    {"$P.processors.$X.exporter.otlp_http", "$E", SET, "otlp"},
    {"$P.processors.$X.exporter.otlp_grpc", "$E", SET, "otlp"},
    {"$P.processors.$X.exporter.otlp_file/development", "$E", SET, CONFIG_OTLP_STDOUT},
    {"$P.processors.$X.exporter.otlp_file/development.output_stream", NULL, STREAM, "stdout"},
    {"$P.processors.$X.exporter.otlp.protocol", "$S.protocol", TAKE, NULL},
    {"$P.processors.$X.exporter.$O.endpoint", "$S.endpoint", TAKE, NULL},
    {"$P.processors.$X.exporter.$O.compression", "$S.compression", TAKE, NULL},
    {"$P.processors.$X.exporter.$O.timeout", "$S.timeout_ms", TAKE, NULL},
    {"$P.processors.$X.exporter.$O.headers", "$S.headers", HEADERS, NULL},
    {"$P.processors.$X.exporter.$O.headers_list", "$S.headers", LIST_TEXT, NULL},
    {"$P.processors.$X.exporter.$O.insecure", "$S.insecure", TAKE, NULL},
    {"$P.processors.$X.exporter.$O.tls.insecure", "$S.insecure", TAKE, NULL},
    {"$P.processors.$X.exporter.$O.certificate", "$S.certificate", TAKE, NULL},
    {"$P.processors.$X.exporter.$O.certificate_file", "$S.certificate", TAKE, NULL},
    {"$P.processors.$X.exporter.$O.tls.ca_file", "$S.certificate", TAKE, NULL},
    {"$P.processors.$X.exporter.$O.client_key", "$S.client_key", TAKE, NULL},
    {"$P.processors.$X.exporter.$O.client_key_file", "$S.client_key", TAKE, NULL},
    {"$P.processors.$X.exporter.$O.tls.key_file", "$S.client_key", TAKE, NULL},
    {"$P.processors.$X.exporter.$O.client_certificate", "$S.client_certificate", TAKE, NULL},
    {"$P.processors.$X.exporter.$O.client_certificate_file", "$S.client_certificate", TAKE, NULL},
    {"$P.processors.$X.exporter.$O.tls.cert_file", "$S.client_certificate", TAKE, NULL},
    {"$P.processors.$X.exporter.otlp_http.encoding", "$S.protocol", TAKE, NULL},
    {"$P.limits.attribute_count_limit", "limits.$L_attribute_count", TAKE, NULL},
    {"$P.limits.attribute_value_length_limit", "limits.$L_attribute_length", TAKE, NULL},
    {"tracer_provider.limits.event_count_limit", "limits.event_count", TAKE, NULL},
    {"tracer_provider.limits.link_count_limit", "limits.link_count", TAKE, NULL},
    {"tracer_provider.limits.event_attribute_count_limit", "limits.event_attribute_count", TAKE,
     NULL},
    {"tracer_provider.limits.link_attribute_count_limit", "limits.link_attribute_count", TAKE,
     NULL},
    {"logger_provider.logger_configurator/development.default_config.trace_based",
     "sampling.trace_based_logs", TAKE, NULL},
    {"tracer_provider.id_generator.random", NULL, SKIP, NULL}, /* as ours are */
    {"tracer_provider.sampler.always_on", "sampler", SET, "always_on"},
    {"tracer_provider.sampler.always_off", "sampler", SET, "always_off"},
    {"tracer_provider.sampler.trace_id_ratio_based", "sampler", SET, "traceidratio"},
    {"tracer_provider.sampler.trace_id_ratio_based.ratio", "sample_rate", SHARE, NULL},
    {"tracer_provider.sampler.composite/development", NULL, COMPOSITE, NULL},
    {"tracer_provider.sampler.parent_based.root.always_on", "sampler", SET,
     "parentbased_always_on"},
    {"tracer_provider.sampler.parent_based.root.always_off", "sampler", SET,
     "parentbased_always_off"},
    {"tracer_provider.sampler.parent_based.root.trace_id_ratio_based", "sampler", SET,
     "parentbased_traceidratio"},
    {"tracer_provider.sampler.parent_based.root.trace_id_ratio_based.ratio", "sample_rate", SHARE,
     NULL},
    {"tracer_provider.sampler.parent_based.$D.always_on", NULL, DELEGATE, "always_on"},
    {"tracer_provider.sampler.parent_based.$D.always_off", NULL, DELEGATE, "always_off"},
    {"tracer_provider.sampler.parent_based.$D.trace_id_ratio_based", NULL, DELEGATE,
     "traceidratio"},
    {"tracer_provider.sampler.parent_based.$D.trace_id_ratio_based.ratio", "sample_rate", SHARE,
     NULL},
};
static const struct provider {
    const char *name, *section, *batch, *limits, *exporter;
} providers[] = {{"tracer_provider", "otlp_traces", "spans", "span", "traces_exporter"},
                 {"logger_provider", "otlp_logs", "logs", "log", "logs_exporter"}};

struct walk {
    struct config *c;
    const char *file;
    const struct provider *provider; /* under which we are; NULL */
    const char *protocol;            /* by the name of the exporter */
    struct buf exporters[2];         /* their names by ours, of each provider */
    bool program;                    /* there are exporters of the program */
    bool share_said;                 /* of a sampler of this file */
};

static struct config_origin origin_of(const struct walk *w, const struct yaml_value *v)
{
    return (struct config_origin){CONFIG_FILE, w->file, v->line};
}

static void say(struct walk *w, enum config_severity severity, const struct yaml_value *v,
                const char *path, const char *what)
{
    config_say(w->c, severity, "%s:%u: %s %s", w->file, v->line, path, what);
}

/* ---- which row ---- */

static size_t word_of(const char *path)
{
    return strcspn(path, ".");
}

static bool word_fits(const char *pattern, size_t n, const char *word, size_t word_n)
{
    static const char *const kinds[][5] = {{"$P", "tracer_provider", "logger_provider"},
                                           {"$X", "batch", "simple"},
                                           {"$O", "otlp", "otlp_http", "otlp_grpc"},
                                           {"$D", "remote_parent_sampled",
                                            "remote_parent_not_sampled", "local_parent_sampled",
                                            "local_parent_not_sampled"}};
    if (n != 2 || *pattern != '$')
        return n == word_n && memcmp(pattern, word, n) == 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int k = 1; memcmp(kinds[i][0], pattern, 2) == 0 && k < 5 && kinds[i][k]; k++)
            if (strlen(kinds[i][k]) == word_n && memcmp(kinds[i][k], word, word_n) == 0)
                return true;
    return false;
}

enum fit { NO_FIT, ABOVE /* of rows: their beginning */, FITS };
static enum fit path_fits(const char *pattern, const char *path)
{
    for (;;) {
        size_t n = word_of(pattern), m = word_of(path);
        if (!word_fits(pattern, n, path, m))
            return NO_FIT;
        pattern += n;
        path += m;
        if (!*path)
            return *pattern ? ABOVE : FITS;
        if (!*pattern)
            return NO_FIT;
        pattern++;
        path++;
    }
}

/* The row of a path, or NULL; *out_above: there are rows further down. */
static const struct row *row_of(const char *path, bool *out_above)
{
    const struct row *found = NULL;
    *out_above = false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum fit fit = path_fits(rows[i].path, path);
        *out_above = *out_above || fit == ABOVE;
        if (fit == FITS)
            found = &rows[i];
    }
    return found;
}

/* The row's key with the words of its provider in it. */
static void key_of(const struct walk *w, const char *pattern, char out[64])
{
    const struct provider *p = w->provider;
    size_t n = 0;
    for (const char *from = pattern; *from && n < 63; from++) {
        const char *word = *from == '$' && p ? from[1] == 'S'   ? p->section
                                               : from[1] == 'B' ? p->batch
                                               : from[1] == 'L' ? p->limits
                                                                : p->exporter
                                             : NULL;
        if (word)
            n += (size_t)snprintf(out + n, 64 - n, "%s", word);
        else
            out[n++] = *from;
        from += word != NULL;
    }
    out[n < 63 ? n : 63] = 0;
}

/* ---- values ---- */

static void put_text(struct walk *w, const char *pattern, const char *text,
                     const struct yaml_value *v)
{
    char key[64];
    key_of(w, pattern, key);
    (void)config_put_key(w->c, key, text, origin_of(w, v));
}

static void put_buf(struct walk *w, const char *pattern, struct buf *text,
                    const struct yaml_value *v, bool secret)
{
    struct config_origin origin = origin_of(w, v);
    char key[64];
    key_of(w, pattern, key);
    if (secret) /* its value came out of the environment, as a secret may */
        origin = (struct config_origin){CONFIG_VARIABLE, "OTEL_CONFIG_FILE", 0};
    (void)config_put_key(w->c, key, buf_cstr(text), origin);
    w->c->no_memory = w->c->no_memory || text->failed;
}

static bool is_scalar(const struct yaml_value *v)
{
    return v->type != YAML_SEQUENCE && v->type != YAML_MAPPING;
}

/* "a" of `- a`, of `- a:` and of `a:`. */
static void take_names(struct walk *w, const struct row *row, const struct yaml_value *v,
                       const char *path)
{
    struct buf list;
    buf_init(&list);
    for (const struct yaml_value *m = v->first; m; m = m->next) {
        const char *name = v->type == YAML_MAPPING ? m->key
                           : is_scalar(m)          ? m->text
                           : m->first              ? m->first->key
                                                   : "";
        if (!name[0] || strchr(name, ','))
            say(w, CONFIG_ERROR, m, path, "wants a list of names");
        else
            buf_printf(&list, "%s%s", list.size ? "," : "", name);
    }
    if (list.size)
        put_buf(w, row->key, &list, v, false);
    buf_done(&list);
}

/* Percent-encoded, so that config_pairs_read says it again. */
static void put_encoded(struct buf *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p <= ' ' || *p >= 0x7f || strchr(",;=%\"\\", *p))
            buf_printf(out, "%%%02X", *p);
        else
            buf_putc(out, (char)*p);
    }
}

/* Name and value of a member: {name: n, value: v} of a list, n: v of a table. */
static bool pair_of(const struct yaml_value *list, const struct yaml_value *m,
                    const char **out_name, const struct yaml_value **out_value)
{
    const struct yaml_value *name = yaml_get(m, "name");
    bool table = list->type == YAML_MAPPING;
    *out_value = table ? m : yaml_get(m, "value");
    *out_name = table ? m->key : name && is_scalar(name) ? name->text : "";
    return (*out_name)[0] && *out_value;
}

static void take_headers(struct walk *w, const struct row *row, const struct yaml_value *v,
                         const char *path)
{
    struct buf list;
    buf_init(&list);
    for (const struct yaml_value *m = v->first; m; m = m->next) {
        const char *name;
        const struct yaml_value *value;
        if (!pair_of(v, m, &name, &value) || !is_scalar(value) ||
            !http_token_valid(name, strlen(name)))
            say(w, CONFIG_ERROR, m, path, "wants names and values of headers");
        else if (!value->expanded)
            say(w, CONFIG_ERROR, value, path,
                "has a value, and those of headers never stand in a file: write ${VARIABLE}");
        else {
            buf_printf(&list, "%s%s=", list.size ? "," : "", name);
            put_encoded(&list, value->text);
        }
    }
    if (list.size)
        put_buf(w, row->key, &list, v, true);
    buf_done(&list);
}

/* Lists of values as one text, as Oriel's attributes are texts. */
static void put_attribute(struct buf *list, const char *name, const struct yaml_value *value)
{
    buf_puts(list, list->size ? "," : "");
    put_encoded(list, name);
    buf_putc(list, '=');
    if (is_scalar(value))
        put_encoded(list, value->text);
    for (const struct yaml_value *m = value->first; m; m = m->next) {
        put_encoded(list, m == value->first ? "" : ",");
        put_encoded(list, m->text);
    }
}

static void take_attributes(struct walk *w, const struct row *row, const struct yaml_value *v,
                            const char *path)
{
    struct buf list;
    buf_init(&list);
    for (const struct yaml_value *m = v->first; m; m = m->next) {
        const char *name;
        const struct yaml_value *value;
        if (!pair_of(v, m, &name, &value) || value->type == YAML_MAPPING)
            say(w, CONFIG_ERROR, m, path, "wants names and values");
        else if (value->type != YAML_NULL)
            put_attribute(&list, name, value);
    }
    if (list.size)
        put_buf(w, row->key, &list, v, false);
    buf_done(&list);
}

/* A text for a key: of the right kind, or the start fails with the line. */
static void take_text(struct walk *w, const struct row *row, const struct yaml_value *v,
                      const char *path)
{
    const char *text = v->text;
    if (!is_scalar(v)) {
        say(w, CONFIG_ERROR, v, path, "wants one value, not a list or a table");
        return;
    }
    if (v->type == YAML_NULL) /* as if it were not there */
        return;
    if (strcmp(path + strlen(path) - 8, "encoding") == 0)
        text = strcmp(text, "json") == 0 ? "http/json" : "http/protobuf";
    put_text(w, row->key, text, v);
}

static void take_list_text(struct walk *w, const struct row *row, const struct yaml_value *v,
                           const char *path)
{
    struct buf text;
    if (v->type == YAML_NULL)
        return;
    if (!is_scalar(v) || !v->expanded) {
        say(w, CONFIG_ERROR, v, path,
            "has values, and those of headers never stand in a file: write ${VARIABLE}");
        return;
    }
    buf_init(&text);
    buf_puts(&text, v->text);
    put_buf(w, row->key, &text, v, true);
    buf_done(&text);
}

/* The name of a delegate is the key that it has. */
static void put_delegate(struct walk *w, const struct row *row, const struct yaml_value *v,
                         const char *path)
{
    static const char above[] = "tracer_provider.sampler.parent_based.";
    const char *name = path + strlen(above);
    char key[64];
    snprintf(key, sizeof key, "sampling.%.*s", (int)word_of(name), name);
    put_text(w, key, row->text, v);
}

static void take_share(struct walk *w, const struct row *row, const struct yaml_value *v,
                       const char *path)
{
    const double before = config_telemetry(w->c)->sample_rate;
    const bool said = w->share_said;
    take_text(w, row, v, path);
    if (said && config_telemetry(w->c)->sample_rate != before)
        say(w, CONFIG_ERROR, v, path,
            "is another share than before: there is one for all samplers");
    w->share_said = true;
}

/* Of exporters there may be several: begin_exporter has them. */
static void put_set(struct walk *w, const struct row *row, const struct yaml_value *v)
{
    const bool exporters = strcmp(row->key, "$E") == 0;
    put_text(w, row->key, exporters ? buf_cstr(&w->exporters[w->provider - providers]) : row->text,
             v);
}

static void take(struct walk *w, const struct row *row, const struct yaml_value *v,
                 const char *path)
{
    switch (row->way) {
    case SKIP:
        break;
    case OURS:
        if (v->type != YAML_NULL)
            say(w, CONFIG_REMARK, v, path,
                "has no effect: the one that Oriel's own attributes are of is sent");
        break;
    case TAKE:
        take_text(w, row, v, path);
        break;
    case SHARE:
        take_share(w, row, v, path);
        break;
    case DELEGATE:
        put_delegate(w, row, v, path);
        break;
    case SET:
        put_set(w, row, v);
        break;
    case STREAM:
        if (!is_scalar(v) || (v->type != YAML_NULL && strcmp(v->text, row->text) != 0))
            say(w, CONFIG_ERROR, v, path, "has to be stdout: files are the local tier's");
        break;
    case COMPOSITE:
        config_read_composite(w->c, w->file, v);
        break;
    case NAMES:
        take_names(w, row, v, path);
        break;
    case HEADERS:
        take_headers(w, row, v, path);
        break;
    case LIST_TEXT:
        take_list_text(w, row, v, path);
        break;
    case RESOURCE:
        take_attributes(w, row, v, path);
        break;
    case DISABLED:
        w->c->disabled_by = origin_of(w, v);
        if (v->type == YAML_BOOL)
            w->c->sdk_disabled = v->truth;
        else if (v->type != YAML_NULL)
            say(w, CONFIG_ERROR, v, path, "wants true or false");
        break;
    }
}

/* ---- the tree ---- */

static void walk(struct walk *w, const struct yaml_value *v, const char *path);

/* An exporter by its name: which protocol, and whether there is room for it. False: left out. */
static bool begin_exporter(struct walk *w, const struct yaml_value *v, const char *path)
{
    const char *exporter = strstr(path, ".exporter.");
    if (!w->provider || !exporter || strchr(exporter + 10, '.'))
        return true;
    exporter += 10;
    const bool file = strncmp(exporter, "otlp_file", 9) == 0;
    const bool otlp = !file && strncmp(exporter, "otlp", 4) == 0 && !strchr(exporter, '/');
    const char *name = otlp ? "otlp" : file ? CONFIG_OTLP_STDOUT : exporter;
    struct buf *all = &w->exporters[w->provider - providers];
    if (config_has_item(buf_cstr(all), name)) {
        say(w, CONFIG_REMARK, v, path, "is left out: Oriel has one such exporter for each signal");
        return false;
    }
    buf_printf(all, "%s%s", all->size ? "," : "", name);
    w->c->no_memory = w->c->no_memory || all->failed;
    if (otlp && strcmp(exporter, "otlp") != 0)
        put_text(w, "$S.protocol", strcmp(exporter, "otlp_grpc") == 0 ? "grpc" : "http/protobuf",
                 v);
    if (otlp && strstr(path, ".simple.")) { /* each for itself, at once */
        put_text(w, "batch.$B_delay_ms", "1", v);
        put_text(w, "batch.$B_size", "1", v);
    }
    return true;
}

static void walk_members(struct walk *w, const struct yaml_value *v, const char *path)
{
    char below[PATH_BYTES];
    for (const struct yaml_value *m = v->first; m; m = m->next) {
        /* members of a list stand where the list does */
        int n = v->type == YAML_SEQUENCE
                    ? snprintf(below, sizeof below, "%s", path)
                    : snprintf(below, sizeof below, "%s%s%s", path, path[0] ? "." : "", m->key);
        for (size_t i = 0; !path[0] && i < 2; i++)
            if (strcmp(m->key, providers[i].name) == 0)
                w->provider = &providers[i];
        if (n > 0 && (size_t)n < sizeof below)
            walk(w, m, below);
        else
            say(w, CONFIG_WARNING, m, m->key, "is too deep and not read");
        if (!path[0])
            w->provider = NULL;
    }
}

/* Where the standard lets a component stand by its name: one that is neither ours nor of the
 * program is an error of the file (configuration/sdk.md, Create), for something else would happen
 * than it says. Names in lists (propagators, detectors) are values of their keys, which say so
 * themselves. */
static const struct slot {
    const char *path, *what;
} slots[] = {
    {"$P.processors.$X.exporter", "exporter"},
    {"$P.processors", "processor"},
    {"tracer_provider.id_generator", "generator of ids"},
    {"tracer_provider.sampler", "sampler"},
    {"tracer_provider.sampler.parent_based.root", "sampler for this"},
    {"tracer_provider.sampler.parent_based.$D", "sampler for this"},
};

/* The slot in which the name stands that a path ends with, or NULL. A name may have dots. */
static const struct slot *slot_of(const struct yaml_value *v, const char *path)
{
    const size_t n = strlen(path), name = strlen(v->key);
    char parent[PATH_BYTES];
    if (name == 0 || n < name + 2)
        return NULL;
    snprintf(parent, sizeof parent, "%.*s", (int)(n - name - 1), path);
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
        if (path_fits(slots[i].path, parent) == FITS)
            return &slots[i];
    return NULL;
}

static bool is_registered(const struct walk *w, const char *name, bool logs)
{
    return (w->c->known_component && w->c->known_component(name, logs)) ||
           (w->c->registers && config_has_item(w->c->registers, name));
}

/* An exporter that the program has registered. */
static void take_exporter(struct walk *w, const struct yaml_value *v, const char *path)
{
    struct config_component *made = VEC_PUSH(&w->c->components);
    w->c->no_memory = w->c->no_memory || !made;
    if (made)
        *made = (struct config_component){v->key, w->provider != &providers[0], v};
    if (strstr(path, ".simple.")) { /* each for itself, at once */
        put_text(w, "batch.$B_delay_ms", "1", v);
        put_text(w, "batch.$B_size", "1", v);
    }
    w->program = true;
}

/* Switching off single tracers and loggers, which is said elsewhere. */
static bool is_configurator(const char *path)
{
    return strncmp(path, "logger_provider.logger_configurator", 35) == 0 ||
           strncmp(path, "tracer_provider.tracer_configurator", 35) == 0;
}

/* What has no row. */
static void take_unknown(struct walk *w, const struct yaml_value *v, const char *path)
{
    const struct slot *slot = slot_of(v, path);
    const bool exporter = slot == &slots[0];
    if (!slot)
        say(w, CONFIG_REMARK, v, path,
            is_configurator(path) ? "is left out: filter (ORIEL_FILTER) says which call sites "
                                    "record, by name and severity"
                                  : "is nothing Oriel has, and left out");
    else if (exporter && is_registered(w, v->key, w->provider != &providers[0]))
        take_exporter(w, v, path);
    else
        config_say(w->c, CONFIG_ERROR, "%s:%u: %s is no %s that Oriel has%s", w->file, v->line,
                   path, slot->what,
                   exporter ? ", and the program has registered none of this name" : "");
    w->c->unregistered += exporter && !is_registered(w, v->key, w->provider != &providers[0]);
}

/* What a file below says of them is part of another sampler. */
static void forget_delegates(struct walk *w, const struct yaml_value *v)
{
    put_text(w, "sampling.root", "sampler", v);
    put_text(w, "sampling.remote_parent_sampled", "always_on", v);
    put_text(w, "sampling.remote_parent_not_sampled", "always_off", v);
    put_text(w, "sampling.local_parent_sampled", "always_on", v);
    put_text(w, "sampling.local_parent_not_sampled", "always_off", v);
}

/* The root is the sampler: what any of ours does not sample is recorded all the same, and
 * processors of the program hear of it (SAMPLING.md). */
static void take_always_record(struct walk *w, const struct yaml_value *v, const char *path)
{
    static const char above[] = "tracer_provider.sampler";
    const struct yaml_value *root = yaml_get(v, "root");
    if (v->type != YAML_MAPPING || !root || v->first != root || root->next)
        say(w, CONFIG_ERROR, v, path, "wants a root, which is a sampler, and nothing else");
    else
        walk(w, root, above);
}

static void walk(struct walk *w, const struct yaml_value *v, const char *path)
{
    bool above;
    if (strcmp(path, "tracer_provider.sampler.always_record") == 0) {
        take_always_record(w, v, path);
        return;
    }
    const struct row *row = row_of(path, &above);
    if (!row && !above) {
        take_unknown(w, v, path);
        return;
    }
    if (!begin_exporter(w, v, path))
        return;
    if (strcmp(path, "tracer_provider.sampler") == 0) /* a whole one */
        forget_delegates(w, v);
    if (row)
        take(w, row, v, path);
    if (above && !is_scalar(v))
        walk_members(w, v, path);
    else if (above && !row && v->type != YAML_NULL)
        say(w, CONFIG_ERROR, v, path, "wants a table");
}

/* A signal without a provider goes nowhere (the standard's no-op). */
static void finish(struct walk *w, const struct yaml_value *root)
{
    bool any = false, otlp = false;
    for (size_t i = 0; i < 2; i++) {
        w->provider = &providers[i];
        if (!w->exporters[i].size)
            put_text(w, "$E", "none", root);
        any = any || w->exporters[i].size;
        otlp = otlp || config_has_item(buf_cstr(&w->exporters[i]), "otlp");
        buf_done(&w->exporters[i]);
    }
    w->provider = NULL;
    if (any || w->program)
        put_text(w, "backend", otlp ? "otlp" : "program", root);
}

void config_apply_model(struct config *c, const char *file, const struct yaml_value *root)
{
    struct walk w = {.c = c, .file = file};
    walk_members(&w, root, "");
    finish(&w, root);
}

void config_apply_declarative(struct config *c, const char *file, const char *text, size_t n,
                              const char *const *environment)
{
    struct yaml_value *root;
    struct oriel_err err = {0};
    int rc = config_declarative_read(&c->arena, file, text, n, environment, &root, &err);
    c->no_memory = c->no_memory || rc == ORIEL_ENOMEM;
    if (rc < 0)
        config_say(c, CONFIG_ERROR, "%s", err.text);
    else
        config_apply_model(c, file, root);
}
