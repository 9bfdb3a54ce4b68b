/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What programs do with liboriel beside switching it on: each function of
 * oriel/exporter.h, and of the model in oriel/config.h, is one of the same name
 * there. Never on the record path.
 */
#include <oriel/config.h>

#include "base/err.h"
#include "base/own.h"
#include "rec/rec.h"

typedef void any_fn(void);

/* NULL: there is no liboriel, or an older one. */
static any_fn *inprocess(const char *name)
{
    own_work_begin();
    any_fn *f = (any_fn *)(uintptr_t)rec_library_symbol(name);
    own_work_end();
    return f;
}

int oriel_exporter_add(const struct oriel_exporter *exporter)
{
    typedef int add_fn(const struct oriel_exporter *e);
    add_fn *add = (add_fn *)inprocess("oriel_inprocess_exporter_add");
    return add ? add(exporter) : ORIEL_ENOTFOUND;
}

int oriel_exporter_remove(const char *name)
{
    typedef int remove_fn(const char *name);
    remove_fn *remove = (remove_fn *)inprocess("oriel_inprocess_exporter_remove");
    return remove ? remove(name) : ORIEL_ENOTFOUND;
}

struct oriel_memory *oriel_memory_new(size_t most)
{
    typedef struct oriel_memory *new_fn(size_t most);
    new_fn *make = (new_fn *)inprocess("oriel_inprocess_memory_new");
    return make ? make(most) : NULL;
}

/* Whoever has one has the library. */
typedef int memory_fn(struct oriel_memory *m);

int oriel_memory_add(struct oriel_memory *memory)
{
    memory_fn *add = memory ? (memory_fn *)inprocess("oriel_inprocess_memory_add") : NULL;
    return add ? add(memory) : ORIEL_EINVAL;
}

size_t oriel_memory_spans(struct oriel_memory *memory, const struct oriel_view_span **out,
                          size_t room)
{
    typedef size_t spans_fn(struct oriel_memory * m, const struct oriel_view_span **out, size_t n);
    spans_fn *spans = memory ? (spans_fn *)inprocess("oriel_inprocess_memory_spans") : NULL;
    return spans ? spans(memory, out, room) : 0;
}

size_t oriel_memory_logs(struct oriel_memory *memory, const struct oriel_view_log **out,
                         size_t room)
{
    typedef size_t logs_fn(struct oriel_memory * m, const struct oriel_view_log **out, size_t n);
    logs_fn *logs = memory ? (logs_fn *)inprocess("oriel_inprocess_memory_logs") : NULL;
    return logs ? logs(memory, out, room) : 0;
}

uint64_t oriel_memory_dropped(struct oriel_memory *memory)
{
    typedef uint64_t dropped_fn(struct oriel_memory * m);
    dropped_fn *dropped = memory ? (dropped_fn *)inprocess("oriel_inprocess_memory_dropped") : NULL;
    return dropped ? dropped(memory) : 0;
}

void oriel_memory_reset(struct oriel_memory *memory)
{
    typedef void reset_fn(struct oriel_memory * m);
    reset_fn *reset = memory ? (reset_fn *)inprocess("oriel_inprocess_memory_reset") : NULL;
    if (reset)
        reset(memory);
}

int oriel_memory_free(struct oriel_memory *memory)
{
    memory_fn *done = memory ? (memory_fn *)inprocess("oriel_inprocess_memory_free") : NULL;
    return done ? done(memory) : 0;
}

/* ---- oriel/config.h ---- */

int oriel_config_parse(struct oriel_config **out, const char *path, char *why, size_t size)
{
    typedef int parse_fn(struct oriel_config * *out, const char *path, char *why, size_t size);
    parse_fn *parse = (parse_fn *)inprocess("oriel_inprocess_config_parse");
    return parse ? parse(out, path, why, size) : ORIEL_ENOTFOUND;
}

int oriel_config_parse_text(struct oriel_config **out, const char *name, const char *text, size_t n,
                            char *why, size_t size)
{
    typedef int parse_fn(struct oriel_config * *out, const char *name, const char *text, size_t n,
                         char *why, size_t size);
    parse_fn *parse = (parse_fn *)inprocess("oriel_inprocess_config_parse_text");
    return parse ? parse(out, name, text, n, why, size) : ORIEL_ENOTFOUND;
}

void oriel_config_free(struct oriel_config *config)
{
    typedef void free_fn(struct oriel_config * c);
    free_fn *done = config ? (free_fn *)inprocess("oriel_inprocess_config_free") : NULL;
    if (done)
        done(config);
}

const char *oriel_config_get(const struct oriel_config *config, const char *path)
{
    typedef const char *get_fn(const struct oriel_config *c, const char *path);
    get_fn *get = config ? (get_fn *)inprocess("oriel_inprocess_config_get") : NULL;
    return get ? get(config, path) : NULL;
}

const char *oriel_config_name(const struct oriel_config *config, const char *path, size_t i)
{
    typedef const char *name_fn(const struct oriel_config *c, const char *path, size_t i);
    name_fn *name = config ? (name_fn *)inprocess("oriel_inprocess_config_name") : NULL;
    return name ? name(config, path, i) : NULL;
}

int oriel_config_set(struct oriel_config *config, const char *path, const char *yaml)
{
    typedef int set_fn(struct oriel_config * c, const char *path, const char *yaml);
    set_fn *set = config ? (set_fn *)inprocess("oriel_inprocess_config_set") : NULL;
    return set ? set(config, path, yaml) : ORIEL_EINVAL;
}

int oriel_component_register(const struct oriel_component *component)
{
    typedef int register_fn(const struct oriel_component *c);
    register_fn *add = (register_fn *)inprocess("oriel_inprocess_component_register");
    return add ? add(component) : ORIEL_ENOTFOUND;
}
