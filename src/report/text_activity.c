/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report for a terminal: threads, tasks, events, plots, frames, and the
 * latency between two things. Sections without content are left out.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "report/render.h"
#include "report/text.h"
#include "util/num.h"

/* ---- threads ---- */

static int busiest_first(const void *a, const void *b)
{
    const struct thread_stats *x = *(const struct thread_stats *const *)a,
                              *y = *(const struct thread_stats *const *)b;
    if (x->busy_ns != y->busy_ns)
        return x->busy_ns < y->busy_ns ? 1 : -1;
    if (x->events != y->events)
        return x->events < y->events ? 1 : -1;
    return (x->thread->index > y->thread->index) - (x->thread->index < y->thread->index);
}

static void thread_cells(struct sheet *s, const struct report *r, const struct thread_stats *t)
{
    const struct model_process *p = t->thread->process < r->catalog->process_count
                                        ? r->catalog->processes[t->thread->process]
                                        : NULL;
    char text[NUM_TEXT_MAX];
    sheet_cell(s, t->thread->name.n ? t->thread->name : MODEL_STR("(no name)"), TABLE_PLAIN);
    table_cellf(&s->table, "%d", t->thread->tid);
    if (p && r->catalog->process_count > 1)
        table_cellf(&s->table, "%.*s %d", (int)(p->name.n < 40 ? p->name.n : 40), p->name.p,
                    p->pid);
    else
        sheet_none(s);
    sheet_count(s, t->spans);
    sheet_count(s, t->events);
    sheet_ns(s, t->busy_ns);
    sheet_text(s, num_percent(text, (double)t->busy_ns, (double)report_offset(r, r->last_ns)));
    sheet_count_if(s, t->unfinished, TABLE_YELLOW);
    sheet_count_if(s, t->lost, TABLE_RED);
}

static int put_threads(const struct report *r, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"thread", TABLE_TEXT, 0, 16},  {"tid", TABLE_NUMBER, 0, 0},
        {"process", TABLE_TEXT, 2, 12}, {"spans", TABLE_NUMBER, 0, 0},
        {"events", TABLE_NUMBER, 0, 0}, {"in spans", TABLE_NUMBER, 0, 0},
        {"of all", TABLE_NUMBER, 1, 0}, {"open", TABLE_NUMBER, 3, 0},
        {"lost", TABLE_NUMBER, 0, 0},
    };
    size_t all = r->threads.items.count, n = 0;
    const struct thread_stats **sorted = mem_calloc(all + 1, sizeof *sorted);
    struct sheet s;
    if (!sorted)
        return ORIEL_ENOMEM;
    for (size_t i = 0; i < all; i++)
        if (r->threads.items.items[i].thread)
            sorted[n++] = &r->threads.items.items[i];
    qsort(sorted, n, sizeof *sorted, busiest_first);
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < n && i < r->options.top; i++)
        thread_cells(&s, r, sorted[i]);
    if (n)
        sheet_title(r, out, "threads");
    sheet_put(&s, r, out);
    if (n > r->options.top)
        sheet_line(r, out, TABLE_DIM, "  (%zu more)", n - r->options.top);
    mem_free(sorted);
    return 0;
}

/* ---- tasks ---- */

static void task_cells(struct sheet *s, const struct report *r, const struct task_group *g,
                       uint32_t name)
{
    const struct task_sums *n = &g->sums;
    sheet_cell(s, report_name(r, name), TABLE_PLAIN);
    sheet_count(s, n->spawned);
    sheet_count_if(s, n->alive, TABLE_YELLOW);
    sheet_count(s, n->wakes);
    sheet_count(s, n->polls);
    sheet_ns(s, n->busy_ns);
    sheet_ns(s, n->wall_ns > n->busy_ns ? n->wall_ns - n->busy_ns : 0);
    sheet_ns(s, n->wall_ns);
    if (g->polls.count) {
        sheet_ns(s, hist_quantile(&g->polls, 500, g->poll_max));
        sheet_ns(s, hist_quantile(&g->polls, 990, g->poll_max));
        sheet_ns(s, g->poll_max);
    } else {
        sheet_none(s);
        sheet_none(s);
        sheet_none(s);
    }
    if (g->delays.count)
        sheet_ns(s, hist_quantile(&g->delays, 990, g->delay_max));
    table_end_row(&s->table);
}

static void put_tasks(const struct report *r, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"task", TABLE_TEXT, 0, 16},      {"spawned", TABLE_NUMBER, 0, 0},
        {"alive", TABLE_NUMBER, 5, 0},    {"wakes", TABLE_NUMBER, 0, 0},
        {"polls", TABLE_NUMBER, 0, 0},    {"busy", TABLE_NUMBER, 0, 0},
        {"idle", TABLE_NUMBER, 0, 0},     {"wall", TABLE_NUMBER, 4, 0},
        {"poll p50", TABLE_NUMBER, 1, 0}, {"poll p99", TABLE_NUMBER, 6, 0},
        {"poll max", TABLE_NUMBER, 2, 0}, {"wake to run p99", TABLE_NUMBER, 3, 0},
    };
    struct sheet s;
    size_t rows = 0, names = 0;
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (uint32_t i = 0; i < r->tasks.groups.count; i++) {
        if (!r->tasks.groups.items[i].used)
            continue;
        if (names++ < r->options.top) {
            task_cells(&s, r, &r->tasks.groups.items[i], i);
            rows++;
        }
    }
    if (rows)
        sheet_title(r, out, "tasks");
    sheet_put(&s, r, out);
    if (names > rows)
        sheet_line(r, out, TABLE_DIM, "  (%zu more)", names - rows);
    if (r->tasks.not_followed)
        sheet_line(r, out, TABLE_YELLOW,
                   "  %llu operations of tasks beyond the first %u at a time are not counted",
                   (unsigned long long)r->tasks.not_followed, TASKS_MAX);
}

/* ---- events ---- */

static enum table_style level_style(uint8_t level)
{
    return level >= ORIEL_LEVEL_ERROR  ? TABLE_RED
           : level == ORIEL_LEVEL_WARN ? TABLE_YELLOW
                                       : TABLE_PLAIN;
}

static int put_targets(const struct report *r, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"target", TABLE_TEXT, 0, 16}, {"events", TABLE_NUMBER, 0, 0},
        {"FATAL", TABLE_NUMBER, 0, 0}, {"ERROR", TABLE_NUMBER, 0, 0},
        {"WARN", TABLE_NUMBER, 0, 0},  {"INFO", TABLE_NUMBER, 0, 0},
        {"DEBUG", TABLE_NUMBER, 2, 0}, {"TRACE", TABLE_NUMBER, 1, 0},
    };
    struct event_targets targets;
    struct sheet s;
    int rc = events_by_target(&r->events, &targets);
    if (rc != 0)
        return rc;
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < targets.items.count && i < r->options.top; i++) {
        const struct event_target *t = &targets.items.items[i];
        sheet_cell(&s, t->target.n ? t->target : MODEL_STR("(none)"), TABLE_PLAIN);
        sheet_count(&s, t->count);
        for (uint8_t level = ORIEL_LEVEL_FATAL; level >= ORIEL_LEVEL_TRACE; level--)
            sheet_count_if(&s, t->by_level[level], level_style(level));
    }
    sheet_put(&s, r, out);
    if (targets.items.count > r->options.top)
        sheet_line(r, out, TABLE_DIM, "  (%zu more)", targets.items.count - r->options.top);
    VEC_DONE(&targets.items);
    return 0;
}

static int most_first(const void *a, const void *b)
{
    const struct event_stats *x = *(const struct event_stats *const *)a,
                             *y = *(const struct event_stats *const *)b;
    /* A level above INFO weighs more than any number below it. */
    uint8_t p = x->site && x->site->level > ORIEL_LEVEL_INFO ? x->site->level : 0,
            q = y->site && y->site->level > ORIEL_LEVEL_INFO ? y->site->level : 0;
    if (p != q)
        return p < q ? 1 : -1;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return (x->first_ns > y->first_ns) - (x->first_ns < y->first_ns);
}

static void message_cells(struct sheet *s, const struct report *r, const struct event_stats *e)
{
    uint8_t level = e->site ? e->site->level : ORIEL_LEVEL_INFO;
    const char *word = model_level_text(level);
    sheet_count(s, e->count);
    sheet_cell(s, (struct model_str){word, (uint32_t)strlen(word)}, level_style(level));
    sheet_cell(s, (struct model_str){e->example, e->example_bytes}, TABLE_PLAIN);
    sheet_cell(s, e->site ? e->site->target : MODEL_STR(""), TABLE_PLAIN);
    sheet_ns(s, report_offset(r, e->first_ns));
    sheet_source(s, e->site);
}

static int put_messages(const struct report *r, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"count", TABLE_NUMBER, 0, 0},    {"level", TABLE_TEXT, 0, 0},
        {"message", TABLE_TEXT, 0, 32},   {"target", TABLE_TEXT, 2, 10},
        {"first at", TABLE_NUMBER, 1, 0}, {"source", TABLE_TEXT, 3, 12},
    };
    size_t all = r->events.sites.count, n = 0;
    const struct event_stats **sorted = mem_calloc(all + 1, sizeof *sorted);
    struct sheet s;
    if (!sorted)
        return ORIEL_ENOMEM;
    for (size_t i = 0; i < all; i++)
        if (r->events.sites.items[i].count)
            sorted[n++] = &r->events.sites.items[i];
    qsort(sorted, n, sizeof *sorted, most_first);
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < n && i < r->options.top; i++)
        message_cells(&s, r, sorted[i]);
    buf_putc(out, '\n');
    sheet_put(&s, r, out);
    if (n > r->options.top)
        sheet_line(r, out, TABLE_DIM, "  (%zu more)", n - r->options.top);
    mem_free(sorted);
    return 0;
}

static int put_events(const struct report *r, struct buf *out)
{
    if (r->events.count == 0)
        return 0;
    sheet_title(r, out, "events");
    int rc = put_targets(r, out);
    return rc ? rc : put_messages(r, out);
}

/* ---- plots and frames ---- */

static void number_cell(struct sheet *s, double v, bool integer)
{
    char text[NUM_TEXT_MAX];
    double size = v < 0 ? -v : v;
    if (integer && size < 10000)
        table_cellf(&s->table, "%.0f", v);
    else if (size >= 1000 || size == 0)
        sheet_text(s, num_short(text, v));
    else
        table_cellf(&s->table, size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : "%.3g", v);
}

static void put_curve(struct sheet *s, const struct plot_stats *p)
{
    double values[SERIES_SLOTS];
    uint32_t end = 0;
    struct buf text;
    for (uint32_t i = 0; i < SERIES_SLOTS; i++) {
        const bool some = p->curve.counts[i] != 0;
        /* From the least value up; the bottom of the curve still shows. */
        double range = p->max - p->min, above = some ? p->curve.sums[i] / p->curve.counts[i] : 0;
        values[i] = some ? (range > 0 ? (above - p->min) / range : 0.5) + 0.02 : 0;
        end = some ? i + 1 : end;
    }
    buf_init(&text);
    sheet_spark(&text, values, end);
    s->table.failed |= text.failed;
    sheet_cell(s, (struct model_str){text.data, (uint32_t)text.size}, TABLE_PLAIN);
    buf_done(&text);
}

static void put_plots(const struct report *r, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"plot", TABLE_TEXT, 0, 16},
        {"count", TABLE_NUMBER, 2, 0},
        {"min", TABLE_NUMBER, 0, 0},
        {"mean", TABLE_NUMBER, 0, 0},
        {"max", TABLE_NUMBER, 0, 0},
        {"last", TABLE_NUMBER, 0, 0},
        {"over time", TABLE_TEXT, 1, SERIES_SLOTS},
    };
    struct sheet s;
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < r->series.plots.count && i < r->options.top; i++) {
        const struct plot_stats *p = &r->series.plots.items[i];
        sheet_cell(&s, report_name(r, p->name), TABLE_PLAIN);
        sheet_count(&s, p->count);
        number_cell(&s, p->min, p->integer);
        number_cell(&s, p->sum / (double)p->count, false);
        number_cell(&s, p->max, p->integer);
        number_cell(&s, p->last, p->integer);
        put_curve(&s, p);
    }
    if (r->series.plots.count)
        sheet_title(r, out, "plots");
    sheet_put(&s, r, out);
    if (r->series.plots.count > r->options.top)
        sheet_line(r, out, TABLE_DIM, "  (%zu more)", r->series.plots.count - r->options.top);
}

static void put_frames(const struct report *r, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"frames", TABLE_TEXT, 0, 16},     {"count", TABLE_NUMBER, 0, 0},
        {"mean", TABLE_NUMBER, 1, 0},      {"p50", TABLE_NUMBER, 0, 0},
        {"p99", TABLE_NUMBER, 0, 0},       {"max", TABLE_NUMBER, 0, 0},
        {"slowest at", TABLE_TEXT, 2, 24},
    };
    struct sheet s;
    bool any = false;
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < r->series.frames.count && i < r->options.top; i++) {
        const struct frame_stats *f = &r->series.frames.items[i];
        char at[FRAMES_SLOW][NUM_TEXT_MAX] = {""};
        any = true;
        sheet_cell(&s, report_name(r, f->name), TABLE_PLAIN);
        sheet_count(&s, f->hist.count);
        if (f->hist.count) {
            sheet_ns(&s, f->sum / f->hist.count);
            sheet_ns(&s, hist_quantile(&f->hist, 500, f->max));
            sheet_ns(&s, hist_quantile(&f->hist, 990, f->max));
            sheet_ns(&s, f->max);
            for (uint32_t k = 0; k < f->slow_count; k++)
                num_duration(at[k], report_offset(r, f->slow[k].t_ns));
            table_cellf(&s.table, "%s%s%s%s%s", at[0], at[1][0] ? ", " : "", at[1],
                        at[2][0] ? ", " : "", at[2]);
        }
        table_end_row(&s.table);
    }
    if (any)
        sheet_title(r, out, "frames");
    sheet_put(&s, r, out);
}

/* ---- latency ---- */

enum { SPARK_COLUMNS = 48 };

/* The histogram from its first to its last value, in so many columns. */
static void put_histogram(const struct report *r, const struct latency_way *w, struct buf *out)
{
    double columns[SPARK_COLUMNS] = {0};
    char low[NUM_TEXT_MAX], high[NUM_TEXT_MAX];
    uint32_t first = 0, end = w->hist.length, most = SPARK_COLUMNS;
    struct buf line;
    while (first < end && w->hist.counts[first] == 0)
        first++;
    while (end > first && w->hist.counts[end - 1] == 0)
        end--;
    if (first == end)
        return;
    most = end - first < most ? end - first : most;
    for (uint32_t i = first; i < end; i++)
        columns[(uint64_t)(i - first) * most / (end - first)] += (double)w->hist.counts[i];
    buf_init(&line);
    sheet_spark(&line, columns, most);
    uint64_t bottom = hist_bucket_low(w->hist.first + first);
    sheet_line(r, out, TABLE_PLAIN, "  %s %s %s", num_duration(low, bottom), buf_cstr(&line),
               num_duration(high, w->max));
    out->failed |= line.failed;
    buf_done(&line);
}

static void put_latency_slow(const struct report *r, const struct latency_way *w, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"slowest", TABLE_NUMBER, 0, 0}, {"at", TABLE_NUMBER, 0, 0}, {"thread", TABLE_TEXT, 0, 12}};
    struct sheet s;
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (uint32_t i = 0; i < w->slow_count; i++) {
        sheet_ns(&s, w->slow[i].to_ns - w->slow[i].from_ns);
        sheet_ns(&s, report_offset(r, w->slow[i].from_ns));
        sheet_cell(&s, w->slow[i].thread ? w->slow[i].thread->name : MODEL_STR(""), TABLE_PLAIN);
    }
    sheet_put(&s, r, out);
}

void report_text_latency(const struct report *r, struct buf *out)
{
    const struct latency *l = &r->latency;
    unsigned best = latency_best(l);
    const struct latency_way *w = &l->ways[best];
    char n[NUM_TEXT_MAX], a[NUM_TEXT_MAX], p50[NUM_TEXT_MAX], p95[NUM_TEXT_MAX], p99[NUM_TEXT_MAX],
        max[NUM_TEXT_MAX];
    if (l->key)
        sheet_title(r, out, "from %.200s to %.200s, same %.200s", l->from, l->to, l->key);
    else
        sheet_title(r, out, "from %.200s to %.200s, same %s", l->from, l->to,
                    latency_way_text(best));
    if (l->from_seen == 0 || l->to_seen == 0) {
        sheet_line(r, out, TABLE_YELLOW, "  no event or span named %.200s was recorded",
                   l->from_seen == 0 ? l->from : l->to);
        return;
    }
    if (w->hist.count == 0) {
        sheet_line(r, out, TABLE_YELLOW, "  no pair among %s from and %s to: %s",
                   num_count(n, l->from_seen), num_count(a, l->to_seen),
                   l->key ? "none have the same value of that attribute"
                          : "none share a trace or a thread; --by ATTRIBUTE pairs by a value");
        return;
    }
    sheet_line(r, out, TABLE_PLAIN,
               "  %s pair%s \u00b7 p50 %s \u00b7 p95 %s \u00b7 p99 %s \u00b7 max %s",
               num_count(n, w->hist.count), w->hist.count == 1 ? "" : "s",
               num_duration(p50, hist_quantile(&w->hist, 500, w->max)),
               num_duration(p95, hist_quantile(&w->hist, 950, w->max)),
               num_duration(p99, hist_quantile(&w->hist, 990, w->max)), num_duration(max, w->max));
    put_histogram(r, w, out);
    if (latency_from_unmatched(w) || w->to_unmatched)
        sheet_line(r, out, TABLE_DIM, "  without a partner: %s from, %s to",
                   num_count(n, latency_from_unmatched(w)), num_count(a, w->to_unmatched));
    put_latency_slow(r, w, out);
}

int report_text_activity(const struct report *r, struct buf *out)
{
    int rc = put_threads(r, out);
    put_tasks(r, out);
    if (rc == 0)
        rc = put_events(r, out);
    put_plots(r, out);
    put_frames(r, out);
    assert(rc == 0 || rc == ORIEL_ENOMEM);
    return rc;
}
