/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What gcov prints as JSON, and what is like it but wrong.
 */
#include "report/coverage.h"
#include "test.h"

static int read_text(struct coverage *c, const char *text, struct oriel_err *err)
{
    REQUIRE(coverage_init(c) == 0);
    return coverage_read_gcov(c, text, strlen(text), err);
}

static const char two_instances[] =
    "{\"format_version\":\"1\",\"gcc_version\":\"12.2.0\",\"current_working_directory\":\"/w/b\","
    "\"data_file\":\"a.gcda\",\"files\":[{\"file\":\"../a.cc\",\"functions\":["
    "{\"name\":\"_Z1fIiEvT_\",\"demangled_name\":\"void f<int>(int)\",\"start_line\":3,"
    "\"execution_count\":2},{\"name\":\"_Z1fIdEvT_\",\"demangled_name\":\"void f<double>(double)\","
    "\"start_line\":3,\"execution_count\":0}],\"lines\":["
    "{\"line_number\":4,\"count\":2,\"branches\":[{\"count\":2,\"throw\":false},"
    "{\"count\":0,\"throw\":true}]},"
    "{\"line_number\":4,\"count\":0,\"branches\":[{\"count\":0},{\"count\":0}]},"
    "{\"line_number\":5,\"count\":-7,\"branches\":[]}]}]}";

TEST(instances_of_a_template_are_lines_added_and_branches_apart)
{
    struct coverage c;
    CHECK_EQ(read_text(&c, two_instances, NULL), 0);
    coverage_finish(&c, NULL, NULL);
    REQUIRE(c.files.count == 1);
    const struct coverage_file *f = &c.files.items[0];
    CHECK(model_str_equal(coverage_string(&c, f->name), MODEL_STR("/w/a.cc")));
    REQUIRE(f->lines.count == 2 && f->branches.count == 4 && f->functions.count == 2);
    CHECK_EQ(f->lines.items[0].count, 2);
    CHECK_EQ(f->lines.items[1].count, 0);
    CHECK_EQ(f->branches.items[0].taken, 2);
    CHECK(f->branches.items[0].reached && !f->branches.items[2].reached);
    CHECK_EQ(f->branches.items[2].block, 1);
    CHECK(model_str_equal(coverage_readable(&c, &f->functions.items[0]),
                          MODEL_STR("void f<int>(int)")));
    coverage_done(&c);
}

TEST(what_gcov_never_prints_is_refused)
{
    static const char too_far[] = "{\"files\":[{\"file\":\"/a.c\",\"functions\":[],"
                                  "\"lines\":[{\"line_number\":99999999999}]}]}";
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"files\":1}",
        "{\"files\":[{}]}",
        "{\"files\":[1]}",
        "{\"files\":[{\"file\":\"/a.c\",\"functions\":[]}]}",
        "{\"files\":[{\"file\":\"/a.c\",\"functions\":[1],\"lines\":[]}]}",
        too_far};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct coverage c;
        struct oriel_err err = {0};
        CHECK_EQ(read_text(&c, texts[i], &err), ORIEL_EFORMAT);
        CHECK(err.text[0] != 0);
        coverage_done(&c);
    }
}

TEST(a_file_without_code_is_none)
{
    struct coverage c;
    CHECK_EQ(read_text(&c, "{\"files\":[]}", NULL), 0);
    coverage_finish(&c, NULL, NULL);
    CHECK_EQ(c.files.count, 0);
    coverage_done(&c);
}

TEST_MAIN()
