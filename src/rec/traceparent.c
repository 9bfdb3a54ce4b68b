/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * W3C Trace Context, levels 1 and 2: the header traceparent, and both headers
 * out of and into a carrier. Pure functions, any thread, signal-safe.
 *
 *   00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
 *   |  trace id (16)                    span id (8)      flags
 *   version; behind the flags a later one may have "-" and more
 */
#include "rec/propagate.h"

#include <assert.h>

#include "base/err.h"

enum { VERSION_AT = 0, TRACE_AT = 3, SPAN_AT = 36, FLAGS_AT = 53, LENGTH = 55 };
enum { VERSION_NEVER = 0xff };

/* ---- hexadecimal digits, eight at a time in a word, one in each byte ---- */

#define EACH(byte) ((byte)*UINT64_C(0x0101010101010101))
enum { DIGITS = 8, FROM_LETTER = 'a' - '0' - 10 };

static uint64_t little_endian(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(word);
#else
    return word;
#endif
}

/* Values of digits in their bytes; *wrong is not 0: one of them is none. */
static uint64_t values_of(uint64_t digits, uint64_t *wrong)
{
    const uint64_t letter = digits >> 6 & EACH(1);
    const uint64_t values = (digits & EACH(15)) + letter * 9;
    const uint64_t ten = (values + EACH(6)) >> 4 & EACH(1);
    *wrong |= (values + EACH('0') + letter * FROM_LETTER) ^ digits;
    *wrong |= (values & EACH(0xf0)) | (ten ^ letter);
    return values;
}

static void read_word(const char *text, uint8_t out[4], uint64_t *wrong)
{
    uint64_t v;
    memcpy(&v, text, sizeof v);
    v = values_of(little_endian(v), wrong);
    v = (v << 4 | v >> 8) & UINT64_C(0x00ff00ff00ff00ff);
    v = (v | v >> 8) & UINT64_C(0x0000ffff0000ffff);
    v = little_endian((v | v >> 16) & UINT32_MAX);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v >>= 32;
#endif
    const uint32_t bytes = (uint32_t)v;
    memcpy(out, &bytes, sizeof bytes);
}

static void write_word(char *at, const uint8_t bytes[4])
{
    uint32_t four;
    memcpy(&four, bytes, sizeof four);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    four = __builtin_bswap32(four);
#endif
    uint64_t v = four;
    v = (v | v << 16) & UINT64_C(0x0000ffff0000ffff);
    v = (v | v << 8) & UINT64_C(0x00ff00ff00ff00ff);
    v = (v >> 4 & UINT64_C(0x000f000f000f000f)) | (v & UINT64_C(0x000f000f000f000f)) << 8;
    const uint64_t letter = (v + EACH(6)) >> 4 & EACH(1);
    v = little_endian(v + EACH('0') + letter * FROM_LETTER);
    memcpy(at, &v, sizeof v);
}

__attribute__((noinline)) bool hex_read(const char *text, uint8_t *out, size_t n)
{
    uint64_t wrong = 0;
    size_t i = 0;
    for (; i + DIGITS / 2 <= n; i += DIGITS / 2)
        read_word(text + 2 * i, out + i, &wrong);
    for (; i < n; i++) {
        unsigned high = hex_lower(text[2 * i]), low = hex_lower(text[2 * i + 1]);
        wrong |= (high | low) & 16;
        out[i] = (uint8_t)(high << 4 | (low & 15));
    }
    return !wrong;
}

__attribute__((noinline)) char *hex_write(char *at, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    size_t i = 0;
    for (; i + DIGITS / 2 <= n; i += DIGITS / 2, at += DIGITS)
        write_word(at, bytes + i);
    for (; i < n; i++) {
        *at++ = digits[bytes[i] >> 4];
        *at++ = digits[bytes[i] & 15];
    }
    return at;
}

bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool has_dashes(const char *text)
{
    return text[TRACE_AT - 1] == '-' && text[SPAN_AT - 1] == '-' && text[FLAGS_AT - 1] == '-';
}

int oriel_traceparent_parse(const char *text, size_t bytes, struct oriel_context *out)
{
    struct slice s = slice_trim((struct slice){text, text ? bytes : 0});
    uint64_t trace[2], span; /* a whole context would be 500 bytes to clear and to copy */
    uint8_t version, flags;
    if (s.n < LENGTH || !has_dashes(s.p) || !hex_read(s.p + VERSION_AT, &version, 1) ||
        !hex_read(s.p + TRACE_AT, (uint8_t *)trace, sizeof trace) ||
        !hex_read(s.p + SPAN_AT, (uint8_t *)&span, sizeof span) ||
        !hex_read(s.p + FLAGS_AT, &flags, 1))
        return ORIEL_EFORMAT;
    if (version == VERSION_NEVER || (s.n > LENGTH && (version == 0 || s.p[LENGTH] != '-')) ||
        !(trace[0] | trace[1]) || !span)
        return ORIEL_EFORMAT;
    memset(out, 0, sizeof *out);
    memcpy(out->trace_id, trace, sizeof trace);
    memcpy(out->span_id, &span, sizeof span);
    out->flags = flags & (ORIEL_TRACE_SAMPLED | ORIEL_TRACE_RANDOM); /* others mean nothing here */
    out->marks = ORIEL_CONTEXT_REMOTE;
    return 0;
}

size_t oriel_traceparent_format(const struct oriel_context *c, char out[56])
{
    out[0] = 0;
    if (!c || !oriel_context_valid(c))
        return 0;
    char *at = text_write(out, "00-");
    at = hex_write(at, c->trace_id, sizeof c->trace_id);
    *at++ = '-';
    at = hex_write(at, c->span_id, sizeof c->span_id);
    *at++ = '-';
    const uint8_t flags = c->flags & (ORIEL_TRACE_SAMPLED | ORIEL_TRACE_RANDOM);
    at = hex_write(at, &flags, 1);
    *at = 0;
    assert(at - out == LENGTH);
    return LENGTH;
}

void w3c_inject(const struct oriel_context *c, struct writer *w)
{
    char text[LENGTH + 1];
    size_t n = oriel_traceparent_format(c, text);
    if (!n)
        return;
    write_header(w, "traceparent", text, n);
    if (c->state_bytes)
        write_header(w, "tracestate", c->state, c->state_bytes);
}

/* What is wrong with tracestate costs tracestate only. */
bool w3c_extract(const struct reader *r, struct oriel_context *out)
{
    struct slice parent = read_header(r, "traceparent", 0), state;
    if (!parent.p || read_header(r, "traceparent", 1).p || /* two say nothing */
        oriel_traceparent_parse(parent.p, parent.n, out) != 0)
        return false;
    struct state_members members;
    state_begin(&members);
    for (size_t i = 0; (state = read_header(r, "tracestate", i)).p; i++)
        if (!state_add(&members, state))
            return true;
    state_write(&members, out);
    return true;
}
