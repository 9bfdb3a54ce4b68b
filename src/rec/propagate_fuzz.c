/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: all that comes in headers, each line of the input as one header
 * "name: value". What is read is within its limits, and what is written of it is
 * read as the same again, by every propagator.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "rec/propagate.h"

enum { HEADERS = 16, TEXT = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool true_always)
{
    if (!true_always)
        abort();
}

static size_t split(char *text, struct oriel_header h[HEADERS])
{
    size_t n = 0;
    for (char *line = text; line && n < HEADERS; n++) {
        char *end = strchr(line, '\n'), *colon;
        if (end)
            *end++ = 0;
        colon = strchr(line, ':');
        if (colon)
            *colon++ = 0;
        h[n] = (struct oriel_header){line, colon ? colon : ""};
        line = end;
    }
    return n;
}

static void check_members(const struct oriel_baggage *b)
{
    struct oriel_baggage_member m;
    size_t n = 0;
    for (; oriel_baggage_at(b, n, &m); n++) {
        struct slice value = {m.value, m.value_bytes};
        while (value.n) { /* all of it is text */
            size_t length = utf8_length((const unsigned char *)value.p, value.n);
            expect(length > 0);
            value.p += length;
            value.n -= length;
        }
    }
    expect(n == b->count && n <= ORIEL_BAGGAGE_MEMBERS);
}

static bool same_baggage(const struct oriel_baggage *a, const struct oriel_baggage *b)
{
    return a->count == b->count && a->bytes == b->bytes && !memcmp(a->room, b->room, a->bytes);
}

/* Baggage may be too long for its header, or its names none of Jaeger's. */
static void round_trip(const char *list, const struct oriel_context *c, bool with_state)
{
    static struct oriel_baggage baggage;
    static char text[TEXT];
    struct oriel_header h[200];
    struct oriel_headers out = {h, 0, 200, text, 0, sizeof text};
    struct oriel_propagators p;
    struct oriel_context back;
    oriel_propagators_parse(list, &p);
    expect(oriel_inject(&p, c, &oriel_header_setter, &out) == 0);
    unsigned found = oriel_extract(&p, &oriel_header_getter, &out, &back, &baggage);
    expect(!(found & ORIEL_EXTRACTED_SPAN) == !oriel_context_valid(c));
    if (!(found & ORIEL_EXTRACTED_SPAN))
        return;
    expect(!memcmp(back.trace_id, c->trace_id, 16) && !memcmp(back.span_id, c->span_id, 8));
    expect((back.flags & ORIEL_TRACE_SAMPLED) == (c->flags & ORIEL_TRACE_SAMPLED));
    if (with_state)
        expect(back.flags == c->flags && !strcmp(back.state, c->state));
}

static void check(const char *list, struct oriel_headers *in)
{
    static struct oriel_baggage baggage, again;
    static char text[ORIEL_BAGGAGE_BYTES + 1];
    struct oriel_propagators p;
    struct oriel_context c;
    oriel_propagators_parse(list, &p);
    unsigned found = oriel_extract(&p, &oriel_header_getter, in, &c, &baggage);
    expect(c.state_bytes <= ORIEL_TRACESTATE_BYTES && strlen(c.state) == c.state_bytes);
    expect(!(found & ORIEL_EXTRACTED_SPAN) == !oriel_context_valid(&c));
    expect(!(found & ORIEL_EXTRACTED_BAGGAGE) == !c.baggage);
    check_members(&baggage);
    size_t n = oriel_baggage_format(&baggage, text, sizeof text);
    expect(n == strlen(text) && n <= ORIEL_BAGGAGE_BYTES);
    oriel_baggage_clear(&again);
    expect(oriel_baggage_parse(&again, text, n) == 0);
    expect(again.count <= baggage.count);
    expect(again.count < baggage.count || same_baggage(&again, &baggage));
    round_trip("tracecontext,baggage", &c, true);
    round_trip("b3", &c, false);
    round_trip("b3multi", &c, false);
    round_trip("jaeger", &c, false);
}

static void check_state(const char *text)
{
    struct oriel_context c = {0}, again = {0};
    int rc = oriel_tracestate_parse(&c, text, strlen(text));
    expect(rc == 0 || c.state_bytes == 0);
    expect(oriel_tracestate_parse(&again, c.state, c.state_bytes) == 0);
    expect(strcmp(c.state, again.state) == 0);
    if (oriel_tracestate_set(&c, "fuzz", "1") == 0)
        expect(strncmp(c.state, "fuzz=1", 6) == 0);
    oriel_tracestate_remove(&c, "fuzz");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oriel_header h[HEADERS];
    struct oriel_context c;
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    struct oriel_headers in = {.headers = h, .count = split(text, h)};
    check("tracecontext,baggage", &in);
    check("b3,jaeger,ottrace", &in);
    for (size_t i = 0; i < in.count; i++)
        check_state(h[i].value);
    if (oriel_context_unpack(data, size, &c) == 0) {
        uint8_t packed[ORIEL_CONTEXT_PACKED];
        expect(oriel_context_pack(&c, packed) && !memcmp(packed, data, sizeof packed - 1));
    }
    struct oriel_propagators p;
    oriel_propagators_parse(text, &p);
    free(text);
    return 0;
}
