/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Batches of views for an exporter of the program. What waits is bounded by the
 * size of a batch, for a full one is given at once; what a call refuses, or there
 * is no time left for, is counted and gone. The drain thread only.
 */
#include "session/program_outlet.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "util/num.h"

enum { MS = 1000000 };

/* What waits of one signal. */
struct waiting {
    VEC(const void *) views;
    struct arena arena;
    uint64_t seen;
    uint64_t since_ns; /* when it was first seen to wait; 0: not yet */
};
struct program {
    struct program_options how;
    struct view view;
    struct waiting spans, logs;
    uint64_t unwritten, unwritten_seen;
    bool said;
};

static int open_program(void *state, const void *options, const struct export_env *env,
                        struct oriel_err *err)
{
    struct program *p = state;
    (void)err;
    p->how = *(const struct program_options *)options;
    assert(p->how.exporter.name && p->how.spans.size > 0 && p->how.logs.size > 0);
    view_init(&p->view, env, &p->how.limits);
    arena_init(&p->spans.arena);
    arena_init(&p->logs.arena);
    return 0;
}

/* How long a call may take: as long as one export may, and as there is time. */
static unsigned left_ms(const struct program *p, int64_t most_ms)
{
    const uint64_t deadline = p->how.deadline_ns ? *p->how.deadline_ns : 0, now = clock_mono_ns();
    const uint64_t left = deadline > now ? (deadline - now) / MS : 0;
    return deadline && left < (uint64_t)most_ms ? (unsigned)left : (unsigned)most_ms;
}

static int refused(struct program *p, int rc, const char *what, uint64_t items,
                   struct oriel_err *err)
{
    char line[256];
    snprintf(line, sizeof line, "exporter %.64s: %s answers %d: %llu %s lost", p->how.exporter.name,
             what, rc, (unsigned long long)items, num_noun(items, "item is", "items are"));
    if (!p->said && p->how.say)
        p->how.say(p->how.user, line);
    p->said = true;
    return err_set(err, ORIEL_EIO, "%s", line);
}

static void forget(struct waiting *w)
{
    arena_reset(&w->arena);
    w->views.count = 0;
    w->seen = w->since_ns = 0;
}

/* The time that a call has was up before it: it is not made. */
static int give(struct program *p, struct waiting *w, struct oriel_err *err)
{
    const struct oriel_exporter *e = &p->how.exporter;
    const bool spans = w == &p->spans;
    const size_t n = w->views.count;
    if (n == 0)
        return 0;
    const unsigned ms = left_ms(p, spans ? p->how.spans.timeout_ms : p->how.logs.timeout_ms);
    int rc = ORIEL_ETIMEOUT;
    if (ms && spans)
        rc = e->export_spans(e->user, (const struct oriel_view_span *const *)w->views.items, n, ms);
    else if (ms)
        rc = e->export_logs(e->user, (const struct oriel_view_log *const *)w->views.items, n, ms);
    if (rc < 0) {
        p->unwritten += n;
        p->unwritten_seen += w->seen;
        rc = refused(p, rc, spans ? "export_spans" : "export_logs", n, err);
    }
    forget(w);
    return rc < 0 ? rc : 0;
}

/* ---- items ---- */

static int keep(struct program *p, struct waiting *w, const void *view, bool seen, int64_t most,
                struct oriel_err *err)
{
    const void **at = view ? VEC_PUSH(&w->views) : NULL;
    if (!at) {
        p->unwritten++;
        p->unwritten_seen += seen;
        return err_set(err, ORIEL_ENOMEM, "exporter %s: %s", p->how.exporter.name,
                       err_text(ORIEL_ENOMEM));
    }
    *at = view;
    w->seen += seen;
    return (int64_t)w->views.count >= most ? give(p, w, err) : 0;
}

static bool is_seen(const struct model_site *s)
{
    return (s->flags & (ORIEL_SITE_SYSTEM | ORIEL_SITE_SEEN)) != 0;
}

static int add_item(struct program *p, const struct model_item *item, struct oriel_err *err)
{
    const struct oriel_exporter *e = &p->how.exporter;
    const struct model_span *s = &item->u.span;
    const struct model_event *event = &item->u.event;
    switch (item->kind) {
    case MODEL_ITEM_SPAN:
        return e->export_spans ? keep(p, &p->spans, view_span(&p->view, s, &p->spans.arena),
                                      is_seen(s->site), p->how.spans.size, err)
                               : 0;
    case MODEL_ITEM_EVENT:
        if (e->export_spans && event->span_id)
            view_hold(&p->view, event);
        return e->export_logs ? keep(p, &p->logs, view_log(&p->view, event, &p->logs.arena),
                                     is_seen(event->site), p->how.logs.size, err)
                              : 0;
    case MODEL_ITEM_LOSS:
        if (!e->export_logs || !p->view.env.catalog->process_count)
            return 0; /* nobody to say it of; the totals have it */
        return keep(p, &p->logs, view_loss(&p->view, &item->u.loss, &p->logs.arena), false,
                    p->how.logs.size, err);
    default:
        return 0;
    }
}

/* What cannot be given is counted one by one: the rest of the batch has its chance. */
static int write_program(void *state, const struct model_batch *batch, struct oriel_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < batch->item_count; i++) {
        int one = add_item(state, &batch->items[i], rc ? NULL : err);
        rc = rc ? rc : one;
    }
    return rc;
}

static int give_all(struct program *p, struct oriel_err *err)
{
    int spans = give(p, &p->spans, err);
    int logs = give(p, &p->logs, spans ? NULL : err);
    return spans ? spans : logs;
}

static int flush_program(void *state, struct oriel_err *err)
{
    struct program *p = state;
    const struct oriel_exporter *e = &p->how.exporter;
    int rc = give_all(p, err);
    const unsigned ms = left_ms(p, p->how.spans.timeout_ms);
    int flushed = !e->force_flush ? 0 : ms ? e->force_flush(e->user, ms) : ORIEL_ETIMEOUT;
    if (flushed < 0 && rc == 0)
        rc = refused(p, flushed, "force_flush", 0, err);
    return rc;
}

/* As processors of the standard have it: what has waited for its delay goes. */
static int tick_program(void *state, uint64_t now_ns, struct oriel_err *err)
{
    struct program *p = state;
    struct waiting *const all[] = {&p->spans, &p->logs};
    const int64_t delays[] = {p->how.spans.delay_ms, p->how.logs.delay_ms};
    int rc = 0;
    for (int i = 0; i < 2; i++) {
        struct waiting *w = all[i];
        if (w->views.count && !w->since_ns)
            w->since_ns = now_ns;
        if (!w->views.count || now_ns - w->since_ns < (uint64_t)delays[i] * MS)
            continue;
        int one = give(p, w, rc ? NULL : err);
        rc = rc ? rc : one;
    }
    return rc;
}

static uint64_t due_program(const void *state, uint64_t *out_delay_ns)
{
    const struct program *p = state;
    const struct waiting *const all[] = {&p->spans, &p->logs};
    const int64_t delays[] = {p->how.spans.delay_ms, p->how.logs.delay_ms};
    uint64_t due = UINT64_MAX;
    *out_delay_ns = UINT64_MAX;
    for (int i = 0; i < 2; i++) {
        const uint64_t delay = (uint64_t)delays[i] * MS;
        if (delay < *out_delay_ns)
            *out_delay_ns = delay;
        if (all[i]->views.count && all[i]->since_ns + delay < due)
            due = all[i]->since_ns + delay;
    }
    return due;
}

static int close_program(void *state, const struct export_summary *end, struct oriel_err *err)
{
    struct program *p = state;
    const struct oriel_exporter *e = &p->how.exporter;
    (void)end;
    int rc = give_all(p, err);
    int over = e->shutdown ? e->shutdown(e->user, left_ms(p, p->how.spans.timeout_ms)) : 0;
    if (over < 0 && rc == 0)
        rc = refused(p, over, "shutdown", 0, err);
    VEC_DONE(&p->spans.views);
    VEC_DONE(&p->logs.views);
    arena_done(&p->spans.arena);
    arena_done(&p->logs.arena);
    view_done(&p->view);
    if (p->how.over)
        p->how.over(e->name);
    return rc;
}

static uint64_t unwritten(const void *state)
{
    return ((const struct program *)state)->unwritten;
}

static uint64_t unwritten_seen(const void *state)
{
    return ((const struct program *)state)->unwritten_seen;
}

const struct exporter export_program = {
    .name = "program",
    .help = "functions of the program",
    .suffix = "",
    .wants = EXPORT_ITEMS,
    .options_size = sizeof(struct program_options),
    .state_size = sizeof(struct program),
    .open = open_program,
    .write = write_program,
    .flush = flush_program,
    .tick = tick_program,
    .due = due_program,
    .close = close_program,
    .unwritten = unwritten,
    .unwritten_seen = unwritten_seen,
};
