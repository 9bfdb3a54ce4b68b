/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For sources that read another tool's profile: its functions as places with
 * names, its samples as rows that are handed out as records. Such a source
 * parses in open and then only polls. Runs in a confined child. One thread.
 */
#ifndef ORIEL_SOURCE_IMPORT_H
#define ORIEL_SOURCE_IMPORT_H

#include "base/buf.h"
#include "base/intern.h"
#include "base/vec.h"
#include "source/source.h"

#define IMPORT_UNPACKED_MAX (UINT64_C(1) << 30)
enum { IMPORT_INLINED_MAX = 250 };

struct import_row {
    uint64_t t_ns, weight, count;
    uint32_t stack, thread; /* thread: index in threads */
    uint8_t kind;           /* enum oriel_sample_kind */
};
struct import_thread {
    struct model_thread *thread;
    uint64_t position;
    uint32_t serial;
};
struct import {
    struct model_catalog *catalog;
    const char *text; /* the file, never NULL; the parser's */
    size_t size;
    struct buf unpacked;      /* where text is, if the file was packed */
    struct intern keys;       /* of places */
    struct map thread_by_key; /* pid << 32 | tid -> index in threads */
    VEC(struct import_thread) threads;
    VEC(struct import_row) rows;
    size_t next;
    uint64_t watermark_ns;
    struct source_damage damage;
};

/* 0 or ORIEL_ENOMEM; done may be called in both cases. */
int import_init(struct import *i, const struct source_bytes *file, struct model_catalog *catalog);
void import_done(struct import *i);
/* `format` goes into the resource as oriel.import. */
void import_set_format(struct import *i, const char *format);

/* A function and what is inlined into it at this place, the innermost first as
 * in model_place; equal ones are one place. UINT32_MAX: no memory. */
uint32_t import_place(struct import *i, uint32_t module, const struct model_line *lines,
                      uint32_t count);
/* UINT32_MAX: no memory. */
uint32_t import_module(struct import *i, uint8_t kind, struct model_str path);
/* The index of a thread, made if new; name and exe may be empty. UINT32_MAX: no
 * memory. */
uint32_t import_thread(struct import *i, int32_t pid, int32_t tid, struct model_str name,
                       struct model_str exe);
/* 0 or ORIEL_ENOMEM. */
int import_add(struct import *i, const struct import_row *row);
/* Something at this byte was passed over. */
void import_note_damage(struct import *i, uint64_t at);
/* No more rows: they are put in order, and the file is not needed any more. */
void import_sort(struct import *i);

/* As `poll` and `damage` of a source. */
int import_poll(struct import *i, struct model_batch *batch, size_t max_records);
void import_damage(const struct import *i, struct source_damage *out);

/* A text file line by line, without its end; false: no more. */
struct import_lines {
    const char *at, *end;
};
bool import_next_line(struct import_lines *l, struct model_str *out);

#endif
