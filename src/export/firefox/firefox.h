/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Firefox Profiler outlet, inside.
 *
 *   firefox.c  options, samples and marks taken in as numbers, what they are of
 *   tables.c   one thread as the columns of its tables
 *
 * Version 48 of the processed format: the last in which every thread has its
 * tables for itself, and which every later viewer upgrades. Runs on one thread.
 */
#ifndef ORIEL_EXPORT_FIREFOX_FIREFOX_H
#define ORIEL_EXPORT_FIREFOX_FIREFOX_H

#include "export/exporter.h"
#include "export/samples.h"
#include "util/json.h"

enum {
    FIREFOX_VERSION = 27,           /* of the Gecko format that it claims to come from */
    FIREFOX_PROCESSED_VERSION = 48, /* of the processed format */
    FIREFOX_WRITE_BYTES = 256 * 1024,
    /* What a viewer in a browser can show is less. */
    FIREFOX_SAMPLES_MAX = 4 << 20,
    FIREFOX_MARKS_MAX = 1 << 20
};

enum firefox_category {
    FIREFOX_USER = 0,
    FIREFOX_KERNEL = 1,
    FIREFOX_OTHER = 2,
    FIREFOX_SPANS = 3,
    FIREFOX_CATEGORIES = 4
};

struct firefox_options {
    int kind;   /* enum oriel_sample_kind; 0 all */
    bool marks; /* spans and events too */
};

struct firefox_sample {
    uint64_t t_ns, weight;
    uint32_t stack;
};
struct firefox_mark {
    uint64_t start_ns, end_ns;
    uint32_t name, target; /* of the texts */
    bool span;             /* else at one moment */
};
/* What becomes a thread of the profile: one kind of one thread. */
struct firefox_track {
    uint32_t thread;
    uint8_t kind;
    VEC(struct firefox_sample) samples;
    VEC(struct firefox_mark) marks; /* of the track of CPU time only */
};
struct firefox {
    struct export_env env;
    struct firefox_options options;
    struct map by_key; /* thread << 8 | kind -> index in tracks */
    VEC(struct firefox_track) tracks;
    struct intern texts;
    uint64_t sample_count, mark_count, missed, first_ns;
    struct buf buf;
    struct json json;
    int failed; /* writing: sticky */
};

/* One element of "threads". Failure is the state's. */
void firefox_put_thread(struct firefox *f, const struct firefox_track *t);
/* The last component of its path. */
struct model_str firefox_module_name(const struct model_module *m);
/* To the file, when there is enough. */
void firefox_drain(struct firefox *f, size_t at_least);
/* Nanoseconds since the profile began, as ms. */
void firefox_put_time(struct firefox *f, uint64_t t_ns);

#endif
