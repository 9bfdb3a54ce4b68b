/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a call site does while the program has hooks: values come as arguments, hooks
 * are asked, records are written as ever. Any thread; a signal handler, too, but for
 * one that interrupted the writing of a record: that one says what it says without.
 */
#include "rec/hooks.h"

#include <assert.h>
#include <stdarg.h>

#include "base/os.h"

enum { VALUES_MAX = 16 };

static oriel_word site_word(const struct oriel_site *site)
{
    return __atomic_load_n(site->word, __ATOMIC_RELAXED);
}

static void take_values(va_list *from, struct oriel_value *values, uint32_t count)
{
    assert(count <= VALUES_MAX);
    for (uint32_t i = 0; i < count; i++)
        values[i] = va_arg(*from, struct oriel_value);
}

/* What is registered, where it can be asked; else NULL. */
static const struct rec_hooks *hooks_here(void)
{
    const struct oriel_gate *g = oriel_tls.gate;
    if (g->live && !__atomic_load_n(&g->ready, __ATOMIC_RELAXED))
        return NULL; /* in a handler that interrupted a record */
    if (oriel_stack_depth(oriel_tls.thread) >= ORIEL_STACK_DEPTH || !rec_is_on() ||
        rec_thread_local.own == REC_OWN_YES)
        return NULL;
    return rec_hooks_enter();
}

static bool hooks_spans(const struct rec_hooks *h)
{
    return h->spans || h->ids_number || h->sampler_number;
}

/* ---- the gate of a thread with such scopes ---- */

/* Inline code would not see the marks of a scope: its end has to come by here. */
static void hold_gate(void)
{
    struct oriel_gate *g = oriel_tls.gate;
    rec_thread_local.hooked++;
    if (!g->live)
        return;
    g->open = ORIEL_GATE_OTHER;
    if (__atomic_load_n(&g->ready, __ATOMIC_RELAXED))
        __atomic_store_n(&g->ready, g->open, __ATOMIC_RELAXED);
}

/* Scopes that a longjmp left are over where nothing is open any more. */
static void release_gate(void)
{
    struct oriel_gate *g = oriel_tls.gate;
    if (rec_thread_local.hooked)
        rec_thread_local.hooked--;
    if (oriel_tls.thread->stack_bytes == 0)
        rec_thread_local.hooked = 0;
    if (rec_thread_local.hooked || !g->live)
        return;
    g->open = rec_gate_open();
    if (__atomic_load_n(&g->ready, __ATOMIC_RELAXED))
        __atomic_store_n(&g->ready, g->open, __ATOMIC_RELAXED);
}

/* ---- a span begins ---- */

struct birth {
    const struct rec_hooks *hooks;
    const struct oriel_site *site;
    const struct oriel_value *values;
    uint32_t count;
    oriel_word word;
    struct oriel_context parent;
    struct oriel_sampling_result result;
};

static void find_parent(const struct oriel_span *parent, struct oriel_context *out)
{
    if (!parent) {
        oriel_context_current(out);
    } else if (!oriel_context_of(parent, out)) {
        memset(out, 0, sizeof *out);
        out->baggage = rec_current_baggage();
        out->values = rec_current_values();
    }
}

static bool all_zero(const void *p, size_t n)
{
    const uint8_t *b = p;
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= b[i];
    return !any;
}

static bool is_kind(const char *name)
{
    static const char kind[] = "otel.kind";
    return strlen(name) == sizeof kind - 1 && memcmp(name, kind, sizeof kind) == 0;
}

static const char *kind_of(const struct birth *b, char *room, size_t bytes)
{
    for (uint32_t i = 0; i < b->count; i++) {
        const struct oriel_value *v = &b->values[i];
        if (v->type != ORIEL_TYPE_STR || !is_kind(b->site->fields[i].name) || v->size >= bytes)
            continue;
        memcpy(room, v->v.bytes, v->size);
        room[v->size] = 0;
        return room;
    }
    return "internal";
}

/* Its trace, its ids where they are given, and what becomes of it. */
static enum oriel_decision decide_birth(struct birth *b, struct rec_given *out)
{
    const struct oriel_id_generator *ids = b->hooks->ids_number ? &b->hooks->ids : NULL;
    uint8_t trace[16] = {0}, span[8] = {0};
    const bool child = oriel_context_valid(&b->parent);
    bool random = !ids || ids->random;
    memset(out, 0, sizeof *out);
    if (child)
        memcpy(trace, b->parent.trace_id, sizeof trace);
    else if (ids && ids->trace_id)
        ids->trace_id(ids->user, trace);
    if (all_zero(trace, sizeof trace)) {
        random = true;
        (void)os_random(trace, sizeof trace);
    }
    if (ids && ids->span_id)
        ids->span_id(ids->user, span);
    memcpy(out->trace, trace, sizeof trace);
    memcpy(&out->raw, span, sizeof out->raw);
    out->raw = oriel_id_unmix(out->raw);
    if (child) {
        memcpy(&out->parent, b->parent.span_id, sizeof out->parent);
        out->flags = b->parent.flags |
                     (b->parent.marks & ORIEL_CONTEXT_REMOTE ? ORIEL_CONTEXT_IS_REMOTE : 0u);
    } else {
        out->flags = rec_root_flags_of(out->trace[1], random);
    }
    if (!b->hooks->sampler_number)
        return ORIEL_RECORD_AND_SAMPLE;
    char kind[16];
    const struct oriel_sampling_request request = {
        .parent = &b->parent,
        .trace_id = trace,
        .name = b->site->name,
        .kind = kind_of(b, kind, sizeof kind),
        .site = b->site,
        .values = b->values,
        .count = b->count,
    };
    enum oriel_decision decision =
        b->hooks->sampler.should_sample(b->hooks->sampler.user, &request, &b->result);
    out->decided = true;
    out->flags &= ~(uint32_t)ORIEL_TRACE_SAMPLED;
    out->flags |= decision == ORIEL_RECORD_AND_SAMPLE ? ORIEL_TRACE_SAMPLED : 0u;
    return decision;
}

/* It is there: what the sampler adds, then the processors. */
static void tell_start(struct birth *b, const struct oriel_span *span)
{
    const uint32_t added = b->result.added;
    rec_hooks_site_seen(ORIEL_RECORDED(b->word), b->site);
    if (added && added <= ORIEL_LOG_ATTRIBUTES_MAX) {
        struct oriel_value values[ORIEL_LOG_ATTRIBUTES_MAX];
        oriel_word word = rec_extra_word(b->site, ORIEL_SITE_SET, b->result.attributes, added);
        for (uint32_t i = 0; i < added; i++)
            values[i] = b->result.attributes[i].value;
        if (ORIEL_RECORDED(word))
            oriel_abi_set(word, span->id, values, added);
    }
    for (uint32_t i = 0; i < b->hooks->spans; i++)
        if (b->hooks->span[i].on_start)
            b->hooks->span[i].on_start(b->hooks->span[i].user, &b->parent, span, b->site);
}

static bool gives(const struct rec_hooks *h)
{
    return h->ids_number || h->sampler_number;
}

/* A scope with ids of its own is a span that is opened and entered. */
static struct oriel_scope begin_given(struct birth *b)
{
    struct oriel_scope scope = {0, 0, 0};
    struct rec_given given;
    struct oriel_guard guard;
    uint32_t mark = ORIEL_SCOPE_GIVEN;
    if (decide_birth(b, &given) == ORIEL_DROP) {
        guard = rec_drop_attach(given.trace, oriel_id_mix(given.raw), (uint8_t)given.flags);
        mark = ORIEL_SCOPE_DROPPED;
    } else {
        struct oriel_span span = rec_open_given(b->word, &given, b->values, b->count);
        guard = oriel_span_enter(&span);
        guard.id = span.id;
    }
    if (!guard.flags && mark == ORIEL_SCOPE_DROPPED)
        return scope; /* nothing is known of it, then */
    scope.id = guard.id;
    if (!guard.flags) { /* no room to enter it: it has to be closed */
        guard.stack_bytes = oriel_tls.thread->stack_bytes;
        guard.flags = REC_GUARD(oriel_tls.thread->ctx.flags);
    }
    const uint32_t flags = REC_GUARD_FLAGS(guard.flags);
    scope.stack_bytes =
        guard.stack_bytes | mark | (flags << ORIEL_SCOPE_FLAGS_SHIFT & ORIEL_SCOPE_FLAGS);
    return scope;
}

/* The span of a scope, as a handle. It need not be the innermost: a longjmp leaves others. */
static struct oriel_span handle_of(uint64_t id, uint32_t stack_bytes)
{
    const struct oriel_thread *t = oriel_tls.thread;
    const uint32_t at = (stack_bytes & ~ORIEL_SCOPE_MARKS) / ORIEL_STACK_ENTRY;
    struct oriel_span s = {id, 0, 0, 0, REC_GUARD(t->ctx.flags)};
    if (at < ORIEL_STACK_DEPTH && t->stack[at].id == id)
        s.site = t->stack[at].site;
    memcpy(&s.trace_hi, t->ctx.trace_id, 8);
    memcpy(&s.trace_lo, t->ctx.trace_id + 8, 8);
    return s;
}

static struct oriel_scope begin_asked(struct birth *b)
{
    find_parent(NULL, &b->parent);
    struct oriel_scope scope =
        gives(b->hooks) ? begin_given(b) : oriel_abi_begin(b->word, b->values, b->count);
    if (!scope.id)
        return scope;
    scope.stack_bytes |= ORIEL_SCOPE_HOOKED;
    hold_gate();
    if (!(scope.stack_bytes & ORIEL_SCOPE_DROPPED)) {
        const struct oriel_span span = handle_of(scope.id, scope.stack_bytes);
        tell_start(b, &span);
    }
    return scope;
}

struct oriel_scope oriel_abi_begin_hooked(const struct oriel_site *site, uint32_t count, ...)
{
    struct oriel_value values[VALUES_MAX + 1];
    struct birth b = {.site = site, .values = values, .count = count, .word = site_word(site)};
    struct oriel_scope scope = {0, 0, 0};
    va_list list;
    va_start(list, count);
    take_values(&list, values, count);
    va_end(list);
    if (!ORIEL_RECORDED(b.word))
        return scope;
    b.hooks = hooks_here();
    if (!b.hooks || !hooks_spans(b.hooks))
        scope = oriel_abi_begin(b.word, values, count);
    else
        scope = begin_asked(&b);
    if (b.hooks)
        rec_hooks_leave(b.hooks);
    return scope;
}

/* ---- spans that no scope holds ---- */

static uint64_t drop_salt(const struct oriel_span *span)
{
    return span->trace_lo ^ span->trace_hi ^ (uint64_t)span->site << 32;
}

uint64_t rec_dropped_id(const struct oriel_span *span)
{
    const uint64_t id = oriel_id_mix(drop_salt(span));
    assert(span->flags & ORIEL_SPAN_DROPPED);
    return id ? id : 1;
}

/* Apart, for it asks the system. */
static __attribute__((noinline)) uint32_t random_site(void)
{
    uint32_t salt = 0;
    (void)os_random(&salt, sizeof salt);
    return salt;
}

static struct oriel_span open_asked(struct birth *b, const struct oriel_span *parent)
{
    struct oriel_span span = {0, 0, 0, 0, 0};
    struct rec_given given;
    find_parent(parent, &b->parent);
    if (!gives(b->hooks)) {
        span = oriel_abi_open(b->word, parent, b->values, b->count);
    } else if (decide_birth(b, &given) != ORIEL_DROP) {
        span = rec_open_given(b->word, &given, b->values, b->count);
    } else {
        span.site = random_site();
        span.trace_hi = given.trace[0];
        span.trace_lo = given.trace[1];
        span.flags = REC_GUARD((uint8_t)given.flags) | ORIEL_SPAN_DROPPED;
    }
    if (!span.id)
        return span;
    span.flags |= ORIEL_SPAN_HOOKED;
    const struct oriel_span shown = {span.id, span.trace_hi, span.trace_lo, span.site,
                                     span.flags & ~ORIEL_SPAN_HOOKED};
    tell_start(b, &shown);
    return span;
}

struct oriel_span oriel_abi_open_hooked(const struct oriel_site *site,
                                        const struct oriel_span *parent, uint32_t count, ...)
{
    struct oriel_value values[VALUES_MAX + 1];
    struct birth b = {.site = site, .values = values, .count = count, .word = site_word(site)};
    struct oriel_span span = {0, 0, 0, 0, 0};
    va_list list;
    va_start(list, count);
    take_values(&list, values, count);
    va_end(list);
    if (!ORIEL_RECORDED(b.word))
        return span;
    b.hooks = hooks_here();
    if (!b.hooks || !hooks_spans(b.hooks))
        span = oriel_abi_open(b.word, parent, values, count);
    else
        span = open_asked(&b, parent);
    if (b.hooks)
        rec_hooks_leave(b.hooks);
    return span;
}

/* ---- a span ends ---- */

/* Both return the time of the end; 0: nobody was asked, it is taken later. */
static uint64_t tell_ending(const struct rec_hooks *h, const struct oriel_span *span)
{
    uint64_t ticks = 0;
    for (uint32_t i = 0; i < h->spans; i++) {
        if (!h->span[i].on_ending)
            continue;
        if (!ticks)
            ticks = oriel_ticks(oriel_tls.thread);
        h->span[i].on_ending(h->span[i].user, span, rec_hooks_site(span->site));
    }
    return ticks;
}

static void tell_end(const struct rec_hooks *h, const struct oriel_span *span)
{
    for (uint32_t i = 0; i < h->spans; i++)
        if (h->span[i].on_end)
            h->span[i].on_end(h->span[i].user, span, rec_hooks_site(span->site));
}

void rec_hooked_end(uint64_t id, uint32_t marked)
{
    const struct oriel_thread *t = oriel_tls.thread;
    struct oriel_guard guard = {id, 0, 0, marked & ~ORIEL_SCOPE_MARKS,
                                REC_GUARD((marked & ORIEL_SCOPE_FLAGS) >> ORIEL_SCOPE_FLAGS_SHIFT)};
    memcpy(&guard.trace_hi, t->ctx.trace_id, 8);
    memcpy(&guard.trace_lo, t->ctx.trace_id + 8, 8);
    if (marked & ORIEL_SCOPE_DROPPED) {
        oriel_context_detach(&guard);
        release_gate();
        return;
    }
    const struct rec_hooks *h = rec_is_on() ? rec_hooks_enter() : NULL;
    const struct oriel_span span = handle_of(id, marked);
    const uint64_t ticks = h ? tell_ending(h, &span) : 0;
    if (marked & ORIEL_SCOPE_GIVEN) {
        rec_span_exit(&guard, ticks);
        rec_span_close(id, ticks);
    } else {
        rec_end(id, guard.stack_bytes, ticks);
    }
    release_gate();
    if (h) {
        tell_end(h, &span);
        rec_hooks_leave(h);
    }
}

void rec_hooked_close(struct oriel_span *span)
{
    struct oriel_span shown = *span;
    shown.flags &= ~ORIEL_SPAN_HOOKED;
    const struct rec_hooks *h = rec_is_on() ? rec_hooks_enter() : NULL;
    rec_span_close(span->id, h ? tell_ending(h, &shown) : 0);
    span->id = 0;
    if (h) {
        tell_end(h, &shown);
        rec_hooks_leave(h);
    }
}

/* ---- logs and events ---- */

bool oriel_abi_enabled_hooked(const struct oriel_site *site)
{
    struct oriel_context context;
    if (!ORIEL_RECORDED(site_word(site)))
        return false;
    const struct rec_hooks *h = hooks_here();
    if (!h)
        return true;
    bool wanted = true;
    oriel_context_current(&context);
    for (uint32_t i = 0; wanted && i < h->logs; i++)
        if (h->log[i].enabled)
            wanted = h->log[i].enabled(h->log[i].user, &context, site);
    rec_hooks_leave(h);
    return wanted;
}

/* With what was added, under a site that says so; without, where there is none. */
static void write_log(const struct oriel_log *log, uint64_t span)
{
    struct oriel_value values[VALUES_MAX + ORIEL_LOG_ATTRIBUTES_MAX];
    const uint32_t added = log->added <= ORIEL_LOG_ATTRIBUTES_MAX ? log->added : 0;
    oriel_word word =
        added ? rec_extra_word(log->site, log->site->kind, log->attributes, added) : 0;
    if (!ORIEL_RECORDED(word)) {
        (void)rec_event(site_word(log->site), span, log->values, log->count);
        return;
    }
    memcpy(values, log->values, log->count * sizeof *values);
    for (uint32_t i = 0; i < added; i++)
        values[log->count + i] = log->attributes[i].value;
    (void)rec_event(word, span, values, log->count + added);
}

static void ask_log(const struct rec_hooks *h, struct oriel_log *log, const struct oriel_span *span)
{
    struct oriel_context context;
    if (!span || !oriel_context_of(span, &context))
        oriel_context_current(&context);
    for (uint32_t i = 0; i < h->logs; i++)
        if (h->log[i].on_emit && !h->log[i].on_emit(h->log[i].user, &context, log))
            return;
    write_log(log, span ? span->id : 0);
}

void oriel_abi_event_hooked(const struct oriel_site *site, const struct oriel_span *span,
                            uint32_t count, ...)
{
    struct oriel_value values[VALUES_MAX + 1];
    struct oriel_log log = {.site = site, .values = values, .count = count};
    const oriel_word word = site_word(site);
    va_list list;
    va_start(list, count);
    take_values(&list, values, count);
    va_end(list);
    if (!ORIEL_RECORDED(word))
        return;
    const struct rec_hooks *h = hooks_here();
    if (h && h->logs)
        ask_log(h, &log, span);
    else
        (void)rec_event(word, span ? span->id : 0, values, count);
    if (h)
        rec_hooks_leave(h);
}
