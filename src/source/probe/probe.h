/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside source/probe: the kernel stops the program where it is told to and
 * writes what it finds there into rings.
 *
 *   tracefs.c  tells the kernel where, and takes it back
 *   events.c   opens what was told for one program, its threads and children
 *   attach.c   the same for one that runs already
 *   format.c   what the kernel writes
 *   frames.c   entries and returns to spans, by the stack pointer
 *   source.c   hits -> records in a batch
 *   keep.c     what older kernels need so that they tell all
 *   account.c  what the kernel counted against what was told
 *
 * Runs in the recorder only; needs root, or the rights to tracefs and perf events.
 */
#ifndef ORIEL_SOURCE_PROBE_PROBE_H
#define ORIEL_SOURCE_PROBE_PROBE_H

#include "base/map.h"
#include "base/vec.h"
#include "model/batch.h"
#include "source/kernel_ring.h"
#include "source/probe/format.h"
#include "source/probe_options.h"

/* ---- tracefs.c ---- */

struct tracefs {
    char root[64];
    char group[64];       /* of this recorder: "oriel_PID_START_NAMESPACE" */
    int fd;               /* of uprobe_events; -1 not open */
    uint32_t count;       /* events made, from 0 on */
    struct map like;      /* what is fetched -> the event that takes more such places */
    VEC(uint32_t) places; /* of each event */
};

/* Find it, and remove what recorders that are dead have left. 0, or ORIEL_EPERM with a
 * line; `writes` tells whether events are to be made. */
int tracefs_open(struct tracefs *t, bool writes, struct oriel_err *err);
/* Add place `index` to the event of places like it, or make one: *out_event, counted from 0. Each
 * hit says the index, as TRACEFS_INDEX. */
int tracefs_add(struct tracefs *t, const struct probe_place *place, uint32_t index,
                uint32_t *out_event, struct oriel_err *err);
#define TRACEFS_INDEX "n"
/* The description of event N, or of a tracepoint "group:name". */
int tracefs_format(const struct tracefs *t, uint32_t n, const char *tracepoint, struct format *out,
                   struct oriel_err *err);
/* How often the kernel came by each event so far: `hits` has t->count items. False: it does
 * not tell. */
bool tracefs_hits(const struct tracefs *t, uint64_t *hits);
/* Remove what was made. */
void tracefs_close(struct tracefs *t);

/* ---- events.c ---- */

struct hook_fd {
    int fd;
    uint32_t event; /* UINT32_MAX: says who lives */
};
struct hooks {
    struct kernel_ring *rings;
    unsigned ring_count;
    size_t ring_pages; /* at most, of each; 0: the usual number */
    VEC(struct hook_fd) fds;
    struct map by_id; /* the kernel's id -> event */
    uint64_t keeps;   /* PERF_SAMPLE_READ where the kernel takes it: see can_keep() */
    uint64_t tells;   /* PERF_FORMAT_LOST where the kernel takes it */
};
/* The kernel's numbers of what is to be opened. */
struct hook_events {
    const uint32_t *ids;
    uint32_t count;
};
/* Codes as of a source's open. */
int hooks_open(struct hooks *h, const struct probe_options *o, const struct hook_events *events,
               struct oriel_err *err);
void hooks_close(struct hooks *h);
/* Open what says who lives, or one event, for one thread. Negative numbers of the kernel. */
int hooks_add_life(struct hooks *h, const struct probe_options *o, int32_t tid);
int hooks_add_event(struct hooks *h, const struct probe_options *o, uint32_t id, uint32_t event,
                    int32_t tid);

/* Records that found no room so far, of each event, and behind these of who lives; added to
 * `lost`, which has event_count + 1 items. False: the kernel does not tell (before 6.0). */
bool hooks_lost(const struct hooks *h, uint32_t event_count, uint64_t *lost);

/* One record of a ring. */
struct hook_record {
    uint32_t type; /* of the kernel */
    int32_t pid, tid, parent_pid, parent_tid;
    uint64_t time_ns, id, lost;
    const uint8_t *raw;
    size_t raw_bytes;
    const char *comm;
    bool exec, good;
};
void hooks_begin(struct hooks *h);
/* The oldest record older than the horizon; false: none. Valid until the next call. */
bool hooks_next(struct hooks *h, uint64_t horizon_ns, struct hook_record *out);
void hooks_end(struct hooks *h);
void hooks_back(struct hooks *h); /* instead of that: it comes again */
/* Decode; `at` holds the whole record. */
void hook_decode(const uint8_t *at, size_t bytes, struct hook_record *out);

/* ---- keep.c ---- */

struct keeper {
    int fd;
    int32_t pid;
};
struct keepers {
    VEC(struct keeper) kept;
    struct map known; /* processes that have theirs */
};
/* A process is met, perhaps not for the first time; it is over. */
void keepers_add(struct keepers *k, const struct hook_events *events, int32_t pid);
void keepers_remove(struct keepers *k, int32_t pid);
void keepers_done(struct keepers *k);

/* ---- account.c ---- */

/* The kernel counts hits where it stops the program, before anything can get lost. */
struct account_event {
    uint32_t number; /* of tracefs; UINT32_MAX: nobody counts it */
    uint64_t before; /* hits when all threads were watched */
    uint64_t after;  /* and when the recording was over */
    uint64_t told;   /* that we have heard of in between */
};
struct account {
    struct account_event *events;
    uint32_t count;
    uint64_t from_ns; /* told counts from here */
    bool known;       /* `after` is right */
};
/* From now on, or from the beginning where the program does not run yet. */
void account_begin(struct account *a, const struct tracefs *t, bool running);
void account_told(struct account *a, uint32_t event, uint64_t time_ns);
/* What is hit from now on does not count. */
void account_end(struct account *a, const struct tracefs *t);
/* Hits that were counted, and neither told nor, by `lost` of each event, without room. */
uint64_t account_missing(const struct account *a, const uint64_t *lost);

/* ---- attach.c ---- */

/* All threads of a process that runs, and of its children. As above. */
int hooks_attach(struct hooks *h, const struct probe_options *o, const struct hook_events *events);

/* ---- frames.c ---- */

/* A function that was entered and not left yet. The stack grows downwards: what lies
 * below the stack pointer is gone, whether it returned or was jumped over. */
struct frame {
    uint64_t sp;     /* at entry, where the return address lies */
    uint64_t raw_id; /* of its span */
    uint32_t def;
    bool returns; /* ends by its return address */
};
struct framestack {
    VEC(struct frame) open; /* oldest first */
};
/* How far apart two places of one stack may lie before they count as two stacks
 * (signal stacks, coroutines). */
#define FRAMES_REACH UINT64_C(262144)

/* Frames that cannot be there any more when a function is entered at sp, innermost
 * first: call with the same arguments until false. `chained`: the return address there
 * is the kernel's own, a tail call of a function that is watched by it. */
bool framestack_stale(struct framestack *f, uint64_t sp, bool chained, struct frame *out);
bool framestack_enter(struct framestack *f, const struct frame *frame); /* false: no memory */
/* The frame that ends with sp: first those above it that are gone (*ended false), then it.
 * False: none (any more). */
bool framestack_leave(struct framestack *f, uint32_t def, uint64_t sp, bool *ended,
                      struct frame *out);
/* The innermost one, taken off; false: none is left. */
bool framestack_abandon(struct framestack *f, struct frame *out);
void framestack_done(struct framestack *f);

#endif
