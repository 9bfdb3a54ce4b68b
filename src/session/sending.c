/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Destinations out of configuration. The exporter's table says how its options
 * describe a receiver; what the standard's variables and keys say takes the place
 * of what nobody said in the options. One thread.
 */
#include "session/sending.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "deliver/endpoint.h"
#include "deliver/spool.h"
#include "secret/secret.h"
#include "session/fetch.h"
#include "session/headers.h"
#include "session/outlet.h"
#include "session/patient.h"
#include "session/settings.h"
#include "util/http.h"

#define QUEUE_BYTES_DEFAULT ((size_t)16 << 20)
#define HEADERS_NS UINT64_C(10000000000)
#define USER_AGENT "OTel-OTLP-Exporter-C/" ORIEL_VERSION_TEXT

enum { BOTH = 1 << CONFIG_TRACES | 1 << CONFIG_LOGS };
static const enum out_signal out_signals[] = {
    [CONFIG_TRACES] = OUT_TRACES, [CONFIG_LOGS] = OUT_LOGS};

/* ---- options ---- */

/* What an option is to be, unless it was said. Names that an outlet has not are none of its. */
static int put_option(const struct exporter *e, void *options, const void *fresh, const char *name,
                      const char *text)
{
    const struct option_def *d = option_find(e->options, name, strlen(name));
    if (!d || !outlet_option_same(d, options, fresh))
        return 0;
    return option_set(d, options, text, NULL);
}

static int put_number(const struct exporter *e, void *options, const void *fresh, const char *name,
                      int64_t v, const char *unit)
{
    char text[32];
    snprintf(text, sizeof text, "%lld%s", (long long)v, unit);
    return put_option(e, options, fresh, name, text);
}

static bool is_said(const struct config *c, const char *key)
{
    struct config_origin o;
    return config_origin(c, key, &o) && o.layer != CONFIG_DEFAULT;
}

/* Where only the outlet's `batch` was said, it is that of each signal, too. */
static bool gives_way(const struct exporter *e, const void *options, const void *fresh,
                      const struct config *c, const char *name)
{
    const struct option_def *batch = option_find(e->options, "batch", strlen("batch"));
    const bool size = strcmp(name, "spans_batch") == 0 || strcmp(name, "logs_batch") == 0;
    const char *key = name[0] == 's' ? "batch.spans_size" : "batch.logs_size";
    return size && batch && !outlet_option_same(batch, options, fresh) && !is_said(c, key);
}

/* The standard's batch processors and limits, by the names that the outlet has for them. */
static int put_standard(const struct exporter *e, void *options, const void *fresh,
                        const struct config *c)
{
    const struct config_batches *b = config_batches(c);
    const struct config_limits l = config_limits(c);
    const struct {
        const char *name;
        int64_t v;
        const char *unit;
    } rows[] = {{"spans_delay", b->spans.delay_ms, "ms"},
                {"logs_delay", b->logs.delay_ms, "ms"},
                {"spans_batch", b->spans.size, ""},
                {"logs_batch", b->logs.size, ""},
                {"span_attribute_count", l.span_attribute_count, ""},
                {"span_attribute_length", l.span_attribute_length, ""},
                {"log_attribute_count", l.log_attribute_count, ""},
                {"log_attribute_length", l.log_attribute_length, ""},
                {"event_count", l.event_count, ""},
                {"link_count", l.link_count, ""},
                {"event_attribute_count", l.event_attribute_count, ""},
                {"link_attribute_count", l.link_attribute_count, ""}};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof rows / sizeof *rows; i++)
        if (!gives_way(e, options, fresh, c, rows[i].name))
            rc = put_number(e, options, fresh, rows[i].name, rows[i].v, rows[i].unit);
    return rc;
}

/* The ring is the queue of the standard's processors; its size in items holds only where
 * somebody said one, and so does the time of an export. */
static int put_queue(const struct exporter *e, void *options, const void *fresh,
                     const struct config *c)
{
    const struct config_batches *b = config_batches(c);
    int rc = 0;
    if (is_said(c, "batch.spans_queue") || is_said(c, "batch.logs_queue"))
        rc = put_number(e, options, fresh, "queue_items", b->spans.queue + b->logs.queue, "");
    if (rc == 0 && (is_said(c, "batch.spans_timeout_ms") || is_said(c, "batch.logs_timeout_ms")))
        rc = put_number(e, options, fresh, "retry_for",
                        b->spans.timeout_ms > b->logs.timeout_ms ? b->spans.timeout_ms
                                                                 : b->logs.timeout_ms,
                        "ms");
    return rc;
}

static int put_target(const struct exporter *e, void *options, const void *fresh,
                      const struct config_otlp_target *t, unsigned signals)
{
    static const char *const protocols[] = {"grpc", "http/protobuf", "http/json"};
    static const char *const compressions[] = {"none", "gzip", "zstd"};
    /* The target is where all that was said has come together: nothing stands above it. */
    const struct {
        const char *name, *text;
    } rows[] = {{"protocol", protocols[t->protocol]},
                {"compression", compressions[t->compression]},
                {"certificate", t->certificate},
                {"client_certificate", t->client_certificate},
                {"client_key", t->client_key}};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof rows / sizeof *rows; i++) {
        const struct option_def *d = option_find(e->options, rows[i].name, strlen(rows[i].name));
        rc = d ? option_set(d, options, rows[i].text, NULL) : 0;
    }
    if (rc == 0 && signals != BOTH)
        rc = put_option(e, options, fresh, "signals",
                        signals == 1 << CONFIG_TRACES ? "traces" : "logs");
    return rc;
}

/* The options of the outlet with everything in them that is said elsewhere; `t` NULL: there is
 * no receiver. */
static int make_options(const struct sending *how, const struct config_otlp_target *t,
                        unsigned signals, void **out)
{
    const struct exporter *e = how->exporter;
    void *options = NULL, *fresh = NULL;
    int rc = outlet_options_copy(e, how->options, &options);
    if (rc == 0)
        rc = outlet_options_copy(e, NULL, &fresh);
    if (rc == 0)
        rc = put_standard(e, options, fresh, how->config);
    if (rc == 0)
        rc = put_queue(e, options, fresh, how->config);
    if (rc == 0 && t)
        rc = put_target(e, options, fresh, t, signals);
    outlet_options_free(e, fresh);
    if (rc < 0)
        outlet_options_free(e, options);
    else
        *out = options;
    return rc;
}

int sending_options(const struct sending *how, void **out)
{
    return make_options(how, NULL, 0, out);
}

/* ---- headers ---- */

struct headers {
    struct http_header items[HTTP_HEADERS_MAX];
    size_t count;
    struct arena arena;
};

static int add_header(void *user, const char *name, const char *value)
{
    struct headers *h = user;
    const size_t name_n = strlen(name), value_n = strlen(value);
    if (h->count == HTTP_HEADERS_MAX)
        return ORIEL_ELIMIT;
    struct http_header *item = &h->items[h->count];
    item->name = arena_copy(&h->arena, name, name_n);
    item->value = arena_copy(&h->arena, value, value_n);
    if (!item->name || !item->value)
        return ORIEL_ENOMEM;
    item->name_n = name_n;
    item->value_n = value_n;
    h->count++;
    return secret_known_add(value, value_n);
}

/* Those of the vault, and those of the configuration: environment, program. */
static int make_headers(const struct vault_headers *vault, const struct config_otlp_target *t,
                        struct headers *h, struct oriel_err *err)
{
    int rc = vault->count > HTTP_HEADERS_MAX ? ORIEL_ELIMIT : 0;
    for (size_t i = 0; rc == 0 && i < vault->count; i++) {
        const struct vault_header *v = &vault->items[i];
        h->items[h->count++] = (struct http_header){.name = v->name,
                                                    .name_n = strlen(v->name),
                                                    .value = v->value,
                                                    .value_n = strlen(v->value)};
    }
    if (rc == 0 && t->headers[0])
        rc = config_pairs_read(t->headers, CONFIG_PAIRS_HEADERS, add_header, h, err);
    if (rc == ORIEL_ELIMIT)
        err_set(err, rc, "more than %u headers for the receiver", (unsigned)HTTP_HEADERS_MAX);
    return rc;
}

/* Without a provider there is nobody to wait for: that is said at once. `key` NULL: of the receiver
 * that all of this is about; "": there is none. */
static bool asks_later(const struct sending *how, const char *key)
{
    const void *options = config_section_options(how->config, "vault");
    return how->fetch && options && vault_provider_name(options)[0] &&
           (key ? key[0] != 0 : session_wants_headers(how->config));
}

/* A missing key that was declared optional is said, and no failure. */
static int ask_vault(const struct sending *how, const char *key, struct vault_headers *out,
                     struct oriel_err *err)
{
    struct oriel_err why = {0};
    *out = (struct vault_headers){0};
    const void *options = config_section_options(how->config, "vault");
    if (how->check && options && vault_provider_name(options)[0])
        return vault_check(options, err);
    if (asks_later(how, key) || !config_section_options(how->config, "vault") || (key && !key[0]))
        return 0;
    const uint64_t ns = how->headers_ns ? how->headers_ns : HEADERS_NS;
    const struct headers_ask ask = {.environment = how->environment,
                                    .deadline_ns = clock_mono_ns() + ns};
    int rc = key ? session_headers_of(how->config, key, &ask, out, &why)
                 : session_headers(how->config, &ask, out, &why);
    if (rc == 0 && why.text[0] && how->say)
        how->say(how->user, why.text);
    return rc < 0 ? err_set(err, rc, "%s", why.text) : 0;
}

/* ---- destinations ---- */

/* One receiver: where to, for the signals whose bits are set, with which headers of the vault. */
struct receiver {
    const struct config_otlp_target *targets; /* by enum config_signal */
    unsigned signals;
    const struct vault_headers *vault;
    bool later; /* the vault's come when the program runs already */
    /* Of one with a section, which outlives the session; NULL: the outlet's, the usual one. */
    const char *name, *key;
};

static const struct config_otlp_target *main_target(const struct receiver *r)
{
    return &r->targets[r->signals & 1 << CONFIG_TRACES ? CONFIG_TRACES : CONFIG_LOGS];
}

/* Who may send what is spooled: form and receivers, without user, password and query. Paths
 * tell receivers apart, but may be somebody's key: they are only in what is hashed. */
static int open_spool(const struct export_destination *d, const struct receiver *r,
                      struct spool **out, struct oriel_err *err)
{
    char name[4 * ENDPOINT_PATH_MAX], label[448];
    struct endpoint e;
    int at = snprintf(name, sizeof name, "%s", d->deliver.dialect->content_type), told = 0;
    told = snprintf(label, sizeof label, "%s", name);
    for (int s = 0; s < CONFIG_SIGNALS; s++) {
        if (!(r->signals & 1u << s))
            continue;
        int rc = endpoint_read(&e, r->targets[s].url, err);
        if (rc < 0)
            return rc;
        if (e.authorization)
            explicit_bzero(e.authorization, strlen(e.authorization));
        mem_free(e.authorization);
        at += snprintf(name + at, sizeof name - (size_t)at, " %s%s", e.shown, e.base);
        if (!strstr(label, e.shown) && (size_t)told + strlen(e.shown) + 2 < sizeof label)
            told += snprintf(label + told, sizeof label - (size_t)told, " %s", e.shown);
    }
    const struct spool_options how = {.size = sizeof how,
                                      .directory = d->spool_dir,
                                      .destination = name,
                                      .label = label,
                                      .max_bytes = d->spool_bytes};
    return spool_open(out, &how, err);
}

/* Where the files of TLS were said, and names that do not begin where we are. */
enum { NAMED = 4, NAME_BYTES = 1024 };
struct said {
    char ca[CONFIG_SAID_BYTES], certificate[CONFIG_SAID_BYTES], key[CONFIG_SAID_BYTES];
    char names[NAMED][NAME_BYTES];
};

static void name_files(const struct sending *how, const struct receiver *r, struct said *said,
                       struct deliver_tls *tls)
{
    const enum config_signal s = r->signals & 1 << CONFIG_TRACES ? CONFIG_TRACES : CONFIG_LOGS;
    config_otlp_said(how->config, r->name, s, "certificate", said->ca);
    config_otlp_said(how->config, r->name, s, "client_certificate", said->certificate);
    config_otlp_said(how->config, r->name, s, "client_key", said->key);
    tls->ca_said = said->ca;
    tls->certificate_said = said->certificate;
    tls->key_said = said->key;
}

static void find_files(const struct sending *how, struct export_destination *to, struct said *said)
{
    struct deliver_tls *tls = &to->deliver.tls;
    const char **const names[NAMED] = {&to->spool_dir, &tls->ca, &tls->certificate, &tls->key};
    for (unsigned i = 0; how->where && i < NAMED; i++) {
        const char *name = *names[i];
        if (!name || !name[0] || name[0] == '/')
            continue;
        const int n = snprintf(said->names[i], NAME_BYTES, "%s/%s", how->where, name);
        if (n > 0 && n < NAME_BYTES)
            *names[i] = said->names[i];
    }
}

/* What the options, the configuration and the program say of one receiver. `to` has no headers
 * yet, and lasts as long as `said`. *out_options is the caller's. */
static int describe(const struct sending *how, const struct receiver *r, void **out_options,
                    struct export_destination *to, struct said *said)
{
    const struct config_otlp_target *t = main_target(r);
    int rc = make_options(how, t, r->signals, out_options);
    if (rc < 0)
        return rc;
    how->exporter->destination(*out_options, to);
    to->deliver.name = r->name ? r->name : how->exporter->name;
    to->deliver.endpoint = t->url;
    /* A socket's path is not the receiver's, which is appended; URLs are whole. */
    for (int i = 0; i < CONFIG_SIGNALS; i++)
        if (!to->deliver.grpc && r->signals & 1u << i &&
            strncmp(r->targets[i].url, "unix:", 5) != 0)
            to->deliver.endpoints[out_signals[i]] = r->targets[i].url;
    to->deliver.timeout_ns = t->timeout_ms * 1000000u;
    to->deliver.user_agent = USER_AGENT;
    to->deliver.held = r->later;
    to->deliver.say = how->say;
    to->deliver.room_wait_ns = how->room_wait_ns;
    to->deliver.user = how->user;
    name_files(how, r, said, &to->deliver.tls);
    find_files(how, to, said);
    to->deliver.books = how->books;
    if (how->attended) {
        to->deliver.attended = true;
        if (!to->deliver.patience_ns)
            to->deliver.patience_ns = SENDING_ATTENDED_NS;
        /* Who waits wants to see soon that it is back. */
        if (to->deliver.most_ns > to->deliver.patience_ns / 6)
            to->deliver.most_ns = to->deliver.patience_ns / 6;
    }
    return 0;
}

/* `spool` is taken, also on failure; NULL: what the options say. */
static int open_described(const struct receiver *r, struct export_destination *to,
                          struct spool *spool, struct deliver **out, struct oriel_err *err)
{
    struct headers *headers = mem_calloc(1, sizeof *headers);
    int rc = headers ? 0 : err_set(err, ORIEL_ENOMEM, "%s", err_text(ORIEL_ENOMEM));
    if (rc == 0) {
        arena_init(&headers->arena);
        rc = make_headers(r->vault, main_target(r), headers, err);
        to->deliver.headers = headers->items;
        to->deliver.header_count = headers->count;
    }
    if (rc == 0 && !spool && to->spool_dir[0])
        rc = open_spool(to, r, &spool, err);
    to->deliver.spool = spool;
    if (rc == 0)
        rc = deliver_open(out, &to->deliver, err);
    else
        spool_close(spool);
    if (headers)
        arena_done(&headers->arena);
    mem_free(headers);
    return rc;
}

/* As far as it goes without a trace of it: a spool is not opened. */
static int check_one(const struct sending *how, const struct receiver *r, struct oriel_err *err)
{
    struct export_destination to;
    struct said said;
    struct deliver *d = NULL;
    void *options = NULL;
    int rc = describe(how, r, &options, &to, &said);
    if (rc < 0)
        return err_set(err, rc, "%s: %s", how->exporter->name, err_text(rc));
    if (to.spool_dir[0])
        rc = out_check_dir(to.spool_dir, err);
    to.spool_dir = "";
    if (rc == 0)
        rc = open_described(r, &to, NULL, &d, err);
    if (rc == 0)
        out_close(deliver_out(d));
    outlet_options_free(how->exporter, options);
    return rc;
}

/* One receiver, for the signals whose bits are set. */
static int add_one(struct session *s, const struct sending *how, const struct receiver *r,
                   struct oriel_err *err)
{
    const struct exporter *e = how->exporter;
    struct export_destination to;
    struct said said;
    struct deliver *d = NULL;
    struct out *out;
    void *options = NULL;
    if (how->check)
        return check_one(how, r, err);
    int rc = describe(how, r, &options, &to, &said);
    if (rc < 0)
        return err_set(err, rc, "%s: %s", e->name, err_text(rc));
    rc = open_described(r, &to, NULL, &d, err);
    if (rc == 0 && how->patient) {
        const size_t bytes = to.deliver.queue_bytes ? to.deliver.queue_bytes : QUEUE_BYTES_DEFAULT;
        const struct patient_options wait = {.bytes = bytes / 2,
                                             .items = to.deliver.queue_items / 2,
                                             .over = how->over,
                                             .user = how->user};
        rc = patient_open(&out, d, &wait);
        if (rc < 0) {
            out_close(deliver_out(d));
            err_set(err, rc, "%s: %s", e->name, err_text(rc));
        }
    } else if (rc == 0) {
        out = deliver_out(d);
    }
    if (rc == 0)
        rc = session_add_destination(s, e, options, d, out, err);
    if (rc == 0 && r->later)
        rc = fetch_add(how->fetch, d, r->name ? r->name : e->name, r->key);
    if (rc == 0 && r->later)
        session_hold(s, d, how->fetch);
    outlet_options_free(e, options);
    return rc;
}

/* Scheme, host and port. */
static size_t authority(const char *url)
{
    const char *p = strstr(url, "://");
    return p && strncmp(url, "unix:", 5) != 0 ? (size_t)(p - url) + 3 + strcspn(p + 3, "/?#")
                                              : strlen(url);
}

static bool same_receiver(const struct config_otlp_target *a, const struct config_otlp_target *b)
{
    const size_t n = authority(a->url);
    return a->protocol == b->protocol && a->compression == b->compression &&
           a->timeout_ms == b->timeout_ms && n == authority(b->url) &&
           memcmp(a->url, b->url, n) == 0 && strcmp(a->headers, b->headers) == 0 &&
           strcmp(a->certificate, b->certificate) == 0 &&
           strcmp(a->client_key, b->client_key) == 0 &&
           strcmp(a->client_certificate, b->client_certificate) == 0;
}

/* One more receiver of the same, at `url`. Headers are a secret between us and the first. */
static int add_further(struct session *s, const struct sending *how, const char *url,
                       const struct config_otlp_target first[], unsigned signals,
                       struct oriel_err *err)
{
    const struct vault_headers none = {0};
    struct config_otlp_target targets[CONFIG_SIGNALS];
    struct oriel_err why = {0};
    for (int i = 0; i < CONFIG_SIGNALS; i++) {
        targets[i] = first[i];
        targets[i].headers = "";
        targets[i].protocol = config_otlp_guess(url);
        int rc = config_otlp_url(targets[i].protocol, (enum config_signal)i, url, NULL, false,
                                 targets[i].url, sizeof targets[i].url, &why);
        if (rc < 0)
            return err_set(err, rc, "also: %s", why.text);
    }
    const struct receiver r = {.targets = targets, .signals = signals, .vault = &none};
    return add_one(s, how, &r, err);
}

static int add_all_further(struct session *s, const struct sending *how,
                           const struct config_otlp_target first[], unsigned signals,
                           unsigned *count, struct oriel_err *err)
{
    struct export_destination to;
    char url[1024];
    void *options = NULL;
    int rc = outlet_options_copy(how->exporter, how->options, &options);
    if (rc < 0)
        return err_set(err, rc, "%s", err_text(rc));
    how->exporter->destination(options, &to);
    for (const char *p = to.also; rc == 0 && *p;) {
        const size_t n = strcspn(p, ",");
        snprintf(url, sizeof url, "%.*s", (int)n, p);
        rc = n < sizeof url ? add_further(s, how, url, first, signals, err)
                            : err_set(err, ORIEL_ELIMIT, "also: a URL that is too long");
        *count += rc == 0;
        p += n + (p[n] == ',');
    }
    outlet_options_free(how->exporter, options);
    return rc;
}

/* The receiver that [telemetry] and [telemetry.otlp] name, and those that get the same. */
static int add_first(struct session *s, const struct sending *how, unsigned signals,
                     unsigned *count, struct oriel_err *err)
{
    struct config_otlp_target targets[CONFIG_SIGNALS];
    int rc = 0;
    for (int i = 0; rc == 0 && i < CONFIG_SIGNALS; i++)
        rc = config_otlp_target(how->config, (enum config_signal)i, &targets[i], err);
    struct vault_headers vault = {0};
    if (rc == 0)
        rc = ask_vault(how, NULL, &vault, err);
    if (rc < 0)
        return rc;
    const bool one = signals != BOTH || same_receiver(&targets[0], &targets[1]);
    struct receiver r = {.targets = targets,
                         .signals = one ? signals : 1 << CONFIG_TRACES,
                         .vault = &vault,
                         .later = asks_later(how, NULL)};
    rc = add_one(s, how, &r, err);
    r.signals = 1 << CONFIG_LOGS;
    if (rc == 0 && !one)
        rc = add_one(s, how, &r, err);
    vault_headers_done(&vault);
    *count = one ? 1 : 2;
    return rc == 0 ? add_all_further(s, how, targets, signals, count, err) : rc;
}

/* ---- receivers with a section of their own ---- */

/* What [telemetry.otlp] says and `section` says otherwise. */
static int own_options(const struct sending *how, const char *section, void **out)
{
    const struct option_def *defs = how->exporter->options;
    const void *own = config_section_options(how->config, section);
    void *options = NULL;
    char key[128];
    struct config_origin from;
    int rc = outlet_options_copy(how->exporter, how->options, &options);
    for (const struct option_def *d = defs; rc == 0 && own && d->name; d++) {
        snprintf(key, sizeof key, "%s.%s", section, d->name);
        if (config_origin(how->config, key, &from) && from.layer != CONFIG_DEFAULT)
            rc = outlet_option_take(d, options, own);
    }
    if (rc < 0)
        outlet_options_free(how->exporter, options);
    else
        *out = options;
    return rc;
}

static int add_named(struct session *s, const struct sending *how, const char *section,
                     unsigned signals, struct oriel_err *err)
{
    struct config_otlp_target targets[CONFIG_SIGNALS];
    struct sending own = *how;
    const char *key = session_headers_key_of(how->config, section);
    struct vault_headers vault = {0};
    void *options = NULL;
    int rc = 0;
    for (int i = 0; rc == 0 && i < CONFIG_SIGNALS; i++)
        rc = config_otlp_receiver(how->config, section, (enum config_signal)i, &targets[i], err);
    if (rc == 0)
        rc = ask_vault(how, key, &vault, err);
    if (rc < 0)
        return rc;
    rc = own_options(how, section, &options);
    if (rc < 0)
        err_set(err, rc, "%s: %s", section, err_text(rc));
    own.options = options;
    const struct receiver r = {.targets = targets,
                               .signals = signals,
                               .vault = &vault,
                               .later = asks_later(how, key),
                               .name = section,
                               .key = key};
    if (rc == 0)
        rc = add_one(s, &own, &r, err);
    vault_headers_done(&vault);
    outlet_options_free(how->exporter, options);
    return rc;
}

/* Where receivers have sections, the first is one more only if it was named. */
int sending_add(struct session *s, const struct sending *how, unsigned *out_count,
                struct oriel_err *err)
{
    assert(how->size == sizeof *how && how->exporter->destination && how->config);
    const unsigned signals = how->signals ? how->signals : BOTH;
    const char *section;
    unsigned count = 0;
    int rc = 0;
    if (sending_has_first(how->config))
        rc = add_first(s, how, signals, &count, err);
    for (size_t i = 0; rc == 0 && (section = config_receiver(how->config, i)); i++) {
        rc = add_named(s, how, section, signals, err);
        count += rc == 0;
    }
    if (out_count)
        *out_count = count;
    return rc;
}

bool sending_is_vain(const struct session *s, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!patient_is_vain(session_destination(s, i)))
            return false;
    return count > 0;
}

/* Its bytes are of the form in which the receiver is spoken to. */
static int check_form(const struct export_destination *to, const struct spool_options *from,
                      struct oriel_err *err)
{
    const char *form = to->deliver.dialect->content_type;
    const size_t n = strlen(form);
    if (strncmp(from->label, form, n) == 0 && (!from->label[n] || from->label[n] == ' '))
        return 0;
    return err_set(err, ORIEL_EFORMAT, "it holds %.*s, which --protocol has to say",
                   (int)strcspn(from->label, " "), from->label);
}

static int open_spooled(const struct sending *how, const struct receiver *r,
                        const struct spool_options *from, struct deliver **out,
                        struct oriel_err *err)
{
    struct export_destination to;
    struct said said;
    struct spool *spool;
    void *options = NULL;
    int rc = describe(how, r, &options, &to, &said);
    if (rc < 0)
        return err_set(err, rc, "%s: %s", how->exporter->name, err_text(rc));
    rc = check_form(&to, from, err);
    if (rc == 0)
        rc = spool_open(&spool, from, err);
    if (rc == 0)
        rc = open_described(r, &to, spool, out, err);
    outlet_options_free(how->exporter, options);
    return rc;
}

int sending_spooled(const struct sending *how, const struct spool_options *from,
                    struct deliver **out, struct oriel_err *err)
{
    struct config_otlp_target targets[CONFIG_SIGNALS];
    struct vault_headers vault = {0};
    const struct receiver r = {.targets = targets, .signals = BOTH, .vault = &vault};
    int rc = 0;
    for (int i = 0; rc == 0 && i < CONFIG_SIGNALS; i++)
        rc = config_otlp_target(how->config, (enum config_signal)i, &targets[i], err);
    if (rc == 0 && !same_receiver(&targets[0], &targets[1]))
        rc = err_set(err, ORIEL_EINVAL,
                     "traces and logs have receivers of their own; name one with --endpoint");
    if (rc == 0)
        rc = ask_vault(how, NULL, &vault, err);
    if (rc == 0)
        rc = open_spooled(how, &r, from, out, err);
    vault_headers_done(&vault);
    return rc;
}

/* ---- what is said of it ---- */

size_t sending_absent(const struct config_absent **out)
{
    *out = NULL;
    return 0;
}

bool sending_is_asked(const struct config *c)
{
    return is_said(c, "otlp_endpoint") || is_said(c, "otlp_traces.endpoint") ||
           is_said(c, "otlp_logs.endpoint");
}

bool sending_has_first(const struct config *c)
{
    return !config_receiver(c, 0) || sending_is_asked(c);
}

bool sending_lets_out(const struct config *c, const char *section, enum config_signal signal)
{
    static const char *const names[] = {[CONFIG_TRACES] = "traces", [CONFIG_LOGS] = "logs"};
    const struct exporter *e = export_find("otlp");
    const struct option_def *d = e ? option_find(e->options, "signals", 7) : NULL;
    char key[128], text[32];
    snprintf(key, sizeof key, "%s.signals", section ? section : "otlp");
    const void *options = config_section_options(c, section && is_said(c, key) ? section : "otlp");
    if (!d || !options)
        return true;
    option_text(d, options, text, sizeof text);
    return strcmp(text, "all") == 0 || strcmp(text, names[signal]) == 0;
}

void sending_where(const struct config *c, char *out, size_t n)
{
    struct config_otlp_target traces, logs;
    struct oriel_err err;
    out[0] = 0;
    if (config_otlp_target(c, CONFIG_TRACES, &traces, &err) < 0 ||
        config_otlp_target(c, CONFIG_LOGS, &logs, &err) < 0)
        return;
    if (same_receiver(&traces, &logs))
        snprintf(out, n, "%.*s", (int)authority(traces.url), traces.url);
    else
        snprintf(out, n, "%.*s, %.*s", (int)strcspn(traces.url, "?#"), traces.url,
                 (int)strcspn(logs.url, "?#"), logs.url);
}
