/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The merge. Cursors stand in a binary heap; the one on top gives on whole
 * ranges for as long as it stays ahead of its children, so records that come
 * in long stretches (a chunk of one thread) cost a comparison each.
 *
 * Held-back segments are merged like the digits of a binary counter: a record
 * is copied O(log n) times however long the watermark stands still.
 */
#include "pipe/order.h"

#include <assert.h>

#include "base/err.h"

enum { HOLD_AT_ONCE = 64 };

static uint64_t raw_bytes(const struct model_record *r)
{
    return (uint64_t)r->words * 8;
}

void order_init(struct order *o)
{
    memset(o, 0, sizeof *o);
}

void order_done(struct order *o)
{
    for (size_t i = 0; i < ORDER_SEGMENTS; i++) {
        mem_free(o->segments[i].records);
        arena_done(&o->segments[i].words);
    }
    mem_free(o->cursors);
    memset(o, 0, sizeof *o);
}

/* ---- heap of cursors ---- */

static bool before(const struct order_cursor *a, const struct order_cursor *b)
{
    if (a->key != b->key)
        return a->key < b->key;
    if (a->at->stream != b->at->stream)
        return a->at->stream < b->at->stream;
    return a->at->position < b->at->position;
}

static void sift_down(struct order_cursor *heap, size_t n, size_t i)
{
    struct order_cursor moving = heap[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &moving))
            break;
        heap[i] = heap[child];
    }
    heap[i] = moving;
}

static void make_heap(struct order *o)
{
    for (size_t i = o->cursor_count / 2; i-- > 0;)
        sift_down(o->cursors, o->cursor_count, i);
}

static bool add_cursor(struct order *o, const struct model_record *at,
                       const struct model_record *end, struct order_segment *segment, bool rising)
{
    assert(at < end);
    if (o->cursor_count == o->cursor_capacity) {
        size_t capacity = o->cursor_capacity ? o->cursor_capacity * 2 : 64;
        struct order_cursor *more = mem_realloc(o->cursors, capacity * sizeof *more);
        if (!more)
            return false;
        o->cursors = more;
        o->cursor_capacity = capacity;
    }
    o->cursors[o->cursor_count++] = (struct order_cursor){at->t_ns, at, end, segment, rising};
    return true;
}

/* ---- cutting a batch into runs ---- */

/* A stretch of records that is in order as it stands. */
struct run {
    const struct model_record *at, *end;
    uint64_t newest;
    bool rising;
};

/* The run that starts at r. Within a stream the order of the records counts,
 * whatever their times say. */
static struct run next_run(const struct model_record *r, const struct model_record *end)
{
    const struct model_record *const at = r;
    uint64_t newest = r->t_ns;
    bool rising = true;
    for (;;) {
        while (++r < end && r->t_ns >= newest) /* nearly always all of them */
            newest = r->t_ns;
        if (r == end || r->stream != r[-1].stream)
            return (struct run){at, r, newest, rising};
        rising = false;
    }
}

/* A cursor per run, `run` being the first. A run that finds no room is refused
 * and counted. */
static void add_runs(struct order *o, struct run run, const struct model_record *end)
{
    for (;;) {
        uint64_t n = (uint64_t)(run.end - run.at);
        if (add_cursor(o, run.at, run.end, NULL, run.rising))
            o->held += n;
        else
            o->refused_now += n;
        if (run.end == end)
            return;
        run = next_run(run.end, end);
    }
}

static void add_segments(struct order *o)
{
    for (size_t i = 0; i < o->segment_count; i++) {
        struct order_segment *s = &o->segments[i];
        if (s->first == s->count)
            continue;
        const struct model_record *at = s->records + s->first;
        if (add_cursor(o, at, s->records + s->count, s, false))
            continue;
        for (size_t k = s->first; k < s->count; k++)
            o->held_bytes -= raw_bytes(&s->records[k]);
        o->held -= s->count - s->first;
        o->refused_now += s->count - s->first;
        s->first = s->count;
    }
}

/* ---- giving on ---- */

/* The first of rising records behind `at` that is not older than `bound`: in steps that double, as
 * it may be the next one or thousands away. */
static const struct model_record *reach(const struct model_record *at,
                                        const struct model_record *end, uint64_t bound)
{
    size_t low = 1, high = 1;
    const size_t n = (size_t)(end - at);
    while (high < n && at[high].t_ns < bound) {
        low = high + 1;
        high *= 2;
    }
    high = high < n ? high : n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (at[middle].t_ns < bound)
            low = middle + 1;
        else
            high = middle;
    }
    return at + low;
}

/* Move the top cursor over every record that is due: not after the limit and
 * not after any other cursor. Returns how many. */
static size_t advance(struct order_cursor *top, const struct order_cursor *rival, uint64_t limit)
{
    const struct model_record *const from = top->at, *const end = top->end, *at = from;
    const uint64_t sooner = rival && rival->key < limit ? rival->key : limit;
    uint64_t key = top->key;
    if (top->rising) {
        at = reach(from, end, sooner);
        key = at < end ? at->t_ns : key;
        top->at = at;
        top->key = key;
        if (at == end || key > limit || (rival && !before(top, rival)))
            return (size_t)(at - from);
    }
    do {
        if (++at == end)
            break;
        if (at->t_ns > key)
            key = at->t_ns;
        if (key < sooner) /* nearly always: no other cursor need be looked at */
            continue;
        top->at = at;
        top->key = key;
    } while (key < sooner || (key <= limit && (!rival || before(top, rival))));
    top->at = at;
    top->key = key;
    return (size_t)(at - from);
}

/* After an advance: the heap is a heap again. */
static void settle(struct order *o)
{
    struct order_cursor *top = &o->cursors[0];
    if (top->at == top->end)
        *top = o->cursors[--o->cursor_count];
    if (o->cursor_count)
        sift_down(o->cursors, o->cursor_count, 0);
}

static const struct order_cursor *second(const struct order *o)
{
    const struct order_cursor *c = o->cursors;
    if (o->cursor_count < 2)
        return NULL;
    return o->cursor_count > 2 && before(&c[2], &c[1]) ? &c[2] : &c[1];
}

static bool too_much_held(const struct order *o)
{
    return o->held > ORDER_HOLD_RECORDS || o->held_bytes > ORDER_HOLD_BYTES;
}

static uint64_t bytes_of(const struct model_record *r, const struct model_record *end)
{
    uint64_t bytes = 0;
    for (; r < end; r++)
        bytes += raw_bytes(r);
    return bytes;
}

/* What is left of the batch may be held from now on. */
static void weigh_rest(struct order *o)
{
    for (size_t i = 0; i < o->cursor_count; i++)
        if (!o->cursors[i].segment)
            o->held_bytes += bytes_of(o->cursors[i].at, o->cursors[i].end);
}

/* Give on everything up to `limit`, and beyond it while too much is held. */
static void give_on(struct order *o, uint64_t limit, order_sink *sink, void *user)
{
    bool weighed = false;
    while (o->cursor_count) {
        struct order_cursor *top = &o->cursors[0];
        bool forced = top->key > limit;
        if (forced && !weighed)
            weigh_rest(o);
        weighed |= forced;
        if (forced && !too_much_held(o))
            return;
        const struct model_record *from = top->at;
        size_t n = advance(top, second(o), forced ? 0 : limit);
        o->held -= n;
        if (top->segment)
            top->segment->first += n;
        if (top->segment || weighed)
            o->held_bytes -= bytes_of(from, from + n);
        sink(user, from, n);
        settle(o);
    }
}

/* ---- holding back ---- */

static void segment_clear(struct order_segment *s)
{
    s->first = s->count = 0;
    arena_reset(&s->words);
}

static bool segment_add(struct order_segment *s, const struct model_record *r)
{
    if (s->count == s->capacity) {
        size_t capacity = s->capacity ? s->capacity * 2 : 256;
        struct model_record *more = mem_realloc(s->records, capacity * sizeof *more);
        if (!more)
            return false;
        s->records = more;
        s->capacity = capacity;
    }
    uint64_t *words = arena_alloc(&s->words, raw_bytes(r), sizeof *words);
    if (!words)
        return false;
    memcpy(words, r->raw, raw_bytes(r));
    s->records[s->count] = *r;
    s->records[s->count++].raw = words;
    return true;
}

/* Room for n more records, and their words in one; NULL: no memory. */
static uint64_t *segment_room(struct order_segment *s, size_t n, uint64_t bytes)
{
    if (s->capacity - s->count < n) {
        size_t capacity = s->capacity ? s->capacity : 256;
        while (capacity - s->count < n)
            capacity *= 2;
        struct model_record *more = mem_realloc(s->records, capacity * sizeof *more);
        if (!more)
            return NULL;
        s->records = more;
        s->capacity = capacity;
    }
    return arena_alloc(&s->words, bytes, sizeof(uint64_t));
}

/* Some of them at once; false: no memory, nothing has changed. */
static bool segment_add_all(struct order_segment *s, const struct model_record *r, size_t n)
{
    uint64_t *words = segment_room(s, n, bytes_of(r, r + n));
    if (!words)
        return false;
    for (const struct model_record *const end = r + n; r < end; r++) {
        struct model_record *to = &s->records[s->count++];
        *to = *r;
        to->raw = words;
        if (r->words == 2) { /* most are */
            words[0] = r->raw[0];
            words[1] = r->raw[1];
        } else {
            memcpy(words, r->raw, raw_bytes(r));
        }
        words += r->words;
    }
    return true;
}

/* They were counted as held before. */
static void hold_records(struct order *o, struct order_segment *to, const struct model_record *r,
                         size_t n)
{
    for (size_t some; n; n -= some, r += some) {
        some = n < HOLD_AT_ONCE ? n : HOLD_AT_ONCE;
        if (segment_add_all(to, r, some))
            continue;
        for (const struct model_record *one = r; one < r + some; one++) {
            if (segment_add(to, one))
                continue;
            o->refused_now++;
            o->held--;
            o->held_bytes -= raw_bytes(one);
        }
    }
}

/* What is left on cursors of the batch goes into a new segment; cursors of
 * segments are dropped, their rest stays where it is. */
static void hold_back(struct order *o)
{
    size_t kept = 0;
    for (size_t i = 0; i < o->cursor_count; i++)
        if (!o->cursors[i].segment)
            o->cursors[kept++] = o->cursors[i];
    o->cursor_count = kept;
    if (!kept)
        return;
    assert(o->segment_count < ORDER_SEGMENTS);
    struct order_segment *to = &o->segments[o->segment_count++];
    segment_clear(to);
    make_heap(o);
    while (o->cursor_count) {
        struct order_cursor *top = &o->cursors[0];
        const struct model_record *from = top->at;
        hold_records(o, to, from, advance(top, second(o), UINT64_MAX));
        settle(o);
    }
}

static size_t left(const struct order_segment *s)
{
    return s->count - s->first;
}

/* Merge the two youngest segments into the next free one and make that the
 * youngest. Out of memory: both stay as they are. */
static bool merge_youngest(struct order *o)
{
    struct order_segment *a = &o->segments[o->segment_count - 2], *b = a + 1, *to = b + 1;
    segment_clear(to);
    o->cursor_count = 0;
    bool ok = (!left(a) || add_cursor(o, a->records + a->first, a->records + a->count, a, false)) &&
              (!left(b) || add_cursor(o, b->records + b->first, b->records + b->count, b, false));
    if (ok)
        make_heap(o);
    while (ok && o->cursor_count) {
        struct order_cursor *top = &o->cursors[0];
        const struct model_record *from = top->at;
        for (size_t n = advance(top, second(o), UINT64_MAX); ok && n; n--)
            ok = segment_add(to, from++);
        settle(o);
    }
    o->cursor_count = 0;
    if (!ok)
        return false;
    struct order_segment merged = *to;
    *to = *b;
    *b = *a;
    *a = merged;
    o->segment_count--;
    return true;
}

void order_release(struct order *o)
{
    size_t kept = 0;
    for (size_t i = 0; i < o->segment_count; i++) {
        struct order_segment s = o->segments[i];
        if (!left(&s))
            continue;
        o->segments[i] = o->segments[kept];
        o->segments[kept++] = s;
    }
    o->segment_count = kept;
    while (o->segment_count >= 2) {
        const struct order_segment *young = &o->segments[o->segment_count - 1];
        if (left(young - 1) > 2 * left(young) || !merge_youngest(o))
            return;
    }
}

/* ---- a push ---- */

/* Up to which time records are due. Without a watermark nothing is held for
 * longer than one batch: all that was held before is due now. */
static uint64_t due(const struct order *o, const struct model_batch *in)
{
    uint64_t newest = 0;
    if (in->last)
        return UINT64_MAX;
    if (in->watermark_ns)
        return in->watermark_ns;
    for (size_t i = 0; i < o->segment_count; i++) {
        const struct order_segment *s = &o->segments[i];
        for (size_t k = s->first; k < s->count; k++)
            if (s->records[k].t_ns > newest)
                newest = s->records[k].t_ns;
    }
    return newest;
}

/* All segment slots taken (only when merging them found no memory): free one
 * by giving everything on. */
static uint64_t due_with_room(const struct order *o, const struct model_batch *in)
{
    return o->segment_count + 2 >= ORDER_SEGMENTS ? UINT64_MAX : due(o, in);
}

int order_push(struct order *o, const struct model_batch *in, order_sink *sink, void *user)
{
    uint64_t limit = due_with_room(o, in);
    assert(o->cursor_count == 0);
    o->refused_now = 0;
    if (in->record_count) {
        const struct model_record *end = in->records + in->record_count;
        struct run run = next_run(in->records, end);
        if (!o->held && run.end == end && run.newest <= limit) { /* the straight way */
            sink(user, in->records, in->record_count);
            return 0;
        }
        add_runs(o, run, end);
    }
    add_segments(o);
    make_heap(o);
    give_on(o, limit, sink, user);
    hold_back(o);
    o->cursor_count = 0;
    o->refused += o->refused_now;
    return o->refused_now ? ORIEL_ENOMEM : 0;
}
