/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One outlet of a session, and the books on it: what it was given, what it
 * delivered, what it refused. A failure is counted and stops nobody. Seen by the
 * session only.
 */
#ifndef ORIEL_SESSION_OUTLET_H
#define ORIEL_SESSION_OUTLET_H

#include "export/exporter.h"

#define OUTLET_FLUSH_NS UINT64_C(1000000000) /* files of items are readable up to then */

struct fetch;
struct outlet {
    const struct exporter *exporter;
    struct out *out;
    void *state, *state_block, *options;
    struct export_env env;
    struct oriel_err first; /* first failure */
    uint64_t delivered, refused, refused_seen, failed;
    uint64_t unflushed; /* delivered since the last good flush */
    uint64_t given;
    bool told;                   /* to a person, that it failed */
    struct deliver *destination; /* behind `out`, and closed with it; NULL: a file */
    struct fetch *fetch;         /* asks the vault for its headers; NULL: nobody does */
};

/* Options of an exporter's table: a copy that owns its texts (`from` NULL: the defaults), its
 * end, and whether one of them is the same in two. */
int outlet_options_copy(const struct exporter *e, const void *from, void **out);
int outlet_option_take(const struct option_def *d, void *to, const void *from);
void outlet_options_free(const struct exporter *e, void *options);
bool outlet_option_same(const struct option_def *d, const void *a, const void *b);

/* Takes `out`, also on failure. The options are copied. 0 or what the exporter says, with a
 * line; there is nothing to be closed then. */
int outlet_open(struct outlet *o, const struct exporter *exporter, const void *options,
                struct out *out, const struct model_catalog *catalog, struct oriel_err *err);
/* `count` is what the batch counts for in the books. */
void outlet_write(struct outlet *o, const struct model_batch *batch, uint64_t count);
/* What an outlet took but could not write is refused after all. Nothing is flushed where
 * nothing was written, unless `always`. */
void outlet_flush(struct outlet *o, bool always);
/* A round of a live session has passed: what waited long enough goes to a receiver. Not for
 * files, which are flushed. */
bool outlet_tick(struct outlet *o, uint64_t now_ns);
/* As `due` of the exporter; a file is due with what comes, and is to be readable soon. */
uint64_t outlet_due(const struct outlet *o, uint64_t *out_delay_ns);
/* Receivers: begin to end, or wait for that; then the books are as they stay. */
void outlet_finish(struct outlet *o, uint64_t deadline_ns, bool wait);
/* Nobody asks for headers of it any more. */
void outlet_leave_vault(struct outlet *o);
/* The last words; then outlet_done frees it. */
void outlet_close(struct outlet *o, const struct export_summary *end);
void outlet_done(struct outlet *o);

/* Zeroed memory for a state, which may hold cache lines of its own: more than the heap's
 * alignment. *out_block is what to free. NULL: out of memory. */
void *outlet_state_new(size_t size, void **out_block);

#endif
