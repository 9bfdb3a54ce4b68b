/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The propagators together: their list, reading and writing by all of them,
 * and the binary form for messages. Reads the environment once, when nobody
 * said which propagators there are. Any thread, signal-safe.
 */
#include "rec/propagate.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "rec/rec.h"

enum { BITS = 4, LIST_MAX = 32 / BITS, UNSET = 0xffffffff };

/* What a carrier's headers are named, by enum oriel_propagator. */
static const struct {
    const char *name;
    const char *fields[4];
} kinds[] = {
    [ORIEL_PROPAGATOR_TRACECONTEXT] = {"tracecontext", {"traceparent", "tracestate"}},
    [ORIEL_PROPAGATOR_BAGGAGE] = {"baggage", {"baggage"}},
    [ORIEL_PROPAGATOR_B3] = {"b3", {"b3"}},
    [ORIEL_PROPAGATOR_B3MULTI] = {"b3multi",
                                  {"x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags"}},
    [ORIEL_PROPAGATOR_JAEGER] = {"jaeger", {"uber-trace-id"}},
    [ORIEL_PROPAGATOR_OTTRACE] = {"ottrace",
                                  {"ot-tracer-traceid", "ot-tracer-spanid", "ot-tracer-sampled"}},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* ---- the list ---- */

static uint32_t kind_named(struct slice name)
{
    uint32_t kind = KINDS - 1;
    while (kind > 0 && !slice_equal(name, kinds[kind].name))
        kind--;
    return kind;
}

static unsigned kind_at(struct oriel_propagators p, unsigned i)
{
    unsigned kind = i < LIST_MAX ? p.order >> (i * BITS) & 15u : 0;
    return kind < KINDS ? kind : 0;
}

static bool has_kind(struct oriel_propagators p, unsigned kind)
{
    for (unsigned i = 0; kind_at(p, i); i++)
        if (kind_at(p, i) == kind)
            return true;
    return false;
}

__attribute__((cold)) unsigned oriel_propagators_parse(const char *list,
                                                       struct oriel_propagators *out)
{
    struct slice rest = {list, list ? strlen(list) : 0}, name;
    struct oriel_propagators p = {0};
    unsigned count = 0, unknown = 0, none = 0;
    while (slice_next(&rest, ',', &name)) {
        name = slice_trim(name);
        uint32_t kind = kind_named(name);
        if (slice_equal(name, "none"))
            none = 1;
        else if (kind && !has_kind(p, kind))
            p.order |= kind << (count++ * BITS);
        else if (!kind && name.n)
            unknown++;
    }
    assert(count < LIST_MAX);
    *out = p;
    return unknown + (none && (count || unknown));
}

/* Who said which, whoever counts most first; atomic. */
enum by { BY_PROGRAM, BY_CONFIGURATION, BY_ENVIRONMENT, BY_COUNT };
static uint32_t said[BY_COUNT] = {UNSET, UNSET, UNSET};

static void say_which(enum by by, struct oriel_propagators p)
{
    __atomic_store_n(&said[by], p.order, __ATOMIC_RELAXED);
}

void oriel_propagators_set(struct oriel_propagators p)
{
    say_which(BY_PROGRAM, p);
}

void rec_propagators_told(const char *list)
{
    struct oriel_propagators p;
    oriel_propagators_parse(list, &p);
    say_which(BY_CONFIGURATION, p);
}

/* Empty is unset, and so is a list that has_kind no name we know. */
static __attribute__((noinline)) struct oriel_propagators from_environment(void)
{
    struct oriel_propagators p;
    const char *list = getenv("OTEL_PROPAGATORS");
    unsigned unknown = oriel_propagators_parse(list, &p);
    if (!list || !list[0] || (unknown && !p.order))
        oriel_propagators_parse("tracecontext,baggage", &p);
    say_which(BY_ENVIRONMENT, p);
    return p;
}

struct oriel_propagators oriel_propagators_get(void)
{
    for (int by = 0; by < BY_COUNT; by++) {
        struct oriel_propagators p = {__atomic_load_n(&said[by], __ATOMIC_RELAXED)};
        if (p.order != UNSET)
            return p;
    }
    return from_environment();
}

size_t oriel_propagators_fields(const struct oriel_propagators *p,
                                const char *out[ORIEL_FIELDS_MAX])
{
    struct oriel_propagators list = p ? *p : oriel_propagators_get();
    size_t n = 0;
    for (unsigned i = 0; kind_at(list, i); i++)
        for (unsigned k = 0; k < 4 && kinds[kind_at(list, i)].fields[k]; k++)
            out[n++] = kinds[kind_at(list, i)].fields[k];
    assert(n <= ORIEL_FIELDS_MAX);
    return n;
}

/* ---- out and in ---- */

int oriel_inject(const struct oriel_propagators *p, const struct oriel_context *c,
                 const struct oriel_setter *setter, void *carrier)
{
    struct oriel_propagators list = p ? *p : oriel_propagators_get();
    struct writer w = {setter, carrier, 0};
    struct oriel_context current;
    if (!c) {
        rec_current_context(&current);
        c = &current;
    }
    for (unsigned i = 0; kind_at(list, i); i++) {
        switch ((enum oriel_propagator)kind_at(list, i)) {
        case ORIEL_PROPAGATOR_TRACECONTEXT:
            w3c_inject(c, &w);
            break;
        case ORIEL_PROPAGATOR_BAGGAGE:
            if (c->baggage && c->baggage->count)
                baggage_inject(c->baggage, &w);
            break;
        case ORIEL_PROPAGATOR_B3:
            b3_inject(c, &w);
            break;
        case ORIEL_PROPAGATOR_B3MULTI:
            b3multi_inject(c, &w);
            break;
        case ORIEL_PROPAGATOR_JAEGER:
            jaeger_inject(c, &w);
            if (c->baggage && c->baggage->count)
                jaeger_baggage_inject(c->baggage, &w);
            break;
        case ORIEL_PROPAGATOR_OTTRACE:
            ottrace_inject(c, &w);
            if (c->baggage && c->baggage->count)
                ottrace_baggage_inject(c->baggage, &w);
            break;
        }
    }
    return w.rc;
}

/* Baggage of a later propagator is added to what there is. */
static void extract_baggage(struct oriel_propagators list, const struct reader *r,
                            struct oriel_baggage *b)
{
    for (unsigned i = 0; kind_at(list, i); i++) {
        if (kind_at(list, i) == ORIEL_PROPAGATOR_BAGGAGE)
            baggage_extract(r, b);
        else if (kind_at(list, i) == ORIEL_PROPAGATOR_JAEGER)
            jaeger_baggage_extract(r, b);
        else if (kind_at(list, i) == ORIEL_PROPAGATOR_OTTRACE)
            ottrace_baggage_extract(r, b);
    }
}

unsigned oriel_extract(const struct oriel_propagators *p, const struct oriel_getter *getter,
                       void *carrier, struct oriel_context *out, struct oriel_baggage *baggage)
{
    struct oriel_propagators list = p ? *p : oriel_propagators_get();
    struct reader r = {getter, carrier};
    unsigned found = 0;
    for (unsigned i = 0; kind_at(list, i); i++) {
        unsigned kind = kind_at(list, i);
        bool span = kind == ORIEL_PROPAGATOR_TRACECONTEXT ? w3c_extract(&r, out)
                    : kind == ORIEL_PROPAGATOR_B3 || kind == ORIEL_PROPAGATOR_B3MULTI
                        ? b3_extract(&r, out)
                    : kind == ORIEL_PROPAGATOR_JAEGER  ? jaeger_extract(&r, out)
                    : kind == ORIEL_PROPAGATOR_OTTRACE ? ottrace_extract(&r, out)
                                                       : false;
        found |= span ? ORIEL_EXTRACTED_SPAN : 0;
    }
    if (!found) /* what found one has written all of it */
        memset(out, 0, sizeof *out);
    if (!baggage)
        return found;
    oriel_baggage_clear(baggage);
    extract_baggage(list, &r, baggage);
    if (!baggage->count)
        return found;
    out->baggage = baggage;
    return found | ORIEL_EXTRACTED_BAGGAGE;
}

/* ---- in a message ---- */

/* Version 0; field 0, the trace id; field 1, the span id; field 2, the flags. */
enum { TRACE_FIELD = 1, SPAN_FIELD = 18, FLAGS_FIELD = 27 };

bool oriel_context_pack(const struct oriel_context *c, uint8_t out[ORIEL_CONTEXT_PACKED])
{
    memset(out, 0, ORIEL_CONTEXT_PACKED);
    if (!c || !oriel_context_valid(c))
        return false;
    memcpy(out + TRACE_FIELD + 1, c->trace_id, sizeof c->trace_id);
    out[SPAN_FIELD] = 1;
    memcpy(out + SPAN_FIELD + 1, c->span_id, sizeof c->span_id);
    out[FLAGS_FIELD] = 2;
    out[FLAGS_FIELD + 1] = c->flags & (ORIEL_TRACE_SAMPLED | ORIEL_TRACE_RANDOM);
    return true;
}

int oriel_context_unpack(const void *packed, size_t bytes, struct oriel_context *out)
{
    const uint8_t *p = packed;
    struct oriel_context c = {.marks = ORIEL_CONTEXT_REMOTE};
    if (!p || bytes < ORIEL_CONTEXT_PACKED || p[0] || p[TRACE_FIELD] || p[SPAN_FIELD] != 1 ||
        p[FLAGS_FIELD] != 2)
        return ORIEL_EFORMAT;
    memcpy(c.trace_id, p + TRACE_FIELD + 1, sizeof c.trace_id);
    memcpy(c.span_id, p + SPAN_FIELD + 1, sizeof c.span_id);
    c.flags = p[FLAGS_FIELD + 1] & (ORIEL_TRACE_SAMPLED | ORIEL_TRACE_RANDOM);
    if (!oriel_context_valid(&c))
        return ORIEL_EFORMAT;
    *out = c;
    return 0;
}
