/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Attaching this process to a region, and its slot in the process table.
 * Runs once at start (constructor) or when a program switches telemetry on,
 * and again, lazily, in a fork child at its first record.
 */
#include "rec/rec.h"

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
    PROCESS_FREE = 0,
    PROCESS_CLAIMED = 1,
    PROCESS_LIVE = 2,
    PROCESS_OVER = 3,
    /* Second-level thread-specific data is allocated by libc when first set. */
    KEYS_WITHOUT_MALLOC = 32,
    PREFAULT_BYTES = 1 << 20
};

/* The kernel gives every image it starts 16 random bytes. */
static uint64_t image_tag(void)
{
    const void *random = (const void *)(uintptr_t)getauxval(AT_RANDOM);
    uint64_t tag = 0;
    if (random)
        memcpy(&tag, random, sizeof tag);
    return tag;
}

/* A process that was replaced by exec has our pid: its slot is over. One with
 * our pid and our image is another copy of this library in this process. */
static void end_former_self(const struct wire_region *h, void *base, int32_t pid)
{
    for (uint32_t i = 0; i < h->process_count; i++) {
        struct wire_process *p = wire_region_process(h, base, i);
        if (p->pid == pid && p->image_tag != image_tag() &&
            __atomic_load_n(&p->state, __ATOMIC_ACQUIRE) == PROCESS_LIVE)
            __atomic_store_n(&p->state, PROCESS_OVER, __ATOMIC_RELEASE);
    }
}

static void fill_process(struct wire_process *p, int32_t pid)
{
    struct rec_runtime *rt = &rec_runtime;
    uint64_t random[2] = {0, 0};
    struct clock_anchor a = {0, 0, 0};
    p->pid = pid;
    p->ppid = os_getppid();
    p->clock = rt->clock;
    p->image_tag = image_tag();
    p->start_time = os_start_time(pid, 0);
    if (os_random(random, sizeof random) != 0)
        random[0] = (uint64_t)pid << 32 ^ clock_unix_ns(), random[1] = clock_mono_ns();
    rt->trace_hi = p->trace_hi = random[0];
    rt->trace_salt = p->trace_salt = random[1];
    clock_anchor_read(rt->clock, &a);
    p->anchor.ticks = a.ticks;
    p->anchor.mono_ns = a.mono_ns;
    p->anchor.unix_ns = a.unix_ns;
    memset(p->exe, 0, sizeof p->exe);
    os_exe_path(p->exe, sizeof p->exe);
    memset(p->cmdline, 0, sizeof p->cmdline);
    os_read_file("/proc/self/cmdline", p->cmdline, sizeof p->cmdline - 1);
    p->serial = __atomic_add_fetch(&rt->shared->process_serial, 1, __ATOMIC_RELAXED);
    /* What was described before a fork stands under the parent's serial. */
    p->sites_of = rt->process_serial ? rt->process_serial : p->serial;
    rt->process_serial = p->serial;
}

bool rec_process_claim(void)
{
    struct rec_runtime *rt = &rec_runtime;
    const struct wire_region *h = &rt->header;
    int32_t pid = os_getpid();
    if (rt->process && rt->pid == pid)
        return true;
    uint32_t claim = wire_claim(PROCESS_CLAIMED, (uint32_t)pid);
    for (uint32_t i = 0; i < h->process_count; i++) {
        struct wire_process *p = wire_region_process(h, rt->base, i);
        uint32_t expected = PROCESS_FREE;
        if (!__atomic_compare_exchange_n(&p->state, &expected, claim, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_RELAXED))
            continue;
        fill_process(p, pid);
        rt->pid = pid;
        rt->process = i + 1;
        rec_context_publish();
        /* Pairs with the reader's acquire load. */
        __atomic_store_n(&p->state, PROCESS_LIVE, __ATOMIC_RELEASE);
        return true;
    }
    return false;
}

/* Every slot is taken, most likely by the dead of a storm of processes whose
 * slots come back in a moment. Each thread's first record tries again, and what
 * is not recorded until then is counted. Sites need a serial to stand under. */
static void go_without_slot(void)
{
    struct rec_runtime *rt = &rec_runtime;
    rt->process = 0;
    rt->pid = os_getpid();
    rt->process_serial = __atomic_add_fetch(&rt->shared->process_serial, 1, __ATOMIC_RELAXED);
}

static void make_exit_hook(void)
{
    struct rec_runtime *rt = &rec_runtime;
    rt->key_usable =
        pthread_key_create(&rt->key, rec_thread_exit) == 0 && rt->key < KEYS_WITHOUT_MALLOC;
}

static void forked(void)
{
    rec_sites_forked();
    rec_thread_forked();
}

/* Map and check; on failure nothing of the runtime has changed. */
static int map_region(const char *path)
{
    struct rec_runtime *rt = &rec_runtime;
    void *base = NULL, *gates = NULL;
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
    rt->gates_bytes = (size_t)rt->header.thread_count * sizeof(struct oriel_gate);
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

int oriel_attach(const char *ring_path)
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
        end_former_self(&rt->header, rt->base, os_getpid());
        if (!rec_process_claim())
            go_without_slot();
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
    rec_filter_set(rt->header.directives[0] ? rt->header.directives : NULL);
    __atomic_store_n(&rt->state, REC_ON, __ATOMIC_RELEASE);
    rec_sites_enable();
    errno = saved_errno;
    return 0;
}

bool oriel_enabled(void)
{
    return rec_is_on();
}

void oriel_lost(uint64_t out[8])
{
    struct rec_runtime *rt = &rec_runtime;
    memset(out, 0, 8 * sizeof out[0]);
    if (!rec_is_on())
        return;
    for (uint32_t i = 0; i < rt->header.thread_count; i++) {
        struct oriel_thread *t = wire_region_thread(&rt->header, rt->base, i);
        if (t->process + 1 == rt->process && t->state != ORIEL_THREAD_FREE)
            for (int c = 0; c < ORIEL_LOST_CAUSES; c++)
                out[c] += __atomic_load_n(&t->lost[c], __ATOMIC_RELAXED);
    }
}

const char *oriel_version(void)
{
    return ORIEL_VERSION_TEXT;
}

static bool is_true(const char *s)
{
    return s && (strcmp(s, "1") == 0 || strcasecmp(s, "true") == 0);
}

/* The environment may switch recording on; nothing else is read at start. A
 * set-uid program ignores it. */
__attribute__((constructor)) static void read_environment(void)
{
    if (getauxval(AT_SECURE))
        return;
    rec_crash_ask(getenv("ORIEL_CRASH"));
    const char *ring = getenv("ORIEL_RING");
    if (ring && *ring)
        oriel_attach(ring);
    else if (is_true(getenv("ORIEL_ENABLED")) || is_true(getenv("TELEMETRY_ENABLED")))
        oriel_start(NULL);
}
