/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Diffs of profiles written as folded stacks, and of spans: the function that
 * became slower is named first, and what did not change is not named.
 */
#include "report/diff.h"

#include <math.h>

#include "base/err.h"
#include "report/diff_state.h"
#include "report/test_profile.h"
#include "report/testing.h"
#include "util/json.h"

enum { MS = 1000000 };

/* One run: `text` is "main;parse 300,main;emit 100" in samples of 1 ms. */
static void add_run(struct diff *d, enum diff_side side, const char *text, const char *exe)
{
    struct profile_maker m;
    struct report *r = NULL;
    char copy[512], *save = NULL;
    maker_begin(&m);
    m.app = maker_module(&m, exe);
    REQUIRE(model_catalog_add_process(
        &m.catalog, 99, (struct model_str){exe, (uint32_t)strlen(exe)}, MODEL_STR("")));
    snprintf(copy, sizeof copy, "%s", text);
    for (char *one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
        char *space = strrchr(one, ' ');
        REQUIRE(space);
        unsigned long samples = strtoul(space + 1, NULL, 10);
        *space = 0;
        char line[256];
        snprintf(line, sizeof line, "%s %d", one, MS);
        for (unsigned long i = 0; i < samples; i++)
            maker_add(&m, line, 0, NULL);
    }
    REQUIRE(report_new(&r, NULL, &m.catalog) == 0);
    model_profile_done(&r->profile);
    r->profile = m.profile;
    model_profile_init(&m.profile, false);
    REQUIRE(diff_add(d, side, r, side == DIFF_A ? "a.oriel" : "b.oriel") == 0);
    report_free(r);
    maker_end(&m);
}

static struct diff *begin(size_t a, size_t b)
{
    struct diff *d = NULL;
    struct diff_options o = {.size = sizeof o, .runs = {a, b}, .noise = 0.02, .least = -1};
    REQUIRE(diff_new(&d, &o) == 0);
    return d;
}

static struct diff *diff_of(const char *a, const char *b)
{
    struct diff *d = begin(1, 1);
    add_run(d, DIFF_A, a, "/bin/app");
    add_run(d, DIFF_B, b, "/bin/app");
    REQUIRE(diff_finish(d) == 0);
    return d;
}

/* One run on each side, that `add` makes of a number. */
static struct diff *diff_by(void (*add)(struct diff *d, enum diff_side side, uint64_t n),
                            uint64_t a, uint64_t b)
{
    struct diff *d = begin(1, 1);
    add(d, DIFF_A, a);
    add(d, DIFF_B, b);
    REQUIRE(diff_finish(d) == 0);
    return d;
}

static const struct diff_item *guilty(const struct diff *d, bool grew)
{
    const struct diff_family *f = &d->families[ORIEL_SAMPLE_CPU];
    uint32_t row = diff_worst(f, grew);
    return row == UINT32_MAX ? NULL : diff_row_item(d, f, row);
}

static bool is(const struct diff_item *item, const char *name)
{
    return item && item->name.n == strlen(name) && memcmp(item->name.p, name, item->name.n) == 0;
}

/* What one of the ways to tell it says; to be freed by buf_done. */
static struct buf told(int (*tell)(const struct diff *d, struct buf *out), const struct diff *d)
{
    struct buf b;
    buf_init(&b);
    CHECK_EQ(tell(d, &b), 0);
    (void)buf_cstr(&b);
    return b;
}

static void expect_told(int (*tell)(const struct diff *d, struct buf *out), const struct diff *d,
                        const char *text)
{
    struct buf b = told(tell, d);
    if (!strstr(b.data, text))
        test_fail(__FILE__, __LINE__, "no \"%s\" in:\n%s", text, b.data);
    buf_done(&b);
}

TEST(the_function_that_became_slower_is_named_first)
{
    struct diff *d = diff_of("main;parse 500,main;emit 700,main;emit;copy 300",
                             "main;parse 800,main;emit 705,main;emit;copy 100");
    CHECK(is(guilty(d, true), "parse"));
    CHECK(is(guilty(d, false), "copy"));
    CHECK_EQ(d->families[ORIEL_SAMPLE_CPU].sure, 2);
    expect_told(diff_text, d, "more  parse");
    expect_told(diff_text, d, "called from main");
    expect_told(diff_text, d, "less  copy");
    expect_told(diff_text, d, "called from emit");
    diff_free(d);
}

TEST(what_did_not_change_is_not_named)
{
    static const char *const second[] = {
        "main;parse 500,main;emit 700", "main;parse 520,main;emit 690",
        "main;parse 500,main;emit 700,main;once 2", "main;parse 480,main;emit 735"};
    for (size_t i = 0; i < 4; i++) {
        struct diff *d = diff_of("main;parse 500,main;emit 700", second[i]);
        struct buf b;
        buf_init(&b);
        CHECK(!guilty(d, true) && !guilty(d, false));
        expect_told(diff_text, d, "no function changed by more than noise");
        CHECK(!diff_is_worse(d, 0, &b));
        CHECK_EQ(b.size, 0);
        buf_done(&b);
        diff_free(d);
    }
}

TEST(functions_are_the_same_by_their_name_wherever_and_whatever_compiled_them)
{
    struct diff *d = begin(1, 1);
    add_run(d, DIFF_A, "main;parse.part.0 500,main;run::h0123456789abcdef 300", "/old/app-1");
    add_run(d, DIFF_B, "main;parse 505,main;run::hfedcba9876543210 301", "/new/app-2");
    REQUIRE(diff_finish(d) == 0);
    CHECK(!guilty(d, true) && !guilty(d, false));
    CHECK_EQ(d->families[ORIEL_SAMPLE_CPU].items.count, 3);
    diff_free(d);
}

TEST(new_and_gone_functions_are_found)
{
    struct diff *d = diff_of("main;parse 500,main;old 200", "main;parse 500,main;new 230");
    CHECK(is(guilty(d, true), "new"));
    CHECK(is(guilty(d, false), "old"));
    diff_free(d);
}

TEST(what_the_kernel_does_counts_for_whoever_asked_for_it)
{
    struct profile_maker m;
    struct diff *d = begin(1, 1);
    for (int side = 0; side < 2; side++) {
        char path[] = "main;load;read_it";
        struct report *r = NULL;
        maker_begin(&m);
        uint32_t node = maker_stack(&m, path);
        node = maker_node(&m, node, maker_kernel(&m), 0xffff0000, false, "copy_page");
        REQUIRE(report_new(&r, NULL, &m.catalog) == 0);
        for (int i = 0; i < 300 + side * 300; i++)
            maker_sample(&m, &r->profile, ORIEL_SAMPLE_CPU, node, MS);
        REQUIRE(diff_add(d, (enum diff_side)side, r, "x") == 0);
        report_free(r);
        maker_end(&m);
    }
    REQUIRE(diff_finish(d) == 0);
    CHECK(is(guilty(d, true), "read_it"));
    struct buf b = told(diff_text, d);
    CHECK(strstr(b.data, "called from load"));
    CHECK(!strstr(b.data, "copy_page"));
    buf_done(&b);
    diff_free(d);
}

TEST(several_runs_measure_the_noise_and_tell_smaller_changes)
{
    static const char *const runs[] = {
        "main;parse 1000,main;emit 2000", "main;parse 1013,main;emit 1990",
        "main;parse 990,main;emit 2011",  "main;parse 1190,main;emit 2005",
        "main;parse 1205,main;emit 1996", "main;parse 1210,main;emit 2003"};
    struct diff *d = begin(3, 3);
    for (int i = 0; i < 6; i++)
        add_run(d, i < 3 ? DIFF_A : DIFF_B, runs[i], "/bin/app");
    REQUIRE(diff_finish(d) == 0);
    CHECK(is(guilty(d, true), "parse"));
    CHECK_EQ(d->families[ORIEL_SAMPLE_CPU].sure, 1);
    struct buf b;
    buf_init(&b);
    diff_say_noise(d, &b);
    CHECK(strstr(buf_cstr(&b), "measured"));
    buf_done(&b);
    diff_free(d);
}

TEST(a_check_fails_on_what_grew_beyond_the_limit_and_says_what)
{
    struct diff *d = diff_of("main;parse 500,main;emit 500", "main;parse 700,main;emit 500");
    struct buf b;
    buf_init(&b);
    CHECK(!diff_is_worse(d, 0.25, &b));
    CHECK_EQ(b.size, 0);
    CHECK(diff_is_worse(d, 0.1, &b));
    CHECK(strstr(buf_cstr(&b), "CPU time: 20.0 % worse, more than 10 %: parse"));
    CHECK(!strchr(buf_cstr(&b), '\n'));
    buf_done(&b);
    diff_free(d);
}

TEST(json_and_markdown_tell_the_same)
{
    struct diff *d = diff_of("main;parse 500,main;a_b|c 500", "main;parse 500,main;a_b|c 900");
    struct buf b = told(diff_json, d);
    struct arena arena;
    struct json_value *v;
    arena_init(&arena);
    REQUIRE(json_read(&arena, b.data, b.size, NULL, &v, NULL) == 0);
    CHECK(strstr(b.data, "\"guilty\":\"a_b|c\""));
    expect_told(diff_markdown, d, "| a\\_b\\|c | 500 ms | 900 ms | +400 ms");
    arena_done(&arena);
    buf_done(&b);
    diff_free(d);
}

TEST(the_page_holds_both_sides_of_every_node)
{
    struct diff *d = diff_of("main;parse 500,main;gone 30", "main;parse 600,main;<new> 40");
    expect_told(diff_html, d, "\"other\":[");
    expect_told(diff_html, d, "\"gone\"");
    expect_told(diff_html, d, "\\u003cnew>");
    const struct diff_tree *t = &d->trees[ORIEL_SAMPLE_CPU];
    CHECK_EQ(t->nodes.count, 5); /* all, main, parse, gone, <new> */
    CHECK(t->nodes.items[0].total[DIFF_A] == 530.0 * MS);
    CHECK(t->nodes.items[0].total[DIFF_B] == 640.0 * MS);
    diff_free(d);
}

/* Spans of 1 ms and of `ms`, 200 each. */
static void add_spans(struct diff *d, enum diff_side side, uint64_t ms)
{
    struct profile_maker m;
    struct model_batch batch;
    struct report *r = NULL;
    maker_begin(&m);
    REQUIRE(report_new(&r, NULL, &m.catalog) == 0);
    model_batch_init(&batch, &m.catalog);
    for (uint64_t i = 0; i < 400; i++) {
        struct model_item *item = model_batch_add_item(&batch);
        REQUIRE(item);
        item->kind = MODEL_ITEM_SPAN;
        uint64_t length = (i % 2 ? ms : 1) * MS + i * 1000;
        item->u.span = (struct model_span){.site = m.sites[i % 2],
                                           .thread = m.threads[0],
                                           .start_ns = i * 100 * MS,
                                           .end_ns = i * 100 * MS + length,
                                           .busy_ns = length,
                                           .end_thread = m.threads[0],
                                           .span_id = i + 1};
    }
    REQUIRE(report_add(r, &batch) == 0);
    REQUIRE(diff_add(d, side, r, "x") == 0);
    report_free(r);
    model_batch_done(&batch);
    maker_end(&m);
}

TEST(spans_are_compared_by_own_time_and_percentiles)
{
    struct diff *d = diff_by(add_spans, 4, 6);
    const struct diff_family *f = &d->families[DIFF_SPANS];
    CHECK_EQ(f->sure, 1);
    CHECK(is(diff_row_item(d, f, f->order[0]), "render"));
    const struct compare_row *p50 = &f->results[DIFF_P50][f->order[0]];
    CHECK(p50->sure && fabs(p50->b / p50->a - 1.5) < 0.1);
    CHECK(!f->results[DIFF_COUNT][f->order[0]].sure);
    struct buf b;
    buf_init(&b);
    CHECK(diff_is_worse(d, 0.3, &b));
    CHECK(strstr(buf_cstr(&b), "render: p50 4."));
    buf_done(&b);
    diff_free(d);
}

/* Spans that allocated `bytes` each, and kept as long. */
static void add_allocating(struct diff *d, enum diff_side side, uint64_t bytes)
{
    struct fx f;
    fx_init(&f, NULL);
    for (int i = 0; i < 10; i++) {
        fx_allocating_span(&f, 0, "load", (int64_t)bytes, 0, 0);
        fx_allocating_span(&f, 0, "parse", 1000000, 0, 1000000);
    }
    fx_flush(&f);
    REQUIRE(diff_add(d, side, f.report, side == DIFF_A ? "a.oriel" : "b.oriel") == 0);
    fx_done(&f);
}

TEST(what_spans_allocate_is_compared_though_they_take_as_long)
{
    struct diff *d = diff_by(add_allocating, 1000000, 1500000);
    CHECK_EQ(d->families[DIFF_SPANS].sure, 0);
    const struct diff_family *f = &d->families[DIFF_SPAN_MEMORY];
    CHECK_EQ(f->sure, 1);
    CHECK(is(diff_row_item(d, f, f->order[0]), "load"));
    expect_told(diff_text, d, "memory allocated in spans +25 %: 20 MB -> 25 MB");
    expect_told(diff_text, d, "more  load (demo.c:14): 10 MB -> 15 MB, +50 %");
    expect_told(diff_json, d, "\"kind\":\"span_memory\",\"unit\":\"bytes\"");
    expect_told(diff_markdown, d, "| load | 10 MB | 15 MB | +5 MB");
    struct buf b;
    buf_init(&b);
    CHECK(diff_is_worse(d, 0.2, &b)); /* the whole by 25 %, load adds as much to it */
    CHECK(strstr(buf_cstr(&b), "load"));
    buf_done(&b);
    diff_free(d);
}

/* Exact sums: one sample holds all of a stack. */
static void add_exact(struct diff *d, enum diff_side side, uint64_t parsed)
{
    struct fx f;
    fx_init(&f, NULL);
    REQUIRE(model_catalog_set_resource(&f.catalog, MODEL_STR("oriel.heap"), MODEL_STR("exact")) ==
            0);
    fx_sample(&f, ORIEL_SAMPLE_ALLOC, 0, NULL, "parse", parsed);
    fx_sample(&f, ORIEL_SAMPLE_ALLOC, 0, NULL, "load", 40000000);
    fx_flush(&f);
    REQUIRE(diff_add(d, side, f.report, side == DIFF_A ? "a.oriel" : "b.oriel") == 0);
    fx_done(&f);
}

TEST(what_was_counted_has_no_error_of_sampling)
{
    struct diff *d = diff_by(add_exact, 10000000, 13000000);
    const struct diff_family *f = &d->families[ORIEL_SAMPLE_ALLOC];
    CHECK_EQ(f->sure, 1);
    CHECK(is(diff_row_item(d, f, f->order[0]), "parse"));
    diff_free(d);
}

TEST(a_side_takes_no_more_runs_than_it_said)
{
    struct diff *d = NULL;
    struct diff_options o = {.size = sizeof o, .runs = {0, 1}};
    CHECK_EQ(diff_new(&d, &o), ORIEL_EINVAL);
    o.runs[0] = DIFF_RUNS_MAX;
    CHECK_EQ(diff_new(&d, &o), ORIEL_EINVAL);
    d = begin(1, 1);
    add_spans(d, DIFF_A, 4);
    struct report *r = NULL;
    struct profile_maker m;
    maker_begin(&m);
    REQUIRE(report_new(&r, NULL, &m.catalog) == 0);
    CHECK_EQ(diff_add(d, DIFF_A, r, "x"), ORIEL_EINVAL);
    CHECK_EQ(diff_add(d, DIFF_B, r, "x"), 0);
    REQUIRE(diff_finish(d) == 0);
    CHECK(!diff_is_empty(d));
    report_free(r);
    maker_end(&m);
    diff_free(d);
}

TEST_MAIN()
