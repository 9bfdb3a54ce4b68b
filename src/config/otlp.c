/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What OTLP is told for each signal: for every key the place that wins. One
 * thread per config.
 */
#include "config/otlp.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "config/state.h"

#define TIMEOUT_MOST_MS UINT64_C(3600000)

static const char *const part_names[] = {"otlp_traces", "otlp_logs"};

/* ---- who wins ---- */

struct place {
    struct config_part *part;
    const struct option_def *def;
};

static struct place place_of(const struct config *c, const char *part, const char *key)
{
    struct place at = {config_part_find(c, part, strlen(part)), NULL};
    if (at.part)
        at.def = option_find(at.part->defs, key, strlen(key));
    assert(at.def);
    return at;
}

static struct config_origin *origin_of(const struct place *at)
{
    return &at->part->origins[at->def - at->part->defs];
}

static const void *member_of(const struct place *at)
{
    return (const char *)at->part->values + at->def->offset;
}

static const char *text_of(const struct place *at)
{
    const char *text;
    memcpy(&text, member_of(at), sizeof text);
    return text ? text : "";
}

static struct place base_place(const struct config *c, const char *key)
{
    char name[40];
    snprintf(name, sizeof name, "otlp_%s", key);
    return place_of(c, "", name);
}

static bool is_set(const struct place *at)
{
    return origin_of(at)->layer != CONFIG_DEFAULT;
}

/* What is said for a signal, unless all of them are told in a higher layer. */
static struct place winner(const struct config *c, enum config_signal signal, const char *key)
{
    struct place own = place_of(c, part_names[signal], key), base = base_place(c, key);
    return is_set(&own) && origin_of(&own)->layer >= origin_of(&base)->layer ? own : base;
}

static int number_of(const struct place *at)
{
    int v;
    assert(at->def->type == OPTION_ENUM);
    memcpy(&v, member_of(at), sizeof v);
    return v;
}

/* ---- the target ---- */

static const char *origin_text(const struct config_origin *o, char *out, size_t n)
{
    struct buf b;
    buf_init(&b);
    config_put_origin(o, &b);
    size_t size = b.size < n - 1 ? b.size : n - 1;
    memcpy(out, buf_cstr(&b), size);
    out[size] = 0;
    buf_done(&b);
    return out;
}

/* Where and by which name: "--endpoint", "oriel.toml:3: telemetry.otlp_endpoint". */
static const char *said_text(const struct place *at, char *out, size_t n)
{
    const struct config_origin *o = origin_of(at);
    const char *part = at->part->name;
    origin_text(o, out, n);
    if (o->layer == CONFIG_CODE && o->name)
        return out;
    const size_t used = strlen(out);
    snprintf(out + used, n - used, ": telemetry.%s%s%s", part, part[0] ? "." : "", at->def->name);
    return out;
}

static enum config_protocol protocol_of(const struct config *c, enum config_signal signal,
                                        const char *endpoint)
{
    struct place at = winner(c, signal, "protocol");
    return is_set(&at) ? (enum config_protocol)number_of(&at) : config_otlp_guess(endpoint);
}

static int find_url(const struct config *c, enum config_signal signal,
                    struct config_otlp_target *out, struct oriel_err *err)
{
    struct place at = winner(c, signal, "endpoint"), insecure = winner(c, signal, "insecure");
    bool own = at.part->name[0] != 0;
    struct oriel_err why = {0};
    char where[CONFIG_SAID_BYTES];
    out->protocol = protocol_of(c, signal, text_of(&at));
    int rc =
        config_otlp_url(out->protocol, signal, own ? NULL : text_of(&at), own ? text_of(&at) : NULL,
                        *(const bool *)member_of(&insecure), out->url, sizeof out->url, &why);
    if (rc < 0)
        err_set(err, rc, "%s: %s", said_text(&at, where, sizeof where), why.text);
    return rc;
}

int config_otlp_target(const struct config *c, enum config_signal signal,
                       struct config_otlp_target *out, struct oriel_err *err)
{
    assert(signal < CONFIG_SIGNALS);
    struct config_otlp_target t;
    int rc = find_url(c, signal, &t, err);
    if (rc < 0)
        return rc;
    struct place compression = winner(c, signal, "compression");
    struct place headers = winner(c, signal, "headers");
    struct place certificate = winner(c, signal, "certificate");
    struct place key = winner(c, signal, "client_key");
    struct place client = winner(c, signal, "client_certificate");
    struct place timeout = winner(c, signal, "timeout_ms");
    int64_t ms;
    memcpy(&ms, member_of(&timeout), sizeof ms);
    t.compression = (enum config_compression)number_of(&compression);
    t.headers = text_of(&headers);
    t.certificate = text_of(&certificate);
    t.client_key = text_of(&key);
    t.client_certificate = text_of(&client);
    t.timeout_ms = ms > 0 ? (uint64_t)ms : TIMEOUT_MOST_MS;
    *out = t;
    return 0;
}

/* ---- receivers of their own ---- */

/* `def` NULL: the section does not say it. */
static struct place said_by(const struct config *c, const char *section, const char *key)
{
    struct place at = {config_part_find(c, section, strlen(section)), NULL};
    at.def = at.part ? option_find(at.part->defs, key, strlen(key)) : NULL;
    if (at.def && !is_set(&at))
        at.def = NULL;
    return at;
}

static const char *choice_of(const struct place *at)
{
    return at->def ? at->def->choices[number_of(at)] : "";
}

static enum config_protocol said_protocol(const struct place *at, const char *endpoint)
{
    const char *text = choice_of(at);
    return strcmp(text, "grpc") == 0            ? CONFIG_GRPC
           : strcmp(text, "http/protobuf") == 0 ? CONFIG_HTTP_PROTOBUF
           : strcmp(text, "http/json") == 0     ? CONFIG_HTTP_JSON
                                                : config_otlp_guess(endpoint);
}

static void take_said(const struct config *c, const char *section, struct config_otlp_target *t)
{
    const struct {
        const char *key, **to;
    } texts[] = {{"headers", &t->headers},
                 {"certificate", &t->certificate},
                 {"client_key", &t->client_key},
                 {"client_certificate", &t->client_certificate}};
    t->headers = "";
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct place at = said_by(c, section, texts[i].key);
        if (at.def)
            *texts[i].to = text_of(&at);
    }
    const struct place compression = said_by(c, section, "compression");
    if (compression.def)
        t->compression = (enum config_compression)number_of(&compression);
    const struct place timeout = said_by(c, section, "timeout_ms");
    int64_t ms;
    if (!timeout.def)
        return;
    memcpy(&ms, member_of(&timeout), sizeof ms);
    t->timeout_ms = ms > 0 ? (uint64_t)ms : TIMEOUT_MOST_MS;
}

int config_otlp_receiver(const struct config *c, const char *section, enum config_signal signal,
                         struct config_otlp_target *out, struct oriel_err *err)
{
    const struct place endpoint = said_by(c, section, "endpoint");
    const struct place protocol = said_by(c, section, "protocol");
    const struct place own = said_by(c, section, "insecure"), all = winner(c, signal, "insecure");
    struct oriel_err why = {0};
    struct config_otlp_target t;
    char where[CONFIG_SAID_BYTES];
    int rc = config_otlp_target(c, signal, &t, err);
    if (rc < 0)
        return rc;
    if (!endpoint.def || !text_of(&endpoint)[0])
        return err_set(err, ORIEL_EFORMAT, "telemetry.%s has no endpoint", section);
    t.protocol = said_protocol(&protocol, text_of(&endpoint));
    rc =
        config_otlp_url(t.protocol, signal, text_of(&endpoint), NULL,
                        *(const bool *)member_of(own.def ? &own : &all), t.url, sizeof t.url, &why);
    if (rc < 0)
        return err_set(err, rc, "%s: %s", said_text(&endpoint, where, sizeof where), why.text);
    take_said(c, section, &t);
    *out = t;
    return 0;
}

void config_otlp_said(const struct config *c, const char *section, enum config_signal signal,
                      const char *key, char out[CONFIG_SAID_BYTES])
{
    struct place at = winner(c, signal, key);
    const struct place own = section ? said_by(c, section, key) : at;
    if (section && own.def)
        at = own;
    (void)said_text(&at, out, CONFIG_SAID_BYTES);
}

/* ---- checks ---- */

int config_check_value(const struct option_def *d, const char *text, struct oriel_err *err)
{
    struct oriel_err why = {0};
    struct config_rate rates[CONFIG_RATES_MAX];
    size_t count;
    if (strcmp(d->name, "rates") == 0) {
        int wrong = config_rates_read(text, rates, &count, &why);
        return wrong < 0 ? err_set(err, wrong, "%s: %s", d->name, why.text) : 0;
    }
    bool attributes = strcmp(d->name, "resource_attributes") == 0;
    if (!attributes &&
        !(d->secret && (strcmp(d->name, "headers") == 0 || strcmp(d->name, "otlp_headers") == 0)))
        return 0;
    int rc = config_pairs_read(text, attributes ? CONFIG_PAIRS_ATTRIBUTES : CONFIG_PAIRS_HEADERS,
                               NULL, NULL, &why);
    return rc < 0 ? err_set(err, rc, "%s: %s", d->name, why.text) : 0;
}

/* What is wrong for all signals is wrong for each of them, and told once. */
static bool was_said(const struct config *c, const char *text)
{
    for (size_t i = 0; i < c->messages.count; i++)
        if (strcmp(c->messages.items[i].text, text) == 0)
            return true;
    return false;
}

/* Back to the default; true: somebody else may say it now. */
static bool forget_variable(struct config *c, struct place *at, const char *why)
{
    bool variable = origin_of(at)->layer == CONFIG_VARIABLE;
    if (!variable && was_said(c, why))
        return false;
    config_say(c, variable ? CONFIG_WARNING : CONFIG_ERROR, "%s%s", why,
               variable ? "; it counts as unset" : "");
    if (!variable)
        return false;
    *origin_of(at) = (struct config_origin){0};
    c->no_memory = c->no_memory || option_set(at->def, at->part->values, "", NULL) < 0;
    return !c->no_memory;
}

/* Of gRPC's own path nothing can be chosen: whoever says one wanted HTTP, maybe. */
static void check_path(struct config *c, enum config_signal signal)
{
    struct place at = winner(c, signal, "endpoint");
    struct oriel_err err;
    const char *text = text_of(&at);
    struct config_otlp_target t;
    if (is_set(&at) && config_otlp_guess(text) == CONFIG_HTTP_PROTOBUF && strlen(text) > 8 &&
        strchr(text + 8, '/') && strchr(text + 8, '/')[1] &&
        config_otlp_target(c, signal, &t, &err) == 0 && t.protocol == CONFIG_GRPC)
        config_say(c, CONFIG_WARNING, "%s: gRPC does not use the path of the endpoint",
                   config_where(c, origin_of(&at)));
}

/* Files for TLS, of somebody who believes that it is spoken. Told once for all signals. */
static bool check_files(struct config *c, const char *section, enum config_signal signal,
                        const char *url)
{
    static const char *const keys[] = {"certificate", "client_certificate", "client_key"};
    char where[CONFIG_SAID_BYTES];
    for (size_t i = 0; strncmp(url, "https://", 8) != 0 && i < sizeof keys / sizeof *keys; i++) {
        const struct place at = section ? said_by(c, section, keys[i]) : winner(c, signal, keys[i]);
        if (!at.def || !is_set(&at) || !text_of(&at)[0])
            continue;
        config_say(c, CONFIG_ADVICE, "%s: has no effect: there is no TLS to an endpoint with %s",
                   said_text(&at, where, sizeof where),
                   url[0] == 'u' ? "unix:" : "http://; use https://");
        return true;
    }
    return false;
}

static void check_receivers(struct config *c)
{
    const char *section;
    for (size_t i = 0; (section = config_receiver(c, i)); i++) {
        struct config_otlp_target t;
        struct oriel_err err = {0};
        if (config_otlp_receiver(c, section, CONFIG_TRACES, &t, &err) < 0 ||
            config_otlp_receiver(c, section, CONFIG_LOGS, &t, &err) < 0)
            config_say(c, CONFIG_ERROR, "%s", err.text);
        else
            (void)check_files(c, section, CONFIG_TRACES, t.url);
    }
}

void config_check_otlp(struct config *c)
{
    bool told = false;
    for (int signal = 0; signal < CONFIG_SIGNALS; signal++) {
        struct config_otlp_target t;
        struct oriel_err err = {0};
        bool again = true;
        while (again && config_otlp_target(c, (enum config_signal)signal, &t, &err) < 0) {
            struct place at = winner(c, (enum config_signal)signal, "endpoint");
            again = forget_variable(c, &at, err.text);
        }
        check_path(c, (enum config_signal)signal);
        if (config_otlp_target(c, (enum config_signal)signal, &t, &err) == 0)
            told = told || check_files(c, NULL, (enum config_signal)signal, t.url);
    }
    if (!c->has_error)
        check_receivers(c);
}
