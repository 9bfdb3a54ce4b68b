/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The sentences of a diff: what the terminal, a release note and the line of a
 * failed check have in common.
 */
#include "report/diff_state.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "util/num.h"

const char *diff_kind_title(uint8_t kind)
{
    static const char *const titles[DIFF_FAMILIES] = {
        [DIFF_SPANS] = "time in spans",
        [ORIEL_SAMPLE_CPU] = "CPU time",
        [ORIEL_SAMPLE_OFF_CPU] = "waiting",
        [ORIEL_SAMPLE_ALLOC] = "allocated memory",
        [ORIEL_SAMPLE_FREE] = "freed memory",
        [ORIEL_SAMPLE_LOCK] = "waiting for locks",
        [ORIEL_SAMPLE_FAULT] = "page faults",
        [ORIEL_SAMPLE_PREEMPTED] = "ready, but others ran",
        [ORIEL_SAMPLE_HOLDER] = "made others wait for locks",
        [ORIEL_SAMPLE_LIVE] = "memory in use at the end",
        [ORIEL_SAMPLE_TEMPORARY] = "memory given back at once",
        [ORIEL_SAMPLE_PEAK] = "memory in use at the peak",
        [ORIEL_SAMPLE_CONDITION] = "waiting for conditions",
        [ORIEL_SAMPLE_CALL] = "time in counted calls",
        [DIFF_SPAN_MEMORY] = "memory allocated in spans"};
    return titles[kind] ? titles[kind] : model_sample_kind_text(kind);
}

const char *diff_unit(uint8_t kind)
{
    return kind == DIFF_SPANS         ? "nanoseconds"
           : kind == DIFF_SPAN_MEMORY ? "bytes"
                                      : model_sample_unit(kind);
}

const char *diff_amount(char out[DIFF_TEXT_MAX], uint8_t kind, double v, bool with_sign)
{
    char text[NUM_TEXT_MAX];
    const char *unit = diff_unit(kind);
    double size = fabs(v) < 1.8e19 ? fabs(v) : 1.8e19;
    uint64_t n = (uint64_t)(size + 0.5);
    if (strcmp(unit, "nanoseconds") == 0)
        num_duration(text, n);
    else if (strcmp(unit, "bytes") == 0)
        num_bytes(text, n);
    else
        num_short(text, size);
    snprintf(out, DIFF_TEXT_MAX, "%s%s", !with_sign || n == 0 ? "" : v < 0 ? "-" : "+", text);
    return out;
}

const char *diff_growth(char out[DIFF_TEXT_MAX], double a, double b)
{
    if (a <= 0 && b <= 0)
        snprintf(out, DIFF_TEXT_MAX, "0 %%");
    else if (a <= 0)
        snprintf(out, DIFF_TEXT_MAX, "new");
    else if (b <= 0)
        snprintf(out, DIFF_TEXT_MAX, "gone");
    else if (b / a >= 10)
        snprintf(out, DIFF_TEXT_MAX, "x %.*f", b / a < 100, b / a);
    else
        snprintf(out, DIFF_TEXT_MAX, "%+.*f %%", fabs(b / a - 1) < 0.0995, 100 * (b / a - 1));
    return out;
}

const char *diff_sureness(char out[DIFF_TEXT_MAX], const struct compare_row *r)
{
    if (!r->sure)
        snprintf(out, DIFF_TEXT_MAX, "noise");
    else if (r->confidence > 0.999)
        snprintf(out, DIFF_TEXT_MAX, "> 99.9 %%");
    else
        snprintf(out, DIFF_TEXT_MAX, "%.1f %%", floor(1000 * r->confidence) / 10);
    return out;
}

uint32_t diff_worst(const struct diff_family *f, bool grew)
{
    for (size_t i = 0; i < f->sure; i++) {
        const struct compare_row *r = &f->results[DIFF_SELF][f->order[i]];
        if (r->b != r->a && (r->b > r->a) == grew)
            return f->order[i];
    }
    return UINT32_MAX;
}

void diff_put_name(struct buf *out, struct model_str name)
{
    buf_put(out, name.p, name.n);
}

static void put_where(struct buf *out, const struct diff_item *item)
{
    uint32_t at = item->file.n;
    while (at > 0 && item->file.p[at - 1] != '/')
        at--;
    if (item->file.n && item->line)
        buf_printf(out, " (%.*s:%u)", (int)(item->file.n - at), item->file.p + at, item->line);
    else if (item->module.n)
        buf_printf(out, " (%.*s)", (int)item->module.n, item->module.p);
}

/* ---- sides ---- */

void diff_say_side(const struct diff *d, enum diff_side side, struct buf *out)
{
    const struct diff_header *h = &d->headers[side];
    diff_put_name(out, h->first_name);
    if (h->runs > 1)
        buf_printf(out, " and %zu more", h->runs - 1);
    if (h->program.n) {
        buf_puts(out, ": ");
        diff_put_name(out, h->program);
    }
    if (h->mixed_commits)
        buf_puts(out, ", several commits");
    else if (h->commit.n)
        buf_printf(out, ", commit %.*s%s", h->commit.n > 12 ? 12 : (int)h->commit.n, h->commit.p,
                   h->dirty ? " with changed files" : "");
    char count[NUM_TEXT_MAX];
    if (d->samples[side])
        buf_printf(out, ", %s %s", num_count(count, d->samples[side]),
                   num_noun(d->samples[side], "sample", "samples"));
}

static const struct {
    const char *what;
    size_t offset;
} doubts[] = {
    {"hosts", offsetof(struct diff_header, host)},
    {"processors", offsetof(struct diff_header, cpu)},
    {"kernels", offsetof(struct diff_header, kernel)},
    {"sampling rates", offsetof(struct diff_header, rate)},
    {"compilers", offsetof(struct diff_header, compiler)},
};

bool diff_say_doubt(const struct diff *d, unsigned which, struct buf *out)
{
    if (which >= sizeof doubts / sizeof *doubts)
        return false;
    struct model_str a, b;
    memcpy(&a, (const char *)&d->headers[DIFF_A] + doubts[which].offset, sizeof a);
    memcpy(&b, (const char *)&d->headers[DIFF_B] + doubts[which].offset, sizeof b);
    if (!model_str_equal(a, b) && a.n && b.n)
        buf_printf(out, "different %s: %.*s, %.*s", doubts[which].what, (int)a.n, a.p, (int)b.n,
                   b.p);
    return true;
}

/* ---- what changed ---- */

void diff_say_whole(const struct diff *d, uint8_t kind, struct buf *out)
{
    const struct compare_row *w = &d->whole[kind];
    char a[DIFF_TEXT_MAX], b[DIFF_TEXT_MAX], error[DIFF_TEXT_MAX], growth[DIFF_TEXT_MAX],
        sure[DIFF_TEXT_MAX];
    diff_growth(growth, w->a, w->b);
    diff_amount(a, kind, w->a, false);
    diff_amount(b, kind, w->b, false);
    diff_amount(error, kind, w->error, false);
    if (w->sure)
        buf_printf(out, "%s %s: %s -> %s, ± %s, %s sure", diff_kind_title(kind), growth, a, b,
                   error, diff_sureness(sure, w));
    else
        buf_printf(out, "%s: no sure change of the whole: %s -> %s (%s, ± %s)",
                   diff_kind_title(kind), a, b, growth, error);
}

void diff_say_row(const struct diff *d, uint8_t kind, uint32_t row, struct buf *out)
{
    const struct diff_family *f = &d->families[kind];
    const struct compare_row *c = &f->results[DIFF_SELF][row];
    const struct diff_item *item = diff_row_item(d, f, row);
    char a[DIFF_TEXT_MAX], b[DIFF_TEXT_MAX], growth[DIFF_TEXT_MAX], sure[DIFF_TEXT_MAX];
    diff_put_name(out, item->name);
    put_where(out, item);
    buf_printf(out, ": %s -> %s, %s, %s sure", diff_amount(a, kind, c->a, false),
               diff_amount(b, kind, c->b, false), diff_growth(growth, c->a, c->b),
               diff_sureness(sure, c));
    uint32_t caller = diff_is_of_spans(kind)
                          ? UINT32_MAX
                          : diff_tree_caller(d, &d->trees[kind], f->items.items[row]);
    if (caller != UINT32_MAX) {
        buf_puts(out, "; called from ");
        diff_put_name(out, d->items.items[caller].name);
    }
}

void diff_say_noise(const struct diff *d, struct buf *out)
{
    double most = 0;
    for (unsigned kind = 0; kind < DIFF_FAMILIES; kind++)
        if (d->families[kind].present && d->families[kind].noise > most &&
            (kind == ORIEL_SAMPLE_CPU || !d->families[ORIEL_SAMPLE_CPU].present))
            most = d->families[kind].noise;
    size_t runs = d->options.runs[DIFF_A] + d->options.runs[DIFF_B];
    if (runs > 2)
        buf_printf(out, "runs of one side differ by %.1f %% (measured)", 100 * most);
    else
        buf_printf(
            out,
            "one run of each side: that runs differ by %.3g %% is assumed (--noise); several "
            "runs would measure it: oriel diff A1 A2 A3 -- B1 B2 B3",
            100 * most);
}

/* The family that a reader looks at first: CPU time, else spans, else any. */
static uint8_t first_family(const struct diff *d)
{
    if (d->families[ORIEL_SAMPLE_CPU].present)
        return ORIEL_SAMPLE_CPU;
    for (uint8_t kind = 0; kind < DIFF_FAMILIES; kind++)
        if (d->families[kind].present)
            return kind;
    return DIFF_SPANS;
}

bool diff_say_history(const struct diff *d, struct buf *out)
{
    const struct diff_header *a = &d->headers[DIFF_A], *b = &d->headers[DIFF_B];
    const struct diff_family *f = &d->families[first_family(d)];
    uint32_t worst = f->present ? diff_worst(f, true) : UINT32_MAX;
    if (worst == UINT32_MAX || !a->commit.n || !b->commit.n ||
        model_str_equal(a->commit, b->commit))
        return false;
    const struct diff_item *item = diff_row_item(d, f, worst);
    buf_printf(out, "git log -p %.*s..%.*s", a->commit.n > 12 ? 12 : (int)a->commit.n, a->commit.p,
               b->commit.n > 12 ? 12 : (int)b->commit.n, b->commit.p);
    if (item->file.n)
        buf_printf(out, " -- %.*s", (int)item->file.n, item->file.p);
    return true;
}

/* ---- for a check ---- */

struct worse {
    double growth; /* as part of what it is measured by */
    uint8_t kind;
    uint32_t row; /* UINT32_MAX: the whole */
    enum diff_measure measure;
};

static void consider(struct worse *best, double growth, uint8_t kind, uint32_t row,
                     enum diff_measure m)
{
    if (growth > best->growth)
        *best = (struct worse){growth, kind, row, m};
}

static void consider_family(const struct diff *d, uint8_t kind, struct worse *best)
{
    const struct diff_family *f = &d->families[kind];
    const struct compare_row *w = &d->whole[kind];
    if (w->sure && w->a > 0)
        consider(best, w->b / w->a - 1, kind, UINT32_MAX, DIFF_SELF);
    for (uint32_t i = 0; i < f->items.count; i++) {
        const struct compare_row *c = &f->results[DIFF_SELF][i];
        if (c->sure && w->a > 0) /* a function counts by what it adds to the whole */
            consider(best, (c->b - c->a) / w->a, kind, i, DIFF_SELF);
        const struct compare_row *q = kind == DIFF_SPANS ? &f->results[DIFF_P50][i] : NULL;
        if (q && q->sure && q->a > 0)
            consider(best, q->b / q->a - 1, kind, i, DIFF_P50);
    }
}

bool diff_is_worse(const struct diff *d, double over, struct buf *line)
{
    struct worse best = {.growth = over, .row = UINT32_MAX};
    assert(d->finished);
    for (uint8_t kind = 0; kind < DIFF_FAMILIES; kind++)
        /* That others ran is the machine's doing, not the program's. */
        if (d->families[kind].present &&
            (kind != ORIEL_SAMPLE_PREEMPTED || d->options.kind == kind))
            consider_family(d, kind, &best);
    if (best.growth <= over)
        return false;
    buf_printf(line, "%s: %.1f %% worse, more than %.3g %%", diff_kind_title(best.kind),
               100 * best.growth, 100 * over);
    const struct diff_family *f = &d->families[best.kind];
    uint32_t row = best.row == UINT32_MAX ? diff_worst(f, true) : best.row;
    if (row == UINT32_MAX)
        return true;
    buf_puts(line, ": ");
    if (best.measure == DIFF_P50) {
        const struct compare_row *q = &f->results[DIFF_P50][row];
        char a[DIFF_TEXT_MAX], b[DIFF_TEXT_MAX];
        diff_put_name(line, diff_row_item(d, f, row)->name);
        buf_printf(line, ": p50 %s -> %s", diff_amount(a, DIFF_SPANS, q->a, false),
                   diff_amount(b, DIFF_SPANS, q->b, false));
    } else {
        diff_say_row(d, best.kind, row, line);
    }
    return true;
}
