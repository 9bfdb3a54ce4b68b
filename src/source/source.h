/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where data enters: a live ring, a capture file. Everything a source reads is
 * untrusted. It fills the catalog and hands out batches of validated records.
 * One thread at a time.
 */
#ifndef ORIEL_SOURCE_SOURCE_H
#define ORIEL_SOURCE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/batch.h"

/* What was not read, for the first line of every report. */
struct source_damage {
    uint64_t records;             /* failed validation, skipped */
    uint64_t chunks, chunks_read; /* of a capture file */
    uint64_t bytes_skipped;
    uint64_t first_offset; /* of the first damage; UINT64_MAX none */
    /* What the recorder could not store (disk full, ...), by origin: records of the program;
     * samples and the like, which say something of it. */
    uint64_t unwritten, unwritten_seen;
    bool truncated; /* the end is missing */
};

enum source_result {
    SOURCE_IDLE = 0, /* nothing now; ask again later (live sources) */
    SOURCE_DATA = 1, /* the batch holds records */
    SOURCE_END = 2   /* nothing will come any more */
};

/* A file that others made, mapped where it is to be read. */
struct source_bytes {
    const char *path; /* for lines about it only */
    const void *bytes;
    size_t size;
    uint64_t written_unix_ns; /* 0 not known */
    /* An object file that it names, read-only and as long as the process; false:
     * there is none. NULL: none is to be had. */
    bool (*object)(void *ctx, const char *path, const void **out, size_t *out_size);
    void *ctx;
};

struct source {
    const char *name; /* "ring", "file" */
    size_t state_size;
    /* Do these first bytes of a file (up to SOURCE_HEAD_BYTES) look like one of
     * its own? NULL: it reads no files that are told by their content. */
    bool (*recognizes)(const uint8_t *head, size_t n);
    /* path: region file or capture file. 0, or a code with one clear line
     * (what, where, what to do). */
    int (*open)(void *state, const char *path, struct model_catalog *catalog,
                struct oriel_err *err);
    /* The same for sources that watch something else than a file; `options` is a
     * struct of the source's own header. Ways that it has not are NULL. */
    int (*open_with)(void *state, const void *options, struct model_catalog *catalog,
                     struct oriel_err *err);
    /* In place of a poll, in a flight recorder between two dumps: take what would not be
     * there for the next poll. What is put into the batch is held by the session, the last
     * of it, and told then. NULL: that is what a poll does. */
    void (*look)(void *state, struct model_batch *batch);
    /* A record that it gave while it was looking was given up for newer ones, or for want of
     * memory: it counts what that stood for. NULL: it counts as one lost record, or sample. */
    void (*overwritten)(void *state, const struct model_record *r);
    /* The same for files that others made, which are read in a confined child only: it
     * calls nothing of the system but for memory. Its bytes stay as long as the source. */
    int (*open_bytes)(void *state, const struct source_bytes *file, struct model_catalog *catalog,
                      struct oriel_err *err);
    /* Nothing more will happen: the next polls hold nothing back. NULL: it never
     * does. */
    void (*over)(void *state);
    /* Fill `batch` (cleared by the caller) with at most about max_records.
     * Returns enum source_result or a negative code. */
    int (*poll)(void *state, struct model_batch *batch, size_t max_records, struct oriel_err *err);
    /* What the last batch covered is safe now: the ring may be reused. NULL
     * for sources that need no acknowledgement. */
    void (*commit)(void *state);
    /* Something other than bytes runs short until the next commit. NULL: never. */
    bool (*pressed)(const void *state);
    void (*damage)(const void *state, struct source_damage *out);
    void (*close)(void *state);
};

extern const struct source *const source_registry[]; /* NULL-terminated */
const struct source *source_find(const char *name);

/* The source that reads files that begin with these bytes (up to SOURCE_HEAD_BYTES),
 * whatever their name; that of captures where none knows them, which then says why. */
#define SOURCE_HEAD_BYTES 65536u
const struct source *source_detect(const void *head, size_t n);

#endif
