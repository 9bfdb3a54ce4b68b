/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What many files have to complain of is one line. */
#include "cli/complaints.h"

#include "base/mem.h"
#include "test.h"

static struct complaints c;
static char line[256];

static const char *line_of(size_t i)
{
    complaints_line(&c.items.items[i], line, sizeof line);
    return line;
}

TEST(one_file_is_told_as_it_is)
{
    CHECK(complaints_add(&c, "/lib/a.so", "/lib/a.so: is missing"));
    CHECK_EQ(c.items.count, 1);
    CHECK_STR(line_of(0), "/lib/a.so: is missing");
    complaints_done(&c);
}

TEST(the_same_of_many_files_is_one_line_with_their_number_and_the_first)
{
    static const char *const texts[][2] = {
        {"/lib/a.so",
         "/lib/a.so: the file it shares (x/a.debug) is missing: some names are unknown"},
        {"/lib/b", "/lib/b: is missing"},
        {"/lib/c.so", "/lib/c.so: the file it shares (c.debug) is missing: some names are unknown"},
        {"/lib/d.so", "/lib/d.so: the file it shares () is missing: some names are unknown"},
        {"/lib/e: f", "/lib/e: f: is missing"},
        {"/lib/g.so", "/lib/g.so: has damaged debug information"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK(complaints_add(&c, texts[i][0], texts[i][1]));
    CHECK_EQ(c.items.count, 3);
    CHECK_STR(line_of(0), "3 files, such as /lib/a.so: the file it shares (x/a.debug) is missing: "
                          "some names are unknown");
    CHECK_STR(line_of(1), "2 files, such as /lib/b: is missing");
    CHECK_STR(line_of(2), "/lib/g.so: has damaged debug information");
    complaints_done(&c);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(complaints_that_differ_stay_apart)
{
    CHECK(complaints_add(&c, "/a", "/a: is (x) missing"));
    CHECK(complaints_add(&c, "/b", "/b: is (x) missing here"));
    CHECK(complaints_add(&c, "/c", "/c: is (x missing"));
    CHECK(complaints_add(&c, "/d", "/d: "));
    CHECK(complaints_add(&c, "/e", "/e"));
    CHECK_EQ(c.items.count, 5);
    complaints_done(&c);
}

TEST(a_path_that_was_cut_counts_as_far_as_it_is_there)
{
    CHECK(complaints_add(&c, "/very/long/path/a", "/very/long: is missing"));
    CHECK(complaints_add(&c, "/very/lost/path/b", "/very/lost: is missing"));
    CHECK_EQ(c.items.count, 1);
    complaints_done(&c);
}

TEST(without_memory_nothing_is_grouped_and_it_is_said)
{
    mem_fail_after(1);
    CHECK(!complaints_add(&c, "/a", "/a: is missing"));
    mem_fail_after(0);
    CHECK_EQ(c.items.count, 0);
    complaints_done(&c);
}

TEST_MAIN()
