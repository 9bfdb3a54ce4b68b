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
#define NOT_RECORDED UINT64_MAX /* no raw id: nothing in the ring stands for it */

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

/* Whose decision counts; NULL: trace ids say it, behind the ring. */
static const struct oriel_sampler *sampler_of(const struct rec_hooks *h)
{
    return h->sampler_number ? &h->sampler : h->has_house ? &h->house : NULL;
}

/* Whether anybody is asked about a span with that parent (NULL: the current one). */
static bool hooks_spans(const struct rec_hooks *h, const struct oriel_span *parent)
{
    if (h->spans || h->ids_number || h->sampler_number)
        return true;
    const bool here = parent ? parent->id != 0 : oriel_stack_top(oriel_tls.thread) != 0;
    return h->has_house && !(h->entries && here);
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
    const struct oriel_context *links;
    size_t link_count;
    struct oriel_sampling_result result; /* not cleared, but for what says that it is there */
};

static void birth_begin(struct birth *b, const struct oriel_site *site,
                        const struct oriel_value *values, uint32_t count)
{
    b->site = site;
    b->values = values;
    b->count = count;
    b->word = site_word(site);
    b->links = NULL;
    b->link_count = 0;
    b->result.added = b->result.state_set = 0;
}

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

/* Of this process, and of none of its spans that were not asked about: those have its upper half
 * as it is, and go by their ids. */
static void new_trace(uint64_t out[2])
{
    static uint64_t serial; /* atomic */
    const struct oriel_thread *t = oriel_tls.thread;
    if (t == &rec_null_thread) { /* the first words of a thread */
        (void)os_random(out, 16);
        return;
    }
    out[0] = ~t->trace_hi;
    out[1] = oriel_id_mix(__atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED)) ^ t->trace_salt;
}

/* Its trace, its ids where they are given, and what becomes of it. */
static enum oriel_decision decide_birth(struct birth *b, struct rec_given *out)
{
    const struct oriel_id_generator *ids = b->hooks->ids_number ? &b->hooks->ids : NULL;
    const struct oriel_sampler *sampler = sampler_of(b->hooks);
    uint64_t trace[2] = {0, 0}, span = 0;
    const bool child = oriel_context_valid(&b->parent);
    bool random = !ids || ids->random;
    memset(out, 0, sizeof *out);
    if (child)
        memcpy(trace, b->parent.trace_id, sizeof trace);
    else if (ids && ids->trace_id)
        ids->trace_id(ids->user, (uint8_t *)trace);
    if (!(trace[0] | trace[1])) {
        random = true;
        new_trace(trace);
    }
    if (ids && ids->span_id)
        ids->span_id(ids->user, (uint8_t *)&span);
    memcpy(out->trace, trace, sizeof trace);
    out->raw = oriel_id_unmix(span);
    if (child) {
        memcpy(&out->parent, b->parent.span_id, sizeof out->parent);
        out->flags = b->parent.flags |
                     (b->parent.marks & ORIEL_CONTEXT_REMOTE ? ORIEL_CONTEXT_IS_REMOTE : 0u);
    } else {
        out->flags = rec_root_flags_of(out->trace[1], random);
    }
    if (!sampler || (sampler == &b->hooks->house && b->hooks->entries && child &&
                     !(b->parent.marks & ORIEL_CONTEXT_REMOTE)))
        return ORIEL_RECORD_AND_SAMPLE;
    char kind[16];
    const struct oriel_sampling_request request = {
        .parent = &b->parent,
        .trace_id = (const uint8_t *)trace,
        .name = b->site->name,
        .kind = kind_of(b, kind, sizeof kind),
        .site = b->site,
        .values = b->values,
        .count = b->count,
        .links = b->links,
        .link_count = b->link_count,
    };
    enum oriel_decision decision = sampler->should_sample(sampler->user, &request, &b->result);
    out->decided = true;
    out->flags &= ~(uint32_t)ORIEL_TRACE_SAMPLED;
    out->flags |= decision == ORIEL_RECORD_AND_SAMPLE ? ORIEL_TRACE_SAMPLED : 0u;
    return decision;
}

/* A tracestate that the sampler returned: for who reads the records, for what begins in the span,
 * and for headers. raw 0: it was dropped, and its context stands for it; NOT_RECORDED: not even
 * that. */
static void keep_state(const struct birth *b, const uint64_t trace[2], uint64_t w3c, uint64_t raw)
{
    struct oriel_context c;
    const bool entry = !oriel_context_valid(&b->parent) || b->parent.marks & ORIEL_CONTEXT_REMOTE;
    if (!b->result.state_set) {
        rec_state_pass(&b->parent, w3c);
        return;
    }
    memcpy(c.trace_id, trace, sizeof c.trace_id);
    memcpy(c.span_id, &w3c, sizeof c.span_id);
    (void)oriel_tracestate_parse(&c, b->result.state, b->result.state_bytes);
    rec_state_keep(&c, entry);
    if (raw != NOT_RECORDED)
        rec_state_tell(raw, &c);
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
    return h->ids_number || sampler_of(h);
}

/* A scope with ids of its own is a span that is opened and entered. */
static struct oriel_scope begin_given(struct birth *b)
{
    struct oriel_scope scope = {0, 0, 0};
    struct rec_given given;
    struct oriel_guard guard;
    uint32_t mark = ORIEL_SCOPE_GIVEN;
    if (decide_birth(b, &given) == ORIEL_DROP) {
        uint64_t w3c;
        guard = rec_drop_attach(given.trace, oriel_id_mix(given.raw), (uint8_t)given.flags);
        memcpy(&w3c, oriel_tls.thread->ctx.span_id, sizeof w3c);
        if (guard.flags)
            keep_state(b, given.trace, w3c, 0);
        mark = ORIEL_SCOPE_DROPPED;
    } else {
        struct oriel_span span = rec_open_given(b->word, &given, b->values, b->count);
        if (span.id)
            keep_state(b, given.trace, oriel_id_mix(span.id), span.id);
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
    struct birth b;
    struct oriel_scope scope = {0, 0, 0};
    va_list list;
    va_start(list, count);
    take_values(&list, values, count);
    va_end(list);
    birth_begin(&b, site, values, count);
    if (!ORIEL_RECORDED(b.word))
        return scope;
    b.hooks = hooks_here();
    if (!b.hooks || !hooks_spans(b.hooks, NULL))
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
        if (span.id)
            keep_state(b, given.trace, oriel_id_mix(span.id), span.id);
    } else {
        span.site = random_site();
        span.trace_hi = given.trace[0];
        span.trace_lo = given.trace[1];
        span.flags = REC_GUARD((uint8_t)given.flags) | ORIEL_SPAN_DROPPED;
        keep_state(b, given.trace, rec_dropped_id(&span), NOT_RECORDED);
    }
    if (!span.id)
        return span;
    span.flags |= ORIEL_SPAN_HOOKED;
    const struct oriel_span shown = {span.id, span.trace_hi, span.trace_lo, span.site,
                                     span.flags & ~ORIEL_SPAN_HOOKED};
    tell_start(b, &shown);
    return span;
}

static struct oriel_span open_hooked(struct birth *b, const struct oriel_span *parent,
                                     va_list *list)
{
    struct oriel_value values[VALUES_MAX + 1];
    struct oriel_span span = {0, 0, 0, 0, 0};
    b->values = values;
    take_values(list, values, b->count);
    if (!ORIEL_RECORDED(b->word))
        return span;
    b->hooks = hooks_here();
    if (!b->hooks || !hooks_spans(b->hooks, parent))
        span = oriel_abi_open(b->word, parent, values, b->count);
    else
        span = open_asked(b, parent);
    if (b->hooks)
        rec_hooks_leave(b->hooks);
    return span;
}

struct oriel_span oriel_abi_open_hooked(const struct oriel_site *site,
                                        const struct oriel_span *parent, uint32_t count, ...)
{
    struct birth b;
    va_list list;
    birth_begin(&b, site, NULL, count);
    va_start(list, count);
    struct oriel_span span = open_hooked(&b, parent, &list);
    va_end(list);
    return span;
}

struct oriel_span oriel_abi_linked_hooked(const struct oriel_site *site,
                                          const struct oriel_context *links, size_t link_count,
                                          const struct oriel_span *parent, uint32_t count, ...)
{
    struct birth b;
    va_list list;
    birth_begin(&b, site, NULL, count);
    b.links = links;
    b.link_count = link_count;
    va_start(list, count);
    struct oriel_span span = open_hooked(&b, parent, &list);
    va_end(list);
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
