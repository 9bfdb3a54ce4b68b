/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Everything that can be wrong with a destination is found here, before anybody is
 * called: endpoints, certificates, headers that cannot be sent or would be sent where
 * others can read them. No line repeats a secret. The opening thread only.
 */
#include "deliver/prepare.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/os.h"

enum { HEADERS_MOST = TRANSPORT_HEADERS_MAX - 10 };
#define TIMEOUT_NS UINT64_C(10000000000)
#define PATIENCE_NS UINT64_C(300000000000)
#define QUEUE_BYTES ((size_t)16 << 20)

/* ---- headers ---- */

static char *copy(const char *p, size_t n)
{
    return mem_strndup(p ? p : "", n);
}

static void wipe(char *p, size_t n)
{
    if (p)
        explicit_bzero(p, n);
    mem_free(p);
}

/* Those that say how a message is read are not for others to set. */
static bool is_reserved(const char *name)
{
    static const char *const names[] = {"host",    "content-length",    "content-type",
                                        "te",      "content-encoding",  "connection",
                                        "upgrade", "transfer-encoding", "keep-alive",
                                        "expect",  "proxy-connection",  "proxy-authorization"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, "grpc-", 5) == 0 || name[0] == ':';
}

/* Names whose values let in whoever has them. */
static bool is_secret(const char *name)
{
    static const char *const parts[] = {"auth",   "key",   "token",      "secret",
                                        "cookie", "passw", "credential", "signature"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(name, parts[i]))
            return true;
    return false;
}

static int copy_header(struct deliver *d, const struct http_header *h, struct oriel_err *err)
{
    struct http_header *to = &d->headers[d->header_count];
    int shown = (int)(h->name_n < 60 ? h->name_n : 60);
    if (!http_token_valid(h->name, h->name_n))
        return err_set(err, ORIEL_EINVAL, "a header whose name cannot be sent");
    if (!http_value_valid(h->value, h->value_n))
        return err_set(err, ORIEL_EINVAL,
                       "header \"%.*s\": its value has a character that cannot be sent", shown,
                       h->name);
    char *name = copy(h->name, h->name_n), *value = copy(h->value, h->value_n);
    *to = (struct http_header){name, value, h->name_n, h->value_n};
    d->header_count++;
    if (!name || !value)
        return err_set(err, ORIEL_ENOMEM, "no memory for headers");
    for (char *p = name; *p; p++) /* as HTTP/2 wants them */
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
    if (is_reserved(name))
        return err_set(err, ORIEL_EINVAL, "header \"%.*s\" is set by the protocol: leave it out",
                       shown, name);
    return 0;
}

/* Behind those that there are. */
static int add_headers(struct deliver *d, const struct http_header *headers, size_t count,
                       struct oriel_err *err)
{
    int rc = d->header_count + count <= HEADERS_MOST
                 ? 0
                 : err_set(err, ORIEL_EINVAL, "more than %d headers", HEADERS_MOST);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = copy_header(d, &headers[i], err);
    return rc;
}

static int copy_headers(struct deliver *d, const struct deliver_options *o, struct oriel_err *err)
{
    d->headers = mem_calloc(HEADERS_MOST, sizeof *d->headers);
    d->user_agent = mem_strdup(o->user_agent ? o->user_agent : "oriel/" ORIEL_VERSION_TEXT);
    if (!d->headers || !d->user_agent)
        return err_set(err, ORIEL_ENOMEM, "no memory for headers");
    int rc = http_value_valid(d->user_agent, strlen(d->user_agent))
                 ? 0
                 : err_set(err, ORIEL_EINVAL, "a user agent that cannot be sent");
    return rc == 0 ? add_headers(d, o->headers, o->header_count, err) : rc;
}

static bool has_header(const struct deliver *d, const char *name)
{
    for (size_t i = 0; i < d->header_count; i++)
        if (strcmp(d->headers[i].name, name) == 0)
            return true;
    return false;
}

/* What every request of a signal has, put together once. */
static int list_headers(const struct deliver *d, struct route *r, struct oriel_err *err)
{
    mem_free(r->headers);
    r->headers = mem_calloc(d->header_count + 2, sizeof *r->headers);
    if (!r->headers)
        return err_set(err, ORIEL_ENOMEM, "no memory for headers");
    memcpy(r->headers, d->headers, d->header_count * sizeof *r->headers);
    r->header_count = d->header_count;
    if (!has_header(d, "user-agent"))
        r->headers[r->header_count++] = transport_header("user-agent", d->user_agent);
    if (r->authorization && !has_header(d, "authorization"))
        r->headers[r->header_count++] = transport_header("authorization", r->authorization);
    return 0;
}

/* ---- where to ---- */

/* A secret in the open is no better than none, unless nobody can listen, or the user
 * takes anything. */
static int check_open(const struct deliver *d, const struct endpoint *e, bool authorized,
                      struct oriel_err *err)
{
    if (e->url.scheme == HTTP_TLS || endpoint_is_here(e) || d->unverified)
        return 0;
    if (authorized)
        return err_set(err, ORIEL_EINVAL,
                       "%s: user and password would go out unencrypted: use https://", e->shown);
    for (size_t i = 0; i < d->header_count; i++)
        if (is_secret(d->headers[i].name))
            return err_set(err, ORIEL_EINVAL,
                           "%s: header \"%.60s\" would go out unencrypted: use https://", e->shown,
                           d->headers[i].name);
    return 0;
}

static int use_tls(struct deliver *d, struct lane *l, const struct deliver_options *o,
                   struct oriel_err *err)
{
    const struct tls_options t = {.size = sizeof t,
                                  .ca_file = o->tls.ca,
                                  .cert_file = o->tls.certificate,
                                  .key_file = o->tls.key,
                                  .ca_said = o->tls.ca_said,
                                  .cert_said = o->tls.certificate_said,
                                  .key_said = o->tls.key_said,
                                  .insecure = o->tls.unverified,
                                  .alpn = d->grpc ? "h2" : "http/1.1"};
    return tls_context_new(&l->tls, &t, err);
}

static int open_lane(struct deliver *d, struct lane *l, const struct deliver_options *o,
                     struct oriel_err *err)
{
    const struct http_url *u = &l->endpoint.url;
    uint64_t seed = 0;
    int rc = u->scheme == HTTP_TLS ? use_tls(d, l, o, err) : 0;
    if (rc != 0)
        return rc;
    l->stream = (struct stream_options){.size = sizeof l->stream, .tls = l->tls};
    if (u->scheme == HTTP_UNIX) {
        l->stream.unix_path = u->path;
    } else {
        l->stream.host = u->host;
        l->stream.port = u->port;
    }
    if (d->proxy_host && u->scheme != HTTP_UNIX &&
        !net_proxy_skips(o->no_proxy ? o->no_proxy : "", u->host, u->port)) {
        l->stream.proxy_host = d->proxy_host;
        l->stream.proxy_port = d->proxy_port;
        l->stream.proxy_plain = !d->grpc && u->scheme == HTTP_PLAIN;
        l->stream.proxy_authorization = d->proxy_authorization;
    }
    (void)os_random(&seed, sizeof seed);
    retry_init(&l->retry, o->first_ns, o->most_ns, seed);
    if (o->attended)
        l->retry.open_after = 1;
    return 0;
}

/* The lane of a host; its endpoint is taken, or let go when there is one already. */
static int find_lane(struct deliver *d, struct endpoint *e, const struct deliver_options *o,
                     unsigned *out, struct oriel_err *err)
{
    for (unsigned k = 0; k < d->lane_count; k++)
        if (endpoint_same_host(&d->lanes[k].endpoint, e)) {
            *out = k;
            return 0;
        }
    assert(d->lane_count < LANES_MAX);
    struct lane *l = &d->lanes[d->lane_count];
    l->endpoint = *e;
    l->endpoint.authorization = NULL;
    *out = d->lane_count++;
    return open_lane(d, l, o, err);
}

static int make_route(struct deliver *d, enum out_signal s, const struct deliver_options *o,
                      struct oriel_err *err)
{
    struct route *r = &d->routes[s];
    struct endpoint e;
    bool own = o->endpoints[s] != NULL;
    if (!d->dialect->paths[s])
        return 0; /* nothing of it can come */
    int rc = endpoint_read(&e, own ? o->endpoints[s] : o->endpoint, err);
    if (rc != 0)
        return rc;
    r->authorization = e.authorization;
    rc = endpoint_target(&e, own ? NULL : d->dialect->paths[s], r->path, err);
    if (rc == 0)
        rc = check_open(d, &e, e.authorization != NULL, err);
    if (rc == 0)
        rc = find_lane(d, &e, o, &r->lane, err);
    if (rc == 0)
        rc = list_headers(d, r, err);
    return rc;
}

static int read_proxy(struct deliver *d, const char *text, struct oriel_err *err)
{
    struct endpoint e;
    struct oriel_err why = {0};
    int rc = endpoint_read(&e, text, &why);
    if (rc != 0)
        return err_set(err, rc, "proxy: %s", why.text);
    if (e.url.scheme != HTTP_PLAIN)
        rc = err_set(err, ORIEL_EINVAL, "proxy: %s: a proxy is spoken to as http://", e.shown);
    d->proxy_authorization = e.authorization;
    d->proxy_host = mem_strdup(e.url.host);
    d->proxy_port = e.url.port;
    if (rc == 0 && !d->proxy_host)
        rc = err_set(err, ORIEL_ENOMEM, "no memory for a destination");
    return rc;
}

static void copy_numbers(struct deliver *d, const struct deliver_options *o)
{
    snprintf(d->name, sizeof d->name, "%s", o->name ? o->name : o->dialect->name);
    d->dialect = o->dialect;
    d->grpc = o->grpc;
    d->unverified = o->tls.unverified;
    atomic_init(&d->gate, o->held ? GATE_HELD : GATE_OPEN);
    d->compression = o->compression;
    d->timeout_ns = o->timeout_ns ? o->timeout_ns : TIMEOUT_NS;
    d->patience_ns = o->patience_ns ? o->patience_ns : PATIENCE_NS;
    d->room_wait_ns = o->room_wait_ns;
    d->attended = o->attended;
    d->books = o->books;
    d->queue_items = o->queue_items;
    d->queue_bytes = o->queue_bytes ? o->queue_bytes : QUEUE_BYTES;
    d->say = o->say;
    d->user = o->user;
    d->now = o->now;
    d->make_transport = o->grpc ? transport_grpc_new : transport_http_new;
}

int prepare(struct deliver *d, const struct deliver_options *o, struct oriel_err *err)
{
    copy_numbers(d, o);
    if (d->grpc && !d->dialect->methods)
        return err_set(err, ORIEL_EINVAL, "%s does not go over gRPC", d->dialect->name);
    int rc = copy_headers(d, o, err);
    if (rc == 0 && o->proxy)
        rc = read_proxy(d, o->proxy, err);
    for (unsigned s = 0; s < OUT_SIGNALS && rc == 0; s++)
        rc = make_route(d, (enum out_signal)s, o, err);
    if (rc == 0)
        snprintf(d->base.path, sizeof d->base.path, "%s", d->lanes[0].endpoint.shown);
    return rc;
}

/* Nobody else looks at headers of one that is held. */
int prepare_headers(struct deliver *d, const struct http_header *headers, size_t count,
                    struct oriel_err *err)
{
    int rc = add_headers(d, headers, count, err);
    for (unsigned s = 0; s < OUT_SIGNALS && rc == 0; s++) {
        struct route *r = &d->routes[s];
        if (!d->dialect->paths[s])
            continue;
        rc = check_open(d, &d->lanes[r->lane].endpoint, r->authorization != NULL, err);
        if (rc == 0)
            rc = list_headers(d, r, err);
    }
    return rc;
}

void prepare_undo(struct deliver *d, bool tls_too)
{
    for (unsigned s = 0; s < OUT_SIGNALS; s++) {
        struct route *r = &d->routes[s];
        mem_free(r->headers);
        wipe(r->authorization, r->authorization ? strlen(r->authorization) : 0);
        r->headers = NULL;
        r->authorization = NULL;
    }
    for (size_t i = 0; i < d->header_count; i++) {
        mem_free((char *)(uintptr_t)d->headers[i].name);
        wipe((char *)(uintptr_t)d->headers[i].value, d->headers[i].value_n);
    }
    mem_free(d->headers);
    mem_free(d->user_agent);
    mem_free(d->proxy_host);
    wipe(d->proxy_authorization, d->proxy_authorization ? strlen(d->proxy_authorization) : 0);
    for (unsigned k = 0; k < d->lane_count && tls_too; k++)
        tls_context_free(d->lanes[k].tls);
}
