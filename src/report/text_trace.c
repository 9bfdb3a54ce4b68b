/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * a trace as a tree in the terminal. The longest spans of a trace and
 * all that leads to them get a line, its events stand between them in the
 * order of time, and what got no line is counted where it belongs.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "report/render.h"
#include "report/text.h"
#include "util/num.h"

enum { LINES_SLOWEST = 3, INDENT_MAX = 24, DEPTH_MAX = TRACE_SPANS };

struct tree_item { /* a span or an event of the trace, by time */
    const struct inst *inst;
    uint32_t child, sibling, last; /* index + 1; 0 none */
    uint32_t parent;
    bool shown;
    uint64_t rest_spans, rest_ns, rest_events; /* below it, without a line */
};

struct tree {
    const struct report *r;
    const struct trace *trace;
    struct tree_item *items; /* [0]: stands above the roots */
    uint32_t count;
    struct map by_id; /* span id -> index */
    uint32_t *order;
    struct sheet sheet;
    bool failed;
};

static const struct sheet_column tree_columns[] = {
    {"at", TABLE_NUMBER, 0, 0},  {"took", TABLE_NUMBER, 0, 0}, {"self", TABLE_NUMBER, 1, 0},
    {"span", TABLE_TEXT, 0, 30}, {"thread", TABLE_TEXT, 2, 8},
};

/* Spans and events of the trace, merged by time; an event first. */
static void fill(struct tree *t)
{
    size_t a = 0, b = 0;
    const struct trace *trace = t->trace;
    for (uint32_t i = 1; i < t->count; i++) {
        bool span =
            b == trace->events.count ||
            (a < trace->spans.count && trace->spans.items[a]->t_ns < trace->events.items[b]->t_ns);
        t->items[i].inst = span ? trace->spans.items[a++] : trace->events.items[b++];
        if (span && !map_put(&t->by_id, t->items[i].inst->u.span.span_id, i))
            t->failed = true;
    }
}

static uint32_t parent_of(const struct tree *t, uint32_t i)
{
    const struct inst *inst = t->items[i].inst;
    uint64_t id = inst->is_event ? inst->u.event.span_id : inst->u.span.parent_id;
    const uint64_t *found = id ? map_get(&t->by_id, id) : NULL;
    return found && *found != i ? (uint32_t)*found : 0;
}

/* Parents first; whoever is part of a circle of ids becomes a root. */
static void link_up(struct tree *t)
{
    for (uint32_t i = 1; i < t->count; i++) {
        uint32_t p = parent_of(t, i), up = p;
        for (uint32_t steps = 0; up && up != i && steps < t->count; steps++)
            up = t->items[up].parent;
        t->items[i].parent = up ? 0 : p;
    }
    for (uint32_t i = 1; i < t->count; i++) {
        struct tree_item *p = &t->items[t->items[i].parent];
        if (p->last)
            t->items[p->last - 1].sibling = i + 1;
        else
            p->child = i + 1;
        p->last = i + 1;
    }
}

static int level_of(const struct inst *event)
{
    assert(event->is_event);
    return event->u.event.site ? event->u.event.site->level : ORIEL_LEVEL_INFO;
}

/* Spans by length; then events, the gravest first. */
static int worthiest_first(const void *a, const void *b, void *tree)
{
    const struct tree *t = tree;
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    const struct inst *x = t->items[i].inst, *y = t->items[k].inst;
    if (x->is_event != y->is_event)
        return x->is_event ? 1 : -1;
    if (x->is_event) {
        if (level_of(x) != level_of(y))
            return level_of(y) - level_of(x);
    } else if (inst_duration(x) != inst_duration(y)) {
        return inst_duration(x) < inst_duration(y) ? 1 : -1;
    }
    return (i > k) - (i < k);
}

/* Two thirds of the lines for spans, one for events. */
static void choose(struct tree *t, uint32_t lines)
{
    uint32_t spans = 0, events = 0;
    for (uint32_t i = 1; i < t->count; i++)
        t->order[i - 1] = i;
    qsort_r(t->order, t->count - 1, sizeof *t->order, worthiest_first, t);
    for (uint32_t k = 0; k + 1 < t->count; k++) {
        struct tree_item *item = &t->items[t->order[k]];
        bool event = item->inst->is_event;
        if (event ? events >= lines - lines / 3 * 2 : spans >= lines / 3 * 2)
            continue;
        /* A warning brings its span along, anything less needs one there. */
        if (event && item->parent && !t->items[item->parent].shown &&
            level_of(item->inst) < ORIEL_LEVEL_WARN)
            continue;
        events += event;
        spans += !event;
        for (struct tree_item *up = item; !up->shown; up = &t->items[up->parent])
            up->shown = true;
    }
    t->items[0].shown = true;
}

/* Count what has no line at the nearest ancestor that has one. Children come
 * after their parents only in time, so each walks up by itself. */
static void count_rest(struct tree *t)
{
    for (uint32_t i = 1; i < t->count; i++) {
        if (t->items[i].shown)
            continue;
        uint32_t up = t->items[i].parent;
        bool direct = t->items[up].shown;
        while (!t->items[up].shown)
            up = t->items[up].parent;
        if (t->items[i].inst->is_event) {
            t->items[up].rest_events++;
            continue;
        }
        t->items[up].rest_spans++;
        t->items[up].rest_ns += direct ? inst_duration(t->items[i].inst) : 0;
    }
    size_t at = 0;
    uint64_t id, index;
    while (map_next(&t->trace->fold_by_parent, &at, &id, &index)) {
        const uint64_t *found = map_get(&t->by_id, id);
        uint32_t up = found ? (uint32_t)*found : 0;
        bool direct = t->items[up].shown;
        while (!t->items[up].shown)
            up = t->items[up].parent;
        t->items[up].rest_spans += t->trace->folds.items[index].count;
        t->items[up].rest_ns += direct ? t->trace->folds.items[index].ns : 0;
    }
    if (t->trace->folds.count) {
        t->items[0].rest_spans += t->trace->folds.items[0].count;
        t->items[0].rest_ns += t->trace->folds.items[0].ns;
    }
    t->items[0].rest_events += t->trace->event_count - t->trace->events.count;
}

/* ---- lines ---- */

static void put_branch(struct buf *b, const bool *last, uint32_t depth)
{
    uint32_t from = depth > INDENT_MAX / 2 ? depth - INDENT_MAX / 2 : 1;
    if (from > 1)
        buf_puts(b, "\u2026 "); /* the outermost levels are not drawn */
    for (uint32_t i = from; i < depth; i++)
        buf_puts(b, last[i] ? "  " : "\u2502 ");
    if (depth)
        buf_puts(b, last[depth] ? "\u2514 " : "\u251c ");
}

static void cell_of(struct tree *t, struct buf *b, enum table_style style)
{
    t->failed |= b->failed;
    sheet_cell(&t->sheet, (struct model_str){b->data, (uint32_t)b->size}, style);
}

static void span_line(struct tree *t, const struct tree_item *item, struct buf *b)
{
    assert(!item->inst->is_event);
    const struct inst *i = item->inst;
    const struct model_span *s = &i->u.span;
    uint64_t dur = inst_duration(i), start = t->trace->spans.items[0]->t_ns;
    char text[NUM_TEXT_MAX];
    bool open = s->flags & MODEL_SPAN_UNFINISHED, error = s->status == ORIEL_STATUS_ERROR;
    sheet_ns(&t->sheet, i->t_ns > start ? i->t_ns - start : 0);
    table_cellf(&t->sheet.table, "%s%s", open ? ">" : "", num_duration(text, dur));
    sheet_text(&t->sheet, num_percent(text, (double)i->self_ns, (double)dur));
    struct model_str name = report_name(t->r, i->name);
    buf_put(b, name.p, name.n);
    if (open)
        buf_puts(b, " (unfinished)");
    if (s->flags & MODEL_SPAN_ASYNC)
        buf_printf(b, " (async, busy %s)", num_duration(text, s->busy_ns));
    if (s->flags & MODEL_SPAN_EXTERNAL && !(s->flags & MODEL_SPAN_TOLD))
        buf_puts(b, " (times given)");
    if (error) {
        buf_puts(b, s->status_message.n ? " (error: " : " (error");
        buf_put(b, s->status_message.p, s->status_message.n);
        buf_putc(b, ')');
    }
    if (s->attr_count || s->dropped_attrs) {
        buf_puts(b, "  ");
        sheet_attrs(b, s->attrs, s->attr_count, s->dropped_attrs);
    }
    cell_of(t, b, error ? TABLE_RED : open ? TABLE_YELLOW : TABLE_PLAIN);
    const struct inst *above = item->parent ? t->items[item->parent].inst : NULL;
    if (s->thread && (!above || above->u.span.thread != s->thread))
        sheet_cell(&t->sheet, s->thread->name, TABLE_DIM);
    table_end_row(&t->sheet.table);
}

static void event_line(struct tree *t, const struct tree_item *item, struct buf *b)
{
    const struct model_event *e = &item->inst->u.event;
    int level = level_of(item->inst);
    uint64_t start = t->trace->spans.count ? t->trace->spans.items[0]->t_ns : e->t_ns;
    sheet_ns(&t->sheet, e->t_ns > start ? e->t_ns - start : 0);
    sheet_none(&t->sheet);
    sheet_none(&t->sheet);
    buf_printf(b, "\u00b7 %s ", model_level_text((uint8_t)level));
    buf_put(b, e->message.p, e->message.n);
    if (e->attr_count || e->dropped_attrs) {
        buf_puts(b, "  ");
        sheet_attrs(b, e->attrs, e->attr_count, e->dropped_attrs);
    }
    cell_of(t, b,
            level >= ORIEL_LEVEL_ERROR  ? TABLE_RED
            : level == ORIEL_LEVEL_WARN ? TABLE_YELLOW
                                        : TABLE_DIM);
    table_end_row(&t->sheet.table);
}

static void rest_line(struct tree *t, const struct tree_item *item, struct buf *b)
{
    char n[NUM_TEXT_MAX], ns[NUM_TEXT_MAX];
    sheet_none(&t->sheet);
    sheet_none(&t->sheet);
    sheet_none(&t->sheet);
    if (item->rest_spans)
        buf_printf(b, "(%s shorter span%s, %s)", num_count(n, item->rest_spans),
                   item->rest_spans == 1 ? "" : "s", num_duration(ns, item->rest_ns));
    if (item->rest_events)
        buf_printf(b, "%s(%s event%s)", item->rest_spans ? " " : "",
                   num_count(n, item->rest_events), item->rest_events == 1 ? "" : "s");
    cell_of(t, b, TABLE_DIM);
    table_end_row(&t->sheet.table);
}

/* The lines below one item. Depth is bounded by the number of spans kept. */
static void tell(struct tree *t, uint32_t index, bool *last, uint32_t depth)
{
    const struct tree_item *item = &t->items[index];
    bool rest = item->rest_spans || item->rest_events;
    uint32_t left = 0;
    assert(depth < DEPTH_MAX + 2);
    for (uint32_t c = item->child; c; c = t->items[c - 1].sibling)
        left += t->items[c - 1].shown;
    for (uint32_t c = item->child; c; c = t->items[c - 1].sibling) {
        const struct tree_item *child = &t->items[c - 1];
        struct buf b;
        if (!child->shown)
            continue;
        buf_init(&b);
        last[depth] = --left == 0 && !rest;
        put_branch(&b, last, depth);
        if (child->inst->is_event)
            event_line(t, child, &b);
        else
            span_line(t, child, &b);
        buf_done(&b);
        tell(t, c - 1, last, depth + 1);
    }
    if (rest) {
        struct buf b;
        buf_init(&b);
        last[depth] = true;
        put_branch(&b, last, depth);
        rest_line(t, item, &b);
        buf_done(&b);
    }
}

static int put_trace(const struct report *r, const struct trace *trace, uint32_t lines,
                     struct buf *out)
{
    struct tree t = {.r = r, .trace = trace};
    char hex[33], took[NUM_TEXT_MAX], spans[NUM_TEXT_MAX], at[NUM_TEXT_MAX];
    if (trace->spans.count == 0)
        return 0;
    t.count = 1 + (uint32_t)(trace->spans.count + trace->events.count);
    t.items = mem_calloc(t.count, sizeof *t.items);
    t.order = mem_calloc(t.count, sizeof *t.order);
    bool *last = mem_calloc(DEPTH_MAX + 2, sizeof *last);
    t.failed = !t.items || !t.order || !last;
    sheet_init(&t.sheet, tree_columns, sizeof tree_columns / sizeof *tree_columns);
    if (!t.failed) {
        fill(&t);
        link_up(&t);
        choose(&t, lines);
        count_rest(&t);
        tell(&t, 0, last, 0);
        model_trace_hex(trace->id, hex);
        sheet_title(r, out, "trace %s \u00b7 %s \u00b7 %s span%s \u00b7 at %s", hex,
                    num_duration(took, trace->root_ns ? trace->root_ns : trace->longest_ns),
                    num_count(spans, trace->span_count), trace->span_count == 1 ? "" : "s",
                    num_duration(at, report_offset(r, trace->spans.items[0]->t_ns)));
    }
    sheet_put(&t.sheet, r, out);
    map_done(&t.by_id);
    mem_free(t.items);
    mem_free(t.order);
    mem_free(last);
    return t.failed ? ORIEL_ENOMEM : 0;
}

int report_text_traces(const struct report *r, struct buf *out)
{
    int rc = 0;
    if (r->traces.kept_count == 0)
        sheet_line(r, out, TABLE_DIM, "no trace was recorded");
    for (uint32_t i = 0; i < r->traces.kept_count && rc == 0; i++)
        rc = put_trace(r, r->traces.kept[i], r->options.top * (i == 0 ? LINES_SLOWEST : 1), out);
    if (r->traces.cut_off) {
        char n[NUM_TEXT_MAX];
        sheet_line(r, out, TABLE_DIM, "%s trace%s had to be judged before the root span ended",
                   num_count(n, r->traces.cut_off), r->traces.cut_off == 1 ? "" : "s");
    }
    return rc;
}
