/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report as JSON: head, quality, call tree, spans and slowest instances.
 * The shape is described in docs/REPORT.md and docs/report.schema.json. Times
 * are integers in nanoseconds; nothing is cut to what fits a terminal.
 */
#include "report/json.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "report/crash_tell.h"
#include "report/render.h"
#include "util/json.h"

void report_json_str(struct json *j, const char *key, struct model_str s)
{
    json_pair_text_n(j, key, s.p, s.n);
}

void report_json_maybe(struct json *j, const char *key, struct model_str s)
{
    if (s.n) {
        report_json_str(j, key, s);
        return;
    }
    json_key(j, key);
    json_null(j);
}

static void put_source(struct json *j, const struct name *name)
{
    json_key(j, "source");
    if (!name->site || name->site->file.n == 0) {
        json_null(j);
        return;
    }
    json_object(j);
    report_json_str(j, "file", name->site->file);
    json_pair_u64(j, "line", name->site->line);
    report_json_str(j, "function", name->site->function);
    report_json_str(j, "target", name->site->target);
    json_pair_u64(j, "sites", name->sites);
    json_object_end(j);
}

static void put_thread(struct json *j, const char *key, const struct model_thread *t)
{
    json_key(j, key);
    if (!t) {
        json_null(j);
        return;
    }
    json_object(j);
    json_key(j, "tid");
    json_i64(j, t->tid);
    report_json_str(j, "name", t->name);
    json_object_end(j);
}

static void put_value(struct json *j, const struct model_value *v)
{
    char text[19];
    switch ((enum oriel_type)v->type) {
    case ORIEL_TYPE_BOOL:
        json_bool(j, v->v.b);
        return;
    case ORIEL_TYPE_I64:
        json_i64(j, v->v.i64);
        return;
    case ORIEL_TYPE_U64:
        json_u64(j, v->v.u64);
        return;
    case ORIEL_TYPE_F64:
        json_double(j, v->v.f64);
        return;
    case ORIEL_TYPE_STR:
        json_string_n(j, v->v.str.p, v->v.str.n);
        return;
    case ORIEL_TYPE_BYTES:
        json_hex(j, v->v.str.p, v->v.str.n);
        return;
    case ORIEL_TYPE_PTR:
        report_pointer_text(text, v->v.u64);
        json_string(j, text);
        return;
    }
    json_null(j);
}

/* A key said twice counts as it was said last: an object has each key once. */
static void put_attrs(struct json *j, const struct model_value *attrs, uint32_t count)
{
    json_key(j, "attributes");
    json_object(j);
    for (uint32_t i = 0; i < count; i++) {
        bool again = false;
        for (uint32_t k = i + 1; k < count && !again; k++)
            again = attrs[k].key.n == attrs[i].key.n &&
                    memcmp(attrs[k].key.p, attrs[i].key.p, attrs[i].key.n) == 0;
        if (again)
            continue;
        json_key_n(j, attrs[i].key.p, attrs[i].key.n);
        put_value(j, &attrs[i]);
    }
    json_object_end(j);
}

void report_json_span(struct json *j, const struct report *r, const struct inst *i)
{
    static const char *const status[] = {"unset", "ok", "error"};
    const struct model_span *s = &i->u.span;
    char hex[33];
    assert(!i->is_event);
    json_object(j);
    report_json_str(j, "name", r->names.items.items[i->name].text);
    model_trace_hex(s->trace_id, hex);
    json_key(j, "trace_id");
    json_string(j, hex);
    model_span_hex(s->span_id, hex);
    json_key(j, "span_id");
    json_string(j, hex);
    json_key(j, "parent_id");
    if (s->parent_id)
        model_span_hex(s->parent_id, hex);
    json_string(j, s->parent_id ? hex : NULL);
    json_pair_u64(j, "start_unix_ns", s->start_ns);
    json_pair_u64(j, "offset_ns", report_offset(r, s->start_ns));
    json_pair_u64(j, "duration_ns", s->end_ns - s->start_ns);
    json_pair_u64(j, "self_ns", i->self_ns);
    json_pair_u64(j, "busy_ns", s->flags & MODEL_SPAN_ASYNC ? s->busy_ns : s->end_ns - s->start_ns);
    put_thread(j, "thread", s->thread);
    put_attrs(j, s->attrs, s->attr_count);
    json_key(j, "status");
    json_string(j, s->status < 3 ? status[s->status] : "unset");
    report_json_str(j, "status_message", s->status_message);
    json_key(j, "unfinished");
    json_bool(j, s->flags & MODEL_SPAN_UNFINISHED);
    json_key(j, "async");
    json_bool(j, s->flags & MODEL_SPAN_ASYNC);
    json_object_end(j);
}

void report_json_event(struct json *j, const struct report *r, const struct inst *i)
{
    const struct model_event *e = &i->u.event;
    char hex[17];
    assert(i->is_event);
    json_object(j);
    json_pair_u64(j, "offset_ns", report_offset(r, e->t_ns));
    json_key(j, "level");
    json_string(j, model_level_text(e->site ? e->site->level : 0));
    report_json_str(j, "message", e->message);
    model_span_hex(e->span_id, hex);
    json_key(j, "span_id");
    json_string(j, e->span_id ? hex : NULL);
    put_attrs(j, e->attrs, e->attr_count);
    json_object_end(j);
}

static void put_head(struct json *j, const struct report *r, const struct report_facts *f)
{
    json_key(j, "format");
    json_string(j, "oriel.report");
    json_pair_u64(j, "version", 1);
    json_key(j, "path");
    json_string(j, f->path);
    json_pair_u64(j, "start_unix_ns", report_start(r));
    json_pair_u64(j, "duration_ns", report_offset(r, r->last_ns));
    json_key(j, "counts");
    json_object(j);
    json_pair_u64(j, "records", f->records);
    json_pair_u64(j, "processes", r->catalog->process_count);
    json_pair_u64(j, "threads", r->catalog->thread_count);
    json_pair_u64(j, "spans", r->spans);
    json_pair_u64(j, "events", r->events.count);
    json_pair_u64(j, "errors", r->errors);
    json_object_end(j);
    json_key(j, "resource");
    json_object(j);
    for (uint32_t i = 0; i < r->catalog->resource_count; i++) {
        json_key_n(j, r->catalog->resource[i].key.p, r->catalog->resource[i].key.n);
        json_string_n(j, r->catalog->resource[i].value.p, r->catalog->resource[i].value.n);
    }
    json_object_end(j);
}

static void put_quality(struct json *j, const struct report *r, const struct report_facts *f)
{
    json_key(j, "quality");
    json_object(j);
    json_pair_u64(j, "lost", report_lost_total(f));
    json_key(j, "lost_by_cause");
    json_array(j);
    for (uint32_t i = 0; i < ORIEL_LOST_CAUSES; i++) {
        if (f->lost[i] == 0)
            continue;
        json_object(j);
        json_key(j, "cause");
        json_string(j, model_lost_text(i));
        json_pair_u64(j, "count", f->lost[i]);
        json_key(j, "remedy");
        json_string(j, model_lost_remedy(i));
        json_object_end(j);
    }
    json_array_end(j);
    json_pair_u64(j, "unwritten", f->unwritten);
    json_pair_u64(j, "unwritten_seen", f->unwritten_seen);
    json_pair_u64(j, "damaged", f->damaged);
    json_pair_u64(j, "bytes_skipped", f->bytes_skipped);
    json_key(j, "first_damage");
    if (f->first_damage == UINT64_MAX)
        json_null(j);
    else
        json_u64(j, f->first_damage);
    json_key(j, "truncated");
    json_bool(j, f->truncated);
    json_pair_u64(j, "unfinished", f->unfinished);
    json_pair_u64(j, "orphan_ends", f->orphan_ends);
    json_pair_u64(j, "clamped", f->clamped);
    json_pair_u64(j, "parents_not_seen", r->tree.detached);
    json_pair_u64(j, "parents_in_circles", r->tree.circles);
    json_pair_u64(j, "spans_without_path", report_elsewhere(r));
    json_object_end(j);
}

void report_json_hist(struct json *j, const struct hist *h, uint64_t max)
{
    json_pair_u64(j, "p50_ns", hist_quantile(h, 500, max));
    json_pair_u64(j, "p95_ns", hist_quantile(h, 950, max));
    json_pair_u64(j, "p99_ns", hist_quantile(h, 990, max));
    json_pair_u64(j, "max_ns", max);
}

/* Nodes in the order of the tree, siblings by total; `parent` is the index of
 * an earlier one. A nested shape would end where a reader's stack does. */
static int put_tree(struct json *j, const struct report *r)
{
    struct report_order order;
    int rc = report_order_all(r, &order);
    json_key(j, "tree");
    json_array(j);
    for (size_t i = 0; i < order.rows.count && rc == 0; i++) {
        const struct report_row *row = &order.rows.items[i];
        const struct calltree_node *n = calltree_node(&r->tree, row->node);
        const bool elsewhere = row->node == CALLTREE_ELSEWHERE;
        json_object(j);
        json_key(j, "name");
        if (elsewhere)
            json_string(j, "(elsewhere)");
        else
            json_string_n(j, r->names.items.items[n->name].text.p,
                          r->names.items.items[n->name].text.n);
        json_key(j, "parent");
        if (row->parent_row == SIZE_MAX)
            json_null(j);
        else
            json_u64(j, row->parent_row);
        json_pair_u64(j, "depth", n->depth - 1u);
        json_pair_u64(j, "count", n->count);
        json_pair_u64(j, "total_ns", n->total);
        json_pair_u64(j, "self_ns", n->self);
        json_pair_u64(j, "busy_ns", n->busy);
        report_json_hist(j, &n->hist, n->max);
        json_pair_u64(j, "unfinished", n->unfinished);
        json_pair_u64(j, "errors", n->errors);
        put_source(j, elsewhere ? &(struct name){0} : &r->names.items.items[n->name]);
        json_object_end(j);
    }
    json_array_end(j);
    report_order_done(&order);
    return rc;
}

static void put_flats(struct json *j, const struct report *r, const struct report_flats *flats)
{
    json_key(j, "spans");
    json_array(j);
    for (size_t i = 0; i < flats->items.count; i++) {
        const struct report_flat *f = &flats->items.items[i];
        json_object(j);
        report_json_str(j, "name", r->names.items.items[f->name].text);
        json_pair_u64(j, "count", f->count);
        json_pair_u64(j, "total_ns", f->total);
        json_pair_u64(j, "self_ns", f->self);
        json_pair_u64(j, "busy_ns", f->busy);
        report_json_hist(j, &f->hist, f->max);
        json_pair_u64(j, "unfinished", f->unfinished);
        json_pair_u64(j, "errors", f->errors);
        put_source(j, &r->names.items.items[f->name]);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_slowest(struct json *j, const struct report *r, const struct report_flats *flats)
{
    json_key(j, "slowest");
    json_array(j);
    for (size_t i = 0; i < flats->items.count; i++) {
        uint32_t name = flats->items.items[i].name;
        if (name >= r->slow.count)
            continue;
        for (uint32_t k = 0; k < r->slow.items[name].count; k++)
            report_json_span(j, r, r->slow.items[name].items[k]);
    }
    json_array_end(j);
}

int report_json(struct report *r, const struct report_facts *facts, struct buf *out)
{
    const struct report_facts f = report_facts_of(r, facts);
    struct report_flats flats;
    struct json j;
    int settled = report_settle(r), rc = report_flatten(r, &flats);
    if (rc != 0)
        return rc;
    json_init(&j, out);
    json_object(&j);
    put_head(&j, r, &f);
    put_quality(&j, r, &f);
    system_json(&r->system, &j);
    report_json_crashes(&j, r);
    rc = report_json_summary(&j, r);
    if (rc == 0)
        rc = put_tree(&j, r);
    put_flats(&j, r, &flats);
    put_slowest(&j, r, &flats);
    if (rc == 0)
        rc = report_json_profile(&j, r);
    if (rc == 0)
        rc = report_json_waits(&j, r);
    if (rc == 0)
        rc = report_json_calls(&j, r);
    if (rc == 0)
        rc = report_json_syscalls(&j, r);
    if (rc == 0)
        rc = report_json_memory(&j, r);
    if (rc == 0)
        rc = report_json_activity(&j, r);
    json_object_end(&j);
    buf_putc(out, '\n');
    report_flats_done(&flats);
    if (rc == 0)
        rc = settled;
    return rc == 0 && out->failed ? ORIEL_ENOMEM : rc;
}
