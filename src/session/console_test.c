/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Standard output as a way out: only what it was when it was opened is written to. */
#include "session/console.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static struct oriel_err err;

static void open_as_output(const char *name)
{
    int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    REQUIRE(fd >= 0);
    REQUIRE(dup2(fd, STDOUT_FILENO) == STDOUT_FILENO);
    close(fd);
}

static size_t size_of(const char *name)
{
    struct stat st;
    REQUIRE(stat(name, &st) == 0);
    return (size_t)st.st_size;
}

TEST(what_is_written_is_there_and_the_descriptor_stays_the_programs)
{
    struct out *out;
    REQUIRE(chdir(test_tmpdir()) == 0);
    open_as_output("a");
    REQUIRE(console_open(&out, &err) == 0);
    CHECK_EQ(write(STDOUT_FILENO, "mine ", 5), 5);
    CHECK_EQ(out_write(out, "yours\n", 6), 0);
    CHECK_EQ(out_sync(out), 0);
    CHECK_EQ(out->bytes, 6);
    out_close(out);
    CHECK_EQ(size_of("a"), 11);
    CHECK(fcntl(STDOUT_FILENO, F_GETFD) == 0);
}

TEST(a_file_that_took_the_place_of_standard_output_is_not_written_into)
{
    struct out *out;
    REQUIRE(chdir(test_tmpdir()) == 0);
    open_as_output("a");
    REQUIRE(console_open(&out, &err) == 0);
    open_as_output("database");
    CHECK_EQ(out_write(out, "line\n", 5), ORIEL_ECLOSED);
    open_as_output("b");
    CHECK_EQ(out_write(out, "line\n", 5), ORIEL_ECLOSED); /* for good */
    CHECK_EQ(out->bytes, 0);
    out_close(out);
    CHECK_EQ(size_of("a") + size_of("database") + size_of("b"), 0);
}

TEST(without_standard_output_there_is_a_line_instead)
{
    struct out *out = NULL;
    REQUIRE(chdir(test_tmpdir()) == 0);
    close(STDOUT_FILENO);
    CHECK_EQ(console_open(&out, &err), ORIEL_ECLOSED);
    CHECK_STR(err.text, "there is no standard output to write telemetry to");
    /* as everything of Oriel is opened */
    REQUIRE(open("ours", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) == STDOUT_FILENO);
    CHECK_EQ(console_open(&out, &err), ORIEL_ECLOSED);
    CHECK(out == NULL);
}

TEST_MAIN()
