/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What programs do with liboriel beside switching it on: each function of
 * oriel/exporter.h is one of the same name there. Never on the record path.
 */
#include <oriel/exporter.h>

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
