/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report as JSON: threads, tasks, events, plots, frames, latency, traces.
 */
#include <assert.h>

#include "base/err.h"
#include "report/json.h"

static const struct model_str *name_text(const struct report *r, uint32_t name)
{
    assert(name < r->names.items.count);
    return &r->names.items.items[name].text;
}

static void put_threads(struct json *j, const struct report *r)
{
    json_key(j, "threads");
    json_array(j);
    for (size_t i = 0; i < r->threads.items.count; i++) {
        const struct thread_stats *t = &r->threads.items.items[i];
        if (!t->thread)
            continue;
        json_object(j);
        report_json_str(j, "name", t->thread->name);
        json_key(j, "tid");
        json_i64(j, t->thread->tid);
        json_key(j, "pid");
        json_i64(j, t->thread->process < r->catalog->process_count
                        ? r->catalog->processes[t->thread->process]->pid
                        : 0);
        json_pair_u64(j, "spans", t->spans);
        json_pair_u64(j, "events", t->events);
        json_pair_u64(j, "unfinished", t->unfinished);
        json_pair_u64(j, "lost", t->lost);
        json_pair_u64(j, "busy_ns", t->busy_ns);
        json_pair_u64(j, "first_offset_ns",
                      t->first_ns == UINT64_MAX ? 0 : report_offset(r, t->first_ns));
        json_pair_u64(j, "last_offset_ns", report_offset(r, t->last_ns));
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_tasks(struct json *j, const struct report *r)
{
    json_key(j, "tasks");
    json_array(j);
    for (size_t i = 0; i < r->tasks.groups.count; i++) {
        const struct task_group *g = &r->tasks.groups.items[i];
        if (!g->used)
            continue;
        const struct task_sums *s = &g->sums;
        json_object(j);
        report_json_str(j, "name", *name_text(r, (uint32_t)i));
        json_pair_u64(j, "spawned", s->spawned);
        json_pair_u64(j, "completed", s->completed);
        json_pair_u64(j, "alive", s->alive);
        json_pair_u64(j, "wakes", s->wakes);
        json_pair_u64(j, "polls", s->polls);
        json_pair_u64(j, "blocks", s->blocks);
        json_pair_u64(j, "busy_ns", s->busy_ns);
        json_pair_u64(j, "wall_ns", s->wall_ns);
        json_pair_u64(j, "idle_ns", s->wall_ns > s->busy_ns ? s->wall_ns - s->busy_ns : 0);
        json_key(j, "poll");
        json_object(j);
        report_json_hist(j, &g->polls, g->poll_max);
        json_object_end(j);
        json_key(j, "wake_to_run");
        json_object(j);
        report_json_hist(j, &g->delays, g->delay_max);
        json_object_end(j);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_levels(struct json *j, const uint64_t levels[EVENTS_LEVELS])
{
    json_key(j, "levels");
    json_object(j);
    for (uint8_t i = ORIEL_LEVEL_FATAL; i >= ORIEL_LEVEL_TRACE; i--)
        json_pair_u64(j, model_level_text(i), levels[i]);
    json_object_end(j);
}

static void put_messages(struct json *j, const struct report *r)
{
    json_key(j, "messages");
    json_array(j);
    for (size_t i = 0; i < r->events.sites.count; i++) {
        const struct event_stats *e = &r->events.sites.items[i];
        if (e->count == 0)
            continue;
        json_object(j);
        report_json_str(j, "name", e->site ? e->site->name : MODEL_STR("(unknown)"));
        json_key(j, "level");
        json_string(j, model_level_text(e->site ? e->site->level : 0));
        report_json_str(j, "target", e->site ? e->site->target : MODEL_STR(""));
        json_pair_u64(j, "count", e->count);
        report_json_str(j, "example", (struct model_str){e->example, e->example_bytes});
        json_pair_u64(j, "first_offset_ns", report_offset(r, e->first_ns));
        json_pair_u64(j, "last_offset_ns", report_offset(r, e->last_ns));
        report_json_str(j, "file", e->site ? e->site->file : MODEL_STR(""));
        json_pair_u64(j, "line", e->site ? e->site->line : 0);
        json_object_end(j);
    }
    json_array_end(j);
}

static int put_events(struct json *j, const struct report *r)
{
    struct event_targets targets;
    int rc = events_by_target(&r->events, &targets);
    json_key(j, "events");
    json_object(j);
    json_pair_u64(j, "count", r->events.count);
    put_levels(j, r->events.by_level);
    json_key(j, "targets");
    json_array(j);
    for (size_t i = 0; rc == 0 && i < targets.items.count; i++) {
        json_object(j);
        report_json_str(j, "target", targets.items.items[i].target);
        json_pair_u64(j, "count", targets.items.items[i].count);
        put_levels(j, targets.items.items[i].by_level);
        json_object_end(j);
    }
    json_array_end(j);
    put_messages(j, r);
    json_object_end(j);
    if (rc == 0)
        VEC_DONE(&targets.items);
    return rc;
}

static void put_plots(struct json *j, const struct report *r)
{
    json_key(j, "plots");
    json_array(j);
    for (size_t i = 0; i < r->series.plots.count; i++) {
        const struct plot_stats *p = &r->series.plots.items[i];
        json_object(j);
        report_json_str(j, "name", *name_text(r, p->name));
        json_pair_u64(j, "count", p->count);
        json_pair_double(j, "min", p->min);
        json_pair_double(j, "mean", p->sum / (double)p->count);
        json_pair_double(j, "max", p->max);
        json_pair_double(j, "last", p->last);
        json_pair_u64(j, "curve_offset_ns", report_offset(r, p->curve.start_ns));
        json_pair_u64(j, "curve_step_ns", p->curve.piece_ns);
        json_key(j, "curve");
        json_array(j);
        uint32_t end = SERIES_SLOTS;
        while (end && p->curve.counts[end - 1] == 0)
            end--;
        for (uint32_t k = 0; k < end; k++) {
            if (p->curve.counts[k])
                json_double(j, p->curve.sums[k] / p->curve.counts[k]);
            else
                json_null(j);
        }
        json_array_end(j);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_frames(struct json *j, const struct report *r)
{
    json_key(j, "frames");
    json_array(j);
    for (size_t i = 0; i < r->series.frames.count; i++) {
        const struct frame_stats *f = &r->series.frames.items[i];
        json_object(j);
        report_json_str(j, "name", *name_text(r, f->name));
        json_pair_u64(j, "count", f->hist.count);
        json_pair_u64(j, "mean_ns", f->hist.count ? f->sum / f->hist.count : 0);
        report_json_hist(j, &f->hist, f->max);
        json_key(j, "slowest");
        json_array(j);
        for (uint32_t k = 0; k < f->slow_count; k++) {
            json_object(j);
            json_pair_u64(j, "offset_ns", report_offset(r, f->slow[k].t_ns));
            json_pair_u64(j, "duration_ns", f->slow[k].ns);
            json_object_end(j);
        }
        json_array_end(j);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_latency_pairs(struct json *j, const struct report *r, const struct latency_way *w)
{
    json_key(j, "histogram");
    json_array(j);
    for (uint32_t i = 0; i < w->hist.length; i++) {
        if (w->hist.counts[i] == 0)
            continue;
        json_object(j);
        json_pair_u64(j, "from_ns", hist_bucket_low(w->hist.first + i));
        json_pair_u64(j, "below_ns", hist_bucket_low(w->hist.first + i + 1));
        json_pair_u64(j, "count", w->hist.counts[i]);
        json_object_end(j);
    }
    json_array_end(j);
    json_key(j, "slowest");
    json_array(j);
    for (uint32_t i = 0; i < w->slow_count; i++) {
        json_object(j);
        json_pair_u64(j, "offset_ns", report_offset(r, w->slow[i].from_ns));
        json_pair_u64(j, "duration_ns", w->slow[i].to_ns - w->slow[i].from_ns);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_latency(struct json *j, const struct report *r)
{
    const struct latency *l = &r->latency;
    json_key(j, "latency");
    if (!latency_wanted(l)) {
        json_null(j);
        return;
    }
    unsigned best = latency_best(l);
    const struct latency_way *w = &l->ways[best];
    json_object(j);
    json_key(j, "from");
    json_string(j, l->from);
    json_key(j, "to");
    json_string(j, l->to);
    json_key(j, "matched_by");
    json_string(j, latency_way_text(best));
    json_key(j, "key");
    json_string(j, l->key);
    json_pair_u64(j, "from_seen", l->from_seen);
    json_pair_u64(j, "to_seen", l->to_seen);
    json_pair_u64(j, "count", w->hist.count);
    json_pair_u64(j, "from_unmatched", latency_from_unmatched(w));
    json_pair_u64(j, "to_unmatched", w->to_unmatched);
    json_pair_u64(j, "mean_ns", w->hist.count ? w->sum / w->hist.count : 0);
    report_json_hist(j, &w->hist, w->max);
    put_latency_pairs(j, r, w);
    json_object_end(j);
}

static void put_traces(struct json *j, const struct report *r)
{
    json_key(j, "traces");
    if (!r->options.tree) {
        json_null(j);
        return;
    }
    json_array(j);
    for (uint32_t i = 0; i < r->traces.kept_count; i++) {
        const struct trace *t = r->traces.kept[i];
        char hex[33];
        model_trace_hex(t->id, hex);
        json_object(j);
        json_key(j, "trace_id");
        json_string(j, hex);
        json_pair_u64(j, "duration_ns", t->root_ns ? t->root_ns : t->longest_ns);
        json_pair_u64(j, "span_count", t->span_count);
        json_pair_u64(j, "event_count", t->event_count);
        json_key(j, "spans");
        json_array(j);
        for (size_t k = 0; k < t->spans.count; k++)
            report_json_span(j, r, t->spans.items[k]);
        json_array_end(j);
        json_key(j, "events");
        json_array(j);
        for (size_t k = 0; k < t->events.count; k++)
            report_json_event(j, r, t->events.items[k]);
        json_array_end(j);
        json_object_end(j);
    }
    json_array_end(j);
}

int report_json_activity(struct json *j, const struct report *r)
{
    put_threads(j, r);
    put_tasks(j, r);
    int rc = put_events(j, r);
    put_plots(j, r);
    put_frames(j, r);
    put_latency(j, r);
    put_traces(j, r);
    return rc;
}
