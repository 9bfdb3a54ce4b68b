/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The composition root: one source, the pipe, any number of outlets. The only
 * room that names a concrete source or exporter. Used by the command (with a
 * region it holds, or a file) and by liboriel (with a drain thread).
 */
#ifndef ORIEL_SESSION_SESSION_H
#define ORIEL_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "export/exporter.h"
#include "pipe/pipe.h"
#include "source/source.h"

struct session;

struct session_counts {
    uint64_t records;                 /* read from the source and valid */
    uint64_t delivered[8];            /* records (or items) taken by outlet i */
    uint64_t outlet_failed[8];        /* batches refused by outlet i */
    uint64_t lost[ORIEL_LOST_CAUSES];
    uint64_t processes, threads;
    struct pipe_counts pipe;
    struct source_damage damage;
    uint64_t start_ns, end_ns;
};

/* Open a source. `path` is a region file or a capture. */
int session_new(struct session **out, const char *source, const char *path,
                const struct pipe_options *pipe, struct oriel_err *err);
/* Add an outlet before the first run. `options` is a struct of the exporter's
 * table (NULL: defaults), copied; `out` is taken, closed with the session. */
int session_add_outlet(struct session *s, const struct exporter *exporter, const void *options,
                       struct out *out, struct oriel_err *err);
/* A function that sees every batch of items (reports); called before outlets. */
void session_on_items(struct session *s, int (*fn)(void *user, const struct model_batch *items),
                      void *user);
/* One round: poll, pipe, outlets, commit. enum source_result or a code. */
int session_step(struct session *s, struct oriel_err *err);
/* Rounds until SOURCE_END, or forever-idle for files. */
int session_run(struct session *s, struct oriel_err *err);
/* Drain what is left, finish the outlets. Call once; then only free. */
int session_finish(struct session *s, struct oriel_err *err);
struct model_catalog *session_catalog(struct session *s);
void session_get_counts(const struct session *s, struct session_counts *out);
void session_free(struct session *s);

#endif
