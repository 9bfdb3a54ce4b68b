/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spans that are not bound to a scope, contexts from outside, links, status,
 * thread names. Same rules as the rest of the record path.
 */
#include <oriel/propagation.h>

#include "rec/hooks.h"
#include "rec/rec.h"

#include <string.h>

const struct oriel_span oriel_root_span;

/* A record of header, time, `count` words, of which the first is a raw id, and a text (bytes
 * NULL: none). */
static __attribute__((noinline)) void say(uint32_t type, const uint64_t *words, uint32_t count,
                                          struct oriel_val_str text)
{
    const uint32_t flags = type >> 8; /* of the header, above its type */
    size_t bytes = 16 + (size_t)count * 8 + (text.bytes ? oriel_size_str(text) : 0);
    struct oriel_emit e = oriel_emit_start(bytes);
    if (!e.words)
        return;
    e.words[0] = ORIEL_RECORD_HEADER(bytes / 8, type & 0xff, flags, count ? (uint32_t)words[0] : 0);
    e.words[1] = oriel_ticks(e.thread);
    for (uint32_t i = 0; i < count; i++)
        e.words[2 + i] = words[i];
    uint64_t *end = e.words + 2 + count;
    oriel_emit_commit(e, text.bytes ? oriel_put_str(end, text) : end);
}

static const struct oriel_val_str no_text = {NULL, 0, 0};

/* EXIT or CLOSE at a time that was taken before; 0: now. */
static void ended_at(uint32_t type, uint64_t id, uint64_t ticks)
{
    struct oriel_emit e = oriel_emit_start(24 + ORIEL_EMIT_END);
    if (!e.words)
        return;
    e.words[0] = ORIEL_RECORD_HEADER(3, type, 0, (uint32_t)id);
    e.words[1] = ticks ? ticks : oriel_ticks(e.thread);
    e.words[2] = id;
    oriel_emit_commit(e, e.words + 3);
}

/* What becomes current: a span, or (site 0) a context with its W3C id. */
struct entering {
    uint64_t id, trace_hi, trace_lo;
    uint32_t site;
    uint8_t flags;
};

/* Push an entry and make its trace current; *g remembers what was. */
static void push_context(struct oriel_thread *t, struct oriel_guard *g, struct entering n)
{
    memcpy(&g->trace_hi, t->ctx.trace_id, 8);
    memcpy(&g->trace_lo, t->ctx.trace_id + 8, 8);
    g->id = n.id;
    g->flags = REC_GUARD(t->ctx.flags);
    g->stack_bytes = oriel_stack_push(t, n.id, n.site);
    ORIEL_SIGNAL_FENCE();
    t->ctx.valid = 0;
    ORIEL_SIGNAL_FENCE();
    oriel_ctx_trace(t, n.trace_hi, n.trace_lo);
    t->ctx.flags = n.flags;
    if (!n.site)
        memcpy(t->ctx.span_id, &n.id, 8);
    ORIEL_SIGNAL_FENCE();
    t->ctx.valid = 1;
}

static void pop_context(struct oriel_thread *t, const struct oriel_guard *g)
{
    if (t == &rec_null_thread || t->stack_bytes <= g->stack_bytes)
        return;
    t->ctx.valid = 0;
    ORIEL_SIGNAL_FENCE();
    oriel_ctx_trace(t, g->trace_hi, g->trace_lo);
    t->ctx.flags = REC_GUARD_FLAGS(g->flags);
    ORIEL_SIGNAL_FENCE();
    oriel_stack_pop(t, g->stack_bytes);
}

uint8_t rec_span_flags(const struct oriel_span *span)
{
    return span->flags ? REC_GUARD_FLAGS(span->flags) : rec_root_flags();
}

static struct oriel_guard enter_dropped(const struct oriel_span *span)
{
    const uint64_t trace[2] = {span->trace_hi, span->trace_lo};
    struct oriel_guard g = rec_drop_attach(trace, rec_dropped_id(span), rec_span_flags(span));
    if (g.flags) {
        const uint32_t before = REC_GUARD_FLAGS(g.flags);
        g.stack_bytes |= ORIEL_SCOPE_DROPPED | before << ORIEL_SCOPE_FLAGS_SHIFT;
        g.flags = 0;
    }
    return g;
}

struct oriel_guard oriel_span_enter(const struct oriel_span *span)
{
    struct oriel_guard g = {0, 0, 0, 0, 0};
    struct oriel_emit e = {0, 0, 0, 0};
    if (span && span->id)
        e = oriel_emit_start(24);
    if (!e.words)
        return span && span->flags & ORIEL_SPAN_DROPPED ? enter_dropped(span) : g;
    e.words[0] = ORIEL_RECORD_HEADER(3, ORIEL_REC_ENTER, 0, (uint32_t)span->id);
    e.words[1] = oriel_ticks(e.thread);
    e.words[2] = span->id;
    push_context(e.thread, &g,
                 (struct entering){span->id, span->trace_hi, span->trace_lo, span->site,
                                   rec_span_flags(span)});
    oriel_emit_commit(e, e.words + 3);
    return g;
}

void rec_span_exit(struct oriel_guard *guard, uint64_t ticks)
{
    ended_at(ORIEL_REC_EXIT, guard->id, ticks);
    pop_context(oriel_tls.thread, guard);
    guard->flags = 0;
}

void rec_span_close(uint64_t id, uint64_t ticks)
{
    ended_at(ORIEL_REC_CLOSE, id, ticks);
}

/* Such a guard has no flags, so that others need not be asked whether they are one. */
static void exit_dropped(struct oriel_guard *guard)
{
    guard->flags = REC_GUARD((guard->stack_bytes & ORIEL_SCOPE_FLAGS) >> ORIEL_SCOPE_FLAGS_SHIFT);
    guard->stack_bytes &= ~ORIEL_SCOPE_MARKS;
    oriel_context_detach(guard);
}

void oriel_span_exit(struct oriel_guard *guard)
{
    if (!guard || !guard->flags) {
        if (guard && guard->stack_bytes & ORIEL_SCOPE_DROPPED)
            exit_dropped(guard);
        return;
    }
    ended_at(ORIEL_REC_EXIT, guard->id, 0);
    pop_context(oriel_tls.thread, guard);
    guard->flags = 0;
}

void oriel_span_close(struct oriel_span *span)
{
    if (!span || !span->id)
        return;
    if (ORIEL_UNLIKELY(span->flags & ORIEL_SPAN_HOOKED)) {
        rec_hooked_close(span);
        return;
    }
    ended_at(ORIEL_REC_CLOSE, span->id, 0);
    span->id = 0;
}

struct oriel_span oriel_span_current(void)
{
    const struct oriel_thread *t = oriel_tls.thread;
    struct oriel_span s = {0, 0, 0, 0, 0};
    s.id = oriel_stack_top(t);
    if (s.id) {
        s.site = t->stack[oriel_stack_depth(t) - 1].site;
        memcpy(&s.trace_hi, t->ctx.trace_id, 8);
        memcpy(&s.trace_lo, t->ctx.trace_id + 8, 8);
        s.flags = REC_GUARD(t->ctx.flags);
    }
    return s;
}

static uint64_t span_id_of(const struct oriel_span *span)
{
    return span ? span->id : oriel_stack_top(oriel_tls.thread);
}

bool oriel_span_recording(const struct oriel_span *span)
{
    return span_id_of(span) != 0 && rec_is_on();
}

void oriel_span_status(const struct oriel_span *span, enum oriel_status code, const char *message)
{
    const uint64_t words[2] = {span_id_of(span), (uint64_t)code};
    if (words[0])
        say(ORIEL_REC_STATUS, words, 2, oriel_val_cstr(message ? message : ""));
}

void oriel_span_name(const struct oriel_span *span, const char *name)
{
    uint64_t id = span_id_of(span);
    if (id && name && *name)
        say(ORIEL_REC_NAME, &id, 1, oriel_val_cstr(name));
}

void oriel_span_link(const struct oriel_span *span, const uint8_t trace_id[16],
                     const uint8_t span_id[8])
{
    uint64_t words[5] = {span_id_of(span), 0, 0, 0, 0};
    memcpy(words + 1, trace_id, 16);
    memcpy(words + 3, span_id, 8);
    if (words[0])
        say(ORIEL_REC_LINK, words, 5, no_text);
}

/* Of a context that was attached, or of the link said last. */
static void tell_state(uint64_t id, const struct oriel_context *context)
{
    if (context->state_bytes && context->state_bytes <= ORIEL_TRACESTATE_BYTES)
        say(ORIEL_REC_STATE, &id, 1, oriel_val_bytes(context->state, context->state_bytes));
}

/* Also an empty one: there was another before. */
void rec_state_tell(uint64_t raw, const struct oriel_context *c)
{
    if (raw)
        say(ORIEL_REC_STATE | ORIEL_RECF_HERE << 8, &raw, 1,
            oriel_val_bytes(c->state, c->state_bytes));
    else
        tell_state(0, c);
}

static uint64_t flags_word(const struct oriel_context *context)
{
    return context->flags | ORIEL_CONTEXT_ORIGIN_KNOWN |
           (context->marks & ORIEL_CONTEXT_REMOTE ? ORIEL_CONTEXT_IS_REMOTE : 0u);
}

void oriel_span_link_to(const struct oriel_span *span, const struct oriel_context *context)
{
    uint64_t words[5] = {span_id_of(span), 0, 0, 0, 0};
    if (!words[0] || !context || !oriel_context_valid(context))
        return;
    memcpy(words + 1, context->trace_id, 16);
    memcpy(words + 3, context->span_id, 8);
    words[4] = flags_word(context);
    say(ORIEL_REC_LINK, words, 5, no_text);
    tell_state(words[0], context);
}

void oriel_span_follows(const struct oriel_span *span, const struct oriel_span *earlier)
{
    const uint64_t words[2] = {span_id_of(span), earlier ? earlier->id : 0};
    if (words[0] && words[1])
        say(ORIEL_REC_FOLLOW, words, 2, no_text);
}

bool oriel_span_ids(const struct oriel_span *span, uint8_t trace_id[16], uint8_t span_id[8])
{
    struct oriel_span current = span ? *span : oriel_span_current();
    if (!current.id)
        return false;
    uint64_t w3c = oriel_id_mix(current.id);
    memcpy(trace_id, &current.trace_hi, 8);
    memcpy(trace_id + 8, &current.trace_lo, 8);
    memcpy(span_id, &w3c, 8);
    return true;
}

#define NEW_ID (UINT64_C(1) << 32) /* among the flags: an id that nobody else has here */

/* flags: those of W3C, and where it came from. */
static struct oriel_guard attach(const uint64_t trace[2], uint64_t span_id, uint64_t flags)
{
    struct oriel_guard g = {0, 0, 0, 0, 0};
    struct oriel_emit e = oriel_emit_start(48);
    if (!e.words)
        return g;
    e.words[0] = ORIEL_RECORD_HEADER(6, ORIEL_REC_ATTACH, 0, 0);
    e.words[1] = oriel_ticks(e.thread);
    e.words[2] = trace[0];
    e.words[3] = trace[1];
    e.words[4] = flags & NEW_ID ? oriel_id_mix(oriel_emit_id(e)) : span_id;
    e.words[5] = flags & UINT32_MAX;
    push_context(e.thread, &g,
                 (struct entering){e.words[4], trace[0], trace[1], 0, (uint8_t)flags});
    oriel_emit_commit(e, e.words + 6);
    return g;
}

static struct oriel_guard attach_ids(const uint8_t trace_id[16], const uint8_t span_id[8],
                                     uint64_t flags)
{
    uint64_t trace[2], span;
    memcpy(trace, trace_id, sizeof trace);
    memcpy(&span, span_id, sizeof span);
    return attach(trace, span, flags);
}

struct oriel_guard oriel_context_attach(const uint8_t trace_id[16], const uint8_t span_id[8],
                                        uint8_t flags)
{
    return attach_ids(trace_id, span_id,
                      flags | ORIEL_CONTEXT_ORIGIN_KNOWN | ORIEL_CONTEXT_IS_REMOTE);
}

struct oriel_guard rec_drop_attach(const uint64_t trace[2], uint64_t span_id, uint8_t flags)
{
    return attach(trace, span_id,
                  flags | ORIEL_CONTEXT_ORIGIN_KNOWN | (span_id ? UINT64_C(0) : NEW_ID));
}

struct oriel_guard rec_context_attach(const struct oriel_context *context)
{
    struct oriel_guard g = attach_ids(context->trace_id, context->span_id, flags_word(context));
    if (g.flags)
        tell_state(0, context);
    return g;
}

void oriel_context_detach(struct oriel_guard *guard)
{
    if (!guard || !guard->flags)
        return;
    struct oriel_emit e = oriel_emit_start(16 + ORIEL_EMIT_END);
    if (e.words) {
        e.words[0] = ORIEL_RECORD_HEADER(2, ORIEL_REC_DETACH, 0, 0);
        e.words[1] = oriel_ticks(e.thread);
        oriel_emit_commit(e, e.words + 2);
    }
    pop_context(oriel_tls.thread, guard);
    guard->flags = 0;
}

__attribute__((cold)) void oriel_thread_name(const char *name)
{
    say(ORIEL_REC_THREAD, NULL, 0, oriel_val_cstr(name ? name : ""));
    struct oriel_thread *t = oriel_tls.thread;
    if (!name || t == &rec_null_thread)
        return;
    size_t n = strnlen(name, sizeof t->name - 1);
    memcpy(t->name, name, n);
    t->name[n] = 0;
}

__attribute__((cold)) void oriel_trigger(const char *reason)
{
    say(ORIEL_REC_TRIGGER, NULL, 0, oriel_val_cstr(reason ? reason : ""));
    if (!rec_enter())
        return;
    __atomic_fetch_add(&rec_runtime.shared->trigger, 1, __ATOMIC_RELEASE);
    rec_leave();
}
