/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli/preload.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "test.h"

static struct oriel_err err;

/* Beside this very test. */
static char *put_library(const char *name)
{
    static char path[4200];
    char exe[4096];
    REQUIRE(os_exe_path(exe, sizeof exe) == 0);
    snprintf(path, sizeof path, "%s/%s", dirname(exe), name);
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    fclose(f);
    return path;
}

TEST(a_library_beside_the_command_is_found)
{
    char out[4096];
    char *path = put_library("libpreload-test-a.so");
    CHECK_EQ(preload_find("libpreload-test-a.so", out, sizeof out, &err), 0);
    CHECK_STR(out, path);
    unlink(path);
    CHECK_EQ(preload_find("libpreload-test-a.so", out, sizeof out, &err), ORIEL_ENOTFOUND);
    CHECK(strstr(err.text, "libpreload-test-a.so"));
}

TEST(it_goes_in_front_of_what_the_user_preloads)
{
    char *path = put_library("libpreload-test-b.so"), wanted[4300], got[9000];
    setenv("LD_PRELOAD", "/lib/their.so", 1);
    CHECK_EQ(preload_setting("libpreload-test-b.so", got, sizeof got, &err), 0);
    snprintf(wanted, sizeof wanted, "LD_PRELOAD=%s:/lib/their.so", path);
    CHECK_STR(got, wanted);
    unsetenv("LD_PRELOAD");
    CHECK_EQ(preload_setting("libpreload-test-b.so", got, sizeof got, &err), 0);
    snprintf(wanted, sizeof wanted, "LD_PRELOAD=%s", path);
    CHECK_STR(got, wanted);
    CHECK_EQ(preload_setting("libpreload-test-b.so", got, 20, &err), ORIEL_EINVAL);
    unlink(path);
}

TEST(a_second_library_goes_in_front_of_the_first)
{
    char *first = put_library("libpreload-test-c.so");
    char wanted[9000], got[9000], kept[4300];
    unsetenv("LD_PRELOAD");
    snprintf(kept, sizeof kept, "%s", first);
    CHECK_EQ(preload_setting("libpreload-test-c.so", got, sizeof got, &err), 0);
    char *second = put_library("libpreload-test-d.so");
    CHECK_EQ(preload_also("libpreload-test-d.so", got, sizeof got, &err), 0);
    snprintf(wanted, sizeof wanted, "LD_PRELOAD=%s:%s", second, kept);
    CHECK_STR(got, wanted);
    CHECK_EQ(preload_also("libpreload-test-d.so", got, 20, &err), ORIEL_EINVAL);
    unlink(second);
    unlink(kept);
}

TEST_MAIN()
