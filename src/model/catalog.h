/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The catalog: who said something (processes, threads) and where (sites).
 * Append-only; items never move and live as long as the catalog, so batches
 * refer to them by pointer. Filled by a source, read by everything after it.
 * One thread at a time.
 */
#ifndef ORIEL_MODEL_CATALOG_H
#define ORIEL_MODEL_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <oriel/abi/record.h>
#include <oriel/abi/site.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "model/stack.h"
#include "model/str.h"

struct model_value {
    struct model_str key;
    uint8_t type;        /* enum oriel_type */
    uint8_t flags;       /* enum oriel_field_flag, or MODEL_VALUE_* */
    uint32_t full_bytes; /* str, bytes: length before truncation */
    union {
        bool b;
        int64_t i64;
        uint64_t u64; /* u64 and ptr */
        double f64;
        struct model_str str; /* str and bytes */
    } v;
};
#define MODEL_VALUE_REDACTED 0x40u /* the pipe replaced the text */
#define MODEL_VALUE_TRUNCATED 0x80u

struct model_field_def {
    struct model_str name;
    uint8_t type;  /* enum oriel_type */
    uint8_t flags; /* enum oriel_field_flag, MODEL_FIELD_KEYED */
};
/* The name says that the value is a secret: a text that it has never leaves. */
#define MODEL_FIELD_KEYED 0x20u

struct model_site {
    uint32_t index; /* dense, in this catalog; starts at 0 */
    uint32_t id;    /* as in records of its process */
    uint32_t process;
    uint32_t line;
    uint8_t kind;  /* enum oriel_site_kind */
    uint8_t level; /* enum oriel_level */
    uint16_t field_count;
    uint32_t flags; /* as in struct oriel_site */
    uint32_t scope; /* index + 1 of the catalog's scopes; 0 none but the target */
    bool has_texts; /* fields of type str or bytes: set by the catalog */
    bool copies;    /* by the catalog: events of spans here are log records of their program, too */
    struct model_str name, target, file, function, format;
    const struct model_field_def *fields;
    const uint8_t *types; /* field_count types, for wire_record_check */
};

/* Attribute of a resource by which a program says that: MODEL_SPAN_EVENTS_LOGGED. */
#define MODEL_SPAN_EVENTS_KEY "oriel.span_events"
#define MODEL_SPAN_EVENTS_LOGGED "logged"

/* What a program's protocol said of a whole: a resource, an instrumentation scope. */
struct model_told {
    struct model_str schema_url;
    const struct model_value *attrs;
    uint32_t attr_count, dropped_attrs;
};
struct model_scope {
    uint32_t index; /* dense */
    struct model_str name, version;
    struct model_told told;
};

struct model_attr_text { /* a resource attribute */
    struct model_str key, value;
};

/* How ticks (word 1 of a record) became its t_ns: both pieces of the source's
 * clock_map. A source keeps it up to date before it hands a batch out, so that
 * a capture can store the ticks alone. now.mult 0: unknown. */
struct model_clock {
    struct clock_piece now, before;
};

struct model_process {
    uint32_t index; /* dense */
    int32_t pid, ppid;
    uint64_t start_ns; /* unix; when it attached */
    uint64_t trace_hi, trace_salt;
    uint64_t seed[2]; /* those two, where they were known when it was met: its identity */
    struct model_clock clock;
    struct model_str exe, cmdline; /* cmdline: NUL between arguments */
    struct model_str name;         /* last component of exe */
    const struct model_told *told; /* its resource as it said it itself; NULL: one of ours */
};

/* One thread of one process. Several wire streams (signal handlers, copies of
 * the library) may belong to it. */
struct model_thread {
    uint32_t index; /* dense */
    uint32_t process;
    int32_t tid;
    uint32_t serial;       /* of its first stream */
    uint32_t own_serial;   /* of the first it writes itself, if it was looked at before; else 0 */
    bool looked_at;        /* met by a source that looks at the program from outside */
    struct model_str name; /* may change; points into the catalog */
    uint64_t lost[ORIEL_LOST_CAUSES];
};

/* What describes the recording as a whole: R-004's artifact header and the
 * resource. Keys follow OpenTelemetry where a convention exists
 * (service.name, host.name, process.*, vcs.ref.head.revision, ...). */
struct model_catalog {
    struct arena arena;
    struct map site_by_key;    /* process << 32 | id -> index */
    struct map thread_by_key;  /* serial -> index */
    struct map thread_by_tid;  /* process << 32 | tid -> index of the latest */
    struct map process_by_pid; /* -> index of the latest */
    struct model_site **sites;
    struct model_process **processes;
    struct model_thread **threads;
    struct model_attr_text *resource;
    uint32_t site_count, site_capacity;
    uint32_t process_count, process_capacity;
    uint32_t thread_count, thread_capacity;
    uint32_t resource_count, resource_capacity;
    struct model_scope **scopes;
    uint32_t scope_count, scope_capacity;
    uint8_t session_id[16];
    int32_t said_pid;                 /* whose service.instance.id was said; 0: the first's */
    uint64_t start_ns;                /* unix; when the recording began */
    uint64_t lost[ORIEL_LOST_CAUSES]; /* losses that belong to no thread */
    uint64_t loss_changes;            /* grows when a live source changes a count of losses:
                                       * outlets of records save it before the source forgets it */
    struct model_stacks stacks;       /* what samples refer to */
};

/* All return NULL (or ORIEL_ENOMEM) when out of memory; texts are copied, without what
 * is a secret in them: whatever an outlet writes of the catalog has none. */
void model_catalog_init(struct model_catalog *c);
void model_catalog_done(struct model_catalog *c);
struct model_process *model_catalog_add_process(struct model_catalog *c, int32_t pid,
                                                struct model_str exe, struct model_str cmdline);
/* The process of this pid as another source met it, made if there is none: one
 * that has no seeds of trace ids yet gets these texts. */
struct model_process *model_catalog_adopt_process(struct model_catalog *c, int32_t pid,
                                                  struct model_str exe, struct model_str cmdline);
/* It turned out to run another program than was thought; how it was called is not
 * known. 0 or ORIEL_ENOMEM. */
int model_process_set_program(struct model_catalog *c, struct model_process *p,
                              struct model_str exe);
struct model_thread *model_catalog_add_thread(struct model_catalog *c, uint32_t process,
                                              int32_t tid, uint32_t serial);
/* The thread of this tid as a source that looks from outside met it, made if there
 * is none: one that writes no stream of its own yet writes this one. */
struct model_thread *model_catalog_adopt_thread(struct model_catalog *c, uint32_t process,
                                                int32_t tid, uint32_t serial);
/* Let a further stream (serial) count as this thread. */
int model_catalog_alias_thread(struct model_catalog *c, uint32_t serial, uint32_t index);
int model_thread_set_name(struct model_catalog *c, struct model_thread *t, struct model_str name);
/* Copies `site` with its texts and fields; index is assigned. A site of the
 * same process and id that exists already is returned unchanged. */
struct model_site *model_catalog_add_site(struct model_catalog *c, const struct model_site *site);
/* No secrets in what will be told of a whole: by key, and by what texts look like. Texts
 * that change are copied into the arena. */
void model_told_redact(struct model_value *values, uint32_t n, struct arena *arena);
/* What a process said of itself; copied. 0 or ORIEL_ENOMEM. */
int model_process_set_told(struct model_catalog *c, struct model_process *p,
                           const struct model_told *told);
/* A scope, copied; the one that is equal if there is one. NULL: no memory. */
struct model_scope *model_catalog_add_scope(struct model_catalog *c,
                                            const struct model_scope *scope);
void model_site_set_scope(struct model_catalog *c, uint32_t site, const struct model_scope *scope);
int model_catalog_set_resource(struct model_catalog *c, struct model_str key,
                               struct model_str value);

const struct model_site *model_catalog_site(const struct model_catalog *c, uint32_t process,
                                            uint32_t id);
const struct model_thread *model_catalog_thread(const struct model_catalog *c, uint32_t serial);
/* The latest of this pid, and of this tid in it: sources that see the same
 * program in different ways mean the same thread. NULL: none yet. */
struct model_process *model_catalog_find_process(const struct model_catalog *c, int32_t pid);
struct model_thread *model_catalog_find_thread(const struct model_catalog *c, uint32_t process,
                                               int32_t tid);
/* A time in ticks of the thread's process, in which a capture says it in few bytes; in
 * nanoseconds of the monotonic clock (`offset` less) while its clock is not known. */
uint64_t model_catalog_ticks(const struct model_catalog *c, const struct model_thread *t,
                             uint64_t unix_ns, uint64_t offset);
/* Empty string when the key is absent. */
struct model_str model_catalog_resource(const struct model_catalog *c, const char *key);

#endif
