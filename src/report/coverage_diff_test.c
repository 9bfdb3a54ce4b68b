/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which lines lost their coverage, when code was moved, changed, added and
 * removed meanwhile.
 */
#include "base/mem.h"
#include "report/coverage.h"
#include "test.h"

/* Each line: a letter for its text, and x where it was executed; "" is no code. */
static void make(struct coverage *c, const char *const *lines, bool texts)
{
    uint32_t file;
    REQUIRE(coverage_init(c) == 0);
    REQUIRE(coverage_add_file(c, "/a.c", 4, &file) == 0);
    for (uint32_t i = 0; lines[i]; i++)
        if (lines[i][0])
            CHECK_EQ(coverage_add_line(c, file, i + 1, lines[i][1] == 'x',
                                       texts ? coverage_text_hash(lines[i], 1) : 0),
                     0);
    coverage_finish(c, NULL, NULL);
}

static void check(const char *const *a, const char *const *b, bool texts, uint64_t lost,
                  uint64_t gained, uint64_t fresh, struct coverage_changed *out_first)
{
    struct coverage before, after;
    struct coverage_diff d;
    make(&before, a, texts);
    make(&after, b, texts);
    REQUIRE(coverage_diff(&before, &after, &d) == 0);
    CHECK_EQ(d.lost, lost);
    CHECK_EQ(d.gained, gained);
    CHECK_EQ(d.new_uncovered, fresh);
    CHECK_EQ(d.by_number, texts ? 0 : 1);
    if (out_first && d.changes.count)
        *out_first = d.changes.items[0];
    coverage_diff_done(&d);
    coverage_done(&before);
    coverage_done(&after);
}

#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})

TEST(nothing_changed_is_nothing_told)
{
    check(LINES("ax", "b", "cx"), LINES("ax", "b", "cx"), true, 0, 0, 0, NULL);
}

TEST(a_line_that_moved_is_the_same_line)
{
    struct coverage_changed first = {0};
    check(LINES("ax", "bx", "cx"), LINES("", "", "nx", "ax", "b", "cx"), true, 1, 0, 0, &first);
    CHECK_EQ(first.line, 5);
    CHECK_EQ(first.old_line, 2);
    CHECK_EQ(first.change, COVERAGE_LOST);
}

TEST(new_lines_that_are_not_executed_are_new_not_lost)
{
    check(LINES("ax", "bx", "cx"), LINES("ax", "n", "bx", "mx", "c"), true, 1, 0, 1, NULL);
}

TEST(lines_that_were_never_executed_are_gained)
{
    check(LINES("a", "b", "cx"), LINES("ax", "b", "cx"), true, 0, 1, 0, NULL);
}

TEST(equal_texts_are_paired_in_order)
{
    /* Several closing braces; the middle one lost. */
    check(LINES("}x", "fx", "}x", "gx", "}x"), LINES("}x", "fx", "}", "gx", "}x"), true, 1, 0, 0,
          NULL);
    check(LINES("}x", "}x", "fx"), LINES("}x", "fx"), true, 0, 0, 0, NULL);
}

TEST(without_texts_lines_are_their_numbers)
{
    check(LINES("ax", "bx"), LINES("", "ax", "bx"), false, 0, 0, 0, NULL);
    check(LINES("ax", "bx"), LINES("a", "ax", "bx"), false, 1, 0, 0, NULL);
}

TEST(the_change_is_told_with_its_line)
{
    struct coverage before, after;
    struct coverage_diff d;
    struct buf b;
    make(&before, LINES("ax", "bx"), true);
    make(&after, LINES("ax", "b", "n"), true);
    REQUIRE(coverage_diff(&before, &after, &d) == 0);
    const struct coverage_view v = {.top = 20};
    buf_init(&b);
    coverage_diff_text(&d, &v, &b);
    CHECK_STR(buf_cstr(&b), "lines: 100.0 % -> 33.3 % (2/2 -> 1/3)\n"
                            "\n1 line not executed any more:\n  /a.c:2\n"
                            "\n1 line new and not executed:\n  /a.c:3\n");
    buf_clear(&b);
    coverage_diff_json(&d, &v, &b);
    CHECK(strstr(buf_cstr(&b), "\"line\":2,\"line_before\":2,\"change\":\"lost\"") != NULL);
    buf_done(&b);
    coverage_diff_done(&d);
    coverage_done(&before);
    coverage_done(&after);
}

TEST(no_memory_is_an_answer)
{
    struct coverage before, after;
    make(&before, LINES("ax", "bx", "cx", "dx"), true);
    make(&after, LINES("n", "cx", "m", "a", "dx"), true);
    int rc = ORIEL_ENOMEM;
    for (uint64_t n = 1; rc < 0 && n < 100; n++) {
        struct coverage_diff d;
        mem_fail_after(n);
        rc = coverage_diff(&before, &after, &d);
        mem_fail_after(0);
        coverage_diff_done(&d);
    }
    CHECK_EQ(rc, 0);
    coverage_done(&before);
    coverage_done(&after);
}

TEST_MAIN()
