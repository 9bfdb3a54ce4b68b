/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * gcov's intermediate text, and what is like it but wrong.
 */
#include "report/coverage.h"
#include "test.h"

static int read_text(struct coverage *c, const char *text, struct oriel_err *err)
{
    REQUIRE(coverage_init(c) == 0);
    return coverage_read_gcov_text(c, text, strlen(text), err);
}

TEST(facts_belong_to_the_file_before_them)
{
    struct coverage c;
    CHECK_EQ(read_text(&c,
                       "file:/w/b/../a.c\nfunction:2,7,f\nfunction:2,0,_Z1gIi,iE\nlcount:2,7\n"
                       "lcount:3,0,1\nbranch:2,taken\nbranch:2,nottaken\nbranch:3,notexec\n"
                       "version:9\nfile:rel.h\nlcount:1,3",
                       NULL),
             0);
    coverage_finish(&c, NULL, NULL);
    REQUIRE(c.files.count == 2);
    const struct coverage_file *a = coverage_find_file(&c, MODEL_STR("/w/a.c"));
    REQUIRE(a && a->lines.count == 2 && a->functions.count == 2 && a->branches.count == 3);
    CHECK_EQ(a->lines.items[0].count, 7);
    CHECK_EQ(a->lines.items[1].count, 0);
    CHECK(a->branches.items[0].taken == 1 && a->branches.items[0].reached);
    CHECK(a->branches.items[1].taken == 0 && a->branches.items[1].branch == 1);
    CHECK(!a->branches.items[2].reached && a->branches.items[2].branch == 0);
    const struct coverage_file *rel = coverage_find_file(&c, MODEL_STR("rel.h"));
    REQUIRE(rel && rel->lines.count == 1);
    CHECK_EQ(rel->lines.items[0].count, 3);
    coverage_done(&c);
}

TEST(what_is_no_such_text_is_refused_with_its_line)
{
    static const char *const texts[] = {
        "hello\n",
        "lcount:1,1\n",
        "file:\n",
        "file:/a\nlcount:1\n",
        "file:/a\nlcount:x,1\n",
        "file:/a\nlcount:99999999999,1\n",
        "file:/a\nfunction:1,1,\n",
        "file:/a\nbranch:,taken\n",
        "file:/a\nbranch:18446744073709551615,taken\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct coverage c;
        struct oriel_err err = {0};
        CHECK_EQ(read_text(&c, texts[i], &err), ORIEL_EFORMAT);
        CHECK(err.text[0] != 0);
        coverage_done(&c);
    }
    struct coverage c;
    struct oriel_err err;
    CHECK_EQ(read_text(&c, "file:/a\nlcount:1,1\nlcount:,\n", &err), ORIEL_EFORMAT);
    CHECK(strstr(err.text, "line 3") != NULL);
    coverage_done(&c);
    CHECK_EQ(read_text(&c, "", NULL), 0); /* of an object without code */
    coverage_done(&c);
}

TEST_MAIN()
