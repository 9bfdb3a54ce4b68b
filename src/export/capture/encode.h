/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Records to the columns of one chunk. Knows nothing of files, checksums or
 * compression. One thread at a time; memory is bounded by chunk_bytes and by
 * the limits of wire/capture.h.
 */
#ifndef ORIEL_EXPORT_CAPTURE_ENCODE_H
#define ORIEL_EXPORT_CAPTURE_ENCODE_H

#include "base/buf.h"
#include "base/intern.h"
#include "base/map.h"
#include "base/vec.h"
#include "model/batch.h"
#include "wire/capture.h"

#define ENCODE_CHUNK_MIN (4u << 10)
#define ENCODE_CHUNK_MAX (4u << 20)

struct encode_stream {
    struct wire_capture_stream p;
    uint64_t first_position, first_seed, first_ticks;
    uint64_t covered; /* an older part of the file holds what lies below */
    const struct model_thread *thread;
    uint32_t serial, process; /* process: index in this chunk */
    bool known;               /* a process and a clock were found */
};

struct encode_process {
    const struct model_process *process;
    struct clock_map first, clock; /* at the start of the chunk; now */
    bool measured;                 /* by us: the source does not tell */
};

/* An entry of the code table, and where a site was last seen in it. */
struct encode_code {
    const struct model_site *site;
    uint8_t type, flags, mode;
};
struct encode_memo {
    uint32_t epoch;      /* of the chunk in which key and code are valid */
    uint32_t site_epoch; /* the same for `site` */
    uint32_t key;
    uint16_t code, site;
};

/* A begin without fields that has a short code, found by its header; and in
 * the last slot the END that closes the top of the stack. */
#define ENCODE_FAST 256u
struct encode_fast {
    uint64_t header; /* an END's without its low half; 0: none */
    const struct model_site *site;
    uint64_t op;
};

struct encode_run {
    uint64_t end; /* position after its last record */
    uint32_t stream;
};

/* A record boundary at which the chunk may be cut. */
struct encode_mark {
    size_t used[WIRE_CAPTURE_SECTIONS];
    uint64_t position;
    uint32_t records, by_origin[MODEL_ORIGINS], runs, streams;
};

struct encode_told { /* what the file says of a thread already */
    uint64_t lost;
    const char *name;
};

/* What the samples of a chunk refer to. Numbers of the chunk count from 1. */
struct encode_stacks {
    struct map by_node, by_place, by_module; /* of the catalog -> of the chunk */
    VEC(uint32_t) nodes;
    VEC(uint32_t) places;
    VEC(uint32_t) modules;
};

struct encoder {
    const struct model_catalog *catalog;
    size_t chunk_bytes;
    uint8_t *columns;
    uint8_t *start[WIRE_CAPTURE_SECTIONS], *at[WIRE_CAPTURE_SECTIONS];
    struct encode_stream *streams;
    uint32_t stream_count, run_stream;
    struct map stream_by_serial;
    struct encode_code *codes;
    uint32_t code_count;
    struct map code_by_key;
    struct encode_memo *memo; /* by index of the site; last: codes without one */
    uint32_t memo_count, epoch;
    struct encode_memo plain[ORIEL_REC_MAX + 1]; /* by type, without a site */
    struct encode_fast fast[ENCODE_FAST + 1];
    VEC(const struct model_site *) sites;
    size_t site_bytes;
    struct encode_stacks stacks;
    VEC(struct encode_process) processes;
    VEC(const struct model_thread *) threads;
    struct map thread_by_index;
    VEC(struct encode_run) runs;
    VEC(struct encode_mark) marks;
    VEC(struct encode_told) told; /* by index of the thread */
    uint32_t told_at;             /* where to look for news next */
    struct buf scratch;
    int32_t until_mark;
    uint32_t records, by_origin[MODEL_ORIGINS]; /* by enum model_origin */
    uint64_t watermark_first, watermark;        /* before the chunk; now */
    uint64_t first_ns, last_ns;                 /* of the records in the chunk */
    struct map covered;                         /* serial -> end position in the file */
    uint64_t duplicates;                        /* records left out because of it */
};

/* What processes and scopes of the chunk told of themselves, where any did: the end of
 * its tables. told.c; failure is the buf's. */
void encoder_put_told(struct encoder *e, struct intern *texts, struct buf *b);
/* 0 or ORIEL_ENOMEM; done takes a half-made one. */
int encoder_init(struct encoder *e, size_t chunk_bytes, const struct model_catalog *catalog);
void encoder_done(struct encoder *e);
/* Records of `serial` below `end` are in the file and shall be left out. */
int encoder_cover(struct encoder *e, uint32_t serial, uint64_t end);

/* Encode records of the batch from *at on, until its end or until the chunk is
 * full; *at is where to go on. 0; ORIEL_ELIMIT when the chunk must be written
 * first; ORIEL_ENOMEM or ORIEL_EINVAL: the record at *at cannot be encoded. */
int encoder_add(struct encoder *e, const struct model_batch *batch, size_t *at);

/* The chunk as it is, as a boundary; and the number of boundaries before it. */
void encoder_end(struct encoder *e, struct encode_mark *out);
/* Put the tables section of a chunk cut at `cut` into `out` (cleared first):
 * what its records refer to, the losses so far, and threads whose losses or
 * name changed since they were told (all of them, or some at a time). 0 or
 * ORIEL_ENOMEM. Defined in tables.c. */
int encoder_tables(struct encoder *e, const struct encode_mark *cut, bool all_threads,
                   const uint64_t unwritten[WIRE_CAPTURE_CAUSES], struct buf *out);
/* The last tables did not reach the file: tell everything again. */
void encoder_forget_told(struct encoder *e);
/* Index of a process or thread in this chunk, added if new; r[0..n) are records
 * of it, to measure an unknown clock by (NULL, 0: none). 0, ORIEL_ELIMIT or
 * ORIEL_ENOMEM. */
int encoder_find_process(struct encoder *e, const struct model_process *process,
                         const struct model_record *r, size_t n, uint32_t *out);
int encoder_find_thread(struct encoder *e, const struct model_thread *thread, uint32_t *out);
/* Begin the next chunk. */
void encoder_reset(struct encoder *e);

/* ---- between encode.c, describe.c and record.c ---- */

/* One memo per site of the catalog; false: no memory. */
bool encoder_reserve_memo(struct encoder *e);
/* Number of a site, of a code, of a stream (with its thread and process) in
 * this chunk. 0; ORIEL_ELIMIT: the chunk must end before; ORIEL_ENOMEM;
 * ORIEL_EINVAL: the site is of no known process. */
int encoder_find_site(struct encoder *e, const struct model_site *site, uint16_t *out);
int encoder_find_code(struct encoder *e, const struct model_record *r, uint32_t mode,
                      uint16_t *out);
int encoder_add_stream(struct encoder *e, const struct model_record *r, size_t n, uint32_t *out);
/* One record the long way. As above. */
int encoder_put_record(struct encoder *e, struct encode_stream *s, const struct model_record *r);

/* stacks.c: number of a stack in this chunk, 0 for the empty one. 0; ORIEL_ELIMIT: the chunk
 * must end before; ORIEL_ENOMEM. */
int encoder_find_stack(struct encoder *e, uint32_t node, uint32_t *out);
void encoder_put_stacks(struct encoder *e, struct intern *texts, struct buf *b);
void encoder_stacks_reset(struct encode_stacks *s);
void encoder_stacks_done(struct encode_stacks *s);
/* A number of the tables section. */
void encoder_table_number(struct buf *b, uint64_t v);

static inline struct clock_map encoder_clock(const struct model_clock *c)
{
    return (struct clock_map){.now = c->now, .before = c->before};
}
static inline void encoder_put_number(struct encoder *e, uint64_t v)
{
    e->at[WIRE_CAPTURE_VALUES] = wire_number_put(e->at[WIRE_CAPTURE_VALUES], v);
}

static inline void encoder_put_op(struct encoder *e, uint8_t op)
{
    *e->at[WIRE_CAPTURE_OPS]++ = op;
}

/* Where encode_plain finds a begin's code. */
static inline unsigned encode_fast_slot(uint64_t header)
{
    return (unsigned)((header >> 32) ^ (header >> 20)) % ENCODE_FAST;
}

/* words, type, flags and stream of a record as one number: the low half of its
 * header, and the serial above. */
static inline uint64_t encode_packed(const struct model_record *r)
{
    uint64_t v;
    _Static_assert(
        offsetof(struct model_record, type) == offsetof(struct model_record, words) + 2 &&
            offsetof(struct model_record, flags) == offsetof(struct model_record, words) + 3 &&
            offsetof(struct model_record, stream) == offsetof(struct model_record, words) + 4,
        "as in a record's header");
    memcpy(&v, &r->words, sizeof v);
    return v;
}

#endif
