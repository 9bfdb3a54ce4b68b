/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report for a terminal: what sampling could not see, and the share of
 * each span, program and thread. The tables by function are in text_profile.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "report/programs.h"
#include "report/text.h"
#include "report/weights.h"
#include "util/num.h"

/* What is no part of the program, though it was paid for there: base/own.h. */
static void put_own(const struct report *r, struct buf *out)
{
    const struct model_str own = model_catalog_resource(r->catalog, "oriel.own.cpu_ns");
    char text[NUM_TEXT_MAX];
    uint64_t ns;
    if (num_parse_u64(own.p, own.n, &ns) == 0)
        sheet_line(r, out, TABLE_PLAIN,
                   "left out: %s on the CPU of Oriel's own threads in the program",
                   num_duration(text, ns));
}

void report_text_unseen(const struct report *r, struct buf *out)
{
    struct model_str missing = model_catalog_resource(r->catalog, "oriel.sample.missing"),
                     lost = model_catalog_resource(r->catalog, "oriel.sample.lost"),
                     cut = model_catalog_resource(r->catalog, "oriel.sample.cut"),
                     old = model_catalog_resource(r->catalog, "oriel.sample.overwritten");
    if (missing.n)
        sheet_line(r, out, TABLE_YELLOW, "not seen: %.*s", (int)missing.n, missing.p);
    if (lost.n)
        sheet_line(r, out, TABLE_YELLOW,
                   "%.*s samples lost, the kernel had no room for them; a lower --rate helps",
                   (int)lost.n, lost.p);
    struct model_str probes = model_catalog_resource(r->catalog, "oriel.probe.missing"),
                     hits = model_catalog_resource(r->catalog, "oriel.probe.lost");
    if (probes.n)
        sheet_line(r, out, TABLE_YELLOW, "not seen: %.*s", (int)probes.n, probes.p);
    if (hits.n)
        sheet_line(r, out, TABLE_YELLOW,
                   "%.*s hits of probes lost, the kernel had no room for them; a larger "
                   "--probe-ring helps",
                   (int)hits.n, hits.p);
    struct model_str calls = model_catalog_resource(r->catalog, "oriel.syscalls.missing"),
                     uncounted = model_catalog_resource(r->catalog, "oriel.syscalls.lost"),
                     older = model_catalog_resource(r->catalog, "oriel.syscalls.overwritten"),
                     unwatched = model_catalog_resource(r->catalog, "oriel.syscalls.unwatched");
    if (calls.n)
        sheet_line(r, out, TABLE_YELLOW, "not seen: %.*s", (int)calls.n, calls.p);
    if (uncounted.n)
        sheet_line(r, out, TABLE_YELLOW,
                   "%.*s system calls are not counted: too many threads at a time",
                   (int)uncounted.n, uncounted.p);
    if (unwatched.n)
        sheet_line(r, out, TABLE_YELLOW, "the system calls of %.*s threads are not counted",
                   (int)unwatched.n, unwatched.p);
    if (older.n)
        sheet_line(r, out, TABLE_PLAIN, "%.*s older system calls gave way to newer ones",
                   (int)older.n, older.p);
    if (old.n)
        sheet_line(r, out, TABLE_PLAIN, "%.*s older samples gave way to newer ones", (int)old.n,
                   old.p);
    if (cut.n)
        sheet_line(r, out, TABLE_YELLOW, "%.*s", (int)cut.n, cut.p);
    put_own(r, out);
}

/* ---- by span ---- */

struct span_weight {
    struct model_str name; /* empty: outside any span */
    uint64_t weight[ORIEL_SAMPLE_KINDS];
    bool exact; /* the spans say what they allocated */
};
struct span_weights {
    VEC(struct span_weight) items;
    struct map by_site; /* index + 1 -> item */
};

/* Spans of one name are one row, wherever they begin. NULL: no memory. */
static struct span_weight *weight_of_name(struct span_weights *w, struct model_str name)
{
    for (size_t i = 0; i < w->items.count; i++)
        if (model_str_equal(w->items.items[i].name, name))
            return &w->items.items[i];
    struct span_weight *new = VEC_PUSH(&w->items);
    if (new)
        new->name = name;
    return new;
}

static struct span_weight *weight_of(struct span_weights *w, const struct model_site *site)
{
    uint64_t key = site ? (uint64_t)site->index + 1 : 0;
    const uint64_t *known = map_get(&w->by_site, key);
    if (known)
        return &w->items.items[*known];
    struct span_weight *at = weight_of_name(w, site ? site->name : MODEL_STR(""));
    if (!at || !map_put(&w->by_site, key, (uint64_t)(at - w->items.items)))
        return NULL;
    return at;
}

static int by_weight(const void *a, const void *b)
{
    const struct span_weight *x = a, *y = b;
    for (int k = 1; k < ORIEL_SAMPLE_KINDS; k++)
        if (x->weight[k] != y->weight[k])
            return x->weight[k] < y->weight[k] ? 1 : -1;
    return 0;
}

/* What spans say themselves stands in the place of an estimate. */
static int sum_spans(const struct report *r, struct span_weights *w)
{
    for (uint32_t i = 0; i < r->profile.row_count; i++) {
        struct span_weight *at = weight_of(w, r->profile.rows[i].site);
        if (!at)
            return ORIEL_ENOMEM;
        if (!weights_are_summed(&r->profile, r->catalog, r->profile.rows[i].kind))
            at->weight[r->profile.rows[i].kind] += r->profile.rows[i].weight;
    }
    for (uint32_t i = 0; i < r->heap.spans.count; i++) {
        const struct heap_span *told = &r->heap.spans.items[i];
        struct span_weight *at = told->spans ? weight_of_name(w, report_name(r, i)) : NULL;
        if (told->spans && !at)
            return ORIEL_ENOMEM;
        if (at) {
            at->weight[ORIEL_SAMPLE_ALLOC] = told->own.bytes;
            at->exact = true;
        }
    }
    return 0;
}

static void put_span(struct sheet *s, const struct report *r, const struct span_weight *n)
{
    static const uint8_t shown[] = {ORIEL_SAMPLE_CPU, ORIEL_SAMPLE_OFF_CPU, ORIEL_SAMPLE_LOCK,
                                    ORIEL_SAMPLE_ALLOC};
    char text[NUM_TEXT_MAX];
    sheet_cell(s, n->name.n ? n->name : MODEL_STR("(no span)"), TABLE_PLAIN);
    if (r->profile.samples[ORIEL_SAMPLE_CPU])
        sheet_text(s, num_percent(text, (double)n->weight[ORIEL_SAMPLE_CPU],
                                  (double)r->profile.weight[ORIEL_SAMPLE_CPU]));
    else
        sheet_none(s);
    for (size_t k = 0; k < sizeof shown; k++) {
        bool unknown =
            shown[k] == ORIEL_SAMPLE_ALLOC &&
            (r->heap.any || weights_are_summed(&r->profile, r->catalog, ORIEL_SAMPLE_ALLOC));
        if ((r->profile.samples[shown[k]] && !unknown) ||
            (shown[k] == ORIEL_SAMPLE_ALLOC && n->exact))
            sheet_text(s, report_amount(text, shown[k], n->weight[shown[k]]));
        else
            sheet_none(s);
    }
    table_end_row(&s->table);
}

int report_text_spans(const struct report *r, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"innermost span", TABLE_TEXT, 0, 24}, {"CPU", TABLE_NUMBER, 0, 0},
        {"CPU", TABLE_NUMBER, 0, 0},           {"waiting", TABLE_NUMBER, 0, 0},
        {"for locks", TABLE_NUMBER, 1, 0},     {"allocated", TABLE_NUMBER, 0, 0},
    };
    struct span_weights w = {0};
    struct sheet s;
    int rc = r->profile.row_count ? sum_spans(r, &w) : 0;
    /* One row of what is outside says nothing. */
    if (rc == 0 && (w.items.count > 1 || (w.items.count == 1 && w.items.items[0].name.n))) {
        qsort(w.items.items, w.items.count, sizeof *w.items.items, by_weight);
        sheet_title(r, out, "samples by span");
        sheet_init(&s, columns, sizeof columns / sizeof *columns);
        for (size_t i = 0; i < w.items.count && i < r->options.top; i++)
            put_span(&s, r, &w.items.items[i]);
        sheet_put(&s, r, out);
    }
    map_done(&w.by_site);
    VEC_DONE(&w.items);
    return rc;
}

/* ---- by program ---- */

/* Times only: other kinds count bytes or calls. */
static const uint8_t times[] = {ORIEL_SAMPLE_CPU, ORIEL_SAMPLE_OFF_CPU, ORIEL_SAMPLE_PREEMPTED};
enum { TIMES = sizeof times };

/* The share of the CPU time, and each time. */
static void time_cells(struct sheet *s, const struct report *r, const uint64_t weight[TIMES])
{
    char text[NUM_TEXT_MAX];
    sheet_text(s,
               num_percent(text, (double)weight[0], (double)r->profile.weight[ORIEL_SAMPLE_CPU]));
    for (size_t k = 0; k < TIMES; k++) {
        if (r->profile.samples[times[k]] || r->profile.weight[times[k]])
            sheet_ns(s, weight[k]);
        else
            sheet_none(s);
    }
    table_end_row(&s->table);
}

static void put_program(struct sheet *s, const struct report *r, const struct program *p)
{
    uint64_t weight[TIMES];
    for (size_t k = 0; k < TIMES; k++)
        weight[k] = p->weight[times[k]];
    sheet_cell(s, p->name, TABLE_PLAIN);
    sheet_count(s, p->processes);
    time_cells(s, r, weight);
}

int report_text_programs(const struct report *r, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"program", TABLE_TEXT, 0, 24},  {"processes", TABLE_NUMBER, 0, 0},
        {"CPU", TABLE_NUMBER, 0, 0},     {"CPU", TABLE_NUMBER, 0, 0},
        {"waiting", TABLE_NUMBER, 0, 0}, {"ready, but others ran", TABLE_NUMBER, 1, 0},
    };
    struct programs all;
    struct sheet s;
    int rc = programs_sum(r, &all);
    if (rc == 0 && all.items.count > 1) {
        sheet_title(r, out, "samples by program");
        sheet_init(&s, columns, sizeof columns / sizeof *columns);
        for (size_t i = 0; i < all.items.count && i < r->options.top; i++)
            put_program(&s, r, &all.items.items[i]);
        sheet_put(&s, r, out);
    }
    programs_done(&all);
    return rc;
}

/* ---- by thread ---- */

struct thread_times {
    uint64_t weight[TIMES];
    uint32_t thread;
};

static int busiest_first(const void *a, const void *b)
{
    const struct thread_times *x = a, *y = b;
    for (size_t i = 0; i < TIMES; i++)
        if (x->weight[i] != y->weight[i])
            return x->weight[i] < y->weight[i] ? 1 : -1;
    return x->thread < y->thread ? -1 : x->thread > y->thread;
}

static void thread_cell(struct sheet *s, const struct report *r, const struct model_thread *t)
{
    struct buf text;
    buf_init(&text);
    buf_put(&text, t->name.p, t->name.n);
    if (t->name.n == 0)
        buf_puts(&text, "thread");
    buf_printf(&text, " %d", t->tid);
    if (r->catalog->process_count > 1)
        buf_printf(&text, " of %d", r->catalog->processes[t->process]->pid);
    s->table.failed |= text.failed;
    sheet_cell(s, (struct model_str){text.data, (uint32_t)text.size}, TABLE_PLAIN);
    buf_done(&text);
}

static void put_threads(const struct report *r, const struct thread_times *all, uint32_t used,
                        struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"thread", TABLE_TEXT, 0, 24},
        {"CPU", TABLE_NUMBER, 0, 0},
        {"CPU", TABLE_NUMBER, 0, 0},
        {"waiting", TABLE_NUMBER, 0, 0},
        {"ready, but others ran", TABLE_NUMBER, 1, 0},
    };
    struct sheet s;
    sheet_title(r, out, "samples by thread");
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (uint32_t i = 0; i < used && i < r->options.top; i++) {
        thread_cell(&s, r, r->catalog->threads[all[i].thread]);
        time_cells(&s, r, all[i].weight);
    }
    sheet_put(&s, r, out);
}

int report_text_threads(const struct report *r, struct buf *out)
{
    uint32_t count = r->catalog->thread_count, used = 0;
    struct thread_times *all = mem_calloc(count ? count : 1, sizeof *all);
    if (!all)
        return ORIEL_ENOMEM;
    for (uint32_t i = 0; i < r->profile.row_count; i++) {
        const struct model_profile_row *row = &r->profile.rows[i];
        for (size_t k = 0; k < TIMES && row->thread < count; k++)
            if (row->kind == times[k])
                all[row->thread].weight[k] += row->weight;
    }
    for (uint32_t i = 0; i < count; i++)
        if (all[i].weight[0] || all[i].weight[1] || all[i].weight[2]) {
            all[used] = all[i];
            all[used++].thread = i;
        }
    qsort(all, used, sizeof *all, busiest_first);
    if (used > 1)
        put_threads(r, all, used, out);
    mem_free(all);
    return 0;
}
