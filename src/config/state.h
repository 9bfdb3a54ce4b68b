/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the files of this room share: the sections with their values and
 * origins, and how a value gets in. Nobody else includes this. One thread.
 */
#ifndef ORIEL_CONFIG_STATE_H
#define ORIEL_CONFIG_STATE_H

#include <stdatomic.h>

#include "base/mem.h"
#include "base/vec.h"
#include "config/config.h"
#include "config/model.h"
#include "util/toml.h"

/* A section at work; the first is [telemetry] itself, with the name "". */
struct config_part {
    const char *name;
    const struct option_def *defs;
    size_t count, size;
    void *values;
    struct config_origin *origins; /* one per def */
};

struct config {
    atomic_uint others; /* owners besides the first */
    struct arena arena; /* names and texts */
    struct config_part *parts;
    size_t part_count;
    const struct config_absent *absent;
    size_t absent_count;
    VEC(struct config_message) messages;
    VEC(struct config_component) components;
    const struct compose *composite;                      /* in the arena; NULL: none */
    const struct yaml_value *composite_tree;              /* what it was read from, there too */
    bool (*known_component)(const char *name, bool logs); /* while it is loaded, as the next */
    const char *registers;
    unsigned unregistered; /* exporters that are neither ours nor known */
    bool no_memory, has_error;
    bool is_private;                /* the preset: no file, no environment */
    bool sdk_enabled, sdk_disabled; /* OTEL_SDK_ENABLED, OTEL_SDK_DISABLED */
    bool sdk_enabled_set;
    struct config_origin enabled_by, disabled_by; /* who said these two */
    bool cannot_send; /* a build without OTLP: told where something asks for it */
};

/* ---- load.c ---- */

void config_say(struct config *c, enum config_severity severity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct config_part *config_part_find(const struct config *c, const char *name, size_t n);
/* "otlp.NAME" of that name, made where there is none yet. NULL: *out_why says why there can be
 * none, or there is no memory. */
struct config_part *config_part_receiver(struct config *c, const char *name, size_t n,
                                         const char **out_why);
/* "telemetry.chrome.max_bytes" for messages. */
const char *config_key_text(struct config *c, const struct config_part *p,
                            const struct option_def *d);
/* Where, in words: "oriel.toml:3", "$ORIEL_TO", "the program", "preset testing". */
const char *config_where(struct config *c, const struct config_origin *o);
/* One value; a wrong one is an error, from the environment a warning. */
void config_put(struct config *c, struct config_part *p, const struct option_def *d,
                const char *text, struct config_origin origin);
/* By key: "sample_rate", "chrome.max_bytes". */
bool config_put_key(struct config *c, const char *key, const char *text,
                    struct config_origin origin);

/* Of a key, or a section, that nobody has: said to be absent, if it is that. */
bool config_say_absent(struct config *c, const char *below, const char *name, bool table,
                       struct config_origin origin);

/* ---- otlp.c ---- */

/* Whether a text that is more than text is right: a list of pairs. 0; ORIEL_EFORMAT with
 * a line that begins with the key; ORIEL_ENOMEM. */
int config_check_value(const struct option_def *d, const char *text, struct oriel_err *err);
/* Once all layers are in: endpoints that are none. One from the environment is
 * said and counts as unset. */
void config_check_otlp(struct config *c);

/* ---- sampling.c ---- */

/* Once all layers are in: delegates that nobody would ask are an error. */
void config_check_delegates(struct config *c);

/* ---- file.c ---- */

/* Second names of keys of [telemetry], "endpoint" in [telemetry.otlp]: the first one; or NULL. */
const char *config_first_name(const char *below, const char *key);

/* ---- each layer ---- */

void config_apply_preset(struct config *c, const char *name, struct config_origin origin);
void config_apply_file(struct config *c, const struct config_input *in, const struct toml_doc *doc);
void config_apply_environment(struct config *c, const char *const *environment);
/* TELEMETRY_ENABLED and ORIEL_ENABLED only: whether at all. */
void config_apply_switches(struct config *c, const char *const *environment);
/* $OTEL_CONFIG_FILE, in place of the environment. `file` lives as long as the config. */
void config_apply_declarative(struct config *c, const char *file, const char *text, size_t n,
                              const char *const *environment);
/* The same of a tree that was read: it lives as long as the config. */
void config_apply_model(struct config *c, const char *file, const struct yaml_value *root);
/* composite/development; composite.c. */
void config_read_composite(struct config *c, const char *file, const struct yaml_value *v);
/* The tree of such a file, references replaced; model.c. */
int config_declarative_read(struct arena *arena, const char *file, const char *text, size_t n,
                            const char *const *environment, struct yaml_value **out,
                            struct oriel_err *err);
/* The value of NAME, NULL if unset or empty. */
const char *config_variable(const char *const *environment, const char *name);

/* ---- old sections, migrate.c ---- */

struct config_old_key {
    const char *section, *key;
    const char *now;               /* key of [telemetry]; NULL: has no counterpart */
    const char *value, *now_value; /* not NULL: only this value, which becomes that */
    const char *also, *also_value; /* another key that follows from it */
};
/* The row for a key and its value (as text) of an old section. */
const struct config_old_key *config_old_find(const char *section, const char *key,
                                             const char *value);
/* The table [observability] or [debug.traces] of a file, NULL if it has none. */
const struct toml_value *config_old_section(const struct toml_doc *doc, unsigned which,
                                            const char **out_name);
enum { CONFIG_OLD_SECTIONS = 2 };

/* A plain value as the text option_set takes; lists joined by commas. False for
 * a type that `d` (may be NULL) does not take. */
bool config_text_of(const struct toml_value *v, const struct option_def *d, struct buf *out);

#endif
