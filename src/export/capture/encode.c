/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Records to columns. A plain begin or end whose id, position, size and clock
 * are all as predicted takes the short way (encode_plain): one op, one time.
 * Everything else says in what it differs; a record that fits no shape is
 * stored word by word, so nothing is ever refused for what it contains.
 * One thread at a time.
 */
#include "export/capture/encode.h"

#include <assert.h>

#include "base/err.h"
#include "base/mem.h"
#include "wire/record.h"

enum {
    MARK_RECORDS = 128, /* a chunk can be cut after every so many */
    RECORD_ROOM = 16384, /* columns of the largest record, with what precedes it */
    SLACK = 128 * 384 + RECORD_ROOM, /* what may follow the last look at the size */
    SEED_LOOK_AHEAD = 64,
    ITEMS_MAX = WIRE_CAPTURE_SITES_MAX,
    SITE_BYTES_MAX = 1 << 20 /* of texts in one chunk */
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
    e->stream_count = e->code_count = e->records = e->syncs = 0;
    e->site_bytes = 0;
    memset(e->fast, 0, sizeof e->fast);
    e->run_stream = UINT32_MAX;
    e->sites.count = e->processes.count = e->threads.count = 0;
    e->runs.count = e->marks.count = 0;
    map_clear(&e->stream_by_serial);
    map_clear(&e->code_by_key);
    map_clear(&e->thread_by_index);
    e->until_mark = MARK_RECORDS;
    e->watermark_first = e->watermark;
    e->epoch++;
}

size_t encoder_bytes(const struct encoder *e)
{
    size_t n = 0;
    for (unsigned i = WIRE_CAPTURE_OPS; i < WIRE_CAPTURE_SECTIONS; i++)
        n += (size_t)(e->at[i] - e->start[i]);
    return n;
}

/* ---- what a chunk must describe ---- */

/* One memo per site of the catalog. */
static bool reserve_memo(struct encoder *e)
{
    uint32_t want = e->catalog->site_count;
    if (want <= e->memo_count)
        return true;
    want += want / 2 + 16;
    struct encode_memo *p = mem_realloc(e->memo, want * sizeof *p);
    if (!p)
        return false;
    memset(p + e->memo_count, 0, (want - e->memo_count) * sizeof *p);
    e->memo = p;
    e->memo_count = want;
    return true;
}

/* Bytes that describing a site takes, roughly. */
static size_t text_bytes(const struct model_site *s)
{
    size_t n = (size_t)s->name.n + s->target.n + s->file.n + s->function.n + s->format.n;
    for (uint32_t i = 0; i < s->field_count; i++)
        n += s->fields[i].name.n + 4;
    return n + 32;
}

static int find_site(struct encoder *e, const struct model_site *site, uint16_t *out)
{
    assert(site->index < e->memo_count);
    struct encode_memo *m = &e->memo[site->index];
    if (m->site_epoch != e->epoch) {
        uint32_t process = 0;
        if (e->sites.count == ITEMS_MAX || (e->records && e->site_bytes > SITE_BYTES_MAX))
            return ORIEL_ELIMIT;
        int rc = site->process < e->catalog->process_count
                     ? encoder_find_process(e, e->catalog->processes[site->process], NULL, 0,
                                            &process)
                     : ORIEL_EINVAL;
        if (rc < 0)
            return rc;
        const struct model_site **slot = VEC_PUSH(&e->sites);
        if (!slot)
            return ORIEL_ENOMEM;
        *slot = site;
        e->site_bytes += text_bytes(site);
        m->site = (uint16_t)(e->sites.count - 1);
        m->site_epoch = e->epoch;
    }
    *out = m->site;
    return 0;
}

static inline uint32_t key_of(uint32_t type, uint32_t flags, uint32_t mode)
{
    return type << 16 | flags << 8 | mode;
}

static inline unsigned encode_fast_slot(uint64_t header)
{
    return (unsigned)((header >> 32) ^ (header >> 20)) % ENCODE_FAST;
}

/* words, type, flags and stream of a record as one number: the low half of its
 * header, and the serial above. */
static inline uint64_t encode_packed(const struct model_record *r)
{
    uint64_t v;
    _Static_assert(offsetof(struct model_record, type) == offsetof(struct model_record, words) + 2 &&
                       offsetof(struct model_record, flags) ==
                           offsetof(struct model_record, words) + 3 &&
                       offsetof(struct model_record, stream) ==
                           offsetof(struct model_record, words) + 4,
                   "as in a record's header");
    memcpy(&v, &r->words, sizeof v);
    return v;
}

/* Let encode_plain have this code, if it is one it can take. */
static void remember_plain(struct encoder *e, const struct model_record *r, uint32_t mode,
                           uint64_t code)
{
    if (code >= WIRE_OP_SHORT_CODES || r->words != 2 || r->flags & ORIEL_RECF_HAS_TIME)
        return;
    struct encode_fast fast = {r->raw[0], r->site, WIRE_OP_CODE + code};
    if (r->type == ORIEL_REC_END && mode == WIRE_ID_RESOLVED && r->flags == 0) {
        fast.header = (uint32_t)fast.header;
        e->fast[ENCODE_FAST] = fast;
    } else if (r->type == ORIEL_REC_BEGIN && mode == WIRE_ID_OWN && r->site->field_count == 0) {
        e->fast[encode_fast_slot(fast.header)] = fast;
    }
}

static int find_code(struct encoder *e, const struct model_record *r, uint32_t mode,
                     uint16_t *out)
{
    uint16_t local;
    struct encode_memo *m = r->site ? &e->memo[r->site->index] : &e->plain[r->type];
    uint32_t key = key_of(r->type, r->flags, mode);
    if (m->epoch == e->epoch && m->key == key) {
        remember_plain(e, r, mode, m->code);
        *out = m->code;
        return 0;
    }
    if (r->site) {
        int rc = find_site(e, r->site, &local);
        if (rc < 0)
            return rc;
    }
    uint64_t whole = (r->site ? (uint64_t)r->site->index + 1 : 0) << 32 | key;
    const uint64_t *known = map_get(&e->code_by_key, whole);
    if (!known) {
        if (e->code_count == WIRE_CAPTURE_CODES_MAX)
            return ORIEL_ELIMIT;
        known = map_put(&e->code_by_key, whole, e->code_count);
        if (!known)
            return ORIEL_ENOMEM;
        e->codes[e->code_count++] =
            (struct encode_code){r->site, r->type, r->flags, (uint8_t)mode};
    }
    m->epoch = e->epoch;
    m->key = key;
    m->code = (uint16_t)*known;
    remember_plain(e, r, mode, m->code);
    *out = m->code;
    return 0;
}

static struct clock_map clock_from(const struct model_clock *c)
{
    return (struct clock_map){.now = c->now, .before = c->before};
}

/* The source does not tell its clock: a line through the first and the last
 * record of this run. What lies beside the line is stored with the record. */
static struct clock_map measure(const struct model_record *r, size_t n)
{
    struct clock_piece m = {r->raw[1], r->t_ns, UINT64_C(1) << 32};
    size_t last = 0;
    for (size_t i = 1; i < n && r[i].stream == r->stream; i++)
        if (r[i].words >= 2 && !(r[i].flags & ORIEL_RECF_HAS_TIME))
            last = i;
    uint64_t ticks = r[last].raw[1] - m.base_ticks, ns = r[last].t_ns - m.base_ns;
    if (last && ticks < UINT64_C(1) << 62 && ticks > 0 && ns < UINT64_C(1) << 62) {
        unsigned __int128 mult = (((unsigned __int128)ns << 32) + ticks / 2) / ticks;
        if (mult && mult >> 40 == 0)
            m.mult = (uint64_t)mult;
    }
    return (struct clock_map){.now = m, .before = m};
}

int encoder_find_process(struct encoder *e, const struct model_process *process,
                         const struct model_record *r, size_t n, uint32_t *out)
{
    for (uint32_t i = 0; i < e->processes.count; i++) {
        if (e->processes.items[i].process == process) {
            *out = i;
            return 0;
        }
    }
    if (e->processes.count == ITEMS_MAX)
        return ORIEL_ELIMIT;
    struct encode_process *p = VEC_PUSH(&e->processes);
    if (!p)
        return ORIEL_ENOMEM;
    p->process = process;
    p->measured = process->clock.now.mult == 0;
    p->first = p->measured && r ? measure(r, n) : clock_from(&process->clock);
    p->clock = p->first;
    *out = (uint32_t)(e->processes.count - 1);
    return 0;
}

int encoder_find_thread(struct encoder *e, const struct model_thread *thread, uint32_t *out)
{
    const uint64_t *known = map_get(&e->thread_by_index, thread->index);
    if (!known) {
        const struct model_thread **slot = VEC_PUSH(&e->threads);
        if (!slot)
            return ORIEL_ENOMEM;
        *slot = thread;
        known = map_put(&e->thread_by_index, thread->index, e->threads.count - 1);
        if (!known) {
            e->threads.count--;
            return ORIEL_ENOMEM;
        }
    }
    *out = (uint32_t)*known;
    return 0;
}

/* Seed of a stream: told by the first record ahead that carries its own id. */
static uint64_t find_seed(const struct model_record *r, size_t n)
{
    for (size_t i = 0; i < n && i < SEED_LOOK_AHEAD && r[i].stream == r->stream; i++)
        if ((r[i].type == ORIEL_REC_BEGIN || r[i].type == ORIEL_REC_OPEN ||
             r[i].type == ORIEL_REC_SPAN) &&
            r[i].raw_id)
            return r[i].raw_id - r[i].position;
    return 0;
}

static int add_stream(struct encoder *e, const struct model_record *r, size_t n, uint32_t *out)
{
    const struct model_catalog *c = e->catalog;
    uint32_t thread, process = 0;
    bool known = r->thread && r->thread->process < c->process_count;
    if (e->stream_count == WIRE_CAPTURE_STREAMS_MAX)
        return ORIEL_ELIMIT;
    if (known) {
        int rc = encoder_find_process(e, c->processes[r->thread->process], r, n, &process);
        if (rc == 0)
            rc = encoder_find_thread(e, r->thread, &thread);
        if (rc < 0)
            return rc;
    }
    uint64_t *slot = map_put(&e->stream_by_serial, r->stream, 0);
    if (!slot)
        return ORIEL_ENOMEM;
    *slot = e->stream_count;
    const uint64_t *covered = map_get(&e->covered, r->stream);
    struct encode_stream *s = &e->streams[e->stream_count];
    s->serial = r->stream;
    s->thread = r->thread;
    s->process = process;
    s->known = known;
    s->covered = covered ? *covered : 0;
    s->first_position = r->position;
    s->first_seed = find_seed(r, n);
    s->first_ticks = r->words >= 2 && !(r->flags & ORIEL_RECF_HAS_TIME) ? r->raw[1] : 0;
    memset(&s->p, 0, sizeof s->p);
    s->p.position = s->first_position;
    s->p.seed = s->first_seed;
    s->p.ticks = s->first_ticks;
    *out = e->stream_count++;
    return 0;
}

/* ---- putting ---- */

static inline void put_number(struct encoder *e, uint64_t v)
{
    e->at[WIRE_CAPTURE_VALUES] = wire_number_put(e->at[WIRE_CAPTURE_VALUES], v);
}

static inline void put_op(struct encoder *e, uint8_t op)
{
    *e->at[WIRE_CAPTURE_OPS]++ = op;
}

static void put_code(struct encoder *e, uint32_t code)
{
    if (code < WIRE_OP_SHORT_CODES) {
        put_op(e, (uint8_t)(WIRE_OP_CODE + code));
        return;
    }
    code -= WIRE_OP_SHORT_CODES;
    put_op(e, (uint8_t)(WIRE_OP_CODE_LONG + (code >> 8)));
    put_op(e, (uint8_t)code);
}

static void put_watermark(struct encoder *e, uint64_t watermark)
{
    put_op(e, WIRE_OP_WATERMARK);
    put_number(e, wire_zigzag(watermark - e->watermark));
    e->watermark = watermark;
}

/* A str or bytes value; false when it is not as the wire has it. */
static bool put_text(struct encoder *e, const uint64_t **at, const uint64_t *end)
{
    if (*at == end)
        return false;
    uint32_t stored = (uint32_t)**at, original = (uint32_t)(**at >> 32);
    uint32_t words = (stored + 7) / 8;
    const uint64_t *bytes = *at + 1;
    if (stored > original || stored > ORIEL_STRING_MAX_BYTES || words > (size_t)(end - bytes))
        return false;
    if (stored % 8 && bytes[words - 1] >> (stored % 8 * 8))
        return false; /* padding is not zero */
    put_number(e, (uint64_t)stored << 1 | (original != stored));
    if (original != stored)
        put_number(e, original);
    memcpy(e->at[WIRE_CAPTURE_VALUES], bytes, stored);
    e->at[WIRE_CAPTURE_VALUES] += stored;
    *at = bytes + words;
    return true;
}

static void put_opaque(struct encoder *e, uint64_t v)
{
    wire_put64(e->at[WIRE_CAPTURE_VALUES], v);
    e->at[WIRE_CAPTURE_VALUES] += 8;
}

static bool put_field(struct encoder *e, uint8_t type, const uint64_t **at, const uint64_t *end)
{
    if (type == ORIEL_TYPE_STR || type == ORIEL_TYPE_BYTES)
        return put_text(e, at, end);
    if (*at == end || type < ORIEL_TYPE_BOOL || type > ORIEL_TYPE_PTR)
        return false;
    uint64_t word = *(*at)++;
    if (type == ORIEL_TYPE_F64)
        put_opaque(e, word);
    else
        put_number(e, type == ORIEL_TYPE_I64 ? wire_zigzag(word) : word);
    return true;
}

static bool put_id(struct encoder *e, const struct wire_capture_stream *p, uint64_t id)
{
    uint64_t z = id ? wire_zigzag(id - wire_stack_top(p)) + 1 : 0;
    put_number(e, z);
    return !id || z;
}

static bool put_sync(struct encoder *e, const struct wire_capture_stream *p, const uint64_t *words,
                     uint32_t count)
{
    if (count < WIRE_SYNC_IDS_AT)
        return false;
    uint64_t depth = words[WIRE_SYNC_DEPTH_AT], previous = 0;
    uint32_t ids = count - WIRE_SYNC_IDS_AT;
    if (ids != (depth < ORIEL_STACK_DEPTH ? depth : ORIEL_STACK_DEPTH))
        return false;
    for (unsigned i = 0; i < ORIEL_LOST_CAUSES; i++)
        put_number(e, words[2 + i] - p->lost[i]);
    put_number(e, depth);
    for (uint32_t i = 0; i < ids; i++) {
        uint64_t id = words[WIRE_SYNC_IDS_AT + i];
        put_number(e, wire_zigzag(id - wire_sync_expected(p, i, previous)));
        previous = id;
    }
    return true;
}

/* The words behind the time stamp. False: they are not as the shape says, and
 * what was put must be taken back. */
static bool put_words(struct encoder *e, const struct wire_capture_stream *p,
                      const struct model_record *r, const char *shape)
{
    const uint64_t *at = r->raw + 2, *end = r->raw + r->words;
    for (; *shape; shape++) {
        if (*shape == 'y')
            return put_sync(e, p, r->raw, r->words);
        if (*shape == 'e')
            continue;
        if (*shape == 'f') {
            for (uint32_t i = 0; i < r->site->field_count; i++)
                if (!put_field(e, r->site->types[i], &at, end))
                    return false;
            continue;
        }
        if (at == end)
            return false;
        if (*shape == 's') {
            if (!put_text(e, &at, end))
                return false;
        } else if (*shape == 'i') {
            if (!put_id(e, p, *at++))
                return false;
        } else if (*shape == 'w') {
            put_opaque(e, *at++);
        } else {
            assert(*shape == 'n' || *shape == 't');
            put_number(e, *shape == 'n' ? *at : wire_zigzag(*at - r->raw[1]));
            at++;
        }
    }
    return at == end;
}

/* ---- one record, the long way ---- */

static inline bool carries_own_id(uint32_t type)
{
    return type == ORIEL_REC_BEGIN || type == ORIEL_REC_OPEN || type == ORIEL_REC_SPAN;
}

/* How raw_id follows from the rest; WIRE_ID_MODES when it does not. */
static uint32_t mode_of(const struct wire_capture_stream *p, const struct model_record *r)
{
    uint64_t own = p->seed + p->position;
    if (carries_own_id(r->type) && r->raw_id == own)
        return WIRE_ID_OWN;
    if (r->type == ORIEL_REC_END) {
        uint32_t low = ORIEL_RECORD_LOW(r->raw[0]);
        uint64_t top = wire_stack_top(p);
        bool expected = p->depth && (uint32_t)top == low;
        uint32_t told = expected ? 0 : WIRE_ID_EXPLICIT_END;
        if (expected && r->raw_id == top)
            return WIRE_ID_RESOLVED;
        if (r->raw_id == wire_id_resolve(own, low))
            return WIRE_ID_RESOLVED | WIRE_ID_EXPLICIT_END;
        return r->raw_id == low ? WIRE_ID_LOW | told : r->raw_id ? WIRE_ID_MODES : told;
    }
    if (r->raw_id && r->words > 2 && r->raw_id == r->raw[2])
        return WIRE_ID_WORD;
    return r->raw_id ? WIRE_ID_MODES : WIRE_ID_ZERO;
}

/* Whether the header is what a reader would make of type, flags and site. */
static bool header_fits(const struct model_record *r, const char *shape)
{
    uint64_t h = r->raw[0];
    uint32_t low = ORIEL_RECORD_LOW(h);
    if (r->words < 2 || (uint32_t)h != (uint32_t)ORIEL_RECORD_HEADER(r->words, r->type, r->flags, 0))
        return false;
    if (wire_shapes[r->type].low == WIRE_LOW_SITE)
        return r->site && r->site->id == low;
    if (r->site || *shape == 'e')
        return !r->site;
    if (*shape == 'i')
        return r->words > 2 && low == (uint32_t)r->raw[2];
    return low == 0;
}

/* Word by word, with everything the model says about it. */
static int put_raw(struct encoder *e, struct encode_stream *s, const struct model_record *r)
{
    uint16_t site = 0;
    if (r->site) {
        int rc = find_site(e, r->site, &site);
        if (rc < 0)
            return rc;
    }
    put_op(e, WIRE_OP_RAW);
    put_number(e, r->words);
    put_number(e, r->site ? site + 1u : 0);
    put_opaque(e, r->t_ns);
    put_opaque(e, r->raw_id);
    for (uint32_t i = 0; i < r->words; i++)
        put_opaque(e, r->raw[i]);
    s->p.position += (uint64_t)r->words * 8;
    return 0;
}

static void put_move(struct encoder *e, struct wire_capture_stream *p,
                     const struct model_record *r)
{
    uint64_t seed = carries_own_id(r->type) && r->raw_id ? r->raw_id - r->position : p->seed;
    if (r->position == p->position && seed == p->seed)
        return;
    put_op(e, WIRE_OP_MOVE);
    put_number(e, wire_zigzag(r->position - p->position));
    put_number(e, wire_zigzag(seed - p->seed));
    p->position = r->position;
    p->seed = seed;
}

static void put_time(struct encoder *e, struct encode_stream *s, const struct model_record *r)
{
    /* A time from outside does not move the clock: expect that of the record before. */
    bool given = r->flags & ORIEL_RECF_HAS_TIME;
    uint64_t expected = clock_map_ns(&e->processes.items[s->process].clock,
                                     given ? s->p.ticks : r->raw[1]);
    if (expected != r->t_ns) {
        put_op(e, WIRE_OP_TIME);
        put_number(e, wire_zigzag(r->t_ns - expected));
    }
}

/* Values in the order in which a reader wants them. */
static bool put_values(struct encoder *e, struct encode_stream *s, const struct model_record *r,
                       const char *shape, uint32_t mode)
{
    struct wire_capture_stream *p = &s->p;
    uint64_t word = r->raw[1];
    if (r->flags & ORIEL_RECF_HAS_TIME)
        put_number(e, wire_zigzag(word - p->given_ns));
    else
        wire_time_put(&e->at[WIRE_CAPTURE_TIMES], &e->at[WIRE_CAPTURE_REST], word - p->ticks);
    if (mode & WIRE_ID_EXPLICIT_END) {
        uint32_t d = ORIEL_RECORD_LOW(r->raw[0]) - (uint32_t)(p->seed + p->position);
        put_number(e, wire_zigzag((uint64_t)(int64_t)(int32_t)d));
    }
    return put_words(e, p, r, shape);
}

/* Bring the prediction behind the record. */
static void follow(struct wire_capture_stream *p, const struct model_record *r, uint32_t mode)
{
    if (r->flags & ORIEL_RECF_HAS_TIME)
        p->given_ns = r->raw[1];
    else
        p->ticks = r->raw[1];
    if (r->type == ORIEL_REC_BEGIN)
        wire_stack_push(p, p->seed + p->position);
    else if (r->type != ORIEL_REC_END)
        wire_stack_follow(p, r->type, r->raw, r->words);
    else if (mode & WIRE_ID_EXPLICIT_END)
        wire_stack_end(p, ORIEL_RECORD_LOW(r->raw[0]));
    else
        wire_stack_pop(p);
    p->position += (uint64_t)r->words * 8;
}

static int encode_record(struct encoder *e, struct encode_stream *s, const struct model_record *r)
{
    assert(r->words >= 1 && r->words <= ORIEL_RECORD_MAX_BYTES / 8);
    const char *shape = wire_capture_shape(r->type, r->flags);
    put_move(e, &s->p, r);
    if (!s->known || !shape || !header_fits(r, shape))
        return put_raw(e, s, r);
    uint32_t mode = mode_of(&s->p, r);
    if (mode == WIRE_ID_MODES)
        return put_raw(e, s, r);
    uint16_t code = 0;
    int rc = find_code(e, r, mode, &code);
    if (rc < 0)
        return rc;
    uint8_t *before[WIRE_CAPTURE_SECTIONS];
    memcpy(before, e->at, sizeof before);
    put_time(e, s, r);
    put_code(e, code);
    if (!put_values(e, s, r, shape, mode)) {
        memcpy(e->at, before, sizeof before);
        return put_raw(e, s, r);
    }
    follow(&s->p, r, mode);
    return 0;
}

/* ---- runs of records of one stream ---- */

/* The short way: begins without fields and ends, as long as everything is as
 * predicted. Which of the two comes next is anybody's guess, so nothing here
 * branches on it, and all that must agree is tested at once: 8 ns per record
 * against 16 with the tests one by one. Returns how many were encoded. */
static size_t encode_plain(struct encoder *e, struct encode_stream *s,
                           const struct model_record *r, size_t n)
{
    struct wire_capture_stream *p = &s->p;
    const struct clock_piece clock = e->processes.items[s->process].clock.now;
    const struct encode_fast *fast = e->fast;
    const uint64_t thread = (uintptr_t)s->thread, seed = p->seed;
    const uint64_t serial = (uint64_t)s->serial << 32;
    uint8_t *op = e->at[WIRE_CAPTURE_OPS], *time = e->at[WIRE_CAPTURE_TIMES];
    uint8_t *rest = e->at[WIRE_CAPTURE_REST];
    uint64_t position = p->position, ticks = p->ticks;
    uint32_t depth = p->depth;
    size_t i = 0;
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
        *op++ = (uint8_t)f->op;
        wire_time_put(&time, &rest, word - ticks);
        ticks = word;
        position += 16;
    }
    p->position = position;
    p->ticks = ticks;
    p->depth = depth;
    e->at[WIRE_CAPTURE_OPS] = op;
    e->at[WIRE_CAPTURE_TIMES] = time;
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
    p->clock = clock_from(now);
    put_op(e, WIRE_OP_CLOCK);
    put_number(e, s->process);
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
        int rc = add_stream(e, r, n, &index);
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
    put_op(e, WIRE_OP_SWITCH);
    put_number(e, index);
    follow_clock(e, &e->streams[index]);
    return 0;
}

static int add_mark(struct encoder *e)
{
    e->until_mark = MARK_RECORDS;
    if (encoder_bytes(e) >= e->chunk_bytes)
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
    out->syncs = e->syncs;
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
    if (s->known && !s->covered && wire_clock_is_sane(&e->processes.items[s->process].clock.now))
        plain = encode_plain(e, s, r, most);
    e->until_mark -= (int32_t)plain;
    if (plain == 0) {
        int rc = encode_record(e, s, r);
        if (rc < 0)
            return rc;
        e->until_mark -= 1 + r->words / 16;
        e->syncs += r->type == ORIEL_REC_SYNC;
        plain = 1;
    }
    e->records += (uint32_t)plain;
    *at += plain;
    return 0;
}

int encoder_add(struct encoder *e, const struct model_batch *batch, size_t *at)
{
    size_t n = batch->record_count;
    if (!reserve_memo(e))
        return ORIEL_ENOMEM;
    if (*at < n && e->records == 0)
        e->first_ns = batch->records[*at].t_ns;
    if (e->run_stream != UINT32_MAX)
        follow_clock(e, &e->streams[e->run_stream]);
    while (*at < n) {
        int rc = e->until_mark <= 0 ? add_mark(e) : 0;
        if (rc == 0)
            rc = add_some(e, batch->records, n, at);
        if (rc < 0)
            return rc;
    }
    if (n)
        e->last_ns = batch->records[n - 1].t_ns;
    if (batch->watermark_ns != e->watermark && batch->watermark_ns && e->records)
        put_watermark(e, batch->watermark_ns);
    return 0;
}
