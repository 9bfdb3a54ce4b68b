/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report for a terminal: what was sampled, by function and by span. For
 * every kind of sample there is: the functions that weigh most themselves.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "report/functions.h"
#include "report/text.h"
#include "util/num.h"

enum { FEW = 100 };

static const char *const titles[ORIEL_SAMPLE_KINDS] = {
    [ORIEL_SAMPLE_CPU] = "CPU time",
    [ORIEL_SAMPLE_OFF_CPU] = "waiting",
    [ORIEL_SAMPLE_ALLOC] = "allocations",
    [ORIEL_SAMPLE_FREE] = "frees",
    [ORIEL_SAMPLE_LOCK] = "waiting for locks",
    [ORIEL_SAMPLE_FAULT] = "page faults",
    [ORIEL_SAMPLE_PREEMPTED] = "ready, but others ran",
    [ORIEL_SAMPLE_WAKE] = "waking others",
    [ORIEL_SAMPLE_DEPTH] = "stack depth",
    [ORIEL_SAMPLE_HOLDER] = "holding locks others wait for",
    [ORIEL_SAMPLE_LIVE] = "memory still in use at the end",
    [ORIEL_SAMPLE_TEMPORARY] = "memory given back at once",
    [ORIEL_SAMPLE_PEAK] = "memory when most was in use",
    [ORIEL_SAMPLE_CONDITION] = "waiting for conditions",
    [ORIEL_SAMPLE_CALL] = "counted calls",
};

const char *report_kind_title(uint8_t kind)
{
    return titles[kind] ? titles[kind] : model_sample_kind_text(kind);
}

const char *report_amount(char text[NUM_TEXT_MAX], uint8_t kind, uint64_t v)
{
    const char *unit = model_sample_unit(kind);
    if (strcmp(unit, "nanoseconds") == 0)
        return num_duration(text, v);
    return strcmp(unit, "bytes") == 0 ? num_bytes(text, v) : num_count(text, v);
}

void report_text_where(struct sheet *s, const struct frame *f)
{
    struct model_str path = f->file.n ? f->file : f->module ? f->module->path : MODEL_STR("");
    uint32_t at = path.n;
    while (at > 0 && path.p[at - 1] != '/')
        at--;
    if (f->file.n && f->line)
        table_cellf(&s->table, "%.*s:%u", (int)(path.n - at), path.p + at, f->line);
    else
        sheet_cell(s, (struct model_str){path.p + at, path.n - at}, TABLE_DIM);
}

/* "ns::parse(char const*, int) const" is ns::parse here. Not every '(' begins
 * parameters: "(anonymous namespace)::f", "operator()", Go's "pkg.(*T).f". */
struct model_str report_without_parameters(struct model_str name)
{
    for (uint32_t i = 1, deep = 0; i < name.n; i++) {
        char c = name.p[i];
        deep += c == '<';
        deep -= c == '>' && deep > 0;
        bool inside = deep > 0 || name.p[i - 1] == ':' || name.p[i - 1] == ' ' ||
                      name.p[i - 1] == '.' ||
                      (i >= 8 && memcmp(name.p + i - 8, "operator", 8) == 0);
        if (c == '(' && !inside)
            return (struct model_str){name.p, i};
    }
    return name;
}

/* Of ten samples a share of 20 % is two: it may as well be 5 or 40. A live view, which has no end,
 * is no place for advice. */
static void put_few(const struct report *r, uint8_t kind, uint64_t samples, struct buf *out)
{
    struct model_str rate = model_catalog_resource(r->catalog, "oriel.sample.rate");
    if (kind != ORIEL_SAMPLE_CPU || rate.n == 0 || samples >= FEW || !r->last_ns)
        return;
    sheet_line(r, out, TABLE_DIM, "  few samples, so shares are rough%s",
               rate.n < 3 ? ": record --rate 997 takes ten times as many" : "");
}

int report_text_functions(const struct report *r, struct frames *f, uint8_t kind, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"function", TABLE_TEXT, 0, 24}, {"self", TABLE_NUMBER, 0, 0},
        {"self", TABLE_NUMBER, 0, 0},    {"total", TABLE_NUMBER, 0, 0},
        {"samples", TABLE_NUMBER, 2, 0}, {"where", TABLE_TEXT, 1, 12},
    };
    /* Whoever waits, waits in the scheduler: where the program asked for it says more. */
    const struct profile_filter all = {
        .kind = kind, .thread = -1, .process = -1, .user_self = kind != ORIEL_SAMPLE_CPU};
    struct function_sums sums;
    struct sheet s;
    char text[NUM_TEXT_MAX], more[NUM_TEXT_MAX];
    int rc = functions_sum(f, &r->profile, r->catalog, &all, &sums);
    sheet_title(r, out, "%s by function: %s, %s %s", titles[kind],
                report_amount(text, kind, sums.weight), num_count(more, sums.count),
                num_noun(sums.count, "sample", "samples"));
    put_few(r, kind, sums.count, out);
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    size_t shown = 0;
    for (; shown < sums.items.count && shown < r->options.top; shown++) {
        const struct function_sum *n = &sums.items.items[shown];
        if (n->self == 0)
            break;
        sheet_cell(&s, report_without_parameters(f->items.items[n->frame].name), TABLE_PLAIN);
        sheet_text(&s, num_percent(text, (double)n->self, (double)sums.weight));
        sheet_text(&s, report_amount(text, kind, n->self));
        sheet_text(&s, num_percent(text, (double)n->total, (double)sums.weight));
        sheet_count(&s, n->self_count);
        report_text_where(&s, &f->items.items[n->frame]);
        table_end_row(&s.table);
    }
    sheet_put(&s, r, out);
    function_sums_done(&sums);
    return rc;
}

/* By who waits for whom, and by thread. */
static bool told_elsewhere(uint8_t kind)
{
    return kind == ORIEL_SAMPLE_WAKE || kind == ORIEL_SAMPLE_HOLDER || kind == ORIEL_SAMPLE_DEPTH ||
           kind == ORIEL_SAMPLE_ALLOC || kind == ORIEL_SAMPLE_FREE || kind == ORIEL_SAMPLE_CALL ||
           (kind >= ORIEL_SAMPLE_LIVE && kind <= ORIEL_SAMPLE_PEAK);
}

int report_text_profile(const struct report *r, struct buf *out)
{
    struct frames f;
    int rc = frames_init(&f, &r->catalog->stacks);
    for (uint8_t kind = 1; rc == 0 && kind < ORIEL_SAMPLE_KINDS; kind++)
        if (r->profile.samples[kind] && !told_elsewhere(kind))
            rc = report_text_functions(r, &f, kind, out);
    if (rc == 0)
        rc = report_text_calls(r, &f, out);
    if (rc == 0)
        rc = report_text_waits(r, &f, out);
    if (rc == 0)
        rc = report_text_heap(r, &f, out);
    if (rc == 0)
        rc = report_text_spans(r, out);
    if (rc == 0)
        rc = report_text_programs(r, out);
    if (rc == 0)
        rc = report_text_threads(r, out);
    frames_done(&f);
    return rc;
}
