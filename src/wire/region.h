/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The shared region: one file or memfd, mapped by every process of a recording
 * and by its reader. This page of structs is the whole contract between them.
 * No I/O, no allocation here. The reader trusts nothing it finds in it.
 *
 *   +----------------+ 0
 *   | region header  | 4 KiB
 *   +----------------+ process_off   process_count x struct wire_process
 *   +----------------+ thread_off    thread_count  x struct oriel_thread
 *   +----------------+ desc_off      chunk_count   x struct wire_chunk
 *   +----------------+ meta_off      meta log: site, process and text entries
 *   +----------------+ chunk_off     chunk_count   x chunk_size record bytes
 *   +----------------+ size
 *
 * A thread owns one chunk at a time, taken with a compare-and-swap on the
 * chunk's state. A full chunk is handed to the reader, which frees it. No list,
 * no lock: whoever dies leaves every state readable.
 */
#ifndef ORIEL_WIRE_REGION_H
#define ORIEL_WIRE_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <oriel/abi/record.h>
#include <oriel/abi/thread.h>

#define WIRE_REGION_MAGIC "ORIELRG\1"
#define WIRE_REGION_VERSION 1u
#define WIRE_REGION_ENDIAN 0x01020304u
#define WIRE_PAGE 4096u

#define WIRE_CHUNK_BYTES 16384u
#define WIRE_CHUNKS_MIN 16u
#define WIRE_CHUNKS_MAX 262144u   /* 4 GiB */
#define WIRE_CHUNKS_DEFAULT 1024u /* 16 MiB */
#define WIRE_THREADS_MAX 4096u
#define WIRE_PROCESSES_MAX 64u
#define WIRE_META_BYTES_DEFAULT (4u << 20)
#define WIRE_DIRECTIVES_BYTES 1024u
#define WIRE_RULES_MAX 64u   /* directives with a target */
#define WIRE_TARGET_MAX 120u /* bytes of such a target, with its NUL */
#define WIRE_PATH_BYTES 512u

enum wire_policy {
    WIRE_POLICY_DROP_NEWEST = 0,     /* a full ring refuses and counts */
    WIRE_POLICY_OVERWRITE_OLDEST = 1 /* flight recorder: the last N bytes */
};

enum wire_region_flag {
    WIRE_REGION_INCLUDE_ARGS = 1, /* record values marked ORIEL_MARK_ARG */
    WIRE_REGION_OTEL_CTX = 2,     /* publish OTEP 4947 thread contexts */
    WIRE_REGION_FORCE_CLOCK = 4,  /* use CLOCK_MONOTONIC even if the TSC is good */
    WIRE_REGION_CRASH = 8,        /* note the signals that end programs (wire/crash.h) */
    WIRE_REGION_LATE = 16         /* who joins allocates the pages behind the tables first */
};

/* Of a region with WIRE_REGION_LATE. */
enum wire_pages { WIRE_PAGES_NOT_YET = 0, WIRE_PAGES_THERE = 1, WIRE_PAGES_REFUSED = 2 };

/* A pair of readings taken together; brackets calibrate ticks to time. */
struct wire_anchor {
    uint64_t ticks;
    uint64_t mono_ns; /* CLOCK_MONOTONIC */
    uint64_t unix_ns; /* CLOCK_REALTIME */
};

/*
 * A crash note, written by a signal handler of the dying thread with plain
 * stores. Claimed by a compare-and-swap of its state, whole once that is
 * WIRE_CRASH_WHOLE. A thread that survives its signals uses its note again, and
 * so may, where all are taken, one whose signal ends the process.
 */
enum { WIRE_CRASHES = 16 };
enum wire_crash_state { WIRE_CRASH_FREE = 0, WIRE_CRASH_CLAIMED = 1, WIRE_CRASH_WHOLE = 2 };
enum wire_crash_flag {
    WIRE_CRASH_FATAL = 1,   /* nobody else handles the signal: it ends the process */
    WIRE_CRASH_ADDRESS = 2, /* `address` is one the thread touched or ran at */
    WIRE_CRASH_TOLD = 4     /* its event is in the thread's stream */
};
struct wire_crash {
    _Alignas(64) uint32_t state; /* atomic; enum wire_crash_state */
    uint32_t flags;              /* enum wire_crash_flag */
    int32_t signal;
    int32_t code; /* si_code */
    int32_t pid, tid;
    uint32_t process_serial; /* 0: a fork child that had recorded nothing */
    uint32_t thread_serial;  /* 0: a thread that had recorded nothing */
    uint32_t thread;         /* slot + 1, 0 none */
    uint32_t clock;          /* enum oriel_clock of `ticks` */
    uint64_t ticks;
    uint64_t address;
    uint64_t ip;
};

/*
 * What the reader says of its own work, for whoever looks: numbers in the order of
 * its own list (session/figures.h), which only grows. Written by one thread, read
 * by any: `seq` is odd meanwhile.
 */
enum { WIRE_FIGURES = 40 };
struct wire_figures {
    _Alignas(64) uint32_t seq; /* atomic */
    uint32_t count;            /* 0: nothing has been said yet */
    uint64_t mono_ns;          /* when */
    uint64_t values[WIRE_FIGURES];
};

/* The reader takes what is there and is then gone for good; its process goes on, or ends. */
enum wire_closed { WIRE_OPEN = 0, WIRE_CLOSED = 1, WIRE_CLOSED_FOR_EXIT = 2 };

struct wire_region {
    char magic[8];
    uint32_t version;
    uint32_t endian;
    uint32_t abi_version;
    uint32_t flags; /* enum wire_region_flag */
    uint64_t size;
    uint32_t chunk_bytes;
    uint32_t chunk_count;
    uint32_t thread_count;
    uint32_t process_count;
    uint64_t process_off;
    uint64_t thread_off;
    uint64_t desc_off;
    uint64_t meta_off;
    uint64_t meta_bytes;
    uint64_t chunk_off;
    uint32_t policy; /* enum wire_policy */
    uint32_t clock;  /* enum oriel_clock the writers use */
    uint8_t session_id[16];
    struct wire_anchor created; /* read by the creator of the region */
    uint32_t creator_pid;
    uint32_t boot_tag;      /* hash of the kernel's boot id: ticks do not outlive a boot */
    uint64_t creator_start; /* os_start_time of the creator, to tell a reused pid; 0 unknown */

    /* ---- written while running, each on its own cache line ---- */
    _Alignas(64) uint32_t free_chunks;   /* atomic; what writers may still take */
    _Alignas(64) uint64_t chunk_seq;     /* atomic; next chunk's sequence number */
    _Alignas(64) uint64_t meta_head;     /* atomic; bytes of the meta log reserved */
    _Alignas(64) uint32_t thread_serial; /* atomic; last serial handed out */
    uint32_t process_serial;             /* atomic; last process serial handed out */
    uint32_t filter_gen;                 /* atomic; bumped when directives change */
    uint32_t trigger;                    /* atomic; flight recorder: dumps asked for */
    uint32_t closed;                     /* atomic; enum wire_closed */
    uint32_t pages;                      /* atomic; enum wire_pages */
    uint64_t lost[8];                    /* atomic; losses that no thread could take */
    _Alignas(64) uint32_t reader_pid;
    uint32_t reader_beat;                   /* atomic; bumped on every poll of the reader */
    struct wire_anchor latest;              /* refreshed by the reader, for recovery */
    char directives[WIRE_DIRECTIVES_BYTES]; /* "info,db=debug"; NUL-terminated */
    char capture_path[WIRE_PATH_BYTES];     /* where the reader writes, or "" */
    struct wire_crash crashes[WIRE_CRASHES];
    struct wire_figures figures; /* zeros in regions of older readers, as what follows */
    uint64_t threshold; /* atomic; of traces that begin here, which are sampled (base/ratio.h) */
    uint32_t rates;     /* atomic; 0: the reader has said nothing of that */
    /* atomic; wire_owner: the process that exports what is said here, and that one of its threads
     * which reads; 0: nobody who could be inherited from. */
    uint64_t owner;
};

/* tid 0: it is about to start its thread. */
static inline uint64_t wire_owner(int32_t pid, int32_t tid)
{
    return (uint64_t)(uint32_t)pid << 32 | (uint32_t)tid;
}
static inline int32_t wire_owner_pid(uint64_t owner)
{
    return (int32_t)(owner >> 32);
}
static inline int32_t wire_owner_tid(uint64_t owner)
{
    return (int32_t)(uint32_t)owner;
}

/*
 * Claims. A slot of any table is taken by a compare-and-swap of its state from
 * 0 to "claimed" with the claimer in the upper bits, so that a reader can tell
 * whose half-made slot it sees and take it back once the claimer is dead:
 *   process   wire_claim(1, pid)
 *   thread    wire_claim(ORIEL_THREAD_CLAIMED, tid)
 *   thread    wire_claim(ORIEL_THREAD_VACANT, serial): left by its owner, for the
 *             next thread of the process or, after a while, for the reader
 *   thread    wire_claim(ORIEL_THREAD_PASSING, tid): a vacant block on its way to that
 *             thread; unlike a claimed one it holds a stream all the while
 *   chunk     wire_claim(WIRE_CHUNK_CLAIMED or _WANTED, thread slot + 1)
 * A claimer of 0 is unknown and never taken back while anybody lives.
 */
static inline uint32_t wire_claim(uint32_t state, uint32_t claimer)
{
    return state | claimer << 8;
}
static inline uint32_t wire_state(uint32_t word)
{
    return word & 0xffu;
}
static inline uint32_t wire_claimer(uint32_t word)
{
    return word >> 8;
}

struct wire_process {
    uint32_t state; /* atomic; 0 free, 1 claimed, 2 live, 3 over */
    int32_t pid;
    int32_t ppid;
    uint32_t clock;
    uint64_t start_time; /* clock ticks since boot, /proc/PID/stat field 22 */
    uint64_t trace_hi;
    uint64_t trace_salt;
    uint64_t image_tag;        /* differs after exec, same for two copies of the library */
    struct wire_anchor anchor; /* taken when the process attached */
    uint32_t serial;           /* never reused in a region; starts at 1; meta entries name it */
    uint32_t sites_of;         /* serial of the process whose sites it uses: a fork's parent */
    char exe[256];             /* NUL-terminated */
    char cmdline[504];         /* NUL between arguments, double NUL at the end */
    uint32_t copies;           /* atomic: of the record path in this process, sharing the slot */
    uint32_t next_site;        /* atomic: site id that none of them has given out */
};

enum wire_chunk_state {
    WIRE_CHUNK_FREE = 0,
    WIRE_CHUNK_ACTIVE = 1,  /* a thread writes it; its length is the thread's head */
    WIRE_CHUNK_FULL = 2,    /* length is final; the reader frees it */
    WIRE_CHUNK_CLAIMED = 3, /* a thread fills the descriptor in */
    WIRE_CHUNK_WANTED = 4   /* still full; a writer without room is about to steal it */
};

struct wire_chunk {
    uint32_t state;       /* atomic: enum wire_chunk_state */
    uint32_t thread;      /* slot of the owner */
    uint32_t serial;      /* serial of the owner */
    uint32_t bytes;       /* final length once FULL */
    uint64_t seq;         /* order in which chunks were taken */
    uint64_t stream_base; /* stream position of the first byte (id = seed + position) */
    uint64_t id_base;     /* raw id of a record at offset 0 */
    uint32_t consumed;    /* atomic; bytes safely in the capture (for recovery) */
    uint32_t process;
    uint64_t taken; /* atomic: wire_taken; whose the chunk's records are */
    uint64_t reserved;
};

/*
 * Overwriting: the reader and a writer that has no room may want one chunk at
 * the same time, and each record must then be either delivered or counted as
 * overwritten. One word per chunk settles it: the low half of the chunk's seq,
 * how many of its bytes the reader has taken, and
 *   OPEN   the rest may still be taken or stolen
 *   HELD   what was taken is not safe in the outlets yet: nobody steals it, so
 *          that the next reader finds it should this one die
 * HELD alone says that the reader has had all of it and is about to free it;
 * zero, that it is nobody's. The reader copies first and takes afterwards; a writer steals
 * first and writes afterwards. Whoever comes second sees that in the word.
 */
#define WIRE_TAKEN_OPEN UINT64_C(0x80000000)
#define WIRE_TAKEN_HELD UINT64_C(0x40000000)

static inline uint64_t wire_taken(uint64_t seq, uint32_t bytes, uint64_t flags)
{
    return seq << 32 | WIRE_TAKEN_OPEN | flags | bytes;
}
static inline uint64_t wire_taken_for_good(uint64_t seq)
{
    return seq << 32 | WIRE_TAKEN_HELD;
}
static inline bool wire_taken_is_of(uint64_t word, uint64_t seq)
{
    return (word & WIRE_TAKEN_OPEN) && word >> 32 == (seq & 0xffffffffu);
}
/* May a writer that has no room overwrite it? */
static inline bool wire_stealable(uint64_t word)
{
    return (word & (WIRE_TAKEN_OPEN | WIRE_TAKEN_HELD)) == WIRE_TAKEN_OPEN;
}
/* By the writer that has made the chunk WANTED. False: the reader was faster,
 * leave it to him. *out_from: bytes he has had. */
static inline bool wire_steal(struct wire_chunk *d, uint32_t *out_from)
{
    uint64_t word = __atomic_load_n(&d->taken, __ATOMIC_ACQUIRE);
    if (!wire_stealable(word) || !__atomic_compare_exchange_n(&d->taken, &word, 0, false,
                                                              __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return false;
    *out_from = (uint32_t)(word & 0xffffu);
    return true;
}

/*
 * Meta log: an entry is reserved with a fetch-add on meta_head, then its
 * length is stored at once with WIRE_META_PENDING, then its content, and a
 * release store of the bare length commits it (wire/meta.h does all this). A
 * writer that dies inside leaves a pending entry, which readers step over.
 */
#define WIRE_META_PENDING 0x80000000u
enum wire_meta_type {
    WIRE_META_SITE = 1,     /* struct wire_meta_site, then field types, then text */
    WIRE_META_MODULE = 2,   /* object file: build id, load address, path */
    WIRE_META_RESOURCE = 3, /* process-wide attribute: key NUL value NUL */
    WIRE_META_SCOPE = 4     /* what else a process says of a target: struct wire_meta_scope */
};

struct wire_meta {
    uint32_t words;   /* atomic; whole entry in 8-byte words, 0 = not even begun */
    uint16_t type;    /* enum wire_meta_type */
    uint16_t process; /* low half of the process's serial */
};

/* Followed by field_count x struct wire_meta_field, then the texts in order
 * name, target, file, function, format, field names: bytes without NUL. */
struct wire_meta_site {
    struct wire_meta head;
    uint32_t id;
    uint32_t line;
    uint8_t kind;
    uint8_t level;
    uint16_t field_count;
    uint16_t name_bytes;
    uint16_t target_bytes;
    uint16_t file_bytes;
    uint16_t function_bytes;
    uint16_t format_bytes;
    uint16_t flags;
    uint64_t word_address; /* of the enable word in its process, 0 unknown */
};

struct wire_meta_field {
    uint8_t type;  /* enum oriel_type */
    uint8_t flags; /* enum oriel_field_flag */
    uint16_t name_bytes;
};

/* Followed by the build id and the path, bytes without NUL. */
struct wire_meta_module {
    struct wire_meta head;
    uint64_t address;    /* load bias */
    uint64_t start, end; /* where it lies */
    uint64_t ticks;      /* it is there since, in place of what was there before */
    uint16_t build_id_bytes;
    uint16_t path_bytes;
    uint32_t reserved;
};

/* Followed by attr_count x struct wire_meta_attr, then the texts in order target,
 * version, schema URL, and key and value of each attribute: bytes without NUL. */
struct wire_meta_scope {
    struct wire_meta head;
    uint16_t target_bytes;
    uint16_t version_bytes;
    uint16_t schema_url_bytes;
    uint16_t attr_count;
};

struct wire_meta_attr {
    uint8_t type;  /* enum oriel_type */
    uint8_t flags; /* enum oriel_field_flag */
    uint16_t key_bytes;
    uint32_t value_bytes; /* str, bytes; else 0 */
    uint64_t value;       /* of the other types */
};

#define WIRE_SITE_FIELDS_MAX 128u

_Static_assert(sizeof(struct wire_region) <= WIRE_PAGE, "region header fits its page");
_Static_assert(sizeof(struct wire_crash) == 64, "crash note is one cache line");
_Static_assert(sizeof(struct wire_process) <= 1024, "process entry is bounded");
_Static_assert(sizeof(struct wire_chunk) == 64, "chunk descriptor is one cache line");
_Static_assert(sizeof(struct wire_meta_site) == 40, "meta site entry is packed");
_Static_assert(sizeof(struct wire_meta_field) == 4, "meta field is packed");
_Static_assert(sizeof(struct wire_meta_module) == 48, "meta module entry is packed");
_Static_assert(sizeof(struct wire_meta_scope) == 16, "meta scope entry is packed");
_Static_assert(sizeof(struct wire_meta_attr) == 16, "meta attribute is packed");
_Static_assert(sizeof(struct oriel_thread) % 64 == 0, "thread block keeps line alignment");
_Static_assert(offsetof(struct oriel_thread, ctx) == 64, "hot fields fill one line");
_Static_assert(sizeof(struct oriel_stack_entry) == ORIEL_STACK_ENTRY, "a span adds one entry");

/* Fill a header for a region of `chunks` chunks. Pure arithmetic.
 * Returns the total size in bytes, or 0 if a count is out of range. */
uint64_t wire_region_layout(struct wire_region *out, uint32_t chunks, uint32_t threads,
                            uint32_t processes, uint64_t meta_bytes);

/* Check a header read from an untrusted mapping of `mapped` bytes.
 * Returns 0, ORIEL_EFORMAT (not a region, or offsets out of bounds) or
 * ORIEL_EVERSION. `header` must be a private copy, not shared memory. */
int wire_region_check(const struct wire_region *header, uint64_t mapped);

/* Accessors over a checked header; base is the start of the mapping. */
static inline struct wire_process *wire_region_process(const struct wire_region *h, void *base,
                                                       uint32_t i)
{
    return (struct wire_process *)((char *)base + h->process_off) + i;
}
static inline struct oriel_thread *wire_region_thread(const struct wire_region *h, void *base,
                                                      uint32_t i)
{
    return (struct oriel_thread *)((char *)base + h->thread_off) + i;
}
static inline struct wire_chunk *wire_region_desc(const struct wire_region *h, void *base,
                                                  uint32_t i)
{
    return (struct wire_chunk *)((char *)base + h->desc_off) + i;
}
static inline char *wire_region_chunk(const struct wire_region *h, void *base, uint32_t i)
{
    return (char *)base + h->chunk_off + (uint64_t)i * h->chunk_bytes;
}

#endif
