/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * OTLP outlet, inside (opentelemetry-proto 1.x: trace/v1, logs/v1, resource/v1).
 *
 *   otlp.c      table, requests: what one is made of and when it goes out
 *   put.h       fields, in both encodings
 *   attrs.c     attributes and their values
 *   span.c      spans with their events, links and status
 *   log.c       events and losses as log records; events of a span
 *   resource.c  what is said once: resource of a process, scope and place of a site
 *   told.c      what came from other programs, given back as it came
 *   nested.c    arrays and lists of pairs in values
 *   held.c      events wait for the span they belong to
 *   receiver.c  how a receiver is spoken to, and what its answers mean
 *
 * An item is encoded where it stays, behind the others of its scope; a request puts
 * what its scopes have together behind their resources. The opening of a request
 * stands before the items of each scope already: one that is alone in its request,
 * as most are, goes out as it is, without a copy. Runs on one thread.
 */
#ifndef ORIEL_EXPORT_OTLP_OTLP_H
#define ORIEL_EXPORT_OTLP_OTLP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "export/exporter.h"
#include "export/otlp/put.h"

enum otlp_protocol { OTLP_AUTO, OTLP_GRPC, OTLP_HTTP_PROTOBUF, OTLP_HTTP_JSON };
enum otlp_encoding { OTLP_JSON = 0, OTLP_PROTOBUF = 1 };
enum otlp_signal { OTLP_TRACES = 0, OTLP_LOGS = 1, OTLP_SIGNALS = 2 };

/* What the standard's processors limit; -1: nothing. */
struct otlp_limits {
    int64_t attributes, text;
};
struct otlp_options {
    int encoding;       /* enum otlp_encoding; of a file */
    int signals;        /* 0 both, else enum otlp_signal + 1 */
    bool span_events;   /* events of a span are in it, too */
    bool source;        /* code.* */
    int64_t batch;      /* items in a request, at most */
    uint64_t max_bytes; /* of a request, unless one item alone is larger */
    /* To a receiver. */
    const char *endpoint, *headers, *certificate, *client_certificate, *client_key;
    const char *proxy, *no_proxy, *spool_dir, *also, *headers_vault_key;
    int protocol, compression; /* enum otlp_protocol, enum deliver_compression */
    bool insecure;
    int64_t timeout_ms, queue_items;
    uint64_t queue_bytes, retry_first, retry_most, retry_for, spool_bytes;
    uint64_t delay[2];        /* by enum otlp_signal: longest wait of an item for its request */
    int64_t batches[2];       /* by enum otlp_signal; 0: as batch */
    struct otlp_limits of[2]; /* by enum otlp_signal */
    int64_t event_count, link_count, event_attribute_count, link_attribute_count;
};

/* Items of one scope that wait for their request. */
struct otlp_group {
    uint32_t process;
    uint32_t scope; /* index + 1 of one that was told; 0: the target alone */
    uint8_t signal;
    struct model_str target; /* in the catalog */
    struct buf items;
    size_t front; /* bytes of `items` before the first: a request opened for this group alone */
    struct pb_mark resource_mark, scope_mark; /* in the front */
    uint32_t attributes;                      /* of the catalog, when the front was made */
    uint64_t count;
};

/* What is the same for everything a site says: where it goes and its first bytes. */
struct otlp_site {
    uint32_t group; /* + 1; 0: not made yet */
    uint32_t n;
    char *head;
};

struct otlp_resource {
    struct buf bytes;
    uint32_t attributes; /* of the catalog, when it was made */
    bool made;
};

/* The attributes of a thread, in items of one signal. */
struct otlp_thread {
    struct buf bytes;
    const char *name; /* of the catalog, when they were made: it may get another */
    bool made;
};

/* What stands behind the times of a plain span: the head of its site and the attributes of
 * its thread. Kept by both, as long as nobody else needs the place. */
struct otlp_tail {
    const struct model_site *site; /* NULL: vacant */
    const struct model_thread *thread;
    const char *thread_name; /* of the catalog, when it was made */
    uint32_t scope;          /* of the site, likewise */
    uint32_t group;          /* where the spans go */
    bool seen;               /* otlp_is_seen */
    struct buf bytes;
};
enum { OTLP_TAILS = 64 };

/* What waits of one signal. */
struct otlp_waiting {
    uint64_t items, bytes;
    uint64_t seen;     /* of the items MODEL_SEEN */
    uint64_t since_ns; /* when it was first seen to wait; 0: not yet */
};

/* Events of a span that has not ended. */
struct otlp_held_span {
    struct buf events;
    uint32_t count;
    uint32_t next_vacant; /* index + 1 of another entry that is free; 0 none */
};
enum { OTLP_HELD_EVENTS = 128, OTLP_HELD_BYTES = 16 << 20 };
struct otlp_held {
    struct map by_span; /* id -> index in spans */
    VEC(struct otlp_held_span) spans;
    uint32_t vacant; /* index + 1; 0 none */
    uint64_t bytes;
};

struct otlp {
    struct export_env env;
    struct otlp_options options;
    struct arena arena; /* heads of sites */
    VEC(struct otlp_site) sites;
    VEC(struct otlp_group) groups;
    VEC(struct otlp_resource) resources; /* by process */
    VEC(struct otlp_thread) threads;     /* by index and signal */
    struct otlp_tail tails[OTLP_TAILS];
    struct otlp_waiting waiting[OTLP_SIGNALS];
    struct otlp_held held;
    struct buf *item;                   /* where the item goes that is being encoded */
    struct buf large, request;          /* large: one that its request had no room for */
    uint64_t unwritten, unwritten_seen; /* not taken by `out` at all */
    bool json;
};

static inline uint64_t otlp_most_items(const struct otlp *o, enum otlp_signal signal)
{
    return (uint64_t)(o->options.batches[signal] ? o->options.batches[signal] : o->options.batch);
}

/* Of the program, by us. */
static inline bool otlp_is_seen(const struct model_site *s)
{
    return s && (s->flags & (ORIEL_SITE_SYSTEM | ORIEL_SITE_SEEN)) != 0;
}

/* ---- receiver.c ---- */

void otlp_destination(const void *options, struct export_destination *out);

/* For attributes of a signal, with the limit of their text. */
struct put otlp_put_limited(struct otlp *o, struct buf *out, enum otlp_signal signal);
/* Encode at the end of o->item. The head of the site is made by now. */
void otlp_put_span(struct otlp *o, const struct model_span *s, const struct otlp_site *site);
/* Spans at the beginning of items[0..n) that have nothing but what every span has, and simple
 * attributes, as long as they go to one group that has items already, and into its request.
 * Returns how many; they wait there now. */
size_t otlp_add_plain(struct otlp *o, const struct model_item *items, size_t n);
void otlp_put_log(struct otlp *o, const struct model_event *e, const struct otlp_site *site);
void otlp_put_loss(struct otlp *o, const struct model_loss *l);
/* The links that the limit lets in; how many it leaves out. `put_rest`: what stands behind the ids
 * of one. */
typedef void otlp_link_fn(struct put *w, const struct model_link *l, const struct otlp_options *o);
uint32_t otlp_put_links(struct put *w, const struct model_span *s, const struct otlp_options *o,
                        otlp_link_fn *put_rest);
/* Nothing for one that is not set. */
void otlp_put_status(struct put *w, const struct model_span *s);

/* ---- attrs.c: one attribute each; `field` is its number in the message around it ---- */

void otlp_attr_text(struct put *w, uint32_t field, const char *key, struct model_str text);
void otlp_attr_i64(struct put *w, uint32_t field, const char *key, int64_t v);
void otlp_attr_true(struct put *w, uint32_t field, const char *key);
/* Of the program's own no more than `limit` (-1: all); returns how many were left out. */
uint32_t otlp_attrs(struct put *w, uint32_t field, const struct model_value *attrs, uint32_t count,
                    int64_t limit);
/* The room that attributes take at most, SIZE_MAX if one of them is for otlp_attrs; and the same
 * bytes as from there at a pointer with that room: the end. */
size_t otlp_simple_room(const struct model_value *attrs, uint32_t count);
char *otlp_at_simple(char *p, uint32_t field, const struct model_value *attrs, uint32_t count);
/* A value as an AnyValue under this name. */
void otlp_any(struct put *w, uint32_t field, const char *name, const struct model_value *v);
void otlp_attr(struct put *w, uint32_t field, const struct model_value *v);

/* ---- resource.c ---- */

/* What begins an item of a site, as this name: it, and a list of attributes that is still open. */
void otlp_put_head(struct put *w, const struct otlp *o, const struct model_site *s,
                   struct model_str name, enum otlp_signal signal);
/* The site's entry with its head; NULL: no memory. */
const struct otlp_site *otlp_site_of(struct otlp *o, const struct model_site *s,
                                     enum otlp_signal signal);
/* The group of a scope, made if there is none; UINT32_MAX: no memory. */
uint32_t otlp_group_of(struct otlp *o, uint32_t process, struct model_str target, uint32_t scope,
                       enum otlp_signal signal);
/* thread.id and thread.name as bytes of attributes; NULL: no memory. */
const struct buf *otlp_thread_of(struct otlp *o, enum otlp_signal signal,
                                 const struct model_thread *t);
/* The same into a list of attributes; nothing for NULL. */
void otlp_put_thread(struct otlp *o, struct put *w, enum otlp_signal signal,
                     const struct model_thread *t);
/* The member "resource" of a process; NULL: no memory. */
const struct buf *otlp_resource_of(struct otlp *o, uint32_t process);

/* ---- told.c: as otlp_put_span, otlp_put_log and the rest, for other programs ---- */

void otlp_put_told_span(struct otlp *o, const struct model_span *s, const struct otlp_site *site);
void otlp_put_told_log(struct otlp *o, const struct model_event *e, const struct otlp_site *site);
void otlp_put_told_event(struct put *w, const struct model_event *e);
/* The attributes of a resource or scope; `field` and `dropped` are numbers of its message. */
void otlp_put_told(struct put *w, const struct model_told *told, uint32_t field, uint32_t dropped);

/* ---- nested.c ---- */

/* False: it is no JSON of an array or the like, and nothing was written. */
bool otlp_put_nested(struct put *w, struct model_str text);

/* ---- held.c ---- */

/* Keep an event for its span, unless that has enough of them. */
void otlp_held_add(struct otlp *o, const struct model_event *e);
/* What was kept for a span, as a list of its events; it is forgotten. Returns
 * how many they were. */
uint32_t otlp_held_take(struct otlp *o, uint64_t span_id, struct put *w);
void otlp_held_done(struct otlp_held *h);

#endif
