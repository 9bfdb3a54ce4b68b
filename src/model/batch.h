/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The batch: what travels from a source to the outlets. Two forms share one
 * struct: `records` straight from a source (unordered across threads, spans
 * still as begin and end), and `items` made by the pipe (time ordered by
 * completion, spans assembled). Owned by whoever made it, with one arena in
 * which everything decoded dies together. Const for everybody else.
 */
#ifndef ORIEL_MODEL_BATCH_H
#define ORIEL_MODEL_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "model/catalog.h"

/* One validated wire record. `raw` is the whole record (header included) in
 * the batch's arena; field values are read in place with model_values.
 * Times given from outside (ORIEL_RECF_HAS_TIME, always so for SPAN) are unix
 * ns in raw; t_ns of such a record is only when it was said, so it stays in
 * step with its stream: the source gives it the time of the record before. */
struct model_record {
    uint64_t t_ns;     /* unix ns; never steps backwards within a thread */
    uint64_t raw_id;   /* span concerned (own id for BEGIN, OPEN, SPAN); else 0 */
    uint64_t position; /* in its stream: bytes, never reused; orders and names a record */
    const uint64_t *raw;
    const struct model_site *site; /* NULL where the type has none */
    const struct model_thread *thread;
    uint16_t words;
    uint8_t type;    /* enum oriel_record_type */
    uint8_t flags;   /* enum oriel_record_flag */
    uint32_t stream; /* serial of the wire stream it came from */
};
_Static_assert(
    offsetof(struct model_record, type) == offsetof(struct model_record, words) + 2 &&
        offsetof(struct model_record, flags) == offsetof(struct model_record, words) + 3 &&
        offsetof(struct model_record, stream) == offsetof(struct model_record, words) + 4 &&
        __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
    "the decoder stores words, type, flags and stream at once, and the pipe reads them so");

/* Whose word a record is. Only what the program said can be held against what it
 * counted itself; what was seen of it is accounted for apart. */
enum model_origin {
    MODEL_SAID = 0, /* by the program: its spans, events, plots */
    MODEL_SEEN = 1, /* of the program, by us: samples, waits, allocations, watched functions,
                     * what the system says of it */
    MODEL_NOTE = 2, /* the ring's own, between the others */
    MODEL_ORIGINS = 3
};
/* Streams of sources that look from outside have serials from here on; rings count from 1. */
#define MODEL_SERIAL_SEEN 0x40000000u
#define MODEL_SITE_SEEN 65400u /* ids of sites, which count up from 2 in a program, likewise */
static inline enum model_origin model_record_origin(const struct model_record *r)
{
    if (r->type == ORIEL_REC_SYNC)
        return MODEL_NOTE;
    bool apart = r->site && (r->site->flags & (ORIEL_SITE_SYSTEM | ORIEL_SITE_SEEN));
    bool seen = apart || r->type == ORIEL_REC_SAMPLE || r->type == ORIEL_REC_STACK ||
                r->type == ORIEL_REC_HEAP || r->stream >= MODEL_SERIAL_SEEN;
    return seen ? MODEL_SEEN : MODEL_SAID;
}

/* Reads the field values of a record in order. */
struct model_values {
    const struct model_site *site;
    const uint64_t *at, *end;
    uint32_t next;
};
void model_values_begin(struct model_values *it, const struct model_record *r);
bool model_values_next(struct model_values *it, struct model_value *out);

/* ---- items ---- */

enum model_item_kind {
    MODEL_ITEM_SPAN = 1,
    MODEL_ITEM_EVENT = 2,
    MODEL_ITEM_PLOT = 3,
    MODEL_ITEM_FRAME = 4,
    MODEL_ITEM_TASK = 5,
    MODEL_ITEM_LOSS = 6,
    MODEL_ITEM_SAMPLE = 7
};

enum model_span_flag {
    MODEL_SPAN_UNFINISHED = 1, /* no end was seen; end_ns is the last known time */
    MODEL_SPAN_ASYNC = 2,      /* opened and closed, may move between threads */
    MODEL_SPAN_EXTERNAL = 4,   /* times were given from outside */
    MODEL_SPAN_CLAMPED = 8,    /* end lay before start; duration set to 0 */
    MODEL_SPAN_ROOT = 16,
    MODEL_SPAN_REMOTE_PARENT = 32,
    MODEL_SPAN_ORPHAN_END = 64, /* the begin was lost; start_ns is unknown */
    MODEL_SPAN_UNSAMPLED = 256, /* not to be given out; set inside the pipe, and by tail rules */
    MODEL_SPAN_TIED = 128,      /* began in the very ns in which what is around it on its thread
                                 * (a scoped span, a stretch of an async one) began */
    MODEL_SPAN_RENAMED = 1024,  /* the name is model_span_name, not that of its site */
    MODEL_SPAN_TOLD = 512       /* of another program, by its protocol: has told_flags, and fields
                                 * with ORIEL_FIELD_META say what else was told */
};

enum model_trace_flag { MODEL_TRACE_SAMPLED = 1, MODEL_TRACE_RANDOM = 2 };

struct model_link {
    uint8_t trace_id[16];
    uint64_t span_id;  /* W3C */
    bool follows_from; /* else a plain link */
    bool told;         /* of a span that was told: attrs are as they came */
    uint32_t flags;    /* as the protocol has them: of W3C, and ORIEL_CONTEXT_* */
    uint32_t attr_count;
    const struct model_value *attrs;
    struct model_str trace_state;
};

/* A stretch of an async span on one thread. */
struct model_busy {
    const struct model_thread *thread;
    uint64_t start_ns, end_ns;
};

struct model_span {
    uint8_t trace_id[16];
    uint64_t span_id, parent_id; /* W3C, memory order; parent 0 = none */
    uint64_t start_ns, end_ns;   /* end_ns >= start_ns always */
    uint64_t busy_ns;            /* scoped spans: same as the duration */
    const struct model_site *site;
    const struct model_thread *thread;     /* where it began */
    const struct model_thread *end_thread; /* where it ended */
    uint32_t flags;                        /* enum model_span_flag */
    uint8_t trace_flags;                   /* of W3C; enum model_trace_flag */
    uint16_t depth;                        /* nesting on its thread at begin; 0 outermost */
    uint8_t status;                        /* enum oriel_status */
    struct model_str status_message;
    struct model_str trace_state;    /* W3C, as it came with the trace; empty: none */
    const struct model_value *attrs; /* RENAMED: behind the last one stands the name's */
    const struct model_link *links;
    const struct model_busy *busy; /* async spans only */
    uint32_t attr_count, link_count, busy_count;
    uint32_t dropped_attrs, dropped_links;
    /* Every event stays an item of its own. dropped_events of the event_count
     * are beyond the limit: an outlet that nests events in spans leaves those
     * out and says so. */
    uint32_t event_count, dropped_events;
    uint32_t told_flags; /* MODEL_SPAN_TOLD: of the protocol; the low byte is W3C's */
};

/* What it is called: as the program said last, else as its call site. */
static inline struct model_str model_span_name(const struct model_span *s)
{
    return s->flags & MODEL_SPAN_RENAMED ? s->attrs[s->attr_count].v.str : s->site->name;
}

struct model_event {
    uint64_t t_ns;
    uint8_t trace_id[16]; /* zero when outside any span */
    uint64_t span_id;     /* W3C; 0 when outside any span */
    const struct model_site *site;
    const struct model_thread *thread;
    struct model_str message; /* formatted when the site has a format, else its name */
    const struct model_value *attrs;
    uint32_t attr_count, dropped_attrs;
    uint8_t trace_flags; /* of its span, as of W3C; 0 outside any span */
    bool span_unwanted;  /* its span was not sampled and will not come */
    bool told_log;       /* came as a log record of another program's, with told_flags */
    uint32_t told_flags; /* of the protocol */
};

/* For whoever shows events: its program says the same by a log record, which comes as well. */
static inline bool model_event_is_copy(const struct model_event *e)
{
    return e->site && e->site->copies && e->span_id && !e->told_log;
}

struct model_plot {
    uint64_t t_ns;
    const struct model_site *site;
    const struct model_thread *thread;
    struct model_value value;
};

struct model_frame {
    uint64_t t_ns;
    const struct model_site *site;
    const struct model_thread *thread;
};

struct model_task {
    uint64_t t_ns;
    uint64_t task, other; /* other: parent for spawn, waker for wake */
    uint64_t span_id;     /* W3C; the span it happened in, 0 none */
    const struct model_site *site;
    const struct model_thread *thread;
    uint8_t op; /* enum oriel_task_op */
};

struct model_loss {
    uint64_t from_ns, to_ns;
    const struct model_thread *thread; /* NULL: nobody's */
    uint64_t count;
    uint32_t cause; /* enum oriel_lost_cause */
};

/* One observation of a thread, or several that were alike. */
struct model_sample {
    uint64_t t_ns;
    uint64_t weight; /* in the unit of its kind */
    uint64_t count;  /* events it stands for */
    uint64_t extra;
    uint8_t trace_id[16];          /* zero when outside any span */
    uint64_t span_id;              /* W3C, of the innermost open span; 0 none */
    const struct model_site *site; /* of that span; NULL none */
    const struct model_thread *thread;
    uint32_t stack; /* node of catalog->stacks; 0 unknown */
    uint8_t kind;   /* enum oriel_sample_kind */
};

struct model_item {
    uint64_t t_ns; /* what the order is by: end of a span, time of the rest */
    enum model_item_kind kind;
    union {
        struct model_span span;
        struct model_event event;
        struct model_plot plot;
        struct model_frame frame;
        struct model_task task;
        struct model_loss loss;
        struct model_sample sample;
    } u;
};

/* The watermark of a source that knows of no time yet, and will: what it gave is held. With 0 it
 * would be held for one batch. */
#define MODEL_NO_PROMISE_YET UINT64_C(1)

struct model_batch {
    const struct model_catalog *catalog;
    struct arena arena;
    struct model_record *records;
    struct model_item *items;
    size_t record_count, record_capacity;
    size_t item_count, item_capacity;
    uint64_t watermark_ns; /* no later batch holds a record older than this; 0 unknown */
    bool last;             /* nothing comes after this batch */
};

void model_batch_init(struct model_batch *b, const struct model_catalog *catalog);
void model_batch_clear(struct model_batch *b); /* keeps memory for reuse */
void model_batch_done(struct model_batch *b);
/* A copy that needs nothing but the catalog and the arena; false: no memory. *out_bytes is
 * what it took. */
bool model_span_copy(struct model_span *out, const struct model_span *from, struct arena *arena,
                     size_t *out_bytes);
/* Room for n more; false: no memory, nothing changed. */
bool model_batch_reserve_records(struct model_batch *b, size_t n);
bool model_batch_reserve_items(struct model_batch *b, size_t n);

/* The next record or item, zeroed; NULL: no memory. Inline, because they run
 * once per record and item. */
static inline struct model_record *model_batch_add_record(struct model_batch *b)
{
    if (b->record_count == b->record_capacity && !model_batch_reserve_records(b, 1))
        return NULL;
    return memset(&b->records[b->record_count++], 0, sizeof *b->records);
}
static inline struct model_item *model_batch_add_item(struct model_batch *b)
{
    if (b->item_count == b->item_capacity && !model_batch_reserve_items(b, 1))
        return NULL;
    return memset(&b->items[b->item_count++], 0, sizeof *b->items);
}

/* W3C text forms: 32 and 16 lower-case hex digits and a NUL. */
void model_trace_hex(const uint8_t trace_id[16], char out[33]);
void model_span_hex(uint64_t span_id, char out[17]);

/* "ring full", "too large", ... and what to do about it. */
const char *model_lost_text(uint32_t cause);
const char *model_lost_remedy(uint32_t cause);
/* "TRACE".."FATAL"; and OpenTelemetry SeverityNumber (1, 5, 9, 13, 17, 21). */
const char *model_level_text(uint8_t level);
int model_level_severity(uint8_t level);

#endif
