/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One record the long way: whatever differs from what was predicted is said,
 * and a record that fits no shape is stored word by word, so that nothing is
 * ever refused for what it contains. source/file/decode.c is the mirror of it.
 * One thread at a time.
 */
#include "export/capture/encode.h"

#include <assert.h>

#include "base/err.h"
#include "wire/record.h"

static void put_code(struct encoder *e, uint32_t code)
{
    if (code < WIRE_OP_SHORT_CODES) {
        encoder_put_op(e, (uint8_t)(WIRE_OP_CODE + code));
        return;
    }
    code -= WIRE_OP_SHORT_CODES;
    encoder_put_op(e, (uint8_t)(WIRE_OP_CODE_LONG + (code >> 8)));
    encoder_put_op(e, (uint8_t)code);
}

/* A str or bytes value; false when it is not as the wire has it. */
static bool put_text(struct encoder *e, const uint64_t **at, const uint64_t *end)
{
    if (*at == end)
        return false;
    uint32_t stored = (uint32_t) * *at, original = (uint32_t)(**at >> 32);
    uint32_t words = (stored + 7) / 8;
    const uint64_t *bytes = *at + 1;
    if (stored > original || stored > ORIEL_STRING_MAX_BYTES || words > (size_t)(end - bytes))
        return false;
    if (stored % 8 && bytes[words - 1] >> (stored % 8 * 8))
        return false; /* padding is not zero */
    encoder_put_number(e, (uint64_t)stored << 1 | (original != stored));
    if (original != stored)
        encoder_put_number(e, original);
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
        encoder_put_number(e, type == ORIEL_TYPE_I64 ? wire_zigzag(word) : word);
    return true;
}

static bool put_id(struct encoder *e, const struct wire_capture_stream *p, uint64_t id)
{
    uint64_t z = id ? wire_zigzag(id - wire_stack_top(p)) + 1 : 0;
    encoder_put_number(e, z);
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
        encoder_put_number(e, words[2 + i] - p->lost[i]);
    encoder_put_number(e, depth);
    for (uint32_t i = 0; i < ids; i++) {
        uint64_t id = words[WIRE_SYNC_IDS_AT + i];
        encoder_put_number(e, wire_zigzag(id - wire_sync_expected(p, i, previous)));
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
        } else if (*shape == 'k') {
            uint32_t stack = 0;
            (void)encoder_find_stack(e, (uint32_t)*at++, &stack); /* it is there already */
            encoder_put_number(e, stack);
        } else if (*shape == 'w') {
            put_opaque(e, *at++);
        } else {
            assert(*shape == 'n' || *shape == 't');
            encoder_put_number(e, *shape == 'n' ? *at : wire_zigzag(*at - r->raw[1]));
            at++;
        }
    }
    return at == end;
}

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
    if (r->words < 2 ||
        (uint32_t)h != (uint32_t)ORIEL_RECORD_HEADER(r->words, r->type, r->flags, 0))
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
        int rc = encoder_find_site(e, r->site, &site);
        if (rc < 0)
            return rc;
    }
    encoder_put_op(e, WIRE_OP_RAW);
    encoder_put_number(e, r->words);
    encoder_put_number(e, r->site ? site + 1u : 0);
    put_opaque(e, r->t_ns);
    put_opaque(e, r->raw_id);
    for (uint32_t i = 0; i < r->words; i++)
        put_opaque(e, r->raw[i]);
    s->p.position += (uint64_t)r->words * 8;
    return 0;
}

static void put_move(struct encoder *e, struct wire_capture_stream *p, const struct model_record *r)
{
    uint64_t seed = carries_own_id(r->type) && r->raw_id ? r->raw_id - r->position : p->seed;
    if (r->position == p->position && seed == p->seed)
        return;
    encoder_put_op(e, WIRE_OP_MOVE);
    encoder_put_number(e, wire_zigzag(r->position - p->position));
    encoder_put_number(e, wire_zigzag(seed - p->seed));
    p->position = r->position;
    p->seed = seed;
}

static void put_time(struct encoder *e, struct encode_stream *s, const struct model_record *r)
{
    /* A time from outside does not move the clock: expect that of the record before. */
    bool given = r->flags & ORIEL_RECF_HAS_TIME;
    uint64_t expected =
        clock_map_ns(&e->processes.items[s->process].clock, given ? s->p.ticks : r->raw[1]);
    if (expected != r->t_ns) {
        encoder_put_op(e, WIRE_OP_TIME);
        encoder_put_number(e, wire_zigzag(r->t_ns - expected));
    }
}

/* Values in the order in which a reader wants them. */
static bool put_values(struct encoder *e, struct encode_stream *s, const struct model_record *r,
                       const char *shape, uint32_t mode)
{
    struct wire_capture_stream *p = &s->p;
    uint64_t word = r->raw[1];
    if (r->flags & ORIEL_RECF_HAS_TIME)
        encoder_put_number(e, wire_zigzag(word - p->given_ns));
    else
        *e->at[WIRE_CAPTURE_TIMES]++ = wire_time_put(&e->at[WIRE_CAPTURE_REST], word - p->ticks);
    if (mode & WIRE_ID_EXPLICIT_END) {
        uint32_t d = ORIEL_RECORD_LOW(r->raw[0]) - (uint32_t)(p->seed + p->position);
        encoder_put_number(e, wire_zigzag((uint64_t)(int64_t)(int32_t)d));
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

int encoder_put_record(struct encoder *e, struct encode_stream *s, const struct model_record *r)
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
    uint32_t stack;
    int rc = encoder_find_code(e, r, mode, &code);
    if (rc == 0 && r->type == ORIEL_REC_SAMPLE)
        rc = encoder_find_stack(e, (uint32_t)r->raw[2], &stack);
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
