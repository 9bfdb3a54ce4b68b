/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report for a terminal: what sampling could not see, where the time went
 * in one line, and each thread's share. The tables by function are in
 * text_profile.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "report/text.h"
#include "util/num.h"

/* Times only: other kinds count bytes or calls. */
static const struct {
    uint8_t kind;
    const char *text;
} times[] = {{ORIEL_SAMPLE_CPU, "CPU"},
             {ORIEL_SAMPLE_OFF_CPU, "waiting"},
             {ORIEL_SAMPLE_PREEMPTED, "ready, but others ran"}};
enum { TIMES = sizeof times / sizeof *times };

void report_text_unseen(const struct report *r, struct buf *out)
{
    struct model_str missing = model_catalog_resource(r->catalog, "oriel.sample.missing"),
                     lost = model_catalog_resource(r->catalog, "oriel.sample.lost"),
                     cut = model_catalog_resource(r->catalog, "oriel.sample.cut");
    if (missing.n)
        sheet_line(r, out, TABLE_YELLOW, "not seen: %.*s", (int)missing.n, missing.p);
    if (lost.n)
        sheet_line(r, out, TABLE_YELLOW,
                   "%.*s samples lost, the kernel had no room for them; a lower --rate helps",
                   (int)lost.n, lost.p);
    if (cut.n)
        sheet_line(r, out, TABLE_YELLOW, "%.*s", (int)cut.n, cut.p);
}

void report_text_times(const struct report *r, struct buf *out)
{
    struct buf line;
    char text[NUM_TEXT_MAX];
    unsigned kinds = 0;
    buf_init(&line);
    for (size_t i = 0; i < TIMES; i++)
        if (r->profile.samples[times[i].kind])
            buf_printf(&line, "%s%s %s", kinds++ ? " \u00b7 " : "", times[i].text,
                       num_duration(text, r->profile.weight[times[i].kind]));
    if (kinds > 1 && !line.failed)
        sheet_title(r, out, "all threads together: %.*s", (int)line.size, line.data);
    buf_done(&line);
}

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
    char text[NUM_TEXT_MAX];
    sheet_title(r, out, "samples by thread");
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (uint32_t i = 0; i < used && i < r->options.top; i++) {
        thread_cell(&s, r, r->catalog->threads[all[i].thread]);
        sheet_text(&s, num_percent(text, (double)all[i].weight[0],
                                   (double)r->profile.weight[ORIEL_SAMPLE_CPU]));
        for (size_t k = 0; k < TIMES; k++) {
            if (r->profile.samples[times[k].kind])
                sheet_ns(&s, all[i].weight[k]);
            else
                sheet_none(&s);
        }
        table_end_row(&s.table);
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
            if (row->kind == times[k].kind)
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
