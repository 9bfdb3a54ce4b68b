/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The perf.data outlet, inside.
 *
 *   perf.c      options, life of the file, samples taken in
 *   record.c    one record as bytes
 *   space.c     who has what mapped where: told when it is first needed
 *   feature.c   header, events and what the file says of the machine
 *
 * A recording knows addresses as object files have them, not where these were loaded. So every
 * file has a place of our choosing in an address space that all processes share; readers turn an
 * address back into an offset in the file, which is the true one. Addresses of the kernel and of
 * code made at run time are those that were seen.
 *
 *   header | ids | events | COMM, MMAP2, SAMPLE, ... as they come | features
 *
 * Records that depend on what is known only at the end (names, segments) are written again in
 * place when the file is closed. Memory: some bytes for each thread, and for each object file of
 * each process. Runs on one thread.
 */
#ifndef ORIEL_EXPORT_PERF_PERFDATA_H
#define ORIEL_EXPORT_PERF_PERFDATA_H

#include "base/buf.h"
#include "base/intern.h"
#include "base/map.h"
#include "base/vec.h"
#include "export/exporter.h"

enum {
    PERFDATA_WRITE_BYTES = 256 * 1024,
    PERFDATA_EVENTS = ORIEL_SAMPLE_KINDS, /* at most */
    PERFDATA_HEADER_BYTES = 104,
    PERFDATA_ATTR_BYTES = 112,
    PERFDATA_FILE_ATTR_BYTES = PERFDATA_ATTR_BYTES + 16, /* and where its ids are */
    PERFDATA_IDS_AT = PERFDATA_HEADER_BYTES,
    PERFDATA_ATTRS_AT = PERFDATA_IDS_AT + 8 * PERFDATA_EVENTS,
    PERFDATA_RECORDS_AT = PERFDATA_ATTRS_AT + PERFDATA_FILE_ATTR_BYTES * PERFDATA_EVENTS,
    PERFDATA_NAME_MAX = 63, /* of a thread; the kernel's own have 15 */
    PERFDATA_PATH_MAX = 4095,
    PERFDATA_ID_MAX = 20,    /* bytes of a build-id */
    PERFDATA_JIT_SHIFT = 21, /* code made at run time is mapped in pieces of so many bits */
    PERFDATA_NOTE_BYTES = 320
};
#define PERFDATA_PAGE UINT64_C(4096)
/* Where we put files: below what programs of any architecture map themselves. */
#define PERFDATA_SPACE_START UINT64_C(0x100000000000)
#define PERFDATA_SPACE_END UINT64_C(0x700000000000)
#define PERFDATA_WINDOW_BITS 32
#define PERFDATA_USER_END (UINT64_C(1) << 47)
#define PERFDATA_KERNEL_START (UINT64_C(1) << 63)

/* Numbers of the format, which are the kernel's and perf's. */
enum perfdata_record {
    PERFDATA_MMAP = 1,
    PERFDATA_LOST = 2,
    PERFDATA_COMM = 3,
    PERFDATA_EXIT = 4,
    PERFDATA_FORK = 7,
    PERFDATA_SAMPLE = 9,
    PERFDATA_MMAP2 = 10,
    PERFDATA_LOST_SAMPLES = 13
};
enum perfdata_misc {
    PERFDATA_MISC_KERNEL = 1,
    PERFDATA_MISC_USER = 2,
    PERFDATA_MISC_EXEC = 1 << 13,
    PERFDATA_MISC_BUILD_ID = 1 << 14, /* MMAP2 has one in place of an inode */
    PERFDATA_MISC_ID_SIZE = 1 << 15   /* in the list of build-ids: it says how long it is */
};
#define PERFDATA_CONTEXT_KERNEL ((uint64_t)-128)
#define PERFDATA_CONTEXT_USER ((uint64_t)-512)

/* 4 GiB of a file's addresses: mostly all of them. */
struct perfdata_window {
    uint32_t module; /* UINT32_MAX: a program of which nothing but its path is known */
    uint32_t high;   /* the upper half of its addresses */
    struct model_str path;
    uint64_t low, end; /* the part that is used */
};
/* A record to be written again at the end. */
struct perfdata_told {
    uint64_t at, t_ns; /* in the file */
    uint32_t process;
    uint32_t what; /* a window, or a thread */
    bool thread, exec;
};
struct perfdata_options {
    int kind; /* enum oriel_sample_kind; 0 all */
};
struct perfdata {
    struct export_env env;
    struct perfdata_options options;
    struct buf buf; /* records not written yet */
    uint64_t start; /* where our bytes begin in `out` */
    struct map processes, threads, tids, windows, mapped, pieces, programs;
    struct intern paths; /* of programs that are no module */
    VEC(struct perfdata_window) window;
    VEC(struct perfdata_told) told;
    uint64_t kernel_at, kernel_ns;        /* its mapping, as in `told`; 0 none */
    uint64_t samples[ORIEL_SAMPLE_KINDS]; /* written, by kind */
    uint64_t missed, frames, nowhere, first_ns, last_ns;
    uint64_t chain[MODEL_STACK_DEPTH_MAX + 2]; /* of the sample being written */
    bool begun, settling;
    uint32_t kernel; /* module */
    int failed;      /* sticky */
    char note[PERFDATA_NOTE_BYTES];
};

/* ---- record.c: all append to b, whose failure is theirs ---- */

struct perfdata_who {
    int32_t pid, tid;
    uint64_t t_ns;
    uint32_t cpu; /* UINT32_MAX unknown */
};
struct perfdata_mapping {
    uint64_t start, bytes, offset;
    struct model_str path;
    const uint8_t *build_id; /* NULL: none */
    uint8_t build_id_bytes;
};
/* The event's number in every record of it. */
static inline uint64_t perfdata_id(uint8_t kind)
{
    return kind + UINT64_C(1);
}
void perfdata_put32(struct buf *b, uint32_t v);
void perfdata_put64(struct buf *b, uint64_t v);
void perfdata_put_zeros(struct buf *b, size_t n);
void perfdata_put_comm(struct buf *b, const struct perfdata_who *who, struct model_str name,
                       bool exec);
void perfdata_put_mapping(struct buf *b, const struct perfdata_who *who,
                          const struct perfdata_mapping *m);
void perfdata_put_kernel(struct buf *b, uint64_t t_ns, uint64_t text);
void perfdata_put_life(struct buf *b, enum perfdata_record type, const struct perfdata_who *who,
                       int32_t parent_pid, int32_t parent_tid);
void perfdata_put_lost(struct buf *b, uint64_t t_ns, enum perfdata_record type, uint64_t count);
void perfdata_put_sample(struct buf *b, const struct perfdata_who *who, uint8_t kind,
                         uint64_t weight, const uint64_t *chain, size_t count);

/* ---- space.c: failure is the state's ---- */

/* Everything that a reader has to know before a sample of this thread. */
void perfdata_introduce(struct perfdata *p, const struct model_thread *thread, uint64_t t_ns);
/* The address of a place as a reader shall see it, its mapping told before. `first`: nothing was
 * called from there in this part of the stack. False: it has none. */
bool perfdata_address(struct perfdata *p, const struct model_thread *thread, uint64_t t_ns,
                      const struct model_place *place, bool first, uint64_t *out);
/* Told records again as they are known now, and mappings that one record could not hold. */
void perfdata_settle(struct perfdata *p);

/* ---- feature.c ---- */

/* Header, ids and events, PERFDATA_RECORDS_AT bytes; records: how many bytes of them. */
void perfdata_put_header(const struct perfdata *p, struct buf *b, uint64_t records);
/* A fact of the recording; 0: it is not known. */
uint64_t perfdata_number(const struct perfdata *p, const char *key);
/* What stands behind the records; `at`: where that is in the file. */
void perfdata_put_features(const struct perfdata *p, struct buf *b, uint64_t at);

#endif
