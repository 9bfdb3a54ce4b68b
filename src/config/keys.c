/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The keys of [telemetry]: names, types, defaults, help, variables. The file,
 * the environment, the schema and the docs come out of this table. Data only.
 */
#include "config/config.h"

#include <string.h>

#include "config/otlp.h"

bool config_takes_list(const struct option_def *d)
{
    return d->type == OPTION_STRING && d->arg && strstr(d->arg, "[,..]") != NULL;
}

static const char *const propagators[] = {"tracecontext", "baggage", "b3",   "b3multi",
                                          "jaeger",       "ottrace", "none", NULL};
static const char *const exporters[] = {"otlp", "console", CONFIG_OTLP_STDOUT, "none", NULL};
/* In the order of enum config_resource. */
static const char *const resources[] = {"found", "empty", NULL};
/* In the order of enum config_redaction. */
static const char *const redactions[] = {"all", "known", NULL};
static const char *const backends[] = {"local", "otlp", "program", NULL};
/* "service": its instance id, which is told in every case. */
static const char *const detectors[] = {"process", "host",  "os",      "container", "k8s", "aws",
                                        "gcp",     "azure", "service", "none",      NULL};
static const char *const log_levels[] = {"none", "error", "warn", "info", "debug", NULL};
/* In the order of enum config_protocol and enum config_compression. */
static const char *const protocols[] = {"grpc", "http/protobuf", "http/json", NULL};
static const char *const compressions[] = {"none", "gzip", "zstd", NULL};
/* In the order of enum config_sampler, by the names of OTEL_TRACES_SAMPLER. */
static const char *const samplers[] = {"parentbased_always_on",
                                       "parentbased_always_off",
                                       "parentbased_traceidratio",
                                       "always_on",
                                       "always_off",
                                       "traceidratio",
                                       NULL};

/* What is said of OTLP for all signals, and again for each; the endpoint for all
 * stands by itself, for Oriel has had it longer. */
#define OTLP_TEXT(key, var, type_, member_, text)                                                  \
    {                                                                                              \
        .name = key, .type = OPTION_STRING, .offset = offsetof(type_, member_), .fallback = "",    \
        .variable = var, .help = text                                                              \
    }
#define OTLP_KEYS(prefix, var, type_, at)                                                          \
    {.name = prefix "protocol",                                                                    \
     .type = OPTION_ENUM,                                                                          \
     .offset = offsetof(type_, at protocol),                                                       \
     .fallback = "grpc",                                                                           \
     .choices = protocols,                                                                         \
     .variable = var "PROTOCOL",                                                                   \
     .help = "how OTLP is spoken; not said: http/protobuf to port 4318 or to a path"},             \
        {.name = prefix "compression",                                                             \
         .type = OPTION_ENUM,                                                                      \
         .offset = offsetof(type_, at compression),                                                \
         .fallback = "none",                                                                       \
         .choices = compressions,                                                                  \
         .variable = var "COMPRESSION",                                                            \
         .help = "how what is sent is compressed"},                                                \
        {.name = prefix "headers",                                                                 \
         .type = OPTION_STRING,                                                                    \
         .offset = offsetof(type_, at headers),                                                    \
         .fallback = "",                                                                           \
         .secret = true,                                                                           \
         .variable = var "HEADERS",                                                                \
         .help = "key=value,... to send, values percent encoded; never from a file"},              \
        OTLP_TEXT(prefix "certificate", var "CERTIFICATE", type_, at certificate,                  \
                  "file (PEM) of the authorities to trust; default: the system's"),                \
        OTLP_TEXT(prefix "client_key", var "CLIENT_KEY", type_, at client_key,                     \
                  "file (PEM) of our private key"),                                                \
        OTLP_TEXT(prefix "client_certificate", var "CLIENT_CERTIFICATE", type_,                    \
                  at client_certificate, "file (PEM) of our certificate"),                         \
        {.name = prefix "insecure",                                                                \
         .type = OPTION_BOOL,                                                                      \
         .offset = offsetof(type_, at insecure),                                                   \
         .fallback = "false",                                                                      \
         .variable = var "INSECURE",                                                               \
         .help = "gRPC without TLS, where the endpoint has no scheme"},                            \
    {                                                                                              \
        .name = prefix "timeout_ms", .type = OPTION_INT, .offset = offsetof(type_, at timeout_ms), \
        .fallback = "10000", .min = 0, .max = 3600000, .variable = var "TIMEOUT",                  \
        .help = "longest time one request takes, in milliseconds; 0 = an hour"                     \
    }

#define AT(member) .offset = offsetof(struct config_telemetry, member)
const struct option_def config_telemetry_options[] = {
    {.name = "enabled",
     .type = OPTION_BOOL,
     AT(enabled),
     .fallback = "false",
     .variable = "ORIEL_ENABLED",
     .help = "export what this program says of itself"},
    {.name = "backend",
     .type = OPTION_STRING,
     AT(backend),
     .fallback = "local",
     .choices = backends,
     .arg = "BACKEND[,..]",
     .variable = "ORIEL_BACKEND",
     .help = "where it goes: files here, an OTLP receiver, or a list of both; program: only to "
             "the exporters that the program has registered, which get it in every case"},
    {.name = "trace_dir",
     .type = OPTION_STRING,
     AT(trace_dir),
     .fallback = ".local/traces",
     .variable = "ORIEL_TRACE_DIR",
     .help = "where the files of the local tier go: {session_id}_{timestamp}"},
    {.name = "include_args",
     .type = OPTION_BOOL,
     AT(include_args),
     .fallback = "false",
     .variable = "ORIEL_INCLUDE_ARGS",
     .help = "record values marked as function arguments"},
    {.name = "otlp_endpoint",
     .type = OPTION_STRING,
     AT(otlp_endpoint),
     .fallback = "",
     .variable = "ORIEL_OTLP_ENDPOINT",
     .help = "URL of the OTLP receiver"},
    {.name = "otlp_headers_vault_key",
     .type = OPTION_STRING,
     AT(otlp_headers_vault_key),
     .fallback = "",
     .variable = "ORIEL_OTLP_HEADERS_VAULT_KEY",
     .help = "key in the vault of the headers to send, which never stand in a file"},
    {.name = "otlp_headers_required",
     .type = OPTION_BOOL,
     AT(otlp_headers_required),
     .fallback = "true",
     .variable = "ORIEL_OTLP_HEADERS_REQUIRED",
     .help = "a vault key that is configured and not found is an error; false: send without"},
    OTLP_KEYS("otlp_", "OTEL_EXPORTER_OTLP_", struct config_telemetry, otlp.),
    {.name = "service_name",
     .type = OPTION_STRING,
     AT(service_name),
     .fallback = "",
     .variable = "ORIEL_SERVICE_NAME",
     .help = "who this program is (default: unknown_service:<executable>)"},
    {.name = "sampler",
     .type = OPTION_ENUM,
     AT(sampler),
     .fallback = "parentbased_traceidratio",
     .choices = samplers,
     .variable = "ORIEL_SAMPLER",
     .help = "which traces are recorded"},
    {.name = "sample_rate",
     .type = OPTION_FLOAT,
     AT(sample_rate),
     .fallback = "1",
     .min = 0,
     .max = 1,
     .variable = "ORIEL_SAMPLE_RATE",
     .help = "share of the traces that are recorded, decided by their ids"},
    {.name = "pyroscope_endpoint",
     .type = OPTION_STRING,
     AT(pyroscope_endpoint),
     .fallback = "",
     .variable = "ORIEL_PYROSCOPE_ENDPOINT",
     .help = "URL of a Pyroscope server"},
    {.name = "system_metrics_interval_secs",
     .type = OPTION_INT,
     AT(system_metrics_interval_secs),
     .fallback = "5",
     .min = 0,
     .max = 31536000,
     .help = "how often the system's numbers are noted; at least 1, 0 = never"},
    {.name = "outlets",
     .type = OPTION_STRING,
     AT(outlets),
     .fallback = "chrome",
     .arg = "OUTLET[,..]",
     .variable = "ORIEL_TO",
     .help = "what the local tier writes, one or a list"},
    {.name = "filter",
     .type = OPTION_STRING,
     AT(filter),
     .fallback = "",
     .variable = "ORIEL_FILTER",
     .help = "which call sites record: info,db=debug,net=off"},
    {.name = "exit_ms",
     .type = OPTION_INT,
     AT(exit_ms),
     .fallback = "1000",
     .min = 0,
     .max = 3600000,
     .variable = "ORIEL_EXIT_MS",
     .help =
         "longest time the export takes at exit, in milliseconds; where that is less than a second "
         "a spool still gets what is left, within one"},
    {.name = "tracy",
     .type = OPTION_BOOL,
     AT(tracy),
     .fallback = "false",
     .variable = "TRACY_ENABLED",
     .help = "speak to a Tracy profiler, with or without the rest"},
    {.name = "propagators",
     .type = OPTION_STRING,
     AT(propagators),
     .fallback = "tracecontext,baggage",
     .choices = propagators,
     .arg = "NAME[,..]",
     .variable = "OTEL_PROPAGATORS",
     .help = "how a trace goes on in other processes"},
    {.name = "traces_exporter",
     .type = OPTION_STRING,
     AT(traces_exporter),
     .fallback = "otlp",
     .choices = exporters,
     .arg = "NAME[,..]",
     .variable = "OTEL_TRACES_EXPORTER",
     .help = "where spans go: to the receivers of backend otlp, or (for debugging) as lines to "
             "standard output, which nothing else of Oriel writes to"},
    {.name = "logs_exporter",
     .type = OPTION_STRING,
     AT(logs_exporter),
     .fallback = "otlp",
     .choices = exporters,
     .arg = "NAME[,..]",
     .variable = "OTEL_LOGS_EXPORTER",
     .help = "where events go, likewise"},
    {.name = "resource_attributes",
     .type = OPTION_STRING,
     AT(resource_attributes),
     .fallback = "",
     .variable = "OTEL_RESOURCE_ATTRIBUTES",
     .help = "key=value,... of this process, percent encoded"},
    {.name = "resource",
     .type = OPTION_ENUM,
     AT(resource),
     .fallback = "found",
     .choices = resources,
     .variable = "ORIEL_RESOURCE",
     .help = "where it begins: with what detectors find and what is told in every case, or empty: "
             "then receivers are told resource_attributes and service_name, where they are said, "
             "and nothing else"},
    {.name = "detectors",
     .type = OPTION_STRING,
     AT(detectors),
     .fallback = "process,host,os,container,k8s",
     .choices = detectors,
     .arg = "NAME[,..]",
     .variable = "ORIEL_DETECTORS",
     .help = "who finds out what the resource says of this process; aws, gcp and azure ask the "
             "cloud's metadata service"},
    {.name = "cloud_endpoint",
     .type = OPTION_STRING,
     AT(cloud_endpoint),
     .fallback = "http://169.254.169.254",
     .variable = "ORIEL_CLOUD_ENDPOINT",
     .help = "URL of that service"},
    {.name = "log_level",
     .type = OPTION_ENUM,
     AT(log_level),
     .fallback = "error",
     .choices = log_levels,
     .variable = "OTEL_LOG_LEVEL",
     .help = "what Oriel may say of itself on standard error: error tells why it does not start"},
    {.name = "redaction",
     .type = OPTION_ENUM,
     AT(redaction),
     .fallback = "all",
     .choices = redactions,
     .variable = CONFIG_REDACTION_VARIABLE,
     .help =
         "which secrets are taken out: all, or only marked and known ones (no names, no shapes)"},
    OPTION_END,
};
#undef AT

/* ---- [telemetry.otlp_traces], [telemetry.otlp_logs] ---- */

#define SIGNAL_KEYS(name)                                                                          \
    OTLP_TEXT("endpoint", "OTEL_EXPORTER_OTLP_" name "_ENDPOINT", struct config_otlp, endpoint,    \
              "URL of the receiver, used as it is"),                                               \
        OTLP_KEYS("", "OTEL_EXPORTER_OTLP_" name "_", struct config_otlp, )
const struct option_def config_otlp_traces_options[] = {SIGNAL_KEYS("TRACES"), OPTION_END};
const struct option_def config_otlp_logs_options[] = {SIGNAL_KEYS("LOGS"), OPTION_END};

/* ---- [telemetry.batch] ---- */

#define BATCH(kind, member, key, value, most, var, text)                                           \
    {                                                                                              \
        .name = #kind "_" key, .type = OPTION_INT,                                                 \
        .offset = offsetof(struct config_batches, kind.member), .fallback = value, .min = 1,       \
        .max = most, .variable = var, .help = text                                                 \
    }
/* A request may hold both, and they wait in one queue. */
#define LONGEST(what, other)                                                                       \
    "a request of " what " is tried for so long, or for " other                                    \
    "_timeout_ms where that is longer; where neither is said 5m, not this"
#define WAITING(other)                                                                             \
    "spans and events that may wait, this and " other                                              \
    "_queue together; where neither is said any number, up to queue_bytes"
const struct option_def config_batch_options[] = {
    BATCH(spans, delay_ms, "delay_ms", "5000", 3600000, "OTEL_BSP_SCHEDULE_DELAY",
          "longest wait of a span for its batch"),
    BATCH(spans, timeout_ms, "timeout_ms", "30000", 3600000, "OTEL_BSP_EXPORT_TIMEOUT",
          LONGEST("spans", "logs")),
    BATCH(spans, queue, "queue", "2048", 16777216, "OTEL_BSP_MAX_QUEUE_SIZE", WAITING("logs")),
    BATCH(spans, size, "size", "512", 16777216, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
          "spans in one export"),
    BATCH(logs, delay_ms, "delay_ms", "1000", 3600000, "OTEL_BLRP_SCHEDULE_DELAY",
          "longest wait of an event for its batch"),
    BATCH(logs, timeout_ms, "timeout_ms", "30000", 3600000, "OTEL_BLRP_EXPORT_TIMEOUT",
          LONGEST("events", "spans")),
    BATCH(logs, queue, "queue", "2048", 16777216, "OTEL_BLRP_MAX_QUEUE_SIZE", WAITING("spans")),
    BATCH(logs, size, "size", "512", 16777216, "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
          "events in one export"),
    OPTION_END,
};

/* ---- [telemetry.limits] ---- */

#define LIMIT(member, value, var, text)                                                            \
    {                                                                                              \
        .name = #member, .type = OPTION_INT, .offset = offsetof(struct config_limits, member),     \
        .fallback = value, .min = -1, .max = 16777216, .variable = var, .help = text               \
    }
const struct option_def config_limit_options[] = {
    LIMIT(attribute_count, "128", "OTEL_ATTRIBUTE_COUNT_LIMIT", "attributes of anything"),
    LIMIT(attribute_length, "-1", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
          "characters of a value; -1 = any number"),
    LIMIT(span_attribute_count, "-1", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
          "attributes of a span; -1 = as of anything"),
    LIMIT(span_attribute_length, "-1", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
          "characters of a value of a span; -1 = as of anything"),
    LIMIT(log_attribute_count, "-1", "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
          "attributes of an event outside spans; -1 = as of anything"),
    LIMIT(log_attribute_length, "-1", "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
          "characters of a value of such an event; -1 = as of anything"),
    LIMIT(event_count, "128", "OTEL_SPAN_EVENT_COUNT_LIMIT", "events of a span"),
    LIMIT(link_count, "128", "OTEL_SPAN_LINK_COUNT_LIMIT", "links of a span"),
    LIMIT(event_attribute_count, "128", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
          "attributes of an event of a span"),
    LIMIT(link_attribute_count, "128", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
          "attributes of a link of a span"),
    OPTION_END,
};
