/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Events, plots, frame marks, tasks, losses, and what concerns the recording
 * as a whole. Runs on one thread.
 */
#include <assert.h>
#include <stdio.h>

#include "export/perfetto/perfetto.h"
#include "export/values.h"

/* ---- what happens on a thread ---- */

struct instant {
    struct perfetto_thread *thread; /* NULL: out of memory */
    struct packet packet;
};

/* An instant of a site with its names and ids; attributes are told already. */
static struct instant instant_open(struct perfetto *p, const struct model_site *s,
                                   const struct model_thread *thread, uint64_t ns,
                                   const struct perfetto_ids *ids, uint64_t track)
{
    struct instant i = {perfetto_thread(p, thread), {{0, 0}, {0, 0}}};
    const struct perfetto_site *site = i.thread ? perfetto_site(p, i.thread, s) : NULL;
    if (!site) {
        i.thread = NULL;
        return i;
    }
    i.packet = packet_event(p, i.thread, ns, EVENT_INSTANT, track);
    buf_put(&p->buf, site->refs.bytes, site->refs.n);
    char *o = p->options.ids ? buf_reserve(&p->buf, PERFETTO_IDS_ROOM) : NULL;
    if (o)
        p->buf.size += (size_t)(perfetto_put_ids(o, ids) - o);
    return i;
}

static void put_event(struct perfetto *p, const struct model_event *e)
{
    struct perfetto_ids ids = {e->trace_id, e->span_id, 0};
    struct perfetto_thread *t = perfetto_thread(p, e->thread);
    if (!t)
        return;
    perfetto_tell_keys(p, t, e->attrs, e->attr_count);
    struct instant i = instant_open(p, e->site, e->thread, e->t_ns, &ids, 0);
    if (!i.thread)
        return;
    const char *level = model_level_text(e->site->level);
    perfetto_note_text(&p->buf, "level", (struct model_str){level, (uint32_t)strlen(level)});
    if (e->message.n != e->site->name.n ||
        (e->message.n && memcmp(e->message.p, e->site->name.p, e->message.n) != 0))
        perfetto_note_text(&p->buf, "message", e->message);
    perfetto_put_attrs(p, e->attrs, e->attr_count);
    const struct model_scope *scope = export_scope(p->env.catalog, e->site);
    if (scope)
        perfetto_put_scope(p, scope);
    if (e->dropped_attrs)
        perfetto_note_u64(&p->buf, "otel.dropped_attributes_count", e->dropped_attrs);
    packet_event_close(p, i.packet);
}

static void put_task(struct perfetto *p, const struct model_task *t)
{
    static const char *const ops[] = {"unknown", "spawn", "wake",     "resume",
                                      "yield",   "block", "complete", "name"};
    static const uint8_t outside[16];
    struct perfetto_ids ids = {outside, t->span_id, 0};
    struct instant i = instant_open(p, t->site, t->thread, t->t_ns, &ids, 0);
    struct buf *b = &p->buf;
    uint64_t flow;
    if (!i.thread)
        return;
    const char *op = ops[t->op < sizeof ops / sizeof *ops ? t->op : 0];
    perfetto_note_text(b, "task.op", (struct model_str){op, (uint32_t)strlen(op)});
    perfetto_note_u64(b, "task.id", t->task);
    if (t->other)
        perfetto_note_u64(b, t->op == ORIEL_TASK_SPAWN ? "task.parent" : "task.waker", t->other);
    char phase = export_flows_task(&p->flows, t, &flow);
    if (phase) {
        flow = perfetto_uuid(p, TRACK_OF_ORIEL, flow);
        pb_fixed64(b, phase == 'f' ? EVENT_TERMINATING_FLOW : EVENT_FLOW, flow);
    }
    packet_event_close(p, i.packet);
}

/* ---- what has a track below the process ---- */

/* Values without a number of their own kind: booleans, and integers that only
 * a double can hold. */
static double number(const struct model_value *v)
{
    switch (v->type) {
    case ORIEL_TYPE_BOOL:
        return v->v.b;
    case ORIEL_TYPE_F64:
        return v->v.f64;
    case ORIEL_TYPE_I64:
        return (double)v->v.i64;
    default:
        return (double)v->v.u64;
    }
}

static void put_plot(struct perfetto *p, const struct model_plot *plot)
{
    struct perfetto_thread *t = perfetto_thread(p, plot->thread);
    const struct model_value *v = &plot->value;
    if (!t || !perfetto_site(p, t, plot->site))
        return;
    uint64_t track = perfetto_site_track(p, plot->site, true);
    struct packet k = packet_event(p, t, plot->t_ns, EVENT_COUNT, track);
    if (v->type == ORIEL_TYPE_I64 || (v->type == ORIEL_TYPE_U64 && v->v.u64 <= INT64_MAX))
        pb_int(&p->buf, EVENT_COUNTER, v->v.i64);
    else
        pb_double(&p->buf, EVENT_DOUBLE_COUNTER, number(v));
    packet_event_close(p, k);
}

static void put_frame(struct perfetto *p, const struct model_frame *f)
{
    static const uint8_t outside[16];
    struct perfetto_ids ids = {outside, 0, 0};
    struct perfetto_thread *t = perfetto_thread(p, f->thread);
    if (!t || !perfetto_site(p, t, f->site))
        return;
    uint64_t track = perfetto_site_track(p, f->site, false);
    struct instant i = instant_open(p, f->site, f->thread, f->t_ns, &ids, track);
    if (i.thread)
        packet_event_close(p, i.packet);
}

/* ---- what concerns the recording ---- */

static uint64_t oriel_track(const struct perfetto *p)
{
    return perfetto_uuid(p, TRACK_OF_ORIEL, 0);
}

static struct packet open_own(struct perfetto *p, const struct perfetto_thread *t, uint64_t ns,
                              const char *name)
{
    struct packet k = packet_event(p, t, ns, EVENT_INSTANT, t ? 0 : oriel_track(p));
    pb_text(&p->buf, EVENT_CATEGORY, "oriel");
    pb_text(&p->buf, EVENT_NAME, name);
    return k;
}

static void put_loss(struct perfetto *p, const struct model_loss *l)
{
    struct perfetto_thread *t = l->thread ? perfetto_thread(p, l->thread) : NULL;
    const char *cause = model_lost_text(l->cause), *remedy = model_lost_remedy(l->cause);
    struct packet k = open_own(p, t, l->to_ns, "records lost");
    perfetto_note_u64(&p->buf, "count", l->count);
    perfetto_note_u64(&p->buf, "since_ns", l->from_ns);
    perfetto_note_text(&p->buf, "cause", (struct model_str){cause, (uint32_t)strlen(cause)});
    perfetto_note_text(&p->buf, "remedy", (struct model_str){remedy, (uint32_t)strlen(remedy)});
    packet_event_close(p, k);
}

static void put_about(struct perfetto *p)
{
    const struct model_catalog *c = p->env.catalog;
    struct buf *b = &p->buf;
    char session[33];
    model_trace_hex(c->session_id, session);
    perfetto_note_text(b, "session_id", (struct model_str){session, 32});
    perfetto_note_text(
        b, "service.name",
        (struct model_str){p->env.service_name, (uint32_t)strlen(p->env.service_name)});
    perfetto_note_text(b, "oriel_version",
                       (struct model_str){p->env.version, (uint32_t)strlen(p->env.version)});
    for (uint32_t i = 0; i < c->resource_count; i++) {
        struct pb_mark m = pb_open(b, EVENT_ANNOTATION, WIDE);
        perfetto_put_text(b, KEY_NAME, c->resource[i].key);
        perfetto_put_text(b, KEY_TEXT, c->resource[i].value);
        pb_close(b, m);
    }
}

void perfetto_put_session(struct perfetto *p)
{
    struct pb_mark packet = packet_open(p, NULL, 0);
    struct pb_mark track = pb_open(&p->buf, PACKET_DESCRIPTOR, 1);
    pb_uint(&p->buf, TRACK_UUID, oriel_track(p));
    pb_text(&p->buf, TRACK_NAME, "Oriel");
    pb_close(&p->buf, track);
    pb_close(&p->buf, packet);
    struct packet k = open_own(p, NULL, p->env.catalog->start_ns, "session");
    put_about(p);
    packet_event_close(p, k);
}

void perfetto_put_summary(struct perfetto *p, const struct export_summary *end)
{
    struct buf *b = &p->buf;
    uint64_t ns = end->end_ns ? end->end_ns : p->env.catalog->start_ns;
    struct packet k = open_own(p, NULL, ns, "summary");
    perfetto_note_u64(b, "records", end->records);
    perfetto_note_u64(b, "damaged", end->damaged);
    perfetto_note_u64(b, "clamped", end->clamped);
    perfetto_note_u64(b, "unfinished", end->unfinished);
    for (uint32_t cause = 0; cause < ORIEL_LOST_CAUSES; cause++) {
        char key[64];
        snprintf(key, sizeof key, "lost: %s", model_lost_text(cause));
        perfetto_note_u64(b, key, end->lost[cause]);
    }
    packet_event_close(p, k);
}

void perfetto_put_item(struct perfetto *p, const struct model_item *item)
{
    switch (item->kind) {
    case MODEL_ITEM_SPAN:
        perfetto_put_span(p, &item->u.span);
        break;
    case MODEL_ITEM_EVENT:
        if (!model_event_is_copy(&item->u.event))
            put_event(p, &item->u.event);
        break;
    case MODEL_ITEM_PLOT:
        put_plot(p, &item->u.plot);
        break;
    case MODEL_ITEM_FRAME:
        put_frame(p, &item->u.frame);
        break;
    case MODEL_ITEM_TASK:
        put_task(p, &item->u.task);
        break;
    case MODEL_ITEM_LOSS:
        put_loss(p, &item->u.loss);
        break;
    case MODEL_ITEM_SAMPLE:
        break;
    }
}
