/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a request asks for, and its answer, as the OTLP specification has them for
 * gRPC and HTTP: who may ask (host, origin, token), path, method, encoding; then the
 * request itself. The answer speaks the encoding of the question. One thread.
 */
#include "source/otlp/server.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "util/json.h"

enum { RETRY_AFTER_S = 5, BYTES_PER_FIELD = 4 };

static const struct {
    const char *path, *method, *rejected;
} signals[OTLP_SIGNALS] = {
    {"/v1/traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export", "rejectedSpans"},
    {"/v1/logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export", "rejectedLogRecords"},
    {"/v1/metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
     "rejectedDataPoints"},
};

/* ---- what was asked ---- */

struct asked {
    const struct otlp_request *r;
    struct model_str method, path, type, encoding, host, origin, authorization;
    bool two_hosts;
    const void *body;
    size_t n;
    enum otlp_way way;
    enum otlp_signal signal;
};

static struct model_str header_of(const struct otlp_request *r, const char *name)
{
    if (r->http) {
        const struct http_header *h = http_find(r->http->head, name);
        return h ? (struct model_str){h->value, (uint32_t)h->value_n} : MODEL_STR("");
    }
    const char *text = h2_header(r->exchange, name);
    return text ? (struct model_str){text, (uint32_t)strlen(text)} : MODEL_STR("");
}

static void read_request(const struct otlp_request *r, struct asked *a)
{
    *a = (struct asked){.r = r};
    if (r->http) {
        const struct http_head *h = r->http->head;
        a->method = (struct model_str){h->method, (uint32_t)h->method_n};
        a->path = (struct model_str){h->target, (uint32_t)h->target_n};
        a->host = header_of(r, "host");
        a->body = r->http->body;
        a->n = r->http->body_n;
    } else {
        a->method = header_of(r, ":method");
        a->path = header_of(r, ":path");
        const struct model_str host = header_of(r, "host");
        a->host = header_of(r, ":authority");
        if (!a->host.n)
            a->host = host;
        a->two_hosts = host.n && !model_str_equal(a->host, host);
        a->body = h2_body(r->exchange, &a->n);
    }
    a->type = header_of(r, "content-type");
    a->origin = header_of(r, "origin");
    a->authorization = header_of(r, "authorization");
    const char *query = a->path.n ? memchr(a->path.p, '?', a->path.n) : NULL;
    a->path.n = query ? (uint32_t)(query - a->path.p) : a->path.n;
}

static bool is(struct model_str s, const char *text)
{
    return s.n == strlen(text) && strncasecmp(s.p, text, s.n) == 0;
}

/* A media type without its parameters. */
static bool is_type(struct model_str s, const char *type)
{
    size_t n = strlen(type);
    return s.n >= n && strncasecmp(s.p, type, n) == 0 &&
           (s.n == n || s.p[n] == ';' || s.p[n] == ' ' || s.p[n] == '+');
}

/* ---- who may ask ---- */

/* Without port and brackets. */
static struct model_str host_alone(struct model_str host)
{
    if (host.n && host.p[0] == '[') {
        const char *end = memchr(host.p, ']', host.n);
        return end ? (struct model_str){host.p + 1, (uint32_t)(end - host.p - 1)} : MODEL_STR("");
    }
    const char *colon = host.n ? memchr(host.p, ':', host.n) : NULL;
    return colon ? (struct model_str){host.p, (uint32_t)(colon - host.p)} : host;
}

static bool is_listed(const char *list, struct model_str host)
{
    while (list && *list) {
        size_t n = strcspn(list, ",");
        if (n == host.n && strncasecmp(list, host.p, n) == 0)
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}

/* A page in a browser may have any name point to us (DNS rebinding): only names that are
 * ours are answered. */
static bool is_ours(const struct collect *c, struct model_str authority)
{
    struct model_str host = host_alone(authority);
    char text[64];
    struct net_addr a;
    if (is(host, "localhost") || is_listed(c->hosts, host))
        return true;
    if (host.n == 0 || host.n >= sizeof text)
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    if (net_addr_parse(text, 0, &a) != 0)
        return false;
    /* Beyond loopback by its address: the token decides. */
    return net_addr_is_loopback(&a) || c->options.beyond_loopback;
}

static bool origin_is_ours(const struct collect *c, struct model_str origin)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (unsigned i = 0; i < 2; i++) {
        uint32_t n = (uint32_t)strlen(schemes[i]);
        if (origin.n > n && strncasecmp(origin.p, schemes[i], n) == 0)
            return is_ours(c, (struct model_str){origin.p + n, origin.n - n});
    }
    return false;
}

static bool has_token(const struct collect *c, struct model_str authorization)
{
    static const char bearer[] = "Bearer ";
    const size_t skip = sizeof bearer - 1, n = strlen(c->token);
    unsigned differs = authorization.n != skip + n;
    if (authorization.n < skip || strncasecmp(authorization.p, bearer, skip) != 0)
        return false;
    /* As long for every wrong one of that length. */
    for (size_t i = 0; i < n && skip + i < authorization.n; i++)
        differs |= (unsigned)(authorization.p[skip + i] ^ c->token[i]);
    return differs == 0;
}

/* ---- answers ---- */

struct answer {
    int status; /* of HTTP */
    int grpc;   /* enum grpc_status */
    const char *allow;
    bool retry, close;
    char text[512];
};

static struct http_header header(const char *name, const char *value)
{
    return (struct http_header){name, value, strlen(name), strlen(value)};
}

/* google.rpc.Status with a RetryInfo, for grpc-status-details-bin. */
static void put_details(struct buf *out, const struct answer *w)
{
    struct buf info, any;
    buf_init(&info);
    buf_init(&any);
    struct pb_mark delay = pb_open(&info, 1, 1); /* RetryInfo.retry_delay */
    pb_uint(&info, 1, RETRY_AFTER_S);
    pb_close(&info, delay);
    pb_text(&any, 1, "type.googleapis.com/google.rpc.RetryInfo");
    pb_bytes(&any, 2, info.data, info.size);
    pb_uint(out, 1, (uint64_t)w->grpc);
    pb_text(out, 2, w->text);
    pb_bytes(out, 3, any.data, any.size);
    out->failed |= info.failed || any.failed;
    buf_done(&info);
    buf_done(&any);
}

static void grpc_refuse(struct h2_exchange *x, const struct answer *w)
{
    char number[16];
    struct buf text, status, details;
    buf_init(&text);
    buf_init(&status);
    buf_init(&details);
    snprintf(number, sizeof number, "%d", w->grpc);
    grpc_text_encode(w->text, &text);
    struct http_header headers[4] = {header("content-type", "application/grpc"),
                                     header("grpc-status", number),
                                     header("grpc-message", buf_cstr(&text))};
    size_t n = 3;
    if (w->retry) {
        put_details(&status, w);
        json_put_base64(&details, status.data, status.size);
        if (!details.failed && details.size > 2) { /* without its quotes */
            details.data[details.size - 1] = 0;
            headers[n++] = header("grpc-status-details-bin", details.data + 1);
        }
    }
    const struct h2_response r = {
        .size = sizeof r, .status = 200, .headers = headers, .header_count = n};
    if (text.failed || h2_respond_take(x, &r, NULL) != 0)
        h2_exchange_free(x);
    buf_done(&text);
    buf_done(&status);
    buf_done(&details);
}

static void grpc_accept(struct h2_exchange *x, const struct buf *message)
{
    struct buf body;
    uint8_t prefix[GRPC_PREFIX];
    buf_init(&body);
    grpc_prefix(prefix, message->size, false);
    buf_put(&body, prefix, sizeof prefix);
    buf_put(&body, message->data, message->size);
    const struct http_header headers[] = {header("content-type", "application/grpc")};
    const struct http_header trailers[] = {header("grpc-status", "0")};
    const struct h2_response r = {.size = sizeof r,
                                  .status = 200,
                                  .headers = headers,
                                  .header_count = 1,
                                  .trailers = trailers,
                                  .trailer_count = 1,
                                  .body = body.data,
                                  .body_n = body.size};
    if (body.failed || h2_respond_take(x, &r, NULL) != 0)
        h2_exchange_free(x);
    buf_done(&body);
}

/* Over HTTP of either version; `x` NULL: HTTP/1.1 of the connection. */
static void http_respond(struct otlp_conn *conn, struct h2_exchange *x, const struct answer *w,
                         const char *type, const struct buf *body, uint64_t now_ns)
{
    struct http_header headers[4] = {header("content-type", type)};
    size_t n = 1;
    char seconds[16];
    snprintf(seconds, sizeof seconds, "%d", RETRY_AFTER_S);
    if (w->allow)
        headers[n++] = header("allow", w->allow);
    if (w->retry)
        headers[n++] = header("retry-after", seconds);
    if (w->status == 401)
        headers[n++] = header("www-authenticate", "Bearer");
    assert(n <= sizeof headers / sizeof *headers && (x || conn->http));
    if (!x) {
        if (http_server_answer(conn->http, w->status, headers, n, body->data, body->size, w->close,
                               now_ns, NULL) != 0)
            conn->broken = true;
        return;
    }
    const struct h2_response r = {.size = sizeof r,
                                  .status = w->status,
                                  .headers = headers,
                                  .header_count = n,
                                  .body = body->data,
                                  .body_n = body->size};
    if (body->failed || h2_respond_take(x, &r, NULL) != 0)
        h2_exchange_free(x);
}

/* A Status message says why (OTLP/HTTP, "Failures"). */
static void refuse(struct otlp_conn *conn, struct h2_exchange *x, enum otlp_way way,
                   const struct answer *w, uint64_t now_ns)
{
    struct buf body;
    assert(w->status >= 400 && (way != OTLP_GRPC || x));
    if (way == OTLP_GRPC) {
        grpc_refuse(x, w);
        return;
    }
    buf_init(&body);
    if (way == OTLP_HTTP_JSON) {
        JSON_PUT(&body, "{\"message\":");
        json_put_string(&body, w->text, strlen(w->text));
        buf_putc(&body, '}');
    } else {
        pb_text(&body, 2, w->text);
    }
    http_respond(conn, x, w, way == OTLP_HTTP_JSON ? "application/json" : "application/x-protobuf",
                 &body, now_ns);
    buf_done(&body);
}

/* ---- what was understood ---- */

static bool find_signal(const struct asked *a, enum otlp_signal *out)
{
    for (unsigned i = 0; i < OTLP_SIGNALS; i++) {
        const char *path = a->way == OTLP_GRPC ? signals[i].method : signals[i].path;
        if (a->path.n == strlen(path) && memcmp(a->path.p, path, a->path.n) == 0) {
            *out = (enum otlp_signal)i;
            return true;
        }
    }
    return false;
}

#define REFUSE(w, status_, grpc_, ...)                                                             \
    ((w)->status = (status_), (w)->grpc = (grpc_),                                                 \
     snprintf((w)->text, sizeof(w)->text, __VA_ARGS__), false)

/* May it ask, and for what? False: the answer says why not. */
static bool admit(struct collect *c, struct asked *a, struct answer *w)
{
    const bool local = a->r->conn->local;
    uint64_t *count = &c->counts.not_allowed;
    bool ok = true;
    if (a->two_hosts) {
        c->counts.malformed++;
        return REFUSE(w, 400, GRPC_INVALID_ARGUMENT, "two hosts that differ");
    }
    if (!local && !is_ours(c, a->host))
        ok = REFUSE(w, 403, GRPC_PERMISSION_DENIED, "this host name is not one of ours");
    else if (a->origin.n && !origin_is_ours(c, a->origin))
        ok = REFUSE(w, 403, GRPC_PERMISSION_DENIED, "pages of other origins may not send here");
    else if (c->token && !has_token(c, a->authorization))
        ok = REFUSE(w, 401, GRPC_UNAUTHENTICATED, "a token is wanted: Authorization: Bearer ...");
    if (!ok) {
        ++*count;
        return false;
    }
    count = &c->counts.unsupported;
    if (!find_signal(a, &a->signal))
        ok = REFUSE(w, 404, GRPC_UNIMPLEMENTED,
                    "nothing is received here: POST /v1/traces, /v1/logs, or gRPC");
    else if (!is(a->method, "POST"))
        ok = REFUSE(w, 405, GRPC_UNIMPLEMENTED, "requests are sent by POST");
    else if (a->way == OTLP_HTTP_PROTOBUF && !is_type(a->type, "application/x-protobuf") &&
             !is_type(a->type, "application/protobuf"))
        ok = REFUSE(w, 415, GRPC_UNIMPLEMENTED,
                    "the content type is application/x-protobuf or application/json");
    w->allow = w->status == 405 ? "POST" : NULL;
    *count += !ok;
    return ok;
}

/* The message, unpacked: in the body where it lies, or in job->body. */
static int unpack(struct collect *c, struct asked *a, struct otlp_job *job, struct oriel_err *err)
{
    struct model_str encoding;
    bool packed;
    if (a->way == OTLP_GRPC) {
        const uint8_t *message;
        size_t n;
        int rc = grpc_unframe(a->body, a->n, &message, &n, &packed, err);
        if (rc < 0)
            return rc;
        a->body = message;
        a->n = n;
        encoding = header_of(a->r, "grpc-encoding");
        if (packed && (!encoding.n || is(encoding, "identity")))
            return err_set(err, ORIEL_EFORMAT, "a compressed message without grpc-encoding");
    } else {
        encoding = header_of(a->r, "content-encoding");
        packed = encoding.n && !is(encoding, "identity");
    }
    if (!packed)
        return 0;
    int rc =
        otlp_unpack(encoding.p, encoding.n, a->body, a->n, c->options.unpacked_max, &job->body);
    if (rc == ORIEL_ELIMIT)
        return err_set(err, rc, "the request is larger than %llu bytes when unpacked",
                       (unsigned long long)c->options.unpacked_max);
    if (rc == ORIEL_EUNSUPPORTED)
        return err_set(err, rc, "requests may be compressed by gzip or zstd, and by nothing else");
    if (rc < 0)
        return err_set(err, rc, "the compressed request is damaged");
    a->body = job->body.data;
    a->n = job->body.size;
    return 0;
}

/* Checking and telling take time by the field, and a field may be two bytes: a request of
 * nothing but those would keep all others waiting. A short attribute ("http.method": "GET")
 * has five or six for each of its four. */
static uint64_t fields_max(const struct collect *c)
{
    return c->options.unpacked_max / BYTES_PER_FIELD;
}

static int understand(struct collect *c, struct asked *a, struct otlp_job *job,
                      struct oriel_err *err)
{
    int rc = unpack(c, a, job, err);
    if (rc == 0 && a->way == OTLP_HTTP_JSON) {
        struct buf request;
        buf_init(&request);
        rc = otlp_from_json(a->signal, a->body, a->n, &request, err);
        buf_done(&job->body);
        job->body = request;
        a->body = request.data;
        a->n = request.size;
    }
    if (rc == 0)
        rc = otlp_check(a->signal, a->body, a->n, fields_max(c), err);
    job->bytes = a->body;
    job->n = a->n;
    return rc;
}

static void refuse_for(struct collect *c, int rc, const struct oriel_err *err, struct answer *w)
{
    const char *why = err->text[0] ? err->text : err_text(rc);
    switch (rc) {
    case ORIEL_ELIMIT:
        c->counts.too_large++;
        (void)REFUSE(w, 413, GRPC_RESOURCE_EXHAUSTED, "%s", why);
        break;
    case ORIEL_EUNSUPPORTED:
        c->counts.unsupported++;
        (void)REFUSE(w, 415, GRPC_UNIMPLEMENTED, "%s", why);
        break;
    case ORIEL_ENOMEM:
        c->counts.not_stored++;
        w->retry = true;
        (void)REFUSE(w, 503, GRPC_UNAVAILABLE, "%s", why);
        break;
    default:
        c->counts.malformed++;
        (void)REFUSE(w, 400, GRPC_INVALID_ARGUMENT, "%s", why);
    }
}

static enum otlp_way way_of(const struct asked *a)
{
    if (a->r->exchange && is_type(a->type, "application/grpc"))
        return OTLP_GRPC;
    return is_type(a->type, "application/json") ? OTLP_HTTP_JSON : OTLP_HTTP_PROTOBUF;
}

static void enqueue(struct collect *c, struct otlp_job *job)
{
    assert(job->conn && !job->next && *c->waiting.end == NULL);
    *c->waiting.end = job;
    c->waiting.end = &job->next;
    c->waiting.count++;
    c->waiting_bytes += job->n;
    job->conn->jobs++;
}

void route_job_free(struct otlp_job *job)
{
    buf_done(&job->body);
    h2_exchange_free(job->exchange);
    mem_free(job);
}

void route_request(struct collect *c, const struct otlp_request *r, uint64_t now_ns)
{
    struct asked a;
    struct answer w = {0};
    struct oriel_err err = {0};
    read_request(r, &a);
    a.way = way_of(&a);
    c->counts.requests++;
    struct otlp_job *job = NULL;
    bool ok = admit(c, &a, &w);
    if (ok && c->stopping) {
        c->counts.not_stored++;
        w.retry = true;
        ok = REFUSE(&w, 503, GRPC_UNAVAILABLE, "this receiver is about to end");
    }
    if (ok) {
        job = mem_calloc(1, sizeof *job);
        int rc = job ? understand(c, &a, job, &err) : ORIEL_ENOMEM;
        if (rc < 0)
            refuse_for(c, rc, &err, &w);
        ok = rc == 0;
    }
    if (!ok) {
        if (job)
            route_job_free(job);
        refuse(r->conn, r->exchange, a.way, &w, now_ns);
        return;
    }
    job->conn = r->conn;
    job->exchange = r->exchange;
    job->way = a.way;
    job->signal = a.signal;
    enqueue(c, job);
}

/* ---- what was told ---- */

static const char *why_rejected(const struct otlp_job *job)
{
    return job->signal == OTLP_METRICS
               ? "oriel collect does not keep metrics yet"
               : "no valid trace and span id, one resource too many, or no memory";
}

static void put_success(struct buf *out, const struct otlp_job *job)
{
    const char *why = why_rejected(job);
    if (job->way != OTLP_HTTP_JSON) {
        if (!job->rejected)
            return;
        struct pb_mark partial = pb_open(out, 1, 1);
        pb_uint(out, 1, job->rejected);
        pb_text(out, 2, why);
        pb_close(out, partial);
        return;
    }
    if (!job->rejected) {
        JSON_PUT(out, "{}");
        return;
    }
    buf_printf(out, "{\"partialSuccess\":{\"%s\":\"%llu\",\"errorMessage\":\"%s\"}}",
               signals[job->signal].rejected, (unsigned long long)job->rejected, why);
}

void route_answer(struct collect *c, struct otlp_job *job, bool stored, uint64_t now_ns)
{
    struct answer w = {.status = 200};
    struct otlp_conn *conn = job->conn;
    struct h2_exchange *x = job->exchange;
    job->exchange = NULL;
    c->counts.accepted_requests += stored;
    c->counts.not_stored += !stored;
    if (!conn) {
        h2_exchange_free(x);
        return;
    }
    assert(conn->jobs > 0);
    conn->jobs--;
    conn->last_ns = now_ns;
    if (!stored) {
        w.retry = true;
        (void)REFUSE(&w, 503, GRPC_UNAVAILABLE, "the recording has no room (disk full?)");
        refuse(conn, x, job->way, &w, now_ns);
        return;
    }
    struct buf body;
    buf_init(&body);
    put_success(&body, job);
    if (job->way == OTLP_GRPC)
        grpc_accept(x, &body);
    else
        http_respond(conn, x, &w,
                     job->way == OTLP_HTTP_JSON ? "application/json" : "application/x-protobuf",
                     &body, now_ns);
    buf_done(&body);
}
