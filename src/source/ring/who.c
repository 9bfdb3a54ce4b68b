/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Who writes: processes and streams, found in the region's tables and entered
 * into the catalog. A stream is one thread block; a thread has a second one for
 * signal handlers, which counts as the same thread.
 */
#include "source/ring/ring.h"

#include <assert.h>

#include "base/os.h"

/* ---- processes ---- */

/* Up to the first NUL, or all of it. */
static struct model_str text_of(const char *p, size_t n)
{
    return (struct model_str){p, (uint32_t)strnlen(p, n)};
}

/* NUL between arguments, two at the end. */
static struct model_str cmdline_of(const char *p, size_t n)
{
    size_t at = 0;
    while (at < n && (p[at] || (at + 1 < n && p[at + 1])))
        at++;
    return (struct model_str){p, (uint32_t)at};
}

static int add_process(struct ring *r, uint32_t slot)
{
    struct wire_process w;
    assert(slot < r->h.process_count && !r->processes[slot]);
    ring_copy(&w, wire_region_process(&r->h, r->base, slot), sizeof w);
    struct model_str exe = text_of(w.exe, sizeof w.exe);
    if (r->attached >= r->processes_known_max)
        return 0;
    struct ring_process *p = mem_calloc(1, sizeof *p);
    if (!p || !map_put(&r->sites_of, w.serial, w.sites_of)) {
        mem_free(p);
        return ORIEL_ENOMEM;
    }
    p->model = model_catalog_adopt_process(r->catalog, w.pid, exe,
                                           cmdline_of(w.cmdline, sizeof w.cmdline));
    if (!p->model) {
        mem_free(p);
        return ORIEL_ENOMEM;
    }
    p->slot = slot;
    p->pid = w.pid;
    p->start_time = w.start_time;
    p->clock = w.clock <= ORIEL_CLOCK_CNTVCT ? w.clock : r->h.clock;
    p->order = ++r->attached;
    p->serial = w.serial;
    p->sites_of = w.sites_of;
    p->model->ppid = w.ppid;
    p->model->trace_hi = w.trace_hi;
    p->model->trace_salt = w.trace_salt;
    ring_clock_offer(r, (enum oriel_clock)p->clock, &w.anchor);
    const struct clock_map *map = ring_clock_map(r, (enum oriel_clock)p->clock, false);
    if (!p->model->start_ns) { /* else another source met it before */
        p->model->start_ns = map ? clock_map_ns(map, w.anchor.ticks) : w.anchor.unix_ns;
        p->model->seed[0] = w.trace_hi;
        p->model->seed[1] = w.trace_salt;
    }
    r->processes[slot] = p;
    return 0;
}

static struct ring_process *process_in(struct ring *r, uint32_t slot)
{
    if (slot >= r->h.process_count)
        return NULL;
    if (!r->processes[slot]) {
        struct wire_process *w = wire_region_process(&r->h, r->base, slot);
        uint32_t state = wire_state(RING_LOAD_ACQUIRE(&w->state));
        if (state < 2 || add_process(r, slot) != 0)
            return NULL;
    }
    return r->processes[slot];
}

struct ring_process *ring_who_tagged(struct ring *r, uint16_t tag)
{
    struct ring_process *best = NULL;
    for (int round = 0; round < 2 && !best; round++) {
        for (uint32_t i = 0; i < r->h.process_count; i++) {
            /* The second time also those that came since the last scan. */
            struct ring_process *p = round ? process_in(r, i) : r->processes[i];
            if (p && (uint16_t)p->serial == tag && (!best || p->order > best->order))
                best = p;
        }
    }
    return best;
}

static int scan_processes(struct ring *r)
{
    for (uint32_t i = 0; i < r->h.process_count; i++) {
        struct wire_process *w = wire_region_process(&r->h, r->base, i);
        const uint32_t state = wire_state(RING_LOAD_ACQUIRE(&w->state));
        r->met |= state != 0;
        if (!r->processes[i] && state >= 2) {
            int rc = add_process(r, i);
            if (rc != 0)
                return rc;
        }
    }
    return 0;
}

/* ---- streams ---- */

static bool is_of(const struct model_thread *t, uint32_t primary)
{
    return t->serial == primary || t->own_serial == primary;
}

/* The thread of a stream whose first block has the serial `primary`. */
static struct model_thread *thread_of(struct ring *r, struct ring_process *p, uint32_t serial,
                                      uint32_t primary, int32_t tid)
{
    const struct model_thread *known = model_catalog_thread(r->catalog, primary);
    if (known && !is_of(known, primary))
        known = NULL; /* a stream has that number, now written by another thread */
    if (known && known->process == p->model->index)
        return r->catalog->threads[known->index];
    bool full = r->catalog->thread_count >= r->threads_known_max;
    if (full && p->crowd)
        return p->crowd;
    /* A primary of another process is a lie: then the stream stands alone. */
    struct model_thread *t =
        model_catalog_adopt_thread(r->catalog, p->model->index, tid, known ? serial : primary);
    if (full)
        p->crowd = t;
    return t;
}

static struct ring_stream *new_stream(struct ring *r, struct ring_process *p, uint32_t serial,
                                      uint32_t primary, int32_t tid)
{
    struct ring_stream *s = mem_calloc(1, sizeof *s);
    assert(serial && primary && p->model->index < r->catalog->process_count);
    if (!s)
        return NULL;
    s->thread = thread_of(r, p, serial, primary, tid);
    struct ring_stream **at = s->thread ? VEC_PUSH(&r->streams) : NULL;
    if (!at) {
        mem_free(s);
        return NULL;
    }
    if ((serial != s->thread->serial &&
         model_catalog_alias_thread(r->catalog, serial, s->thread->index) != 0) ||
        !map_put(&r->stream_by_serial, serial, (uintptr_t)s)) {
        r->streams.count--;
        mem_free(s);
        return NULL;
    }
    *map_get(&r->stream_by_serial, serial) = (uintptr_t)s;
    *at = s;
    s->process = p;
    s->serial = serial;
    s->tid = tid;
    s->clock = (enum oriel_clock)p->clock;
    s->checked_ns = r->now_ns;
    p->streams++;
    return s;
}

void ring_who_rename(struct ring *r, struct ring_stream *s, const char *p, uint32_t n)
{
    struct model_str name = {p, n};
    assert(s->thread && s->thread->index < r->catalog->thread_count);
    if (n == 0 || s->renames >= RING_RENAMES_MAX)
        return;
    if (s->thread->name.n == n && memcmp(s->thread->name.p, p, n) == 0)
        return;
    s->renames++;
    /* Without memory it keeps its old name. */
    (void)model_thread_set_name(r->catalog, s->thread, name);
}

void ring_who_owner(struct ring *r, struct ring_stream *s, uint32_t primary, int32_t tid,
                    const char *name, uint32_t n)
{
    if (primary == 0)
        return;
    if (!is_of(s->thread, primary)) {
        struct model_thread *t = thread_of(r, s->process, s->serial, primary, tid);
        if (!t)
            return;          /* without memory it goes on under the old name */
        ring_who_lost(r, s); /* so far they were the other's */
        s->thread = t;
        s->renames = 0;
    }
    ring_who_rename(r, s, name, n);
}

static void rename_from_block(struct ring *r, struct ring_stream *s, const struct oriel_thread *t)
{
    char name[sizeof t->name];
    ring_copy(name, t->name, sizeof name);
    ring_who_rename(r, s, name, (uint32_t)strnlen(name, sizeof name));
}

/* A live or exited block in this slot that is not known yet. */
static int add_from_block(struct ring *r, uint32_t slot, uint32_t serial)
{
    struct oriel_thread *t = wire_region_thread(&r->h, r->base, slot);
    struct ring_process *p = process_in(r, RING_LOAD(&t->process));
    if (!p || serial == 0) {
        r->rescan_threads = true;
        return 0;
    }
    const uint64_t *twin = map_get(&r->stream_by_serial, serial);
    if (twin && !((struct ring_stream *)(uintptr_t)*twin)->orphan)
        return 0; /* one serial in two slots: somebody makes things up */
    uint32_t primary = RING_LOAD(&t->primary);
    struct ring_stream *s =
        new_stream(r, p, serial, primary ? primary : serial, RING_LOAD(&t->tid));
    if (!s)
        return ORIEL_ENOMEM;
    uint32_t clock = RING_LOAD(&t->clock);
    s->slot = slot;
    s->base = RING_LOAD(&t->base);
    s->start_time = RING_LOAD(&t->start_time);
    if (clock <= ORIEL_CLOCK_CNTVCT)
        s->clock = (enum oriel_clock)clock;
    r->slot_stream[slot] = s;
    rename_from_block(r, s, t);
    return 0;
}

/* Make sure the slot's present block is known; its serial in *out, 0 if it is
 * nobody's. */
static int know_slot(struct ring *r, uint32_t slot, uint32_t *out_serial)
{
    struct oriel_thread *t = wire_region_thread(&r->h, r->base, slot);
    uint32_t state = wire_state(RING_LOAD_ACQUIRE(&t->state));
    *out_serial = 0;
    if (state == ORIEL_THREAD_CLAIMED)
        r->rescan_threads = true;
    if (state != ORIEL_THREAD_LIVE && state != ORIEL_THREAD_EXITED &&
        state != ORIEL_THREAD_VACANT && state != ORIEL_THREAD_PASSING)
        return 0;
    *out_serial = RING_LOAD(&t->serial);
    if (r->slot_stream[slot])
        return 0; /* only we free slots, so it is the one we know */
    return add_from_block(r, slot, *out_serial);
}

static int scan_threads(struct ring *r)
{
    uint32_t serial = RING_LOAD_ACQUIRE(&r->shared->thread_serial), ignored;
    /* Where nobody ever came there is nothing: reading it would make a megabyte of pages. */
    if (!r->met || (serial == r->serial_scanned && !r->rescan_threads))
        return 0;
    r->rescan_threads = false;
    for (uint32_t i = 0; i < r->h.thread_count; i++) {
        int rc = know_slot(r, i, &ignored);
        if (rc != 0) {
            r->rescan_threads = true;
            return rc;
        }
    }
    r->serial_scanned = serial;
    return 0;
}

int ring_who_scan(struct ring *r)
{
    int rc = scan_processes(r);
    return rc ? rc : scan_threads(r);
}

/* Data whose thread block is gone: found by a reader that came late. */
static int orphan_stream(struct ring *r, uint32_t serial, uint32_t process,
                         struct ring_stream **out)
{
    struct ring_process *p = process_in(r, process);
    if (!p || serial == 0 || r->orphans >= r->h.thread_count)
        return 0;
    struct ring_stream *s = new_stream(r, p, serial, serial, 0);
    if (!s)
        return ORIEL_ENOMEM;
    s->orphan = s->over = true;
    s->over_scan = r->scans;
    r->rescan = true; /* one more scan, and it may go with its last chunk */
    r->orphans++;
    *out = s;
    return 0;
}

int ring_who_stream(struct ring *r, uint32_t slot, uint32_t serial, uint32_t process,
                    struct ring_stream **out)
{
    uint32_t present;
    *out = NULL;
    if (slot < r->h.thread_count) {
        int rc = know_slot(r, slot, &present);
        if (rc != 0)
            return rc;
        struct ring_stream *s = r->slot_stream[slot];
        if (s && s->serial == serial) {
            *out = s;
            return 0;
        }
    }
    const uint64_t *known = map_get(&r->stream_by_serial, serial);
    if (known) {
        *out = (struct ring_stream *)(uintptr_t)*known;
        return 0;
    }
    return orphan_stream(r, serial, process, out);
}

void ring_who_lost(struct ring *r, struct ring_stream *s)
{
    if (s->orphan)
        return;
    struct oriel_thread *t = wire_region_thread(&r->h, r->base, s->slot);
    for (int i = 0; i < ORIEL_LOST_CAUSES; i++) {
        uint64_t now = RING_LOAD(&t->lost[i]);
        /* A writer that found room after all takes a loss back. */
        s->thread->lost[i] += now - s->lost_seen[i];
        r->catalog->loss_changes += now != s->lost_seen[i];
        s->lost_seen[i] = now;
    }
}

void ring_who_lost_all(struct ring *r)
{
    for (int i = 0; i < ORIEL_LOST_CAUSES; i++) {
        uint64_t now = RING_LOAD(&r->shared->lost[i]);
        if (now > r->catalog->lost[i])
            r->catalog->lost[i] = now;
    }
    for (size_t i = 0; i < r->streams.count; i++)
        ring_who_lost(r, r->streams.items[i]);
}

void ring_who_done(struct ring *r)
{
    for (size_t i = 0; i < r->streams.count; i++)
        mem_free(r->streams.items[i]);
    VEC_DONE(&r->streams);
    map_done(&r->stream_by_serial);
    map_done(&r->sites_of);
    for (uint32_t i = 0; i < WIRE_PROCESSES_MAX; i++) {
        if (r->processes[i])
            mem_free(r->processes[i]->sites);
        mem_free(r->processes[i]);
    }
}
