/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * See ring_writer.h. Every store that others rely on stands here in the order
 * of the protocol; what a real writer does for speed is left out.
 */
#include "ring_writer.h"

#include <oriel/abi/runtime.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "wire/meta.h"

static bool claim_process(struct rw_process *p)
{
    struct clock_anchor a;
    for (uint32_t i = 0; i < p->h.process_count; i++) {
        struct wire_process *w = wire_region_process(&p->h, p->base, i);
        uint32_t expected = 0;
        if (!__atomic_compare_exchange_n(&w->state, &expected, wire_claim(1, (uint32_t)os_getpid()),
                                         false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            continue;
        clock_anchor_read((enum oriel_clock)p->h.clock, &a);
        w->pid = os_getpid();
        w->ppid = (int32_t)getppid();
        w->clock = p->h.clock;
        w->start_time = os_start_time(os_getpid(), 0);
        w->serial = p->serial = __atomic_add_fetch(&p->shared->process_serial, 1, __ATOMIC_ACQ_REL);
        w->sites_of = p->sites_of ? p->sites_of : p->serial;
        w->trace_hi = 0x1111;
        w->trace_salt = p->salt = (uint64_t)p->serial << 56;
        w->anchor = (struct wire_anchor){a.ticks, a.mono_ns, a.unix_ns};
        memset(w->exe, 0, sizeof w->exe);
        memcpy(w->exe, "/usr/bin/writer", 16);
        memset(w->cmdline, 0, sizeof w->cmdline);
        memcpy(w->cmdline, "writer\0--flat-out", 18);
        p->slot = i;
        __atomic_store_n(&w->state, 2, __ATOMIC_RELEASE);
        return true;
    }
    return false;
}

bool rw_attach(struct rw_process *p, void *base, size_t bytes)
{
    memset(p, 0, sizeof *p);
    p->base = base;
    p->bytes = bytes;
    p->shared = base;
    memcpy(&p->h, base, sizeof p->h);
    return wire_region_check(&p->h, bytes) == 0 && claim_process(p);
}

bool rw_attach_path(struct rw_process *p, const char *path)
{
    void *base;
    size_t bytes;
    if (os_map_file(path, &bytes, &base) != 0)
        return false;
    if (!rw_attach(p, base, bytes)) {
        os_unmap(base, bytes);
        return false;
    }
    p->mapped = true;
    return true;
}

bool rw_attach_child(struct rw_process *p, const struct rw_process *parent)
{
    *p = *parent;
    p->mapped = false;
    p->sites_of = parent->serial;
    return claim_process(p);
}

void rw_detach(struct rw_process *p)
{
    if (p->mapped)
        os_unmap(p->base, p->bytes);
    p->mapped = false;
}

bool rw_thread_start(struct rw_thread *th, struct rw_process *p, uint32_t primary)
{
    memset(th, 0, sizeof *th);
    th->p = p;
    for (uint32_t i = 0; i < p->h.thread_count; i++) {
        struct oriel_thread *t = wire_region_thread(&p->h, p->base, i);
        uint32_t expected = ORIEL_THREAD_FREE;
        uint32_t claim = wire_claim(ORIEL_THREAD_CLAIMED, (uint32_t)os_gettid());
        if (!__atomic_compare_exchange_n(&t->state, &expected, claim, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_RELAXED))
            continue;
        t->clock = p->h.clock;
        t->base = (uintptr_t)p->base;
        t->stack_bytes = 0;
        t->process = p->slot;
        t->tid = os_gettid();
        t->chunk = 0;
        t->stream_base = 0;
        t->start_time = 0;
        memset(t->lost, 0, sizeof t->lost);
        memset(t->lost_synced, 0, sizeof t->lost_synced);
        memset(t->name, 0, sizeof t->name);
        memcpy(t->name, "worker", 7);
        t->serial = __atomic_add_fetch(&p->shared->thread_serial, 1, __ATOMIC_ACQ_REL);
        t->primary = primary ? primary : t->serial;
        __atomic_store_n(&t->state, ORIEL_THREAD_LIVE, __ATOMIC_RELEASE);
        th->t = t;
        th->slot = i;
        return true;
    }
    __atomic_fetch_add(&p->shared->lost[ORIEL_LOST_NO_THREAD], 1, __ATOMIC_RELAXED);
    return false;
}

void rw_close_chunk(struct rw_thread *th)
{
    struct rw_process *p = th->p;
    if (!th->t->chunk)
        return;
    uint32_t i = th->t->chunk - 1;
    struct wire_chunk *d = wire_region_desc(&p->h, p->base, i);
    d->bytes = (uint32_t)(th->t->head - (uintptr_t)wire_region_chunk(&p->h, p->base, i));
    th->t->stream_base += d->bytes;
    th->t->chunk = 0;
    __atomic_store_n(&d->state, WIRE_CHUNK_FULL, __ATOMIC_RELEASE);
}

void rw_thread_exit(struct rw_thread *th)
{
    rw_close_chunk(th);
    __atomic_store_n(&th->t->state, ORIEL_THREAD_EXITED, __ATOMIC_RELEASE);
}

static uint32_t count_records(const char *chunk, uint32_t from, uint32_t bytes)
{
    uint32_t n = 0;
    for (uint32_t at = from; at + 8 <= bytes;) {
        uint64_t h = *(const uint64_t *)(chunk + at);
        n += ORIEL_RECORD_TYPE(h) != ORIEL_REC_SYNC;
        if (ORIEL_RECORD_WORDS(h) == 0)
            break;
        at += ORIEL_RECORD_WORDS(h) * 8;
    }
    return n;
}

static bool steal(struct rw_thread *th, uint32_t claim, uint32_t *out)
{
    struct rw_process *p = th->p;
    uint32_t wanted = wire_claim(WIRE_CHUNK_WANTED, th->slot + 1);
    for (int tries = 0; tries < 16; tries++) {
        uint32_t best = UINT32_MAX, expected = WIRE_CHUNK_FULL;
        uint64_t best_seq = UINT64_MAX;
        for (uint32_t i = 0; i < p->h.chunk_count; i++) {
            struct wire_chunk *d = wire_region_desc(&p->h, p->base, i);
            uint64_t seq = __atomic_load_n(&d->seq, __ATOMIC_RELAXED);
            if (__atomic_load_n(&d->state, __ATOMIC_ACQUIRE) == WIRE_CHUNK_FULL && seq < best_seq &&
                wire_stealable(__atomic_load_n(&d->taken, __ATOMIC_RELAXED))) {
                best = i;
                best_seq = seq;
            }
        }
        if (best == UINT32_MAX)
            return false;
        struct wire_chunk *d = wire_region_desc(&p->h, p->base, best);
        if (!__atomic_compare_exchange_n(&d->state, &expected, wanted, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_RELAXED))
            continue;
        uint32_t bytes = d->bytes, from; /* final and still */
        if (!wire_steal(d, &from)) {
            __atomic_store_n(&d->state, WIRE_CHUNK_FULL, __ATOMIC_RELEASE);
            continue;
        }
        __atomic_fetch_add(&th->t->lost[ORIEL_LOST_OVERWRITTEN],
                           count_records(wire_region_chunk(&p->h, p->base, best), from, bytes),
                           __ATOMIC_RELAXED);
        __atomic_store_n(&d->state, claim, __ATOMIC_RELEASE);
        *out = best;
        return true;
    }
    return false;
}

static bool take_free(struct rw_thread *th, uint32_t claim, uint32_t *out)
{
    struct rw_process *p = th->p;
    if ((int32_t)__atomic_load_n(&p->shared->free_chunks, __ATOMIC_ACQUIRE) > 0)
        for (uint32_t i = 0; i < p->h.chunk_count; i++) {
            struct wire_chunk *d = wire_region_desc(&p->h, p->base, i);
            uint32_t expected = WIRE_CHUNK_FREE;
            if (__atomic_load_n(&d->state, __ATOMIC_RELAXED) == WIRE_CHUNK_FREE &&
                __atomic_compare_exchange_n(&d->state, &expected, claim, false, __ATOMIC_ACQ_REL,
                                            __ATOMIC_RELAXED)) {
                __atomic_fetch_sub(&p->shared->free_chunks, 1, __ATOMIC_ACQ_REL);
                *out = i;
                return true;
            }
        }
    return p->h.policy == WIRE_POLICY_OVERWRITE_OLDEST && steal(th, claim, out);
}

static uint32_t put_sync(struct oriel_thread *t, uint64_t *w)
{
    uint32_t depth = t->stack_bytes / ORIEL_STACK_ENTRY;
    uint32_t kept = depth < ORIEL_STACK_DEPTH ? depth : ORIEL_STACK_DEPTH;
    uint32_t words = 3 + ORIEL_LOST_CAUSES + kept;
    w[0] = ORIEL_RECORD_HEADER(words, ORIEL_REC_SYNC, 0, 0);
    w[1] = clock_ticks((enum oriel_clock)t->clock);
    for (int i = 0; i < ORIEL_LOST_CAUSES; i++)
        w[2 + i] = t->lost[i];
    w[2 + ORIEL_LOST_CAUSES] = depth;
    for (uint32_t i = 0; i < kept; i++)
        w[3 + ORIEL_LOST_CAUSES + i] = t->stack[i].id;
    return words;
}

bool rw_next_chunk(struct rw_thread *th)
{
    struct rw_process *p = th->p;
    struct oriel_thread *t = th->t;
    uint32_t i;
    if (!take_free(th, wire_claim(WIRE_CHUNK_CLAIMED, th->slot + 1), &i))
        return false;
    rw_close_chunk(th);
    struct wire_chunk *d = wire_region_desc(&p->h, p->base, i);
    uintptr_t start = (uintptr_t)wire_region_chunk(&p->h, p->base, i);
    d->thread = th->slot;
    d->serial = t->serial;
    d->process = p->slot;
    d->bytes = 0;
    d->stream_base = t->stream_base;
    d->id_base = ((uint64_t)t->serial << 40) + p->salt + t->stream_base;
    __atomic_store_n(&d->consumed, 0, __ATOMIC_RELAXED);
    /* Release: whoever sees the new seq sees the rest of the descriptor. */
    uint64_t seq = __atomic_fetch_add(&p->shared->chunk_seq, 1, __ATOMIC_ACQ_REL);
    __atomic_store_n(&d->seq, seq, __ATOMIC_RELEASE);
    __atomic_store_n(&d->taken, wire_taken(seq, 0, 0), __ATOMIC_RELEASE);
    t->chunk = i + 1;
    __atomic_store_n(&t->head, start + put_sync(t, (uint64_t *)start) * 8, __ATOMIC_RELEASE);
    th->limit = start + p->h.chunk_bytes;
    t->id_bias = d->id_base - start;
    __atomic_store_n(&d->state, WIRE_CHUNK_ACTIVE, __ATOMIC_RELEASE);
    return true;
}

uint64_t rw_emit(struct rw_thread *th, const uint64_t *words, uint32_t count)
{
    struct oriel_thread *t = th->t;
    if ((!t->chunk || t->head + count * 8 > th->limit) && !rw_next_chunk(th)) {
        __atomic_fetch_add(&t->lost[ORIEL_LOST_RING_FULL], 1, __ATOMIC_RELAXED);
        th->lost++;
        return 0;
    }
    uint64_t *at = (uint64_t *)t->head, id = t->head + t->id_bias;
    memcpy(at, words, count * 8);
    if (words[1] == 0)
        at[1] = clock_ticks((enum oriel_clock)t->clock);
    __atomic_store_n(&t->head, (uintptr_t)(at + count), __ATOMIC_RELEASE);
    th->emitted++;
    return id;
}

uint64_t rw_begin(struct rw_thread *th, uint32_t site)
{
    const uint64_t w[2] = {ORIEL_RECORD_HEADER(2, ORIEL_REC_BEGIN, 0, site), 0};
    return rw_emit(th, w, 2);
}

uint64_t rw_end(struct rw_thread *th, uint64_t id)
{
    const uint64_t w[2] = {ORIEL_RECORD_HEADER(2, ORIEL_REC_END, 0, id), 0};
    return rw_emit(th, w, 2);
}

uint64_t rw_event(struct rw_thread *th, uint32_t site, uint64_t value)
{
    const uint64_t w[3] = {ORIEL_RECORD_HEADER(3, ORIEL_REC_EVENT, 0, site), 0, value};
    return rw_emit(th, w, 3);
}

static void *reserve(struct rw_process *p, size_t n)
{
    uint64_t at = __atomic_fetch_add(&p->shared->meta_head, n, __ATOMIC_ACQ_REL);
    if (n == 0 || at > p->h.meta_bytes || n > p->h.meta_bytes - at)
        return NULL;
    void *dst = p->base + p->h.meta_off + at;
    wire_meta_begin(dst, n);
    return dst;
}

static uint32_t type_of(char letter)
{
    static const char letters[] = "biufsxp"; /* in the order of enum oriel_type */
    const char *at = strchr(letters, letter);
    return at ? (uint32_t)(at - letters) + ORIEL_TYPE_BOOL : 0;
}

bool rw_site(struct rw_process *p, uint32_t id, uint8_t kind, const char *name, const char *types)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct oriel_field fields[8];
    uint32_t count = (uint32_t)strlen(types);
    for (uint32_t i = 0; i < count; i++)
        fields[i] = (struct oriel_field){names[i], type_of(types[i]), 0};
    const struct oriel_site site = {.abi_version = ORIEL_ABI_VERSION,
                                    .kind = kind,
                                    .level = ORIEL_LEVEL_INFO,
                                    .line = id,
                                    .field_count = count,
                                    .name = name,
                                    .target = "test",
                                    .file = "test.c",
                                    .function = "main",
                                    .fields = fields};
    size_t n = wire_meta_site_bytes(&site);
    void *dst = reserve(p, n);
    if (!dst)
        return false;
    wire_meta_site_write(dst, n, &site, id, p->serial);
    wire_meta_commit(dst);
    return true;
}

bool rw_module(struct rw_process *p, const struct wire_module *m)
{
    size_t n = wire_meta_module_bytes(m);
    void *dst = reserve(p, n);
    if (!dst)
        return false;
    wire_meta_module_write(dst, n, m, p->serial);
    wire_meta_commit(dst);
    return true;
}

bool rw_resource(struct rw_process *p, const char *key, const char *value)
{
    size_t n = wire_meta_resource_bytes(key, value);
    void *dst = reserve(p, n);
    if (!dst)
        return false;
    wire_meta_resource_write(dst, n, key, value, p->serial);
    wire_meta_commit(dst);
    return true;
}

bool rw_scope(struct rw_process *p, const char *target, const char *version)
{
    const struct oriel_field field = {"n", ORIEL_TYPE_I64, 0};
    const struct oriel_value value = {ORIEL_TYPE_I64, 0, {.u64 = 7}};
    const struct oriel_instrumentation scope = {sizeof scope, target, version, "https://s/1",
                                                &field,       &value, 1,       0};
    size_t n = wire_meta_scope_bytes(&scope);
    void *dst = reserve(p, n);
    if (!dst)
        return false;
    wire_meta_scope_write(dst, n, &scope, p->serial);
    wire_meta_commit(dst);
    return true;
}
