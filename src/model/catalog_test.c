/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The catalog: addresses that stay, texts that are copied, keys that are found.
 */
#include "model/catalog.h"

#include <stdlib.h>

#include "base/err.h"
#include "test.h"

static bool is(struct model_str s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

TEST(a_process_is_named_after_its_executable)
{
    struct model_catalog c;
    model_catalog_init(&c);
    struct model_process *a =
        model_catalog_add_process(&c, 7, MODEL_STR("/opt/x/server"), MODEL_STR("server\0-v"));
    struct model_process *b = model_catalog_add_process(&c, 8, MODEL_STR("tool"), MODEL_STR(""));
    REQUIRE(a && b);
    CHECK(is(a->name, "server"));
    CHECK(is(b->name, "tool"));
    CHECK_MEM(a->cmdline.p, a->cmdline.n, "server\0-v", 9);
    CHECK_EQ(b->index, 1);
    CHECK_EQ(b->pid, 8);
    model_catalog_done(&c);
}

TEST(items_never_move_and_texts_are_copied)
{
    struct model_catalog c;
    char name[16];
    model_catalog_init(&c);
    REQUIRE(model_catalog_add_process(&c, 1, MODEL_STR("p"), MODEL_STR("")));
    struct model_site site = {.id = 2, .name = {name, 5}};
    snprintf(name, sizeof name, "first");
    const struct model_site *first = model_catalog_add_site(&c, &site);
    const struct model_thread *t0 = model_catalog_add_thread(&c, 0, 10, 1);
    REQUIRE(first && t0);
    for (uint32_t i = 3; i < 5000; i++) {
        site.id = i;
        site.name.n = (uint32_t)snprintf(name, sizeof name, "s%u", i);
        REQUIRE(model_catalog_add_site(&c, &site));
        REQUIRE(model_catalog_add_thread(&c, 0, (int32_t)i, i));
    }
    CHECK(is(first->name, "first"));
    CHECK(model_catalog_site(&c, 0, 2) == first);
    CHECK(model_catalog_thread(&c, 1) == t0);
    CHECK(is(model_catalog_site(&c, 0, 4321)->name, "s4321"));
    CHECK_EQ(model_catalog_site(&c, 0, 4321)->index, 4319);
    CHECK(!model_catalog_site(&c, 1, 2));
    CHECK(!model_catalog_site(&c, 0, 5000));
    model_catalog_done(&c);
}

TEST(a_site_carries_its_fields_and_a_known_one_comes_back_unchanged)
{
    struct model_catalog c;
    model_catalog_init(&c);
    struct model_field_def fields[] = {{MODEL_STR("path"), ORIEL_TYPE_STR, ORIEL_FIELD_ARG},
                                       {MODEL_STR("n"), ORIEL_TYPE_I64, 0}};
    struct model_site site = {
        .id = 9, .name = MODEL_STR("open"), .field_count = 2, .fields = fields, .flags = 1};
    const struct model_site *s = model_catalog_add_site(&c, &site);
    REQUIRE(s);
    fields[0].name = MODEL_STR("other");
    CHECK(is(s->fields[0].name, "path"));
    CHECK_EQ(s->fields[0].flags, ORIEL_FIELD_ARG);
    CHECK_EQ(s->types[0], ORIEL_TYPE_STR);
    CHECK_EQ(s->types[1], ORIEL_TYPE_I64);
    CHECK_EQ(s->flags, 1);
    site.name = MODEL_STR("again");
    CHECK(model_catalog_add_site(&c, &site) == s);
    CHECK(is(s->name, "open"));
    CHECK_EQ(c.site_count, 1);
    model_catalog_done(&c);
}

TEST(a_further_stream_counts_as_its_thread)
{
    struct model_catalog c;
    model_catalog_init(&c);
    REQUIRE(model_catalog_add_process(&c, 1, MODEL_STR("p"), MODEL_STR("")));
    const struct model_thread *t = model_catalog_add_thread(&c, 0, 5, 1);
    CHECK_EQ(model_catalog_alias_thread(&c, 2, t->index), 0);
    CHECK(model_catalog_thread(&c, 2) == t);
    CHECK(!model_catalog_thread(&c, 3));
    model_catalog_done(&c);
}

TEST(a_thread_can_be_renamed)
{
    struct model_catalog c;
    model_catalog_init(&c);
    REQUIRE(model_catalog_add_process(&c, 1, MODEL_STR("p"), MODEL_STR("")));
    struct model_thread *t = model_catalog_add_thread(&c, 0, 5, 1);
    CHECK_EQ(t->name.n, 0);
    CHECK_EQ(model_thread_set_name(&c, t, MODEL_STR("worker")), 0);
    const char *same = t->name.p;
    CHECK_EQ(model_thread_set_name(&c, t, MODEL_STR("worker")), 0);
    CHECK(t->name.p == same); /* nothing new was stored */
    CHECK_EQ(model_thread_set_name(&c, t, MODEL_STR("io")), 0);
    CHECK(is(t->name, "io"));
    model_catalog_done(&c);
}

TEST(a_resource_key_holds_its_latest_value)
{
    struct model_catalog c;
    model_catalog_init(&c);
    CHECK_EQ(model_catalog_set_resource(&c, MODEL_STR("host.name"), MODEL_STR("a")), 0);
    CHECK_EQ(model_catalog_set_resource(&c, MODEL_STR("os.type"), MODEL_STR("linux")), 0);
    CHECK_EQ(model_catalog_set_resource(&c, MODEL_STR("host.name"), MODEL_STR("b")), 0);
    CHECK_EQ(c.resource_count, 2);
    CHECK(is(model_catalog_resource(&c, "host.name"), "b"));
    CHECK(is(model_catalog_resource(&c, "nothing"), ""));
    model_catalog_done(&c);
}

/* Everything once; 0 when all of it worked. */
static int fill(struct model_catalog *c)
{
    struct model_field_def field = {MODEL_STR("k"), ORIEL_TYPE_STR, 0};
    struct model_site site = {.id = 2,
                              .name = MODEL_STR("n"),
                              .target = MODEL_STR("t"),
                              .fields = &field,
                              .field_count = 1};
    if (!model_catalog_add_process(c, 1, MODEL_STR("p"), MODEL_STR("c")))
        return -1;
    struct model_thread *t = model_catalog_add_thread(c, 0, 1, 1);
    if (!t || !model_catalog_add_site(c, &site))
        return -1;
    return model_catalog_alias_thread(c, 2, 0) || model_thread_set_name(c, t, MODEL_STR("name")) ||
           model_catalog_set_resource(c, MODEL_STR("k"), MODEL_STR("v"));
}

TEST(every_allocation_may_fail_and_nothing_leaks)
{
    size_t blocks = mem_live_blocks();
    int rc = -1;
    for (uint64_t n = 1; rc != 0 && n < 100; n++) {
        struct model_catalog c;
        model_catalog_init(&c);
        mem_fail_after(n);
        rc = fill(&c);
        mem_fail_after(0);
        model_catalog_done(&c);
        CHECK_EQ(mem_live_blocks(), blocks);
    }
    CHECK_EQ(rc, 0);
}

TEST(the_latest_of_a_pid_and_of_a_tid_is_found)
{
    struct model_catalog c;
    model_catalog_init(&c);
    CHECK(model_catalog_find_process(&c, 7) == NULL);
    struct model_process *a = model_catalog_add_process(&c, 7, MODEL_STR("/bin/sh"), MODEL_STR(""));
    CHECK(model_catalog_find_process(&c, 7) == a);
    struct model_process *b = model_catalog_add_process(&c, 7, MODEL_STR("/bin/ls"), MODEL_STR(""));
    CHECK(model_catalog_find_process(&c, 7) == b);
    struct model_thread *t = model_catalog_add_thread(&c, a->index, 9, 1);
    CHECK(model_catalog_find_thread(&c, a->index, 9) == t);
    CHECK(model_catalog_find_thread(&c, b->index, 9) == NULL);
    struct model_thread *u = model_catalog_add_thread(&c, a->index, 9, 2);
    CHECK(model_catalog_find_thread(&c, a->index, 9) == u);
    u->looked_at = true; /* then it writes a stream itself: once, for its tid comes again */
    CHECK(model_catalog_adopt_thread(&c, a->index, 9, 70) == u);
    CHECK(model_catalog_thread(&c, 70) == u && u->own_serial == 70);
    struct model_thread *v = model_catalog_adopt_thread(&c, a->index, 9, 71);
    CHECK(v && v != u && v->serial == 71);
    CHECK(model_catalog_adopt_thread(&c, a->index, 9, 72) != v); /* nobody looked at that one */
    CHECK(model_catalog_thread(&c, 1) == t);
    model_catalog_done(&c);
}

TEST(a_time_is_told_in_the_ticks_of_its_process_also_before_its_clock_was_read)
{
    struct model_catalog c;
    model_catalog_init(&c);
    struct model_process *p = model_catalog_add_process(&c, 1, MODEL_STR("/bin/a"), MODEL_STR("a"));
    REQUIRE(p);
    const struct model_thread *t = model_catalog_add_thread(&c, p->index, 1, 1);
    CHECK_EQ(model_catalog_ticks(&c, t, 1000, 400), 600);                  /* unknown */
    p->clock.now = (struct clock_piece){5000, 1000000, UINT64_C(1) << 31}; /* half a ns each */
    CHECK_EQ(model_catalog_ticks(&c, t, 1000100, 0), 5200);
    CHECK_EQ(model_catalog_ticks(&c, t, 999900, 0), 4800);
    model_catalog_done(&c);
}

TEST(a_program_whose_span_events_are_log_records_too_has_sites_that_say_so)
{
    struct model_value said[] = {
        {.key = MODEL_STR(MODEL_SPAN_EVENTS_KEY),
         .type = ORIEL_TYPE_STR,
         .v.str = MODEL_STR(MODEL_SPAN_EVENTS_LOGGED)},
    };
    struct model_told told = {.attrs = said, .attr_count = 1};
    struct model_catalog c;
    model_catalog_init(&c);
    for (int when = 0; when < 3; when++) { /* told before its sites, behind them, another word */
        struct model_process *p =
            model_catalog_add_process(&c, when, MODEL_STR("p"), MODEL_STR(""));
        struct model_site like = {.id = 2, .process = p->index, .name = MODEL_STR("s")};
        if (when == 2)
            said[0].v.str = MODEL_STR("elsewhere");
        if (when != 1)
            REQUIRE(model_process_set_told(&c, p, &told) == 0);
        const struct model_site *s = model_catalog_add_site(&c, &like);
        if (when == 1) {
            CHECK(!s->copies);
            REQUIRE(model_process_set_told(&c, p, &told) == 0);
        }
        CHECK_EQ(s->copies, when != 2);
    }
    model_catalog_done(&c);
}

TEST_MAIN()
