/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From the tables of threads into the recording: every path that was called since it
 * was told last is one record, a stack with a number of calls and the time spent in
 * its innermost function. With them goes an event that says how many calls were seen,
 * told, and dropped, and why: what is read must add up to it.
 *
 * Ordinary code: never between the hooks' own instructions without all registers saved.
 * Any thread; one at a time for each table.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/os.h"
#include "hook/calls/calls.h"
#include "hook/modules.h"
#include "rec/rec.h"

#define LAST_NS UINT64_C(300000000) /* longest wait for the recorder, at the end */
enum { RECORD_WORDS = 6, FIELDS = 5 };

static struct {
    struct calls_sums *first; /* of all threads; held by `busy` */
    uint32_t busy;            /* atomic */
    oriel_word word;
    uint64_t base_ticks, base_ns;
    /* Of threads that ended before they could say it: atomic. */
    uint64_t counted, told, too_deep, no_room, ring_full;
} all;

bool calls_tell_open(void)
{
    static const struct oriel_field fields[FIELDS] = {
        {.name = "counted", .type = ORIEL_TYPE_U64},
        {.name = "told", .type = ORIEL_TYPE_U64},
        {.name = "too_deep", .type = ORIEL_TYPE_U64},
        {.name = "no_room", .type = ORIEL_TYPE_U64},
        {.name = "ring_full", .type = ORIEL_TYPE_U64}};
    const struct oriel_site site = {.abi_version = ORIEL_ABI_VERSION,
                                    .kind = ORIEL_SITE_EVENT,
                                    .level = ORIEL_LEVEL_INFO,
                                    .field_count = FIELDS,
                                    .flags = ORIEL_SITE_NAMED | ORIEL_SITE_SEEN,
                                    .name = "calls.told",
                                    .target = "oriel.calls",
                                    .file = "",
                                    .function = "",
                                    .fields = fields,
                                    .word = &all.word};
    all.base_ticks = clock_ticks((enum oriel_clock)rec_runtime.clock);
    all.base_ns = clock_mono_ns();
    hook_modules_tell();
    return oriel_site_new(&site) == 0;
}

/* ---- one table ---- */

/* Nanoseconds of a tick, 32.32: measured over all the time since the beginning. */
static uint64_t rate(void)
{
    const uint64_t ticks = clock_ticks((enum oriel_clock)rec_runtime.clock) - all.base_ticks;
    const uint64_t ns = clock_mono_ns() - all.base_ns;
    if (ticks == 0 || ns == 0)
        return UINT64_C(1) << 32;
    return (uint64_t)(((unsigned __int128)ns << 32) / ticks);
}

struct teller {
    struct calls_sums *s;
    uint64_t rate, deadline_ns; /* 0: waits for nothing */
};

static uint64_t ns_of(const struct teller *w, uint64_t ticks)
{
    return (uint64_t)(((unsigned __int128)ticks * w->rate) >> 32);
}

/* The innermost function first. An address behind the first is taken for one that is returned
 * to, so it is one more than where the function begins. */
static uint32_t walk(const struct calls_sums *s, uint32_t node, uint64_t pcs[SUMS_PATH])
{
    uint32_t n = 0;
    for (uint32_t at = node; at && n < SUMS_PATH; at = s->nodes[at].parent) {
        pcs[n] = (uint64_t)(uintptr_t)s->nodes[at].address + (n > 0);
        n++;
    }
    return n;
}

static bool has_room(const struct teller *w, size_t bytes)
{
    while (!rec_has_room(bytes)) {
        if (w->deadline_ns == 0 || !rec_is_on() || clock_mono_ns() >= w->deadline_ns)
            return false;
        os_yield();
    }
    return true;
}

static bool put_record(const struct teller *w, uint32_t node, uint64_t calls, uint64_t self)
{
    uint64_t pcs[SUMS_PATH];
    const struct calls_node *n = &w->s->nodes[node];
    const uint32_t count = walk(w->s, node, pcs), words = RECORD_WORDS + count;
    const uint32_t least = __atomic_load_n(&n->least, __ATOMIC_RELAXED);
    const uint32_t most = __atomic_load_n(&n->most, __ATOMIC_RELAXED);
    if (!has_room(w, words * 8u))
        return false;
    struct oriel_emit e = oriel_emit_start(words * 8u);
    if (!e.words)
        return false;
    e.words[0] = ORIEL_RECORD_HEADER(words, ORIEL_REC_STACK, ORIEL_SAMPLE_CALL, 0);
    e.words[1] = oriel_ticks(e.thread);
    e.words[2] = ORIEL_STACK_WALK(count, 0, 0, 0);
    e.words[3] = ns_of(w, self);
    e.words[4] = calls;
    e.words[5] = ORIEL_CALL_TIMES(ns_of(w, least == UINT32_MAX ? 0 : calls_ticks(least)),
                                  ns_of(w, calls_ticks(most)));
    memcpy(e.words + RECORD_WORDS, pcs, count * sizeof *pcs);
    oriel_emit_commit(e, e.words + words);
    return true;
}

/* False: there was no room for it; nothing has changed. */
static bool tell_node(const struct teller *w, uint32_t node)
{
    struct calls_node *n = &w->s->nodes[node];
    const uint64_t calls = __atomic_load_n(&n->calls, __ATOMIC_RELAXED);
    const uint64_t self = __atomic_load_n(&n->self, __ATOMIC_RELAXED);
    if (calls == 0 && self == 0)
        return true;
    if (!put_record(w, node, calls, self))
        return false;
    __atomic_store_n(&n->calls, 0u, __ATOMIC_RELAXED);
    __atomic_store_n(&n->self, 0u, __ATOMIC_RELAXED);
    __atomic_store_n(&n->least, UINT32_MAX, __ATOMIC_RELAXED);
    __atomic_store_n(&n->most, 0u, __ATOMIC_RELAXED);
    w->s->told += calls;
    return true;
}

static uint64_t take(uint64_t *from)
{
    return __atomic_exchange_n(from, 0u, __ATOMIC_RELAXED);
}

static void give(uint64_t *to, uint64_t n)
{
    __atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

/* What this table counted, and what those that are gone could not say any more. */
static void tell_counts(const struct teller *w)
{
    struct calls_sums *s = w->s;
    uint64_t n[FIELDS] = {take(&all.counted), take(&all.told), take(&all.too_deep),
                          take(&all.no_room), take(&all.ring_full)};
    struct oriel_value values[FIELDS];
    const uint64_t counted = __atomic_load_n(&s->counted, __ATOMIC_RELAXED);
    const uint64_t too_deep = __atomic_load_n(&s->too_deep, __ATOMIC_RELAXED);
    const uint64_t no_room = __atomic_load_n(&s->no_room, __ATOMIC_RELAXED);
    const uint64_t sum[FIELDS] = {n[0] + counted + too_deep + no_room, n[1] + s->told,
                                  n[2] + too_deep, n[3] + no_room, n[4] + s->ring_full};
    bool any = false;
    for (int i = 0; i < FIELDS; i++) {
        values[i] = (struct oriel_value){.type = ORIEL_TYPE_U64, .v.u64 = sum[i]};
        any |= sum[i] != 0;
    }
    s->counted_ever += counted;
    if (any && ORIEL_RECORDED(all.word) && has_room(w, 8 * (2 + FIELDS)) &&
        rec_event(all.word, 0, values, FIELDS)) {
        s->told = s->ring_full = 0;
        __atomic_store_n(&s->counted, 0u, __ATOMIC_RELAXED);
        __atomic_store_n(&s->too_deep, 0u, __ATOMIC_RELAXED);
        __atomic_store_n(&s->no_room, 0u, __ATOMIC_RELAXED);
        return;
    }
    s->counted_ever -= counted;
    give(&all.counted, n[0]);
    give(&all.told, n[1]);
    give(&all.too_deep, n[2]);
    give(&all.no_room, n[3]);
    give(&all.ring_full, n[4]);
}

static bool begin(struct calls_sums *s)
{
    uint32_t no = 0;
    return __atomic_compare_exchange_n(&s->busy, &no, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* True: nothing is left. */
static bool tell_table(struct calls_sums *s, uint64_t deadline_ns)
{
    const struct teller w = {s, rate(), deadline_ns};
    const uint32_t count = __atomic_load_n(&s->count, __ATOMIC_ACQUIRE);
    bool whole = true;
    assert(count >= 1 && count <= SUMS_NODES);
    for (uint32_t i = 1; i < count && whole; i++)
        whole = tell_node(&w, i);
    tell_counts(&w);
    return whole;
}

void calls_tell(struct calls_thread *t, bool last)
{
    struct calls_sums *s = t->sums;
    int kept = errno;
    if (!begin(s))
        return; /* the process ends, and another thread tells all */
    const uint64_t now = oriel_ticks(oriel_tls.thread);
    calls_sums_charge(t, now);
    (void)tell_table(s, last ? clock_mono_ns() + LAST_NS : 0);
    s->told_ticks = now;
    s->due = 0;
    if (s->count + 1 >= SUMS_NODES)
        calls_sums_empty(t);
    __atomic_store_n(&s->busy, 0u, __ATOMIC_RELEASE);
    errno = kept;
}

/* ---- all tables ---- */

/* Who holds it may have been stopped by somebody: the end of a program does not wait for that.
 * deadline_ns 0: as long as it takes. */
static bool lock(uint64_t deadline_ns)
{
    uint32_t no = 0;
    while (!__atomic_compare_exchange_n(&all.busy, &no, 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
        if (deadline_ns && clock_mono_ns() >= deadline_ns)
            return false;
        os_yield();
        no = 0;
    }
    return true;
}

static void unlock(void)
{
    __atomic_store_n(&all.busy, 0u, __ATOMIC_RELEASE);
}

void calls_tell_thread(struct calls_sums *s)
{
    (void)lock(0);
    s->next = all.first;
    all.first = s;
    unlock();
}

static void forget(struct calls_sums *s)
{
    (void)lock(0);
    struct calls_sums **at = &all.first;
    while (*at && *at != s)
        at = &(*at)->next;
    if (*at)
        *at = s->next;
    unlock();
}

void calls_tell_done(struct calls_thread *t)
{
    struct calls_sums *s = t->sums;
    calls_tell(t, true);
    forget(s);
    for (uint32_t i = 1; i < s->count; i++)
        s->ring_full += s->nodes[i].calls;
    give(&all.counted, s->counted + s->too_deep + s->no_room);
    give(&all.told, s->told);
    give(&all.too_deep, s->too_deep);
    give(&all.no_room, s->no_room);
    give(&all.ring_full, s->ring_full);
}

/* Those of other threads count on meanwhile; what they have open is not told. */
void calls_tell_all(void)
{
    struct calls_thread *mine = calls_here.calls;
    const uint64_t deadline = clock_mono_ns() + LAST_NS;
    int kept = errno;
    if (!calls_are_summed() || calls_here.inside || !rec_is_on())
        return;
    calls_here.inside = 1;
    if (mine)
        calls_tell(mine, true);
    if (lock(deadline)) {
        for (struct calls_sums *s = all.first; s; s = s->next)
            if ((!mine || s != mine->sums) && begin(s)) {
                (void)tell_table(s, deadline);
                __atomic_store_n(&s->busy, 0u, __ATOMIC_RELEASE);
            }
        unlock();
    }
    calls_here.inside = 0;
    errno = kept;
}

/* What this thread's table holds is its parent's, and so is where it is called from. */
static void begin_anew(struct calls_sums *s)
{
    for (uint32_t i = 1; i < s->count; i++) {
        struct calls_node *n = &s->nodes[i];
        n->calls = n->self = n->most = 0;
        n->least = UINT32_MAX;
    }
    s->counted = s->told = s->too_deep = s->no_room = s->ring_full = 0;
    s->counted_ever = s->counted_before = 0;
    s->current = 0;
    s->busy = s->due = 0;
    s->next = NULL;
}

void calls_tell_forked(struct calls_thread *t)
{
    struct calls_sums *s = t ? t->sums : NULL;
    if (s)
        begin_anew(s);
    all.first = s;
    all.busy = 0;
    all.counted = all.told = all.too_deep = all.no_room = all.ring_full = 0;
}
