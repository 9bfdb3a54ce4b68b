/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Chrome Trace Event outlet, inside.
 *
 *   chrome.c  the file: table, begin and end, valid after every flush
 *   items.c   items to events
 *   args.c    the args object: ids, attributes, marks
 *   names.c   prefixes per site and thread, process and thread metadata
 *
 * One event per line. A line begins with the comma that ends the one before,
 * so that what stands in the buffer is always whole. Runs on one thread.
 */
#ifndef ORIEL_EXPORT_CHROME_CHROME_H
#define ORIEL_EXPORT_CHROME_CHROME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/vec.h"
#include "export/exporter.h"
#include "export/flow.h"
#include "export/hex.h"
#include "export/identity.h"
#include "export/waiting.h"

enum chrome_form { CHROME_ARRAY = 0, CHROME_OBJECT = 1 };

struct chrome_options {
    int form;    /* enum chrome_form */
    bool ids;    /* trace, span and parent id in args */
    bool source; /* file and line in args */
};

/* Bytes that are copied in steps of CHROME_STEP, so readable that far. */
enum { CHROME_STEP = 32 };
struct chrome_text {
    const char *p; /* NULL: not made yet */
    uint32_t n;
};

/* ",\n{"ph":"X"," ... the phase stands at a fixed place of a site's prefix. */
enum { CHROME_PHASE_AT = 9 };

struct chrome_site {
    struct chrome_text head; /* from the comma to the category */
    struct chrome_text args; /* "src":"file:line", or nothing */
};

struct chrome_thread {
    struct chrome_text head; /* ,"pid":1,"tid":2,"ts": */
    const char *name;        /* as last told */
    uint32_t name_n;
    int32_t pid, tid;
    bool told; /* its metadata is out */
};

struct chrome {
    struct export_env env;
    struct chrome_options options;
    struct buf buf;                /* whole lines, not written yet, */
    struct export_waiting waiting; /* and the items in them */
    uint64_t base_ns;              /* time 0 of the file */
    uint64_t tail;                 /* bytes at the end of the file that close it for now */
    bool begun;                    /* base_ns is decided, the head is written */
    uint64_t early;                /* items that began before base_ns */
    struct arena texts;
    VEC(struct chrome_site) sites;
    VEC(struct chrome_thread) threads;
    VEC(int32_t) pids; /* by process; 0: not told yet */
    struct export_identity identity;
    struct export_flows flows;
    struct buf renamed_head;    /* of the span that was renamed and is written now */
    struct chrome_site renamed; /* in place of that of its site */
    char fractions[1000][4];    /* ".000" to ".999" */
};

/* ---- names.c ---- */

void chrome_names_init(struct chrome *c);
void chrome_names_done(struct chrome *c);
/* Tell everything again: what was told did not reach the file. */
void chrome_names_forget(struct chrome *c);
/* NULL only when out of memory (the buffer has failed then). The pointers are
 * valid until the next call. A thread's metadata goes out before its first use. */
const struct chrome_site *chrome_site_slow(struct chrome *c, const struct model_site *s);
/* The site of a span with the name of its own; until the next call. NULL: no memory. */
const struct chrome_site *chrome_site_renamed(struct chrome *c, const struct model_span *s);
struct chrome_thread *chrome_thread_slow(struct chrome *c, const struct model_thread *t);

static inline const struct chrome_site *chrome_site(struct chrome *c, const struct model_site *s)
{
    if (__builtin_expect(s->index < c->sites.count && c->sites.items[s->index].head.p, 1))
        return &c->sites.items[s->index];
    return chrome_site_slow(c, s);
}
static inline struct chrome_thread *chrome_thread(struct chrome *c, const struct model_thread *t)
{
    if (__builtin_expect(t->index < c->threads.count, 1)) {
        struct chrome_thread *k = &c->threads.items[t->index];
        if (__builtin_expect(k->told && k->name == t->name.p && k->name_n == t->name.n, 1))
            return k;
    }
    return chrome_thread_slow(c, t);
}

/* The first event of a file: session, resource, losses so far. */
void chrome_put_session(struct chrome *c);
/* {"session_id":...}: the same, and the totals where `end` is not NULL. */
void chrome_put_metadata(struct chrome *c, const struct export_summary *end);

/* ---- args.c ---- */

struct chrome_ids {
    const uint8_t *trace_id;
    uint64_t span_id, parent_id; /* 0: none */
};

/* Room for the ids and the punctuation around them. */
enum { CHROME_IDS_ROOM = 192 };
/* ,"key":value for each. */
void chrome_put_attrs(struct buf *b, const struct model_value *attrs, uint32_t n);
/* The same for what is special about a span: marks, status, links. */
void chrome_put_span_marks(struct chrome *c, const struct model_span *s);
/* The value alone. */
void chrome_put_value(struct buf *b, const struct model_value *v);
void chrome_put_u64(struct buf *b, uint64_t v);

/* ---- items.c ---- */

void chrome_put_item(struct chrome *c, const struct model_item *item);

/* ---- shared by the encoders ---- */

static inline char *chrome_copy(char *o, struct chrome_text t)
{
    for (uint32_t i = 0; i < t.n; i += CHROME_STEP)
        memcpy(o + i, t.p + i, CHROME_STEP);
    return o + t.n;
}

static inline char *chrome_put_id(char *o, const char *key, size_t n, const void *bytes)
{
    memcpy(o, key, n);
    o = export_put_hex8(o + n, bytes);
    memcpy(o, "\",", 2);
    return o + 2;
}

/* Members of an args object, each followed by a comma. Trace ids are made anew
 * each time: to copy what was made just before would wait for its stores. */
static inline char *chrome_put_ids(char *o, const struct chrome_ids *ids)
{
    uint64_t trace[2];
    memcpy(trace, ids->trace_id, sizeof trace);
    if (__builtin_expect((trace[0] | trace[1]) != 0, 1)) {
        memcpy(o, "\"trace_id\":\"", 12);
        o = export_put_hex8(o + 12, &trace[0]);
        o = export_put_hex8(o, &trace[1]);
        memcpy(o, "\",", 2);
        o += 2;
    }
    if (ids->span_id)
        o = chrome_put_id(o, "\"span_id\":\"", 11, &ids->span_id);
    if (ids->parent_id)
        o = chrome_put_id(o, "\"parent_span_id\":\"", 18, &ids->parent_id);
    return o;
}

#endif
