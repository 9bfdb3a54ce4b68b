/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Calls of functions as spans, or as sums. calls.c holds the functions and each thread's
 * open calls; sums.c and tell.c count instead of recording; interpose.c is what the code of
 * -finstrument-functions calls; patch.c and thunk.c do the same for -fpatchable-function-entry.
 *
 * Lives in the observed program: no lock, no allocation and no system call once
 * opened. Any thread; a signal handler may interrupt everything.
 */
#ifndef ORIEL_HOOK_CALLS_CALLS_H
#define ORIEL_HOOK_CALLS_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <oriel/abi/runtime.h>

#include "base/calls.h"

/* One that was entered. The stack grows downwards: a call made by another lies
 * below it, or in the same place, with the same caller, when the compiler inlined it. */
struct call {
    uintptr_t sp, caller; /* where the hook was called; where the function returns to */
    const void *address;  /* of the function */
    uint32_t function;
    uint16_t node, before; /* sums: its node, 0 not counted; what was `current` before */
    union {
        struct oriel_scope scope; /* id 0: not recorded */
        struct {
            uint64_t began;  /* ticks; 0: not timed */
            uint64_t inside; /* ticks that are other calls', or told already */
        };
    };
    const void *home; /* sums: the function whose frame it is: another one where it is inlined */
    uint32_t home_bytes;
};
struct calls_sums;
struct calls_thread {
    uint32_t depth;          /* calls in `open` */
    uint32_t recorded;       /* of these, with a span or counted */
    uint32_t beyond;         /* calls deeper than `open` has room for */
    struct calls_sums *sums; /* NULL: spans are recorded */
    struct call open[CALLS_DEPTH_MAX];
};

/* ---- sums.c: what was counted on a thread ---- */

/*
 * A path of calls, from the outermost to this one: one line of the cache. The root, number 0,
 * is no call. Written by its thread alone; counters are read by whoever ends the process.
 */
struct calls_node {
    _Alignas(64) const void *address; /* of the function */
    uint16_t parent, function, depth; /* depth: calls on the path */
    uint16_t skip;                    /* so many calls more are not timed */
    uint16_t callees[4];              /* guesses, by a hash of the address; 0 none */
    uint64_t calls, self;             /* atomic; since they were told; self in ticks */
    uint32_t least, most;             /* atomic; of one call with all in it: calls_time */
    uint32_t took_mean, self_mean;    /* 64 times that of the last calls that were timed */
    uint32_t timed;                   /* calls that were, as far as that matters */
    uint32_t bytes;                   /* of the function's code */
};
_Static_assert(sizeof(struct calls_node) == 64, "what a call writes lies in one line");

enum {
    SUMS_NODES = 1 << 15,
    SUMS_INDEX = 1 << 16,
    SUMS_PATH = 126, /* longest path; what is called by its end counts as called there */
    SUMS_CALLS = 64  /* calls for each node until the table is full: fewer, shorter paths */
};

struct calls_sums {
    uint16_t current; /* node that what is called now lies below */
    uint16_t cap;     /* longest path now */
    uint32_t count;   /* atomic; nodes in use, the root among them */
    uint32_t due;     /* to be told, or full */
    uint64_t told_ticks;
    uint64_t counted;           /* atomic; calls, since that was told */
    uint64_t too_deep, no_room; /* atomic; calls seen that were not, likewise */
    uint64_t told, ring_full;   /* calls told since that was told; calls that never will be */
    uint64_t counted_before;    /* calls when the table was emptied last */
    uint64_t counted_ever;      /* as of the last tell */
    uint32_t busy;              /* atomic; 1: being told */
    uint32_t random;
    struct calls_sums *next;    /* of all threads' */
    uint16_t index[SUMS_INDEX]; /* nodes by a hash of path and function */
    struct calls_node nodes[SUMS_NODES];
};

/* Ticks in 32 bits, rounded down; in the same order. */
static inline uint32_t calls_time(uint64_t ticks)
{
    const uint32_t more = ticks >> 26 ? 38u - (uint32_t)__builtin_clzll(ticks) : 0;
    return more << 26 | (uint32_t)(ticks >> more & 0x3ffffffu);
}
static inline uint64_t calls_ticks(uint32_t time)
{
    return (uint64_t)(time & 0x3ffffffu) << (time >> 26);
}

/* Where the search for a path begins in the index. */
static inline uint32_t calls_sums_hash(uint16_t parent, const void *function)
{
    uint64_t key = (uint64_t)(uintptr_t)function + ((uint64_t)parent << 48);
    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 40) % SUMS_INDEX;
}

/* The node of a function below one that is there, made if need be; 0: there is no room. */
uint16_t calls_sums_node(struct calls_sums *s, uint16_t parent, uint32_t function,
                         const void *address, uint32_t bytes);
void calls_sums_init(struct calls_sums *s);
/* Forget all paths but the one that is open; its calls go on. What was not told is dropped. */
void calls_sums_empty(struct calls_thread *t);
/* Time up to now of calls that are open goes to their nodes. */
void calls_sums_charge(struct calls_thread *t, uint64_t now);

/* ---- tell.c: from there into the recording ---- */

/* Once, before the first call. False: calls cannot be counted. */
bool calls_tell_open(void);
/* This thread's table is known from here on, until calls_tell_done, which tells the rest. */
void calls_tell_thread(struct calls_sums *s);
void calls_tell_done(struct calls_thread *t);
/* Tell what was counted, and make room where it is full. Where the ring has none, it is kept
 * until the next time; `last`: waited for, for a fraction of a second. */
void calls_tell(struct calls_thread *t, bool last);
/* The program ends or becomes another one: this thread's, then those of all others. */
void calls_tell_all(void);
/* In the child of a fork: nothing of it was counted here. `t` may be NULL. */
void calls_tell_forked(struct calls_thread *t);

/* ---- threads.c ---- */

struct calls_here {
    struct calls_thread *calls; /* NULL: none so far, or over */
    uint32_t inside;            /* > 0: in here; what is called meanwhile is not seen */
    uint32_t ends;              /* rounds of destructors so far */
};
extern __thread struct calls_here calls_here __attribute__((tls_model("initial-exec")));
/* This thread's open calls, made if need be; NULL: there is no memory, or it ends. */
struct calls_thread *calls_thread_new(void);
void calls_threads_open(void);

/* ---- calls.c ---- */

/* Take the list and make a site of each function; it is in use from then on. `bias`:
 * load address minus address in the file. `words`: zeroed room for one for each function, NULL:
 * to be found here. 0, ORIEL_EINVAL (no such list), ORIEL_ENOMEM. Once. */
int calls_open(const void *image, size_t n, uint64_t bias, oriel_word *words);
bool calls_are_summed(void);
uint32_t calls_bytes(uint32_t function); /* of its code */
/* The number of the function at an address; UINT32_MAX: not on the list. */
uint32_t calls_find(const void *function);
void calls_enter(struct calls_thread *t, uint32_t function, uintptr_t caller, uintptr_t sp);
void calls_leave(struct calls_thread *t, uint32_t function, uintptr_t sp);
/* The same for this thread and the function at an address, on the list or not. */
void calls_enter_here(const void *function, uintptr_t caller, uintptr_t sp);
void calls_leave_here(const void *function, uintptr_t caller, uintptr_t sp);
/* The same where calls are counted, and this thread has its table. */
void calls_count_here(const void *function, uintptr_t caller, uintptr_t sp);
void calls_uncount_here(const void *function, uintptr_t caller, uintptr_t sp);
/* The same for functions whose ways in and out are both certain (thunk.c): `slot` is where the
 * return address lies. Whether calls_enter would record it now. */
bool calls_wanted(const struct calls_thread *t, uint32_t function);
void calls_enter_at(struct calls_thread *t, uint32_t function, uintptr_t slot);
void calls_leave_at(struct calls_thread *t, uintptr_t slot);
/* True: neither of both would do more than write one record. */
bool calls_are_quick(const struct calls_thread *t, uintptr_t slot, bool leaving);
/* In the child of a fork: what is open there was begun by its parent. */
void calls_forget(struct calls_thread *t);

/* ---- thunk.c: ways into calls.c and back, x86-64 only ---- */

/* What a patched function calls: it saves every register, comes by calls_enter_at, and puts in
 * the place of the return address one of our own that leads here and then back. */
extern const char calls_on_entry[], calls_off_entry[];
/* Before the first function is patched. False: this processor cannot save its registers. */
bool calls_thunks_begin(void);

/* ---- patch.c ---- */

struct calls_patched {
    uint32_t functions; /* that call us now */
    uint32_t refused;   /* on the list, with an entry, but not certain */
    const char *why;    /* most of them, or all; NULL: none is */
};
/* Memory for the words of the functions and what they call, near the program: before calls_open.
 * NULL: there is none. */
oriel_word *calls_patch_room(uint32_t functions, uint64_t base, struct calls_patched *out);
/* Write calls into the entries that are on the list. Only while the process has one thread, and
 * that is not in the program yet. */
void calls_patch(const struct calls_head *list, uint64_t bias, struct calls_patched *out);

#endif
