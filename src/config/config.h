/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What telemetry is told to do: defaults, then the preset, the file oriel.toml,
 * the environment, and the program, each above the one before. Out of it come
 * plain option structs, and where each value came from.
 *
 * Nothing here reads the environment by itself or writes it: it is handed over
 * as a list. Nothing is printed: what there is to say comes as messages. One
 * thread per config.
 */
#ifndef ORIEL_CONFIG_CONFIG_H
#define ORIEL_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "util/option.h"

#define CONFIG_FILE_NAME "oriel.toml"
#define CONFIG_FILE_VARIABLE "ORIEL_CONFIG" /* another file, which then has to be there */
#define CONFIG_DECLARATIVE_VARIABLE "OTEL_CONFIG_FILE"
#define CONFIG_FILE_MAX ((size_t)1 << 20)
/* The release that no longer reads the sections [observability] and [debug.traces]. */
#define CONFIG_OLD_SECTIONS_END "2.0"

/* ---- [telemetry] ---- */

/* What is said of OTLP: for all signals or for one. Strings are never NULL. */
struct config_otlp {
    const char *endpoint;      /* of a signal; for all it is otlp_endpoint */
    int protocol, compression; /* enum config_protocol, enum config_compression */
    const char *headers, *certificate, *client_key, *client_certificate;
    bool insecure;
    int64_t timeout_ms;
};

/* Strings are never NULL; lists are comma separated. */
struct config_telemetry {
    bool enabled;
    const char *backend; /* of "local", "otlp", "program" */
    const char *trace_dir;
    bool include_args;
    const char *otlp_endpoint;
    const char *otlp_headers_vault_key;
    bool otlp_headers_required;
    struct config_otlp otlp; /* config_otlp_target says what comes of it */
    const char *service_name;
    int sampler; /* enum config_sampler */
    double sample_rate;
    const char *pyroscope_endpoint;
    int64_t system_metrics_interval_secs; /* 0: never */
    const char *outlets;                  /* of the local tier */
    const char *filter;
    int64_t exit_ms;
    bool tracy;
    const char *propagators;     /* of "tracecontext", "baggage", ... */
    const char *traces_exporter; /* list of "otlp", "console", CONFIG_OTLP_STDOUT, "none" */
    const char *logs_exporter;
    const char
        *resource_attributes; /* "key=value,..", percent encoded, as OTEL_RESOURCE_ATTRIBUTES */
    const char *detectors;    /* of "process", "host", ... */
    const char *cloud_endpoint;
    int resource;  /* enum config_resource */
    int log_level; /* enum config_log_level */
    int redaction; /* enum config_redaction */
};
enum config_resource {
    CONFIG_RESOURCE_FOUND,
    CONFIG_RESOURCE_EMPTY /* but for attributes and a name that are said */
};
enum config_redaction {
    CONFIG_REDACT_ALL,
    CONFIG_REDACT_KNOWN /* what the program marks, and what the vault gave; nothing by its looks */
};
#define CONFIG_REDACTION_VARIABLE "ORIEL_REDACTION"
enum config_log_level {
    CONFIG_LOG_NONE,
    CONFIG_LOG_ERROR,
    CONFIG_LOG_WARN,
    CONFIG_LOG_INFO,
    CONFIG_LOG_DEBUG
};
enum config_sampler {
    CONFIG_SAMPLER_PARENT_ON,
    CONFIG_SAMPLER_PARENT_OFF,
    CONFIG_SAMPLER_PARENT_RATIO,
    CONFIG_SAMPLER_ON,
    CONFIG_SAMPLER_OFF,
    CONFIG_SAMPLER_RATIO
};
extern const struct option_def config_telemetry_options[];

/* ---- [telemetry.batch], [telemetry.limits]: what the standard's processors are told ---- */

struct config_batch {
    int64_t delay_ms, timeout_ms, queue, size; /* size <= queue */
};
struct config_batches {
    struct config_batch spans, logs;
};
struct config_limits { /* -1: none */
    int64_t attribute_count, attribute_length;
    int64_t span_attribute_count, span_attribute_length; /* -1: the general one */
    int64_t log_attribute_count, log_attribute_length;   /* so here */
    int64_t event_count, link_count, event_attribute_count, link_attribute_count;
};
extern const struct option_def config_batch_options[], config_limit_options[];

/* ---- [telemetry.sampling]: besides `sampler` and `sample_rate` ---- */

struct config_sampling {
    const char *rates; /* see config_rates_read */
    int64_t traces_per_s;
    bool keep_errors;
    int64_t keep_slow_ms;
    uint64_t hold_bytes;
    int64_t hold_s;
    bool trace_based_logs;
    /* Of a sampler by the parent. */
    int root; /* enum config_delegate + 1; 0: what `sampler` says */
    int remote_parent_sampled, remote_parent_not_sampled; /* enum config_delegate */
    int local_parent_sampled, local_parent_not_sampled;
};
enum config_delegate { CONFIG_DELEGATE_ON, CONFIG_DELEGATE_OFF, CONFIG_DELEGATE_RATIO };
struct config;
/* These five where they count: said below the layer of `sampler` they do not, for that is a whole
 * sampler then. */
void config_delegates(const struct config *c, struct config_sampling *out);
extern const struct option_def config_sampling_options[];
enum { CONFIG_RATES_MAX = 64, CONFIG_TARGET_MAX = 127 };
struct config_rate {
    char target[CONFIG_TARGET_MAX + 1];
    double share;
};
/* "db=0.1,net.http=1". 0; ORIEL_EFORMAT, ORIEL_ELIMIT with a line. */
int config_rates_read(const char *text, struct config_rate out[CONFIG_RATES_MAX], size_t *out_count,
                      struct oriel_err *err);

/* ---- loading ---- */

struct yaml_value;

/* A table below [telemetry]: one per outlet, out of its option table. */
struct config_section {
    const char *name; /* "chrome" for [telemetry.chrome] */
    const struct option_def *defs;
    size_t size;
};

enum config_layer { CONFIG_DEFAULT, CONFIG_PRESET, CONFIG_FILE, CONFIG_VARIABLE, CONFIG_CODE };
struct config_origin {
    enum config_layer layer;
    const char *name; /* of the preset, file or variable, or what was said in a program; NULL */
    unsigned line;    /* of the file */
};

/* In words: "oriel.toml:3", "$ORIEL_TO", "the program", "preset testing", "default". */
void config_put_origin(const struct config_origin *o, struct buf *out);

/* What the program itself sets: "sample_rate", "chrome.max_bytes". */
struct config_set {
    const char *key, *value;
};

/* A key, or a section, that this build cannot do yet: with another value than
 * the default in file or program it stops the start, in the environment it is
 * said and has no effect. */
struct config_absent {
    const char *key, *why; /* "sample_rate", "batch.*", "backend=otlp"; "no outlet otlp" */
    bool refused;          /* stops the start when it comes from the environment too */
};

struct config_input {
    size_t size; /* sizeof of this struct */
    const struct config_section *sections;
    size_t section_count;
    const struct config_absent *absent;
    size_t absent_count;
    const char *file_name; /* for messages */
    const char *file_text; /* NULL: there is no file; copied */
    size_t file_bytes;
    /* OpenTelemetry's own file, $OTEL_CONFIG_FILE: it stands in place of the environment, of which
     * the switch and what it refers to are left. NULL: there is none; copied. */
    const char *declarative_name, *declarative_text;
    size_t declarative_bytes;
    const struct yaml_value
        *model; /* the same as a tree, of the program: in place of both; copied */
    /* Whether an exporter that Oriel has not is one that the program has registered; NULL: none. */
    bool (*known_component)(const char *name, bool logs);
    /* A list of such names, for who looks at the configuration of a program from outside; NULL. */
    const char *registers;
    /* Of the value of `filter`: 0, or a negative code with a line; NULL: not looked at. */
    int (*check_filter)(const char *text, struct oriel_err *err);
    const char *const *environment; /* "NAME=value", ends with NULL; NULL: none */
    const char *preset;             /* chosen by the program; NULL: file or environment may */
    const struct config_set *code;
    size_t code_count;
    /* By what its user says them, one for each: "--endpoint". Lines name that alone, as long as
     * the configuration lives. NULL: by key. */
    const char *const *code_said;
};

enum config_severity {
    CONFIG_WARNING, /* surely a mistake */
    CONFIG_ERROR,
    CONFIG_ADVICE, /* for whoever looks at the configuration or gives a command; no program says it
                    */
    CONFIG_REMARK  /* a warning of what may well be meant for another program that shares it */
};
struct config_message {
    enum config_severity severity;
    const char *text; /* one line, which says where */
};

/* 0 also where values are wrong: they are messages, and config_can_start is
 * false. ORIEL_ENOMEM; ORIEL_EINVAL for the input struct. */
int config_load(struct config **out, const struct config_input *input, struct oriel_err *err);
void config_free(struct config *c); /* takes NULL */
/* Once it is loaded, for programs: keys that what else is said leaves without effect. Those of
 * ours are errors, variables that others read, too, are warnings; what a higher place has
 * overridden is advice. 0 or ORIEL_ENOMEM. */
int config_check_effects(struct config *c);
/* One more owner, who frees it too. Nothing of it changes any more. Any thread. */
const struct config *config_ref(const struct config *c);

const struct config_telemetry *config_telemetry(const struct config *c);
const struct config_batches *config_batches(const struct config *c);
/* With the general limits where a kind has none of its own. */
struct config_limits config_limits(const struct config *c);
/* The options of a section, by name; NULL if there is none. */
const void *config_section_options(const struct config *c, const char *name);
/* Whether the file, the environment or the program set anything in it. */
bool config_section_is_set(const struct config *c, const char *name);
/* The composed sampler of the declarative file, which stands in place of `sampler`; NULL: none. It
 * lives as long as the config. */
struct compose;
const struct compose *config_composite(const struct config *c);
/* An exporter of the program that its declarative file names, with what stands below the name. */
struct config_component {
    const char *name;
    bool logs; /* else spans */
    const struct yaml_value *properties;
};
size_t config_components(const struct config *c, const struct config_component **out);
/* How many exporters it names that nobody has, each of them an error. */
unsigned config_unregistered(const struct config *c);
/* The sections of receivers with options of their own, [telemetry.otlp.NAME], as "otlp.NAME"; NULL
 * behind the last. Their options are those of "otlp", of which only what was said counts. */
const char *config_receiver(const struct config *c, size_t i);
enum { CONFIG_RECEIVERS_MAX = 6, CONFIG_RECEIVER_NAME_MAX = 32 };
/* Of a key as in config_set; false if there is none. */
bool config_origin(const struct config *c, const char *key, struct config_origin *out);
size_t config_messages(const struct config *c, const struct config_message **out);
/* False after an error: telemetry does not start, the program goes on. */
bool config_can_start(const struct config *c);

/* What follows from the switches together (docs/CONFIGURATION.md has the table). */
struct config_choice {
    bool telemetry; /* anything but Tracy */
    bool local, otlp, tracy;
    bool console; /* what exporters of the standard write to standard output */
    bool program; /* exporters that the program has registered */
    /* The switch of the standard that decided all but `local` and `tracy`, over what `backend`
     * says (OTEL_SDK_ENABLED, OTEL_SDK_DISABLED, `disabled` of the declarative file); the layer is
     * CONFIG_DEFAULT: there is none, `backend` did. */
    struct config_origin by;
};
struct config_choice config_choose(const struct config *c);
/* Whether a comma list, as values of keys are, has this item. */
bool config_has_item(const char *list, const char *item);
#define CONFIG_OTLP_STDOUT "otlp/stdout"

/* Each key the program itself has said, with its value as it would say it again, secrets too.
 * Stops at a negative answer, which is returned. */
typedef int config_code_fn(void *user, const char *key, const char *value);
int config_each_code(const struct config *c, config_code_fn *each, void *user);
/* Each key with another value, both as they may be shown. Of two that were loaded with the same
 * sections. What differs in the composed sampler comes by its place: "sampler.composite.rule_based.
 * rules.1.sampler.probability.ratio"; an exporter of the program as "exporter.NAME...". */
typedef void config_change_fn(void *user, const char *key, const char *was, const char *is);
void config_changes(const struct config *before, const struct config *now, config_change_fn *each,
                    void *user);
#define CONFIG_COMPOSITE_KEY "sampler.composite"
/* Whether both have the same composed sampler, or none. */
bool config_composite_same(const struct config *a, const struct config *b);

/* ---- the file ---- */

/* At most CONFIG_FILE_MAX bytes of a regular file into `out`. 0; ORIEL_ENOTFOUND;
 * ORIEL_EPERM where it can be written by others, or belongs neither to us nor
 * to root (`careful`); ORIEL_ELIMIT; ORIEL_EIO; ORIEL_ENOMEM. With a line. */
int config_read_file(const char *path, bool careful, struct buf *out, struct oriel_err *err);

/* The text of a file with [observability] and [debug.traces] as [telemetry],
 * everything else byte for byte. *out_changes: how many lines were changed; 0:
 * `out` is the text. ORIEL_EFORMAT: the file is not TOML, or a key has no
 * counterpart, or is there in both; with a line. */
int config_migrate(const char *name, const char *text, size_t n, struct buf *out,
                   unsigned *out_changes, struct oriel_err *err);

/* ---- telling ---- */

/* TOML that reads back to the same, with the origin of each value behind it.
 * `all`: defaults too. Secrets and passwords in URLs are masked. */
void config_write(const struct config *c, bool all, struct buf *out);
void config_write_json(const struct config *c, struct buf *out);
/* JSON Schema (2020-12) of oriel.toml. */
void config_write_schema(const struct config_section *sections, size_t count, struct buf *out);

/* The variable that a key has by rule, besides one that stands in its table: ORIEL_OTLP_SPOOL_DIR
 * of "otlp". "" for a section without the rule: [telemetry] itself, and [telemetry.vault]. */
enum { CONFIG_RULE_BYTES = 80 };
void config_rule_variable(const char *section, const struct option_def *d, char *out, size_t n);
/* Variables of others, besides those in the tables: the name of number i and the
 * key of [telemetry] it sets; NULL behind the last. */
const char *config_other_variable(size_t i, const char **out_key);
/* Text that may be a comma list, and in a file an array: by its placeholder. */
bool config_takes_list(const struct option_def *d);
extern const char *const config_presets[]; /* names, NULL-terminated */

#endif
