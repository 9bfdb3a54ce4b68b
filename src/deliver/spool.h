/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Requests on disk, compressed, oldest first, for the time a receiver is away. Bounded: the
 * oldest go and are counted. A process that is killed loses nothing that
 * spool_put took and repeats at most what was under way; a machine that loses
 * power may lose what the system had not written.
 *
 *   DIRECTORY/<hash of the destination>/<created>-<pid>-<start>-<tag>.spool
 *
 * A file is written and read by one process, its owner. Files whose process is gone are
 * adopted by whoever opens the same destination next, or has it open and room for more,
 * one process each. Files are 0600 in a directory 0700 of ours, never followed through
 * links; their names come from nothing a user said. What is read may be damaged: it is
 * checked, skipped and counted. Room is made by whole files, the oldest first. Processes
 * that live at the same time share max_bytes: each may use what the others do not, and at
 * least its equal part; when one more comes to a full spool, all of them together may be
 * above it until each has begun its next file, but never at twice of it.
 * One thread at a time per spool. A fork child has no spool: every call is refused or does
 * nothing, and spool_close frees memory and descriptors.
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
    const char *label;       /* what spool_list tells of it; NULL: `destination` */
    const char *key;         /* instead of `destination`: what spool_list told; NULL */
    uint64_t (*unix_now)(void *user); /* NULL: base/clock. For tests with a time of their own */
    void *user;
};
struct spool;
/* 0; ORIEL_EINVAL, ORIEL_EPERM (a directory that is not ours alone), ORIEL_EIO, ORIEL_ENOSPC,
 * ORIEL_ENOMEM. Files of the dead are adopted, but not yet read. */
int spool_open(struct spool **out, const struct spool_options *options, struct oriel_err *err);
/* Appends; makes room by dropping the oldest. 0; ORIEL_ENOSPC, ORIEL_EIO, ORIEL_ELIMIT (larger
 * than max_bytes), ORIEL_ESTATE (a fork child): nothing of it is there. `unix_ns` is now. */
int spool_put(struct spool *s, const struct out_message *m, uint64_t unix_ns,
              struct oriel_err *err);
/* The oldest message that was neither taken nor dropped, into `bytes`; m->bytes points there.
 * *out_own: it was put by this process. Up to SPOOL_AHEAD may be taken and have no fate yet; what a
 * kill leaves begins with the oldest of these. 0; ORIEL_ENOTFOUND: none is left; ORIEL_EBUSY: none
 * until some of these have their fate; ORIEL_ENOMEM, ORIEL_EIO, ORIEL_ESTATE. */
enum { SPOOL_AHEAD = 16 };
int spool_take(struct spool *s, struct out_message *out, struct buf *bytes, bool *out_own,
               unsigned *out_ticket, struct oriel_err *err);
/* The one that was taken last was not, after all. Without one: nothing. */
void spool_untake(struct spool *s);
/* That one has its fate, in any order; this is remembered across a kill once it holds for all older
 * ones. Also of one that was dropped since: it then counts as done. */
void spool_settle(struct spool *s, unsigned ticket);
/* Both for one at a time: the oldest message that was not dropped, into `bytes`; m->bytes points
 * there. *out_own: it was put by this process. 0; ORIEL_ENOTFOUND: none is left; ORIEL_ENOMEM,
 * ORIEL_EIO, ORIEL_ESTATE. The same until it is done with, or dropped to make room by a spool_put
 * in between. */
int spool_next(struct spool *s, struct out_message *out, struct buf *bytes, bool *out_own,
               struct oriel_err *err);
/* The one spool_next gave has its fate; this is remembered across a kill. Also of one that was
 * dropped since: it then counts as done. Without one: nothing. */
void spool_done(struct spool *s);

struct spool_part { /* items put by this process: put == done + held + dropped, always */
    uint64_t put, done, held;
    uint64_t dropped;      /* the oldest, to make room, too old, or damaged */
    uint64_t dropped_seen; /* of these MODEL_SEEN */
};
struct spool_counts {
    struct spool_part own[OUT_SIGNALS];
    /* Items of other processes. adopted == adopted_done + adopted_dropped + what is left, of the
     * files that were read so far. */
    uint64_t adopted, adopted_done, adopted_dropped;
    uint64_t messages, bytes; /* on disk now; an adopted file counts as one until it is read */
    uint64_t damaged;         /* regions and files that could not be read back */
};
void spool_counts(const struct spool *s, struct spool_counts *out);
/* What is left stays for the next; empty files go. Takes NULL. */
void spool_close(struct spool *s);

/* What lies in a directory of spools, read without touching anything. */
struct spool_listed {
    char key[40];
    char destination[448];        /* "" where it cannot be told */
    unsigned files, files_in_use; /* in use: their process is there */
    uint64_t bytes, messages, items;
    uint64_t oldest_ns, newest_ns; /* unix; 0: no message */
    uint64_t damaged;
};
/* One call for each destination in it, in the order of keys. 0; ORIEL_ENOTFOUND (no such
 * directory), ORIEL_EPERM (not of this user alone), ORIEL_EIO, ORIEL_ENOMEM. */
int spool_list(const char *directory, void (*each)(void *user, const struct spool_listed *l),
               void *user, struct oriel_err *err);

#endif
