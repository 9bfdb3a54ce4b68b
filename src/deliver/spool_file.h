/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One file of a spool: its layout, and appending, finding and acknowledging
 * in it. Internal to the room. Nothing in a file is believed that a checksum
 * does not confirm; the checksums start from a random number of the file, so
 * that bytes of a message never look like a record of it.
 *
 *   0     mark     1024  slot A     2048  mark again     3072  slot B     4096  records
 *
 * The slots say up to where the file is done with. They are written in turns,
 * so that one is whole whatever happens to the other.
 */
#ifndef ORIEL_DELIVER_SPOOL_FILE_H
#define ORIEL_DELIVER_SPOOL_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum {
    SPOOL_VERSION = 1,
    SPOOL_START = 4096, /* of the records */
    SPOOL_RECORD_BYTES = 56,
    SPOOL_TEXT_MAX = 448
};

struct spool_mark {
    char magic[8];
    uint32_t version;
    uint32_t crc; /* of all of this with 0 here */
    uint64_t nonce;
    uint64_t created_ns;
    uint64_t destination[2]; /* hash */
    uint64_t zero[2];
    char text[SPOOL_TEXT_MAX]; /* the destination, cut, with a NUL */
};
_Static_assert(sizeof(struct spool_mark) == 512, "fits before its slot");

struct spool_slot {
    uint64_t generation;
    uint64_t done_at; /* everything before is done with */
    uint64_t zero;
    uint32_t crc; /* of the nonce and this with 0 here */
    uint32_t zero_too;
};
_Static_assert(sizeof(struct spool_slot) == 32, "within one sector");

/* Followed by `length` bytes and zeros up to a multiple of 8. */
struct spool_record {
    uint32_t magic;
    uint32_t length;
    uint64_t sequence; /* rises within a file */
    uint64_t unix_ns;
    uint64_t items;
    uint64_t seen;
    uint32_t signal;
    uint32_t body_crc;
    uint32_t head_crc; /* of the nonce and this with 0 here */
    uint32_t plain;    /* length of the message; more than `length`: these are zstd's */
};
_Static_assert(sizeof(struct spool_record) == SPOOL_RECORD_BYTES, "as drawn");

struct spool_file {
    int fd;
    dev_t dev; /* what fd was: a host that closes all descriptors may have reused it */
    ino_t ino;
    uint64_t size;
    uint64_t done_at;
    uint64_t generation;
    struct spool_mark mark;
};

static inline uint64_t spool_record_size(uint64_t length)
{
    return SPOOL_RECORD_BYTES + ((length + 7) & ~(uint64_t)7);
}

/* A new file with this mark, whose checksum is set here. 0, ORIEL_EPERM, ORIEL_ENOSPC,
 * ORIEL_EIO: then there is no file. */
int spool_file_create(struct spool_file *f, int dir, const char *name,
                      const struct spool_mark *mark, struct oriel_err *err);
/* 0; ORIEL_EPERM (a link, a FIFO, somebody else's, readable by others), ORIEL_ENOTFOUND,
 * ORIEL_EDAMAGED (no mark can be read), ORIEL_EVERSION, ORIEL_EIO. */
int spool_file_open(struct spool_file *f, int dir, const char *name, struct oriel_err *err);
void spool_file_close(struct spool_file *f);
/* Whether the descriptor is still the file it was. */
bool spool_file_ours(const struct spool_file *f);

/* Adds a record; its magic, length and checksums are set here, `plain` is the caller's. 0;
 * ORIEL_ENOSPC, ORIEL_EIO: the file is as before. ORIEL_ESTATE: it could not be brought back to
 * that, or is gone: nothing more must be appended to it. */
int spool_file_append(struct spool_file *f, struct spool_record *r, const void *bytes,
                      uint32_t length, struct oriel_err *err);
/* The first whole record at or after *at, which is set to its place. True; false: there is
 * none. *out_damaged counts regions that had to be skipped; the unfinished record of a
 * process that was killed is none. */
bool spool_file_find(const struct spool_file *f, uint64_t *at, struct spool_record *out,
                     uint64_t *out_damaged);
/* Its bytes. 0, ORIEL_EDAMAGED, ORIEL_EIO. */
int spool_file_body(const struct spool_file *f, uint64_t at, const struct spool_record *r,
                    void *out);
/* Everything before `at` is done with. 0, ORIEL_EIO: it may come again. */
int spool_file_done(struct spool_file *f, uint64_t at);

#endif
