/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Making, finding and ending regions. The command and liboriel create one here
 * and hand its path to writers (environment) and to the ring source; what a
 * dead program left behind is listed here and read through the same source.
 *
 * Life of a region that `oriel record` makes:
 *   region_create -> path to the child -> session with source "ring"
 *   child is gone -> region_end -> poll until SOURCE_END -> region_unlink
 * While its creator lives and region_end was not called, the source answers
 * SOURCE_IDLE even when all processes are over: the next may be about to start.
 * When the creator is dead it answers SOURCE_END once all of them are over.
 */
#ifndef ORIEL_SOURCE_REGION_IO_H
#define ORIEL_SOURCE_REGION_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "source/source.h"
#include "wire/region.h"

/* Zero means the default given here. */
struct region_options {
    uint32_t size;            /* sizeof(struct region_options) */
    uint32_t threads;         /* live at the same time; 1024 */
    uint32_t processes;       /* live at the same time; 64 */
    uint32_t policy;          /* enum wire_policy */
    uint64_t ring_bytes;      /* for records; 16 MiB; rounded up to chunks */
    uint64_t meta_bytes;      /* for descriptions of call sites; 4 MiB */
    uint32_t flags;           /* enum wire_region_flag */
    bool memfd;               /* sealed memory without a name, instead of a file: goes
                               * with its last holder, cannot be truncated */
    bool late;                /* of a file: pages for records only once somebody joins */
    const char *directory;    /* for the file; NULL: the runtime directory */
    const char *directives;   /* "info,db=debug"; NULL: "" */
    const char *capture_path; /* told to writers and to a recovery; NULL: "" */
};

struct region;

/* All its pages are allocated before it returns, or, `late`, by whoever joins before it
 * writes, so no writer ever meets a full file system. ORIEL_EINVAL (a size or a text out of range),
 * ORIEL_ENOSPC with a line that names a size that would fit, or what the system answered. */
int region_create(struct region **out, const struct region_options *options, struct oriel_err *err);
/* Path under which other processes of this user open it, while we live. */
const char *region_path(const struct region *r);
const uint8_t *region_session_id(const struct region *r);
/* No more records are wanted: writers stop, the source ends once it has read
 * what is there. Async-signal-safe. */
void region_end(struct region *r);
/* New filter directives for all writers. ORIEL_EINVAL: too long. */
int region_set_directives(struct region *r, const char *directives);
/* The same from outside of the recorder, for the ring at `path`: written, told to
 * all threads of its programs (*out_threads), and waited for, for at most
 * wait_ns: *out_waiting of them have recorded nothing since. 0 or ORIEL_EINVAL,
 * ORIEL_ENOTFOUND, ORIEL_EFORMAT, ... */
int region_switch(const char *path, const char *directives, uint64_t wait_ns, unsigned *out_threads,
                  unsigned *out_waiting, struct oriel_err *err);
/* The ring of a process that is recorded, or of its recorder. ORIEL_ENOTFOUND. */
int region_find(int32_t pid, char *out, size_t n, struct oriel_err *err);
/* ORIEL_EINVAL with the directive that nobody would understand. */
int region_check_directives(const char *text, struct oriel_err *err);
/* How many dumps of the flight recorder were asked for so far; region_trigger
 * asks for one. Both async-signal-safe. */
uint32_t region_triggers(const struct region *r);
void region_trigger(struct region *r);
/* What the reader says of its own work: at most WIRE_FIGURES numbers, by one thread. */
void region_tell_figures(struct region *r, const uint64_t *values, unsigned count,
                         uint64_t mono_ns);
/* Which traces that begin here are sampled (base/ratio.h), for what is told of them elsewhere. By
 * one thread. */
void region_tell_threshold(struct region *r, uint64_t threshold);
/* The latest it said, whole, out of the ring at `path`. 0; ORIEL_ENOTFOUND (nothing yet),
 * ORIEL_EFORMAT, ORIEL_EBUSY (its writer died amid them). */
int region_read_figures(const char *path, struct wire_figures *out);
/* A descriptor that polls readable once somebody opens the ring from now on: until then
 * nobody can say anything. The caller's to close; -1: this system does not tell. */
int region_watch_opening(const struct region *r);
/* Has any process joined, to write into it? */
bool region_is_joined(const struct region *r);
/* Made `late`: did one find no room for its pages, so that it says nothing? */
bool region_is_refused(const struct region *r);
/* Before the first child could be forked: this process is going to read it. */
void region_hold(struct region *r);
/* In a fork child, of a region that its parent made: */
/* Who exports it becomes this process, whose thread that reads has yet to region_own it. False: the
 * owner is not gone, is us, or somebody else was faster. Async-signal-safe. */
bool region_inherit(struct region *r);
/* Is the owner gone, or just ending? Its process; 0: there is none. Async-signal-safe. */
bool region_is_left(const struct region *r);
int32_t region_owner(const struct region *r);
/* As region_end, by a process that is about to exit. */
void region_end_for_exit(struct region *r);
/* Is there another process than the one that ends it? */
bool region_is_shared(const struct region *r);
/* Does process `pid` have its file in memory? Asks the kernel; false where that does not tell. */
bool region_is_mapped(const struct region *r, int32_t pid);
/* What writers have taken of it, in whole chunks; one load, so that it may be asked often. */
uint64_t region_taken_bytes(const struct region *r);
/* There was more than one process, or one is about to write; one load. */
bool region_had_others(const struct region *r);
/* No other process writes here, as far as is known. Asks the kernel for those there were. */
bool region_is_alone(const struct region *r);
/* No other process writes here, and it holds nothing that anybody has yet to read: its file may go.
 * Any thread. */
bool region_is_spent(const struct region *r);
/* By the thread that reads, before it does, the first time and after region_inherit. */
void region_own(struct region *r);
/* The source "ring" of the memory that is mapped already, whatever became of its file; its options
 * are a region that outlives it. */
extern const struct source source_ring;
/* Unmap and close; the file stays until region_unlink. */
void region_free(struct region *r); /* takes NULL */
/* Remove a ring's file. 0, ORIEL_ENOTFOUND, ... */
int region_unlink(const char *path, struct oriel_err *err);

/* For programs whose signals are their own (the command): when somebody cuts a
 * ring's file short that is open here, zeros stand in for it, and its source
 * says so, instead of SIGBUS ending the process. Once, at the start. */
void region_guard(void);

/* ---- what was left behind ---- */

struct region_info {
    char path[512];
    uint8_t session_id[16];
    uint64_t created_unix_ns;
    uint64_t bytes;        /* of addresses, */
    uint64_t memory_bytes; /* and of memory */
    int32_t creator_pid;
    int32_t reader_pid; /* of a reader that is alive, else 0 */
    bool creator_alive;
    bool same_boot;
    bool exported;      /* by a program itself, not by a recorder */
    uint32_t crashes;   /* whole notes */
    uint32_t processes; /* attached so far and not yet given back */
    uint32_t processes_alive;
    uint64_t unread_bytes; /* committed, not yet marked as safe in a capture */
    char exe[256];         /* of the first process, "" if there was none */
    char capture_path[WIRE_PATH_BYTES];
};

/* True when nobody writes, reads or owns it any more: it may be recovered. */
bool region_is_orphan(const struct region_info *info);
/* Look into one ring without disturbing it. ORIEL_EFORMAT, ORIEL_EVERSION, ... */
int region_inspect(const char *path, struct region_info *out, struct oriel_err *err);
/* Copies of the whole crash notes in it, at most `max`; how many. 0 as well for
 * what is no ring. */
unsigned region_crashes(const char *path, struct wire_crash *out, unsigned max);
/* All rings in a directory (NULL: the runtime directory), oldest first; what is
 * not a ring is passed over. At most REGION_LIST_MAX. Free with mem_free. */
#define REGION_LIST_MAX 4096u
int region_list(const char *directory, struct region_info **out, size_t *out_count,
                struct oriel_err *err);

#endif
