/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sums of system calls, from events as the recorder makes them.
 */
#include "report/syscalls.h"

#include <stdlib.h>

#include "test.h"

static const struct model_site site = {.target = MODEL_STR("oriel.syscalls"),
                                       .flags = ORIEL_SITE_SYSTEM};

static void add(struct syscalls *s, const struct model_thread *t, const char *call, uint64_t count,
                uint64_t errors, const char *failed, const char *times)
{
#define STR(k, text)                                                                               \
    {                                                                                              \
        .key = MODEL_STR(k), .type = ORIEL_TYPE_STR, .v = {.str = {text, (uint32_t)strlen(text)} } \
    }
#define U64(k, n)                                                                                  \
    {                                                                                              \
        .key = MODEL_STR(k), .type = ORIEL_TYPE_U64, .v = {.u64 = n }                              \
    }
    const struct model_value attrs[] = {STR("call", call),          U64("count", count),
                                        U64("errors", errors),      U64("total_ns", count * 100),
                                        U64("max_ns", 100 + count), STR("failed", failed),
                                        STR("times", times)};
    const struct model_event e = {
        .site = &site, .thread = t, .attrs = attrs, .attr_count = sizeof attrs / sizeof *attrs};
    CHECK(syscalls_is(e.site));
    CHECK_EQ(syscalls_add(s, &e), 0);
}

TEST(what_came_since_adds_up_by_call_and_by_thread)
{
    const struct model_thread one = {.index = 1}, two = {.index = 2};
    struct syscalls s = {0};
    struct syscall_rows rows;
    add(&s, &one, "read", 10, 3, "EAGAIN:2 EINTR:1", "8:7 17:3");
    add(&s, &one, "read", 5, 1, "EAGAIN:1", "8:5");
    add(&s, &two, "read", 1, 0, "", "80:1");
    add(&s, &two, "close", 100, 100, "EBADF:90", "0:100");
    CHECK_EQ(s.count, 116);
    CHECK_EQ(s.errors, 104);
    REQUIRE(syscalls_by_call(&s, &rows) == 0);
    REQUIRE(rows.items.count == 2);
    CHECK_STR(s.names.items[rows.items.items[0].name].text, "close");
    const struct syscall_row *read = &rows.items.items[1];
    CHECK_EQ(read->count, 16);
    CHECK_EQ(read->total_ns, 1600);
    CHECK_EQ(read->max_ns, 110);
    CHECK_EQ(read->hist.count, 16);
    REQUIRE(read->failed.count == 2);
    CHECK_STR(read->failed.items[0].name, "EAGAIN");
    CHECK_EQ(read->failed.items[0].count, 3);
    /* Part 8 is from 64 to 72 ns. */
    uint64_t half = hist_quantile(&read->hist, 500, read->max_ns);
    CHECK(half >= 64 && half < 72);
    syscall_rows_done(&rows);
    REQUIRE(syscalls_by_thread(&s, &rows) == 0);
    REQUIRE(rows.items.count == 2);
    CHECK(rows.items.items[0].thread == &two && rows.items.items[0].count == 101);
    CHECK_STR(s.names.items[rows.items.items[0].name].text, "close");
    CHECK(rows.items.items[1].thread == &one && rows.items.items[1].count == 15);
    syscall_rows_done(&rows);
    syscalls_done(&s);
}

TEST(rows_have_a_bound_and_nothing_is_lost_beyond_it)
{
    struct model_thread *threads = calloc(SYSCALLS_ROWS + 10, sizeof *threads);
    struct syscalls s = {0};
    REQUIRE(threads);
    for (uint32_t i = 0; i < SYSCALLS_ROWS + 10; i++) {
        threads[i].index = i;
        add(&s, &threads[i], "read", 1, 0, "", "8:1");
    }
    add(&s, &threads[0], "read", 1, 0, "", "8:1"); /* has a row of its own still */
    CHECK_EQ(s.rows.items.count, SYSCALLS_ROWS + 1);
    CHECK_EQ(s.rows.items.items[0].count, 2);
    CHECK_EQ(s.rows.items.items[SYSCALLS_ROWS].count, 10);
    CHECK(!s.rows.items.items[SYSCALLS_ROWS].thread);
    CHECK_EQ(s.count, SYSCALLS_ROWS + 11);
    syscalls_done(&s);
    free(threads);
}

TEST(names_have_a_bound_too)
{
    const struct model_thread one = {.index = 1};
    struct syscalls s = {0};
    char name[16];
    for (unsigned i = 0; i < SYSCALLS_NAMES + 5; i++) {
        snprintf(name, sizeof name, "call %u", i);
        add(&s, &one, name, 1, 0, "", "8:1");
    }
    CHECK_EQ(s.left_out, 5);
    CHECK_EQ(s.count, SYSCALLS_NAMES + 5);
    syscalls_done(&s);
}

TEST(texts_that_make_no_sense_are_passed_over)
{
    const struct model_thread one = {.index = 1};
    struct syscalls s = {0};
    add(&s, &one, "read", 1, 1, "EAGAIN", "8");
    add(&s, &one, "read", 1, 1, "::::", "999:1 x:y 7");
    CHECK_EQ(s.count, 2);
    CHECK_EQ(s.rows.items.items[0].hist.count, 0); /* "x" is part 0, none of them */
    syscalls_done(&s);
}

TEST_MAIN()
