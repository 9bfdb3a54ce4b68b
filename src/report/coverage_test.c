/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Coverage that is filled, added up, asked and told.
 */
#include "report/coverage.h"

#include "test.h"

static struct model_str str(const char *s)
{
    return (struct model_str){s, (uint32_t)strlen(s)};
}

static uint32_t add_file(struct coverage *c, const char *path)
{
    uint32_t file = UINT32_MAX;
    CHECK_EQ(coverage_add_file(c, path, strlen(path), &file), 0);
    return file;
}

static void add_lines(struct coverage *c, uint32_t file, const char *counts)
{
    for (uint32_t i = 0; counts[i]; i++)
        if (counts[i] != ' ')
            CHECK_EQ(coverage_add_line(c, file, i + 1, (uint64_t)(counts[i] - '0'), 0), 0);
}

static void add_function(struct coverage *c, uint32_t file, const char *name, uint32_t line,
                         uint64_t count)
{
    CHECK_EQ(coverage_add_function(c, file, name, strlen(name), line, count), 0);
}

/* Two files: a.c, of which half was executed, and b.c, all. */
static void make(struct coverage *c)
{
    REQUIRE(coverage_init(c) == 0);
    uint32_t b = add_file(c, "/src/b.c"), a = add_file(c, "/src/a.c");
    add_lines(c, a, "13 00 1");
    add_lines(c, b, "222");
    add_function(c, a, "main", 1, 1);
    add_function(c, a, "_Z4deadv", 4, 0);
    CHECK_EQ(coverage_add_readable(c, "_Z4deadv", 8, "dead()", 6), 0);
    add_function(c, b, "help", 1, 2000);
    for (uint32_t i = 0; i < 3; i++) {
        const struct coverage_branch branch = {2, 0, i, i == 1, true};
        CHECK_EQ(coverage_add_branch(c, a, &branch), 0);
    }
    coverage_finish(c, NULL, NULL);
}

TEST(what_is_said_twice_adds_up)
{
    struct coverage c;
    REQUIRE(coverage_init(&c) == 0);
    uint32_t file = add_file(&c, "/a.c");
    CHECK_EQ(add_file(&c, "/a.c"), file);
    add_lines(&c, file, "10");
    add_lines(&c, file, "302");
    CHECK_EQ(coverage_add_line(&c, file, 3, UINT64_MAX, 0), 0);
    add_function(&c, file, "f", 0, 4);
    add_function(&c, file, "f", 7, 1);
    const struct coverage_branch no = {1, 0, 0, 0, false}, yes = {1, 0, 0, 5, true};
    CHECK_EQ(coverage_add_branch(&c, file, &no), 0);
    CHECK_EQ(coverage_add_branch(&c, file, &yes), 0);
    coverage_finish(&c, NULL, NULL);
    REQUIRE(c.files.count == 1);
    const struct coverage_file *f = &c.files.items[0];
    REQUIRE(f->lines.count == 3 && f->functions.count == 1 && f->branches.count == 1);
    CHECK_EQ(coverage_find_line(f, 1)->count, 4);
    CHECK_EQ(coverage_find_line(f, 2)->count, 0);
    CHECK_EQ(coverage_find_line(f, 3)->count, UINT64_MAX); /* and stops there */
    CHECK(coverage_find_line(f, 4) == NULL);
    CHECK_EQ(f->functions.items[0].count, 5);
    CHECK_EQ(f->functions.items[0].line, 7);
    CHECK_EQ(f->branches.items[0].taken, 5);
    CHECK(f->branches.items[0].reached);
    coverage_done(&c);
}

TEST(one_file_has_one_name_wherever_it_was_compiled)
{
    static const char *const names[] = {"/p/src/a.c", "/p/build/../src/a.c", "/p//src/./a.c",
                                        "/../p/src/x/../a.c", "/p/src/a.c/"};
    struct coverage c;
    REQUIRE(coverage_init(&c) == 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK_EQ(add_file(&c, names[i]), 0);
    CHECK_EQ(add_file(&c, "src/a.c"), 1); /* nobody knows where that is */
    coverage_done(&c);
}

TEST(damage_is_refused_and_made_up_lines_are_nobodys)
{
    struct coverage c;
    REQUIRE(coverage_init(&c) == 0);
    uint32_t file = add_file(&c, "/a.c");
    CHECK_EQ(coverage_add_line(&c, file, COVERAGE_LINE_MAX + 1, 1, 0), ORIEL_EFORMAT);
    CHECK_EQ(coverage_add_line(&c, file, 0, 1, 0), 0);
    coverage_finish(&c, NULL, NULL);
    CHECK_EQ(c.files.count, 0); /* no line, no file */
    coverage_done(&c);
}

static bool is_not_b(void *user, struct model_str path)
{
    (void)user;
    return !model_str_equal(path, MODEL_STR("/b.c"));
}

TEST(files_that_are_not_wanted_go)
{
    struct coverage c;
    REQUIRE(coverage_init(&c) == 0);
    add_lines(&c, add_file(&c, "/a.c"), "1");
    add_lines(&c, add_file(&c, "/b.c"), "1");
    add_lines(&c, add_file(&c, "/c.c"), "1");
    coverage_finish(&c, is_not_b, NULL);
    CHECK_EQ(c.files.count, 2);
    CHECK(coverage_find_file(&c, str("/b.c")) == NULL);
    CHECK(coverage_find_file(&c, str("/c.c")) != NULL);
    coverage_done(&c);
}

TEST(several_runs_of_what_was_only_reached_make_no_count)
{
    struct coverage c;
    REQUIRE(coverage_init(&c) == 0);
    c.reached_only = true;
    uint32_t file = add_file(&c, "/a.c");
    add_lines(&c, file, "10");
    add_lines(&c, file, "10");
    coverage_finish(&c, NULL, NULL);
    CHECK_EQ(c.files.items[0].lines.items[0].count, 1);
    CHECK_EQ(c.files.items[0].lines.items[1].count, 0);
    coverage_done(&c);
}

TEST(sums_and_branches_are_asked_for)
{
    struct coverage c;
    uint32_t taken, all;
    make(&c);
    struct coverage_sum s = coverage_sum_all(&c);
    CHECK_EQ(s.lines, 8);
    CHECK_EQ(s.lines_hit, 6);
    CHECK_EQ(s.functions, 3);
    CHECK_EQ(s.functions_hit, 2);
    CHECK_EQ(s.branches, 3);
    CHECK_EQ(s.branches_hit, 1);
    const struct coverage_file *f = coverage_find_file(&c, str("/src/a.c"));
    REQUIRE(f != NULL);
    CHECK(coverage_line_branches(f, 2, &taken, &all));
    CHECK_EQ(taken, 1);
    CHECK_EQ(all, 3);
    CHECK(!coverage_line_branches(f, 1, &taken, &all));
    coverage_done(&c);
}

static bool some_line(void *user, struct model_str file, uint32_t line, struct model_str *out)
{
    static const char *const texts[] = {"int main(void)", "\tif (x)", "}", "void dead(void)",
                                        "<b> & \"c\""};
    (void)user;
    (void)file;
    if (line > sizeof texts / sizeof *texts)
        return false;
    *out = str(texts[line - 1]);
    return true;
}

static const struct coverage_view view = {.base = "/src", .top = 20, .line = some_line};

TEST(the_worst_file_comes_first_with_what_was_not_executed)
{
    struct coverage c;
    struct buf b;
    make(&c);
    buf_init(&b);
    coverage_text(&c, &view, &b);
    CHECK_STR(buf_cstr(&b),
              "file           lines       functions       branches       not executed\n"
              "a.c           60.0 %  3/5     50.0 %  1/2    33.3 %  1/3  4-5\n"
              "b.c          100.0 %  3/3    100.0 %  1/1\n"
              "all 2 files   75.0 %  6/8     66.7 %  2/3    33.3 %  1/3\n");
    buf_clear(&b);
    struct coverage_view one = view;
    one.top = 1;
    coverage_text(&c, &one, &b);
    CHECK(strstr(buf_cstr(&b), "1 more, better than these") != NULL);
    CHECK(strstr(buf_cstr(&b), "b.c") == NULL);
    buf_done(&b);
    coverage_done(&c);
}

TEST(functions_that_were_never_called_come_first_by_their_readable_names)
{
    struct coverage c;
    struct buf b;
    make(&c);
    buf_init(&b);
    struct coverage_view v = view;
    v.functions = true;
    coverage_text(&c, &v, &b);
    CHECK_STR(buf_cstr(&b), "function  called  where\n"
                            "dead()     never  a.c:4\n"
                            "main           1  a.c:1\n"
                            "help       2,000  b.c:1\n");
    buf_done(&b);
    coverage_done(&c);
}

TEST(a_source_file_is_told_with_its_counts)
{
    struct coverage c;
    struct buf b;
    make(&c);
    buf_init(&b);
    coverage_source(&c, coverage_find_file(&c, str("/src/a.c")), &view, &b);
    CHECK_STR(buf_cstr(&b), "count  branches  line\n"
                            "    1               1  int main(void)\n"
                            "    3       1/3     2      if (x)\n"
                            "                    3  }\n"
                            "#####               4  void dead(void)\n"
                            "#####               5  <b> & \"c\"\n"
                            "    1               7\n");
    buf_clear(&b);
    struct coverage_view red = view;
    red.colour = true;
    coverage_source(&c, coverage_find_file(&c, str("/src/a.c")), &red, &b);
    CHECK(strstr(buf_cstr(&b), "\x1b[31m") != NULL);
    buf_done(&b);
    coverage_done(&c);
}

TEST(the_same_as_json_and_as_a_page)
{
    struct coverage c;
    struct buf b;
    make(&c);
    buf_init(&b);
    struct coverage_view v = view;
    v.method = "gcov";
    coverage_json(&c, &v, &b);
    const char *text = buf_cstr(&b);
    CHECK(strstr(text, "\"version\":1,\"method\":\"gcov\",\"counted\":true") != NULL);
    CHECK(strstr(text, "\"lines\":{\"all\":8,\"hit\":6,\"percent\":75}") != NULL);
    CHECK(strstr(text, "\"name\":\"dead()\",\"linkage\":\"_Z4deadv\",\"line\":4,\"count\":0") !=
          NULL);
    buf_clear(&b);
    coverage_html(&c, &v, &b);
    text = buf_cstr(&b);
    CHECK(strstr(text, "<u>&lt;b> &amp; &quot;c&quot;</u>") != NULL);
    CHECK(strstr(text, "1 of 3 branches") != NULL);
    CHECK(strstr(text, "<script") == NULL && strstr(text, "http") == NULL);
    buf_done(&b);
    coverage_done(&c);
}

TEST(ranges_end_when_there_is_no_room)
{
    struct coverage c;
    struct buf b;
    REQUIRE(coverage_init(&c) == 0);
    add_lines(&c, add_file(&c, "/a.c"), "0101010101");
    coverage_finish(&c, NULL, NULL);
    buf_init(&b);
    coverage_put_ranges(&c.files.items[0], 5, &b);
    CHECK_STR(buf_cstr(&b), "1, 3, 5, ...");
    buf_done(&b);
    coverage_done(&c);
}

TEST(indentation_does_not_make_another_line)
{
    CHECK_EQ(coverage_text_hash("  x = 1;\r", 9), coverage_text_hash("\tx = 1;", 7));
    CHECK(coverage_text_hash("x = 1;", 6) != coverage_text_hash("x = 2;", 6));
    CHECK(coverage_text_hash("", 0) != 0);
}

TEST_MAIN()
