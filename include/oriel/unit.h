/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Units of work: what a program executes again and again under names that only
 * run time knows (a kernel, a job, a stored query), its stages, and the messages
 * between them.
 *
 *   ORIEL_CONTEXT(&message->context);            who sent it; until the end of the scope
 *   ORIEL_UNIT("kernel", kernel->id, "grid", n); the span "kernel:matmul", a child of the sender's
 *   { ORIEL_SPAN("validate"); ... }              its stages are ordinary spans
 *   ORIEL_EXTERNAL("gpu_execute", start_ns, end_ns, ORIEL_CURRENT);  timed by somebody else
 *
 * Filters, samplers and profiles go by the kind, which is the name of the call
 * site; the id is the field "kernel.id" besides. Needs nothing that span.h does
 * not need; legal everywhere, signal handlers included.
 */
#ifndef ORIEL_UNIT_H
#define ORIEL_UNIT_H

#include "propagation.h"
#include "span.h"

/* What is current, to go along in a message or a task of this process: oriel_context_current
 * without what is only borrowed there (baggage, values), so that it may outlive whoever sends.
 * To put it into every message is the business of the channel, once, where it takes one; who
 * takes it out enters it (ORIEL_CONTEXT) for as long as it works on the message. */
static inline bool oriel_context_carry(struct oriel_context *out)
{
    oriel_context_current(out);
    out->baggage = NULL;
    out->values = NULL;
    return oriel_context_valid(out);
}

/* (kind, id, fields...): a scoped span named "kind:id", with the field "kind.id". kind: a string
 * literal; id: a text, evaluated twice, only while the site records; the first 255 bytes of both
 * are the name. Up to 15 more fields. */
#ifndef ORIEL_OFF

#define ORIEL_UNIT_NAME 256u

static inline void oriel_unit_name(const char *kind, const char *id)
{
    char name[ORIEL_UNIT_NAME];
    size_t n = 0;
    while (*kind && n + 2 < sizeof name)
        name[n++] = *kind++;
    name[n++] = ':';
    while (id && *id && n + 1 < sizeof name)
        name[n++] = *id++;
    name[n] = 0;
    oriel_span_name(ORIEL_CURRENT, name);
}

#define ORIEL_UNIT(kind, ...)                                                                      \
    ORIEL_UNIT_(__COUNTER__, kind, ORIEL_FIRST(__VA_ARGS__),                                       \
                ORIEL_PAIRS(kind, kind ".id", __VA_ARGS__), __VA_ARGS__)
#define ORIEL_UNIT_(nr, kind, unit, n, ...) ORIEL_UNIT__(nr, kind, unit, n, __VA_ARGS__)
#define ORIEL_UNIT__(nr, kind, unit, n, ...)                                                       \
    ORIEL_SCOPED__(nr, ORIEL_LEVEL_INFO, n, kind, kind ".id", __VA_ARGS__);                        \
    do {                                                                                           \
        if (ORIEL_UNLIKELY(ORIEL_NAME(oriel_scope_, nr).id))                                       \
            oriel_unit_name(kind, unit);                                                           \
    } while (0)

#else

#define ORIEL_UNIT(kind, ...) ORIEL_IGNORE(kind, __VA_ARGS__)

#endif
#endif
