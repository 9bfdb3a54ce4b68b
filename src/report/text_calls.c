/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report for a terminal: calls that were counted, by function, and who calls
 * whom. What was seen and is not in the tables is said first, with the reason.
 */
#include "base/err.h"
#include "report/callsums.h"
#include "report/text.h"
#include "util/num.h"

/* What the program counted is told, or dropped with a cause; what it told is here, or was lost on
 * the way, which the losses above say. */
static void put_books(const struct report *r, const struct call_tables *t, struct buf *out)
{
    const struct callsums *c = &r->calls;
    char a[NUM_TEXT_MAX], b[NUM_TEXT_MAX];
    const struct {
        uint64_t n;
        const char *why;
    } dropped[] = {{c->too_deep, "deeper than 1,024 calls inside each other"},
                   {c->no_room, "more paths at a time than there is room for"},
                   {c->ring_full, "the ring was full when their table was; raise --ring"},
                   {c->told > t->calls ? c->told - t->calls : 0,
                    "told by the program, but their records were lost"}};
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
        if (dropped[i].n)
            sheet_line(r, out, TABLE_RED, "  %s of %s %s not in here: %s",
                       num_count(a, dropped[i].n), num_count(b, c->counted),
                       num_noun(c->counted, "call is", "calls are"), dropped[i].why);
    if (model_catalog_resource(r->catalog, "oriel.exit.signal").n)
        sheet_line(r, out, TABLE_YELLOW,
                   "  a process was killed: what its threads counted since they told it last "
                   "(0.2 to 0.5 s) is not in here");
}

static void put_functions(const struct report *r, const struct frames *f,
                          const struct call_tables *t, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"function", TABLE_TEXT, 0, 24}, {"calls", TABLE_NUMBER, 0, 0},
        {"total", TABLE_NUMBER, 0, 0},   {"self", TABLE_NUMBER, 0, 0},
        {"self", TABLE_NUMBER, 0, 0},    {"mean", TABLE_NUMBER, 3, 0},
        {"least", TABLE_NUMBER, 5, 0},   {"most", TABLE_NUMBER, 4, 0},
        {"where", TABLE_TEXT, 1, 12},
    };
    struct sheet s;
    char text[NUM_TEXT_MAX];
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < t->rows.count && i < r->options.top; i++) {
        const struct call_row *row = &t->rows.items[i];
        sheet_cell(&s, report_without_parameters(f->items.items[row->frame].name), TABLE_PLAIN);
        sheet_count(&s, row->calls);
        sheet_ns(&s, row->total);
        sheet_ns(&s, row->self);
        sheet_text(&s, num_percent(text, (double)row->self, (double)t->self));
        if (row->calls)
            sheet_ns(&s, row->total / row->calls);
        else
            sheet_none(&s);
        if (row->times.most) {
            sheet_ns(&s, row->times.least);
            sheet_ns(&s, row->times.most);
        } else {
            sheet_none(&s);
            sheet_none(&s);
        }
        report_text_where(&s, &f->items.items[row->frame]);
        table_end_row(&s.table);
    }
    sheet_put(&s, r, out);
}

static void put_edges(const struct report *r, const struct frames *f, const struct call_tables *t,
                      struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"caller", TABLE_TEXT, 0, 20},
        {"calls this", TABLE_TEXT, 0, 20},
        {"calls", TABLE_NUMBER, 0, 0},
        {"total", TABLE_NUMBER, 0, 0},
    };
    struct sheet s;
    size_t shown = 0;
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < t->edges.count && shown < r->options.top; i++) {
        const struct call_edge *e = &t->edges.items[i];
        if (e->caller == FRAMES_NONE)
            continue;
        sheet_cell(&s, report_without_parameters(f->items.items[e->caller].name), TABLE_PLAIN);
        sheet_cell(&s, report_without_parameters(f->items.items[e->callee].name), TABLE_PLAIN);
        sheet_count(&s, e->calls);
        sheet_ns(&s, e->total);
        table_end_row(&s.table);
        shown++;
    }
    if (shown)
        sheet_title(r, out, "who calls whom, by time: %zu of %zu", shown, t->edges.count);
    sheet_put(&s, r, out);
}

int report_text_calls(const struct report *r, struct frames *f, struct buf *out)
{
    struct call_tables t;
    char calls[NUM_TEXT_MAX], time[NUM_TEXT_MAX], functions[NUM_TEXT_MAX];
    if (!r->profile.samples[ORIEL_SAMPLE_CALL])
        return 0;
    int rc = call_tables_make(r, f, &t);
    if (rc == 0) {
        sheet_title(r, out, "counted calls: %s of %s %s, %s", num_count(calls, t.calls),
                    num_count(functions, t.rows.count),
                    num_noun(t.rows.count, "function", "functions"), num_duration(time, t.self));
        put_books(r, &t, out);
        put_functions(r, f, &t, out);
        put_edges(r, f, &t, out);
    }
    call_tables_done(&t);
    return rc;
}
