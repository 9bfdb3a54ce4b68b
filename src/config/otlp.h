/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where OTLP goes, by the rules of the standard (protocol/exporter.md): what is
 * said for one signal, else for all, else the default. And the lists the standard
 * writes as "key=value,key=value". Pure; any thread.
 */
#ifndef ORIEL_CONFIG_OTLP_H
#define ORIEL_CONFIG_OTLP_H

#include "config/config.h"

#define CONFIG_OTLP_GRPC_DEFAULT "http://localhost:4317"
#define CONFIG_OTLP_HTTP_DEFAULT "http://localhost:4318"
#define CONFIG_PAIRS_MAX_BYTES ((size_t)64 << 10)

enum config_signal { CONFIG_TRACES, CONFIG_LOGS, CONFIG_SIGNALS };
enum config_protocol { CONFIG_GRPC, CONFIG_HTTP_PROTOBUF, CONFIG_HTTP_JSON };
enum config_compression {
    CONFIG_COMPRESSION_NONE,
    CONFIG_COMPRESSION_GZIP,
    CONFIG_COMPRESSION_ZSTD
};

/* [telemetry.otlp_traces] and [telemetry.otlp_logs], each a struct config_otlp; the
 * same for both stands in [telemetry] with otlp_ in front. */
extern const struct option_def config_otlp_traces_options[], config_otlp_logs_options[];

/* ---- URLs ---- */

/* The URL to send to. `own` is what is said for the signal, `base` for all of
 * them; NULL or "" is not said.
 *   HTTP: `own` as it is, a missing path becomes "/"; to the path of `base` is
 *         added v1/traces or v1/logs; query strings stay.
 *   gRPC: scheme and authority. Without a scheme http:// if `insecure`, else
 *         https://; dns:host:port and dns:///host:port are such, unix:PATH stays.
 *         A path is dropped: gRPC has its own.
 * 0; ORIEL_EFORMAT (not such a URL) with a line that repeats none of it;
 * ORIEL_ELIMIT: `n` is too small. */
int config_otlp_url(enum config_protocol protocol, enum config_signal signal, const char *base,
                    const char *own, bool insecure, char *out, size_t n, struct oriel_err *err);
/* The protocol of an endpoint for which none was chosen: HTTP where its port is
 * 4318 or it has a path, else gRPC. */
enum config_protocol config_otlp_guess(const char *endpoint);

struct config_otlp_target {
    char url[1400];
    enum config_protocol protocol;
    enum config_compression compression;
    /* Never NULL; they live as long as the configuration. */
    const char *headers; /* as config_pairs_read reads them; secret */
    const char *certificate, *client_key, *client_certificate;
    uint64_t timeout_ms; /* > 0 */
};
/* Of a signal, all layers considered: what is said for the signal wins over what
 * is said for all, unless that stands in a higher layer. 0 or ORIEL_EFORMAT with
 * a line that says where it was said. */
int config_otlp_target(const struct config *c, enum config_signal signal,
                       struct config_otlp_target *out, struct oriel_err *err);

/* Of a receiver with a section of its own (config_receiver). It has what all have and what its
 * section says; headers and endpoint only of its own, and a protocol that is not said follows from
 * the endpoint. Likewise. */
int config_otlp_receiver(const struct config *c, const char *section, enum config_signal signal,
                         struct config_otlp_target *out, struct oriel_err *err);

/* Where a key of these was said and by which name, for lines: "--certificate",
 * "$OTEL_EXPORTER_OTLP_CERTIFICATE: telemetry.otlp_certificate". `section` NULL: of the first
 * receiver. */
enum { CONFIG_SAID_BYTES = 320 };
void config_otlp_said(const struct config *c, const char *section, enum config_signal signal,
                      const char *key, char out[CONFIG_SAID_BYTES]);

/* ---- lists ---- */

enum config_pairs { CONFIG_PAIRS_ATTRIBUTES, CONFIG_PAIRS_HEADERS };
/* The pairs of a list, decoded, in order; `each` may be NULL. Space around keys
 * and values is no part of them, empty members are skipped. Attributes: key and
 * value percent-decoded, UTF-8. Headers: the key as HTTP has it, the value
 * percent-decoded, no metadata behind a ";". One wrong member makes the whole
 * list wrong, and `each` is not called at all: ORIEL_EFORMAT with a line that
 * names the member by number and never by value; ORIEL_ELIMIT; ORIEL_ENOMEM; or
 * what `each` returns. */
typedef int config_pair_fn(void *user, const char *key, const char *value);
int config_pairs_read(const char *text, enum config_pairs kind, config_pair_fn *each, void *user,
                      struct oriel_err *err);

#endif
