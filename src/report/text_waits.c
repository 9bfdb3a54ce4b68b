/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report for a terminal: what the program waited for, who waited for whom,
 * and how deep the stacks were.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "report/reason.h"
#include "report/text.h"
#include "util/num.h"

struct sums {
    uint64_t ns, count, max_ns, ready_ns;
};

static int by_ns(const void *a, const void *b, void *context)
{
    const struct sums *s = context;
    uint64_t x = s[*(const uint8_t *)a].ns, y = s[*(const uint8_t *)b].ns;
    return x == y ? *(const uint8_t *)a - *(const uint8_t *)b : x < y ? 1 : -1;
}

static int sum_reasons(struct frames *f, const struct waits_order *o, struct sums *out)
{
    struct frame_list stack = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->row_count; i++) {
        const struct wait_row *row = &o->rows[i];
        rc = frames_list(f, row->stack, &stack);
        if (rc < 0)
            break;
        struct sums *s = &out[reason_of(f, &stack, row->extra)];
        s->ns += row->ns;
        s->count += row->count;
        s->ready_ns += row->ready_ns;
        s->max_ns = row->max_ns > s->max_ns ? row->max_ns : s->max_ns;
    }
    VEC_DONE(&stack.items);
    return rc;
}

int report_text_reason(const struct report *r, struct frames *f, const char **out_text,
                       uint64_t *out_ns)
{
    struct sums sums[REASON_COUNT] = {{0}};
    struct waits_order o;
    int rc = waits_order(&r->waits, f, &o);
    if (rc == 0)
        rc = sum_reasons(f, &o, sums);
    waits_order_done(&o);
    *out_text = "";
    *out_ns = 0;
    for (size_t i = 0; rc == 0 && i < REASON_COUNT; i++)
        if (sums[i].ns > *out_ns) {
            *out_ns = sums[i].ns;
            *out_text = reason_text((enum reason)i);
        }
    return rc;
}

static int put_reasons(const struct report *r, struct frames *f, const struct waits_order *o,
                       struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"waiting for", TABLE_TEXT, 0, 20}, {"", TABLE_NUMBER, 0, 0},
        {"waited", TABLE_NUMBER, 0, 0},     {"times", TABLE_NUMBER, 0, 0},
        {"longest", TABLE_NUMBER, 0, 0},    {"then ready", TABLE_NUMBER, 1, 0},
    };
    struct sums sums[REASON_COUNT] = {{0}};
    uint8_t order[REASON_COUNT];
    char text[NUM_TEXT_MAX], more[NUM_TEXT_MAX];
    struct sheet s;
    int rc = sum_reasons(f, o, sums);
    for (uint8_t i = 0; i < REASON_COUNT; i++)
        order[i] = i;
    qsort_r(order, REASON_COUNT, sizeof *order, by_ns, sums);
    sheet_title(r, out, "waiting: %s in %s wait%s", num_duration(text, r->waits.ns),
                num_count(more, r->waits.count), r->waits.count == 1 ? "" : "s");
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < REASON_COUNT && sums[order[i]].count; i++) {
        const struct sums *n = &sums[order[i]];
        sheet_text(&s, reason_text((enum reason)order[i]));
        sheet_text(&s, num_percent(text, (double)n->ns, (double)r->waits.ns));
        sheet_ns(&s, n->ns);
        sheet_count(&s, n->count);
        if (n->max_ns)
            sheet_ns(&s, n->max_ns);
        else
            sheet_none(&s);
        if (r->waits.wakes)
            sheet_ns(&s, n->ready_ns);
        else
            sheet_none(&s);
        table_end_row(&s.table);
    }
    sheet_put(&s, r, out);
    return rc;
}

static void put_thread(struct sheet *s, const struct model_thread *t)
{
    if (t->name.n)
        table_cellf(&s->table, "%.*s (%d)", (int)t->name.n, t->name.p, t->tid);
    else
        table_cellf(&s->table, "thread %d", t->tid);
}

static void put_place(struct sheet *s, const struct frames *f, uint32_t frame)
{
    if (frame == FRAMES_NONE)
        sheet_none(s);
    else
        sheet_cell(s, f->items.items[frame].name, TABLE_PLAIN);
}

static const struct model_thread *thread_of(const struct report *r, uint32_t process, int32_t tid)
{
    for (uint32_t i = 0; i < r->catalog->thread_count; i++)
        if (r->catalog->threads[i]->tid == tid && r->catalog->threads[i]->process == process)
            return r->catalog->threads[i];
    return NULL;
}

/* Who made it go on, or held what it wanted. */
static void put_whom(struct sheet *s, const struct report *r, const struct frames *f,
                     const struct wait_chain *c, const struct frame_list *by)
{
    const struct model_thread *holder =
        c->by_tid ? thread_of(r, c->thread->process, c->by_tid) : NULL;
    if (c->by || holder)
        put_thread(s, c->by ? c->by : holder);
    else if (c->by_tid)
        table_cellf(&s->table, "thread %d", c->by_tid);
    else if (c->flags & ORIEL_WAKE_INTERRUPT)
        sheet_text(s, "(timer or device)");
    else if (c->flags & ORIEL_WAKE_OUTSIDE)
        put_place(s, f, reason_place(f, by));
    else
        sheet_text(s, "(not known)");
    if (c->by_stack && !c->flags)
        put_place(s, f, reason_place(f, by));
    else
        sheet_none(s);
}

/* Of wake-ups those that somebody made; of locks all. */
static bool is_shown(const struct wait_chain *c, bool locks)
{
    return locks ? c->lock != 0 : !c->lock && !(c->flags & ORIEL_WAKE_INTERRUPT);
}

static int put_chains(const struct report *r, struct frames *f, const struct waits_order *o,
                      bool locks, struct buf *out)
{
    static const struct sheet_column waking[] = {
        {"who waited", TABLE_TEXT, 0, 12}, {"waited", TABLE_NUMBER, 0, 0},
        {"times", TABLE_NUMBER, 0, 0},     {"in", TABLE_TEXT, 0, 12},
        {"for", TABLE_TEXT, 1, 10},        {"until", TABLE_TEXT, 0, 12},
        {"was in", TABLE_TEXT, 0, 12},
    };
    static const struct sheet_column locking[] = {
        {"who waited", TABLE_TEXT, 0, 12}, {"waited", TABLE_NUMBER, 0, 0},
        {"times", TABLE_NUMBER, 0, 0},     {"in", TABLE_TEXT, 0, 12},
        {"for", TABLE_TEXT, 1, 10},        {"held by", TABLE_TEXT, 0, 12},
        {"taken in", TABLE_TEXT, 0, 12},
    };
    struct frame_list stack = {0}, by = {0};
    struct sheet s;
    size_t shown = 0;
    int rc = 0;
    sheet_init(&s, locks ? locking : waking, sizeof waking / sizeof *waking);
    for (size_t i = 0; rc == 0 && i < o->chain_count && shown < r->options.top; i++) {
        const struct wait_chain *c = &o->chains[i];
        if (!is_shown(c, locks))
            continue;
        rc = frames_list(f, c->stack, &stack);
        rc = rc < 0 ? rc : frames_list(f, c->by_stack, &by);
        if (rc < 0)
            break;
        put_thread(&s, c->thread);
        sheet_ns(&s, c->ns);
        sheet_count(&s, c->count);
        if (c->stack || locks) {
            put_place(&s, f, reason_place(f, &stack));
            sheet_text(&s, reason_text(reason_of(f, &stack, 0)));
        } else {
            sheet_text(&s, "(not known)");
            sheet_none(&s);
        }
        put_whom(&s, r, f, c, &by);
        table_end_row(&s.table);
        shown++;
    }
    if (shown)
        sheet_title(r, out, locks ? "locks: who waited, and who held them" : "who waited for whom");
    sheet_put(&s, r, out);
    VEC_DONE(&stack.items);
    VEC_DONE(&by.items);
    return rc;
}

/* ---- stacks ---- */

/* Every program has stacks; worth a line unasked are those that may soon not do: half of what
 * there is was seen in use, and samples miss the deepest moments. */
static bool is_nearly_full(const struct wait_depth *d)
{
    const uint64_t usual = UINT64_C(8) << 20; /* where the limit is not known */
    return d->bytes >= (d->limit ? d->limit : usual) / 2;
}

static int put_depths(const struct report *r, struct frames *f, struct buf *out)
{
    static const struct sheet_column columns[] = {
        {"thread", TABLE_TEXT, 0, 12}, {"deepest", TABLE_NUMBER, 0, 0}, {"of", TABLE_NUMBER, 0, 0},
        {"", TABLE_NUMBER, 0, 0},      {"in", TABLE_TEXT, 0, 12},
    };
    struct frame_list stack = {0};
    struct sheet s;
    char text[NUM_TEXT_MAX];
    int rc = 0;
    size_t shown = 0;
    sheet_init(&s, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; rc == 0 && i < r->waits.depths.count && shown < r->options.top; i++) {
        const struct wait_depth *d = &r->waits.depths.items[i];
        if (!r->options.stacks && !is_nearly_full(d))
            continue;
        if (shown++ == 0)
            sheet_title(r, out,
                        r->options.stacks ? "stacks, as deep as they were seen"
                                          : "stacks that were seen half full or more");
        rc = frames_list(f, d->stack, &stack);
        if (rc < 0)
            break;
        put_thread(&s, d->thread);
        sheet_text(&s, num_bytes(text, d->bytes));
        if (d->limit) {
            sheet_text(&s, num_bytes(text, d->limit));
            sheet_text(&s, num_percent(text, (double)d->bytes, (double)d->limit));
        } else {
            sheet_none(&s);
            sheet_none(&s);
        }
        put_place(&s, f, reason_place(f, &stack));
        table_end_row(&s.table);
    }
    sheet_put(&s, r, out);
    VEC_DONE(&stack.items);
    return rc;
}

int report_text_waits(const struct report *r, struct frames *f, struct buf *out)
{
    struct waits_order o;
    int rc = waits_order(&r->waits, f, &o);
    if (rc == 0 && r->waits.count)
        rc = put_reasons(r, f, &o, out);
    for (int locks = 0; rc == 0 && locks < 2; locks++)
        rc = put_chains(r, f, &o, locks, out);
    if (rc == 0)
        rc = put_depths(r, f, out);
    waits_order_done(&o);
    return rc;
}
