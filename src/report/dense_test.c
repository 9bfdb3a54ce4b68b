/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "report/state.h"
#include "report/testing.h"
#include "report/text.h"

static struct buf b;

static const char *told(struct fx *f)
{
    fx_flush(f);
    buf_done(&b);
    buf_init(&b);
    REQUIRE(report_settle(f->report) == 0 && report_text_dense(f->report, &b) == 0);
    return buf_cstr(&b);
}

static void many(struct fx *f, const char *name, unsigned count, uint64_t ns, uint64_t pause_ns)
{
    for (unsigned i = 0; i < count; i++) {
        fx_span(f, 0, name, ns);
        f->now += pause_ns;
    }
}

TEST(spans_that_cost_more_than_they_show_are_told)
{
    struct fx f;
    fx_init(&f, NULL);
    many(&f, "next_token", 20000, 90, 10000);
    many(&f, "parse", 20000, 600, 10000);
    const char *text = told(&f);
    CHECK(strncmp(text, "span next_token: 20,000 times, ", 31) == 0);
    CHECK(strstr(text, "some 500 us of that is the watching itself"));
    CHECK(strstr(text, "parse") == NULL && strstr(text, "more span") == NULL);
    fx_done(&f);
}

TEST(so_are_spans_that_come_too_often)
{
    struct fx f;
    fx_init(&f, NULL);
    many(&f, "first", 20000, 600, 0);
    many(&f, "second", 30000, 600, 0);
    const char *text = told(&f);
    CHECK(strncmp(text, "span second: 30,000 times, ", 27) == 0);
    CHECK(strstr(text, "1 more span is as short or as frequent\n"));
    fx_done(&f);
}

TEST(few_or_long_ones_are_not_worth_a_line)
{
    struct fx f;
    fx_init(&f, NULL);
    CHECK_STR(told(&f), "");
    many(&f, "short", 9999, 90, 10000);
    many(&f, "long", 20000, 20000, 0);
    CHECK_STR(told(&f), "");
    fx_done(&f);
}

TEST(recursion_does_not_make_a_span_short)
{
    struct fx f;
    fx_init(&f, NULL);
    for (unsigned i = 0; i < 200; i++) {
        for (unsigned k = 0; k < 100; k++)
            fx_begin(&f, 0, "visit");
        f.now += 40000;
        for (unsigned k = 0; k < 100; k++)
            fx_end(&f, 0);
        f.now += 2 * FX_MS;
    }
    CHECK_STR(told(&f), "");
    fx_done(&f);
}

TEST_MAIN()
