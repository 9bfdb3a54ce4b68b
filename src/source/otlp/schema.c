/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The messages of traces and logs as tables, and the check of a request against
 * them: every length, every wire type, how deep it goes. Metrics are only walked
 * as far as it takes to count them. Pure.
 */
#include "source/otlp/otlp.h"

#define F(number_, type_, json_)                                                                   \
    {                                                                                              \
        .number = (number_), .type = (type_), .json = (json_)                                      \
    }
#define R(number_, type_, json_)                                                                   \
    {                                                                                              \
        .number = (number_), .type = (type_), .json = (json_), .repeated = true                    \
    }
#define M(number_, json_, message_)                                                                \
    {                                                                                              \
        .number = (number_), .type = OTLP_MESSAGE, .json = (json_), .message = &(message_)         \
    }
#define L(number_, json_, message_)                                                                \
    {                                                                                              \
        .number = (number_), .type = OTLP_MESSAGE, .json = (json_), .message = &(message_),        \
        .repeated = true                                                                           \
    }
#define MESSAGE(name) static const struct otlp_message name = {name##_fields}

static const struct otlp_message any_value;
static const struct otlp_field key_value_fields[] = {
    F(1, OTLP_TEXT, "key"), M(2, "value", any_value), {0}};
MESSAGE(key_value);
static const struct otlp_field array_value_fields[] = {L(1, "values", any_value), {0}};
MESSAGE(array_value);
static const struct otlp_field kvlist_fields[] = {L(1, "values", key_value), {0}};
MESSAGE(kvlist);
static const struct otlp_field any_value_fields[] = {
    F(1, OTLP_TEXT, "stringValue"),  F(2, OTLP_BOOL, "boolValue"),
    F(3, OTLP_INT64, "intValue"),    F(4, OTLP_DOUBLE, "doubleValue"),
    M(5, "arrayValue", array_value), M(6, "kvlistValue", kvlist),
    F(7, OTLP_BYTES, "bytesValue"),  {0}};
static const struct otlp_message any_value = {any_value_fields};

static const struct otlp_field resource_fields[] = {
    L(1, "attributes", key_value), F(2, OTLP_VARINT, "droppedAttributesCount"), {0}};
MESSAGE(resource);
static const struct otlp_field scope_fields[] = {F(1, OTLP_TEXT, "name"),
                                                 F(2, OTLP_TEXT, "version"),
                                                 L(3, "attributes", key_value),
                                                 F(4, OTLP_VARINT, "droppedAttributesCount"),
                                                 {0}};
MESSAGE(scope);

/* ---- traces ---- */

static const struct otlp_field event_fields[] = {F(1, OTLP_FIXED64, "timeUnixNano"),
                                                 F(2, OTLP_TEXT, "name"),
                                                 L(3, "attributes", key_value),
                                                 F(4, OTLP_VARINT, "droppedAttributesCount"),
                                                 {0}};
MESSAGE(event);
static const struct otlp_field link_fields[] = {F(1, OTLP_ID, "traceId"),
                                                F(2, OTLP_ID, "spanId"),
                                                F(3, OTLP_TEXT, "traceState"),
                                                L(4, "attributes", key_value),
                                                F(5, OTLP_VARINT, "droppedAttributesCount"),
                                                F(6, OTLP_FIXED32, "flags"),
                                                {0}};
MESSAGE(link);
static const struct otlp_field status_fields[] = {
    F(2, OTLP_TEXT, "message"), F(3, OTLP_VARINT, "code"), {0}};
MESSAGE(status);
static const struct otlp_field span_fields[] = {F(1, OTLP_ID, "traceId"),
                                                F(2, OTLP_ID, "spanId"),
                                                F(3, OTLP_TEXT, "traceState"),
                                                F(4, OTLP_ID, "parentSpanId"),
                                                F(5, OTLP_TEXT, "name"),
                                                F(6, OTLP_VARINT, "kind"),
                                                F(7, OTLP_FIXED64, "startTimeUnixNano"),
                                                F(8, OTLP_FIXED64, "endTimeUnixNano"),
                                                L(9, "attributes", key_value),
                                                F(10, OTLP_VARINT, "droppedAttributesCount"),
                                                L(11, "events", event),
                                                F(12, OTLP_VARINT, "droppedEventsCount"),
                                                L(13, "links", link),
                                                F(14, OTLP_VARINT, "droppedLinksCount"),
                                                M(15, "status", status),
                                                F(16, OTLP_FIXED32, "flags"),
                                                {0}};
MESSAGE(span);
static const struct otlp_field scope_spans_fields[] = {
    M(1, "scope", scope), L(2, "spans", span), F(3, OTLP_TEXT, "schemaUrl"), {0}};
MESSAGE(scope_spans);
static const struct otlp_field resource_spans_fields[] = {
    M(1, "resource", resource), L(2, "scopeSpans", scope_spans), F(3, OTLP_TEXT, "schemaUrl"), {0}};
MESSAGE(resource_spans);
static const struct otlp_field traces_fields[] = {L(1, "resourceSpans", resource_spans), {0}};

/* ---- logs ---- */

static const struct otlp_field log_record_fields[] = {F(1, OTLP_FIXED64, "timeUnixNano"),
                                                      F(11, OTLP_FIXED64, "observedTimeUnixNano"),
                                                      F(2, OTLP_VARINT, "severityNumber"),
                                                      F(3, OTLP_TEXT, "severityText"),
                                                      M(5, "body", any_value),
                                                      L(6, "attributes", key_value),
                                                      F(7, OTLP_VARINT, "droppedAttributesCount"),
                                                      F(8, OTLP_FIXED32, "flags"),
                                                      F(9, OTLP_ID, "traceId"),
                                                      F(10, OTLP_ID, "spanId"),
                                                      F(12, OTLP_TEXT, "eventName"),
                                                      {0}};
MESSAGE(log_record);
static const struct otlp_field scope_logs_fields[] = {
    M(1, "scope", scope), L(2, "logRecords", log_record), F(3, OTLP_TEXT, "schemaUrl"), {0}};
MESSAGE(scope_logs);
static const struct otlp_field resource_logs_fields[] = {
    M(1, "resource", resource), L(2, "scopeLogs", scope_logs), F(3, OTLP_TEXT, "schemaUrl"), {0}};
MESSAGE(resource_logs);
static const struct otlp_field logs_fields[] = {L(1, "resourceLogs", resource_logs), {0}};

/* ---- metrics, to be counted ---- */

static const struct otlp_field point_fields[] = {{0}};
MESSAGE(point);
static const struct otlp_field data_fields[] = {L(1, "dataPoints", point), {0}};
MESSAGE(data);
static const struct otlp_field metric_fields[] = {F(1, OTLP_TEXT, "name"),
                                                  M(5, "gauge", data),
                                                  M(7, "sum", data),
                                                  M(9, "histogram", data),
                                                  M(10, "exponentialHistogram", data),
                                                  M(11, "summary", data),
                                                  {0}};
MESSAGE(metric);
static const struct otlp_field scope_metrics_fields[] = {L(2, "metrics", metric), {0}};
MESSAGE(scope_metrics);
static const struct otlp_field resource_metrics_fields[] = {L(2, "scopeMetrics", scope_metrics),
                                                            {0}};
MESSAGE(resource_metrics);
static const struct otlp_field metrics_fields[] = {L(1, "resourceMetrics", resource_metrics), {0}};

const struct otlp_message otlp_requests[OTLP_SIGNALS] = {
    [OTLP_TRACES] = {traces_fields},
    [OTLP_LOGS] = {logs_fields},
    [OTLP_METRICS] = {metrics_fields},
};

/* ---- the check ---- */

const struct otlp_field *otlp_field_of(const struct otlp_message *m, uint32_t number)
{
    /* Fields stand in order but for one, so its own place is the first guess. */
    for (const struct otlp_field *f = m->fields; f->number; f++)
        if (f->number == number)
            return f;
    return NULL;
}

static enum pb_wire wire_of(uint8_t type)
{
    switch ((enum otlp_type)type) {
    case OTLP_MESSAGE:
    case OTLP_TEXT:
    case OTLP_BYTES:
    case OTLP_ID:
        return PB_BYTES;
    case OTLP_FIXED64:
    case OTLP_DOUBLE:
        return PB_FIXED64;
    case OTLP_FIXED32:
        return PB_FIXED32;
    case OTLP_INT64:
    case OTLP_VARINT:
    case OTLP_BOOL:
        return PB_VARINT;
    }
    return PB_VARINT;
}

/* `left`: the fields that there may still be. */
static int check(const struct otlp_message *m, struct pb_reader r, unsigned depth, uint64_t *left,
                 struct oriel_err *err)
{
    struct pb_field f;
    if (depth == OTLP_DEPTH_MAX)
        return err_set(err, ORIEL_ELIMIT, "the request is nested deeper than %u messages",
                       (unsigned)OTLP_DEPTH_MAX);
    while (pb_next(&r, &f)) {
        const struct otlp_field *known = otlp_field_of(m, f.number);
        if ((*left)-- == 0)
            return err_set(err, ORIEL_ELIMIT, "the request has too many fields: send it in parts");
        if (!known)
            continue;
        if (f.wire != wire_of(known->type))
            return err_set(err, ORIEL_EFORMAT, "the request has a field \"%s\" of a wrong type",
                           known->json);
        if (known->type != OTLP_MESSAGE)
            continue;
        int rc = check(known->message, pb_read_nested(&f), depth + 1, left, err);
        if (rc < 0)
            return rc;
    }
    return r.failed ? err_set(err, ORIEL_EFORMAT, "the request is no protobuf message, or cut off")
                    : 0;
}

int otlp_check(enum otlp_signal signal, const void *bytes, size_t n, uint64_t fields_max,
               struct oriel_err *err)
{
    uint64_t left = fields_max ? fields_max : UINT64_MAX;
    return check(&otlp_requests[signal], pb_read(bytes, n), 0, &left, err);
}
