/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tables of counted calls: who called whom, whose time it was, and what the
 * program said of what is missing.
 */
#include "report/callsums.h"

#include "report/state.h"
#include "report/test_profile.h"

static struct profile_maker m;
static struct report r;

static void begin(void)
{
    maker_begin(&m);
    memset(&r, 0, sizeof r);
}

static void end(void)
{
    callsums_done(&r.calls);
    maker_end(&m);
}

/* `calls` of the function at the end of a path, `self` ns in it, `most` for one of them. */
static void add(const char *path, uint64_t calls, uint64_t self, uint64_t least, uint64_t most)
{
    char text[256];
    snprintf(text, sizeof text, "%s", path);
    struct model_sample s = {.kind = ORIEL_SAMPLE_CALL,
                             .thread = m.threads[0],
                             .weight = self,
                             .count = calls,
                             .extra = ORIEL_CALL_TIMES(least, most)};
    s.stack = maker_stack(&m, text);
    REQUIRE(model_profile_add(&m.profile, &s) == 0);
    REQUIRE(callsums_sample(&r.calls, &s) == 0);
}

static struct call_tables t;
static void make(void)
{
    r.profile = m.profile;
    r.catalog = &m.catalog;
    REQUIRE(call_tables_make(&r, &m.frames, &t) == 0);
}

static bool named(uint32_t frame, const char *name)
{
    if (frame == FRAMES_NONE)
        return name == NULL;
    struct model_str s = m.frames.items.items[frame].name;
    return name && s.n == strlen(name) && memcmp(s.p, name, s.n) == 0;
}

static struct call_row row(const char *name)
{
    for (size_t i = 0; i < t.rows.count; i++)
        if (named(t.rows.items[i].frame, name))
            return t.rows.items[i];
    return (struct call_row){.frame = FRAMES_NONE};
}

static struct call_edge edge(const char *caller, const char *callee)
{
    for (size_t i = 0; i < t.edges.count; i++)
        if (named(t.edges.items[i].caller, caller) && named(t.edges.items[i].callee, callee))
            return t.edges.items[i];
    return (struct call_edge){.caller = FRAMES_NONE - 1};
}

TEST(calls_and_times_add_up_over_all_paths_of_a_function)
{
    begin();
    add("main", 1, 10, 100, 100);
    add("main;parse", 4, 30, 5, 20);
    add("main;parse;read", 8, 40, 1, 9);
    add("main;read", 2, 20, 7, 30);
    make();
    CHECK_EQ(t.calls, 15);
    CHECK_EQ(t.self, 100);
    CHECK_EQ(row("main").total, 100);
    CHECK_EQ(row("parse").total, 70);
    CHECK_EQ(row("parse").self, 30);
    CHECK_EQ(row("read").calls, 10);
    CHECK_EQ(row("read").self, 60);
    CHECK_EQ(row("read").times.least, 1);
    CHECK_EQ(row("read").times.most, 30);
    CHECK_EQ(edge("parse", "read").calls, 8);
    CHECK_EQ(edge("main", "read").calls, 2);
    CHECK_EQ(edge("main", "parse").total, 70);
    CHECK_EQ(edge(NULL, "main").calls, 1);
    CHECK_EQ(edge(NULL, "main").total, 100);
    call_tables_done(&t);
    end();
}

TEST(recursion_counts_every_call_and_its_time_once)
{
    begin();
    add("main", 1, 0, 60, 60);
    add("main;f", 2, 10, 25, 30);
    add("main;f;f", 2, 10, 15, 20);
    add("main;f;f;f", 2, 10, 5, 10);
    make();
    CHECK_EQ(row("f").calls, 6);
    CHECK_EQ(row("f").total, 30);
    CHECK_EQ(row("f").self, 30);
    CHECK_EQ(edge("f", "f").calls, 4);
    CHECK_EQ(edge("f", "f").total, 20); /* what the inner ones took */
    CHECK_EQ(edge("main", "f").calls, 2);
    CHECK_EQ(edge("main", "f").total, 30);
    call_tables_done(&t);
    end();
}

TEST(what_is_told_twice_adds_up_and_no_time_is_no_time)
{
    begin();
    add("main;f", 3, 10, 4, 6);
    add("main;f", 2, 10, 2, 5);
    add("main;g", 1, 0, 0, 0); /* has not ended yet */
    make();
    CHECK_EQ(row("f").calls, 5);
    CHECK_EQ(row("f").times.least, 2);
    CHECK_EQ(row("f").times.most, 6);
    CHECK_EQ(row("g").times.most, 0);
    CHECK_EQ(row("main").calls, 0); /* was called before that was counted */
    CHECK_EQ(row("main").total, 20);
    call_tables_done(&t);
    end();
}

TEST(the_program_says_what_became_of_its_calls)
{
    static struct model_site site, other;
    struct model_value attrs[] = {
        {.key = MODEL_STR("counted"), .type = ORIEL_TYPE_U64, .v.u64 = 10},
        {.key = MODEL_STR("told"), .type = ORIEL_TYPE_U64, .v.u64 = 7},
        {.key = MODEL_STR("too_deep"), .type = ORIEL_TYPE_U64, .v.u64 = 1},
        {.key = MODEL_STR("no_room"), .type = ORIEL_TYPE_U64, .v.u64 = 0},
        {.key = MODEL_STR("ring_full"), .type = ORIEL_TYPE_U64, .v.u64 = 2}};
    site.target = other.target = MODEL_STR("oriel.calls");
    site.name = MODEL_STR("calls.told");
    other.name = MODEL_STR("calls of some functions are not seen");
    struct model_event e = {.site = &site, .attrs = attrs, .attr_count = 5};
    struct callsums c = {0};
    callsums_event(&c, &e);
    callsums_event(&c, &e); /* of another thread, or later */
    e.site = &other;
    callsums_event(&c, &e);
    CHECK(c.said);
    CHECK_EQ(c.counted, 20);
    CHECK_EQ(c.told, 14);
    CHECK_EQ(c.counted, c.told + c.too_deep + c.no_room + c.ring_full);
    callsums_done(&c);
}

TEST_MAIN()
