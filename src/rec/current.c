/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is current on a thread besides its spans: the context it entered, the
 * baggage and the values. Borrowed pointers for each thread, so that they are there
 * whether something is recorded or not; while it is, an entered context stands
 * on the span stack, too (ATTACH). Any thread, signal-safe.
 */
#include "rec/propagate.h"

#include "rec/hooks.h"
#include "rec/rec.h"

#include <assert.h>
#include <stdlib.h>

#include "base/ratio.h"

/* One store each: a signal handler sees the one before or the one after. */
struct rec_here {
    const struct oriel_context *span; /* has ids */
    const struct oriel_baggage *baggage;
    const struct oriel_context_value *values;
    const struct oriel_context *told; /* told when the thread's first record came */
};
static __thread struct rec_here here __attribute__((tls_model("initial-exec")));

static const struct oriel_context *of_process; /* atomic */
static uint64_t threshold;                     /* atomic; of traces that begin here */
static bool looks_on;                          /* set before any thread records */

uint8_t rec_root_flags(void)
{
    return ORIEL_TRACE_SAMPLED | ORIEL_TRACE_RANDOM;
}

void rec_threshold_told(uint64_t told)
{
    __atomic_store_n(&threshold, told, __ATOMIC_RELAXED);
}

/* What the reader says of it now stands above what was told at the start: it may have new rates
 * since. Where a block of a thread lies there stays a region, if a blank one. */
static uint64_t latest_threshold(const struct oriel_thread *t)
{
    const struct wire_region *r = (const struct wire_region *)t->base;
    if (r && __atomic_load_n(&r->rates, __ATOMIC_ACQUIRE)) /* pairs with region_tell_threshold */
        return __atomic_load_n(&r->threshold, __ATOMIC_RELAXED);
    return __atomic_load_n(&threshold, __ATOMIC_RELAXED);
}

uint8_t rec_root_flags_of(uint64_t trace_lo, bool random)
{
    const uint64_t by = latest_threshold(oriel_tls.thread) & ~RATIO_MARKS;
    return (uint8_t)((ratio_keeps(trace_lo, by) ? ORIEL_TRACE_SAMPLED : 0) |
                     (random ? ORIEL_TRACE_RANDOM : 0));
}

/* What is told of a trace elsewhere. That of one that began here goes by its id, as whoever
 * exports it decides; its upper half is that of this process. The share by which it was
 * taken is told with it: "ot=th:..." of OpenTelemetry's probability sampling. */
static void tell_sampling(struct oriel_context *out, uint8_t flags)
{
    const bool asked = __atomic_load_n(&rec_hooks_kinds, __ATOMIC_RELAXED) & REC_HOOKS_DECIDE;
    char th[15];
    uint64_t hi, lo;
    memcpy(&hi, out->trace_id, sizeof hi);
    memcpy(&lo, out->trace_id + 8, sizeof lo);
    out->flags = flags;
    const uint64_t told = latest_threshold(oriel_tls.thread), by = told & ~RATIO_MARKS;
    if (told & RATIO_OF_ALL && hi != oriel_tls.thread->trace_hi && !asked)
        out->flags = (uint8_t)((flags & ~ORIEL_TRACE_SAMPLED) | (by ? 0 : ORIEL_TRACE_SAMPLED));
    if (hi != oriel_tls.thread->trace_hi)
        return;
    if (!ratio_keeps(lo, by)) {
        out->flags &= (uint8_t)~ORIEL_TRACE_SAMPLED;
    } else if (told == by && by) {
        ratio_text(by, th);
        char *end = text_write(text_write(out->state, "ot=th:"), th);
        *end = 0;
        out->state_bytes = (uint16_t)(end - out->state);
    }
}

void rec_current_looks_on(void)
{
    looks_on = true;
}

static const struct oriel_context *current_span(void)
{
    if (here.span || looks_on)
        return here.span;
    return __atomic_load_n(&of_process, __ATOMIC_ACQUIRE);
}

/* What was entered before this thread recorded: now it can be told. Spans that are
 * open since the recording before have it below them. */
void rec_current_tell(void)
{
    struct oriel_thread *t = oriel_tls.thread;
    const struct oriel_context *c = current_span();
    if (!c || oriel_stack_depth(t) > 1 || (t->stack_bytes && t->stack[0].site))
        return;
    t->stack_bytes = 0;
    t->ctx.valid = 0;
    here.told = rec_context_attach(c).flags ? c : NULL;
}

/* Its span is this thread's innermost one: with values or baggage of its own it is entered
 * without a word, and the span stays current. */
static bool is_here(const struct oriel_context *c)
{
    const struct oriel_thread *t = oriel_tls.thread;
    return t->ctx.valid && !(c->marks & ORIEL_CONTEXT_REMOTE) &&
           memcmp(c->span_id, t->ctx.span_id, sizeof c->span_id) == 0 &&
           memcmp(c->trace_id, t->ctx.trace_id, sizeof c->trace_id) == 0;
}

struct oriel_entered oriel_context_enter(const struct oriel_context *context)
{
    struct oriel_entered e = {{0, 0, 0, 0}, NULL, NULL, NULL, NULL};
    _Static_assert(sizeof e.guard == sizeof(struct oriel_guard), "a guard fits");
    if (!context)
        return e;
    e.context = context;
    e.span_before = here.span;
    e.baggage_before = here.baggage;
    e.values_before = here.values;
    if (oriel_context_valid(context)) {
        struct oriel_guard g = {0, 0, 0, 0, 0};
        if (!is_here(context))
            g = rec_context_attach(context);
        memcpy(e.guard, &g, sizeof g);
        here.span = context;
    }
    here.baggage = context->baggage;
    here.values = context->values;
    return e;
}

void oriel_context_exit(struct oriel_entered *entered)
{
    struct oriel_guard g;
    if (!entered || !entered->context)
        return;
    memcpy(&g, entered->guard, sizeof g);
    const bool told = !g.flags && here.told == entered->context;
    here.span = entered->span_before;
    here.baggage = entered->baggage_before;
    here.values = entered->values_before;
    if (told) { /* by rec_current_tell, at the bottom of the stack */
        g = (struct oriel_guard){.flags = REC_GUARD(rec_root_flags())};
        here.told = NULL;
    }
    oriel_context_detach(&g);
    if (told)
        rec_current_tell(); /* the one around it */
    entered->context = NULL;
}

static void take_state(struct oriel_context *out, const struct oriel_context *from)
{
    out->state_bytes =
        from->state_bytes <= ORIEL_TRACESTATE_BYTES ? from->state_bytes : (uint16_t)0;
    memcpy(out->state, from->state, out->state_bytes);
    out->state[out->state_bytes] = 0;
    out->marks = from->marks & ORIEL_CONTEXT_DEBUG;
}

/* What the context that was entered says of the whole trace. */
static void take_trace(struct oriel_context *out, const struct oriel_context *entered)
{
    if (!entered || memcmp(out->trace_id, entered->trace_id, sizeof out->trace_id) != 0)
        return;
    take_state(out, entered);
    if (memcmp(out->span_id, entered->span_id, sizeof out->span_id) == 0)
        out->marks = entered->marks;
}

const struct oriel_context_value *rec_current_values(void)
{
    const struct oriel_context *process = __atomic_load_n(&of_process, __ATOMIC_ACQUIRE);
    return here.values ? here.values : process ? process->values : NULL;
}

const struct oriel_baggage *rec_current_baggage(void)
{
    const struct oriel_context *process = __atomic_load_n(&of_process, __ATOMIC_ACQUIRE);
    return here.baggage ? here.baggage : process ? process->baggage : NULL;
}

bool rec_current_context(struct oriel_context *out)
{
    const struct oriel_thread *t = oriel_tls.thread;
    const struct oriel_context *entered = current_span();
    memset(out, 0, offsetof(struct oriel_context, state) + 1);
    out->baggage = rec_current_baggage();
    out->values = rec_current_values();
    if (t->ctx.valid) {
        memcpy(out->trace_id, t->ctx.trace_id, sizeof out->trace_id);
        memcpy(out->span_id, t->ctx.span_id, sizeof out->span_id);
        if (oriel_stack_top(t))
            tell_sampling(out, t->ctx.flags);
        else
            out->flags = t->ctx.flags; /* as it came in */
    } else if (entered) {
        memcpy(out->trace_id, entered->trace_id, sizeof out->trace_id);
        memcpy(out->span_id, entered->span_id, sizeof out->span_id);
        out->flags = entered->flags;
    }
    take_trace(out, entered);
    if (t->ctx.valid)
        rec_state_find(out, oriel_stack_top(t) != 0);
    return out->baggage || out->values || oriel_context_valid(out);
}

bool oriel_context_current(struct oriel_context *out)
{
    memset(out, 0, sizeof *out);
    return rec_current_context(out);
}

/* A sampler of the program refused it: what is below goes by that. */
static void tell_dropped(struct oriel_context *out, const struct oriel_span *span)
{
    const uint64_t id = rec_dropped_id(span);
    memcpy(out->trace_id, &span->trace_hi, 8);
    memcpy(out->trace_id + 8, &span->trace_lo, 8);
    memcpy(out->span_id, &id, 8);
    out->flags = rec_span_flags(span);
}

bool oriel_context_of(const struct oriel_span *span, struct oriel_context *out)
{
    const struct oriel_span of = span ? *span : oriel_span_current();
    memset(out, 0, sizeof *out);
    if (oriel_span_ids(&of, out->trace_id, out->span_id))
        tell_sampling(out, rec_span_flags(&of));
    else if (of.flags & ORIEL_SPAN_DROPPED)
        tell_dropped(out, &of);
    else
        return false;
    out->baggage = here.baggage;
    out->values = rec_current_values();
    take_trace(out, current_span());
    rec_state_find(out, true);
    return true;
}

void oriel_context_process(const struct oriel_context *context)
{
    bool usable = context && oriel_context_valid(context);
    assert(!context || context->state_bytes <= ORIEL_TRACESTATE_BYTES);
    __atomic_store_n(&of_process, usable ? context : NULL, __ATOMIC_RELEASE);
}

bool oriel_context_join(void)
{
    static struct oriel_context context;
    static struct oriel_baggage baggage;
    static uint32_t once;
    extern char **environ;
    if (__atomic_exchange_n(&once, 1u, __ATOMIC_ACQ_REL))
        return false;
    unsigned found = oriel_extract(NULL, &oriel_environment_getter, environ, &context, &baggage);
    if (found & ORIEL_EXTRACTED_SPAN)
        oriel_context_process(&context);
    return (found & ORIEL_EXTRACTED_SPAN) != 0;
}
