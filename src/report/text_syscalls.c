/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report for a terminal: system calls by call and by thread. Times are from
 * entering the kernel to leaving it, waiting included.
 */
#include "base/err.h"
#include "report/text.h"
#include "util/num.h"

#define MUCH 10u /* one part of so many of a recording is much */

/* "EAGAIN 3, ENOENT 1" */
static void failed_cell(struct sheet *s, const struct syscall_row *row)
{
    struct buf text;
    char n[NUM_TEXT_MAX];
    uint64_t told = 0;
    buf_init(&text);
    for (size_t i = 0; i < row->failed.count; i++) {
        const struct syscall_error *e = &row->failed.items[i];
        buf_printf(&text, "%s%s %s", text.size ? ", " : "", e->name, num_count(n, e->count));
        told += e->count;
    }
    if (told < row->errors)
        buf_printf(&text, "%sothers %s", text.size ? ", " : "", num_count(n, row->errors - told));
    s->table.failed |= text.failed;
    sheet_cell(s, (struct model_str){text.data, (uint32_t)text.size}, TABLE_PLAIN);
    buf_done(&text);
}

static void sums_cells(struct sheet *s, const struct report *r, const struct syscall_row *row)
{
    char share[NUM_TEXT_MAX];
    sheet_text(s, num_percent(share, (double)row->total_ns, (double)r->syscalls.total_ns));
    sheet_ns(s, row->total_ns);
    sheet_count(s, row->count);
    sheet_count_if(s, row->errors, TABLE_YELLOW);
    sheet_ns(s, hist_quantile(&row->hist, 500, row->max_ns));
    sheet_ns(s, hist_quantile(&row->hist, 950, row->max_ns));
    sheet_ns(s, row->max_ns);
}

static void put_rest(const struct report *r, const struct syscall_rows *rows, struct buf *out)
{
    if (rows->items.count > r->options.top)
        sheet_line(r, out, TABLE_DIM, "  (%zu more)", rows->items.count - r->options.top);
}

static int put_calls(const struct report *r, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"call", TABLE_TEXT, 0, 16},    {"of all", TABLE_NUMBER, 4, 0},
        {"in it", TABLE_NUMBER, 0, 0},  {"calls", TABLE_NUMBER, 0, 0},
        {"failed", TABLE_NUMBER, 0, 0}, {"p50", TABLE_NUMBER, 3, 0},
        {"p95", TABLE_NUMBER, 2, 0},    {"max", TABLE_NUMBER, 0, 0},
        {"errors", TABLE_TEXT, 1, 16},
    };
    struct syscall_rows rows;
    struct sheet s;
    int rc = syscalls_by_call(&r->syscalls, &rows);
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; rc == 0 && i < rows.items.count && i < r->options.top; i++) {
        const struct syscall_row *row = &rows.items.items[i];
        sheet_text(&s, r->syscalls.names.items[row->name].text);
        sums_cells(&s, r, row);
        failed_cell(&s, row);
    }
    sheet_put(&s, r, out);
    put_rest(r, &rows, out);
    syscall_rows_done(&rows);
    return rc;
}

static int put_threads(const struct report *r, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"thread", TABLE_TEXT, 0, 16},   {"of all", TABLE_NUMBER, 4, 0},
        {"in them", TABLE_NUMBER, 0, 0}, {"calls", TABLE_NUMBER, 0, 0},
        {"failed", TABLE_NUMBER, 0, 0},  {"p50", TABLE_NUMBER, 3, 0},
        {"p95", TABLE_NUMBER, 2, 0},     {"max", TABLE_NUMBER, 0, 0},
        {"most in", TABLE_TEXT, 1, 12},
    };
    struct syscall_rows rows;
    struct sheet s;
    int rc = syscalls_by_thread(&r->syscalls, &rows);
    const bool many = rc == 0 && rows.items.count > 1;
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; many && i < rows.items.count && i < r->options.top; i++) {
        const struct syscall_row *row = &rows.items.items[i];
        if (row->thread)
            table_cellf(&s.table, "%.*s %d", (int)row->thread->name.n, row->thread->name.p,
                        row->thread->tid);
        else
            sheet_text(&s, "(others)");
        sums_cells(&s, r, row);
        sheet_text(&s, r->syscalls.names.items[row->name].text);
    }
    if (many)
        sheet_title(r, out, "system calls by thread");
    sheet_put(&s, r, out);
    if (many)
        put_rest(r, &rows, out);
    syscall_rows_done(&rows);
    return rc;
}

void report_text_syscall_line(const struct report *r, struct buf *out)
{
    char calls[NUM_TEXT_MAX], time[NUM_TEXT_MAX], failed[NUM_TEXT_MAX];
    const struct syscalls *s = &r->syscalls;
    if (s->count == 0 || s->total_ns < report_offset(r, r->last_ns) / MUCH)
        return;
    sheet_line(r, out, TABLE_DIM, "system calls: %s, %s in them, waiting included \u00b7 %s failed",
               num_count(calls, s->count), num_duration(time, s->total_ns),
               num_count(failed, s->errors));
}

int report_text_syscalls(const struct report *r, struct buf *out)
{
    char calls[NUM_TEXT_MAX];
    const struct syscalls *s = &r->syscalls;
    if (s->count == 0)
        return 0;
    sheet_title(r, out, "system calls, waiting included");
    int rc = put_calls(r, out);
    if (s->left_out)
        sheet_line(r, out, TABLE_DIM, "  %s %s of further names", num_count(calls, s->left_out),
                   num_noun(s->left_out, "call", "calls"));
    return rc == 0 ? put_threads(r, out) : rc;
}
