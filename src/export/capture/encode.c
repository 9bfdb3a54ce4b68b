/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Records to columns. A plain begin or end whose id, position, size and clock
 * are all as predicted takes the short way (encode_plain): one op, one time.
 * All others go through record.c. One thread at a time.
 */
#include "export/capture/encode.h"

#include <assert.h>

#include "base/err.h"
#include "base/mem.h"

enum {
    MARK_RECORDS = 128,  /* a chunk can be cut after every so many */
    RECORD_ROOM = 16384, /* columns of the largest record, with what precedes it */
    SLACK = MARK_RECORDS * 384 + RECORD_ROOM /* what may follow the last look at the size */
};

int encoder_init(struct encoder *e, size_t chunk_bytes, const struct model_catalog *catalog)
{
    memset(e, 0, sizeof *e);
    buf_init(&e->scratch);
    assert(chunk_bytes >= ENCODE_CHUNK_MIN && chunk_bytes <= ENCODE_CHUNK_MAX);
    e->catalog = catalog;
    e->chunk_bytes = chunk_bytes;
    size_t column = chunk_bytes + SLACK;
    e->columns = mem_alloc(column * (WIRE_CAPTURE_SECTIONS - 1));
    e->streams = mem_calloc(WIRE_CAPTURE_STREAMS_MAX, sizeof *e->streams);
    e->codes = mem_calloc(WIRE_CAPTURE_CODES_MAX, sizeof *e->codes);
    if (!e->columns || !e->streams || !e->codes)
        return ORIEL_ENOMEM;
    for (unsigned i = WIRE_CAPTURE_OPS; i < WIRE_CAPTURE_SECTIONS; i++)
        e->start[i] = e->columns + column * (i - 1);
    encoder_reset(e);
    return 0;
}

void encoder_done(struct encoder *e)
{
    mem_free(e->columns);
    mem_free(e->streams);
    mem_free(e->codes);
    mem_free(e->memo);
    map_done(&e->stream_by_serial);
    map_done(&e->code_by_key);
    map_done(&e->thread_by_index);
    map_done(&e->covered);
    encoder_stacks_done(&e->stacks);
    VEC_DONE(&e->sites);
    VEC_DONE(&e->processes);
    VEC_DONE(&e->threads);
    VEC_DONE(&e->runs);
    VEC_DONE(&e->marks);
    VEC_DONE(&e->told);
    buf_done(&e->scratch);
    memset(e, 0, sizeof *e);
}

int encoder_cover(struct encoder *e, uint32_t serial, uint64_t end)
{
    uint64_t *at = map_put(&e->covered, serial, 0);
    if (!at)
        return ORIEL_ENOMEM;
    if (*at < end)
        *at = end;
    return 0;
}

void encoder_reset(struct encoder *e)
{
    for (unsigned i = 0; i < WIRE_CAPTURE_SECTIONS; i++)
        e->at[i] = e->start[i];
    e->stream_count = e->code_count = e->records = 0;
    memset(e->by_origin, 0, sizeof e->by_origin);
    e->site_bytes = 0;
    memset(e->fast, 0, sizeof e->fast);
    e->run_stream = UINT32_MAX;
    e->sites.count = e->processes.count = e->threads.count = 0;
    encoder_stacks_reset(&e->stacks);
    e->runs.count = e->marks.count = 0;
    map_clear(&e->stream_by_serial);
    map_clear(&e->code_by_key);
    map_clear(&e->thread_by_index);
    e->until_mark = MARK_RECORDS;
    e->watermark_first = e->watermark;
    e->epoch++;
}

/* Bytes encoded so far, tables apart. */
static size_t encoded_bytes(const struct encoder *e)
{
    size_t n = 0;
    for (unsigned i = WIRE_CAPTURE_OPS; i < WIRE_CAPTURE_SECTIONS; i++)
        n += (size_t)(e->at[i] - e->start[i]);
    return n;
}

/* ---- runs of records of one stream ---- */

static void put_watermark(struct encoder *e, uint64_t watermark)
{
    encoder_put_op(e, WIRE_OP_WATERMARK);
    encoder_put_number(e, wire_zigzag(watermark - e->watermark));
    e->watermark = watermark;
}

/* The short way: begins without fields and ends, as long as everything is as
 * predicted. Which of the two comes next is anybody's guess, so nothing here
 * branches on it, and all that must agree is tested at once: 8 ns per record
 * against 16 with the tests one by one. Not inlined, because the registers do
 * not suffice for two. Returns how many were encoded. */
__attribute__((noinline)) static size_t encode_plain(struct encoder *e, struct encode_stream *s,
                                                     const struct model_record *r, size_t n)
{
    struct wire_capture_stream *p = &s->p;
    struct wire_clock_line clock;
    const struct encode_fast *fast = e->fast;
    const uint64_t thread = (uintptr_t)s->thread, seed = p->seed;
    const uint64_t serial = (uint64_t)s->serial << 32;
    uint8_t *const op = e->at[WIRE_CAPTURE_OPS], *const time = e->at[WIRE_CAPTURE_TIMES];
    uint8_t *rest = e->at[WIRE_CAPTURE_REST];
    uint64_t position = p->position, ticks = p->ticks;
    uint32_t depth = p->depth;
    size_t i = 0;
    if (!wire_clock_line(&e->processes.items[s->process].clock, ticks, &clock))
        return 0;
    for (; i < n; i++, r++) {
        const uint64_t h = r->raw[0], word = r->raw[1], own = seed + position;
        const uint64_t end = wire_end_mask(ORIEL_RECORD_TYPE(h));
        const uint64_t top = p->stack[(depth - 1) % WIRE_STACK_RING];
        const struct encode_fast *f = &fast[wire_select(end, ENCODE_FAST, encode_fast_slot(h))];
        uint64_t wrong, ns = wire_clock_ns(&clock, word, &wrong);
        wrong |= ns ^ r->t_ns;
        wrong |= h ^ (f->header | (top << 32 & end));
        wrong |= r->raw_id ^ wire_select(end, top, own);
        wrong |= r->position ^ position;
        wrong |= (uintptr_t)r->thread ^ thread;
        wrong |= (uintptr_t)r->site ^ (uintptr_t)f->site;
        wrong |= encode_packed(r) ^ ((uint32_t)h | serial);
        wrong |= end & (depth == 0);
        if (__builtin_expect(wrong != 0, 0))
            break;
        p->stack[depth % WIRE_STACK_RING] = own; /* dead if this is an end */
        depth += 1 + 2 * (uint32_t)end;
        op[i] = (uint8_t)f->op;
        time[i] = wire_time_put(&rest, word - ticks);
        ticks = word;
        position += 16;
    }
    p->position = position;
    p->ticks = ticks;
    p->depth = depth;
    e->at[WIRE_CAPTURE_OPS] = op + i;
    e->at[WIRE_CAPTURE_TIMES] = time + i;
    e->at[WIRE_CAPTURE_REST] = rest;
    return i;
}

/* The clock that the source says now, if it is another one. */
static void follow_clock(struct encoder *e, const struct encode_stream *s)
{
    struct encode_process *p = &e->processes.items[s->process];
    const struct model_clock *now = &p->process->clock;
    if (!s->known || now->now.mult == 0 ||
        (memcmp(&now->now, &p->clock.now, sizeof now->now) == 0 &&
         memcmp(&now->before, &p->clock.before, sizeof now->before) == 0))
        return;
    p->clock = encoder_clock(now);
    encoder_put_op(e, WIRE_OP_CLOCK);
    encoder_put_number(e, s->process);
    e->at[WIRE_CAPTURE_VALUES] = wire_clock_put(e->at[WIRE_CAPTURE_VALUES], &p->clock);
}

static void end_run(struct encoder *e)
{
    if (e->run_stream != UINT32_MAX)
        e->runs.items[e->runs.count - 1].end = e->streams[e->run_stream].p.position;
}

/* Make the stream of `r` the current one. */
static int begin_run(struct encoder *e, const struct model_record *r, size_t n)
{
    const uint64_t *known = map_get(&e->stream_by_serial, r->stream);
    uint32_t index = known ? (uint32_t)*known : 0;
    if (!known || e->streams[index].thread != r->thread) {
        int rc = encoder_add_stream(e, r, n, &index);
        if (rc < 0)
            return rc;
    }
    struct encode_run *run = VEC_PUSH(&e->runs);
    if (!run)
        return ORIEL_ENOMEM;
    if (e->runs.count > 1)
        run[-1].end = e->streams[run[-1].stream].p.position;
    run->stream = index;
    e->run_stream = index;
    encoder_put_op(e, WIRE_OP_SWITCH);
    encoder_put_number(e, index);
    follow_clock(e, &e->streams[index]);
    return 0;
}

static int add_mark(struct encoder *e)
{
    e->until_mark = MARK_RECORDS;
    if (encoded_bytes(e) >= e->chunk_bytes)
        return ORIEL_ELIMIT;
    struct encode_mark *m = VEC_PUSH(&e->marks);
    if (!m)
        return ORIEL_ENOMEM;
    encoder_end(e, m);
    return 0;
}

void encoder_end(struct encoder *e, struct encode_mark *out)
{
    end_run(e);
    for (unsigned i = 0; i < WIRE_CAPTURE_SECTIONS; i++)
        out->used[i] = (size_t)(e->at[i] - e->start[i]);
    out->position = e->run_stream == UINT32_MAX ? 0 : e->streams[e->run_stream].p.position;
    out->records = e->records;
    memcpy(out->by_origin, e->by_origin, sizeof out->by_origin);
    out->runs = (uint32_t)e->runs.count;
    out->streams = e->stream_count;
}

static bool is_covered(const struct encoder *e, const struct model_record *r)
{
    const uint64_t *end = e->covered.count ? map_get(&e->covered, r->stream) : NULL;
    return end && r->position < *end;
}

/* The next few records, all of one stream. 0 or a code; *at moves on. */
static int add_some(struct encoder *e, const struct model_record *r, size_t n, size_t *at)
{
    r += *at;
    n -= *at;
    if (is_covered(e, r)) {
        e->duplicates++;
        ++*at;
        return 0;
    }
    struct encode_stream *s = e->run_stream == UINT32_MAX ? NULL : &e->streams[e->run_stream];
    if (!s || s->serial != r->stream || s->thread != r->thread) {
        int rc = begin_run(e, r, n);
        if (rc < 0)
            return rc;
        s = &e->streams[e->run_stream];
    }
    size_t most = n < (size_t)e->until_mark ? n : (size_t)e->until_mark, plain = 0;
    if (s->known && !s->covered)
        plain = encode_plain(e, s, r, most);
    e->until_mark -= (int32_t)plain;
    if (plain == 0) {
        int rc = encoder_put_record(e, s, r);
        /* One that failed may have left a move behind: it counts for the size. */
        e->until_mark -= 1 + r->words / 16;
        if (rc < 0)
            return rc;
        e->by_origin[model_record_origin(r)]++;
        plain = 1;
    } else {
        bool seen = s->serial >= MODEL_SERIAL_SEEN;
        e->by_origin[seen ? MODEL_SEEN : MODEL_SAID] += (uint32_t)plain;
    }
    e->records += (uint32_t)plain;
    *at += plain;
    return 0;
}

int encoder_add(struct encoder *e, const struct model_batch *batch, size_t *at)
{
    size_t n = batch->record_count;
    if (!encoder_reserve_memo(e))
        return ORIEL_ENOMEM;
    if (*at < n && e->records == 0)
        e->first_ns = batch->records[*at].t_ns;
    if (*at < n && e->run_stream != UINT32_MAX)
        follow_clock(e, &e->streams[e->run_stream]);
    uint32_t before = e->records;
    while (*at < n) {
        int rc = e->until_mark <= 0 ? add_mark(e) : 0;
        if (rc == 0)
            rc = add_some(e, batch->records, n, at);
        if (rc < 0)
            return rc;
    }
    if (n)
        e->last_ns = batch->records[n - 1].t_ns;
    if (e->records != before && batch->watermark_ns && batch->watermark_ns != e->watermark)
        put_watermark(e, batch->watermark_ns);
    return 0;
}
