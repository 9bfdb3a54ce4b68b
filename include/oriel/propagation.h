/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A trace goes on in another process: contexts, baggage, and the headers they
 * travel in. See docs/PROPAGATION.md.
 *
 *   struct oriel_context from;                                   what a request came with
 *   oriel_extract(NULL, &oriel_header_getter, &request_headers, &from, NULL);
 *   ORIEL_CONTEXT(&from);                                        until the end of the scope
 *   ORIEL_SPAN("handle");                                        child of the caller's span
 *   oriel_inject(NULL, NULL, &oriel_header_setter, &reply);      and on to the next one
 *
 * Followed: W3C Trace Context levels 1 and 2, W3C Baggage, B3, Jaeger's uber-trace-id,
 * OpenTracing's ot-tracer headers, OpenTelemetry's propagators API and environment carriers.
 *
 * Works with and without a recording: a context that was extracted is injected again
 * as it is while nothing is recorded, and so is baggage. Nothing here allocates, prints,
 * blocks or keeps what it is given, but where it says so: contexts, baggage and buffers
 * are the caller's, and plain values to copy. Every function may be called on any thread
 * and in a signal handler (what handles baggage needs 10 KiB of stack).
 * Text is UTF-8; sizes are in bytes.
 */
#ifndef ORIEL_PROPAGATION_H
#define ORIEL_PROPAGATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef ORIEL_OFF
#include "off.h"
#else
#include "handle.h"
#endif

#ifndef ORIEL_EXPORT
#define ORIEL_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* W3C trace flags; others are not passed on. */
enum oriel_trace_flag {
    ORIEL_TRACE_SAMPLED = 1,
    ORIEL_TRACE_RANDOM = 2 /* level 2: the trace id's last 7 bytes are random */
};
enum oriel_context_mark {
    ORIEL_CONTEXT_REMOTE = 1, /* it came from another process */
    ORIEL_CONTEXT_DEBUG = 2   /* of B3 and Jaeger: record it, whatever the sampler says */
};

#define ORIEL_TRACESTATE_BYTES 512u /* of a tracestate that is carried on */
#define ORIEL_TRACESTATE_MEMBERS 32u
#define ORIEL_BAGGAGE_BYTES 8192u /* of a baggage header */
#define ORIEL_BAGGAGE_MEMBERS 180u
#define ORIEL_BAGGAGE_ROOM 9216u

/*
 * Baggage: names with values, and properties that nobody here looks into. Never
 * changed in place by those that take it const: set and remove write another one.
 * All zero is empty. The members are private.
 */
struct oriel_baggage {
    uint32_t count, bytes;
    uint8_t room[ORIEL_BAGGAGE_ROOM];
};

/*
 * A key of values in contexts: equal to no other, whatever its name. Members are private;
 * all zero is no key.
 */
struct oriel_context_key {
    uint64_t id;
    const char *name; /* for who looks at it with a debugger */
};
/* Where a value of a context lies: the caller's, as baggage is. Members are private. */
struct oriel_context_value {
    struct oriel_context_key key;
    void *value;
    const struct oriel_context_value *next; /* what was set before */
};

/* Which span things happen in, as other processes know it. All zero: none. */
struct oriel_context {
    uint8_t trace_id[16]; /* all zero: no span */
    uint8_t span_id[8];
    uint8_t flags;        /* enum oriel_trace_flag */
    uint8_t marks;        /* enum oriel_context_mark */
    uint16_t state_bytes; /* of `state`, without the NUL behind it */
    uint32_t reserved;
    const struct oriel_baggage *baggage; /* the caller's; NULL: none */
    char state[ORIEL_TRACESTATE_BYTES + 8];
    const struct oriel_context_value *values; /* the program's; NULL: none */
};

/* Both ids are there. */
static inline bool oriel_context_valid(const struct oriel_context *c)
{
    uint64_t trace[2], span;
    memcpy(trace, c->trace_id, sizeof trace);
    memcpy(&span, c->span_id, sizeof span);
    return (trace[0] | trace[1]) != 0 && span != 0;
}

/* ---- what is current ---- */

/* What oriel_context_exit has to put back. */
struct oriel_entered {
    uint64_t guard[4]; /* struct oriel_guard, where it was recorded */
    const struct oriel_context *context, *span_before;
    const struct oriel_baggage *baggage_before;
    const struct oriel_context_value *values_before;
};

/*
 * Make a context current on this thread: spans begun now are children of its span, in
 * its trace and with its flags, and its baggage and values go on. `context` and what it
 * points to are borrowed: they stay as they are until oriel_context_exit, which is called on
 * the same thread, innermost first. A context without a span changes baggage and values only.
 * NULL changes nothing. To go on elsewhere, copy what oriel_context_current gives and enter
 * the copy on the other thread, or in the task that goes on there.
 */
ORIEL_EXPORT struct oriel_entered oriel_context_enter(const struct oriel_context *context);
/* Twice is once. */
ORIEL_EXPORT void oriel_context_exit(struct oriel_entered *entered);
/* What is current here: the innermost span, else the context that was entered, else
 * that of the process; with tracestate, baggage and values (borrowed, from whoever entered
 * it). False: nothing of these; out is all zero. */
ORIEL_EXPORT bool oriel_context_current(struct oriel_context *out);
#ifndef ORIEL_OFF
/* The same for a span that is open somewhere. False: it was not recorded. */
ORIEL_EXPORT bool oriel_context_of(const struct oriel_span *span, struct oriel_context *out);
/* Link a span (NULL: the current one) to the span of a context, with flags and tracestate. */
ORIEL_EXPORT void oriel_span_link_to(const struct oriel_span *span,
                                     const struct oriel_context *context);
static inline void oriel_span_link_all(const struct oriel_span *span,
                                       const struct oriel_context *contexts, size_t count)
{
    for (size_t i = 0; span->id && i < count; i++)
        oriel_span_link_to(span, &contexts[i]);
}
#endif
/*
 * The context of threads that have none of their own: their first spans are children of
 * it. For a program that does one thing for one caller. Borrowed for the life of the
 * process; threads that recorded before are not changed. NULL: none.
 */
ORIEL_EXPORT void oriel_context_process(const struct oriel_context *context);
/*
 * Take TRACEPARENT, TRACESTATE, BAGGAGE (those of the propagators in use) of the
 * environment as the context of the process. ORIEL_JOIN=1 in the environment does so
 * when the program starts. False: there is none, nothing changed. Once; not together
 * with setenv on another thread.
 */
ORIEL_EXPORT bool oriel_context_join(void);

/* ---- values of the program's own ---- */

#define ORIEL_CONTEXT_VALUES_MAX 256u
/*
 * A new key; two calls never give the same, so who has no copy of a key can neither read nor
 * replace its value. `name` is for debugging, borrowed for the life of the key; NULL: none.
 * Keys need not be given back.
 */
ORIEL_EXPORT struct oriel_context_key oriel_context_key_new(const char *name);
/*
 * What was set for a key last; NULL: nothing, or NULL was. c NULL: what is current here.
 * In as many steps as values were set.
 */
ORIEL_EXPORT void *oriel_context_get(const struct oriel_context *c, struct oriel_context_key key);
/*
 * `from` (NULL: what is current here) with a value for a key, in `out`, which may be the same
 * object; other copies of `from` do not change. `room` is where the value's place is: the
 * caller's, as it is until the last context that has it is gone; one for each call. What
 * `value` points to is the caller's, too. The value stays in this process: propagators carry
 * baggage. To make it current, enter `out`. 0; ORIEL_EINVAL (-1): a key that is none, no room,
 * or one that the context uses already; ORIEL_ELIMIT (-13): the 257th. out is untouched then.
 */
ORIEL_EXPORT int oriel_context_set(const struct oriel_context *from, struct oriel_context_key key,
                                   void *value, struct oriel_context_value *room,
                                   struct oriel_context *out);

/* ---- the parts of a W3C context ---- */

/*
 * One traceparent header; blanks around it are not part of it. 0 and `out` is a remote
 * context without tracestate and baggage. ORIEL_EFORMAT (-5), out untouched: not of that
 * form, version ff, an id all zero. Of versions not known yet the part that is known counts.
 */
ORIEL_EXPORT int oriel_traceparent_parse(const char *text, size_t bytes, struct oriel_context *out);
/* "00-<32>-<16>-<2>" and a NUL. 55, or 0 and an empty text for a context without a span. */
ORIEL_EXPORT size_t oriel_traceparent_format(const struct oriel_context *c, char out[56]);
/*
 * Read a whole tracestate into c. Kept in order; of a name that comes twice the first.
 * Beyond 512 bytes members over 128 bytes go first, then the last ones. ORIEL_EFORMAT:
 * a member is not as it should be, or there are more than 32; c has none then.
 */
ORIEL_EXPORT int oriel_tracestate_parse(struct oriel_context *c, const char *text, size_t bytes);
/* The value of a member, not NUL-terminated, in c. NULL: there is none. */
ORIEL_EXPORT const char *oriel_tracestate_get(const struct oriel_context *c, const char *name,
                                              size_t *out_bytes);
/*
 * Put a member in front, in place of the one of that name. 0; ORIEL_EINVAL (-1): not a
 * name or value of the grammar, or "ot", which belongs to OpenTelemetry; ORIEL_ELIMIT
 * (-13): it would be the 33rd, or over 512 bytes. c is untouched then.
 */
ORIEL_EXPORT int oriel_tracestate_set(struct oriel_context *c, const char *name, const char *value);
/* 0, also where there is none; ORIEL_EINVAL: "ot". */
ORIEL_EXPORT int oriel_tracestate_remove(struct oriel_context *c, const char *name);

/* ---- baggage ---- */

/* Texts are not NUL-terminated; they lie in the baggage. */
struct oriel_baggage_member {
    const char *name, *value, *properties;
    size_t name_bytes, value_bytes, properties_bytes;
};

/*
 * `from` (NULL: empty) with a member set, in place of the one of that name; in `out`,
 * which may be the same object. Names are told apart by case. properties may be NULL;
 * printable ASCII without a comma. 0; ORIEL_EINVAL (-1): an empty name, not UTF-8, not
 * properties; ORIEL_ELIMIT (-13): the 181st member, or no room. out is untouched then.
 */
ORIEL_EXPORT int oriel_baggage_set(const struct oriel_baggage *from, const char *name,
                                   const char *value, const char *properties,
                                   struct oriel_baggage *out);
/* `from` without a member; in `out`, which may be the same object. */
ORIEL_EXPORT void oriel_baggage_remove(const struct oriel_baggage *from, const char *name,
                                       struct oriel_baggage *out);
ORIEL_EXPORT void oriel_baggage_clear(struct oriel_baggage *b);
/* False: there is none of that name. b may be NULL. */
ORIEL_EXPORT bool oriel_baggage_get(const struct oriel_baggage *b, const char *name,
                                    struct oriel_baggage_member *out);
/* Members in order: index 0, 1, ... until false. */
ORIEL_EXPORT bool oriel_baggage_at(const struct oriel_baggage *b, size_t index,
                                   struct oriel_baggage_member *out);
/*
 * Add the members of a header's value to b. Returns how many members were not taken: not
 * of the grammar, the 181st and later, no room. A value's bytes that are not UTF-8 become
 * U+FFFD.
 */
ORIEL_EXPORT size_t oriel_baggage_parse(struct oriel_baggage *b, const char *text, size_t bytes);
/*
 * The header's value, percent-encoded, and a NUL. Members that do not fit (also into
 * 8,192 bytes) are left out. Returns its bytes; 0: no member, or no room.
 */
ORIEL_EXPORT size_t oriel_baggage_format(const struct oriel_baggage *b, char *out, size_t room);

/* ---- propagators ---- */

enum oriel_propagator {
    ORIEL_PROPAGATOR_TRACECONTEXT = 1,
    ORIEL_PROPAGATOR_BAGGAGE = 2,
    ORIEL_PROPAGATOR_B3 = 3,      /* one header */
    ORIEL_PROPAGATOR_B3MULTI = 4, /* X-B3-...; both read both */
    ORIEL_PROPAGATOR_JAEGER = 5,
    ORIEL_PROPAGATOR_OTTRACE = 6 /* OpenTracing's basic tracers: 64 bits of the trace id */
};
/* Several, in order: when they read, a later one has the last word. */
struct oriel_propagators {
    uint32_t order; /* four bits each, first one lowest */
};

/* "tracecontext,baggage", as OTEL_PROPAGATORS says it; names that come again and blanks
 * count for nothing, "none" alone is the empty list. Returns how many names are not known
 * (or "none" among others): these are left out. */
ORIEL_EXPORT unsigned oriel_propagators_parse(const char *list, struct oriel_propagators *out);
/* Those of this process: what was set here last; else what the configuration said when the
 * export started; else OTEL_PROPAGATORS; else "tracecontext,baggage". */
ORIEL_EXPORT void oriel_propagators_set(struct oriel_propagators p);
ORIEL_EXPORT struct oriel_propagators oriel_propagators_get(void);
#define ORIEL_FIELDS_MAX 16u
/* The headers that are set, in lower case: static texts. p NULL: of this process. */
ORIEL_EXPORT size_t oriel_propagators_fields(const struct oriel_propagators *p,
                                             const char *out[ORIEL_FIELDS_MAX]);

/*
 * How headers are read. `get`: value number `index` of the header with that name, which is
 * given in lower case and compared without regard to case; NULL: there are no more. The
 * value stays until oriel_extract returns. `name`: the carrier's headers one by one, for
 * names that are not known before (baggage of Jaeger and OpenTracing); the function may be NULL.
 */
struct oriel_getter {
    const char *(*get)(void *carrier, const char *name, size_t index, size_t *out_bytes);
    const char *(*name)(void *carrier, size_t index, size_t *out_bytes);
};
/* How a header is set, in place of what it was: 0 or a negative code, which oriel_inject
 * returns. Name in lower case and value are only there during the call; the value is also
 * NUL-terminated. */
struct oriel_setter {
    int (*set)(void *carrier, const char *name, const char *value, size_t bytes);
};

/*
 * Write a context (NULL: the current one) into a carrier, as the propagators say (NULL:
 * those of the process). What it does not have is not written. 0, or what the first
 * setter that failed returned; what was set before it stays.
 */
ORIEL_EXPORT int oriel_inject(const struct oriel_propagators *p, const struct oriel_context *c,
                              const struct oriel_setter *setter, void *carrier);

enum oriel_extracted { ORIEL_EXTRACTED_SPAN = 1, ORIEL_EXTRACTED_BAGGAGE = 2 };
/*
 * Read what a carrier brings into `out`, and baggage into `baggage` (NULL: not wanted), to
 * which `out` then points. What is malformed counts as not there; a wrong tracestate costs
 * the tracestate only. Returns enum oriel_extracted, or-ed; 0: nothing, out is all zero.
 */
ORIEL_EXPORT unsigned oriel_extract(const struct oriel_propagators *p,
                                    const struct oriel_getter *getter, void *carrier,
                                    struct oriel_context *out, struct oriel_baggage *baggage);

/* ---- carriers ---- */

/* HTTP headers, gRPC metadata. Values end with a NUL. */
struct oriel_header {
    const char *name, *value;
};
/* `text` is where the setter copies names and values to; not needed for reading. */
struct oriel_headers {
    struct oriel_header *headers;
    size_t count, capacity;
    char *text;
    size_t text_bytes, text_capacity;
};
/* Carrier: struct oriel_headers. The setter returns ORIEL_ELIMIT (-13) when it is full. */
ORIEL_EXPORT extern const struct oriel_getter oriel_header_getter;
ORIEL_EXPORT extern const struct oriel_setter oriel_header_setter;

/* Carrier: char **, an environment ("NAME=value", NULL-terminated): `environ`, or the envp
 * of main. Names are sought as the environment has them: TRACEPARENT, X_B3_TRACEID. */
ORIEL_EXPORT extern const struct oriel_getter oriel_environment_getter;
/*
 * An environment for execve: `from` (NULL: empty) without the variables of any propagator,
 * and those of the context (NULL: the current one). `out` gets pointers into `from` and
 * `text` and a NULL at the end; nothing is set in this process. 0; ORIEL_ELIMIT (-13): `out`
 * (slots) or `text` (bytes; 12 KiB hold everything) is too small, out has no meaning then.
 */
ORIEL_EXPORT int oriel_environment_make(const struct oriel_propagators *p,
                                        const struct oriel_context *c, char *const *from,
                                        char **out, size_t slots, char *text, size_t text_bytes);

/*
 * A context in a message: always 29 bytes, the binary form of W3C and gRPC's grpc-trace-bin
 * (version 0; trace id, span id, flags). Tracestate and baggage are not in it. False: the
 * context has no span; all bytes are 0 then.
 */
#define ORIEL_CONTEXT_PACKED 29u
ORIEL_EXPORT bool oriel_context_pack(const struct oriel_context *c,
                                     uint8_t out[ORIEL_CONTEXT_PACKED]);
/* 0 and a remote context; ORIEL_EFORMAT (-5): it is none, out untouched. */
ORIEL_EXPORT int oriel_context_unpack(const void *packed, size_t bytes, struct oriel_context *out);

#ifdef __cplusplus
}
#endif

/* Make a context current until the end of the scope. */
#define ORIEL_CONTEXT(context) ORIEL_CONTEXT_(__COUNTER__, context)
#define ORIEL_CONTEXT_(id, context) ORIEL_CONTEXT__(id, context)
#define ORIEL_CONTEXT__(id, context)                                                               \
    struct oriel_entered oriel_entered_##id __attribute__((cleanup(oriel_context_exit), unused)) = \
        oriel_context_enter(context)

/* (name, context, fields...): ORIEL_OPEN with the span of a context as parent, whatever is
 * current here. The context is borrowed for this call only. Needs <oriel/oriel.h>. */
#ifndef ORIEL_OFF
#define ORIEL_OPEN_IN(name, ...)                                                                   \
    ORIEL_OPEN_IN_(__COUNTER__, name, ORIEL_PAIRS(__VA_ARGS__), __VA_ARGS__)
#define ORIEL_OPEN_IN_(id, name, n, ...) ORIEL_OPEN_IN__(id, name, n, __VA_ARGS__)
#define ORIEL_OPEN_IN__(id, name, n, ...)                                                          \
    __extension__({                                                                                \
        struct oriel_entered oriel_in = oriel_context_enter(ORIEL_FIRST(__VA_ARGS__));             \
        ORIEL_SITE(id, ORIEL_SITE_SPAN, ORIEL_LEVEL_INFO, 0, name, 0, n, __VA_ARGS__);             \
        struct oriel_span oriel_opened = {0, 0, 0, 0, 0};                                          \
        oriel_word oriel_w = ORIEL_WORD(id);                                                       \
        do {                                                                                       \
            if (ORIEL_UNLIKELY(oriel_w)) {                                                         \
                oriel_w = ORIEL_WORD_KNOWN(id, oriel_w);                                           \
                ORIEL_SITE_PROBE(id, name, oriel_w,                                                \
                                 oriel_opened = oriel_abi_open_hooked(                             \
                                     ORIEL_SITE_AT(id), 0, n, ORIEL_VALUES(n, __VA_ARGS__) 0));    \
                if (ORIEL_RECORDED(oriel_w)) {                                                     \
                    const struct oriel_value oriel_a[] = {                                         \
                        ORIEL_VALUES(n, __VA_ARGS__){0, 0, {0}}};                                  \
                    oriel_opened = oriel_abi_open(oriel_w, 0, oriel_a, n);                         \
                }                                                                                  \
            }                                                                                      \
        } while (0);                                                                               \
        oriel_context_exit(&oriel_in);                                                             \
        oriel_opened;                                                                              \
    })

/* (name, contexts, count, parent, fields...): ORIEL_OPEN with links to these contexts, in their
 * order, from its beginning: whoever looks at the span finds them. Contexts without a span are
 * left out. */
#define ORIEL_OPEN_LINKED(name, contexts, count, ...)                                              \
    ORIEL_OPEN_LINKED_(__COUNTER__, name, contexts, count, ORIEL_PAIRS(__VA_ARGS__), __VA_ARGS__)
#define ORIEL_OPEN_LINKED_(id, name, contexts, count, n, ...)                                      \
    ORIEL_OPEN_LINKED__(id, name, contexts, count, n, __VA_ARGS__)
#define ORIEL_OPEN_LINKED__(id, name, contexts, count, n, ...)                                     \
    __extension__({                                                                                \
        ORIEL_SITE(id, ORIEL_SITE_SPAN, ORIEL_LEVEL_INFO, 0, name, 0, n, __VA_ARGS__);             \
        struct oriel_span oriel_linked = {0, 0, 0, 0, 0};                                          \
        const struct oriel_context *oriel_to = 0;                                                  \
        size_t oriel_links = 0;                                                                    \
        oriel_word oriel_w = ORIEL_WORD(id);                                                       \
        do {                                                                                       \
            if (ORIEL_UNLIKELY(oriel_w)) {                                                         \
                oriel_to = (contexts);                                                             \
                oriel_links = (count);                                                             \
                oriel_w = ORIEL_WORD_KNOWN(id, oriel_w);                                           \
                ORIEL_SITE_PROBE(                                                                  \
                    id, name, oriel_w,                                                             \
                    oriel_linked = oriel_abi_linked_hooked(ORIEL_SITE_AT(id), oriel_to,            \
                                                           oriel_links, ORIEL_FIRST(__VA_ARGS__),  \
                                                           n, ORIEL_VALUES(n, __VA_ARGS__) 0));    \
                if (ORIEL_RECORDED(oriel_w)) {                                                     \
                    const struct oriel_value oriel_a[] = {                                         \
                        ORIEL_VALUES(n, __VA_ARGS__){0, 0, {0}}};                                  \
                    oriel_linked = oriel_abi_open(oriel_w, ORIEL_FIRST(__VA_ARGS__), oriel_a, n);  \
                }                                                                                  \
            }                                                                                      \
        } while (0);                                                                               \
        oriel_span_link_all(&oriel_linked, oriel_to, oriel_links);                                 \
        oriel_linked;                                                                              \
    })
#else
#define ORIEL_OPEN_LINKED(name, contexts, count, ...)                                              \
    (ORIEL_IGNORE(name, contexts, count, __VA_ARGS__), (struct oriel_span){0})
#define ORIEL_OPEN_IN(name, ...) (ORIEL_IGNORE(name, __VA_ARGS__), (struct oriel_span){0})
#endif

#endif
