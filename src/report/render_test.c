/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The order in which the call tree is told, and which rows it leaves out.
 */
#include "report/render.h"

#include "base/mem.h"
#include "report/testing.h"

/* The chosen names, a level per dot, what was left out in brackets. */
static void told(struct fx *f, size_t limit, const char *wanted)
{
    struct report_order o;
    struct buf b;
    buf_init(&b);
    fx_flush(f);
    CHECK_EQ(report_settle(f->report), 0);
    CHECK_EQ(report_order_top(f->report, limit, &o), 0);
    for (size_t i = 0; i < o.rows.count; i++) {
        const struct report_row *row = &o.rows.items[i];
        buf_printf(&b, "%s%.*s", i ? " " : "", (int)row->depth, "........");
        if (!row->node) {
            buf_printf(&b, "[%d]", (int)row->rest_names);
            continue;
        }
        const struct calltree_node *n = calltree_node(&f->report->tree, row->node);
        struct model_str name = f->report->names.items.items[n->name].text;
        buf_printf(&b, "%.*s", (int)name.n, name.p);
        /* A row's parent stands before it. */
        CHECK(row->depth == 0 ? row->parent_row == SIZE_MAX : row->parent_row < i);
    }
    CHECK_STR(buf_cstr(&b), wanted);
    report_order_done(&o);
    buf_done(&b);
}

static void leaf(struct fx *f, const char *name, uint64_t ns)
{
    fx_span(f, 0, name, ns);
}

/* a 100 { b 60 { d 50, e 5 }, c 30 { f 29 } }, x 40, y 1 */
static void plant(struct fx *f)
{
    fx_init(f, NULL);
    fx_begin(f, 0, "a");
    fx_begin(f, 0, "b");
    leaf(f, "e", 5);
    leaf(f, "d", 50);
    f->now += 5;
    fx_end(f, 0);
    fx_begin(f, 0, "c");
    leaf(f, "f", 29);
    f->now += 1;
    fx_end(f, 0);
    f->now += 10;
    fx_end(f, 0);
    leaf(f, "y", 1);
    leaf(f, "x", 40);
}

TEST(siblings_stand_by_total)
{
    struct fx f;
    plant(&f);
    told(&f, 100, "a .b ..d ..e .c ..f x y");
    fx_done(&f);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(few_rows_go_to_the_most_expensive_paths)
{
    struct fx f;
    plant(&f);
    told(&f, 1, "a .[2] [2]");
    told(&f, 3, "a .b ..d ..[1] .[1] [2]");
    told(&f, 4, "a .b ..d ..[1] .[1] x [1]");
    told(&f, 7, "a .b ..d ..e .c ..f x [1]");
    told(&f, 0, "[3]");
    fx_done(&f);
}

TEST(the_rows_left_out_are_summed_up)
{
    struct fx f;
    struct report_order o;
    plant(&f);
    fx_flush(&f);
    CHECK_EQ(report_settle(f.report), 0);
    CHECK_EQ(report_order_top(f.report, 1, &o), 0);
    REQUIRE(o.rows.count == 3);
    CHECK_EQ(o.rows.items[1].rest_count, 2);
    CHECK_EQ(o.rows.items[1].rest_total, 90);
    CHECK_EQ(o.rows.items[2].rest_total, 41);
    report_order_done(&o);
    fx_done(&f);
}

TEST(a_child_that_outlasts_its_parent_lifts_it)
{
    struct fx f;
    fx_init(&f, NULL);
    fx_begin(&f, 0, "spawner");
    uint64_t parent = f.stack[0][0].span.span_id;
    f.now += 2;
    fx_end(&f, 0);
    leaf(&f, "middle", 50);
    struct model_span *s = fx_begin(&f, 1, "task");
    s->parent_id = parent;
    s->flags = MODEL_SPAN_ASYNC;
    f.now += 500;
    fx_end(&f, 1);
    told(&f, 2, "spawner .task [1]");
    fx_done(&f);
}

TEST(nothing_recorded_has_no_rows)
{
    struct fx f;
    fx_init(&f, NULL);
    told(&f, 10, "");
    fx_done(&f);
}

TEST(pointers_are_told_without_leading_zeros)
{
    char text[19];
    report_pointer_text(text, 0);
    CHECK_STR(text, "0x0");
    report_pointer_text(text, 0x10);
    CHECK_STR(text, "0x10");
    report_pointer_text(text, UINT64_MAX);
    CHECK_STR(text, "0xffffffffffffffff");
}

TEST_MAIN()
