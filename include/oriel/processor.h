/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Hooks of the program on its own threads: it sees spans begin and end, hears of log records
 * before they are written, makes ids, decides what is recorded. See docs/PROCESSORS.md.
 *
 *   static void tenant(void *user, const struct oriel_context *parent,
 *                      const struct oriel_span *span, const struct oriel_site *site)
 *   {
 *       ORIEL_SPAN_SET_ON(span, "tenant", current_tenant());
 *   }
 *   ...
 *   oriel_span_processor_add(&(struct oriel_span_processor){.size = sizeof(struct
 *                            oriel_span_processor), .on_start = tenant});
 *
 * While none is registered a call site does what it did without this header: the switch is the
 * word that it looks at anyway.
 *
 * Hooks are called where something is said, on that thread, in signal handlers too (not in one
 * that interrupted the writing of a record), with 4 KiB of stack used around them. What is given
 * to them is theirs until they return. What they say themselves (spans, events) is recorded and
 * asks no hook. They must not leave by longjmp or an exception, nor use what fork leaves behind
 * locked. A hook does not hold up others: they run side by side.
 *
 * Asked are ORIEL_SPAN, ORIEL_FN, ORIEL_BEGIN, ORIEL_OPEN, ORIEL_OPEN_IN, ORIEL_OPEN_LINKED and
 * all words of event.h for logs and events, in objects that are linked with the same copy of
 * liboriel-core; not: ORIEL_EXTERNAL, spans below 64 open ones of a thread, bindings that write
 * through oriel_abi_*.
 *
 * Adding and removing: any thread, not from signal handlers, not from hooks (ORIEL_EBUSY). What is
 * given is copied. A number > 0, for oriel_hook_remove; ORIEL_EINVAL (-1); ORIEL_ELIMIT (-13): the
 * ninth of its kind, or the second sampler or id generator; ORIEL_ENOMEM (-2). oriel_stop removes
 * all of them; a fork child keeps them. Not available with ORIEL_OFF.
 */
#ifndef ORIEL_PROCESSOR_H
#define ORIEL_PROCESSOR_H

#ifndef ORIEL_OFF

#include <string.h>

#include "propagation.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORIEL_HOOKS_MAX 8u          /* span processors, and as many log processors */
#define ORIEL_LOG_ATTRIBUTES_MAX 8u /* that processors add to one record */

/* `name` is a literal, or lives as long as the process. */
struct oriel_attribute {
    const char *name;
    struct oriel_value value;
};

/*
 * All members may be NULL. In the order of adding.
 *
 * on_start: the span is recorded and current (if it is one of a scope). `parent`: with tracestate
 * and baggage; all zero ids: it begins a trace. ORIEL_SPAN_SET_ON, ORIEL_EVENT_ON,
 * oriel_span_status, oriel_span_link take `span`.
 * on_ending: it is over, its time is taken, and it can still be added to.
 * on_end: it is written. Nothing can be added.
 * `site`: what its call site says (name, target, level, file); NULL: the library that it lay in
 * has been unloaded since.
 */
struct oriel_span_processor {
    size_t size; /* sizeof(struct oriel_span_processor) */
    void *user;
    void (*on_start)(void *user, const struct oriel_context *parent, const struct oriel_span *span,
                     const struct oriel_site *site);
    void (*on_ending)(void *user, const struct oriel_span *span, const struct oriel_site *site);
    void (*on_end)(void *user, const struct oriel_span *span, const struct oriel_site *site);
    void (*force_flush)(void *user, unsigned timeout_ms); /* of oriel_flush */
    void (*shutdown)(void *user);                         /* of oriel_stop; then it is removed */
};
ORIEL_EXPORT int oriel_span_processor_add(const struct oriel_span_processor *processor);

/* A log record or event that has been said and not been written. */
struct oriel_log {
    const struct oriel_site *site; /* name or message, target, level, names of the fields */
    const struct oriel_value *values;
    uint32_t count, added;
    struct oriel_attribute attributes[ORIEL_LOG_ATTRIBUTES_MAX]; /* `added` of them */
};

/*
 * enabled: false of any of them, and the record is not made: its arguments are not even evaluated,
 * and ORIEL_ENABLED says false. `site` has target, level and name (ORIEL_ENABLED has none: "").
 * on_emit: may add attributes, which the next ones see; false drops the record.
 */
struct oriel_log_processor {
    size_t size; /* sizeof(struct oriel_log_processor) */
    void *user;
    bool (*enabled)(void *user, const struct oriel_context *context, const struct oriel_site *site);
    bool (*on_emit)(void *user, const struct oriel_context *context, struct oriel_log *log);
    void (*force_flush)(void *user, unsigned timeout_ms);
    void (*shutdown)(void *user);
};
ORIEL_EXPORT int oriel_log_processor_add(const struct oriel_log_processor *processor);

/* Either may be NULL. All zero is no id: then Oriel makes one. */
struct oriel_id_generator {
    size_t size; /* sizeof(struct oriel_id_generator) */
    void *user;
    void (*trace_id)(void *user, uint8_t out[16]); /* of a span that begins a trace */
    void (*span_id)(void *user, uint8_t out[8]);   /* no two alike in a recording */
    bool random; /* the last 7 bytes of trace ids are random (W3C level 2) */
};
ORIEL_EXPORT int oriel_id_generator_set(const struct oriel_id_generator *generator);

enum oriel_decision {
    ORIEL_DROP = 0,        /* no span; what begins in it has its context, not sampled */
    ORIEL_RECORD_ONLY = 1, /* processors hear of it, captures have it; receivers, reports do not */
    ORIEL_RECORD_AND_SAMPLE = 2
};

/* What is known of a span that is about to begin. */
struct oriel_sampling_request {
    const struct oriel_context *parent; /* with tracestate and baggage; no ids: none */
    const uint8_t *trace_id;            /* 16 bytes */
    const char *name, *kind;            /* kind: of the field "otel.kind", else "internal" */
    const struct oriel_site *site;      /* names of the fields, target, level */
    const struct oriel_value *values;   /* of the fields given at its beginning */
    uint32_t count;
    const struct oriel_context *links; /* of ORIEL_OPEN_LINKED; those without ids are none */
    size_t link_count;
};
struct oriel_sampling_result {
    uint32_t added;
    struct oriel_attribute attributes[ORIEL_LOG_ATTRIBUTES_MAX]; /* the span has them, too */
    /* Set by oriel_sampling_tracestate: that of the span, of what begins in it, and of headers. */
    uint16_t state_set, state_bytes;
    char state[ORIEL_TRACESTATE_BYTES];
};

/*
 * Decides in place of the samplers of the configuration, for every span. Their shares, limits and
 * parents count where it is not set. The flag "sampled" is what it decided, in headers and in
 * what receivers get; the parent's tracestate goes on where the result has none.
 */
struct oriel_sampler {
    size_t size; /* sizeof(struct oriel_sampler) */
    void *user;
    enum oriel_decision (*should_sample)(void *user, const struct oriel_sampling_request *request,
                                         struct oriel_sampling_result *result);
};
ORIEL_EXPORT int oriel_sampler_set(const struct oriel_sampler *sampler);

/* The sampler AlwaysRecord: what `root` (a struct oriel_sampler that lives on) would drop is
 * recorded only, so that processors hear of every span. As should_sample, with `root` as user:
 *   oriel_sampler_set(&(struct oriel_sampler){.size = sizeof(struct oriel_sampler),
 *                     .user = &mine, .should_sample = oriel_always_record}); */
static inline enum oriel_decision oriel_always_record(void *root,
                                                      const struct oriel_sampling_request *request,
                                                      struct oriel_sampling_result *result)
{
    const struct oriel_sampler *of = (const struct oriel_sampler *)root;
    const enum oriel_decision decision = of->should_sample(of->user, request, result);
    return decision == ORIEL_DROP ? ORIEL_RECORD_ONLY : decision;
}

/* When it returns no thread is inside the hook any more, nor will one be: its library may be
 * unloaded. 0; ORIEL_ENOTFOUND (-7); ORIEL_EBUSY (-9): called from a hook. */
ORIEL_EXPORT int oriel_hook_remove(int number);

/* ---- attributes ---- */

static inline struct oriel_value oriel_value_i64(int64_t v)
{
    struct oriel_value b = {ORIEL_TYPE_I64, 0, {(uint64_t)v}};
    return b;
}
static inline struct oriel_value oriel_value_f64(double v)
{
    struct oriel_value b = {ORIEL_TYPE_F64, 0, {0}};
    b.v.f64 = v;
    return b;
}
static inline struct oriel_value oriel_value_bool(bool v)
{
    struct oriel_value b = {ORIEL_TYPE_BOOL, 0, {v}};
    return b;
}
/* Copied when the record is written; 4 KiB of it. */
static inline struct oriel_value oriel_value_text(const char *v)
{
    struct oriel_value b = {ORIEL_TYPE_STR, 0, {0}};
    const size_t n = strlen(v);
    b.v.bytes = v;
    b.size = n < ORIEL_STRING_MAX_BYTES ? (uint32_t)n : ORIEL_STRING_MAX_BYTES;
    return b;
}
/* False: there is no place for one more. */
static inline bool oriel_log_add(struct oriel_log *log, const char *name, struct oriel_value value)
{
    if (log->added == ORIEL_LOG_ATTRIBUTES_MAX)
        return false;
    log->attributes[log->added].name = name;
    log->attributes[log->added++].value = value;
    return true;
}
static inline bool oriel_sampling_add(struct oriel_sampling_result *result, const char *name,
                                      struct oriel_value value)
{
    if (result->added == ORIEL_LOG_ATTRIBUTES_MAX)
        return false;
    result->attributes[result->added].name = name;
    result->attributes[result->added++].value = value;
    return true;
}
/* "" is none. False: it is longer than 512 bytes. What is no tracestate counts as none. */
static inline bool oriel_sampling_tracestate(struct oriel_sampling_result *result, const char *text)
{
    const size_t n = strlen(text);
    if (n > sizeof result->state)
        return false;
    memcpy(result->state, text, n);
    result->state_bytes = (uint16_t)n;
    result->state_set = 1;
    return true;
}

#ifdef __cplusplus
}
#endif

#endif
#endif
