/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What lost its coverage between two runs. Code moves, so lines are paired by
 * their texts, in order (a longest common subsequence of what is between equal
 * beginnings and ends); where a side knows no texts, by their numbers.
 */
#include <assert.h>

#include "base/mem.h"
#include "report/coverage.h"
#include "util/num.h"
#include "util/table.h"

#define CELLS_MAX (16u << 20) /* of the table below; beyond, by number */

typedef const struct coverage_line *lines;

static bool has_texts(const struct coverage_file *f)
{
    for (size_t i = 0; i < f->lines.count; i++)
        if (!f->lines.items[i].text)
            return false;
    return true;
}

/* pairs[i]: position in a of b's line i, UINT32_MAX none. Length of the common
 * subsequence of the rests from each position on, then followed forwards. */
static int pair_middle(lines a, size_t n, lines b, size_t m, uint32_t first, uint32_t *pairs)
{
    uint32_t *best = mem_calloc((n + 1) * (m + 1), sizeof *best);
    if (!best)
        return ORIEL_ENOMEM;
    size_t row = m + 1;
    for (size_t i = n; i-- > 0;)
        for (size_t k = m; k-- > 0;) {
            uint32_t down = best[(i + 1) * row + k], right = best[i * row + k + 1];
            best[i * row + k] = a[i].text == b[k].text ? best[(i + 1) * row + k + 1] + 1
                                : down > right         ? down
                                                       : right;
        }
    for (size_t i = 0, k = 0; i < n && k < m;) {
        if (a[i].text == b[k].text)
            pairs[k++] = first + (uint32_t)i++;
        else if (best[(i + 1) * row + k] >= best[i * row + k + 1])
            i++;
        else
            k++;
    }
    mem_free(best);
    return 0;
}

static void pair_by_number(const struct coverage_file *a, const struct coverage_file *b,
                           uint32_t *pairs)
{
    for (size_t k = 0; k < b->lines.count; k++) {
        const struct coverage_line *l = coverage_find_line(a, b->lines.items[k].line);
        pairs[k] = l ? (uint32_t)(l - a->lines.items) : UINT32_MAX;
    }
}

static int pair(const struct coverage_file *a, const struct coverage_file *b, uint32_t *pairs,
                bool *out_by_number)
{
    size_t n = a->lines.count, m = b->lines.count, head = 0;
    lines x = a->lines.items, y = b->lines.items;
    for (size_t k = 0; k < m; k++)
        pairs[k] = UINT32_MAX;
    *out_by_number = !has_texts(a) || !has_texts(b);
    if (*out_by_number) {
        pair_by_number(a, b, pairs);
        return 0;
    }
    for (; head < n && head < m && x[head].text == y[head].text; head++)
        pairs[head] = (uint32_t)head;
    while (n > head && m > head && x[n - 1].text == y[m - 1].text)
        pairs[--m] = (uint32_t)--n;
    *out_by_number = (uint64_t)(n - head + 1) * (m - head + 1) > CELLS_MAX;
    if (*out_by_number) {
        pair_by_number(a, b, pairs);
        return 0;
    }
    return n > head && m > head
               ? pair_middle(x + head, n - head, y + head, m - head, (uint32_t)head, pairs + head)
               : 0;
}

static int add(struct coverage_diff *d, uint32_t file, uint32_t line, uint32_t old_line,
               enum coverage_change change)
{
    struct coverage_changed *slot = VEC_PUSH(&d->changes);
    if (!slot)
        return ORIEL_ENOMEM;
    *slot = (struct coverage_changed){file, line, old_line, change};
    d->lost += change == COVERAGE_LOST;
    d->gained += change == COVERAGE_GAINED;
    d->new_uncovered += change == COVERAGE_NEW_UNCOVERED;
    return 0;
}

static int diff_lines(struct coverage_diff *d, uint32_t file, const struct coverage_file *a,
                      const struct coverage_file *b, const uint32_t *pairs)
{
    int rc = 0;
    for (size_t k = 0; k < b->lines.count && rc == 0; k++) {
        const struct coverage_line *now = &b->lines.items[k];
        const struct coverage_line *then =
            a && pairs[k] != UINT32_MAX ? &a->lines.items[pairs[k]] : NULL;
        if (!then && !now->count)
            rc = add(d, file, now->line, 0, COVERAGE_NEW_UNCOVERED);
        else if (then && then->count && !now->count)
            rc = add(d, file, now->line, then->line, COVERAGE_LOST);
        else if (then && !then->count && now->count)
            rc = add(d, file, now->line, then->line, COVERAGE_GAINED);
    }
    return rc;
}

static int diff_file(struct coverage_diff *d, uint32_t file)
{
    const struct coverage_file *b = &d->after->files.items[file];
    const struct coverage_file *a =
        coverage_find_file(d->before, coverage_string(d->after, b->name));
    uint32_t *pairs = mem_calloc(b->lines.count + 1, sizeof *pairs);
    bool by_number = false;
    int rc = pairs ? 0 : ORIEL_ENOMEM;
    if (rc == 0 && a)
        rc = pair(a, b, pairs, &by_number);
    d->by_number += by_number;
    if (rc == 0)
        rc = diff_lines(d, file, a, b, pairs);
    mem_free(pairs);
    return rc;
}

int coverage_diff(const struct coverage *before, const struct coverage *after,
                  struct coverage_diff *out)
{
    assert(before->finished && after->finished);
    int rc = 0;
    *out = (struct coverage_diff){.before = before, .after = after};
    for (size_t i = 0; i < after->files.count && rc == 0; i++)
        rc = diff_file(out, (uint32_t)i);
    return rc;
}

void coverage_diff_done(struct coverage_diff *d)
{
    VEC_DONE(&d->changes);
}

/* ---- for people ---- */

static void put_whole(const char *what, uint64_t hit_a, uint64_t all_a, uint64_t hit_b,
                      uint64_t all_b, struct buf *out)
{
    if (!all_a && !all_b)
        return;
    double a = all_a ? 100.0 * (double)hit_a / (double)all_a : 0;
    double b = all_b ? 100.0 * (double)hit_b / (double)all_b : 0;
    buf_printf(out, "%s: %.1f %% -> %.1f %% (%llu/%llu -> %llu/%llu)\n", what, a, b,
               (unsigned long long)hit_a, (unsigned long long)all_a, (unsigned long long)hit_b,
               (unsigned long long)all_b);
}

static void put_changes(const struct coverage_diff *d, const struct coverage_view *v,
                        enum coverage_change change, uint64_t count, const char *title,
                        struct buf *out)
{
    static const struct table_column columns[] = {
        {NULL, TABLE_TEXT}, {NULL, TABLE_TEXT}, {NULL, TABLE_TEXT}};
    struct table t;
    uint64_t shown = 0;
    if (!count)
        return;
    buf_printf(out, "\n%llu %s%s\n", (unsigned long long)count, count == 1 ? "line" : "lines",
               title);
    table_init(&t, columns, 3);
    for (size_t i = 0; i < d->changes.count && shown < v->top; i++) {
        const struct coverage_changed *l = &d->changes.items[i];
        if (l->change != change)
            continue;
        struct model_str full = coverage_string(d->after, d->after->files.items[l->file].name);
        struct model_str path = coverage_path(v, full), text = {"", 0};
        if (!v->line || !v->line(v->user, full, l->line, &text))
            text = (struct model_str){"", 0};
        while (text.n && (*text.p == ' ' || *text.p == '\t'))
            text = (struct model_str){text.p + 1, text.n - 1};
        table_cellf(&t, "%.*s:%u", (int)path.n, path.p, l->line);
        table_cell_n(&t, text.p, text.n, change == COVERAGE_GAINED ? TABLE_GREEN : TABLE_RED);
        if (l->old_line && l->old_line != l->line)
            table_cellf(&t, "was line %u", l->old_line);
        table_end_row(&t);
        shown++;
    }
    table_put(&t, 2, v->width, v->colour, out);
    if (shown < count)
        buf_printf(out, "  and %llu more\n", (unsigned long long)(count - shown));
    out->failed |= t.failed;
    table_done(&t);
}

void coverage_diff_text(const struct coverage_diff *d, const struct coverage_view *v,
                        struct buf *out)
{
    struct coverage_sum a = coverage_sum_all(d->before), b = coverage_sum_all(d->after);
    put_whole("lines", a.lines_hit, a.lines, b.lines_hit, b.lines, out);
    put_whole("functions", a.functions_hit, a.functions, b.functions_hit, b.functions, out);
    put_whole("branches", a.branches_hit, a.branches, b.branches_hit, b.branches, out);
    put_changes(d, v, COVERAGE_LOST, d->lost, " not executed any more:", out);
    put_changes(d, v, COVERAGE_NEW_UNCOVERED, d->new_uncovered, " new and not executed:", out);
    put_changes(d, v, COVERAGE_GAINED, d->gained, " executed now:", out);
    if (!d->changes.count)
        buf_puts(out, "no line lost or gained its coverage\n");
    if (d->by_number)
        buf_printf(out, "\n%llu %s compared by line number: what moved counts as changed\n",
                   (unsigned long long)d->by_number,
                   num_noun(d->by_number, "file was", "files were"));
}
