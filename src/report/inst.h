/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Single spans and events that outlive their batch: copies with their
 * attributes, bounded in count and length. Pure; one thread.
 */
#ifndef ORIEL_REPORT_INST_H
#define ORIEL_REPORT_INST_H

#include <stddef.h>
#include <stdint.h>

#include "model/batch.h"

#define INST_ATTRS_MAX 16u   /* more are counted as dropped */
#define INST_STRING_MAX 256u /* bytes of one string */

struct inst {
    uint64_t t_ns; /* span: its start */
    size_t bytes;  /* of memory it takes */
    bool is_event;
    uint32_t name;
    uint64_t self_ns; /* span */
    union {
        struct model_span span; /* links and stretches are not kept */
        struct model_event event;
    } u;
};

/* NULL: no memory. Free with mem_free. */
struct inst *inst_span(const struct model_span *span, uint32_t name, uint64_t self_ns);
struct inst *inst_event(const struct model_event *event, uint32_t name);
static inline uint64_t inst_duration(const struct inst *i)
{
    return i->is_event ? 0 : i->u.span.end_ns - i->u.span.start_ns;
}

/* The slowest spans of one name, slowest first. */
#define SLOW_MAX 4u
struct slow {
    uint64_t above; /* a full list takes only what lasted longer than this */
    uint32_t count;
    struct inst *items[SLOW_MAX];
};
int slow_insert(struct slow *s, const struct model_span *span, uint32_t name, uint64_t self_ns);
/* 0 or ORIEL_ENOMEM. Copies only what gets onto the list. */
static inline int slow_add(struct slow *s, const struct model_span *span, uint32_t name,
                           uint64_t self_ns)
{
    if (s->count == SLOW_MAX && span->end_ns - span->start_ns <= s->above)
        return 0;
    return slow_insert(s, span, name, self_ns);
}
void slow_done(struct slow *s);

#endif
