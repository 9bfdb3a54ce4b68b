/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Counters of threads. They lie in static memory, not in thread-local storage,
 * so that others may read them at any moment, also while the thread ends; a
 * slot is given back in the thread's last round of destructors.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/os.h"
#include "base/own.h"
#include "hook/alloc/alloc.h"

enum { THREADS_MAX = 2048, ROUNDS = 3, KEYS_WITHOUT_MALLOC = 32 };

__thread struct alloc_thread *alloc_thread __attribute__((tls_model("initial-exec")));
static __thread int exits __attribute__((tls_model("initial-exec")));

static struct alloc_thread slots[THREADS_MAX];
/* For threads beyond that, and in what a thread's very end still frees. Several write
 * to it at once, so it has sums alone: no countdown, no stack. */
static struct alloc_thread crowd = {
    .heap.told = UINT64_MAX, .left = INT64_MAX, .inside = 1, .shared = true};
/* For those of Oriel's threads that find no slot: nothing of theirs counts. */
static struct alloc_thread ours = {.heap.told = UINT64_MAX, .left = INT64_MAX, .inside = 1};
static struct oriel_heap ended; /* atomic; sums of those that are over */
static uint32_t slots_used;     /* atomic; all used ones lie below */
static uint32_t threads_seen;   /* atomic; in this process */
static pthread_key_t key;
static bool key_usable;

static void add_one(uint64_t *sum, const uint64_t *n)
{
    __atomic_fetch_add(sum, __atomic_load_n(n, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

static void add(struct oriel_heap *sum, const struct oriel_heap *h)
{
    add_one(&sum->allocations, &h->allocations);
    add_one(&sum->bytes, &h->bytes);
    add_one(&sum->frees, &h->frees);
    add_one(&sum->freed_bytes, &h->freed_bytes);
}

static void wipe(struct oriel_heap *h)
{
    __atomic_store_n(&h->allocations, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&h->bytes, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&h->frees, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&h->freed_bytes, 0, __ATOMIC_RELAXED);
}

static struct alloc_thread *take_slot(void)
{
    for (uint32_t i = 0; i < THREADS_MAX; i++) {
        uint32_t no = 0, used = __atomic_load_n(&slots_used, __ATOMIC_RELAXED);
        if (__atomic_load_n(&slots[i].used, __ATOMIC_RELAXED) ||
            !__atomic_compare_exchange_n(&slots[i].used, &no, 1, false, __ATOMIC_ACQUIRE,
                                         __ATOMIC_RELAXED))
            continue;
        while (used <= i && !__atomic_compare_exchange_n(&slots_used, &used, i + 1, false,
                                                         __ATOMIC_RELEASE, __ATOMIC_RELAXED))
            ;
        return &slots[i];
    }
    return &crowd;
}

static void prepare(struct alloc_thread *t)
{
    t->heap.told = UINT64_MAX;
    t->inside = own_thread_here(); /* for ever: nothing of ours is counted */
    t->asking = 0;
    t->random = 0;
    alloc_thread_restart(t);
}

struct alloc_thread *alloc_thread_new(void)
{
    int kept = errno;
    /* After the last of its rounds nobody would give a slot back. */
    struct alloc_thread *t = exits < ROUNDS ? take_slot() : &crowd;
    if (t->shared && own_thread_here())
        t = &ours;
    __atomic_fetch_add(&threads_seen, 1, __ATOMIC_RELAXED);
    if (!t->shared && t != &ours)
        prepare(t);
    alloc_thread = t;
    if (key_usable && !t->shared && t != &ours)
        pthread_setspecific(key, t);
    errno = kept;
    return t;
}

/* The destructors of others run in the same round as this one, and may allocate:
 * the slot is kept until the last round that we are asked in. */
static void thread_exit(void *slot)
{
    struct alloc_thread *t = slot;
    if (t != alloc_thread)
        return;
    if (++exits < ROUNDS) {
        pthread_setspecific(key, t);
        return;
    }
    alloc_thread = NULL;
    assert(!t->shared);
    add(&ended, &t->heap);
    wipe(&t->heap);
    __atomic_store_n(&t->used, 0, __ATOMIC_RELEASE);
}

void alloc_threads_open(void)
{
    key_usable = pthread_key_create(&key, thread_exit) == 0 && key < KEYS_WITHOUT_MALLOC;
    uint32_t used = __atomic_load_n(&slots_used, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < used; i++)
        alloc_thread_restart(&slots[i]);
    if (key_usable && alloc_thread && !alloc_thread->shared)
        pthread_setspecific(key, alloc_thread);
}

void alloc_aside_new(struct alloc_thread *t, void *p, size_t bytes)
{
    if (!t->shared)
        return;
    __atomic_fetch_add(&t->heap.allocations, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&t->heap.bytes, bytes, __ATOMIC_RELAXED);
    alloc_slow_unknown(p, bytes);
}

void alloc_aside_gone(struct alloc_thread *t, void *p, size_t bytes)
{
    if (!t->shared)
        return;
    __atomic_fetch_add(&t->heap.frees, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&t->heap.freed_bytes, bytes, __ATOMIC_RELAXED);
    if (p && alloc_filter_has(p))
        alloc_slow_gone(t, p);
}

uint32_t alloc_threads_slots(void)
{
    return __atomic_load_n(&slots_used, __ATOMIC_RELAXED);
}

/* Only the thread that forked is there; it begins to count anew. */
void alloc_threads_forked(void)
{
    struct alloc_thread *here = alloc_thread;
    for (uint32_t i = 0; i < slots_used; i++) {
        wipe(&slots[i].heap);
        slots[i].used = &slots[i] == here;
    }
    wipe(&ended);
    wipe(&crowd.heap);
    threads_seen = 1;
    if (here && (here->shared || here == &ours))
        alloc_thread = NULL; /* there is room now */
    else if (here)
        prepare(here);
}

bool alloc_threads_alone(void)
{
    return __atomic_load_n(&threads_seen, __ATOMIC_RELAXED) <= 1;
}

void alloc_threads_sum(struct oriel_heap *out)
{
    uint32_t used = __atomic_load_n(&slots_used, __ATOMIC_ACQUIRE);
    memset(out, 0, sizeof *out);
    add(out, &ended);
    add(out, &crowd.heap);
    for (uint32_t i = 0; i < used; i++)
        add(out, &slots[i].heap);
}
