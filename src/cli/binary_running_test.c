/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The files of this very process.
 */
#include "cli/binary.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

static char here[BINARY_PATH_BYTES], found[BINARY_PATH_BYTES];

static const char *myself(void)
{
    ssize_t n = readlink("/proc/self/exe", here, sizeof here - 1);
    REQUIRE(n > 0);
    here[n] = 0;
    return here;
}

TEST(the_program_is_found_without_a_name_and_by_its_own)
{
    const char *program = myself();
    CHECK_EQ(binary_find_running(getpid(), NULL, found, NULL), 0);
    CHECK_STR(found, program);
    CHECK_EQ(binary_find_running(getpid(), strrchr(program, '/') + 1, found, NULL), 0);
    CHECK_STR(found, program);
}

TEST(what_is_mapped_comes_once_each_and_ends)
{
    uint64_t at = 0;
    unsigned files = 0, mine = 0;
    const char *program = myself();
    while (binary_next_mapped(getpid(), &at, found)) {
        files++;
        mine += strcmp(found, program) == 0;
    }
    CHECK(files >= 1 && files < 1000);
    CHECK_EQ(mine, 1);
    CHECK(!binary_next_mapped(getpid(), &at, found));
}

TEST(what_nobody_has_is_told)
{
    struct oriel_err err = {0};
    CHECK(binary_find_running(getpid(), "no_such_library.so", found, &err) < 0);
    CHECK(strstr(err.text, "no_such_library.so") != NULL);
}

TEST_MAIN()
