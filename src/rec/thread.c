/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Threads: a block in the region per thread, claimed at its first record and
 * given up when it exits. Thread-local data is plain and has no destructor, so
 * recording stays legal in every later destructor; it then claims anew.
 * System calls happen here only, once per thread.
 */
#include "rec/rec.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/os.h"

struct oriel_thread rec_null_thread;
struct oriel_gate rec_null_gate = {.thread = &rec_null_thread};
__thread struct oriel_tls oriel_tls
    __attribute__((tls_model("initial-exec"))) = {&rec_null_thread, &rec_null_gate};
__thread struct rec_thread_local rec_thread_local __attribute__((tls_model("initial-exec")));

/* Read by eBPF profilers (OTEP 4947): this thread's context record. Static
 * access, which readers must support, because the preferred dynamic model may
 * allocate at a thread's first touch. */
extern ORIEL_EXPORT __thread struct oriel_otel_ctx *otel_thread_ctx_v1;
__thread struct oriel_otel_ctx *otel_thread_ctx_v1 __attribute__((tls_model("initial-exec")));

enum { TRACE_FLAGS = 3 }; /* W3C: sampled, random trace id */

static struct oriel_gate *claim_slot(bool nested)
{
    struct rec_runtime *rt = &rec_runtime;
    const struct wire_region *h = &rt->header;
    uint32_t claim = wire_claim(ORIEL_THREAD_CLAIMED, (uint32_t)os_gettid());
    uint32_t start = __atomic_load_n(&rt->thread_hint, __ATOMIC_RELAXED);
    for (uint32_t n = 0; n < h->thread_count; n++) {
        uint32_t i = (start + n) % h->thread_count, expected = ORIEL_THREAD_FREE;
        struct oriel_thread *t = wire_region_thread(h, rt->base, i);
        struct oriel_gate *g = &rt->gates[i];
        if (__atomic_load_n(&t->state, __ATOMIC_RELAXED) != ORIEL_THREAD_FREE)
            continue;
        if (!__atomic_compare_exchange_n(&t->state, &expected, claim, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_RELAXED))
            continue;
        __atomic_store_n(&rt->thread_hint, i + 1, __ATOMIC_RELAXED);
        memset(g, 0, sizeof *g);
        g->slot = i;
        g->nested = nested;
        g->thread = t;
        return g;
    }
    return NULL;
}

/* All of a claimed block but its state: were that zero for a moment, the block
 * would look free, and another thread would take it too. */
static void clear_block(struct oriel_thread *t)
{
    const size_t from = offsetof(struct oriel_thread, state), to = from + sizeof t->state;
    memset(t, 0, from);
    memset((char *)t + to, 0, sizeof *t - to);
}

/* Fill a claimed block. The state, set last, is what readers go by. */
static void fill_block(struct oriel_thread *t, uint32_t primary)
{
    struct rec_runtime *rt = &rec_runtime;
    clear_block(t);
    t->clock = rt->clock;
    t->trace_hi = rt->trace_hi;
    t->trace_salt = rt->trace_salt;
    t->base = (uintptr_t)rt->base;
    t->ctx.flags = TRACE_FLAGS;
    t->include_args = (rt->header.flags & WIRE_REGION_INCLUDE_ARGS) != 0;
    t->serial = __atomic_add_fetch(&rt->shared->thread_serial, 1, __ATOMIC_RELAXED);
    t->primary = primary ? primary : t->serial;
    t->process = rt->process - 1;
    t->tid = os_gettid();
    os_thread_name(t->name, sizeof t->name);
    __atomic_store_n(&t->state, ORIEL_THREAD_LIVE, __ATOMIC_RELEASE);
}

static void open_gate(struct oriel_gate *g)
{
    g->live = 1;
    __atomic_store_n(&g->ready, 1u, __ATOMIC_RELAXED);
}

bool rec_thread_setup(void)
{
    struct rec_runtime *rt = &rec_runtime;
    int saved_errno = errno;
    bool done = false;
    if (!rec_is_on() || rec_thread_local.setting_up)
        return false;
    rec_thread_local.setting_up = 1;
    ORIEL_SIGNAL_FENCE();
    struct oriel_gate *g = rec_process_claim() ? claim_slot(false) : NULL;
    if (g) {
        fill_block(g->thread, 0);
        oriel_tls.thread = g->thread;
        oriel_tls.gate = g;
        otel_thread_ctx_v1 = &g->thread->ctx;
        if (rt->key_usable && rec_thread_local.exits < REC_EXIT_HOOK_ROUNDS)
            pthread_setspecific(rt->key, g);
        open_gate(g);
        done = true;
    } else {
        __atomic_fetch_add(&rt->shared->lost[ORIEL_LOST_NO_THREAD], 1, __ATOMIC_RELAXED);
    }
    ORIEL_SIGNAL_FENCE();
    rec_thread_local.setting_up = 0;
    if (done)
        rec_crash_thread(); /* it is whole by now: a handler may emit in between */
    errno = saved_errno;
    return done;
}

struct oriel_gate *rec_thread_second(struct oriel_gate *first)
{
    int saved_errno = errno;
    if (first->second)
        return first->second;
    if (first->nested || rec_thread_local.setting_up)
        return NULL;
    rec_thread_local.setting_up = 1;
    ORIEL_SIGNAL_FENCE();
    struct oriel_gate *g = claim_slot(true);
    if (g) {
        fill_block(g->thread, first->thread->serial);
        open_gate(g);
        first->second = g;
    }
    ORIEL_SIGNAL_FENCE();
    rec_thread_local.setting_up = 0;
    errno = saved_errno;
    return g;
}

static void give_up(struct oriel_gate *g)
{
    struct oriel_thread *t = g->thread;
    __atomic_store_n(&g->ready, 0u, __ATOMIC_RELAXED);
    ORIEL_SIGNAL_FENCE();
    g->live = 0;
    rec_chunk_close(t, g);
    /* Pairs with the reader's acquire load: all chunks were handed over. */
    __atomic_store_n(&t->state, ORIEL_THREAD_EXITED, __ATOMIC_RELEASE);
}

/* The pthread key's destructor: runs while the thread exits, before or after
 * the destructors of others. What records later claims a new block. */
void rec_thread_exit(void *unused)
{
    struct oriel_gate *g = oriel_tls.gate;
    (void)unused;
    rec_thread_local.exits++;
    if (!g->live)
        return;
    rec_crash_thread_exit();
    struct oriel_gate *second = g->second;
    oriel_tls.thread = &rec_null_thread;
    oriel_tls.gate = &rec_null_gate;
    otel_thread_ctx_v1 = NULL;
    ORIEL_SIGNAL_FENCE();
    if (second)
        give_up(second);
    give_up(g);
}

/* In a fork child: plain stores only. The parent's blocks are not ours; the
 * wiped gates say so too, for forks that bypass pthread_atfork. */
void rec_thread_forked(void)
{
    oriel_tls.thread = &rec_null_thread;
    oriel_tls.gate = &rec_null_gate;
    otel_thread_ctx_v1 = NULL;
    rec_thread_local.setting_up = 0;
    rec_thread_local.exits = 0;
    rec_runtime.process = 0;
}
