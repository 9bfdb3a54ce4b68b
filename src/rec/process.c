/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Attaching this process to a region and leaving it. Runs at start
 * (constructor) or when a program switches telemetry on and off, while its
 * threads record.
 */
#include "rec/rec.h"

#include <oriel/propagation.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/auxv.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/os.h"

struct rec_runtime rec_runtime;

enum {
    /* Second-level thread-specific data is allocated by libc when first set. */
    KEYS_WITHOUT_MALLOC = 32,
    PREFAULT_BYTES = 1 << 20
};

static void make_exit_hook(void)
{
    struct rec_runtime *rt = &rec_runtime;
    rt->key_usable =
        pthread_key_create(&rt->key, rec_thread_exit) == 0 && rt->key < KEYS_WITHOUT_MALLOC;
}

/* The kernel has wiped what is only its parent's, unless it merely said that it
 * would, as emulators do: then the parent's pid still stands there. */
static void forked(void)
{
    struct rec_runtime *rt = &rec_runtime;
    int32_t pid = os_getpid(), before = __atomic_load_n(&rt->own->pid, __ATOMIC_RELAXED);
    if (before && before != pid) {
        memset(rt->own, 0, sizeof *rt->own);
        memset(rt->gates, 0, rt->gates_bytes);
    }
    __atomic_store_n(&rt->own->pid, pid, __ATOMIC_RELAXED);
    rec_start_forked();
    rec_sites_forked();
    rec_hooks_forked();
    rec_thread_forked();
}

/* Most programs that are recorded have no Oriel in them: their recorders leave the
 * pages of a ring to the first that joins, so that only those who write pay for them. */
__attribute__((cold)) static int make_pages(const char *path, struct wire_region *shared)
{
    uint32_t before = __atomic_load_n(&shared->pages, __ATOMIC_ACQUIRE);
    if (!(rec_runtime.header.flags & WIRE_REGION_LATE) || before == WIRE_PAGES_THERE)
        return 0;
    int rc = os_fill_file(path);
    if (rc == 0)
        __atomic_store_n(&shared->pages, WIRE_PAGES_THERE, __ATOMIC_RELEASE);
    else /* unless somebody else found room meanwhile */
        (void)__atomic_compare_exchange_n(&shared->pages, &before, WIRE_PAGES_REFUSED, false,
                                          __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    return rc == 0 ? 0 : ORIEL_ENOSPC;
}

/* Map and check; on failure there is no region. */
__attribute__((cold)) static int map_region(const char *path)
{
    struct rec_runtime *rt = &rec_runtime;
    void *base = NULL, *gates = NULL, *own = NULL;
    size_t size = 0;
    int rc = os_map_file(path, &size, &base);
    if (rc)
        return rc == -ENOMEM ? ORIEL_ENOMEM : ORIEL_ENOTFOUND;
    if (size < sizeof rt->header) {
        os_unmap(base, size);
        return ORIEL_EFORMAT;
    }
    memcpy(&rt->header, base, sizeof rt->header);
    rc = wire_region_check(&rt->header, size);
    if (rc == 0 && rt->header.abi_version != ORIEL_ABI_VERSION)
        rc = ORIEL_EVERSION;
    if (rc == 0)
        rc = make_pages(path, base);
    rt->gates_bytes = (size_t)rt->header.thread_count * sizeof(struct oriel_gate);
    if (rc == 0 && !rt->own && os_map_wiped(sizeof *rt->own, &own) != 0)
        rc = ORIEL_ENOMEM;
    if (own)
        rt->own = own; /* for good: who is inside is counted there */
    if (rc == 0 && os_map_wiped(rt->gates_bytes, &gates) != 0)
        rc = ORIEL_ENOMEM;
    if (rc) {
        os_unmap(base, size);
        return rc;
    }
    rt->base = base;
    rt->shared = base;
    rt->gates = gates;
    rt->clock = rt->header.clock;
    return 0;
}

typedef struct oriel_heap *heap_fn(void);

/* liboriel-alloc, preloaded or linked. What is not there is no error of the program's. */
static heap_fn *find_heap(void)
{
    heap_fn *found = (heap_fn *)(uintptr_t)dlsym(RTLD_DEFAULT, "oriel_heap_here");
    if (!found)
        (void)dlerror();
    return found;
}

__attribute__((cold)) int oriel_attach(const char *ring_path)
{
    struct rec_runtime *rt = &rec_runtime;
    uint32_t expected = REC_OFF;
    int saved_errno = errno;
    if (!ring_path)
        return ORIEL_EINVAL;
    if (!__atomic_compare_exchange_n(&rt->state, &expected, REC_ATTACHING, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return ORIEL_ESTATE;
    int rc = map_region(ring_path);
    if (rc == 0) {
        rec_process_end_former();
        /* When every slot is taken, most likely by the dead of a storm of
         * processes, each thread's first record tries again; what is not
         * recorded until then is counted. Sites need a serial all the same. */
        (void)rec_process_claim();
        (void)rec_process_serial();
    }
    if (rc) {
        __atomic_store_n(&rt->state, REC_OFF, __ATOMIC_RELEASE);
        errno = saved_errno;
        return rc;
    }
    uint64_t chunks = (uint64_t)rt->header.chunk_count * rt->header.chunk_bytes;
    os_prefault((char *)rt->base + rt->header.chunk_off,
                chunks < PREFAULT_BYTES ? chunks : PREFAULT_BYTES);
    oriel_include_args = (rt->header.flags & WIRE_REGION_INCLUDE_ARGS) != 0;
    if (!rt->key_usable) {
        make_exit_hook();
        pthread_atfork(NULL, NULL, forked);
    }
    rt->heap = find_heap();
    rec_switch_attached();
    rec_filter_set(rt->header.directives[0] ? rt->header.directives : NULL);
    __atomic_store_n(&rt->state, REC_ON, __ATOMIC_RELEASE);
    rec_sites_enable();
    errno = saved_errno;
    return 0;
}

/* ---- leaving ---- */

__attribute__((cold)) bool rec_region_leave(unsigned timeout_ms)
{
    struct rec_runtime *rt = &rec_runtime;
    uint32_t expected = REC_ON;
    uint64_t deadline = clock_mono_ns() + (uint64_t)timeout_ms * 1000000u;
    if (__atomic_compare_exchange_n(&rt->state, &expected, REC_LEAVING, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST))
        rec_sites_enable(); /* rather disable: each site is one load and one branch now */
    else if (expected != REC_LEAVING)
        return expected == REC_OFF;
    while (__atomic_load_n(&rt->own->inside, __ATOMIC_SEQ_CST)) {
        if (clock_mono_ns() >= deadline)
            return false;
        os_yield();
    }
    /* Nobody is about to open a gate any more: the next record of every thread
     * takes the slow path and is refused there. */
    for (uint32_t i = 0; i < rt->header.thread_count; i++)
        __atomic_store_n(&rt->gates[i].limit, 0, __ATOMIC_RELAXED);
    return true;
}

/* Word by word, from under the hands of its owner. The sanitizer need not know. */
__attribute__((no_sanitize("thread"))) static void copy_block(uint64_t *to, const void *block)
{
    const volatile uint64_t *from = block;
    for (size_t i = 0; i < sizeof(struct oriel_thread) / sizeof *to; i++)
        to[i] = from[i];
}

/* The blocks of threads as they are now, in private memory. A record that is
 * being written puts its block back by that record, which nobody reads. */
__attribute__((cold)) static int copy_blocks(void **out, size_t bytes)
{
    const struct rec_runtime *rt = &rec_runtime;
    int rc = os_map_private(bytes, out);
    for (uint32_t i = 0; rc == 0 && i < rt->header.thread_count; i++) {
        const struct oriel_thread *t = wire_region_thread(&rt->header, rt->base, i);
        if (__atomic_load_n(&t->state, __ATOMIC_ACQUIRE) != ORIEL_THREAD_FREE)
            copy_block((uint64_t *)((struct oriel_thread *)*out + i), t);
    }
    return rc;
}

/* All but `inside`: a call that is being refused right now still counts itself
 * in and out there. */
static void forget_own(struct rec_own *own)
{
    __atomic_store_n(&own->process, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&own->ids, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&own->vacant, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&own->kept, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&own->pid, os_getpid(), __ATOMIC_RELAXED);
}

/* A thread may be in the middle of a record, for as long as it likes: where it
 * writes there stays memory, private and empty. That costs addresses and a page
 * for every thread that is not over. */
__attribute__((cold)) void rec_region_drop(void)
{
    struct rec_runtime *rt = &rec_runtime;
    const struct wire_region *h = &rt->header;
    char *base = rt->base;
    void *blocks = NULL;
    size_t bytes = h->desc_off - h->thread_off;
    if (__atomic_load_n(&rt->state, __ATOMIC_ACQUIRE) != REC_LEAVING)
        return;
    if (copy_blocks(&blocks, bytes) == 0) {
        if (os_map_move(base + h->thread_off, blocks, bytes) != 0)
            os_unmap(blocks, bytes); /* the old memory stays as it was, then */
        else if (os_map_blank(base, h->thread_off) == 0)
            (void)os_map_blank(base + h->desc_off, h->size - h->desc_off);
    }
    rec_sites_forget();
    rt->process = rt->process_serial = 0;
    forget_own(rt->own);
    __atomic_store_n(&rt->state, REC_OFF, __ATOMIC_RELEASE);
}

bool oriel_enabled(void)
{
    return rec_is_on();
}

__attribute__((cold)) void oriel_lost(uint64_t out[8])
{
    struct rec_runtime *rt = &rec_runtime;
    memset(out, 0, 8 * sizeof out[0]);
    if (!rec_enter())
        return;
    uint32_t process = rec_process_index() + 1;
    for (uint32_t i = 0; i < rt->header.thread_count; i++) {
        struct oriel_thread *t = wire_region_thread(&rt->header, rt->base, i);
        if (process && t->process + 1 == process && t->state != ORIEL_THREAD_FREE)
            for (int c = 0; c < ORIEL_LOST_CAUSES; c++)
                out[c] += __atomic_load_n(&t->lost[c], __ATOMIC_RELAXED);
    }
    rec_leave();
}

const char *oriel_version(void)
{
    return ORIEL_VERSION_TEXT;
}

static bool is_true(const char *s)
{
    return s && (strcmp(s, "1") == 0 || strcasecmp(s, "true") == 0);
}

/* Whoever asked by the environment and gets nothing is told why, as liboriel does for what it
 * finds wrong: else nobody would know. */
__attribute__((cold)) static void start_as_asked(void)
{
    const char *level = getenv("OTEL_LOG_LEVEL");
    if (oriel_start(NULL) == ORIEL_ENOTFOUND && rec_has_no_library() &&
        !(level && strcasecmp(level, "none") == 0))
        os_complain("oriel: telemetry does not start: liboriel.so.0 is not found by the loader: "
                    "install it, or name its directory in LD_LIBRARY_PATH\n");
}

__attribute__((cold)) static bool is_asked(void)
{
    const char *own = getenv("ORIEL_ENABLED"), *telemetry = getenv("TELEMETRY_ENABLED");
    if (is_true(own) || is_true(telemetry))
        return true;
    if (is_true(getenv("TRACY_ENABLED"))) /* by itself; liboriel tells what becomes of it */
        return true;
    /* The name that others have for it, where nobody says it in ours. */
    return !(own && *own) && !(telemetry && *telemetry) &&
           is_true(getenv("RUSTKERNEL_TRACING_ENABLED"));
}

/* The environment may switch recording on; nothing else is read at start. A
 * set-uid program ignores it. */
__attribute__((constructor)) static void read_environment(void)
{
    if (getauxval(AT_SECURE))
        return;
    rec_crash_ask(getenv("ORIEL_CRASH"));
    if (is_true(getenv("ORIEL_JOIN")))
        (void)oriel_context_join();
    const char *ring = getenv("ORIEL_RING");
    if (ring && *ring)
        oriel_attach(ring);
    else if (is_asked())
        start_as_asked();
}
