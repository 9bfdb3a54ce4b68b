/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report as a whole: options, bounds, conservation, failing memory.
 */
#include "report/testing.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "report/state.h"

TEST(options_of_a_wrong_size_or_half_a_question_are_refused)
{
    struct model_catalog c;
    struct report *r = NULL;
    model_catalog_init(&c);
    struct report_options o = {.size = 3};
    CHECK_EQ(report_new(&r, &o, &c), ORIEL_EINVAL);
    o.size = sizeof o + 8;
    CHECK_EQ(report_new(&r, &o, &c), ORIEL_EINVAL);
    o = (struct report_options){.size = sizeof o, .from = "a"};
    CHECK_EQ(report_new(&r, &o, &c), ORIEL_EINVAL);
    CHECK(r == NULL);
    report_free(NULL);
    CHECK_EQ(mem_live_blocks(), 0);
    model_catalog_done(&c);
}

TEST(options_of_the_first_size_are_understood)
{
    struct model_catalog c;
    struct report *r = NULL;
    size_t old = offsetof(struct report_options, key);
    struct report_options full = {.size = (uint32_t)old, .top = 3};
    struct report_options *o = malloc(old); /* exactly as long as a caller of old has it */
    REQUIRE(o);
    memcpy(o, &full, old);
    model_catalog_init(&c);
    CHECK_EQ(report_new(&r, o, &c), 0);
    CHECK_EQ(r->options.top, 3);
    CHECK_EQ(r->options.width, 100);
    report_free(r);
    model_catalog_done(&c);
    free(o);
}

/* A worker loop: requests with steps, a slow one now and then, in one long
 * span per thread. */
static void run_loop(struct fx *f, unsigned requests)
{
    static const char *const steps[] = {"parse", "lookup", "render"};
    for (unsigned t = 0; t < FX_THREADS; t++)
        fx_begin(f, t, "worker");
    for (unsigned i = 0; i < requests; i++) {
        unsigned t = i % FX_THREADS;
        fx_begin(f, t, "request");
        for (unsigned k = 0; k < 3; k++)
            fx_span(f, t, steps[k], 1000 + (i * 7919 + k * 104729) % 65537);
        if (i % 16 == 0)
            fx_event(f, t, ORIEL_LEVEL_INFO, "app", "request done");
        fx_end(f, t);
    }
    for (unsigned t = 0; t < FX_THREADS; t++)
        fx_end(f, t);
}

TEST(a_million_spans_take_a_few_mebibytes)
{
    for (int tree = 0; tree < 2; tree++) {
        struct fx f;
        struct buf b;
        struct report_options o = {.size = sizeof o, .tree = tree};
        fx_init(&f, &o);
        run_loop(&f, 1000);
        fx_flush(&f);
        size_t early = mem_live_bytes();
        run_loop(&f, 250000);
        fx_flush(&f);
        size_t late = mem_live_bytes();
        CHECK(late < (tree ? 24u << 20 : 12u << 20));
        CHECK(tree || late < early + (1u << 20)); /* it does not grow with the recording */
        CHECK_EQ(f.report->spans, 2 * FX_THREADS + 4 * 251000);
        const char *text = fx_told(&f, &b, false, NULL);
        CHECK(strstr(text, "1,004,008 spans"));
        CHECK(tree || strstr(text, "  request"));
        buf_done(&b);
        fx_done(&f);
        CHECK_EQ(mem_live_blocks(), 0);
    }
}

TEST(names_paths_and_open_spans_without_end_stay_within_the_stated_bound)
{
    struct fx f;
    fx_init(&f, &(struct report_options){.size = sizeof(struct report_options), .tree = true});
    static struct model_site sites[60000];
    static char names[60000][12];
    for (uint32_t i = 0; i < 60000; i++) {
        snprintf(names[i], sizeof names[i], "name-%u", i);
        sites[i] = (struct model_site){.index = i, .name = fx_str(names[i])};
    }
    for (uint64_t i = 0; i < 600000; i++) {
        struct model_item *item = fx_item(&f, MODEL_ITEM_SPAN);
        struct model_span *s = &item->u.span;
        s->span_id = 1 + i;
        s->parent_id = 10000000 + i * 7919 % 1000003; /* open for ever */
        s->start_ns = FX_START + i;
        s->end_ns = s->start_ns + (i << i % 40);
        s->site = &sites[i * 31 % 60000];
        s->thread = f.threads[i % FX_THREADS];
        memcpy(s->trace_id, &i, sizeof i);
    }
    fx_flush(&f);
    size_t bytes = mem_live_bytes();
    CHECK(bytes < 192u << 20);
    struct buf b;
    fx_told(&f, &b, true, NULL);
    buf_done(&b);
    uint64_t count = 0;
    for (size_t i = 1; i < f.report->tree.nodes.count; i++)
        count += f.report->tree.nodes.items[i].count;
    CHECK_EQ(count, 600000);
    fx_done(&f);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(sums_by_path_and_by_name_agree_with_what_was_recorded)
{
    struct fx f;
    struct report_flats flats;
    fx_init(&f, NULL);
    run_loop(&f, 5000);
    fx_flush(&f);
    CHECK_EQ(report_settle(f.report), 0);
    REQUIRE(report_flatten(f.report, &flats) == 0);
    uint64_t count = 0, self = 0;
    for (size_t i = 0; i < flats.items.count; i++) {
        count += flats.items.items[i].count;
        self += flats.items.items[i].self;
        CHECK_EQ(flats.items.items[i].hist.count, flats.items.items[i].count);
    }
    CHECK_EQ(count, FX_THREADS + 4 * 5000);
    CHECK_EQ(flats.items.count, 5);
    /* All threads stand in one span all the time. */
    CHECK_EQ(self, FX_THREADS * (f.now - FX_START));
    report_flats_done(&flats);
    fx_done(&f);
}

TEST(telling_it_twice_tells_the_same)
{
    struct fx f;
    struct buf a, b;
    struct report_options o = {.size = sizeof o, .tree = true};
    for (int tree = 0; tree < 2; tree++) {
        o.tree = tree;
        fx_init(&f, &o);
        run_loop(&f, 300);
        fx_told(&f, &a, false, NULL);
        fx_told(&f, &b, false, NULL);
        CHECK_STR(buf_cstr(&a), buf_cstr(&b));
        buf_done(&a);
        buf_done(&b);
        fx_told(&f, &a, true, NULL);
        fx_told(&f, &b, true, NULL);
        CHECK_STR(buf_cstr(&a), buf_cstr(&b));
        buf_done(&a);
        buf_done(&b);
        fx_done(&f);
    }
}

TEST(ends_without_a_begin_are_counted_and_not_added_up)
{
    struct fx f;
    struct buf b;
    fx_init(&f, NULL);
    struct model_item *i = fx_item(&f, MODEL_ITEM_SPAN);
    i->u.span =
        (struct model_span){.start_ns = f.now, .end_ns = f.now, .flags = MODEL_SPAN_ORPHAN_END};
    const char *text = fx_told(&f, &b, false, NULL);
    CHECK(strstr(text, "1 span ended whose begin is missing"));
    CHECK(!strstr(text, "where the time went"));
    buf_done(&b);
    fx_done(&f);
}

/* One of everything, so that each collector allocates. */
static void one_of_each(struct fx *f)
{
    const struct model_site *site = fx_site(f, "s");
    fx_begin(f, 0, "outer");
    fx_event(f, 0, ORIEL_LEVEL_INFO, "t", "a");
    for (int i = 0; i < 5; i++)
        fx_span(f, 0, "s", 100);
    fx_event(f, 0, ORIEL_LEVEL_INFO, "t", "b");
    fx_end(f, 0);
    for (uint8_t op = ORIEL_TASK_SPAWN; op <= ORIEL_TASK_NAME; op++) {
        struct model_item *i = fx_item(f, MODEL_ITEM_TASK);
        i->u.task = (struct model_task){.t_ns = f->now, .task = 1, .site = site, .op = op};
        i = fx_item(f, MODEL_ITEM_FRAME);
        i->u.frame = (struct model_frame){.t_ns = f->now, .site = site};
        i = fx_item(f, MODEL_ITEM_PLOT);
        i->u.plot = (struct model_plot){.t_ns = f->now, .site = site, .value = fx_i64("v", 1)};
        f->now += 10;
    }
}

TEST_T(every_allocation_may_fail_without_crash_or_leak, 300)
{
    bool done = false;
    for (uint64_t n = 1; !done && n < 2000; n++) {
        struct fx f;
        struct buf b;
        struct report *r = NULL;
        struct report_options o = {
            .size = sizeof o, .tree = n % 2, .from = "a", .to = "b", .key = n % 3 ? NULL : "k"};
        fx_init(&f, NULL);
        one_of_each(&f);
        buf_init(&b);
        mem_fail_after(n);
        int rc = report_new(&r, &o, &f.catalog);
        CHECK(rc == 0 || rc == ORIEL_ENOMEM);
        if (rc == 0) {
            int added = report_add(r, &f.batch), text = report_text(r, NULL, &b),
                json = report_json(r, NULL, &b);
            CHECK(added == 0 || added == ORIEL_ENOMEM);
            CHECK(text == 0 || text == ORIEL_ENOMEM);
            CHECK(json == 0 || json == ORIEL_ENOMEM);
            done = added == 0 && text == 0 && json == 0 && !b.failed;
        }
        mem_fail_after(0);
        report_free(r);
        buf_done(&b);
        fx_done(&f);
        CHECK_EQ(mem_live_blocks(), 0);
    }
    CHECK(done);
}

TEST_MAIN()
