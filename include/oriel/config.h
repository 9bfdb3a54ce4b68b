/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * OpenTelemetry's declarative configuration for programs: Parse and Create of its
 * specification, and components of the program that a file may name.
 *
 *   struct oriel_config *config;
 *   char why[200];
 *   if (oriel_config_parse(&config, "otel.yaml", why, sizeof why) == 0) {
 *       struct oriel_sdk sdk = {.size = sizeof sdk};
 *       oriel_config_set(config, "resource.attributes", "[{name: service.name, value: me}]");
 *       oriel_config_create(config, &sdk);
 *       oriel_config_free(config);
 *   }
 *
 * A program that does not ask for any of this sets OTEL_CONFIG_FILE.
 */
#ifndef ORIEL_CONFIG_H
#define ORIEL_CONFIG_H

#include "exporter.h"
#include "propagation.h"
#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the model ---- */

struct oriel_config;

/* A file (YAML, file_format 0.3 to 1.1) as a model; ${NAME} and ${NAME:-default} are replaced out
 * of the environment. 0; ORIEL_ENOTFOUND (no such file, or no liboriel), ORIEL_EFORMAT,
 * ORIEL_EPERM (others may write it), ORIEL_ELIMIT, ORIEL_EUNSUPPORTED, ORIEL_EIO, ORIEL_ENOMEM,
 * with a line in `why` (cut to `size`). */
ORIEL_EXPORT int oriel_config_parse(struct oriel_config **out, const char *path, char *why,
                                    size_t size);
/* The same of a text; `name` is for messages. */
ORIEL_EXPORT int oriel_config_parse_text(struct oriel_config **out, const char *name,
                                         const char *text, size_t n, char *why, size_t size);
ORIEL_EXPORT void oriel_config_free(struct oriel_config *config); /* takes NULL */

/* A value by its path, "tracer_provider.processors.0.batch.schedule_delay": names in tables,
 * numbers in lists. It stays until the config is changed or freed. NULL: none, or it is a table
 * or a list. "": nothing was said, too. */
ORIEL_EXPORT const char *oriel_config_get(const struct oriel_config *config, const char *path);
/* The name of member i of a table ("" in a list, which has as many); path "": the whole. NULL:
 * there is none, or no such path. */
ORIEL_EXPORT const char *oriel_config_name(const struct oriel_config *config, const char *path,
                                           size_t i);
/* What stands there becomes `yaml`: a value, or "{always_on: {}}". Tables that a path needs are
 * made, and the next member of a list. 0; ORIEL_EINVAL (no such place, or properties, which are
 * only read), ORIEL_EFORMAT, ORIEL_ENOMEM. */
ORIEL_EXPORT int oriel_config_set(struct oriel_config *config, const char *path, const char *yaml);

/* ---- components of the program ---- */

/* An exporter that a file names below a processor: exporter: {NAME: {properties}}. It is made when
 * telemetry starts, by oriel_config_create as by oriel_start with OTEL_CONFIG_FILE. */
enum oriel_component_kind { ORIEL_COMPONENT_SPAN_EXPORTER = 1, ORIEL_COMPONENT_LOG_EXPORTER = 2 };
struct oriel_component {
    size_t size;      /* sizeof(struct oriel_component) */
    unsigned kinds;   /* enum oriel_component_kind, one or both */
    const char *name; /* as in the file, without a dot; copied */
    void *user;
    /* Fills `out` (its size and name are set) for one signal; properties are what stands below the
     * name, for the time of the call. 0, or a negative code: telemetry does not start. */
    int (*create)(void *user, unsigned kind, const struct oriel_config *properties,
                  struct oriel_exporter *out);
};
#define ORIEL_COMPONENTS_MAX 16
/* 0; ORIEL_EINVAL; ORIEL_ESTATE (a name that is taken for that kind); ORIEL_ELIMIT;
 * ORIEL_ENOTFOUND (no liboriel). For the life of the process. */
ORIEL_EXPORT int oriel_component_register(const struct oriel_component *component);

/* ---- what comes of it ---- */

struct oriel_tracer_provider;
struct oriel_logger_provider;
struct oriel_sdk {
    size_t size; /* sizeof(struct oriel_sdk) */
    struct oriel_tracer_provider *tracer_provider;
    struct oriel_logger_provider *logger_provider;
    struct oriel_propagators propagators; /* for oriel_inject and oriel_extract */
};
/* Starts telemetry as the model says, and nothing else: as oriel_start, but that the model stands
 * in place of OTEL_CONFIG_FILE. What the macros of the program say goes the same way as what is
 * said through the providers: there is one SDK in a process. `disabled: true` gives providers that
 * do nothing. The config may be freed. 0; ORIEL_EBUSY (telemetry is on already); as oriel_start,
 * which says why on standard error. */
ORIEL_EXPORT int oriel_config_create(const struct oriel_config *config, struct oriel_sdk *out);

/* A tracer says spans of one instrumentation scope (target), with names that are known at run time
 * only; those that are known when the program is compiled cost less by ORIEL_SPAN. It lives as
 * long as the process. NULL: no memory, or a name that is none. */
struct oriel_tracer;
ORIEL_EXPORT struct oriel_tracer *oriel_tracer_get(struct oriel_tracer_provider *provider,
                                                   const char *name);
/* A span as ORIEL_OPEN gives it: oriel_span_enter, ORIEL_SPAN_SET_ON, oriel_span_close. parent
 * NULL: the current one; ORIEL_ROOT: none. Its id is 0, and nothing is recorded, where recording is
 * off, the provider was shut down, or the process has used more than 4,096 names of spans this way.
 */
ORIEL_EXPORT struct oriel_span oriel_tracer_open(struct oriel_tracer *tracer, const char *name,
                                                 const struct oriel_span *parent);
/* As oriel_flush. */
ORIEL_EXPORT int oriel_tracer_provider_flush(struct oriel_tracer_provider *provider,
                                             unsigned timeout_ms);
/* Its tracers say nothing more; with the last of both providers telemetry ends (oriel_stop), until
 * then what was said is flushed. Once: ORIEL_ESTATE the second time. */
ORIEL_EXPORT int oriel_tracer_provider_shutdown(struct oriel_tracer_provider *provider,
                                                unsigned timeout_ms);

struct oriel_logger;
ORIEL_EXPORT struct oriel_logger *oriel_logger_get(struct oriel_logger_provider *provider,
                                                   const char *name);
/* level: enum oriel_level. In the current span, if there is one. */
ORIEL_EXPORT void oriel_logger_emit(struct oriel_logger *logger, unsigned level, const char *body);
ORIEL_EXPORT int oriel_logger_provider_flush(struct oriel_logger_provider *provider,
                                             unsigned timeout_ms);
ORIEL_EXPORT int oriel_logger_provider_shutdown(struct oriel_logger_provider *provider,
                                                unsigned timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
