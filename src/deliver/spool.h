/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Requests on disk, oldest first, for the time a receiver is away. Bounded: the
 * oldest go and are counted. A process that is killed loses nothing that
 * spool_put took and repeats at most what was under way; a machine that loses
 * power may lose what the system had not written.
 *
 *   DIRECTORY/<destination>/<start>-<pid>.spool   written by one process, locked by it
 *
 * Files whose process is gone are adopted by whoever opens the same destination
 * next, one process each. Files are 0600 in a directory 0700 of ours, never followed
 * through links. What is read may be damaged: it is checked, skipped and counted.
 * One thread at a time per spool.
 */
#ifndef ORIEL_DELIVER_SPOOL_H
#define ORIEL_DELIVER_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "util/out.h"

struct spool_options {
    size_t size; /* sizeof of this struct */
    const char *directory;
    const char *destination; /* who may send it: endpoint and form, without secrets; hashed */
    uint64_t max_bytes;      /* 0: 512 MiB, over all files of the destination */
    uint64_t file_bytes;     /* a new file from here on; 0: 8 MiB */
    uint64_t keep_ns;        /* older messages are given up; 0: 48 h */
};
struct spool;
/* 0; ORIEL_EPERM (a directory that is not ours alone), ORIEL_EIO, ORIEL_ENOSPC, ORIEL_ENOMEM. */
int spool_open(struct spool **out, const struct spool_options *options, struct oriel_err *err);
/* Appends; makes room by dropping the oldest. 0; ORIEL_ENOSPC, ORIEL_EIO, ORIEL_ELIMIT (larger
 * than max_bytes): nothing of it is there. `unix_ns` is now. */
int spool_put(struct spool *s, const struct out_message *m, uint64_t unix_ns,
              struct oriel_err *err);
/* The oldest message that was not dropped, into `bytes`; m->bytes points there. *out_own: it was
 * put by this process. 0; ORIEL_ENOTFOUND: none is left. The same until it is done with. */
int spool_next(struct spool *s, struct out_message *out, struct buf *bytes, bool *out_own,
               struct oriel_err *err);
/* The one spool_next gave has its fate; this is remembered across a kill. */
void spool_done(struct spool *s);

struct spool_part { /* items put by this process: put == done + held + dropped */
    uint64_t put, done, held;
    uint64_t dropped;      /* the oldest, to make room, too old, or damaged */
    uint64_t dropped_seen; /* of these MODEL_SEEN */
};
struct spool_counts {
    struct spool_part own[OUT_SIGNALS];
    uint64_t adopted, adopted_done, adopted_dropped; /* items of other processes */
    uint64_t messages, bytes;                        /* on disk now */
    uint64_t damaged; /* messages that could not be read back; their items, where known,
                       * are in dropped */
};
void spool_counts(const struct spool *s, struct spool_counts *out);
/* What is left stays for the next; empty files go. Takes NULL. */
void spool_close(struct spool *s);

#endif
