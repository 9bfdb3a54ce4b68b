/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The live source: reads what the processes of a recording write into their
 * shared region, while they write it, or after they died. Owns the mapping and
 * the claim to be its only reader. Everything in the region is untrusted.
 *
 * One poll: who is there -> what do they call things -> which chunks -> copy,
 * check, decode. When the region is closed, or nobody is left, what is there is
 * frozen: only that is still read, then the source ends.
 */
#include "source/ring/ring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/os.h"
#include "source/region_io.h"
#include "source/ring/guard.h"
#include "wire/meta.h"

/* ---- opening ---- */

static int explain(const struct wire_region *h, size_t bytes, int code, const char *name,
                   struct oriel_err *err)
{
    if (code == ORIEL_EVERSION)
        return err_set(err, code,
                       "%s: ring of another version of oriel (%u, layout %u; this one reads %u, "
                       "layout %u): use the oriel that recorded it",
                       name, h->version, h->abi_version, WIRE_REGION_VERSION, ORIEL_ABI_VERSION);
    if (bytes < WIRE_PAGE || memcmp(h->magic, WIRE_REGION_MAGIC, sizeof h->magic) != 0)
        return err_set(err, code, "%s: not an oriel ring", name);
    if (wire_region_check(h, UINT64_MAX) == 0) /* nothing wrong but its length */
        return err_set(err, code, "%s: cut short: %zu of %llu bytes are there", name, bytes,
                       (unsigned long long)h->size);
    return err_set(err, code, "%s: damaged: the ring's header contradicts itself", name);
}

static int allocate(struct ring *r, struct oriel_err *err)
{
    r->chunks = mem_calloc(r->h.chunk_count, sizeof *r->chunks);
    r->order = mem_calloc(r->h.chunk_count, sizeof *r->order);
    r->meta_copy = mem_alloc(WIRE_META_ENTRY_MAX);
    if (!r->chunks || !r->order || !r->meta_copy)
        return err_set(err, ORIEL_ENOMEM, "out of memory for a ring of %u chunks",
                       r->h.chunk_count);
    return 0;
}

/* For whoever compares two recordings: what the writers of this one had. */
static int tell_clock(const struct ring *r)
{
    static const struct model_str names[] = {[ORIEL_CLOCK_TSC] = {"tsc", 3},
                                             [ORIEL_CLOCK_MONOTONIC] = {"monotonic", 9},
                                             [ORIEL_CLOCK_CNTVCT] = {"cntvct", 6}};
    assert(r->h.clock < sizeof names / sizeof names[0]);
    return model_catalog_set_resource(r->catalog, MODEL_STR("oriel.clock"), names[r->h.clock]);
}

int ring_open_memory(struct ring *r, void *base, size_t bytes, struct model_catalog *catalog,
                     const char *name, struct oriel_err *err)
{
    assert(base && catalog && (uintptr_t)base % 8 == 0);
    memset(r, 0, sizeof *r);
    r->base = base;
    r->bytes = bytes;
    r->lock_fd = -1;
    r->catalog = catalog;
    r->damage.first_offset = UINT64_MAX;
    /* The only read of the header; from here on the copy is what counts. */
    if (bytes >= sizeof r->h)
        ring_copy(&r->h, base, sizeof r->h);
    int rc = wire_region_check(&r->h, bytes);
    if (rc != 0)
        return explain(&r->h, bytes, rc, name, err);
    rc = allocate(r, err);
    if (rc == 0 && (rc = tell_clock(r)) != 0)
        err_set(err, rc, "out of memory for a ring of %u chunks", r->h.chunk_count);
    if (rc != 0)
        return rc;
    r->shared = base;
    r->same_boot = ring_is_of_this_boot(&r->h);
    r->now_ns = clock_mono_ns();
    r->watermark_ns = MODEL_NO_PROMISE_YET;
    r->rescan = r->rescan_threads = true;
    r->threads_known_max = RING_THREADS_KNOWN_MAX;
    r->processes_known_max = RING_PROCESSES_KNOWN_MAX;
    memcpy(catalog->session_id, r->h.session_id, sizeof catalog->session_id);
    catalog->start_ns = r->h.created.unix_ns;
    ring_clock_start(r);
    __atomic_store_n(&r->shared->reader_pid, (uint32_t)os_getpid(), __ATOMIC_RELEASE);
    return 0;
}

/* A fork child that reads on has no lock, but it said that it does, and since when it runs: another
 * process may have all its numbers by now. */
static bool is_inherited(const struct wire_region *shared, int32_t reader)
{
    const uint64_t owner = RING_LOAD_ACQUIRE(&shared->owner);
    const int32_t tid = wire_owner_tid(owner);
    return tid > 0 && wire_owner_pid(owner) == reader && reader != os_getpid() &&
           os_thread_alive(reader, 0, RING_LOAD(&shared->creator_start)) &&
           os_thread_alive(reader, tid, 0);
}

/* Two readers would free each other's chunks. The lock goes with its holder;
 * a lock that only a fork child of a dead reader still holds does not count. */
static int claim(struct ring *r, const char *path, struct oriel_err *err)
{
    const struct wire_region *shared = (const struct wire_region *)r->base;
    int32_t reader = (int32_t)RING_LOAD(&shared->reader_pid);
    r->lock_fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (r->lock_fd < 0)
        return err_set_errno(err, errno, "%s", path);
    if (!is_inherited(shared, reader)) {
        if (flock(r->lock_fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
            return 0;
        if (reader <= 0 || !os_thread_alive(reader, 0, 0))
            return 0;
    }
    return err_set(err, ORIEL_EBUSY, "%s: process %d is reading this ring already", path,
                   (int)reader);
}

static void ring_close(void *state)
{
    struct ring *r = state;
    if (r->shared) {
        uint32_t self = (uint32_t)os_getpid();
        __atomic_compare_exchange_n(&r->shared->reader_pid, &self, 0, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED);
    }
    ring_who_done(r);
    map_done(&r->meta_index);
    VEC_DONE(&r->scopes);
    ring_stacks_done(r);
    mem_free(r->chunks);
    mem_free(r->order);
    mem_free(r->meta_copy);
    if (r->lock_fd >= 0)
        close(r->lock_fd);
    if (r->mapped) {
        guard_remove(r->base);
        os_unmap(r->base, r->bytes);
    }
    memset(r, 0, sizeof *r);
    r->lock_fd = -1;
}

static int ring_open(void *state, const char *path, struct model_catalog *catalog,
                     struct oriel_err *err)
{
    struct ring *r = state, probe = {.lock_fd = -1};
    void *base = NULL;
    int rc = os_map_file(path, &probe.bytes, &base);
    if (rc == -EINVAL)
        return err_set(err, ORIEL_EFORMAT, "%s: not an oriel ring", path);
    if (rc != 0)
        return err_set_errno(err, -rc, "%s", path);
    probe.base = base;
    guard_add(base, probe.bytes);
    /* Said first, so that a foreign file is called foreign and left alone. */
    rc = probe.bytes >= WIRE_PAGE ? claim(&probe, path, err) : 0;
    if (rc == 0)
        rc = ring_open_memory(r, base, probe.bytes, catalog, path, err);
    else
        memset(r, 0, sizeof *r);
    r->base = base;
    r->bytes = probe.bytes;
    r->mapped = true;
    r->lock_fd = probe.lock_fd;
    if (rc != 0)
        ring_close(r);
    return rc;
}

/* Who made it is gone, so that no lock has to be asked for: region_inherit let one in. */
static int ring_open_here(void *state, const void *options, struct model_catalog *catalog,
                          struct oriel_err *err)
{
    const struct region *region = options;
    struct ring *r = state;
    size_t bytes;
    void *base = region_memory(region, &bytes);
    int rc = ring_open_memory(r, base, bytes, catalog, region_path(region), err);
    if (rc != 0)
        ring_close(r);
    return rc;
}

/* ---- polling ---- */

void ring_damaged(struct ring *r, const void *where, uint64_t records, uint64_t bytes)
{
    uint64_t offset = (uint64_t)((const char *)where - r->base);
    assert(offset < r->bytes);
    if (offset < r->damage.first_offset)
        r->damage.first_offset = offset;
    r->damage.records += records;
    r->damage.bytes_skipped += bytes;
}

/* Bring what is known of the region up to date. 0 or ORIEL_ENOMEM. */
static int look_around(struct ring *r)
{
    bool closed = RING_LOAD_ACQUIRE(&r->shared->closed) != 0;
    int rc = ring_who_scan(r);
    if (rc == 0)
        rc = ring_meta_poll(r);
    if (rc != 0)
        return rc;
    bool asked = ring_alive_check(r, closed);
    rc = ring_chunk_scan(r);
    if (rc != 0 || !(closed || (asked && ring_alive_nobody(r))))
        return rc;
    /* Whoever is over has shown all its chunks in that scan; names that its
     * last records use are in the log. */
    r->frozen = true;
    rc = ring_meta_poll(r);
    return rc;
}

/* Copy what is committed of a chunk and decode it. 0 or ORIEL_ENOMEM. */
static int take_run(struct ring *r, struct model_batch *b, struct ring_chunk *c, uint32_t end,
                    const struct clock_map *map)
{
    uint32_t index = (uint32_t)(c - r->chunks), n = end - c->read;
    assert(c->open && end > c->read && end <= r->h.chunk_bytes && n % 8 == 0);
    uint64_t *words = c->bad ? NULL : arena_alloc(&b->arena, n, 8);
    if (!c->bad && (!words || !model_batch_reserve_records(b, n / 16 + 1)))
        return ORIEL_ENOMEM;
    if (words)
        ring_copy(words, wire_region_chunk(&r->h, r->base, index) + c->read, n);
    if (!ring_chunk_take(r, c, end)) {
        /* Overwritten while we copied; its writer has counted that. */
        c->taken_back = c->final = true;
        c->length = c->read;
        return 0;
    }
    if (!words) {
        r->damage.bytes_skipped += n;
        c->read = end;
        return 0;
    }
    if (c->resumed)
        ring_decode_owner(r, c);
    c->resumed = false;
    ring_decode(r, b, c, words, n / 8, map);
    c->read = end;
    return 0;
}

/* 0 or ORIEL_ENOMEM; *out_rest: first chunk (in order) that was not looked at. */
static int drain(struct ring *r, struct model_batch *b, size_t max_records, uint32_t *out_rest)
{
    uint32_t k = 0;
    int rc = 0;
    for (; k < r->order_count && b->record_count < max_records && rc == 0; k++) {
        struct ring_chunk *c = &r->chunks[r->order[k]];
        uint32_t end = ring_chunk_length(r, c);
        if (end <= c->read)
            continue;
        const struct clock_map *map =
            c->stream ? ring_clock_map(r, c->stream->clock, r->frozen) : NULL;
        if (c->stream && !map)
            break;     /* two readings of the clocks are not far enough apart yet */
        if (c->stream) /* how these records' ticks become times: a capture stores the ticks */
            c->stream->process->model->clock = (struct model_clock){map->now, map->before};
        rc = take_run(r, b, c, end, map);
        if (rc != 0)
            break;
    }
    *out_rest = k;
    if (k > r->touched)
        r->touched = k;
    return rc;
}

/* Earliest time a record that is still in this chunk can bear. */
static uint64_t earliest(struct ring *r, struct ring_chunk *c)
{
    struct ring_stream *s = c->stream;
    uint32_t end = ring_chunk_length(r, c);
    if (!s || end <= c->read)
        return UINT64_MAX;
    if (c->read > 0 || end < 16)
        return s->last_ns;
    const struct clock_map *map = ring_clock_map(r, s->clock, false);
    const uint64_t *words =
        (const uint64_t *)wire_region_chunk(&r->h, r->base, (uint32_t)(c - r->chunks));
    uint64_t first = map ? clock_map_ns(map, RING_LOAD(&words[1])) : 0;
    s->next_ns = first > s->last_ns ? first : s->last_ns;
    return s->next_ns;
}

/*
 * The time before which nothing will come. A record's time is read before it
 * is committed, so one that is being written while we look is a little older
 * than now; on a thread that was just busy and lost its processor in between,
 * up to a time slice, but never older than that thread's last record.
 */
static uint64_t watermark(struct ring *r, uint64_t began_ns, uint32_t rest)
{
    uint64_t w = began_ns > RING_SLACK_NS ? began_ns - RING_SLACK_NS : 0;
    uint64_t busy_since = began_ns > RING_HOLD_NS ? began_ns - RING_HOLD_NS : 0;
    if (r->frozen)
        w = UINT64_MAX; /* only what is left to read counts */
    for (size_t i = 0; i < r->streams.count && !r->frozen; i++) {
        const struct ring_stream *s = r->streams.items[i];
        if (!s->over && s->last_ns > busy_since && s->last_ns < w)
            w = s->last_ns;
    }
    r->polls++;
    for (uint32_t k = rest; k < r->order_count; k++) {
        struct ring_chunk *c = &r->chunks[r->order[k]];
        if (!c->stream || c->stream->looked_at == r->polls)
            continue; /* a stream's first unread chunk holds its earliest record */
        uint64_t t = earliest(r, c);
        c->stream->looked_at = t == UINT64_MAX ? 0 : r->polls;
        w = t < w ? t : w;
    }
    assert(rest <= r->order_count);
    if (w > r->watermark_ns && w != UINT64_MAX)
        r->watermark_ns = w;
    return r->watermark_ns;
}

/* Unix time as the records tell it; before there is one, as the first will. 0 not known. */
static uint64_t time_now(struct ring *r)
{
    const struct wire_anchor *made = &r->h.created;
    for (int kind = 0; kind <= ORIEL_CLOCK_CNTVCT; kind++)
        if (r->clocks[kind].ready && r->same_boot)
            return clock_map_ns(&r->clocks[kind].map, clock_ticks((enum oriel_clock)kind));
    return r->same_boot && made->mono_ns ? made->unix_ns + (r->now_ns - made->mono_ns) : 0;
}

static bool all_read(struct ring *r)
{
    for (uint32_t k = 0; k < r->order_count; k++) {
        struct ring_chunk *c = &r->chunks[r->order[k]];
        if (ring_chunk_length(r, c) > c->read)
            return false;
    }
    return true;
}

static int ring_poll(void *state, struct model_batch *b, size_t max_records, struct oriel_err *err)
{
    struct ring *r = state;
    uint32_t rest;
    __atomic_fetch_add(&r->shared->reader_beat, 1, __ATOMIC_RELAXED);
    r->now_ns = clock_mono_ns();
    ring_clock_refresh(r);
    uint64_t began_ns = time_now(r);
    int rc = r->frozen ? 0 : look_around(r);
    if (rc == 0)
        rc = drain(r, b, max_records ? max_records : 1, &rest);
    if (guard_is_cut(r->base))
        return err_set(err, ORIEL_EDAMAGED,
                       "the ring was cut short by somebody while it was read: what was left in it "
                       "is lost");
    if (rc != 0 && b->record_count == 0)
        return err_set(err, rc, "out of memory while reading the ring");
    if (rc == 0 && r->frozen && all_read(r)) {
        ring_who_lost_all(r);
        r->ended = b->record_count == 0;
        b->last = r->ended;
    }
    b->watermark_ns = rc != 0 ? r->watermark_ns : watermark(r, began_ns, rest);
    ring_chunk_release(r);
    ring_alive_settle(r);
    if (b->record_count)
        return SOURCE_DATA;
    return r->ended ? SOURCE_END : SOURCE_IDLE;
}

static void ring_commit(void *state)
{
    struct ring *r = state;
    ring_chunk_commit(r);
    ring_chunk_release(r);
    ring_alive_tidy(r);
}

static bool ring_pressed(const void *state)
{
    return ring_alive_pressed(state);
}

static void ring_damage(const void *state, struct source_damage *out)
{
    *out = ((const struct ring *)state)->damage;
}

const struct source source_ring = {
    .name = "ring",
    .state_size = sizeof(struct ring),
    .open = ring_open,
    .open_with = ring_open_here,
    .poll = ring_poll,
    .commit = ring_commit,
    .pressed = ring_pressed,
    .damage = ring_damage,
    .close = ring_close,
};
