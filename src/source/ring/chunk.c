/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which chunks hold data, how many bytes of each are committed, and giving
 * them back. Chunks are read in the order in which they were taken.
 *
 * Why a stream's chunks are never read out of order: a thread takes its next
 * chunk's seq only after the one before was published. So when chunk_seq says
 * N, every predecessor of a chunk below N shows in a scan that begins now;
 * chunks at N and above wait for the next scan.
 */
#include "source/ring/ring.h"

#include <assert.h>

static bool overwrites(const struct ring *r)
{
    return r->h.policy == WIRE_POLICY_OVERWRITE_OLDEST;
}

/* ---- the list of open chunks, by seq ---- */

static void insert(struct ring *r, uint32_t index)
{
    uint32_t at = r->order_count++;
    assert(r->order_count <= r->h.chunk_count);
    while (at > 0 && r->chunks[r->order[at - 1]].seq > r->chunks[index].seq) {
        r->order[at] = r->order[at - 1];
        at--;
    }
    r->order[at] = index;
    if (at < r->touched)
        r->touched++;
}

static void remove_from_order(struct ring *r, uint32_t index)
{
    uint32_t at = 0;
    while (at < r->order_count && r->order[at] != index)
        at++;
    assert(at < r->order_count);
    r->order_count--;
    memmove(r->order + at, r->order + at + 1, (r->order_count - at) * sizeof *r->order);
}

static void close_chunk(struct ring_chunk *c)
{
    assert(c->open && (!c->stream || c->stream->chunks > 0));
    c->open = false;
    if (c->stream)
        c->stream->chunks--;
}

/* ---- finding them ---- */

/* What a dead reader had taken and not saved is to be had again. A word that
 * changes meanwhile is a writer's, who steals: ring_chunk_take will see it. */
static void take_over(struct ring *r, struct ring_chunk *c, const struct wire_chunk *d)
{
    uint64_t word = d->taken;
    if (overwrites(r) && word == wire_taken_for_good(c->seq)) {
        c->kept = c->final = true; /* that reader was about to free it */
        c->length = c->read;
    }
    if (overwrites(r) && wire_taken_is_of(word, c->seq))
        __atomic_compare_exchange_n(&ring_chunk_desc(r, c)->taken, &word,
                                    wire_taken(c->seq, c->read, 0), false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED);
}

static int open_chunk(struct ring *r, uint32_t index, uint64_t limit)
{
    struct wire_chunk d;
    struct ring_stream *s;
    struct ring_chunk *c = &r->chunks[index];
    assert(!c->open && index < r->h.chunk_count);
    ring_copy(&d, wire_region_desc(&r->h, r->base, index), sizeof d);
    /* It is the copy's seq that counts: were the chunk stolen since its state
     * was looked at, it would be above the limit, or no longer the chunk's. */
    if (d.seq >= limit) {
        r->rescan = true;
        return 0;
    }
    int rc = ring_who_stream(r, d.thread, d.serial, d.process, &s);
    if (rc != 0)
        return rc;
    *c = (struct ring_chunk){.stream = s,
                             .seq = d.seq,
                             .stream_base = d.stream_base,
                             .id_base = d.id_base,
                             .open = true,
                             .bad = s == NULL};
    if (!s)
        ring_damaged(r, wire_region_desc(&r->h, r->base, index), 0, 0);
    else
        s->chunks++;
    /* What the reader before us has saved. */
    if (d.consumed <= r->h.chunk_bytes && d.consumed % 8 == 0)
        c->read = c->committed = d.consumed;
    c->resumed = c->read > 0;
    take_over(r, c, &d);
    insert(r, index);
    return 0;
}

/* Give a chunk to the writers, if it still is in the state we saw it in. */
static bool free_chunk(struct ring *r, uint32_t *state, uint32_t word)
{
    /* Release: our reads of it are done before somebody writes there. */
    if (!__atomic_compare_exchange_n(state, &word, WIRE_CHUNK_FREE, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return false;
    __atomic_fetch_add(&r->shared->free_chunks, 1, __ATOMIC_ACQ_REL);
    return true;
}

/* A chunk that somebody took and has not published. A thief that died before
 * it stole leaves the chunk as it was. */
static void see_claim(struct ring *r, struct wire_chunk *d, uint32_t word)
{
    uint32_t slot = wire_claimer(word) - 1;
    struct ring_stream *s = slot < r->h.thread_count ? r->slot_stream[slot] : NULL;
    if (!s || !s->over || r->scans <= s->over_scan)
        r->rescan = true;
    else if (wire_state(word) == WIRE_CHUNK_WANTED &&
             wire_taken_is_of(RING_LOAD_ACQUIRE(&d->taken), RING_LOAD(&d->seq)))
        __atomic_compare_exchange_n(&d->state, &word, WIRE_CHUNK_FULL, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED);
    else
        free_chunk(r, &d->state, word);
}

static int see_chunk(struct ring *r, uint32_t index, uint64_t limit)
{
    struct ring_chunk *c = &r->chunks[index];
    struct wire_chunk *d = wire_region_desc(&r->h, r->base, index);
    if (c->open && !overwrites(r))
        return 0;
    uint32_t word = RING_LOAD_ACQUIRE(&d->state);
    if (c->open && RING_LOAD(&d->seq) == c->seq) {
        if (wire_state(word) == WIRE_CHUNK_WANTED)
            see_claim(r, d, word);
        return 0;
    }
    if (c->open) {
        close_chunk(c); /* a writer that had no room took it away */
        remove_from_order(r, index);
    }
    switch (wire_state(word)) {
    case WIRE_CHUNK_WANTED:
        see_claim(r, d, word);
        return open_chunk(r, index, limit);
    case WIRE_CHUNK_ACTIVE:
    case WIRE_CHUNK_FULL:
        return open_chunk(r, index, limit);
    case WIRE_CHUNK_CLAIMED:
        see_claim(r, d, word);
        return 0;
    default:
        return 0;
    }
}

int ring_chunk_scan(struct ring *r)
{
    uint64_t limit = RING_LOAD_ACQUIRE(&r->shared->chunk_seq);
    int rc = 0;
    if (limit == r->seq_scanned && !r->rescan)
        return 0;
    r->rescan = false;
    r->scans++;
    for (uint32_t i = 0; i < r->h.chunk_count && rc == 0; i++)
        rc = see_chunk(r, i, limit);
    r->seq_scanned = limit;
    if (rc != 0)
        r->rescan = true;
    return rc;
}

/* ---- how much is in one ---- */

static uint32_t finish(struct ring *r, struct ring_chunk *c, uint32_t bytes)
{
    if (bytes > r->h.chunk_bytes || bytes % 8 || bytes < c->read) {
        ring_damaged(r, ring_chunk_desc(r, c), 0, r->h.chunk_bytes - c->read);
        bytes = c->read;
    }
    assert(bytes >= c->read && bytes <= r->h.chunk_bytes);
    c->final = true;
    c->length = bytes;
    return bytes;
}

static uint32_t taken_away(struct ring_chunk *c)
{
    c->taken_back = c->final = true;
    c->length = c->read;
    return c->read;
}

/* The length of a chunk that is full: stolen in this moment, it has none. */
static uint32_t full_length(struct ring *r, struct ring_chunk *c, struct wire_chunk *d)
{
    uint32_t bytes = RING_LOAD_ACQUIRE(&d->bytes);
    if (overwrites(r) && !wire_taken_is_of(RING_LOAD_ACQUIRE(&d->taken), c->seq))
        return taken_away(c);
    return finish(r, c, bytes);
}

static uint32_t active_length(struct ring *r, struct ring_chunk *c, struct wire_chunk *d)
{
    struct ring_stream *s = c->stream;
    if (!s || s->orphan)
        return r->frozen ? finish(r, c, c->read) : c->read;
    /* `over` was found out before this load, so the head is the last one. */
    bool last = s->over || r->frozen;
    uint64_t offset = r->h.chunk_off + (uint64_t)(c - r->chunks) * r->h.chunk_bytes;
    struct oriel_thread *t = wire_region_thread(&r->h, r->base, s->slot);
    /* Pairs with the release store that commits a record. */
    uint64_t bytes = RING_LOAD_ACQUIRE(&t->head) - (s->base + offset);
    if (bytes <= r->h.chunk_bytes && bytes % 8 == 0 && bytes >= c->read)
        return last ? finish(r, c, (uint32_t)bytes) : (uint32_t)bytes;
    /* The owner has moved on; it closed this chunk before. */
    if (RING_LOAD_ACQUIRE(&d->state) == WIRE_CHUNK_FULL)
        return full_length(r, c, d);
    return last ? finish(r, c, c->read) : c->read;
}

uint32_t ring_chunk_length(struct ring *r, struct ring_chunk *c)
{
    if (c->final)
        return c->length;
    struct wire_chunk *d = ring_chunk_desc(r, c);
    uint32_t word = RING_LOAD_ACQUIRE(&d->state);
    if (RING_LOAD(&d->seq) != c->seq)
        return taken_away(c);
    switch (wire_state(word)) {
    case WIRE_CHUNK_FULL:
    case WIRE_CHUNK_WANTED:
        return full_length(r, c, d);
    case WIRE_CHUNK_ACTIVE:
        return active_length(r, c, d);
    default:
        return taken_away(c);
    }
}

bool ring_chunk_take(struct ring *r, struct ring_chunk *c, uint32_t end)
{
    struct wire_chunk *d = ring_chunk_desc(r, c);
    assert(end >= c->read && end <= r->h.chunk_bytes);
    if (!overwrites(r))
        return true; /* nobody but us frees chunks */
    uint64_t held = c->read > c->committed ? WIRE_TAKEN_HELD : 0;
    uint64_t word = wire_taken(c->seq, c->read, held);
    /* The release half keeps our reads of the chunk before it; pairs with the
     * compare-and-swap of the writer that steals the chunk before it writes. */
    return __atomic_compare_exchange_n(&d->taken, &word, wire_taken(c->seq, end, WIRE_TAKEN_HELD),
                                       false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* What was taken is safe: the rest of the chunk may be stolen again. */
static void let_go(struct ring *r, const struct ring_chunk *c)
{
    uint64_t word = wire_taken(c->seq, c->read, WIRE_TAKEN_HELD);
    __atomic_compare_exchange_n(&ring_chunk_desc(r, c)->taken, &word,
                                wire_taken(c->seq, c->read, 0), false, __ATOMIC_ACQ_REL,
                                __ATOMIC_RELAXED);
}

/* ---- giving them back ---- */

/* True if the chunk is done with and leaves the list. */
static bool give_back(struct ring *r, struct ring_chunk *c)
{
    struct wire_chunk *d = ring_chunk_desc(r, c);
    uint32_t word = RING_LOAD_ACQUIRE(&d->state), state = wire_state(word);
    assert(c->final && c->read == c->length && c->committed == c->length);
    /* Taken away; the state just read is then that of another's use. */
    if (c->taken_back || RING_LOAD(&d->seq) != c->seq)
        return true;
    if (state == WIRE_CHUNK_ACTIVE && c->stream && !c->stream->over)
        return false; /* the end of a recording; its owner lives on */
    if (overwrites(r) && !c->kept) {
        uint64_t all = wire_taken(c->seq, c->length, 0);
        if (!__atomic_compare_exchange_n(&d->taken, &all, wire_taken_for_good(c->seq), false,
                                         __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            return true; /* stolen with nothing left in it */
        c->kept = true;
    }
    if (state == WIRE_CHUNK_FULL || state == WIRE_CHUNK_ACTIVE)
        return free_chunk(r, &d->state, word) || !overwrites(r);
    /* A thief is about to notice that he came too late. */
    return state != WIRE_CHUNK_WANTED;
}

void ring_chunk_commit(struct ring *r)
{
    for (uint32_t k = 0; k < r->touched && k < r->order_count; k++) {
        struct ring_chunk *c = &r->chunks[r->order[k]];
        struct wire_chunk *d = ring_chunk_desc(r, c);
        if (c->read > c->committed && !c->taken_back && RING_LOAD(&d->seq) == c->seq)
            __atomic_store_n(&d->consumed, c->read, __ATOMIC_RELEASE);
        if (c->read > c->committed && overwrites(r))
            let_go(r, c);
        c->committed = c->read;
    }
}

void ring_chunk_release(struct ring *r)
{
    uint32_t kept = 0, end = r->touched < r->order_count ? r->touched : r->order_count;
    for (uint32_t k = 0; k < end; k++) {
        struct ring_chunk *c = &r->chunks[r->order[k]];
        if (c->final && c->committed == c->length && give_back(r, c))
            close_chunk(c);
        else
            r->order[kept++] = r->order[k];
    }
    memmove(r->order + kept, r->order + end, (r->order_count - end) * sizeof *r->order);
    assert(kept <= end && end <= r->order_count);
    r->order_count -= end - kept;
    r->touched = kept;
}

/* A writer that died between taking a chunk and counting it leaves the count of
 * free chunks wrong. A difference in the same direction in three ticks, each in
 * a moment when no chunk changed hands, is no writer at work. A count that is
 * too high is harmless, so only a writer that is stopped in between can be
 * wronged, and only by one look at all chunks. */
void ring_chunk_repair(struct ring *r)
{
    uint32_t *count = &r->shared->free_chunks;
    uint64_t seq = RING_LOAD_ACQUIRE(&r->shared->chunk_seq);
    uint32_t counted = RING_LOAD_ACQUIRE(count), there = 0;
    for (uint32_t i = 0; i < r->h.chunk_count; i++)
        there += wire_state(RING_LOAD_ACQUIRE(&wire_region_desc(&r->h, r->base, i)->state)) ==
                 WIRE_CHUNK_FREE;
    if (seq != RING_LOAD_ACQUIRE(&r->shared->chunk_seq) || counted != RING_LOAD_ACQUIRE(count))
        return;
    int32_t missing = (int32_t)(there - counted);
    bool same_way = (missing > 0 && r->leak > 0) || (missing < 0 && r->leak < 0);
    r->leak_ticks = same_way ? r->leak_ticks + 1 : missing != 0;
    bool smaller = missing > 0 ? missing < r->leak : missing > r->leak;
    if (!same_way || smaller)
        r->leak = missing;
    if (r->leak_ticks < 3)
        return;
    __atomic_fetch_add(count, (uint32_t)r->leak, __ATOMIC_ACQ_REL);
    r->leak_ticks = 0;
    r->leak = 0;
}
