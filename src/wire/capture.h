/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The capture file: framing, numbers, and the predictor that writer and reader
 * share so that what both can know costs no bytes. docs/CAPTURE.md draws it.
 * No I/O, no allocation; checksums and compression belong to the callers.
 * Everything is little-endian. Decoders take any bytes and never read outside.
 */
#ifndef ORIEL_WIRE_CAPTURE_H
#define ORIEL_WIRE_CAPTURE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <oriel/abi/record.h>

#include "base/clock.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are stored as they lie");

/* ---- chunks ---- */

#define WIRE_CAPTURE_MAGIC "ORIELCP\1" /* starts every chunk; the last byte is the version */
#define WIRE_CAPTURE_VERSION 1u
#define WIRE_CAPTURE_FRAME_BYTES 64u
#define WIRE_CAPTURE_RAW_MAX (8u << 20) /* of one chunk, decompressed */
#define WIRE_CAPTURE_STORED_MAX (WIRE_CAPTURE_RAW_MAX + (64u << 10))
#define WIRE_CAPTURE_STREAMS_MAX 1024u /* in one chunk */
#define WIRE_CAPTURE_CODES_MAX 4320u
#define WIRE_CAPTURE_SITES_MAX WIRE_CAPTURE_CODES_MAX
#define WIRE_CAPTURE_NODES_MAX (1u << 17) /* of stacks, in one chunk */
#define WIRE_CAPTURE_LINES_MAX 255u       /* of one place */
#define WIRE_CAPTURE_SITE_FLAGS 0xfu /* of struct oriel_site: they share a byte with the level */

enum wire_capture_type {
    WIRE_CAPTURE_SCHEMA = 1,     /* session, resource attributes; first, and repeated */
    WIRE_CAPTURE_LAST_WORDS = 2, /* two slots rewritten in place */
    WIRE_CAPTURE_RECORDS = 3,
    WIRE_CAPTURE_SYMBOLS = 4 /* functions and lines of places, told once they are known */
};

enum wire_capture_flag {
    WIRE_CAPTURE_IN_PLACE = 1, /* the frame's checksum does not cover the payload */
    WIRE_CAPTURE_FINAL = 2     /* the recorder closed the file after this chunk */
};

struct wire_capture_frame {
    uint32_t stored_bytes;   /* of the payload that follows the frame */
    uint32_t raw_bytes;      /* of all its sections, decompressed */
    uint64_t seq;            /* number of the chunk in its file: a gap is a loss */
    uint64_t records_before; /* in all records chunks before this one */
    uint32_t records;
    uint8_t type; /* enum wire_capture_type */
    uint8_t flags;
    uint64_t watermark_ns; /* no record from here on is older; 0 unknown */
    uint64_t session_tag;  /* first 8 bytes of the session id */
    uint32_t payload_crc;
};

/* Write a frame without its own checksum, which is the CRC of the bytes before
 * WIRE_CAPTURE_FRAME_CRC_AT and is stored there with wire_put32. */
#define WIRE_CAPTURE_FRAME_CRC_AT 60u
void wire_capture_frame_put(uint8_t out[WIRE_CAPTURE_FRAME_BYTES],
                            const struct wire_capture_frame *f);
/* Read one whose checksum was verified. 0, ORIEL_EFORMAT (no magic, or a size
 * or type out of range) or ORIEL_EVERSION. */
int wire_capture_frame_get(const uint8_t in[WIRE_CAPTURE_FRAME_BYTES],
                           struct wire_capture_frame *out);

/* A records payload begins with a directory of its sections. */
enum wire_capture_section {
    WIRE_CAPTURE_TABLES = 0, /* who and where: streams, texts, threads, sites, codes */
    WIRE_CAPTURE_OPS = 1,    /* one code per record */
    WIRE_CAPTURE_TIMES = 2,  /* one symbol per record: high bits of the tick delta */
    WIRE_CAPTURE_REST = 3,   /* the low bytes of these deltas */
    WIRE_CAPTURE_VALUES = 4, /* everything else */
    WIRE_CAPTURE_SECTIONS = 5
};
struct wire_capture_dir {
    uint32_t raw[WIRE_CAPTURE_SECTIONS];
    uint32_t stored[WIRE_CAPTURE_SECTIONS]; /* == raw: not compressed */
};
#define WIRE_CAPTURE_DIR_BYTES (8u * WIRE_CAPTURE_SECTIONS)
void wire_capture_dir_put(uint8_t out[WIRE_CAPTURE_DIR_BYTES], const struct wire_capture_dir *d);
/* Check that the sections fill a payload of `stored` bytes exactly and amount
 * to `raw` bytes. 0 or ORIEL_EFORMAT. */
int wire_capture_dir_get(const uint8_t *in, uint32_t stored, uint32_t raw,
                         struct wire_capture_dir *out);

/* ---- last words ---- */

enum wire_capture_unwritten {
    WIRE_CAPTURE_NO_SPACE = 0,
    WIRE_CAPTURE_IO_ERROR = 1,
    WIRE_CAPTURE_NO_MEMORY = 2,
    WIRE_CAPTURE_CAUSES = 3
};

/* The end summary. Two slots are written in turn; the one with the higher
 * generation and a good checksum counts. */
struct wire_capture_last_words {
    uint64_t generation;
    uint64_t closed;                 /* 1: the recorder ended in order */
    uint64_t records, chunks, bytes; /* in the file */
    uint64_t lost[8];                /* by enum oriel_lost_cause, over everything */
    uint64_t unwritten[4];           /* what the program said, by enum wire_capture_unwritten */
    uint64_t damaged, clamped, unfinished;
    uint64_t duplicates; /* records that an append left out */
    uint64_t start_ns, end_ns;
    uint64_t unwritten_seen; /* further records: samples, what the system said */
};
#define WIRE_CAPTURE_SLOT_BYTES 256u
#define WIRE_CAPTURE_SLOT_CRC_AT 252u
#define WIRE_CAPTURE_LAST_WORDS_BYTES (2u * WIRE_CAPTURE_SLOT_BYTES)
_Static_assert(sizeof(struct wire_capture_last_words) <= WIRE_CAPTURE_SLOT_CRC_AT, "fits a slot");
void wire_capture_last_words_put(uint8_t out[WIRE_CAPTURE_SLOT_BYTES],
                                 const struct wire_capture_last_words *w);
void wire_capture_last_words_get(const uint8_t in[WIRE_CAPTURE_SLOT_BYTES],
                                 struct wire_capture_last_words *out);

/* ---- numbers ---- */

static inline void wire_put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}
static inline void wire_put64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}
static inline uint32_t wire_get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint64_t wire_get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline uint64_t wire_zigzag(uint64_t v)
{
    return (v << 1) ^ (uint64_t)((int64_t)v >> 63);
}
static inline uint64_t wire_unzigzag(uint64_t v)
{
    return (v >> 1) ^ (0 - (v & 1));
}

/* A number in n = 1..9 bytes: n - 1 zero bits, a one bit, the value. Nine bytes
 * are a zero byte and the value. No branch depends on the value below 2^56.
 * Writes up to WIRE_NUMBER_ROOM bytes at p; returns the end of the number. */
#define WIRE_NUMBER_ROOM 9u
static inline uint8_t *wire_number_put(uint8_t *p, uint64_t v)
{
    if (v >> 56) {
        *p = 0;
        wire_put64(p + 1, v);
        return p + 9;
    }
    unsigned n = (unsigned)(64 - __builtin_clzll(v | 1) + 6) / 7;
    wire_put64(p, ((v << 1) | 1) << (n - 1));
    return p + n;
}

/* Where decoding has got to. `failed` is sticky and every getter then yields 0. */
struct wire_cursor {
    const uint8_t *at, *end;
    bool failed;
};
uint64_t wire_number_get_slow(struct wire_cursor *c);
static inline uint64_t wire_number_get(struct wire_cursor *c)
{
    if (c->end - c->at >= 9 && !c->failed && *c->at) {
        unsigned n = (unsigned)__builtin_ctz(*c->at) + 1;
        uint64_t v = wire_get64(c->at);
        c->at += n;
        return n == 8 ? v >> 8 : (v & ((UINT64_C(1) << (8 * n)) - 1)) >> n;
    }
    return wire_number_get_slow(c);
}
/* n bytes in place; NULL when they are not there. */
static inline const uint8_t *wire_bytes_get(struct wire_cursor *c, uint64_t n)
{
    if (c->failed || (uint64_t)(c->end - c->at) < n) {
        c->failed = true;
        return NULL;
    }
    const uint8_t *p = c->at;
    c->at += n;
    return p;
}
static inline uint64_t wire_word_get(struct wire_cursor *c)
{
    const uint8_t *p = wire_bytes_get(c, 8);
    return p ? wire_get64(p) : 0;
}

/* Both pieces of a clock; at most WIRE_CLOCK_ROOM bytes. */
#define WIRE_CLOCK_ROOM (6u * WIRE_NUMBER_ROOM)
uint8_t *wire_clock_put(uint8_t *p, const struct clock_map *m);
void wire_clock_get(struct wire_cursor *c, struct clock_map *out);

/* clock_map_ns without its branches, for stretches of records that lie on one
 * line: on the newer piece, on the one before, where a reader lags behind its
 * last measurement, or before both, where a program wrote before the first. */
struct wire_clock_line {
    unsigned __int128 base; /* ns at base_ticks, 32 bits behind the point */
    uint64_t base_ticks, mult;
    uint64_t limit; /* ticks from the base that are on it */
};
/* The line that `ticks` is on. False: the numbers are not sane. */
bool wire_clock_line(const struct clock_map *m, uint64_t ticks, struct wire_clock_line *out);
/* *unusual gets a non-zero value for ticks that are not on the line. */
static inline uint64_t wire_clock_ns(const struct wire_clock_line *l, uint64_t ticks,
                                     uint64_t *unusual)
{
    uint64_t d = ticks - l->base_ticks;
    *unusual = d >= l->limit;
    return (uint64_t)((l->base + (unsigned __int128)d * l->mult) >> 32);
}

/* A tick delta: 6 high bits and the count k of further bytes make the symbol,
 * which compresses well; the k low bytes, which do not, lie apart. 0xff: eight.
 * Returns the symbol; writes up to WIRE_TIME_ROOM bytes at *rest. */
#define WIRE_TIME_ROOM 8u
static inline uint8_t wire_time_put(uint8_t **rest, uint64_t delta)
{
    if (__builtin_expect(delta < (UINT64_C(63) << 24), 1)) {
        unsigned k = (unsigned)(64 - __builtin_clzll(delta | 1) + 1) >> 3;
        wire_put32(*rest, (uint32_t)delta);
        *rest += k;
        return (uint8_t)((k << 6) | (delta >> (8 * k)));
    }
    wire_put64(*rest, delta);
    *rest += 8;
    return 0xff;
}
/* The caller guarantees 8 readable bytes at *rest and checks for the end. */
static inline uint64_t wire_time_get(uint8_t symbol, const uint8_t **rest)
{
    if (__builtin_expect(symbol != 0xff, 1)) {
        unsigned k = symbol >> 6;
        uint64_t low = wire_get32(*rest) & ((UINT64_C(1) << (8 * k)) - 1);
        *rest += k;
        return ((uint64_t)(symbol & 63) << (8 * k)) | low;
    }
    uint64_t delta = wire_get64(*rest);
    *rest += 8;
    return delta;
}

/* ---- records ---- */

/* All ones if the header is an END's, else zero; in a way that the compiler
 * cannot turn back into a branch: whether a begin or an end comes next is
 * guessed wrong half the time, at the price of encoding the record. */
static inline uint64_t wire_end_mask(uint64_t type)
{
    uint64_t mask = 0 - (uint64_t)(type == ORIEL_REC_END);
    __asm__("" : "+r"(mask));
    return mask;
}
static inline uint64_t wire_select(uint64_t mask, uint64_t if_set, uint64_t if_clear)
{
    return if_clear ^ ((if_clear ^ if_set) & mask);
}

/* Codes of the ops section; from WIRE_OP_CODE on they name entries of the
 * chunk's code table, the last sixteen together with the byte after them. */
enum wire_op {
    WIRE_OP_SWITCH = 1,    /* values: stream index */
    WIRE_OP_MOVE = 2,      /* values: position and seed, both relative */
    WIRE_OP_TIME = 3,      /* values: t_ns of the next record, relative to the clock's */
    WIRE_OP_CLOCK = 4,     /* values: process, both pieces of its clock */
    WIRE_OP_RAW = 5,       /* values: a whole record, word by word */
    WIRE_OP_WATERMARK = 6, /* values: the source's watermark, relative */
    WIRE_OP_CODE = 16,
    WIRE_OP_CODE_LONG = 240
};
#define WIRE_OP_SHORT_CODES ((unsigned)(WIRE_OP_CODE_LONG - WIRE_OP_CODE))
_Static_assert(WIRE_OP_SHORT_CODES + 16 * 256 == WIRE_CAPTURE_CODES_MAX, "all codes have an op");

/* What raw_id of the model is, given the record. */
enum wire_id_mode {
    WIRE_ID_ZERO = 0,
    WIRE_ID_OWN = 1,      /* seed + position */
    WIRE_ID_WORD = 2,     /* the record's word 2 */
    WIRE_ID_RESOLVED = 3, /* END: the whole id that its low half names */
    WIRE_ID_LOW = 4,      /* END: that low half alone */
    WIRE_ID_MODES = 5,
    WIRE_ID_EXPLICIT_END = 8 /* flag: values hold the id, the stack does not */
};

/*
 * How the words behind the time stamp are stored, one letter per word:
 *   i  a raw id of this process, relative to the innermost open span
 *   n  a number          w  eight opaque bytes
 *   t  a time, relative to word 1
 *   s  a text            f  the site's field values
 *   e  an END's low half y  a SYNC
 *   k  a stack, by its number in the chunk
 * NULL for an unknown type.
 */
const char *wire_capture_shape(uint32_t type, uint32_t flags);

/* Twice what counts, so that the slot above the top may always be written:
 * the short ways push and pop without a branch. */
#define WIRE_STACK_RING (2u * ORIEL_STACK_DEPTH)

/* What is known of a stream at a point of its chunk. */
struct wire_capture_stream {
    uint64_t position; /* expected for the next record */
    uint64_t seed;     /* raw id - position */
    uint64_t ticks;    /* word 1 of the last record */
    uint64_t given_ns; /* last time that was given from outside */
    uint64_t lost[ORIEL_LOST_CAUSES];
    uint32_t depth;
    uint64_t stack[WIRE_STACK_RING]; /* circular; the innermost ORIEL_STACK_DEPTH count */
};

static inline void wire_stack_push(struct wire_capture_stream *s, uint64_t id)
{
    s->stack[s->depth++ % WIRE_STACK_RING] = id;
}
static inline void wire_stack_pop(struct wire_capture_stream *s)
{
    s->depth -= s->depth > 0;
}
static inline uint64_t wire_stack_entry(const struct wire_capture_stream *s, uint32_t depth)
{
    return s->stack[depth % WIRE_STACK_RING];
}
/* Innermost open span; the id a record here would have when there is none. */
static inline uint64_t wire_stack_top(const struct wire_capture_stream *s)
{
    return s->depth ? wire_stack_entry(s, s->depth - 1) : s->seed + s->position;
}
/* The whole id behind a low half: the latest one that is not after `own`. */
static inline uint64_t wire_id_resolve(uint64_t own, uint32_t low)
{
    uint64_t id = (own & ~UINT64_C(0xffffffff)) | low;
    return id > own ? id - (UINT64_C(1) << 32) : id;
}
/* Close `low` and what lies above it; nothing happens when it is not there. */
void wire_stack_end(struct wire_capture_stream *s, uint32_t low);
/* Bring the stack to where it is after a record other than BEGIN and END.
 * Both sides call it with the same words. */
void wire_stack_follow(struct wire_capture_stream *s, uint32_t type, const uint64_t *words,
                       uint32_t count);

/* Expected value of id i of a SYNC record, of which the first i are known. */
static inline uint64_t wire_sync_expected(const struct wire_capture_stream *s, uint32_t i,
                                          uint64_t previous)
{
    uint32_t kept = s->depth < ORIEL_STACK_DEPTH ? s->depth : ORIEL_STACK_DEPTH;
    if (i < kept && s->depth <= ORIEL_STACK_DEPTH)
        return s->stack[i];
    return i ? previous : s->seed + s->position;
}
#define WIRE_SYNC_DEPTH_AT (2u + ORIEL_LOST_CAUSES)
#define WIRE_SYNC_IDS_AT (WIRE_SYNC_DEPTH_AT + 1u)

#endif
