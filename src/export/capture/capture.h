/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The outlet that writes capture files: what its parts share. capture.c is the
 * table and the life of the file, chunk.c makes and writes chunks, append.c
 * reads what an older recorder left. One thread at a time.
 */
#ifndef ORIEL_EXPORT_CAPTURE_CAPTURE_H
#define ORIEL_EXPORT_CAPTURE_CAPTURE_H

#include "export/capture/encode.h"
#include "export/exporter.h"
#include "util/zip.h"

enum capture_compression { CAPTURE_ZSTD = 0, CAPTURE_NONE = 1 };

struct capture_options {
    int compression; /* enum capture_compression */
    int64_t level;
    uint64_t chunk_bytes;  /* encoded, before compression */
    uint64_t flush_ns;     /* of recorded time, at most, in one chunk */
    uint64_t schema_bytes; /* repeat the schema after so many */
    bool append;
    bool symbols; /* write the functions of places that have them when it is closed */
};

struct capture {
    struct export_env env;
    struct capture_options options;
    struct encoder encoder;
    struct zip *zip;
    struct buf tables, chunk;
    struct wire_capture_last_words words;
    uint64_t words_at;  /* offset of the two slots; UINT64_MAX: not in the file */
    uint64_t schema_at; /* file size when the schema was last written */
    uint64_t seq, records;
    uint64_t loss_changes; /* of the catalog, as the last chunk tells it */
    uint32_t resources_told;
    unsigned rest_pause;   /* chunks whose rest section is not worth compressing */
    bool full;             /* the last chunk did not fit */
    uint64_t lost_here;    /* records that this recorder could not write, ... */
    uint64_t seen_here;    /* ... of these what the program did not say itself */
    struct oriel_err loss; /* why records could not be written; code 0: never */
};

/* Write the schema, and the last-words block behind it. 0 or what `out` says. */
int capture_write_schema(struct capture *c);
int capture_write_last_words_block(struct capture *c);
/* Write what the encoder holds as one chunk, or as much of it as fits, and
 * count the rest by cause. 0, or why not all could be written. */
int capture_write_records(struct capture *c, bool final);
/* Rewrite the last words in place, where the file can do that. */
void capture_update_last_words(struct capture *c);
/* symbols.c: write what is known of places, in chunks of their own. One that does not fit is
 * left out: names can be looked up later. 0, ORIEL_ENOMEM, or what `out` says. */
int capture_write_symbols(struct capture *c);
/* A chunk of another type than records: begin it in c->chunk, then write it. */
void capture_begin_chunk(struct capture *c);
int capture_end_chunk(struct capture *c, uint8_t type, uint32_t raw_bytes);
/* Count records as unwritten because of `rc`: the program's, and what was seen of it. */
void capture_lose(struct capture *c, int rc, uint64_t said, uint64_t seen);

/* Take up the file that `out` was opened on: coverage of its streams, its last
 * words, its numbering; cut a torn end off. 0; ORIEL_EFORMAT, ORIEL_EVERSION or
 * ORIEL_EINVAL (another session's) with a line; ORIEL_ENOMEM, ORIEL_EIO. */
int capture_append(struct capture *c, struct oriel_err *err);

#endif
