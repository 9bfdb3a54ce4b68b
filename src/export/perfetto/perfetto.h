/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Perfetto outlet, inside.
 *
 *   perfetto.c  the file: table, clock, begin and end, what a full disk does
 *   tracks.c    processes, threads, async spans, counters; interned names
 *   annotate.c  debug annotations: ids, attributes, marks
 *   slices.c    spans: packets in the order in which equal times must stand
 *   samples.c   samples, at the end
 *   sched.c     who ran on which CPU and who woke whom, made of them
 *   items.c     everything else
 *
 * Each thread is a packet sequence of its own: its track is the sequence's
 * default, so that a packet need not name it, and what is interned is interned
 * per thread. Sequence 1 is for what belongs to no thread. Runs on one thread.
 */
#ifndef ORIEL_EXPORT_PERFETTO_PERFETTO_H
#define ORIEL_EXPORT_PERFETTO_PERFETTO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/intern.h"
#include "base/vec.h"
#include "export/exporter.h"
#include "export/flow.h"
#include "export/hex.h"
#include "export/identity.h"
#include "export/waiting.h"
#include "model/profile.h"
#include "util/pb.h"

struct perfetto_options {
    bool ids;    /* trace, span and parent id as annotations */
    bool source; /* source location of the call site */
};

/* Field numbers of Perfetto's protos; what is not here is not written. */
enum {
    TRACE_PACKET = 1,
    PACKET_CLOCK_SNAPSHOT = 6,
    PACKET_TIMESTAMP = 8,
    PACKET_SEQUENCE = 10,
    PACKET_TRACK_EVENT = 11,
    PACKET_INTERNED = 12,
    PACKET_FLAGS = 13,
    PACKET_DEFAULTS = 59,
    PACKET_DESCRIPTOR = 60,
    PACKET_TRACE_UUID = 89,

    CLOCKS_CLOCK = 1,
    CLOCK_ID = 1,
    CLOCK_TIMESTAMP = 2,
    DEFAULTS_TRACK_EVENT = 11,

    EVENT_CATEGORY_IID = 3,
    EVENT_ANNOTATION = 4,
    EVENT_LEGACY = 6,
    EVENT_TYPE = 9,
    EVENT_NAME_IID = 10,
    EVENT_TRACK = 11,
    EVENT_CATEGORY = 22,
    EVENT_NAME = 23,
    EVENT_COUNTER = 30,
    EVENT_SOURCE_IID = 34,
    EVENT_DOUBLE_COUNTER = 44,
    EVENT_FLOW = 47,
    EVENT_TERMINATING_FLOW = 48,

    LEGACY_PHASE = 2,
    LEGACY_ID = 6,
    LEGACY_BIND_TO_ENCLOSING = 12,

    TRACK_UUID = 1,
    TRACK_NAME = 2,
    TRACK_PROCESS = 3,
    TRACK_THREAD = 4,
    TRACK_PARENT = 5,
    TRACK_COUNTER = 8,
    PROCESS_PID = 1,
    PROCESS_CMDLINE = 2,
    PROCESS_NAME = 6,
    PROCESS_START = 7,
    THREAD_PID = 1,
    THREAD_TID = 2,
    THREAD_NAME = 5,

    INTERNED_CATEGORY = 1,
    INTERNED_NAME = 2,
    INTERNED_KEY = 3,
    INTERNED_SOURCE = 4,
    INTERNED_IID = 1,
    INTERNED_TEXT = 2,
    SOURCE_FUNCTION = 3,
    SOURCE_LINE = 4,

    KEY_IID = 1,
    KEY_BOOL = 2,
    KEY_UINT = 3,
    KEY_INT = 4,
    KEY_DOUBLE = 5,
    KEY_TEXT = 6,
    KEY_POINTER = 7,
    KEY_NAME = 10,
    KEY_MEMBER = 11,
    KEY_ITEM = 12
};
enum { EVENT_BEGIN = 1, EVENT_END = 2, EVENT_INSTANT = 3, EVENT_COUNT = 4 };
enum { FLAG_STATE_CLEARED = 1, FLAG_NEEDS_STATE = 2 };
enum { CLOCK_UNIX = 1, CLOCK_BOOT = 6 }; /* REALTIME, BOOTTIME */

/* Annotation keys of ours have fixed interned ids; a site's keys follow. */
enum perfetto_key { KEY_TRACE_ID = 1, KEY_SPAN_ID = 2, KEY_PARENT_ID = 3, KEYS_OF_OURS = 4 };

/* Up to 16 bytes, copied whole. */
struct perfetto_bytes {
    uint8_t bytes[16];
    uint32_t n;
};

struct perfetto_site {
    struct perfetto_bytes refs;      /* category, name, source location; n 0: not made yet */
    bool track_told;                 /* of a plot or a frame mark */
    const struct model_scope *scope; /* what is said of its target; NULL: nothing */
};

/* Packets that wait for the span around them, which began at the same time and
 * must stand before them. */
struct perfetto_hold {
    uint64_t start_ns;
    uint32_t depth;
    struct buf packets;
};
enum { PERFETTO_HOLDS = 64 };

struct perfetto_thread {
    const char *name; /* as last told */
    uint32_t name_n;
    bool told;
    int32_t pid, tid;
    uint64_t uuid; /* of its track */
    uint32_t sequence;
    struct perfetto_bytes head; /* sequence and flags of each packet */
    uint64_t *sites, *keys;     /* bits: interned in this sequence */
    size_t site_words, key_words;
    VEC(struct perfetto_hold) holds;
};

struct perfetto_sample {
    uint64_t t_ns, weight, extra;
    uint32_t stack, thread; /* node, index */
    uint8_t kind;
};

struct perfetto {
    struct export_env env;
    struct perfetto_options options;
    struct buf buf;                /* whole packets, not written yet, */
    struct export_waiting waiting; /* and the items in them */
    bool held;                     /* the item that is put now waits for the one around it, */
    unsigned released;             /* and so many did that wait no more */
    struct buf scratch;
    uint64_t seed; /* of track ids, from the session */
    bool begun;
    VEC(struct perfetto_site) sites;
    VEC(struct perfetto_thread) threads;
    VEC(bool) processes; /* told */
    VEC(struct perfetto_sample) samples;
    size_t samples_put; /* of these, so far */
    struct intern keys;
    struct export_identity identity;
    struct export_flows flows;
};

/* ---- packets ---- */

/* Room for lengths: 4 bytes hold any message we write. */
enum { WIDE = 4 };

/* A packet and the marks of its nested messages. */
struct packet {
    struct pb_mark packet, event;
};
/* Opens a track event of `type`, on the thread's own track when track is 0. */
struct packet packet_event(struct perfetto *p, const struct perfetto_thread *t, uint64_t ns,
                           unsigned type, uint64_t track);
void packet_event_close(struct perfetto *p, struct packet k);
/* A packet without time on a sequence (NULL: the common one). */
struct pb_mark packet_open(struct perfetto *p, const struct perfetto_thread *t, unsigned flags);

/* ---- tracks.c ---- */

enum track_kind { TRACK_OF_ORIEL, TRACK_OF_PROCESS, TRACK_OF_THREAD, TRACK_OF_SITE, TRACK_OF_SPAN };

int perfetto_tracks_init(struct perfetto *p);
void perfetto_tracks_done(struct perfetto *p);
void perfetto_tracks_forget(struct perfetto *p);
uint64_t perfetto_uuid(const struct perfetto *p, enum track_kind kind, uint64_t id);
/* Each tells what has not been told; NULL: out of memory (buf has failed). */
struct perfetto_thread *perfetto_thread_slow(struct perfetto *p, const struct model_thread *t);
const struct perfetto_site *perfetto_site_slow(struct perfetto *p, struct perfetto_thread *t,
                                               const struct model_site *s);
/* Interns the keys of attributes and returns; ids by perfetto_key_iid then. */
void perfetto_tell_keys(struct perfetto *p, struct perfetto_thread *t,
                        const struct model_value *attrs, uint32_t n);
uint64_t perfetto_key_iid(struct perfetto *p, struct model_str key);
/* A track below the process: an async span's, a plot's or frame mark's. */
uint64_t perfetto_span_track(struct perfetto *p, const struct model_span *s);
uint64_t perfetto_site_track(struct perfetto *p, const struct model_site *s, bool counter);
void perfetto_put_text(struct buf *b, uint32_t field, struct model_str s);

static inline struct perfetto_thread *perfetto_thread(struct perfetto *p,
                                                      const struct model_thread *t)
{
    if (__builtin_expect(t->index < p->threads.count, 1)) {
        struct perfetto_thread *k = &p->threads.items[t->index];
        if (__builtin_expect(k->told && k->name == t->name.p && k->name_n == t->name.n, 1))
            return k;
    }
    return perfetto_thread_slow(p, t);
}
static inline const struct perfetto_site *
perfetto_site(struct perfetto *p, struct perfetto_thread *t, const struct model_site *s)
{
    size_t word = s->index / 64;
    if (__builtin_expect(word < t->site_words && (t->sites[word] >> s->index % 64 & 1), 1))
        return &p->sites.items[s->index];
    return perfetto_site_slow(p, t, s);
}

/* ---- annotate.c ---- */

struct perfetto_ids {
    const uint8_t *trace_id;
    uint64_t span_id, parent_id; /* 0: none */
};
enum { PERFETTO_IDS_ROOM = 128 };
void perfetto_put_attrs(struct perfetto *p, const struct model_value *attrs, uint32_t n);
void perfetto_put_scope(struct perfetto *p, const struct model_scope *s);
void perfetto_put_span_marks(struct perfetto *p, const struct model_span *s);
/* Annotations of ours, with their name in place. */
void perfetto_note_text(struct buf *b, const char *key, struct model_str v);
void perfetto_note_u64(struct buf *b, const char *key, uint64_t v);
void perfetto_note_bool(struct buf *b, const char *key, bool v);

/* ---- samples.c ---- */

/* 0, or a code: the sample is not kept, or those before could not be written. */
int perfetto_take_sample(struct perfetto *p, const struct model_sample *s, struct oriel_err *err);
/* All that were taken, with what is known of their places by now; drains. */
int perfetto_put_samples(struct perfetto *p, struct oriel_err *err);
/* sched.c: what the samples of waits tell of CPUs. 0 or a code. */
int perfetto_put_sched(struct perfetto *p, struct oriel_err *err);
/* perfetto.c: writes the packets that wait. */
int perfetto_drain(struct perfetto *p, struct oriel_err *err);

/* ---- slices.c, items.c ---- */

void perfetto_put_span(struct perfetto *p, const struct model_span *s);
/* All that waits for a span around it goes out as it is. */
void perfetto_release_holds(struct perfetto *p);
void perfetto_put_item(struct perfetto *p, const struct model_item *item);
/* The track of what concerns the recording as a whole. */
void perfetto_put_session(struct perfetto *p);
void perfetto_put_summary(struct perfetto *p, const struct export_summary *end);

static inline char *perfetto_copy(char *o, const struct perfetto_bytes *b)
{
    memcpy(o, b->bytes, sizeof b->bytes);
    return o + b->n;
}

/* A time as the varint of exactly nine bytes, which hold 63 bits. */
static inline char *perfetto_put_time(char *o, uint64_t ns)
{
    uint64_t x = ns & 0x00ffffffffffffffu;
    x = (x & 0x000000000fffffffu) | (x & 0x00fffffff0000000u) << 4;
    x = (x & 0x00003fff00003fffu) | (x & 0x0fffc0000fffc000u) << 2;
    x = (x & 0x007f007f007f007fu) | (x & 0x3f803f803f803f80u) << 1;
    o = pb_at_raw64(o, x | 0x8080808080808080u);
    *o++ = (char)(ns >> 56 & 0x7f);
    return o;
}

static inline char *perfetto_put_id_head(char *o, uint8_t key, uint8_t bytes)
{
    const char head[6] = {EVENT_ANNOTATION << 3 | PB_BYTES,
                          (char)(2 + 2 + bytes),
                          KEY_IID << 3,
                          (char)key,
                          KEY_TEXT << 3 | PB_BYTES,
                          (char)bytes};
    memcpy(o, head, sizeof head);
    return o + sizeof head;
}

/* Annotations of the ids. Those of a trace are made anew each time: to copy what
 * was made just before would wait for its stores. */
static inline char *perfetto_put_ids(char *o, const struct perfetto_ids *ids)
{
    uint64_t trace[2];
    memcpy(trace, ids->trace_id, sizeof trace);
    if (__builtin_expect((trace[0] | trace[1]) != 0, 1)) {
        o = perfetto_put_id_head(o, KEY_TRACE_ID, 32);
        o = export_put_hex8(o, &trace[0]);
        o = export_put_hex8(o, &trace[1]);
    }
    if (ids->span_id)
        o = export_put_hex8(perfetto_put_id_head(o, KEY_SPAN_ID, 16), &ids->span_id);
    if (ids->parent_id)
        o = export_put_hex8(perfetto_put_id_head(o, KEY_PARENT_ID, 16), &ids->parent_id);
    return o;
}

#endif
