/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Crash sections: the thread, its open spans and last acts; signals that a
 * program survived are no crashes; a death without a note still has a line.
 */
#include "report/crash.h"

#include "report/testing.h"

static struct model_event *crash_at(struct fx *f, unsigned thread, bool handled)
{
    struct model_event *e = fx_event(f, thread, ORIEL_LEVEL_FATAL, "oriel.crash", "exception");
    struct model_value *v = fx_values(f, 6);
    v[0] = fx_text("exception.type", "SIGSEGV");
    v[1] = fx_text("exception.message", "address not mapped");
    v[2] = fx_i64("signal.number", 11);
    v[3] = fx_i64("signal.code", 1);
    v[4] = (struct model_value){
        .key = fx_str("signal.address"), .type = ORIEL_TYPE_PTR, .v.u64 = 0x10};
    v[5] = (struct model_value){
        .key = fx_str("signal.handled"), .type = ORIEL_TYPE_BOOL, .v.b = handled};
    e->attrs = v;
    e->attr_count = 6;
    return e;
}

static void unfinished(struct fx *f, unsigned thread)
{
    while (f->depth[thread]) {
        struct model_span *s = (struct model_span *)fx_end(f, thread);
        s->flags |= MODEL_SPAN_UNFINISHED;
    }
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *p = text; (p = strstr(p, what)); p++)
        n++;
    return n;
}

TEST(a_crash_is_told_with_thread_open_spans_and_last_acts)
{
    struct fx f;
    struct buf b, line;
    fx_init(&f, NULL);
    fx_begin(&f, 1, "request");
    fx_begin(&f, 1, "parse");
    for (int i = 0; i < 100; i++) {
        f.now += FX_US;
        fx_event(&f, 1, ORIEL_LEVEL_INFO, "demo", "tick");
        fx_event(&f, 0, ORIEL_LEVEL_INFO, "demo", "elsewhere");
    }
    fx_span(&f, 1, "leaf", FX_US);
    crash_at(&f, 1, false);
    f.now += FX_MS;
    unfinished(&f, 1);
    const char *text = fx_told(&f, &b, false, NULL);
    CHECK(strstr(text, "SIGSEGV (address not mapped) at address 0x10 in thread worker-1, 101 us"));
    CHECK(strstr(text, "request"));
    CHECK(strstr(text, "demo.c:17")); /* of request */
    const char *last = strstr(text, "last it did");
    REQUIRE(last);
    const char *end = strstr(last, "\n\n");
    REQUIRE(end);
    char part[16384];
    snprintf(part, sizeof part, "%.*s", (int)(end - last), last);
    CHECK_EQ(count(part, "tick"), 63);
    CHECK_EQ(count(part, "leaf"), 1);
    CHECK_EQ(count(part, "elsewhere"), 0);
    buf_init(&line);
    CHECK_EQ(report_crash(f.report, &line), 0);
    CHECK(strstr(buf_cstr(&line), "in span parse (demo.c:15); last event tick (demo.c:20)"));
    buf_done(&line);
    buf_done(&b);
    fx_done(&f);
}

TEST(a_signal_the_program_survived_is_no_crash)
{
    struct fx f;
    struct buf b;
    fx_init(&f, NULL);
    for (int i = 0; i < 40; i++) {
        crash_at(&f, 0, true);
        f.now += FX_US;
        fx_event(&f, 0, ORIEL_LEVEL_INFO, "demo", "went on");
        f.now += FX_US;
    }
    crash_at(&f, 0, true); /* maybe its last act, but it ended well */
    CHECK(!strstr(fx_told(&f, &b, false, NULL), "\ncrash\n"));
    buf_done(&b);
    CHECK(!strstr(fx_told(&f, &b, true, NULL), "\"crashes\""));
    buf_done(&b);
    fx_done(&f);
}

TEST(a_handled_signal_counts_when_the_process_died_of_it)
{
    struct fx f;
    struct buf b;
    fx_init(&f, NULL);
    CHECK_EQ(model_catalog_set_resource(&f.catalog, MODEL_STR("oriel.exit.pid"), MODEL_STR("4711")),
             0);
    CHECK_EQ(model_catalog_set_resource(&f.catalog, MODEL_STR("oriel.exit.signal"),
                                        MODEL_STR("SIGSEGV")),
             0);
    crash_at(&f, 2, true);
    const char *text = fx_told(&f, &b, false, NULL);
    CHECK(strstr(text, "in thread worker-2"));
    CHECK(strstr(text, "own handler was called"));
    CHECK_EQ(count(text, "\ncrash\n"), 1);
    buf_done(&b);
    fx_done(&f);
}

TEST(a_death_without_an_event_is_told_from_the_note)
{
    struct fx f;
    struct buf b;
    static const char *const facts[][2] = {{"oriel.crash.signal", "SIGBUS"},
                                           {"oriel.crash.reason", "no memory behind the address"},
                                           {"oriel.crash.pid", "4711"},
                                           {"oriel.crash.tid", "4713"},
                                           {"oriel.crash.address", "0xabc"}};
    fx_init(&f, NULL);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(model_catalog_set_resource(&f.catalog, fx_str(facts[i][0]), fx_str(facts[i][1])),
                 0);
    fx_begin(&f, 2, "request");
    fx_event(&f, 2, ORIEL_LEVEL_INFO, "demo", "tick");
    f.now += FX_US;
    unfinished(&f, 2);
    const char *text = fx_told(&f, &b, false, NULL);
    CHECK(
        strstr(text, "SIGBUS (no memory behind the address) at address 0xabc in thread worker-2"));
    CHECK(strstr(text, "open span"));
    CHECK(strstr(text, "last it did"));
    buf_done(&b);
    /* Told twice, it is there once. */
    CHECK_EQ(count(fx_told(&f, &b, false, NULL), "\ncrash\n"), 1);
    buf_done(&b);
    fx_done(&f);
}

TEST(a_death_nobody_noted_says_that_the_thread_is_not_known)
{
    struct fx f;
    struct buf b;
    fx_init(&f, NULL);
    CHECK_EQ(model_catalog_set_resource(&f.catalog, MODEL_STR("oriel.exit.pid"), MODEL_STR("4711")),
             0);
    CHECK_EQ(model_catalog_set_resource(&f.catalog, MODEL_STR("oriel.exit.signal"),
                                        MODEL_STR("SIGKILL")),
             0);
    fx_span(&f, 0, "work", FX_US);
    const char *text = fx_told(&f, &b, false, NULL);
    CHECK(strstr(text, "\n  SIGKILL\n"));
    CHECK(strstr(text, "which thread it was is not known"));
    buf_done(&b);
    fx_done(&f);
}

TEST(threads_that_share_a_place_do_not_mix_their_acts)
{
    struct crashes c = {0};
    struct model_thread a = {.index = 5}, other = {.index = 5 + CRASH_THREADS};
    struct model_site site = {.name = MODEL_STR("tick")},
                      crash = {.name = MODEL_STR("exception"), .target = MODEL_STR("oriel.crash")};
    struct model_event e = {.t_ns = 1, .thread = &a, .site = &site};
    for (int i = 0; i < 200; i++)
        CHECK_EQ(crashes_event(&c, &e), 0);
    e.thread = &other;
    CHECK_EQ(crashes_event(&c, &e), 0);
    e.site = &crash;
    for (int i = 0; i < 2 * CRASHES_MAX; i++)
        CHECK_EQ(crashes_event(&c, &e), 0);
    REQUIRE(c.items.count == CRASHES_MAX); /* bounded */
    CHECK_EQ(c.items.items[0]->last_count, 1);
    crashes_done(&c);
}

TEST_MAIN()
