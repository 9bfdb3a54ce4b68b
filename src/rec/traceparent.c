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

bool hex_read(const char *text, uint8_t *out, size_t n)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned high = hex_lower(text[2 * i]), low = hex_lower(text[2 * i + 1]);
        wrong |= (high | low) & 16;
        out[i] = (uint8_t)(high << 4 | (low & 15));
    }
    return !wrong;
}

char *hex_write(char *at, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
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
    struct oriel_context c = {.marks = ORIEL_CONTEXT_REMOTE};
    uint8_t version;
    if (s.n < LENGTH || !has_dashes(s.p) || !hex_read(s.p + VERSION_AT, &version, 1) ||
        !hex_read(s.p + TRACE_AT, c.trace_id, sizeof c.trace_id) ||
        !hex_read(s.p + SPAN_AT, c.span_id, sizeof c.span_id) ||
        !hex_read(s.p + FLAGS_AT, &c.flags, 1))
        return ORIEL_EFORMAT;
    if (version == VERSION_NEVER || (s.n > LENGTH && (version == 0 || s.p[LENGTH] != '-')) ||
        !oriel_context_valid(&c))
        return ORIEL_EFORMAT;
    c.flags &= ORIEL_TRACE_SAMPLED | ORIEL_TRACE_RANDOM; /* others have no meaning to pass on */
    *out = c;
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
    struct state_members members = {.count = 0};
    for (size_t i = 0; (state = read_header(r, "tracestate", i)).p; i++)
        if (!state_add(&members, state))
            return true;
    state_write(&members, out);
    return true;
}
