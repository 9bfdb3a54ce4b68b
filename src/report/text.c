/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report for a terminal: the summary, what is missing, where the time
 * went, spans by name, slowest instances. What is missing always comes first.
 */
#include "report/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "report/crash_tell.h"
#include "report/render.h"
#include "util/num.h"

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static void put_summary(const struct report *r, const struct report_facts *f, struct buf *out)
{
    char duration[NUM_TEXT_MAX], spans[NUM_TEXT_MAX], events[NUM_TEXT_MAX], lost[NUM_TEXT_MAX];
    const uint64_t lost_total = report_lost_total(f);
    const uint64_t samples = model_profile_samples(&r->profile);
    unsigned processes = r->catalog->process_count, threads = r->catalog->thread_count;
    num_duration(duration, report_offset(r, r->last_ns));
    num_count(spans, r->spans);
    num_count(events, r->events.count);
    num_count(lost, lost_total);
    bool only_sampled = samples + r->profile.between && r->spans == 0 && r->events.count == 0;
    if (only_sampled)
        sheet_line(r, out, TABLE_BOLD,
                   "oriel  %s \u00b7 %u process%s \u00b7 %u thread%s \u00b7 %s sample%s \u00b7 "
                   "%s lost%s%.200s",
                   duration, processes, processes == 1 ? "" : "es", threads, plural(threads),
                   num_count(spans, samples), plural(samples), lost, f->path ? " \u00b7 " : "",
                   f->path ? f->path : "");
    else
        sheet_line(
            r, out, TABLE_BOLD,
            "oriel  %s \u00b7 %u process%s \u00b7 %u thread%s \u00b7 %s span%s \u00b7 %s event%s "
            "\u00b7 %s lost%s%.200s",
            duration, processes, processes == 1 ? "" : "es", threads, plural(threads), spans,
            plural(r->spans), events, plural(r->events.count), lost, f->path ? " \u00b7 " : "",
            f->path ? f->path : "");
}

/* What the system said of the program, in one line. */
static void put_system(const struct report *r, struct buf *out)
{
    struct buf line;
    buf_init(&line);
    system_text(&r->system, report_offset(r, r->last_ns), r->options.width, &line);
    if (line.size)
        sheet_line(r, out, TABLE_DIM, "%s", buf_cstr(&line));
    buf_done(&line);
}

/* Said by the recorder, who saw the program end. */
static void put_death(const struct report *r, struct buf *out)
{
    struct model_str pid = model_catalog_resource(r->catalog, "oriel.exit.pid");
    struct model_str signal = model_catalog_resource(r->catalog, "oriel.exit.signal");
    if (signal.n)
        sheet_line(r, out, TABLE_RED, "process %.*s died of %.*s", (int)pid.n, pid.p, (int)signal.n,
                   signal.p);
}

static void put_losses(const struct report *r, const struct report_facts *f, struct buf *out)
{
    for (uint32_t i = 0; i < ORIEL_LOST_CAUSES; i++) {
        char n[NUM_TEXT_MAX];
        if (f->lost[i])
            sheet_line(r, out, TABLE_RED, "%s lost (%s): %s", num_count(n, f->lost[i]),
                       model_lost_text(i), model_lost_remedy(i));
    }
    char said[NUM_TEXT_MAX], seen[NUM_TEXT_MAX];
    if (f->unwritten || f->unwritten_seen)
        sheet_line(r, out, TABLE_RED,
                   "%s not written%s%s%s (disk full or failing): free some space, or "
                   "record elsewhere with -o",
                   num_count(said, f->unwritten), f->unwritten_seen ? ", nor " : "",
                   f->unwritten_seen ? num_count(seen, f->unwritten_seen) : "",
                   f->unwritten_seen ? " samples and readings" : "");
}

static void put_damage(const struct report *r, const struct report_facts *f, struct buf *out)
{
    char damaged[NUM_TEXT_MAX], bytes[NUM_TEXT_MAX], at[NUM_TEXT_MAX];
    const char *path = f->path ? f->path : "the recording";
    if (f->damaged || f->bytes_skipped) {
        num_count(damaged, f->damaged);
        num_bytes(bytes, f->bytes_skipped);
        if (f->first_damage == UINT64_MAX)
            sheet_line(r, out, TABLE_RED,
                       "%.200s: damaged: %s records and %s skipped, all else was read", path,
                       damaged, bytes);
        else
            sheet_line(r, out, TABLE_RED,
                       "%.200s: damaged at byte %s: %s records and %s skipped, all else was read",
                       path, num_count(at, f->first_damage), damaged, bytes);
    }
    if (f->truncated)
        sheet_line(r, out, TABLE_YELLOW,
                   "%.200s: the end is missing: the recorder was ended, is still writing, or the "
                   "disk was full; `oriel recover` may find the rest",
                   path);
}

static void put_doubts(const struct report *r, const struct report_facts *f, struct buf *out)
{
    char n[NUM_TEXT_MAX];
    if (f->unfinished)
        sheet_line(r, out, TABLE_YELLOW,
                   "%s span%s unfinished: no end was seen, times count up to the last record",
                   num_count(n, f->unfinished), plural(f->unfinished));
    if (f->orphan_ends)
        sheet_line(r, out, TABLE_YELLOW,
                   "%s span%s ended whose begin is missing: not in the tables",
                   num_count(n, f->orphan_ends), plural(f->orphan_ends));
    if (f->clamped)
        sheet_line(r, out, TABLE_YELLOW, "%s span%s ended before the begin: counted as 0 ns",
                   num_count(n, f->clamped), plural(f->clamped));
    uint64_t elsewhere = report_elsewhere(r);
    if (r->tree.detached)
        sheet_line(r, out, TABLE_DIM,
                   "%s parent%s not seen: the spans below stand at the top of the tree",
                   num_count(n, r->tree.detached), plural(r->tree.detached));
    if (r->tree.circles)
        sheet_line(r, out, TABLE_YELLOW,
                   "%s circle%s of parents: the span that closes it stands at the top of the tree",
                   num_count(n, r->tree.circles), plural(r->tree.circles));
    if (elsewhere)
        sheet_line(r, out, TABLE_DIM,
                   "%s span%s on too many or too deep paths: counted by name only",
                   num_count(n, elsewhere), plural(elsewhere));
}

/* ---- spans ---- */

static const struct sheet_column span_columns[] = {
    {"span", TABLE_TEXT, 0, 24},    {"count", TABLE_NUMBER, 0, 0}, {"total", TABLE_NUMBER, 0, 0},
    {"self", TABLE_NUMBER, 0, 0},   {"busy", TABLE_NUMBER, 6, 0},  {"p50", TABLE_NUMBER, 0, 0},
    {"p95", TABLE_NUMBER, 1, 0},    {"p99", TABLE_NUMBER, 4, 0},   {"max", TABLE_NUMBER, 3, 0},
    {"errors", TABLE_NUMBER, 5, 0}, {"open", TABLE_NUMBER, 7, 0},  {"source", TABLE_TEXT, 2, 12},
};
enum { SPAN_COLUMNS = sizeof span_columns / sizeof *span_columns };

struct span_sums {
    uint64_t count, total, self, busy, max, errors, unfinished;
    const struct hist *hist;
};

static void span_cells(struct sheet *s, const struct span_sums *n, const struct name *name)
{
    sheet_count(s, n->count);
    sheet_ns(s, n->total);
    sheet_ns(s, n->self);
    if (n->busy != n->total)
        sheet_ns(s, n->busy);
    else
        sheet_none(s);
    sheet_ns(s, hist_quantile(n->hist, 500, n->max));
    sheet_ns(s, hist_quantile(n->hist, 950, n->max));
    sheet_ns(s, hist_quantile(n->hist, 990, n->max));
    sheet_ns(s, n->max);
    sheet_count_if(s, n->errors, TABLE_RED);
    sheet_count_if(s, n->unfinished, TABLE_YELLOW);
    sheet_source(s, name->site);
}

/* Two spaces per level, as far as there is room for a name behind it. */
static void name_cell(struct sheet *s, const struct report *r, uint32_t depth,
                      struct model_str name, enum table_style style)
{
    struct buf text;
    uint32_t most = r->options.width / 4;
    buf_init(&text);
    for (uint32_t i = 0; i < (2 * depth < most ? 2 * depth : most); i++)
        buf_putc(&text, ' ');
    buf_put(&text, name.p, name.n);
    s->table.failed |= text.failed;
    sheet_cell(s, (struct model_str){text.data, (uint32_t)text.size}, style);
    buf_done(&text);
}

static void rest_row(struct sheet *s, const struct report *r, const struct report_row *row)
{
    char text[2 * NUM_TEXT_MAX], n[NUM_TEXT_MAX];
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "(%s more)", num_count(n, row->rest_names));
    size_t len = b.size < sizeof text ? b.size : sizeof text;
    if (len)
        memcpy(text, b.data, len);
    s->table.failed |= b.failed;
    buf_done(&b);
    name_cell(s, r, row->depth, (struct model_str){text, (uint32_t)len}, TABLE_DIM);
    sheet_count(s, row->rest_count);
    sheet_ns(s, row->rest_total);
    table_end_row(&s->table);
}

/* *out_whole: every path has its row here. */
static int put_tree(const struct report *r, struct buf *out, size_t *out_rows, bool *out_whole)
{
    struct report_order order;
    struct sheet s;
    int rc = report_order_top(r, r->options.top, &order);
    sheet_init(&s, span_columns, SPAN_COLUMNS);
    *out_rows = order.rows.count;
    *out_whole = true;
    for (size_t i = 0; i < order.rows.count && rc == 0; i++) {
        const struct report_row *row = &order.rows.items[i];
        if (!row->node) {
            *out_whole = false;
            rest_row(&s, r, row);
            continue;
        }
        const struct calltree_node *n = calltree_node(&r->tree, row->node);
        if (row->node == CALLTREE_ELSEWHERE) {
            *out_whole = false;
            sheet_cell(&s, MODEL_STR("(elsewhere)"), TABLE_DIM);
            table_end_row(&s.table);
            continue;
        }
        const struct span_sums sums = {n->count, n->total,  n->self,       n->busy,
                                       n->max,   n->errors, n->unfinished, &n->hist};
        name_cell(&s, r, row->depth, report_name(r, n->name), TABLE_PLAIN);
        span_cells(&s, &sums, &r->names.items.items[n->name]);
    }
    if (order.rows.count)
        sheet_title(r, out, "where the time went");
    sheet_put(&s, r, out);
    report_order_done(&order);
    return rc;
}

static void put_flats(const struct report *r, const struct report_flats *flats, struct buf *out)
{
    struct sheet s;
    size_t rows = flats->items.count < r->options.top ? flats->items.count : r->options.top;
    sheet_init(&s, span_columns, SPAN_COLUMNS);
    for (size_t i = 0; i < rows; i++) {
        const struct report_flat *f = &flats->items.items[i];
        const struct span_sums sums = {f->count, f->total,  f->self,       f->busy,
                                       f->max,   f->errors, f->unfinished, &f->hist};
        name_cell(&s, r, 0, report_name(r, f->name), TABLE_PLAIN);
        span_cells(&s, &sums, &r->names.items.items[f->name]);
    }
    if (rows < flats->items.count) {
        struct report_row rest = {.rest_names = flats->items.count - rows};
        for (size_t i = rows; i < flats->items.count; i++) {
            rest.rest_count += flats->items.items[i].count;
            rest.rest_total += flats->items.items[i].total;
        }
        rest_row(&s, r, &rest);
    }
    sheet_title(r, out, "spans by name");
    sheet_put(&s, r, out);
}

/* ---- slowest instances ---- */

struct slow_row {
    const struct inst *inst;
    uint64_t p50;
};

static int slowest_first(const void *a, const void *b)
{
    const struct slow_row *x = a, *y = b;
    uint64_t p = inst_duration(x->inst), q = inst_duration(y->inst);
    if (p != q)
        return p < q ? 1 : -1;
    return (x->inst->t_ns > y->inst->t_ns) - (x->inst->t_ns < y->inst->t_ns);
}

static size_t slow_rows(const struct report *r, const struct report_flats *flats,
                        struct slow_row *rows)
{
    size_t n = 0;
    for (size_t i = 0; i < flats->items.count; i++) {
        const struct report_flat *f = &flats->items.items[i];
        if (f->name >= r->slow.count)
            continue;
        const struct slow *slow = &r->slow.items[f->name];
        for (uint32_t k = 0; k < slow->count; k++)
            rows[n++] = (struct slow_row){slow->items[k], hist_quantile(&f->hist, 500, f->max)};
    }
    qsort(rows, n, sizeof *rows, slowest_first);
    return n;
}

static void slow_cells(struct sheet *s, const struct report *r, const struct slow_row *row)
{
    const struct model_span *span = &row->inst->u.span;
    enum table_style style = span->status == ORIEL_STATUS_ERROR    ? TABLE_RED
                             : span->flags & MODEL_SPAN_UNFINISHED ? TABLE_YELLOW
                                                                   : TABLE_PLAIN;
    double times = row->p50 ? (double)inst_duration(row->inst) / (double)row->p50 : 0;
    struct buf attrs;
    buf_init(&attrs);
    sheet_cell(s, report_name(r, row->inst->name), style);
    sheet_ns(s, inst_duration(row->inst));
    sheet_ns(s, row->inst->self_ns);
    if (times >= 2)
        table_cellf(&s->table, times < 9.95 ? "%.1f" : times < 1e6 ? "%.0f" : "%.2g", times);
    else
        sheet_none(s);
    sheet_ns(s, report_offset(r, span->start_ns));
    sheet_cell(s, span->thread ? span->thread->name : MODEL_STR(""), TABLE_PLAIN);
    if (span->flags & MODEL_SPAN_UNFINISHED)
        buf_puts(&attrs, span->attr_count ? "unfinished " : "unfinished");
    sheet_attrs(&attrs, span->attrs, span->attr_count, span->dropped_attrs);
    s->table.failed |= attrs.failed;
    sheet_cell(s, (struct model_str){attrs.data, (uint32_t)attrs.size}, TABLE_DIM);
    buf_done(&attrs);
}

static int put_slowest(const struct report *r, const struct report_flats *flats, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"span", TABLE_TEXT, 0, 20},       {"took", TABLE_NUMBER, 0, 0},
        {"self", TABLE_NUMBER, 3, 0},      {"x p50", TABLE_NUMBER, 2, 0},
        {"at", TABLE_NUMBER, 0, 0},        {"thread", TABLE_TEXT, 1, 10},
        {"attributes", TABLE_TEXT, 4, 16},
    };
    struct slow_row *rows = mem_calloc(r->slow.count * SLOW_MAX + 1, sizeof *rows);
    struct sheet s;
    if (!rows)
        return ORIEL_ENOMEM;
    size_t n = slow_rows(r, flats, rows);
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < n && i < r->options.top; i++)
        slow_cells(&s, r, &rows[i]);
    if (n)
        sheet_title(r, out, "slowest instances");
    sheet_put(&s, r, out);
    mem_free(rows);
    return 0;
}

static int put_spans(const struct report *r, struct buf *out)
{
    struct report_flats flats;
    bool whole = false;
    size_t rows = 0;
    int rc = report_flatten(r, &flats);
    if (rc != 0)
        return rc;
    rc = put_tree(r, out, &rows, &whole);
    /* Where each name has one path and each path a row it says nothing new. */
    if (!whole || rows > flats.items.count)
        put_flats(r, &flats, out);
    if (rc == 0)
        rc = put_slowest(r, &flats, out);
    report_flats_done(&flats);
    return rc;
}

int report_text(struct report *r, const struct report_facts *facts, struct buf *out)
{
    const struct report_facts f = report_facts_of(r, facts);
    int settled = report_settle(r), rc = 0;
    assert(out);
    put_summary(r, &f, out);
    put_death(r, out);
    put_system(r, out);
    report_text_syscall_line(r, out);
    put_losses(r, &f, out);
    report_text_unseen(r, out);
    report_text_unnamed(r, out);
    report_text_own(r, out);
    put_damage(r, &f, out);
    put_doubts(r, &f, out);
    if (settled == 0)
        settled = report_text_dense(r, out);
    if (!r->options.no_crash)
        report_text_crashes(r, out);
    /* Who asks for one thing gets that one, not pages around it. */
    if (latency_wanted(&r->latency))
        report_text_latency(r, out);
    if (r->options.tree)
        rc = report_text_traces(r, out);
    if (!r->options.tree && !latency_wanted(&r->latency)) {
        rc = report_text_summary(r, out);
        if (rc == 0)
            rc = put_spans(r, out);
        if (rc == 0)
            rc = report_text_profile(r, out);
        if (rc == 0)
            rc = report_text_syscalls(r, out);
        if (rc == 0)
            rc = report_text_activity(r, out);
    }
    if (rc == 0)
        rc = settled;
    return rc == 0 && out->failed ? ORIEL_ENOMEM : rc;
}
