/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * the tree of a trace in the terminal.
 */
#include "report/testing.h"

#include "base/buf.h"
#include "base/mem.h"
#include "util/utf8.h"

static struct report_options with_tree(uint32_t width, uint32_t top)
{
    return (struct report_options){
        .size = sizeof(struct report_options), .width = width, .top = top, .tree = true};
}

/* The lines after the title of the first trace. */
static const char *tree_of(struct fx *f, struct buf *b)
{
    const char *text = fx_told(f, b, false, NULL);
    const char *title = strstr(text, "\ntrace ");
    REQUIRE(title);
    return strchr(title + 1, '\n') + 1;
}

static void error(struct model_span *s, const char *message)
{
    s->status = ORIEL_STATUS_ERROR;
    s->status_message = fx_str(message);
}

TEST(every_mark_a_line_can_have)
{
    struct fx f;
    struct buf b;
    struct report_options o = with_tree(90, 20);
    fx_init(&f, &o);
    fx_begin(&f, 0, "http.request");
    f.now += FX_MS;
    fx_begin(&f, 0, "auth");
    f.now += 2 * FX_MS;
    fx_event(&f, 0, ORIEL_LEVEL_WARN, "auth", "token is old");
    error(&f.stack[0][1].span, "denied");
    fx_end(&f, 0);
    struct model_span *a = fx_begin(&f, 1, "fetch");
    a->parent_id = f.stack[0][0].span.span_id;
    memcpy(a->trace_id, f.stack[0][0].span.trace_id, 16);
    a->flags = MODEL_SPAN_ASYNC;
    f.now += 4 * FX_MS;
    fx_end(&f, 1);
    f.batch.items[f.batch.item_count - 1].u.span.busy_ns = FX_MS;
    fx_begin(&f, 0, "gpu");
    f.stack[0][1].span.flags = MODEL_SPAN_EXTERNAL;
    f.now += FX_MS;
    fx_end(&f, 0);
    fx_event(&f, 0, ORIEL_LEVEL_INFO, "app", "nearly there");
    fx_begin(&f, 0, "render");
    f.now += 2 * FX_MS;
    f.stack[0][1].span.flags = MODEL_SPAN_UNFINISHED;
    fx_end(&f, 0);
    struct model_value *v = fx_values(&f, 1);
    v[0] = fx_text("route", "/x");
    f.stack[0][0].span.attrs = v;
    f.stack[0][0].span.attr_count = 1;
    fx_end(&f, 0);
    CHECK_STR(tree_of(&f, &b), "    at   took   self  span                        thread\n"
                               "  0 ns  10 ms   60 %  http.request  route=/x      main\n"
                               "  1 ms   2 ms  100 %  \u251c auth (error: denied)\n"
                               "  3 ms                \u2502 \u2514 \u00b7 WARN token is old\n"
                               "  3 ms   4 ms   25 %  \u251c fetch (async, busy 1 ms)  worker-1\n"
                               "  7 ms   1 ms  100 %  \u251c gpu (times given)\n"
                               "  8 ms                \u251c \u00b7 INFO nearly there\n"
                               "  8 ms  >2 ms  100 %  \u2514 render (unfinished)\n");
    buf_done(&b);
    fx_done(&f);
}

TEST(short_spans_without_a_line_are_counted_under_their_parent)
{
    struct fx f;
    struct buf b;
    struct report_options o = with_tree(90, 1); /* three lines: two spans, an event */
    fx_init(&f, &o);
    fx_begin(&f, 0, "root");
    for (unsigned i = 0; i < 50; i++) {
        fx_begin(&f, 0, i == 20 ? "slow" : "quick");
        fx_span(&f, 0, "leaf", 2 * FX_US);
        fx_event(&f, 0, i == 30 ? ORIEL_LEVEL_ERROR : ORIEL_LEVEL_DEBUG, "t", "said");
        f.now += i == 20 ? FX_MS : FX_US;
        fx_end(&f, 0);
    }
    fx_event(&f, 0, ORIEL_LEVEL_INFO, "t", "done");
    fx_end(&f, 0);
    CHECK_STR(tree_of(&f, &b),
              "       at     took   self  span                                      thread\n"
              "     0 ns  1.15 ms    0 %  root                                      main\n"
              "    60 us     1 ms  100 %  \u251c slow\n"
              "                           \u2502 \u2514 (1 shorter span, 2 us) (1 event)\n"
              "  1.09 ms     3 us   33 %  \u251c quick\n"
              "  1.09 ms                  \u2502 \u251c \u00b7 ERROR said\n"
              "                           \u2502 \u2514 (1 shorter span, 2 us)\n"
              "                           \u2514 (96 shorter spans, 144 us) (49 events)\n");
    buf_done(&b);
    fx_done(&f);
}

TEST(a_trace_a_thousand_deep_fits_into_the_width)
{
    struct fx f;
    struct buf b;
    struct report_options o = with_tree(80, 1000);
    fx_init(&f, &o);
    enum { DEPTH = 1000 };
    for (uint64_t i = DEPTH; i >= 1; i--) {
        struct model_item *item = fx_item(&f, MODEL_ITEM_SPAN);
        item->u.span = (struct model_span){.span_id = i,
                                           .parent_id = i - 1,
                                           .start_ns = FX_START + i,
                                           .end_ns = FX_START + 3 * DEPTH - i,
                                           .site = fx_site(&f, "level"),
                                           .thread = f.threads[0]};
    }
    const char *text = tree_of(&f, &b);
    unsigned lines = 0;
    for (const char *end; (end = strchr(text, '\n')); text = end + 1, lines++) {
        CHECK(utf8_width(text, (size_t)(end - text)) <= 80);
        CHECK(lines == 0 || strstr(text, "level"));
    }
    CHECK_EQ(lines, 1 + DEPTH);
    buf_done(&b);
    fx_done(&f);
}

TEST(ids_in_a_circle_are_told_as_roots)
{
    struct fx f;
    struct buf b;
    struct report_options o = with_tree(80, 20);
    fx_init(&f, &o);
    for (uint64_t i = 1; i <= 6; i++) { /* 1 -> 2 -> 3 -> 1, 4 -> 4, 5 and 6 below 1 */
        static const uint64_t parents[] = {0, 2, 3, 1, 4, 1, 1};
        struct model_item *item = fx_item(&f, MODEL_ITEM_SPAN);
        item->u.span = (struct model_span){.span_id = i,
                                           .parent_id = parents[i],
                                           .start_ns = FX_START + i,
                                           .end_ns = FX_START + 10 * i,
                                           .site = fx_site(&f, "s"),
                                           .thread = f.threads[0]};
    }
    const char *text = tree_of(&f, &b);
    unsigned lines = 0;
    for (const char *end; (end = strchr(text, '\n')); text = end + 1)
        lines++;
    CHECK_EQ(lines, 1 + 6);
    buf_done(&b);
    fx_done(&f);
}

TEST(events_without_their_span_stand_at_the_top)
{
    struct fx f;
    struct buf b;
    struct report_options o = with_tree(80, 20);
    fx_init(&f, &o);
    fx_begin(&f, 0, "root");
    struct model_event *e = fx_event(&f, 0, ORIEL_LEVEL_INFO, "t", "orphan");
    e->span_id = 12345;
    f.now += FX_MS;
    fx_end(&f, 0);
    CHECK_STR(tree_of(&f, &b), "    at  took   self  span           thread\n"
                               "  0 ns               \u00b7 INFO orphan\n"
                               "  0 ns  1 ms  100 %  root           main\n");
    buf_done(&b);
    fx_done(&f);
}

TEST(a_recording_without_spans_has_no_trace)
{
    struct fx f;
    struct buf b;
    struct report_options o = with_tree(80, 20);
    fx_init(&f, &o);
    CHECK(strstr(fx_told(&f, &b, false, NULL), "no trace was recorded\n"));
    buf_done(&b);
    fx_done(&f);
}

TEST(a_trace_of_two_processes_is_one_tree)
{
    struct fx f;
    struct buf b;
    struct report_options o = with_tree(80, 20);
    fx_init(&f, &o);
    fx_begin(&f, 0, "client");
    f.now += FX_MS;
    struct model_span *s = fx_begin(&f, 3, "server");
    s->parent_id = f.stack[0][0].span.span_id;
    s->flags = MODEL_SPAN_REMOTE_PARENT;
    memcpy(s->trace_id, f.stack[0][0].span.trace_id, 16);
    f.now += FX_MS;
    fx_end(&f, 3);
    f.now += FX_MS;
    fx_end(&f, 0);
    CHECK_STR(tree_of(&f, &b), "    at  took   self  span      thread\n"
                               "  0 ns  3 ms  100 %  client    main\n"
                               "  1 ms  1 ms  100 %  \u2514 server  io\n");
    buf_done(&b);
    fx_done(&f);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST_MAIN()
