/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A perf.data file as a source, inside.
 *
 *   data_file.c    the file: header, attributes, features, where its records
 *                  are and in which order they happened
 *   data_record.c  a record by what its event was asked to say
 *   data.c         records -> samples in a batch
 *
 * Files of a machine of the same byte order, in both forms (with sections, and
 * as a stream), with zstd records too. Nothing in them is trusted: no length,
 * no offset, no count. Memory: 16 bytes for each record, and what compressed
 * records hold (DATA_UNPACKED_MAX at most). Runs in a confined child.
 */
#ifndef ORIEL_SOURCE_PERF_DATA_H
#define ORIEL_SOURCE_PERF_DATA_H

#include "base/buf.h"
#include "base/intern.h"
#include "source/perf/perf.h"
#include "source/perf/space.h"
#include "source/source.h"

#define DATA_MAGIC "PERFILE2"
#define DATA_UNPACKED_MAX (UINT64_C(1) << 30)
enum { DATA_ATTRS_MAX = 256, DATA_RECORD_MAX = 65536, DATA_TEXT_MAX = 4096 };

/* What an event was asked to say. */
struct data_event {
    uint64_t sample_type, read_format, branch_type, user_registers;
    uint64_t period; /* of those that say none */
    bool id_all;     /* records that are no samples say when and by whom, too */
    uint8_t kind;    /* enum oriel_sample_kind; 0: its samples are left out */
};
struct data_entry {
    uint64_t time_ns;
    uint64_t at; /* in the file; with DATA_UNPACKED: in what was compressed */
};
#define DATA_UNPACKED (UINT64_C(1) << 63)
struct data_build_id {
    uint8_t bytes, id[20];
};

struct data_file {
    const uint8_t *bytes;
    uint64_t size;
    VEC(struct data_event) events;
    struct map event_by_id;
    VEC(struct data_entry) entries; /* by time */
    struct buf unpacked;
    struct intern paths;                 /* that have a build-id */
    VEC(struct data_build_id) build_ids; /* by path */
    void *zstd;
    bool other_machine; /* its registers mean nothing here */
    bool truncated;
    uint64_t clock_unix_ns, clock_mono_ns; /* the same moment by both clocks; 0 not told */
    uint64_t written_unix_ns;              /* the file */
    char host[256], release[128], machine[32];
    uint64_t damaged, bytes_skipped, first_damage; /* UINT64_MAX none */
};

/* Read everything but the records. Whatever can be read is kept, damage is
 * counted; 0, ORIEL_EFORMAT, ORIEL_EUNSUPPORTED, ORIEL_ENOMEM, with a line. */
int data_file_open(struct data_file *f, const struct source_bytes *file, struct oriel_err *err);
void data_file_close(struct data_file *f);
/* The record of an entry. NULL: it cannot be read. */
const uint8_t *data_file_record(struct data_file *f, const struct data_entry *e, size_t *out_bytes);
/* The build-id that the file tells for a path; false: none. */
bool data_file_build_id(const struct data_file *f, const char *path, uint8_t id[20],
                        uint8_t *out_bytes);

/* The event that a record belongs to; NULL: of none that the file knows. */
const struct data_event *data_record_event(const struct data_file *f, const uint8_t *at,
                                           size_t bytes);
/* When it happened; 0 where it does not say. */
uint64_t data_record_time(const struct data_event *e, const uint8_t *at, size_t bytes);
/* false: damaged. */
bool data_record_decode(const struct data_file *f, const struct data_event *e, const uint8_t *at,
                        size_t bytes, struct perf_record *out);

struct data_thread {
    struct model_thread *thread;
    uint64_t position;
    uint32_t serial;
};
struct data_source {
    struct source_bytes given; /* for the object files that it names */
    struct data_file file;
    struct spaces spaces;
    struct model_catalog *catalog;
    struct map threads;   /* tid -> struct data_thread * */
    struct map processes; /* pid -> index + 1 */
    struct map programs;  /* pid -> module index + 1 of what was mapped first */
    struct map names;     /* tid -> text */
    struct intern texts;
    size_t next; /* entry */
    uint64_t unix_offset, lost, skipped;
    uint32_t next_serial;
};

#endif
