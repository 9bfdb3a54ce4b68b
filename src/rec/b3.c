/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Older headers: B3, in one header or in several, Jaeger's, and OpenTracing's. Pure
 * functions, any thread, signal-safe.
 *
 *   b3: <trace id, 16 or 32>-<span id>[-<0, 1 or d>[-<parent span id>]]
 *   uber-trace-id: <trace id>:<span id>:<parent, unused>:<flags>, without leading zeros
 *   ot-tracer-traceid, ot-tracer-spanid: <16>; ot-tracer-sampled: true or false
 */
#include "rec/propagate.h"

enum { B3_TEXT = 32 + 1 + 16 + 2, JAEGER_TEXT = 32 + 1 + 16 + 1 + 1 + 1 + 2 };
enum { JAEGER_SAMPLED = 1, JAEGER_DEBUG = 2 };

/* 64-bit trace ids are the lower half of ours. */
static bool read_b3_ids(struct slice trace, struct slice span, struct oriel_context *c)
{
    if ((trace.n != 16 && trace.n != 32) || span.n != 16)
        return false;
    return hex_read(trace.p, c->trace_id + 16 - trace.n / 2, trace.n / 2) &&
           hex_read(span.p, c->span_id, sizeof c->span_id) && oriel_context_valid(c);
}

static void set_debug(struct oriel_context *c)
{
    c->marks |= ORIEL_CONTEXT_DEBUG;
    c->flags |= ORIEL_TRACE_SAMPLED;
}

/* No decision is told by leaving it out: not sampled, as others read it. */
static bool read_decision(struct slice s, struct oriel_context *c)
{
    if (slice_equal(s, "d"))
        set_debug(c);
    else if (slice_equal(s, "1"))
        c->flags = ORIEL_TRACE_SAMPLED;
    else
        return slice_equal(s, "0");
    return true;
}

static bool read_single(struct slice s, struct oriel_context *c)
{
    struct slice trace, span, more, parent;
    uint8_t unused[8];
    s = slice_trim(s);
    if (!slice_next(&s, '-', &trace) || !slice_next(&s, '-', &span) || !read_b3_ids(trace, span, c))
        return false;
    if (!slice_next(&s, '-', &more))
        return true;
    if (!read_decision(more, c))
        return false;
    if (!slice_next(&s, '-', &parent))
        return true;
    return parent.n == 16 && hex_read(parent.p, unused, sizeof unused) && !s.p;
}

static bool read_multi(const struct reader *r, struct oriel_context *c)
{
    struct slice trace = slice_trim(read_header(r, "x-b3-traceid", 0));
    struct slice span = slice_trim(read_header(r, "x-b3-spanid", 0));
    struct slice sampled = slice_trim(read_header(r, "x-b3-sampled", 0));
    struct slice flags = slice_trim(read_header(r, "x-b3-flags", 0));
    if (!trace.p || !span.p || !read_b3_ids(trace, span, c))
        return false;
    if (sampled.p && (slice_equal(sampled, "1") || slice_equal(sampled, "true")))
        c->flags = ORIEL_TRACE_SAMPLED;
    if (flags.p && slice_equal(flags, "1"))
        set_debug(c);
    return true;
}

bool b3_extract(const struct reader *r, struct oriel_context *out)
{
    struct oriel_context one = {.marks = ORIEL_CONTEXT_REMOTE}, several = one;
    struct slice single = read_header(r, "b3", 0);
    if (single.p && read_single(single, &one))
        *out = one;
    else if (read_multi(r, &several))
        *out = several;
    else
        return false;
    return true;
}

void b3_inject(const struct oriel_context *c, struct writer *w)
{
    char text[B3_TEXT + 1];
    if (!oriel_context_valid(c))
        return;
    char *at = hex_write(text, c->trace_id, sizeof c->trace_id);
    *at++ = '-';
    at = hex_write(at, c->span_id, sizeof c->span_id);
    *at++ = '-';
    *at++ = c->marks & ORIEL_CONTEXT_DEBUG ? 'd' : c->flags & ORIEL_TRACE_SAMPLED ? '1' : '0';
    *at = 0;
    write_header(w, "b3", text, (size_t)(at - text));
}

void b3multi_inject(const struct oriel_context *c, struct writer *w)
{
    char text[32 + 1];
    if (!oriel_context_valid(c))
        return;
    *hex_write(text, c->trace_id, sizeof c->trace_id) = 0;
    write_header(w, "x-b3-traceid", text, 32);
    *hex_write(text, c->span_id, sizeof c->span_id) = 0;
    write_header(w, "x-b3-spanid", text, 16);
    if (c->marks & ORIEL_CONTEXT_DEBUG) /* says that it is sampled */
        write_header(w, "x-b3-flags", "1", 1);
    else
        write_header(w, "x-b3-sampled", c->flags & ORIEL_TRACE_SAMPLED ? "1" : "0", 1);
}

/* ---- Jaeger ---- */

/* A number of 1 to 2 * n digits, to the right in n bytes. */
static bool read_padded(struct slice s, uint8_t *out, size_t n)
{
    char digits[32];
    if (s.n == 0 || s.n > 2 * n || 2 * n > sizeof digits)
        return false;
    memset(digits, '0', 2 * n);
    for (size_t i = 0; i < s.n; i++) {
        unsigned v = hex_any(s.p[i]);
        if (v > 15)
            return false;
        digits[2 * n - s.n + i] = "0123456789abcdef"[v];
    }
    return hex_read(digits, out, n);
}

bool jaeger_extract(const struct reader *r, struct oriel_context *out)
{
    struct oriel_context c = {.marks = ORIEL_CONTEXT_REMOTE};
    char text[3 * (32 + 16 + 16 + 2 + 3)]; /* its colons may come as %3A */
    struct slice s = slice_trim(read_header(r, "uber-trace-id", 0)), trace, span, parent, flags;
    uint8_t bits;
    if (!s.p || s.n > sizeof text)
        return false;
    s.n = percent_decode(s, text, sizeof text);
    s.p = text;
    if (s.n == SIZE_MAX || !slice_next(&s, ':', &trace) || !slice_next(&s, ':', &span) ||
        !slice_next(&s, ':', &parent) || !slice_next(&s, ':', &flags) || s.p)
        return false;
    if (!read_padded(trace, c.trace_id, sizeof c.trace_id) ||
        !read_padded(span, c.span_id, sizeof c.span_id) || !read_padded(flags, &bits, 1) ||
        !oriel_context_valid(&c))
        return false;
    if (bits & JAEGER_DEBUG)
        set_debug(&c);
    else if (bits & JAEGER_SAMPLED)
        c.flags = ORIEL_TRACE_SAMPLED;
    *out = c;
    return true;
}

void jaeger_inject(const struct oriel_context *c, struct writer *w)
{
    char text[JAEGER_TEXT + 1];
    if (!oriel_context_valid(c))
        return;
    char *at = hex_write(text, c->trace_id, sizeof c->trace_id);
    *at++ = ':';
    at = hex_write(at, c->span_id, sizeof c->span_id);
    at = text_write(at, ":0:");
    const uint8_t bits = c->marks & ORIEL_CONTEXT_DEBUG   ? JAEGER_SAMPLED | JAEGER_DEBUG
                         : c->flags & ORIEL_TRACE_SAMPLED ? JAEGER_SAMPLED
                                                          : 0;
    at = hex_write(at, &bits, 1);
    *at = 0;
    write_header(w, "uber-trace-id", text, (size_t)(at - text));
}

/* ---- Jaeger's baggage: a header for each member, whose name is part of the header's ---- */

enum { HEADER_NAME = 256, HEADER_VALUE = 1024 };
static const char UBERCTX[] = "uberctx-";

/* The header of a member; false: its name is not part of any. */
static bool baggage_header(const char *prefix, const struct oriel_baggage_member *m,
                           char name[HEADER_NAME])
{
    const size_t n = strlen(prefix);
    if (m->name_bytes + n >= HEADER_NAME)
        return false;
    for (size_t k = 0; k < m->name_bytes; k++)
        if (!is_token_char(m->name[k]))
            return false;
    memcpy(name, prefix, n);
    memcpy(name + n, m->name, m->name_bytes);
    name[n + m->name_bytes] = 0;
    return true;
}

/* Names that are no header's, and values that are too long, stay here. */
void jaeger_baggage_inject(const struct oriel_baggage *b, struct writer *w)
{
    char name[HEADER_NAME], value[3 * HEADER_VALUE + 1];
    struct oriel_baggage_member m;
    for (size_t i = 0; oriel_baggage_at(b, i, &m); i++) {
        if (m.value_bytes > HEADER_VALUE || !baggage_header(UBERCTX, &m, name))
            continue;
        size_t n = percent_encode((struct slice){m.value, m.value_bytes}, value);
        value[n] = 0;
        write_header(w, name, value, n);
    }
}

static bool has_prefix(struct slice name, const char *prefix)
{
    const size_t n = strlen(prefix);
    for (size_t i = 0; i < n; i++) {
        char c = i < name.n ? name.p[i] : 0;
        if ((c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c) != prefix[i])
            return false;
    }
    return name.n > n;
}

/* The name of such a header in lower case, as header names have none; false: it is none. */
static bool lower_name(struct slice header, const char *prefix, char name[HEADER_NAME])
{
    if (!has_prefix(header, prefix) || header.n >= HEADER_NAME)
        return false;
    for (size_t i = 0; i < header.n; i++) {
        char c = header.p[i];
        if (!is_token_char(c))
            return false;
        name[i] = (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
    }
    name[header.n] = 0;
    return true;
}

static void take_uberctx(const struct reader *r, struct slice header, struct oriel_baggage *b)
{
    char name[HEADER_NAME], value[3 * HEADER_VALUE];
    const size_t prefix = sizeof UBERCTX - 1;
    if (!lower_name(header, UBERCTX, name))
        return;
    struct slice text = slice_trim(read_header(r, name, 0));
    size_t n = text.p ? percent_decode(text, value, sizeof value) : SIZE_MAX;
    if (n != SIZE_MAX)
        (void)baggage_put(b, (struct slice){name + prefix, header.n - prefix},
                          (struct slice){value, n}, (struct slice){"", 0});
}

void jaeger_baggage_extract(const struct reader *r, struct oriel_baggage *b)
{
    struct slice header = {NULL, 0};
    if (!r->getter->name)
        return;
    for (size_t i = 0; (header.p = r->getter->name(r->carrier, i, &header.n)); i++)
        take_uberctx(r, header, b);
}

/* ---- OpenTracing's basic tracers ---- */

static const char OT_BAGGAGE[] = "ot-baggage-";

bool ottrace_extract(const struct reader *r, struct oriel_context *out)
{
    struct oriel_context c = {.marks = ORIEL_CONTEXT_REMOTE};
    struct slice trace = slice_trim(read_header(r, "ot-tracer-traceid", 0));
    struct slice span = slice_trim(read_header(r, "ot-tracer-spanid", 0));
    struct slice sampled = slice_trim(read_header(r, "ot-tracer-sampled", 0));
    if (!trace.p || !span.p || !read_padded(trace, c.trace_id, sizeof c.trace_id) ||
        !read_padded(span, c.span_id, sizeof c.span_id) || !oriel_context_valid(&c))
        return false;
    if (sampled.p && (slice_equal(sampled, "true") || slice_equal(sampled, "1")))
        c.flags = ORIEL_TRACE_SAMPLED;
    *out = c;
    return true;
}

/* Its trace ids have 64 bits: the lower half of ours. One that is zero there has no form. */
void ottrace_inject(const struct oriel_context *c, struct writer *w)
{
    static const uint8_t none[8];
    char text[16 + 1];
    if (!oriel_context_valid(c) || memcmp(c->trace_id + 8, none, sizeof none) == 0)
        return;
    *hex_write(text, c->trace_id + 8, 8) = 0;
    write_header(w, "ot-tracer-traceid", text, 16);
    *hex_write(text, c->span_id, sizeof c->span_id) = 0;
    write_header(w, "ot-tracer-spanid", text, 16);
    const char *sampled = c->flags & ORIEL_TRACE_SAMPLED ? "true" : "false";
    write_header(w, "ot-tracer-sampled", sampled, strlen(sampled));
}

/* Values go as they are, so only those that a header can have: no blank at an end, and
 * printable ASCII between them. */
static bool is_header_value(struct slice s)
{
    if (s.n > HEADER_VALUE || slice_trim(s).n != s.n)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~')
            return false;
    return true;
}

void ottrace_baggage_inject(const struct oriel_baggage *b, struct writer *w)
{
    char name[HEADER_NAME], value[HEADER_VALUE + 1];
    struct oriel_baggage_member m;
    for (size_t i = 0; oriel_baggage_at(b, i, &m); i++) {
        if (!is_header_value((struct slice){m.value, m.value_bytes}) ||
            !baggage_header(OT_BAGGAGE, &m, name))
            continue;
        memcpy(value, m.value, m.value_bytes);
        value[m.value_bytes] = 0;
        write_header(w, name, value, m.value_bytes);
    }
}

void ottrace_baggage_extract(const struct reader *r, struct oriel_baggage *b)
{
    char name[HEADER_NAME];
    const size_t prefix = sizeof OT_BAGGAGE - 1;
    struct slice header = {NULL, 0};
    if (!r->getter->name)
        return;
    for (size_t i = 0; (header.p = r->getter->name(r->carrier, i, &header.n)); i++) {
        if (!lower_name(header, OT_BAGGAGE, name))
            continue;
        struct slice value = slice_trim(read_header(r, name, 0));
        if (value.p && is_header_value(value))
            (void)baggage_put(b, (struct slice){name + prefix, header.n - prefix}, value,
                              (struct slice){"", 0});
    }
}
