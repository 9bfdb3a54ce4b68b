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
#include "base/own.h"

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

enum {
    /* A chunk is kept for the next thread if it has this much room; one in so
     * many may lie and wait for one. */
    KEEP_BYTES_MIN = 1024,
    KEEP_SHARE = 8
};

/* ---- a block for a thread ---- */

static struct oriel_gate *take_gate(uint32_t slot, bool nested)
{
    struct rec_runtime *rt = &rec_runtime;
    struct oriel_gate *g = &rt->gates[slot];
    memset(g, 0, sizeof *g);
    g->slot = slot;
    g->nested = nested;
    g->thread = wire_region_thread(&rt->header, rt->base, slot);
    return g;
}

static struct oriel_gate *take_free_block(bool nested, uint32_t claim)
{
    struct rec_runtime *rt = &rec_runtime;
    const struct wire_region *h = &rt->header;
    uint32_t start = __atomic_load_n(&rt->thread_hint, __ATOMIC_RELAXED);
    for (uint32_t n = 0; n < h->thread_count; n++) {
        uint32_t i = (start + n) % h->thread_count, expected = ORIEL_THREAD_FREE;
        struct oriel_thread *t = wire_region_thread(h, rt->base, i);
        if (__atomic_load_n(&t->state, __ATOMIC_RELAXED) != ORIEL_THREAD_FREE)
            continue;
        if (!__atomic_compare_exchange_n(&t->state, &expected, claim, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_RELAXED))
            continue;
        __atomic_store_n(&rt->thread_hint, i + 1, __ATOMIC_RELAXED);
        return take_gate(i, nested);
    }
    return NULL;
}

/*
 * Blocks that threads of this process left, as a stack. Its head counts its
 * changes, so that a thread that was away for long does not take an old head for
 * the present one. What it holds are hints: the reader may have taken a block
 * back meanwhile, which the block's state tells.
 */
static void push_vacant(uint32_t slot, bool keeps_chunk)
{
    struct rec_own *own = rec_runtime.own;
    uint64_t head = __atomic_load_n(&own->vacant, __ATOMIC_RELAXED), next;
    do {
        uint32_t below = (uint32_t)head | (keeps_chunk ? REC_VACANT_KEEPS : 0);
        __atomic_store_n(&own->next_vacant[slot], below, __ATOMIC_RELAXED);
        next = ((head >> 32) + 1) << 32 | (slot + 1);
    } while (!__atomic_compare_exchange_n(&own->vacant, &head, next, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
}

/* Slot + 1 of the block left last; 0: none. */
static uint32_t pop_vacant(void)
{
    struct rec_own *own = rec_runtime.own;
    uint64_t head = __atomic_load_n(&own->vacant, __ATOMIC_ACQUIRE);
    while ((uint32_t)head) {
        uint32_t slot = (uint32_t)head - 1;
        uint32_t below = __atomic_load_n(&own->next_vacant[slot], __ATOMIC_RELAXED);
        uint64_t next = ((head >> 32) + 1) << 32 | (below & ~REC_VACANT_KEEPS);
        if (!__atomic_compare_exchange_n(&own->vacant, &head, next, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE))
            continue;
        if (below & REC_VACANT_KEEPS)
            __atomic_fetch_sub(&own->kept, 1, __ATOMIC_RELAXED);
        return slot + 1;
    }
    return 0;
}

/* A block that a thread of ours left, with its stream and the rest of its chunk:
 * neither blocks nor chunks limit how many threads come and go. */
static struct oriel_gate *take_vacant_block(bool nested, uint32_t tid)
{
    struct rec_runtime *rt = &rec_runtime;
    const uint32_t passing = wire_claim(ORIEL_THREAD_PASSING, tid);
    const uint32_t process = rec_process_index();
    for (uint32_t at; (at = pop_vacant()) != 0;) {
        struct oriel_thread *t = wire_region_thread(&rt->header, rt->base, at - 1);
        uint32_t word = __atomic_load_n(&t->state, __ATOMIC_ACQUIRE);
        /* Taken back and used by others since, who wrote these before that state. */
        if (wire_state(word) != ORIEL_THREAD_VACANT || t->process != process ||
            t->base != (uintptr_t)rt->base)
            continue;
        if (__atomic_compare_exchange_n(&t->state, &word, passing, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            return take_gate(at - 1, nested);
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

/* What does not change when a block passes to another thread. */
static void fill_block(struct oriel_thread *t)
{
    struct rec_runtime *rt = &rec_runtime;
    const struct wire_process *p = rec_process_self();
    assert(p && p->pid);
    clear_block(t);
    t->clock = rt->clock;
    t->trace_hi = p->trace_hi;
    t->trace_salt = p->trace_salt;
    t->base = (uintptr_t)rt->base;
    t->include_args = (rt->header.flags & WIRE_REGION_INCLUDE_ARGS) != 0;
    t->serial = __atomic_add_fetch(&rt->shared->thread_serial, 1, __ATOMIC_RELAXED);
    t->process = rec_process_index();
}

/* Another copy of this library has a block for this thread: both are one. */
static uint32_t primary_elsewhere(int32_t tid)
{
    struct rec_runtime *rt = &rec_runtime;
    const struct wire_process *p = rec_process_self();
    const uint32_t process = rec_process_index();
    if (__atomic_load_n(&p->copies, __ATOMIC_RELAXED) < 2)
        return 0;
    for (uint32_t i = 0; i < rt->header.thread_count; i++) {
        const struct oriel_thread *t = wire_region_thread(&rt->header, rt->base, i);
        if (__atomic_load_n(&t->state, __ATOMIC_ACQUIRE) == ORIEL_THREAD_LIVE && t->tid == tid &&
            t->process == process)
            return t->primary;
    }
    return 0;
}

/* Give a block to this thread; `primary` is 0 for its first one. The state, set
 * last, is what readers go by. */
static void own_block(struct oriel_gate *g, uint32_t primary, bool fresh)
{
    struct oriel_thread *t = g->thread;
    int32_t tid = os_gettid();
    if (!primary)
        primary = primary_elsewhere(tid);
    if (!primary && !fresh)
        primary = __atomic_add_fetch(&rec_runtime.shared->thread_serial, 1, __ATOMIC_RELAXED);
    t->primary = primary ? primary : t->serial;
    t->tid = tid;
    t->stack_bytes = 0;
    memset(&t->ctx, 0, sizeof t->ctx);
    t->ctx.flags = rec_root_flags();
    memset(t->name, 0, sizeof t->name);
    os_thread_name(t->name, sizeof t->name);
    g->heap = rec_runtime.heap ? rec_runtime.heap() : NULL;
    __atomic_store_n(&t->state, ORIEL_THREAD_LIVE, __ATOMIC_SEQ_CST);
    rec_switch_joined(t);
    rec_chunk_adopt(t, g);
}

/* A block of this thread's own, its gate still shut; NULL: none is free. */
static struct oriel_gate *claim_block(bool nested, uint32_t primary)
{
    uint32_t tid = (uint32_t)os_gettid();
    struct oriel_gate *g = take_vacant_block(nested, tid);
    bool fresh = !g;
    if (fresh) {
        g = take_free_block(nested, wire_claim(ORIEL_THREAD_CLAIMED, tid));
        if (!g)
            return NULL;
        fill_block(g->thread);
    }
    own_block(g, primary, fresh);
    return g;
}

static void open_gate(struct oriel_gate *g)
{
    g->live = 1;
    g->open = rec_gate_open();
    __atomic_store_n(&g->ready, g->open, __ATOMIC_RELAXED);
}

/* The spans that were open when a recording ended are still open in the next. */
static void carry_stack(struct oriel_thread *t, const struct oriel_thread *before)
{
    if (before == &rec_null_thread)
        return;
    t->stack_bytes = before->stack_bytes;
    memcpy(t->stack, before->stack, sizeof t->stack);
}

static bool set_up(void)
{
    struct rec_runtime *rt = &rec_runtime;
    struct oriel_gate *g = rec_process_claim() ? claim_block(false, 0) : NULL;
    if (!g) {
        __atomic_fetch_add(&rt->shared->lost[ORIEL_LOST_NO_THREAD], 1, __ATOMIC_RELAXED);
        return false;
    }
    carry_stack(g->thread, oriel_tls.thread);
    oriel_tls.thread = g->thread;
    oriel_tls.gate = g;
    otel_thread_ctx_v1 = &g->thread->ctx;
    if (rt->key_usable && rec_thread_local.exits < REC_EXIT_HOOK_ROUNDS)
        pthread_setspecific(rt->key, g);
    open_gate(g);
    return true;
}

/* It is one of Oriel's own, and does not crash right now. */
static bool is_own(void)
{
    struct rec_thread_local *here = &rec_thread_local;
    if (here->own == REC_OWN_UNKNOWN)
        here->own = own_thread_here() ? REC_OWN_YES : REC_OWN_NO;
    return here->own == REC_OWN_YES && !here->crashing; /* that one of ours crashed is told */
}

bool rec_thread_setup(void)
{
    int saved_errno = errno;
    uint64_t signals;
    if (rec_thread_local.setting_up || is_own())
        return false;
    rec_thread_local.setting_up = 1;
    /* A handler that forks in the middle would leave two of us in one block. */
    os_signals_block(&signals);
    bool done = set_up();
    os_signals_restore(signals);
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
    uint64_t signals;
    if (first->second)
        return first->second;
    if (first->nested || rec_thread_local.setting_up)
        return NULL;
    rec_thread_local.setting_up = 1;
    os_signals_block(&signals);
    struct oriel_gate *g = claim_block(true, first->thread->primary);
    if (g) {
        open_gate(g);
        first->second = g;
    }
    os_signals_restore(signals);
    ORIEL_SIGNAL_FENCE();
    rec_thread_local.setting_up = 0;
    errno = saved_errno;
    return g;
}

/* ---- giving it back ---- */

/* The next thread of this process goes on where this one ends: in its chunk, if
 * there is room and not too many chunks wait like that already. */
static void give_up(struct oriel_gate *g)
{
    struct rec_runtime *rt = &rec_runtime;
    struct oriel_thread *t = g->thread;
    __atomic_store_n(&g->ready, 0u, __ATOMIC_RELAXED);
    ORIEL_SIGNAL_FENCE();
    bool keeps = t->chunk && t->head + KEEP_BYTES_MIN <= g->room_end &&
                 __atomic_add_fetch(&rt->own->kept, 1, __ATOMIC_RELAXED) <=
                     rt->header.chunk_count / KEEP_SHARE;
    if (t->chunk && t->head + KEEP_BYTES_MIN <= g->room_end && !keeps)
        __atomic_fetch_sub(&rt->own->kept, 1, __ATOMIC_RELAXED);
    if (!keeps)
        rec_chunk_close(t, g);
    rec_gate_set_limit(g, 0);
    g->heap = NULL;
    g->live = 0;
    /* Pairs with the acquire of the next owner, and of the reader. */
    __atomic_store_n(&t->state, wire_claim(ORIEL_THREAD_VACANT, t->serial), __ATOMIC_RELEASE);
    push_vacant(g->slot, keeps);
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
    rec_heap_tell();
    rec_crash_thread_exit();
    struct oriel_gate *second = g->second;
    uint64_t signals;
    os_signals_block(&signals); /* a handler needs a gate and the thread that belongs to it */
    oriel_tls.thread = &rec_null_thread;
    oriel_tls.gate = &rec_null_gate;
    otel_thread_ctx_v1 = NULL;
    os_signals_restore(signals);
    if (!rec_enter())
        return;
    if (rec_gate_is_current(g)) {
        if (second)
            give_up(second);
        give_up(g);
    }
    rec_leave();
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
    rec_thread_local.inheriting = 0;
    rec_thread_local.own = REC_OWN_UNKNOWN; /* it is the main thread there */
}
