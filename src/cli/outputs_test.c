/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which files a recording would write, and how runs are named and found.
 */
#include "cli/outputs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/runs.h"
#include "test.h"

static struct outputs o;
static struct oriel_err err;

static void begin(void)
{
    REQUIRE(chdir(test_tmpdir()) == 0);
}

static int choose(const char *to, const char *file)
{
    err = (struct oriel_err){0};
    const struct outputs_wish w = {.to = to, .file = file, .program = "/usr/bin/prog"};
    return outputs_choose(&o, &w, &err);
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    fputs(text, f);
    fclose(f);
}

TEST(outputs_of_one_outlet_go_exactly_where_they_should)
{
    begin();
    REQUIRE(choose("", "some.file") == 0);
    CHECK_EQ(o.count, 1);
    CHECK_STR(o.items[0].path, "some.file");
    CHECK_STR(o.items[0].exporter->name, "capture");
    REQUIRE(choose("chrome", "x") == 0);
    CHECK_STR(o.items[0].path, "x");
    CHECK_EQ(o.capture, -1);
}

TEST(outputs_of_several_outlets_share_a_stem)
{
    begin();
    REQUIRE(choose("chrome,capture", "dir.d/c.oriel") == 0);
    CHECK_STR(o.items[0].path, "dir.d/c.json");
    CHECK_STR(o.items[1].path, "dir.d/c.oriel");
    CHECK_EQ(o.capture, 1);
    REQUIRE(choose("capture,chrome", "dir.d/c") == 0);
    CHECK_STR(o.items[1].path, "dir.d/c.json");
    REQUIRE(choose("capture,chrome", "./.hidden") == 0);
    CHECK_STR(o.items[1].path, "./.hidden.json");
}

TEST(outputs_without_a_name_are_a_new_run)
{
    begin();
    REQUIRE(choose(NULL, NULL) == 0);
    CHECK(strncmp(o.dir, ".oriel/runs/", 12) == 0);
    CHECK(strstr(o.dir, "-prog") != NULL);
    CHECK(strstr(o.items[0].path, "/capture.oriel") != NULL);
    struct stat st;
    CHECK(stat(o.dir, &st) == 0 && S_ISDIR(st.st_mode));
    put(o.items[0].path, "x");
    outputs_discard(&o);
    CHECK(stat(o.dir, &st) != 0);
}

TEST(outputs_refuse_wrong_lists_and_targets)
{
    begin();
    put("notes", "somebody's");
    mkdir("dir", 0700);
    static const struct {
        const char *to, *file, *says;
    } cases[] = {
        {"nonsense", "x", "nonsense"},
        {"capture,capture", "x", "twice"},
        {",", "x", "no outlet"},
        {"capture,", "x", "no outlet"},
        {"a-name-that-is-much-longer-than-any-outlet-could-possibly-ever-have-been", "x",
         "no outlet"},
        {"", "-", "standard output"},
        {"", "notes", "not overwritten"},
        {"", "dir", "is a directory"},
        {"capture,chrome", "c.json", "two outlets"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_EQ(choose(cases[i].to, cases[i].file), ORIEL_EINVAL);
        if (!strstr(err.text, cases[i].says))
            test_fail(__FILE__, __LINE__, "case %zu says \"%s\"", i, err.text);
    }
    char path[700];
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = 0;
    CHECK_EQ(choose("", path), ORIEL_EINVAL);
}

TEST(outputs_may_overwrite_an_older_capture)
{
    begin();
    FILE *f = fopen("c.oriel", "w");
    REQUIRE(f != NULL);
    fwrite("ORIELCP\1 and so on", 1, 18, f);
    fclose(f);
    CHECK_EQ(choose("", "c.oriel"), 0);
}

TEST(runs_of_one_second_get_numbers)
{
    begin();
    char dir[512];
    static const char *const expected[] = {"", "~2", "~3"};
    for (int i = 0; i < 3; i++) {
        REQUIRE(runs_make("a b/c d", 0, dir, sizeof dir, &err) == 0);
        char tail[32];
        snprintf(tail, sizeof tail, "-c_d%s", expected[i]);
        size_t n = strlen(dir), t = strlen(tail);
        CHECK(n > t && strcmp(dir + n - t, tail) == 0);
    }
}

TEST(runs_are_listed_newest_first_and_only_if_they_hold_a_capture)
{
    begin();
    struct runs runs;
    char newest[512], dir[3][512], path[600];
    CHECK_EQ(runs_newest(newest, sizeof newest, &err), ORIEL_ENOTFOUND);
    REQUIRE(runs_list(&runs) == 0);
    CHECK_EQ(runs.count, 0);
    for (int i = 0; i < 3; i++)
        REQUIRE(runs_make("p", i, dir[i], sizeof dir[i], &err) == 0);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%.511s/capture.oriel", dir[i]);
        put(path, "x");
        struct timespec t[2] = {{1000 - i * 500, 0}, {1000 - i * 500, 0}};
        utimensat(AT_FDCWD, path, t, 0);
    }
    REQUIRE(runs_list(&runs) == 0);
    REQUIRE(runs.count == 2);
    CHECK_STR(runs.items[0].dir, dir[0]);
    CHECK_EQ(runs.items[0].bytes, 1);
    runs_done(&runs);
    CHECK_EQ(runs_newest(newest, sizeof newest, &err), 0);
    CHECK(strncmp(newest, dir[0], strlen(dir[0])) == 0);
}

TEST(a_word_means_the_runs_of_that_name_and_not_of_one_that_only_begins_so)
{
    begin();
    static const char *const made[] = {"app", "app", "app-2", "app-2-3"};
    struct runs runs;
    char dir[512], path[600];
    for (int i = 0; i < 4; i++) {
        REQUIRE(runs_make(made[i], 0, dir, sizeof dir, &err) == 0);
        snprintf(path, sizeof path, "%s/capture.oriel", dir);
        put(path, "x");
    }
    REQUIRE(runs_match("app", &runs) == 0);
    CHECK_EQ(runs.count, 2);
    runs_done(&runs);
    REQUIRE(runs_match("app-2", &runs) == 0);
    CHECK_EQ(runs.count, 1);
    runs_done(&runs);
}

TEST_MAIN()
