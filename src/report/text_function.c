/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One function, or one file, for a terminal: what it weighs, who called it,
 * what it called, and the share of each of its source lines. The text of lines
 * comes from the caller: reports read no files.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "report/functions.h"
#include "report/text.h"
#include "util/num.h"

enum { AROUND = 2, LINE_BYTES = 160 };

/* ---- which function ---- */

static bool ends_with(struct model_str s, const char *end, size_t n)
{
    return s.n >= n && memcmp(s.p + s.n - n, end, n) == 0;
}

/* 3: the name itself, 2: without its scope, 1: a part of it, 0: another one. */
static unsigned how_well(struct model_str whole, const char *name)
{
    size_t n = strlen(name);
    struct model_str plain = report_without_parameters(whole);
    if ((plain.n == n && memcmp(plain.p, name, n) == 0) ||
        (whole.n == n && memcmp(whole.p, name, n) == 0))
        return 3;
    if (plain.n > n && ends_with(plain, name, n) && plain.p[plain.n - n - 1] == ':')
        return 2;
    return whole.n && memmem(whole.p, whole.n, name, n) ? 1 : 0;
}

struct chosen {
    uint32_t frame;
    unsigned well;
    uint64_t weight;
    size_t others; /* that match as well */
};

static int choose(struct frames *f, const struct report *r, const char *name, struct chosen *out)
{
    *out = (struct chosen){.frame = FRAMES_NONE};
    int rc = 0;
    for (uint8_t kind = 1; rc == 0 && kind < ORIEL_SAMPLE_KINDS; kind++) {
        const struct profile_filter all = {.kind = kind, .thread = -1, .process = -1};
        struct function_sums sums;
        rc = functions_sum(f, &r->profile, r->catalog, &all, &sums);
        for (size_t i = 0; rc == 0 && i < sums.items.count; i++) {
            const struct function_sum *s = &sums.items.items[i];
            unsigned well = how_well(f->items.items[s->frame].name, name);
            if (well == 0 || s->frame == out->frame)
                continue;
            out->others = well > out->well ? 0 : out->others + (well == out->well);
            bool better = well > out->well ||
                          (well == out->well && kind == ORIEL_SAMPLE_CPU && s->total > out->weight);
            if (better)
                *out = (struct chosen){s->frame, well, s->total, out->others};
        }
        function_sums_done(&sums);
    }
    return rc < 0 ? rc : out->frame == FRAMES_NONE ? ORIEL_ENOTFOUND : 0;
}

/* ---- callers and callees ---- */

static void put_edges(const struct report *r, const struct frames *f, uint8_t kind,
                      const char *title, const struct function_edge *edges, size_t count,
                      uint64_t whole, struct buf *out)
{
    const struct sheet_column columns[] = {{title, TABLE_TEXT, 0, 24},
                                           {"share", TABLE_NUMBER, 0, 0},
                                           {"", TABLE_NUMBER, 0, 0},
                                           {"times", TABLE_NUMBER, 0, 0}};
    struct sheet s;
    char text[NUM_TEXT_MAX];
    if (count == 0)
        return;
    buf_putc(out, '\n');
    sheet_init(&s, columns, 4);
    for (size_t i = 0; i < count && i < r->options.top; i++) {
        struct model_str name = edges[i].frame == FRAMES_NONE ? MODEL_STR("(nobody: outermost)")
                                                              : f->items.items[edges[i].frame].name;
        sheet_cell(&s, report_without_parameters(name), TABLE_PLAIN);
        sheet_text(&s, num_percent(text, (double)edges[i].weight, (double)whole));
        sheet_text(&s, report_amount(text, kind, edges[i].weight));
        if (kind == ORIEL_SAMPLE_CALL)
            sheet_count(&s, edges[i].count);
        else
            sheet_none(&s);
        table_end_row(&s.table);
    }
    sheet_put(&s, r, out);
}

/* ---- lines ---- */

/* Tabs as a terminal shows them; the end of a long line is left out. */
static struct model_str plain_line(struct model_str line, char room[LINE_BYTES])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < line.n && n < LINE_BYTES; i++) {
        if (line.p[i] != '\t') {
            room[n++] = line.p[i];
            continue;
        }
        do
            room[n++] = ' ';
        while (n % 8 && n < LINE_BYTES);
    }
    return (struct model_str){room, n};
}

struct line_table {
    struct sheet sheet;
    const struct report *r;
    const struct report_sources *sources;
    uint64_t whole; /* that shares are of */
    bool any_text;
};

static void put_line(struct line_table *t, struct model_str file, uint32_t line,
                     const struct line_sum *sum)
{
    char text[NUM_TEXT_MAX], room[LINE_BYTES];
    struct model_str source = MODEL_STR("");
    uint64_t total = sum && sum->total < t->whole ? sum->total : t->whole;
    bool hot = sum && sum->self * 20 >= t->whole && t->whole;
    if (t->sources && t->sources->line(t->sources->user, file, line, &source))
        t->any_text = true;
    else if (!sum)
        return;
    table_cellf(&t->sheet.table, "%u", line);
    if (sum && sum->self)
        sheet_cell(&t->sheet,
                   (struct model_str){text, (uint32_t)strlen(num_percent(text, (double)sum->self,
                                                                         (double)t->whole))},
                   hot ? TABLE_RED : TABLE_PLAIN);
    else
        sheet_none(&t->sheet);
    if (sum)
        sheet_text(&t->sheet, num_percent(text, (double)total, (double)t->whole));
    else
        sheet_none(&t->sheet);
    sheet_cell(&t->sheet, plain_line(source, room), sum ? TABLE_PLAIN : TABLE_DIM);
    table_end_row(&t->sheet.table);
}

static bool same_file(struct model_str a, struct model_str b)
{
    return model_str_equal(a, b);
}

/* What several functions did in one line is one row. */
static size_t merge(struct line_sum *items, size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        struct line_sum *last = used ? &items[used - 1] : NULL;
        if (last && last->line == items[i].line && same_file(last->file, items[i].file)) {
            last->self += items[i].self;
            last->total += items[i].total; /* of functions in each other too much: see put_line */
        } else {
            items[used++] = items[i];
        }
    }
    return used;
}

/* The lines of one file, items[0..n), with some around them. */
static void put_file(const struct report *r, const struct report_sources *sources,
                     const struct line_sum *items, size_t n, uint64_t whole, struct buf *out)
{
    static const struct sheet_column columns[] = {{"line", TABLE_NUMBER, 0, 0},
                                                  {"self", TABLE_NUMBER, 0, 0},
                                                  {"total", TABLE_NUMBER, 0, 0},
                                                  {"source", TABLE_TEXT, 0, 40}};
    struct line_table t = {.r = r, .sources = sources, .whole = whole};
    uint32_t next = 0; /* not shown yet */
    sheet_title(r, out, "%.*s", (int)items[0].file.n, items[0].file.p);
    sheet_init(&t.sheet, columns, 4);
    for (size_t i = 0; i < n; i++) {
        uint32_t line = items[i].line, from = line > AROUND ? line - AROUND : 1;
        uint32_t until = i + 1 < n && items[i + 1].line <= line + 2 * AROUND + 1
                             ? items[i + 1].line - 1
                             : line + AROUND;
        for (uint32_t at = from > next ? from : next; line && at < line; at++)
            put_line(&t, items[0].file, at, NULL);
        put_line(&t, items[0].file, line, &items[i]);
        for (uint32_t at = line + 1; line && at <= until; at++)
            put_line(&t, items[0].file, at, NULL);
        next = until + 1;
    }
    sheet_put(&t.sheet, r, out);
    if (sources && !t.any_text)
        sheet_line(r, out, TABLE_DIM, "  (the file is not here)");
}

static int put_lines(struct frames *f, const struct report *r, const struct profile_filter *filter,
                     uint32_t frame, const char *only, uint64_t whole,
                     const struct report_sources *sources, struct buf *out, bool *out_any)
{
    struct line_sums lines;
    int rc = functions_lines(f, &r->profile, r->catalog, filter, frame, &lines);
    size_t n = rc == 0 ? merge(lines.items.items, lines.items.count) : 0;
    for (size_t i = 0, next; i < n; i = next) {
        const struct line_sum *first = &lines.items.items[i];
        for (next = i + 1; next < n && same_file(first->file, lines.items.items[next].file);)
            next++;
        if (first->file.n == 0 || (only && !ends_with(first->file, only, strlen(only))))
            continue;
        put_file(r, sources, first, next - i, whole, out);
        *out_any = true;
    }
    line_sums_done(&lines);
    return rc;
}

/* ---- the two reports ---- */

static int put_kind(struct frames *f, const struct report *r, uint8_t kind, uint32_t frame,
                    const struct report_sources *sources, struct buf *out)
{
    const struct profile_filter all = {
        .kind = kind, .thread = -1, .process = -1, .user_self = kind != ORIEL_SAMPLE_CPU};
    struct function_sums sums;
    struct function_edges edges = {0};
    struct function_sum found = {0};
    char self[NUM_TEXT_MAX], total[NUM_TEXT_MAX], share[NUM_TEXT_MAX], part[NUM_TEXT_MAX];
    int rc = functions_sum(f, &r->profile, r->catalog, &all, &sums);
    for (size_t i = 0; rc == 0 && i < sums.items.count; i++)
        if (sums.items.items[i].frame == frame)
            found = sums.items.items[i];
    if (rc == 0 && found.total) {
        const bool calls = kind == ORIEL_SAMPLE_CALL;
        sheet_title(r, out, "%s: self %s (%s), total %s (%s of all), %llu %s",
                    report_kind_title(kind), report_amount(self, kind, found.self),
                    num_percent(part, (double)found.self, (double)sums.weight),
                    report_amount(total, kind, found.total),
                    num_percent(share, (double)found.total, (double)sums.weight),
                    (unsigned long long)(calls ? found.self_count : found.total_count),
                    calls ? "calls" : "samples");
        rc = functions_edges(f, &r->profile, r->catalog, &all, frame, &edges);
        put_edges(r, f, kind, "called by", edges.callers.items, edges.callers.count, found.total,
                  out);
        put_edges(r, f, kind, "calls", edges.callees.items, edges.callees.count, found.total, out);
        function_edges_done(&edges);
        bool any;
        if (rc == 0 && kind == ORIEL_SAMPLE_CPU)
            rc = put_lines(f, r, &all, frame, NULL, found.total, sources, out, &any);
    }
    function_sums_done(&sums);
    return rc;
}

int report_function(const struct report *r, const char *name, const struct report_sources *sources,
                    struct buf *out)
{
    struct frames f;
    struct chosen c;
    int rc = frames_init(&f, &r->catalog->stacks);
    if (rc == 0)
        rc = choose(&f, r, name, &c);
    if (rc == 0) {
        const struct frame *frame = &f.items.items[c.frame];
        struct model_str where = frame->file.n   ? frame->file
                                 : frame->module ? frame->module->path
                                                 : MODEL_STR("");
        sheet_line(r, out, TABLE_BOLD, "%.*s", (int)frame->name.n, frame->name.p);
        sheet_line(r, out, TABLE_DIM, "%.*s:%u", (int)where.n, where.p, frame->line);
        if (c.others)
            sheet_line(r, out, TABLE_DIM, "%zu more match that name less or weigh less", c.others);
    }
    for (uint8_t kind = 1; rc == 0 && kind < ORIEL_SAMPLE_KINDS; kind++)
        if (r->profile.samples[kind])
            rc = put_kind(&f, r, kind, c.frame, sources, out);
    frames_done(&f);
    return rc == 0 && out->failed ? ORIEL_ENOMEM : rc;
}

int report_source(const struct report *r, const char *file, const struct report_sources *sources,
                  struct buf *out)
{
    const struct profile_filter cpu = {.kind = ORIEL_SAMPLE_CPU, .thread = -1, .process = -1};
    struct frames f;
    bool any = false;
    int rc = frames_init(&f, &r->catalog->stacks);
    if (rc == 0)
        rc = put_lines(&f, r, &cpu, FRAMES_NONE, file, r->profile.weight[ORIEL_SAMPLE_CPU], sources,
                       out, &any);
    frames_done(&f);
    if (rc == 0 && !any)
        return ORIEL_ENOTFOUND;
    return rc == 0 && out->failed ? ORIEL_ENOMEM : rc;
}
