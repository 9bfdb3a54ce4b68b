/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Columns back to records, word for word as they were. Ops steer; what an op
 * does not say is predicted by the same functions that the writer used. Plain
 * begins and ends take the short way (decode_plain). Untrusted bytes: whatever
 * does not fit ends the chunk, and what is left of it is counted. One thread.
 */
#include "source/file/file.h"

#include <assert.h>
#include <stddef.h>

#include "base/err.h"
#include "wire/record.h"

enum {
    RECORD_WORDS = ORIEL_RECORD_MAX_BYTES / 8,
    POOL_WORDS = 8192, /* taken from the arena at a time */
    MORE = 1
};

void decoder_init(struct decoder *d, struct model_catalog *catalog, uint64_t budget)
{
    memset(d, 0, sizeof *d);
    d->catalog = catalog;
    d->budget = budget;
    buf_init(&d->raw);
}

void decoder_done(struct decoder *d)
{
    buf_done(&d->raw);
    VEC_DONE(&d->texts);
    VEC_DONE(&d->processes);
    VEC_DONE(&d->threads);
    VEC_DONE(&d->sites);
    VEC_DONE(&d->codes);
    VEC_DONE(&d->streams);
    VEC_DONE(&d->modules);
    VEC_DONE(&d->places);
    VEC_DONE(&d->nodes);
    map_done(&d->process_by_key);
}

/* ---- a chunk ---- */

/* Sections one after the other in d->raw, each followed by a margin; `at` gets
 * their offsets. */
static int unpack(struct decoder *d, struct zip *zip, const struct wire_capture_dir *dir,
                  const uint8_t *payload, size_t at[WIRE_CAPTURE_SECTIONS])
{
    static const char margin[DECODE_MARGIN];
    const uint8_t *p = payload + WIRE_CAPTURE_DIR_BYTES;
    buf_clear(&d->raw);
    for (unsigned i = 0; i < WIRE_CAPTURE_SECTIONS; i++) {
        int rc = 0;
        at[i] = d->raw.size;
        if (dir->stored[i] == dir->raw[i])
            buf_put(&d->raw, p, dir->raw[i]);
        else
            rc = zip_decompress(zip, p, dir->stored[i], dir->raw[i], &d->raw);
        if (rc < 0)
            return rc == ORIEL_ENOMEM ? rc : ORIEL_EDAMAGED;
        if (d->raw.failed)
            return ORIEL_ENOMEM;
        if (d->raw.size - at[i] != dir->raw[i])
            return ORIEL_EDAMAGED;
        buf_put(&d->raw, margin, sizeof margin);
        p += dir->stored[i];
    }
    return d->raw.failed ? ORIEL_ENOMEM : 0;
}

int decoder_begin(struct decoder *d, struct zip *zip, const struct wire_capture_frame *f,
                  const uint8_t *payload)
{
    struct wire_capture_dir dir;
    size_t at[WIRE_CAPTURE_SECTIONS];
    d->records_left = f->records;
    d->watermark_ns = f->watermark_ns;
    d->stream = UINT32_MAX;
    d->shift_ns = 0;
    if (wire_capture_dir_get(payload, f->stored_bytes, f->raw_bytes, &dir) < 0)
        return ORIEL_EDAMAGED;
    int rc = unpack(d, zip, &dir, payload, at);
    if (rc < 0)
        return rc;
    const uint8_t *raw = (const uint8_t *)d->raw.data;
    rc = decoder_tables(d, raw + at[WIRE_CAPTURE_TABLES], dir.raw[WIRE_CAPTURE_TABLES]);
    if (rc < 0)
        return rc;
    d->op = raw + at[WIRE_CAPTURE_OPS];
    d->op_end = d->op + dir.raw[WIRE_CAPTURE_OPS];
    d->time = raw + at[WIRE_CAPTURE_TIMES];
    d->time_end = d->time + dir.raw[WIRE_CAPTURE_TIMES];
    d->rest = raw + at[WIRE_CAPTURE_REST];
    d->rest_end = d->rest + dir.raw[WIRE_CAPTURE_REST];
    d->values.at = raw + at[WIRE_CAPTURE_VALUES];
    d->values.end = d->values.at + dir.raw[WIRE_CAPTURE_VALUES];
    d->values.failed = false;
    return 0;
}

void decoder_new_batch(struct decoder *d)
{
    d->pool = d->pool_end = NULL;
    d->pool_bytes = 0;
}

/* Room for the words of one record of any size. */
static bool reserve_pool(struct decoder *d, struct model_batch *batch, size_t words)
{
    if ((size_t)(d->pool_end - d->pool) >= words)
        return true;
    d->pool = arena_alloc(&batch->arena, POOL_WORDS * sizeof *d->pool, _Alignof(uint64_t));
    if (!d->pool) {
        d->pool_end = NULL;
        return false;
    }
    d->pool_end = d->pool + POOL_WORDS;
    d->pool_bytes += POOL_WORDS * sizeof *d->pool;
    return true;
}

/* ---- the short way ---- */

/* A time's symbol (wire_time_put) by a table: its high bits where they belong, and
 * which bits of the rest are the low ones. The one of eight bytes is for the long
 * way; here it is a step that leaves every line of a clock. */
struct time_parts {
    uint64_t high, low;
};
#define PARTS_1(s)                                                                                 \
    {                                                                                              \
        (s) == 0xff ? UINT64_C(1) << 60 : (uint64_t)((s)&63u) << 8 * ((s) >> 6),                   \
            (UINT64_C(1) << 8 * ((s) >> 6)) - 1                                                    \
    }
#define PARTS_4(s) PARTS_1(s), PARTS_1((s) + 1), PARTS_1((s) + 2), PARTS_1((s) + 3)
#define PARTS_16(s) PARTS_4(s), PARTS_4((s) + 4), PARTS_4((s) + 8), PARTS_4((s) + 12)
#define PARTS_64(s) PARTS_16(s), PARTS_16((s) + 16), PARTS_16((s) + 32), PARTS_16((s) + 48)
static const struct time_parts time_parts[256] = {PARTS_64(0u), PARTS_64(64u), PARTS_64(128u),
                                                  PARTS_64(192u)};

_Static_assert(offsetof(struct model_record, type) == offsetof(struct model_record, words) + 2 &&
                   offsetof(struct model_record, flags) == offsetof(struct model_record, words) + 3,
               "the three are stored as one");

/* Begins without fields and ends, until another op comes, `n` are done, or a
 * section ends. Returns how many records were made; they are at out[0..). */
__attribute__((noinline)) static size_t decode_plain(struct decoder *d, struct model_record *out,
                                                     size_t n)
{
    struct decode_stream *s = &d->streams.items[d->stream];
    struct wire_capture_stream *p = &s->p;
    struct wire_clock_line found;
    if (!wire_clock_line(&d->processes.items[s->process].clock, p->ticks, &found))
        return 0;
    const struct wire_clock_line clock = found; /* nobody has its address */
    const struct decode_plain *const plain = d->plain;
    const struct model_thread *const thread = s->thread;
    const uint32_t serial = s->serial;
    const uint8_t *const rest_end = d->rest_end;
    const uint8_t *op = d->op, *rest = d->rest;
    const ptrdiff_t to_time = d->time - op; /* one step for both */
    uint64_t *pool = d->pool, ticks = p->ticks;
    uint32_t depth = p->depth;
    /* Each record takes one op, one time, at most 3 bytes of the rest (the margin
     * covers reading 8), and two words. */
    if (n > (size_t)(d->op_end - op))
        n = (size_t)(d->op_end - op);
    if (n > (size_t)(d->time_end - d->time))
        n = (size_t)(d->time_end - d->time);
    if (n > (size_t)(d->pool_end - pool) / 2)
        n = (size_t)(d->pool_end - pool) / 2;
    if (rest > rest_end)
        n = 0;
    /* A record takes as many bytes in its stream as in the pool. */
    uint64_t *const stop = pool + 2 * n;
    const uint64_t to_position = p->position - (uintptr_t)pool, to_id = p->seed + to_position;
    for (; pool != stop; op++, out++, pool += 2) {
        const struct decode_plain *const c = &plain[*op];
        const uint32_t symbol = op[to_time], low = symbol >> 6;
        if (depth < c->needs || rest + low > rest_end)
            break;
        const struct time_parts *const parts = &time_parts[symbol];
        const uint64_t word = ticks + (parts->high | (wire_get64(rest) & parts->low));
        uint64_t unusual;
        out->t_ns = wire_clock_ns(&clock, word, &unusual);
        if (unusual)
            break;
        const uint64_t own = (uintptr_t)pool + to_id, end = c->end;
        const uint64_t top = p->stack[(depth - 1) % WIRE_STACK_RING];
        p->stack[depth % WIRE_STACK_RING] = own; /* dead if this is an end */
        depth += 1 + 2 * (uint32_t)end;
        rest += low;
        ticks = word;
        pool[0] = c->header | (top << 32 & end);
        pool[1] = word;
        out->raw_id = wire_select(end, top, own);
        out->position = (uintptr_t)pool + to_position;
        out->raw = pool;
        out->site = c->site;
        out->thread = thread;
        memcpy((char *)out + offsetof(struct model_record, words), &c->kind, sizeof c->kind);
        out->stream = serial;
    }
    const size_t made = (size_t)(op - d->op);
    p->position = (uintptr_t)pool + to_position;
    p->ticks = ticks;
    p->depth = depth;
    d->op = op;
    d->time += made;
    d->rest = rest;
    d->pool = pool;
    return made;
}

/* ---- the long way ---- */

/* Words of the record being made. */
struct maker {
    struct decoder *d;
    struct wire_capture_stream *p;
    uint64_t *words;
    uint32_t count;
    bool failed;
};

static void put_word(struct maker *m, uint64_t v)
{
    if (m->count < RECORD_WORDS)
        m->words[m->count++] = v;
    else
        m->failed = true;
}

static void make_text(struct maker *m)
{
    struct wire_cursor *c = &m->d->values;
    uint64_t n = wire_number_get(c), stored = n >> 1;
    uint64_t original = n & 1 ? wire_number_get(c) : stored;
    uint32_t words = (uint32_t)((stored + 7) / 8);
    if (stored > ORIEL_STRING_MAX_BYTES || original > UINT32_MAX || original < stored ||
        m->count + 1 + words > RECORD_WORDS) {
        m->failed = true;
        return;
    }
    const uint8_t *bytes = wire_bytes_get(c, stored);
    if (!bytes)
        return;
    put_word(m, original << 32 | stored);
    if (words)
        m->words[m->count + words - 1] = 0;
    memcpy(m->words + m->count, bytes, stored);
    m->count += words;
}

static void make_fields(struct maker *m, const struct model_site *site)
{
    struct wire_cursor *c = &m->d->values;
    for (uint32_t i = 0; i < site->field_count; i++) {
        uint8_t type = site->types[i];
        if (type == ORIEL_TYPE_STR || type == ORIEL_TYPE_BYTES)
            make_text(m);
        else if (type == ORIEL_TYPE_F64)
            put_word(m, wire_word_get(c));
        else if (type == ORIEL_TYPE_I64)
            put_word(m, wire_unzigzag(wire_number_get(c)));
        else
            put_word(m, wire_number_get(c));
    }
}

static void make_sync(struct maker *m)
{
    struct wire_cursor *c = &m->d->values;
    uint64_t previous = 0;
    for (unsigned i = 0; i < ORIEL_LOST_CAUSES; i++)
        put_word(m, m->p->lost[i] + wire_number_get(c));
    uint64_t depth = wire_number_get(c);
    put_word(m, depth);
    uint32_t ids = depth < ORIEL_STACK_DEPTH ? (uint32_t)depth : ORIEL_STACK_DEPTH;
    for (uint32_t i = 0; i < ids; i++) {
        previous = wire_sync_expected(m->p, i, previous) + wire_unzigzag(wire_number_get(c));
        put_word(m, previous);
    }
}

static void make_words(struct maker *m, const struct decode_code *code)
{
    struct wire_cursor *c = &m->d->values;
    for (const char *shape = code->shape; *shape; shape++) {
        uint64_t v;
        switch (*shape) {
        case 'y':
            make_sync(m);
            break;
        case 'f':
            make_fields(m, code->site);
            break;
        case 's':
            make_text(m);
            break;
        case 'i':
            v = wire_number_get(c);
            put_word(m, v ? wire_stack_top(m->p) + wire_unzigzag(v - 1) : 0);
            break;
        case 'k': /* 0 is the empty one */
            v = wire_number_get(c);
            m->failed |= v > m->d->nodes.count;
            put_word(m, v && !m->failed ? m->d->nodes.items[v - 1] : 0);
            break;
        case 'w':
            put_word(m, wire_word_get(c));
            break;
        case 'n':
            put_word(m, wire_number_get(c));
            break;
        case 't':
            put_word(m, m->words[1] + wire_unzigzag(wire_number_get(c)));
            break;
        default:
            assert(*shape == 'e');
        }
    }
}

/* Word 1, and the time the model gives it. */
static bool make_time(struct decoder *d, const struct decode_stream *s,
                      const struct decode_code *code, uint64_t *out_word, uint64_t *out_ns)
{
    const struct clock_map *clock = &d->processes.items[s->process].clock;
    if (code->flags & ORIEL_RECF_HAS_TIME) {
        *out_word = s->p.given_ns + wire_unzigzag(wire_number_get(&d->values));
        *out_ns = clock_map_ns(clock, s->p.ticks) + d->shift_ns;
    } else {
        if (d->time == d->time_end || d->rest > d->rest_end)
            return false;
        *out_word = s->p.ticks + wire_time_get(*d->time++, &d->rest);
        *out_ns = clock_map_ns(clock, *out_word) + d->shift_ns;
    }
    d->shift_ns = 0;
    return d->rest <= d->rest_end;
}

/* Low half of a header, and for an END the span it closes. */
static uint32_t make_low(struct decoder *d, struct decode_stream *s, const struct decode_code *code,
                         uint64_t *out_id, bool *ok)
{
    uint64_t own = s->p.seed + s->p.position;
    if (code->site)
        return code->site->id;
    if (code->type != ORIEL_REC_END)
        return 0;
    if (!(code->mode & WIRE_ID_EXPLICIT_END)) {
        *ok = s->p.depth > 0;
        *out_id = wire_stack_top(&s->p);
        return (uint32_t)*out_id;
    }
    uint32_t low = (uint32_t)own + (uint32_t)wire_unzigzag(wire_number_get(&d->values));
    *out_id = wire_id_resolve(own, low);
    return low;
}

/* Bring the prediction behind the record; the mirror of the encoder's. */
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

/* One record by its code into *out. False: the chunk is damaged here. */
static bool decode_code(struct decoder *d, const struct decode_code *code, struct model_record *out)
{
    struct decode_stream *s = &d->streams.items[d->stream];
    struct maker m = {.d = d, .p = &s->p, .words = d->pool, .count = 2};
    uint64_t id = 0;
    bool ok = true;
    if (!s->known || !make_time(d, s, code, &d->pool[1], &out->t_ns))
        return false;
    uint32_t low = make_low(d, s, code, &id, &ok);
    make_words(&m, code);
    if (!ok || m.failed || d->values.failed)
        return false;
    if (code->shape[0] == 'i' && !code->site)
        low = (uint32_t)m.words[2];
    m.words[0] = ORIEL_RECORD_HEADER(m.count, code->type, code->flags, low);
    if (wire_record_check(m.words, m.count, code->site ? code->site->types : NULL,
                          code->site ? code->site->field_count : 0) != m.count)
        return false;
    switch (code->mode & 7) {
    case WIRE_ID_OWN:
        out->raw_id = s->p.seed + s->p.position;
        break;
    case WIRE_ID_WORD:
        out->raw_id = m.words[2];
        break;
    case WIRE_ID_RESOLVED:
        out->raw_id = id;
        break;
    case WIRE_ID_LOW:
        out->raw_id = low;
        break;
    default:
        out->raw_id = 0;
    }
    out->position = s->p.position;
    out->raw = m.words;
    out->site = code->site;
    out->thread = s->thread;
    out->words = (uint16_t)m.count;
    out->type = code->type;
    out->flags = code->flags;
    out->stream = s->serial;
    d->pool += m.count;
    follow(&s->p, out, code->mode);
    return true;
}

/* A record stored word by word. */
static bool decode_raw(struct decoder *d, struct model_record *out)
{
    struct decode_stream *s = &d->streams.items[d->stream];
    struct wire_cursor *c = &d->values;
    uint64_t words = wire_number_get(c), site = wire_number_get(c);
    out->t_ns = wire_word_get(c);
    out->raw_id = wire_word_get(c);
    const uint8_t *bytes = words <= RECORD_WORDS ? wire_bytes_get(c, words * 8) : NULL;
    if (!bytes || words == 0 || site > d->sites.count)
        return false;
    out->site = site ? d->sites.items[site - 1] : NULL;
    memcpy(d->pool, bytes, words * 8);
    if (wire_record_check(d->pool, (uint32_t)words, out->site ? out->site->types : NULL,
                          out->site ? out->site->field_count : 0) != words)
        return false;
    out->position = s->p.position;
    out->raw = d->pool;
    out->thread = s->thread;
    out->words = (uint16_t)words;
    out->type = (uint8_t)ORIEL_RECORD_TYPE(d->pool[0]);
    out->flags = (uint8_t)ORIEL_RECORD_FLAGS(d->pool[0]);
    out->stream = s->serial;
    if (out->site && !wire_record_has_site(out->type))
        return false;
    if (out->type == ORIEL_REC_SAMPLE)
        d->pool[2] = 0; /* a number of the writer's catalog says nothing here */
    d->pool += words;
    s->p.position += words * 8;
    return true;
}

static bool set_clock(struct decoder *d)
{
    uint64_t process = wire_number_get(&d->values);
    struct clock_map clock;
    wire_clock_get(&d->values, &clock);
    if (d->values.failed || process >= d->processes.count)
        return false;
    struct decode_process *p = &d->processes.items[process];
    p->clock = clock;
    p->process->clock = (struct model_clock){clock.now, clock.before};
    return true;
}

/* An op that makes no record. */
static bool steer(struct decoder *d, uint8_t op)
{
    struct wire_cursor *c = &d->values;
    uint64_t v = 0;
    if (op == WIRE_OP_SWITCH) {
        v = wire_number_get(c);
        if (v >= d->streams.count)
            return false;
        d->stream = (uint32_t)v;
        return !c->failed;
    }
    if (op == WIRE_OP_CLOCK)
        return set_clock(d);
    if (op == WIRE_OP_WATERMARK) {
        d->watermark_ns += wire_unzigzag(wire_number_get(c));
        d->at_watermark = true;
        return !c->failed;
    }
    if (d->stream == UINT32_MAX)
        return false;
    if (op == WIRE_OP_MOVE) {
        struct wire_capture_stream *p = &d->streams.items[d->stream].p;
        p->position += wire_unzigzag(wire_number_get(c));
        p->seed += wire_unzigzag(wire_number_get(c));
        return !c->failed;
    }
    if (op == WIRE_OP_TIME) {
        d->shift_ns = wire_unzigzag(wire_number_get(c));
        return !c->failed;
    }
    return false;
}

/* One op that is not plain, and the record it makes, if any. */
static int decode_op(struct decoder *d, struct model_batch *batch)
{
    uint8_t op = *d->op++;
    if (op < WIRE_OP_CODE && op != WIRE_OP_RAW)
        return steer(d, op) ? 0 : ORIEL_EDAMAGED;
    if (d->stream == UINT32_MAX || d->records_left == 0)
        return ORIEL_EDAMAGED;
    if (!reserve_pool(d, batch, RECORD_WORDS))
        return ORIEL_ENOMEM;
    struct model_record *out = model_batch_add_record(batch);
    if (!out)
        return ORIEL_ENOMEM;
    bool ok = false;
    if (op == WIRE_OP_RAW) {
        ok = decode_raw(d, out);
    } else {
        uint32_t code = op - (uint32_t)WIRE_OP_CODE;
        if (op >= WIRE_OP_CODE_LONG)
            code = d->op == d->op_end
                       ? UINT32_MAX
                       : WIRE_OP_SHORT_CODES + ((op - (uint32_t)WIRE_OP_CODE_LONG) << 8) + *d->op++;
        ok = code < d->codes.count && decode_code(d, &d->codes.items[code], out);
    }
    if (!ok) {
        batch->record_count--;
        return ORIEL_EDAMAGED;
    }
    d->records_left--;
    d->at_watermark = false;
    return 0;
}

/* Plain records into the batch; 0 when the next op is of another kind. */
static int decode_run(struct decoder *d, struct model_batch *batch, size_t max_records)
{
    if (d->plain[*d->op].needs == UINT32_MAX || d->stream == UINT32_MAX || d->shift_ns)
        return 0;
    const struct decode_stream *s = &d->streams.items[d->stream];
    if (!s->known)
        return 0;
    size_t n = max_records - batch->record_count;
    if (n > d->records_left)
        n = d->records_left;
    if (n > batch->record_capacity - batch->record_count)
        n = batch->record_capacity - batch->record_count;
    if (!reserve_pool(d, batch, 2))
        return ORIEL_ENOMEM;
    size_t made = decode_plain(d, batch->records + batch->record_count, n);
    batch->record_count += made;
    d->records_left -= (uint32_t)made;
    d->at_watermark &= made == 0;
    return made > 0;
}

bool decoder_is_enough(const struct decoder *d, const struct model_batch *batch, size_t max_records)
{
    size_t n = batch->record_count;
    return n >= max_records || d->pool_bytes >= DECODE_BATCH_BYTES ||
           (d->at_watermark && n >= max_records / DECODE_SHARE);
}

int decoder_next(struct decoder *d, struct model_batch *batch, size_t max_records)
{
    while (d->op < d->op_end) {
        if (decoder_is_enough(d, batch, max_records))
            return MORE;
        /* Grow by a bound that the chunk can fill, not by what is asked for. */
        if (batch->record_count == batch->record_capacity && !model_batch_reserve_records(batch, 1))
            return ORIEL_ENOMEM;
        int rc = decode_run(d, batch, max_records);
        if (rc == 0)
            rc = decode_op(d, batch);
        if (rc < 0)
            return rc;
        if (d->rest > d->rest_end)
            return ORIEL_EDAMAGED;
    }
    return d->records_left ? ORIEL_EDAMAGED : 0;
}
