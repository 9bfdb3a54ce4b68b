/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tracefiles of lcov, as versions 1 and 2, LLVM and we ourselves write them.
 */
#include "base/mem.h"
#include "report/coverage.h"
#include "test.h"

static int read_text(struct coverage *c, const char *text, struct oriel_err *err)
{
    REQUIRE(coverage_init(c) == 0);
    return coverage_read_lcov(c, text, strlen(text), err);
}

static const char one[] = "TN:\nSF:/a.c\nFN:3,f\nFN:9,g\nFNDA:10,f\nFNDA:0,g\nFNF:2\nFNH:1\n"
                          "BRDA:5,0,0,6\nBRDA:5,0,1,-\nBRF:2\nBRH:1\nDA:3,10\nDA:9,0\n"
                          "LF:2\nLH:1\nend_of_record\n";

TEST(what_is_read_is_written_again)
{
    struct coverage c;
    struct buf b;
    CHECK_EQ(read_text(&c, one, NULL), 0);
    coverage_finish(&c, NULL, NULL);
    buf_init(&b);
    coverage_put_lcov(&c, &b);
    CHECK_STR(buf_cstr(&b), one);
    buf_done(&b);
    coverage_done(&c);
}

TEST(readable_names_and_texts_travel_as_comments)
{
    struct coverage c, again;
    struct buf b;
    CHECK_EQ(read_text(&c, "SF:/a.cc\nFN:1,_Z1fii\nFNDA:2,_Z1fii\nDA:1,2\nend_of_record\n", NULL),
             0);
    CHECK_EQ(coverage_add_readable(&c, "_Z1fii", 6, "f(int, int)", 11), 0);
    coverage_finish(&c, NULL, NULL);
    c.files.items[0].lines.items[0].text = 0x12345;
    buf_init(&b);
    coverage_put_lcov(&c, &b);
    CHECK_EQ(read_text(&again, buf_cstr(&b), NULL), 0);
    coverage_finish(&again, NULL, NULL);
    const struct coverage_file *f = &again.files.items[0];
    CHECK(model_str_equal(coverage_readable(&again, &f->functions.items[0]),
                          MODEL_STR("f(int, int)")));
    CHECK_EQ(f->lines.items[0].text, 0x12345);
    CHECK_EQ(f->lines.items[0].count, 2);
    buf_done(&b);
    coverage_done(&c);
    coverage_done(&again);
}

TEST(version_2_tells_functions_by_index_and_with_their_ends)
{
    struct coverage c;
    CHECK_EQ(read_text(&c,
                       "SF:/a.c\nFNL:0,3,8\nFNA:0,7,f\nFNA:0,1,f.alias\nFN:12,15,g\nFNDA:4,g\n"
                       "BRDA:5,e0,x > 1,2\nDA:3,1\nend_of_record\n",
                       NULL),
             0);
    coverage_finish(&c, NULL, NULL);
    const struct coverage_file *f = &c.files.items[0];
    REQUIRE(f->functions.count == 3);
    CHECK_EQ(f->functions.items[0].line, 3);
    CHECK_EQ(f->functions.items[2].line, 12);
    CHECK_EQ(f->functions.items[2].count, 4);
    CHECK(model_str_equal(coverage_string(&c, f->functions.items[2].name), MODEL_STR("g")));
    CHECK_EQ(f->branches.items[0].taken, 2);
    coverage_done(&c);
}

TEST(static_functions_of_llvm_lose_the_file_in_front)
{
    struct coverage c;
    CHECK_EQ(read_text(&c, "SF:/x/a.c\nFNDA:1,a.c:f\nFNDA:1,b.c:f\nFNDA:1,a::f\nDA:1,1\n", NULL),
             0);
    const struct coverage_file *f = &c.files.items[0];
    CHECK(model_str_equal(coverage_string(&c, f->functions.items[0].name), MODEL_STR("f")));
    CHECK(model_str_equal(coverage_string(&c, f->functions.items[1].name), MODEL_STR("b.c:f")));
    CHECK(model_str_equal(coverage_string(&c, f->functions.items[2].name), MODEL_STR("a::f")));
    coverage_done(&c);
}

TEST(counts_may_be_negative_or_fractions_and_lines_may_end_as_on_windows)
{
    struct coverage c;
    CHECK_EQ(read_text(&c,
                       "SF:/a.c\r\nDA:1,-3\r\nDA:2,2.5\r\nDA:3,1e30\r\nDA:4,5,checksum\r\n"
                       "end_of_record",
                       NULL),
             0);
    const struct coverage_file *f = &c.files.items[0];
    CHECK_EQ(f->lines.items[0].count, 0);
    CHECK_EQ(f->lines.items[1].count, 2);
    CHECK_EQ(f->lines.items[2].count, UINT64_MAX);
    CHECK_EQ(f->lines.items[3].count, 5);
    CHECK(f->lines.items[3].text != 0);
    coverage_done(&c);
}

TEST(what_only_was_reached_says_so)
{
    struct coverage c;
    CHECK_EQ(read_text(&c, "TN:oriel_reached\nSF:/a.c\nDA:1,1\nend_of_record\n", NULL), 0);
    CHECK(c.reached_only);
    coverage_done(&c);
}

TEST(what_is_no_tracefile_is_refused_with_its_line)
{
    static const struct {
        const char *text, *what;
        int code;
    } table[] = {
        {"", "no source file", ORIEL_EFORMAT},
        {"hello\nworld\n", "no source file", ORIEL_EFORMAT},
        {"SF:/a.c\nDA:x,1\n", "line 2: DA wants", ORIEL_EFORMAT},
        {"SF:/a.c\nDA:1\n", "line 2: DA wants", ORIEL_EFORMAT},
        {"SF:/a.c\nend_of_record\nDA:1,1\n", "line 3: outside", ORIEL_EFORMAT},
        {"SF:/a.c\nDA:99999999999,1\n", "line 2", ORIEL_EFORMAT},
        {"SF:/a.c\nBRDA:1,2\n", "line 2: BRDA", ORIEL_EFORMAT},
        {"SF:/a.c\nBRDA:5000000000,0,0,1\n", "line 2", ORIEL_EFORMAT},
        {"SF:/a.c\nFN:3\n", "line 2: FN", ORIEL_EFORMAT},
        {"SF:/a.c\nFNL:99999999,1\n", "line 2: FNL", ORIEL_EFORMAT},
        {"SF:\n", "line 1: SF", ORIEL_EFORMAT},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct coverage c;
        struct oriel_err err = {0};
        CHECK_EQ(read_text(&c, table[i].text, &err), table[i].code);
        if (!strstr(err.text, table[i].what))
            test_fail(__FILE__, __LINE__, "%s: %s", table[i].text, err.text);
        coverage_done(&c);
    }
}

TEST(no_memory_at_any_point_is_an_answer)
{
    size_t before = mem_live_bytes();
    for (uint64_t n = 1; n < 1000; n++) {
        struct coverage c;
        mem_fail_after(n);
        int rc = coverage_init(&c);
        if (rc == 0)
            rc = coverage_read_lcov(&c, one, sizeof one - 1, NULL);
        mem_fail_after(0);
        coverage_done(&c);
        CHECK_EQ(mem_live_bytes(), before);
        if (rc == 0)
            return;
        CHECK_EQ(rc, ORIEL_ENOMEM);
    }
    test_fail(__FILE__, __LINE__, "never enough");
}

TEST_MAIN()
