/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside of the live reader: what it keeps for itself about a shared region.
 * Everything in the region may be changed by others at any moment, so it is
 * loaded once into a private variable, checked there, and used from there.
 * One thread. Only this room includes this file.
 *
 *   who      processes, threads (streams), who is alive, slots given back
 *   meta     the meta log, dense site tables
 *   chunk    which chunks hold data, how much, in which order; giving back
 *   clock    ticks to time
 *   decode   words to records
 *   stacks   addresses to places of the catalog
 */
#ifndef ORIEL_SOURCE_RING_RING_H
#define ORIEL_SOURCE_RING_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/os.h"
#include "base/vec.h"
#include "model/batch.h"
#include "source/source.h"
#include "wire/region.h"

/* One load each; nothing of the region is read any other way. */
#define RING_LOAD(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define RING_LOAD_ACQUIRE(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
/* Copy out; the barrier keeps the compiler from reading the source again. */
static inline void ring_copy(void *dst, const void *src, size_t n)
{
    memcpy(dst, src, n);
    __asm__ volatile("" : : : "memory");
}

#define RING_SLACK_NS UINT64_C(2000000)     /* a record may be this late to be seen */
#define RING_HOLD_NS UINT64_C(20000000)     /* and this late on a thread that was busy */
#define RING_TICK_NS UINT64_C(500000000)    /* who is alive is asked this often */
#define RING_THREADS_KNOWN_MAX (1u << 22)   /* then threads share one entry per process */
#define RING_PROCESSES_KNOWN_MAX (1u << 20) /* then newcomers are not read */
#define RING_RENAMES_MAX 64u
#define RING_RESOURCES_MAX 1024u
#define RING_HOLES_MAX 64u
#define RING_SCOPES_MAX 1024u
#define RING_GENERATIONS_MAX 64 /* of fork children that are followed back */

struct ring_site {
    const struct model_site *site;
    uint32_t words; /* all values together; RING_WORDS_VARY with texts */
};
#define RING_WORDS_VARY (1u << 20) /* no difference of two record sizes */

/* What a process said of a target. */
struct ring_scope {
    uint64_t target; /* hash of its name */
    uint32_t scope;  /* of the catalog */
    uint16_t tag;    /* low half of the process's serial */
};

struct ring_process {
    struct model_process *model;
    struct model_thread *crowd; /* stands for threads beyond the limit */
    struct ring_site *sites;    /* by site id */
    uint32_t site_room, slot;
    uint32_t serial, sites_of; /* never reused; whose sites it got by fork */
    uint32_t streams;
    int32_t pid;
    uint32_t clock;
    uint64_t start_time, order;
    bool over; /* nobody is left to write */
};

struct ring_stream {
    struct ring_process *process;
    struct model_thread *thread;
    uintptr_t base; /* of the region in the owner's mapping, as the owner said */
    uint64_t start_time;
    uint64_t last_ns; /* time of its last record */
    uint64_t next_ns; /* time of the one after, if a watermark was set by it; else 0 */
    uint64_t checked_ns;
    uint64_t lost_seen[ORIEL_LOST_CAUSES];
    uint64_t over_scan, looked_at;
    uint32_t serial, slot;
    uint32_t chunks; /* open ones */
    uint32_t renames;
    int32_t tid;
    enum oriel_clock clock;
    bool over;    /* exited or dead: writes nothing any more */
    bool settled; /* its last losses were told with an earlier batch */
    bool orphan;  /* its thread block is gone or belongs to another */
};

struct ring_chunk {
    struct ring_stream *stream; /* NULL: nobody's; its bytes are skipped */
    uint64_t seq, stream_base, id_base;
    uint32_t read, committed; /* handed out; known to be safe */
    uint32_t length;          /* once `final` */
    bool open, final, bad;
    bool taken_back; /* somebody else changed it: not ours to free */
    bool resumed;    /* begun by the reader before us: whose it is stands before `read` */
    bool kept;       /* out of the writers' reach, to be freed in a moment */
};

struct ring_hole { /* a meta entry that was reserved and not yet committed */
    uint64_t at;
    uint32_t words;
};

/* An object file in the process (low half of the serial) that told it. */
struct ring_module {
    uint64_t bias, start, end, ticks;
    uint32_t module; /* of the catalog */
    uint32_t before; /* index + 1 of the one told before it there, 0 none */
};
#define RING_MODULES_MAX 65536u

struct ring_clock {
    struct clock_map map;
    struct clock_anchor older;
    uint64_t next_ns, interval_ns, floor_ns;
    bool has_older, ready;
};

struct ring {
    char *base;
    size_t bytes;
    struct wire_region h;       /* private copy, checked */
    struct wire_region *shared; /* the fields that change while running */
    struct model_catalog *catalog;
    int lock_fd;
    bool mapped; /* unmap at close */
    uint32_t threads_known_max, processes_known_max;
    bool same_boot;

    struct ring_clock clocks[3]; /* by enum oriel_clock */
    uint64_t now_ns;             /* monotonic, at the start of this poll */
    uint64_t next_tick_ns;
    uint64_t next_look_ns; /* at processes, while their slots run short */
    uint64_t watermark_ns;

    struct ring_process *processes[WIRE_PROCESSES_MAX]; /* by slot */
    uint64_t attached;                                  /* processes seen so far */
    struct map sites_of;                                /* serial -> serial, of all of them */
    VEC(struct ring_stream *) streams;
    struct map stream_by_serial;
    struct ring_stream *slot_stream[WIRE_THREADS_MAX];
    uint32_t serial_scanned, check_at, orphans;
    bool rescan_threads;
    bool met; /* a process has been here, or is coming: threads may have */

    struct ring_chunk *chunks; /* by index */
    uint32_t *order;           /* open ones by seq */
    uint32_t order_count;
    uint32_t touched; /* no chunk from here on was looked at since it came */
    uint64_t polls;
    uint64_t seq_scanned, scans;
    bool rescan;
    int32_t leak; /* free chunks that the count lacks */
    uint32_t leak_ticks;

    VEC(struct ring_scope) scopes;
    struct map meta_index; /* tag << 32 | site id -> offset of the entry */
    uint64_t meta_at;
    uint64_t meta_stuck_ns;
    struct ring_hole holes[RING_HOLES_MAX];
    uint32_t hole_count;
    uint64_t *meta_copy; /* WIRE_META_ENTRY_MAX bytes */

    VEC(struct ring_module) modules;
    struct map modules_of; /* process tag -> index + 1 of the latest */
    struct map place_of;   /* hash of process and address -> place; until a module comes */

    bool frozen; /* lengths are final: only what is there now is still read */
    bool ended;
    struct source_damage damage;
};

/* ---- ring.c ---- */

/* The source over a region that is mapped already (tests, fuzzing). */
int ring_open_memory(struct ring *r, void *base, size_t bytes, struct model_catalog *catalog,
                     const char *name, struct oriel_err *err);
/* Count bytes at this address of the region as unreadable. */
void ring_damaged(struct ring *r, const void *where, uint64_t records, uint64_t bytes);

/* ---- clock.c ---- */

void ring_clock_start(struct ring *r);
/* A further pair of readings, from a process that uses this clock. */
void ring_clock_offer(struct ring *r, enum oriel_clock kind, const struct wire_anchor *anchor);
/* The map, or NULL while its two anchors lie too close; `force` takes what
 * there is, after a moment if need be. */
const struct clock_map *ring_clock_map(struct ring *r, enum oriel_clock kind, bool force);
/* Follow the clocks' drift; tell the anchor to whoever recovers this region. */
void ring_clock_refresh(struct ring *r);
/* Latest time a record can bear now. */
uint64_t ring_clock_limit(struct ring *r, enum oriel_clock kind);

/* ---- who.c ---- */

/* New processes and threads. 0 or ORIEL_ENOMEM (try again later). */
int ring_who_scan(struct ring *r);
/* The one whose meta entries bear this tag (low half of its serial), or NULL. */
struct ring_process *ring_who_tagged(struct ring *r, uint16_t tag);
/* The stream of a chunk, made if need be. NULL in `out` when it cannot be. */
int ring_who_stream(struct ring *r, uint32_t slot, uint32_t serial, uint32_t process,
                    struct ring_stream **out);
void ring_who_rename(struct ring *r, struct ring_stream *s, const char *p, uint32_t n);
/* From here on a stream is written by the thread of this serial. */
void ring_who_owner(struct ring *r, struct ring_stream *s, uint32_t primary, int32_t tid,
                    const char *name, uint32_t n);
/* Take over the loss counters of one stream, of all and of nobody. */
void ring_who_lost(struct ring *r, struct ring_stream *s);
void ring_who_lost_all(struct ring *r);
void ring_who_done(struct ring *r);

/* ---- alive.c ---- */

/* See who is over. `all`: ask about everybody now. True if the question was put
 * to the kernel, which is done once per tick. */
bool ring_alive_check(struct ring *r, bool all);
/* No process is left that could write or come. */
bool ring_alive_nobody(struct ring *r);
/* Many of the slots of threads or processes are taken, some by the dead, whose
 * slots come back once what they wrote is committed. */
bool ring_alive_pressed(const struct ring *r);
/* Give slots back: threads whose chunks are read, processes that are gone. */
void ring_alive_tidy(struct ring *r);
/* The same before that: take the losses of those that can go next time, so that
 * they are safe in the outlets before the only other place they stand in goes. */
void ring_alive_settle(struct ring *r);

/* ---- meta.c ---- */

/* Read on in the meta log. 0 or ORIEL_ENOMEM. */
int ring_meta_poll(struct ring *r);
/* A site by id, from the process or whom it was forked from; NULL unknown. */
const struct ring_site *ring_meta_site(struct ring *r, struct ring_process *p, uint32_t id);
/* Serial of whom it got its sites from, going back from p; 0: nobody. */
uint32_t ring_meta_parent(const struct ring *r, const struct ring_process *p, uint32_t serial);

/* ---- scopes.c ---- */

/* The meta entry of a scope, in the private copy. 0 or a code. */
int ring_scopes_add(struct ring *r, size_t bytes);
/* A site that is new to the process gets the scope of its target, if there is one. */
void ring_scopes_site(struct ring *r, const struct ring_process *p, const struct model_site *site);

/* ---- stacks.c ---- */

/* The meta entry of an object file, in the private copy. 0 or a code. */
int ring_stacks_module(struct ring *r, size_t bytes);
/* A STACK record becomes a SAMPLE, in place. */
void ring_stacks_sample(struct ring *r, struct ring_process *p, uint64_t *words);
void ring_stacks_done(struct ring *r);

/* ---- chunk.c ---- */

int ring_chunk_scan(struct ring *r);
/* Bytes of the chunk that may be read now. */
uint32_t ring_chunk_length(struct ring *r, struct ring_chunk *c);
/* After copying up to `end` from it: from here on these bytes are delivered, and
 * no writer counts them as overwritten. False: a writer was faster, the copy is
 * worth nothing. */
bool ring_chunk_take(struct ring *r, struct ring_chunk *c, uint32_t end);
/* Everything handed out is safe now. */
void ring_chunk_commit(struct ring *r);
/* Give chunks back that are closed, read and safe. */
void ring_chunk_release(struct ring *r);
/* Count free chunks again that a dying writer took out of the count. */
void ring_chunk_repair(struct ring *r);
static inline struct wire_chunk *ring_chunk_desc(struct ring *r, const struct ring_chunk *c)
{
    return wire_region_desc(&r->h, r->base, (uint32_t)(c - r->chunks));
}

/* ---- decode.c ---- */

/* Append the records of `words`, copied from the chunk at its read position.
 * The batch has room for words / 2 more. */
void ring_decode(struct ring *r, struct model_batch *b, struct ring_chunk *c, uint64_t *words,
                 uint32_t count, const struct clock_map *map);
/* Whose records stand at the read position of a chunk that the reader before us
 * has begun. */
void ring_decode_owner(struct ring *r, struct ring_chunk *c);

/* region_io.c: where a region is mapped, and as what; NULL: the size is not asked for. */
struct region;
struct wire_region *region_memory(const struct region *r, size_t *out_bytes);
void region_forget_file(struct region *r);

/* Also where nobody can tell, as without /proc. */
static inline bool ring_is_of_this_boot(const struct wire_region *h)
{
    const uint32_t now = os_boot_tag();
    return h->boot_tag == 0 || now == 0 || h->boot_tag == now;
}

#endif
