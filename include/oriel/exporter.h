/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Finished spans and log records given to code of the program itself: exporters
 * that a program writes, and one that is ready and keeps them in memory, for its
 * tests. They run inside the program, on Oriel's thread, and get what every other
 * outlet gets: ordered, sampled, limited, without secrets.
 *
 *   static int take(void *mine, const struct oriel_view_span *const *spans, size_t n,
 *                   unsigned timeout_ms);
 *   oriel_exporter_add(&(struct oriel_exporter){sizeof(struct oriel_exporter), .name = "mine",
 *                                               .export_spans = take});
 *   oriel_start(NULL);
 */
#ifndef ORIEL_EXPORTER_H
#define ORIEL_EXPORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/site.h"

#ifndef ORIEL_EXPORT
#define ORIEL_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what is seen ---- */

/* Texts end with NUL, are never NULL and hold any bytes: what is no UTF-8 is as it was said.
 * All of it is gone when the call that gave it returns. */

enum oriel_view_flag {
    ORIEL_VIEW_JSON = 1,     /* attribute: a text that is the JSON of an array, an object or null */
    ORIEL_VIEW_REDACTED = 2, /* attribute: it was a secret */
    ORIEL_VIEW_SEEN = 4,     /* log record: Oriel's word, not the program's (the system's figures,
                              * records that were lost) */
    ORIEL_VIEW_UNFINISHED = 8,    /* span: nobody ended it; end_ns is the last that was known */
    ORIEL_VIEW_ASYNC = 16,        /* span: opened and closed, busy for busy_ns of its time */
    ORIEL_VIEW_REMOTE_PARENT = 32 /* span: its parent is in another process */
};

/* It stands in arrays and stays as it is. */
struct oriel_view_attribute {
    const char *key;
    uint32_t type;       /* enum oriel_type */
    uint32_t flags;      /* enum oriel_view_flag */
    uint32_t bytes;      /* of text, without the NUL */
    uint32_t full_bytes; /* of text before it was cut */
    union {
        bool b;
        int64_t i64;
        uint64_t u64; /* u64 and ptr */
        double f64;
        const char *text; /* str and bytes */
    } v;
};
/* Those below may grow at their end; arrays of them are arrays of pointers. */
struct oriel_view_resource { /* who says it */
    const char *schema_url;
    const struct oriel_view_attribute *attributes;
    size_t attribute_count;
};
struct oriel_view_scope { /* which part of the program: its target */
    const char *name, *version, *schema_url;
    const struct oriel_view_attribute *attributes;
    size_t attribute_count;
};
struct oriel_view_link {
    uint8_t trace_id[16], span_id[8];
    uint32_t trace_flags; /* of W3C; above them ORIEL_CONTEXT_* */
    bool follows_from;
    const char *trace_state;
    const struct oriel_view_attribute *attributes;
    size_t attribute_count;
    uint32_t dropped_attributes;
};
struct oriel_view_event { /* of a span; it is a log record, too */
    uint64_t time_ns;     /* unix, as all times here */
    const char *name;
    const struct oriel_view_attribute *attributes;
    size_t attribute_count;
    uint32_t dropped_attributes;
};
/* Ids are those of W3C, in the order in which they are written. */
struct oriel_view_span {
    uint8_t trace_id[16], span_id[8], parent_id[8]; /* no parent: zeros */
    uint32_t trace_flags;
    uint32_t flags; /* enum oriel_view_flag */
    const char *trace_state;
    const char *name;
    uint32_t kind;   /* as of OTLP: 1 internal, 2 server, 3 client, 4 producer, 5 consumer */
    uint32_t status; /* enum oriel_status */
    const char *status_message;
    uint64_t start_ns, end_ns, busy_ns;
    const struct oriel_view_attribute *attributes;
    size_t attribute_count;
    const struct oriel_view_event *const *events;
    size_t event_count;
    const struct oriel_view_link *const *links;
    size_t link_count;
    uint32_t dropped_attributes, dropped_events, dropped_links;
    const struct oriel_view_scope *scope;
    const struct oriel_view_resource *resource;
    const char *file, *function; /* where it is said */
    uint32_t line;
    int32_t thread_id;
    const char *thread_name;
};
struct oriel_view_log {
    uint64_t time_ns, observed_ns;
    uint8_t trace_id[16], span_id[8]; /* outside of spans: zeros */
    uint32_t trace_flags;
    uint32_t flags;    /* enum oriel_view_flag */
    uint32_t severity; /* OpenTelemetry's number: 1 trace, 5 debug, 9 info, 13, 17, 21 fatal */
    const char *severity_text;
    const char *event_name; /* "" where it has none */
    const char *body;
    size_t body_bytes;
    const struct oriel_view_attribute *attributes;
    size_t attribute_count;
    uint32_t dropped_attributes;
    const struct oriel_view_scope *scope;
    const struct oriel_view_resource *resource;
    const char *file, *function;
    uint32_t line;
    int32_t thread_id;
    const char *thread_name;
};

/* ---- exporters of the program ---- */

/*
 * Called one at a time, on the thread that serves all outlets; a function that is NULL is left
 * out, and what it would get with it. 0, or a negative number: what the call was given is counted
 * as not delivered, and never given again. timeout_ms is the time that is left; a call that takes
 * longer holds up the other outlets, while records wait in the ring, and what that has no room
 * for is counted as lost; the program itself never waits. What a call says to Oriel is not
 * recorded. Waiting for that thread in a call (oriel_flush, oriel_stop) is refused with
 * ORIEL_EBUSY.
 */
struct oriel_exporter {
    size_t size;      /* sizeof(struct oriel_exporter) */
    const char *name; /* for messages; copied. Each registered one has its own */
    void *user;       /* first argument of each call */
    int (*export_spans)(void *user, const struct oriel_view_span *const *spans, size_t count,
                        unsigned timeout_ms);
    int (*export_logs)(void *user, const struct oriel_view_log *const *logs, size_t count,
                       unsigned timeout_ms);
    /* All that was given is to be where it belongs: after each oriel_flush, and at the end. */
    int (*force_flush)(void *user, unsigned timeout_ms);
    /* The last call there is, once, also after a start that failed. */
    int (*shutdown)(void *user, unsigned timeout_ms);
};
#define ORIEL_EXPORTERS_MAX 4

/* For the next oriel_start, and until the end of what that starts, whatever its `backend` is
 * ("program": nothing else besides); batches as [telemetry.batch] has them. When it was shut down
 * it is forgotten: for another start it is registered again. Loads liboriel. 0; ORIEL_EINVAL;
 * ORIEL_ESTATE (a name that is taken); ORIEL_ELIMIT; ORIEL_ENOMEM; ORIEL_ENOTFOUND (no liboriel).
 * A fork child has none. Not from signal handlers. */
ORIEL_EXPORT int oriel_exporter_add(const struct oriel_exporter *exporter);
/* Before it was started. 0; ORIEL_ENOTFOUND; ORIEL_EBUSY (it is at work: oriel_stop). */
ORIEL_EXPORT int oriel_exporter_remove(const char *name);

/* ---- finished spans and log records in memory ---- */

/* Keeps what the program said, up to `most` spans and as many log records; what comes later is
 * dropped and counted. Nothing of ORIEL_VIEW_SEEN. NULL: no memory, or no liboriel. */
struct oriel_memory;
ORIEL_EXPORT struct oriel_memory *oriel_memory_new(size_t most);
/* As oriel_exporter_add, with the name "memory"; it may be added again for each start. */
ORIEL_EXPORT int oriel_memory_add(struct oriel_memory *memory);
/* How many there are; as many as there is room for come into `out`, in the order in which they
 * finished. They stay where they are until oriel_memory_reset. What is not finished yet, or on its
 * way: oriel_flush first. Any thread. */
ORIEL_EXPORT size_t oriel_memory_spans(struct oriel_memory *memory,
                                       const struct oriel_view_span **out, size_t room);
ORIEL_EXPORT size_t oriel_memory_logs(struct oriel_memory *memory,
                                      const struct oriel_view_log **out, size_t room);
/* Spans and log records that it had no room or no memory for. */
ORIEL_EXPORT uint64_t oriel_memory_dropped(struct oriel_memory *memory);
/* Forget them, and what was dropped. */
ORIEL_EXPORT void oriel_memory_reset(struct oriel_memory *memory);
/* Takes NULL. ORIEL_EBUSY: it is at work (oriel_stop first), and stays. */
ORIEL_EXPORT int oriel_memory_free(struct oriel_memory *memory);

/* The attribute of this key among n; NULL if there is none. */
static inline const struct oriel_view_attribute *
oriel_view_find(const struct oriel_view_attribute *attributes, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++) {
        const char *a = attributes[i].key, *b = key;
        while (*a && *a == *b) {
            a++;
            b++;
        }
        if (*a == *b)
            return &attributes[i];
    }
    return NULL;
}

#ifdef __cplusplus
}
#endif
#endif
