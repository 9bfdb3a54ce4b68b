/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An outlet: turns const batches into bytes. One folder, one const table, one
 * line in exporters.def; nothing else in the house names it.
 *
 * The session allocates `state_size` zeroed bytes and an options struct filled
 * from the table, then calls open, write (once per batch, in order), flush,
 * close, always from one thread. An outlet never blocks beyond its `out`.
 */
#ifndef ORIEL_EXPORT_EXPORTER_H
#define ORIEL_EXPORT_EXPORTER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "deliver/deliver.h"
#include "model/batch.h"
#include "util/option.h"
#include "util/out.h"

enum export_wants {
    EXPORT_RECORDS = 1, /* batches as the source made them (capture) */
    EXPORT_ITEMS = 2,   /* ordered and assembled by the pipe */
    EXPORT_SYMBOLS = 4, /* besides: places have their lines by the time of close, if whoever
                         * runs the session can read them */
    EXPORT_SEGMENTS = 8 /* likewise modules their segments; one of the two makes an outlet of
                         * samples */
};

/* What an outlet may know of its surroundings. Lives until close. */
struct export_env {
    const struct model_catalog *catalog;
    struct out *out; /* where to write; owned by the session; NULL: what is no file needs none */
    const char *service_name; /* never NULL */
    const char *version;      /* of Oriel */
};

/* What the options of an outlet say of a receiver; the texts are theirs. */
struct export_destination {
    struct deliver_options deliver; /* all but name, headers, spool, say and time */
    const char *headers;            /* "name=value,..", secret; "" none */
    const char *also;               /* comma list of further endpoints; "" none */
    const char *spool_dir;          /* "" none */
    uint64_t spool_bytes;
};

/* Totals for the last words of an outlet. */
struct export_summary {
    uint64_t records;                 /* read from the source */
    uint64_t lost[ORIEL_LOST_CAUSES]; /* by cause, over everything */
    uint64_t damaged;                 /* records that failed validation */
    uint64_t clamped;                 /* negative durations set to 0 */
    uint64_t unfinished;              /* spans never ended */
    uint64_t start_ns, end_ns;
};

struct exporter {
    const char *name;                 /* as in `--to NAME` */
    const char *help;                 /* one line */
    const char *suffix;               /* default file suffix, with the dot */
    unsigned wants;                   /* enum export_wants */
    const struct option_def *options; /* NULL: what is given is copied as it is */
    size_t options_size;
    size_t state_size;
    /* 0, or a negative code with a line in err; close is not called then. */
    int (*open)(void *state, const void *options, const struct export_env *env,
                struct oriel_err *err);
    /* 0, or a negative code; after a failure the session counts the batch as
     * lost to this outlet and keeps calling. */
    int (*write)(void *state, const struct model_batch *batch, struct oriel_err *err);
    /* Push buffered bytes to `out`, leaving the file valid to read as it is. */
    int (*flush)(void *state, struct oriel_err *err);
    /* Push what has waited long enough, now and then instead of flush where `out` takes
     * messages or there is none; monotonic. NULL: as flush. */
    int (*tick)(void *state, uint64_t now_ns, struct oriel_err *err);
    /* When tick is to be called for what waits now; UINT64_MAX: nothing does. *out_delay_ns: how
     * long what comes may wait at most. Not NULL where tick is not. */
    uint64_t (*due)(const void *state, uint64_t *out_delay_ns);
    /* Finish the file; frees everything in state. ORIEL_ENOTFOUND: the recording holds
     * nothing of what this outlet is for, and nothing was written. */
    int (*close)(void *state, const struct export_summary *end, struct oriel_err *err);
    /* Records or items that it was given and could not write so far, or that were lost
     * behind `out` (out_fate), exactly; may be asked after close too. NULL: a call that failed
     * wrote nothing of its batch, or of what was not flushed. */
    uint64_t (*unwritten)(const void *state);
    /* Of these, records that the program did not say itself (MODEL_SEEN). NULL: not known. */
    uint64_t (*unwritten_seen)(const void *state);
    /* After close: one line for a person on what is not in the file because its format has no
     * place for it; "" nothing. It lives as long as the state. NULL: it never has any. */
    const char *(*note)(const void *state);
    /* How a receiver is spoken to, for which `out` takes messages. NULL: only files. */
    void (*destination)(const void *options, struct export_destination *out);
};

/* Whether samples have no place in it: who recorded some wants to know. */
static inline bool export_leaves_samples(const struct exporter *e)
{
    return !(e->wants & (EXPORT_RECORDS | EXPORT_SYMBOLS | EXPORT_SEGMENTS));
}

/* The explicit list, in order of exporters.def; NULL-terminated. */
extern const struct exporter *const export_registry[];
const struct exporter *export_find(const char *name); /* NULL if unknown */

#endif
