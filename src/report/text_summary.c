/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report for a terminal: where CPU time, waiting and memory went. One row
 * for each, with the function, span and thread that has most of it; the tables
 * below tell the rest.
 */
#include <string.h>

#include "base/err.h"
#include "report/reason.h"
#include "report/summary.h"
#include "report/text.h"
#include "util/num.h"

/* "46 % parse"; shares are of what was sampled. */
static void share_cell(struct sheet *s, const struct summary_share *share, const char *between)
{
    char text[NUM_TEXT_MAX];
    if (share->part)
        table_cellf(&s->table, "%s %s%.*s",
                    num_percent(text, (double)share->part, (double)share->whole), between,
                    (int)share->name.n, share->name.p);
    else
        sheet_none(s);
}

static void thread_cell(struct sheet *s, const struct report *r, const struct summary_line *line)
{
    char text[NUM_TEXT_MAX];
    if (line->who && r->catalog->thread_count > 1)
        table_cellf(&s->table, "%s %.*s %d",
                    num_percent(text, (double)line->thread.part, (double)line->thread.whole),
                    (int)line->thread.name.n, line->thread.name.p, line->who->tid);
    else
        sheet_none(s);
}

/* "80 % not known" is a sentence, "80 % for not known" is none. */
static bool is_known(const struct summary_share *most)
{
    const char *none = reason_text(REASON_UNKNOWN);
    return !model_str_equal(most->name, (struct model_str){none, (uint32_t)strlen(none)});
}

static void put_line(struct sheet *s, const struct report *r, bool programs,
                     const struct summary_line *line)
{
    char text[NUM_TEXT_MAX];
    struct summary_share most = line->most;
    if (!line->reason)
        most.name = report_without_parameters(most.name);
    sheet_text(s, line->title);
    sheet_text(s, report_amount(text, line->kind, line->amount));
    share_cell(s, &most, !line->reason ? "in " : is_known(&most) ? "for " : "");
    share_cell(s, &line->span, "");
    if (programs)
        share_cell(s, &line->program, "");
    else
        thread_cell(s, r, line);
    table_end_row(&s->table);
}

int report_text_summary(const struct report *r, struct buf *out)
{
    struct summary all;
    struct sheet s;
    int rc = summary_make(r, &all);
    const struct sheet_column columns[] = {
        {"", TABLE_TEXT, 0, 18},
        {"", TABLE_NUMBER, 0, 0},
        {"most of it", TABLE_TEXT, 0, 24},
        {"span", TABLE_TEXT, 2, 16},
        {all.programs ? "program" : "thread", TABLE_TEXT, 1, 16},
    };
    if (rc == 0 && all.count > 1) {
        sheet_title(r, out, REPORT_SUMMARY ", all threads together");
        sheet_init(&s, columns, sizeof columns / sizeof *columns);
        for (unsigned i = 0; i < all.count; i++)
            put_line(&s, r, all.programs, &all.lines[i]);
        sheet_put(&s, r, out);
    }
    summary_done(&all);
    return rc;
}
