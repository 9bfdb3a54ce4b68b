/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * How it begins and ends: what `oriel record --heap` said in the environment,
 * modules and samples once a ring is there, children, the sums at the end.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define ORIEL_TARGET "oriel.heap"
#include <oriel/event.h>

#include "hook/alloc/alloc.h"
#include "rec/rec.h"

#define INTERVAL_DEFAULT (512u << 10)
#define INTERVAL_MAX (UINT64_C(1) << 40)

enum { COUNTING, SAMPLED, EXACT };
static uint32_t state; /* atomic */

/* What other copies of the core in this process ask for: see rec/process.c. */
__attribute__((visibility("default"))) struct oriel_heap *oriel_heap_here(void);
struct oriel_heap *oriel_heap_here(void)
{
    struct alloc_thread *t = alloc_thread_here();
    return t->shared ? NULL : &t->heap; /* sums of many threads are no span's */
}

/* What the program's threads allocate for Oriel, who is called by this (base/own.h), is not
 * the program's. */
__attribute__((visibility("default"))) void oriel_heap_aside(bool begin);
void oriel_heap_aside(bool begin)
{
    struct alloc_thread *t = alloc_thread_here();
    if (begin)
        alloc_enter(t);
    else
        alloc_leave(t);
}

/* ---- the slow ways ---- */

__attribute__((noinline)) void alloc_slow_new(struct alloc_thread *t, void *p, size_t bytes,
                                              const struct unwind_caller *caller)
{
    uint32_t now = __atomic_load_n(&state, __ATOMIC_ACQUIRE);
    if (now == SAMPLED)
        alloc_sampled_new(t, p, bytes, caller);
    else if (now == EXACT)
        alloc_exact_new(t, p, bytes, caller);
    else
        alloc_thread_restart(t);
}

/* A sample's end is told before its address can be another block's; should the
 * block stay after all, it counts as gone. */
void alloc_slow_take(struct alloc_thread *t, void *p, struct alloc_known *out)
{
    struct alloc_sampled sampled;
    uint32_t now = __atomic_load_n(&state, __ATOMIC_ACQUIRE);
    out->any = now == EXACT && alloc_exact_take(p, &out->block);
    if (now == SAMPLED && alloc_sampled_take(p, &sampled))
        alloc_sampled_gone(t, p, &sampled);
}

void alloc_slow_back(void *p, const struct alloc_known *known)
{
    if (known->any)
        alloc_exact_back(p, &known->block);
}

void alloc_slow_went(struct alloc_thread *t, void *p, size_t bytes, const struct alloc_known *known)
{
    if (t->shared) {
        alloc_aside_gone(t, NULL, bytes);
    } else {
        alloc_count(&t->heap.frees, 1);
        alloc_count(&t->heap.freed_bytes, bytes);
        t->last = NULL; /* it goes on as another */
    }
    if (known->any)
        alloc_exact_gone(t, p, &known->block);
}

void alloc_slow_unknown(void *p, size_t bytes)
{
    if (__atomic_load_n(&state, __ATOMIC_ACQUIRE) == EXACT)
        alloc_exact_unknown(p, bytes);
}

__attribute__((noinline)) void alloc_slow_gone(struct alloc_thread *t, void *p)
{
    struct alloc_known known;
    alloc_slow_take(t, p, &known);
    if (known.any)
        alloc_exact_gone(t, p, &known.block);
}

void alloc_thread_restart(struct alloc_thread *t)
{
    t->left = __atomic_load_n(&state, __ATOMIC_ACQUIRE) == COUNTING ? INT64_MAX : 0;
    t->last = NULL;
}

/* ---- sums ---- */

static uint64_t peak_bytes; /* atomic; as seen by alloc_look_at_live */

static uint64_t live_bytes(const struct oriel_heap *h)
{
    /* Sums over threads that go on meanwhile: a little more may be gone than came. */
    return h->bytes > h->freed_bytes ? h->bytes - h->freed_bytes : 0;
}

void alloc_look_at_live(void)
{
    struct oriel_heap h;
    alloc_threads_sum(&h);
    uint64_t live = live_bytes(&h);
    uint64_t peak = __atomic_load_n(&peak_bytes, __ATOMIC_RELAXED);
    while (peak < live && !__atomic_compare_exchange_n(&peak_bytes, &peak, live, false,
                                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    ORIEL_PLOT_(__COUNTER__, ORIEL_SITE_SEEN, "heap.live_bytes", live);
}

__attribute__((destructor)) static void finish(void)
{
    struct oriel_heap h;
    int kept = errno;
    if (!rec_is_on())
        return;
    struct alloc_thread *t = alloc_thread_here();
    alloc_enter(t);
    alloc_look_at_live();
    rec_heap_tell();
    if (state == EXACT) {
        alloc_exact_tell(true);
        peak_bytes = alloc_exact_peak();
    }
    alloc_threads_sum(&h);
    ORIEL_EVENT_(__COUNTER__, ORIEL_LEVEL_INFO, ORIEL_SITE_NAMED | ORIEL_SITE_SEEN, 6, "heap.end",
                 "allocations", h.allocations, "bytes", h.bytes, "frees", h.frees, "freed_bytes",
                 h.freed_bytes, "live_bytes", live_bytes(&h), "peak_bytes",
                 __atomic_load_n(&peak_bytes, __ATOMIC_RELAXED));
    alloc_leave(t);
    errno = kept;
}

/* ---- beginning ---- */

static void forked(void)
{
    hook_stacks_forked(alloc_threads_alone());
    alloc_threads_forked();
    if (state == EXACT)
        alloc_exact_forked();
    peak_bytes = 0;
}

static uint64_t interval_of(const char *text)
{
    uint64_t n = text ? strtoull(text, NULL, 10) : 0;
    return n == 0 || n > INTERVAL_MAX ? INTERVAL_DEFAULT : n;
}

static void look_from_now(const char *mode)
{
    bool exact = strcmp(mode, "exact") == 0;
    if ((!exact && strcmp(mode, "sampled") != 0) || hook_stacks_open(true) != 0 ||
        (exact && !alloc_exact_open()))
        return; /* it still counts */
    hook_stacks_tell();
    hook_stacks_thread();
    alloc_sampled_open(interval_of(getenv("ORIEL_HEAP_INTERVAL")));
    if (exact) /* every free is looked at */
        memset(alloc_filter, 1, sizeof alloc_filter);
    __atomic_store_n(&state, exact ? EXACT : SAMPLED, __ATOMIC_RELEASE);
}

/* The core of this library has a constructor of its own that attaches: whichever
 * comes first does it. */
__attribute__((constructor)) static void begin(void)
{
    const char *mode = getauxval(AT_SECURE) ? NULL : getenv("ORIEL_HEAP");
    const char *ring = getauxval(AT_SECURE) ? NULL : getenv("ORIEL_RING");
    int kept = errno;
    struct alloc_thread *t = alloc_thread_here();
    rec_current_looks_on();
    alloc_enter(t);
    if (ring && *ring && !rec_is_on())
        (void)oriel_attach(ring);
    if (mode)
        look_from_now(mode);
    pthread_atfork(NULL, NULL, forked);
    alloc_threads_open();
    if (rec_is_on() && !alloc_is_first())
        ORIEL_EVENT_AT(ORIEL_LEVEL_WARN, "heap.hidden", "why",
                       "the program brings its own malloc: its allocations are not seen");
    alloc_leave(t);
    errno = kept;
}
