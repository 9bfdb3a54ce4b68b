/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Collects what a crash will be told with. Each thread's last acts go round in
 * a small ring; the event of a crash takes a copy. A thread that does much more
 * after its signal has survived it.
 */
#include "report/crash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

struct crash_history {
    const struct model_thread *thread;
    struct crash *crash; /* handled by the program, maybe survived; in `items` too */
    uint32_t next, count;
    struct crash_act acts[CRASH_LAST];
};

/* NULL: no memory. */
static struct crash_history *history_of(struct crashes *c, const struct model_thread *thread)
{
    struct crash_history **slot = &c->histories[thread->index % CRASH_THREADS];
    if (!*slot)
        *slot = mem_calloc(1, sizeof **slot);
    struct crash_history *h = *slot;
    if (h && h->thread != thread) {
        h->thread = thread;
        h->crash = NULL;
        h->next = h->count = 0;
    }
    return h;
}

static void forget(struct crashes *c, struct crash *crash)
{
    for (size_t i = 0; i < c->items.count; i++)
        if (c->items.items[i] == crash) {
            memmove(&c->items.items[i], &c->items.items[i + 1],
                    (c->items.count - i - 1) * sizeof crash);
            c->items.count--;
            break;
        }
    mem_free(crash);
}

static struct crash_act *next_act(struct crashes *c, struct crash_history *h, uint64_t t_ns)
{
    struct crash_act *a = &h->acts[h->next];
    assert(h->next < CRASH_LAST && h->count <= CRASH_LAST);
    /* A handler may record what it sees before the end. */
    if (h->crash && t_ns > h->crash->t_ns && ++h->crash->later > CRASH_LAST) {
        forget(c, h->crash);
        h->crash = NULL;
        c->survived++;
    }
    h->next = (h->next + 1) % CRASH_LAST;
    h->count += h->count < CRASH_LAST;
    a->t_ns = t_ns;
    a->duration_ns = 0;
    a->text_n = 0;
    return a;
}

int crashes_span(struct crashes *c, const struct model_span *s)
{
    if (!s->end_thread)
        return 0;
    if (s->flags & MODEL_SPAN_UNFINISHED) {
        if ((s->flags & MODEL_SPAN_ASYNC) || !s->thread || c->open.count >= CRASH_OPEN_MAX)
            return 0;
        struct crash_open *o = VEC_PUSH(&c->open);
        if (!o)
            return ORIEL_ENOMEM;
        *o = (struct crash_open){s->site, s->thread, s->start_ns, s->depth};
        return 0;
    }
    struct crash_history *h = history_of(c, s->end_thread);
    if (!h)
        return ORIEL_ENOMEM;
    struct crash_act *a = next_act(c, h, s->end_ns);
    a->site = s->site;
    a->is_span = true;
    a->duration_ns = s->end_ns >= s->start_ns ? s->end_ns - s->start_ns : 0;
    return 0;
}

/* ---- the event of a crash ---- */

static bool is(struct model_str s, const char *text)
{
    size_t n = strlen(text);
    return s.n == n && memcmp(s.p, text, n) == 0;
}

static void keep_text(char *out, size_t n, struct model_str s)
{
    size_t len = s.n < n - 1 ? s.n : n - 1;
    if (len)
        memcpy(out, s.p, len);
    out[len] = 0;
}

static void take_value(struct crash *c, const struct model_value *v)
{
    if (v->type == ORIEL_TYPE_STR) {
        if (is(v->key, "exception.type"))
            keep_text(c->signal, sizeof c->signal, v->v.str);
        else if (is(v->key, "exception.message"))
            keep_text(c->reason, sizeof c->reason, v->v.str);
    } else if (v->type == ORIEL_TYPE_I64) {
        if (is(v->key, "signal.number"))
            c->number = v->v.i64;
        else if (is(v->key, "signal.code"))
            c->code = v->v.i64;
        else if (is(v->key, "thread.id"))
            c->tid = v->v.i64;
    } else if (v->type == ORIEL_TYPE_PTR) {
        if (is(v->key, "signal.address"))
            c->address = v->v.u64;
        else if (is(v->key, "code.address"))
            c->ip = v->v.u64;
    } else if (v->type == ORIEL_TYPE_BOOL && is(v->key, "signal.handled")) {
        c->handled = v->v.b;
    }
}

static void take_last(struct crash *c, const struct crash_history *h)
{
    c->last_count = h->count;
    for (uint32_t i = 0; i < h->count; i++)
        c->last[i] = h->acts[(h->next + CRASH_LAST - h->count + i) % CRASH_LAST];
}

static struct crash *add(struct crashes *c)
{
    struct crash **at = c->items.count < CRASHES_MAX ? VEC_PUSH(&c->items) : NULL;
    if (!at)
        return NULL;
    *at = mem_calloc(1, sizeof **at);
    if (!*at)
        c->items.count--;
    return c->items.count ? *at : NULL;
}

static int take_crash(struct crashes *c, const struct model_event *e, struct crash_history *h)
{
    if (h->crash) { /* a second signal: the first was survived */
        forget(c, h->crash);
        h->crash = NULL;
        c->survived++;
    }
    if (c->items.count == CRASHES_MAX)
        return 0;
    struct crash *crash = add(c);
    if (!crash)
        return ORIEL_ENOMEM;
    crash->t_ns = e->t_ns;
    crash->thread = e->thread;
    for (uint32_t i = 0; i < e->attr_count; i++)
        take_value(crash, &e->attrs[i]);
    /* What a sender gives is no address; 1 and up come from the kernel, 128 is
     * a fault whose address it does not know. */
    crash->has_address =
        crash->code > 0 && crash->code != 128 && !is(MODEL_STR("SIGABRT"), crash->signal);
    take_last(crash, h);
    if (crash->handled)
        h->crash = crash;
    return 0;
}

int crashes_event(struct crashes *c, const struct model_event *e)
{
    if (!e->thread)
        return 0;
    struct crash_history *h = history_of(c, e->thread);
    if (!h)
        return ORIEL_ENOMEM;
    if (e->site && is(e->site->target, "oriel.crash") && is(e->site->name, "exception"))
        return take_crash(c, e, h);
    struct crash_act *a = next_act(c, h, e->t_ns);
    a->site = e->site;
    a->is_span = false;
    if (e->site && e->site->format.n && e->message.n) {
        uint32_t n = e->message.n < CRASH_TEXT ? e->message.n : CRASH_TEXT;
        memcpy(a->text, e->message.p, n);
        a->text_n = (uint8_t)n;
    }
    return 0;
}

/* ---- the end ---- */

static int64_t number_of(const struct model_catalog *catalog, const char *key)
{
    char text[32];
    keep_text(text, sizeof text, model_catalog_resource(catalog, key));
    return (int64_t)strtoll(text, NULL, 0);
}

static const struct model_thread *find_thread(const struct model_catalog *catalog, int64_t pid,
                                              int64_t tid)
{
    const struct model_thread *only = NULL;
    unsigned found = 0;
    for (uint32_t i = 0; i < catalog->thread_count; i++) {
        const struct model_thread *t = catalog->threads[i];
        if (t->process >= catalog->process_count || catalog->processes[t->process]->pid != pid)
            continue;
        if (tid && t->tid == tid)
            return t;
        only = t;
        found++;
    }
    return found == 1 && !tid ? only : NULL;
}

static struct model_str first_of(const struct model_catalog *catalog, const char *key,
                                 const char *other)
{
    struct model_str s = model_catalog_resource(catalog, key);
    return s.n ? s : model_catalog_resource(catalog, other);
}

bool crash_ended_something(const struct crash *c, const struct model_catalog *catalog)
{
    struct model_str died = model_catalog_resource(catalog, "oriel.exit.signal");
    if (!c->handled || is(model_catalog_resource(catalog, "oriel.recovered"), "true"))
        return true;
    return died.n && is(died, c->signal) && c->thread &&
           c->thread->process < catalog->process_count &&
           catalog->processes[c->thread->process]->pid == number_of(catalog, "oriel.exit.pid");
}

int crashes_settle(struct crashes *c, const struct model_catalog *catalog)
{
    struct model_str died = first_of(catalog, "oriel.crash.signal", "oriel.exit.signal");
    for (size_t i = 0; i < c->items.count; i++)
        if (crash_ended_something(c->items.items[i], catalog))
            return 0;
    if (!died.n || c->items.count == CRASHES_MAX)
        return 0;
    struct crash *crash = add(c);
    if (!crash)
        return ORIEL_ENOMEM;
    keep_text(crash->signal, sizeof crash->signal, died);
    keep_text(crash->reason, sizeof crash->reason,
              model_catalog_resource(catalog, "oriel.crash.reason"));
    struct model_str pid = first_of(catalog, "oriel.crash.pid", "oriel.exit.pid");
    char text[32];
    keep_text(text, sizeof text, pid);
    crash->pid = strtoll(text, NULL, 10);
    crash->tid = number_of(catalog, "oriel.crash.tid");
    crash->code = number_of(catalog, "oriel.crash.code");
    crash->has_address = model_catalog_resource(catalog, "oriel.crash.address").n > 0;
    crash->address = (uint64_t)number_of(catalog, "oriel.crash.address");
    crash->thread = find_thread(catalog, crash->pid, crash->tid);
    struct crash_history *h =
        crash->thread ? c->histories[crash->thread->index % CRASH_THREADS] : NULL;
    if (h && h->thread == crash->thread)
        take_last(crash, h);
    return 0;
}

static int outermost_first(const void *a, const void *b)
{
    const struct crash_open *x = *(const struct crash_open *const *)a;
    const struct crash_open *y = *(const struct crash_open *const *)b;
    if (x->depth != y->depth)
        return x->depth < y->depth ? -1 : 1;
    return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

uint32_t crash_stack(const struct crashes *c, const struct crash *crash,
                     const struct crash_open **out, uint32_t max)
{
    uint32_t n = 0;
    for (size_t i = 0; i < c->open.count && n < max && crash->thread; i++) {
        const struct crash_open *o = &c->open.items[i];
        if (o->thread == crash->thread && (!crash->t_ns || o->start_ns <= crash->t_ns))
            out[n++] = o;
    }
    qsort(out, n, sizeof *out, outermost_first);
    return n;
}

void crashes_done(struct crashes *c)
{
    for (size_t i = 0; i < c->items.count; i++)
        mem_free(c->items.items[i]);
    VEC_DONE(&c->items);
    VEC_DONE(&c->open);
    for (int i = 0; i < CRASH_THREADS; i++)
        mem_free(c->histories[i]);
}
