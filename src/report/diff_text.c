/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A diff for a terminal, and as Markdown: what changed surely first, then what
 * cannot be told from noise, and from which data.
 */
#include "report/diff_state.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "report/sheet.h"
#include "util/num.h"

enum { NOISE_ROWS = 4 }; /* of a table, at most */

/* Only options are looked at by what renders tables. */
static struct report paper(const struct diff *d)
{
    struct report r = {.options = {.size = sizeof r.options,
                                   .width = d->options.width,
                                   .color = d->options.color,
                                   .top = d->options.top}};
    return r;
}

static void put_where(struct sheet *s, const struct diff_item *item)
{
    uint32_t at = item->file.n;
    while (at > 0 && item->file.p[at - 1] != '/')
        at--;
    if (item->file.n && item->line)
        table_cellf(&s->table, "%.*s:%u", (int)(item->file.n - at), item->file.p + at, item->line);
    else
        sheet_cell(s, item->module, TABLE_DIM);
}

/* How many rows of the order are shown: all that are sure, some that are not. */
static size_t shown_rows(const struct diff *d, const struct diff_family *f)
{
    size_t n = f->sure + NOISE_ROWS;
    n = n < d->options.top ? n : d->options.top;
    n = n < f->items.count ? n : f->items.count;
    for (; n > f->sure; n--) { /* at the end of the order: called by others, nothing of their own */
        const struct compare_row *c = &f->results[DIFF_SELF][f->order[n - 1]];
        if (c->a > 0 || c->b > 0)
            break;
    }
    return n;
}

static enum table_style style_of(const struct compare_row *c)
{
    return !c->sure ? TABLE_DIM : c->b > c->a ? TABLE_RED : TABLE_GREEN;
}

static void put_styled(struct sheet *s, const char *text, enum table_style style)
{
    sheet_cell(s, (struct model_str){text, (uint32_t)strlen(text)}, style);
}

static void put_rest(const struct report *p, const struct diff_family *f, size_t shown,
                     struct buf *out)
{
    if (shown < f->items.count)
        sheet_line(p, out, TABLE_DIM, "  and %zu more, %zu of them sure", f->items.count - shown,
                   f->sure > shown ? f->sure - shown : 0);
}

static void put_functions(const struct diff *d, const struct report *p, uint8_t kind,
                          struct buf *out)
{
    const struct sheet_column columns[] = {
        {diff_is_of_spans(kind) ? "span" : "function", TABLE_TEXT, 0, 24},
        {"before", TABLE_NUMBER, 0, 0},
        {"after", TABLE_NUMBER, 0, 0},
        {"change", TABLE_NUMBER, 0, 0},
        {"±", TABLE_NUMBER, 3, 0},
        {"growth", TABLE_NUMBER, 0, 0},
        {"of all", TABLE_NUMBER, 2, 0},
        {"sure", TABLE_NUMBER, 0, 0},
        {"where", TABLE_TEXT, 1, 12},
    };
    const struct diff_family *f = &d->families[kind];
    struct sheet s;
    char text[DIFF_TEXT_MAX];
    size_t shown = shown_rows(d, f);
    sheet_title(p, out, "%s%s (own, mean of the runs)", diff_kind_title(kind),
                diff_is_of_spans(kind) ? "" : " by function");
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < shown; i++) {
        const struct diff_item *item = diff_row_item(d, f, f->order[i]);
        const struct compare_row *c = &f->results[DIFF_SELF][f->order[i]];
        enum table_style style = style_of(c);
        sheet_cell(&s, item->name, c->sure ? TABLE_PLAIN : TABLE_DIM);
        sheet_text(&s, diff_amount(text, kind, c->a, false));
        sheet_text(&s, diff_amount(text, kind, c->b, false));
        put_styled(&s, diff_amount(text, kind, c->b - c->a, true), style);
        put_styled(&s, diff_amount(text, kind, c->error, false), TABLE_DIM);
        put_styled(&s, diff_growth(text, c->a, c->b), style);
        double whole = d->whole[kind].a;
        snprintf(text, sizeof text, "%+.1f %%", whole > 0 ? 100 * (c->b - c->a) / whole : 0.0);
        put_styled(&s, text, style);
        put_styled(&s, diff_sureness(text, c), c->sure ? TABLE_PLAIN : TABLE_DIM);
        put_where(&s, item);
        table_end_row(&s.table);
    }
    sheet_put(&s, p, out);
    put_rest(p, f, shown, out);
}

/* "12 ms -> 15 ms" with the growth behind, in the colour of what is sure. */
static void put_pair(struct sheet *s, const struct compare_row *c, bool time)
{
    char a[DIFF_TEXT_MAX], b[DIFF_TEXT_MAX], n[NUM_TEXT_MAX];
    if (time) {
        diff_amount(a, DIFF_SPANS, c->a, false);
        diff_amount(b, DIFF_SPANS, c->b, false);
    } else {
        snprintf(a, sizeof a, "%s", num_short(n, c->a));
        snprintf(b, sizeof b, "%s", num_short(n, c->b));
    }
    char text[2 * DIFF_TEXT_MAX + 8];
    snprintf(text, sizeof text, "%s -> %s", a, b);
    put_styled(s, text, style_of(c));
}

static void put_spans(const struct diff *d, const struct report *p, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"span", TABLE_TEXT, 0, 16},      {"count", TABLE_NUMBER, 2, 0},
        {"own time", TABLE_NUMBER, 0, 0}, {"growth", TABLE_NUMBER, 0, 0},
        {"p50", TABLE_NUMBER, 0, 0},      {"p99", TABLE_NUMBER, 1, 0},
        {"sure", TABLE_NUMBER, 0, 0},     {"where", TABLE_TEXT, 3, 12},
    };
    const struct diff_family *f = &d->families[DIFF_SPANS];
    struct sheet s;
    char text[DIFF_TEXT_MAX];
    size_t shown = shown_rows(d, f);
    sheet_title(p, out, "spans (before -> after, mean of the runs)");
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < shown; i++) {
        uint32_t row = f->order[i];
        const struct compare_row *c = &f->results[DIFF_SELF][row];
        sheet_cell(&s, diff_row_item(d, f, row)->name, TABLE_PLAIN);
        put_pair(&s, &f->results[DIFF_COUNT][row], false);
        put_pair(&s, c, true);
        put_styled(&s, diff_growth(text, c->a, c->b), style_of(c));
        put_pair(&s, &f->results[DIFF_P50][row], true);
        put_pair(&s, &f->results[DIFF_P99][row], true);
        put_styled(&s, diff_sureness(text, c), c->sure ? TABLE_PLAIN : TABLE_DIM);
        put_where(&s, diff_row_item(d, f, row));
        table_end_row(&s.table);
    }
    sheet_put(&s, p, out);
    put_rest(p, f, shown, out);
}

/* A sentence that something else makes, made safe for a terminal. */
static void put_line(const struct report *p, struct buf *out, enum table_style style,
                     const char *label, struct buf *sentence)
{
    if (sentence->size)
        sheet_line(p, out, style, "%s%.*s", label, (int)sentence->size, sentence->data);
    buf_clear(sentence);
}

static void put_verdict(const struct diff *d, const struct report *p, uint8_t kind, struct buf *out)
{
    const struct diff_family *f = &d->families[kind];
    struct buf b;
    buf_init(&b);
    diff_say_whole(d, kind, &b);
    put_line(p, out, TABLE_BOLD, "", &b);
    for (int grew = 1; grew >= 0; grew--) {
        uint32_t row = diff_worst(f, grew);
        if (row == UINT32_MAX)
            continue;
        diff_say_row(d, kind, row, &b);
        put_line(p, out, grew ? TABLE_RED : TABLE_GREEN, grew ? "  more  " : "  less  ", &b);
    }
    if (f->sure == 0 && (d->whole[kind].sure || kind <= ORIEL_SAMPLE_CPU))
        sheet_line(p, out, TABLE_PLAIN, "  no %s changed by more than noise",
                   diff_is_of_spans(kind) ? "span" : "function");
    buf_done(&b);
}

int diff_text(const struct diff *d, struct buf *out)
{
    struct report p = paper(d);
    struct buf b;
    buf_init(&b);
    diff_say_side(d, DIFF_A, &b);
    put_line(&p, out, TABLE_PLAIN, "A  ", &b);
    diff_say_side(d, DIFF_B, &b);
    put_line(&p, out, TABLE_PLAIN, "B  ", &b);
    for (unsigned i = 0; diff_say_doubt(d, i, &b); i++)
        put_line(&p, out, TABLE_YELLOW, "   ", &b);
    buf_putc(out, '\n');
    for (unsigned i = 0; i < DIFF_FAMILIES; i++)
        if (d->families[diff_told(i)].present)
            put_verdict(d, &p, diff_told(i), out);
    diff_say_noise(d, &b);
    put_line(&p, out, TABLE_DIM, "", &b);
    if (diff_say_history(d, &b))
        put_line(&p, out, TABLE_PLAIN, "next: ", &b);
    for (uint8_t kind = 1; kind < ORIEL_SAMPLE_KINDS; kind++)
        if (d->families[kind].sure || (d->families[kind].present && kind == ORIEL_SAMPLE_CPU))
            put_functions(d, &p, kind, out);
    if (d->families[DIFF_SPANS].present)
        put_spans(d, &p, out);
    if (d->families[DIFF_SPAN_MEMORY].sure)
        put_functions(d, &p, DIFF_SPAN_MEMORY, out);
    bool failed = b.failed || out->failed;
    buf_done(&b);
    return failed ? ORIEL_ENOMEM : 0;
}

/* ---- Markdown ---- */

/* Text that is not markup; nothing that could end a cell. */
static void put_plain(struct buf *out, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] && strchr("\\`*_[]<>|#", p[i]))
            buf_putc(out, '\\');
        buf_putc(out, (unsigned char)p[i] < 32 ? ' ' : p[i]);
    }
}

static void mark_sentence(struct buf *out, const char *before, struct buf *sentence)
{
    buf_puts(out, before);
    put_plain(out, sentence->data, sentence->size);
    buf_putc(out, '\n');
    buf_clear(sentence);
}

static void mark_family(const struct diff *d, uint8_t kind, struct buf *out)
{
    const struct diff_family *f = &d->families[kind];
    char a[DIFF_TEXT_MAX], b[DIFF_TEXT_MAX], growth[DIFF_TEXT_MAX], error[DIFF_TEXT_MAX],
        sure[DIFF_TEXT_MAX];
    struct buf s;
    buf_init(&s);
    diff_say_whole(d, kind, &s);
    mark_sentence(out, "\n**", &s);
    out->size -= out->size > 0; /* the line goes on */
    buf_puts(out, "**\n");
    size_t shown = f->sure < d->options.top ? f->sure : d->options.top;
    if (shown == 0)
        buf_printf(out, "\nNo %s changed by more than noise.\n",
                   diff_is_of_spans(kind) ? "span" : "function");
    else
        buf_printf(out, "\n| %s | before | after | change | sure |\n|---|--:|--:|--:|--:|\n",
                   kind == DIFF_SPANS         ? "span (own time)"
                   : kind == DIFF_SPAN_MEMORY ? "span (its own)"
                                              : "function");
    for (size_t i = 0; i < shown; i++) {
        const struct diff_item *item = diff_row_item(d, f, f->order[i]);
        const struct compare_row *c = &f->results[DIFF_SELF][f->order[i]];
        buf_puts(out, "| ");
        put_plain(out, item->name.p, item->name.n);
        buf_printf(out, " | %s | %s | ", diff_amount(a, kind, c->a, false),
                   diff_amount(b, kind, c->b, false));
        buf_printf(out, "%s ± %s (%s) | %s |\n", diff_amount(a, kind, c->b - c->a, true),
                   diff_amount(error, kind, c->error, false), diff_growth(growth, c->a, c->b),
                   diff_sureness(sure, c));
    }
    if (f->sure > shown)
        buf_printf(out, "\nand %zu more.\n", f->sure - shown);
    buf_done(&s);
}

int diff_markdown(const struct diff *d, struct buf *out)
{
    struct buf b;
    buf_init(&b);
    diff_say_side(d, DIFF_A, &b);
    mark_sentence(out, "- before: ", &b);
    diff_say_side(d, DIFF_B, &b);
    mark_sentence(out, "- after: ", &b);
    for (unsigned i = 0; diff_say_doubt(d, i, &b); i++)
        if (b.size)
            mark_sentence(out, "- ", &b);
    diff_say_noise(d, &b);
    mark_sentence(out, "- ", &b);
    for (unsigned i = 0; i < DIFF_FAMILIES; i++)
        if (d->families[diff_told(i)].present)
            mark_family(d, diff_told(i), out);
    bool failed = b.failed || out->failed;
    buf_done(&b);
    return failed ? ORIEL_ENOMEM : 0;
}
