/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Hooks of the program, as the record path sees them. Registered in hooks.c, asked
 * in hooked.c, on whichever thread says something.
 */
#ifndef ORIEL_REC_HOOKS_H
#define ORIEL_REC_HOOKS_H

#include <oriel/processor.h>

#include "rec/propagate.h"
#include "rec/rec.h"

/* One state of what is registered; never changed while somebody reads it. */
struct rec_hooks {
    struct oriel_span_processor span[ORIEL_HOOKS_MAX];
    struct oriel_log_processor log[ORIEL_HOOKS_MAX];
    int span_number[ORIEL_HOOKS_MAX], log_number[ORIEL_HOOKS_MAX];
    uint32_t spans, logs;
    struct oriel_id_generator ids;
    struct oriel_sampler sampler;
    int ids_number, sampler_number; /* 0: none */
    /* That of the configuration, where headers could not go by trace ids alone; the program's
     * own takes its place. `entries`: asked for what has no parent in this process only. */
    struct oriel_sampler house;
    bool has_house, entries;
};

/* hooks.c: what is registered, for as long as this thread is inside; NULL: nothing, or this is
 * said by a hook. Every state that was given is to be given back. */
const struct rec_hooks *rec_hooks_enter(void);
void rec_hooks_leave(const struct rec_hooks *h);

/* hooks.c: what a site of that id says; NULL: it is not known (any more). */
void rec_hooks_site_seen(uint32_t id, const struct oriel_site *site);
const struct oriel_site *rec_hooks_site(uint32_t id);

/* extra.c: the word of a site as `site` with more fields, or, of kind SET, with these alone; 0:
 * there is no room for one more, or it is off. The room is made once, before any is wanted. */
int rec_extra_prepare(void);
oriel_word rec_extra_word(const struct oriel_site *site, uint8_t kind,
                          const struct oriel_attribute *attributes, uint32_t count);
/* sites.c: a site that extra.c made gets its word. */
oriel_word rec_sites_add(struct oriel_site_node *node);

/* emit.c: a span with ids of its own; its record says whose decision the flags are. */
struct rec_given {
    uint64_t raw; /* 0: as if none had been given */
    uint64_t parent, trace[2];
    uint32_t flags; /* of W3C, and ORIEL_CONTEXT_IS_REMOTE */
    bool decided;
};
struct oriel_span rec_open_given(oriel_word word, const struct rec_given *given,
                                 const struct oriel_value *values, uint32_t count);
/* emit.c: END; at 0: now. */
void rec_end(uint64_t id, uint32_t stack_bytes, uint64_t ticks);
/* span.c: EXIT and pop; CLOSE; at 0: now. */
void rec_span_exit(struct oriel_guard *guard, uint64_t ticks);
void rec_span_close(uint64_t id, uint64_t ticks);
/* span.c: ATTACH of a span that is not recorded, with an id that nobody else has here, or that. */
struct oriel_guard rec_drop_attach(const uint64_t trace[2], uint64_t span_id, uint8_t flags);
/* current.c: flags of a trace that begins here with an id that is not ours. */
uint8_t rec_root_flags_of(uint64_t trace_lo, bool random);
const struct oriel_baggage *rec_current_baggage(void);

/* hooks.c: of liboriel, which reads the configuration; NULL: trace ids suffice. 0, or ORIEL_EBUSY:
 * somebody is in a hook for long. */
int rec_house_told(const struct oriel_sampler *sampler, bool entries);
/* states.c: the tracestate of a span, by its context; of_trace: and of what is below it. */
void rec_state_keep(const struct oriel_context *c, bool of_trace);
/* That of a span of this program, where one was kept, by its context; below: or of its trace. */
void rec_state_find(struct oriel_context *out, bool below);
/* To a span (W3C id) that has none of its own; where it is that of the trace it need not be. */
void rec_state_pass(const struct oriel_context *parent, uint64_t child);
/* span.c: STATE of a span itself; of 0, of the context that was just attached. */
void rec_state_tell(uint64_t raw, const struct oriel_context *c);

/* hooked.c: the ends of what has marks. */
void rec_hooked_end(uint64_t id, uint32_t marked);
void rec_hooked_close(struct oriel_span *span);
/* The W3C id of a span that was dropped, and its context to enter. */
uint64_t rec_dropped_id(const struct oriel_span *span);

#endif
