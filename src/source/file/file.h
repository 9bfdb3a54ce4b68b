/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Capture files as a source: what its parts share. file.c finds chunks and
 * keeps the books, tables.c reads what a chunk says about itself, decode.c
 * rebuilds its records. Everything read is untrusted. One thread at a time.
 *
 * Memory: one stored chunk, one decompressed (8 MiB each at most), the batch
 * (bounded by max_records and DECODE_BATCH_BYTES), and a catalog that may grow
 * by FILE_BUDGET_BYTES and FILE_BUDGET_PER_BYTE times the size of the file.
 */
#ifndef ORIEL_SOURCE_FILE_FILE_H
#define ORIEL_SOURCE_FILE_FILE_H

#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "source/file_options.h"
#include "source/source.h"
#include "util/zip.h"
#include "wire/capture.h"

#define FILE_BUDGET_BYTES (UINT64_C(24) << 20)
#define FILE_BUDGET_PER_BYTE 16u
#define DECODE_BATCH_BYTES (16u << 20)
/* A batch that is this part of max_records ends where the recorder's did, at a
 * watermark: then the pipe has nothing to hold back, which means to copy. */
#define DECODE_SHARE 4u

struct decode_stream {
    struct wire_capture_stream p;
    const struct model_thread *thread;
    uint32_t serial, process;
    bool known; /* has a thread, a process, a clock */
};
struct decode_process {
    struct model_process *process;
    struct clock_map clock;
    bool measured; /* by the writer, not told by the source */
};
struct decode_code {
    const struct model_site *site;
    const char *shape;
    uint8_t type, flags, mode;
};
/* What the short way needs of an op: two words, nothing in the values section. */
struct decode_plain {
    uint64_t header; /* an END's without its low half */
    uint64_t end;    /* all ones for an END */
    const struct model_site *site;
    uint32_t kind;  /* words, type and flags as struct model_record has them */
    uint32_t needs; /* open spans: 1 for an END, more than there are of an op that is not plain */
};

/* One records chunk while it is being read. */
struct decoder {
    struct model_catalog *catalog;
    uint64_t budget; /* bytes the catalog may still grow by */
    struct buf raw;  /* its sections, decompressed, each with a margin behind */
    const uint8_t *op, *op_end, *time, *time_end, *rest, *rest_end;
    struct wire_cursor values;
    VEC(struct model_str) texts;
    VEC(struct decode_process) processes;
    VEC(struct model_thread *) threads;
    VEC(const struct model_site *) sites;
    VEC(struct decode_code) codes;
    struct decode_plain plain[256]; /* by op */
    VEC(struct decode_stream) streams;
    struct map process_by_key;
    VEC(uint32_t) modules; /* of the chunk -> of the catalog */
    VEC(uint32_t) places;
    VEC(uint32_t) nodes;
    uint64_t unwritten;    /* as this chunk tells */
    uint32_t stream;       /* current one */
    uint32_t records_left; /* by the frame's count */
    uint64_t watermark_ns;
    bool at_watermark;         /* nothing came after it yet */
    uint64_t shift_ns;         /* TIME: of the next record */
    uint64_t *pool, *pool_end; /* words of records, in the batch's arena */
    size_t pool_bytes;
};

/* Bytes behind each section that may be read, so that numbers need no checks. */
#define DECODE_MARGIN 16u

void decoder_init(struct decoder *d, struct model_catalog *catalog, uint64_t budget);
void decoder_done(struct decoder *d);
/* Read the tables section, filling the catalog. 0; ORIEL_EDAMAGED;
 * ORIEL_ELIMIT (the budget is spent); ORIEL_ENOMEM. */
int decoder_tables(struct decoder *d, const uint8_t *bytes, size_t n);
/* The stacks of a chunk, from the end of its tables; a file from before there
 * were any has none. stacks.c; as above. */
int decoder_stacks(struct decoder *d, struct wire_cursor *c);
/* What processes and scopes told of themselves, behind the stacks, where any did.
 * told.c; as above. */
int decoder_told(struct decoder *d, struct wire_cursor *c);
/* Catalog growth of `bytes` is paid for; false: the budget is spent. */
bool decoder_pay(struct decoder *d, uint64_t bytes);
/* A chunk of functions and lines, into the places of the catalog; of too many, as
 * many as the budget allows. symbols.c; as above. */
int decoder_symbols(struct decoder *d, struct zip *zip, const struct wire_capture_frame *f,
                    const uint8_t *payload);
/* The process of this description, by what tells it from others; NULL: none is known. */
const struct model_process *decoder_known_process(const struct decoder *d,
                                                  const struct model_process *told);
/* Read a schema payload. As above. */
int decoder_schema(struct decoder *d, const uint8_t *bytes, size_t n, bool first);
/* Take up a records chunk. `payload` may go afterwards. As above. */
int decoder_begin(struct decoder *d, struct zip *zip, const struct wire_capture_frame *f,
                  const uint8_t *payload);
/* The words of earlier records belong to a batch that is gone. */
void decoder_new_batch(struct decoder *d);
/* Whether the batch shall end here. */
bool decoder_is_enough(const struct decoder *d, const struct model_batch *batch,
                       size_t max_records);
/* Add records to the batch up to max_records. 1: there are more; 0: the chunk
 * is done; ORIEL_EDAMAGED: the rest of it, records_left records, cannot be
 * read; ORIEL_ENOMEM: the rest is left out too. */
int decoder_next(struct decoder *d, struct model_batch *batch, size_t max_records);

struct file_source {
    int fd;                /* -1: memory */
    const uint8_t *memory; /* tests and the fuzzer */
    uint64_t size;         /* as last seen */
    uint64_t at;           /* of the next frame */
    struct model_catalog *catalog;
    struct zip *zip;
    struct buf payload, window;
    struct decoder decoder;
    struct source_damage damage;
    struct wire_capture_last_words words;
    uint64_t words_at; /* of its slots; UINT64_MAX: none seen */
    uint64_t expected; /* records before the next chunk */
    uint64_t next_seq; /* one more than the highest number seen */
    uint64_t chunk_at; /* the one being decoded */
    uint64_t told_unwritten;
    uint64_t watermark_ns;
    bool decoding, schema_seen, follow, ended;
    char path[256];
};

/* As open of source_file, over bytes that stay where they are. */
int file_source_open_memory(struct file_source *s, const void *bytes, size_t n,
                            struct model_catalog *catalog, struct oriel_err *err);

#endif
