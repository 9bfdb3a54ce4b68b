/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * OTLP's own rules about requests and replies (protocol/otlp.md): which path or
 * method, what a reply means, which failures may be tried again. Bytes of a reply
 * are a stranger's. Pure; the thread that sends.
 */
#include <stdio.h>
#include <string.h>

#include "export/otlp/otlp.h"
#include "util/grpc.h"
#include "util/json.h"
#include "util/utf8.h"

enum { PARTIAL_SUCCESS = 1, REJECTED = 1, ERROR_MESSAGE = 2 }; /* Export*ServiceResponse */
enum { STATUS_MESSAGE = 2 };                                   /* google.rpc.Status */
enum { REPLY_VALUES = 1000 };                                  /* of JSON: there are few */

static const char *const paths[OUT_SIGNALS] = {
    [OUT_TRACES] = "v1/traces", [OUT_LOGS] = "v1/logs", [OUT_METRICS] = "v1/metrics"};
static const char *const methods[OUT_SIGNALS] = {
    [OUT_TRACES] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    [OUT_LOGS] = "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    [OUT_METRICS] = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"};

/* What the receiver said, fit for one line. */
static void keep_text(struct deliver_verdict *v, const char *p, size_t n)
{
    struct buf b;
    buf_init(&b);
    utf8_printable(&b, p, n < sizeof v->text ? n : sizeof v->text);
    size_t size = b.size < sizeof v->text - 1 ? b.size : sizeof v->text - 1;
    if (!b.failed && size)
        memcpy(v->text, b.data, size);
    v->text[b.failed ? 0 : size] = 0;
    buf_done(&b);
}

/* ---- what was taken of a request ---- */

static void partial_protobuf(const struct deliver_reply *r, struct deliver_verdict *v)
{
    struct pb_field f, part;
    if (!pb_find(pb_read(r->body, r->body_n), PARTIAL_SUCCESS, &f))
        return;
    if (pb_find(pb_read_nested(&f), REJECTED, &part) && part.wire == PB_VARINT &&
        (int64_t)part.value > 0)
        v->rejected = part.value;
    if (pb_find(pb_read_nested(&f), ERROR_MESSAGE, &part) && part.wire == PB_BYTES)
        keep_text(v, (const char *)part.bytes, part.size);
}

/* 64-bit integers are text in OTLP's JSON; numbers are read too, as it demands. */
static uint64_t json_count(const struct json_value *v)
{
    uint64_t n = 0;
    if (v && v->type == JSON_NUMBER && v->is_integer && !v->is_negative)
        return v->integer;
    if (!v || v->type != JSON_STRING || v->text_n == 0 || v->text_n > 18)
        return 0;
    for (size_t i = 0; i < v->text_n; i++) {
        if (v->text[i] < '0' || v->text[i] > '9')
            return 0;
        n = n * 10 + (uint64_t)(v->text[i] - '0');
    }
    return n;
}

static void partial_json(enum out_signal signal, const struct deliver_reply *r,
                         struct deliver_verdict *v)
{
    static const char *const rejected[OUT_SIGNALS] = {[OUT_TRACES] = "rejectedSpans",
                                                      [OUT_LOGS] = "rejectedLogRecords",
                                                      [OUT_METRICS] = "rejectedDataPoints",
                                                      [OUT_PROFILES] = "rejectedProfiles"};
    const struct json_read_options how = {.size = sizeof how, .max_values = REPLY_VALUES};
    struct arena arena;
    struct json_value *root;
    arena_init(&arena);
    if (r->body_n && json_read(&arena, r->body, r->body_n, &how, &root, NULL) == 0) {
        const struct json_value *part = json_get(root, "partialSuccess");
        const char *text = json_get_string(part, "errorMessage", "");
        v->rejected = json_count(json_get(part, rejected[signal]));
        keep_text(v, text, strlen(text));
    }
    arena_done(&arena);
}

/* ---- what went wrong ---- */

/* gRPC: otlp.md, "Failures". RESOURCE_EXHAUSTED may be tried again only where the
 * receiver says when. */
static enum deliver_fate grpc_fate(const struct deliver_reply *r)
{
    switch (r->status) {
    case GRPC_CANCELLED:
    case GRPC_DEADLINE_EXCEEDED:
    case GRPC_ABORTED:
    case GRPC_OUT_OF_RANGE:
    case GRPC_UNAVAILABLE:
    case GRPC_DATA_LOSS:
        return DELIVER_AGAIN;
    case GRPC_RESOURCE_EXHAUSTED:
        return r->has_delay ? DELIVER_AGAIN : DELIVER_REFUSED;
    default:
        return DELIVER_REFUSED;
    }
}

static enum deliver_fate http_fate(int status)
{
    switch (status) {
    case 429:
    case 502:
    case 503:
    case 504:
        return DELIVER_AGAIN;
    case 413:
        return DELIVER_TOO_LARGE;
    default:
        return DELIVER_REFUSED;
    }
}

/* A Status message, in the encoding of the request, says why; else the reason phrase. */
static void http_text(bool json, const struct deliver_reply *r, struct deliver_verdict *v)
{
    char text[160];
    struct pb_field f;
    struct arena arena;
    struct json_value *root;
    const struct json_read_options how = {.size = sizeof how, .max_values = REPLY_VALUES};
    arena_init(&arena);
    if (!json && pb_find(pb_read(r->body, r->body_n), STATUS_MESSAGE, &f) && f.wire == PB_BYTES)
        keep_text(v, (const char *)f.bytes, f.size);
    if (json && r->body_n && json_read(&arena, r->body, r->body_n, &how, &root, NULL) == 0)
        keep_text(v, json_get_string(root, "message", ""),
                  strlen(json_get_string(root, "message", "")));
    arena_done(&arena);
    if (v->text[0])
        return;
    int n = snprintf(text, sizeof text, "HTTP %d%s%.100s", r->status,
                     r->text && r->text[0] ? " " : "", r->text ? r->text : "");
    keep_text(v, text, n > 0 ? strlen(text) : 0);
}

static void judge(bool json, enum out_signal signal, const struct deliver_reply *r,
                  struct deliver_verdict *v)
{
    *v = (struct deliver_verdict){.fate = DELIVER_TAKEN};
    if (r->grpc ? r->status == GRPC_OK : r->status >= 200 && r->status < 300) {
        /* A reply that is cut cannot be read, and the request was taken all the same. */
        if (!r->cut && json)
            partial_json(signal, r, v);
        else if (!r->cut)
            partial_protobuf(r, v);
        return;
    }
    v->fate = r->grpc ? grpc_fate(r) : http_fate(r->status);
    if (!r->grpc) {
        http_text(json, r, v);
        return;
    }
    char text[GRPC_TEXT + 32];
    snprintf(text, sizeof text, "%s%s%s", grpc_status_name(r->status),
             r->text && r->text[0] ? ": " : "", r->text ? r->text : "");
    keep_text(v, text, strlen(text));
}

static void judge_protobuf(enum out_signal signal, const struct deliver_reply *r,
                           struct deliver_verdict *out)
{
    judge(false, signal, r, out);
}

static void judge_json(enum out_signal signal, const struct deliver_reply *r,
                       struct deliver_verdict *out)
{
    judge(true, signal, r, out);
}

static const struct deliver_dialect protobuf = {.name = "otlp",
                                                .content_type = "application/x-protobuf",
                                                .paths = paths,
                                                .methods = methods,
                                                .judge = judge_protobuf};
static const struct deliver_dialect json = {
    .name = "otlp", .content_type = "application/json", .paths = paths, .judge = judge_json};

static const char *or_null(const char *text)
{
    return text && text[0] ? text : NULL;
}

void otlp_destination(const void *options, struct export_destination *out)
{
    const struct otlp_options *o = options;
    const uint64_t ms = o->timeout_ms > 0 ? (uint64_t)o->timeout_ms : 3600000;
    *out = (struct export_destination){
        .deliver = {.size = sizeof out->deliver,
                    .dialect = o->protocol == OTLP_HTTP_JSON ? &json : &protobuf,
                    .grpc = o->protocol == OTLP_GRPC || o->protocol == OTLP_AUTO,
                    .endpoint = or_null(o->endpoint),
                    .tls = {.ca = or_null(o->certificate),
                            .certificate = or_null(o->client_certificate),
                            .key = or_null(o->client_key)},
                    .proxy = or_null(o->proxy),
                    .no_proxy = or_null(o->no_proxy),
                    .compression = (enum deliver_compression)o->compression,
                    .timeout_ns = ms * 1000000u,
                    .queue_items = (size_t)o->queue_items,
                    .queue_bytes = (size_t)o->queue_bytes,
                    .first_ns = o->retry_first,
                    .most_ns = o->retry_most,
                    .patience_ns = o->retry_for},
        .headers = o->headers ? o->headers : "",
        .also = o->also ? o->also : "",
        .spool_dir = o->spool_dir ? o->spool_dir : "",
        .spool_bytes = o->spool_bytes};
}
