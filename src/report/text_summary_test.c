/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The summary above all tables, and what was sampled by span.
 */
#include "report/testing.h"

#include "base/buf.h"

/* The line in which a row begins so, without its end. "" if there is none. */
static const char *row(const char *text, const char *begins, char out[256])
{
    const char *at = text ? strstr(text, begins) : NULL;
    size_t n = at ? strcspn(at, "\n") : 0;
    snprintf(out, 256, "%.*s", (int)n, at ? at : "");
    return out;
}

static const char *told(struct fx *f, struct buf *b)
{
    static const struct report_options how = {.size = sizeof how, .width = 140};
    fx_init(f, &how);
    fx_run_busy(f);
    return fx_told(f, b, false, NULL);
}

TEST(a_few_lines_say_where_cpu_time_waiting_and_memory_went)
{
    struct fx f;
    struct buf b;
    char line[256];
    const char *text = told(&f, &b);
    const char *summary = strstr(text, "where it went, all threads together\n");
    REQUIRE(summary && summary < strstr(text, "where the time went"));
    row(summary, "  CPU time", line);
    CHECK(strstr(line, "40 ms  75 % in scan"));
    CHECK(strstr(line, "75 % parse"));
    CHECK(strstr(line, "75 % worker-1 4712"));
    CHECK(strstr(row(summary, "  waiting for locks", line), "4 ms  100 % in write_row"));
    /* As the program knew it, not as samples estimate it. */
    row(summary, "  allocated", line);
    CHECK(strstr(line, "9.6 MB  90 % in scan"));
    CHECK(strstr(line, "83 % parse"));
    CHECK(strstr(row(summary, "  in use at the peak", line), "2 MB"));
    CHECK(strstr(row(summary, "  in use at the end", line), "400 kB  100 % in scan"));
    buf_done(&b);
    fx_done(&f);
}

TEST(one_kind_of_sample_needs_no_summary)
{
    struct fx f;
    struct buf b;
    fx_init(&f, NULL);
    fx_sample(&f, ORIEL_SAMPLE_CPU, 1, NULL, "scan", FX_MS);
    CHECK(!strstr(fx_told(&f, &b, false, NULL), "where it went"));
    buf_done(&b);
    fx_done(&f);
}

TEST(waits_whose_reason_nobody_knows_are_not_for_something)
{
    struct fx f;
    struct buf b;
    char line[256];
    fx_init(&f, NULL);
    fx_sample(&f, ORIEL_SAMPLE_CPU, 1, NULL, "scan", FX_MS);
    fx_sample(&f, ORIEL_SAMPLE_OFF_CPU, 1, NULL, "scan", FX_MS);
    row(fx_told(&f, &b, false, NULL), "  waiting", line);
    CHECK(strstr(line, "1 ms  100 % not known"));
    buf_done(&b);
    fx_done(&f);
}

TEST(few_samples_are_said_to_be_few_and_what_would_give_more)
{
    struct fx f;
    struct buf b;
    for (int many = 0; many < 2; many++) {
        fx_init(&f, NULL);
        REQUIRE(model_catalog_set_resource(&f.catalog, MODEL_STR("oriel.sample.rate"),
                                           MODEL_STR("99")) == 0);
        for (int i = 0; i < (many ? 100 : 99); i++)
            fx_sample(&f, ORIEL_SAMPLE_CPU, 1, NULL, "scan", FX_MS);
        const char *few =
            strstr(fx_told(&f, &b, false, NULL), "  few samples, so shares are rough: "
                                                 "record --rate 997");
        CHECK((few != NULL) == !many);
        buf_done(&b);
        fx_done(&f);
    }
}

TEST(each_span_has_its_cpu_time_lock_waits_and_exact_allocations)
{
    struct fx f;
    struct buf b;
    char line[256];
    const char *table = strstr(told(&f, &b), "samples by span");
    REQUIRE(table);
    CHECK(strstr(row(table, "  innermost span", line), "CPU    CPU  for locks  allocated"));
    CHECK_STR(row(table, "  parse ", line), "  parse           75 %  30 ms       0 ns       8 MB");
    CHECK_STR(row(table, "  store ", line), "  store           25 %  10 ms       4 ms     600 kB");
    buf_done(&b);
    fx_done(&f);
}

TEST(functions_say_that_their_memory_is_estimated_where_it_is)
{
    struct fx f;
    struct buf b;
    CHECK(strstr(told(&f, &b), "  by function as 2 samples tell, not exactly\n"));
    buf_done(&b);
    fx_sample(&f, ORIEL_SAMPLE_PEAK, 1, NULL, "scan", 2000000); /* exact sums have such */
    CHECK(!strstr(fx_told(&f, &b, false, NULL), "not exactly"));
    buf_done(&b);
    fx_done(&f);
}

TEST(spans_of_one_name_are_one_row)
{
    struct fx f;
    struct buf b;
    fx_init(&f, NULL);
    for (uint32_t line = 1; line < 3; line++) {
        fx_sample(&f, ORIEL_SAMPLE_CPU, 1, "parse", "scan", FX_MS);
        f.batch.items[f.batch.item_count - 1].u.sample.site =
            fx_site_at(&f, "parse", ORIEL_SITE_SPAN, ORIEL_LEVEL_INFO, "demo", "src/demo.c", line);
    }
    const char *table = strstr(fx_told(&f, &b, false, NULL), "samples by span");
    REQUIRE(table);
    const char *first = strstr(table, "  parse");
    REQUIRE(first);
    CHECK(!strstr(first + 3, "  parse"));
    buf_done(&b);
    fx_done(&f);
}

TEST(exact_sums_of_memory_are_laid_to_no_thread)
{
    struct fx f;
    struct buf b;
    char line[256];
    fx_init(&f, NULL);
    fx_run_busy(&f);
    fx_sample(&f, ORIEL_SAMPLE_PEAK, 1, NULL, "scan", 2000000);
    row(fx_told(&f, &b, false, NULL), "  in use at the peak", line);
    CHECK(strstr(line, "100 % in scan"));
    CHECK(!strstr(line, "worker"));
    buf_done(&b);
    fx_done(&f);
}

TEST_MAIN()
