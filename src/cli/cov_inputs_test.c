/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is taken for coverage, and from where; the helpers are stand-ins that
 * say what a test wants, since real ones are in tests/scenario/cov_test.py.
 */
#include "cli/cov_inputs.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static struct coverage c;
static struct cov_inputs in;
static struct oriel_err err;

static void begin(const char *gcov)
{
    err = (struct oriel_err){0};
    REQUIRE(chdir(test_tmpdir()) == 0);
    REQUIRE(coverage_init(&c) == 0);
    cov_inputs_init(&in, &c, gcov);
}

static void end(void)
{
    cov_inputs_done(&in);
    coverage_done(&c);
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    CHECK(fputs(text, f) >= 0);
    CHECK_EQ(fclose(f), 0);
}

static void put_helper(const char *path, const char *text)
{
    put(path, text);
    CHECK_EQ(chmod(path, 0755), 0);
}

TEST(a_tracefile_is_known_by_what_is_in_it)
{
    begin("gcov");
    put("any.name", "SF:/a.c\nDA:1,2\nend_of_record\n");
    put("text", "hello\n");
    CHECK_EQ(cov_inputs_add(&in, "any.name", &err), 0);
    CHECK_EQ(cov_inputs_read(&in, &err), 0);
    CHECK_STR(in.method, "lcov");
    CHECK_EQ(c.files.count, 1);
    CHECK_EQ(cov_inputs_add(&in, "text", &err), ORIEL_EFORMAT);
    CHECK(strstr(err.text, "text: ") == err.text);
    CHECK_EQ(cov_inputs_add(&in, "missing", &err), ORIEL_ENOTFOUND);
    CHECK_EQ(cov_inputs_add(&in, "@3", &err), ORIEL_ENOTFOUND);
    CHECK_EQ(mkfifo("fifo", 0600), 0);
    CHECK_EQ(cov_inputs_add(&in, "fifo", &err), ORIEL_EFORMAT);
    end();
}

TEST(a_directory_is_searched_and_one_with_nothing_is_refused)
{
    begin("gcov");
    CHECK(mkdir("d", 0700) == 0 && mkdir("d/e", 0700) == 0);
    CHECK_EQ(cov_inputs_add(&in, "d", &err), ORIEL_ENOTFOUND);
    put("d/e/a.gcno", "");
    put("d/e/a.gcda", "");
    put("d/p.profraw", "");
    put("d/other", "");
    CHECK_EQ(symlink(".", "d/loop"), 0);
    CHECK_EQ(cov_inputs_add(&in, "d", &err), 0);
    REQUIRE(in.notes.count == 1 && in.profiles.count == 1);
    CHECK_STR(in.notes.items[0], "d/e/a.gcno");
    end();
}

TEST(data_that_was_sent_finds_its_notes)
{
    char where[1024], text[8192];
    begin("gcov");
    REQUIRE(getcwd(where, sizeof where) != NULL);
    snprintf(text, sizeof text,
             "mkdir -p sent%s build && : > sent%s/build.gcda && : > build.gcno && "
             ": > sent%s/gone.gcda",
             where, where, where);
    REQUIRE(system(text) == 0);
    CHECK_EQ(cov_inputs_add_sent(&in, "sent", &err), 0);
    REQUIRE(in.notes.count == 1);
    CHECK(strstr(in.notes.items[0], "build.gcda") != NULL);
    CHECK(strstr(in.trouble.note, "gone.gcno") != NULL);
    snprintf(text, sizeof text, "sent%s/build.gcno", where);
    CHECK_EQ(access(text, R_OK), 0);
    end();
}

TEST(what_gcov_says_is_read_and_its_complaints_are_told)
{
    begin("./helper");
    put("a.gcno", "");
    put_helper("helper",
               "#!/bin/sh\necho 'a.gcda:cannot open data file, assuming not executed' >&2\n"
               "echo 'a.gcno:stamp mismatch' >&2\n"
               "echo '{\"files\":[{\"file\":\"/a.c\",\"functions\":[],\"lines\":"
               "[{\"line_number\":3,\"count\":4}]}]}'\necho\necho '{\"files\":[]}'\n");
    CHECK_EQ(cov_inputs_add(&in, "a.gcno", &err), 0);
    CHECK_EQ(cov_inputs_read(&in, &err), 0);
    CHECK_STR(in.trouble.note, "a.gcno:stamp mismatch");
    CHECK_STR(in.method, "gcov");
    REQUIRE(c.files.count == 1);
    CHECK_EQ(c.files.items[0].lines.items[0].count, 4);
    end();
}

static void expect_lost(size_t lost, const char *why)
{
    in.trouble = (struct cov_trouble){.lost = 0};
    CHECK_EQ(cov_inputs_read(&in, &err), 0);
    CHECK_EQ(in.trouble.lost, lost);
    if (strncmp(in.trouble.why, why, strlen(why)) != 0)
        test_fail(__FILE__, __LINE__, "not \"%s\": %s", why, in.trouble.why);
}

TEST(a_helper_that_fails_talks_nonsense_or_is_not_there_is_told)
{
    begin("./helper");
    put("a.gcno", "");
    CHECK_EQ(cov_inputs_add(&in, "a.gcno", &err), 0);
    CHECK_EQ(cov_inputs_read(&in, &err), ORIEL_ENOTFOUND);
    CHECK(strstr(err.text, "--gcov") != NULL);
    put_helper("helper",
               "#!/bin/sh\necho 'a.gcda:cannot open data file, assuming not executed' >&2\n"
               "echo 'a.gcno: not mine' >&2\nexit 3\n");
    expect_lost(1, "a.gcno: not mine");
    put_helper("helper", "#!/bin/sh\necho nonsense\n");
    expect_lost(1, "a.gcno: ");
    put_helper("helper", "#!/bin/sh\nkill -9 $$\n");
    expect_lost(1, "a.gcno: ./helper: failed");
    CHECK_EQ(c.files.count, 0);
    end();
}

TEST(a_file_that_gcov_or_its_reader_cannot_bear_costs_itself)
{
    begin("./helper");
    put("a.gcno", "");
    put("b.gcno", "");
    put("d.gcno", "");
    put_helper("helper",
               "#!/bin/sh\nfor f in \"$@\"; do case $f in\n"
               "d.gcno) echo '{\"files\":[{\"file\":\"/d.c\",\"functions\":[],\"lines\":[]}]}';;\n"
               "b.gcno) echo '{\"files\":[';;\n"
               "a.gcno) kill -11 $$;;\nesac; done\n");
    CHECK_EQ(cov_inputs_add(&in, "a.gcno", &err), 0);
    CHECK_EQ(cov_inputs_add(&in, "b.gcno", &err), 0);
    CHECK_EQ(cov_inputs_add(&in, "d.gcno", &err), 0);
    expect_lost(2, "a.gcno: ");
    REQUIRE(c.files.count == 1);
    end();
}

TEST(notes_of_clang_go_to_llvm_cov)
{
    static const char notes[] = "oncg*804 and so on";
    char path[1024];
    begin("./none");
    CHECK(mkdir("bin", 0700) == 0 && mkdir("d", 0700) == 0);
    put("d/a.gcno", notes);
    put("d/b.gcno", notes);
    put("e.gcno", notes);
    snprintf(path, sizeof path, "%s/bin", test_tmpdir());
    setenv("PATH", path, 1);
    CHECK_EQ(cov_inputs_add(&in, "d/a.gcno", &err), 0);
    CHECK_EQ(cov_inputs_read(&in, &err), ORIEL_ENOTFOUND);
    CHECK(strstr(err.text, "llvm-cov: no such program") == err.text);
    /* It dies of b, but not of the others. */
    put_helper("bin/llvm-cov",
               "#!/bin/sh\n[ \"$1 $2 $3\" = 'gcov -i -b' ] || exit 1\nshift 3\n"
               "for f in \"$@\"; do case $f in */b.gcno) kill -9 $$;; "
               "/*) printf 'file:x.c\\nlcount:1,2\\n' >${f##*/}.gcov;; esac; done\n");
    CHECK_EQ(cov_inputs_add(&in, "d/b.gcno", &err), 0);
    CHECK_EQ(cov_inputs_add(&in, "e.gcno", &err), 0);
    expect_lost(1, "d/b.gcno: llvm-cov: failed");
    REQUIRE(c.files.count == 2); /* x.c beside d/a.gcno, and beside e.gcno */
    CHECK_EQ(c.files.items[0].lines.items[0].count, 2);
    CHECK(access("a.gcno.gcov", F_OK) != 0);
    end();
}

TEST(a_profile_without_its_program_says_nothing)
{
    begin("gcov");
    put("p.profraw", "");
    CHECK_EQ(cov_inputs_add(&in, "p.profraw", &err), 0);
    CHECK_EQ(cov_inputs_read(&in, &err), ORIEL_EINVAL);
    CHECK(strstr(err.text, "--object") != NULL);
    end();
}

TEST(the_tools_of_llvm_that_can_read_a_profile_are_found)
{
    begin("gcov");
    put("p.profraw", "");
    CHECK_EQ(mkdir("bin", 0700), 0);
    /* The first one is too old for the profile. */
    put_helper("bin/llvm-profdata", "#!/bin/sh\necho too old >&2\nexit 1\n");
    put_helper("bin/llvm-profdata-19",
               "#!/bin/sh\n[ \"$1 $2 $3 $5\" = 'merge -sparse -o p.profraw' ]\n");
    put_helper(
        "bin/llvm-cov-19",
        "#!/bin/sh\n[ \"$1 $2 $4 $5 $6\" = 'export -format=lcov prog -object lib.so' ] || exit 1\n"
        "printf 'SF:/a.c\\nFNDA:1,a.c:f\\nDA:1,5\\nend_of_record\\n'\n");
    char path[8192];
    snprintf(path, sizeof path, "bin:%s", "/usr/bin:/bin");
    setenv("PATH", path, 1);
    CHECK_EQ(cov_inputs_object(&in, "prog"), 0);
    CHECK_EQ(cov_inputs_object(&in, "lib.so"), 0);
    CHECK_EQ(cov_inputs_add(&in, "p.profraw", &err), 0);
    int rc = cov_inputs_read(&in, &err);
    if (rc < 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    REQUIRE(c.files.count == 1);
    CHECK_EQ(c.files.items[0].lines.items[0].count, 5);
    CHECK_STR(in.method, "llvm");
    end();
}

TEST(a_profile_that_cannot_be_read_costs_itself)
{
    char path[1024];
    begin("gcov");
    put("a.profraw", "");
    put("bad.profraw", "");
    put("d.profraw", "");
    CHECK_EQ(mkdir("bin", 0700), 0);
    put_helper("bin/llvm-profdata",
               "#!/bin/sh\ncase $* in *bad*) echo 'bad.profraw: malformed' >&2; "
               "exit 1;; *' a.profraw d.profraw') : >merged;; esac\n");
    put_helper("bin/llvm-cov", "#!/bin/sh\n[ -f merged ] || exit 1\n"
                               "printf 'SF:/a.c\\nDA:1,5\\nend_of_record\\n'\n");
    snprintf(path, sizeof path, "%s/bin", test_tmpdir());
    setenv("PATH", path, 1);
    CHECK_EQ(cov_inputs_object(&in, "prog"), 0);
    CHECK_EQ(cov_inputs_add(&in, "a.profraw", &err), 0);
    CHECK_EQ(cov_inputs_add(&in, "bad.profraw", &err), 0);
    CHECK_EQ(cov_inputs_add(&in, "d.profraw", &err), 0);
    expect_lost(1, "bad.profraw: malformed");
    REQUIRE(c.files.count == 1);
    put_helper("bin/llvm-profdata", "#!/bin/sh\necho \"$5: malformed\" >&2; exit 1\n");
    CHECK_EQ(cov_inputs_read(&in, &err), ORIEL_EFORMAT);
    CHECK(strstr(err.text, "malformed") != NULL);
    end();
}

TEST_MAIN()
