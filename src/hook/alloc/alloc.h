/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Inside of the memory hook. It stands in front of whatever malloc the program
 * has, counts for each thread, and samples or accounts for stacks:
 *
 *   interpose.c  the functions a program calls; two counts and a comparison each
 *   next.c       the allocator behind us, and what is served before it is found
 *   threads.c    counters of threads; how they begin and end
 *   sampled.c    Poisson samples by bytes, and which of them are still alive
 *   exact.c      every allocation, added up by stack in the program
 *   blocks.c     which block came from which stack, for exact.c
 *   start.c      the environment, the ring, forks, the end of the program
 *
 * All of it runs inside malloc, perhaps inside a signal handler or on a
 * coroutine's stack: no lock that is waited for, no heap, no output.
 */
#ifndef ORIEL_HOOK_ALLOC_ALLOC_H
#define ORIEL_HOOK_ALLOC_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <oriel/abi/thread.h>

#include "hook/stacks.h"

/* What every call looks at is found without a detour. */
#define ALLOC_NEAR __attribute__((visibility("hidden")))

/* ---- the allocator behind us: next.c ---- */

struct alloc_next {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    size_t (*usable)(void *);
};
/* Found before the first use; until then the first few requests (of the loader,
 * while we ask it) are served from static memory. */
extern struct alloc_next alloc_next ALLOC_NEAR;
/* Sizes can be read from the block's header, as glibc keeps them. */
extern bool alloc_sizes_inline ALLOC_NEAR;
/* Of static memory. */
enum { ALLOC_EARLY_BYTES = 256 << 10 };
extern char alloc_early[ALLOC_EARLY_BYTES] ALLOC_NEAR;
static inline bool alloc_is_early(const void *p)
{
    return (uintptr_t)p - (uintptr_t)alloc_early < ALLOC_EARLY_BYTES;
}
size_t alloc_early_size(const void *p);
/* A function of the C library behind one of ours, NULL: there is none. */
void *alloc_look_up(const char *name);
/* Is our malloc the one that the program calls? */
bool alloc_is_first(void);

static inline size_t alloc_inline_size(const void *p)
{
    enum { FLAGS = 7, MMAPPED = 2 };
    size_t word = ((const size_t *)p)[-1], size = (word & ~(size_t)FLAGS) - sizeof word;
    return __builtin_expect(word & MMAPPED, 0) ? size - sizeof word : size;
}
static inline size_t alloc_size_of(void *p)
{
    return __builtin_expect(alloc_sizes_inline, 1) ? alloc_inline_size(p) : alloc_next.usable(p);
}

/* ---- threads.c ---- */

struct alloc_thread {
    struct oriel_heap heap;       /* first: what others read */
    int64_t left;                 /* bytes until the next slow call */
    uint64_t random;              /* 0: no gap was drawn yet */
    uint32_t inside;              /* our own code runs: it counts nothing */
    uint32_t used;                /* atomic: slot taken */
    bool shared;                  /* of all threads that found no slot: `inside` for ever */
    uint32_t asking;              /* the program asks where its stack lies: we may not */
    void *last;                   /* exact: what it allocated last; NULL: that is gone */
    struct unwind_trails *trails; /* exact: its last walks; NULL: none so far, or no memory */
    struct hook_stack stack;      /* here, because stacks of coroutines are small */
};
extern __thread struct alloc_thread *alloc_thread ALLOC_NEAR
    __attribute__((tls_model("initial-exec")));

/* The C library says so from before the first other thread on; where it does not, no
 * process is taken to have one thread alone. Then sums that all threads share are added
 * to without the price of a locked instruction, which is that of ten others. */
extern char __libc_single_threaded __attribute__((weak));
static inline bool alloc_is_alone(void)
{
    return &__libc_single_threaded && __libc_single_threaded;
}
static inline void alloc_add(uint64_t *sum, uint64_t n, bool alone)
{
    if (alone)
        *sum += n;
    else
        __atomic_fetch_add(sum, n, __ATOMIC_RELAXED);
}

/* Counters have one writer, who need not lock, and readers at any time. */
static inline void alloc_count(uint64_t *sum, uint64_t n)
{
    __atomic_store_n(sum, __atomic_load_n(sum, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}
/* Around code of ours that may allocate. */
static inline void alloc_enter(struct alloc_thread *t)
{
    if (!t->shared)
        t->inside++;
}
static inline void alloc_leave(struct alloc_thread *t)
{
    if (!t->shared)
        t->inside--;
}

/* This thread's counters; never NULL, but shared once threads outnumber slots. */
struct alloc_thread *alloc_thread_new(void);
static inline struct alloc_thread *alloc_thread_here(void)
{
    struct alloc_thread *t = alloc_thread;
    return __builtin_expect(t != NULL, 1) ? t : alloc_thread_new();
}
/* Before a walk: where this thread's stack lies. The C library holds a lock of the
 * thread's while it tells a program so, and allocates meanwhile. */
static inline void alloc_learn_stack(const struct alloc_thread *t)
{
    if (!t->asking)
        hook_stacks_thread();
}
/* What came or goes in a thread that has no counters of its own, or in our own code. */
void alloc_aside_new(struct alloc_thread *t, void *p, size_t bytes);
void alloc_aside_gone(struct alloc_thread *t, void *p, size_t bytes);
/* How many have a slot, or had one at a time. */
uint32_t alloc_threads_slots(void);
void alloc_threads_open(void);
void alloc_threads_forked(void);
/* One thread had allocated anything, so nobody else can be inside the loader. */
bool alloc_threads_alone(void);
/* Sums over all threads, those that ended included. */
void alloc_threads_sum(struct oriel_heap *out);

/* ---- start.c ---- */

/* The thread's countdown, as the state wants it. */
void alloc_thread_restart(struct alloc_thread *t);
/* Tell how much is alive now, and remember the most. */
void alloc_look_at_live(void);

/* ---- sampled.c: all keep errno ---- */

/* Of a block that was sampled: what it stands for. */
struct alloc_sampled {
    uint64_t bytes, count;
};
void alloc_sampled_open(uint64_t interval);
void alloc_sampled_new(struct alloc_thread *t, void *p, size_t bytes,
                       const struct unwind_caller *caller);
/* Takes it out of the table of live samples; false: it is none. */
bool alloc_sampled_take(void *p, struct alloc_sampled *out);
void alloc_sampled_gone(struct alloc_thread *t, void *p, const struct alloc_sampled *s);

/* ---- exact.c: the same, for every block ---- */

struct alloc_block {
    uint32_t stack; /* in exact.c's table */
    uint64_t bytes; /* usable: what it says itself, as long as it is there */
};
bool alloc_exact_open(void); /* false: no memory */
void alloc_exact_new(struct alloc_thread *t, void *p, size_t bytes,
                     const struct unwind_caller *caller);
/* Without a stack. */
void alloc_exact_unknown(void *p, size_t bytes);
bool alloc_exact_take(void *p, struct alloc_block *out);
void alloc_exact_back(void *p, const struct alloc_block *b);
void alloc_exact_gone(struct alloc_thread *t, void *p, const struct alloc_block *b);
/* All that was not told yet, at the end with what the peak was made of. */
void alloc_exact_tell(bool end);
uint64_t alloc_exact_peak(void);
void alloc_exact_forked(void);

/* blocks.c: blocks by address. Calls wait for each other for microseconds, and not
 * for ever: false, the block stays unknown. */
enum { ALLOC_STACK_BITS = 18 };
bool alloc_blocks_put(const void *p, uint32_t stack, bool alone);
bool alloc_blocks_take(const void *p, uint32_t *out_stack, bool alone);
/* It will be put soon: fetch its place. */
void alloc_blocks_soon(const void *p);
void alloc_blocks_forked(void);

/* ---- what interpose.c calls for the few that matter ---- */

struct alloc_known {
    bool any;
    struct alloc_block block;
};
void alloc_slow_new(struct alloc_thread *t, void *p, size_t bytes,
                    const struct unwind_caller *caller);
void alloc_slow_gone(struct alloc_thread *t, void *p);
/* Of a thread without counters of its own: no stack, no sample. */
void alloc_slow_unknown(void *p, size_t bytes);
/* realloc, in three steps: take, then back or went. */
void alloc_slow_take(struct alloc_thread *t, void *p, struct alloc_known *out);
void alloc_slow_back(void *p, const struct alloc_known *known);
void alloc_slow_went(struct alloc_thread *t, void *p, size_t bytes,
                     const struct alloc_known *known);

/* Frees of these must be looked at: live samples by a hash of their address. */
enum { ALLOC_FILTER_BITS = 15 };
extern uint8_t alloc_filter[1 << ALLOC_FILTER_BITS] ALLOC_NEAR;
static inline uint32_t alloc_filter_of(const void *p)
{
    return (uint32_t)(((uint64_t)(uintptr_t)p >> 4) * UINT64_C(0x9e3779b97f4a7c15) >>
                      (64 - ALLOC_FILTER_BITS));
}
static inline bool alloc_filter_has(const void *p)
{
    return __atomic_load_n(&alloc_filter[alloc_filter_of(p)], __ATOMIC_RELAXED) != 0;
}

#endif
