/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * OTLP as it comes in (opentelemetry-proto 1.x), inside.
 *
 *   schema.c  the messages as tables; is this one of them?
 *   json.c    a request in JSON becomes the same one in protobuf, by the tables
 *   attrs.c   attributes and their values
 *   tell.c    who speaks (resource, scope) and what is said, as records
 *   decode.c  from a request to what is told, item by item
 *   file.c    the source of OTLP files
 *   server.c  connections; route.c what they ask for; collect.c the source of them
 *
 * A request is checked as a whole before a word of it is told, so one that is
 * refused has left nothing. Everything here is untrusted. One thread.
 */
#ifndef ORIEL_SOURCE_OTLP_OTLP_H
#define ORIEL_SOURCE_OTLP_OTLP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "source/source.h"
#include "util/pb.h"

enum otlp_signal { OTLP_TRACES, OTLP_LOGS, OTLP_METRICS, OTLP_SIGNALS };
enum {
    OTLP_DEPTH_MAX = 64,
    OTLP_ATTRS_MAX = 1024,  /* of one thing; what is beyond is counted as dropped */
    OTLP_DETAILS_MAX = 1024 /* events, and links, of one span: the same */
};

/* ---- schema.c ---- */

enum otlp_type {
    OTLP_MESSAGE,
    OTLP_TEXT,
    OTLP_BYTES,
    OTLP_ID, /* bytes, in JSON hexadecimal */
    OTLP_FIXED64,
    OTLP_FIXED32,
    OTLP_INT64,
    OTLP_VARINT, /* uint32, enumerations: never negative */
    OTLP_BOOL,
    OTLP_DOUBLE
};
struct otlp_field {
    uint8_t number, type; /* enum otlp_type */
    bool repeated;
    const char *json;
    const struct otlp_message *message;
};
struct otlp_message {
    const struct otlp_field *fields; /* number 0 at the end */
};
extern const struct otlp_message otlp_requests[OTLP_SIGNALS];

/* Whether all of it is such a message. 0; ORIEL_EFORMAT; ORIEL_ELIMIT: nested too deep, or
 * of more fields than may be (0: as many as it likes). */
int otlp_check(enum otlp_signal signal, const void *bytes, size_t n, uint64_t fields_max,
               struct oriel_err *err);
const struct otlp_field *otlp_field_of(const struct otlp_message *m, uint32_t number);

/* ---- json.c ---- */

/* Append the request in protobuf. 0; ORIEL_EFORMAT with what is wrong; ORIEL_ELIMIT;
 * ORIEL_ENOMEM. */
int otlp_from_json(enum otlp_signal signal, const char *text, size_t n, struct buf *out,
                   struct oriel_err *err);

/* ---- attrs.c ---- */

/* What is told with one thing, as values of the model. Texts are in the request, or in
 * the arena. */
struct otlp_values {
    struct model_value items[OTLP_ATTRS_MAX];
    uint32_t count;
    uint64_t dropped;
    struct arena *arena;
    uint32_t text_max; /* what is longer will be cut */
};
void otlp_values_begin(struct otlp_values *v, struct arena *arena, uint32_t text_max);
/* A KeyValue. */
void otlp_values_add(struct otlp_values *v, const struct pb_field *pair);
/* An AnyValue under a name of ours (ORIEL_FIELD_META). */
void otlp_values_any(struct otlp_values *v, const char *key, const struct pb_field *any);
void otlp_values_text(struct otlp_values *v, const char *key, const void *text, size_t n);
void otlp_values_u64(struct otlp_values *v, const char *key, uint64_t n);

/* ---- tell.c ---- */

#define OTLP_TEXT_MAX (64u << 10) /* unless it is said otherwise */
enum otlp_cause {
    OTLP_NO_ID,    /* a span without a valid trace or span id */
    OTLP_MANY_WHO, /* too many different resources */
    OTLP_NO_MEMORY,
    OTLP_METRIC, /* metrics are not kept yet */
    OTLP_CAUSES
};
struct otlp_stream {
    struct model_thread *thread;
    uint64_t position, said_ns;
    uint32_t of; /* the stream of the program, which has its sites: itself, or that of its lane */
    uint32_t next_site, lanes;
};
struct otlp_site {
    uint64_t check;
    const struct model_site *site;
};
struct otlp_tell {
    struct model_catalog *catalog;
    struct model_batch *batch; /* while something is told */
    struct map stream_by_key, site_by_key, lane_by_key;
    uint32_t programs; /* of the streams; the others are lanes of theirs */
    VEC(struct otlp_stream) streams;
    VEC(struct otlp_site) sites;
    struct buf key;
    uint64_t seed[2];    /* of the hashes: not to be guessed from outside */
    uint64_t name_bytes; /* that sites took */
    uint64_t now_ns;     /* unix; when it was told */
    uint32_t text_max;   /* bytes of one text, or of the JSON of one value */
    uint64_t spans, logs, span_events, refused[OTLP_CAUSES], truncated, generic;
    uint64_t lost[ORIEL_LOST_CAUSES]; /* records, as senders of our kind told of */
};
int otlp_tell_init(struct otlp_tell *t, struct model_catalog *catalog);
void otlp_tell_done(struct otlp_tell *t);
/* The stream of whoever sent this resource; UINT32_MAX: too many, or no memory (the
 * cause is in *out_cause). */
uint32_t otlp_tell_who(struct otlp_tell *t, const struct pb_field *resource,
                       struct model_str schema_url, enum otlp_cause *out_cause);
/* lane.c: the stream of the thread that an item says it is of, by its attributes (their number); or
 * that of the program, where it says none or there are too many. */
uint32_t otlp_tell_lane(struct otlp_tell *t, uint32_t stream, const struct pb_field *item,
                        uint32_t attributes);
/* NULL: no memory. */
const struct model_scope *otlp_tell_scope(struct otlp_tell *t, const struct pb_field *scope,
                                          struct model_str schema_url);
/* One record: words that stand before the fields, then as many of the fields from *io_at
 * on as fit; *io_at is where it stopped. False: no memory. */
struct otlp_record {
    uint32_t stream;
    const struct model_scope *scope;
    struct model_str name, format;
    uint8_t type, site_kind, level, flags;
    uint8_t site_flags;
    uint32_t prefix;
    const uint64_t *words; /* from word 1 on: prefix - 1 of them */
};
bool otlp_tell_record(struct otlp_tell *t, const struct otlp_record *r,
                      const struct otlp_values *values, uint32_t *io_at);
/* The same, with a count of what did not fit; for what has one record only. */
bool otlp_tell_single(struct otlp_tell *t, const struct otlp_record *r, struct otlp_values *values);

/* ---- decode.c ---- */

/* A checked request on its way into records. */
struct otlp_decode {
    enum otlp_signal signal;
    struct pb_reader request, resource, scope;
    bool in_resource, in_scope, no_stream;
    uint32_t stream, lane; /* of the program, and of the item */
    enum otlp_cause cause; /* why there is no stream */
    const struct model_scope *scope_said;
    struct model_str resource_schema, scope_schema;
    struct pb_field resource_field;
    uint64_t items, rejected;  /* told and refused, of this request */
    struct otlp_values values; /* of the item that is being told */
};
void otlp_decode_begin(struct otlp_decode *d, enum otlp_signal signal, const void *bytes, size_t n);
/* Tell items until the batch has max_records or all are told. 0: there are more; 1: done. */
int otlp_decode_run(struct otlp_decode *d, struct otlp_tell *t, size_t max_records);

#endif
