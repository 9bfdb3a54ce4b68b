/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Capture framing and the parts of its coding that are not on the fast path.
 * Pure functions over bytes; nothing here allocates or does I/O.
 */
#include "wire/capture.h"

#include "base/err.h"

void wire_capture_frame_put(uint8_t out[WIRE_CAPTURE_FRAME_BYTES],
                            const struct wire_capture_frame *f)
{
    assert(f->stored_bytes <= WIRE_CAPTURE_STORED_MAX);
    assert(f->raw_bytes <= WIRE_CAPTURE_RAW_MAX);
    memcpy(out, WIRE_CAPTURE_MAGIC, 8);
    wire_put32(out + 8, f->stored_bytes);
    wire_put32(out + 12, f->raw_bytes);
    wire_put64(out + 16, f->seq);
    wire_put64(out + 24, f->records_before);
    wire_put32(out + 32, f->records);
    out[36] = f->type;
    out[37] = f->flags;
    out[38] = out[39] = 0;
    wire_put64(out + 40, f->watermark_ns);
    wire_put64(out + 48, f->session_tag);
    wire_put32(out + 56, f->payload_crc);
    wire_put32(out + WIRE_CAPTURE_FRAME_CRC_AT, 0);
}

int wire_capture_frame_get(const uint8_t in[WIRE_CAPTURE_FRAME_BYTES],
                           struct wire_capture_frame *out)
{
    if (memcmp(in, WIRE_CAPTURE_MAGIC, 7) != 0)
        return ORIEL_EFORMAT;
    if (in[7] != WIRE_CAPTURE_VERSION)
        return ORIEL_EVERSION;
    struct wire_capture_frame f = {
        .stored_bytes = wire_get32(in + 8),
        .raw_bytes = wire_get32(in + 12),
        .seq = wire_get64(in + 16),
        .records_before = wire_get64(in + 24),
        .records = wire_get32(in + 32),
        .type = in[36],
        .flags = in[37],
        .watermark_ns = wire_get64(in + 40),
        .session_tag = wire_get64(in + 48),
        .payload_crc = wire_get32(in + 56),
    };
    if (f.stored_bytes > WIRE_CAPTURE_STORED_MAX || f.raw_bytes > WIRE_CAPTURE_RAW_MAX)
        return ORIEL_EFORMAT;
    *out = f;
    return 0;
}

void wire_capture_dir_put(uint8_t out[WIRE_CAPTURE_DIR_BYTES], const struct wire_capture_dir *d)
{
    for (unsigned i = 0; i < WIRE_CAPTURE_SECTIONS; i++) {
        assert(d->stored[i] <= d->raw[i]);
        wire_put32(out + 8 * i, d->raw[i]);
        wire_put32(out + 8 * i + 4, d->stored[i]);
    }
}

int wire_capture_dir_get(const uint8_t *in, uint32_t stored, uint32_t raw,
                         struct wire_capture_dir *out)
{
    struct wire_capture_dir d;
    uint64_t stored_sum = WIRE_CAPTURE_DIR_BYTES, raw_sum = 0;
    if (stored < WIRE_CAPTURE_DIR_BYTES)
        return ORIEL_EFORMAT;
    for (unsigned i = 0; i < WIRE_CAPTURE_SECTIONS; i++) {
        d.raw[i] = wire_get32(in + 8 * i);
        d.stored[i] = wire_get32(in + 8 * i + 4);
        if (d.stored[i] > d.raw[i])
            return ORIEL_EFORMAT;
        stored_sum += d.stored[i];
        raw_sum += d.raw[i];
    }
    if (stored_sum != stored || raw_sum != raw)
        return ORIEL_EFORMAT;
    *out = d;
    return 0;
}

void wire_capture_last_words_put(uint8_t out[WIRE_CAPTURE_SLOT_BYTES],
                                 const struct wire_capture_last_words *w)
{
    memset(out, 0, WIRE_CAPTURE_SLOT_BYTES);
    memcpy(out, w, sizeof *w); /* words only, little-endian: no padding, no conversion */
}

void wire_capture_last_words_get(const uint8_t in[WIRE_CAPTURE_SLOT_BYTES],
                                 struct wire_capture_last_words *out)
{
    memcpy(out, in, sizeof *out);
}

/* Numbers of nine bytes, and those so near the end that 8 cannot be loaded. */
uint64_t wire_number_get_slow(struct wire_cursor *c)
{
    if (c->failed || c->at == c->end) {
        c->failed = true;
        return 0;
    }
    unsigned n = *c->at ? (unsigned)__builtin_ctz(*c->at) + 1 : 9;
    const uint8_t *p = wire_bytes_get(c, n);
    if (!p)
        return 0;
    if (n == 9)
        return wire_get64(p + 1);
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v >> n;
}

/* The older piece is told relative to the newer one: mostly the two are equal. */
uint8_t *wire_clock_put(uint8_t *p, const struct clock_map *m)
{
    p = wire_number_put(p, m->now.base_ticks);
    p = wire_number_put(p, m->now.base_ns);
    p = wire_number_put(p, m->now.mult);
    p = wire_number_put(p, wire_zigzag(m->now.base_ticks - m->before.base_ticks));
    p = wire_number_put(p, wire_zigzag(m->now.base_ns - m->before.base_ns));
    return wire_number_put(p, wire_zigzag(m->now.mult - m->before.mult));
}

void wire_clock_get(struct wire_cursor *c, struct clock_map *out)
{
    memset(out, 0, sizeof *out);
    out->now.base_ticks = wire_number_get(c);
    out->now.base_ns = wire_number_get(c);
    out->now.mult = wire_number_get(c);
    out->before.base_ticks = out->now.base_ticks - wire_unzigzag(wire_number_get(c));
    out->before.base_ns = out->now.base_ns - wire_unzigzag(wire_number_get(c));
    out->before.mult = out->now.mult - wire_unzigzag(wire_number_get(c));
}

bool wire_clock_line(const struct clock_map *m, uint64_t ticks, struct wire_clock_line *out)
{
    const uint64_t far = UINT64_C(1) << 52; /* weeks */
    bool newer = (int64_t)(ticks - m->now.base_ticks) >= 0;
    const struct clock_piece *p = newer ? &m->now : &m->before;
    uint64_t between = m->now.base_ticks - m->before.base_ticks;
    bool early = !newer && (int64_t)(ticks - p->base_ticks) < 0;
    if ((!newer && between >> 62) || p->mult >> 40 || p->base_ns >> 62)
        return false; /* below, no sum goes over */
    *out = (struct wire_clock_line){(unsigned __int128)p->base_ns << 32, p->base_ticks, p->mult,
                                    newer || between > far ? far : between};
    if (!early)
        return true;
    /* Backwards the clock rounds towards its base, which is up. */
    const unsigned __int128 span = (unsigned __int128)far * p->mult;
    if (span > out->base)
        return false;
    out->base += UINT32_MAX - span;
    out->base_ticks -= far;
    out->limit = far;
    return true;
}

const char *wire_capture_shape(uint32_t type, uint32_t flags)
{
    static const char *const shapes[ORIEL_REC_MAX + 1] = {
        [ORIEL_REC_SYNC] = "y",
        [ORIEL_REC_BEGIN] = "f",
        [ORIEL_REC_END] = "e",
        [ORIEL_REC_SET] = "if",
        [ORIEL_REC_EVENT] = "f",
        [ORIEL_REC_OPEN] = "if",
        [ORIEL_REC_CLOSE] = "i",
        [ORIEL_REC_ENTER] = "i",
        [ORIEL_REC_EXIT] = "i",
        [ORIEL_REC_LINK] = "iwwwn",
        [ORIEL_REC_STATUS] = "ins",
        [ORIEL_REC_SPAN] = "tif",
        [ORIEL_REC_PLOT] = "f",
        [ORIEL_REC_FRAME] = "",
        [ORIEL_REC_TASK] = "nn",
        [ORIEL_REC_THREAD] = "s",
        [ORIEL_REC_ATTACH] = "wwwn",
        [ORIEL_REC_DETACH] = "",
        [ORIEL_REC_TRIGGER] = "s",
        [ORIEL_REC_FOLLOW] = "ii",
        [ORIEL_REC_SAMPLE] = "knnn",
        [ORIEL_REC_HEAP] = "nnnn",
        [ORIEL_REC_TOLD] = "iwwwnf",
        [ORIEL_REC_TOLD_LOG] = "wwwnf",
        [ORIEL_REC_TOLD_LINK] = "iwwwnf",
        [ORIEL_REC_STATE] = "is",
        [ORIEL_REC_MORE] = "ns",
        [ORIEL_REC_NAME] = "is",
        /* These stay in the ring: streams of a capture have owners, samples stacks. */
        [ORIEL_REC_OWNER] = "ns",
        [ORIEL_REC_STACK] = "nnnn",
    };
    if (type > ORIEL_REC_MAX)
        return NULL;
    if (type == ORIEL_REC_EVENT && (flags & ORIEL_RECF_HAS_SPAN))
        return "if";
    return shapes[type];
}

void wire_stack_end(struct wire_capture_stream *s, uint32_t low)
{
    uint32_t kept = s->depth < ORIEL_STACK_DEPTH ? s->depth : ORIEL_STACK_DEPTH;
    for (uint32_t i = 1; i <= kept; i++) {
        if ((uint32_t)wire_stack_entry(s, s->depth - i) == low) {
            s->depth -= i;
            return;
        }
    }
}

void wire_stack_follow(struct wire_capture_stream *s, uint32_t type, const uint64_t *words,
                       uint32_t count)
{
    if (type == ORIEL_REC_ENTER && count > 2) {
        wire_stack_push(s, words[2]);
    } else if (type == ORIEL_REC_ATTACH && count > 4) {
        wire_stack_push(s, words[4]);
    } else if (type == ORIEL_REC_DETACH) {
        wire_stack_pop(s);
    } else if (type == ORIEL_REC_EXIT && count > 2) {
        if (s->depth && wire_stack_top(s) == words[2])
            wire_stack_pop(s);
    } else if (type == ORIEL_REC_SYNC && count >= WIRE_SYNC_IDS_AT) {
        memcpy(s->lost, words + 2, sizeof s->lost);
        /* A SYNC carries the outermost entries. Where the stack is deeper than
         * that, and as deep as known here, the innermost known ones are worth more. */
        if (s->depth > ORIEL_STACK_DEPTH && s->depth == words[WIRE_SYNC_DEPTH_AT])
            return;
        s->depth = count - WIRE_SYNC_IDS_AT;
        assert(s->depth <= ORIEL_STACK_DEPTH);
        memcpy(s->stack, words + WIRE_SYNC_IDS_AT, s->depth * sizeof *words);
    }
}
