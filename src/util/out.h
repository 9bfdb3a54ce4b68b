/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where encoded bytes go: a file, a descriptor, or memory in tests. The only
 * way out for exporters. One thread at a time.
 *
 * A full disk or a closed pipe never raises a signal and never blocks for
 * ever; the first failure is kept and later writes return it at once.
 */
#ifndef ORIEL_UTIL_OUT_H
#define ORIEL_UTIL_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct out;

/* One whole request of a protocol, for where bytes alone are not enough: a receiver
 * takes or refuses it as one, and knows which signal it is. */
enum out_signal { OUT_TRACES, OUT_LOGS, OUT_METRICS, OUT_PROFILES, OUT_SIGNALS };
struct out_message {
    enum out_signal signal;
    uint64_t items; /* spans, log records, points in it: what is lost with it */
    uint64_t seen;  /* of these MODEL_SEEN */
    const void *bytes;
    size_t n;
};
/* What became of the items of messages after they were taken. */
struct out_fate {
    uint64_t lost;      /* refused by the receiver, dropped from the queue or the spool, expired */
    uint64_t lost_seen; /* of these MODEL_SEEN */
    uint64_t held;      /* not known yet: in the queue, under way, in the spool */
};

struct out_ops {
    /* All or nothing up to *out_written bytes; 0 or a negative code. */
    int (*write)(struct out *o, const void *bytes, size_t n, size_t *out_written);
    int (*sync)(struct out *o);
    void (*close)(struct out *o);
    /* Random access; all three NULL where there is none (pipe, terminal). */
    int (*write_at)(struct out *o, uint64_t offset, const void *bytes, size_t n);
    int (*read_at)(struct out *o, uint64_t offset, void *bytes, size_t n, size_t *out_read);
    int (*truncate)(struct out *o, uint64_t size);
    /* Where whole messages go; all three NULL where only bytes do. */
    int (*message)(struct out *o, const struct out_message *m);
    int (*finish)(struct out *o, uint64_t deadline_ns, bool wait);
    void (*fate)(struct out *o, struct out_fate *out);
};
struct out {
    const struct out_ops *ops;
    uint64_t bytes;  /* size of the current file: what was there when appending, and written */
    int failed;      /* first failure, 0 none */
    int patience_ms; /* how long a write may wait for a reader that takes
                      * nothing: 10 s at first, -1 for as long as it takes
                      * (a command whose only work is this output) */
    bool colour;     /* a terminal whose user wants colour */
    char path[512];  /* "" for memory, "-" for standard output */
};

/* Create or truncate a file (0600, O_NOFOLLOW, parent directories made 0700);
 * "-" is standard output. Refused with ORIEL_EPERM: a link, a FIFO, a file that
 * is not ours or has a second name. 0, or ORIEL_EPERM, ORIEL_ENOSPC, ORIEL_EIO,
 * ORIEL_ENOMEM with a line naming the path. */
int out_file_open(struct out **out, const char *path, bool append, struct oriel_err *err);
/* A descriptor that stays open on close (stdout, stderr). */
int out_fd_open(struct out **out, int fd, const char *name);
/* Memory: the bytes are in *target, which the caller owns. */
int out_buf_open(struct out **out, struct buf *target);
/* A file that is appended to and rotated before a write that would take it
 * beyond max_bytes: path -> path.1 -> ... path.keep; the oldest goes. What one
 * out_write gives is never split over two files. keep 0: it starts anew. */
int out_rotating_open(struct out **out, const char *path, uint64_t max_bytes, unsigned keep,
                      struct oriel_err *err);

/* 0, or the first failure: ORIEL_ENOSPC, ORIEL_EIO (also a closed pipe), ORIEL_EBUSY
 * (patience ran out), ORIEL_ENOMEM. Short writes are continued; `bytes` counts
 * what got through. */
int out_write(struct out *o, const void *bytes, size_t n);
/* Write and clear a buffer; ORIEL_ENOMEM if the buffer had failed. */
int out_write_buf(struct out *o, struct buf *b);
int out_sync(struct out *o);

/* Whether messages keep their edges here (a destination), or become bytes (a file). */
bool out_takes_messages(const struct out *o);
/* A message, copied; in a file its bytes. 0; as out_write; where messages are taken it
 * never waits, and what it could not take (ORIEL_ELIMIT: larger than the queue)
 * is the caller's to count. A queue that is full is not a failure: see out_fate. */
int out_message(struct out *o, const struct out_message *m);
/* Nothing more will come: what was taken may be delivered until the deadline
 * (monotonic ns; 0: no time at all). To be called for all outs before any is waited
 * for, with wait = false, and then with true, which returns when everything has its fate: a few ms
 * after the deadline, unless a disk holds it up. 0, or ORIEL_ETIMEOUT: some was lost
 * or spooled. Bytes: as out_sync. */
int out_finish(struct out *o, uint64_t deadline_ns, bool wait);
/* Exact at all times; zeroes where only bytes are taken. */
void out_fate(struct out *o, struct out_fate *out);

/* For formats that repair themselves (capture). Files and memory can do this;
 * elsewhere the answer is ORIEL_EUNSUPPORTED. A file is therefore opened for
 * reading too, and without O_APPEND, which would turn every write into one at
 * the end. None of them looks at `failed`. */
bool out_can_seek(const struct out *o);
/* Overwrite n bytes that were written before; never extends the file. */
int out_write_at(struct out *o, uint64_t offset, const void *bytes, size_t n);
/* 0 and *out_read < n only at the end of the file. */
int out_read_at(struct out *o, uint64_t offset, void *bytes, size_t n, size_t *out_read);
/* Cut the end off: bytes = size, later writes go there, and `failed` is
 * cleared so that writing may be tried again. */
int out_truncate(struct out *o, uint64_t size);
void out_close(struct out *o); /* takes NULL */

/* Make a directory and its parents (0700); when `ignore`, and it was made by
 * this call, put a .gitignore with "*" into it. */
int out_make_dir(const char *path, bool ignore, struct oriel_err *err);
/* Whether it could be made and written to, as far as can be told without doing it. */
int out_check_dir(const char *path, struct oriel_err *err);

#endif
