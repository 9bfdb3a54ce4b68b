/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The points of this very program, as the confined child finds them.
 */
#include "symbol/points.h"

#include <unistd.h>

#include "symbol/points_job.h"
#include "test.h"

/* One of each kind that a register may hold. */
__attribute__((noinline, used)) static int landmark_local(int n)
{
    __asm__ volatile("" : "+r"(n));
    return n + 1;
}
int points_test_landmark(const char *text, long n, double f, unsigned short small, char *room);
__attribute__((noinline)) int points_test_landmark(const char *text, long n, double f,
                                                   unsigned short small, char *room)
{
    room[0] = text[n];
    return small + (int)f + landmark_local(small); /* line is looked for below */
}
enum { LANDMARK_LINE = __LINE__ - 2 };

static void note(long value)
{
    __asm__ volatile("990: nop\n"
                     ".pushsection .note.stapsdt,\"\",\"note\"\n.balign 4\n"
                     ".4byte 992f-991f, 994f-993f, 3\n991: .asciz \"stapsdt\"\n992: .balign 4\n"
                     "993: .8byte 990b\n.8byte 0\n.8byte 0\n"
                     ".asciz \"points_test\"\n.asciz \"hit\"\n.asciz \"-8@%0\"\n"
                     "994: .balign 4\n.popsection"
                     :
                     : "r"(value));
}

static int find(const char *pattern, unsigned kinds, struct points *out)
{
    char path[4096];
    struct symbols *s;
    struct oriel_err err = {0};
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    REQUIRE(n > 0);
    path[n] = 0;
    REQUIRE(symbols_open(NULL, &s) == 0);
    const struct points_query q = {.kinds = kinds, .pattern = pattern, .details = true};
    int rc = points_find(s, path, &q, out, &err);
    symbols_close(s);
    if (rc < 0)
        printf("%s\n", err.text);
    return rc;
}

TEST(functions_are_found_with_the_arguments_that_registers_hold)
{
    struct points p;
    REQUIRE(find("points_test_landmark", 1u << POINT_FUNCTION, &p) == 0);
    REQUIRE(p.count == 1);
    const struct point *i = &p.items[0];
    CHECK_STR(points_text(&p, i->name), "points_test_landmark");
    CHECK(i->flags & POINT_EXITS);
    CHECK(i->exit_count >= 1);
    REQUIRE(i->arg_count == 4); /* not the double */
    const struct point_arg *a = &p.args[i->first_arg];
    CHECK_STR(points_text(&p, a[0].name), "text");
    CHECK_EQ(a[0].type, POINT_STRING);
    CHECK_EQ(a[1].type, POINT_INT);
    CHECK_EQ(a[1].bytes, 8);
    CHECK_EQ(a[1].reg, 1);
    CHECK_EQ(a[2].type, POINT_UINT);
    CHECK_EQ(a[2].bytes, 2);
    CHECK_EQ(a[2].reg, 2);
    CHECK_EQ(a[3].type, POINT_POINTER); /* may be written to: no text yet */
    CHECK(i->flags & POINT_RETURNS);
    CHECK_EQ(i->result.type, POINT_INT);
    points_done(&p);
}

TEST(notes_are_found_with_their_arguments_as_they_stand)
{
    struct points p;
    note(3);
    REQUIRE(find("points_test:h*", 1u << POINT_USDT, &p) == 0);
    REQUIRE(p.count >= 1);
    CHECK_STR(points_text(&p, p.items[0].provider), "points_test");
    CHECK_STR(points_text(&p, p.items[0].name), "hit");
    CHECK(strncmp(points_text(&p, p.items[0].spec), "-8@", 3) == 0);
    CHECK(p.items[0].flags & POINT_CHEAP);
    points_done(&p);
}

TEST(a_line_is_found_once_for_its_function)
{
    struct points p;
    char pattern[64];
    snprintf(pattern, sizeof pattern, "symbol/points_test.c:%d", LANDMARK_LINE);
    REQUIRE(find(pattern, 1u << POINT_LINE, &p) == 0);
    REQUIRE(p.count == 1);
    CHECK_EQ(p.items[0].line, LANDMARK_LINE);
    CHECK_STR(points_text(&p, p.items[0].name), "points_test_landmark");
    points_done(&p);
    CHECK_EQ(find("no_such_file.c:*", 1u << POINT_LINE, &p), 0);
    CHECK_EQ(p.count, 0);
    points_done(&p);
}

__attribute__((noinline, used)) static int loop_for_all_lines(int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum += i ^ n;
    return sum;
}

TEST(all_lines_are_found_with_every_place_and_functions_with_their_line)
{
    char path[4096];
    struct symbols *s;
    struct points p;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    REQUIRE(n > 0);
    path[n] = 0;
    REQUIRE(symbols_open(NULL, &s) == 0);
    CHECK(loop_for_all_lines(3) >= 0);
    const struct points_query q = {.kinds = 1u << POINT_LINE | 1u << POINT_FUNCTION,
                                   .all_lines = true};
    REQUIRE(points_find(s, path, &q, &p, NULL) == 0);
    uint32_t here = 0, function_line = 0, lines = 0;
    uint64_t entry = 0;
    bool at_entry = false;
    for (uint32_t i = 0; i < p.count; i++) {
        const struct point *at = &p.items[i];
        bool mine = strcmp(points_text(&p, at->name), "loop_for_all_lines") == 0;
        const char *file = points_text(&p, at->file);
        if (mine && at->kind == POINT_FUNCTION) {
            entry = at->addr;
            function_line = at->line;
            CHECK(strstr(file, "symbol/points_test.c") != NULL);
        }
        here += mine && at->kind == POINT_LINE;
        lines += at->kind == POINT_LINE;
    }
    for (uint32_t i = 0; i < p.count; i++)
        at_entry |= p.items[i].kind == POINT_LINE && p.items[i].addr == entry;
    CHECK(function_line > 0 && here >= 2 && lines > here && at_entry);
    points_done(&p);
    symbols_close(s);
}

TEST(patterns_stand_for_any_text)
{
    CHECK(points_match("a*c", "abbc", 4));
    CHECK(points_match("*", "", 0));
    CHECK(points_match("a?c", "abc", 3));
    CHECK(points_match("*::f*", "ns::f(int)", 10));
    CHECK(!points_match("a*c", "abcd", 4));
    CHECK(!points_match("", "a", 1));
}

TEST(an_image_with_wrong_indices_is_refused)
{
    struct points p = {0};
    struct points_maker m;
    buf_init(&p.image);
    points_maker_init(&m);
    struct point *item = VEC_PUSH(&m.items);
    REQUIRE(item);
    item->kind = POINT_FUNCTION;
    item->name = points_add_text(&m, "f", 1);
    REQUIRE(points_write(&m, &p.image) == 0);
    CHECK_EQ(points_open(&p), 0);
    item->arg_count = 1;
    buf_clear(&p.image);
    REQUIRE(points_write(&m, &p.image) == 0);
    CHECK_EQ(points_open(&p), ORIEL_EDAMAGED);
    item->arg_count = 0;
    item->name = 1000;
    buf_clear(&p.image);
    REQUIRE(points_write(&m, &p.image) == 0);
    CHECK_EQ(points_open(&p), ORIEL_EDAMAGED);
    p.image.size--;
    CHECK_EQ(points_open(&p), ORIEL_EDAMAGED);
    points_maker_done(&m);
    buf_done(&p.image);
}

TEST(no_file_and_no_elf_file_are_told)
{
    struct symbols *s;
    struct points p;
    struct oriel_err err = {0};
    const struct points_query q = {.kinds = ~0u};
    REQUIRE(symbols_open(NULL, &s) == 0);
    CHECK_EQ(points_find(s, "/nonexistent/file", &q, &p, &err), ORIEL_ENOTFOUND);
    CHECK(points_find(s, "/etc/passwd", &q, &p, &err) < 0);
    CHECK(strstr(err.text, "/etc/passwd") != NULL);
    symbols_close(s);
}

TEST_MAIN()
